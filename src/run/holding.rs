//! What `deploy` and `destroy` share: to wait for a stage, to end doubt, to record, and to tell what failed.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Session;
use crate::apply::shared::Shared;
use crate::apply::{Ended, Outcome};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::{AppName, StageName};
use crate::report;
use crate::resource::{Cloud, Context, Place, Standing};
use crate::state::lease::{self, Held, Holder, Seen, Waiting};
use crate::state::store::Store;
use crate::state::takeover::Life;
use crate::state::{LATE, Lease, State, recover};
use crate::timeline::Recording;

/// Waits, visibly, until nobody else holds the stage.
pub async fn free(session: &Session<'_>, store: &dyn Store, of: (&AppName, &StageName)) -> Result<Seen, Failure> {
    free_within(session, store, of, session.options.wait).await
}

/// As [`free`], with a patience of its own.
pub async fn free_within(
    session: &Session<'_>,
    store: &dyn Store,
    of: (&AppName, &StageName),
    patience: Duration,
) -> Result<Seen, Failure> {
    let mut waiting = Visibly {
        session,
        stage: of.1,
        told: None,
        wait: None,
    };
    Ok(lease::free(store, of, patience, &mut waiting).await?)
}

/// Waits for a stage so that people see it, each holder once.
struct Visibly<'a> {
    session: &'a Session<'a>,
    stage: &'a StageName,
    told: Option<String>,
    /// The wait on the timeline, which ends with us.
    wait: Option<Recording>,
}

#[async_trait(?Send)]
impl Waiting for Visibly<'_> {
    fn told(&mut self, lease: &Lease) {
        if self.told.as_ref() == Some(&lease.mark) {
            return;
        }
        let Lease {
            holder, since, purpose, ..
        } = lease;
        let line = format!(
            "waiting: {holder} holds stage `{}` since {since} ({purpose})",
            self.stage
        );
        self.session.host.note(Ink::Careful, &line);
        let reason = format!("held by {holder} ({purpose})");
        self.wait = Some(self.session.timeline.wait(&reason, self.stage.as_str()));
        self.told = Some(lease.mark.clone());
    }

    async fn life(&mut self, lease: &Lease) -> Life {
        life(self.session, lease).await
    }
}

/// Whether who holds a stage lives: the host says so; or GitHub, where a person's variables say how it is reached.
pub async fn life(session: &Session<'_>, lease: &Lease) -> Life {
    let Some(run) = &lease.run else {
        return Life::Unknown;
    };
    let answer = session.host.life(run).await;
    match (answer, session.host.run(), session.github()) {
        (Life::Unknown, None, Some(github)) => github.life(run).await,
        (_, _, _) => answer,
    }
}

/// Who we are, as a lease names us.
pub fn holder(session: &Session<'_>, purpose: &'static str) -> Holder {
    Holder {
        mark: lease::new_mark(),
        name: session.host.who(),
        purpose,
        since: session.now,
        run: session.host.run(),
    }
}

/// How what other stages change, too, is changed for a stage.
pub fn shared(session: &Session<'_>, store: &dyn Store, purpose: &'static str) -> Rc<Shared> {
    Rc::new(Shared::new(store.shared(), holder(session, purpose)))
}

/// Looks at AWS for all that is in doubt, with the lease in hand.
pub async fn settle(
    session: &Session<'_>,
    cloud: &dyn Cloud,
    held: &mut Held<'_>,
    state: &mut State,
) -> Result<(), Failure> {
    let Some(place) = state.place.clone() else {
        return Ok(());
    };
    let note = match state.in_doubt.is_empty() {
        false => "was cut off: looking at what is there",
        true => "was cut off a while ago: looking once more at what is there",
    };
    session.host.note(
        Ink::Careful,
        &format!("note: a former run of stage `{}` {note}", state.stage),
    );
    let context = Context {
        hold: held.hold().clone(),
        place,
        outputs: Arc::default(),
        code: Arc::default(),
        standing: Standing::default(),
    };
    tokio::select! {
        settled = recover::settle(state, held, cloud, &context) => Ok(settled?),
        () = session.stop.requested() => {
            let now = "what a former run had begun is still in doubt: the next run looks at it";
            Err(Failure::stopped().now(now))
        }
    }
}

/// Where the stage stands, as its state says and AWS confirms: the ids of another account would lie.
///
/// # Errors
///
/// We are in another account or Region.
pub async fn confirmed_place(cloud: &dyn Cloud, state: &State) -> Result<Place, Failure> {
    let here = cloud.place().await?;
    match &state.place {
        Some(there) if there.account != here.account => Err(elsewhere(state, "account", &there.account, &here.account)),
        Some(there) if there.region != here.region => Err(elsewhere(state, "Region", &there.region, &here.region)),
        Some(there) => Ok(there.clone()),
        None => Ok(here),
    }
}

/// A stage that stands in another account or Region than we are in, or stood there, and is still to be looked at.
pub fn elsewhere(state: &State, what: &str, there: &str, here: &str) -> Failure {
    let stage = &state.stage;
    let failure = if state.deployed.is_empty() {
        let when = state.late.values().map(|late| late.since.after(LATE)).max();
        let when = when.map_or_else(String::new, |when| format!(" after {when}"));
        Failure::input(format!(
            "stage `{stage}` stood in {what} `{there}`, where a call of a run that was cut off may still land; this run is in `{here}`"
        ))
        .hint(format!(
            "run `stagewright destroy --stage {stage}`{when}, which looks there once more, and then this again; or the sweep does so"
        ))
    } else {
        Failure::input(format!(
            "stage `{stage}` stands in {what} `{there}`, and this run is in `{here}`"
        ))
        .hint(format!(
            "use credentials and a Region of `{there}`, or another stage name"
        ))
    };
    failure.now("nothing was changed")
}

/// Shows a step that has ended.
pub fn tell(session: &Session<'_>, ended: &Ended) {
    let ink = match ended.outcome {
        Outcome::Done => Ink::Good,
        Outcome::Failed(_) => Ink::Bad,
        Outcome::Skipped(_) | Outcome::Stopped => Ink::Faint,
    };
    session.host.progress(ink, &report::ended(ended));
}

/// The last write: it gives the lease back.
pub async fn record(held: Held<'_>, state: &mut State) -> Result<(), Failure> {
    held.give_back(state).await.map_err(|error| {
        Failure::from(error)
            .now("what was done stands in AWS and could not be recorded: the next run looks at it first")
    })
}

/// Makes the state what it was before it was taken: nothing was begun.
pub fn untouched(state: &mut State, before: State) {
    *state = State {
        generation: state.generation,
        lease: state.lease.clone(),
        late: state.late.clone(),
        ..before
    };
}

/// Gives the lease back when nothing could be begun; what was in doubt stays so.
pub async fn abandon(held: Option<Held<'_>>, state: &mut State, failure: Failure) -> Failure {
    if let Some(held) = held
        && let Err(error) = held.give_back(state).await
    {
        tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
    }
    failure
}

/// What a run says that was replaced by another one.
pub fn lost_to_somebody(lost: crate::state::Error) -> Failure {
    Failure::from(lost).now("what was done stands in AWS; whoever holds the stage now looks at it")
}

/// What a run says that was told to stop.
pub fn stopped(steps: &[Ended], stage: &StageName, command: &str) -> Failure {
    Failure::stopped().now(progress(steps, stage, command))
}

fn progress(steps: &[Ended], stage: &StageName, command: &str) -> String {
    let done = steps
        .iter()
        .filter(|step| matches!(step.outcome, Outcome::Done))
        .count();
    format!("{done} steps are done and recorded: `stagewright {command} --stage {stage}` does the rest")
}

/// The first failure of the steps, with what was done beside it.
pub fn failure(steps: &[Ended], stage: &StageName, command: &str) -> Option<Failure> {
    let fault = steps.iter().find_map(|step| match &step.outcome {
        Outcome::Failed(fault) => Some(fault.clone()),
        Outcome::Done | Outcome::Skipped(_) | Outcome::Stopped => None,
    })?;
    Some(Failure::from(fault).now(progress(steps, stage, command)))
}
