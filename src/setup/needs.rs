//! What an app needs of AWS, as far as the rights of whoever deploys it depend on it.

use std::collections::BTreeSet;

use crate::app::{App, AuthorizerKind, Endpoint, FunctionRole};
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
        }
        self.parts.extend((!app.roles.is_empty()).then_some(Part::Role));
        let Some(api) = &app.api else { return };
        self.parts.insert(Part::Api);
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
