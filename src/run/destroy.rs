//! `destroy`: nothing of a stage is left. Everything that it needs stands in the stage's state.

use std::collections::BTreeMap;

use serde_json::json;

use super::holding::{
    abandon, confirmed_place, failure, free, holder, is_doubtful, lost_to_somebody, record, settle, stopped, tell,
};
use super::{Region, Session, recorded};
use crate::apply::{self, CutShort, Tools};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::{AppName, StageName};
use crate::plan::diff;
use crate::report::{Outcome, Report};
use crate::state::State;
use crate::state::lease::{self, Held, Seen};
use crate::state::store::Store;

/// Whether the user has said yes already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Yes, by a flag.
    Given,
    /// Not yet.
    ToBeAsked,
}

/// Removes everything of a stage.
///
/// # Errors
///
/// Nobody said yes, the stage is held or lost, or a step failed.
pub async fn destroy(session: &Session<'_>, stage: &StageName, consent: Consent) -> Result<(), Failure> {
    let (app, store) = recorded(session).await?;
    if consent == Consent::ToBeAsked {
        confirm(session, (&app, stage), store.as_ref()).await?;
    }
    loop {
        let seen = free(session, store.as_ref(), (&app, stage)).await?;
        if let Some(ended) = attempt(session, store.as_ref(), seen).await? {
            return ended;
        }
        if session.stop.is_requested() {
            return Err(Failure::stopped());
        }
    }
}

async fn confirm(
    session: &Session<'_>,
    (app, stage): (&AppName, &StageName),
    store: &dyn Store,
) -> Result<(), Failure> {
    let state = lease::read(store, Some(app), stage).await?.map(|seen| seen.state);
    let count = state.map_or(0, |state| state.deployed.len());
    let question = format!(
        "This removes all {count} resources of stage `{stage}` of app `{app}`.\nType the stage's name to go on: "
    );
    match session.host.asks_for(&question, stage.as_str()) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::input("that is not the stage's name").now("nothing was changed")),
        None => Err(
            Failure::input(format!("`destroy` of stage `{stage}` was not confirmed"))
                .hint("give `--yes` where nobody can be asked")
                .now("nothing was changed"),
        ),
    }
}

/// Destroys once. `None` where somebody else changed the stage's state meanwhile.
async fn attempt(
    session: &Session<'_>,
    store: &dyn Store,
    mut seen: Seen,
) -> Result<Option<Result<(), Failure>>, Failure> {
    let stage = seen.state.stage.clone();
    if seen.state.deployed.is_empty() && !is_doubtful(&seen.state) {
        session.host.say(&format!(
            "Stage `{stage}` of app `{}` is not deployed: nothing to remove.\n",
            seen.state.app
        ));
        session
            .host
            .answer(&json!(Report::new(&seen.state, Outcome::Unchanged, None)));
        return Ok(Some(Ok(())));
    }
    let project = session.project_if_any()?;
    let cloud = session.cloud(project.as_ref(), &seen.state, Region::Recorded).await?;
    let place = confirmed_place(cloud.as_ref(), &seen.state).await?;
    let was_doubtful = is_doubtful(&seen.state);
    if !was_doubtful {
        seen.state.in_doubt = diff::destruction(&seen.state).doubts();
    }
    let _holding = session.stop.holding();
    let holder = holder(session, "destroy");
    let Some(mut held) = lease::take(store, &mut seen, &holder).await? else {
        return Ok(None);
    };
    let mut state = seen.state;
    if was_doubtful {
        if let Err(failure) = settle(session, cloud.as_ref(), &mut held, &mut state).await {
            return Err(abandon(Some(held), &mut state, failure).await);
        }
        state.in_doubt = diff::destruction(&state).doubts();
        if let Err(error) = held.renew(&mut state).await {
            return Err(abandon(Some(held), &mut state, error.into()).await);
        }
    }
    let tools = Tools {
        cloud,
        place,
        code: BTreeMap::new(),
        stop: session.stop.clone(),
    };
    Ok(Some(remove(session, &tools, held, state).await))
}

/// Removes everything, and records what came of it.
async fn remove(session: &Session<'_>, tools: &Tools, mut held: Held<'_>, mut state: State) -> Result<(), Failure> {
    let plan = diff::destruction(&state);
    let applied = apply::run(&plan, tools, &mut held, &mut state, &mut |ended| tell(session, ended)).await;
    let failure = match (applied.cut_short, failure(&applied.steps, &plan.stage, "destroy")) {
        (Some(CutShort::Lost(lost)), _) => Some(lost_to_somebody(lost)),
        (Some(CutShort::Stopped), _) => {
            record(held, &mut state).await?;
            Some(stopped(&applied.steps, &plan.stage, "destroy"))
        }
        (None, failed) => {
            if failed.is_none() {
                forget(&mut state);
            }
            record(held, &mut state).await?;
            failed
        }
    };
    let outcome = if failure.is_some() {
        Outcome::Failed
    } else {
        Outcome::Destroyed
    };
    let mut report = Report::new(&state, outcome, None).with_ended(&applied.steps);
    report.error = failure.as_ref().map(Failure::json);
    session.host.answer(&json!(report));
    match failure {
        Some(failure) => Err(failure),
        None => {
            session.host.progress(
                Ink::Good,
                &format!("Stage `{}` of app `{}` is gone.", plan.stage, plan.app),
            );
            Ok(())
        }
    }
}

/// A destroyed stage keeps its object and its generation, and may come back in another place.
fn forget(state: &mut State) {
    state.place = None;
    state.role = None;
    state.release = None;
    state.attempted = None;
}
