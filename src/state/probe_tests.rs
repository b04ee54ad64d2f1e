//! Tests of the probe, on stores in memory that lie on purpose.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::app::Artifact;
use crate::names::AppName;
use crate::resource::CodeLocation;
use crate::state::store::Version;
use crate::state::store::{Former, Leftover};

/// How a store answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    IgnoresAll,
    IgnoresIfMatch,
    /// It compares, and writes only after everybody had the time to compare.
    RacesToMake,
    RacesToReplace,
    RefusesAndWrites,
    ReadsThePast,
    Unsupported,
    /// Every fourth call meets this kind, before or after its effect.
    Fails(FaultKind, Certainty),
}

struct Memory {
    manner: Manner,
    versions: Mutex<Vec<Vec<u8>>>,
    calls: AtomicUsize,
}

impl Memory {
    fn new(manner: Manner) -> Self {
        Self {
            manner,
            versions: Mutex::default(),
            calls: AtomicUsize::new(0),
        }
    }

    fn fault(kind: FaultKind, certainty: Certainty) -> Fault {
        Fault {
            certainty,
            ..Fault::refused("memory:Call", "it", kind, "on purpose".to_owned())
        }
    }

    fn is_to_fail(&self) -> Option<Fault> {
        let Manner::Fails(kind, certainty) = self.manner else {
            return None;
        };
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        (calls % 4 == 3).then(|| Self::fault(kind, certainty))
    }

    fn holds(&self, condition: &Condition) -> bool {
        let count = self.versions.lock().unwrap().len();
        match condition {
            Condition::Absent => count == 0,
            Condition::Unchanged(Version(version)) => *version == count.to_string(),
        }
    }

    fn written(&self, body: Vec<u8>) -> Written {
        let mut versions = self.versions.lock().unwrap();
        versions.push(body);
        Written {
            version: Version(versions.len().to_string()),
            at: Some(now()),
        }
    }
}

fn now() -> Timestamp {
    Timestamp::new(jiff::Timestamp::from_second(1_000_000).unwrap())
}

#[async_trait(?Send)]
impl Store for Memory {
    fn identity(&self) -> Option<String> {
        Some("s3://acme/stages".to_owned())
    }

    fn object(&self, stage: &StageName) -> String {
        format!("memory/{stage}")
    }

    async fn read(&self, _: &StageName) -> Result<Option<Stored>, Fault> {
        if let Some(fault) = self.is_to_fail() {
            return Err(fault);
        }
        let versions = self.versions.lock().unwrap();
        let count = match self.manner {
            Manner::ReadsThePast => versions.len().saturating_sub(1),
            _ => versions.len(),
        };
        let stored = |body: &Vec<u8>| Stored {
            body: body.clone(),
            version: Version(count.to_string()),
            at: now(),
        };
        Ok(count.checked_sub(1).and_then(|last| versions.get(last)).map(stored))
    }

    async fn write(&self, _: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        let refusal = || Self::fault(FaultKind::Condition, Certainty::MayHaveHappened);
        let holds = self.holds(condition);
        let is_absent = *condition == Condition::Absent;
        match self.manner {
            Manner::Unsupported => {
                let fault = Self::fault(FaultKind::Other, Certainty::MayHaveHappened);
                return Err(Fault {
                    code: "NotImplemented".to_owned(),
                    ..fault
                });
            }
            Manner::IgnoresAll => return Ok(self.written(body)),
            Manner::IgnoresIfMatch if !is_absent => return Ok(self.written(body)),
            Manner::RacesToMake if is_absent && holds => {
                tokio::task::yield_now().await;
                return Ok(self.written(body));
            }
            Manner::RacesToReplace if !is_absent && holds => {
                tokio::task::yield_now().await;
                return Ok(self.written(body));
            }
            Manner::RefusesAndWrites if !holds => {
                self.written(body);
                return Err(refusal());
            }
            _ if !holds => return Err(refusal()),
            _ => {}
        }
        match self.is_to_fail() {
            Some(fault) => {
                if fault.certainty == Certainty::MayHaveHappened {
                    self.written(body);
                }
                Err(fault)
            }
            None => Ok(self.written(body)),
        }
    }

    async fn former(&self, _: &StageName) -> Result<Vec<Former>, Fault> {
        Ok(Vec::new())
    }

    async fn read_former(&self, _: &StageName, _: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    async fn stages(&self) -> Result<Vec<StageName>, Fault> {
        Ok(Vec::new())
    }

    async fn apps(&self) -> Result<Vec<AppName>, Fault> {
        Ok(Vec::new())
    }

    async fn keep(&self, _: &Artifact, _: &str) -> Result<Option<CodeLocation>, Fault> {
        Ok(None)
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, Fault> {
        Ok(Vec::new())
    }

    async fn discard(&self, _: &[Leftover]) -> Result<(), Fault> {
        Ok(())
    }
}

fn lie(ended: Result<(), Error>) -> Option<Lie> {
    match ended {
        Ok(()) => None,
        Err(Error::Lies { lie, .. }) => Some(lie),
        Err(Error::Store(fault)) => panic!("{fault}"),
    }
}

#[tokio::test]
async fn an_honest_store_is_proved_once_and_then_trusted() {
    let store = Memory::new(Manner::Honest);
    assert_eq!(lie(ensure(&store).await), None);
    let writes = store.versions.lock().unwrap().len();
    assert_eq!(lie(ensure(&store).await), None);
    assert_eq!(store.versions.lock().unwrap().len(), writes);
    assert_eq!(lie(prove(&store).await), None);
    assert!(store.versions.lock().unwrap().len() > writes);
}

#[tokio::test]
async fn every_way_to_lie_is_caught_and_the_store_is_refused_again() {
    for (manner, expected) in [
        (Manner::IgnoresAll, Lie::MadeTwice),
        (Manner::IgnoresIfMatch, Lie::ReplacedTwice),
        (Manner::RacesToMake, Lie::MadeTwice),
        (Manner::RacesToReplace, Lie::ReplacedTwice),
        (Manner::RefusesAndWrites, Lie::RefusedStands),
        (Manner::ReadsThePast, Lie::StaleRead),
        (Manner::Unsupported, Lie::Unsupported),
    ] {
        let store = Memory::new(manner);
        assert_eq!(lie(ensure(&store).await), Some(expected), "{manner:?}");
        assert!(ensure(&store).await.is_err(), "{manner:?}");
    }
}

#[tokio::test]
async fn a_store_that_lied_and_does_no_more_is_believed_when_it_is_proved_anew() {
    let mut store = Memory::new(Manner::RacesToReplace);
    assert_eq!(lie(ensure(&store).await), Some(Lie::ReplacedTwice));
    store.manner = Manner::Honest;
    assert_eq!(lie(ensure(&store).await), Some(Lie::ReplacedTwice));
    assert_eq!(lie(prove(&store).await), None);
    assert_eq!(lie(ensure(&store).await), None);
}

#[tokio::test]
async fn how_an_object_was_made_cannot_be_proved_on_it_again() {
    let mut store = Memory::new(Manner::RacesToMake);
    assert_eq!(lie(ensure(&store).await), Some(Lie::MadeTwice));
    store.manner = Manner::Honest;
    assert_eq!(lie(prove(&store).await), Some(Lie::MadeTwice));
}

#[tokio::test]
async fn a_busy_store_and_a_lost_answer_are_no_lies() {
    let proved = async |kind, certainty| {
        let store = Memory::new(Manner::Fails(kind, certainty));
        match ensure(&store).await {
            Ok(()) => {}
            Err(Error::Store(fault)) => assert_eq!(fault.kind, kind),
            Err(Error::Lies { lie, .. }) => panic!("{kind:?}: {lie}"),
        }
    };
    let (lost, unsent) = (Certainty::MayHaveHappened, Certainty::DidNotHappen);
    tokio::join!(
        proved(FaultKind::Throttled, lost),
        proved(FaultKind::Throttled, unsent),
        proved(FaultKind::Timeout, lost),
        proved(FaultKind::Condition, lost),
    );
}

#[tokio::test]
async fn several_runs_that_prove_a_store_at_once_do_not_take_each_other_for_a_lie() {
    let store = Memory::new(Manner::Honest);
    let (a, b, c) = tokio::join!(ensure(&store), ensure(&store), ensure(&store));
    assert_eq!([a, b, c].map(lie), [None; 3]);
}

#[tokio::test]
async fn what_somebody_else_keeps_at_that_place_is_not_touched() {
    let store = Memory::new(Manner::Honest);
    store.versions.lock().unwrap().push(b"{}".to_vec());
    assert!(matches!(ensure(&store).await, Err(Error::Store(_))));
    assert_eq!(*store.versions.lock().unwrap(), [b"{}".to_vec()]);
}
