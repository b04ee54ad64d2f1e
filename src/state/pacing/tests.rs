//! Promises of the record, whoever reserves in whatever order.

use proptest::prelude::*;

use super::*;
use crate::aws::pace::quota::Quota;

fn need(quota: Quota, ready_ms: u64) -> Need {
    Need {
        quota,
        ready: Duration::from_millis(ready_ms),
        follows: None,
    }
}

fn exactly(earliest_ms: i64) -> Now {
    Now {
        earliest_ms,
        unknown_ms: 0,
    }
}

fn quotas() -> impl Strategy<Value = Quota> {
    proptest::sample::select(vec![
        Quota::NewRestApi,
        Quota::NewEdgeRestApi,
        Quota::CreateDeployment,
        Quota::DeleteRestApi,
    ])
}

/// A run: how long after the one before it comes, what it needs, how well it knows the clock, and where in its window and in
/// what it does not know of the clock it really calls, in thousandths.
type Run = (i64, Vec<(Quota, u64)>, i64, i64, i64);

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let needs = proptest::collection::vec((quotas(), 0_u64..15_000), 1..4);
    proptest::collection::vec((0_i64..9_000, needs, 0_i64..1_200, 0_i64..=1_000, 0_i64..=1_000), 1..25)
}

proptest! {
    #[test]
    fn no_two_calls_are_nearer_than_the_interval_whoever_reserves_and_whenever_he_comes(runs in runs()) {
        let mut ledger = Ledger::default();
        let mut calls: BTreeMap<&str, Vec<(i64, Duration)>> = BTreeMap::new();
        let mut truth_ms = 1_700_000_000_000_i64;
        for (pause_ms, needs, unknown_ms, in_window, in_unknown) in runs {
            truth_ms += pause_ms;
            let behind_ms = unknown_ms * in_unknown / 1_000;
            let now = Now { earliest_ms: truth_ms - behind_ms, unknown_ms };
            let needs: Vec<Need> = needs.into_iter().map(|(quota, ready_ms)| need(quota, ready_ms)).collect();
            for (need, slot) in needs.iter().zip(ledger.reserve(&needs, now)) {
                prop_assert!(slot.earliest_ms <= slot.latest_ms);
                let called = slot.earliest_ms + (slot.latest_ms - slot.earliest_ms) * in_window / 1_000;
                calls.entry(need.quota.name()).or_default().push((called + behind_ms, need.quota.interval()));
            }
        }
        for (quota, calls) in calls {
            for pair in calls.windows(2) {
                let gap = pair[1].0 - pair[0].0;
                prop_assert!(gap >= millis(pair[0].1), "{quota}: {gap} ms after {:?}", pair[0]);
            }
        }
    }

    #[test]
    fn whoever_comes_first_is_served_first(runs in proptest::collection::vec(0_i64..4_000, 2..20)) {
        let mut ledger = Ledger::default();
        let mut now_ms = 0;
        let mut slots = Vec::new();
        for pause_ms in runs {
            now_ms += pause_ms;
            slots.extend(ledger.reserve(&[need(Quota::CreateDeployment, 0)], exactly(now_ms)));
        }
        prop_assert!(slots.is_sorted_by_key(|slot| slot.earliest_ms));
    }

    #[test]
    fn whatever_stands_there_nobody_waits_for_longer_than_a_long_queue(body in ".*", free in any::<i64>()) {
        let _any: Result<Ledger, Unusable> = Ledger::parse(body.as_bytes());
        let mut ledger = Ledger::default();
        if let Ok(free) = jiff::Timestamp::from_millisecond(free) {
            ledger.free.insert("DeleteRestApi".to_owned(), free);
        }
        let slot = ledger.reserve(&[need(Quota::DeleteRestApi, 0)], exactly(1_000))[0];
        prop_assert!(slot.latest_ms <= 1_000 + millis(ABSURD));
    }
}

#[test]
fn who_is_alone_does_not_wait_and_has_time_until_he_is_ready() {
    let mut ledger = Ledger::default();
    let slots = ledger.reserve(
        &[need(Quota::NewRestApi, 1_000), need(Quota::CreateDeployment, 12_000)],
        exactly(50_000),
    );
    assert_eq!(
        slots,
        [
            Slot {
                earliest_ms: 50_000,
                latest_ms: 51_000
            },
            Slot {
                earliest_ms: 50_000,
                latest_ms: 62_000
            }
        ]
    );
}

#[test]
fn what_waits_for_a_slot_is_ready_only_behind_it() {
    let mut ledger = Ledger::default();
    ledger.reserve(&[need(Quota::NewEdgeRestApi, 0)], exactly(0));
    let deployment = Need {
        follows: Some(0),
        ..need(Quota::CreateDeployment, 2_000)
    };
    let slots = ledger.reserve(&[need(Quota::NewEdgeRestApi, 0), deployment], exactly(0));
    assert_eq!(slots[1].latest_ms, slots[0].latest_ms + 1_000);
}

#[test]
fn twenty_previews_removed_at_once_take_ten_minutes() {
    let mut ledger = Ledger::default();
    let slots = (0..20).flat_map(|_| ledger.reserve(&[need(Quota::DeleteRestApi, 1_000)], exactly(0)));
    let last = slots.last().unwrap();
    assert!((570_000..=600_000).contains(&last.earliest_ms), "{last:?}");
}

#[test]
fn a_record_is_read_as_it_was_written_and_what_is_over_is_dropped() {
    let mut ledger = Ledger::default();
    ledger.reserve(&[need(Quota::PutRestApi, 0), need(Quota::DeleteRestApi, 0)], exactly(0));
    let body = serde_json::to_vec(&ledger).unwrap();
    let mut read = Ledger::parse(&body).unwrap();
    assert_eq!(read, ledger);
    read.reserve(&[], exactly(20_000));
    assert_eq!(read.free.keys().collect::<Vec<_>>(), ["DeleteRestApi"]);
}

#[test]
fn a_record_of_another_version_is_told_from_a_broken_one() {
    assert_eq!(Ledger::parse(br#"{"format": 2, "slots": []}"#), Err(Unusable::Foreign));
    for broken in [
        "",
        "[]",
        "{}",
        r#"{"format": 1}"#,
        r#"{"format": 1, "free": {"PutRestApi": "soon"}}"#,
    ] {
        assert_eq!(Ledger::parse(broken.as_bytes()), Err(Unusable::Broken), "{broken}");
    }
}
