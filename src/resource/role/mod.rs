//! IAM roles: what functions run as.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub mod aws;

/// A role that Lambda may assume, with one inline policy of the same name.
///
/// Its name has at most 64 characters: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name in AWS, and its policy's.
    pub name: String,
    /// The inline policy document.
    pub policy: Value,
    /// All tags, ours among them.
    pub tags: BTreeMap<String, String>,
}

/// What AWS told us about a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its ARN.
    pub arn: String,
    /// Its name in AWS.
    pub name: String,
}

/// Who may assume every role that we make: Lambda, with the empty `Sid` that Chalice gives it.
pub fn trust_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }],
    })
}

/// Whether two policies say the same. The ids of statements mean nothing, and Chalice's are random.
pub fn says_the_same(one: &Value, other: &Value) -> bool {
    fn without_ids(policy: &Value) -> Value {
        let mut policy = policy.clone();
        for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
            if let Some(statement) = statement.as_object_mut() {
                statement.remove("Sid");
            }
        }
        policy
    }
    without_ids(one) == without_ids(other)
}
