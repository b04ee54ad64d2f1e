//! Any room's error -> what the user reads: message, causes, hints, exit code. Hints are written here and nowhere else.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::app::{self, Finding, Severity};
use crate::fault::{Certainty, Fault, FaultKind};
use crate::host::{Annotation, Level, github};
use crate::names::NameError;
use crate::stage::claim::Collision;
use crate::stage::decide::Refused;
use crate::state::{self, Problem, probe};

/// How the program ends: part of its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// AWS, the store or the network failed.
    Outside = 1,
    /// What the user gave is wrong.
    Input = 2,
    /// The stage is held by somebody else.
    Held = 3,
    /// Somebody else took the stage over from this run.
    Deposed = 4,
    /// The user, or the system, told us to stop.
    Stopped = 5,
}

/// The most that a state keeps of a message.
const PROBLEM_CHARACTERS: usize = 2000;

/// What the user reads when something went wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, and where; perhaps several lines.
    pub message: String,
    /// What stands behind it: a traceback, the output of a command.
    pub details: Option<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// What state things are in now.
    pub now: Option<String>,
    /// What is wrong in which place, where it is several things or a file is known.
    pub places: Box<[Annotation]>,
}

impl Failure {
    /// A failure of what the user gave.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Input,
            message: message.into(),
            details: None,
            hints: Vec::new(),
            now: None,
            places: Box::default(),
        }
    }

    /// A failure of what is around us.
    pub fn outside(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Outside,
            ..Self::input(message)
        }
    }

    /// The user, or the system, told us to stop.
    pub fn stopped() -> Self {
        Self {
            exit: Exit::Stopped,
            ..Self::input("stopped by a signal")
        }
    }

    /// The same failure with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same failure, saying what state things are in now.
    #[must_use]
    pub fn now(mut self, now: impl Into<String>) -> Self {
        self.now = Some(now.into());
        self
    }

    /// The same failure; where nothing is said of the state of things, nothing was changed.
    #[must_use]
    pub fn with_nothing_changed(mut self) -> Self {
        self.now.get_or_insert_with(|| "nothing was changed".to_owned());
        self
    }

    /// Whether another run has the stage, or had it meanwhile.
    pub fn is_of_another_run(&self) -> bool {
        matches!(self.exit, Exit::Held | Exit::Deposed)
    }

    /// What of it is kept in the state, for people who look at the stage later.
    pub fn problem(&self) -> Problem {
        Problem {
            message: self.message.chars().take(PROBLEM_CHARACTERS).collect(),
            hints: self.hints.clone(),
        }
    }

    /// The failure where it stands in files, or as a whole.
    pub fn annotations(&self) -> Vec<Annotation> {
        if self.places.is_empty() {
            return vec![Annotation {
                level: Level::Error,
                place: None,
                message: self.message.clone(),
            }];
        }
        self.places.to_vec()
    }

    /// As text for people.
    pub fn text(&self) -> String {
        let mut text = format!("error: {}", self.message);
        if let Some(details) = self
            .details
            .as_deref()
            .map(str::trim_end)
            .filter(|details| !details.is_empty())
        {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n\n{details}\n");
        }
        if let Some(now) = &self.now {
            let _ = write!(text, "\nnow: {now}");
        }
        for hint in &self.hints {
            let _ = write!(text, "\nhint: {hint}");
        }
        text
    }

    /// As JSON for programs.
    pub fn json(&self) -> Value {
        json!({
            "message": self.message,
            "details": self.details,
            "hints": self.hints,
            "now": self.now,
            "exit_code": self.exit as i32,
        })
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let exit = match fault.kind {
            FaultKind::Foreign | FaultKind::Region => Exit::Input,
            FaultKind::Credentials
            | FaultKind::Denied
            | FaultKind::Throttled
            | FaultKind::Absent
            | FaultKind::Conflict
            | FaultKind::Condition
            | FaultKind::Timeout
            | FaultKind::Unreachable
            | FaultKind::Invalid
            | FaultKind::LeaseLost
            | FaultKind::Stopped
            | FaultKind::Other => Exit::Outside,
        };
        let hints = hint(&fault).into_iter().collect();
        Self {
            exit,
            message: fault.to_string(),
            details: None,
            hints,
            now: None,
            places: Box::default(),
        }
    }
}

/// A finding where it stands.
fn annotation(finding: &Finding) -> Annotation {
    Annotation {
        level: Level::Error,
        place: Some((finding.file.clone(), finding.place.map(|(line, _)| line as u64))),
        message: finding.message.clone(),
    }
}

impl From<github::Error> for Failure {
    fn from(error: github::Error) -> Self {
        Self::input(error.to_string())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::input(refused.to_string())
    }
}

impl From<Collision> for Failure {
    fn from(collision: Collision) -> Self {
        Self::input(collision.to_string())
    }
}

/// What GitHub refuses, or cannot answer.
fn hint_of_github(fault: &Fault) -> Option<String> {
    Some(match fault.kind {
        FaultKind::Credentials => "give the action a token that is valid: `github-token`, by default that of the job".to_owned(),
        FaultKind::Denied => {
            "give the job the permission: `permissions: { contents: read, pull-requests: write, deployments: write, id-token: \
             write, actions: read }`"
                .to_owned()
        }
        FaultKind::Throttled => "GitHub asks for a pause: run it again later".to_owned(),
        FaultKind::Timeout | FaultKind::Unreachable => "check the network and `GITHUB_API_URL`, then run it again".to_owned(),
        FaultKind::Absent
        | FaultKind::Conflict
        | FaultKind::Foreign
        | FaultKind::Condition
        | FaultKind::Region
        | FaultKind::Invalid
        | FaultKind::LeaseLost
        | FaultKind::Stopped
        | FaultKind::Other => return None,
    })
}

fn hint(fault: &Fault) -> Option<String> {
    if fault.operation.starts_with("github:") {
        return hint_of_github(fault);
    }
    let is_store = fault.operation.starts_with("s3:");
    Some(match fault.kind {
        FaultKind::Credentials => "give AWS credentials that are valid: `AWS_PROFILE`, `AWS_ACCESS_KEY_ID` and \
             `AWS_SECRET_ACCESS_KEY`, or `eval \"$(aws configure export-credentials --format env)\"` after `aws sso login`; `aws sts \
             get-caller-identity` shows who you are"
            .to_owned(),
        FaultKind::Denied if fault.operation.starts_with("file:") => {
            "make the folder writable, or name another place with `--state`".to_owned()
        }
        FaultKind::Denied => denied(fault),
        FaultKind::Throttled => "the account makes too many calls: wait a minute, then run it again".to_owned(),
        FaultKind::Absent if fault.code == "NoSuchBucket" => {
            "make the bucket (`aws s3 mb`), or correct `state:` in stagewright.yaml".to_owned()
        }
        FaultKind::Absent => "something took it out of AWS: run it again, and it is made anew".to_owned(),
        FaultKind::Foreign => "it may belong to another app, or to a state that was lost: choose another app or stage name; \
             or, to hand it over, tag it with `stagewright:app`, `stagewright:stage` and `stagewright:store` as docs/state.md \
             says, and run it again"
            .to_owned(),
        FaultKind::Region if is_store => {
            "the bucket is in another Region: write `state: { url: s3://..., region: ... }` in stagewright.yaml".to_owned()
        }
        FaultKind::Region => "set `stages.STAGE.aws.region` in stagewright.yaml, or `AWS_REGION`".to_owned(),
        FaultKind::Timeout | FaultKind::Unreachable => {
            "check the network, the Region and `AWS_ENDPOINT_URL`, then run it again: it goes on where it stopped".to_owned()
        }
        FaultKind::LeaseLost | FaultKind::Stopped => "run it again: it looks at what is there first".to_owned(),
        FaultKind::Condition if fault.operation.starts_with("lambda:") => {
            "somebody else changed the function after this run had looked at it: another tool, the console, or a run that was \
             replaced. See that nobody does, then run it again: it makes the function what the app says"
                .to_owned()
        }
        FaultKind::Conflict | FaultKind::Condition => {
            "somebody else changes the same thing: wait for them, then run it again".to_owned()
        }
        FaultKind::Other if fault.operation.starts_with("file:") => {
            "see to it that the file can be read and its folder written, or name another place with `--state`; then run it again"
                .to_owned()
        }
        FaultKind::Invalid => return None,
        FaultKind::Other => match fault.certainty {
            Certainty::MayHaveHappened => "run it again: it looks at what is there first".to_owned(),
            Certainty::DidNotHappen => return None,
        },
    })
}

/// IAM's own names: some calls are allowed by an action of another name.
fn denied(fault: &Fault) -> String {
    let action = match fault.operation {
        _ if fault.message.contains("iam:PassRole") => "iam:PassRole",
        "s3:HeadObject" => "s3:GetObject",
        "lambda:Invoke" => "lambda:InvokeFunction",
        "s3:GetBucketNotificationConfiguration" => "s3:GetBucketNotification",
        "s3:PutBucketNotificationConfiguration" => "s3:PutBucketNotification",
        other => other.strip_prefix("apigateway:").map_or(other, method),
    };
    let hint = format!(
        "allow `{action}` on `{}` for the credentials in use, then run it again",
        fault.target
    );
    match action {
        "s3:GetObject" => format!("{hint}; and `s3:ListBucket` on the bucket, or S3 says so of what is not there, too"),
        _ => hint,
    }
}

/// API Gateway's rights are the methods of its calls.
fn method(call: &str) -> &'static str {
    let methods = [
        ("Get", "apigateway:GET"),
        ("Put", "apigateway:PUT"),
        ("Update", "apigateway:PATCH"),
        ("Delete", "apigateway:DELETE"),
        ("Untag", "apigateway:DELETE"),
    ];
    let found = methods.into_iter().find(|(verb, _)| call.starts_with(verb));
    found.map_or("apigateway:POST", |(_, method)| method)
}

impl From<state::Error> for Failure {
    fn from(error: state::Error) -> Self {
        use state::Error;
        let message = error.to_string();
        let of = |exit, hint: &str| Self {
            exit,
            message: message.clone(),
            details: None,
            hints: vec![hint.to_owned()],
            now: None,
            places: Box::default(),
        };
        match error {
            Error::Store(fault) => fault.into(),
            Error::Damaged { object, .. } => of(
                Exit::Input,
                &format!("{} lists what it was before, and puts it back", restoring(&object)),
            ),
            Error::Newer { object, writer, .. } | Error::Unread { object, writer, .. } => {
                let version = writer.map_or_else(
                    || "a newer version of stagewright".to_owned(),
                    |writer| format!("stagewright {writer} or newer"),
                );
                // Two hints: whoever restores from a file needs the first alone.
                of(Exit::Input, &format!("install {version}"))
                    .hint(format!("or {} puts a former state back", restoring(&object)))
            }
            Error::Misplaced { .. } => of(
                Exit::Input,
                "correct `--state`, `app:` or `--stage`; if somebody has put the object into the wrong place, move it back to \
                 its own",
            ),
            Error::Held { stage, .. } => of(
                Exit::Held,
                &format!(
                    "wait for it, or give more time with `--wait 30m`: a holder that has died is replaced as soon as its run is \
                     known to have ended, or 30 s after its last sign; `stagewright unlock --stage {stage}` shows what it is doing"
                ),
            ),
            Error::Deposed { .. } => of(
                Exit::Deposed,
                "run it again: it waits for them, and looks at what is there first",
            ),
        }
    }
}

impl From<probe::Error> for Failure {
    fn from(error: probe::Error) -> Self {
        match error {
            probe::Error::Store(fault) => fault.into(),
            probe::Error::Lies { ref object, .. } => Self::input(error.to_string())
                .hint(
                    "keep the state in a store that honours conditional writes: a bucket of AWS's own S3, or a folder",
                )
                .hint(format!(
                    "if the store was put right meanwhile, remove `{object}`, and run `stagewright doctor`"
                )),
        }
    }
}

/// The command that puts back what the object of a stage was before; the object bears the stage's name.
fn restoring(object: &str) -> String {
    let name = object.rsplit('/').next().unwrap_or_default();
    let stage = name.strip_suffix(".json").unwrap_or("STAGE");
    format!("`stagewright restore --stage {stage}`")
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        use app::Error;
        let message = error.to_string();
        let of = |details: Option<String>, hints: Vec<String>| Self {
            exit: Exit::Input,
            message: message.clone(),
            details,
            hints,
            now: None,
            places: Box::default(),
        };
        match error {
            Error::Findings(findings) => {
                let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
                let places = errors.clone().map(annotation).collect();
                let lines: Vec<String> = errors.clone().map(ToString::to_string).collect();
                let mut hints: Vec<String> = errors.filter_map(|finding| finding.hint.clone()).collect();
                hints.dedup();
                Self {
                    message: lines.join("\n       "),
                    places,
                    ..of(None, hints)
                }
            }
            Error::Raised {
                file,
                line,
                traceback,
                message: raised,
            } => Self {
                places: Box::new([raised_at(file, line, &raised)]),
                ..of(Some(traceback), missing_module(&raised).into_iter().collect())
            },
            Error::Absent { output, .. } => of(
                Some(output),
                vec![
                    "correct its name or version; or name the index that has it: `--extra-index-url` in the \
                     requirements, or `UV_INDEX`"
                        .to_owned(),
                ],
            ),
            Error::Index { output, .. } => Self {
                exit: Exit::Outside,
                ..of(
                    Some(output),
                    vec!["check the network, proxies and the index's address, then run it again".to_owned()],
                )
            },
            Error::Command { output, .. } => of(Some(output), Vec::new()),
            Error::Program { program: "uv", .. } => of(
                None,
                vec!["install uv: `pip install uv`, or https://docs.astral.sh/uv/".to_owned()],
            ),
            Error::Program { program, .. } => of(None, vec![format!("install `{program}`, and have it on PATH")]),
            Error::Wheel { output, .. } => of(
                Some(output),
                vec![
                    "use a version that has a wheel for this platform, or put the built package into `vendor/`"
                        .to_owned(),
                ],
            ),
            Error::Size { largest, .. } => of(
                Some(sizes(&largest)),
                vec![
                    "leave the largest parts out, or move them into a layer; \
                 with an S3 bucket for `state` a zip may have more than 50 MB"
                        .to_owned(),
                ],
            ),
            Error::File { .. } => of(None, Vec::new()),
        }
    }
}

/// What an app raised, where it did.
fn raised_at(file: PathBuf, line: Option<usize>, raised: &str) -> Annotation {
    Annotation {
        level: Level::Error,
        place: Some((file, line.map(|line| line as u64))),
        message: raised.to_owned(),
    }
}

/// What to do where an app imports what is not there.
fn missing_module(raised: &str) -> Option<String> {
    let name = raised
        .strip_prefix("ModuleNotFoundError: No module named '")?
        .split('\'')
        .next()?;
    let name = name.split('.').next()?;
    Some(format!(
        "add the package that has `{name}` to requirements.txt; a module of your own belongs into `chalicelib/`"
    ))
}

fn sizes(largest: &[(String, u64)]) -> String {
    let line = |(name, bytes): &(String, u64)| format!("{:>9.1} MB  {name}", megabytes(*bytes));
    largest.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::input(error.to_string())
    }
}

#[cfg(test)]
mod tests;
