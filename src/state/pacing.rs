//! When the runs of an account and Region may make the calls of which AWS counts seconds: one small object beside the states,
//! which says for each quota when it is free again.
//!
//! A run reads it, takes its slots behind those of all others, and writes it back if nobody else has meanwhile. Slots are told
//! by the store's clock alone. A slot is a window: it begins where the one before it is over, and ends when the run should be
//! ready, so that whoever comes in time never waits for nobody. Pure; [`book`] reads and writes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::clock::Now;
use crate::aws::pace::Need;

pub mod book;
mod clock;

/// What we write. Another one is of a version that knows better: its record is left alone.
const FORMAT: u64 = 1;

/// A quota that is free only later than this is not believed: no queue is so long, and a wrong record must block nobody.
const ABSURD: Duration = Duration::from_mins(30);

/// Kept between two slots beside the interval: two calls of two runs are not on their way for equally long.
const MARGIN: Duration = Duration::from_millis(100);

/// What a call takes that another one of the same run waits for.
const STEP: Duration = Duration::from_secs(1);

/// When each quota is free again, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ledger {
    format: u64,
    free: BTreeMap<String, jiff::Timestamp>,
}

/// A record that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unusable {
    /// It is of another format.
    Foreign,
    /// It is no record.
    Broken,
}

/// A slot, in milliseconds of the store's clock since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    earliest_ms: i64,
    latest_ms: i64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            format: FORMAT,
            free: BTreeMap::new(),
        }
    }
}

impl Ledger {
    fn parse(body: &[u8]) -> Result<Self, Unusable> {
        #[derive(Deserialize)]
        struct Any {
            format: u64,
        }
        match serde_json::from_slice(body) {
            Ok(Any { format: FORMAT }) => serde_json::from_slice(body).map_err(|_broken| Unusable::Broken),
            Ok(Any { .. }) => Err(Unusable::Foreign),
            Err(_broken) => Err(Unusable::Broken),
        }
    }

    /// Takes a slot for each need, behind all that were taken before.
    fn reserve(&mut self, needs: &[Need], now: Now) -> Vec<Slot> {
        // What is over says nothing any more.
        self.free.retain(|_, free| free.as_millisecond() > now.earliest_ms);
        let mut slots: Vec<Slot> = Vec::new();
        for need in needs {
            let before = need.follows.and_then(|number| slots.get(number));
            let ready_ms = before.map_or(i64::MIN, |slot| slot.latest_ms + millis(STEP));
            let free_ms = self.free.get(need.quota.name()).map(|free| free.as_millisecond());
            let free_ms = free_ms.filter(|free_ms| *free_ms <= now.earliest_ms + millis(ABSURD));
            let earliest_ms = free_ms.unwrap_or(now.earliest_ms);
            let latest_ms = earliest_ms.max(now.earliest_ms + millis(need.ready)).max(ready_ms);
            let slot = Slot { earliest_ms, latest_ms };
            // The call may come later than we believe, by as much as we do not know of the store's clock.
            let over_ms = latest_ms + now.unknown_ms + millis(need.quota.interval() + MARGIN);
            if let Ok(over) = jiff::Timestamp::from_millisecond(over_ms) {
                self.free.insert(need.quota.name().to_owned(), over);
            }
            slots.push(slot);
        }
        slots
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
