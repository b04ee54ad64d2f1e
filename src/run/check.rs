//! `check`: everything that is wrong with config and app, without touching AWS.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Session;
use crate::app::python::Resolution;
use crate::app::{App, Error, Finding, Severity, Source, package};
use crate::config::read::Request;
use crate::config::{Project, load};
use crate::error::{Exit, Failure};
use crate::host::Ink;
use crate::names::{AppName, StageName};
use crate::plan::desired::{self, NAME_LIMIT, Refused};

/// Finds what is wrong, for every configured stage.
///
/// # Errors
///
/// Something would keep a deploy from beginning.
pub async fn check(session: &Session<'_>) -> Result<(), Failure> {
    let project = match load::load(&session.folder()?) {
        Ok(project) => project,
        Err(error) => return tell(session, &BTreeSet::new(), &findings_of(error, Path::to_owned)?),
    };
    let stages = project.stages();
    let mut findings = Vec::new();
    let mut inspected = Vec::new();
    for stage in &stages {
        for finding in of_stage(session, &project, (stage, &stages), &mut inspected).await? {
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
    (stage, stages): (&StageName, &BTreeSet<StageName>),
    inspected: &mut Vec<Source>,
) -> Result<Vec<Finding>, Failure> {
    let uv = session.uv();
    let configured = project.config.stage(stage);
    let request = Request {
        stage,
        region: configured.region.as_deref(),
        recorded: None,
        resolution: Resolution::Recorded,
        uv: &uv,
    };
    // A secret may be set where the deploy runs, and not here.
    let secret = |name: &str| session.secret(name).ok_or(Severity::Warning);
    let file_name = |file: &Path| project.file_name(file);
    let read = match project.read(request, &secret).await {
        Ok(read) => read,
        Err(error) => return findings_of(error, file_name),
    };
    let mut findings = [read.warnings, names(project, &read.app, stages)].concat();
    for (name, source) in read.app.sources {
        if !inspected.contains(&source) {
            let verdict = package::inspect(&name, &source).map_err(|error| project.named(error));
            if let Err(error) = verdict {
                findings.extend(findings_of(error, file_name)?);
            }
            inspected.push(source);
        }
    }
    Ok(findings)
}

/// What an error tells of the user's files; what it tells of this machine or the network stays a failure.
fn findings_of(error: Error, file_name: impl Fn(&Path) -> PathBuf) -> Result<Vec<Finding>, Failure> {
    let (file, line) = match &error {
        Error::Findings(findings) => return Ok(findings.clone()),
        Error::Raised { file, line, .. } => (file.clone(), *line),
        Error::Program { .. } | Error::Index { .. } => return Err(error.into()),
        Error::Absent { file, line, .. } => (file.clone(), Some(*line)),
        Error::Command { command, .. } if command.starts_with("uv python") => return Err(error.into()),
        Error::Command { command, .. } if !command.starts_with("uv ") => (file_name(Path::new("app.py")), None),
        Error::Command { .. } | Error::Wheel { .. } => (file_name(Path::new("requirements.txt")), None),
        Error::Size { .. } => (PathBuf::from("."), None),
        Error::File { path, .. } => (path.clone(), None),
    };
    let (message, hint) = match &error {
        Error::Raised { message, .. } => (
            format!("the app raised an exception when it was imported: {message}"),
            Some("`stagewright plan` shows the whole traceback".to_owned()),
        ),
        Error::File { source, .. } => (source.to_string(), None),
        Error::Command { output, .. } => (error.to_string(), Some(one_line(output))),
        Error::Size { largest, .. } => {
            let largest: Vec<_> = largest
                .iter()
                .map(|(name, bytes)| format!("{name} ({bytes} bytes)"))
                .collect();
            (
                error.to_string(),
                Some(format!("leave out the largest parts: {}", largest.join(", "))),
            )
        }
        Error::Absent { package, .. } => (format!("there is no package `{package}`"), None),
        Error::Findings(_) | Error::Program { .. } | Error::Index { .. } | Error::Wheel { .. } => {
            let text = error.to_string();
            (text, Failure::from(error).hints.into_iter().next())
        }
    };
    Ok(vec![Finding {
        severity: Severity::Error,
        file,
        place: line.map(|line| (line, 1)),
        message,
        hint,
    }])
}

fn one_line(output: &str) -> String {
    output.split_whitespace().collect::<Vec<_>>().join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn command(command: &str, output: &str) -> Error {
        Error::Command {
            command: command.to_owned(),
            status: "exit status: 1".to_owned(),
            output: output.to_owned(),
        }
    }

    #[test]
    fn what_the_project_requires_wrongly_is_a_finding_and_a_network_that_is_away_a_failure() {
        let of = |error| findings_of(error, |file| Path::new("svc").join(file));
        let unknown = command(
            "uv pip compile",
            "Because requets was not found\nin the package registry",
        );
        let findings = of(unknown).unwrap();
        assert_eq!(findings[0].file, Path::new("svc/requirements.txt"));
        assert!(
            findings[0]
                .hint
                .as_deref()
                .unwrap()
                .contains("requets was not found in the")
        );
        assert!(
            of(Error::Index {
                url: "`https://pypi.org/simple/`".to_owned(),
                output: String::new()
            })
            .is_err()
        );
        assert!(of(command("uv python find --show-version", "no interpreter")).is_err());
    }

    #[test]
    fn an_app_that_raises_is_told_with_file_and_line() {
        let raised = Error::Raised {
            file: PathBuf::from("app.py"),
            line: Some(7),
            message: "KeyError: 'A'".to_owned(),
            traceback: String::new(),
        };
        let findings = findings_of(raised, Path::to_owned).unwrap();
        assert_eq!(
            findings[0].to_string(),
            "app.py:7:1: the app raised an exception when it was imported: KeyError: 'A'"
        );
    }
}
