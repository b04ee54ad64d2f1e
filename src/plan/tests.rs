//! From what is desired and what is deployed to what is done, and why.

use serde_json::json;

use super::*;
use crate::app::{Architecture, Settings, Tracing};
use crate::plan::render;
use crate::resource::deployment::{self, Deployment};
use crate::resource::function::{self, Function, RoleReference};
use crate::resource::notification::{self, Notification};
use crate::resource::permission::{self, Permission};
use crate::resource::rest_api::{self, RestApi};
use crate::resource::role::{self, Role};
use crate::variable::Variable;

fn settings(environment: &[(&str, Variable)]) -> Settings {
    Settings {
        runtime: "python3.11".to_owned(),
        architecture: Architecture::X86_64,
        handler: "app.app".to_owned(),
        memory_mib: 128,
        timeout_s: 60,
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        layers: Vec::new(),
        vpc: None,
        tracing: Tracing::PassThrough,
    }
}

fn at(kind: &str, name: &str) -> Address {
    Address::new(kind, name)
}

/// A role, a function, a REST API that calls it, and what is served.
fn hello() -> Desired {
    let role = Role {
        name: "shop-dev".to_owned(),
        policy: json!({"Statement": []}),
        tags: BTreeMap::new(),
        sharing: role::Sharing::Own,
    };
    let function = Function {
        name: "shop-dev".to_owned(),
        code: "aa".to_owned(),
        role: RoleReference::Managed(at("role", "default-role")),
        settings: settings(&[("TABLE", Variable::Plain("guests".to_owned()))]),
        reserved_concurrency: None,
        tags: BTreeMap::new(),
        image: None,
        managed_layer: None,
    };
    let api = RestApi {
        document: json!({"info": {"title": "shop", "description": "ours"}, "paths": {"/": {"get": {}}}}),
        endpoint_type: "EDGE".to_owned(),
        minimum_compression_size: None,
    };
    let permission = Permission {
        function: at("function", "api_handler"),
        function_name: "shop-dev".to_owned(),
        caller: permission::Caller::RestApi(at("rest_api", "rest_api")),
    };
    let deployment = Deployment {
        rest_api: at("rest_api", "rest_api"),
        stage_name: "api".to_owned(),
        document: "dd".to_owned(),
        tracing: Tracing::PassThrough,
    };
    Desired {
        resources: vec![
            (at("role", "default-role"), Resource::Role(role)),
            (at("function", "api_handler"), Resource::Function(function)),
            (at("rest_api", "rest_api"), Resource::RestApi(api)),
            (at("permission", "api_handler"), Resource::Permission(permission)),
            (at("deployment", "rest_api"), Resource::Deployment(deployment)),
        ],
    }
}

fn outputs(resource: &Resource) -> Outputs {
    match resource {
        Resource::Role(role) => Outputs::Role(role::Outputs {
            arn: format!("arn:{}", role.name),
            name: role.name.clone(),
            sharing: role.sharing,
        }),
        Resource::Function(function) => Outputs::Function(function::Outputs {
            arn: format!("arn:function:{}", function.name),
        }),
        Resource::RestApi(_) => Outputs::RestApi(rest_api::Outputs { id: "abc".to_owned() }),
        Resource::Permission(permission) => Outputs::Permission(permission::Outputs {
            function_name: permission.function_name.clone(),
            statement_id: permission::STATEMENT_ID.to_owned(),
        }),
        Resource::Deployment(deployment) => Outputs::Deployment(deployment::Outputs {
            rest_api_id: "abc".to_owned(),
            stage_name: deployment.stage_name.clone(),
            url: "https://abc/api/".to_owned(),
        }),
        Resource::Notification(entry) => Outputs::Notification(notification::Outputs {
            bucket: entry.bucket.clone(),
            function_arn: format!("arn:function:{}", entry.function_name),
            id: None,
        }),
        Resource::Rule(_)
        | Resource::Subscription(_)
        | Resource::EventSourceMapping(_)
        | Resource::V2Api(_)
        | Resource::DomainName(_)
        | Resource::Layer(_)
        | Resource::LogGroup(_)
        | Resource::FunctionUrl(_) => unreachable!("no app here has one"),
    }
}

fn nothing() -> State {
    State::new("shop".parse().unwrap(), "dev".parse().unwrap(), "salt".to_owned())
}

fn deployed(desired: &Desired) -> State {
    let mut state = nothing();
    for (address, resource) in &desired.resources {
        state.record(address.clone(), Some(resource.clone()), outputs(resource));
    }
    state
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| format!("{} {}", step.action.word(), step.address))
        .collect()
}

fn causes(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .flat_map(|step| &step.causes)
        .map(ToString::to_string)
        .collect()
}

fn change(desired: &mut Desired, kind: &str, name: &str, with: impl FnOnce(&mut Resource)) {
    let wanted = at(kind, name);
    with(
        &mut desired
            .resources
            .iter_mut()
            .find(|(address, _)| *address == wanted)
            .unwrap()
            .1,
    );
}

#[test]
fn what_was_taken_over_is_not_changed_for_our_marks_alone_and_they_are_no_cause() {
    let mut desired = hello();
    let mut state = deployed(&desired);
    for found in state.deployed.values_mut() {
        found.resource = found.resource.as_ref().map(Resource::unmarked);
    }
    change(&mut desired, "role", "default-role", |resource| {
        let Resource::Role(role) = resource else { unreachable!() };
        role.tags.insert("stagewright:app".to_owned(), "shop".to_owned());
    });
    assert!(diff(&desired, &state).is_empty());
    change(&mut desired, "role", "default-role", |resource| {
        let Resource::Role(role) = resource else { unreachable!() };
        role.policy = json!({"Statement": [{"Effect": "Deny"}]});
    });
    let plan = diff(&desired, &state);
    assert_eq!(lines(&plan), ["update role/default-role"]);
    assert!(
        causes(&plan).iter().all(|cause| cause.starts_with("policy.Statement")),
        "{:?}",
        causes(&plan)
    );
}

#[test]
fn what_is_deployed_already_needs_no_step() {
    assert!(diff(&hello(), &deployed(&hello())).is_empty());
}

#[test]
fn a_first_deploy_makes_everything_and_a_new_api_is_served_while_its_functions_are_made() {
    let plan = diff(&hello(), &nothing());
    assert_eq!(
        lines(&plan),
        [
            "create role/default-role",
            "create function/api_handler",
            "create rest_api/rest_api",
            "create permission/api_handler",
            "create deployment/rest_api",
        ]
    );
    let after = |address: &Address| {
        plan.steps
            .iter()
            .find(|step| step.address == *address)
            .unwrap()
            .after
            .clone()
    };
    assert_eq!(after(&at("rest_api", "rest_api")), []);
    assert_eq!(after(&at("function", "api_handler")), [at("role", "default-role")]);
    let permission = plan
        .steps
        .iter()
        .find(|step| step.address.kind() == "permission")
        .unwrap();
    assert_eq!(permission.beside, [at("function", "api_handler")]);
    assert_eq!(after(&at("deployment", "rest_api")), [at("rest_api", "rest_api")]);
}

#[test]
fn an_api_that_has_callers_is_served_anew_when_all_that_it_calls_is_there() {
    let (before, mut desired) = (hello(), hello());
    let (handler, function) = (at("function", "api_handler"), at("function", "guests"));
    let found = desired.resources.iter().find(|(address, _)| *address == handler);
    let guests = found.unwrap().1.clone();
    desired.resources.insert(0, (function.clone(), guests));
    change(&mut desired, "rest_api", "rest_api", |resource| {
        let Resource::RestApi(api) = resource else {
            unreachable!()
        };
        api.document["paths"]["/guests"] = json!({});
    });
    change(&mut desired, "deployment", "rest_api", |resource| {
        let Resource::Deployment(deployment) = resource else {
            unreachable!()
        };
        deployment.document.push('x');
    });
    let plan = diff(&desired, &deployed(&before));
    let last = plan.steps.last().unwrap();
    assert_eq!(last.address, at("deployment", "rest_api"));
    let mut waited: Vec<_> = last.after.iter().chain(&last.beside).cloned().collect();
    waited.sort();
    assert_eq!(waited, [function, at("rest_api", "rest_api")]);
}

#[test]
fn a_changed_input_is_named_as_the_cause() {
    let mut desired = hello();
    change(&mut desired, "function", "api_handler", |resource| {
        let Resource::Function(function) = resource else {
            panic!("no function")
        };
        function.settings.memory_mib = 512;
        function.settings.environment = BTreeMap::from([("LOG".to_owned(), Variable::Plain("warn".to_owned()))]);
    });
    let plan = diff(&desired, &deployed(&hello()));
    assert_eq!(lines(&plan), ["update function/api_handler"]);
    assert_eq!(
        causes(&plan),
        [
            "environment.LOG: warn, was not set",
            "environment.TABLE: not set, was guests",
            "memory_mib: 128 -> 512"
        ]
    );
}

#[test]
fn a_changed_secret_is_shown_by_its_reference_only() {
    let secret = |value: &str| Variable::secret("${env:DB}".to_owned(), value.to_owned()).salted("salt");
    let with = |value: &str| {
        let mut desired = hello();
        change(&mut desired, "function", "api_handler", |resource| {
            let Resource::Function(function) = resource else {
                panic!("no function")
            };
            function.settings = settings(&[("DB", secret(value))]);
        });
        desired
    };
    let plan = diff(&with("new-password"), &deployed(&with("old-password")));
    assert_eq!(
        causes(&plan),
        ["environment.DB: ${env:DB} (secret) -> ${env:DB} (secret)"]
    );
    let shown = render::render(&plan) + &format!("{plan:?}") + &serde_json::to_string(&causes(&plan)).unwrap();
    assert!(!shown.contains("password"), "{shown}");
    assert!(diff(&with("old-password"), &deployed(&with("old-password"))).is_empty());
}

#[test]
fn a_variable_that_is_named_digest_is_a_variable_like_any_other() {
    let with = |value: &str| {
        let mut desired = hello();
        change(&mut desired, "function", "api_handler", |resource| {
            let Resource::Function(function) = resource else {
                panic!("no function")
            };
            let plain = |text: &str| Variable::Plain(text.to_owned());
            function.settings = settings(&[("digest", plain(value)), ("reference", plain("none"))]);
        });
        desired
    };
    let plan = diff(&with("new"), &deployed(&with("old")));
    assert_eq!(causes(&plan), ["environment.digest: old -> new"]);
}

#[test]
fn what_left_the_app_is_removed_after_everything_else() {
    let mut desired = hello();
    desired
        .resources
        .retain(|(address, _)| !address.as_str().starts_with("permission"));
    change(&mut desired, "deployment", "rest_api", |resource| {
        let Resource::Deployment(deployment) = resource else {
            panic!("no deployment")
        };
        deployment.document = "ee".to_owned();
    });
    let plan = diff(&desired, &deployed(&hello()));
    assert_eq!(
        lines(&plan),
        ["update deployment/rest_api", "delete permission/api_handler"]
    );
    assert_eq!(plan.steps[1].after, [at("deployment", "rest_api")]);
}

/// The app with a function that a bucket calls.
fn with_handler(name: &str, bucket: &str) -> Desired {
    let mut desired = hello();
    let notification = Notification {
        event: format!("{name}-s3event"),
        bucket: bucket.to_owned(),
        events: vec!["s3:ObjectCreated:*".to_owned()],
        prefix: None,
        suffix: None,
        function: at("function", name),
        function_name: format!("shop-dev-{name}"),
        permission: at("permission", name),
    };
    let address = Address::at("notification", &format!("{name}-s3event"), bucket);
    desired.resources.push((address, Resource::Notification(notification)));
    desired
}

#[test]
fn a_bucket_stops_calling_the_former_function_before_it_calls_the_new_one() {
    let plan = diff(
        &with_handler("resize", "photos"),
        &deployed(&with_handler("shrink", "photos")),
    );
    let delete = "delete notification/shrink-s3event@photos";
    assert_eq!(lines(&plan), [delete, "create notification/resize-s3event@photos"]);
    assert_eq!(plan.steps[0].after, []);
    assert_eq!(plan.steps[1].after, [plan.steps[0].address.clone()]);
}

#[test]
fn another_bucket_calls_before_the_former_one_stops() {
    let plan = diff(
        &with_handler("resize", "films"),
        &deployed(&with_handler("resize", "photos")),
    );
    let create = "create notification/resize-s3event@films";
    assert_eq!(lines(&plan), [create, "delete notification/resize-s3event@photos"]);
}

#[test]
fn a_whole_stage_goes_with_three_deletes_and_its_role_comes_last() {
    let plan = destruction(&deployed(&hello()));
    assert_eq!(
        lines(&plan),
        [
            "delete function/api_handler",
            "delete rest_api/rest_api",
            "delete role/default-role"
        ]
    );
    assert_eq!(plan.steps[0].after, []);
    assert_eq!(plan.steps[1].after, []);
    assert_eq!(plan.steps[2].after, [at("function", "api_handler")]);
}

#[test]
fn what_refers_to_something_made_anew_is_applied_again() {
    let mut state = deployed(&hello());
    state.forget(&at("role", "default-role"));
    let plan = diff(&hello(), &state);
    assert_eq!(
        lines(&plan),
        ["create role/default-role", "update function/api_handler"]
    );
    assert_eq!(causes(&plan)[1], "role/default-role is made anew");
}

#[test]
fn what_only_its_existence_is_known_of_is_set_up_anew() {
    let mut state = deployed(&hello());
    for deployed in state.deployed.values_mut() {
        deployed.resource = None;
    }
    let plan = diff(&hello(), &state);
    assert_eq!(plan.steps.len(), 5);
    assert!(plan.steps.iter().all(|step| step.causes == [Cause::Unknown]));
}

#[test]
fn a_rest_api_that_is_gone_takes_its_deployment_along() {
    let mut state = deployed(&hello());
    state.forget(&at("rest_api", "rest_api"));
    assert!(!state.deployed.contains_key(&at("deployment", "rest_api")));
    let plan = diff(&hello(), &state);
    assert_eq!(
        lines(&plan),
        [
            "create rest_api/rest_api",
            "update permission/api_handler",
            "create deployment/rest_api"
        ]
    );
}

#[test]
fn a_plan_reads_like_a_list_of_things_to_do() {
    let mut desired = hello();
    change(&mut desired, "function", "api_handler", |resource| {
        let Resource::Function(function) = resource else {
            panic!("no function")
        };
        function.settings.memory_mib = 512;
    });
    let text = render::render(&diff(&desired, &deployed(&hello())));
    assert_eq!(
        text,
        "~ update function/api_handler  (memory_mib: 128 -> 512)\nPlan: 0 to create, 1 to update, 0 to delete.\n"
    );
}
