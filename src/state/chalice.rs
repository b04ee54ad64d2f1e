//! The file form of a state: a deployed file of AWS Chalice, schema 2.0, with one more key of ours.
//!
//! The list `resources` is written in Chalice's words and order, so that its own `url` and `delete` work on the file. It
//! is read only where our key is missing: that is a stage that Chalice deployed, or deleted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Deployed, Error, FORMAT, State};
use crate::names::{AppName, StageName};
use crate::resource::{Outputs, Place};

mod legacy;
mod records;

const SCHEMA: &str = "2.0";

/// How large an object may be that is read at all, in bytes. API Gateway imports documents of 6 MB at most, and a state has
/// such a document three times at most: as it is, in doubt, and late.
/// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>.
pub const LIMIT: usize = 32 * 1024 * 1024;

/// The largest number that every reader of JSON keeps as it is. What is counted never comes near it.
const COUNTABLE: u64 = 1 << 53;

/// How much is told of what is wrong with an object, in characters: it may be the object itself.
const TOLD: usize = 300;

/// The key that says which version wrote a document: whoever cannot read it is told what to install.
const WRITER: &str = "writer";

/// What an object's bytes are expected to be the state of.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The app, where it is known.
    pub app: Option<&'a AppName>,
    /// The stage.
    pub stage: &'a StageName,
    /// Where the object stands, for errors.
    pub object: &'a str,
}

/// Writes a state as it is kept in the store.
pub fn render(state: &State) -> Vec<u8> {
    let mut ours = json!(state);
    ours[WRITER] = json!(env!("CARGO_PKG_VERSION"));
    let document = json!({
        "resources": records::write(state),
        "schema_version": SCHEMA,
        "backend": "api",
        "stagewright": ours,
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text.into_bytes()
}

/// Reads a state as it is kept in the store.
///
/// # Errors
///
/// [`Error::Damaged`], [`Error::Newer`], [`Error::Unread`] or [`Error::Misplaced`]; the object is never guessed at.
pub fn parse(bytes: &[u8], expected: Expected<'_>, salt: String) -> Result<State, Error> {
    let damaged = |reason: &str| Error::Damaged {
        object: expected.object.to_owned(),
        reason: reason.chars().take(TOLD).collect(),
    };
    if bytes.len() > LIMIT {
        return Err(damaged(&format!(
            "it has {} bytes, and {LIMIT} is the limit",
            bytes.len()
        )));
    }
    let mut document: Value = serde_json::from_slice(bytes).map_err(|error| damaged(&error.to_string()))?;
    if !document.is_object() {
        return Err(damaged("it is not a JSON object"));
    }
    let mut ours = document["stagewright"].take();
    if ours.is_null() {
        return adopt(&document, expected, salt);
    }
    let Some(keys) = ours.as_object_mut() else {
        return Err(damaged("its key `stagewright` is not an object"));
    };
    let writer = keys.remove(WRITER).and_then(|writer| version(&writer));
    match ours["format"].as_u64() {
        Some(format) if format > u64::from(FORMAT) => {
            return Err(Error::Newer {
                object: expected.object.to_owned(),
                format,
                writer,
            });
        }
        Some(1..) => {}
        Some(0) | None => return Err(damaged("it has no format number")),
    }
    let Document { stagewright: state } = serde_json::from_slice(bytes).map_err(|error| damaged(&error.to_string()))?;
    if let Some(flaw) = uncountable(&state) {
        return Err(damaged(&flaw));
    }
    if &state.stage != expected.stage || expected.app.is_some_and(|app| app != &state.app) {
        let app = expected.app.unwrap_or(&state.app);
        return Err(Error::Misplaced {
            object: expected.object.to_owned(),
            found: format!("stage `{}` of app `{}`", state.stage, state.app),
            wanted: format!("stage `{}` of app `{app}`", expected.stage),
        });
    }
    match unread(&ours, &json!(state)) {
        Some(key) => Err(Error::Unread {
            object: expected.object.to_owned(),
            key: key.chars().take(TOLD).collect(),
            writer,
        }),
        None => Ok(state),
    }
}

/// Reads a file of Chalice's own, of either of its schemas: the stage as Chalice deployed it. `None` where the file says
/// nothing of it, or where it is a record of ours.
///
/// # Errors
///
/// [`Error::Damaged`]: what it says of the stage cannot be taken over.
pub fn of_chalice(bytes: &[u8], expected: Expected<'_>, salt: String) -> Result<Option<State>, Error> {
    let damaged = |reason: String| Error::Damaged {
        object: expected.object.to_owned(),
        reason: reason.chars().take(TOLD).collect(),
    };
    let document: Value = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if !document["stagewright"].is_null() {
        return Ok(None);
    }
    let is_first = document.get("schema_version").is_none();
    let document = match expected.app {
        Some(app) if is_first => legacy::upgraded(&document, (app, expected.stage)),
        Some(_) | None => Some(document),
    };
    let state = document.map(|document| adopt(&document, expected, salt)).transpose()?;
    Ok(state.filter(|state| !state.deployed.is_empty()))
}

/// The object, read as what it is: an error says line and column.
#[derive(Deserialize)]
struct Document {
    stagewright: State,
}

/// The version that an object names, if it is one: it is told to people.
fn version(writer: &Value) -> Option<String> {
    let is_of_versions = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
    let text = writer.as_str()?;
    (text.len() <= 40 && text.chars().all(is_of_versions)).then(|| text.to_owned())
}

/// What of a state is counted, and has come too far to be counted on.
fn uncountable(state: &State) -> Option<String> {
    let release = state.release.as_ref().map_or(0, |release| release.number);
    let counted = [("generation", state.generation), ("release.number", release)];
    let far = counted.into_iter().find(|(_, number)| *number > COUNTABLE);
    far.map(|(key, number)| format!("its `{key}` is {number}, and {COUNTABLE} is the limit"))
}

/// The first key of a document that stands not in what would be written back.
fn unread(read: &Value, kept: &Value) -> Option<String> {
    match (read, kept) {
        (Value::Object(read), Value::Object(kept)) => read.iter().find_map(|(key, value)| match kept.get(key) {
            None if is_nothing(value) => None,
            None => Some(key.clone()),
            Some(kept) => unread(value, kept).map(|inner| format!("{key}.{inner}")),
        }),
        (Value::Array(read), Value::Array(kept)) => {
            let mut pairs = read.iter().zip(kept).enumerate();
            pairs.find_map(|(index, (read, kept))| unread(read, kept).map(|inner| format!("{index}.{inner}")))
        }
        (_, _) => None,
    }
}

/// Whether it says no more than if it were missing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Takes over a stage that Chalice deployed: what exists is known, how it is set up is not.
fn adopt(document: &Value, expected: Expected<'_>, salt: String) -> Result<State, Error> {
    let damaged = |reason: String| Error::Damaged {
        object: expected.object.to_owned(),
        reason: reason.chars().take(TOLD).collect(),
    };
    if document["schema_version"] != SCHEMA {
        return Err(damaged(format!(
            "its `schema_version` is {}, and not \"{SCHEMA}\"",
            document["schema_version"]
        )));
    }
    let Some(app) = expected.app else {
        return Err(damaged(
            "Chalice wrote it, and it does not say of which app it is: name it with `--app`".to_owned(),
        ));
    };
    let mut deployed = BTreeMap::new();
    for entry in document["resources"].as_array().into_iter().flatten() {
        for (address, outputs) in records::read(entry, (app, expected.stage)).map_err(damaged)? {
            deployed.insert(
                address,
                Deployed {
                    resource: None,
                    outputs,
                },
            );
        }
    }
    // Chalice does not record where a stage stands, but a function's ARN says so.
    let place = deployed
        .values()
        .find_map(|deployed: &Deployed| match &deployed.outputs {
            Outputs::Function(function) => Place::of_function(&function.arn),
            Outputs::Role(_)
            | Outputs::RestApi(_)
            | Outputs::Permission(_)
            | Outputs::Deployment(_)
            | Outputs::Rule(_)
            | Outputs::Notification(_)
            | Outputs::Subscription(_)
            | Outputs::EventSourceMapping(_)
            | Outputs::V2Api(_)
            | Outputs::DomainName(_)
            | Outputs::Layer(_)
            | Outputs::LogGroup(_)
            | Outputs::FunctionUrl(_) => None,
        });
    Ok(State {
        deployed,
        place,
        ..State::new(app.clone(), expected.stage.clone(), salt)
    })
}

#[cfg(test)]
mod tests;
