//! Which keys `.chalice/config.json` may have, where they count, and what their values must be.

use serde_json::Value;

use super::json::{Document, below};
use crate::app::Severity;
use crate::app::flaws::did_you_mean;

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// One of a few texts.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number, its limits inclusive, and its unit.
    Number(u64, u64, &'static str),
    /// A list of texts.
    Texts,
    /// A text or a list of texts.
    TextOrTexts,
    /// Texts by name.
    Named,
    /// A domain of the user's own: an object, whose content is another room's.
    Domain,
    /// A number or a text: the format's version.
    Version,
}

/// Where a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// At the top alone.
    Top,
    /// At the top and in a stage.
    Stage,
    /// At the top, in a stage, in a function, in a stage's function.
    Function,
    /// As [`Self::Function`], but not in a function at the top.
    Merged,
    /// Nowhere.
    Nowhere,
}

/// One of the objects in the file that have such keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The file itself.
    Top,
    /// `stages.S`.
    Stage,
    /// `lambda_functions.F`.
    Function,
    /// `stages.S.lambda_functions.F`.
    StageFunction,
}

const KEYS: &[(&str, Shape, Reach)] = &[
    ("version", Shape::Version, Reach::Top),
    ("app_name", Shape::Text, Reach::Top),
    ("profile", Shape::Text, Reach::Nowhere),
    ("api_gateway_stage", Shape::Text, Reach::Stage),
    (
        "api_gateway_endpoint_type",
        Shape::OneOf(&["EDGE", "REGIONAL", "PRIVATE"]),
        Reach::Stage,
    ),
    ("api_gateway_endpoint_vpce", Shape::TextOrTexts, Reach::Stage),
    ("api_gateway_policy_file", Shape::Text, Reach::Stage),
    ("api_gateway_custom_domain", Shape::Domain, Reach::Stage),
    ("websocket_api_custom_domain", Shape::Domain, Reach::Stage),
    (
        "minimum_compression_size",
        Shape::Number(0, 10_485_760, "bytes"),
        Reach::Stage,
    ),
    ("autogen_policy", Shape::Switch, Reach::Function),
    ("iam_policy_file", Shape::Text, Reach::Function),
    ("manage_iam_role", Shape::Switch, Reach::Function),
    ("iam_role_arn", Shape::Text, Reach::Function),
    ("lambda_timeout", Shape::Number(1, 900, "seconds"), Reach::Function),
    ("lambda_memory_size", Shape::Number(128, 10_240, "MiB"), Reach::Function),
    ("lambda_architecture", Shape::OneOf(&["x86_64", "arm64"]), Reach::Stage),
    ("layers", Shape::Texts, Reach::Function),
    ("automatic_layer", Shape::Switch, Reach::Stage),
    ("environment_variables", Shape::Named, Reach::Merged),
    ("tags", Shape::Named, Reach::Merged),
    ("security_group_ids", Shape::Texts, Reach::Function),
    ("subnet_ids", Shape::Texts, Reach::Function),
    (
        "reserved_concurrency",
        Shape::Number(0, u32::MAX as u64, "executions"),
        Reach::Function,
    ),
    ("xray", Shape::Switch, Reach::Function),
    (
        "log_retention_in_days",
        Shape::Number(0, u32::MAX as u64, "days"),
        Reach::Function,
    ),
];

/// A flaw of the file's form: how bad, where, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Flaw {
    /// A flaw for which a deploy is refused.
    pub fn error(pointer: String, message: String) -> Self {
        Self {
            severity: Severity::Error,
            pointer,
            message,
            hint: None,
        }
    }

    /// A flaw that is probably not meant.
    pub fn warning(pointer: String, message: String) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(pointer, message)
        }
    }

    /// The same flaw with what to do about it.
    #[must_use]
    pub fn hint(self, hint: String) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }
}

/// Finds the flaws in the form of what counts for a stage: unknown keys, keys where they do not count, wrong types.
pub fn flaws(document: &Document, stage: &str) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    object(&document.value, "", Level::Top, &mut flaws);
    functions(&document.value, "", Level::Function, &mut flaws);
    if let Some(stages) = document.value.get("stages").filter(|stages| !stages.is_null()) {
        let stages_pointer = below("", "stages");
        match stages.as_object() {
            None => flaws.push(wrong("stages", stages, "an object of stages by name", stages_pointer)),
            Some(stages) => {
                if let Some(settings) = stages.get(stage) {
                    let pointer = below(&stages_pointer, stage);
                    object(settings, &pointer, Level::Stage, &mut flaws);
                    functions(settings, &pointer, Level::StageFunction, &mut flaws);
                }
            }
        }
    }
    flaws
}

fn functions(scope: &Value, pointer: &str, level: Level, flaws: &mut Vec<Flaw>) {
    let Some(functions) = scope.get("lambda_functions").filter(|functions| !functions.is_null()) else {
        return;
    };
    let pointer = below(pointer, "lambda_functions");
    match functions.as_object() {
        None => flaws.push(wrong(
            "lambda_functions",
            functions,
            "an object of functions by name",
            pointer,
        )),
        Some(functions) => {
            for (name, settings) in functions {
                object(settings, &below(&pointer, name), level, flaws);
            }
        }
    }
}

fn object(value: &Value, pointer: &str, level: Level, flaws: &mut Vec<Flaw>) {
    let Some(settings) = value.as_object() else {
        if let Some(flaw) = not_an_object(value).filter(|_| level == Level::Top) {
            flaws.push(flaw);
            return;
        }
        let name = pointer.rsplit('/').next().unwrap_or_default();
        flaws.push(wrong(name, value, "an object", pointer.to_owned()));
        return;
    };
    for (key, value) in settings {
        let pointer = below(pointer, key);
        let nested = match level {
            Level::Top => ["stages", "lambda_functions"].contains(&key.as_str()),
            Level::Stage => key == "lambda_functions",
            Level::Function | Level::StageFunction => false,
        };
        if nested {
            continue;
        }
        match KEYS.iter().find(|(known, _, _)| known == key) {
            None => flaws.push(unknown(key, pointer)),
            Some((_, _, reach)) if !counts(*reach, level) => flaws.push(misplaced(key, *reach, pointer)),
            Some((_, shape, _)) => fits(key, value, *shape, pointer, flaws),
        }
    }
}

/// What is wrong with a file that holds something else than an object.
pub fn not_an_object(document: &Value) -> Option<Flaw> {
    let flaw = wrong("config.json", document, "an object", String::new());
    let hint = "name the app in it: `{\"version\": \"2.0\", \"app_name\": \"guestbook\"}`";
    (!document.is_object()).then(|| flaw.hint(hint.to_owned()))
}

fn counts(reach: Reach, level: Level) -> bool {
    match level {
        Level::Top => reach != Reach::Nowhere,
        Level::Stage | Level::StageFunction if reach == Reach::Function || reach == Reach::Merged => true,
        Level::Stage => reach == Reach::Stage,
        Level::Function => reach == Reach::Function,
        Level::StageFunction => false,
    }
}

fn misplaced(key: &str, reach: Reach, pointer: String) -> Flaw {
    let flaw = Flaw::warning(pointer, format!("`{key}` has no effect here"));
    flaw.hint(match reach {
        Reach::Top => format!("`{key}` counts at the top of the file alone"),
        Reach::Stage => format!("`{key}` counts at the top of the file and in a stage"),
        Reach::Function => format!("`{key}` counts at the top of the file, in a stage and in `lambda_functions`"),
        Reach::Merged => {
            format!("`{key}` counts at the top of the file, in a stage and in a stage's `lambda_functions`")
        }
        Reach::Nowhere => "choose the credentials by the environment: AWS_PROFILE".to_owned(),
    })
}

fn unknown(key: &str, pointer: String) -> Flaw {
    let known = KEYS.iter().map(|(known, _, _)| *known);
    let flaw = Flaw::warning(pointer, format!("unknown key `{key}`"));
    Flaw {
        hint: did_you_mean(key, known.chain(["stages", "lambda_functions"])),
        ..flaw
    }
}

fn fits(key: &str, value: &Value, shape: Shape, pointer: String, flaws: &mut Vec<Flaw>) {
    if value.is_null() {
        return;
    }
    let text = Value::is_string;
    let texts = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(text));
    let expected = match shape {
        Shape::Text if text(value) => return,
        Shape::Text => "text".to_owned(),
        Shape::OneOf(names) if value.as_str().is_some_and(|name| names.contains(&name)) => return,
        Shape::OneOf(names) => format!("one of {}", names.join(", ")),
        Shape::Switch if value.is_boolean() => return,
        Shape::Switch => "true or false".to_owned(),
        Shape::Number(least, most, unit) => match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => return,
            Some(_) | None if most == u64::from(u32::MAX) => format!("a whole number of {unit}, {least} or more"),
            Some(_) | None => format!("a whole number of {unit}, {least} to {most}"),
        },
        Shape::Texts if texts(value) => return,
        Shape::Texts => "a list of texts".to_owned(),
        Shape::TextOrTexts if text(value) || texts(value) => return,
        Shape::TextOrTexts => "a text or a list of texts".to_owned(),
        Shape::Named => return named(key, value, pointer, flaws),
        Shape::Domain if value.is_object() => return,
        Shape::Domain => "an object".to_owned(),
        Shape::Version => match version(value) {
            Some(version) if version <= 2.0 => return,
            Some(_) | None => "a version up to 2.0".to_owned(),
        },
    };
    flaws.push(wrong(key, value, &expected, pointer));
}

fn version(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Finds what is wrong with an object of texts by name.
pub fn named(key: &str, value: &Value, pointer: String, flaws: &mut Vec<Flaw>) {
    match value.as_object() {
        None => flaws.push(wrong(key, value, "an object of texts by name", pointer)),
        Some(values) => {
            for (name, value) in values.iter().filter(|(_, value)| !value.is_string()) {
                let flaw = wrong(&format!("{key}.{name}"), value, "text", below(&pointer, name));
                flaws.push(match value {
                    Value::Number(_) | Value::Bool(_) => flaw.hint(format!("put it into quotes: \"{value}\"")),
                    Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => flaw,
                });
            }
        }
    }
}

/// A value of another type than is wanted.
pub fn wrong(key: &str, value: &Value, expected: &str, pointer: String) -> Flaw {
    Flaw::error(
        pointer,
        format!("`{key}` must be {expected}, and is {}", described(value)),
    )
}

/// What a value is, in words that follow "is".
pub fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("the text \"{text}\""),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
