//! What is known of one stage: the document that is kept in the store, one object a stage.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::app::Finding;
use crate::app::python::Pins;
use crate::fault::Fault;
use crate::names::{Address, AppName, StageName, Timestamp};
use crate::resource::{Outputs, Place, Resource};
use crate::stage::Source;

pub mod chalice;
pub mod directory;
mod front;
pub mod lease;
pub mod pacing;
pub mod probe;
pub mod recover;
pub mod restored;
pub mod s3;
pub mod standing;
pub mod store;
pub mod takeover;

/// The only format there is so far.
pub const FORMAT: u32 = 1;

/// How many former runs a state remembers.
const HISTORY: usize = 50;

/// How many changes, and how much of an error, is remembered of a former run.
pub const REMEMBERED: (usize, usize) = (20, 300);

/// How long after nobody waits for a change any more it can still come about: calls end within seconds, and AWS finishes
/// what it has taken on.
pub const LATE: Duration = Duration::from_mins(5);

/// The document of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Format of the document.
    pub format: u32,
    /// The app.
    pub app: AppName,
    /// The stage.
    pub stage: StageName,
    /// Grows with every lease that is taken.
    pub generation: u64,
    /// Who may write, if anybody may.
    pub lease: Option<Lease>,
    /// What was begun, and its end not recorded.
    pub in_doubt: BTreeMap<Address, Doubt>,
    /// What was begun by somebody who is gone: a call of theirs may still land, so that it is looked at twice.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<Address, Late>,
    /// What exists.
    pub deployed: BTreeMap<Address, Deployed>,
    /// Which stages use it, and as what of theirs: only what stages share has any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<StageName, BTreeSet<Address>>,
    /// Where it exists; unknown before the first deploy.
    pub place: Option<Place>,
    /// ARN of the role with which it was deployed, and with which it can be destroyed.
    pub role: Option<String>,
    /// Keeps digests of secrets from being looked up in a table.
    pub salt: String,
    /// What a deploy has last begun to deploy, whatever came of it.
    #[serde(default, deserialize_with = "attempted")]
    pub attempted: Option<Revision>,
    /// The last successful deploy.
    pub release: Option<Release>,
    /// What the stage was made for; `None` where only people deployed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// How the last run went that wanted to change the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Attempt>,
    /// The runs before it, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
}

/// What was deployed: a commit, and by which run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit, if the project is in a repository.
    pub commit: Option<String>,
    /// The run of the host, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<HostRun>,
}

/// The first states had the commit alone.
fn attempted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Revision>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Attempted {
        Commit(String),
        Revision(Revision),
    }
    let attempted = Option::<Attempted>::deserialize(deserializer)?;
    Ok(attempted.map(|attempted| match attempted {
        Attempted::Commit(commit) => Revision {
            commit: Some(commit),
            run: None,
        },
        Attempted::Revision(revision) => revision,
    }))
}

/// A run of a host that can be asked about it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRun {
    /// The repository: `octo/app`.
    pub repository: String,
    /// The file of the workflow: `octo/app/.github/workflows/stages.yml`.
    pub workflow: String,
    /// The host's number of the run, among all of its runs.
    pub id: u64,
    /// Its number among the runs of its workflow.
    pub number: u64,
    /// How often it was started.
    pub attempt: u64,
    /// The runner that has the job: the only thing that a job and the host's list of jobs have in common. Two may be called the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
}

/// For which branch or pull request a stage was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The repository: `octo/app`.
    pub repository: String,
    /// Its number, which stays the same when it is called otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_id: Option<u64>,
    /// The branch or pull request.
    #[serde(rename = "ref")]
    pub source: Source,
}

/// A repository on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name: `octo/app`.
    pub name: String,
    /// Its number, where it is known.
    pub id: Option<u64>,
}

impl Claim {
    /// Whether it is of a repository, be that called otherwise by now.
    pub fn is_of(&self, repository: &Repository) -> bool {
        match (self.repository_id, repository.id) {
            (Some(one), Some(other)) => one == other,
            (_, _) => self.repository == repository.name,
        }
    }
}

/// A run that wanted to change a stage, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// How it ended, or that it has not.
    pub outcome: Progress,
    /// Who ran it, for people.
    #[serde(default)]
    pub by: String,
    /// The commit that it wanted to deploy.
    pub commit: Option<String>,
    /// When it began, by the clock of its machine. For people, and for previews that nobody touches any more.
    pub at: Timestamp,
    /// How long it took, in milliseconds; `None` before it has ended.
    pub took_ms: Option<u64>,
    /// Where people can look at it.
    pub run: Option<String>,
    /// What it changed, a line each: `updated function/api_handler`.
    pub changes: Vec<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// Number of the release that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// Where the host recorded the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<u64>,
    /// What merging the pull request would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
}

impl Attempt {
    /// What is remembered of it when another one has begun.
    fn former(mut self) -> Self {
        let (changes, error) = REMEMBERED;
        self.changes.truncate(changes);
        if let Some(problem) = &mut self.error {
            problem.message = problem.message.chars().take(error).collect();
            problem.hints.clear();
        }
        Self {
            deployment: None,
            merge: None,
            ..self
        }
    }
}

impl Late {
    /// Whether the second look is due, which ends it.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.since(self.since) >= LATE
    }
}

impl fmt::Display for HostRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempt {
            1 => write!(f, "{} run {}", self.repository, self.id),
            attempt => write!(f, "{} run {} attempt {attempt}", self.repository, self.id),
        }
    }
}

/// How far an attempt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It has begun, and not ended.
    Deploying,
    /// The stage is as the commit says.
    Ready,
    /// Something failed.
    Failed,
    /// The stage is being taken down.
    Removing,
    /// The stage is gone.
    Removed,
    /// What is deployed is newer, and was kept.
    Superseded,
}

impl Progress {
    /// Whether nothing more will come.
    pub fn is_ended(self) -> bool {
        match self {
            Self::Ready | Self::Failed | Self::Removed | Self::Superseded => true,
            Self::Deploying | Self::Removing => false,
        }
    }
}

/// What went wrong, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What, and where.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

/// What merging a pull request would do to the stage of its base branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The stage.
    pub stage: StageName,
    /// The plan in one line, or why there is none.
    pub summary: String,
    /// The whole plan as text; empty where there is none.
    pub plan: String,
}

/// A hold on a stage, as it stands in its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Random number of the process that holds it.
    pub mark: String,
    /// Who it is, for people: `ann@laptop`.
    pub holder: String,
    /// What it is held for: `deploy`, `destroy`.
    pub purpose: String,
    /// Since when, by the holder's clock. For people to read.
    pub since: Timestamp,
    /// Grows with every renewal, so that the object changes.
    pub renewals: u64,
    /// The run of the host that holds it, which can be asked whether it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<HostRun>,
}

/// A change that was begun, and its end not recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// What was begun.
    pub intent: Intent,
    /// What was wanted; the last that is known of it, for a delete.
    pub resource: Option<Resource>,
}

/// A change whose end nobody waits for any more, and which may come about all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Late {
    /// What was wanted; the last that is known of it, for a delete.
    pub resource: Option<Resource>,
    /// Since when nobody waits for it, by the store's clock.
    pub since: Timestamp,
}

/// What was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// To make it.
    Create,
    /// To change it.
    Update,
    /// To remove it.
    Delete,
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// As it is; `None` where only its existence is known.
    pub resource: Option<Resource>,
    /// What AWS told us about it.
    pub outputs: Outputs,
}

/// One successful deploy of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Counts the deploys of this stage from 1.
    pub number: u64,
    /// Of what.
    #[serde(flatten)]
    pub revision: Revision,
    /// When its run began, by the clock of the machine that ran it.
    pub at: Timestamp,
    /// Who ran it.
    pub by: String,
    /// SHA-256 of each zip, by the name of the source.
    pub artifacts: BTreeMap<String, String>,
    /// Versions that were resolved, to be used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pins: Option<Pins>,
    /// What a preview was left without, for people: "`worker` from queue `jobs`".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// By what it is recognised when it would be deployed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Inputs>,
}

/// What a release was made from, as digests: where they are the same, it is not made again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Of all that the app was read from, together with what is deployed; `None` where the app is read each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Of what each package was made from, by the name of the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, String>,
    /// What was told as probably not meant when the app was read, to be told again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
}

/// What is wrong with a state, or happened to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store did not answer as it should.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The object is no state of ours or Chalice's.
    #[error("`{object}` is not a state: {reason}")]
    Damaged {
        /// Where it stands.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version of this program wrote it.
    #[error("`{object}` has format {format}, and this version reads up to {FORMAT}")]
    Newer {
        /// Where it stands.
        object: String,
        /// Its format.
        format: u64,
        /// The version that wrote it, where it says so.
        writer: Option<String>,
    },
    /// A later version of this program wrote it, and what it knows more would be lost with the next write.
    #[error("`{object}` has the key `{key}`, which this version does not know")]
    Unread {
        /// Where it stands.
        object: String,
        /// The key, with those that it stands in.
        key: String,
        /// The version that wrote it, where it says so.
        writer: Option<String>,
    },
    /// The object belongs to another app or stage than its name says.
    #[error("`{object}` is the state of {found}, and not of {wanted}")]
    Misplaced {
        /// Where it stands.
        object: String,
        /// What it says it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// Somebody else holds the stage.
    #[error("stage `{stage}` is held by {} since {} ({})", lease.holder, lease.since, lease.purpose)]
    Held {
        /// The stage.
        stage: StageName,
        /// Their lease.
        lease: Box<Lease>,
    },
    /// Somebody else took the stage from us.
    #[error("{} taken stage `{stage}` over from this run", taker(by.as_deref()))]
    Deposed {
        /// The stage.
        stage: StageName,
        /// Their lease, where it still stands.
        by: Option<Box<Lease>>,
    },
}

fn taker(lease: Option<&Lease>) -> String {
    match lease {
        Some(Lease { holder, purpose, .. }) => format!("{holder} ({purpose}) has"),
        None => "another run has".to_owned(),
    }
}

impl State {
    /// The state of a stage that was never deployed.
    pub fn new(app: AppName, stage: StageName, salt: String) -> Self {
        Self {
            format: FORMAT,
            app,
            stage,
            generation: 0,
            lease: None,
            in_doubt: BTreeMap::new(),
            late: BTreeMap::new(),
            deployed: BTreeMap::new(),
            users: BTreeMap::new(),
            place: None,
            role: None,
            salt,
            attempted: None,
            release: None,
            claim: None,
            last: None,
            history: Vec::new(),
        }
    }

    /// The commit of the last release.
    pub fn commit(&self) -> Option<String> {
        self.release
            .as_ref()
            .and_then(|release| release.revision.commit.clone())
    }

    /// Whether the last run of a former state is part of this one.
    pub fn remembers(&self, former: &Self) -> bool {
        let Some(last) = former.last.clone().map(Attempt::former) else {
            return false;
        };
        let runs = self.last.iter().chain(&self.history);
        self.generation >= former.generation && runs.cloned().map(Attempt::former).any(|run| run == last)
    }

    /// The number of the next release. A stage that was removed, or put back by hand, gives none a second time, as far as it
    /// remembers them.
    pub fn next_release(&self) -> u64 {
        let remembered = self
            .last
            .iter()
            .chain(&self.history)
            .filter_map(|attempt| attempt.release);
        let present = self.release.as_ref().map(|release| release.number);
        remembered.chain(present).max().map_or(1, |number| number + 1)
    }

    /// What is known of every resource that exists.
    pub fn outputs(&self) -> BTreeMap<Address, Outputs> {
        self.deployed
            .iter()
            .map(|(address, deployed)| (address.clone(), deployed.outputs.clone()))
            .collect()
    }

    /// Whether nothing is known for sure before somebody has looked: a former run was cut off, or it is time for the second
    /// look at what one had begun.
    pub fn needs_a_look(&self, now: Timestamp) -> bool {
        self.lease.is_some() || !self.in_doubt.is_empty() || self.late.values().any(|late| late.is_due(now))
    }

    /// Records that nobody waits any more for what is in doubt, and that it may come about all the same.
    pub fn expect_late(&mut self, since: Timestamp) {
        for address in self.in_doubt.keys().cloned().collect::<Vec<_>>() {
            self.expect_late_of(&address, since);
        }
    }

    /// As [`State::expect_late`], of one resource.
    pub fn expect_late_of(&mut self, address: &Address, since: Timestamp) {
        if let Some(doubt) = self.in_doubt.get(address) {
            let resource = doubt.resource.clone();
            self.late.insert(address.clone(), Late { resource, since });
        }
    }

    /// Records that a run has begun that wants to change the stage. What was known of the one before goes into the history.
    pub fn begin(&mut self, attempt: Attempt) {
        if let Some(former) = self.last.replace(attempt) {
            self.remember(former);
        }
    }

    /// Records a run that has ended and changed nothing, beside the last one that did.
    pub fn remember(&mut self, attempt: Attempt) {
        self.history.push(attempt.former());
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
    }

    /// Records that a resource exists.
    pub fn record(&mut self, address: Address, resource: Option<Resource>, outputs: Outputs) {
        self.in_doubt.remove(&address);
        self.deployed.insert(address, Deployed { resource, outputs });
    }

    /// Records that a resource is gone, and with it those that cannot be without it.
    pub fn forget(&mut self, address: &Address) {
        self.in_doubt.remove(address);
        if let Some(gone) = self.deployed.remove(address) {
            self.deployed
                .retain(|_, deployed| !deployed.outputs.belongs_to(&gone.outputs));
        }
    }
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod lease_model;
#[cfg(test)]
mod lease_tests;
#[cfg(test)]
pub mod memory;
