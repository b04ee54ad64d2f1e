//! Plan -> Applied: makes the steps, all at once that do not wait for each other, and keeps the lease meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use boot_time::Instant;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use crate::fault::{Certainty, Fault, FaultKind};
use crate::names::{Address, Timestamp};
use crate::plan::{Action, Cause, Plan, Step};
use crate::resource::{Change, Cloud, CodeLocation, Context, Outputs, Place, Standing};
use crate::state::lease::Held;
use crate::state::{Deployed, State};
use crate::stop::Stop;
use crate::timeline;

mod pacing;
pub mod shared;

use shared::Shared;
use shared::role::User;

/// At most so many steps at once that are not about functions, and functions whose code is sent with the call: most services take 5 to 20 calls a second from an account.
const AT_ONCE: usize = 12;

/// At most so many functions at once whose code lies in a bucket. Lambda takes 15 calls a second, and each function is then waited for: fewer would leave
/// calls unused where it takes five seconds until one is active.
const FUNCTIONS_AT_ONCE: usize = 100;

/// How long running calls may go on when somebody wishes to stop.
const GRACE: Duration = Duration::from_secs(5);

/// What a plan is applied with.
pub struct Tools {
    /// The world to change.
    pub cloud: Rc<dyn Cloud>,
    /// Where the stage lives.
    pub place: Place,
    /// Where the code lies, by its SHA-256.
    pub code: BTreeMap<String, CodeLocation>,
    /// Whether somebody wishes to stop.
    pub stop: Stop,
    /// How what other stages change, too, is changed.
    pub shared: Rc<Shared>,
}

/// What became of a plan.
#[derive(Debug)]
pub struct Applied {
    /// Every step of the plan, in the order in which they ended.
    pub steps: Vec<Ended>,
    /// Why it ended before all was done, where it is not for a step that failed.
    pub cut_short: Option<CutShort>,
}

/// Why a plan was not applied to its end.
#[derive(Debug)]
pub enum CutShort {
    /// The lease was lost.
    Lost(crate::state::Error),
    /// Somebody wished to stop.
    Stopped,
}

/// What became of a step.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What it was to change.
    pub address: Address,
    /// How, in a word.
    pub action: &'static str,
    /// Why.
    pub causes: Vec<Cause>,
    /// When it began, counted from the beginning of the first.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// As it should.
    Done,
    /// It failed.
    Failed(Fault),
    /// It was not begun, since this step before it was not done.
    Skipped(Address),
    /// It was not begun, since the lease was lost or somebody wished to stop.
    Stopped,
}

/// Makes all steps of a plan whose lease is held and whose intents are recorded. A step that fails keeps those that wait for
/// it from beginning; the others go on. The state is kept true with every step that ends, and written with every renewal.
pub async fn run(
    plan: &Plan,
    tools: &Tools,
    held: &mut Held<'_>,
    state: &mut State,
    ended: &mut dyn FnMut(&Ended),
) -> Applied {
    let reserving = pacing::ahead(plan, tools, held.now());
    let mut work = std::pin::pin!(make_all(plan, tools, held, state, ended));
    // In this order: who asks for a turn waits until the reserving has begun.
    tokio::select! {
        biased;
        () = reserving => {}
        applied = &mut work => return applied,
    }
    work.await
}

async fn make_all(
    plan: &Plan,
    tools: &Tools,
    held: &mut Held<'_>,
    state: &mut State,
    ended: &mut dyn FnMut(&Ended),
) -> Applied {
    let start = Instant::now();
    let mut waiting: Vec<&Step> = plan.steps.iter().collect();
    let mut not_done: BTreeSet<Address> = BTreeSet::new();
    let mut reached = Reached::default();
    let mut running: JoinSet<Finished> = JoinSet::new();
    let (stands, mut standing) = mpsc::unbounded_channel();
    let mut applied = Applied {
        steps: Vec::new(),
        cut_short: tools.stop.is_requested().then_some(CutShort::Stopped),
    };
    let mut deadline = None;
    loop {
        for end in pass_over(&mut waiting, &mut not_done, applied.cut_short.is_some(), state) {
            ended(&end);
            applied.steps.push(end);
        }
        begin(
            &mut waiting,
            (&mut reached, &stands),
            &mut running,
            (tools, held, state),
        );
        if running.is_empty() {
            return complete(plan, applied);
        }
        if applied.cut_short.is_some() {
            deadline.get_or_insert_with(|| tokio::time::Instant::now() + GRACE);
        }
        tokio::select! {
            finished = next(&mut running, deadline) => {
                let Some(finished) = finished else {
                    state.expect_late(held.now());
                    return applied;
                };
                let end = record(plan, finished, (start, held.now()), state);
                reached.under_way.remove(&end.address);
                // A step that was stopped may end before we have heard of the wish ourselves.
                if tools.stop.is_requested() {
                    applied.cut_short.get_or_insert(CutShort::Stopped);
                }
                match end.outcome {
                    Outcome::Done => reached.done.insert(end.address.clone()),
                    Outcome::Failed(_) | Outcome::Skipped(_) | Outcome::Stopped => not_done.insert(end.address.clone()),
                };
                ended(&end);
                applied.steps.push(end);
            }
            Some(address) = standing.recv() => drop(reached.standing.insert(address)),
            () = held.renewal_due() => match held.renew(state).await {
                Ok(()) => {}
                Err(lost @ crate::state::Error::Deposed { .. }) => applied.cut_short = Some(CutShort::Lost(lost)),
                Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
            },
            () = tools.stop.requested(), if applied.cut_short.is_none() => applied.cut_short = Some(CutShort::Stopped),
        }
    }
}

/// Where all steps are done, it does not matter that somebody wished to stop.
fn complete(plan: &Plan, mut applied: Applied) -> Applied {
    let done = applied
        .steps
        .iter()
        .filter(|step| matches!(step.outcome, Outcome::Done))
        .count();
    if done == plan.steps.len() && matches!(applied.cut_short, Some(CutShort::Stopped)) {
        applied.cut_short = None;
    }
    applied
}

/// The next step that ends; none where somebody wishes to stop and it takes too long. What is then still running is cut
/// off, and stays in doubt.
async fn next(running: &mut JoinSet<Finished>, deadline: Option<tokio::time::Instant>) -> Option<Finished> {
    loop {
        let joined = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, running.join_next()).await.ok()?,
            None => running.join_next().await,
        };
        if let Ok(finished) = joined? {
            return Some(finished);
        }
    }
}

/// Takes out the steps that will not be made.
fn pass_over(
    waiting: &mut Vec<&Step>,
    not_done: &mut BTreeSet<Address>,
    is_cut_short: bool,
    state: &mut State,
) -> Vec<Ended> {
    let mut passed = Vec::new();
    // In the order of the plan a step comes behind all that it waits for, so that one pass finds all.
    waiting.retain(|step| {
        let mut before = step.after.iter().chain(&step.beside);
        let blocker = before.find(|address| not_done.contains(*address));
        let outcome = match blocker {
            _ if is_cut_short => Outcome::Stopped,
            Some(address) => Outcome::Skipped(address.clone()),
            None => return true,
        };
        // It was never begun, and is not in doubt.
        state.in_doubt.remove(&step.address);
        not_done.insert(step.address.clone());
        passed.push(end(step, outcome));
        false
    });
    passed
}

struct Finished {
    address: Address,
    began: Instant,
    took: Duration,
    made: Result<Option<Outputs>, Fault>,
    /// Whether a call was made that may have changed anything.
    has_called: bool,
}

/// How far the steps have come.
#[derive(Default)]
struct Reached {
    under_way: BTreeSet<Address>,
    /// Their resources are as they shall be, and the steps may still be going on.
    standing: BTreeSet<Address>,
    done: BTreeSet<Address>,
}

impl Reached {
    /// Whether a step may begin: all that it waits for has come, and there are not too many already.
    fn lets_begin(&self, step: &Step, functions_at_once: usize) -> bool {
        let is_function = |address: &&Address| address.kind() == "function";
        let functions = self.under_way.iter().filter(is_function).count();
        let has_room = match is_function(&&step.address) {
            true => functions < functions_at_once,
            false => self.under_way.len() - functions < AT_ONCE,
        };
        let stands = |address: &Address| self.done.contains(address) || self.standing.contains(address);
        has_room && step.after.iter().all(|address| self.done.contains(address)) && step.beside.iter().all(stands)
    }
}

fn begin(
    waiting: &mut Vec<&Step>,
    (reached, stands): (&mut Reached, &UnboundedSender<Address>),
    running: &mut JoinSet<Finished>,
    (tools, held, state): (&Tools, &Held<'_>, &State),
) {
    let context = Context {
        hold: held.hold().clone(),
        place: tools.place.clone(),
        outputs: Arc::new(state.outputs()),
        code: Arc::new(tools.code.clone()),
        standing: Standing::default(),
    };
    // A zip that is sent with each call is held in memory by each, and all of them share one line.
    let is_inline = |code: &CodeLocation| matches!(code, CodeLocation::Inline(_));
    let functions_at_once = match tools.code.values().any(is_inline) {
        true => AT_ONCE,
        false => FUNCTIONS_AT_ONCE,
    };
    waiting.retain(|step| {
        if !reached.lets_begin(step, functions_at_once) {
            return true;
        }
        reached.under_way.insert(step.address.clone());
        let (cloud, shared) = (tools.cloud.clone(), tools.shared.clone());
        let context = Context {
            hold: context.hold.of_a_step(),
            standing: Standing::of(step.address.clone(), stands.clone()),
            ..context.clone()
        };
        let (address, action) = (step.address.clone(), step.action.clone());
        let user = User {
            stage: state.stage.clone(),
            address: address.clone(),
        };
        running.spawn_local(async move {
            let began = Instant::now();
            tracing::info!(%address, action = action.word(), "step begun");
            let made = Box::pin(make(cloud.as_ref(), (&action, &user), &shared, &context));
            let made = timeline::of_step(address.to_string(), made).await;
            Finished {
                address,
                began,
                took: began.elapsed(),
                made,
                has_called: context.hold.has_covered(),
            }
        });
        false
    });
}

/// Makes a step; one that changes what stages share, by the rules of that.
async fn make(
    cloud: &dyn Cloud,
    (action, user): (&Action, &User),
    shared: &Shared,
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    match action {
        Action::Create(resource) | Action::Update { to: resource, .. } => {
            if let Some(role) = resource.shared_role() {
                return shared.use_role(cloud, (role, user), context).await.map(Some);
            }
        }
        Action::Delete(deployed) => {
            if let Some(role) = deployed.outputs.shared_role() {
                return shared.leave_role(cloud, (role, user), context).await.map(|()| None);
            }
        }
    }
    let change = async |context: &Context| change(cloud, action, context).await;
    match action.shared() {
        Some(thing) => shared.alone(&thing, context, change).await,
        None => change(context).await,
    }
}

async fn change(cloud: &dyn Cloud, action: &Action, context: &Context) -> Result<Option<Outputs>, Fault> {
    match action {
        Action::Create(resource) => cloud.create(resource, context).await.map(Some),
        Action::Update { from, to } => {
            let Deployed { resource, outputs } = from.as_ref();
            let change = Change {
                from: resource.as_ref(),
                to,
                outputs,
            };
            cloud.update(change, context).await.map(Some)
        }
        Action::Delete(Deployed { resource, outputs }) => {
            cloud.delete(resource.as_ref(), outputs, context).await.map(|()| None)
        }
    }
}

fn record(plan: &Plan, finished: Finished, (start, now): (Instant, Timestamp), state: &mut State) -> Ended {
    let Finished {
        address,
        began,
        took,
        made,
        has_called,
    } = finished;
    let began = began.saturating_duration_since(start);
    let step = plan.steps.iter().find(|step| step.address == address);
    let outcome = match made {
        Ok(Some(outputs)) => {
            let resource = step.and_then(|step| match &step.action {
                Action::Create(resource) | Action::Update { to: resource, .. } => Some(resource.clone()),
                Action::Delete(_) => None,
            });
            state.record(address.clone(), resource, outputs);
            Outcome::Done
        }
        Ok(None) => {
            state.forget(&address);
            Outcome::Done
        }
        Err(fault) if fault.kind == FaultKind::Stopped && !has_called => {
            state.in_doubt.remove(&address);
            Outcome::Stopped
        }
        Err(fault) => {
            // What was to be made and was refused is not there. Anything else is looked for by the next run.
            let is_create = step.is_some_and(|step| matches!(step.action, Action::Create(_)));
            let is_refused = fault.certainty == Certainty::DidNotHappen;
            if (is_create && is_refused) || fault.kind == FaultKind::Foreign {
                state.in_doubt.remove(&address);
            }
            if fault.is_unanswered() {
                state.expect_late_of(&address, now);
            }
            Outcome::Failed(fault)
        }
    };
    tracing::info!(%address, took_ms = took.as_millis(), outcome = ?outcome, "step ended");
    match step {
        Some(step) => Ended {
            began,
            took,
            ..end(step, outcome)
        },
        None => Ended {
            address,
            action: "update",
            causes: Vec::new(),
            began,
            took,
            outcome,
        },
    }
}

fn end(step: &Step, outcome: Outcome) -> Ended {
    Ended {
        address: step.address.clone(),
        action: step.action.word(),
        causes: step.causes.clone(),
        began: Duration::ZERO,
        took: Duration::ZERO,
        outcome,
    }
}

#[cfg(test)]
mod tests;
