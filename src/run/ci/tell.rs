//! What a run gives to whoever reads it: the summary, outputs for later steps, and marks in files.

use std::path::Path;

use serde_json::json;

use crate::error::Failure;
use crate::host::github::GitHub;
use crate::host::{Annotation, Ink, Level};
use crate::names::{AppName, StageName};
use crate::report::comment::inline;
use crate::report::{Outcome, Report, summary, timings};
use crate::run::{Session, Told};
use crate::state::State;

/// What became of one app.
#[derive(Debug)]
pub struct Ended {
    /// What is told of it.
    pub report: Report,
    /// Why it is not a success.
    pub failure: Option<Failure>,
    /// What merging would do, as text.
    pub plan: Option<String>,
}

impl Ended {
    /// What came of a command that had begun, or why it could not begin.
    pub fn new(told: Result<Told, Failure>, (app, stage): (&AppName, &StageName)) -> Self {
        let (mut report, failure) = match told {
            Ok(Told { report, failure }) => (report, failure),
            Err(failure) => {
                let nothing = State::new(app.clone(), stage.clone(), String::new());
                let failure = failure.with_nothing_changed();
                (Report::new(&nothing, Outcome::Failed, None), Some(failure))
            }
        };
        report.error = failure.as_ref().map(Failure::json);
        Self {
            report,
            failure,
            plan: None,
        }
    }
}

/// What a run says that was told to stop when some apps were done and others were not.
pub fn between_apps(ended: &[Ended]) -> Failure {
    match ended.len() {
        0 => Failure::stopped(),
        done => Failure::stopped().now(format!(
            "{done} apps are done and recorded: run it again for the others"
        )),
    }
}

/// Tells what became of all apps.
///
/// # Errors
///
/// The first failure among them; the others are told here.
pub fn tell(session: &Session<'_>, github: &GitHub, ended: Vec<Ended>) -> Result<(), Failure> {
    for reason in ended.iter().filter_map(|ended| ended.report.reason.as_ref()) {
        session.host.progress(Ink::Faint, reason);
    }
    let parts = ended
        .iter()
        .map(|ended| summary::render(&ended.report, ended.plan.as_deref()));
    let reports: Vec<_> = ended.iter().map(|ended| json!(ended.report)).collect();
    give(
        session,
        github,
        (&parts.collect::<Vec<_>>().join("\n"), &outputs(&ended)),
    );
    match reports.as_slice() {
        [only] => session.answer(only.clone()),
        several => session.answer(json!({"apps": several})),
    }
    let mut failures = ended.into_iter().filter_map(|ended| ended.failure);
    let first = failures.next();
    for failure in failures {
        session.host.note(Ink::Bad, &failure.text());
    }
    first.map_or(Ok(()), Err)
}

/// Tells why nothing could be begun.
pub fn failed(session: &Session<'_>, github: &GitHub, failure: &Failure) {
    mark(session, failure, &session.options.project_dir);
    let text = format!("### Failed\n{}", summary::failure(&failure.json()));
    give(session, github, (&text, &nothing("failed")));
}

/// Tells why there was nothing to do.
pub fn skipped(session: &Session<'_>, github: &GitHub, reason: &str) {
    session.host.progress(Ink::Faint, &format!("Nothing to do: {reason}"));
    let text = format!("### Nothing was deployed\n\n{}\n", inline(reason));
    give(session, github, (&text, &nothing("skipped")));
    session.answer(json!({"outcome": "skipped", "reason": reason}));
}

/// Gives summary and outputs to the runner, which can do without.
pub fn give(session: &Session<'_>, github: &GitHub, (text, outputs): (&str, &[(&'static str, String)])) {
    let timings = timings::markdown(&session.timeline);
    let text = match &timings {
        Some(timings) => &format!("{text}\n{timings}"),
        None => text,
    };
    for told in [github.summary(text), github.outputs(outputs)] {
        if let Err(error) = told {
            session.host.annotate(&Annotation {
                level: Level::Warning,
                place: None,
                message: error.to_string(),
            });
        }
    }
}

/// Marks the places of a failure in their files. `folder` is that of the app.
pub fn mark(session: &Session<'_>, failure: &Failure, folder: &Path) {
    for annotation in failure.annotations() {
        let place = annotation.place.map(|(file, line)| (folder.join(file), line));
        session.host.annotate(&Annotation { place, ..annotation });
    }
}

/// Outputs of a run that was about no stage.
pub fn nothing(outcome: &str) -> Vec<(&'static str, String)> {
    vec![
        ("stage", String::new()),
        ("url", String::new()),
        ("outcome", outcome.to_owned()),
        ("changed", "false".to_owned()),
        ("release", String::new()),
        ("commit", String::new()),
        ("report", "[]".to_owned()),
    ]
}

/// Outputs of the action. Of several apps, those of the first that was changed, or else of the first.
fn outputs(ended: &[Ended]) -> Vec<(&'static str, String)> {
    let reports = || ended.iter().map(|ended| &ended.report);
    let is_changed = |report: &&Report| report.steps.iter().any(|step| step.outcome == "done");
    let shown = reports().find(is_changed).or_else(|| reports().next());
    let worst = reports().find(|report| report.outcome == Outcome::Failed).or(shown);
    let of = |text: fn(&Report) -> Option<String>| shown.and_then(text).unwrap_or_default();
    vec![
        ("stage", of(|report| Some(report.stage.to_string()))),
        ("url", of(|report| report.url.clone())),
        (
            "outcome",
            worst.map_or("skipped", |report| report.outcome.word()).to_owned(),
        ),
        ("changed", reports().any(|report| is_changed(&report)).to_string()),
        ("release", of(|report| report.release.map(|number| number.to_string()))),
        ("commit", of(|report| report.commit.clone())),
        ("report", json!(reports().collect::<Vec<_>>()).to_string()),
    ]
}
