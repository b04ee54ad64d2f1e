//! The keys of `url`, `http`, `websocket` and `domain`: where people and programs find an app beside its REST API.

use schemars::JsonSchema;

use super::either::SwitchOr;
use crate::app::yaml::{Placed, Table};

/// A function's own address on the web.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UrlFields {
    /// Who may call it: `public` (the default) or `iam`.
    #[serde(default)]
    pub access: AccessEntry,
    /// Whether browsers of other origins may call it: `true`, or who may and how.
    pub cors: Option<Placed<SwitchOr<HttpCorsFields>>>,
}

/// Who may call a function's URL.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessEntry {
    /// Anybody.
    #[default]
    Public,
    /// Whom IAM allows to.
    Iam,
}

/// Who of another origin may call an HTTP API or a function's URL, and how.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpCorsFields {
    /// Origins that may call. Left out: any.
    pub allow_origins: Option<Vec<Placed<String>>>,
    /// Methods that they may use. Left out: any.
    pub allow_methods: Option<Vec<Placed<String>>>,
    /// Headers that may be sent. Left out: any.
    pub allow_headers: Option<Vec<Placed<String>>>,
    /// Headers of the answer that may be read.
    #[serde(default)]
    pub expose_headers: Vec<Placed<String>>,
    /// Seconds for which the browser keeps the answer, 0 to 86,400.
    #[schemars(range(max = 86_400))]
    pub max_age: Option<Placed<u32>>,
    /// Whether cookies and credentials may be sent.
    pub allow_credentials: Option<Placed<bool>>,
}

/// A websocket API.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebsocketEntry {
    /// The first segment of its path. Left out: `api`.
    pub stage_name: Option<Placed<String>>,
    /// Functions' names by route: `$connect`, `$disconnect`, `$default`, or the value of `action` in a message.
    pub routes: Placed<Table<Placed<String>>>,
    /// The domain under which it is found.
    pub domain: Option<Placed<DomainEntry>>,
}

/// An HTTP API: API Gateway's simpler and cheaper kind.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpEntry {
    /// Functions' names by `METHOD /path`, or `$default` for whatever fits no other.
    pub routes: Placed<Table<Placed<String>>>,
    /// Whether browsers of other origins may call: `true`, or who may and how.
    pub cors: Option<Placed<SwitchOr<HttpCorsFields>>>,
    /// The domain under which it is found.
    pub domain: Option<Placed<DomainEntry>>,
}

/// A domain of the user's own.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainEntry {
    /// The domain: `api.example.com`. `${stage}` in it is the stage's name.
    pub name: Placed<String>,
    /// ARN of its certificate in ACM.
    pub certificate_arn: Placed<String>,
    /// The oldest TLS that it speaks. Left out: `TLS_1_2`.
    #[serde(default)]
    pub tls_version: Option<Placed<TlsEntry>>,
    /// The first segment of its paths that leads to the API. Left out: all of them do.
    pub path: Option<Placed<String>>,
    /// Tags in AWS, beside our own.
    #[serde(default)]
    #[schemars(with = "Table<super::ScalarText>")]
    pub tags: Table<Placed<String>>,
}

/// The oldest TLS that a domain speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
pub enum TlsEntry {
    /// TLS 1.0, for a REST API only.
    #[serde(rename = "TLS_1_0")]
    Tls10,
    /// TLS 1.2.
    #[serde(rename = "TLS_1_2")]
    Tls12,
}

impl TlsEntry {
    /// API Gateway's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls10 => "TLS_1_0",
            Self::Tls12 => "TLS_1_2",
        }
    }
}

/// What is different of a websocket or HTTP API on a stage.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainOverride {
    /// The domain under which it is found on the stage.
    pub domain: Option<Placed<DomainEntry>>,
}
