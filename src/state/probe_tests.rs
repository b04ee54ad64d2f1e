//! Tests of the probe, on stores in memory that lie on purpose.

use super::*;
use crate::state::directory::Directory;
use crate::state::memory::{Manner, Memory};

fn lie(ended: Result<(), Error>) -> Option<Lie> {
    match ended {
        Ok(()) => None,
        Err(Error::Lies { lie, .. }) => Some(lie),
        Err(Error::Store(fault)) => panic!("{fault}"),
    }
}

#[tokio::test]
async fn an_honest_store_is_proved_once_and_then_trusted() {
    let store = Memory::of(Manner::Honest);
    assert_eq!(lie(ensure(&store).await), None);
    let writes = store.written(&StageName::probe()).len();
    assert_eq!(lie(ensure(&store).await), None);
    assert_eq!(store.written(&StageName::probe()).len(), writes);
    assert_eq!(lie(prove(&store).await), None);
    assert!(store.written(&StageName::probe()).len() > writes);
}

#[tokio::test]
async fn a_folder_is_tried_only_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = Directory::new(folder.path().to_owned());
    assert_eq!(lie(ensure(&store).await), None);
    assert!(store.read(&StageName::probe()).await.unwrap().is_none());
    assert_eq!(lie(prove(&store).await), None);
    assert!(store.read(&StageName::probe()).await.unwrap().is_some());
}

#[tokio::test]
async fn every_way_to_lie_is_caught_and_the_store_is_refused_again() {
    for (manner, expected) in [
        (Manner::IgnoresAll, Lie::MadeTwice),
        (Manner::IgnoresIfMatch, Lie::ReplacedTwice),
        (Manner::RacesToMake, Lie::MadeTwice),
        (Manner::RacesToReplace, Lie::ReplacedTwice),
        (Manner::OverwritesTheOld, Lie::Overwritten),
        (Manner::TakesFormerVersions, Lie::StaleWritten),
        (Manner::RefusesAndWrites, Lie::RefusedStands),
        (Manner::ReadsThePast, Lie::StaleRead),
        (Manner::Unsupported, Lie::Unsupported),
    ] {
        let store = Memory::of(manner);
        assert_eq!(lie(ensure(&store).await), Some(expected), "{manner:?}");
        let again = round(&store, Extent::Trust).await;
        assert!(again.is_err(), "{manner:?} is trusted the second time");
    }
}

#[tokio::test]
async fn a_store_that_lied_and_does_no_more_is_believed_when_it_is_proved_anew() {
    let store = Memory::of(Manner::RacesToReplace);
    assert_eq!(lie(ensure(&store).await), Some(Lie::ReplacedTwice));
    store.turn(Manner::Honest);
    assert_eq!(lie(ensure(&store).await), Some(Lie::ReplacedTwice));
    assert_eq!(lie(prove(&store).await), None);
    assert_eq!(lie(ensure(&store).await), None);
}

#[tokio::test]
async fn how_an_object_was_made_cannot_be_proved_on_it_again() {
    let store = Memory::of(Manner::RacesToMake);
    assert_eq!(lie(ensure(&store).await), Some(Lie::MadeTwice));
    store.turn(Manner::Honest);
    assert_eq!(lie(prove(&store).await), Some(Lie::MadeTwice));
}

#[tokio::test]
async fn whichever_call_meets_a_busy_store_or_a_lost_answer_that_is_no_lie_and_the_next_round_proves_it() {
    let (lost, unsent) = (Certainty::MayHaveHappened, Certainty::DidNotHappen);
    let faults = [
        (FaultKind::Throttled, lost),
        (FaultKind::Throttled, unsent),
        (FaultKind::Timeout, lost),
        (FaultKind::Condition, lost),
    ];
    let calm = Memory::default();
    assert!(round(&calm, Extent::Trust).await.is_ok());
    for (call, (kind, certainty)) in (1..=calm.calls()).flat_map(|call| faults.map(|fault| (call, fault))) {
        let store = Memory::of(Manner::Fails(call, kind, certainty));
        if let Err(Broken::Lie(lie)) = round(&store, Extent::Trust).await {
            panic!("{kind:?} at call {call}: {lie}");
        }
        let next = round(&store, Extent::Trust).await;
        assert!(next.is_ok(), "{kind:?} at call {call} is not got over");
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_a_refusal_is_told_at_once() {
    let (lost, unsent) = (Certainty::MayHaveHappened, Certainty::DidNotHappen);
    let busy = Memory::of(Manner::Fails(1, FaultKind::Throttled, lost));
    assert_eq!(lie(ensure(&busy).await), None);
    let closed = Memory::of(Manner::Fails(1, FaultKind::Denied, unsent));
    assert!(matches!(ensure(&closed).await, Err(Error::Store(fault)) if fault.kind == FaultKind::Denied));
    assert_eq!(closed.calls(), 1);
}

#[tokio::test]
async fn several_runs_that_prove_a_store_at_once_do_not_take_each_other_for_a_lie() {
    let store = Memory::of(Manner::Honest);
    let (a, b, c) = tokio::join!(ensure(&store), ensure(&store), ensure(&store));
    assert_eq!([a, b, c].map(lie), [None; 3]);
}

#[tokio::test]
async fn what_somebody_else_keeps_at_that_place_is_not_touched() {
    let store = Memory::of(Manner::Honest);
    let probe = StageName::probe();
    store.write(&probe, b"{}".to_vec(), &Condition::Absent).await.unwrap();
    assert!(matches!(ensure(&store).await, Err(Error::Store(_))));
    assert_eq!(store.written(&probe), [b"{}".to_vec()]);
}
