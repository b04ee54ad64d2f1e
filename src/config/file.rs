//! The keys of `stagewright.yaml`, and the JSON Schema that editors check it with.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::previews::PullRequestsEntry;
use crate::app::manifest::web_entries::{HttpEntry, WebsocketEntry};
use crate::app::manifest::{ApiEntry, CorsEntry, FunctionEntry, StageEntry};
use crate::app::yaml::{Placed, Table};

/// How an app is deployed: `stagewright.yaml`.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "stagewright.yaml")]
pub struct File {
    /// Name of the app: 1 to 63 letters, digits, `-` and `_`, and the first part of every name in AWS.
    pub app: Option<Placed<String>>,
    /// Where the state lies: `s3://bucket/prefix` or a folder. Left out: a folder of the project.
    pub state: Option<Placed<StateEntry>>,
    /// Stages by branch; in a branch, `*` takes anything but a slash and `**` anything, and `{1}` in the stage is the first of these.
    #[serde(default)]
    pub branches: Table<Placed<String>>,
    /// Which pull requests get a preview. Left out, or `true`: all of them. `false`: none.
    pub pull_requests: Option<Placed<PullRequestsEntry>>,
    /// Folders of the apps of a repository that has several, where `*` takes one level: `services/*`.
    pub apps: Option<Placed<Vec<Placed<String>>>>,
    /// What is different on a stage, by the stage's name.
    #[serde(default)]
    pub stages: Table<Option<StageEntry>>,
    /// The folder of a Chalice app; `false` where there is one and `functions` is meant.
    pub chalice: Option<Placed<ChaliceEntry>>,
    /// The functions by name.
    pub functions: Option<Placed<Table<FunctionEntry>>>,
    /// Names of functions by `METHOD /path`: `GET /guests/{id}: api`.
    #[serde(default)]
    pub routes: Table<Placed<String>>,
    /// Whether browsers of other origins may call: `true`, or who may and how.
    pub cors: Option<Placed<CorsEntry>>,
    /// What concerns the whole REST API.
    pub api: Option<Placed<ApiEntry>>,
    /// The HTTP API, API Gateway's simpler and cheaper kind.
    pub http: Option<Placed<HttpEntry>>,
    /// The websocket API.
    pub websocket: Option<Placed<WebsocketEntry>>,
}

/// Where the state lies, and how it is reached.
#[derive(Debug)]
pub enum StateEntry {
    /// Only where.
    Url(String),
    /// In another account or Region than the stages.
    Fields(StateFields),
}

/// Where the state lies, in which Region, and as whom it is reached.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateFields {
    /// `s3://bucket/prefix` or a folder.
    pub url: Placed<String>,
    /// Region of the bucket.
    pub region: Option<Placed<String>>,
    /// ARN of the role with which the bucket is reached.
    pub role: Option<Placed<String>>,
}

impl<'de> Deserialize<'de> for StateEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct State;

        impl<'de> Visitor<'de> for State {
            type Value = StateEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`s3://bucket/prefix`, a folder or a mapping")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<StateEntry, E> {
                Ok(StateEntry::Url(url.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StateEntry, A::Error> {
                StateFields::deserialize(MapAccessDeserializer::new(map)).map(StateEntry::Fields)
            }
        }

        deserializer.deserialize_any(State)
    }
}

impl JsonSchema for StateEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StateEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<StateFields>();
        json_schema!({"anyOf": [{"type": "string"}, fields]})
    }
}

/// Whether a Chalice app is meant.
#[derive(Debug)]
pub enum ChaliceEntry {
    /// `false`: not.
    No,
    /// The one in this folder.
    Folder(String),
}

impl<'de> Deserialize<'de> for ChaliceEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Chalice;

        impl Visitor<'_> for Chalice {
            type Value = ChaliceEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the folder of a Chalice app, or `false`")
            }

            fn visit_str<E: de::Error>(self, folder: &str) -> Result<ChaliceEntry, E> {
                Ok(ChaliceEntry::Folder(folder.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, is_meant: bool) -> Result<ChaliceEntry, E> {
                Ok(if is_meant {
                    ChaliceEntry::Folder(".".to_owned())
                } else {
                    ChaliceEntry::No
                })
            }
        }

        deserializer.deserialize_any(Chalice)
    }
}

impl JsonSchema for ChaliceEntry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChaliceEntry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "boolean"]})
    }
}

/// The JSON Schema of `stagewright.yaml`; `docs/stagewright.schema.json` is the same.
pub fn schema() -> Value {
    schemars::schema_for!(File).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_docs_is_the_one_of_the_types() {
        let committed: Value = serde_json::from_str(include_str!("../../docs/stagewright.schema.json")).unwrap();
        let ours = serde_json::to_string_pretty(&schema()).unwrap();
        assert!(
            committed == schema(),
            "run `stagewright schema > docs/stagewright.schema.json`; it is now:\n{ours}"
        );
    }
}
