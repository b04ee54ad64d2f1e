//! IAM roles: what functions run as.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Owner, Place};

pub mod aws;

/// How much of a digest stands in the name of a role that previews share, in hexadecimal digits.
const DIGITS: usize = 20;

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
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Sharing::is_own")]
    pub sharing: Sharing,
}

/// Whose a role is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// The stage's own.
    #[default]
    Own,
    /// That of all previews of the app whose functions may do the same.
    Previews,
}

impl Sharing {
    /// Whether it is the stage's own.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// What AWS told us about a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its ARN.
    pub arn: String,
    /// Its name in AWS.
    pub name: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Sharing::is_own")]
    pub sharing: Sharing,
}

impl Role {
    /// What is known of a role before it is made: its ARN follows from its name.
    pub fn outputs(&self, place: &Place) -> Outputs {
        let Place { account, partition, .. } = place;
        Outputs {
            arn: format!("arn:{partition}:iam::{account}:role/{}", self.name),
            name: self.name.clone(),
            sharing: self.sharing,
        }
    }
}

/// The role that all previews of an app share whose functions may do what `policy` says: its name has a digest of that, so that
/// another policy is another role. It says nothing of a stage, and nothing of it is ever changed.
pub fn of_previews(policy: &Value, owner: &Owner, place: &Place) -> Role {
    let policy = without_ids(policy);
    let Place { account, partition, .. } = place;
    let content = json!([partition, account, owner.store, owner.app, trust_policy(), policy]);
    let digest: String = Sha256::digest(sorted(&content).to_string())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Role {
        name: format!("{}-preview-{}", owner.app, &digest[..DIGITS]),
        policy: sorted(&policy),
        tags: owner.tags_of_shared(),
        sharing: Sharing::Previews,
    }
}

/// A role of previews, as a thing that stages share.
pub fn shared(name: &str) -> String {
    format!("role-{name}")
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
    without_ids(one) == without_ids(other)
}

fn without_ids(policy: &Value) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
        if let Some(statement) = statement.as_object_mut() {
            statement.remove("Sid");
        }
    }
    policy
}

/// The same with the keys of every object in the order of the alphabet.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(keys) => {
            let keys: BTreeMap<&String, Value> = keys.iter().map(|(key, value)| (key, sorted(value))).collect();
            json!(keys)
        }
        Value::Array(values) => values.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(store: &str, stage: &str) -> Owner {
        Owner {
            store: store.to_owned(),
            app: "shop".parse().unwrap(),
            stage: stage.parse().unwrap(),
        }
    }

    fn place(account: &str) -> Place {
        Place {
            account: account.to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
        }
    }

    fn policy(sid: &str, action: &str) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow", "Action": action, "Resource": "*"}]})
    }

    #[test]
    fn two_previews_that_may_do_the_same_have_one_role_whatever_their_statements_are_called() {
        let one = of_previews(&policy("a1", "s3:GetObject"), &owner("s3://b/p", "pr-7"), &place("1"));
        let turned = json!({
            "Statement": [{"Resource": "*", "Action": "s3:GetObject", "Effect": "Allow", "Sid": "b2"}],
            "Version": "2012-10-17",
        });
        let other = of_previews(&turned, &owner("s3://b/p", "pr-8"), &place("1"));
        assert_eq!(one, other);
        assert_eq!(one.policy.to_string(), other.policy.to_string());
        assert!(!json!(one).to_string().contains("pr-7"), "{one:?}");
    }

    #[test]
    fn what_may_do_something_else_or_belongs_elsewhere_is_another_role() {
        let names: std::collections::BTreeSet<String> = [
            of_previews(&policy("", "s3:GetObject"), &owner("s3://b/p", "pr-7"), &place("1")),
            of_previews(&policy("", "s3:PutObject"), &owner("s3://b/p", "pr-7"), &place("1")),
            of_previews(&policy("", "s3:GetObject"), &owner("s3://b/q", "pr-7"), &place("1")),
            of_previews(&policy("", "s3:GetObject"), &owner("s3://b/p", "pr-7"), &place("2")),
        ]
        .into_iter()
        .map(|role| role.name)
        .collect();
        assert_eq!(names.len(), 4, "{names:?}");
    }
}
