//! From what started the run to what it leads to: trigger, decision, and which branch is which stage.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::StageName;

pub mod branches;
pub mod claim;
pub mod decide;
pub mod glob;
pub mod policy;
mod removal;
pub mod succession;

/// What started the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Commits came onto a branch.
    Push {
        /// The branch, without `refs/heads/`.
        branch: String,
    },
    /// A branch is gone.
    BranchDeleted {
        /// Its name.
        branch: String,
    },
    /// Something happened to a pull request.
    PullRequest(Box<PullRequest>),
    /// A clock.
    Schedule,
    /// A person asked for it.
    Manual {
        /// Where the person stood.
        git_ref: String,
        /// The stage that was asked for.
        stage: Option<String>,
        /// What is to be done with it; `deploy` where nothing is said.
        command: Option<String>,
    },
    /// Something that leads to nothing.
    Other {
        /// What it was, and why nothing follows, as a clause: `the tag `v1` was pushed, and tags are not deployed`.
        what: String,
    },
}

/// A pull request, as the trigger told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// What happened to it.
    pub activity: Activity,
    /// By whose workflow we were started.
    pub workflow: Workflow,
    /// Where its code comes from.
    pub origin: Origin,
    /// The branch that it shall be merged into.
    pub base: String,
    /// The commit at its head.
    pub head: String,
    /// Whether it is ready for review.
    pub readiness: Readiness,
    /// Its labels.
    pub labels: Vec<String>,
}

/// What happened to a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// There is something to deploy: it was opened or reopened, has new commits or a new label, or is ready for review.
    Deployable,
    /// It was closed, merged or not, or is closed by now.
    Closed,
    /// Something that changes nothing for us, as the host calls it.
    Other(String),
}

/// Whose workflow runs for a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workflow {
    /// That of the pull request itself (`pull_request`).
    Own,
    /// That of the base, with its rights (`pull_request_target`): code of the pull request must not be run.
    Base,
}

/// Where the code of a pull request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From this repository.
    Here,
    /// From a fork; `None` where the fork is gone.
    Fork(Option<String>),
    /// From Dependabot, whose runs get no credentials.
    Dependabot,
}

/// Whether a pull request is ready for review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is.
    Ready,
    /// It is a draft.
    Draft,
}

/// What a trigger leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A stage is made what the code says.
    Deploy {
        /// The stage.
        stage: StageName,
        /// For which branch or pull request.
        source: Source,
        /// Why.
        reason: String,
    },
    /// A stage is removed.
    Destroy {
        /// Which one, and by what right.
        removal: Removal,
        /// Why.
        reason: String,
    },
    /// What nobody needs any more is removed.
    Sweep {
        /// Why.
        reason: String,
    },
    /// Nothing is done.
    Skip {
        /// Why.
        reason: String,
    },
}

impl Decision {
    /// What is decided, about which stage, and why: for programs.
    pub fn json(&self) -> Value {
        let (decision, stage, reason) = match self {
            Self::Deploy { stage, reason, .. } => ("deploy", Some(stage), reason),
            Self::Destroy { removal, reason } => ("destroy", Some(removal.stage()), reason),
            Self::Sweep { reason } => ("sweep", None, reason),
            Self::Skip { reason } => ("skip", None, reason),
        };
        json!({"decision": decision, "stage": stage, "reason": reason})
    }
}

/// What a stage was made for. As text, as Git would name it: `refs/heads/main`, `refs/pull/42`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A branch.
    Branch(String),
    /// A pull request.
    PullRequest(u64),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(branch) => write!(f, "refs/heads/{branch}"),
            Self::PullRequest(number) => write!(f, "refs/pull/{number}"),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(branch) = text.strip_prefix("refs/heads/") {
            return Ok(Self::Branch(branch.to_owned()));
        }
        let number = text.strip_prefix("refs/pull/").and_then(|number| number.parse().ok());
        number
            .map(Self::PullRequest)
            .ok_or_else(|| format!("`{text}` is neither `refs/heads/…` nor `refs/pull/…`"))
    }
}

/// The right to remove a stage from a trigger. It cannot be had for a fixed stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    stage: StageName,
    ground: Ground,
}

/// By what right a stage is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ground {
    /// Its pull request is closed.
    Preview(u64),
    /// Its branch is gone, and a glob had made the stage for it. `None`: whichever branch the state records, a person asked.
    Branch(Option<String>),
}

impl Removal {
    /// The right to remove the preview of a pull request.
    pub fn of_preview(number: u64) -> Self {
        Self {
            stage: StageName::of_preview(number),
            ground: Ground::Preview(number),
        }
    }

    /// The stage.
    pub fn stage(&self) -> &StageName {
        &self.stage
    }

    /// The branch that is gone, if one is.
    pub fn branch(&self) -> Option<&str> {
        match &self.ground {
            Ground::Preview(_) => None,
            Ground::Branch(branch) => branch.as_deref(),
        }
    }

    /// The pull request whose preview it is, if it is one.
    pub fn pull_request(&self) -> Option<u64> {
        match self.ground {
            Ground::Preview(number) => Some(number),
            Ground::Branch(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
