//! A store in memory that does what goes wrong with stores, on order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use super::store::{Condition, Former, Leftover, Store, Stored, Version, Written};
use crate::app::Artifact;
use crate::fault::{Certainty, Fault, FaultKind};
use crate::names::{AppName, StageName, Timestamp};
use crate::resource::CodeLocation;

/// What happens to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// It is refused: certainly without effect.
    Refused,
    /// Nothing comes back, and it had no effect.
    LostRequest,
    /// Nothing comes back, and it had its effect.
    LostAnswer,
    /// Nothing comes back, and it has its effect before the next write.
    Late,
    /// S3's 409 `ConditionalRequestConflict`: another write was under way, and this one had no effect.
    Conflict,
    /// S3's 503 `SlowDown`.
    SlowDown,
}

/// How it answers at any time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As a store should.
    #[default]
    Honest,
    /// It writes whatever the condition.
    IgnoresAll,
    /// It writes whatever version is expected.
    IgnoresIfMatch,
    /// Of those who make an object at once, it compares for all before it writes for any.
    RacesToMake,
    /// Of those who replace an object at once, it compares for all before it writes for any.
    RacesToReplace,
    /// It is honest between writes at once, and overwrites what has long stood in spite of `If-None-Match`.
    OverwritesTheOld,
    /// It is honest between writes at once, and takes any former version for one that has long stood.
    TakesFormerVersions,
    /// It refuses, and writes all the same.
    RefusesAndWrites,
    /// What is read is the version before the last.
    ReadsThePast,
    /// It knows no conditional writes.
    Unsupported,
    /// The call of this number, counted from 1, meets this fault, and has its effect if it may have had it.
    Fails(usize, FaultKind, Certainty),
}

/// Objects in memory, how they are kept, and what is to happen to the next writes.
#[derive(Default)]
pub struct Memory(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    manner: Manner,
    objects: BTreeMap<StageName, Object>,
    strikes: VecDeque<Strike>,
    late: Vec<(StageName, Vec<u8>, Condition)>,
    calls: usize,
}

/// An object, whose versions are counted from 1.
#[derive(Default)]
struct Object {
    /// Every body that ever stood, in order.
    bodies: Vec<Vec<u8>>,
    /// Whether it has stood for long: since somebody read it.
    is_old: bool,
}

impl Memory {
    /// An empty one that answers in this manner.
    pub fn of(manner: Manner) -> Self {
        let memory = Self::default();
        memory.turn(manner);
        memory
    }

    /// Takes on another manner.
    pub fn turn(&self, manner: Manner) {
        self.shelf().manner = manner;
    }

    /// Orders what happens to the next writes, one each, in place of what was ordered before.
    pub fn strike(&self, strikes: &[Strike]) {
        self.shelf().strikes = strikes.iter().copied().collect();
    }

    /// Every body of a stage's object that ever stood, in order.
    pub fn written(&self, stage: &StageName) -> Vec<Vec<u8>> {
        let shelf = self.shelf();
        shelf
            .objects
            .get(stage)
            .map_or_else(Vec::new, |object| object.bodies.clone())
    }

    /// How many reads and writes there were.
    pub fn calls(&self) -> usize {
        self.shelf().calls
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap()
    }
}

impl Shelf {
    /// The fault that the call meets which now begins.
    fn fails(&mut self) -> Option<Fault> {
        self.calls += 1;
        let Manner::Fails(call, kind, certainty) = self.manner else {
            return None;
        };
        (call == self.calls).then(|| fault(kind, certainty))
    }

    /// Whether a write happens.
    fn accepts(&self, stage: &StageName, condition: &Condition) -> bool {
        let object = self.objects.get(stage);
        let (count, is_old) = object.map_or((0, false), |object| (object.bodies.len(), object.is_old));
        let is_of_old = |manner| is_old && self.manner == manner;
        match condition {
            Condition::Absent => count == 0 || self.manner == Manner::IgnoresAll || is_of_old(Manner::OverwritesTheOld),
            Condition::Unchanged(Version(version)) => {
                let is_former = version.parse().is_ok_and(|former: usize| former < count);
                *version == count.to_string()
                    || matches!(self.manner, Manner::IgnoresAll | Manner::IgnoresIfMatch)
                    || (is_former && is_of_old(Manner::TakesFormerVersions))
            }
        }
    }

    fn put(&mut self, stage: &StageName, body: Vec<u8>) -> Written {
        let object = self.objects.entry(stage.clone()).or_default();
        object.bodies.push(body);
        object.is_old = false;
        Written {
            version: Version(object.bodies.len().to_string()),
            at: Some(now()),
        }
    }

    fn read(&mut self, stage: &StageName) -> Option<Stored> {
        let object = self.objects.get_mut(stage)?;
        object.is_old = true;
        let count = object.bodies.len() - usize::from(self.manner == Manner::ReadsThePast);
        Some(Stored {
            body: object.bodies.get(count.checked_sub(1)?)?.clone(),
            version: Version(count.to_string()),
            at: now(),
        })
    }

    fn write(&mut self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        if self.accepts(stage, condition) {
            return Ok(self.put(stage, body));
        }
        if self.manner == Manner::RefusesAndWrites {
            self.put(stage, body);
        }
        Err(fault(FaultKind::Condition, Certainty::MayHaveHappened))
    }

    fn struck(&mut self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        for (stage, body, condition) in std::mem::take(&mut self.late) {
            // What comes too late is refused, and nobody hears of it.
            drop(self.write(&stage, body, &condition));
        }
        let lost = Err(fault(FaultKind::Timeout, Certainty::MayHaveHappened));
        match self.strikes.pop_front() {
            None => self.write(stage, body, condition),
            Some(Strike::Refused) => Err(fault(FaultKind::Denied, Certainty::DidNotHappen)),
            Some(Strike::LostRequest) => lost,
            Some(Strike::LostAnswer) => self.write(stage, body, condition).and(lost),
            Some(Strike::Late) => {
                self.late.push((stage.clone(), body, condition.clone()));
                lost
            }
            Some(Strike::Conflict) => Err(fault(FaultKind::Condition, Certainty::MayHaveHappened)),
            Some(Strike::SlowDown) => Err(fault(FaultKind::Throttled, Certainty::MayHaveHappened)),
        }
    }
}

fn fault(kind: FaultKind, certainty: Certainty) -> Fault {
    Fault {
        certainty,
        ..Fault::refused("memory:Call", "it", kind, "on purpose".to_owned())
    }
}

fn now() -> Timestamp {
    Timestamp::new(jiff::Timestamp::UNIX_EPOCH)
}

#[async_trait(?Send)]
impl Store for Memory {
    fn identity(&self) -> Option<String> {
        Some("memory".to_owned())
    }

    fn object(&self, stage: &StageName) -> String {
        stage.to_string()
    }

    fn shared(&self) -> Box<dyn Store> {
        Box::new(Self::default())
    }

    async fn read(&self, stage: &StageName) -> Result<Option<Stored>, Fault> {
        let mut shelf = self.shelf();
        match shelf.fails() {
            Some(fault) => Err(fault),
            None => Ok(shelf.read(stage)),
        }
    }

    async fn write(&self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        let manner = self.shelf().manner;
        let race = match condition {
            Condition::Absent => Manner::RacesToMake,
            Condition::Unchanged(_) => Manner::RacesToReplace,
        };
        if manner == race && self.shelf().accepts(stage, condition) {
            tokio::task::yield_now().await;
            return Ok(self.shelf().put(stage, body));
        }
        let mut shelf = self.shelf();
        if manner == Manner::Unsupported {
            let refusal = fault(FaultKind::Other, Certainty::MayHaveHappened);
            let code = "NotImplemented".to_owned();
            return Err(Fault { code, ..refusal });
        }
        match shelf.fails() {
            None => shelf.struck(stage, body, condition),
            Some(fault) if fault.certainty == Certainty::DidNotHappen => Err(fault),
            Some(fault) => shelf.struck(stage, body, condition).and(Err(fault)),
        }
    }

    async fn former(&self, _: &StageName) -> Result<Vec<Former>, Fault> {
        Ok(Vec::new())
    }

    async fn read_former(&self, _: &StageName, _: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    async fn stages(&self) -> Result<Vec<StageName>, Fault> {
        Ok(self.shelf().objects.keys().cloned().collect())
    }

    async fn apps(&self) -> Result<Vec<AppName>, Fault> {
        Ok(Vec::new())
    }

    fn keeps_for(&self, _: &str) -> bool {
        false
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

mod tests {
    use super::super::store::contract;
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_promises_of_a_store() {
        contract::what_was_written_is_read(&Memory::default()).await;
        contract::a_stale_write_is_refused(&Memory::default()).await;
        contract::a_state_that_stands_is_no_leftover(&Memory::default()).await;
    }
}
