//! The reader of states, and documents that are damaged.

use proptest::prelude::*;
use serde_json::Value;

use super::chalice::{Expected, parse, render};
use super::{Error, State};
use crate::damage;
use crate::names::{AppName, StageName};

const OBJECT: &str = "s3://acme-deploys/stagewright/hello/dev.json";

/// The state of a run that was killed: a lease, doubts, a release, and how the last run went.
fn held() -> Value {
    let file = std::env::current_dir().unwrap().join("tests/formats/state-1.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// A state of ours, and one that Chalice wrote.
fn sound() -> Vec<Value> {
    let ours = held();
    let mut of_chalice = ours.clone();
    of_chalice.as_object_mut().unwrap().remove("stagewright");
    vec![ours, of_chalice]
}

fn read(bytes: &[u8]) -> Result<State, Error> {
    let (app, stage): (AppName, StageName) = ("hello".parse().unwrap(), "dev".parse().unwrap());
    let expected = Expected {
        app: Some(&app),
        stage: &stage,
        object: OBJECT,
    };
    parse(bytes, expected, "salt".to_owned())
}

/// Either it is an error that names the object, or a state that stays the same however often it is written and read.
#[track_caller]
fn is_told_or_kept(bytes: &[u8]) {
    match read(bytes) {
        Err(error) => assert!(error.to_string().contains(OBJECT), "{error}"),
        Ok(state) => {
            let written = render(&state);
            let again = read(&written).unwrap();
            assert_eq!(again, state);
            assert_eq!(render(&again), written);
        }
    }
}

#[test]
fn a_state_with_everything_in_it_is_read_and_written_byte_by_byte() {
    let written = serde_json::to_string_pretty(&held()).unwrap();
    let again = String::from_utf8(render(&read(written.as_bytes()).unwrap())).unwrap();
    let other = again.lines().zip(written.lines()).find(|(one, other)| one != other);
    assert_eq!(other, None);
    assert_eq!(again.lines().count(), written.lines().count());
}

proptest! {
    #![proptest_config(damage::cases(600))]

    #[test]
    fn a_damaged_state_is_told_or_kept_and_never_guessed_at(document in damage::bytes(sound())) {
        is_told_or_kept(&document.0);
    }
}

#[test]
fn a_state_that_is_damaged_beyond_all_measure_is_told_as_any_other() {
    for bytes in damage::monsters(10_000_000) {
        let error = read(&bytes).unwrap_err();
        assert!(error.to_string().contains(OBJECT));
        assert!(error.to_string().len() < 1000, "{error}");
    }
}
