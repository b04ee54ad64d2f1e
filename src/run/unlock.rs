//! `unlock`: frees a stage whose holder is dead before the next run would, by hand. It is never needed: see `state::takeover`.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::destroy::Consent;
use super::holding::life;
use super::{Recorded, Session, recorded};
use crate::error::Failure;
use crate::host::{Ink, terminal};
use crate::names::{AppName, StageName};
use crate::report::history;
use crate::state::lease::{self, LEASE, Seen, Waiting};
use crate::state::standing::{self, Standing, Still};
use crate::state::store::Store;
use crate::state::takeover::Life;
use crate::state::{Error, Intent, Lease, State};

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
/// The holder lives, or another one has come; nobody said yes; the state cannot be read or written.
pub async fn unlock(session: &Session<'_>, stage: &StageName, wishes: (Force, Consent)) -> Result<(), Failure> {
    let Recorded { app, store, .. } = recorded(session).await?;
    let (store, of) = (store.as_ref(), (&app, stage));
    let Some(seen) = lease::read(store, Some(&app), stage).await? else {
        return free_already(session, of, None);
    };
    let Some(shown) = seen.state.lease.clone() else {
        return free_already(session, of, Some(&seen.state));
    };
    show(session, &seen.state, &shown);
    let (force, consent) = wishes;
    if consent == Consent::ToBeAsked && !terminal::is_attended() {
        let unasked = Failure::input(format!("`unlock` of stage `{stage}` was not confirmed"));
        return Err(unasked.hint("give `--yes` where nobody can be asked").now(UNTOUCHED));
    }
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
    confirm(session, &seen.state, wishes)?;
    let free = Free {
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

const UNTOUCHED: &str = "nothing was changed";

/// A lease that is to be taken off a stage.
struct Free<'a> {
    store: &'a dyn Store,
    of: (&'a AppName, &'a StageName),
    shown: Lease,
    force: Force,
}

impl Free<'_> {
    /// Takes the lease off by compare-and-set. `None` where it is gone, or another one is there.
    async fn free(&self, mut seen: Seen) -> Result<Option<State>, Failure> {
        for _ in 0..TRIES {
            let state = without_lease(&seen);
            let freed = Seen { state, ..seen };
            if lease::note(self.store, &freed).await? {
                return Ok(Some(freed.state));
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

fn free_already(
    session: &Session<'_>,
    (app, stage): (&AppName, &StageName),
    state: Option<&State>,
) -> Result<(), Failure> {
    let in_doubt = state.map(in_doubt).unwrap_or_default();
    let text = match in_doubt.as_slice() {
        [] => String::new(),
        doubts => format!("In doubt is {}: the next run looks at it first.\n", doubts.join(", ")),
    };
    session.host.say(&format!(
        "Nobody holds stage `{stage}` of app `{app}`: nothing to free.\n{text}"
    ));
    session.host.answer(&json!({
        "app": app,
        "stage": stage,
        "outcome": "unchanged",
        "lease": null,
        "in_doubt": in_doubt,
    }));
    Ok(())
}

/// The lease that was shown is not there any more: nobody's else is touched.
async fn over(session: &Session<'_>, store: &dyn Store, of: (&AppName, &StageName)) -> Result<(), Failure> {
    let now = lease::read(store, Some(of.0), of.1).await?;
    match now.as_ref().and_then(|now| now.state.lease.clone()) {
        None => free_already(session, of, now.as_ref().map(|now| &now.state)),
        Some(other) => {
            let held = Failure::from(Error::Held {
                stage: of.1.clone(),
                lease: Box::new(other),
            });
            Err(held.now("the holder that was shown is gone, another one has come, and nothing was changed"))
        }
    }
}

fn lives(stage: &StageName, lease: Lease) -> Failure {
    let held = Failure::from(Error::Held {
        stage: stage.clone(),
        lease: Box::new(lease),
    });
    held.hint(
        "`--force` frees the stage though its holder lives: that one then stops with exit code 4, and records nothing",
    )
    .now("the holder lives, and nothing was changed")
}

fn in_doubt(state: &State) -> Vec<String> {
    let doubt = |intent| match intent {
        Intent::Create => "create",
        Intent::Update => "update",
        Intent::Delete => "delete",
    };
    let doubts = state.in_doubt.iter();
    doubts
        .map(|(address, begun)| format!("{address} ({})", doubt(begun.intent)))
        .collect()
}

fn show(session: &Session<'_>, state: &State, lease: &Lease) {
    let tell = |line: String| session.host.progress(Ink::Faint, &line);
    session.host.progress(
        Ink::Careful,
        &format!("Stage `{}` of app `{}` is held", state.stage, state.app),
    );
    tell(format!("  by        {} ({})", lease.holder, lease.purpose));
    let age = history::age(session.now.since(lease.since));
    tell(format!("  since     {}, {age} ago", lease.since));
    if let Some(run) = run(session, state, lease) {
        tell(format!("  run       {run}"));
    }
    let in_doubt = in_doubt(state);
    let doubts = match in_doubt.as_slice() {
        [] => "nothing".to_owned(),
        doubts => doubts.join(", "),
    };
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

fn confirm(session: &Session<'_>, state: &State, (force, consent): (Force, Consent)) -> Result<(), Failure> {
    let (stage, app) = (&state.stage, &state.app);
    if force == Force::Depose {
        let note = format!(
            "note: if its holder lives, it notices within {} s, makes no further change, records nothing, and ends with exit \
             code 4; what it has begun is looked at by the next run, and once more {} minutes later",
            lease::RENEWAL.as_secs(),
            crate::state::LATE.div_duration_f64(Duration::from_mins(1)),
        );
        session.host.note(Ink::Careful, &note);
    }
    if consent == Consent::Given {
        return Ok(());
    }
    let question =
        format!("This frees stage `{stage}` of app `{app}` from its holder.\nType the stage's name to go on: ");
    match session.host.asks_for(&question, stage.as_str()) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::input("that is not the stage's name").now(UNTOUCHED)),
        None => Err(Failure::input(format!("`unlock` of stage `{stage}` was not confirmed"))
            .hint("give `--yes` where nobody can be asked")
            .now(UNTOUCHED)),
    }
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
    session.host.answer(&json!({
        "app": state.app,
        "stage": state.stage,
        "outcome": "unlocked",
        "lease": shown,
        "in_doubt": in_doubt(state),
        "generation": state.generation,
    }));
}
