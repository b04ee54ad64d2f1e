//! `unlock`: frees a stage whose holder is dead before the next run would, by hand. It is never needed: see `state::takeover`.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::asking::{Asked, Consent};
use super::history::unrecorded;
use super::holding::{holder, life};
use super::{Recorded, Session, recorded};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::{AppName, StageName};
use crate::report::history::{age, in_doubt};
use crate::state::lease::{self, Holder, LEASE, Seen, Waiting};
use crate::state::standing::{self, CLOSED, Standing, Still};
use crate::state::store::Store;
use crate::state::takeover::Life;
use crate::state::{Error, Lease, State};

/// Whether a holder may be replaced that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It may not.
    Spare,
    /// It may: somebody knows better.
    Depose,
}

/// How often the write is tried at most against a holder that renews its lease every few seconds.
const TRIES: usize = 10;

/// Frees a stage from the holder that it shows, and from no other.
///
/// # Errors
///
/// Nothing is recorded of the stage; the holder lives, or another one has come; nobody said yes; the state cannot be read or
/// written.
pub async fn unlock(session: &Session<'_>, stage: &StageName, wishes: (Force, Consent)) -> Result<(), Failure> {
    let Recorded { app, store, .. } = recorded(session).await?;
    let (store, of) = (store.as_ref(), (&app, stage));
    let Some(seen) = lease::read(store, Some(&app), stage).await? else {
        return Err(unrecorded(&app, stage));
    };
    let Some(shown) = seen.state.lease.clone() else {
        free_already(session, &seen.state);
        return Ok(());
    };
    show(session, &seen.state, &shown);
    let (force, consent) = wishes;
    let asked = Asked {
        command: "unlock",
        stage,
        consent,
    };
    asked.can_be_answered()?;
    if force == Force::Spare {
        let mut watching = Watching {
            session,
            is_told: false,
        };
        match standing::watch(store, of, &shown, &mut watching).await? {
            Standing::Dead => {}
            Standing::Alive => return Err(lives(stage, shown)),
            Standing::Over => return over(session, store, of).await,
        }
    }
    if force == Force::Depose {
        warn(session);
    }
    let effect = format!("This frees stage `{stage}` of app `{app}` from its holder.");
    asked.confirm(session, &effect)?;
    let free = Free {
        session,
        store,
        of,
        shown,
        force,
    };
    match free.free(seen).await? {
        Some(state) => {
            told(session, &state, &free.shown);
            Ok(())
        }
        None => over(session, store, of).await,
    }
}

/// A lease that is to be taken off a stage.
struct Free<'a> {
    session: &'a Session<'a>,
    store: &'a dyn Store,
    of: (&'a AppName, &'a StageName),
    shown: Lease,
    force: Force,
}

impl Free<'_> {
    /// Takes the lease off by compare-and-set. `None` where it is gone, or another one is there.
    async fn free(&self, mut seen: Seen) -> Result<Option<State>, Failure> {
        let holder = holder(self.session, "unlock");
        for _ in 0..TRIES {
            let freed = match self.force {
                Force::Spare => self.release(&seen).await?,
                Force::Depose => self.depose(&mut seen, &holder).await?,
            };
            if freed.is_some() {
                return Ok(freed);
            }
            let (app, stage) = self.of;
            let now = lease::read(self.store, Some(app), stage).await?;
            seen = match (Still::of(&self.shown.mark, now.as_ref()), now, self.force) {
                (Still::There, Some(now), Force::Depose) => now,
                (Still::There, _, _) => return Err(lives(stage, self.shown.clone())),
                (Still::Gone, _, _) => return Ok(None),
            };
        }
        Err(lives(self.of.1, self.shown.clone()))
    }

    /// Of a holder that is dead: one write.
    async fn release(&self, seen: &Seen) -> Result<Option<State>, Failure> {
        let freed = Seen {
            state: without_lease(seen),
            ..seen.clone()
        };
        Ok(lease::note(self.store, &freed).await?.then_some(freed.state))
    }

    /// Of a holder that may live: the stage is ours until that one begins no call any more, so that nobody else works on it
    /// meanwhile.
    async fn depose(&self, seen: &mut Seen, holder: &Holder) -> Result<Option<State>, Failure> {
        let _holding = self.session.stop.holding();
        let Some(mut held) = lease::take(self.store, seen, holder).await? else {
            return Ok(None);
        };
        let line = format!(
            "the stage is taken, and kept closed for {} s: its former holder may begin calls until then, if it lives",
            CLOSED.as_secs()
        );
        self.session.host.note(Ink::Careful, &line);
        let mut state = seen.state.clone();
        let closed = standing::keep_closed(&mut held, &mut state).await;
        let freed = match closed {
            Ok(()) => held.give_back(&mut state).await,
            Err(lost) => Err(lost),
        };
        freed.map_err(|error| {
            Failure::from(error)
                .now("the lease of the holder that was shown is off, and ours is perhaps on: it runs out by itself")
        })?;
        Ok(Some(state))
    }
}

/// The same stage, held by nobody. What was begun stays in doubt, and may come about late; the generation is another one, so
/// that nothing that the former holder writes is taken for what it may write.
fn without_lease(seen: &Seen) -> State {
    let mut state = State {
        lease: None,
        generation: seen.state.generation + 1,
        ..seen.state.clone()
    };
    if let Some(clock) = seen.clock {
        state.expect_late(clock.now());
    }
    state
}

/// Watches a holder so that people see it.
struct Watching<'a> {
    session: &'a Session<'a>,
    is_told: bool,
}

#[async_trait(?Send)]
impl Waiting for Watching<'_> {
    fn told(&mut self, lease: &Lease) {
        if !self.is_told {
            let line = format!(
                "watching for {} s at most whether {} still renews its lease",
                LEASE.as_secs(),
                lease.holder
            );
            self.session.host.note(Ink::Careful, &line);
            self.is_told = true;
        }
    }

    async fn life(&mut self, lease: &Lease) -> Life {
        life(self.session, lease).await
    }
}

fn free_already(session: &Session<'_>, state: &State) {
    let (app, stage) = (&state.app, &state.stage);
    let doubts = match listed(state) {
        None => String::new(),
        Some(doubts) => format!("In doubt is {doubts}: the next run looks at it first.\n"),
    };
    session.host.say(&format!(
        "Nobody holds stage `{stage}` of app `{app}`: nothing to free.\n{doubts}"
    ));
    answer(session, (state, "unchanged"), None);
}

fn answer(session: &Session<'_>, (state, outcome): (&State, &str), freed_from: Option<&Lease>) {
    let lease = freed_from.map(|lease| {
        let Lease {
            holder,
            purpose,
            since,
            run,
            ..
        } = lease;
        json!({"holder": holder, "purpose": purpose, "since": since, "run": run})
    });
    session.host.answer(&json!({
        "app": state.app,
        "stage": state.stage,
        "outcome": outcome,
        "lease": lease,
        "in_doubt": in_doubt(state),
        "generation": state.generation,
    }));
}

/// The lease that was shown is not there any more: nobody's else is touched.
async fn over(session: &Session<'_>, store: &dyn Store, (app, stage): (&AppName, &StageName)) -> Result<(), Failure> {
    let Some(now) = lease::read(store, Some(app), stage).await? else {
        return Err(unrecorded(app, stage));
    };
    let Some(other) = now.state.lease.clone() else {
        free_already(session, &now.state);
        return Ok(());
    };
    let look = format!("`stagewright unlock --stage {stage}` shows that one");
    Err(held(stage, other)
        .hint(look)
        .now("the holder that was shown is gone, another one has come, and nothing was changed"))
}

fn lives(stage: &StageName, lease: Lease) -> Failure {
    held(stage, lease)
        .hint("wait for it: it gives the stage back by itself, and whoever wants the stage meanwhile waits for it, too")
        .hint(
            "if it must not go on, `--force` frees the stage though its holder lives: that one then stops with exit code 4, and \
             records nothing",
        )
        .now("the holder lives, and nothing was changed")
}

/// A stage that is held; the hints of other commands would lead back to here.
fn held(stage: &StageName, lease: Lease) -> Failure {
    let held = Error::Held {
        stage: stage.clone(),
        lease: Box::new(lease),
    };
    Failure {
        hints: Vec::new(),
        ..Failure::from(held)
    }
}

/// What is in doubt, for people; `None` where nothing is.
fn listed(state: &State) -> Option<String> {
    let doubts: Vec<String> = in_doubt(state).iter().map(ToString::to_string).collect();
    (!doubts.is_empty()).then(|| doubts.join(", "))
}

fn show(session: &Session<'_>, state: &State, lease: &Lease) {
    let tell = |line: String| session.host.progress(Ink::Faint, &line);
    session.host.progress(
        Ink::Careful,
        &format!("Stage `{}` of app `{}` is held", state.stage, state.app),
    );
    tell(format!("  by        {} ({})", lease.holder, lease.purpose));
    let age = age(session.now.since(lease.since));
    tell(format!("  since     {}, {age} ago", lease.since));
    if let Some(run) = run(session, state, lease) {
        tell(format!("  run       {run}"));
    }
    let doubts = listed(state).unwrap_or_else(|| "nothing".to_owned());
    tell(format!("  in doubt  {doubts}"));
}

/// Where people can look at the run of a holder.
fn run(session: &Session<'_>, state: &State, lease: &Lease) -> Option<String> {
    let recorded = state.last.as_ref().filter(|last| last.at == lease.since);
    if let Some(url) = recorded.and_then(|last| last.run.clone()) {
        return Some(url);
    }
    let run = lease.run.as_ref()?;
    let server = session.environment.get("GITHUB_SERVER_URL");
    let server = server.map_or("https://github.com", |server| server.trim_end_matches('/'));
    Some(format!(
        "{server}/{}/actions/runs/{}/attempts/{}",
        run.repository, run.id, run.attempt
    ))
}

/// What becomes of a holder that lives.
fn warn(session: &Session<'_>) {
    let note = format!(
        "note: if its holder lives, it may begin calls until it notices: for {} s at most, or {} s where it was stopped; so \
         long the stage is kept closed. It records nothing, and ends with exit code 4. What it has begun is looked at by the \
         next run, and once more {} minutes later",
        lease::RENEWAL.as_secs(),
        CLOSED.as_secs(),
        crate::state::LATE.div_duration_f64(Duration::from_mins(1)),
    );
    session.host.note(Ink::Careful, &note);
}

fn told(session: &Session<'_>, state: &State, shown: &Lease) {
    let next = match state.in_doubt.is_empty() {
        true => String::new(),
        false => format!(
            " What is in doubt is looked at first by the next run: `stagewright deploy --stage {}`",
            state.stage
        ),
    };
    session.host.progress(
        Ink::Good,
        &format!("Stage `{}` of app `{}` is free.{next}", state.stage, state.app),
    );
    answer(session, (state, "unlocked"), Some(shown));
}
