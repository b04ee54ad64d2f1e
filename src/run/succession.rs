//! Whether a deploy is superseded: what is deployed, or was begun to be, is newer than what it brings.

use std::path::Path;

use super::{Session, Told};
use crate::report::{Outcome, Report};
use crate::stage::Source;
use crate::stage::succession::{Evidence, Kinship, is_superseded};
use crate::state::lease::{self, Seen};
use crate::state::store::Store;
use crate::state::{Attempt, HostRun, Progress, Revision, State};

/// Whether a commit may be deployed that is older than what is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// It may not: it is superseded.
    Superseded,
    /// It may: somebody wants it back on purpose.
    Allowed,
}

/// What is about to be deployed, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The folder of its repository.
    pub folder: &'a Path,
    /// Its commit; without one nothing is older.
    pub commit: Option<&'a str>,
    /// For which branch or pull request.
    pub source: Option<&'a Source>,
}

/// Why a commit is superseded by what a state says, as a sentence; `None` where it is not.
pub async fn superseded(session: &Session<'_>, candidate: Candidate<'_>, state: &State) -> Option<String> {
    let Candidate { folder, commit, source } = candidate;
    let (host, ours) = (session.host.as_ref(), commit?);
    let released = state.release.as_ref().map(|release| &release.revision);
    let begun = state.attempted.as_ref().filter(|begun| Some(*begun) != released);
    for (theirs, what) in [(released, "is deployed"), (begun, "was begun after it")] {
        let Some(Revision {
            commit: Some(commit),
            run,
        }) = theirs
        else {
            continue;
        };
        let to_theirs = host.kinship(folder, ours, commit).await;
        if matches!(to_theirs, Kinship::Same | Kinship::Descendant) {
            continue;
        }
        let head = match source {
            Some(source) => host.head(source).await,
            None => None,
        };
        let to_head = match head {
            Some(head) => host.kinship(folder, ours, &head).await,
            None => Kinship::Unknown,
        };
        let runs = numbers(host.run().as_ref(), run.as_ref());
        if is_superseded(Evidence {
            to_theirs,
            to_head,
            runs,
        }) {
            return Some(sentence(to_theirs, (ours, commit), what));
        }
    }
    None
}

/// The numbers of two runs that can be compared.
fn numbers(ours: Option<&HostRun>, theirs: Option<&HostRun>) -> Option<(u64, u64)> {
    let (ours, theirs) = (ours?, theirs?);
    let is_same = ours.repository == theirs.repository && ours.workflow == theirs.workflow;
    is_same.then_some((ours.number, theirs.number))
}

fn sentence(to_theirs: Kinship, (ours, theirs): (&str, &str), what: &str) -> String {
    let short = |commit: &str| commit.chars().take(9).collect::<String>();
    let (ours, theirs) = (short(ours), short(theirs));
    match to_theirs {
        Kinship::Ancestor => format!("`{theirs}`, which {what}, contains `{ours}` already."),
        Kinship::Diverged => {
            format!("`{ours}` is not part of the branch any more, and `{theirs}`, which {what}, is newer.")
        }
        Kinship::Same | Kinship::Descendant | Kinship::Unknown => {
            format!("`{theirs}`, which {what}, is of a later run than `{ours}`.")
        }
    }
}

/// Tells that nothing was deployed, and remembers it with the stage, where nobody holds that.
pub async fn told(
    session: &Session<'_>,
    store: &dyn Store,
    (mut seen, commit, reason): (Seen, Option<String>, String),
) -> Told {
    let attempt = Attempt {
        changes: vec![reason.clone()],
        ..session.attempt(Progress::Superseded, commit)
    };
    seen.state.remember(attempt);
    match lease::note(store, &seen).await {
        Ok(noted) => tracing::debug!(noted, "superseded"),
        Err(error) => tracing::warn!(%error, "that the run was superseded could not be noted"),
    }
    let reason = format!("{reason} `--allow-older` deploys it all the same.");
    session.host.say(&format!("Superseded: {reason}\n"));
    let mut report = Report::new(&seen.state, Outcome::Superseded, session.url(&seen.state));
    report.reason = Some(reason);
    Told::of(report)
}
