//! `policy`: what the roles of an app would be allowed to do, without asking AWS anything.

use serde_json::{Map, Value};

use super::Session;
use crate::app::flaws::did_you_mean;
use crate::app::python::Resolution;
use crate::app::{Role, Severity};
use crate::cli;
use crate::config::read::Request;
use crate::error::Failure;

/// Prints the policy of the one role that the app has made for it, or those of all of them by the roles' names.
///
/// # Errors
///
/// The app cannot be read, has no role of its own, or none of the name that was given.
pub async fn policy(session: &Session<'_>, wishes: &cli::Policy) -> Result<(), Failure> {
    let project = session.project()?;
    let stage = &wishes.stage.name;
    let configured = project.config.stage(stage);
    let variable = || session.environment.get("AWS_REGION").cloned();
    let region = configured
        .region
        .or_else(|| session.options.region.clone())
        .or_else(variable);
    let uv = session.uv();
    let request = Request {
        stage,
        region: region.as_deref(),
        recorded: None,
        resolution: Resolution::Recorded,
        uv: &uv,
    };
    // No policy has a secret in it, so that it does not matter which of them are set here.
    let secret = |_: &str| Err(Severity::Warning);
    let app = project.read(request, &secret).await?.app;
    let shown = match (&wishes.role, app.roles.as_slice()) {
        (_, []) => {
            return Err(none(&format!(
                "stage `{stage}` of app `{}` has no role of its own",
                app.name
            )));
        }
        (Some(name), roles) => named(name, roles)?.policy.clone(),
        (None, [only]) => only.policy.clone(),
        (None, roles) => by_name(roles),
    };
    session.host.answer(&shown);
    session.host.say(&format!(
        "{}\n",
        serde_json::to_string_pretty(&shown).unwrap_or_default()
    ));
    Ok(())
}

fn by_name(roles: &[Role]) -> Value {
    let policies = roles.iter().map(|role| (role.name.clone(), role.policy.clone()));
    Value::Object(policies.collect::<Map<_, _>>())
}

fn named<'a>(name: &str, roles: &'a [Role]) -> Result<&'a Role, Failure> {
    roles.iter().find(|role| role.name == name).ok_or_else(|| {
        let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        let meant = did_you_mean(name, &names);
        let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        Failure {
            hints: meant
                .into_iter()
                .chain([format!("it has {}", listed.join(", "))])
                .collect(),
            ..Failure::input(format!("the app has no role `{name}` of its own"))
        }
    })
}

fn none(message: &str) -> Failure {
    Failure::input(message).hint("its functions run as roles that are given, whose policies are not ours")
}
