//! The file form of a state: a deployed file of AWS Chalice, schema 2.0, with one more key of ours.
//!
//! The list `resources` is written in Chalice's words and order, so that its own `url` and `delete` work on the file. It
//! is read only where our key is missing: that is a stage that Chalice deployed, or deleted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Deployed, Error, FORMAT, State};
use crate::names::{Address, AppName, StageName};
use crate::resource::{Outputs, Place, deployment, function, rest_api, role};

const SCHEMA: &str = "2.0";

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
    let document = json!({
        "resources": resources(state),
        "schema_version": SCHEMA,
        "backend": "api",
        "stagewright": state,
    });
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text.into_bytes()
}

/// Reads a state as it is kept in the store.
///
/// # Errors
///
/// [`Error::Damaged`], [`Error::Newer`] or [`Error::Misplaced`]; the object is never guessed at.
pub fn parse(bytes: &[u8], expected: Expected<'_>, salt: String) -> Result<State, Error> {
    let damaged = |reason: String| Error::Damaged {
        object: expected.object.to_owned(),
        reason,
    };
    let mut document: Value = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if !document.is_object() {
        return Err(damaged("it is not a JSON object".to_owned()));
    }
    let ours = document["stagewright"].take();
    if ours.is_null() {
        return adopt(&document, expected, salt);
    }
    match ours["format"].as_u64() {
        Some(format) if format > u64::from(FORMAT) => {
            return Err(Error::Newer {
                object: expected.object.to_owned(),
                format,
            });
        }
        Some(_) => {}
        None => return Err(damaged("it has no format number".to_owned())),
    }
    let state: State = serde_json::from_value(ours).map_err(|error| damaged(error.to_string()))?;
    if &state.stage != expected.stage || expected.app.is_some_and(|app| app != &state.app) {
        let app = expected.app.unwrap_or(&state.app);
        return Err(Error::Misplaced {
            object: expected.object.to_owned(),
            found: format!("stage `{}` of app `{}`", state.stage, state.app),
            wanted: format!("stage `{}` of app `{app}`", expected.stage),
        });
    }
    Ok(state)
}

/// In the order in which Chalice records them: it deletes from the end.
fn resources(state: &State) -> Vec<Value> {
    let mut listed: Vec<(u8, Value)> = state
        .deployed
        .iter()
        .filter_map(|entry| resource(state, entry))
        .collect();
    listed.sort_by_key(|(rank, _)| *rank);
    listed.into_iter().map(|(_, resource)| resource).collect()
}

fn resource(state: &State, (address, deployed): (&Address, &Deployed)) -> Option<(u8, Value)> {
    let name = address.name();
    match &deployed.outputs {
        Outputs::Role(role) => Some((
            0,
            json!({"name": name, "resource_type": "iam_role", "role_arn": role.arn, "role_name": role.name}),
        )),
        Outputs::Function(function) => Some((
            1,
            json!({"name": name, "resource_type": "lambda_function", "lambda_arn": function.arn}),
        )),
        Outputs::RestApi(api) => {
            let url = state.served().map(|served| served.url.clone()).unwrap_or_default();
            let resource =
                json!({"name": name, "resource_type": "rest_api", "rest_api_id": api.id, "rest_api_url": url});
            Some((2, resource))
        }
        Outputs::Permission(_) | Outputs::Deployment(_) => None,
    }
}

#[derive(Deserialize)]
struct Recorded {
    name: String,
    resource_type: String,
    role_arn: Option<String>,
    role_name: Option<String>,
    lambda_arn: Option<String>,
    rest_api_id: Option<String>,
    rest_api_url: Option<String>,
}

/// Takes over a stage that Chalice deployed: what exists is known, how it is set up is not.
fn adopt(document: &Value, expected: Expected<'_>, salt: String) -> Result<State, Error> {
    let damaged = |reason: String| Error::Damaged {
        object: expected.object.to_owned(),
        reason,
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
        let recorded: Recorded =
            serde_json::from_value(entry.clone()).map_err(|error| damaged(format!("in `resources`: {error}")))?;
        let outputs = outputs(&recorded).ok_or_else(|| {
            let Recorded {
                name, resource_type, ..
            } = &recorded;
            damaged(format!(
                "the resource `{name}` of type `{resource_type}` is not supported yet, or is incomplete"
            ))
        })?;
        for (address, outputs) in outputs {
            deployed.insert(
                address,
                Deployed {
                    resource: None,
                    outputs,
                },
            );
        }
    }
    let place = deployed.values().find_map(|deployed| place(&deployed.outputs));
    Ok(State {
        deployed,
        place,
        ..State::new(app.clone(), expected.stage.clone(), salt)
    })
}

/// Chalice does not record where a stage stands, but a function's ARN says so.
fn place(outputs: &Outputs) -> Option<Place> {
    let Outputs::Function(function) = outputs else {
        return None;
    };
    let parts: Vec<&str> = function.arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "lambda", region, account, ..] => Some(Place {
            account: (*account).to_owned(),
            region: (*region).to_owned(),
            partition: (*partition).to_owned(),
        }),
        _ => None,
    }
}

fn outputs(recorded: &Recorded) -> Option<Vec<(Address, Outputs)>> {
    let Recorded {
        name,
        role_arn,
        role_name,
        lambda_arn,
        rest_api_id,
        rest_api_url,
        ..
    } = recorded;
    match recorded.resource_type.as_str() {
        "iam_role" => {
            let role = role::Outputs {
                arn: role_arn.clone()?,
                name: role_name.clone()?,
            };
            Some(vec![(Address::new("role", name), Outputs::Role(role))])
        }
        "lambda_function" => {
            let function = function::Outputs {
                arn: lambda_arn.clone()?,
            };
            Some(vec![(Address::new("function", name), Outputs::Function(function))])
        }
        "rest_api" => {
            let (id, url) = (rest_api_id.clone()?, rest_api_url.clone()?);
            let stage_name = url.trim_end_matches('/').rsplit('/').next()?.to_owned();
            let served = deployment::Outputs {
                rest_api_id: id.clone(),
                stage_name,
                url,
            };
            Some(vec![
                (
                    Address::new("rest_api", name),
                    Outputs::RestApi(rest_api::Outputs { id }),
                ),
                (Address::new("deployment", name), Outputs::Deployment(served)),
            ])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected<'a>(app: Option<&'a AppName>, stage: &'a StageName) -> Expected<'a> {
        Expected {
            app,
            stage,
            object: "s3://b/shop/prod.json",
        }
    }

    fn names() -> (AppName, StageName) {
        ("shop".parse().unwrap(), "prod".parse().unwrap())
    }

    const OF_CHALICE: &str = r#"{"resources": [
        {"name": "default-role", "resource_type": "iam_role", "role_arn": "arn:aws:iam::1:role/shop-prod", "role_name": "shop-prod"},
        {"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": "arn:aws:lambda:eu-west-1:1:function:shop-prod"},
        {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "abc", "rest_api_url": "https://abc.execute-api.eu-west-1.amazonaws.com/api/"}
    ], "schema_version": "2.0", "backend": "api"}"#;

    #[test]
    fn a_stage_that_chalice_deployed_is_taken_over_with_all_its_ids() {
        let (app, stage) = names();
        let state = parse(OF_CHALICE.as_bytes(), expected(Some(&app), &stage), "salt".to_owned()).unwrap();
        assert_eq!(
            state.served().map(|served| served.url.as_str()),
            Some("https://abc.execute-api.eu-west-1.amazonaws.com/api/")
        );
        assert_eq!(state.deployed.len(), 4);
        assert_eq!(
            state.place.as_ref().map(|place| place.region.as_str()),
            Some("eu-west-1")
        );
        let written: Value = serde_json::from_slice(&render(&state)).unwrap();
        assert_eq!(
            written["resources"],
            serde_json::from_str::<Value>(OF_CHALICE).unwrap()["resources"]
        );
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let (app, stage) = names();
        let state = parse(OF_CHALICE.as_bytes(), expected(Some(&app), &stage), "salt".to_owned()).unwrap();
        let again = parse(&render(&state), expected(None, &stage), String::new()).unwrap();
        assert_eq!(again, state);
    }

    #[test]
    fn a_state_of_another_stage_or_of_the_future_or_of_nobody_is_refused() {
        let (app, stage) = names();
        let other: StageName = "beta".parse().unwrap();
        let state = State::new(app.clone(), stage.clone(), String::new());
        let read = |bytes: &[u8], stage| parse(bytes, expected(Some(&app), stage), String::new());
        assert!(matches!(read(&render(&state), &other), Err(Error::Misplaced { .. })));
        let newer = State {
            format: FORMAT + 1,
            ..state
        };
        assert!(matches!(
            read(&render(&newer), &stage),
            Err(Error::Newer { format: 2, .. })
        ));
        for damaged in [
            "",
            "[]",
            "{}",
            "{\"stagewright\": {\"format\": 1}}",
            "{\"schema_version\": \"1.0\"}",
        ] {
            assert!(
                matches!(read(damaged.as_bytes(), &stage), Err(Error::Damaged { .. })),
                "{damaged}"
            );
        }
    }

    #[test]
    fn a_kind_that_we_cannot_keep_yet_is_named_and_not_dropped() {
        let (app, stage) = names();
        let event = r#"{"resources": [{"name": "tick-event", "resource_type": "cloudwatch_event", "rule_name": "r"}],
            "schema_version": "2.0", "backend": "api"}"#;
        let error = parse(event.as_bytes(), expected(Some(&app), &stage), String::new()).unwrap_err();
        assert!(
            error.to_string().contains("`tick-event` of type `cloudwatch_event`"),
            "{error}"
        );
    }
}
