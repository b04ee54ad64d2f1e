//! An outside call that failed, and whether it may have happened.

use std::fmt;

/// A failed call to the outside: AWS or the state store.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Fault {
    /// What was called, as AWS names it: `lambda:CreateFunction`.
    pub operation: &'static str,
    /// What it was called on: a name, an ARN, a path, a URL.
    pub target: String,
    /// What kind of failure it is.
    pub kind: FaultKind,
    /// AWS's own name of the failure (`NoSuchBucket`), or nothing where AWS did not answer.
    pub code: String,
    /// What the other side said, or what broke.
    pub message: String,
    /// Whether the call may have had its effect all the same.
    pub certainty: Certainty,
    /// The request id that AWS's support asks for.
    pub request_id: Option<String>,
}

/// What kind of failure a call met, as far as a reader would do something different about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No credentials were found, or they are not valid any more.
    Credentials,
    /// The credentials are valid, and may not do this.
    Denied,
    /// Too many calls; the same call may be made later.
    Throttled,
    /// What the call is about does not exist.
    Absent,
    /// Something of this name exists already, or is being changed by somebody else.
    Conflict,
    /// It exists under our name, and is not ours.
    Foreign,
    /// The condition of a conditional write does not hold.
    Condition,
    /// No answer in time.
    Timeout,
    /// Nobody could be reached.
    Unreachable,
    /// The bucket or resource is in another Region.
    Region,
    /// The call itself was refused as wrong.
    Invalid,
    /// Our lease would not outlive this call, so that it was not made.
    LeaseLost,
    /// Somebody wished to stop before this call's turn came, so that it was not made.
    Stopped,
    /// Anything else.
    Other,
}

/// Whether a failed call may have had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// It was refused, or never sent.
    DidNotHappen,
    /// Nobody knows without looking.
    MayHaveHappened,
}

impl Fault {
    /// The same fault, of a call that was not the first of its step: whatever became of it, the step has had effects.
    #[must_use]
    pub fn of_a_begun_step(mut self) -> Self {
        self.certainty = Certainty::MayHaveHappened;
        self
    }

    /// Whether nobody answered, so that it may still happen.
    pub fn is_unanswered(&self) -> bool {
        self.certainty == Certainty::MayHaveHappened && matches!(self.kind, FaultKind::Timeout | FaultKind::Unreachable)
    }

    /// A call that was not made, or was refused before it had any effect.
    pub fn refused(operation: &'static str, target: impl Into<String>, kind: FaultKind, message: String) -> Self {
        Self {
            operation,
            target: target.into(),
            kind,
            code: String::new(),
            message,
            certainty: Certainty::DidNotHappen,
            request_id: None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on `{}`: {}", self.operation, self.target, self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}
