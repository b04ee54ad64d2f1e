//! Notifications of S3 buckets: which changes of objects call a function.
//!
//! A bucket has one list of notifications, which AWS lets one only read and write back whole.

use serde::{Deserialize, Serialize};

use crate::names::Address;

pub mod aws;

/// One entry in a bucket's list of notifications: that of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The event's own name, by which the entries of one function are told apart; empty in states of a former program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event: String,
    /// The bucket.
    pub bucket: String,
    /// Kinds of changes: `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// What the object's key begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What the object's key ends in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
    /// The permission with which the bucket calls it: S3 refuses an entry whose function it may not call.
    pub permission: Address,
}

/// Where the entry stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The bucket.
    pub bucket: String,
    /// ARN of the function, by which the entry is found.
    pub function_arn: String,
    /// The entry's id; not known of one that Chalice recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The name of a bucket's list of notifications, as a thing that stages share.
pub fn shared(bucket: &str) -> String {
    format!("bucket-{bucket}")
}
