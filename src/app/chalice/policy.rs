//! The policy that Chalice makes from the source of an app, by the project's own version of Chalice's analyser.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::isolated::{self, Isolated};
use crate::app::event_policy::{self, Access};
use crate::app::python::requirements::hex;
use crate::app::{Error, Tracing};

const SCRIPT: &str = include_str!("analyse.py");

/// What the analyser says when it does not know a service.
const UNSUPPORTED: &str = "Unsupported service for auto policy generation: ";

/// What the analyser answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The policy of what the source calls.
    pub policy: Value,
    /// Services that it calls and that the analyser does not know.
    pub unknown_services: Vec<String>,
}

/// An app to analyse.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The interpreter of the virtualenv. It lies in a folder that is named by the digest of what is installed there.
    pub python: &'a Path,
    /// Version of Chalice in it, as the app's own process tells it.
    pub chalice: &'a str,
    /// The project.
    pub project: &'a Path,
    /// Our cache folder.
    pub cache: &'a Path,
    /// Where programs are found.
    pub path: &'a str,
}

/// Asks Chalice's analyser which permissions the source needs; the answer is kept in the cache.
///
/// # Errors
///
/// `Error::Command` where the analyser fails, `Error::File` where a file cannot be read or written.
pub async fn analyse(subject: &Subject<'_>) -> Result<Analysis, Error> {
    let source = subject.project.join("app.py");
    let source = source.canonicalize().unwrap_or(source);
    let text = std::fs::read(&source).map_err(|error| failed(&source, error))?;
    let key = key(subject, &text);
    let folder = subject.cache.join("policy");
    let place = folder.join(format!("{}.json", hex(key.as_ref())));
    if let Some(known) = std::fs::read(&place)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
    {
        return Ok(known);
    }
    let script = Isolated {
        python: subject.python,
        script: SCRIPT,
        request: json!({"source": source.to_string_lossy()}),
        path: subject.path,
        region: "us-east-1",
        reads: &[&source],
    };
    let ended = isolated::run(&script).await?;
    let Some(policy) = ended.result else {
        return Err(Error::Command {
            command: format!("chalice {} gen-policy", subject.chalice),
            status: ended
                .status
                .map_or_else(|| "no answer in time".to_owned(), |status| status.to_string()),
            output: ended.output,
        });
    };
    let unknown = ended.output.lines().filter_map(|line| line.strip_prefix(UNSUPPORTED));
    let analysis = Analysis {
        policy,
        unknown_services: unknown.map(|service| service.trim().to_owned()).collect(),
    };
    keep(&folder, &place, &analysis)?;
    Ok(analysis)
}

/// What an answer depends on. The code of a pull request may name itself any version of Chalice, but not be installed
/// in the place of another one.
fn key(subject: &Subject<'_>, source: &[u8]) -> impl AsRef<[u8]> {
    Sha256::new_with_prefix("stagewright-policy-2")
        .chain_update(subject.python.as_os_str().as_encoded_bytes())
        .chain_update([0])
        .chain_update(subject.chalice)
        .chain_update([0])
        .chain_update(source)
        .finalize()
}

fn keep(folder: &Path, place: &Path, analysis: &Analysis) -> Result<(), Error> {
    let text = json!(analysis).to_string();
    let kept = std::fs::create_dir_all(folder)
        .and_then(|()| tempfile::NamedTempFile::new_in(folder))
        .and_then(|mut file| {
            std::io::Write::write_all(&mut file, text.as_bytes())?;
            file.persist(place).map_err(|error| error.error)
        });
    kept.map(drop).map_err(|error| failed(place, error))
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: PathBuf::from(path),
        source,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_other_packages_is_another_one_whatever_version_they_claim() {
        let with = |python: &str| {
            let subject = Subject {
                python: Path::new(python),
                chalice: "1.34.0",
                project: Path::new("shop"),
                cache: Path::new("cache"),
                path: "",
            };
            key(&subject, b"app").as_ref().to_vec()
        };
        assert_eq!(with("python/aa/bin/python"), with("python/aa/bin/python"));
        assert_ne!(with("python/aa/bin/python"), with("python/bb/bin/python"));
    }
}
