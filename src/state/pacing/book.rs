//! Reads the record of all runs, takes slots, and writes it back.

use std::cell::Cell;
use std::time::Duration;

use boot_time::Instant;

use super::clock::Clock;
use super::{Ledger, Slot, Unusable, millis};
use crate::aws::pace::{Need, Window};
use crate::fault::{Fault, FaultKind};
use crate::names::{StageName, Timestamp};
use crate::state::lease::pause;
use crate::state::store::{Condition, Store, Stored};

/// How often it is tried to be faster than all others.
const ATTEMPTS: u32 = 12;

/// The longest pause before the second attempt; each later one may be longer by as much.
const PAUSE: Duration = Duration::from_millis(150);

/// Where a slot is so far away that there is time for it, the store's clock is asked so often for how late it is.
const LOOKS: u32 = 6;

/// A slot that is no farther away is taken without another look.
const NEAR: Duration = Duration::from_millis(500);

/// So exactly the store's clock has to be known where there is time for it.
const EXACT: Duration = Duration::from_millis(100);

/// An answer names whole seconds.
const COARSE: Duration = Duration::from_secs(1);

/// The record of one account and Region, and what is known of the clock of the store that keeps it.
#[derive(Debug)]
pub struct Book {
    object: StageName,
    began: Instant,
    clock: Cell<Clock>,
}

/// What can be done next.
enum Next {
    /// The slots are ours.
    Taken(Vec<Slot>),
    /// Somebody else was faster.
    Again,
    /// There is time to find out how late it is.
    Look(Duration),
}

impl Book {
    /// The record of an account and Region. `now` is what the store's clock has just said.
    pub fn new(account: &str, region: &str, now: Timestamp) -> Self {
        let mut clock = Clock::default();
        // What somebody counted on from a whole second, and cut to one again.
        clock.learn((0, 0), now.unix_ms(), 2 * COARSE);
        Self {
            object: StageName::of_shared(&format!("pace-{account}-{region}")),
            began: Instant::now(),
            clock: Cell::new(clock),
        }
    }

    /// Reserves a window for each need. `None` where the record cannot be used, which is told in the log: nobody waits for it.
    pub async fn reserve(&self, store: &dyn Store, needs: &[Need]) -> Option<Vec<Window>> {
        let reserved = self.taken(store, needs).await;
        let why = match reserved {
            Ok(Some(slots)) => return slots.into_iter().map(|slot| self.window(slot)).collect(),
            Ok(None) => "others were faster each time, or it is of another version".to_owned(),
            Err(fault) => fault.to_string(),
        };
        let object = store.object(&self.object);
        tracing::warn!(object, why, "quotas are not shared with other runs");
        None
    }

    async fn taken(&self, store: &dyn Store, needs: &[Need]) -> Result<Option<Vec<Slot>>, Fault> {
        let (mut attempts, mut looks) = (0, LOOKS);
        while attempts < ATTEMPTS {
            let asked = self.local_ms();
            let stored = store.read(&self.object).await?;
            if let Some(stored) = &stored {
                self.learn(asked, stored.at);
            }
            match self.attempt(store, (needs, looks), stored).await? {
                Some(Next::Taken(slots)) => return Ok(Some(slots)),
                Some(Next::Look(until)) => {
                    looks -= 1;
                    pause(until).await;
                }
                Some(Next::Again) => {
                    attempts += 1;
                    pause(chance(PAUSE * attempts)).await;
                }
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// One attempt; `None` where the record is not ours to change.
    async fn attempt(
        &self,
        store: &dyn Store,
        (needs, looks): (&[Need], u32),
        stored: Option<Stored>,
    ) -> Result<Option<Next>, Fault> {
        let (mut ledger, condition) = match stored {
            None => (Ledger::default(), Condition::Absent),
            Some(stored) => match Ledger::parse(&stored.body) {
                Ok(ledger) => (ledger, Condition::Unchanged(stored.version)),
                Err(Unusable::Foreign) => return Ok(None),
                Err(Unusable::Broken) => {
                    tracing::warn!(
                        object = store.object(&self.object),
                        "the record of quotas is broken, and begun anew"
                    );
                    (Ledger::default(), Condition::Unchanged(stored.version))
                }
            },
        };
        let clock = self.clock.get();
        let Some(now) = clock.now(self.local_ms()) else {
            return Ok(None);
        };
        let slots = ledger.reserve(needs, now);
        let is_far = slots
            .iter()
            .any(|slot| slot.earliest_ms > now.earliest_ms + millis(NEAR));
        if is_far && looks > 0 && now.unknown_ms > millis(EXACT) {
            return Ok(Some(Next::Look(clock.telling(self.local_ms()))));
        }
        let Ok(body) = serde_json::to_vec_pretty(&ledger) else {
            return Ok(None);
        };
        let asked = self.local_ms();
        match store.write(&self.object, body, &condition).await {
            Ok(written) => {
                if let Some(at) = written.at {
                    self.learn(asked, at);
                }
                Ok(Some(Next::Taken(slots)))
            }
            Err(fault) if matches!(fault.kind, FaultKind::Condition | FaultKind::Conflict) => Ok(Some(Next::Again)),
            Err(fault) => Err(fault),
        }
    }

    fn learn(&self, asked_ms: i64, named: Timestamp) {
        let mut clock = self.clock.get();
        clock.learn((asked_ms, self.local_ms()), named.unix_ms(), COARSE);
        self.clock.set(clock);
    }

    fn window(&self, slot: Slot) -> Option<Window> {
        let clock = self.clock.get();
        let moment = |store_ms| {
            let local_ms = clock.local(store_ms)?.max(0);
            Some(self.began + Duration::from_millis(u64::try_from(local_ms).ok()?))
        };
        Some(Window {
            earliest: moment(slot.earliest_ms)?,
            latest: moment(slot.latest_ms)?,
        })
    }

    fn local_ms(&self) -> i64 {
        millis(self.began.elapsed())
    }
}

/// Some time up to a limit: those who met must not meet again.
fn chance(limit: Duration) -> Duration {
    let mut byte = [0u8];
    match getrandom::fill(&mut byte) {
        Ok(()) => limit * u32::from(byte[0]) / 255,
        Err(_) => limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::pace::quota::Quota;
    use crate::fault::Certainty;
    use crate::state::memory::{Manner, Memory, Strike};

    fn book() -> Book {
        Book::new("1", "eu-west-1", Timestamp::new(jiff::Timestamp::UNIX_EPOCH))
    }

    const NEEDS: [Need; 1] = [Need {
        quota: Quota::CreateDeployment,
        ready: Duration::ZERO,
        follows: None,
    }];

    #[tokio::test]
    async fn whoever_was_slower_than_another_one_takes_the_next_slot() {
        let store = Memory::default();
        store.strike(&[Strike::Conflict, Strike::Conflict]);
        assert_eq!(
            book().reserve(&store, &NEEDS).await.map(|windows| windows.len()),
            Some(1)
        );
        assert_eq!(store.calls(), 6, "three times read and written");
        let ours = book();
        let next = ours.reserve(&store, &NEEDS).await.unwrap()[0];
        assert!(next.earliest - ours.began >= Duration::from_secs(5));
        assert_eq!(store.written(&ours.object).len(), 2);
    }

    #[tokio::test]
    async fn a_store_that_refuses_or_does_not_answer_is_asked_no_second_time() {
        for kind in [FaultKind::Denied, FaultKind::Timeout] {
            for call in [1, 2] {
                let store = Memory::of(Manner::Fails(call, kind, Certainty::DidNotHappen));
                assert_eq!(book().reserve(&store, &NEEDS).await, None);
                assert_eq!(store.calls(), call);
            }
        }
    }
}
