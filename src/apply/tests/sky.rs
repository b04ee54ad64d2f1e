//! A cloud in memory, whose mutating calls fail on purpose.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::fault::{Certainty, Fault, FaultKind};
use crate::resource::function::invocation::{Answer, Invocation};
use crate::resource::function::log::{Page, Query};
use crate::resource::marked::{Marked, Search};
use crate::resource::{
    Change, Cloud, Context, Outputs, Place, Resource, deployment, domain_name, event_source_mapping, function,
    function_url, layer, log_group, notification, permission, rest_api, role, rule, subscription, v2_api,
};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Strike {
    /// It is refused: certainly without effect.
    Refused,
    /// Nothing comes back, and it had no effect.
    LostRequest,
    /// Nothing comes back, and it had its effect.
    LostAnswer,
    /// The program is killed.
    Killed(Landing),
}

/// What becomes of a call whose program was killed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Landing {
    /// It never reaches the cloud.
    Never,
    /// It had its effect before.
    Before,
    /// It has its effect some time later.
    Late,
}

/// What a call does in the cloud.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Create(Resource),
    Put(Resource, Outputs),
    Delete(Outputs),
}

/// A cloud in memory, whose mutating calls fail on purpose.
#[derive(Default)]
pub(super) struct Sky {
    /// What stands, by its name in AWS; a REST API by its id.
    pub(super) standing: RefCell<BTreeMap<String, Resource>>,
    pub(super) made_apis: Cell<u32>,
    pub(super) calls: Cell<usize>,
    pub(super) strikes: RefCell<BTreeMap<usize, Strike>>,
    pub(super) killed: tokio::sync::Notify,
    pub(super) late: RefCell<Vec<Effect>>,
}

impl Sky {
    pub(super) fn strike(&self) -> Option<Strike> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        self.strikes.borrow_mut().remove(&call)
    }

    /// Makes the effect, or not, and says what the caller is told.
    pub(super) async fn mutate(&self, context: &Context, effect: Effect) -> Result<Outputs, Fault> {
        context.hold.cover("sky:Change", "it")?;
        let fault = |certainty| Fault {
            certainty,
            ..Fault::refused("lambda:CreateFunction", "it", FaultKind::Other, "struck".to_owned())
        };
        match self.strike() {
            None => Ok(self.perform(effect)),
            Some(Strike::Refused) => Err(fault(Certainty::DidNotHappen)),
            Some(Strike::LostRequest) => Err(fault(Certainty::MayHaveHappened)),
            Some(Strike::LostAnswer) => {
                self.perform(effect);
                Err(fault(Certainty::MayHaveHappened))
            }
            Some(Strike::Killed(landing)) => {
                match landing {
                    Landing::Never => {}
                    Landing::Before => drop(self.perform(effect)),
                    Landing::Late => self.late.borrow_mut().push(effect),
                }
                self.killed.notify_one();
                std::future::pending().await
            }
        }
    }

    pub(super) fn perform(&self, effect: Effect) -> Outputs {
        match effect {
            Effect::Create(resource) => {
                let outputs = self.outputs(&resource);
                self.put(&resource, outputs)
            }
            Effect::Put(resource, outputs) => self.put(&resource, outputs),
            Effect::Delete(outputs) => {
                self.remove(&outputs);
                outputs
            }
        }
    }

    pub(super) fn remove(&self, outputs: &Outputs) {
        let mut standing = self.standing.borrow_mut();
        standing.remove(&Self::key(outputs));
        match outputs {
            Outputs::Function(function) => {
                standing.retain(|key, _| *key != format!("permission {}", function.arn.trim_start_matches("arn:")));
            }
            Outputs::RestApi(_) => standing.retain(|key, _| !key.starts_with("deployment")),
            Outputs::Role(_)
            | Outputs::Permission(_)
            | Outputs::Deployment(_)
            | Outputs::Rule(_)
            | Outputs::Notification(_)
            | Outputs::Subscription(_)
            | Outputs::EventSourceMapping(_)
            | Outputs::V2Api(_)
            | Outputs::DomainName(_)
            | Outputs::Layer(_)
            | Outputs::LogGroup(_)
            | Outputs::FunctionUrl(_) => {}
        }
    }

    /// What was on its way when its program was killed has its effect now. An import makes another API.
    pub(super) fn land(&self) {
        for effect in self.late.take() {
            if let Effect::Create(api @ Resource::RestApi(_)) = effect {
                self.made_apis.set(self.made_apis.get() + 1);
                let id = format!("api{}", self.made_apis.get());
                self.put(&api, Outputs::RestApi(rest_api::Outputs { id }));
            } else {
                self.perform(effect);
            }
        }
    }

    pub(super) fn key(outputs: &Outputs) -> String {
        match outputs {
            Outputs::Role(role) => format!("role {}", role.name),
            Outputs::Function(function) => format!("function {}", function.arn),
            Outputs::RestApi(api) => format!("api {}", api.id),
            Outputs::Permission(permission) => format!("permission {}", permission.function_name),
            Outputs::Deployment(deployment) => format!("deployment {}", deployment.stage_name),
            Outputs::Rule(rule) => format!("rule {}", rule.name),
            Outputs::Notification(entry) => format!("notification {}", entry.bucket),
            Outputs::Subscription(subscription) => format!("subscription {}", subscription.topic_arn),
            Outputs::EventSourceMapping(mapping) => format!("mapping {}", mapping.source_arn),
            Outputs::V2Api(api) => format!("v2_api {}", api.id),
            Outputs::DomainName(domain) => format!("domain {}", domain.domain_name),
            Outputs::Layer(layer) => format!("layer {}", layer.arn),
            Outputs::LogGroup(group) => format!("log group {}", group.name),
            Outputs::FunctionUrl(url) => format!("url {}", url.function_name),
        }
    }

    /// The id of the one REST API that bears our mark.
    pub(super) fn api(&self) -> Option<String> {
        self.standing
            .borrow()
            .keys()
            .find_map(|key| key.strip_prefix("api ").map(str::to_owned))
    }

    pub(super) fn put(&self, resource: &Resource, outputs: Outputs) -> Outputs {
        self.standing.borrow_mut().insert(Self::key(&outputs), resource.clone());
        outputs
    }

    pub(super) fn outputs(&self, resource: &Resource) -> Outputs {
        match resource {
            Resource::Role(role) => Outputs::Role(role::Outputs {
                arn: "arn".to_owned(),
                name: role.name.clone(),
                sharing: role.sharing,
            }),
            Resource::Function(function) => Outputs::Function(function::Outputs {
                arn: format!("arn:{}", function.name),
            }),
            Resource::RestApi(_) => {
                let id = self.api().unwrap_or_else(|| {
                    self.made_apis.set(self.made_apis.get() + 1);
                    format!("api{}", self.made_apis.get())
                });
                Outputs::RestApi(rest_api::Outputs { id })
            }
            Resource::Permission(permission) => Outputs::Permission(permission::Outputs {
                function_name: permission.function_name.clone(),
                statement_id: permission::STATEMENT_ID.to_owned(),
            }),
            Resource::Deployment(deployment) => Outputs::Deployment(deployment::Outputs {
                rest_api_id: "api1".to_owned(),
                stage_name: deployment.stage_name.clone(),
                url: "https://api1/api/".to_owned(),
            }),
            Resource::Rule(rule) => Outputs::Rule(rule::Outputs {
                name: rule.name.clone(),
            }),
            Resource::Notification(entry) => Outputs::Notification(notification::Outputs {
                bucket: entry.bucket.clone(),
                function_arn: format!("arn:{}", entry.function_name),
                id: None,
            }),
            Resource::Subscription(subscription) => Outputs::Subscription(subscription::Outputs {
                arn: format!("{}:1", subscription.topic_arn),
                topic: subscription.topic.clone(),
                topic_arn: subscription.topic_arn.clone(),
                function_arn: format!("arn:{}", subscription.function_name),
            }),
            Resource::EventSourceMapping(mapping) => Outputs::EventSourceMapping(event_source_mapping::Outputs {
                uuid: "uuid".to_owned(),
                source_arn: mapping.source_arn.clone(),
                function_arn: format!("arn:{}", mapping.function_name),
            }),
            Resource::V2Api(api) => Outputs::V2Api(v2_api::Outputs {
                id: format!("id of {}", api.name),
                url: "wss://api1/api/".to_owned(),
            }),
            Resource::DomainName(domain) => Outputs::DomainName(domain_name::Outputs {
                domain_name: domain.domain_name.clone(),
                hosted_zone_id: "zone".to_owned(),
                alias_domain_name: "alias".to_owned(),
                certificate_arn: domain.certificate_arn.clone(),
                security_policy: domain.security_policy.clone(),
                path: domain.path.clone(),
                api: Some(domain.api.clone()),
                mark: None,
            }),
            Resource::Layer(layer) => Outputs::Layer(layer::Outputs {
                arn: format!("arn:{}:1", layer.name),
            }),
            Resource::LogGroup(group) => Outputs::LogGroup(log_group::Outputs {
                name: group.name.clone(),
            }),
            Resource::FunctionUrl(url) => Outputs::FunctionUrl(function_url::Outputs {
                function_name: url.function_name.clone(),
                url: "https://url/".to_owned(),
            }),
        }
    }
}

#[async_trait(?Send)]
impl Cloud for Sky {
    fn region(&self) -> Option<String> {
        None
    }

    async fn place(&self) -> Result<Place, Fault> {
        Ok(place())
    }

    async fn create(&self, resource: &Resource, context: &Context) -> Result<Outputs, Fault> {
        let made = self.mutate(context, Effect::Create(resource.clone())).await?;
        if matches!(resource, Resource::Function(_)) {
            context.standing.tell();
            tokio::task::yield_now().await;
        }
        Ok(made)
    }

    async fn update(&self, change: Change<'_>, context: &Context) -> Result<Outputs, Fault> {
        let effect = Effect::Put(change.to.clone(), change.outputs.clone());
        self.mutate(context, effect).await
    }

    async fn delete(&self, _: Option<&Resource>, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
        let deleted = self.mutate(context, Effect::Delete(outputs.clone())).await;
        deleted.map(drop)
    }

    async fn look(&self, resource: &Resource, known: Option<&Outputs>, _: &Context) -> Result<Option<Outputs>, Fault> {
        let stands = |outputs: &Outputs| self.standing.borrow().contains_key(&Self::key(outputs));
        match (resource, known) {
            (Resource::RestApi(_), Some(known)) => return Ok(stands(known).then(|| known.clone())),
            (Resource::RestApi(_), None) if self.api().is_none() => return Ok(None),
            (_, _) => {}
        }
        let outputs = self.outputs(resource);
        Ok(stands(&outputs).then_some(outputs))
    }

    async fn stands_as(&self, wanted: &Resource, outputs: &Outputs, _: &Context) -> Result<bool, Fault> {
        Ok(self.standing.borrow().get(&Self::key(outputs)) == Some(wanted))
    }

    async fn twins(&self, _: &Resource, stands: &Outputs, _: &Context) -> Result<Vec<Outputs>, Fault> {
        let Outputs::RestApi(api) = stands else {
            return Ok(Vec::new());
        };
        let standing = self.standing.borrow();
        let ids = standing.keys().filter_map(|key| key.strip_prefix("api "));
        let others = ids.filter(|id| *id != api.id).map(str::to_owned);
        Ok(others.map(|id| Outputs::RestApi(rest_api::Outputs { id })).collect())
    }

    async fn marked(&self, _: &Search<'_>) -> Result<Vec<Marked>, Fault> {
        Ok(Vec::new())
    }

    async fn invoke(&self, invocation: &Invocation<'_>) -> Result<Answer, Fault> {
        panic!("nothing invokes `{}` here", invocation.arn)
    }

    async fn log_events(&self, _: &Query<'_>) -> Result<Option<Page>, Fault> {
        Ok(None)
    }
}

pub(super) fn place() -> Place {
    Place {
        account: "1".to_owned(),
        region: "eu-west-1".to_owned(),
        partition: "aws".to_owned(),
    }
}
