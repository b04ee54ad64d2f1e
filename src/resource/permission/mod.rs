//! Permissions: who may call which function.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::names::Address;

pub mod aws;

/// A statement in a function's policy that lets somebody call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
    /// Who may call it.
    #[serde(flatten)]
    pub caller: Caller,
}

/// Who may call a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// A REST API of the stage.
    RestApi(Address),
    /// A websocket API or an HTTP API of the stage.
    V2Api(Address),
    /// A rule of EventBridge: its name.
    Rule(String),
    /// An SNS topic: its ARN.
    Topic(String),
    /// A bucket: its name.
    Bucket(String),
    /// Anybody, by the function's URL.
    Public(PublicCall),
}

/// What anybody may do. AWS asks for both, for a URL that was made since October 2025.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicCall {
    /// `lambda:InvokeFunctionUrl`.
    Url,
    /// `lambda:InvokeFunction`, by the URL alone.
    Function,
}

impl Caller {
    /// The resource of the stage that calls, if it is one that AWS names.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::RestApi(address) | Self::V2Api(address) => Some(address),
            Self::Rule(_) | Self::Topic(_) | Self::Bucket(_) | Self::Public(_) => None,
        }
    }

    /// The statement's id: a function has one statement of each caller. What an id cannot hold of a caller's name stands in
    /// it as a digest, so that no two callers share one.
    pub fn statement_id(&self) -> String {
        let (kind, name, whole) = match self {
            Self::RestApi(_) => return STATEMENT_ID.to_owned(),
            Self::V2Api(address) => ("", address.name(), address.name()),
            Self::Rule(name) => ("rule-", name.as_str(), name.as_str()),
            Self::Topic(arn) => ("topic-", arn.rsplit(':').next().unwrap_or_default(), arn.as_str()),
            Self::Bucket(name) => ("bucket-", name.as_str(), name.as_str()),
            Self::Public(PublicCall::Url) => return "stagewright-public-url".to_owned(),
            Self::Public(PublicCall::Function) => return "stagewright-public-function".to_owned(),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let written: String = name.chars().map(|c| if fits(c) { c } else { '-' }).collect();
        let id = format!("stagewright-{kind}{written}");
        if written == whole && id.len() <= LONGEST_STATEMENT_ID {
            return id;
        }
        let digest = Sha256::digest(whole);
        let digest: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let kept: String = id.chars().take(LONGEST_STATEMENT_ID - digest.len() - 1).collect();
        format!("{kept}-{digest}")
    }
}

/// Where the statement stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The function's name in AWS.
    pub function_name: String,
    /// The statement's id in the function's policy.
    pub statement_id: String,
}

/// The id of the statement for the stage's one REST API.
pub const STATEMENT_ID: &str = "stagewright-rest_api";

/// See <https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>.
const LONGEST_STATEMENT_ID: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_caller_of_a_function_has_a_statement_of_its_own() {
        let long = "n".repeat(120);
        let topic = |account: &str| format!("arn:aws:sns:eu-west-1:{account}:orders");
        let callers = [
            Caller::RestApi(Address::new("rest_api", "rest_api")),
            Caller::V2Api(Address::new("v2_api", "websocket_api")),
            Caller::V2Api(Address::new("v2_api", "http_api")),
            Caller::Rule("shop-prod-tick".to_owned()),
            Caller::Topic(topic("111111111111")),
            Caller::Topic(topic("222222222222")),
            Caller::Topic(format!("{}{long}a", topic("111111111111"))),
            Caller::Topic(format!("{}{long}b", topic("111111111111"))),
            Caller::Bucket("a.b".to_owned()),
            Caller::Bucket("a-b".to_owned()),
            Caller::Public(PublicCall::Url),
            Caller::Public(PublicCall::Function),
        ];
        let ids: std::collections::BTreeSet<String> = callers.iter().map(Caller::statement_id).collect();
        assert_eq!(ids.len(), callers.len(), "{ids:?}");
        for id in ids {
            let fits = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
            assert!(fits && id.len() <= LONGEST_STATEMENT_ID, "{id}");
        }
    }

    #[test]
    fn a_statement_is_named_after_its_caller() {
        let websocket = Caller::V2Api(Address::new("v2_api", "websocket_api"));
        assert_eq!(websocket.statement_id(), "stagewright-websocket_api");
        let rule = Caller::Rule("shop-prod-tick".to_owned());
        assert_eq!(rule.statement_id(), "stagewright-rule-shop-prod-tick");
    }
}
