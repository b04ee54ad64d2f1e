//! App on a stage -> the resources that it shall have.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::Desired;
use crate::app::events::EventSource;
use crate::app::{Api, App, AuthorizerKind, Endpoint, Function, FunctionRole, Package};
use crate::names::{Address, AppName, StageName};
use crate::resource::deployment::Deployment;
use crate::resource::function::{self, RoleReference};
use crate::resource::layer::Layer;
use crate::resource::permission::{Caller, Permission};
use crate::resource::rest_api::{self, RestApi};
use crate::resource::role::{self, Role, Sharing};
use crate::resource::{Owner, Place, Resource};

pub mod events;

/// What an app becomes resources with.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Where the stage lives.
    pub place: &'a Place,
    /// Whose the resources are.
    pub owner: &'a Owner,
    /// The stage's salt for digests of secrets.
    pub salt: &'a str,
    /// Whose the roles are that are made for it.
    pub roles: Sharing,
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

/// How things of an app are called in AWS on a stage. Names are derived, never random: a rerun finds its own.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    app: &'a App,
    stage: &'a StageName,
}

impl Names<'_> {
    /// The name of what has a suffix of its own; without one, it is that of the stage.
    fn physical(&self, suffix: &str) -> String {
        physical(&self.app.name, self.stage, suffix)
    }

    /// The name of a function by its logical name.
    fn function(&self, logical: &str) -> String {
        let mut functions = self.app.functions.iter();
        let function = functions.find(|function| function.name == logical);
        self.physical(function.map_or(logical, |function| &function.suffix))
    }
}

/// The longest name of a role, a function or a rule: IAM's, Lambda's and EventBridge's quotas agree.
pub const NAME_LIMIT: usize = 64;

/// The resources that an app shall have on a stage; its zips are known by their SHA-256, by the name of the source.
pub fn desired(app: &App, zips: &BTreeMap<String, String>, ground: Ground<'_>) -> Desired {
    let names = Names {
        app,
        stage: &ground.owner.stage,
    };
    let layer = app.layer.as_ref().map(|layer| managed_layer(layer, zips, names));
    let roles = app.roles.iter().map(|role| made_role(role, names, ground));
    let roles: Vec<(Address, Role)> = roles.collect();
    let functions = app.functions.iter().map(|function| {
        let mut made = lambda(function, zips, names, ground);
        if let Some((address, _)) = roles.iter().find(|(address, _)| made.role.is_named_as(address)) {
            made.role = RoleReference::Managed(address.clone());
        }
        made.managed_layer = layer.as_ref().map(|(address, _)| address.clone());
        (Address::new("function", &function.name), Resource::Function(made))
    });
    let functions: Vec<_> = functions.collect();
    let roles = roles.into_iter().map(|(address, role)| (address, Resource::Role(role)));
    let mut resources: Vec<_> = layer.clone().into_iter().chain(roles).chain(functions).collect();
    resources.extend(events::beside_functions(app, names, ground));
    for event in &app.events {
        for named in events::called_by(event, names, ground) {
            // Two events of a function may come from one bucket, by one permission.
            if !resources.contains(&named) {
                resources.push(named);
            }
        }
    }
    let websocket = app.websocket.iter();
    resources.extend(websocket.flat_map(|websocket| events::websocket(websocket, names, ground)));
    let http = app.http_api.iter();
    resources.extend(http.flat_map(|http| events::http_api(http, names, ground)));
    if let Some(api) = &app.api {
        resources.extend(served(api, names, ground));
    }
    debug_assert!(
        twice(&resources).is_none(),
        "two resources have the address {:?}",
        twice(&resources)
    );
    Desired { resources }
}

/// A role of the app on a stage. One that previews share bears what it may do in its address, too, so that another policy is
/// another role. A policy that names the stage is nobody else's, and a name that does not fit is none.
fn made_role(role: &crate::app::Role, names: Names<'_>, ground: Ground<'_>) -> (Address, Role) {
    let own = || {
        let own = Role {
            name: names.physical(&role.suffix),
            policy: role.policy.clone(),
            tags: ground.owner.tags(),
            sharing: Sharing::Own,
        };
        (Address::new("role", &role.name), own)
    };
    let shared = role::of_previews(&role.policy, ground.owner, ground.place);
    let is_stages_own = role.policy.to_string().contains(ground.owner.stage.as_str());
    match ground.roles {
        Sharing::Previews if !is_stages_own && shared.name.len() <= NAME_LIMIT => {
            let content = shared.name.rsplit('-').next().unwrap_or_default();
            (Address::at("role", &role.name, content), shared)
        }
        Sharing::Previews | Sharing::Own => own(),
    }
}

/// An address that two resources have: one of them would be lost in silence.
fn twice(resources: &[(Address, Resource)]) -> Option<&Address> {
    let mut seen = BTreeSet::new();
    resources
        .iter()
        .map(|(address, _)| address)
        .find(|address| !seen.insert(*address))
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
    let rules = app.events.iter().filter_map(|event| match event.source {
        EventSource::Schedule { .. } | EventSource::Pattern { .. } => {
            Some((format!("rule of function `{}`", event.function), &event.name))
        }
        EventSource::Bucket { .. }
        | EventSource::Topic { .. }
        | EventSource::Queue { .. }
        | EventSource::Stream { .. } => None,
    });
    let named = roles.chain(functions).chain(rules);
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

fn physical(app: &AppName, stage: &StageName, suffix: &str) -> String {
    match suffix {
        "" => format!("{app}-{stage}"),
        suffix => format!("{app}-{stage}-{suffix}"),
    }
}

/// All tags of a thing: those of the user, and ours.
fn tags(own: &BTreeMap<String, String>, ground: Ground<'_>) -> BTreeMap<String, String> {
    let mut tags = own.clone();
    tags.extend(ground.owner.tags());
    tags
}

/// Another content is another version of the layer, and another resource.
fn managed_layer(
    layer: &crate::app::events::Layer,
    zips: &BTreeMap<String, String>,
    names: Names<'_>,
) -> (Address, Resource) {
    let code = zips.get(&layer.source).cloned().unwrap_or_default();
    let version: String = code.chars().take(12).collect();
    let address = Address::at("layer", &layer.name, &version);
    let made = Layer {
        name: names.physical(&layer.name),
        code,
        runtime: layer.runtime.clone(),
        architecture: layer.architecture,
    };
    (address, Resource::Layer(made))
}

fn lambda(
    function: &Function,
    zips: &BTreeMap<String, String>,
    names: Names<'_>,
    ground: Ground<'_>,
) -> function::Function {
    let mut settings = function.settings.clone();
    for variable in settings.environment.values_mut() {
        *variable = variable.salted(ground.salt);
    }
    let (source, image) = match &function.package {
        Package::Zip(source) => (zips.get(source), None),
        Package::Image(uri) => (None, Some(uri.clone())),
    };
    function::Function {
        name: names.physical(&function.suffix),
        code: source.cloned().unwrap_or_default(),
        image,
        role: match &function.role {
            FunctionRole::Managed(role) => RoleReference::Managed(Address::new("role", role)),
            FunctionRole::Given(arn) => RoleReference::Given(arn.clone()),
        },
        settings,
        managed_layer: None,
        reserved_concurrency: function.reserved_concurrency,
        tags: tags(&function.tags, ground),
    }
}

/// The API itself, a permission for each function that it calls, and what is served of it.
fn served(api: &Api, names: Names<'_>, ground: Ground<'_>) -> Vec<(Address, Resource)> {
    let rest_api = Address::new("rest_api", "rest_api");
    let uri = |logical: &str| {
        let Place { region, partition, .. } = ground.place;
        let arn = ground.place.function_arn(&names.function(logical));
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
            function_name: names.function(&function),
            function: Address::new("function", &function),
            caller: Caller::RestApi(rest_api.clone()),
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
    resources.extend(api.domain.as_ref().map(|domain| {
        let to = (rest_api.clone(), api.stage_name.clone());
        let kind = match &api.endpoint {
            Endpoint::Edge => "EDGE",
            Endpoint::Regional | Endpoint::Private { .. } => "REGIONAL",
        };
        events::domain_name("api_gateway_custom_domain", domain, to, (kind, ground))
    }));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_two_resources_have_is_found() {
        let role = |name: &str| {
            let role = Role {
                name: name.to_owned(),
                policy: serde_json::json!({}),
                tags: BTreeMap::new(),
                sharing: Sharing::Own,
            };
            (Address::new("role", name), Resource::Role(role))
        };
        assert_eq!(twice(&[role("api"), role("worker")]), None);
        assert_eq!(
            twice(&[role("api"), role("worker"), role("api")]),
            Some(&Address::new("role", "api"))
        );
    }
}
