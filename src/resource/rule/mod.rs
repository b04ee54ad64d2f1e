//! EventBridge rules: when a function is called, by the clock or by an event that fits a pattern.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::Address;

pub mod aws;

/// A rule of the default event bus, with a function as its one target.
///
/// Its name has at most 64 characters: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name in AWS.
    pub name: String,
    /// When it fires: `rate(1 hour)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Which events fire it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Value>,
    /// What people read in the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
    /// All tags, ours among them.
    pub tags: BTreeMap<String, String>,
}

/// What AWS told us about a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its name in AWS.
    pub name: String,
}
