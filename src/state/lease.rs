//! The lease of a stage: to wait for it, take it, renew it, and give it back.

use std::time::Duration;

use async_trait::async_trait;
use boot_time::Instant;

use super::chalice::{self, Expected};
use super::store::{Condition, Store, Stored, Version, Written};
use super::takeover::{self, Life, SILENCE, Watch};
use super::{Error, HostRun, Lease, State};
use crate::fault::{Certainty, FaultKind};
use crate::hold::Hold;
use crate::names::{AppName, StageName, Timestamp};

/// How long a lease lasts after its last renewal.
pub const LEASE: Duration = Duration::from_secs(30);

/// How often it is renewed.
pub const RENEWAL: Duration = Duration::from_secs(6);

/// How often a stage that somebody else holds is looked at.
pub(super) const GLANCE: Duration = Duration::from_secs(2);

/// How often it is asked whether the holder lives.
const QUESTION: Duration = Duration::from_secs(10);

/// Who takes a lease, and what for.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Random number of this process.
    pub mark: String,
    /// Who it is, for people.
    pub name: String,
    /// What for: `deploy`, `destroy`.
    pub purpose: &'static str,
    /// When the run began.
    pub since: Timestamp,
    /// The run of the host, if it is one.
    pub run: Option<HostRun>,
}

/// A stage's object as it was last seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The state; a new one where there is no object.
    pub state: State,
    /// Its version; `None` where there is no object.
    pub version: Option<Version>,
    /// The store's clock; `None` where there is no object.
    pub clock: Option<Clock>,
}

/// The clock of a store, as it was when an object was read, carried on by our own.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    at: Timestamp,
    read: Instant,
}

impl Clock {
    /// What the store's clock says now.
    pub fn now(self) -> Timestamp {
        self.at.after(self.read.elapsed())
    }
}

impl Seen {
    /// A stage that has no object.
    pub fn new(app: AppName, stage: StageName) -> Self {
        Self {
            state: State::new(app, stage, new_mark()),
            version: None,
            clock: None,
        }
    }

    /// As [`State::needs_a_look`], by the store's clock.
    pub fn needs_a_look(&self) -> bool {
        self.clock.is_some_and(|clock| self.state.needs_a_look(clock.now()))
    }
}

/// Reads a stage's state.
///
/// # Errors
///
/// The store's faults, and those of [`chalice::parse`].
pub async fn read(store: &dyn Store, app: Option<&AppName>, stage: &StageName) -> Result<Option<Seen>, Error> {
    let Some(stored) = store.read(stage).await? else {
        return Ok(None);
    };
    let object = store.object(stage);
    let state = chalice::parse(
        &stored.body,
        Expected {
            app,
            stage,
            object: &object,
        },
        new_mark(),
    )?;
    Ok(Some(Seen {
        state,
        version: Some(stored.version),
        clock: Some(Clock {
            at: stored.at,
            read: Instant::now(),
        }),
    }))
}

/// What is asked and told while somebody else holds a stage.
#[async_trait(?Send)]
pub trait Waiting {
    /// Tells who holds the stage, each time that it is looked at.
    fn told(&mut self, lease: &Lease);

    /// Asks whether the holder lives.
    async fn life(&mut self, lease: &Lease) -> Life;

    /// How long to wait before it is looked at again.
    fn glance(&self) -> Duration {
        GLANCE
    }
}

/// Reads a stage's state, and while somebody else holds it, waits: until it is free, or until the holder
/// [must be dead](takeover::may_take).
///
/// # Errors
///
/// [`Error::Held`] where that takes longer than `patience`.
pub async fn free(
    store: &dyn Store,
    (app, stage): (&AppName, &StageName),
    patience: Duration,
    waiting: &mut dyn Waiting,
) -> Result<Seen, Error> {
    let began = Instant::now();
    let mut watch = Watch::default();
    let mut answer: Option<(Life, Instant)> = None;
    loop {
        let new = || Seen::new(app.clone(), stage.clone());
        let seen = read(store, Some(app), stage).await?.unwrap_or_else(new);
        let (Some(lease), Some(version)) = (&seen.state.lease, &seen.version) else {
            return Ok(seen);
        };
        let silence = watch.silence(version, Instant::now());
        if silence.is_zero() {
            answer = None;
        }
        let is_old = answer.is_none_or(|(_, asked)| asked.elapsed() >= QUESTION);
        if silence > SILENCE && is_old {
            answer = Some((waiting.life(lease).await, Instant::now()));
        }
        if takeover::may_take(silence, answer.map_or(Life::Unknown, |(life, _)| life)) {
            tracing::info!(%stage, holder = lease.holder, silent_s = silence.as_secs(), "the holder is dead");
            return Ok(seen);
        }
        if began.elapsed() >= patience {
            return Err(Error::Held {
                stage: stage.clone(),
                lease: Box::new(lease.clone()),
            });
        }
        waiting.told(lease);
        pause(waiting.glance()).await;
    }
}

/// A lease that is ours: who has it may write the stage's state, and nobody else.
pub struct Held<'a> {
    store: &'a dyn Store,
    lease: Lease,
    version: Version,
    hold: Hold,
    next_renewal: Instant,
    clock: Clock,
}

/// Takes the lease and writes what the state says to be in doubt, in one write. Where a dead holder has it, what that one had
/// begun may still come about, and is written down so.
///
/// Returns `None` where somebody else was faster: read and plan again.
///
/// # Errors
///
/// The store's faults, once it is known that the write did not happen.
pub async fn take<'a>(store: &'a dyn Store, seen: &mut Seen, holder: &Holder) -> Result<Option<Held<'a>>, Error> {
    let lease = Lease {
        mark: holder.mark.clone(),
        holder: holder.name.clone(),
        purpose: holder.purpose.to_owned(),
        since: holder.since,
        renewals: 0,
        run: holder.run.clone(),
    };
    let mut state = seen.state.clone();
    state.generation += 1;
    if let (Some(_), Some(clock)) = (state.lease.replace(lease.clone()), seen.clock) {
        state.expect_late(clock.now());
    }
    let condition = seen.version.clone().map_or(Condition::Absent, Condition::Unchanged);
    let sent = Instant::now();
    let written = match write(store, &state, &condition, Some(&holder.mark)).await {
        Ok(written) => written,
        Err(Error::Deposed { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    tracing::info!(stage = %state.stage, generation = state.generation, "lease taken");
    seen.state = state;
    seen.version = Some(written.version.clone());
    let clock = clock(&written, seen.clock);
    Ok(Some(Held {
        store,
        lease,
        version: written.version,
        hold: Hold::until(sent + LEASE),
        next_renewal: sent + RENEWAL,
        clock,
    }))
}

/// The clock of a store that was just written to. One that tells no time goes by what it said when it was read, and else is
/// so old that all is due.
fn clock(written: &Written, read: Option<Clock>) -> Clock {
    let now = |at| Clock {
        at,
        read: Instant::now(),
    };
    let old = || now(Timestamp::new(jiff::Timestamp::UNIX_EPOCH));
    written.at.map(now).or(read).unwrap_or_else(old)
}

impl Held<'_> {
    /// The hold that every mutating call asks.
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// What the store's clock says now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until the next renewal is due.
    pub async fn renewal_due(&self) {
        pause(self.next_renewal.saturating_duration_since(Instant::now())).await;
    }

    /// Writes the state as it now is, and renews the lease with it.
    ///
    /// # Errors
    ///
    /// [`Error::Deposed`]: somebody else has the stage, and the hold is lost. A fault of the store: the lease was perhaps not
    /// renewed, and runs out unless a later renewal comes through.
    pub async fn renew(&mut self, state: &mut State) -> Result<(), Error> {
        self.lease.renewals += 1;
        state.lease = Some(self.lease.clone());
        let sent = Instant::now();
        self.next_renewal = sent + RENEWAL;
        self.write(state).await?;
        self.hold.extend(sent + LEASE);
        tracing::debug!(stage = %state.stage, renewals = self.lease.renewals, "lease renewed");
        Ok(())
    }

    /// As [`Held::renew`], where a renewal is due.
    ///
    /// # Errors
    ///
    /// As [`Held::renew`].
    pub async fn renew_if_due(&mut self, state: &mut State) -> Result<(), Error> {
        match Instant::now() < self.next_renewal {
            true => Ok(()),
            false => self.renew(state).await,
        }
    }

    /// Does some work, and renews the lease while it lasts. A renewal that fails is tried again.
    ///
    /// # Errors
    ///
    /// [`Error::Deposed`]; the work is then not done to its end.
    pub async fn while_working<T>(&mut self, state: &mut State, work: impl Future<Output = T>) -> Result<T, Error> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = self.renewal_due() => match self.renew(state).await {
                    Err(lost @ Error::Deposed { .. }) => return Err(lost),
                    Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
                    Ok(()) => {}
                },
            }
        }
    }

    /// Writes the state for the last time, and gives the lease back with it.
    ///
    /// # Errors
    ///
    /// As [`Held::renew`].
    pub async fn give_back(mut self, state: &mut State) -> Result<(), Error> {
        state.lease = None;
        match self.write(state).await {
            // Nobody takes a stage that was given back but from what we wrote.
            Err(lost @ Error::Deposed { .. }) if !self.was_recorded(state).await => return Err(lost),
            Err(Error::Deposed { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        tracing::info!(stage = %state.stage, "lease given back");
        Ok(())
    }

    /// Whether our last write happened, though its answer was lost and somebody else has taken the stage since: then what we
    /// wrote of our run is part of what stands.
    async fn was_recorded(&self, state: &State) -> bool {
        let Ok(Some(found)) = self.store.read(&state.stage).await else {
            return false;
        };
        parsed(&found, &state.stage).is_some_and(|found| found.remembers(state))
    }

    async fn write(&mut self, state: &State) -> Result<(), Error> {
        match write(
            self.store,
            state,
            &Condition::Unchanged(self.version.clone()),
            Some(&self.lease.mark),
        )
        .await
        {
            Ok(written) => {
                self.version = written.version;
                Ok(())
            }
            Err(error) => {
                if matches!(error, Error::Deposed { .. }) {
                    self.hold.lose();
                }
                Err(error)
            }
        }
    }
}

/// Records in the state of a stage that nobody holds what needs no lease: nothing in AWS changes with it.
///
/// Returns whether it was written; it is not where somebody holds the stage, or was faster.
///
/// # Errors
///
/// The store's faults.
pub async fn note(store: &dyn Store, seen: &Seen) -> Result<bool, Error> {
    if seen.state.lease.is_some() {
        return Ok(false);
    }
    let condition = seen.version.clone().map_or(Condition::Absent, Condition::Unchanged);
    match write(store, &seen.state, &condition, None).await {
        Ok(_) => Ok(true),
        Err(Error::Deposed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One conditional write. Where it may have happened, a look tells: what stands is then ours to the byte, or bears our mark
/// from a write whose answer was lost, or is as it was, so that the write is tried again; or it is somebody else's.
async fn write(store: &dyn Store, state: &State, condition: &Condition, mark: Option<&str>) -> Result<Written, Error> {
    let body = chalice::render(state);
    let mut condition = condition.clone();
    let mut pauses = [300, 900, 2000].map(Duration::from_millis).into_iter();
    loop {
        let fault = match store.write(&state.stage, body.clone(), &condition).await {
            Ok(written) => return Ok(written),
            Err(fault) => fault,
        };
        let is_final = fault.certainty == Certainty::DidNotHappen;
        if is_final && !matches!(fault.kind, FaultKind::Condition | FaultKind::Throttled) {
            return Err(fault.into());
        }
        match store.read(&state.stage).await {
            Ok(Some(Stored {
                body: stands,
                version,
                at,
            })) if stands == body => return Ok(Written { version, at: Some(at) }),
            Ok(found) if is_as_before(&condition, found.as_ref()) => {}
            Ok(Some(found)) if is_ours(&found, state, mark) => condition = Condition::Unchanged(found.version),
            Ok(found) => {
                return Err(Error::Deposed {
                    stage: state.stage.clone(),
                    by: found.and_then(|found| holder_of(&found, &state.stage)).map(Box::new),
                });
            }
            Err(unread) => tracing::debug!(%unread, "the look after a write failed"),
        }
        let Some(next) = pauses.next() else {
            return Err(fault.into());
        };
        tracing::info!(%fault, "writing the state again");
        pause(next).await;
    }
}

fn is_as_before(condition: &Condition, found: Option<&Stored>) -> bool {
    match condition {
        Condition::Absent => found.is_none(),
        Condition::Unchanged(version) => found.is_some_and(|found| found.version == *version),
    }
}

/// Whether what stands was written under the very lease with which we write.
fn is_ours(found: &Stored, state: &State, mark: Option<&str>) -> bool {
    parsed(found, &state.stage).is_some_and(|found| {
        let theirs = found.lease.as_ref().map(|lease| lease.mark.as_str());
        mark.is_some() && theirs == mark && found.generation == state.generation
    })
}

fn holder_of(found: &Stored, stage: &StageName) -> Option<Lease> {
    parsed(found, stage)?.lease
}

fn parsed(found: &Stored, stage: &StageName) -> Option<State> {
    let expected = Expected {
        app: None,
        stage,
        object: "",
    };
    chalice::parse(&found.body, expected, String::new()).ok()
}

/// A random number, as text, that no other process has.
pub fn new_mark() -> String {
    let mut bytes = [0u8; 16];
    // Without randomness of the system nothing here would be safe, and there is none only on broken systems.
    #[expect(clippy::expect_used, reason = "no part of the program may go on without it")]
    getrandom::fill(&mut bytes).expect("the system has no randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "these are the loops with a deadline of lease and probe"
)]
pub(super) async fn pause(pause: Duration) {
    tokio::time::sleep(pause).await;
}

#[cfg(test)]
mod tests;
