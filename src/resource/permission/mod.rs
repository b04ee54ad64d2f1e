//! Permissions: who may call which function.

use serde::{Deserialize, Serialize};

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

    /// The statement's id: a function has one caller of each name at most.
    pub fn statement_id(&self) -> String {
        let (kind, name) = match self {
            Self::RestApi(_) => return STATEMENT_ID.to_owned(),
            Self::V2Api(address) => ("", address.name()),
            Self::Rule(name) => ("rule-", name.as_str()),
            Self::Topic(arn) => ("topic-", arn.rsplit(':').next().unwrap_or_default()),
            Self::Bucket(name) => ("bucket-", name.as_str()),
            Self::Public(PublicCall::Url) => ("public-", "url"),
            Self::Public(PublicCall::Function) => ("public-", "function"),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let name = name.chars().map(|c| if fits(c) { c } else { '-' });
        let id = "stagewright-".chars().chain(kind.chars()).chain(name);
        id.take(LONGEST_STATEMENT_ID).collect()
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
