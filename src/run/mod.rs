//! The story: one function a command, told from what the user asked to what the user is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;

use boot_time::Instant;
use serde_json::{Value, json};

use crate::app::new;
use crate::app::python::{self, Uv};
use crate::apply::Ended;
use crate::aws::pace::Pacing;
use crate::aws::pool::Pool;
use crate::aws::{Access, Tell, WebIdentity};
use crate::cli::{Options, Quotas, Template};
use crate::config::read::state_without_config;
use crate::config::state_url::StateUrl;
use crate::config::{Config, Project, StageConfig, StateConfig, file, load};
use crate::error::Failure;
use crate::host::github::api::{self, Api};
use crate::host::{Annotation, Host, Ink, Level};
use crate::names::{AppName, StageName, Timestamp};
use crate::plan::desired::NAME_LIMIT;
use crate::report::{self, Outcome, Report, StageReport};
use crate::resource::Cloud;
use crate::state::store::Store;
use crate::state::{self, Attempt, Progress, State, lease};
use crate::stop::Stop;
use crate::timeline::Timeline;
use crate::variable::Secret;

mod adopt;
pub mod asking;
mod beginning;
mod behalf;
pub mod check;
pub mod ci;
pub mod deploy;
pub mod destroy;
pub mod doctor;
mod functions;
pub mod history;
mod holding;
pub mod init;
pub mod invoke;
pub mod logs;
pub mod plan;
pub mod policy;
pub mod recognised;
pub mod restore;
mod rivals;
mod scene;
pub mod succession;
pub mod sweep;
pub mod unlock;

/// Something that is opened without a call, but not at once.
pub type Opened<T> = Pin<Box<dyn Future<Output = T>>>;

/// Opens the store of one app.
pub type OpenStore = fn(StateUrl, Access, AppName) -> Opened<Box<dyn Store>>;

/// Opens the cloud of one stage.
pub type OpenCloud = fn(Access, Tell) -> Opened<Rc<dyn Cloud>>;

/// Which Region counts where the config names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Region {
    /// That of the environment: the stage shall be there.
    Asked,
    /// That of the stage's state: the stage is there.
    Recorded,
}

/// What every command has at hand.
pub struct Session<'a> {
    /// What the user wishes.
    pub options: &'a Options,
    /// Whom we talk to.
    pub host: Rc<dyn Host>,
    /// When the run began.
    pub now: Timestamp,
    /// Our environment.
    pub environment: BTreeMap<String, String>,
    /// The same moment on the clock that durations are counted on.
    pub began: Instant,
    /// Whether the user wishes to stop.
    pub stop: Stop,
    /// What says who we are, where there are no credentials but a role to assume.
    pub identity: Option<WebIdentity>,
    /// What all clients of AWS share.
    pub pool: Pool,
    /// Where the time goes.
    pub timeline: Timeline,
    /// How a store is opened.
    pub open_store: OpenStore,
    /// How a cloud is opened.
    pub open_cloud: OpenCloud,
}

/// What came of a command that had begun.
#[derive(Debug)]
pub struct Told {
    /// What is told.
    pub report: Report,
    /// Why it is not a success, if it is none.
    pub failure: Option<Failure>,
}

impl Told {
    /// A success.
    pub fn of(report: Report) -> Self {
        Self { report, failure: None }
    }

    /// Nothing was done, for a reason that is no mistake.
    pub fn skipped(session: &Session<'_>, state: &State, reason: String) -> Self {
        let mut report = Report::new(state, Outcome::Skipped, session.url(state));
        report.reason = Some(reason);
        Self::of(report)
    }
}

/// Tells a person or program what came of a command about one stage.
///
/// # Errors
///
/// What went wrong.
pub fn tell(session: &Session<'_>, told: Result<Told, Failure>) -> Result<(), Failure> {
    let Told { mut report, failure } = told.map_err(Failure::with_nothing_changed)?;
    report.error = failure.as_ref().map(Failure::json);
    session.answer(json!(report));
    match failure {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

impl Session<'_> {
    /// The project, by its absolute folder: whoever imports or builds it works in another one.
    ///
    /// # Errors
    ///
    /// There is none, or its config is broken.
    pub fn project(&self) -> Result<Project, Failure> {
        Ok(load::load(&self.folder()?)?)
    }

    fn folder(&self) -> Result<PathBuf, Failure> {
        let given = &self.options.project_dir;
        given
            .canonicalize()
            .map_err(|error| Failure::input(format!("--project-dir: `{}`: {error}", given.display())))
    }

    /// The value of a secret. An empty one is none: so GitHub hands over what is not set.
    fn secret(&self, name: &str) -> Option<String> {
        let value = self.environment.get(name).filter(|value| !value.is_empty()).cloned()?;
        self.host.hide(&Secret::new(value.clone()));
        Some(value)
    }

    /// GitHub, where the variables that its own tools read say how it is reached.
    fn github(&self) -> Option<Api> {
        let variable = |name: &str| self.secret(name).map(|value| value.trim().to_owned());
        let rest = variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
        let access = api::Access {
            graphql: variable("GITHUB_GRAPHQL_URL").unwrap_or_default(),
            rest,
            repository: variable("GITHUB_REPOSITORY")?,
            token: Some(Secret::new(variable("GITHUB_TOKEN")?)),
            author: None,
            timeline: self.timeline.clone(),
        };
        Some(Api::new(access, self.tell()))
    }

    /// The project, for commands that can do without: `None` where there is none, or where flags say all that is needed. A
    /// config that is broken is an error all the same, or another state would be taken for the one that it names.
    fn project_if_any(&self) -> Result<Option<Project>, Failure> {
        let is_told = self.options.app.is_some() && self.options.state.is_some();
        match self.project() {
            Ok(project) => Ok(Some(project)),
            Err(_) if is_told || !load::is_project(&self.options.project_dir) => Ok(None),
            Err(failure) => Err(failure.hint("or name app and state by `--app NAME` and `--state URL`")),
        }
    }

    /// The store of an app: where `--state` says, or the config, or else in `folder`.
    async fn store(
        &self,
        configured: Option<&StateConfig>,
        folder: StateUrl,
        app: &AppName,
    ) -> Result<Box<dyn Store>, Failure> {
        let place = self.place(configured)?.unwrap_or(folder);
        Ok((self.open_store)(place, self.access_to_state(configured), app.clone()).await)
    }

    fn access_to_state(&self, configured: Option<&StateConfig>) -> Access {
        let own = configured.and_then(|configured| configured.role.clone());
        Access {
            region: configured
                .and_then(|configured| configured.region.clone())
                .or_else(|| self.options.region.clone()),
            role: own.or_else(|| self.options.role.clone()),
            identity: self.identity.clone(),
            pacing: self.pacing(),
            pool: self.pool.clone(),
        }
    }

    /// Where `--state` or the config say that the state is.
    fn place(&self, configured: Option<&StateConfig>) -> Result<Option<StateUrl>, Failure> {
        Ok(match (&self.options.state, configured) {
            (Some(place), _) => {
                let place = place.parse();
                Some(place.map_err(|error| Failure::input(format!("--state: {error}")))?)
            }
            (None, Some(configured)) => Some(configured.url.clone()),
            (None, None) => None,
        })
    }

    /// The store of a project's app.
    async fn store_of(&self, project: &Project, app: &AppName) -> Result<Box<dyn Store>, Failure> {
        let folder = StateUrl::Folder(project.state_folder());
        self.store(project.config.state.as_ref(), folder, app).await
    }

    /// How a stage's account is reached: as the config says, else as the stage's own state does.
    async fn cloud(&self, configured: StageConfig, state: &State, whose: Region) -> Result<Rc<dyn Cloud>, Failure> {
        let recorded = state.place.as_ref().map(|place| place.region.clone());
        let wished = configured.role.or_else(|| self.options.role.clone());
        let role = wished.or_else(|| state.role.clone());
        let access = |region| Access {
            region,
            role: role.clone(),
            identity: self.identity.clone(),
            pacing: self.pacing(),
            pool: self.pool.clone(),
        };
        let region = match whose {
            Region::Asked => configured.region,
            Region::Recorded => recorded.clone().or(configured.region),
        };
        let region = region.or_else(|| self.options.region.clone());
        let cloud = (self.open_cloud)(access(region), self.tell()).await;
        match (cloud.region(), recorded) {
            (None, Some(region)) => Ok((self.open_cloud)(access(Some(region)), self.tell()).await),
            (Some(here), Some(there)) if here != there => Err(holding::elsewhere(state, "Region", &there, &here)),
            (_, _) => Ok(cloud),
        }
    }

    /// Whether calls keep the quotas of AWS.
    fn pacing(&self) -> Pacing {
        match self.options.quotas {
            Quotas::Aws => Pacing::Quotas,
            Quotas::None => Pacing::Off,
        }
    }

    /// Prints a result for programs, with where the time went, if that was asked for.
    fn answer(&self, mut value: Value) {
        report::timings::add(&mut value, &self.timeline);
        self.host.answer(&value);
    }

    /// Long waits for AWS are told with their reason.
    fn tell(&self) -> Tell {
        let host = self.host.clone();
        Rc::new(move |line| host.note(Ink::Faint, line))
    }

    /// What a process of the project's own, or of its tools, may see of our environment.
    fn visible(&self, sees: fn(&str, &str) -> bool) -> BTreeMap<String, String> {
        let seen = self.environment.iter().filter(|(name, value)| sees(name, value));
        seen.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn uv(&self) -> Uv {
        Uv {
            cache: python::cache(&self.environment),
            environment: self.visible(|name, _| python::sees(name)),
        }
    }

    /// A run that has just begun.
    fn attempt(&self, outcome: Progress, commit: Option<String>) -> Attempt {
        Attempt {
            outcome,
            by: self.host.who(),
            commit,
            at: self.now,
            took_ms: (outcome.is_ended()).then(|| report::millis(self.began.elapsed())),
            run: self.host.run_url(),
            changes: Vec::new(),
            error: None,
            release: None,
            deployment: None,
            merge: None,
        }
    }

    /// A run that has ended, with what it did.
    fn ended(
        &self,
        outcome: Progress,
        (commit, steps): (Option<String>, &[Ended]),
        failure: Option<&Failure>,
    ) -> Attempt {
        Attempt {
            changes: report::changes(steps),
            error: failure.map(Failure::problem),
            ..self.attempt(outcome, commit)
        }
    }

    /// A URL in the form in which it can be reached.
    fn url(&self, state: &State) -> Option<String> {
        let front = state.front()?;
        Some(match (&self.options.url_template, front.api) {
            (Some(template), Some((id, stage_name))) if !template.is_empty() => {
                template.replace("{api}", id).replace("{stage}", stage_name)
            }
            (_, _) => front.url.to_owned(),
        })
    }

    fn warn(&self, folder: &Path, findings: &[crate::app::Finding]) {
        for finding in findings {
            let file = Some(&finding.file).filter(|file| file.is_relative());
            self.host.annotate(&Annotation {
                level: Level::Warning,
                place: file.map(|file| (folder.join(file), finding.place.map(|(line, _)| line as u64))),
                message: finding.to_string(),
            });
            if let Some(hint) = &finding.hint {
                self.host.note(Ink::Careful, &format!("hint: {hint}"));
            }
        }
    }
}

/// Prints the URL of a stage.
///
/// # Errors
///
/// The stage is not deployed, or its state cannot be read.
pub async fn url(session: &Session<'_>, stage: &StageName) -> Result<(), Failure> {
    let Recorded { app, store, .. } = recorded(session).await?;
    let state = lease::read(store.as_ref(), Some(&app), stage)
        .await?
        .map(|seen| seen.state);
    match state.as_ref().and_then(|state| session.url(state)) {
        Some(url) => {
            session.host.say(&format!("{url}\n"));
            session
                .host
                .answer(&serde_json::json!({"app": app, "stage": stage, "url": url}));
            Ok(())
        }
        None => {
            let what = if state.is_some_and(|state| !state.deployed.is_empty()) {
                "has no URL"
            } else {
                "is not deployed"
            };
            Err(
                Failure::input(format!("stage `{stage}` of app `{app}` {what}")).hint(format!(
                    "`stagewright deploy --stage {stage}` deploys it; `stagewright stages` lists what is"
                )),
            )
        }
    }
}

/// Lists the stages of the app.
///
/// # Errors
///
/// The store cannot be read.
pub async fn stages(session: &Session<'_>) -> Result<(), Failure> {
    let Recorded { app, store, .. } = recorded(session).await?;
    let mut rows = Vec::new();
    for stage in store.stages().await.map_err(Failure::from)? {
        match lease::read(store.as_ref(), Some(&app), &stage).await {
            Ok(seen) => rows.extend(seen.map(|seen| StageReport::new(&seen.state, session.url(&seen.state)))),
            Err(state::Error::Store(fault)) => return Err(fault.into()),
            Err(unreadable) => rows.push(StageReport::unreadable(stage, unreadable.to_string())),
        }
    }
    session.host.answer(&serde_json::json!({"app": app, "stages": rows}));
    session.host.say(&match rows.as_slice() {
        [] => format!("No stage of app `{app}` is recorded. `stagewright deploy` makes one.\n"),
        rows => report::stages(rows),
    });
    Ok(())
}

/// An app whose stages are recorded, for commands that need no code.
struct Recorded {
    app: AppName,
    store: Box<dyn Store>,
    config: Config,
}

/// The app and its store: from flags where there is no config.
async fn recorded(session: &Session<'_>) -> Result<Recorded, Failure> {
    let project = session.project_if_any()?;
    let app = match (&session.options.app, &project) {
        (Some(app), _) => app.clone(),
        (None, Some(project)) => project.app_name()?,
        (None, None) => return Err(no_app_is_known()),
    };
    let store = match &project {
        Some(project) => session.store_of(project, &app).await?,
        None => {
            let folder = state_without_config(&session.options.project_dir);
            session.store(None, folder, &app).await?
        }
    };
    Ok(Recorded {
        app,
        store,
        config: project.map(|project| project.config).unwrap_or_default(),
    })
}

fn no_app_is_known() -> Failure {
    let hint = "name the app with `--app NAME`, and with `--state URL` where its state lies";
    Failure::input("there is no config here that says which app is meant").hint(hint)
}

/// Makes a small app.
///
/// # Errors
///
/// The folder is there already and not empty, or cannot be written.
pub fn new(session: &Session<'_>, name: &AppName, template: Template) -> Result<(), Failure> {
    let behind = match template {
        Template::Chalice => "-dev",
        Template::Manifest => "-dev-api",
    };
    let length = name.as_str().len() + behind.len();
    if length > NAME_LIMIT {
        let most = NAME_LIMIT - behind.len();
        let message =
            format!("the name `{name}{behind}` in AWS would have {length} characters, and {NAME_LIMIT} is the limit");
        return Err(Failure::input(message).hint(format!("choose a name of {most} characters at most")));
    }
    let project_dir = &session.options.project_dir;
    let folder = if project_dir == Path::new(".") {
        // A name that looks like an option is none with a folder in front.
        let here = if name.as_str().starts_with('-') { "./" } else { "" };
        PathBuf::from(format!("{here}{name}"))
    } else {
        project_dir.join(name.as_str())
    };
    let template = match template {
        Template::Chalice => new::Template::Chalice,
        Template::Manifest => new::Template::Manifest,
    };
    let files = new::create(&folder, name, template)?;
    session
        .host
        .answer(&serde_json::json!({"app": name, "folder": folder, "files": files}));
    for file in &files {
        session.host.say(&format!("  {}\n", file.display()));
    }
    session.host.say(&format!(
        "\nMade `{name}`. Next:\n\n  cd {}\n  stagewright deploy\n",
        folder.display()
    ));
    Ok(())
}

/// Prints the JSON Schema of `stagewright.yaml`.
pub fn schema(session: &Session<'_>) {
    let schema = file::schema();
    session.host.answer(&schema);
    session.host.say(&format!(
        "{}\n",
        serde_json::to_string_pretty(&schema).unwrap_or_default()
    ));
}
