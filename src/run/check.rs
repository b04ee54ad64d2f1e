//! `check`: everything that is wrong with config and app, without touching AWS.

use std::collections::BTreeSet;

use super::Session;
use crate::app::python::Resolution;
use crate::app::{App, Error, Finding, Severity};
use crate::config::Project;
use crate::config::read::Request;
use crate::error::{Exit, Failure};
use crate::host::terminal::Ink;
use crate::names::{AppName, StageName};
use crate::plan::desired::{self, NAME_LIMIT, Refused};

/// Finds what is wrong, for every configured stage.
///
/// # Errors
///
/// Something would keep a deploy from beginning.
pub async fn check(session: &Session<'_>) -> Result<(), Failure> {
    let project = session.project()?;
    project.app_name()?;
    let stages = project.stages();
    let mut findings = Vec::new();
    for stage in &stages {
        for finding in of_stage(session, &project, stage, &stages).await? {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    findings.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
    tell(session, &stages, &findings)
}

async fn of_stage(
    session: &Session<'_>,
    project: &Project,
    stage: &StageName,
    stages: &BTreeSet<StageName>,
) -> Result<Vec<Finding>, Failure> {
    let uv = session.uv();
    let region = project
        .config
        .stages
        .get(stage)
        .and_then(|stage| stage.region.as_deref());
    let request = Request {
        stage,
        region,
        recorded: None,
        resolution: Resolution::Recorded,
        uv: &uv,
    };
    // Secrets are not needed to check what uses them.
    match project.read(request, &|_| Some(String::new())).await {
        Ok(read) => Ok([read.warnings, names(project, &read.app, stages)].concat()),
        Err(Error::Findings(findings)) => Ok(findings),
        Err(error) => Err(error.into()),
    }
}

/// The names of an app that AWS would refuse on any of the stages.
pub fn names(project: &Project, app: &App, stages: &BTreeSet<StageName>) -> Vec<Finding> {
    found(project, stages, |stage| desired::refused_names(app, stage))
}

/// As [`names`], as far as it is known without reading the app.
pub fn base_names(project: &Project, app: &AppName, stages: &BTreeSet<StageName>) -> Vec<Finding> {
    found(project, stages, |stage| {
        desired::refused_base(app, stage).into_iter().collect()
    })
}

fn found(
    project: &Project,
    stages: &BTreeSet<StageName>,
    refused: impl Fn(&StageName) -> Vec<Refused>,
) -> Vec<Finding> {
    let finding = |stage: &StageName, refused: Refused| Finding {
        severity: Severity::Error,
        file: project.config_file(),
        place: None,
        message: format!(
            "on stage `{stage}` {} is named `{}`: it has {} characters, and {NAME_LIMIT} is the limit",
            refused.what, refused.name, refused.length
        ),
        hint: Some("shorten the name of the app, the stage or the function".to_owned()),
    };
    let of_stage = |stage| refused(stage).into_iter().map(move |refused| finding(stage, refused));
    stages.iter().flat_map(of_stage).collect()
}

fn tell(session: &Session<'_>, stages: &BTreeSet<StageName>, findings: &[Finding]) -> Result<(), Failure> {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    let listed: Vec<_> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "severity": match finding.severity { Severity::Error => "error", Severity::Warning => "warning" },
                "file": finding.file,
                "line": finding.place.map(|(line, _)| line),
                "column": finding.place.map(|(_, column)| column),
                "message": finding.message,
                "hint": finding.hint,
            })
        })
        .collect();
    session
        .host
        .answer(&serde_json::json!({"stages": stages, "findings": listed}));
    for finding in findings {
        let (ink, word) = match finding.severity {
            Severity::Error => (Ink::Bad, "error"),
            Severity::Warning => (Ink::Careful, "warning"),
        };
        session.host.progress(ink, &format!("{word}: {finding}"));
        if let Some(hint) = &finding.hint {
            session.host.progress(Ink::Faint, &format!("  hint: {hint}"));
        }
    }
    let names: Vec<&str> = stages.iter().map(StageName::as_str).collect();
    if errors == 0 {
        session.host.say(&format!(
            "Checked {}: nothing keeps them from being deployed.\n",
            names.join(", ")
        ));
        return Ok(());
    }
    let plural = if errors == 1 { "" } else { "s" };
    Err(Failure {
        exit: Exit::Input,
        ..Failure::input(format!("{errors} error{plural} found"))
    })
}
