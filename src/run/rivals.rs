//! Stages that read from the same queue, or are notified by the same bucket: they take each other's events.

use std::collections::BTreeSet;

use super::Session;
use crate::host::Ink;
use crate::names::{Address, StageName};
use crate::plan::{Action, Plan};
use crate::resource::Resource;
use crate::state::store::Store;
use crate::state::{State, lease};

/// Warns of each queue and bucket that the stage has after a plan, and that another stage of the app has as well; returns the
/// sentences. The other stages are read only where there is something to do, and something that could be shared.
pub async fn warn(session: &Session<'_>, store: &dyn Store, state: &State, plan: &Plan) -> Vec<String> {
    let ours = sources_after(plan, state);
    let mut warnings = Vec::new();
    if plan.is_empty() || ours.is_empty() {
        return warnings;
    }
    for stage in store.stages().await.unwrap_or_default() {
        if stage == state.stage {
            continue;
        }
        // A stage that cannot be read is told of by whoever wants it.
        let Ok(Some(other)) = lease::read(store, Some(&state.app), &stage).await else {
            continue;
        };
        let deployed = other.state.deployed.values();
        let theirs: BTreeSet<Source> = deployed
            .filter_map(|deployed| source(deployed.resource.as_ref()?))
            .collect();
        let both = ours.intersection(&theirs);
        warnings.extend(both.map(|both| told(both, &state.stage, &stage)));
    }
    for warning in &warnings {
        session.host.note(Ink::Careful, &format!("warning: {warning}"));
    }
    warnings
}

/// What the stage shares with nobody, if all is well, once a plan is done: what the plan makes or changes, and what stands and
/// is left alone.
fn sources_after(plan: &Plan, state: &State) -> BTreeSet<Source> {
    let is_touched = |address: &Address| plan.steps.iter().any(|step| step.address == *address);
    let planned = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Create(resource) | Action::Update { to: resource, .. } => Some(resource),
        Action::Delete(_) => None,
    });
    let left = state.deployed.iter().filter(|(address, _)| !is_touched(address));
    let left = left.filter_map(|(_, deployed)| deployed.resource.as_ref());
    planned.chain(left).filter_map(source).collect()
}

/// Where events come from of which each stage should have its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Bucket(String),
    Queue(String),
}

fn source(resource: &Resource) -> Option<Source> {
    match resource {
        Resource::Notification(entry) => Some(Source::Bucket(entry.bucket.clone())),
        Resource::EventSourceMapping(mapping) => {
            let mut parts = mapping.source_arn.split(':').skip(2);
            (parts.next() == Some("sqs")).then(|| Source::Queue(mapping.source_arn.clone()))
        }
        Resource::Role(_)
        | Resource::Function(_)
        | Resource::RestApi(_)
        | Resource::Permission(_)
        | Resource::Deployment(_)
        | Resource::Rule(_)
        | Resource::Subscription(_)
        | Resource::V2Api(_)
        | Resource::DomainName(_)
        | Resource::Layer(_)
        | Resource::LogGroup(_)
        | Resource::FunctionUrl(_) => None,
    }
}

fn told(source: &Source, own: &StageName, other: &StageName) -> String {
    match source {
        Source::Bucket(bucket) => format!(
            "bucket `{bucket}` notifies stages `{own}` and `{other}`: both handle each change, and S3 refuses filters that overlap"
        ),
        Source::Queue(arn) => {
            let queue = arn.rsplit(':').next().unwrap_or_default();
            format!("queue `{queue}` is read by stages `{own}` and `{other}`: each message comes to only one of them")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_stages_are_named() {
        let (prod, beta) = ("prod".parse().unwrap(), "beta".parse().unwrap());
        let queue = Source::Queue("arn:aws:sqs:eu-west-1:111111111111:jobs".to_owned());
        let said = told(&queue, &prod, &beta);
        assert!(
            said.starts_with("queue `jobs` is read by stages `prod` and `beta`"),
            "{said}"
        );
        let said = told(&Source::Bucket("photos".to_owned()), &prod, &beta);
        assert!(
            said.contains("bucket `photos` notifies stages `prod` and `beta`"),
            "{said}"
        );
    }
}
