//! What the fake knows: pull requests, comments, deployments, branches and files, and what was asked of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::contract::read;
use super::{Call, Failure, REPOSITORY};

/// The default branch.
pub const DEFAULT_BRANCH: &str = "main";

/// A pull request.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// The commit at its head.
    pub head_sha: String,
    /// The branch at its head.
    pub head_branch: String,
    /// Where its head lies; nothing if that repository was deleted.
    pub head_repository: Option<String>,
    /// The branch it is to be merged into.
    pub base: String,
    /// Open, closed or merged.
    pub condition: Condition,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Whether it is a draft.
    pub is_draft: bool,
    /// Whoever opened it.
    pub author: String,
    /// The files it changes.
    pub files: Vec<String>,
    /// When it was opened, in seconds of the fake's clock.
    pub opened_s: u64,
}

/// How far a pull request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Neither closed nor merged.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged, and closed by that.
    Merged,
}

/// A comment of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// GitHub's number of it; a later comment has a larger one.
    pub id: u64,
    /// The login of its author.
    pub author: String,
    /// Its text, in Markdown.
    pub body: String,
    /// The pull request that it stands on.
    pub pull_request: u64,
    /// When it was written, in seconds of the fake's clock.
    pub written_s: u64,
    /// When it was written or changed last, in seconds of the fake's clock.
    pub changed_s: u64,
}

/// A deployment with its statuses.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// GitHub's number of it.
    pub id: u64,
    /// The name of its environment.
    pub environment: String,
    /// What kind of deployment it is: `deploy`, where nothing else was said.
    pub task: String,
    /// Whatever was sent along.
    pub payload: Value,
    /// The commit.
    pub sha: String,
    /// The branch, tag or commit as it was asked for.
    pub git_ref: String,
    /// A sentence about it.
    pub description: Option<String>,
    /// Whether it is gone some day, as a preview is.
    pub is_transient: bool,
    /// Whether end users work with it.
    pub is_production: bool,
    /// Its statuses, the oldest first.
    pub statuses: Vec<DeploymentStatus>,
    /// Whoever made it.
    pub author: String,
    /// When it was made, in seconds of the fake's clock.
    pub made_s: u64,
}

impl Deployment {
    /// The state that counts: that of the last status.
    pub fn state(&self) -> &str {
        self.statuses.last().map_or("pending", |status| &status.state)
    }
}

/// A status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// GitHub's number of it.
    pub id: u64,
    /// `in_progress`, `success`, `failure`, `inactive`, …
    pub state: String,
    /// Where what was deployed is reached; empty if that was not said.
    pub environment_url: String,
    /// Where its log is; empty if that was not said.
    pub log_url: String,
    /// A sentence about it, of 140 characters at most.
    pub description: String,
    /// When it was made, in seconds of the fake's clock.
    pub made_s: u64,
}

/// How two commits lie to each other, and what differs.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// `ahead`, `behind`, `diverged` or `identical`.
    pub status: String,
    /// The files that differ.
    pub files: Vec<String>,
}

/// A job of a workflow run.
#[derive(Debug, Clone)]
pub struct Job {
    /// `in_progress`, `waiting`, `completed`, …
    pub status: String,
    /// The name of the runner that has it; nothing before one has.
    pub runner: Option<String>,
}

/// Everything that the fake knows.
#[derive(Debug)]
pub struct State {
    /// Objects out of GitHub's document, which answers are made from.
    pub seeds: Value,
    /// Where the API is.
    pub api_url: String,
    /// Pull requests by number.
    pub pull_requests: BTreeMap<u64, PullRequest>,
    /// Comments, the oldest first.
    pub comments: Vec<Comment>,
    /// Deployments, the oldest first.
    pub deployments: Vec<Deployment>,
    /// The commit at the head of each branch.
    pub branches: BTreeMap<String, String>,
    /// The files of the default branch.
    pub files: BTreeMap<String, String>,
    /// The attempts of workflow runs, with their statuses: `in_progress`, `completed`, …
    pub runs: BTreeMap<(u64, u64), String>,
    /// The jobs of attempts of workflow runs.
    pub jobs: BTreeMap<(u64, u64), Vec<Job>>,
    /// Comparisons of two commits or branches.
    pub comparisons: BTreeMap<(String, String), Comparison>,
    /// Every request so far.
    pub calls: Vec<Call>,
    /// What was not as GitHub's document says.
    pub violations: Vec<String>,
    /// Failures that were ordered: method, part of the path, failure.
    pub ordered: Vec<(String, String, Failure)>,
    clock_s: u64,
}

impl State {
    /// A repository with nothing but a default branch, of one commit.
    pub fn new(url: &str, api_url: &str) -> Self {
        let seeds = read("tests/github/seeds.json").to_string();
        let ours = seeds
            .replace("https://api.github.com", api_url)
            .replace("https://github.com", url)
            .replace("octocat/Hello-World", REPOSITORY)
            .replace("octocat/example", REPOSITORY)
            .replace("octo-org/octo-repo", REPOSITORY);
        Self {
            seeds: serde_json::from_str(&ours).expect("it is JSON as before"),
            api_url: api_url.to_owned(),
            pull_requests: BTreeMap::new(),
            comments: Vec::new(),
            deployments: Vec::new(),
            branches: BTreeMap::from([(DEFAULT_BRANCH.to_owned(), "1".repeat(40))]),
            files: BTreeMap::new(),
            runs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            calls: Vec::new(),
            violations: Vec::new(),
            ordered: Vec::new(),
            clock_s: 0,
        }
    }

    /// The next second: everything that happens has one of its own, and its number serves as an id.
    pub fn tick(&mut self) -> u64 {
        self.clock_s += 1;
        self.clock_s
    }

    /// The failure that was ordered for a request, which is used up by this.
    pub fn take_ordered(&mut self, method: &str, path: &str) -> Option<Failure> {
        let fits = |(ordered, part, _): &(String, String, Failure)| ordered == method && path.contains(part.as_str());
        let at = self.ordered.iter().position(fits)?;
        Some(self.ordered.remove(at).2)
    }

    /// The commit that a branch, or a commit itself, stands for.
    pub fn commit(&self, name: &str) -> Option<String> {
        let branch = name.strip_prefix("refs/heads/").unwrap_or(name);
        let is_commit = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let found = self.branches.get(branch).cloned();
        found.or_else(|| is_commit.then(|| name.to_owned()))
    }

    /// Adds a comment and returns it.
    pub fn add_comment(&mut self, author: &str, pull_request: u64, body: &str) -> Comment {
        let now = self.tick();
        let comment = Comment {
            id: 1000 + now,
            author: author.to_owned(),
            body: body.to_owned(),
            pull_request,
            written_s: now,
            changed_s: now,
        };
        self.comments.push(comment.clone());
        comment
    }
}
