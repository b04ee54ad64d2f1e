//! Subscriptions of functions to SNS topics.

use serde::{Deserialize, Serialize};

use crate::names::Address;

pub mod aws;

/// A function's subscription to a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The topic as it was written: its name or its ARN.
    pub topic: String,
    /// The topic's ARN.
    pub topic_arn: String,
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
}

/// What AWS told us about a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its ARN.
    pub arn: String,
    /// The topic as it was written: its name or its ARN.
    pub topic: String,
    /// The topic's ARN.
    pub topic_arn: String,
    /// ARN of the function.
    pub function_arn: String,
}
