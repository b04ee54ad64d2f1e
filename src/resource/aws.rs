//! The cloud that is AWS: hands each kind to its own calls.

use std::rc::Rc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::function::invocation::{Answer, Invocation};
use super::function::log::{Page, Query};
use super::marked::{Marked, Search};
use super::{Change, Cloud, Context, Outputs, Place, Resource};
use super::{deployment, domain_name, event_source_mapping, function, function_url, layer, log_group, notification};
use super::{permission, rest_api, role, rule, subscription, v2_api};
use crate::aws::pace::Pacer;
use crate::aws::{Clients, fault};
use crate::fault::{Fault, FaultKind};

/// What is of one kind among what could be of any.
macro_rules! of_kind {
    ($value:expr, $kind:path) => {
        match $value {
            Some($kind(found)) => Some(found),
            Some(_) | None => None,
        }
    };
}

/// AWS, in one Region and with one set of credentials.
#[derive(Clone)]
pub struct Aws {
    clients: Clients,
    /// Where we are, once AWS has said so.
    place: Rc<OnceCell<Place>>,
}

impl Aws {
    /// Takes clients that are open.
    pub fn new(clients: Clients) -> Self {
        Self {
            clients,
            place: Rc::default(),
        }
    }

    async fn ask_place(&self) -> Result<Place, Fault> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let refuse = |kind, message: &str| Fault::refused(OPERATION, "the credentials", kind, message.to_owned());
        let Some(region) = self.clients.region.clone() else {
            return Err(refuse(FaultKind::Region, "no Region is configured"));
        };
        let identity = self.clients.sts.get_caller_identity().send().await;
        let identity = identity.map_err(|error| fault::of(OPERATION, "the credentials", &error))?;
        let partition = identity
            .arn()
            .and_then(|arn| arn.split(':').nth(1))
            .unwrap_or("aws")
            .to_owned();
        match identity.account {
            Some(account) => Ok(Place {
                account,
                region,
                partition,
            }),
            None => Err(refuse(FaultKind::Other, "the answer names no account")),
        }
    }
}

#[async_trait(?Send)]
impl Cloud for Aws {
    fn region(&self) -> Option<String> {
        self.clients.region.clone()
    }

    fn pacer(&self) -> Option<Pacer> {
        Some(self.clients.pacer.clone())
    }

    async fn place(&self) -> Result<Place, Fault> {
        self.place.get_or_try_init(|| self.ask_place()).await.cloned()
    }

    async fn look_ahead(&self, changes: &[Change<'_>]) {
        let mut functions = Vec::new();
        for change in changes {
            if let Resource::Function(to) = change.to {
                functions.push((of_kind!(change.from, Resource::Function), to));
            }
        }
        function::aws::look_ahead(&self.clients, &functions).await;
    }

    async fn create(&self, resource: &Resource, context: &Context) -> Result<Outputs, Fault> {
        let clients = &self.clients;
        Ok(match resource {
            Resource::Role(role) => Outputs::Role(role::aws::create(clients, role, context).await?),
            Resource::Function(function) => Outputs::Function(function::aws::create(clients, function, context).await?),
            Resource::RestApi(api) => Outputs::RestApi(rest_api::aws::create(clients, api, context).await?),
            Resource::Permission(permission) => {
                Outputs::Permission(permission::aws::put(clients, permission, context).await?)
            }
            Resource::Deployment(deployment) => {
                Outputs::Deployment(deployment::aws::put(clients, deployment, None, context).await?)
            }
            Resource::Rule(wanted) => Outputs::Rule(rule::aws::create(clients, wanted, context).await?),
            Resource::Notification(wanted) => {
                Outputs::Notification(notification::aws::create(clients, wanted, context).await?)
            }
            Resource::Subscription(wanted) => {
                Outputs::Subscription(subscription::aws::create(clients, wanted, context).await?)
            }
            Resource::EventSourceMapping(wanted) => {
                Outputs::EventSourceMapping(event_source_mapping::aws::create(clients, wanted, context).await?)
            }
            Resource::V2Api(wanted) => Outputs::V2Api(v2_api::aws::create(clients, wanted, context).await?),
            Resource::DomainName(wanted) => {
                Outputs::DomainName(domain_name::aws::create(clients, wanted, context).await?)
            }
            Resource::Layer(wanted) => Outputs::Layer(layer::aws::create(clients, wanted, context).await?),
            Resource::LogGroup(wanted) => Outputs::LogGroup(log_group::aws::create(clients, wanted, context).await?),
            Resource::FunctionUrl(wanted) => {
                Outputs::FunctionUrl(function_url::aws::create(clients, wanted, context).await?)
            }
        })
    }

    async fn update(&self, change: Change<'_>, context: &Context) -> Result<Outputs, Fault> {
        let clients = &self.clients;
        Ok(match (change.to, change.outputs) {
            (Resource::Role(to), Outputs::Role(outputs)) => {
                let from = of_kind!(change.from, Resource::Role);
                Outputs::Role(role::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::Function(to), Outputs::Function(_)) => {
                let from = of_kind!(change.from, Resource::Function);
                Outputs::Function(function::aws::update(clients, (from, to), context).await?)
            }
            (Resource::RestApi(to), Outputs::RestApi(outputs)) => {
                let from = of_kind!(change.from, Resource::RestApi);
                Outputs::RestApi(rest_api::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::Permission(to), Outputs::Permission(outputs)) => {
                Outputs::Permission(permission::aws::update(clients, to, outputs, context).await?)
            }
            (Resource::Deployment(to), Outputs::Deployment(outputs)) => {
                Outputs::Deployment(deployment::aws::put(clients, to, Some(outputs), context).await?)
            }
            (Resource::Rule(to), Outputs::Rule(outputs)) => {
                let from = of_kind!(change.from, Resource::Rule);
                Outputs::Rule(rule::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::Notification(to), Outputs::Notification(outputs)) => {
                let from = of_kind!(change.from, Resource::Notification);
                Outputs::Notification(notification::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::Subscription(to), Outputs::Subscription(outputs)) => {
                let from = of_kind!(change.from, Resource::Subscription);
                Outputs::Subscription(subscription::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::EventSourceMapping(to), Outputs::EventSourceMapping(outputs)) => {
                let from = of_kind!(change.from, Resource::EventSourceMapping);
                Outputs::EventSourceMapping(
                    event_source_mapping::aws::update(clients, (from, to), outputs, context).await?,
                )
            }
            (Resource::V2Api(to), Outputs::V2Api(outputs)) => {
                let from = of_kind!(change.from, Resource::V2Api);
                Outputs::V2Api(v2_api::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::DomainName(to), Outputs::DomainName(outputs)) => {
                let from = of_kind!(change.from, Resource::DomainName);
                Outputs::DomainName(domain_name::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::Layer(to), Outputs::Layer(outputs)) => {
                let from = of_kind!(change.from, Resource::Layer);
                Outputs::Layer(layer::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::LogGroup(to), Outputs::LogGroup(outputs)) => {
                let from = of_kind!(change.from, Resource::LogGroup);
                Outputs::LogGroup(log_group::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::FunctionUrl(to), Outputs::FunctionUrl(outputs)) => {
                let from = of_kind!(change.from, Resource::FunctionUrl);
                Outputs::FunctionUrl(function_url::aws::update(clients, (from, to), outputs, context).await?)
            }
            (to, _) => return Err(mixed_up(to)),
        })
    }

    async fn delete(&self, resource: Option<&Resource>, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
        let clients = &self.clients;
        match (outputs, resource) {
            (Outputs::Role(role), _) => role::aws::delete(clients, role, context).await,
            (Outputs::Function(function), _) => function::aws::delete(clients, function, context).await,
            (Outputs::RestApi(api), _) => rest_api::aws::delete(clients, api, context).await,
            (Outputs::Permission(outputs), _) => permission::aws::delete(clients, outputs, context).await,
            (Outputs::Deployment(outputs), _) => deployment::aws::delete(clients, outputs, context).await,
            (Outputs::Rule(outputs), _) => rule::aws::delete(clients, outputs, context).await,
            (Outputs::Notification(outputs), resource) => {
                let resource = of_kind!(resource, Resource::Notification);
                notification::aws::delete(clients, (resource, outputs), context).await
            }
            (Outputs::Subscription(outputs), _) => subscription::aws::delete(clients, outputs, context).await,
            (Outputs::EventSourceMapping(outputs), _) => {
                event_source_mapping::aws::delete(clients, outputs, context).await
            }
            (Outputs::V2Api(outputs), _) => v2_api::aws::delete(clients, outputs, context).await,
            (Outputs::DomainName(outputs), resource) => {
                let was = of_kind!(resource, Resource::DomainName);
                domain_name::aws::delete(clients, (was, outputs), context).await
            }
            (Outputs::Layer(outputs), _) => layer::aws::delete(clients, outputs, context).await,
            (Outputs::LogGroup(outputs), _) => log_group::aws::delete(clients, outputs, context).await,
            (Outputs::FunctionUrl(outputs), _) => function_url::aws::delete(clients, outputs, context).await,
        }
    }

    async fn look(
        &self,
        resource: &Resource,
        known: Option<&Outputs>,
        context: &Context,
    ) -> Result<Option<Outputs>, Fault> {
        let clients = &self.clients;
        Ok(match resource {
            Resource::Role(role) => role::aws::look(clients, role).await?.map(Outputs::Role),
            Resource::Function(function) => function::aws::look(clients, function).await?.map(Outputs::Function),
            Resource::RestApi(api) => match known {
                Some(Outputs::RestApi(known)) => rest_api::aws::find(clients, known).await?,
                Some(_) | None => rest_api::aws::look(clients, api).await?,
            }
            .map(Outputs::RestApi),
            Resource::Permission(wanted) => {
                let known = of_kind!(known, Outputs::Permission);
                let found = permission::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::Permission)
            }
            Resource::Deployment(deployment) => {
                let known = of_kind!(known, Outputs::Deployment);
                let found = deployment::aws::look(clients, (deployment, known), context).await?;
                found.map(Outputs::Deployment)
            }
            Resource::Rule(wanted) => {
                let known = of_kind!(known, Outputs::Rule);
                let found = rule::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::Rule)
            }
            Resource::Notification(wanted) => {
                let known = of_kind!(known, Outputs::Notification);
                let found = notification::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::Notification)
            }
            Resource::Subscription(wanted) => {
                let known = of_kind!(known, Outputs::Subscription);
                let found = subscription::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::Subscription)
            }
            Resource::EventSourceMapping(wanted) => {
                let known = of_kind!(known, Outputs::EventSourceMapping);
                let found = event_source_mapping::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::EventSourceMapping)
            }
            Resource::V2Api(wanted) => {
                let known = of_kind!(known, Outputs::V2Api);
                let found = v2_api::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::V2Api)
            }
            Resource::DomainName(wanted) => {
                let known = of_kind!(known, Outputs::DomainName);
                let found = domain_name::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::DomainName)
            }
            Resource::Layer(wanted) => {
                let known = of_kind!(known, Outputs::Layer);
                let found = layer::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::Layer)
            }
            Resource::LogGroup(wanted) => {
                let known = of_kind!(known, Outputs::LogGroup);
                let found = log_group::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::LogGroup)
            }
            Resource::FunctionUrl(wanted) => {
                let known = of_kind!(known, Outputs::FunctionUrl);
                let found = function_url::aws::look(clients, (wanted, known), context).await?;
                found.map(Outputs::FunctionUrl)
            }
        })
    }

    async fn stands_as(&self, wanted: &Resource, outputs: &Outputs, context: &Context) -> Result<bool, Fault> {
        let clients = &self.clients;
        match (wanted, outputs) {
            (Resource::Role(wanted), Outputs::Role(outputs)) => {
                role::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::Function(wanted), Outputs::Function(outputs)) => {
                function::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::RestApi(wanted), Outputs::RestApi(outputs)) => {
                rest_api::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::Permission(wanted), Outputs::Permission(outputs)) => {
                permission::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::Deployment(wanted), Outputs::Deployment(outputs)) => {
                deployment::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::Rule(wanted), Outputs::Rule(outputs)) => {
                rule::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::Notification(wanted), Outputs::Notification(outputs)) => {
                notification::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::Subscription(wanted), Outputs::Subscription(outputs)) => {
                subscription::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::EventSourceMapping(wanted), Outputs::EventSourceMapping(outputs)) => {
                event_source_mapping::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::V2Api(wanted), Outputs::V2Api(outputs)) => {
                v2_api::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::DomainName(wanted), Outputs::DomainName(outputs)) => {
                domain_name::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::Layer(wanted), Outputs::Layer(outputs)) => {
                layer::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::LogGroup(wanted), Outputs::LogGroup(outputs)) => {
                log_group::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (Resource::FunctionUrl(wanted), Outputs::FunctionUrl(outputs)) => {
                function_url::aws::stands_as(clients, (wanted, outputs), context).await
            }
            (_, _) => Ok(false),
        }
    }

    async fn twins(&self, resource: &Resource, stands: &Outputs, context: &Context) -> Result<Vec<Outputs>, Fault> {
        let clients = &self.clients;
        match (resource, stands) {
            (Resource::RestApi(api), Outputs::RestApi(stands)) => {
                let twins = rest_api::aws::twins(clients, api, stands).await?;
                Ok(twins.into_iter().map(Outputs::RestApi).collect())
            }
            (Resource::Deployment(deployment), Outputs::Deployment(stands)) => {
                let twins = deployment::aws::twins(clients, (deployment, stands), context).await?;
                Ok(twins.into_iter().map(Outputs::Deployment).collect())
            }
            (Resource::V2Api(wanted), Outputs::V2Api(stands)) => {
                let twins = v2_api::aws::twins(clients, (wanted, stands), context).await?;
                Ok(twins.into_iter().map(Outputs::V2Api).collect())
            }
            (Resource::Layer(wanted), Outputs::Layer(stands)) => {
                let twins = layer::aws::twins(clients, wanted, stands).await?;
                Ok(twins.into_iter().map(Outputs::Layer).collect())
            }
            (_, _) => Ok(Vec::new()),
        }
    }

    async fn marked(&self, search: &Search<'_>) -> Result<Vec<Marked>, Fault> {
        let clients = &self.clients;
        let mut found = rest_api::aws::marked(clients, search).await?;
        found.extend(v2_api::aws::marked(clients, search).await?);
        found.extend(rule::aws::marked(clients, search).await?);
        found.extend(function::aws::marked(clients, search).await?);
        found.extend(role::aws::marked(clients, search).await?);
        Ok(found)
    }

    async fn invoke(&self, invocation: &Invocation<'_>) -> Result<Answer, Fault> {
        function::aws::invoke::invoke(&self.clients, invocation).await
    }

    async fn log_events(&self, query: &Query<'_>) -> Result<Option<Page>, Fault> {
        function::aws::logs::events(&self.clients, query).await
    }
}

fn mixed_up(resource: &Resource) -> Fault {
    let message = format!("the state records another kind of resource at this address than {resource:?}");
    Fault::refused("state:Read", "the stage's state", FaultKind::Invalid, message)
}
