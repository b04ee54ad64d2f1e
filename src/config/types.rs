//! What the schema of `stagewright.yaml` says of a value's type, held against the file: what an editor refuses, we refuse.
//!
//! The reader is more lenient, since in an environment a number is as good as a text.

use serde_json::Value;

use super::file;
use crate::app::flaws::{Flaws, Place};
use crate::app::yaml::{Kind, Tree};

/// Finds texts where numbers or switches belong, and the other way round.
pub fn check(tree: &Tree, flaws: &mut Flaws) {
    let schema = file::schema();
    let types = Types { schema: &schema };
    types.check(tree, None, (&mut Vec::new(), types.alternatives(&schema)), flaws);
}

struct Types<'a> {
    schema: &'a Value,
}

impl<'a> Types<'a> {
    /// What a value may be, one schema each: references and choices are followed.
    fn alternatives(&self, schema: &'a Value) -> Vec<&'a Value> {
        let below = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
        let choices: Vec<&Value> = below("anyOf").chain(below("oneOf")).collect();
        let reference = schema.get("$ref").and_then(Value::as_str);
        let referred = reference.and_then(|reference| self.schema.pointer(reference.trim_start_matches('#')));
        let followed: Vec<&Value> = choices.into_iter().chain(referred).collect();
        if followed.is_empty() {
            return vec![schema];
        }
        followed
            .into_iter()
            .flat_map(|schema| self.alternatives(schema))
            .collect()
    }

    fn check(
        &self,
        tree: &'a Tree,
        place: Place,
        (path, schemas): (&mut Vec<&'a str>, Vec<&'a Value>),
        flaws: &mut Flaws,
    ) {
        let kind = match tree {
            Tree::Map(entries) => {
                for (key, value) in entries {
                    let own = |schema: &&'a Value| {
                        let named = schema.get("properties").and_then(|named| named.get(&key.value));
                        named.or_else(|| schema.get("additionalProperties"))
                    };
                    let below = schemas
                        .iter()
                        .filter_map(own)
                        .flat_map(|schema| self.alternatives(schema));
                    let below = below.collect();
                    path.push(&key.value);
                    self.check(&value.value, value.place, (path, below), flaws);
                    path.pop();
                }
                return;
            }
            Tree::List(items) => {
                for item in items {
                    let below = schemas.iter().filter_map(|schema| schema.get("items"));
                    let below = below.flat_map(|schema| self.alternatives(schema)).collect();
                    self.check(&item.value, item.place, (path, below), flaws);
                }
                return;
            }
            Tree::Text(_) => "string",
            Tree::Scalar(Kind::Number) => "number",
            Tree::Scalar(Kind::Switch) => "boolean",
            Tree::Scalar(Kind::Nothing) => return,
        };
        let allowed: Vec<&str> = schemas.iter().flat_map(|schema| types_of(schema)).collect();
        let is_allowed = |name: &&str| *name == kind || (kind == "number" && *name == "integer");
        // A list or mapping that is missing was told by the reader, and what has no type may be anything.
        let scalar = ["string", "integer", "number", "boolean"];
        let wanted = allowed.iter().find(|name| scalar.contains(name));
        if let Some(wanted) = wanted.filter(|_| !allowed.iter().any(is_allowed)) {
            let key = path.join(".");
            let (message, hint) = match *wanted {
                "string" => (format!("`{key}` must be a text"), Some("put it into quotes".to_owned())),
                "boolean" => (format!("`{key}` must be `true` or `false`, not a text"), None),
                _ => (
                    format!("`{key}` must be a whole number, not a text"),
                    Some("leave the quotes out".to_owned()),
                ),
            };
            flaws.error_with(place, message, hint);
        }
    }
}

fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
