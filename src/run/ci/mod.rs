//! `ci`: what started the run leads to a decision, which is carried out and told where people look.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use self::ground::{Ground, may_be_read};
use super::Session;
use crate::aws::WebIdentity;
use crate::cli::{self, Options};
use crate::config::state_url::StateUrl;
use crate::config::{FILE, StageConfig};
use crate::error::Failure;
use crate::fault::Fault;
use crate::host::github::{GitHub, Inputs, read};
use crate::host::{Annotation, Ink, Level};
use crate::names::AppName;
use crate::report::summary;
use crate::stage::decide::decide;
use crate::stage::{Decision, Source, Trigger};
use crate::state::Claim;
use crate::state::store::Store;

mod comment;
mod deploy;
mod destroy;
pub mod ground;
mod merge;
mod release;
mod tell;

/// A run of the host, with all that is known about it.
pub struct Ci<'a> {
    /// What every command has at hand.
    pub session: &'a Session<'a>,
    /// Where we run.
    pub github: &'a GitHub,
    /// The config, and the apps.
    pub ground: Ground,
    /// What started the run.
    pub trigger: Trigger,
    /// Whether summary and outputs say already what came of it.
    is_told: Cell<bool>,
}

/// What a run would do, as JSON: from the event and the config alone.
///
/// # Errors
///
/// We are not in GitHub Actions, event or config are broken, or a person asked for what is not done.
pub fn decision(variables: &BTreeMap<String, String>, options: &Options) -> Result<Value, Failure> {
    let (trigger, inputs) = read(variables)?;
    let options = with_inputs(options, &inputs)?;
    let ground = on_the_spot(&trigger, &options.project_dir)?.unwrap_or_default();
    Ok(decide(&trigger, &ground.rules())?.json())
}

/// The config and the apps that are checked out, if they may be looked at.
fn on_the_spot(trigger: &Trigger, folder: &Path) -> Result<Option<Ground>, Failure> {
    match may_be_read(trigger) {
        true => Ground::in_folder(folder),
        false => Ok(None),
    }
}

/// What the user wishes, by flags or else by what the workflow gave to the action.
///
/// # Errors
///
/// An input cannot be read.
pub fn with_inputs(options: &Options, inputs: &Inputs) -> Result<Options, Failure> {
    let wrong = |name: &str, why: String| Failure::input(format!("the input `{name}`: {why}"));
    let mut options = options.clone();
    if let Some(folder) = inputs
        .project_dir
        .as_ref()
        .filter(|_| options.project_dir == Path::new("."))
    {
        options.project_dir = folder.into();
    }
    if let (None, Some(app)) = (&options.app, &inputs.app) {
        options.app = Some(app.parse().map_err(|error| wrong("app", format!("{error}")))?);
    }
    if let Some(wait) = &inputs.wait {
        options.wait = cli::duration(wait).map_err(|why| wrong("wait", why))?;
    }
    options.state = options.state.or_else(|| inputs.state.clone());
    options.role = options.role.or_else(|| inputs.role.clone());
    options.region = options.region.or_else(|| inputs.region.clone());
    Ok(options)
}

/// What says to AWS who we are: the host's token, where the environment has no credentials of its own.
pub fn identity(github: &GitHub, variables: &BTreeMap<String, String>) -> Option<WebIdentity> {
    match has_credentials(variables) {
        true => None,
        false => github.id_token(),
    }
}

fn has_credentials(variables: &BTreeMap<String, String>) -> bool {
    let sources = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    let is_set = |name: &&str| variables.get(*name).is_some_and(|value| !value.is_empty());
    sources.iter().any(is_set)
}

/// Does what the trigger asks for.
///
/// # Errors
///
/// The decision cannot be made or carried out.
pub async fn ci(session: &Session<'_>, github: &GitHub) -> Result<(), Failure> {
    let mut ci = Ci {
        session,
        github,
        ground: Ground::default(),
        trigger: github.trigger()?,
        is_told: Cell::new(false),
    };
    let done = ci.done().await;
    if let Err(failure) = &done
        && !ci.is_told.get()
    {
        ci.tell_of_none(failure);
    }
    done
}

impl Ci<'_> {
    /// Finds out what is asked for, and does it.
    async fn done(&mut self) -> Result<(), Failure> {
        let folder = &self.session.options.project_dir;
        self.ground = on_the_spot(&self.trigger, folder)?.unwrap_or_default();
        if self.ground.projects.is_empty() && self.needs_config() {
            self.ground = self.default_ground().await?.unwrap_or_default();
        }
        let decision = decide(&self.trigger, &self.ground.rules())?;
        match decision {
            Decision::Deploy { stage, source, reason } => {
                self.say(&format!("Deploys stage `{stage}`: {reason}"));
                self.deploy(&stage, source).await
            }
            Decision::Destroy { removal, reason } => {
                self.say(&format!("Removes stage `{}`: {reason}", removal.stage()));
                self.destroy(&removal).await
            }
            Decision::Sweep { reason } => {
                self.say(&format!("Sweeps: {reason}"));
                self.sweep().await
            }
            Decision::Skip { reason } => self.skip(&reason),
        }
    }

    /// Whether the config of the default branch is worth a call: an event that leads to nothing costs nothing.
    fn needs_config(&self) -> bool {
        match &self.trigger {
            Trigger::PullRequest(_) => decide(&self.trigger, &self.ground.rules())
                .is_ok_and(|decision| matches!(decision, Decision::Destroy { .. })),
            Trigger::BranchDeleted { .. } | Trigger::Schedule | Trigger::Manual { .. } => true,
            Trigger::Push { .. } | Trigger::Other { .. } => false,
        }
    }

    /// What the default branch says, asked of GitHub; `None` where it has no config.
    async fn default_ground(&self) -> Result<Option<Ground>, Failure> {
        let folder = &self.session.options.project_dir;
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let within = self.github.within(&folder).unwrap_or_else(|| folder.clone());
        // Outside the checkout, the folder is as the workflow wrote it, from the root.
        let within = if within.is_absolute() {
            Path::new("")
        } else {
            within.as_path()
        };
        let path: std::path::PathBuf = within.join(FILE).components().collect();
        let text = self.github.api().default_file(&path.to_string_lossy()).await?;
        text.map(|text| Ground::in_text(&text)).transpose()
    }

    /// What the stage is recorded as being made for.
    fn claim(&self, source: Source) -> Claim {
        Claim {
            repository: self.github.repository().to_owned(),
            source,
        }
    }

    /// The store of an app, wherever its config is.
    async fn store(&self, app: &AppName) -> Result<Box<dyn Store>, Failure> {
        let own = self.ground.projects.iter().find(|project| {
            let name = project.app_name();
            name.is_ok_and(|name| name == *app)
        });
        let configured = own
            .and_then(|project| project.config.state.as_ref())
            .or(self.ground.config.state.as_ref());
        let place = self.session.place(configured)?;
        let is_lasting = matches!(place, Some(StateUrl::Bucket { .. })) || self.is_self_hosted();
        if !is_lasting {
            let message = "the state would lie in a folder of the runner, and be gone with it";
            let hint = "keep it in a bucket: `state: s3://BUCKET/PREFIX` in stagewright.yaml, or the input `state`; `stagewright \
                        init --create-bucket` makes one";
            return Err(Failure::input(message).hint(hint));
        }
        let folder = match own {
            Some(project) => StateUrl::Folder(project.state_folder()),
            None => crate::config::read::state_without_config(&self.session.options.project_dir),
        };
        self.session.store(configured, folder, app).await
    }

    fn is_self_hosted(&self) -> bool {
        let runner = self.session.environment.get("RUNNER_ENVIRONMENT");
        runner.is_some_and(|runner| runner == "self-hosted")
    }

    /// The apps that are known: from the flag or the input alone where one is given, else from the config, else from all that
    /// the store has.
    async fn apps(&self) -> Result<BTreeSet<AppName>, Failure> {
        if let Some(app) = &self.session.options.app {
            return Ok(BTreeSet::from([app.clone()]));
        }
        let mut apps: BTreeSet<AppName> = self.ground.config.app.iter().cloned().collect();
        for project in &self.ground.projects {
            apps.insert(project.app_name()?);
        }
        // Any name opens the place where all apps are.
        let any = match apps.first() {
            Some(app) => app.clone(),
            None => "app".parse()?,
        };
        apps.extend(self.store(&any).await?.apps().await?);
        Ok(apps)
    }

    /// Where a stage is, and as whom it is reached, as far as the config says.
    fn configured(&self, app: &AppName, stage: &crate::names::StageName) -> StageConfig {
        let own = self.ground.projects.iter().find(|project| {
            let name = project.app_name();
            name.is_ok_and(|name| name == *app)
        });
        let config = own.map_or(&self.ground.config, |project| &project.config);
        config.stage(stage)
    }

    /// Refuses to begin without credentials: what is missing is told before anything is built.
    fn refuse_without_credentials(&self, role: Option<&String>) -> Result<(), Failure> {
        let has_some = has_credentials(&self.session.environment) || self.is_self_hosted();
        let named = role.or(self.session.options.role.as_ref());
        match (named, &self.session.identity) {
            _ if has_some => Ok(()),
            (Some(_), Some(_)) => Ok(()),
            (Some(role), None) => Err(Failure::input(format!(
                "the job may not ask GitHub for a token, and needs one to assume `{role}`"
            ))
            .hint("give the job these rights:\n\n    permissions:\n      id-token: write\n      contents: read\n")),
            (None, _) => Err(Failure::input("there are no AWS credentials, and no role to assume").hint(
                "name the role: the input `role` of the action, with `permissions: id-token: write`; `stagewright init` \
                 prints its policies. Or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`",
            )),
        }
    }

    fn skip(&self, reason: &str) -> Result<(), Failure> {
        self.is_told.set(true);
        self.say(&format!("Nothing to do: {reason}"));
        self.tried(
            self.github
                .summary(&format!("### Nothing was deployed\n\n{}\n", summary::sentence(reason))),
        );
        self.tried(self.github.outputs(&[
            ("stage", String::new()),
            ("url", String::new()),
            ("outcome", "skipped".to_owned()),
            ("changed", "false".to_owned()),
            ("release", String::new()),
            ("commit", String::new()),
            ("report", "[]".to_owned()),
        ]));
        self.session
            .host
            .answer(&serde_json::json!({"outcome": "skipped", "reason": reason}));
        Ok(())
    }

    fn say(&self, line: &str) {
        self.session.host.progress(Ink::Faint, line);
    }

    /// What GitHub is told, and can do without: that it could not be told is a warning.
    fn told<T>(&self, what: Result<T, Fault>) -> Option<T> {
        what.map_err(|fault| self.warn(&Failure::from(fault))).ok()
    }

    /// What the runner is told, and can do without.
    fn tried(&self, what: Result<(), crate::host::github::Error>) {
        if let Err(error) = what {
            self.warn(&Failure::from(error));
        }
    }

    fn warn(&self, failure: &Failure) {
        let hints: String = failure.hints.iter().map(|hint| format!("; {hint}")).collect();
        self.session.host.annotate(&Annotation {
            level: Level::Warning,
            place: None,
            message: format!("{}{hints}", failure.message),
        });
    }

    async fn sweep(&self) -> Result<(), Failure> {
        self.skip("the sweep is not there yet")
    }
}
