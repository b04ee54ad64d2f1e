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

/// Most pages that are read of the jobs of a run, each of 100.
const JOB_PAGES: u32 = 10;

const JOBS: &str = "github:ListJobsForWorkflowRunAttempt";

/// The status of a run or job that has ended.
const COMPLETED: &str = "completed";

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
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    status: String,
    runner_name: Option<String>,
}

impl Job {
    fn is_without_runner(&self) -> bool {
        self.runner_name.as_deref().is_none_or(str::is_empty)
    }
}

#[derive(Deserialize)]
struct File {
    encoding: String,
    content: String,
}

impl Api {
    /// The text of a file on the default branch, which is asked for once; `None` where there is no such file.
    ///
    /// # Errors
    ///
    /// The call failed, or the file is over GitHub's limit of 1 MB, or no text.
    pub async fn default_file(&self, path: &str) -> Result<Option<String>, Fault> {
        let ask = async || self.asked_file(path).await;
        self.files.answer(path.to_owned(), ask).await
    }

    async fn asked_file(&self, path: &str) -> Result<Option<String>, Fault> {
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

    /// What was changed from one commit or branch to another, counted from where they parted. It is asked for once: apps of one
    /// repository are mostly compared with the same commit.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn compare(&self, base: &str, head: &str) -> Result<Compared, Fault> {
        let ask = async || self.asked_comparison(base, head).await;
        self.comparisons.answer([base.to_owned(), head.to_owned()], ask).await
    }

    async fn asked_comparison(&self, base: &str, head: &str) -> Result<Compared, Fault> {
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

    /// Whether the holder that recorded a run lives. It never fails: where GitHub does not say, or it is a run of another
    /// repository, nobody can tell.
    pub async fn life(&self, run: &HostRun) -> Life {
        let attempt = async {
            Ok(match self.has_ended(run.id, run.attempt).await? {
                Some(true) => Life::Ended,
                Some(false) => Life::Alive,
                None => Life::Unknown,
            })
        };
        let life = self.answered(run, attempt).await;
        match (life, &run.runner) {
            // A run goes on without one of its jobs: for hours with another one, for days where a later one waits for an approval.
            (Life::Alive, Some(runner)) => match self.job_life(run, runner).await {
                Life::Ended => Life::Ended,
                Life::Alive | Life::Unknown => Life::Alive,
            },
            (Life::Alive | Life::Ended | Life::Unknown, _) => life,
        }
    }

    /// Whether the job of a run goes on that a runner has. It never fails: where GitHub does not say, or no job of the run
    /// names the runner, nobody can tell.
    pub async fn job_life(&self, run: &HostRun, runner: &str) -> Life {
        let jobs = async { Ok(life_on(runner, &self.jobs(run).await?)) };
        self.answered(run, jobs).await
    }

    async fn answered(&self, run: &HostRun, question: impl Future<Output = Result<Life, Fault>>) -> Life {
        if run.repository != self.repository() {
            return Life::Unknown;
        }
        match tokio::time::timeout(ANSWER, question).await {
            Ok(Ok(life)) => life,
            Err(_) => Life::Unknown,
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
        Ok(found.map(|run| run.status.as_deref() == Some(COMPLETED)))
    }

    /// Every job of an attempt of a run.
    async fn jobs(&self, run: &HostRun) -> Result<Vec<Job>, Fault> {
        let mut jobs = Vec::new();
        let path = format!("/actions/runs/{}/attempts/{}/jobs", run.id, run.attempt);
        let call = |page| self.look(JOBS, &format!("{path}?per_page=100&page={page}"));
        for page in 1..=JOB_PAGES {
            let call = call(page);
            let answer = self.call(&call).await?;
            jobs.extend(read::<Jobs>(&call, &answer)?.jobs);
            if !answer.has_next_page() {
                return Ok(jobs);
            }
        }
        let message = format!("the run has more than {} jobs", JOB_PAGES * 100);
        Err(Fault::refused(JOBS, self.repository(), FaultKind::Other, message))
    }
}

/// Whether a job goes on that a runner has.
///
/// A runner has one job at a time, and one after the other; and two may be called the same. So it has ended when all have.
fn life_on(runner: &str, jobs: &[Job]) -> Life {
    let is_named = |job: &Job| job.runner_name.as_deref() == Some(runner);
    // The list may know that a job has begun before it knows where.
    let may_be_there = |job: &Job| is_named(job) || (job.status == "in_progress" && job.is_without_runner());
    let goes_on = |job: &Job| job.status != COMPLETED && may_be_there(job);
    match (jobs.iter().any(is_named), jobs.iter().any(goes_on)) {
        (false, _) => Life::Unknown,
        (true, true) => Life::Alive,
        (true, false) => Life::Ended,
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

    fn job(status: &str, runner: Option<&str>) -> Job {
        Job {
            status: status.to_owned(),
            runner_name: runner.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_job_has_ended_when_all_have_that_its_runner_had() {
        let (ended, begun) = (job("completed", Some("one")), job("in_progress", Some("one")));
        let (sibling, waiting) = (job("in_progress", Some("two")), job("waiting", None));
        let skipped = job("completed", Some(""));
        let jobs = [sibling, waiting, skipped, ended];
        assert_eq!(life_on("one", &jobs), Life::Ended);
        assert_eq!(life_on("two", &jobs), Life::Alive);
        let [.., ended] = jobs;
        assert_eq!(life_on("one", &[ended, begun]), Life::Alive);
    }

    #[test]
    fn of_a_runner_that_no_job_names_nobody_can_tell() {
        let jobs = [job("completed", Some("GitHub Actions 2")), job("completed", None)];
        assert_eq!(life_on("Hosted Agent", &jobs), Life::Unknown);
        assert_eq!(life_on("Hosted Agent", &[]), Life::Unknown);
    }

    #[test]
    fn a_job_that_has_begun_on_a_runner_not_named_yet_may_be_the_holders() {
        for nowhere in [None, Some("")] {
            let jobs = [job("completed", Some("one")), job("in_progress", nowhere)];
            assert_eq!(life_on("one", &jobs), Life::Alive);
        }
    }
}
