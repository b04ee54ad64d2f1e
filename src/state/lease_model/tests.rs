//! What the protocol of the lease keeps, whatever happens; and what is lost where a rule is taken out.

use std::time::Duration;

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::promises::promise;
use super::{Flaw, Protocol, Trouble, Word};

const CALM: Trouble = Trouble {
    pauses: 0,
    crashes: 0,
    losses: 0,
};
const A_PAUSE: Trouble = Trouble { pauses: 1, ..CALM };
const A_CRASH: Trouble = Trouble { crashes: 1, ..CALM };
const A_LOSS: Trouble = Trouble { losses: 1, ..CALM };
const A_PAUSE_AND_A_CRASH: Trouble = Trouble { crashes: 1, ..A_PAUSE };
const ALL_AT_ONCE: Trouble = Trouble {
    losses: 1,
    ..A_PAUSE_AND_A_CRASH
};

fn protocol(tick_s: u64, contenders: usize, trouble: Trouble) -> Protocol {
    Protocol::new(Duration::from_secs(tick_s), contenders, trouble)
}

/// Tries everything that can happen.
#[track_caller]
fn keeps_its_promises(protocol: Protocol) {
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    println!("{} worlds", checker.unique_state_count());
    assert!(
        checker.unique_state_count() > 10_000,
        "the model is too small to prove anything"
    );
    checker.assert_properties();
}

/// Looks for the shortest way to a world in which a promise is broken.
#[track_caller]
fn breaks(protocol: Protocol, promise: &'static str) {
    let is_found = HasDiscoveries::AnyOf([promise].into());
    let checker = protocol.checker().threads(2).finish_when(is_found).spawn_bfs().join();
    let way = checker.discovery(promise);
    println!("{:?}", way.as_ref().map(|way| way.clone().into_actions()));
    assert!(way.is_some(), "`{promise}` is kept without the rule");
}

#[test]
fn three_contenders_one_pause_and_one_crash_break_no_promise() {
    keeps_its_promises(protocol(6, 3, A_PAUSE_AND_A_CRASH));
}

#[test]
fn a_lost_or_late_write_of_one_of_three_breaks_no_promise() {
    keeps_its_promises(protocol(6, 3, A_LOSS));
}

#[test]
fn a_pause_a_crash_and_a_lost_or_late_write_break_no_promise_between_two() {
    keeps_its_promises(protocol(6, 2, ALL_AT_ONCE));
}

#[test]
fn no_promise_is_broken_between_two_ticks() {
    keeps_its_promises(protocol(3, 2, A_PAUSE_AND_A_CRASH));
}

#[test]
fn a_model_without_waiting_lets_two_in() {
    breaks(protocol(6, 2, CALM).with(Flaw::TakesAtOnce), promise::ONE_AT_A_TIME);
}

#[test]
fn a_model_that_does_not_heed_the_host_takes_from_the_living() {
    let model = protocol(6, 2, CALM).with(Flaw::TakesFromTheLiving);
    breaks(model, promise::NONE_FROM_THE_LIVING);
}

#[test]
fn a_model_without_cover_lets_the_deposed_call() {
    breaks(
        protocol(6, 2, A_PAUSE).with(Flaw::AsksForNoCover),
        promise::NO_DEPOSED_CALL,
    );
}

#[test]
fn a_model_that_forgets_how_long_calls_take_lets_them_overlap() {
    breaks(
        protocol(6, 2, A_PAUSE).with(Flaw::ForgetsHowLongCallsTake),
        promise::NO_OVERLAP,
    );
}

#[test]
fn a_model_without_conditional_writes_loses_releases() {
    breaks(
        protocol(6, 2, CALM).with(Flaw::WritesWithoutCondition),
        promise::NO_LOST_RELEASE,
    );
}

#[test]
fn a_model_without_conditional_writes_lets_the_deposed_write() {
    breaks(
        protocol(6, 2, A_PAUSE).with(Flaw::WritesWithoutCondition),
        promise::NO_DEPOSED_WRITE,
    );
}

#[test]
fn a_model_that_counts_the_lease_from_the_answer_lets_two_in() {
    breaks(
        protocol(6, 2, A_PAUSE).with(Flaw::CountsFromTheAnswer),
        promise::ONE_AT_A_TIME,
    );
}

#[test]
fn a_model_without_doubts_loses_what_the_dead_began() {
    breaks(protocol(6, 2, A_CRASH).with(Flaw::ForgetsDoubts), promise::ALL_NOTED);
}

#[test]
fn a_model_that_believes_in_lost_writes_loses_releases() {
    breaks(
        protocol(6, 2, A_LOSS).with(Flaw::BelievesInLostWrites),
        promise::NO_LOST_RELEASE,
    );
}

#[test]
fn a_model_without_marks_waits_for_itself() {
    breaks(
        protocol(6, 2, A_LOSS).with(Flaw::NeverRecognisesItself),
        promise::NO_WAIT_FOR_ITSELF,
    );
}

#[test]
fn where_the_host_calls_ended_what_was_only_stopped_no_two_may_call_at_a_time() {
    let hasty = protocol(3, 2, A_PAUSE).told_by(Word::Hasty);
    let checker = hasty.checker().threads(2).spawn_bfs().join();
    assert!(checker.discovery(promise::ONE_AT_A_TIME).is_none());
}

#[test]
fn a_model_that_heeds_the_host_too_early_lets_two_in() {
    let hasty = protocol(3, 2, A_PAUSE)
        .told_by(Word::Hasty)
        .with(Flaw::HeedsTheHostTooEarly);
    breaks(hasty, promise::ONE_AT_A_TIME);
}
