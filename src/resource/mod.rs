//! What a stage is made of in AWS: each kind of resource, what AWS told us about it, and the door to change it.
//!
//! One folder a kind: `mod.rs` says what we want and its limits, `aws.rs` makes the calls. A new kind is a folder and an
//! arm in each of the enums here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::aws::pace::Pacer;
use crate::fault::Fault;
use crate::hold::Hold;
use crate::names::{Address, AppName, StageName};

pub mod aws;
pub mod deployment;
pub mod domain_name;
pub mod event_source_mapping;
pub mod function;
pub mod function_url;
pub mod layer;
pub mod log_group;
pub mod marked;
pub mod notification;
pub mod permission;
pub mod rest_api;
pub mod role;
pub mod rule;
pub mod subscription;
pub mod v2_api;

use deployment::Deployment;
use domain_name::DomainName;
use event_source_mapping::EventSourceMapping;
use function::Function;
use function::invocation::{Answer, Invocation};
use function::log::{Page, Query};
use function_url::FunctionUrl;
use layer::Layer;
use log_group::LogGroup;
use marked::{Marked, Search};
use notification::Notification;
use permission::Permission;
use rest_api::RestApi;
use role::Role;
use rule::Rule;
use subscription::Subscription;
use v2_api::V2Api;

/// One thing in AWS that we own, as we want it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resource {
    /// An IAM role with its policy.
    Role(Role),
    /// A Lambda function.
    Function(Function),
    /// An API Gateway REST API and its document.
    RestApi(RestApi),
    /// A statement in a function's policy that lets somebody call it.
    Permission(Permission),
    /// An API Gateway stage and the deployment that it serves.
    Deployment(Deployment),
    /// An EventBridge rule and its target.
    Rule(Rule),
    /// An entry in a bucket's list of notifications.
    Notification(Notification),
    /// A function's subscription to an SNS topic.
    Subscription(Subscription),
    /// What Lambda hands from a queue or stream to a function.
    EventSourceMapping(EventSourceMapping),
    /// A websocket API or an HTTP API, with all that belongs to it.
    V2Api(V2Api),
    /// A domain of the user's own, and the API that it leads to.
    DomainName(DomainName),
    /// A version of a layer.
    Layer(Layer),
    /// A function's log group.
    LogGroup(LogGroup),
    /// A function's URL.
    FunctionUrl(FunctionUrl),
}

/// What AWS told us about a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outputs {
    /// Of a role.
    Role(role::Outputs),
    /// Of a function.
    Function(function::Outputs),
    /// Of a REST API.
    RestApi(rest_api::Outputs),
    /// Of a permission.
    Permission(permission::Outputs),
    /// Of a deployment.
    Deployment(deployment::Outputs),
    /// Of a rule.
    Rule(rule::Outputs),
    /// Of a notification.
    Notification(notification::Outputs),
    /// Of a subscription.
    Subscription(subscription::Outputs),
    /// Of a event source mapping.
    EventSourceMapping(event_source_mapping::Outputs),
    /// Of a v2 api.
    V2Api(v2_api::Outputs),
    /// Of a domain name.
    DomainName(domain_name::Outputs),
    /// Of a layer.
    Layer(layer::Outputs),
    /// Of a log group.
    LogGroup(log_group::Outputs),
    /// Of a function url.
    FunctionUrl(function_url::Outputs),
}

impl Resource {
    /// As [`Outputs::shared`].
    pub fn shared(&self) -> Option<String> {
        match self {
            Self::Notification(entry) => Some(notification::shared(&entry.bucket)),
            Self::Role(_)
            | Self::Function(_)
            | Self::RestApi(_)
            | Self::Permission(_)
            | Self::Deployment(_)
            | Self::Rule(_)
            | Self::Subscription(_)
            | Self::EventSourceMapping(_)
            | Self::V2Api(_)
            | Self::DomainName(_)
            | Self::Layer(_)
            | Self::LogGroup(_)
            | Self::FunctionUrl(_) => None,
        }
    }

    /// The role that previews share, if it is one.
    pub fn shared_role(&self) -> Option<&Role> {
        match self {
            Self::Role(role) if !role.sharing.is_own() => Some(role),
            Self::Role(_)
            | Self::Function(_)
            | Self::RestApi(_)
            | Self::Permission(_)
            | Self::Deployment(_)
            | Self::Rule(_)
            | Self::Notification(_)
            | Self::Subscription(_)
            | Self::EventSourceMapping(_)
            | Self::V2Api(_)
            | Self::DomainName(_)
            | Self::Layer(_)
            | Self::LogGroup(_)
            | Self::FunctionUrl(_) => None,
        }
    }

    /// SHA-256 of the zip that it is made from, if it is made from one.
    pub fn code(&self) -> Option<&str> {
        let code = match self {
            Self::Function(function) => &function.code,
            Self::Layer(layer) => &layer.code,
            Self::Role(_)
            | Self::RestApi(_)
            | Self::Permission(_)
            | Self::Deployment(_)
            | Self::Rule(_)
            | Self::Notification(_)
            | Self::Subscription(_)
            | Self::EventSourceMapping(_)
            | Self::V2Api(_)
            | Self::DomainName(_)
            | Self::LogGroup(_)
            | Self::FunctionUrl(_) => return None,
        };
        Some(code).filter(|code| !code.is_empty()).map(String::as_str)
    }

    /// SHA-256 of the zip that is sent when it is made of what stood before, if any is: a function whose code stays as it was
    /// gets none.
    pub fn code_sent(&self, from: Option<&Self>) -> Option<&str> {
        let is_kept = match (self, from) {
            (Self::Function(to), Some(Self::Function(from))) => {
                to.code == from.code && to.settings.architecture == from.settings.architecture
            }
            (_, _) => false,
        };
        self.code().filter(|_| !is_kept)
    }

    /// The resources that this one names: where one of them is made anew, this one is applied again.
    pub fn references(&self) -> Vec<Address> {
        match self {
            Self::Role(_) | Self::RestApi(_) | Self::Layer(_) | Self::LogGroup(_) => Vec::new(),
            Self::Function(function) => {
                let role = function.role.address().into_iter();
                role.chain(function.managed_layer.clone()).collect()
            }
            Self::Permission(permission) => {
                let function = std::iter::once(permission.function.clone());
                function.chain(permission.caller.address().cloned()).collect()
            }
            Self::Deployment(deployment) => vec![deployment.rest_api.clone()],
            Self::Rule(rule) => vec![rule.function.clone()],
            Self::Notification(notification) => vec![notification.function.clone(), notification.permission.clone()],
            Self::Subscription(subscription) => vec![subscription.function.clone()],
            Self::EventSourceMapping(mapping) => vec![mapping.function.clone()],
            Self::V2Api(api) => api.routes.iter().map(|route| route.function.clone()).collect(),
            Self::DomainName(domain) => vec![domain.api.clone()],
            Self::FunctionUrl(url) => vec![url.function.clone()],
        }
    }
}

impl Resource {
    /// The same resource without what only says whose it is: so it may stand where somebody else made it.
    #[must_use]
    pub fn unmarked(&self) -> Self {
        let mut bare = self.clone();
        let tags = match &mut bare {
            Self::RestApi(api) => {
                api.document["info"]["description"] = "".into();
                return bare;
            }
            Self::Role(role) => &mut role.tags,
            Self::Function(function) => &mut function.tags,
            Self::Rule(rule) => &mut rule.tags,
            Self::V2Api(api) => &mut api.tags,
            Self::DomainName(domain) => &mut domain.tags,
            Self::LogGroup(group) => &mut group.tags,
            Self::Permission(_)
            | Self::Deployment(_)
            | Self::Notification(_)
            | Self::Subscription(_)
            | Self::EventSourceMapping(_)
            | Self::Layer(_)
            | Self::FunctionUrl(_) => return bare,
        };
        tags.retain(|key, _| !key.starts_with(TAG));
        bare
    }
}

impl Outputs {
    /// What other stages change, too, if this is part of such a thing: `bucket-photos`.
    pub fn shared(&self) -> Option<String> {
        match self {
            Self::Notification(entry) => Some(notification::shared(&entry.bucket)),
            Self::Role(_)
            | Self::Function(_)
            | Self::RestApi(_)
            | Self::Permission(_)
            | Self::Deployment(_)
            | Self::Rule(_)
            | Self::Subscription(_)
            | Self::EventSourceMapping(_)
            | Self::V2Api(_)
            | Self::DomainName(_)
            | Self::Layer(_)
            | Self::LogGroup(_)
            | Self::FunctionUrl(_) => None,
        }
    }

    /// The role that previews share, if it is one.
    pub fn shared_role(&self) -> Option<&role::Outputs> {
        match self {
            Self::Role(role) if !role.sharing.is_own() => Some(role),
            Self::Role(_)
            | Self::Function(_)
            | Self::RestApi(_)
            | Self::Permission(_)
            | Self::Deployment(_)
            | Self::Rule(_)
            | Self::Notification(_)
            | Self::Subscription(_)
            | Self::EventSourceMapping(_)
            | Self::V2Api(_)
            | Self::DomainName(_)
            | Self::Layer(_)
            | Self::LogGroup(_)
            | Self::FunctionUrl(_) => None,
        }
    }

    /// Whether this resource goes with another one, when that one is removed.
    pub fn belongs_to(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deployment(served), Self::RestApi(api)) => served.rest_api_id == api.id,
            (Self::Permission(permission), Self::Function(function)) => {
                function.arn.rsplit(':').next() == Some(permission.function_name.as_str())
            }
            (Self::FunctionUrl(url), Self::Function(function)) => {
                function.arn.rsplit(':').next() == Some(url.function_name.as_str())
            }
            (
                Self::Role(_)
                | Self::Function(_)
                | Self::RestApi(_)
                | Self::Permission(_)
                | Self::Deployment(_)
                | Self::Rule(_)
                | Self::Notification(_)
                | Self::Subscription(_)
                | Self::EventSourceMapping(_)
                | Self::V2Api(_)
                | Self::DomainName(_)
                | Self::Layer(_)
                | Self::LogGroup(_)
                | Self::FunctionUrl(_),
                _,
            ) => false,
        }
    }
}

/// Where a stage lives in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Account, 12 digits.
    pub account: String,
    /// Region: `eu-west-1`.
    pub region: String,
    /// AWS's name of the group of Regions: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
}

impl Place {
    /// Where a function stands, by its ARN.
    pub fn of_function(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, "lambda", region, account, ..] => Some(Self {
                account: (*account).to_owned(),
                region: (*region).to_owned(),
                partition: (*partition).to_owned(),
            }),
            _ => None,
        }
    }

    /// The ARN of a function by its name.
    pub fn function_arn(&self, name: &str) -> String {
        let Self {
            account,
            region,
            partition,
        } = self;
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
    }

    /// The ARN of something of another service by its name there; an ARN stays what it is.
    pub fn arn(&self, service: &str, name: &str) -> String {
        let Self {
            account,
            region,
            partition,
        } = self;
        match name.starts_with("arn:") {
            true => name.to_owned(),
            false => format!("arn:{partition}:{service}:{region}:{account}:{name}"),
        }
    }

    /// The domain that AWS's names end in.
    pub fn dns_suffix(&self) -> &'static str {
        match self.partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        }
    }
}

/// Whose a resource is: what we write on it, and look for before we touch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Identity of the state store.
    pub store: String,
    /// The app.
    pub app: AppName,
    /// The stage.
    pub stage: StageName,
}

impl Owner {
    /// The tags of ours.
    pub fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("stagewright:app".to_owned(), self.app.to_string()),
            ("stagewright:stage".to_owned(), self.stage.to_string()),
            ("stagewright:store".to_owned(), self.store.clone()),
        ])
    }

    /// The tags of what all previews of the app share: no stage is named.
    pub fn tags_of_shared(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("stagewright:app".to_owned(), self.app.to_string()),
            ("stagewright:shared".to_owned(), "previews".to_owned()),
            ("stagewright:store".to_owned(), self.store.clone()),
        ])
    }

    /// The mark of ours, where AWS has no tags.
    pub fn mark(&self) -> String {
        format!("stagewright: {} of {} in {}", self.stage, self.app, self.store)
    }

    /// Whose a thing is that bears these tags; `None` where it is not ours at all.
    pub fn of_tags(tags: &BTreeMap<String, String>) -> Option<Self> {
        let tag = |name: &str| tags.get(&format!("stagewright:{name}")).cloned();
        Some(Self {
            store: tag("store")?,
            app: tag("app")?.try_into().ok()?,
            stage: tag("stage")?.try_into().ok()?,
        })
    }

    /// Whose a thing is that bears the tags of what previews share. The stage is none, but what of its name is behind the app's.
    pub fn of_shared_tags(tags: &BTreeMap<String, String>, name: &str) -> Option<Self> {
        let tag = |name: &str| tags.get(&format!("stagewright:{name}")).cloned();
        tag("shared")?;
        let app: AppName = tag("app")?.try_into().ok()?;
        let behind = name.strip_prefix(app.as_str())?.strip_prefix('-')?;
        Some(Self {
            store: tag("store")?,
            stage: behind.parse().ok()?,
            app,
        })
    }

    /// Whose a thing is that bears this mark; `None` where it is not ours at all.
    pub fn of_mark(mark: &str) -> Option<Self> {
        let (stage, rest) = mark.strip_prefix("stagewright: ")?.split_once(" of ")?;
        let (app, store) = rest.split_once(" in ")?;
        Some(Self {
            store: store.to_owned(),
            app: app.parse().ok()?,
            stage: stage.parse().ok()?,
        })
    }
}

/// What our tags begin with.
pub const TAG: &str = "stagewright:";

/// Whether the tags that stand on a resource are those that we would write, as far as they say whose it is. What was taken
/// over and not marked yet is not known by its tags.
pub fn is_ours(wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> bool {
    let mut marks = wanted.iter().filter(|(key, _)| key.starts_with(TAG)).peekable();
    marks.peek().is_some() && marks.all(|(key, value)| found.get(key) == Some(value))
}

/// Where a zip lies for Lambda to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeLocation {
    /// In a bucket of the function's Region.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// In a file, to be sent with the call.
    Inline(PathBuf),
}

/// What a mutating call needs beside the resource.
#[derive(Debug, Clone)]
pub struct Context {
    /// Our hold on the stage.
    pub hold: Hold,
    /// Where the stage lives.
    pub place: Place,
    /// What is known of the stage's other resources.
    pub outputs: Arc<BTreeMap<Address, Outputs>>,
    /// Where the code lies, by its SHA-256.
    pub code: Arc<BTreeMap<String, CodeLocation>>,
    /// Who is told that the resource is as it shall be, before all is done.
    pub standing: Standing,
}

/// Tells, once at most, that a resource is as it shall be, there or gone: what only needs that may begin, while the rest is still
/// being done.
#[derive(Debug, Clone, Default)]
pub struct Standing(Option<(Address, UnboundedSender<Address>)>);

impl Standing {
    /// Tells it of the resource at an address.
    pub fn of(address: Address, to: UnboundedSender<Address>) -> Self {
        Self(Some((address, to)))
    }

    /// The resource stands.
    pub fn tell(&self) {
        if let Some((address, to)) = &self.0 {
            // Nobody listens any more where the run is being cut short.
            let told = to.send(address.clone());
            tracing::debug!(%address, is_heard = told.is_ok(), "stands");
        }
    }
}

/// A resource that exists, and what shall become of it.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// As it is, where that is known for sure.
    pub from: Option<&'a Resource>,
    /// As it shall be.
    pub to: &'a Resource,
    /// What AWS told us about it.
    pub outputs: &'a Outputs,
}

/// The world that resources live in.
#[async_trait(?Send)]
pub trait Cloud {
    /// The Region that is configured, if any is. No call.
    fn region(&self) -> Option<String>;

    /// What lets calls through in turn, where the world counts them.
    fn pacer(&self) -> Option<Pacer> {
        None
    }

    /// Where we are: asks AWS which account the credentials belong to, until it has said so.
    async fn place(&self) -> Result<Place, Fault>;

    /// Makes a resource. One that is there already and bears our mark is taken over.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Foreign`](crate::fault::FaultKind::Foreign) where something of this name is not ours.
    async fn create(&self, resource: &Resource, context: &Context) -> Result<Outputs, Fault>;

    /// Looks at what is about to be updated, so that the updates need no look of their own first. What cannot be seen now is
    /// looked at then. Changes nothing.
    async fn look_ahead(&self, changes: &[Change<'_>]) {
        tracing::trace!(count = changes.len(), "nothing to look at");
    }

    /// Changes a resource.
    async fn update(&self, change: Change<'_>, context: &Context) -> Result<Outputs, Fault>;

    /// Removes a resource. One that is gone already is a success.
    async fn delete(&self, resource: Option<&Resource>, outputs: &Outputs, context: &Context) -> Result<(), Fault>;

    /// Looks whether a resource stands, and is ours: by what is known of it, else by its name or mark. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Foreign`](crate::fault::FaultKind::Foreign) where something of this name does not bear our mark.
    async fn look(
        &self,
        resource: &Resource,
        known: Option<&Outputs>,
        context: &Context,
    ) -> Result<Option<Outputs>, Fault>;

    /// Whether what stands is as it is wanted, our marks aside: so that a stage that somebody else deployed is taken over
    /// without a call that changes it. Changes nothing.
    async fn stands_as(&self, wanted: &Resource, outputs: &Outputs, context: &Context) -> Result<bool, Fault>;

    /// What a late call that wanted a resource has made beside the one that stands. Only a kind whose names are not unique, or
    /// can change, has any. Changes nothing.
    async fn twins(&self, resource: &Resource, stands: &Outputs, context: &Context) -> Result<Vec<Outputs>, Fault>;

    /// Every role, function and REST API here that bears the mark of an app and is not known already: what depends on
    /// others before these. Changes nothing.
    async fn marked(&self, search: &Search<'_>) -> Result<Vec<Marked>, Fault>;

    /// Invokes a function once, and waits for its answer. What the function raises is an answer, and no fault.
    async fn invoke(&self, invocation: &Invocation<'_>) -> Result<Answer, Fault>;

    /// Reads a page of a function's log; `None` where there is no log yet. Changes nothing.
    async fn log_events(&self, query: &Query<'_>) -> Result<Option<Page>, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_whose_a_thing_is() {
        let owner = Owner {
            store: "s3://in of/p".to_owned(),
            app: "shop".parse().unwrap(),
            stage: "pr-7".parse().unwrap(),
        };
        assert_eq!(Owner::of_tags(&owner.tags()), Some(owner.clone()));
        assert_eq!(Owner::of_mark(&owner.mark()), Some(owner));
        assert_eq!(Owner::of_mark("an API of somebody else"), None);
        assert_eq!(Owner::of_tags(&BTreeMap::new()), None);
    }

    #[test]
    fn what_bears_other_tags_is_not_ours() {
        let owner = Owner {
            store: "s3://b/p".to_owned(),
            app: "shop".parse().unwrap(),
            stage: "prod".parse().unwrap(),
        };
        let ours = owner.tags();
        let mut found = ours.clone();
        found.insert("team".to_owned(), "red".to_owned());
        assert!(is_ours(&ours, &found));
        found.insert("stagewright:store".to_owned(), "s3://other/p".to_owned());
        assert!(!is_ours(&ours, &found));
        assert!(!is_ours(&ours, &BTreeMap::new()));
        assert!(!is_ours(&BTreeMap::new(), &ours));
    }
}
