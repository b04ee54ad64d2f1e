//! A Python process that runs a project's code: alone, with a clean environment, and not for ever.
//!
//! It is another user's where that is possible: [`user`] says whose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinSet;

use crate::app::Error;
use crate::app::apart::{self, GROUP, User};

/// How long a script may run before it is stopped from outside; its own limit is a little shorter.
const PATIENCE: Duration = Duration::from_secs(65);

/// How long output may still come when the process has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// Bytes of output that are kept, from its end.
const KEPT_BYTES: usize = 64 * 1024;

/// Bytes of a result that are read.
const RESULT_BYTES: u64 = 64 * 1024 * 1024;

/// What every script begins with.
const ALONE: &str = include_str!("alone.py");

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
    /// Whose process it is.
    pub user: &'a User,
}

/// How a script ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What it wrote as its result, if it came so far.
    pub result: Option<Value>,
    /// Its exit status; `None` where it was stopped.
    pub status: Option<ExitStatus>,
    /// The end of what was printed.
    pub output: String,
    /// Where the code was when its time was over.
    pub hang: String,
}

/// Runs a script. Nothing of ours is in its environment, it runs as another user where that is possible, and its whole
/// process group ends with it, or with us.
///
/// # Errors
///
/// `Error::File` where the process or its folder cannot be made.
pub async fn run(isolated: &Isolated<'_>) -> Result<Ended, Error> {
    let folder = tempfile::Builder::new().prefix("stagewright-").tempdir();
    let folder = folder.map_err(|source| failed(&std::env::temp_dir(), source))?;
    let mut command = prepare(isolated, folder.path()).map_err(|source| failed(folder.path(), source))?;
    let mut child = command.spawn().map_err(|source| failed(isolated.python, source))?;
    let group = Group(child.id());
    let tail = Arc::new(Mutex::new(Vec::new()));
    let mut drains = JoinSet::new();
    drains.spawn(drain(child.stdout.take(), Arc::clone(&tail)));
    drains.spawn(drain(child.stderr.take(), Arc::clone(&tail)));
    let status = tokio::time::timeout(PATIENCE, child.wait()).await;
    drop(group);
    // A process that left the group may keep its output open.
    let drained = tokio::time::timeout(DRAIN, async { while drains.join_next().await.is_some() {} }).await;
    tracing::debug!(whole = drained.is_ok(), "output read");
    let output = tail.lock().map_or_else(|_| Vec::new(), |tail| tail.clone());
    Ok(Ended {
        result: serde_json::from_str(&start_of(&folder.path().join("result.json"))).ok(),
        status: status.ok().and_then(Result::ok),
        output: String::from_utf8_lossy(&output).into_owned(),
        hang: start_of(&folder.path().join("hang")),
    })
}

/// The text of a file, of which nobody can make us read without end.
fn start_of(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| std::io::Read::read_to_end(&mut std::io::Read::take(file, RESULT_BYTES), &mut bytes));
    // Where there is no such file, the script did not come so far.
    tracing::debug!(ok = read.is_ok(), path = %path.display(), "file of a script read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads everything that is printed, and keeps the end of it.
async fn drain(stream: Option<impl AsyncRead + Unpin>, tail: Arc<Mutex<Vec<u8>>>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if let Ok(mut tail) = tail.lock() {
            keep(&mut tail, &buffer[..count]);
        }
    }
}

fn keep(tail: &mut Vec<u8>, more: &[u8]) {
    tail.extend_from_slice(more);
    let surplus = tail.len().saturating_sub(KEPT_BYTES);
    tail.drain(..surplus);
}

/// Who runs the code of a project with an interpreter: another user where we are root and that user can read the interpreter, the
/// packages beside it and the project; whom the app belongs to may do it as well. Thousands of files are looked at for that, which
/// keeps nobody else waiting.
///
/// # Errors
///
/// `Error::File` where there is no such interpreter.
pub async fn user(python: &Path, project: &Path) -> Result<User, Error> {
    let standard = python.canonicalize().map_err(|source| failed(python, source))?;
    let prefix = python.parent().and_then(Path::parent).unwrap_or(python);
    let project = ["app.py", "chalicelib", "vendor"].map(|name| project.join(name));
    let reads: Vec<PathBuf> = [standard, prefix.to_owned()]
        .into_iter()
        .chain(project.clone())
        .collect();
    let [app, ..] = project;
    let looking = tokio::task::spawn_blocking(move || {
        let reads: Vec<&Path> = reads.iter().map(PathBuf::as_path).collect();
        apart::importer(Some(&app), &reads)
    });
    looking
        .await
        .map_err(|broken| failed(python, std::io::Error::other(broken)))
}

/// Fills the folder of a process, and makes the command that runs in it.
fn prepare(isolated: &Isolated<'_>, folder: &Path) -> std::io::Result<tokio::process::Command> {
    let place = |name: &str| folder.join(name);
    let mut request = isolated.request.clone();
    request["result"] = place("result.json").to_string_lossy().into();
    request["hang"] = place("hang").to_string_lossy().into();
    let script = format!("{ALONE}{}", isolated.script);
    for (name, text) in [
        ("script.py", script.as_str()),
        ("request.json", request.to_string().as_str()),
        ("hang", ""),
    ] {
        std::io::Write::write_all(&mut std::fs::File::create(place(name))?, text.as_bytes())?;
    }
    for name in ["home", "tmp"] {
        std::fs::create_dir(place(name))?;
    }
    let mut command = tokio::process::Command::new(isolated.python);
    command
        .args(["-I", "-B", "-u"])
        .args([place("script.py"), place("request.json")])
        .current_dir(folder)
        .env_clear()
        .envs(environment(isolated, &place("home"), &place("tmp")))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(other) = isolated.user.other() {
        for path in ["", "hang", "home", "tmp"].map(place) {
            std::os::unix::fs::chown(path, Some(other), Some(GROUP))?;
        }
        command.uid(other).gid(GROUP);
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

/// A process group, which ends with the value: also where we are interrupted.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = self.0 else { return };
        let mut kill = std::process::Command::new("sh");
        kill.args(["-c", "kill -s KILL -- \"-$0\""]).arg(group.to_string());
        // What left the group may still be there to read this process's environment.
        let ended = kill
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // Where nothing is left, there is nothing to end.
        let left = ended.is_ok_and(|status| status.success());
        tracing::debug!(group, left, "process group ended");
    }
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: PathBuf::from(path),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_what_is_printed_is_kept() {
        let mut tail = Vec::new();
        keep(&mut tail, &[b'a'; KEPT_BYTES]);
        keep(&mut tail, b"end");
        assert_eq!(tail.len(), KEPT_BYTES);
        assert!(tail.ends_with(b"aend"));
    }
}
