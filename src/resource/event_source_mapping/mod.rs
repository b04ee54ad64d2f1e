//! Event source mappings: queues and streams from which Lambda takes what it hands to a function.

use serde::{Deserialize, Serialize};

use crate::names::Address;

pub mod aws;

/// What Lambda hands from a queue or a stream to a function. AWS takes one for each function and source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSourceMapping {
    /// ARN of the queue or stream.
    pub source_arn: String,
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
    /// At most so many messages or records at once.
    pub batch_size: u32,
    /// Seconds for which a batch is waited for, 0 to 300.
    pub window_s: u32,
    /// At most so many executions at once, for a queue only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_concurrency: Option<u32>,
    /// Where reading a stream begins: `LATEST`, `TRIM_HORIZON`. It cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_position: Option<String>,
}

/// What AWS told us about a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its id.
    pub uuid: String,
    /// ARN of the queue or stream.
    pub source_arn: String,
    /// ARN of the function.
    pub function_arn: String,
}
