//! A Python process that runs a project's code: alone, with a clean environment, and not for ever.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::app::Error;

/// How long a script may run before it is stopped from outside; its own limit is a little shorter.
const PATIENCE: Duration = Duration::from_secs(65);

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Isolated<'a> {
    /// The interpreter.
    pub python: &'a Path,
    /// The script's text.
    pub script: &'static str,
    /// What the script is told, as a JSON object; the paths of its results are added.
    pub request: Value,
    /// Where programs are found.
    pub path: &'a str,
    /// Region that AWS clients of the code are made for.
    pub region: &'a str,
}

/// How a script ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What it wrote as its result, if it came so far.
    pub result: Option<Value>,
    /// Its exit status; `None` where it was stopped.
    pub status: Option<ExitStatus>,
    /// Everything that was printed.
    pub output: String,
    /// Where the code was when its time was over.
    pub hang: String,
}

/// Runs a script. Nothing of ours is in its environment, and its whole process group ends with it.
///
/// # Errors
///
/// `Error::File` where the process or its folder cannot be made.
pub async fn run(isolated: &Isolated<'_>) -> Result<Ended, Error> {
    let folder = tempfile::Builder::new().prefix("stagewright-").tempdir();
    let folder = folder.map_err(|source| failed(&std::env::temp_dir(), source))?;
    let place = |name: &str| folder.path().join(name);
    let mut request = isolated.request.clone();
    request["result"] = place("result.json").to_string_lossy().into();
    request["hang"] = place("hang").to_string_lossy().into();
    for (name, text) in [("script.py", isolated.script), ("request.json", &request.to_string()), ("hang", "")] {
        let written = std::fs::File::create(place(name))
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
        written.map_err(|source| failed(&place(name), source))?;
    }
    for name in ["home", "tmp"] {
        std::fs::create_dir(place(name)).map_err(|source| failed(&place(name), source))?;
    }
    let output = std::fs::File::create(place("output")).map_err(|source| failed(&place("output"), source))?;
    let errors = output.try_clone().map_err(|source| failed(&place("output"), source))?;
    let mut child = tokio::process::Command::new(isolated.python)
        .args(["-I", "-B"])
        .args([place("script.py"), place("request.json")])
        .current_dir(folder.path())
        .env_clear()
        .envs(environment(isolated, &place("home"), &place("tmp")))
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| failed(isolated.python, source))?;
    let group = child.id();
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    end(group).await;
    let text = |name: &str| {
        let bytes = std::fs::read(place(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Ended {
        result: serde_json::from_str(&text("result.json")).ok(),
        status: status.ok().and_then(Result::ok),
        output: text("output"),
        hang: text("hang"),
    })
}

fn environment(isolated: &Isolated<'_>, home: &Path, tmp: &Path) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("PATH", isolated.path.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", home.to_string_lossy().into_owned()),
        ("TMPDIR", tmp.to_string_lossy().into_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("AWS_CHALICE_CLI_MODE", "true".to_owned()),
        ("AWS_DEFAULT_REGION", isolated.region.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ])
}

/// Ends whatever the code left running in its process group.
async fn end(group: Option<u32>) {
    let Some(group) = group else { return };
    let mut kill = tokio::process::Command::new("sh");
    kill.args(["-c", "kill -s KILL -- \"-$0\""]).arg(group.to_string());
    let ended = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    // Where nothing is left, there is nothing to end.
    tracing::debug!(group, left = ended.await.is_ok_and(|status| status.success()), "process group ended");
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: PathBuf::from(path),
        source,
    }
}
