//! What stands in AWS and bears a mark of ours, whether or not a state knows of it.

use std::collections::BTreeSet;

use super::{Outputs, Owner};
use crate::names::AppName;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The apps: all names of theirs in AWS begin with the app's own.
    pub apps: &'a BTreeSet<AppName>,
    /// The [`key`]s of what is known from states, whose marks need not be asked for.
    pub known: &'a BTreeSet<String>,
}

/// Something in AWS that bears a mark of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Whose it is, as its mark says.
    pub owner: Owner,
    /// Its name in AWS.
    pub name: String,
    /// What it is, with all that is needed to remove it.
    pub outputs: Outputs,
}

impl Search<'_> {
    /// Whether a role or function may be one of the apps', by its name alone.
    pub fn has(&self, name: &str) -> bool {
        let is_of = |app: &AppName| {
            let rest = name.strip_prefix(app.as_str());
            rest.is_some_and(|rest| rest.starts_with('-'))
        };
        self.apps.iter().any(is_of)
    }

    /// Whether a state has it already.
    pub fn knows(&self, outputs: &Outputs) -> bool {
        key(outputs).is_some_and(|key| self.known.contains(&key))
    }
}

impl Marked {
    /// What it is, for people: ``function `shop-pr-7` ``.
    pub fn what(&self) -> String {
        let kind = match self.outputs {
            Outputs::Role(_) => "role",
            Outputs::Function(_) => "function",
            Outputs::RestApi(_) => "REST API",
            Outputs::Permission(_) => "permission",
            Outputs::Deployment(_) => "deployment",
            Outputs::Rule(_) => "rule",
            Outputs::Notification(_) => "notification",
            Outputs::Subscription(_) => "subscription",
            Outputs::EventSourceMapping(_) => "event source mapping",
            Outputs::V2Api(_) => "API",
            Outputs::DomainName(_) => "domain",
            Outputs::Layer(_) => "layer",
            Outputs::LogGroup(_) => "log group",
            Outputs::FunctionUrl(_) => "function URL",
        };
        format!("{kind} `{}`", self.name)
    }
}

/// What tells a thing from others in the accounts of an app; `None` for what bears no mark and goes with something else.
pub fn key(outputs: &Outputs) -> Option<String> {
    match outputs {
        Outputs::Role(role) => Some(format!("role/{}", role.name)),
        Outputs::Function(function) => Some(function.arn.clone()),
        Outputs::RestApi(api) => Some(format!("restapi/{}", api.id)),
        Outputs::Rule(rule) => Some(format!("rule/{}", rule.name)),
        Outputs::V2Api(api) => Some(format!("v2api/{}", api.id)),
        Outputs::DomainName(domain) => Some(format!("domain/{}", domain.domain_name)),
        Outputs::Layer(layer) => Some(layer.arn.clone()),
        Outputs::LogGroup(group) => Some(format!("loggroup/{}", group.name)),
        Outputs::Permission(_)
        | Outputs::Deployment(_)
        | Outputs::Notification(_)
        | Outputs::Subscription(_)
        | Outputs::EventSourceMapping(_)
        | Outputs::FunctionUrl(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_an_app_only_up_to_a_hyphen() {
        let apps = BTreeSet::from(["shop".parse().unwrap()]);
        let known = BTreeSet::new();
        let search = Search {
            apps: &apps,
            known: &known,
        };
        assert!(search.has("shop-pr-7"));
        assert!(!search.has("shopping-pr-7"));
        assert!(!search.has("shop"));
    }
}
