//! The last write of a lease: what is told of it where its answer was lost.

use super::super::memory::Memory;
use super::super::{Attempt, Progress};
use super::*;

fn holder(name: &str) -> Holder {
    Holder {
        mark: new_mark(),
        name: name.to_owned(),
        purpose: "deploy",
        since: Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
        run: None,
    }
}

fn ready(name: &str) -> Attempt {
    Attempt {
        outcome: Progress::Ready,
        by: name.to_owned(),
        commit: None,
        at: Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
        took_ms: Some(1),
        run: None,
        changes: Vec::new(),
        error: None,
        release: Some(1),
        deployment: None,
        merge: None,
    }
}

async fn taken<'a>(store: &'a Memory, name: &str) -> (Held<'a>, State) {
    let (app, stage): (AppName, StageName) = ("shop".parse().unwrap(), "dev".parse().unwrap());
    let found = read(store, Some(&app), &stage).await.unwrap();
    let mut seen = found.unwrap_or_else(|| Seen::new(app, stage));
    let held = take(store, &mut seen, &holder(name)).await.unwrap().unwrap();
    (held, seen.state)
}

#[tokio::test]
async fn a_last_write_counts_whose_answer_was_lost_though_somebody_has_taken_the_stage_since() {
    let store = Memory::default();
    let (ann, mut state) = taken(&store, "ann").await;
    state.last = Some(ready("ann"));
    let landed = State {
        lease: None,
        ..state.clone()
    };
    let before = Condition::Unchanged(ann.version.clone());
    store
        .write(&state.stage, chalice::render(&landed), &before)
        .await
        .unwrap();
    let (_bob, _) = taken(&store, "bob").await;
    assert!(ann.give_back(&mut state).await.is_ok());
}

#[tokio::test]
async fn a_last_write_that_never_landed_is_told_so() {
    let store = Memory::default();
    let (ann, mut state) = taken(&store, "ann").await;
    state.last = Some(ready("ann"));
    let (_bob, _) = taken(&store, "bob").await;
    let lost = ann.give_back(&mut state).await.unwrap_err();
    assert!(
        lost.to_string().contains("bob (deploy) has taken stage `dev` over"),
        "{lost}"
    );
}
