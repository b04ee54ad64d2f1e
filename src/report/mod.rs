//! What a person is told: as text and as JSON.

pub mod comment;
pub mod doctor;
pub mod history;
pub mod logs;
pub mod summary;
pub mod sweep;
pub mod timings;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::apply::{Ended, Outcome as StepOutcome};
use crate::names::{AppName, StageName, Timestamp};
use crate::plan::{Cause, Plan};
use crate::resource::{Outputs, domain_name};
use crate::state::{Deployed, Lease, State};

/// How a command ended for a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The stage is as the app says, and was changed for it.
    Deployed,
    /// The stage is as the app says, and was so before.
    Unchanged,
    /// This is what would be changed.
    Planned,
    /// Nothing of the stage is left.
    Destroyed,
    /// Nothing was done, for a reason that is no mistake.
    Skipped,
    /// What is deployed is newer, and was kept.
    Superseded,
    /// Something failed.
    Failed,
}

impl Outcome {
    /// The outcome in a word, as programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Unchanged => "unchanged",
            Self::Planned => "planned",
            Self::Destroyed => "destroyed",
            Self::Skipped => "skipped",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }
}

/// What became of a stage.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The app.
    pub app: AppName,
    /// The stage.
    pub stage: StageName,
    /// How it ended.
    pub outcome: Outcome,
    /// Where it is served, in the form in which it can be reached.
    pub url: Option<String>,
    /// Number of the release that is deployed now.
    pub release: Option<u64>,
    /// Its commit.
    pub commit: Option<String>,
    /// What was done, or would be.
    pub steps: Vec<StepReport>,
    /// What the stage is left without, since it is a preview.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// What the stage shares with another one and should have for itself, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<serde_json::Value>,
}

/// What became of a step.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// What it changes.
    pub address: String,
    /// How, in a word.
    pub action: &'static str,
    /// Why.
    pub causes: Vec<Cause>,
    /// When it began, in milliseconds from the beginning of the first; `null` where it was not made.
    pub began_ms: Option<u64>,
    /// How long it took, in milliseconds; `null` where it was not made.
    pub took_ms: Option<u64>,
    /// `planned`, `done`, `failed`, `skipped`.
    pub outcome: &'static str,
}

impl Report {
    /// A report of a stage as its state says, with no step.
    pub fn new(state: &State, outcome: Outcome, url: Option<String>) -> Self {
        Self {
            app: state.app.clone(),
            stage: state.stage.clone(),
            outcome,
            url,
            release: state.release.as_ref().map(|release| release.number),
            commit: state.commit(),
            steps: Vec::new(),
            withheld: state
                .release
                .as_ref()
                .map_or_else(Vec::new, |release| release.withheld.clone()),
            warnings: Vec::new(),
            reason: None,
            error: None,
        }
    }

    /// The same report with steps that were made.
    #[must_use]
    pub fn with_ended(mut self, steps: &[Ended]) -> Self {
        self.steps = steps.iter().map(StepReport::of_ended).collect();
        self
    }

    /// The same report with steps that would be made.
    #[must_use]
    pub fn with_planned(mut self, plan: &Plan) -> Self {
        let planned = plan.steps.iter().map(|step| StepReport {
            address: step.address.to_string(),
            action: step.action.word(),
            causes: step.causes.clone(),
            began_ms: None,
            took_ms: None,
            outcome: "planned",
        });
        self.steps = planned.collect();
        self
    }
}

impl StepReport {
    fn of_ended(ended: &Ended) -> Self {
        let (took_ms, outcome) = match ended.outcome {
            StepOutcome::Done => (Some(millis(ended.took)), "done"),
            StepOutcome::Failed(_) => (Some(millis(ended.took)), "failed"),
            StepOutcome::Skipped(_) | StepOutcome::Stopped => (None, "skipped"),
        };
        Self {
            address: ended.address.to_string(),
            action: ended.action,
            causes: ended.causes.clone(),
            began_ms: took_ms.map(|_| millis(ended.began)),
            took_ms,
            outcome,
        }
    }
}

/// A duration in whole milliseconds.
pub fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// What was done, a line a step: `updated function/api_handler`.
pub fn changes(steps: &[Ended]) -> Vec<String> {
    let done = steps.iter().filter(|step| matches!(step.outcome, StepOutcome::Done));
    done.map(|step| format!("{} {}", past(step.action), step.address))
        .collect()
}

fn past(action: &str) -> &'static str {
    match action {
        "create" => "created",
        "delete" => "deleted",
        _ => "updated",
    }
}

/// A step that has ended, in a line.
pub fn ended(step: &Ended) -> String {
    let Ended {
        address, action, took, ..
    } = step;
    match &step.outcome {
        StepOutcome::Done => format!("{} {address}  {}", past(action), seconds(*took)),
        StepOutcome::Failed(fault) => format!("could not {action} {address}  {}: {fault}", seconds(*took)),
        StepOutcome::Skipped(blocker) => format!("did not {action} {address}: it comes after {blocker}"),
        StepOutcome::Stopped => format!("did not {action} {address}: the run ended before it"),
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

/// What is deployed, in Chalice's manner: ARNs first, the URL last.
pub fn deployed(state: &State, url: Option<&str>) -> String {
    let mut text = "Resources deployed:\n".to_owned();
    let mut lines: Vec<(u8, String)> = state.deployed.values().filter_map(listed).collect();
    lines.sort();
    for (_, line) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - {line}");
    }
    if let Some(url) = url {
        if state.served().is_some() {
            let _ = writeln!(text, "  - Rest API URL: {url}");
        }
        let _ = writeln!(text, "{url}");
    }
    text
}

/// A resource in the list of what is deployed, and its rank there; none of what people do not look for by its name.
fn listed(deployed: &Deployed) -> Option<(u8, String)> {
    match &deployed.outputs {
        Outputs::Layer(layer) => Some((0, format!("Lambda Layer ARN: {}", layer.arn))),
        Outputs::Function(function) => Some((1, format!("Lambda ARN: {}", function.arn))),
        Outputs::FunctionUrl(function) => Some((2, format!("URL of {}: {}", function.function_name, function.url))),
        Outputs::DomainName(domain) => {
            let domain_name::Outputs {
                domain_name,
                hosted_zone_id,
                alias_domain_name,
                ..
            } = domain;
            let line = format!("Custom domain: {domain_name}, an alias of {alias_domain_name} (zone {hosted_zone_id})");
            Some((3, line))
        }
        Outputs::V2Api(api) if api.url.starts_with("wss:") => Some((4, format!("Websocket API URL: {}", api.url))),
        Outputs::V2Api(api) => Some((4, format!("HTTP API URL: {}", api.url))),
        Outputs::Role(_)
        | Outputs::RestApi(_)
        | Outputs::Permission(_)
        | Outputs::Deployment(_)
        | Outputs::Rule(_)
        | Outputs::Notification(_)
        | Outputs::Subscription(_)
        | Outputs::EventSourceMapping(_)
        | Outputs::LogGroup(_) => None,
    }
}

/// A stage in the list of stages.
#[derive(Debug, Clone, Serialize)]
pub struct StageReport {
    /// The stage.
    pub stage: StageName,
    /// Whether anything of it exists.
    pub deployed: bool,
    /// Where it is served.
    pub url: Option<String>,
    /// Number of its release.
    pub release: Option<u64>,
    /// The release's commit.
    pub commit: Option<String>,
    /// When it was deployed.
    pub at: Option<Timestamp>,
    /// Who deployed it.
    pub by: Option<String>,
    /// Who holds it.
    pub lease: Option<Lease>,
    /// Addresses of what was begun, and its end not recorded.
    pub in_doubt: Vec<String>,
    /// Why its state cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl StageReport {
    /// A stage as its state says.
    pub fn new(state: &State, url: Option<String>) -> Self {
        let release = state.release.clone();
        Self {
            stage: state.stage.clone(),
            deployed: !state.deployed.is_empty(),
            url,
            release: release.as_ref().map(|release| release.number),
            commit: state.commit(),
            at: release.as_ref().map(|release| release.at),
            by: release.map(|release| release.by),
            lease: state.lease.clone(),
            in_doubt: state.in_doubt.keys().map(ToString::to_string).collect(),
            unreadable: None,
        }
    }

    /// A stage whose state cannot be read, and why.
    pub fn unreadable(stage: StageName, why: String) -> Self {
        Self {
            stage,
            deployed: false,
            url: None,
            release: None,
            commit: None,
            at: None,
            by: None,
            lease: None,
            in_doubt: Vec::new(),
            unreadable: Some(why),
        }
    }

    fn served(&self) -> String {
        match (&self.url, &self.unreadable) {
            (Some(url), _) => url.clone(),
            (None, Some(why)) => format!("(unreadable: {why})"),
            (None, None) if self.deployed => "-".to_owned(),
            (None, None) => "(not deployed)".to_owned(),
        }
    }

    fn row(&self) -> [String; 6] {
        let dash = || "-".to_owned();
        let held = match &self.lease {
            Some(lease) => format!("held by {} ({})", lease.holder, lease.purpose),
            None if !self.in_doubt.is_empty() => format!("{} in doubt", self.in_doubt.len()),
            None => "free".to_owned(),
        };
        [
            self.stage.to_string(),
            self.served(),
            self.commit
                .as_ref()
                .map_or_else(dash, |commit| commit.chars().take(9).collect()),
            self.at.map_or_else(dash, |at| at.to_string()),
            self.by.clone().unwrap_or_else(dash),
            held,
        ]
    }
}

/// The list of stages as a table.
pub fn stages(stages: &[StageReport]) -> String {
    let head = ["STAGE", "URL", "COMMIT", "DEPLOYED", "BY", "LEASE"].map(ToOwned::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head)
        .chain(stages.iter().map(StageReport::row))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
