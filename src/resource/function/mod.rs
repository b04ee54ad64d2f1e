//! Lambda functions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::Settings;
use crate::names::Address;

pub mod aws;
pub mod invocation;
pub mod log;

/// A Lambda function.
///
/// Its name has at most 64 characters:
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name in AWS.
    pub name: String,
    /// SHA-256 of its zip, in hexadecimal digits; empty for a container image.
    pub code: String,
    /// URI of its container image, where it is no zip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The role that it runs as.
    pub role: RoleReference,
    /// What AWS calls its configuration.
    #[serde(flatten)]
    pub settings: Settings,
    /// The layer of the stage's own that comes before those of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_layer: Option<Address>,
    /// Concurrency reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_concurrency: Option<u32>,
    /// All tags, ours among them.
    pub tags: BTreeMap<String, String>,
}

/// The role that a function runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleReference {
    /// One of the stage's own, by its address.
    Managed(Address),
    /// One that exists, by its ARN.
    Given(String),
}

impl RoleReference {
    /// Whether it means what stands at an address, by its name alone: what a role may do can stand behind that.
    pub fn is_named_as(&self, address: &Address) -> bool {
        match self {
            Self::Managed(own) => own.kind() == address.kind() && own.name() == address.plain_name(),
            Self::Given(_) => false,
        }
    }

    /// The address, if the role is the stage's own.
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::Managed(address) => Some(address.clone()),
            Self::Given(_) => None,
        }
    }
}

/// What AWS told us about a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its ARN, without a version.
    pub arn: String,
}
