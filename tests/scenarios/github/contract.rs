//! GitHub's own document of its API as the judge of every exchange: what it does not describe, a program must not send
//! and the fake must not answer.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::server::{Asked, Reply};
use crate::emulator::in_checkout;

/// What GitHub may answer to anything, whether or not its document says so: no right to it, not there, too often, down.
const ANYWHERE: [u16; 7] = [401, 403, 404, 429, 500, 502, 503];

/// Where GitHub itself is not as its document says: a fork that was deleted is null, and a URL that was not given empty.
const OWN_FAULTS: [&str; 2] = ["/head/repo`: null is not of type", "url`: \"\" is not a \"uri\""];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| read("tests/github/openapi.json"));
static COMPONENTS: LazyLock<Value> = LazyLock::new(|| with_null(&DOCUMENT["components"]));
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// A JSON file of the checkout.
pub fn read(path: &str) -> Value {
    let text = fs::read_to_string(in_checkout(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An operation of the document that a request is for.
#[derive(Debug)]
pub struct Operation {
    /// `/repos/{owner}/{repo}/issues/{issue_number}/comments`.
    pub template: &'static str,
    /// What stands in the path for the names in the template, decoded.
    pub named: HashMap<&'static str, String>,
    described: &'static Value,
}

impl Operation {
    /// The operation that a method and an encoded path ask for, if the document has it.
    pub fn find(method: &str, path: &str) -> Option<Self> {
        let paths = DOCUMENT["paths"].as_object().expect("the document has paths");
        let fitting = paths.iter().filter_map(|(template, methods)| {
            let described = methods.get(method.to_lowercase())?;
            let named = fit(template, path, described)?;
            Some(Self {
                template,
                named,
                described,
            })
        });
        fitting.min_by_key(|operation| operation.named.len())
    }

    /// What is wrong with a request by GitHub's document.
    pub fn faults_of_request(&self, asked: &Asked) -> Vec<String> {
        let mut faults = self.faults_of_parameters(asked);
        let body = &self.described["requestBody"];
        let schema = &body["content"]["application/json"]["schema"];
        if asked.body.is_empty() {
            if body["required"] == true {
                faults.push("a body is missing".to_owned());
            }
        } else if schema.is_null() {
            faults.push("a body is sent, and none is described".to_owned());
        } else {
            match serde_json::from_slice::<Value>(&asked.body) {
                Ok(value) => {
                    faults.extend(unknown_fields(schema, &value));
                    faults.extend(invalid(schema, &value));
                }
                Err(error) => faults.push(format!("the body is no JSON: {error}")),
            }
            if !asked.header("content-type").starts_with("application/json") {
                faults.push("the body is not sent as application/json".to_owned());
            }
        }
        faults
    }

    /// What is wrong with an answer by GitHub's document.
    pub fn faults_of_reply(&self, reply: &Reply) -> Vec<String> {
        let described = resolve(&self.described["responses"][reply.status.to_string()]);
        if described.is_null() && !ANYWHERE.contains(&reply.status) {
            return vec![format!("the answer {} is not described", reply.status)];
        }
        let schema = &described["content"]["application/json"]["schema"];
        let is_refusal = reply.status >= 400;
        let mut faults = match (schema.is_null(), reply.is_json()) {
            (true, true) if is_refusal => invalid(&json!({"$ref": "#/components/schemas/basic-error"}), &reply.json()),
            (true, _) if reply.body.is_empty() => Vec::new(),
            (true, _) => vec!["an answer without a described body has one".to_owned()],
            // The raw media types are described in prose alone.
            (false, false) => Vec::new(),
            (false, true) => invalid(schema, &reply.json()),
        };
        faults.retain(|fault| !OWN_FAULTS.iter().any(|own| fault.contains(own)));
        faults
    }

    fn faults_of_parameters(&self, asked: &Asked) -> Vec<String> {
        let parameters = parameters(self.described);
        let mut faults = Vec::new();
        for (name, value) in &asked.query {
            let described = parameters
                .iter()
                .find(|each| each["in"] == "query" && each["name"] == **name);
            match described {
                Some(described) => faults.extend(invalid(&described["schema"], &typed(&described["schema"], value))),
                None => faults.push(format!("the query `{name}` is not described")),
            }
        }
        for (name, value) in &self.named {
            let described = parameters
                .iter()
                .find(|each| each["in"] == "path" && each["name"] == **name);
            let schema = described.map_or(&Value::Null, |described| &described["schema"]);
            faults.extend(invalid(schema, &typed(schema, value)));
        }
        faults
    }
}

/// What is wrong with a value by a schema of GitHub's document.
pub fn invalid(schema: &Value, value: &Value) -> Vec<String> {
    if schema.is_null() {
        return vec!["no schema is described".to_owned()];
    }
    let validator = validator(&schema.to_string(), || {
        let mut whole = with_null(schema);
        whole["components"] = COMPONENTS.clone();
        (Draft::Draft4, whole)
    });
    faults(&validator, value)
}

/// What is wrong with the payload of an event by GitHub's schema of it, which is one for each action.
pub fn invalid_event(name: &str, payload: &Value) -> Vec<String> {
    let definition = format!("{name}${}", payload["action"].as_str().unwrap_or("event"));
    let validator = validator(&definition, || {
        let schemas = read("tests/github/events.schema.json");
        let definitions = &schemas["definitions"];
        assert!(
            definitions[&definition].is_object(),
            "there is no schema of `{definition}`"
        );
        let root = format!("#/definitions/{definition}");
        (Draft::Draft7, json!({"$ref": root, "definitions": definitions}))
    });
    faults(&validator, payload)
}

fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    let fault = |error: jsonschema::ValidationError<'_>| {
        let text: String = error.to_string().chars().take(400).collect();
        format!("`{}`: {text}", error.instance_path())
    };
    validator.iter_errors(value).map(fault).collect()
}

/// Making one takes long, and every fake of this process asks for the same.
fn validator(key: &str, schema: impl FnOnce() -> (Draft, Value)) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = validators.entry(key.to_owned()).or_insert_with(|| {
        let (draft, schema) = schema();
        let made = jsonschema::options().with_draft(draft).build(&schema);
        Arc::new(made.unwrap_or_else(|error| panic!("{key}: {error}")))
    });
    Arc::clone(made)
}

/// GitHub's schemas allow any further field; a misspelt one would be ignored in silence.
fn unknown_fields(schema: &Value, value: &Value) -> Vec<String> {
    let (Some(known), Some(fields)) = (schema["properties"].as_object(), value.as_object()) else {
        return Vec::new();
    };
    let unknown = fields.keys().filter(|name| !known.contains_key(*name));
    unknown
        .map(|name| format!("the field `{name}` is not described"))
        .collect()
}

/// The schema as JSON Schema has it, which knows no `nullable`.
fn with_null(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(with_null).collect(),
        Value::Object(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| (name.clone(), with_null(value)))
                .collect();
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                let mut fields = fields;
                fields.remove("nullable");
                return json!({"anyOf": [fields, {"type": "null"}]});
            }
            Value::Object(fields)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

fn resolve(value: &'static Value) -> &'static Value {
    value["$ref"].as_str().map_or(value, |reference| {
        DOCUMENT.pointer(&reference[1..]).expect("the cut is whole")
    })
}

fn parameters(described: &'static Value) -> Vec<&'static Value> {
    let parameters = described["parameters"].as_array();
    parameters.into_iter().flatten().map(resolve).collect()
}

fn typed(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "boolean" | "number") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        _ => json!(text),
    }
}

/// The names of the template with what stands for them in the path; `None` if the path does not fit.
fn fit(template: &'static str, path: &str, described: &'static Value) -> Option<HashMap<&'static str, String>> {
    let spans_folders = |name: &str| {
        let parameters = parameters(described);
        let found = parameters.iter().find(|each| each["name"] == name);
        found.is_some_and(|each| each["x-multi-segment"] == true)
    };
    let mut named = HashMap::new();
    let mut rest = path.strip_prefix('/')?;
    let mut is_at_end = false;
    for part in template[1..].split('/') {
        if is_at_end {
            return None;
        }
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let takes_all = name.is_some_and(spans_folders);
        let (here, after) = match rest.split_once('/') {
            Some((here, after)) if !takes_all => (here, Some(after)),
            Some(_) | None => (rest, None),
        };
        match name {
            Some(name) if !here.is_empty() => {
                named.insert(name, decoded(here));
            }
            Some(_) => return None,
            None if here == part => {}
            None => return None,
        }
        is_at_end = after.is_none();
        rest = after.unwrap_or_default();
    }
    is_at_end.then_some(named)
}

/// A part of a URL without its `%` escapes.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let escaped = escape.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
