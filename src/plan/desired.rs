//! App on a stage -> the resources that it shall have.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::Desired;
use crate::app::{Api, App, Artifact, AuthorizerKind, Endpoint, Function, FunctionRole};
use crate::names::{Address, AppName, StageName};
use crate::resource::deployment::Deployment;
use crate::resource::function::{self, RoleReference};
use crate::resource::permission::Permission;
use crate::resource::rest_api::{self, RestApi};
use crate::resource::role::Role;
use crate::resource::{Owner, Place, Resource};

/// What an app becomes resources with.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Where the stage lives.
    pub place: &'a Place,
    /// Whose the resources are.
    pub owner: &'a Owner,
    /// The stage's salt for digests of secrets.
    pub salt: &'a str,
}

/// A name that AWS would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What would bear the name: `function `api``.
    pub what: String,
    /// The name in AWS.
    pub name: String,
    /// Its length in characters.
    pub length: usize,
}

/// The longest name of a role or a function: IAM's and Lambda's quotas agree.
pub const NAME_LIMIT: usize = 64;

/// The resources that an app shall have on a stage.
pub fn desired(app: &App, artifacts: &BTreeMap<String, Artifact>, ground: Ground<'_>) -> Desired {
    let Owner { stage, .. } = ground.owner;
    let role = |role: &crate::app::Role| {
        let made = Role {
            name: physical(&app.name, stage, &role.suffix),
            policy: role.policy.clone(),
            tags: ground.owner.tags(),
        };
        (Address::new("role", &role.name), Resource::Role(made))
    };
    let roles = app.roles.iter().map(role);
    let functions = app.functions.iter().map(|function| {
        let made = lambda(app, function, artifacts, ground);
        (Address::new("function", &function.name), Resource::Function(made))
    });
    let mut resources: Vec<_> = roles.chain(functions).collect();
    if let Some(api) = &app.api {
        resources.extend(served(app, api, ground));
    }
    Desired { resources }
}

/// The names that AWS would refuse on a stage, since the parts together are too long.
pub fn refused_names(app: &App, stage: &StageName) -> Vec<Refused> {
    let roles = app
        .roles
        .iter()
        .map(|role| (format!("role `{}`", role.name), &role.suffix));
    let functions = app
        .functions
        .iter()
        .map(|function| (format!("function `{}`", function.name), &function.suffix));
    let named = roles.chain(functions);
    named
        .filter_map(|(what, suffix)| refused(what, physical(&app.name, stage, suffix)))
        .collect()
}

/// Whether AWS would refuse the name that all others of a stage begin with. It is known before the app is read.
pub fn refused_base(app: &AppName, stage: &StageName) -> Option<Refused> {
    refused("everything".to_owned(), physical(app, stage, ""))
}

fn refused(what: String, name: String) -> Option<Refused> {
    let length = name.len();
    (length > NAME_LIMIT).then_some(Refused { what, name, length })
}

/// Names are derived, never random: a rerun finds its own.
fn physical(app: &AppName, stage: &StageName, suffix: &str) -> String {
    match suffix {
        "" => format!("{app}-{stage}"),
        suffix => format!("{app}-{stage}-{suffix}"),
    }
}

fn lambda(
    app: &App,
    function: &Function,
    artifacts: &BTreeMap<String, Artifact>,
    ground: Ground<'_>,
) -> function::Function {
    let mut settings = function.settings.clone();
    for variable in settings.environment.values_mut() {
        *variable = variable.salted(ground.salt);
    }
    let mut tags = function.tags.clone();
    tags.extend(ground.owner.tags());
    function::Function {
        name: physical(&app.name, &ground.owner.stage, &function.suffix),
        code: artifacts
            .get(&function.source)
            .map(|artifact| artifact.sha256.clone())
            .unwrap_or_default(),
        role: match &function.role {
            FunctionRole::Managed(role) => RoleReference::Managed(Address::new("role", role)),
            FunctionRole::Given(arn) => RoleReference::Given(arn.clone()),
        },
        settings,
        reserved_concurrency: function.reserved_concurrency,
        tags,
    }
}

/// The API itself, a permission for each function that it calls, and what is served of it.
fn served(app: &App, api: &Api, ground: Ground<'_>) -> Vec<(Address, Resource)> {
    let rest_api = Address::new("rest_api", "rest_api");
    let name_of = |logical: &str| {
        let function = app.functions.iter().find(|function| function.name == logical);
        physical(
            &app.name,
            &ground.owner.stage,
            function.map_or(logical, |function| &function.suffix),
        )
    };
    let uri = |logical: &str| {
        let Place { region, partition, .. } = ground.place;
        let arn = ground.place.function_arn(&name_of(logical));
        format!("arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations")
    };
    let document = rest_api::document::document(api, &ground.owner.mark(), &uri);
    // Compression, too, is served only after a deployment.
    let served = format!("{document}{:?}", api.minimum_compression_size);
    let digest: String = Sha256::digest(served)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let made = RestApi {
        document,
        endpoint_type: endpoint_type(&api.endpoint).to_owned(),
        minimum_compression_size: api.minimum_compression_size,
    };
    let mut resources = vec![(rest_api.clone(), Resource::RestApi(made))];
    resources.extend(called(api).into_iter().map(|function| {
        let permission = Permission {
            function_name: name_of(&function),
            function: Address::new("function", &function),
            rest_api: rest_api.clone(),
        };
        (Address::new("permission", &function), Resource::Permission(permission))
    }));
    let deployment = Deployment {
        rest_api: rest_api.clone(),
        stage_name: api.stage_name.clone(),
        document: digest,
        tracing: api.tracing,
    };
    resources.push((Address::new("deployment", "rest_api"), Resource::Deployment(deployment)));
    resources
}

fn endpoint_type(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Edge => "EDGE",
        Endpoint::Regional => "REGIONAL",
        Endpoint::Private { .. } => "PRIVATE",
    }
}

/// The functions that an API calls, for routes and for authorizers, each once.
fn called(api: &Api) -> Vec<String> {
    let routes = api.routes.iter().map(|route| route.function.clone());
    let authorizers = api.authorizers.iter().filter_map(|authorizer| match &authorizer.kind {
        AuthorizerKind::Function { function, .. } => Some(function.clone()),
        AuthorizerKind::Iam | AuthorizerKind::Cognito { .. } | AuthorizerKind::Custom { .. } => None,
    });
    let mut called: Vec<String> = routes.chain(authorizers).collect();
    called.sort();
    called.dedup();
    called
}
