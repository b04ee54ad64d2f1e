//! Waiting for AWS: one loop, with a deadline, that says what it last saw.

use std::ops::ControlFlow;
use std::time::Duration;

use boot_time::Instant;

use super::Clients;
use super::pace::quota::Quota;
use crate::fault::{Certainty, Fault, FaultKind};

/// What one look found.
pub enum Look<T> {
    /// It is as it should be.
    Ready(T),
    /// Not yet; what was seen instead.
    NotYet(String),
}

/// How often to look, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Pause after the first look.
    pub first: Duration,
    /// For how long the pause stays so, since that is how long it usually takes; each later one is half as long again.
    pub usual: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// When to give up.
    pub patience: Duration,
}

/// For a function that becomes active or takes an update: usually one or two seconds. Lambda answers 100 looks a second, which a
/// run keeps, and lets 15 updates begin.
pub const FUNCTION: Pace = Pace {
    first: Duration::from_millis(60),
    usual: Duration::from_secs(3),
    longest: Duration::from_millis(700),
    patience: Duration::from_secs(300),
};

/// For a new role that Lambda cannot assume yet: usually 5 to 15 seconds, sometimes over a minute. One call tries it at a time.
pub const ROLE: Pace = Pace {
    first: Duration::from_millis(200),
    usual: Duration::from_secs(20),
    longest: Duration::from_secs(1),
    patience: Duration::from_secs(150),
};

/// For an account-wide quota of API Gateway: up to one call in 30 seconds.
pub const QUOTA: Pace = Pace {
    first: Duration::from_secs(1),
    usual: Duration::ZERO,
    longest: Duration::from_secs(8),
    patience: Duration::from_secs(600),
};

/// When a wait is told to the user: what is usual passes in silence.
const TOLD_AFTER: Duration = Duration::from_secs(4);

/// Looks until what is waited for has come. A long wait is told once, with its reason.
///
/// # Errors
///
/// The look's own fault, or [`FaultKind::Timeout`] with what was last seen.
pub async fn until<T, L>(
    clients: &Clients,
    (operation, target): (&'static str, &str),
    pace: Pace,
    mut look: L,
) -> Result<T, Fault>
where
    L: AsyncFnMut() -> Result<Look<T>, Fault>,
{
    let began = Instant::now();
    let mut pause = pace.first;
    let mut is_told = false;
    loop {
        let seen = match look().await? {
            Look::Ready(found) => return Ok(found),
            Look::NotYet(seen) => seen,
        };
        if began.elapsed() + pause > pace.patience {
            return Err(Fault {
                operation,
                target: target.to_owned(),
                kind: FaultKind::Timeout,
                code: String::new(),
                message: format!("still {seen} after {} s", began.elapsed().as_secs()),
                certainty: Certainty::MayHaveHappened,
                request_id: None,
            });
        }
        tracing::info!(operation, target, seen, "waiting");
        if !is_told && began.elapsed() > TOLD_AFTER {
            is_told = true;
            (clients.tell)(&format!(
                "waiting: {operation} on `{target}` is {seen}; for up to {} s",
                pace.patience.as_secs()
            ));
        }
        let wait = clients.timeline.wait(&seen, target);
        pause_for(pause).await;
        drop(wait);
        if began.elapsed() > pace.usual {
            pause = (pause * 3 / 2).min(pace.longest);
        }
    }
}

/// Makes a call when its turn comes, and again for as long as AWS only says that there were too many of them.
///
/// # Errors
///
/// The call's own fault, throttling included when it lasts longer than [`QUOTA`] allows; [`FaultKind::Stopped`].
pub async fn throttled<T, C>(clients: &Clients, of: (&'static str, &str), call: C) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    paced(clients, Quota::slow(of.0), of, too_many, call).await
}

/// As [`throttled`], of a call that takes more or less of a quota than its operation says.
///
/// # Errors
///
/// As [`throttled`].
pub async fn throttled_by<T, C>(clients: &Clients, quota: Quota, of: (&'static str, &str), call: C) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    paced(clients, Some(quota), of, too_many, call).await
}

fn too_many(fault: &Fault) -> Option<&'static str> {
    (fault.kind == FaultKind::Throttled).then_some("throttled by AWS")
}

/// Makes a call when its turn comes, and again while its fault is one that passes: `passing` says in a word what is then seen.
/// The wait for the first turn counts for no patience.
///
/// # Errors
///
/// The call's own fault, the last one when it lasts longer than [`QUOTA`] allows; [`FaultKind::Stopped`].
pub async fn paced<T, C>(
    clients: &Clients,
    slow: Option<Quota>,
    of: (&'static str, &str),
    passing: fn(&Fault) -> Option<&'static str>,
    mut call: C,
) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    clients.pacer.turn(slow, of).await?;
    let mut last: Option<Fault> = None;
    let ended = until(clients, of, QUOTA, async || {
        if last.take().is_some() {
            clients.pacer.turn(slow, of).await?;
        }
        let fault = match call().await {
            Ok(answer) => return Ok(Look::Ready(answer)),
            Err(fault) => fault,
        };
        let Some(seen) = passing(&fault) else {
            return Err(fault);
        };
        if fault.kind == FaultKind::Throttled {
            clients.pacer.refused(slow);
        }
        last = Some(fault);
        Ok(Look::NotYet(seen.to_owned()))
    })
    .await;
    // It is forgotten when the next call begins: whose own fault is another one is told that one.
    ended.map_err(|fault| last.unwrap_or(fault))
}

/// Looks again and again, with a pause before each look, until a look breaks it off: for what a person watches, who ends it.
pub async fn again<T, L>(pause: Duration, mut look: L) -> T
where
    L: AsyncFnMut() -> ControlFlow<T>,
{
    loop {
        pause_for(pause).await;
        if let ControlFlow::Break(end) = look().await {
            return end;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the loop with a deadline that everybody else waits through"
)]
pub(super) async fn pause_for(pause: Duration) {
    tokio::time::sleep(pause).await;
}
