//! What the store's clock says, as exactly as answers that name whole seconds can tell.
//!
//! An answer that was sent at some second bounds the difference of the store's clock and ours from both sides; answers of
//! several moments leave less room between the bounds. Pure: our own clock is passed in.

use std::time::Duration;

/// The difference of the store's clock and ours lies between two bounds, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    bounds: Option<(i64, i64)>,
}

/// What the store's clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// At least so late it is, in milliseconds since 1970.
    pub earliest_ms: i64,
    /// It may be later, by so much at most.
    pub unknown_ms: i64,
}

impl Clock {
    /// Takes note of an answer: when by our clock it was asked for and had come, and what second it named. `coarse` is how long
    /// what it named is true.
    pub fn learn(&mut self, (asked_ms, came_ms): (i64, i64), named_ms: i64, coarse: Duration) {
        let coarse_ms = i64::try_from(coarse.as_millis()).unwrap_or(i64::MAX);
        let new = (named_ms - came_ms, named_ms + coarse_ms - asked_ms);
        let both = self.bounds.map_or(new, |(low, high)| (low.max(new.0), high.min(new.1)));
        // Bounds that cross are of a clock that was set meanwhile: the last answer counts.
        self.bounds = Some(if both.0 <= both.1 { both } else { new });
    }

    /// What it says when ours says `local_ms`; `None` before the first answer.
    pub fn now(self, local_ms: i64) -> Option<Now> {
        let (low, high) = self.bounds?;
        Some(Now {
            earliest_ms: local_ms + low,
            unknown_ms: high - low,
        })
    }

    /// Our time at which it says `store_ms` at the latest: then it says at least that.
    pub fn local(self, store_ms: i64) -> Option<i64> {
        self.bounds.map(|(low, _)| store_ms - low)
    }

    /// How long from `local_ms` until an answer would tell most: when, by what is known, its second changes.
    pub fn telling(self, local_ms: i64) -> Duration {
        let Some((low, high)) = self.bounds else {
            return Duration::ZERO;
        };
        let middle_ms = local_ms + low + (high - low) / 2;
        let left_ms = 1_000 - middle_ms.rem_euclid(1_000);
        Duration::from_millis(u64::try_from(left_ms).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What a store says whose clock is ahead of ours by so much, after the request was on its way for so long.
    fn answer(ahead_ms: i64, asked_ms: i64, way_ms: i64) -> ((i64, i64), i64) {
        let stamped = asked_ms + way_ms + ahead_ms;
        ((asked_ms, asked_ms + 2 * way_ms), stamped - stamped.rem_euclid(1_000))
    }

    proptest! {
        #[test]
        fn the_truth_lies_between_the_bounds_whatever_the_answers(
            ahead_ms in -5_000_000_i64..5_000_000,
            asked in proptest::collection::vec((0_i64..20_000, 0_i64..400), 1..8),
        ) {
            let mut clock = Clock::default();
            for (asked_ms, way_ms) in asked {
                let (when, named) = answer(ahead_ms, asked_ms, way_ms);
                clock.learn(when, named, SECOND);
                let now = clock.now(30_000).unwrap();
                let truth = 30_000 + ahead_ms;
                prop_assert!(now.earliest_ms <= truth && truth <= now.earliest_ms + now.unknown_ms);
            }
        }

        #[test]
        fn four_answers_at_telling_moments_leave_less_than_a_quarter_of_a_second(ahead_ms in -5_000_000_i64..5_000_000) {
            let mut clock = Clock::default();
            let mut local_ms = 0;
            for _ in 0..4 {
                let (when, named) = answer(ahead_ms, local_ms, 20);
                clock.learn(when, named, SECOND);
                local_ms = when.1 + i64::try_from(clock.telling(when.1).as_millis()).unwrap();
            }
            let now = clock.now(local_ms).unwrap();
            prop_assert!(now.unknown_ms < 250, "{now:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_believed_as_it_is_now() {
        let mut clock = Clock::default();
        clock.learn((0, 10), 50_000, SECOND);
        clock.learn((20, 30), 90_000, SECOND);
        assert_eq!(clock.now(30).unwrap().earliest_ms, 90_000);
    }
}
