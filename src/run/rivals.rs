//! Stages that read from the same queue, or are notified by the same bucket: they take each other's events.

use std::collections::BTreeSet;

use super::Session;
use crate::host::Ink;
use crate::names::StageName;
use crate::plan::{Action, Plan};
use crate::resource::Resource;
use crate::state::store::Store;
use crate::state::{State, lease};

/// Warns of each queue and bucket that a plan connects the stage with, and that another stage of the app has already. The
/// other stages are read only where there is something to connect.
pub async fn warn(session: &Session<'_>, store: &dyn Store, state: &State, plan: &Plan) {
    let created = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Create(resource) => source(resource),
        Action::Update { .. } | Action::Delete(_) => None,
    });
    let created: BTreeSet<Source> = created.collect();
    if created.is_empty() {
        return;
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
        for both in created.intersection(&theirs) {
            session.host.note(Ink::Careful, &told(both, &state.stage, &stage));
        }
    }
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
            "warning: bucket `{bucket}` notifies stages `{own}` and `{other}`: both handle each change, and S3 refuses filters that overlap"
        ),
        Source::Queue(arn) => {
            let queue = arn.rsplit(':').next().unwrap_or_default();
            format!(
                "warning: queue `{queue}` is read by stages `{own}` and `{other}`: each message comes to only one of them"
            )
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
            said.starts_with("warning: queue `jobs` is read by stages `prod` and `beta`"),
            "{said}"
        );
        let said = told(&Source::Bucket("photos".to_owned()), &prod, &beta);
        assert!(
            said.contains("bucket `photos` notifies stages `prod` and `beta`"),
            "{said}"
        );
    }
}
