//! What of a plan AWS counts by seconds: reserved among all runs of the account and Region while the first steps are made.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::Tools;
use crate::aws::pace::quota::Quota;
use crate::aws::pace::{Need, Reserve};
use crate::names::{Address, Timestamp};
use crate::plan::{Action, Plan, Step};
use crate::resource::v2_api::Protocol;
use crate::resource::{Outputs, Resource};
use crate::state::pacing::book::Book;

/// Reserves the slots of a plan. `now` is what the store's clock says. A folder is nobody else's: there the run paces itself.
pub async fn ahead(plan: &Plan, tools: &Tools, now: Timestamp) {
    let Some(pacer) = tools.cloud.pacer() else {
        return;
    };
    let is_common = tools.shared.store().identity().is_some();
    let reserve = is_common.then(|| reserve(tools, now));
    pacer.lead(tools.stop.clone(), reserve, needs(plan)).await;
}

fn reserve(tools: &Tools, now: Timestamp) -> Reserve {
    let shared = tools.shared.clone();
    let book = Rc::new(Book::new(&tools.place.account, &tools.place.region, now));
    Rc::new(move |needs| {
        let (shared, book) = (shared.clone(), book.clone());
        Box::pin(async move { book.reserve(shared.store(), &needs).await })
    })
}

/// What a plan needs, in the order of its steps, and when it will be ready for it.
fn needs(plan: &Plan) -> Vec<Need> {
    let mut ended: BTreeMap<&Address, Duration> = BTreeMap::new();
    let mut numbers: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut needs = Vec::new();
    let mut functions = 0;
    for step in &plan.steps {
        let ready = step.after.iter().filter_map(|before| ended.get(before)).max().copied();
        let ready = ready.unwrap_or_default();
        let is_function = step.address.kind() == "function";
        functions += u32::from(is_function);
        // Of many functions the last ones begin when Lambda takes them.
        let turn = Quota::Lambda.interval() * functions * u32::from(is_function);
        ended.insert(&step.address, ready + turn + usual(&step.action));
        let Some(quota) = quota(step) else {
            continue;
        };
        numbers.insert(&step.address, needs.len());
        needs.push(Need {
            quota,
            ready: ready + BEFORE,
            follows: step
                .after
                .iter()
                .filter_map(|before| numbers.get(before))
                .max()
                .copied(),
        });
    }
    needs
}

/// What a step does before the call that is counted: it looks, and says hello to AWS.
const BEFORE: Duration = Duration::from_secs(1);

/// How long what waits for a step usually waits, generously: who is late has to queue again.
fn usual(action: &Action) -> Duration {
    let resource = match action {
        Action::Create(Resource::Role(_)) => return Duration::from_secs(10),
        Action::Create(resource) | Action::Update { to: resource, .. } => resource,
        Action::Delete(_) => return Duration::from_millis(500),
    };
    match resource {
        Resource::Function(_) => Duration::from_millis(2_500),
        Resource::Layer(_) | Resource::V2Api(_) | Resource::DomainName(_) => Duration::from_secs(2),
        Resource::Role(_)
        | Resource::RestApi(_)
        | Resource::Permission(_)
        | Resource::Deployment(_)
        | Resource::Rule(_)
        | Resource::Notification(_)
        | Resource::Subscription(_)
        | Resource::EventSourceMapping(_)
        | Resource::LogGroup(_)
        | Resource::FunctionUrl(_) => Duration::from_millis(500),
    }
}

/// The quota that a step takes a call of, as far as the plan can tell. What it turns out to need besides is reserved then.
fn quota(step: &Step) -> Option<Quota> {
    match &step.action {
        Action::Create(Resource::RestApi(api)) => Some(Quota::of_new_rest_api(&api.endpoint_type)),
        Action::Update {
            from,
            to: Resource::RestApi(to),
        } => {
            let is_same = matches!(&from.resource, Some(Resource::RestApi(from)) if from.document == to.document);
            (!is_same).then_some(Quota::PutRestApi)
        }
        Action::Create(Resource::Deployment(_))
        | Action::Update {
            to: Resource::Deployment(_),
            ..
        } => Some(Quota::CreateDeployment),
        // What is served of an HTTP API follows by itself.
        Action::Create(Resource::V2Api(api))
        | Action::Update {
            to: Resource::V2Api(api),
            ..
        } => (api.protocol == Protocol::Websocket).then_some(Quota::CreateDeployment),
        Action::Create(Resource::DomainName(_)) => Some(Quota::CreateDomainName),
        Action::Delete(deployed) => match deployed.outputs {
            Outputs::RestApi(_) => Some(Quota::DeleteRestApi),
            Outputs::DomainName(_) => Some(Quota::DeleteDomainName),
            Outputs::Role(_)
            | Outputs::Function(_)
            | Outputs::Permission(_)
            | Outputs::Deployment(_)
            | Outputs::Rule(_)
            | Outputs::Notification(_)
            | Outputs::Subscription(_)
            | Outputs::EventSourceMapping(_)
            | Outputs::V2Api(_)
            | Outputs::Layer(_)
            | Outputs::LogGroup(_)
            | Outputs::FunctionUrl(_) => None,
        },
        Action::Create(_) | Action::Update { .. } => None,
    }
}
