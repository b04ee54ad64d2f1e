//! The manifest front-end: functions of any runtime and what calls them, as `stagewright.yaml` declares it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use self::either::SwitchOr;
use self::event_entries::EventEntry;
use self::web_entries::{DomainEntry, DomainOverride, HttpEntry, UrlFields, WebsocketEntry};
use super::Architecture;
use super::flaws::Place;
use super::yaml::{Placed, Table};
use crate::names::AppName;

mod api;
mod checks;
mod code;
pub mod either;
pub mod event_entries;
mod events;
mod policy;
pub mod read;
mod routes;
mod substitution;
pub mod variables;
mod web;
pub mod web_entries;

/// Everything in `stagewright.yaml` that an app is made from.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The project's folder, to which all paths are relative.
    pub folder: PathBuf,
    /// The file, relative to the folder, as findings name it.
    pub file: PathBuf,
    /// The app's name.
    pub app: AppName,
    /// The functions by name.
    pub functions: Table<FunctionEntry>,
    /// Functions' names by `METHOD /path`.
    pub routes: Table<Placed<String>>,
    /// The answer to browsers of other origins.
    pub cors: Option<Placed<CorsEntry>>,
    /// What concerns the whole REST API.
    pub api: ApiEntry,
    /// The HTTP API.
    pub http: Option<Placed<HttpEntry>>,
    /// The websocket API.
    pub websocket: Option<Placed<WebsocketEntry>>,
    /// What is different on a stage, by the stage's name.
    pub stages: Table<StageEntry>,
}

/// A function, made of `code` for a `runtime`, or of an `image`.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend(
    "if" = {"required": ["image"]},
    "then" = {"not": {"anyOf": [{"required": ["runtime"]}, {"required": ["code"]}]}},
    "else" = {"required": ["runtime", "code"]},
))]
pub struct FunctionEntry {
    /// Lambda's name of the runtime: `provided.al2023`, `python3.13`, `nodejs22.x`, `java21`.
    pub runtime: Option<Placed<String>>,
    /// CPU architecture of the code.
    #[serde(default)]
    pub architecture: Architecture,
    /// What the runtime calls, 1 to 128 characters. Left out: `bootstrap`, for a `provided` runtime only.
    pub handler: Option<Placed<String>>,
    /// A folder, a file or a `.zip`, relative to this file.
    pub code: Option<Placed<String>>,
    /// A command line that makes the code, run by `sh -c` in this file's folder before packaging.
    pub build: Option<Placed<String>>,
    /// URI of a container image in ECR, with a tag or a digest; `${stage}` in it is the stage's name.
    pub image: Option<Placed<String>>,
    /// Memory in MiB, 128 to 10,240. Left out: 128.
    #[schemars(range(min = 128, max = 10240))]
    pub memory_mib: Option<Placed<u32>>,
    /// Time limit of one invocation in seconds, 1 to 900. Left out: 30.
    #[schemars(range(min = 1, max = 900))]
    pub timeout_s: Option<Placed<u32>>,
    /// Environment variables; `${env:NAME}` is taken from the environment of the deploy and kept secret.
    #[serde(default)]
    #[schemars(with = "Table<ScalarText>")]
    pub environment: Table<Placed<String>>,
    /// What the function may do: a list of statements, or the path of a JSON policy document. It then has a role of its own.
    pub policy: Option<Placed<PolicyEntry>>,
    /// ARN of a role that exists, instead of one that is made.
    pub role: Option<Placed<String>>,
    /// ARNs of layer versions, at most 5.
    #[serde(default)]
    #[schemars(length(max = 5))]
    pub layers: Vec<Placed<String>>,
    /// The network in which it runs.
    pub vpc: Option<Placed<VpcEntry>>,
    /// Whether X-Ray traces every sampled request.
    #[serde(default)]
    pub tracing: bool,
    /// Concurrency that is reserved for it; 0 blocks it.
    pub reserved_concurrency: Option<u32>,
    /// Days after which its log is deleted: 1, 3, 5, 7, 14, 30, 60, 90, … Left out: it is kept for ever.
    pub log_retention_days: Option<Placed<u32>>,
    /// What happens outside and calls it.
    #[serde(default)]
    pub events: Vec<Placed<EventEntry>>,
    /// Its own address on the web: `true`, or who may call it.
    pub url: Option<Placed<SwitchOr<UrlFields>>>,
    /// Tags in AWS, beside our own.
    #[serde(default)]
    #[schemars(with = "Table<ScalarText>")]
    pub tags: Table<Placed<String>>,
}

/// What is different on a stage.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageEntry {
    /// The account and Region of the stage.
    pub aws: Option<AwsEntry>,
    /// Whether the stage is deployed only by what the default branch's file maps to it.
    #[serde(default)]
    pub protected: bool,
    /// The Python of a Chalice app: `3.13`. Left out: what the project says.
    pub python: Option<Placed<String>>,
    /// What is different of the REST API.
    pub api: Option<Placed<ApiOverride>>,
    /// What is different of the HTTP API.
    pub http: Option<Placed<DomainOverride>>,
    /// What is different of the websocket API.
    pub websocket: Option<Placed<DomainOverride>>,
    /// Environment variables of all functions, over their own.
    #[serde(default)]
    #[schemars(with = "Table<ScalarText>")]
    pub environment: Table<Placed<String>>,
    /// What is different of single functions, by name.
    #[serde(default)]
    pub functions: Table<OverrideEntry>,
}

impl StageEntry {
    /// The keys that concern an API of a manifest, with their places.
    pub fn web_keys(&self) -> Vec<(&'static str, Place)> {
        let api = self.api.as_ref().map(|entry| ("api", entry.place));
        let http = self.http.as_ref().map(|entry| ("http", entry.place));
        let websocket = self.websocket.as_ref().map(|entry| ("websocket", entry.place));
        api.into_iter().chain(http).chain(websocket).collect()
    }
}

/// The account and Region of a stage.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsEntry {
    /// Region: `eu-west-1`.
    pub region: Option<Placed<String>>,
    /// ARN of the role with which the stage is deployed.
    pub role: Option<Placed<String>>,
}

/// What is different of a function on a stage.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideEntry {
    /// Memory in MiB, 128 to 10,240.
    #[schemars(range(min = 128, max = 10240))]
    pub memory_mib: Option<Placed<u32>>,
    /// Time limit of one invocation in seconds, 1 to 900.
    #[schemars(range(min = 1, max = 900))]
    pub timeout_s: Option<Placed<u32>>,
    /// Environment variables, over those of the function and of the stage.
    #[serde(default)]
    #[schemars(with = "Table<ScalarText>")]
    pub environment: Table<Placed<String>>,
    /// Concurrency that is reserved for it; 0 blocks it.
    pub reserved_concurrency: Option<u32>,
    /// URI of another container image, for a function that is made of one.
    pub image: Option<Placed<String>>,
    /// Days after which its log is deleted.
    pub log_retention_days: Option<Placed<u32>>,
    /// What calls it on the stage, instead of its own `events`; `[]` for nothing.
    pub events: Option<Vec<Placed<EventEntry>>>,
    /// Its own address on the web on the stage; `false` for none.
    pub url: Option<Placed<SwitchOr<UrlFields>>>,
    /// ARNs of layer versions, instead of its own.
    #[schemars(length(max = 5))]
    pub layers: Option<Vec<Placed<String>>>,
    /// The network in which it runs on the stage.
    pub vpc: Option<Placed<VpcEntry>>,
    /// Whether X-Ray traces every sampled request.
    pub tracing: Option<bool>,
}

/// A network in which a function runs.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VpcEntry {
    /// Ids of subnets.
    pub subnet_ids: Vec<Placed<String>>,
    /// Ids of security groups.
    pub security_group_ids: Vec<Placed<String>>,
}

/// What concerns the whole REST API.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiEntry {
    /// Where it is reached: `regional` (the default), `edge` or `private`.
    pub endpoint: Option<Placed<EndpointEntry>>,
    /// Ids of the VPC endpoints through which a private API is reached.
    pub vpc_endpoints: Option<Placed<Vec<Placed<String>>>>,
    /// Path of a JSON document that says who may call it. Left out, a private API lets its VPC endpoints in.
    pub policy: Option<Placed<String>>,
    /// The domain under which it is found.
    pub domain: Option<Placed<DomainEntry>>,
    /// The first segment of its paths. Left out: `api`.
    pub stage_name: Option<Placed<String>>,
    /// Media types that are passed on as binary, instead of the usual ones for archives, audio, images and video.
    pub binary_types: Option<Vec<String>>,
    /// Smallest answer in bytes that is compressed, 0 to 10,485,760. Left out: none is.
    #[schemars(range(max = 10_485_760))]
    pub minimum_compression_size: Option<Placed<u32>>,
    /// Whether X-Ray traces its requests.
    #[serde(default)]
    pub tracing: bool,
}

/// Where a REST API is reached.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointEntry {
    /// In its Region.
    Regional,
    /// Through CloudFront's points of presence.
    Edge,
    /// From within VPCs.
    Private,
}

/// What is different of the REST API on a stage.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiOverride {
    /// Where it is reached: `regional`, `edge` or `private`.
    pub endpoint: Option<Placed<EndpointEntry>>,
    /// Ids of the VPC endpoints through which a private API is reached.
    pub vpc_endpoints: Option<Placed<Vec<Placed<String>>>>,
    /// Path of a JSON document that says who may call it.
    pub policy: Option<Placed<String>>,
    /// The domain under which it is found on the stage.
    pub domain: Option<Placed<DomainEntry>>,
}

/// One statement of a policy.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementEntry {
    /// Actions: `dynamodb:GetItem`.
    #[schemars(length(min = 1))]
    pub actions: Placed<Vec<Placed<String>>>,
    /// ARNs of what they are allowed on, or `*`.
    #[schemars(length(min = 1))]
    pub resources: Placed<Vec<Placed<String>>>,
    /// `Allow` (the default) or `Deny`.
    #[serde(default)]
    pub effect: EffectEntry,
    /// Conditions, as IAM writes them.
    pub conditions: Option<BTreeMap<String, Value>>,
}

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
pub enum EffectEntry {
    /// It allows.
    #[default]
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// What a function may do.
#[derive(Debug, Clone)]
pub enum PolicyEntry {
    /// Statements.
    Statements(Vec<StatementEntry>),
    /// Path of a JSON policy document.
    Document(String),
}

impl<'de> Deserialize<'de> for PolicyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Policy;

        impl<'de> Visitor<'de> for Policy {
            type Value = PolicyEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of statements, or the path of a policy document")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<PolicyEntry, E> {
                Ok(PolicyEntry::Document(path.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PolicyEntry, A::Error> {
                let mut statements = Vec::new();
                while let Some(statement) = list.next_element()? {
                    statements.push(statement);
                }
                Ok(PolicyEntry::Statements(statements))
            }
        }

        deserializer.deserialize_any(Policy)
    }
}

impl JsonSchema for PolicyEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PolicyEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let statements = generator.subschema_for::<Vec<StatementEntry>>();
        json_schema!({"anyOf": [{"type": "string"}, statements]})
    }
}

/// The answer to browsers of other origins.
#[derive(Debug, Clone)]
pub enum CorsEntry {
    /// `true`: anybody may call; `false`: nobody of another origin.
    Switch(bool),
    /// Who may call, and how.
    Fields(CorsFields),
}

/// Who of another origin may call, and how.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsFields {
    /// The origin that may call; `origin` is the same key. Left out: `*`.
    #[serde(alias = "origin")]
    pub allow_origin: Option<Placed<String>>,
    /// Headers that may be sent, beside the usual ones.
    #[serde(default)]
    pub allow_headers: Vec<Placed<String>>,
    /// Headers of the answer that may be read.
    #[serde(default)]
    pub expose_headers: Vec<Placed<String>>,
    /// Seconds for which the browser keeps the answer.
    pub max_age: Option<u32>,
    /// Whether cookies and credentials may be sent.
    pub allow_credentials: Option<Placed<bool>>,
}

impl<'de> Deserialize<'de> for CorsEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Cors;

        impl<'de> Visitor<'de> for Cors {
            type Value = CorsEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true`, `false` or a mapping")
            }

            fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<CorsEntry, E> {
                Ok(CorsEntry::Switch(is_on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CorsEntry, A::Error> {
                CorsFields::deserialize(MapAccessDeserializer::new(map)).map(CorsEntry::Fields)
            }
        }

        deserializer.deserialize_any(Cors)
    }
}

impl JsonSchema for CorsEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CorsEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<CorsFields>();
        json_schema!({"anyOf": [{"type": "boolean"}, fields]})
    }
}

/// In a schema: a text, for which YAML may write a number or a boolean.
#[derive(JsonSchema)]
#[schemars(inline, untagged)]
#[expect(dead_code, reason = "it is only ever a schema")]
enum ScalarText {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Switch(bool),
}

/// Values of a list, without their places.
fn values(list: &[Placed<String>]) -> Vec<String> {
    list.iter().map(|text| text.value.clone()).collect()
}

/// Values of a table, without their places.
fn texts(table: &Table<Placed<String>>) -> BTreeMap<String, String> {
    table
        .iter()
        .map(|(key, value)| (key.value.clone(), value.value.clone()))
        .collect()
}
