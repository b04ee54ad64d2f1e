//! What there is to ask about a repository: its files, its commits and branches, and its runs.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::api::{Api, Call, Head, encoded, read};
use crate::fault::{Fault, FaultKind};
use crate::stage::succession::Kinship;
use crate::state::HostRun;
use crate::state::takeover::Life;

/// How long GitHub is waited for, where others can be waited for without it.
const ANSWER: Duration = Duration::from_secs(5);

/// Most files that GitHub lists of a comparison.
/// See <https://docs.github.com/rest/commits/commits#compare-two-commits>.
const LISTED_FILES: usize = 300;

/// What was changed from one commit to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// How the second stands to the first.
    pub kinship: Kinship,
    /// The files that were changed; `None` where GitHub does not list them all.
    pub files: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Comparison {
    status: String,
    #[serde(default)]
    files: Vec<ChangedFile>,
}

#[derive(Deserialize)]
struct ChangedFile {
    filename: String,
    previous_filename: Option<String>,
}

impl ChangedFile {
    /// A file that was moved was changed where it was, too.
    fn names(self) -> impl Iterator<Item = String> {
        std::iter::once(self.filename).chain(self.previous_filename)
    }
}

#[derive(Deserialize)]
struct Branch {
    commit: Head,
}

#[derive(Deserialize)]
struct RunAttempt {
    status: Option<String>,
}

#[derive(Deserialize)]
struct File {
    encoding: String,
    content: String,
}

impl Api {
    /// The text of a file on the default branch; `None` where there is no such file.
    ///
    /// # Errors
    ///
    /// The call failed, or the file is over GitHub's limit of 1 MB, or no text.
    pub async fn default_file(&self, path: &str) -> Result<Option<String>, Fault> {
        let encoded: Vec<String> = path.split('/').map(encoded).collect();
        let call = self.look("github:GetContent", &format!("/contents/{}", encoded.join("/")));
        let call = Call {
            target: format!("{}:{path}", self.repository()),
            ..call
        };
        let found: Option<Value> = self.found(&call).await?;
        // A folder is a list, and a link or another repository has no content.
        let Some(Ok(File { encoding, content })) = found.map(serde_json::from_value) else {
            return Ok(None);
        };
        text(&encoding, &content)
            .map(Some)
            .map_err(|why| Fault::refused(call.operation, call.target, FaultKind::Invalid, why))
    }

    /// What was changed from one commit or branch to another, counted from where they parted.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn compare(&self, base: &str, head: &str) -> Result<Compared, Fault> {
        let path = format!("/compare/{}...{}", encoded(base), encoded(head));
        let call = self.look("github:CompareCommits", &path);
        let answer = self.call(&call).await?;
        let Comparison { status, files } = read(&call, &answer)?;
        let is_whole = files.len() < LISTED_FILES;
        Ok(Compared {
            kinship: match status.as_str() {
                "identical" => Kinship::Same,
                "ahead" => Kinship::Descendant,
                "behind" => Kinship::Ancestor,
                "diverged" => Kinship::Diverged,
                _ => Kinship::Unknown,
            },
            files: is_whole.then(|| files.into_iter().flat_map(ChangedFile::names).collect()),
        })
    }

    /// Whether a branch exists.
    ///
    /// # Errors
    ///
    /// The call failed, so that nobody knows.
    pub async fn has_branch(&self, branch: &str) -> Result<bool, Fault> {
        Ok(self.branch_head(branch).await?.is_some())
    }

    /// The commit at the head of a branch; `None` where there is no such branch.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn branch_head(&self, branch: &str) -> Result<Option<String>, Fault> {
        let call = Call {
            target: format!("{}@{branch}", self.repository()),
            ..self.look("github:GetBranch", &format!("/branches/{}", encoded(branch)))
        };
        let found: Option<Branch> = self.found(&call).await?;
        Ok(found.map(|branch| branch.commit.sha))
    }

    /// Whether a run goes on. It never fails: where GitHub does not say, or it is a run of another repository, nobody can tell.
    pub async fn life(&self, run: &HostRun) -> Life {
        if run.repository != self.repository() {
            return Life::Unknown;
        }
        match tokio::time::timeout(ANSWER, self.has_ended(run.id, run.attempt)).await {
            Ok(Ok(Some(true))) => Life::Ended,
            Ok(Ok(Some(false))) => Life::Alive,
            Ok(Ok(None)) | Err(_) => Life::Unknown,
            Ok(Err(fault)) => {
                tracing::info!(%fault, "GitHub does not say whether the holder's run goes on");
                Life::Unknown
            }
        }
    }

    /// Whether an attempt of a run has ended; `None` where GitHub does not know it.
    ///
    /// # Errors
    ///
    /// The call failed, so that nobody knows.
    pub async fn has_ended(&self, id: u64, attempt: u64) -> Result<Option<bool>, Fault> {
        let path = format!("/actions/runs/{id}/attempts/{attempt}");
        let call = self.look("github:GetWorkflowRunAttempt", &path);
        let found: Option<RunAttempt> = self.found(&call).await?;
        Ok(found.map(|run| run.status.as_deref() == Some("completed")))
    }
}

fn text(encoding: &str, content: &str) -> Result<String, String> {
    if encoding != "base64" {
        return Err("the file is larger than 1 MB".to_owned());
    }
    let content: String = content.split_whitespace().collect();
    let bytes = STANDARD
        .decode(content)
        .map_err(|error| format!("the file does not arrive whole: {error}"))?;
    String::from_utf8(bytes).map_err(|error| format!("the file is no text: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whatever_line_length_it_is_sent_in() {
        assert_eq!(text("base64", "YXBw\nOiBvY3Rv\nCg==\n"), Ok("app: octo\n".to_owned()));
        assert!(text("none", "").unwrap_err().contains("1 MB"));
    }
}
