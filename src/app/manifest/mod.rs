//! The manifest front-end: functions and routes of any runtime, as `stagewright.yaml` declares them.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::Architecture;
use super::yaml::{Placed, Table};
use crate::names::AppName;

mod checks;
mod code;
mod policy;
pub mod read;
mod routes;
pub mod variables;

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
    /// What is different on a stage, by the stage's name.
    pub stages: Table<StageEntry>,
}

/// A function.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionEntry {
    /// Lambda's name of the runtime: `provided.al2023`, `python3.13`, `nodejs22.x`, `java21`.
    pub runtime: Placed<String>,
    /// CPU architecture of the code.
    #[serde(default)]
    pub architecture: Architecture,
    /// What the runtime calls, 1 to 128 characters. Left out: `bootstrap`, for a `provided` runtime only.
    pub handler: Option<Placed<String>>,
    /// A folder, a file or a `.zip`, relative to this file.
    pub code: Placed<String>,
    /// A command line that makes the code, run by `sh -c` in this file's folder before packaging.
    pub build: Option<Placed<String>>,
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
    /// Environment variables of all functions, over their own.
    #[serde(default)]
    #[schemars(with = "Table<ScalarText>")]
    pub environment: Table<Placed<String>>,
    /// What is different of single functions, by name.
    #[serde(default)]
    pub functions: Table<OverrideEntry>,
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
    /// Where it is reached: `regional` (the default) or `edge`.
    #[serde(default)]
    pub endpoint: EndpointEntry,
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
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointEntry {
    /// In its Region.
    #[default]
    Regional,
    /// Through CloudFront's points of presence.
    Edge,
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
    pub conditions: Option<std::collections::BTreeMap<String, Value>>,
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
