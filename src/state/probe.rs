//! Whether a store keeps its promises: tried on an object of its own, which tells what came of it.
//!
//! Many stores speak S3's protocol, and some of them answer conditional writes with a success that they should have refused.
//! Two runs on such a store would both hold the same stage. Only what a store cannot do honestly counts as a lie: a second
//! success under one condition, a write that stands though its condition did not hold, a read that shows what was replaced.
//! An answer that is lost, a store that is busy and another probe at the same time are none: then it is tried again.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::{new_mark, pause};
use super::store::{Condition, Store, Stored, Written};
use crate::fault::{Certainty, Fault, FaultKind};
use crate::names::{StageName, Timestamp};

/// What a store did that it must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// It does not know conditional writes, and says so.
    Unsupported,
    /// Of several writers at once that wanted to make one object, more than one were told that they did.
    MadeTwice,
    /// Of several writers at once that wanted to replace one version, more than one were told that they did.
    ReplacedTwice,
    /// `If-None-Match: *` did not keep an object from being overwritten.
    Overwritten,
    /// `If-Match` did not keep an object from being overwritten that had changed.
    StaleWritten,
    /// A write stands whose condition did not hold, whatever was answered to it.
    RefusedStands,
    /// What is read is older than what was written.
    StaleRead,
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "it answers that it knows no conditional writes",
            Self::MadeTwice => "of several writes at once with `If-None-Match: *`, more than one were accepted",
            Self::ReplacedTwice => "of several writes at once with the same `If-Match`, more than one were accepted",
            Self::Overwritten => "it overwrote an object in spite of `If-None-Match: *`",
            Self::StaleWritten => "it overwrote an object in spite of an `If-Match` that did not match any more",
            Self::RefusedStands => "it made a write whose condition did not hold",
            Self::StaleRead => "a read did not show the last write",
        })
    }
}

/// Why a store cannot be relied on, or is not known to be reliable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not answer as it should.
    #[error(transparent)]
    Store(#[from] Fault),
    /// It was caught.
    #[error("the store cannot be relied on: {lie} (tried on `{object}`{})", at(.endpoint.as_ref()))]
    Lies {
        /// What it did.
        lie: Lie,
        /// On which object.
        object: String,
        /// Where the store was reached, if that is not AWS's own address.
        endpoint: Option<String>,
    },
}

fn at(endpoint: Option<&String>) -> String {
    endpoint.map(|endpoint| format!(" at {endpoint}")).unwrap_or_default()
}

/// How much is tried of a store that was found reliable before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Nothing: what was found counts.
    Trust,
    /// All that can be tried on an object that is there.
    Again,
}

/// What the object says, for people and for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    about: String,
    finding: Finding,
    /// By the store's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// Of ours.
    version: String,
    /// Where it was tried: who copies a bucket into another store copies this object, too.
    object: String,
    endpoint: Option<String>,
    /// Random, so that no two writes are alike.
    mark: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Finding {
    Open,
    Reliable,
    Lies(Lie),
}

impl Record {
    fn body(store: &dyn Store, finding: Finding, at: Option<Timestamp>) -> Vec<u8> {
        let record = Self {
            about: "stagewright tries here whether this store honours conditional writes".to_owned(),
            finding,
            at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            object: store.object(&StageName::probe()),
            endpoint: store.endpoint(),
            mark: new_mark(),
        };
        // A record is a plain tree of texts, which JSON takes.
        serde_json::to_vec_pretty(&record).unwrap_or_default()
    }

    fn is_of(&self, store: &dyn Store) -> bool {
        self.object == store.object(&StageName::probe()) && self.endpoint == store.endpoint()
    }
}

/// Makes sure that a store is reliable, before it is first relied on. One read where that was found out before. A folder is
/// not tried, for it would leave a file beside the project's own: we lock it ourselves, and [`prove`] can be asked for.
///
/// # Errors
///
/// [`Error::Lies`], and the store's faults.
pub async fn ensure(store: &dyn Store) -> Result<(), Error> {
    if store.identity().is_none() {
        return Ok(());
    }
    tried(store, Extent::Trust).await
}

/// Tries whether a store is reliable, whatever was found before.
///
/// # Errors
///
/// As [`ensure`].
pub async fn prove(store: &dyn Store) -> Result<(), Error> {
    tried(store, Extent::Again).await
}

/// Why a round came to no good end.
enum Broken {
    Lie(Lie),
    Fault(Fault),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        if fault.code == "NotImplemented" {
            return Self::Lie(Lie::Unsupported);
        }
        Self::Fault(fault)
    }
}

async fn tried(store: &dyn Store, extent: Extent) -> Result<(), Error> {
    let mut pauses = [200, 500, 900, 1600, 3000].map(Duration::from_millis).into_iter();
    loop {
        let fault = match round(store, extent).await {
            Ok(()) => return Ok(()),
            Err(Broken::Lie(lie)) => {
                note(store, lie).await;
                return Err(Error::Lies {
                    lie,
                    object: store.object(&StageName::probe()),
                    endpoint: store.endpoint(),
                });
            }
            Err(Broken::Fault(fault)) => fault,
        };
        let may_pass = fault.certainty == Certainty::MayHaveHappened
            || matches!(fault.kind, FaultKind::Condition | FaultKind::Throttled);
        let Some(next) = pauses.next().filter(|_| may_pass) else {
            return Err(fault.into());
        };
        tracing::info!(%fault, "the store is tried again");
        pause(next).await;
    }
}

async fn round(store: &dyn Store, extent: Extent) -> Result<(), Broken> {
    let found = store.read(&StageName::probe()).await?;
    let current = match found {
        None => race(store, None).await?,
        Some(found) => {
            match (known(store, &found)?, extent) {
                (Finding::Reliable, Extent::Trust) => return Ok(()),
                // What went wrong when the object was made cannot be tried on it again.
                (Finding::Lies(lie), Extent::Trust) | (Finding::Lies(lie @ Lie::MadeTwice), Extent::Again) => {
                    return Err(Broken::Lie(lie));
                }
                (Finding::Reliable | Finding::Lies(_), Extent::Again) | (Finding::Open, _) => found,
            }
        }
    };
    refused(store, &current, (Condition::Absent, Lie::Overwritten)).await?;
    let next = race(store, Some(&current)).await?;
    let stale = Condition::Unchanged(current.version);
    refused(store, &next, (stale, Lie::StaleWritten)).await?;
    let record = Record::body(store, Finding::Reliable, Some(next.at));
    let unchanged = Condition::Unchanged(next.version);
    store.write(&StageName::probe(), record, &unchanged).await?;
    tracing::info!(object = store.object(&StageName::probe()), "the store is reliable");
    Ok(())
}

/// What was found before. A record of another place says nothing of this one.
fn known(store: &dyn Store, found: &Stored) -> Result<Finding, Fault> {
    match serde_json::from_slice::<Record>(&found.body) {
        Ok(record) if record.is_of(store) => Ok(record.finding),
        Ok(_) => Ok(Finding::Open),
        Err(_) => Err(Fault::refused(
            "store:Probe",
            store.object(&StageName::probe()),
            FaultKind::Invalid,
            "something else stands where the store is tried: move it away".to_owned(),
        )),
    }
}

/// Several writes at once under one condition: one of them is accepted, and stands. Returns what then stands.
async fn race(store: &dyn Store, before: Option<&Stored>) -> Result<Stored, Broken> {
    let condition = before.map_or(Condition::Absent, |before| Condition::Unchanged(before.version.clone()));
    let bodies = [(); 4].map(|()| Record::body(store, Finding::Open, None));
    let write = async |body: &Vec<u8>| store.write(&StageName::probe(), body.clone(), &condition).await;
    let [a, b, c, d] = &bodies;
    let answers: [Result<Written, Fault>; 4] = tokio::join!(write(a), write(b), write(c), write(d)).into();
    let mut accepted = Vec::new();
    let mut refusals = Vec::new();
    for (answer, body) in answers.into_iter().zip(&bodies) {
        match answer {
            Ok(_) => accepted.push(body),
            Err(fault) => refusals.push(fault),
        }
    }
    if accepted.len() > 1 {
        return Err(Broken::Lie(match before {
            None => Lie::MadeTwice,
            Some(_) => Lie::ReplacedTwice,
        }));
    }
    let unclear = refusals.iter().position(|fault| fault.kind != FaultKind::Condition);
    if accepted.is_empty()
        && let Some(unclear) = unclear
    {
        return Err(refusals.swap_remove(unclear).into());
    }
    let stands = store.read(&StageName::probe()).await?;
    match (accepted.first(), stands) {
        (Some(accepted), Some(stands)) if stands.body == **accepted => Ok(stands),
        (Some(_), Some(stands)) if bodies.contains(&stands.body) => Err(Broken::Lie(Lie::RefusedStands)),
        (Some(_), Some(stands)) if before.is_some_and(|before| before.body == stands.body) => {
            Err(Broken::Lie(Lie::StaleRead))
        }
        (Some(_), None) => Err(Broken::Lie(Lie::StaleRead)),
        (_, _) => Err(disturbed(store).into()),
    }
}

/// One write whose condition does not hold.
async fn refused(store: &dyn Store, current: &Stored, (condition, lie): (Condition, Lie)) -> Result<(), Broken> {
    let body = Record::body(store, Finding::Open, None);
    let Err(fault) = store.write(&StageName::probe(), body.clone(), &condition).await else {
        return Err(Broken::Lie(lie));
    };
    let stands = store.read(&StageName::probe()).await?;
    match stands {
        Some(stands) if stands.body == body => Err(Broken::Lie(Lie::RefusedStands)),
        Some(stands) if stands.version != current.version => Err(disturbed(store).into()),
        Some(_) if fault.kind == FaultKind::Condition => Ok(()),
        Some(_) => Err(fault.into()),
        None => Err(disturbed(store).into()),
    }
}

/// Somebody else tries the store at the same time.
fn disturbed(store: &dyn Store) -> Fault {
    let message = "somebody else writes it at the same time, or what is read is not what stands".to_owned();
    let object = store.object(&StageName::probe());
    Fault::refused("store:Probe", object, FaultKind::Condition, message)
}

/// Leaves word of a lie, for the runs to come. Where that fails, they find out by themselves.
async fn note(store: &dyn Store, lie: Lie) {
    let version = match store.read(&StageName::probe()).await {
        Ok(Some(stands)) => match known(store, &stands) {
            Ok(Finding::Open | Finding::Reliable) => stands.version,
            Ok(Finding::Lies(_)) | Err(_) => return,
        },
        Ok(None) | Err(_) => return,
    };
    let record = Record::body(store, Finding::Lies(lie), None);
    let unchanged = Condition::Unchanged(version);
    if let Err(fault) = store.write(&StageName::probe(), record, &unchanged).await {
        tracing::info!(%fault, "what was found of the store could not be recorded");
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
