//! What Git knows of a folder: where its repository begins, where it comes from, and its branches.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::variable;
use crate::stage::succession::Kinship;

/// A checkout of a repository, as far as Git tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The repository's folder.
    pub root: Option<PathBuf>,
    /// URL of the remote `origin`.
    pub origin: Option<String>,
    /// The branch that the remote calls its default one.
    pub remote_default: Option<String>,
    /// The branch that is checked out.
    pub checked_out: Option<String>,
}

impl Checkout {
    /// Asks Git about a folder. Outside a repository nothing is known.
    pub fn of(folder: &Path) -> Self {
        let remote_head = git(
            folder,
            &["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"],
        );
        let remote_head = remote_head.and_then(|name| name.strip_prefix("origin/").map(ToOwned::to_owned));
        Self {
            root: git(folder, &["rev-parse", "--show-toplevel"]).map(PathBuf::from),
            origin: git(folder, &["remote", "get-url", "origin"]),
            remote_default: remote_head,
            checked_out: git(folder, &["symbolic-ref", "--quiet", "--short", "HEAD"]),
        }
    }

    /// Whether there is a branch of a name, here or at the remote as it was last seen.
    pub fn has_branch(&self, name: &str) -> bool {
        let Some(root) = &self.root else { return false };
        ["heads", "remotes/origin"].iter().any(|place| {
            let full = format!("refs/{place}/{name}");
            git(root, &["rev-parse", "--verify", "--quiet", &full]).is_some()
        })
    }
}

/// How two commits of a folder's repository stand to each other, as far as the folder has their history.
pub fn kinship(folder: &Path, ours: &str, theirs: &str) -> Kinship {
    // What is not committed is nobody's history.
    let (ours, theirs) = (ours.trim_end_matches("-dirty"), theirs.trim_end_matches("-dirty"));
    if ours == theirs {
        return Kinship::Same;
    }
    // Where the history is cut off, that a commit is not found in it says nothing.
    let is_whole = git(folder, &["rev-parse", "--is-shallow-repository"]).as_deref() == Some("false");
    match (is_ancestor(folder, ours, theirs), is_ancestor(folder, theirs, ours)) {
        (Some(true), _) => Kinship::Ancestor,
        (_, Some(true)) => Kinship::Descendant,
        (Some(false), Some(false)) if is_whole => Kinship::Diverged,
        (_, _) => Kinship::Unknown,
    }
}

/// `None` where Git does not know the two.
fn is_ancestor(folder: &Path, one: &str, other: &str) -> Option<bool> {
    let is_commit = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_commit(one) || !is_commit(other) {
        return None;
    }
    let asked = command(folder, &["merge-base", "--is-ancestor", one, other])
        .status()
        .ok()?;
    match asked.code() {
        Some(0) => Some(true),
        Some(1) => Some(false),
        Some(_) | None => None,
    }
}

/// The first line that Git answers; `None` where it refuses, says nothing, or is not installed.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let answered = command(folder, arguments).output().ok()?;
    let line = String::from_utf8(answered.stdout).ok()?.lines().next()?.to_owned();
    (answered.status.success() && !line.is_empty()).then_some(line)
}

/// Git in a folder. What the repository's own config names must not be run, and never with our environment; and what is
/// missing is not fetched.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let own = ["PATH", "HOME"]
        .into_iter()
        .filter_map(|name| Some((name, variable(name)?)));
    let mut command = Command::new("git");
    command
        .args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .env_clear()
        .envs(own)
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}
