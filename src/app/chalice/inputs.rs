//! What a Chalice app is read from, as one digest: where it is the same, the app is, and nobody has to import it.
//!
//! An import sees the project's folder, the packages, the stage's settings and little of our environment. What it gets from
//! elsewhere (the network, the clock, another folder) is not seen here: such an app is deployed with `--refresh`.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::Config;
use super::{Request, sources};
use crate::app::Error;
use crate::app::inputs::{Digest, Except, Files};
use crate::app::python::{Pins, Wish};

/// Looks at every file that the import of an app can see in its project. Nothing of `ours` counts, nor of what Chalice writes.
///
/// # Errors
///
/// Something cannot be told for sure.
pub fn files(project: &Path, ours: &[PathBuf]) -> io::Result<Files> {
    let mut ours = ours.to_vec();
    ours.extend(["deployed", "deployments", "venv"].map(|name| project.join(".chalice").join(name)));
    let except = Except {
        whole: &sources::PACKAGED.map(|name| project.join(name)),
        ours: &ours,
    };
    let mut files = Files::default();
    files.add("project", project, &except)?;
    let config = std::fs::read(project.join(".chalice/config.json"))?;
    for policy in policies(&serde_json::from_slice(&config)?) {
        let path = project.join(".chalice").join(policy);
        files.add_file(format!("policy {policy}").into_bytes(), &path)?;
    }
    Ok(files)
}

/// The policies that a config names, wherever it does: they may lie outside of the project.
fn policies(config: &Value) -> Vec<&str> {
    match config {
        Value::Object(fields) => {
            let named = ["iam_policy_file", "api_gateway_policy_file"];
            let named = named.iter().filter_map(|key| fields.get(*key)?.as_str());
            named.chain(fields.values().flat_map(policies)).collect()
        }
        Value::Array(values) => values.iter().flat_map(policies).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The versions that were recorded, where the app would be read with them again.
///
/// # Errors
///
/// `Error::File` and `Error::Findings` where config or requirements have flaws.
pub fn pins<'a>(request: &Request<'a>) -> Result<Option<&'a Pins>, Error> {
    let wish = Wish {
        architecture: Config::read(request.project)?.stage(request.stage)?.architecture,
        python: request.python,
        recorded: request.recorded,
        resolution: request.resolution,
    };
    request.uv.again(request.project, &wish)
}

/// The digest of everything that an app is read from: its files, the packages that it is imported with, and what the import is
/// given.
///
/// # Errors
///
/// As [`pins`]; `Error::File` where it is not known which program this is.
pub fn digest(request: &Request<'_>, (files, pins): (&Files, &Pins)) -> Result<String, Error> {
    let Request {
        project,
        stage,
        region,
        python,
        uv,
        recorded: _,
        resolution: _,
    } = request;
    let mut digest = Digest::new("chalice");
    digest.add_program().map_err(|source| Error::File {
        path: PathBuf::from("stagewright"),
        source,
    })?;
    let architecture = Config::read(project)?.stage(stage)?.architecture;
    digest.add(files.digest());
    for key in uv.keys(project, pins, architecture)? {
        digest.add(key);
    }
    digest.add(serde_json::json!(pins).to_string());
    digest.add(stage.as_str());
    digest.add(region);
    digest.add(python.unwrap_or_default());
    digest.add(uv.environment.get("PATH").map_or("", String::as_str));
    Ok(digest.text())
}
