//! What an app declares, found by importing it in a process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::isolated::{self, Ended, Isolated};
use crate::app::apart::User;
use crate::app::{Error, Finding, Severity};

const SCRIPT: &str = include_str!("discover.py");

/// Seconds that an app may take to import.
const LIMIT_S: u32 = 60;

/// What an app declares, as the script wrote it down.
#[derive(Debug, Clone, Deserialize)]
pub struct Facts {
    /// Version of Chalice that the app was imported with.
    pub chalice: String,
    /// What the app calls itself, which is the title of its API.
    pub app_name: String,
    /// Media types that are passed on as binary.
    pub binary_types: Vec<String>,
    /// Methods on paths, in the order of the source.
    pub routes: Vec<RouteFacts>,
    /// Functions that authorize.
    pub authorizers: Vec<FunctionFacts>,
    /// Functions that nothing calls but the user.
    pub functions: Vec<FunctionFacts>,
    /// Functions that events call: `kind` is Chalice's class, `details` its fields.
    pub event_sources: Vec<FunctionFacts>,
    /// Functions that messages of a websocket call: `kind` is the route key.
    pub websockets: Vec<FunctionFacts>,
    /// Experimental features of Chalice that the app uses and does not ask for.
    #[serde(default)]
    pub features_missing: Vec<String>,
    /// Files of the project that the app imports, and that no package holds.
    pub unpackaged: Vec<PathBuf>,
}

/// One method on one path.
#[derive(Debug, Clone, Deserialize)]
pub struct RouteFacts {
    /// The path.
    pub path: String,
    /// The method as it was declared.
    pub method: String,
    /// Name of the function that answers.
    pub view: String,
    /// Lines of its documentation, indentation removed.
    pub documentation: Vec<String>,
    /// Media types that it takes.
    pub content_types: Vec<String>,
    /// Whether a caller must send an API key.
    pub api_key_required: bool,
    /// Headers of the answer to a preflight request, but for its methods.
    pub cors: Option<Vec<(String, String)>>,
    /// What guards it.
    pub authorizer: Option<GuardFacts>,
    /// Its file, relative to the project.
    pub file: PathBuf,
    /// Its line.
    pub line: Option<usize>,
}

/// What guards a route: a function of the app's where `function` is set, a `definition` for API Gateway otherwise.
#[derive(Debug, Clone, Deserialize)]
pub struct GuardFacts {
    /// Its name in the API.
    pub name: String,
    /// OAuth scopes.
    pub scopes: Vec<String>,
    /// Logical name of the function.
    pub function: Option<String>,
    /// Header with the token.
    pub header: Option<String>,
    /// Seconds for which an answer is kept.
    pub ttl_s: Option<u64>,
    /// ARN of the role with which API Gateway calls it.
    pub credentials: Option<String>,
    /// Its security definition.
    pub definition: Option<Value>,
}

/// A function that the app declares.
#[derive(Debug, Clone, Deserialize)]
pub struct FunctionFacts {
    /// Logical name.
    pub name: String,
    /// What Lambda calls.
    pub handler: String,
    /// Whether the handler is there after the import.
    pub handler_exists: bool,
    /// What calls it, in Chalice's own words.
    #[serde(default)]
    pub kind: String,
    /// What it is called by, in Chalice's own words; `flaw` alone where they cannot be written down.
    #[serde(default)]
    pub details: Map<String, Value>,
    /// Its file, relative to the project.
    pub file: PathBuf,
    /// Its line.
    pub line: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Found(Box<Facts>),
    Raised {
        message: String,
        traceback: String,
        file: PathBuf,
        line: Option<usize>,
    },
    Exited {
        status: String,
        file: PathBuf,
        line: Option<usize>,
    },
    NoApp,
    NoChalice {
        kind: String,
    },
    Unfit {
        message: String,
        file: PathBuf,
        line: Option<usize>,
    },
}

/// An app to import.
#[derive(Debug, Clone)]
pub struct Import<'a> {
    /// The interpreter of the virtualenv.
    pub python: &'a Path,
    /// The project.
    pub project: &'a Path,
    /// The stage's environment variables.
    pub environment: &'a BTreeMap<String, String>,
    /// Region that AWS clients of the app are made for.
    pub region: &'a str,
    /// Where programs are found.
    pub path: &'a str,
    /// Who imports it.
    pub user: &'a User,
}

/// Imports an app and returns what it declares, with a warning where its code could read ours.
///
/// # Errors
///
/// `Error::Raised` where the import raises, `Error::Findings` where it ends the process, takes too long or leaves no
/// `app`, `Error::File` where Python cannot be started.
pub async fn discover(import: &Import<'_>) -> Result<(Facts, Option<Finding>), Error> {
    if let Some(finding) = missing(import.project) {
        return Err(Error::Findings(vec![finding]));
    }
    let script = Isolated {
        python: import.python,
        script: SCRIPT,
        request: json!({
            "project": import.project.to_string_lossy(),
            "environment": import.environment,
            "limit_s": LIMIT_S,
        }),
        path: import.path,
        region: import.region,
        user: import.user,
    };
    let ended = isolated::run(&script).await?;
    Ok((interpret(&ended, import.project)?, exposed(import.user)))
}

/// Warns that a root's own process ran the app, where another user's was to.
fn exposed(user: &User) -> Option<Finding> {
    let User::Root(hidden) = user else { return None };
    Some(Finding {
        severity: Severity::Warning,
        file: hidden.clone(),
        place: None,
        message: "other users cannot read it, so the app's code ran as root and could read our credentials".to_owned(),
        hint: Some("have Python and the project where every user can read them, or do not run as root".to_owned()),
    })
}

/// Finds that a project has no `app.py`.
pub fn missing(project: &Path) -> Option<Finding> {
    let message = "the file does not exist, and a Chalice app is declared in it";
    (!project.join("app.py").is_file()).then(|| refusal("app.py", None, message))
}

fn interpret(ended: &Ended, project: &Path) -> Result<Facts, Error> {
    let outcome = ended.result.clone().map(serde_json::from_value).transpose();
    let outcome = outcome.map_err(|error| {
        let message = format!("what the app declares is not what Chalice takes: {error}");
        Error::Findings(vec![refusal("app.py", None, &message)])
    })?;
    let finding = match outcome {
        Some(Outcome::Found(facts)) => return Ok(*facts),
        Some(Outcome::Raised {
            message,
            traceback,
            file,
            line,
        }) => {
            return Err(Error::Raised {
                file,
                line,
                message,
                traceback,
            });
        }
        Some(Outcome::Exited { status, file, line }) => {
            let message = format!("the app ends the process when it is imported: sys.exit({status})");
            refusal(file, line, &message)
        }
        Some(Outcome::Unfit { message, file, line }) => refusal(file, line, &message),
        Some(Outcome::NoApp) => refusal("app.py", None, "there is no `app` in it after the import"),
        Some(Outcome::NoChalice { kind }) => {
            let message = format!("`app` must be a `Chalice`, and is a `{kind}`");
            refusal("app.py", None, &message)
        }
        None if ended.status.is_none() || !ended.hang.is_empty() => {
            let (file, line) = hanging(&ended.hang, project);
            let message = format!("the app was still importing after {LIMIT_S} seconds");
            refusal(file, line, &message)
        }
        None => {
            let status = ended.status.map_or_else(String::new, |status| status.to_string());
            let message = format!(
                "the process ended while it imported the app: {status}{}",
                last_words(&ended.output)
            );
            refusal("app.py", None, &message)
        }
    };
    Err(Error::Findings(vec![finding]))
}

/// The last five lines that were printed, each cut to a width that a terminal shows.
fn last_words(output: &str) -> String {
    let mut last: Vec<String> = output
        .lines()
        .rev()
        .take(5)
        .map(|line| line.chars().take(160).collect())
        .collect();
    last.reverse();
    last.iter().map(|line| format!("\n  {line}")).collect()
}

fn refusal(file: impl Into<PathBuf>, line: Option<usize>, message: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        file: file.into(),
        place: line.map(|line| (line, 1)),
        message: message.to_owned(),
        hint: None,
    }
}

/// The innermost place of the project in what Python's watchdog wrote: `  File "/x/app.py", line 3 in f`.
fn hanging(trace: &str, project: &Path) -> (PathBuf, Option<usize>) {
    let project = project.canonicalize().unwrap_or_else(|_| project.to_owned());
    let place = trace.lines().find_map(|line| {
        let (file, rest) = line.trim().strip_prefix("File \"")?.split_once("\", line ")?;
        let file = Path::new(file).strip_prefix(&project).ok()?;
        let own = !file.components().any(|part| part.as_os_str() == "site-packages");
        let line = rest.split(' ').next()?.parse().ok()?;
        own.then(|| (file.to_owned(), Some(line)))
    });
    place.unwrap_or_else(|| (PathBuf::from("app.py"), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(result: Option<Value>, output: &str, hang: &str) -> Ended {
        Ended {
            result,
            status: None,
            output: output.to_owned(),
            hang: hang.to_owned(),
        }
    }

    fn message(ended: &Ended) -> String {
        interpret(ended, Path::new("/project")).unwrap_err().to_string()
    }

    #[test]
    fn an_exception_of_the_app_is_shown_at_its_line() {
        let result =
            json!({"outcome": "raised", "message": "KeyError: 'X'", "traceback": "T", "file": "app.py", "line": 3});
        assert_eq!(
            message(&ended(Some(result), "", "")),
            "app.py:3: the app raised an exception when it was imported: KeyError: 'X'"
        );
    }

    #[test]
    fn an_app_that_hangs_is_shown_where_it_does() {
        let trace = "Timeout (0:01:00)!\nThread 0x1 (most recent call first):\n  File \"/usr/lib/socket.py\", line 9 in \
                     read\n  File \"/project/chalicelib/db.py\", line 12 in connect\n  File \"/project/app.py\", line 2 in <module>\n";
        assert_eq!(
            message(&ended(None, "", trace)),
            "chalicelib/db.py:12:1: the app was still importing after 60 seconds"
        );
    }

    #[test]
    fn what_chalice_would_not_take_is_said_so() {
        let result = json!({"outcome": "found", "chalice": "1.34.0", "app_name": 7});
        assert!(message(&ended(Some(result), "", "")).contains("app.py: what the app declares is not what Chalice"));
    }

    #[test]
    fn a_value_that_api_gateway_does_not_take_is_shown_at_its_route() {
        let said = "`ttl_seconds` of authorizer `a` must be a number, and is '300'";
        let unfit = json!({"outcome": "unfit", "message": said, "file": "app.py", "line": 7});
        assert_eq!(message(&ended(Some(unfit), "", "")), format!("app.py:7:1: {said}"));
    }

    #[test]
    fn where_others_cannot_read_python_the_user_is_warned() {
        let warning = exposed(&User::Root("/root".into())).unwrap();
        assert!(warning.to_string().starts_with("/root: other users cannot read it"));
        assert_eq!((exposed(&User::Own), exposed(&User::Other(1))), (None, None));
    }

    #[test]
    fn an_app_that_exits_or_is_none_is_said_so() {
        let exited = json!({"outcome": "exited", "status": "1", "file": "app.py", "line": 2});
        assert!(message(&ended(Some(exited), "", "")).contains("app.py:2:1: the app ends the process"));
        assert!(message(&ended(Some(json!({"outcome": "no_app"})), "", "")).contains("there is no `app`"));
        let other = json!({"outcome": "no_chalice", "kind": "Flask"});
        assert!(message(&ended(Some(other), "", "")).contains("is a `Flask`"));
    }
}
