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

/// Objects in memory, and what is to happen to the next writes.
#[derive(Default)]
pub struct Memory(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    objects: BTreeMap<StageName, (u64, Vec<u8>)>,
    /// Every body that ever stood, in order.
    written: Vec<Vec<u8>>,
    strikes: VecDeque<Strike>,
    late: Vec<(StageName, Vec<u8>, Condition)>,
}

impl Memory {
    /// Orders what happens to the next writes, one each, in place of what was ordered before.
    pub fn strike(&self, strikes: &[Strike]) {
        self.shelf().strikes = strikes.iter().copied().collect();
    }

    /// Every body that ever stood, in order.
    pub fn written(&self) -> Vec<Vec<u8>> {
        self.shelf().written.clone()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap()
    }
}

impl Shelf {
    fn write(&mut self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        let found = self.objects.get(stage).map(|(version, _)| *version);
        let stands = found.map(|version| Condition::Unchanged(Version(version.to_string())));
        if *condition != stands.unwrap_or(Condition::Absent) {
            return Err(fault(FaultKind::Condition, Certainty::MayHaveHappened));
        }
        let next = found.map_or(1, |version| version + 1);
        self.written.push(body.clone());
        self.objects.insert(stage.clone(), (next, body));
        Ok(Written {
            version: Version(next.to_string()),
            at: Some(now()),
        })
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
        ..Fault::refused("memory:Write", "it", kind, "struck".to_owned())
    }
}

fn now() -> Timestamp {
    Timestamp::new(jiff::Timestamp::UNIX_EPOCH)
}

#[async_trait(?Send)]
impl Store for Memory {
    fn identity(&self) -> Option<String> {
        None
    }

    fn object(&self, stage: &StageName) -> String {
        stage.to_string()
    }

    async fn read(&self, stage: &StageName) -> Result<Option<Stored>, Fault> {
        let found = self.shelf().objects.get(stage).cloned();
        Ok(found.map(|(version, body)| Stored {
            body,
            version: Version(version.to_string()),
            at: now(),
        }))
    }

    async fn write(&self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        self.shelf().struck(stage, body, condition)
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
