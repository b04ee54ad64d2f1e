//! Log groups of functions, where the user said how long logs are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub mod aws;

/// A function's log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Its name in AWS: `/aws/lambda/` and the function's.
    pub name: String,
    /// Days after which an event is deleted: one of the numbers that CloudWatch Logs takes.
    pub retention_days: u32,
    /// All tags, ours among them.
    pub tags: BTreeMap<String, String>,
}

/// What AWS told us about a log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its name in AWS.
    pub name: String,
}
