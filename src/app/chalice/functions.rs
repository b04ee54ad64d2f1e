//! The functions of an app, whatever calls them, and what Chalice or AWS would not take of their names and handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::config::ROUTES_FUNCTION;
use super::discover::{Facts, FunctionFacts};
use crate::app::{Finding, Severity};
use crate::names::check_name;

/// Logical names that Chalice gives to other resources of a stage, and what these are.
const RESERVED: [(&str, &str); 7] = [
    (ROUTES_FUNCTION, "the function behind the routes"),
    ("rest_api", "the REST API"),
    ("websocket_api", "the websocket API"),
    ("default-role", "the role of the functions that have none of their own"),
    ("managed-layer", "the layer of the dependencies"),
    ("api_gateway_custom_domain", "the domain of the REST API"),
    ("websocket_api_custom_domain", "the domain of the websocket API"),
];

/// Route keys of a websocket API in Chalice's order, and the names of the functions that they call.
const WEBSOCKET_FUNCTIONS: [(&str, &str); 3] = [
    ("$connect", "websocket_connect"),
    ("$default", "websocket_message"),
    ("$disconnect", "websocket_disconnect"),
];

/// A finding of an app's line, without a hint.
pub fn finding(severity: Severity, file: &Path, line: Option<usize>, message: String) -> Finding {
    Finding {
        severity,
        file: file.to_owned(),
        place: line.map(|line| (line, 1)),
        message,
        hint: None,
    }
}

/// Name and handler of each function in Chalice's order: plain ones, those of events, the routes' one and authorizers,
/// which are made for routes alone, and those of the websocket API.
pub fn declared(facts: &Facts) -> Vec<(&str, &str)> {
    let own = |function| named(function);
    let mut declared: Vec<(&str, &str)> = facts.functions.iter().chain(&facts.event_sources).map(own).collect();
    if !facts.routes.is_empty() {
        declared.push((ROUTES_FUNCTION, "app.app"));
        declared.extend(facts.authorizers.iter().map(own));
    }
    declared.extend(websockets(facts).map(|(_, name, function)| (name, function.handler.as_str())));
    declared
}

fn named(function: &FunctionFacts) -> (&str, &str) {
    (&function.name, &function.handler)
}

/// Route keys of the websocket API, the names of their functions, and what the app says about these.
pub fn websockets(facts: &Facts) -> impl Iterator<Item = (&'static str, &'static str, &FunctionFacts)> {
    WEBSOCKET_FUNCTIONS.into_iter().filter_map(|(key, name)| {
        let function = facts.websockets.iter().find(|function| function.kind == key)?;
        Some((key, name, function))
    })
}

/// Names that the config may have settings for, the routes' one left out.
pub fn names(facts: &Facts) -> Vec<&str> {
    let plain = facts.functions.iter().chain(&facts.authorizers);
    let own = plain.chain(&facts.event_sources).map(|function| function.name.as_str());
    own.chain(websockets(facts).map(|(_, name, _)| name)).collect()
}

/// The logical name of what calls a function of an event; `None` where we do not know the kind.
pub fn event_name(function: &FunctionFacts) -> Option<String> {
    let suffix = match function.kind.as_str() {
        "ScheduledEventConfig" | "CloudWatchEventConfig" => "event",
        "S3EventConfig" => "s3event",
        "SNSEventConfig" => "sns-subscription",
        "SQSEventConfig" => "sqs-event-source",
        "KinesisEventConfig" => "kinesis-event-source",
        "DynamoDBEventConfig" => "dynamodb-event-source",
        _ => return None,
    };
    Some(format!("{}-{suffix}", function.name))
}

/// Finds names that are taken or impossible, handlers that are not there, and features that the app does not ask for.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let taken = taken(facts);
    let mut names = BTreeSet::new();
    let plain = facts.functions.iter().chain(&facts.authorizers);
    for function in plain.chain(&facts.event_sources) {
        let message = name_flaw(function, &mut names, &taken);
        findings.extend(message.map(|(message, hint)| Finding {
            hint,
            ..finding(Severity::Error, &function.file, function.line, message)
        }));
        findings.extend(handler_finding(function));
    }
    findings.extend(facts.websockets.iter().filter_map(handler_finding));
    findings.extend(feature_findings(facts));
    findings
}

/// Names that other resources of the app have, and what these are.
fn taken(facts: &Facts) -> BTreeMap<String, String> {
    let reserved = RESERVED.map(|(name, what)| (name.to_owned(), what.to_owned()));
    let events = facts.event_sources.iter().filter_map(|function| {
        let what = format!("what calls function `{}`", function.name);
        Some((event_name(function)?, what))
    });
    let websockets = websockets(facts).map(|(key, name, _)| {
        let what = format!("the function of the websocket API's `{key}`");
        (name.to_owned(), what)
    });
    reserved.into_iter().chain(events).chain(websockets).collect()
}

fn name_flaw<'a>(
    function: &'a FunctionFacts,
    names: &mut BTreeSet<&'a str>,
    taken: &BTreeMap<String, String>,
) -> Option<(String, Option<String>)> {
    let name = function.name.as_str();
    if let Some(what) = taken.get(name) {
        let hint = "give it another name by `name=` in its decorator".to_owned();
        return Some((format!("a function cannot be called `{name}`: {what} is"), Some(hint)));
    }
    if let Err(why) = check_name("function name", name) {
        return Some((why.to_string(), None));
    }
    (!names.insert(name)).then(|| (format!("there is another function called `{name}`"), None))
}

fn handler_finding(function: &FunctionFacts) -> Option<Finding> {
    let (name, handler) = named(function);
    let message = format!("function `{name}`: Lambda will not find its handler `{handler}`");
    (!function.handler_exists).then(|| Finding {
        hint: Some("have the function under the name of its `def` at the top of its module".to_owned()),
        ..finding(Severity::Error, &function.file, function.line, message)
    })
}

/// What Chalice calls experimental is refused by it until the app asks for it.
fn feature_findings(facts: &Facts) -> Vec<Finding> {
    let missing = facts.features_missing.iter().map(|feature| {
        let user = facts.websockets.first().filter(|_| feature == "WEBSOCKETS");
        let (file, line) = user.map_or((Path::new("app.py"), None), |user| (&user.file, user.line));
        let message = format!("the app uses Chalice's experimental feature `{feature}` and does not ask for it");
        Finding {
            hint: Some(format!(
                "ask for it in `app.py`: `app.experimental_feature_flags.update(['{feature}'])`"
            )),
            ..finding(Severity::Error, file, line, message)
        }
    });
    missing.collect()
}
