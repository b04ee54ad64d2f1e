//! A run of GitHub Actions: its variables and its event, and how it is told there what became of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use self::api::{Access, Api};
use self::event::EventError;
use self::workflow::Workflow;
use crate::aws::WebIdentity;
use crate::host::terminal::Terminal;
use crate::host::{Annotation, Host, Ink, checkout};
use crate::stage::succession::Kinship;
use crate::stage::{Source, Trigger};
use crate::state::HostRun;
use crate::state::takeover::Life;
use crate::timeline::Timeline;
use crate::variable::Secret;

pub mod api;
pub mod comment;
mod cut;
pub mod deployments;
pub mod event;
mod fault;
mod memo;
mod oidc;
mod repository;
mod wire;
mod workflow;

/// Why a run of GitHub Actions cannot be understood, or not be told something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// We are somewhere else, or a variable was taken away.
    #[error("`{0}` is not set: `stagewright ci` runs in GitHub Actions, which sets it")]
    Missing(&'static str),
    /// The repository has no name as GitHub gives them.
    #[error("`GITHUB_REPOSITORY` is `{0}`, and not of the form `owner/name`")]
    Repository(String),
    /// The event's payload cannot be read.
    #[error("`{}`, which holds the event that started the run (`GITHUB_EVENT_PATH`), cannot be read: {why}", file.display())]
    Payload {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The event's payload is not as GitHub documents it.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The runner's file cannot be written.
    #[error("`{}` (`{variable}`) cannot be written: {why}", file.display())]
    Unwritten {
        /// The variable that names it.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
}

/// What the workflow gave to the action. `None` is what was not given: GitHub hands that over as an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// `project-dir`: the folder of the app.
    pub project_dir: Option<String>,
    /// `app`: its name, where no config is at hand.
    pub app: Option<String>,
    /// `state`: where state is kept.
    pub state: Option<String>,
    /// `role`: ARN of the role to assume.
    pub role: Option<String>,
    /// `region`: the Region.
    pub region: Option<String>,
    /// `wait`: how long to wait for a stage that somebody else holds.
    pub wait: Option<String>,
    /// `comment-author`: the login that our comments are under.
    pub comment_author: Option<String>,
    /// `allow-older`: whether a commit is deployed that is older than what is deployed.
    pub allow_older: Option<String>,
    /// `timings`: whether it is told where the time went.
    pub timings: Option<String>,
    /// `refresh`: whether everything is read and built, even if nothing that it is made from has changed.
    pub refresh: Option<String>,
}

/// A run of GitHub Actions.
pub struct GitHub {
    workflow: Arc<Mutex<Workflow>>,
    run: Run,
    inputs: Inputs,
    api: Api,
    oidc: Option<oidc::Request>,
    timeline: Timeline,
}

/// What the variables say of the run.
#[derive(Debug, Clone)]
struct Run {
    repository: String,
    repository_id: Option<u64>,
    server: String,
    id: String,
    attempt: String,
    number: Option<u64>,
    runner: Option<String>,
    /// The workflow's file, without the ref that it was taken from.
    workflow: Option<String>,
    event_name: String,
    event_path: PathBuf,
    git_ref: String,
    sha: String,
    output: Option<PathBuf>,
    summary: Option<PathBuf>,
    workspace: Option<PathBuf>,
}

/// Looks variables up; an empty one is none.
struct Variables<'a>(&'a BTreeMap<String, String>);

impl Variables<'_> {
    fn any(&self, name: &str) -> Option<String> {
        let value = self.0.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty()).map(ToOwned::to_owned)
    }

    fn needed(&self, name: &'static str) -> Result<String, Error> {
        self.any(name).ok_or(Error::Missing(name))
    }

    fn url(&self, name: &str, default: &str) -> String {
        let url = self.any(name).unwrap_or_else(|| default.to_owned());
        url.trim_end_matches('/').to_owned()
    }

    fn token(&self) -> Option<Secret> {
        let token = self.any("INPUT_GITHUB-TOKEN").or_else(|| self.any("GITHUB_TOKEN"));
        token.map(Secret::new)
    }
}

impl Inputs {
    fn of(variables: &Variables<'_>) -> Self {
        let input = |name: &str| variables.any(&format!("INPUT_{name}"));
        Self {
            project_dir: input("PROJECT-DIR"),
            app: input("APP"),
            state: input("STATE"),
            role: input("ROLE"),
            region: input("REGION"),
            wait: input("WAIT"),
            comment_author: input("COMMENT-AUTHOR"),
            allow_older: input("ALLOW-OLDER"),
            timings: input("TIMINGS"),
            refresh: input("REFRESH"),
        }
    }
}

impl Run {
    fn of(variables: &Variables<'_>) -> Result<Self, Error> {
        let repository = variables.needed("GITHUB_REPOSITORY")?;
        let is_name = |part: &str| !part.is_empty() && !part.contains(['/', '?', '#']);
        if !repository
            .split_once('/')
            .is_some_and(|(owner, name)| is_name(owner) && is_name(name))
        {
            return Err(Error::Repository(repository));
        }
        Ok(Self {
            repository,
            repository_id: variables.any("GITHUB_REPOSITORY_ID").and_then(|id| id.parse().ok()),
            server: variables.url("GITHUB_SERVER_URL", "https://github.com"),
            id: variables.needed("GITHUB_RUN_ID")?,
            attempt: variables.any("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned()),
            number: variables
                .any("GITHUB_RUN_NUMBER")
                .and_then(|number| number.parse().ok()),
            runner: variables.any("RUNNER_NAME"),
            workflow: variables.any("GITHUB_WORKFLOW_REF").map(|workflow| {
                let file = workflow.split_once('@').map(|(file, _)| file.to_owned());
                file.unwrap_or(workflow)
            }),
            event_name: variables.needed("GITHUB_EVENT_NAME")?,
            event_path: variables.needed("GITHUB_EVENT_PATH")?.into(),
            git_ref: variables.needed("GITHUB_REF")?,
            sha: variables.needed("GITHUB_SHA")?,
            output: variables.any("GITHUB_OUTPUT").map(PathBuf::from),
            summary: variables.any("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            workspace: variables.any("GITHUB_WORKSPACE").map(PathBuf::from),
        })
    }

    fn payload(&self) -> Result<Value, Error> {
        let unreadable = |why| Error::Payload {
            file: self.event_path.clone(),
            why,
        };
        let text = fs::read_to_string(&self.event_path).map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| unreadable(format!("it is not JSON: {error}")))
    }

    fn trigger(&self) -> Result<Trigger, Error> {
        let Self {
            event_name, git_ref, ..
        } = self;
        Ok(event::trigger(event_name, &self.payload()?, git_ref)?)
    }

    fn url(&self) -> String {
        let Self {
            server,
            repository,
            id,
            attempt,
            ..
        } = self;
        format!("{server}/{repository}/actions/runs/{id}/attempts/{attempt}")
    }

    fn who(&self) -> String {
        match self.attempt.as_str() {
            "1" => format!("{} run {}", self.repository, self.id),
            attempt => format!("{} run {} attempt {attempt}", self.repository, self.id),
        }
    }

    /// What of it is recorded where others ask about it. A runner that is no number of GitHub's has none.
    fn recorded(&self) -> Option<HostRun> {
        Some(HostRun {
            repository: self.repository.clone(),
            workflow: self.workflow.clone()?,
            id: self.id.parse().ok()?,
            number: self.number?,
            attempt: self.attempt.parse().ok()?,
            runner: self.runner.clone(),
        })
    }

    /// Of a pull request, its head: what GitHub names as the commit of such a run is a merge that is nowhere else, or
    /// belongs to another branch.
    fn commit(&self) -> Option<String> {
        if !self.event_name.starts_with("pull_request") {
            return Some(self.sha.clone());
        }
        let payload = self.payload().ok()?;
        payload["pull_request"]["head"]["sha"].as_str().map(ToOwned::to_owned)
    }
}

/// What started the run that the variables tell of, and what the workflow gave to the action: nothing is printed for it.
///
/// # Errors
///
/// [`Error::Missing`] outside GitHub Actions, [`Error::Payload`], [`Error::Event`].
pub fn read(variables: &BTreeMap<String, String>) -> Result<(Trigger, Inputs), Error> {
    let variables = Variables(variables);
    Ok((Run::of(&variables)?.trigger()?, Inputs::of(&variables)))
}

impl GitHub {
    /// The run that the variables tell of. What it prints is printed by `shell`, and its calls are written down on the timeline.
    /// No call is made.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] outside GitHub Actions, [`Error::Repository`].
    pub fn new(variables: &BTreeMap<String, String>, shell: Terminal, timeline: Timeline) -> Result<Self, Error> {
        let variables = Variables(variables);
        let run = Run::of(&variables)?;
        let inputs = Inputs::of(&variables);
        let rest = variables.url("GITHUB_API_URL", "https://api.github.com");
        let access = Access {
            graphql: variables.url("GITHUB_GRAPHQL_URL", &graphql_beside(&rest)),
            rest,
            repository: run.repository.clone(),
            token: variables.token(),
            author: inputs.comment_author.clone(),
            timeline: timeline.clone(),
        };
        let workflow = Arc::new(Mutex::new(Workflow::new(shell)));
        if let Some(token) = &access.token {
            // GitHub masks its own token, and not one that an app made in a step before.
            locked(&workflow).mask(token);
        }
        let told = workflow.clone();
        let tell = Rc::new(move |line: &str| locked(&told).line(Ink::Faint, line));
        Ok(Self {
            workflow,
            run,
            inputs,
            api: Api::new(access, tell),
            oidc: oidc::Request::of(variables.0),
            timeline,
        })
    }

    /// What the workflow gave to the action.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The repository: `octo/app`.
    pub fn repository(&self) -> &str {
        &self.run.repository
    }

    /// Its number, which no renaming changes.
    pub fn repository_id(&self) -> Option<u64> {
        self.run.repository_id
    }

    /// The default branch, as the event tells it.
    pub fn default_branch(&self) -> Option<String> {
        let payload = self.run.payload().ok()?;
        payload["repository"]["default_branch"].as_str().map(ToOwned::to_owned)
    }

    /// GitHub's API.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// What started the run.
    ///
    /// # Errors
    ///
    /// [`Error::Payload`], [`Error::Event`].
    pub fn trigger(&self) -> Result<Trigger, Error> {
        self.run.trigger()
    }

    /// A folder as it is seen from the repository's root; `None` where it is not in it.
    pub fn within(&self, folder: &Path) -> Option<PathBuf> {
        let root = self.run.workspace.as_ref()?;
        let root = root.canonicalize().unwrap_or_else(|_| root.clone());
        folder.strip_prefix(root).ok().map(Path::to_owned)
    }

    /// What gets tokens that tell AWS who the run is; `None` where the job has no `id-token: write`.
    pub fn id_token(&self) -> Option<WebIdentity> {
        let request = self.oidc.clone()?;
        Some(request.identity(self.workflow.clone(), self.timeline.clone()))
    }

    /// Begins a part of the log that is folded.
    pub fn begin_group(&self, title: &str) {
        locked(&self.workflow).begin_group(title);
    }

    /// Ends it.
    pub fn end_group(&self) {
        locked(&self.workflow).end_group();
    }

    /// Gives outputs to later steps.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Unwritten`].
    pub fn outputs(&self, values: &[(&str, String)]) -> Result<(), Error> {
        write("GITHUB_OUTPUT", self.run.output.as_deref(), |file| {
            workflow::outputs(file, values)
        })
    }

    /// Appends Markdown to the summary of the run, as much as GitHub takes.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Unwritten`].
    pub fn summary(&self, markdown: &str) -> Result<(), Error> {
        write("GITHUB_STEP_SUMMARY", self.run.summary.as_deref(), |file| {
            workflow::summary(file, markdown)
        })
    }
}

#[async_trait(?Send)]
impl Host for GitHub {
    fn progress(&self, ink: Ink, line: &str) {
        locked(&self.workflow).line(ink, line);
    }

    fn say(&self, text: &str) {
        locked(&self.workflow).say(text);
    }

    fn note(&self, ink: Ink, text: &str) {
        // Not on standard error: the runner reads the two side by side, and a line there could slip in beside a command.
        locked(&self.workflow).line(ink, text);
    }

    fn answer(&self, value: &Value) {
        locked(&self.workflow).answer(value);
    }

    fn is_answered(&self) -> bool {
        locked(&self.workflow).is_answered()
    }

    fn annotate(&self, annotation: &Annotation) {
        locked(&self.workflow).annotate(annotation, self.run.workspace.as_deref());
    }

    fn hide(&self, secret: &Secret) {
        locked(&self.workflow).mask(secret);
    }

    fn asks_for(&self, _question: &str, _word: &str) -> Option<bool> {
        None
    }

    fn who(&self) -> String {
        self.run.who()
    }

    fn run_url(&self) -> Option<String> {
        Some(self.run.url())
    }

    fn commit(&self, _folder: &Path) -> Option<String> {
        self.run.commit()
    }

    fn run(&self) -> Option<HostRun> {
        self.run.recorded()
    }

    async fn life(&self, run: &HostRun) -> Life {
        match self.run() {
            Some(ours) if (ours.id, ours.attempt) == (run.id, run.attempt) => match &run.runner {
                // That our own run goes on says nothing of its other jobs.
                Some(theirs) if ours.runner.as_ref().is_some_and(|ours| ours != theirs) => {
                    self.api.job_life(run, theirs).await
                }
                // The job goes on that we are a step of, and the holder may be a former step of it.
                Some(_) | None => Life::Unknown,
            },
            Some(_) | None => self.api.life(run).await,
        }
    }

    async fn kinship(&self, folder: &Path, ours: &str, theirs: &str) -> Kinship {
        // A person may have deployed what was not committed: it counts as the commit that it is based on.
        let [ours, theirs] = [ours, theirs].map(|commit| commit.trim_end_matches("-dirty"));
        if ours == theirs {
            return Kinship::Same;
        }
        match self.api.compare(theirs, ours).await {
            Ok(compared) if compared.kinship != Kinship::Unknown => compared.kinship,
            Ok(_) => checkout::kinship(folder, ours, theirs),
            Err(fault) => {
                tracing::info!(%fault, "GitHub does not say which commit is newer");
                checkout::kinship(folder, ours, theirs)
            }
        }
    }

    async fn head(&self, source: &Source) -> Option<String> {
        let head = match source {
            Source::Branch(branch) => self.api.branch_head(branch).await,
            Source::PullRequest(number) => self
                .api
                .pull_request(*number)
                .await
                .map(|pull| pull.map(|pull| pull.head)),
        };
        head.unwrap_or_else(|fault| {
            tracing::info!(%fault, "GitHub does not say where the branch is");
            None
        })
    }
}

/// Where GraphQL is when only REST is known: `https://api.github.com/graphql`, on Enterprise Server `https://HOST/api/graphql`.
fn graphql_beside(rest: &str) -> String {
    format!("{}/graphql", rest.strip_suffix("/v3").unwrap_or(rest))
}

/// A run goes on telling what happens, even after a panic in the middle of a line.
fn locked(workflow: &Mutex<Workflow>) -> MutexGuard<'_, Workflow> {
    workflow.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(
    variable: &'static str,
    file: Option<&Path>,
    append: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), Error> {
    let file = file.ok_or(Error::Missing(variable))?;
    append(file).map_err(|error| Error::Unwritten {
        variable,
        file: file.to_owned(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod tests;
