//! `destroy`: nothing of a stage is left. Everything that it needs stands in the stage's state.

use std::collections::BTreeMap;

use super::asking::{Asked, Consent};
use super::behalf::{self, Behalf, Wanted, unwanted};
use super::holding::{
    abandon, confirmed_place, failure, free, holder, lost_to_somebody, record, settle, shared, stopped, tell, untouched,
};
use super::{Recorded, Region, Session, Told, adopt, recorded};
use crate::apply::{self, CutShort, Tools};
use crate::config::{Project, StageConfig};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::{AppName, StageName};
use crate::plan::diff;
use crate::report::{Outcome, Report};
use crate::resource::{Cloud, Place};
use crate::state::lease::{self, Held, Holder, Seen};
use crate::state::store::Store;
use crate::state::{Progress, State};
use crate::timeline::Phase;

/// What is to be removed, and how its account is reached.
pub struct Target<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The stage.
    pub stage: &'a StageName,
    /// Where its state is kept.
    pub store: &'a dyn Store,
    /// What is configured of it.
    pub config: StageConfig,
    /// The project, where a person stands in it: Chalice's own file there may know the stage.
    pub project: Option<&'a Project>,
}

/// Removes everything of a stage, which a person wishes.
///
/// # Errors
///
/// Nobody said yes; or those of [`remove`].
pub async fn destroy(session: &Session<'_>, stage: &StageName, consent: Consent) -> Result<Told, Failure> {
    let Recorded { app, store, config } = recorded(session).await?;
    let project = session.project_if_any()?;
    let asked = Asked {
        command: "destroy",
        stage,
        consent,
    };
    asked.can_be_answered()?;
    if consent == Consent::ToBeAsked {
        let known = lease::read(store.as_ref(), Some(&app), stage).await?;
        let known = known.unwrap_or_else(|| Seen::new(app.clone(), stage.clone()));
        let begun = project
            .as_ref()
            .map(|project| adopt::recorded_by_chalice((project, &app), &known));
        let state = begun.transpose()?.flatten().map_or(known.state, |(state, _)| state);
        let count = state.deployed.len();
        let effect = format!("This removes all {count} resources of stage `{stage}` of app `{app}`.");
        asked.confirm(session, &effect)?;
    }
    let target = Target {
        app: &app,
        stage,
        store: store.as_ref(),
        config: config.stage(stage),
        project: project.as_ref(),
    };
    remove(session, &target, None).await
}

/// Removes everything of a stage.
///
/// # Errors
///
/// The stage is held or lost, or AWS cannot be reached, before anything was begun.
pub async fn remove(session: &Session<'_>, target: &Target<'_>, behalf: Option<&Behalf<'_>>) -> Result<Told, Failure> {
    loop {
        let phase = session.timeline.phase(Phase::ReadingState);
        let mut seen = free(session, target.store, (target.app, target.stage)).await?;
        if let Some(project) = target.project {
            seen = adopt::begun_by_chalice(session, (project, target.app), (target.store, seen))?;
        }
        drop(phase);
        if let Some(told) = attempt(session, target, behalf, seen).await? {
            return Ok(told);
        }
        if session.stop.is_requested() {
            return Err(Failure::stopped());
        }
    }
}

/// Destroys once. `None` where somebody else changed the stage's state meanwhile.
async fn attempt(
    session: &Session<'_>,
    target: &Target<'_>,
    behalf: Option<&Behalf<'_>>,
    mut seen: Seen,
) -> Result<Option<Told>, Failure> {
    let stage = seen.state.stage.clone();
    if seen.state.deployed.is_empty() && !seen.needs_a_look() {
        session.host.say(&format!(
            "Stage `{stage}` of app `{}` is not deployed: nothing to remove.\n",
            seen.state.app
        ));
        return Ok(Some(Told::of(Report::new(&seen.state, Outcome::Unchanged, None))));
    }
    if let Some(told) = unwanted(session, behalf, &seen.state)? {
        return Ok(Some(told));
    }
    let phase = session.timeline.phase(Phase::Planning);
    let cloud = session
        .cloud(target.config.clone(), &seen.state, Region::Recorded)
        .await?;
    drop(phase);
    let phase = session.timeline.phase(Phase::TakingLease);
    let was_doubtful = seen.needs_a_look();
    let before = seen.state.clone();
    let plan = diff::destruction(&before);
    if !was_doubtful {
        seen.state.in_doubt = plan.doubts();
        seen.state.begin(session.attempt(Progress::Removing, before.commit()));
    }
    let _holding = session.stop.holding();
    let holder = holder(session, "destroy");
    let shared = shared(session, target.store, "destroy");
    let taking = take(target.store, (cloud.as_ref(), &before), &mut seen, &holder);
    let (taken, ()) = tokio::join!(taking, shared.look_ahead(&plan));
    let Some((place, mut held)) = taken? else {
        return Ok(None);
    };
    let mut state = seen.state;
    if let Some(behalf) = behalf {
        match held.while_working(&mut state, behalf::ask(session, behalf)).await {
            Ok(Ok(Wanted::Yes)) => {}
            Ok(Ok(Wanted::No(reason))) => {
                untouched(&mut state, before);
                record(held, &mut state).await?;
                return Ok(Some(Told::skipped(session, &state, reason)));
            }
            Ok(Err(failure)) => {
                untouched(&mut state, before);
                return Err(abandon(Some(held), &mut state, failure).await);
            }
            Err(lost) => return Err(lost_to_somebody(lost)),
        }
    }
    if was_doubtful {
        if let Err(failure) = settle(session, cloud.as_ref(), &mut held, &mut state).await {
            return Err(abandon(Some(held), &mut state, failure).await);
        }
        state.in_doubt = diff::destruction(&state).doubts();
        state.begin(session.attempt(Progress::Removing, before.commit()));
        if let Err(error) = held.renew(&mut state).await {
            return Err(abandon(Some(held), &mut state, error.into()).await);
        }
    }
    drop(phase);
    let tools = Tools {
        cloud,
        place,
        code: BTreeMap::new(),
        stop: session.stop.clone(),
        shared,
    };
    take_down(session, &tools, held, state).await.map(Some)
}

/// Takes the lease, and finds out meanwhile where we are: nothing in AWS is touched before both is known. `None` where somebody
/// else was faster.
async fn take<'a>(
    store: &'a dyn Store,
    (cloud, before): (&dyn Cloud, &State),
    seen: &mut Seen,
    holder: &Holder,
) -> Result<Option<(Place, Held<'a>)>, Failure> {
    let (place, taken) = tokio::join!(confirmed_place(cloud, before), lease::take(store, seen, holder));
    match (place, taken?) {
        (Ok(place), held) => Ok(held.map(|held| (place, held))),
        (Err(failure), held) => {
            untouched(&mut seen.state, before.clone());
            Err(abandon(held, &mut seen.state, failure).await)
        }
    }
}

/// Removes everything, and records what came of it.
async fn take_down(
    session: &Session<'_>,
    tools: &Tools,
    mut held: Held<'_>,
    mut state: State,
) -> Result<Told, Failure> {
    let plan = diff::destruction(&state);
    let commit = state.commit();
    let phase = session.timeline.phase(Phase::Applying);
    let applied = apply::run(&plan, tools, &mut held, &mut state, &mut |ended| tell(session, ended)).await;
    drop(phase);
    let is_lost = matches!(applied.cut_short, Some(CutShort::Lost(_)));
    let failure = match (applied.cut_short, failure(&applied.steps, &plan.stage, "destroy")) {
        (Some(CutShort::Lost(lost)), _) => Some(lost_to_somebody(lost)),
        (Some(CutShort::Stopped), _) => Some(stopped(&applied.steps, &plan.stage, "destroy")),
        (None, failed) => failed,
    };
    if failure.is_none() {
        forget(&mut state);
    }
    let (outcome, progress) = match failure {
        Some(_) => (Outcome::Failed, Progress::Failed),
        None => (Outcome::Destroyed, Progress::Removed),
    };
    state.last = Some(session.ended(progress, (commit, &applied.steps), failure.as_ref()));
    if !is_lost {
        let _phase = session.timeline.phase(Phase::Recording);
        record(held, &mut state).await?;
    }
    if failure.is_none() {
        session.host.progress(
            Ink::Good,
            &format!("Stage `{}` of app `{}` is gone.", plan.stage, plan.app),
        );
    }
    let report = Report::new(&state, outcome, None).with_ended(&applied.steps);
    Ok(Told { report, failure })
}

/// A destroyed stage keeps its object and its generation, and may come back in another place, unless something is still to
/// be looked at here.
fn forget(state: &mut State) {
    if state.late.is_empty() {
        state.place = None;
        state.role = None;
    }
    state.release = None;
    state.attempted = None;
}
