//! A Python process that runs a project's code: alone, with a clean environment, and not for ever.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::other_user::{self, NOBODY};
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
    /// What the script reads besides the interpreter's own files.
    pub reads: &'a [&'a Path],
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

/// Runs a script. Nothing of ours is in its environment, it runs as another user where we are root, and its whole
/// process group ends with it.
///
/// # Errors
///
/// `Error::File` where the process or its folder cannot be made.
pub async fn run(isolated: &Isolated<'_>) -> Result<Ended, Error> {
    let folder = tempfile::Builder::new().prefix("stagewright-").tempdir();
    let folder = folder.map_err(|source| failed(&std::env::temp_dir(), source))?;
    let mut command = prepare(isolated, folder.path()).map_err(|source| failed(folder.path(), source))?;
    let mut child = command.spawn().map_err(|source| failed(isolated.python, source))?;
    let group = child.id();
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    end(group).await;
    let text = |name: &str| {
        let bytes = std::fs::read(folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Ended {
        result: serde_json::from_str(&text("result.json")).ok(),
        status: status.ok().and_then(Result::ok),
        output: text("output"),
        hang: text("hang"),
    })
}

/// Fills the folder of a process, and makes the command that runs in it.
fn prepare(isolated: &Isolated<'_>, folder: &Path) -> std::io::Result<tokio::process::Command> {
    let place = |name: &str| folder.join(name);
    let mut request = isolated.request.clone();
    request["result"] = place("result.json").to_string_lossy().into();
    request["hang"] = place("hang").to_string_lossy().into();
    for (name, text) in [
        ("script.py", isolated.script),
        ("request.json", &request.to_string()),
        ("hang", ""),
    ] {
        std::io::Write::write_all(&mut std::fs::File::create(place(name))?, text.as_bytes())?;
    }
    for name in ["home", "tmp"] {
        std::fs::create_dir(place(name))?;
    }
    let output = std::fs::File::create(place("output"))?;
    let mut command = tokio::process::Command::new(isolated.python);
    command
        .args(["-I", "-B", "-u"])
        .args([place("script.py"), place("request.json")])
        .current_dir(folder)
        .env_clear()
        .envs(environment(isolated, &place("home"), &place("tmp")))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .kill_on_drop(true);
    let prefix = isolated
        .python
        .parent()
        .and_then(Path::parent)
        .unwrap_or(isolated.python);
    let standard = isolated.python.canonicalize()?;
    let mut reads = vec![prefix, &standard];
    reads.extend(isolated.reads);
    if other_user::is_possible(&reads) {
        for path in ["", "hang", "home", "tmp"].map(place) {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    Ok(command)
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
    let ended = kill
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // Where nothing is left, there is nothing to end.
    tracing::debug!(
        group,
        left = ended.await.is_ok_and(|status| status.success()),
        "process group ended"
    );
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: PathBuf::from(path),
        source,
    }
}
