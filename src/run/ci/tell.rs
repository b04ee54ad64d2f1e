//! What a run gives to whoever reads it: the summary, outputs for later steps, and marks in files.

use std::path::Path;

use serde_json::json;

use super::Ci;
use crate::error::Failure;
use crate::host::Annotation;
use crate::names::{AppName, StageName};
use crate::report::{Outcome, Report, summary};
use crate::run::Told;
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

impl Ci<'_> {
    /// Tells what became of all apps.
    ///
    /// # Errors
    ///
    /// The first failure among them; the others are told here.
    pub fn tell(&self, ended: Vec<Ended>) -> Result<(), Failure> {
        self.is_told.set(true);
        for reason in ended.iter().filter_map(|ended| ended.report.reason.as_ref()) {
            self.say(reason);
        }
        let parts = ended
            .iter()
            .map(|ended| summary::render(&ended.report, ended.plan.as_deref()));
        self.tried(self.github.summary(&parts.collect::<Vec<_>>().join("\n")));
        let reports: Vec<_> = ended.iter().map(|ended| json!(ended.report)).collect();
        self.tried(self.github.outputs(&outputs(&ended)));
        match reports.as_slice() {
            [only] => self.session.host.answer(only),
            several => self.session.host.answer(&json!({"apps": several})),
        }
        let mut failures = ended.into_iter().filter_map(|ended| ended.failure);
        let first = failures.next();
        for failure in failures {
            self.session.host.note(crate::host::Ink::Bad, &failure.text());
            self.mark(&failure, Path::new(""));
        }
        first.map_or(Ok(()), Err)
    }

    /// Tells of a run that failed before it came to any app.
    pub fn tell_of_none(&self, failure: &Failure) {
        let failure = failure.clone().with_nothing_changed();
        self.mark(&failure, &self.session.options.project_dir);
        let text = summary::failure(&failure.json());
        self.tried(
            self.github
                .summary(&format!("### Failed before anything was begun\n{text}")),
        );
        let mut values = outputs(&[]);
        values.retain(|(name, _)| *name != "outcome");
        values.push(("outcome", Outcome::Failed.word().to_owned()));
        self.tried(self.github.outputs(&values));
    }

    /// Marks the places of a failure in their files. `folder` is that of the app.
    pub fn mark(&self, failure: &Failure, folder: &Path) {
        for annotation in failure.annotations() {
            let place = annotation.place.map(|(file, line)| (folder.join(file), line));
            self.session.host.annotate(&Annotation { place, ..annotation });
        }
    }
}

/// Outputs of the action. Of several apps, those of the first that was changed, or else of the first.
fn outputs(ended: &[Ended]) -> Vec<(&'static str, String)> {
    let reports = || ended.iter().map(|ended| &ended.report);
    let is_changed = |report: &&Report| matches!(report.outcome, Outcome::Deployed | Outcome::Destroyed);
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
