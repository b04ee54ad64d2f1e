//! `history`: the runs that wanted to change a stage, and how each ended.

use serde_json::json;

use super::{Recorded, Session, recorded};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::{AppName, StageName};
use crate::report::history::{Detail, Ending, runs, table};
use crate::state::lease;

/// Shows the runs of a stage, newest first. The state remembers a few dozen of them.
///
/// # Errors
///
/// The stage has no record, or that cannot be read.
pub async fn history(session: &Session<'_>, stage: &StageName) -> Result<(), Failure> {
    let Recorded { app, store, .. } = recorded(session).await?;
    let Some(seen) = lease::read(store.as_ref(), Some(&app), stage).await? else {
        return Err(unrecorded(&app, stage));
    };
    let runs = runs(&seen.state);
    session.host.answer(&json!({"app": app, "stage": stage, "runs": runs}));
    if session.options.json {
        return Ok(());
    }
    if runs.is_empty() {
        session
            .host
            .say(&format!("No run of stage `{stage}` of app `{app}` is recorded.\n"));
        return Ok(());
    }
    let detail = match session.options.verbose {
        0 => Detail::Line,
        _ => Detail::Changes,
    };
    let (head, blocks) = table(&runs, detail);
    session.host.say(&format!("{head}\n"));
    for (ended, lines) in blocks {
        let (line, below) = lines
            .split_first()
            .map_or(("", lines.as_slice()), |(line, below)| (line, below));
        match ink(ended) {
            Some(ink) => session.host.progress(ink, line),
            None => session.host.say(&format!("{line}\n")),
        }
        for line in below {
            session.host.progress(Ink::Faint, line);
        }
    }
    Ok(())
}

/// A stage that has no record.
pub fn unrecorded(app: &AppName, stage: &StageName) -> Failure {
    Failure::input(format!("nothing is recorded of stage `{stage}` of app `{app}`"))
        .hint("`stagewright stages` lists the stages that are recorded")
}

fn ink(ended: Ending) -> Option<Ink> {
    match ended {
        Ending::Ready | Ending::Removed => None,
        Ending::Failed => Some(Ink::Bad),
        Ending::Superseded => Some(Ink::Faint),
        Ending::Running => Some(Ink::Good),
        Ending::CutOff => Some(Ink::Careful),
    }
}
