//! What Git knows of a folder: where its repository begins, where it comes from, and its branches.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// The first line that Git answers; `None` where it refuses, says nothing, or is not installed.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let answered = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let line = String::from_utf8(answered.stdout).ok()?.lines().next()?.to_owned();
    (answered.status.success() && !line.is_empty()).then_some(line)
}
