//! The policy that Chalice makes from the source of an app, by the project's own version of Chalice's analyser.

use std::path::Path;

use serde_json::{Value, json};

use super::discover::Import;
use super::isolated::{self, Isolated};
use crate::app::apart::User;
use crate::app::event_policy::{self, Access};
use crate::app::{Error, Tracing};

const SCRIPT: &str = include_str!("analyse.py");

/// What the analyser says when it does not know a service.
const UNSUPPORTED: &str = "Unsupported service for auto policy generation: ";

/// What the analyser answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// The policy of what the source calls.
    pub policy: Value,
    /// Services that it calls and that the analyser does not know.
    pub unknown_services: Vec<String>,
}

/// An app to analyse.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The interpreter of the virtualenv.
    pub python: &'a Path,
    /// The project.
    pub project: &'a Path,
    /// Where programs are found.
    pub path: &'a str,
    /// Who looks at it.
    pub user: &'a User,
}

impl<'a> Subject<'a> {
    /// What is analysed of an app that is imported.
    pub fn of(import: &Import<'a>) -> Self {
        Self {
            python: import.python,
            project: import.project,
            path: import.path,
            user: import.user,
        }
    }
}

/// Asks Chalice's analyser which permissions the source needs. The answer is not kept: the app's own code may run at the same
/// time, as the same user, and could have changed what later runs would take for true.
///
/// # Errors
///
/// `Error::Command` where the analyser fails.
pub async fn analyse(subject: &Subject<'_>) -> Result<Analysis, Error> {
    let source = subject.project.join("app.py");
    let source = source.canonicalize().unwrap_or(source);
    let script = Isolated {
        python: subject.python,
        script: SCRIPT,
        request: json!({"source": source.to_string_lossy()}),
        path: subject.path,
        region: "us-east-1",
        user: subject.user,
    };
    let ended = isolated::run(&script).await?;
    let Some(policy) = ended.result else {
        return Err(Error::Command {
            command: "chalice gen-policy".to_owned(),
            status: ended
                .status
                .map_or_else(|| "no answer in time".to_owned(), |status| status.to_string()),
            output: ended.output,
        });
    };
    let unknown = ended.output.lines().filter_map(|line| line.strip_prefix(UNSUPPORTED));
    Ok(Analysis {
        policy,
        unknown_services: unknown.map(|service| service.trim().to_owned()).collect(),
    })
}

/// Which of a stage's settings a generated policy depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The routes' function has a VPC.
    pub vpc_of_routes: bool,
    /// A function with the generated policy has a VPC.
    pub vpc_of_any: bool,
    /// Whether the routes' function is traced.
    pub tracing: Tracing,
    /// What functions with the generated policy are called by, each once, in the order of the source.
    pub access: Vec<Access>,
}

/// The policy of a stage's own role: what the source calls, then logs, VPC, X-Ray and what calls
/// functions, in Chalice's order.
///
/// The VPC's statement stands twice where the whole stage is in a VPC, as Chalice has it. There are no `Sid`s, which
/// in Chalice's are random.
pub fn generated(analysis: &Analysis, needs: &Needs) -> Value {
    let vpc = json!({
        "Effect": "Allow",
        "Action": [
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DetachNetworkInterface",
            "ec2:DeleteNetworkInterface",
        ],
        "Resource": "*",
    });
    let logs = json!({
        "Effect": "Allow",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "arn:*:logs:*:*:*",
    });
    let tracing = json!({
        "Effect": "Allow",
        "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        "Resource": "*",
    });
    let analysed = analysis.policy.get("Statement").and_then(Value::as_array);
    let mut statements: Vec<Value> = analysed.into_iter().flatten().cloned().map(without_sid).collect();
    statements.push(logs);
    statements.extend(needs.vpc_of_routes.then(|| vpc.clone()));
    statements.extend((needs.tracing == Tracing::Active).then_some(tracing));
    statements.extend(needs.vpc_of_any.then_some(vpc));
    statements.extend(needs.access.iter().copied().map(event_policy::of_all));
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn without_sid(mut statement: Value) -> Value {
    if let Some(fields) = statement.as_object_mut() {
        fields.shift_remove("Sid");
    }
    statement
}
