//! Permissions: which REST API may call which function.

use serde::{Deserialize, Serialize};

use crate::names::Address;

pub mod aws;

/// A statement in a function's policy that lets a REST API call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
    /// The REST API.
    pub rest_api: Address,
}

/// Where the statement stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The function's name in AWS.
    pub function_name: String,
    /// The statement's id in the function's policy.
    pub statement_id: String,
}

/// The statement's id: one REST API a stage, so that it needs no more.
pub const STATEMENT_ID: &str = "stagewright-rest_api";
