//! The lease of a stage: to wait for it, take it, renew it, and give it back.

use std::time::Duration;

use boot_time::Instant;

use super::chalice::{self, Expected};
use super::store::{Condition, Store, Stored, Version};
use super::{Error, Lease, State};
use crate::fault::{Certainty, FaultKind};
use crate::hold::Hold;
use crate::names::{AppName, StageName, Timestamp};

/// How long a lease lasts after its last renewal.
pub const LEASE: Duration = Duration::from_secs(30);

/// How often it is renewed.
pub const RENEWAL: Duration = Duration::from_secs(6);

/// How often a stage that somebody else holds is looked at.
const GLANCE: Duration = Duration::from_secs(2);

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
}

/// A stage's object as it was last seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The state; a new one where there is no object.
    pub state: State,
    /// Its version; `None` where there is no object.
    pub version: Option<Version>,
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
    }))
}

/// Reads a stage's state, and while somebody else holds it, waits: until it is free, or until its object has been silent for
/// a whole lease on our own clock, so that the holder must be dead.
///
/// # Errors
///
/// [`Error::Held`] where that takes longer than `patience`.
pub async fn free(
    store: &dyn Store,
    (app, stage): (&AppName, &StageName),
    patience: Duration,
    mut waiting: impl FnMut(&Lease),
) -> Result<Seen, Error> {
    let began = Instant::now();
    let mut silent: Option<(Version, Instant)> = None;
    loop {
        let new = || Seen {
            state: State::new(app.clone(), stage.clone(), new_mark()),
            version: None,
        };
        let seen = read(store, Some(app), stage).await?.unwrap_or_else(new);
        let (Some(lease), Some(version)) = (&seen.state.lease, &seen.version) else {
            return Ok(seen);
        };
        match &silent {
            Some((before, since)) if before == version && since.elapsed() > LEASE => return Ok(seen),
            Some((before, _)) if before == version => {}
            Some(_) | None => silent = Some((version.clone(), Instant::now())),
        }
        if began.elapsed() >= patience {
            return Err(Error::Held {
                stage: stage.clone(),
                lease: Box::new(lease.clone()),
            });
        }
        waiting(lease);
        pause(GLANCE).await;
    }
}

/// A lease that is ours: who has it may write the stage's state, and nobody else.
pub struct Held<'a> {
    store: &'a dyn Store,
    lease: Lease,
    version: Version,
    hold: Hold,
    next_renewal: Instant,
}

/// Takes the lease and writes what the state says to be in doubt, in one write.
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
    };
    let mut state = seen.state.clone();
    state.generation += 1;
    state.lease = Some(lease.clone());
    let condition = seen.version.clone().map_or(Condition::Absent, Condition::Unchanged);
    let sent = Instant::now();
    let version = match write(store, &state, &condition, Some(&holder.mark)).await {
        Ok(version) => version,
        Err(Error::Deposed { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    tracing::info!(stage = %state.stage, generation = state.generation, "lease taken");
    seen.state = state;
    seen.version = Some(version.clone());
    Ok(Some(Held {
        store,
        lease,
        version,
        hold: Hold::until(sent + LEASE),
        next_renewal: sent + RENEWAL,
    }))
}

impl Held<'_> {
    /// The hold that every mutating call asks.
    pub fn hold(&self) -> &Hold {
        &self.hold
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

    /// Does some work, and renews the lease while it lasts.
    ///
    /// # Errors
    ///
    /// As [`Held::renew`]; the work is then not done to its end.
    pub async fn while_working<T>(&mut self, state: &mut State, work: impl Future<Output = T>) -> Result<T, Error> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = self.renewal_due() => self.renew(state).await?,
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
        self.write(state).await?;
        tracing::info!(stage = %state.stage, "lease given back");
        Ok(())
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
            Ok(version) => {
                self.version = version;
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
async fn write(store: &dyn Store, state: &State, condition: &Condition, mark: Option<&str>) -> Result<Version, Error> {
    let body = chalice::render(state);
    let mut condition = condition.clone();
    let mut pauses = [300, 900, 2000].map(Duration::from_millis).into_iter();
    loop {
        let fault = match store.write(&state.stage, body.clone(), &condition).await {
            Ok(version) => return Ok(version),
            Err(fault) => fault,
        };
        let is_final = fault.certainty == Certainty::DidNotHappen;
        if is_final && !matches!(fault.kind, FaultKind::Condition | FaultKind::Throttled) {
            return Err(fault.into());
        }
        match store.read(&state.stage).await {
            Ok(Some(found)) if found.body == body => return Ok(found.version),
            Ok(found) if is_as_before(&condition, found.as_ref()) => {}
            Ok(Some(found)) if is_ours(&found, state, mark) => condition = Condition::Unchanged(found.version),
            Ok(_) => {
                return Err(Error::Deposed {
                    stage: state.stage.clone(),
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
    let expected = Expected {
        app: None,
        stage: &state.stage,
        object: "",
    };
    let found = chalice::parse(&found.body, expected, String::new());
    found.is_ok_and(|found| {
        let theirs = found.lease.as_ref().map(|lease| lease.mark.as_str());
        mark.is_some() && theirs == mark && found.generation == state.generation
    })
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
    reason = "these are the loops with a deadline of the lease"
)]
async fn pause(pause: Duration) {
    tokio::time::sleep(pause).await;
}
