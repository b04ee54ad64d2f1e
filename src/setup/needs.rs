//! What an app needs of AWS, as far as the rights of whoever deploys it depend on it.

use std::collections::BTreeSet;

use crate::app::events::EventSource;
use crate::app::{App, AuthorizerKind, Endpoint, FunctionRole, Package};
use crate::names::AppName;

/// What an app needs on all of its stages together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The app.
    pub app: AppName,
    /// Parts that need rights of their own.
    pub parts: BTreeSet<Part>,
    /// ARNs of roles of the user's that functions run as.
    pub function_roles: BTreeSet<String>,
    /// ARNs of roles of the user's with which API Gateway calls authorizers.
    pub gateway_roles: BTreeSet<String>,
    /// ARNs of layer versions.
    pub layers: BTreeSet<String>,
    /// Buckets whose changes call functions.
    pub buckets: BTreeSet<String>,
    /// Names or ARNs of topics whose messages call functions.
    pub topics: BTreeSet<String>,
    /// ARNs of repositories of container images.
    pub repositories: BTreeSet<String>,
}

/// A part of an app that needs rights of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A role that we make.
    Role,
    /// A REST API.
    Api,
    /// A resource policy of the REST API.
    ApiPolicy,
    /// A function in a network of the user's.
    Network,
    /// Concurrency that is reserved.
    Concurrency,
    /// Anything that AWS itself calls functions for.
    Caller,
    /// A schedule, or a pattern of events.
    Rule,
    /// A queue or a stream.
    Mapping,
    /// A websocket API or an HTTP API.
    V2Api,
    /// A domain.
    Domain,
    /// A log group with a retention.
    LogGroup,
    /// A layer that we make.
    ManagedLayer,
    /// A function's URL.
    Url,
}

impl Needs {
    /// The needs of an app, as it was read for each of its stages.
    pub fn of(app: &AppName, stages: &[App]) -> Self {
        let mut needs = Self {
            app: app.clone(),
            parts: BTreeSet::new(),
            function_roles: BTreeSet::new(),
            gateway_roles: BTreeSet::new(),
            layers: BTreeSet::new(),
            buckets: BTreeSet::new(),
            topics: BTreeSet::new(),
            repositories: BTreeSet::new(),
        };
        for stage in stages {
            needs.add(stage);
        }
        needs
    }

    /// Whether the app has a part on any stage.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    fn add_event(&mut self, source: &EventSource) {
        match source {
            EventSource::Schedule { .. } | EventSource::Pattern { .. } => {
                self.parts.extend([Part::Rule, Part::Caller]);
            }
            EventSource::Bucket { bucket, .. } => {
                self.parts.insert(Part::Caller);
                self.buckets.insert(bucket.clone());
            }
            EventSource::Topic { topic } => {
                self.parts.insert(Part::Caller);
                self.topics.insert(topic.clone());
            }
            EventSource::Queue { .. } | EventSource::Stream { .. } => {
                self.parts.insert(Part::Mapping);
            }
        }
    }

    fn add(&mut self, app: &App) {
        for function in &app.functions {
            match &function.role {
                FunctionRole::Managed(_) => {
                    self.parts.insert(Part::Role);
                }
                FunctionRole::Given(arn) => {
                    self.function_roles.insert(arn.clone());
                }
            }
            self.layers.extend(function.settings.layers.iter().cloned());
            self.parts.extend(function.settings.vpc.as_ref().map(|_| Part::Network));
            self.parts
                .extend(function.reserved_concurrency.map(|_| Part::Concurrency));
            self.parts.extend(function.log_retention_days.map(|_| Part::LogGroup));
            if function.url.is_some() {
                self.parts.extend([Part::Url, Part::Caller]);
            }
            if let Package::Image(uri) = &function.package {
                self.repositories.extend(repository(uri));
            }
        }
        self.parts.extend(app.layer.as_ref().map(|_| Part::ManagedLayer));
        for event in &app.events {
            self.add_event(&event.source);
        }
        let v2_apis = [
            app.websocket.as_ref().map(|api| &api.domain),
            app.http_api.as_ref().map(|api| &api.domain),
        ];
        for domain in v2_apis.into_iter().flatten() {
            self.parts.extend([Part::V2Api, Part::Caller]);
            self.parts.extend(domain.as_ref().map(|_| Part::Domain));
        }
        self.parts.extend((!app.roles.is_empty()).then_some(Part::Role));
        let Some(api) = &app.api else { return };
        self.parts.extend([Part::Api, Part::Caller]);
        self.parts.extend(api.domain.as_ref().map(|_| Part::Domain));
        let is_guarded = match api.endpoint {
            Endpoint::Private { .. } => true,
            Endpoint::Edge | Endpoint::Regional => api.policy.is_some(),
        };
        self.parts.extend(is_guarded.then_some(Part::ApiPolicy));
        for authorizer in &api.authorizers {
            match &authorizer.kind {
                AuthorizerKind::Custom { credentials, .. } | AuthorizerKind::Function { credentials, .. } => {
                    self.gateway_roles.extend(credentials.clone());
                }
                AuthorizerKind::Iam | AuthorizerKind::Cognito { .. } => {}
            }
        }
    }
}

/// The ARN of the repository of an image: `111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/worker:1.2`.
fn repository(uri: &str) -> Option<String> {
    let (registry, image) = uri.split_once('/')?;
    let name = image.split(['@', ':']).next()?;
    match registry.split('.').collect::<Vec<_>>().as_slice() {
        [account, "dkr", "ecr", region, suffix @ ..] => {
            let partition = match suffix.last() {
                Some(&"cn") => "aws-cn",
                Some(_) | None => "aws",
            };
            Some(format!("arn:{partition}:ecr:{region}:{account}:repository/{name}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::{Api, Function, Settings, Tracing, Vpc};

    fn settings() -> Settings {
        serde_json::from_value(json!({
            "runtime": "python3.13", "architecture": "x86_64", "handler": "app.app", "memory_mib": 128, "timeout_s": 30,
        }))
        .unwrap()
    }

    fn app(role: FunctionRole) -> App {
        let function = Function {
            name: "api".to_owned(),
            suffix: "api".to_owned(),
            package: crate::app::Package::Zip("code".to_owned()),
            role,
            settings: settings(),
            tags: std::collections::BTreeMap::new(),
            reserved_concurrency: None,
            log_retention_days: None,
            url: None,
        };
        App {
            functions: vec![function],
            ..App::new("shop".parse().unwrap())
        }
    }

    fn needs(stages: &[App]) -> Needs {
        Needs::of(&"shop".parse().unwrap(), stages)
    }

    #[test]
    fn a_function_with_a_given_role_needs_that_role_and_none_of_ours() {
        let needs = needs(&[app(FunctionRole::Given("arn:given".to_owned()))]);
        assert_eq!(needs.function_roles, BTreeSet::from(["arn:given".to_owned()]));
        assert_eq!(needs.parts, BTreeSet::new());
    }

    #[test]
    fn the_repository_of_an_image_is_known_by_its_uri() {
        let uri = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop/worker@sha256:12";
        let arn = "arn:aws:ecr:eu-west-1:111111111111:repository/shop/worker";
        assert_eq!(repository(uri).as_deref(), Some(arn));
        assert_eq!(repository("docker.io/library/nginx:1"), None);
    }

    #[test]
    fn what_calls_a_function_is_needed() {
        let mut rich = app(FunctionRole::Given("arn:given".to_owned()));
        let event = |source| crate::app::events::Event {
            name: "x".to_owned(),
            function: "api".to_owned(),
            source,
        };
        rich.events = vec![
            event(EventSource::Schedule {
                expression: "rate(1 hour)".to_owned(),
                description: None,
            }),
            event(EventSource::Topic {
                topic: "news".to_owned(),
            }),
        ];
        let needs = needs(&[rich]);
        assert_eq!(needs.parts, BTreeSet::from([Part::Caller, Part::Rule]));
        assert_eq!(needs.topics, BTreeSet::from(["news".to_owned()]));
    }

    #[test]
    fn what_any_stage_has_is_needed() {
        let plain = app(FunctionRole::Managed("default-role".to_owned()));
        let mut rich = plain.clone();
        let function = &mut rich.functions[0];
        function.reserved_concurrency = Some(0);
        function.settings.layers = vec!["arn:layer:1".to_owned()];
        function.settings.vpc = Some(Vpc {
            subnet_ids: vec!["subnet-1".to_owned()],
            security_group_ids: Vec::new(),
        });
        rich.api = Some(Api {
            title: "shop".to_owned(),
            stage_name: "api".to_owned(),
            endpoint: Endpoint::Private { vpc_endpoints: None },
            policy: None,
            minimum_compression_size: None,
            tracing: Tracing::PassThrough,
            binary_types: Vec::new(),
            routes: Vec::new(),
            authorizers: Vec::new(),
            domain: None,
        });
        let all = [
            Part::Role,
            Part::Api,
            Part::ApiPolicy,
            Part::Network,
            Part::Concurrency,
            Part::Caller,
        ];
        let needs = needs(&[plain, rich]);
        assert_eq!(needs.parts, BTreeSet::from(all));
        assert_eq!(needs.layers, BTreeSet::from(["arn:layer:1".to_owned()]));
    }
}
