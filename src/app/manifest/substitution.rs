//! `${stage}` in names of what is outside an app: buckets, queues, topics, streams, images, domains.

use serde_json::Value;

use crate::app::flaws::{Flaws, Place};
use crate::app::limits::Rule;
use crate::app::yaml::Placed;
use crate::names::StageName;

/// What stands for the stage's name.
const STAGE: &str = "${stage}";

/// A text as it is on a stage, held against a rule; what else stands in `${…}` is told instead.
pub fn on_stage(text: &Placed<String>, stage: &StageName, rule: Rule, flaws: &mut Flaws) -> String {
    match replaced(&text.value, stage) {
        Ok(replaced) => {
            flaws.check(text.place, rule(&replaced));
            replaced
        }
        Err(why) => {
            flaws.error(text.place, why);
            text.value.clone()
        }
    }
}

/// A value with all of its texts as they are on a stage.
pub fn in_value(value: &Placed<Value>, stage: &StageName, flaws: &mut Flaws) -> Value {
    within(&value.value, value.place, stage, flaws)
}

fn within(value: &Value, place: Place, stage: &StageName, flaws: &mut Flaws) -> Value {
    match value {
        Value::String(text) => {
            let replaced = replaced(text, stage).map_err(|why| flaws.error(place, why));
            Value::String(replaced.unwrap_or_default())
        }
        Value::Array(items) => items.iter().map(|item| within(item, place, stage, flaws)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (name.clone(), within(value, place, stage, flaws)));
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn replaced(text: &str, stage: &StageName) -> Result<String, String> {
    let rest = text.replace(STAGE, "");
    // What `${env:…}` is for was told where the file was read.
    if rest.contains("${") && !rest.contains("${env:") {
        return Err(format!("only `{STAGE}` is replaced in `{text}`"));
    }
    Ok(text.replace(STAGE, stage.as_str()))
}
