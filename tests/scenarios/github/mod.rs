//! A GitHub of one scenario's own: one repository, `octo/app`, which remembers what is done to it.
//!
//! Every request and every answer is held against GitHub's own document of its API; what does not fit is a violation,
//! and a fake that saw one fails the test that it belongs to.

mod answers;
mod contract;
mod door;
pub mod events;
mod objects;
pub mod runner;
mod server;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::door::exchange;
use self::events::Event;
use self::runner::Runner;
use self::server::{Asked, Server};
use self::state::{Comparison, Condition, DEFAULT_BRANCH, PullRequest, State};

pub use self::contract::{Operation, invalid_event, read};
pub use self::server::Reply;
pub use self::state::{Comment, Deployment};

/// The repository.
pub const REPOSITORY: &str = "octo/app";
/// Whom the repository belongs to.
pub const OWNER: &str = "octo";
/// The token of a workflow; its comments are by [`BOT`].
pub const TOKEN: &str = "ghs_workflow";
/// The token of a workflow that may only read, as a pull request from a fork has it.
pub const READ_ONLY_TOKEN: &str = "ghs_readonly";
/// Whose comments those of a workflow are.
pub const BOT: &str = "github-actions[bot]";
/// What the runner asks for an OIDC token with.
pub const OIDC_REQUEST_TOKEN: &str = "oidc-request-token";
const OIDC_PATH: &str = "/oidc/token";
/// The id of the workflow run.
pub const RUN: u64 = 1001;

/// One request to GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What was answered; nothing if the connection broke.
    pub status: Option<u16>,
}

/// How a request fails that was ordered to.
#[derive(Debug, Clone)]
pub enum Failure {
    /// Nothing is done, and this is answered: status, further headers, message.
    Status(u16, Vec<(String, String)>, String),
    /// It is done, and the answer is lost.
    DropAfterEffect,
    /// The connection breaks before anything is done.
    DropBeforeEffect,
}

impl Failure {
    /// A token without the right; GitHub names the right in a header.
    pub fn forbidden(permissions: &str) -> Self {
        let header = ("x-accepted-github-permissions".to_owned(), permissions.to_owned());
        Self::Status(403, vec![header], "Resource not accessible by integration".to_owned())
    }

    /// Too much at once: 403 or 429, to be tried again after some seconds.
    pub fn limited(status: u16, retry_after_s: u32) -> Self {
        let header = ("retry-after".to_owned(), retry_after_s.to_string());
        Self::Status(
            status,
            vec![header],
            "You have exceeded a secondary rate limit.".to_owned(),
        )
    }
}

/// GitHub, with one repository.
#[derive(Debug)]
pub struct GitHub {
    state: Arc<Mutex<State>>,
    server: Server,
    place: Place,
}

/// Where a GitHub has its API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At a host of its own, as github.com has it.
    OwnHost,
    /// Below `/api`, as GitHub Enterprise Server has it.
    EnterpriseServer,
}

impl Place {
    /// What comes before every path of the REST API.
    fn rest(self) -> &'static str {
        match self {
            Self::OwnHost => "",
            Self::EnterpriseServer => "/api/v3",
        }
    }

    /// The path of GraphQL.
    fn graphql(self) -> &'static str {
        match self {
            Self::OwnHost => "/graphql",
            Self::EnterpriseServer => "/api/graphql",
        }
    }
}

impl GitHub {
    /// A GitHub whose repository has a default branch and nothing else, with the first attempt of a run in progress.
    pub fn start() -> Self {
        Self::at(Place::OwnHost)
    }

    /// The same as a GitHub Enterprise Server, whose API is not at the root of its host.
    pub fn enterprise_server() -> Self {
        Self::at(Place::EnterpriseServer)
    }

    fn at(place: Place) -> Self {
        let mut started = None;
        let server = Server::start(|address| {
            let url = format!("http://{address}");
            let api_url = format!("{url}{}", place.rest());
            let state = Arc::new(Mutex::new(State::new(&url, &api_url)));
            started = Some(Arc::clone(&state));
            Arc::new(move |asked: Asked| exchange(&state, &at_own_host(asked, place)))
        });
        let github = Self {
            state: started.expect("the server has started"),
            server,
            place,
        };
        github.set_run(RUN, 1, "in_progress");
        github
    }

    /// Where people find it: `GITHUB_SERVER_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Where its API is: `GITHUB_API_URL`.
    pub fn api_url(&self) -> String {
        format!("{}{}", self.url(), self.place.rest())
    }

    /// Where its GraphQL is: `GITHUB_GRAPHQL_URL`.
    pub fn graphql_url(&self) -> String {
        format!("{}{}", self.url(), self.place.graphql())
    }

    /// Opens a pull request from a branch `change-<number>` of the repository itself.
    pub fn open_pull_request(&self, number: u64, head_sha: &str, base: &str) {
        let mut state = self.state();
        let opened_s = state.tick();
        let branch = format!("change-{number}");
        state.branches.insert(branch.clone(), head_sha.to_owned());
        let pull_request = PullRequest {
            head_sha: head_sha.to_owned(),
            head_branch: branch,
            head_repository: Some(REPOSITORY.to_owned()),
            base: base.to_owned(),
            condition: Condition::Open,
            labels: Vec::new(),
            is_draft: false,
            author: "contributor".to_owned(),
            files: vec!["app.py".to_owned()],
            opened_s,
        };
        state.pull_requests.insert(number, pull_request);
    }

    /// Pushes a commit to a pull request.
    pub fn push_to(&self, number: u64, head_sha: &str) {
        let mut state = self.state();
        let branch = {
            let found = state.pull_requests.get_mut(&number).expect("it was opened");
            head_sha.clone_into(&mut found.head_sha);
            found.head_branch.clone()
        };
        state.branches.insert(branch, head_sha.to_owned());
    }

    /// Closes a pull request without merging it.
    pub fn close(&self, number: u64) {
        self.with(number, |found| found.condition = Condition::Closed);
    }

    /// Opens a pull request again that was closed.
    pub fn reopen(&self, number: u64) {
        self.with(number, |found| found.condition = Condition::Open);
    }

    /// Merges a pull request.
    pub fn merge(&self, number: u64) {
        self.with(number, |found| found.condition = Condition::Merged);
    }

    /// Makes a pull request one from another repository; nothing stands for one that was deleted.
    pub fn set_head_repository(&self, number: u64, full_name: Option<&str>) {
        self.with(number, |found| found.head_repository = full_name.map(str::to_owned));
    }

    /// Puts a label on a pull request.
    pub fn set_label(&self, number: u64, label: &str) {
        self.with(number, |found| found.labels.push(label.to_owned()));
    }

    /// Makes a pull request a draft.
    pub fn set_draft(&self, number: u64) {
        self.with(number, |found| found.is_draft = true);
    }

    /// Writes a file of the default branch.
    pub fn set_file(&self, path: &str, text: &str) {
        self.state().files.insert(path.to_owned(), text.to_owned());
    }

    /// Sets the head of a branch, and makes it if it is not there.
    pub fn set_branch(&self, name: &str, sha: &str) {
        self.state().branches.insert(name.to_owned(), sha.to_owned());
    }

    /// Sets what an attempt of a workflow run is at: `in_progress`, `completed`, …
    pub fn set_run(&self, id: u64, attempt: u64, status: &str) {
        self.state().runs.insert((id, attempt), status.to_owned());
    }

    /// Sets how `head` lies to `base` (`ahead`, `behind`, `diverged`, `identical`), and the files that differ.
    pub fn set_comparison(&self, [base, head]: [&str; 2], status: &str, files: &[&str]) {
        let comparison = Comparison {
            status: status.to_owned(),
            files: files.iter().map(|&path| path.to_owned()).collect(),
        };
        let between = (base.to_owned(), head.to_owned());
        self.state().comparisons.insert(between, comparison);
    }

    /// The comments of a pull request, the oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        let state = self.state();
        let ours = state.comments.iter().filter(|each| each.pull_request == number);
        ours.cloned().collect()
    }

    /// Writes a comment as somebody else.
    pub fn write_comment_as(&self, login: &str, number: u64, body: &str) {
        self.state().add_comment(login, number, body);
    }

    /// The deployments, the oldest first.
    pub fn deployments(&self) -> Vec<Deployment> {
        self.state().deployments.clone()
    }

    /// Every request since the beginning or the last [`Self::forget_calls`].
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Begins the list of calls anew.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Has the next request fail that is of this method and has this in its path. Several are used up in order.
    pub fn fail_next(&self, method: &str, path_contains: &str, failure: Failure) {
        let ordered = (method.to_owned(), path_contains.to_owned(), failure);
        self.state().ordered.push(ordered);
    }

    /// Takes what was not as GitHub's document says: whoever asks answers for it.
    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }

    /// What a step of a workflow finds in its environment, whatever the event.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let url = self.url();
        vec![
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTOR", "contributor".to_owned()),
            ("GITHUB_API_URL", self.api_url()),
            ("GITHUB_GRAPHQL_URL", self.graphql_url()),
            ("GITHUB_JOB", "deploy".to_owned()),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_REPOSITORY_ID", "1296269".to_owned()),
            ("GITHUB_REPOSITORY_OWNER", OWNER.to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_ID", RUN.to_string()),
            ("GITHUB_RUN_NUMBER", "7".to_owned()),
            ("GITHUB_SERVER_URL", url),
            ("GITHUB_TRIGGERING_ACTOR", "contributor".to_owned()),
            ("GITHUB_WORKFLOW", "stagewright".to_owned()),
            (
                "GITHUB_WORKFLOW_REF",
                format!("{REPOSITORY}/.github/workflows/stagewright.yml@refs/heads/{DEFAULT_BRANCH}"),
            ),
            ("INPUT_GITHUB-TOKEN", TOKEN.to_owned()),
            ("RUNNER_ENVIRONMENT", "github-hosted".to_owned()),
        ]
    }

    /// What a job finds besides that was granted `id-token: write`.
    pub fn oidc_environment(&self) -> Vec<(&'static str, String)> {
        let url = format!("{}{OIDC_PATH}?api-version=2.0", self.url());
        vec![
            ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", OIDC_REQUEST_TOKEN.to_owned()),
        ]
    }

    /// A step of a workflow that an event started. From a fork or by Dependabot, its token may only read.
    pub fn runner(&self, event: &Event) -> Runner {
        let mut runner = Runner::new(self.environment(), event);
        if event.may_only_read() {
            runner.input("github-token", READ_ONLY_TOKEN);
        }
        runner
    }

    fn with(&self, number: u64, change: impl FnOnce(&mut PullRequest)) {
        let mut state = self.state();
        change(state.pull_requests.get_mut(&number).expect("it was opened"));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        let violations = self.violations();
        if !std::thread::panicking() {
            assert!(
                violations.is_empty(),
                "not as GitHub's document says:\n{}",
                violations.join("\n")
            );
        }
    }
}

/// A request as if it had come to a GitHub with a host of its own; what is at the wrong place stands nowhere.
fn at_own_host(mut asked: Asked, place: Place) -> Asked {
    if asked.path == OIDC_PATH {
        return asked;
    }
    let rest = asked.path.strip_prefix(place.rest()).map(str::to_owned);
    asked.path = match rest {
        _ if asked.path == place.graphql() => "/graphql".to_owned(),
        Some(path) if path != "/graphql" => path,
        Some(_) | None => format!("/outside of the API{}", asked.path),
    };
    asked
}
