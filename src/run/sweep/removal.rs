//! Removing a stage that nobody needs any more: it is asked once more with the stage in hand.

use super::judge::{Doomed, Law, Reason, touched};
use super::survey::Estate;
use crate::cli::Options;
use crate::error::{Exit, Failure};
use crate::host::github::api::{Api, Standing};
use crate::report::Outcome;
use crate::report::sweep::RowOutcome;
use crate::run::behalf::{Asked, Behalf, Wanted};
use crate::run::destroy;
use crate::run::{Session, Told};
use crate::state::{State, lease};

/// What became of something, and more about that.
pub struct Became(pub RowOutcome, pub Option<String>);

impl Became {
    /// It stays, for a reason.
    pub fn left(why: impl Into<String>) -> Self {
        Self(RowOutcome::Left, Some(why.into()))
    }

    /// What became of it where the way to it broke off. Who finds a stage held by somebody leaves it to the next sweep.
    pub fn broken(failure: Failure) -> Self {
        match failure.exit {
            Exit::Held => Self::left(failure.message),
            Exit::Outside | Exit::Input | Exit::Deposed | Exit::Stopped => {
                Self(RowOutcome::Failed, Some(failure.message))
            }
        }
    }
}

/// Removes a stage under its lease, if everything is still as it was judged.
pub async fn remove(
    session: &Session<'_>,
    estate: &Estate<'_>,
    (github, law): (&Api, Law<'_>),
    doomed: &Doomed,
) -> Became {
    let stage = doomed.removal.stage();
    let may_take = |state: &State| Ok(still(state, doomed, law));
    let begun = || -> Asked<'_> { Box::pin(asked(github, law, &doomed.reason)) };
    let behalf = Behalf {
        claim: None,
        deployment: None,
        may_take: &may_take,
        begun: &begun,
    };
    let target = estate.target(stage);
    let options = hurried(session);
    let session = in_a_hurry(session, &options);
    removed(Box::pin(destroy::remove(&session, &target, Some(&behalf))).await)
}

/// What became of a stage that was to be removed.
pub fn removed(told: Result<Told, Failure>) -> Became {
    match told {
        Ok(Told {
            failure: Some(failure), ..
        })
        | Err(failure) => Became::broken(failure),
        Ok(Told { report, failure: None }) => match report.outcome {
            Outcome::Destroyed | Outcome::Unchanged => Became(RowOutcome::Removed, None),
            Outcome::Skipped | Outcome::Deployed | Outcome::Planned | Outcome::Superseded | Outcome::Failed => {
                Became(RowOutcome::Left, report.reason)
            }
        },
    }
}

/// A sweep waits for a stage only as long as it takes to see that its holder is dead.
pub fn hurried(session: &Session<'_>) -> Options {
    let mut options = session.options.clone();
    options.wait = options.wait.min(lease::LEASE + lease::RENEWAL);
    options
}

/// The same session with other wishes.
pub fn in_a_hurry<'a>(session: &Session<'_>, options: &'a Options) -> Session<'a> {
    Session {
        options,
        host: session.host.clone(),
        now: session.now,
        environment: session.environment.clone(),
        began: session.began,
        stop: session.stop.clone(),
        identity: session.identity.clone(),
        pool: session.pool.clone(),
        timeline: session.timeline.clone(),
        open_store: session.open_store,
        open_cloud: session.open_cloud,
    }
}

/// Whether a stage's state still says what it was judged by.
fn still(state: &State, doomed: &Doomed, law: Law<'_>) -> Wanted {
    let Some(claim) = state.claim.as_ref().filter(|claim| **claim == doomed.claim) else {
        return Wanted::No("it was made for something else meanwhile".to_owned());
    };
    if let Err(why) = doomed.removal.allows(Some(&claim.source), law.rules.branches) {
        return Wanted::No(why);
    }
    match doomed.reason {
        Reason::Expired { .. } | Reason::OverLimit { .. } if touched(state) != doomed.touched => {
            Wanted::No("somebody has touched it meanwhile".to_owned())
        }
        Reason::Expired { .. } | Reason::OverLimit { .. } | Reason::Closed(_) | Reason::BranchGone(_) => Wanted::Yes,
    }
}

/// Asks GitHub once more, with the stage in hand.
async fn asked(github: &Api, law: Law<'_>, reason: &Reason) -> Result<Wanted, Failure> {
    let no = |why: String| Ok(Wanted::No(why));
    match reason {
        Reason::Closed(number) => match github.pull_request(*number).await? {
            Some(pull) if pull.standing == Standing::Open => no(format!("#{number} is open again")),
            Some(_) => Ok(Wanted::Yes),
            // Pull requests are never deleted: the token may not see it.
            None => no(format!("GitHub does not show #{number} to this token")),
        },
        Reason::Expired { number, .. } | Reason::OverLimit { number, .. } => {
            let labels = github.pull_request(*number).await?.map(|pull| pull.labels);
            match labels.is_some_and(|labels| law.rules.pull_requests.keeps(&labels)) {
                true => no(format!("#{number} has the label that keeps it by now")),
                false => Ok(Wanted::Yes),
            }
        }
        Reason::BranchGone(branch) => match github.has_branch(branch).await? {
            true => no(format!("branch `{branch}` is there again")),
            false => Ok(Wanted::Yes),
        },
    }
}
