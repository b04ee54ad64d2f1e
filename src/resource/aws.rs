//! The cloud that is AWS: hands each kind to its own calls.

use async_trait::async_trait;

use super::marked::{Marked, Search};
use super::{Change, Cloud, Context, Outputs, Place, Resource};
use super::{deployment, function, permission, rest_api, role};
use crate::aws::{Clients, fault};
use crate::fault::{Fault, FaultKind};

/// AWS, in one Region and with one set of credentials.
#[derive(Clone)]
pub struct Aws {
    clients: Clients,
}

impl Aws {
    /// Takes clients that are open.
    pub fn new(clients: Clients) -> Self {
        Self { clients }
    }
}

#[async_trait(?Send)]
impl Cloud for Aws {
    fn region(&self) -> Option<String> {
        self.clients.region.clone()
    }

    async fn place(&self) -> Result<Place, Fault> {
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
        })
    }

    async fn update(&self, change: Change<'_>, context: &Context) -> Result<Outputs, Fault> {
        let clients = &self.clients;
        Ok(match (change.to, change.outputs) {
            (Resource::Role(to), Outputs::Role(outputs)) => {
                let from = match change.from {
                    Some(Resource::Role(from)) => Some(from),
                    Some(_) | None => None,
                };
                Outputs::Role(role::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::Function(to), Outputs::Function(_)) => {
                let from = match change.from {
                    Some(Resource::Function(from)) => Some(from),
                    Some(_) | None => None,
                };
                Outputs::Function(function::aws::update(clients, (from, to), context).await?)
            }
            (Resource::RestApi(to), Outputs::RestApi(outputs)) => {
                let from = match change.from {
                    Some(Resource::RestApi(from)) => Some(from),
                    Some(_) | None => None,
                };
                Outputs::RestApi(rest_api::aws::update(clients, (from, to), outputs, context).await?)
            }
            (Resource::Permission(to), Outputs::Permission(_)) => {
                Outputs::Permission(permission::aws::put(clients, to, context).await?)
            }
            (Resource::Deployment(to), Outputs::Deployment(outputs)) => {
                Outputs::Deployment(deployment::aws::put(clients, to, Some(outputs), context).await?)
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
            Resource::Permission(permission) => permission::aws::look(clients, permission, context)
                .await?
                .map(Outputs::Permission),
            Resource::Deployment(deployment) => {
                let known = match known {
                    Some(Outputs::Deployment(known)) => Some(known),
                    Some(_) | None => None,
                };
                deployment::aws::look(clients, (deployment, known), context)
                    .await?
                    .map(Outputs::Deployment)
            }
        })
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
            (_, _) => Ok(Vec::new()),
        }
    }

    async fn marked(&self, search: &Search<'_>) -> Result<Vec<Marked>, Fault> {
        let clients = &self.clients;
        let mut found = rest_api::aws::marked(clients, search).await?;
        found.extend(function::aws::marked(clients, search).await?);
        found.extend(role::aws::marked(clients, search).await?);
        Ok(found)
    }
}

fn mixed_up(resource: &Resource) -> Fault {
    let message = format!("the state records another kind of resource at this address than {resource:?}");
    Fault::refused("state:Read", "the stage's state", FaultKind::Invalid, message)
}
