//! Roles of a manifest's functions: their own policies, and what every function needs.

use std::path::Path;

use serde_json::{Value, json};

use super::{EffectEntry, FunctionEntry, Manifest, PolicyEntry, StatementEntry};
use crate::app::flaws::{Flaws, Place};
use crate::app::limits::{self, PolicyOf};
use crate::app::yaml::Placed;
use crate::app::{App, Finding, Function, FunctionRole, Role, Severity, Tracing};
use crate::app::{event_policy, paths};

/// Logical name of the role that functions without a policy of their own share.
const SHARED: &str = "default-role";

/// The roles that an app's functions need, the shared one first.
pub fn roles(manifest: &Manifest, app: &App, flaws: &mut Flaws) -> Vec<Role> {
    let mut roles = Vec::new();
    let sharing: Vec<&Function> = manifest
        .functions
        .iter()
        .filter(|(_, entry)| entry.policy.is_none() && entry.role.is_none())
        .filter_map(|(name, _)| function(app, &name.value))
        .collect();
    if !sharing.is_empty() {
        let policy = document(Vec::new(), &sharing, app);
        let place = manifest.functions.iter().next().and_then(|(name, _)| name.place);
        flaws.check(place, limits::check_policy(SHARED, &policy));
        roles.push(Role {
            name: SHARED.to_owned(),
            suffix: String::new(),
            policy,
        });
    }
    for (name, entry) in manifest.functions.iter() {
        let Some(policy) = entry.policy.as_ref().filter(|_| entry.role.is_none()) else {
            continue;
        };
        let own = match &policy.value {
            PolicyEntry::Statements(entries) => statements(entries, flaws),
            PolicyEntry::Document(path) => from_file(manifest, path, policy.place, flaws),
        };
        let document = document(own, function(app, &name.value).as_slice(), app);
        flaws.check(policy.place, limits::check_policy(&name.value, &document));
        roles.push(Role {
            name: own_role(&name.value),
            suffix: name.value.clone(),
            policy: document,
        });
    }
    roles
}

/// Which role a function runs as.
pub fn role_of(name: &Placed<String>, entry: &FunctionEntry, flaws: &mut Flaws) -> FunctionRole {
    if let Some(policy) = entry.policy.as_ref().filter(|_| entry.role.is_some()) {
        let message = format!(
            "`{}` has a role and a policy, and a given role is never changed",
            name.value
        );
        flaws.error(policy.place, message);
    }
    match (&entry.role, &entry.policy) {
        (Some(role), _) => {
            flaws.check(role.place, limits::check_role_arn(&role.value));
            FunctionRole::Given(role.value.clone())
        }
        (None, Some(_)) => FunctionRole::Managed(own_role(&name.value)),
        (None, None) => FunctionRole::Managed(SHARED.to_owned()),
    }
}

fn own_role(function: &str) -> String {
    format!("{function}_role")
}

fn function<'a>(app: &'a App, name: &str) -> Option<&'a Function> {
    app.functions.iter().find(|function| function.name == name)
}

/// What the user wrote, and behind it what functions of this app need.
fn document(mut statements: Vec<Value>, functions: &[&Function], app: &App) -> Value {
    statements.push(allow(
        &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "arn:*:logs:*:*:*",
    ));
    if functions.iter().any(|function| function.settings.vpc.is_some()) {
        // The actions of AWS's own `AWSLambdaVPCAccessExecutionRole`.
        let actions = [
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ];
        statements.push(allow(&actions, "*"));
    }
    if functions
        .iter()
        .any(|function| function.settings.tracing == Tracing::Active)
    {
        statements.push(allow(&["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"));
    }
    let is_one = |name: &str| functions.iter().any(|function| function.name == name);
    let mut needed: Vec<Value> = Vec::new();
    for event in app.events.iter().filter(|event| is_one(&event.function)) {
        for statement in event_policy::statements(&event.source) {
            if !needed.contains(&statement) {
                needed.push(statement);
            }
        }
    }
    statements.extend(needed);
    let mut answering = app.websocket.iter().flat_map(|websocket| &websocket.routes);
    if answering.any(|(_, function)| is_one(function)) {
        statements.push(event_policy::websocket());
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": [resource]})
}

fn statements(entries: &[StatementEntry], flaws: &mut Flaws) -> Vec<Value> {
    entries.iter().map(|entry| statement(entry, flaws)).collect()
}

fn statement(entry: &StatementEntry, flaws: &mut Flaws) -> Value {
    for (what, list) in [("actions", &entry.actions), ("resources", &entry.resources)] {
        if list.value.is_empty() {
            flaws.error(list.place, format!("`{what}` of a statement is empty"));
        }
    }
    for action in &entry.actions.value {
        let is_shaped = action.value == "*"
            || action
                .value
                .split_once(':')
                .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
        if !is_shaped {
            let message = format!("`{}` is not an action, like `dynamodb:GetItem`", action.value);
            flaws.error(action.place, message);
        }
    }
    for resource in &entry.resources.value {
        if resource.value != "*" && !resource.value.starts_with("arn:") {
            flaws.error(
                resource.place,
                format!("`{}` is neither an ARN nor `*`", resource.value),
            );
        }
    }
    let texts = |list: &[Placed<String>]| list.iter().map(|text| text.value.clone()).collect::<Vec<_>>();
    let effect = match entry.effect {
        EffectEntry::Allow => "Allow",
        EffectEntry::Deny => "Deny",
    };
    let mut statement = json!({
        "Effect": effect,
        "Action": texts(&entry.actions.value),
        "Resource": texts(&entry.resources.value),
    });
    if let Some(conditions) = &entry.conditions {
        statement["Condition"] = json!(conditions);
    }
    statement
}

fn from_file(manifest: &Manifest, path: &str, place: Place, flaws: &mut Flaws) -> Vec<Value> {
    let Some(document) = read(manifest, path, place, flaws) else {
        return Vec::new();
    };
    statements_of(document).unwrap_or_else(|why| {
        flaws.push(in_document(path, None, why));
        Vec::new()
    })
}

/// The document that says who may call a REST API, from a file of the user's.
pub fn of_api(manifest: &Manifest, path: &Placed<String>, flaws: &mut Flaws) -> Option<Value> {
    let document = read(manifest, &path.value, path.place, flaws)?;
    match limits::check_document(PolicyOf::Api, &document) {
        Ok(()) => Some(document),
        Err(why) => {
            flaws.push(in_document(&path.value, None, why));
            None
        }
    }
}

fn read(manifest: &Manifest, path: &str, place: Place, flaws: &mut Flaws) -> Option<Value> {
    let outside = || std::io::Error::other("it lies outside of the repository");
    let text = paths::contained(&manifest.folder, &manifest.folder.join(path))
        .and_then(|inside| std::fs::read(inside.ok_or_else(outside)?));
    let text = match text {
        Ok(text) => text,
        Err(e) => {
            flaws.error(place, format!("policy document `{path}` cannot be read: {e}"));
            return None;
        }
    };
    match serde_json::from_slice(&text) {
        Ok(document) => Some(document),
        Err(e) => {
            let place = (e.line() > 0).then(|| (e.line(), e.column().max(1)));
            let message = format!("the policy document is not JSON: {e}");
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            flaws.push(in_document(path, place, message));
            None
        }
    }
}

fn in_document(path: &str, place: Place, message: String) -> Finding {
    Finding {
        severity: Severity::Error,
        file: Path::new(path).to_owned(),
        place,
        message,
        hint: None,
    }
}

/// The statements of a document, without their `Sid`s, which mean nothing and must not be the same.
fn statements_of(mut document: Value) -> Result<Vec<Value>, String> {
    limits::check_document(PolicyOf::Role, &document)?;
    let mut statements = match document.get_mut("Statement").map(Value::take) {
        Some(Value::Array(statements)) => statements,
        one => one.into_iter().collect(),
    };
    for fields in statements.iter_mut().filter_map(Value::as_object_mut) {
        fields.shift_remove("Sid");
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_the_users_loses_its_sids_and_may_have_a_single_statement() {
        let statement = json!({"Sid": "X", "Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        let bare = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        assert_eq!(statements_of(json!({"Statement": statement})), Ok(vec![bare.clone()]));
        assert_eq!(statements_of(json!({"Statement": [statement]})), Ok(vec![bare]));
        assert_eq!(
            statements_of(json!([])),
            Err("the policy document has no `Statement`".to_owned())
        );
    }
}
