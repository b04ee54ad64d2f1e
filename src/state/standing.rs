//! Whether who holds a stage lives, as it is seen by somebody who does not want the stage.

use std::time::Duration;

use boot_time::Instant;

use super::lease::{self, GLANCE, Held, LEASE, Seen, Waiting, pause};
use super::store::{Store, Version};
use super::takeover::{self, Life, SILENCE, Watch};
use super::{Error, Lease, State};
use crate::names::{AppName, StageName};

/// What became of a lease while it was watched.
#[derive(Debug)]
pub enum Standing {
    /// Its holder counts as dead.
    Dead,
    /// Its holder lives.
    Alive,
    /// It is not there any more, or another one is.
    Over,
}

/// How one lease stands to what is seen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Still {
    /// It stands.
    There,
    /// It does not.
    Gone,
}

impl Still {
    /// Whether the lease that bears a mark stands in what is seen.
    pub fn of(mark: &str, seen: Option<&Seen>) -> Self {
        let stands = seen.and_then(|seen| seen.state.lease.as_ref());
        match stands.is_some_and(|stands| stands.mark == mark) {
            true => Self::There,
            false => Self::Gone,
        }
    }
}

/// Watches the lease of a stage until its holder [counts as dead](takeover::may_take), or shows that it lives: the host says
/// so, or it writes. That takes as long as a lease at most.
///
/// # Errors
///
/// The state cannot be read.
pub async fn watch(
    store: &dyn Store,
    (app, stage): (&AppName, &StageName),
    lease: &Lease,
    waiting: &mut dyn Waiting,
) -> Result<Standing, Error> {
    let life = waiting.life(lease).await;
    if life == Life::Alive {
        return Ok(Standing::Alive);
    }
    let mut watch = Watch::default();
    loop {
        let seen = lease::read(store, Some(app), stage).await?;
        let (Still::There, Some(seen)) = (Still::of(&lease.mark, seen.as_ref()), &seen) else {
            return Ok(Standing::Over);
        };
        let renewals = seen.state.lease.as_ref().map(|lease| lease.renewals);
        let (Some(version), true) = (&seen.version, renewals == Some(lease.renewals)) else {
            return Ok(Standing::Alive);
        };
        if takeover::may_take(watch.silence(version, Instant::now()), life) {
            return Ok(Standing::Dead);
        }
        waiting.told(lease);
        pause(GLANCE).await;
    }
}

/// Whether nobody writes the object of a stage for a whole lease, be it of a format that we cannot read.
///
/// # Errors
///
/// The object cannot be read.
pub async fn is_silent(store: &dyn Store, stage: &StageName, version: &Version) -> Result<bool, Error> {
    let mut watch = Watch::default();
    while watch.silence(version, Instant::now()) <= LEASE {
        pause(GLANCE).await;
        let now = store.read(stage).await?.map(|stored| stored.version);
        if now.as_ref() != Some(version) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// For how long a stage is kept closed that was taken from a holder which may live. One that was only stopped may wake up with
/// a lease that lasts, and begins no call behind this any more.
pub const CLOSED: Duration = SILENCE;

/// Keeps a stage closed that was just taken from a holder which may live, until that one begins no call any more. What it had
/// begun may come about late, from then on.
///
/// # Errors
///
/// Those of [`Held::while_working`].
pub async fn keep_closed(held: &mut Held<'_>, state: &mut State) -> Result<(), Error> {
    held.while_working(state, pause(CLOSED)).await?;
    state.expect_late(held.now());
    Ok(())
}
