//! `ci`: what started the run leads to a decision, which is carried out and told where people look.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use self::ground::{Ground, may_be_read};
use self::tell::Ended;
use super::Session;
use crate::aws::WebIdentity;
use crate::cli::{self, Options};
use crate::config::read::state_without_config;
use crate::config::state_url::StateUrl;
use crate::config::{Config, FILE, Project, StageConfig, load};
use crate::error::Failure;
use crate::fault::{Fault, FaultKind};
use crate::host::github::{GitHub, Inputs, read};
use crate::host::{Annotation, Ink, Level};
use crate::names::{AppName, StageName, Timestamp};
use crate::stage::decide::decide;
use crate::stage::{Decision, Source, Trigger};
use crate::state::store::Store;
use crate::state::{Claim, Repository, State, lease};

mod comment;
mod deploy;
mod deployments;
mod destroy;
pub mod ground;
mod merge;
mod sweep;
mod tell;
mod touched;

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
    stores: RefCell<BTreeMap<AppName, Rc<dyn Store>>>,
    /// Previews that go soon, and after which moment.
    expiring: RefCell<BTreeMap<(AppName, StageName), Timestamp>>,
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

/// Whether the workflow wishes to know where the time goes.
///
/// # Errors
///
/// The input says something else than yes or no.
pub fn is_timed(inputs: &Inputs) -> Result<bool, Failure> {
    match inputs.timings.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Failure::input(format!(
            "the input `timings` is `{other}`, and only `true` and `false` are known"
        ))),
    }
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

/// Does what the trigger asks for, and tells what became of it.
///
/// # Errors
///
/// The decision cannot be made or carried out.
pub async fn ci(session: &Session<'_>, github: &GitHub) -> Result<(), Failure> {
    match Box::pin(carried_out(session, github)).await {
        Ok(Done::Told(ended)) => ended,
        Ok(Done::Apps(ended)) => tell::tell(session, github, ended),
        Err(failure) => {
            let failure = failure.with_nothing_changed();
            tell::failed(session, github, &failure);
            Err(failure)
        }
    }
}

/// How a trigger was answered.
enum Done {
    /// Something became of apps, which is still to be told.
    Apps(Vec<Ended>),
    /// Everything is told.
    Told(Result<(), Failure>),
}

impl Done {
    /// Where nothing became of any app, that was told.
    fn of(ended: Vec<Ended>) -> Self {
        match ended.is_empty() {
            true => Self::Told(Ok(())),
            false => Self::Apps(ended),
        }
    }
}

/// Does what the trigger asks for.
async fn carried_out(session: &Session<'_>, github: &GitHub) -> Result<Done, Failure> {
    let trigger = github.trigger()?;
    let ground = match ground::decides(&trigger) {
        true => on_the_spot(&trigger, &session.options.project_dir)?,
        false => None,
    };
    let mut ci = Ci {
        session,
        github,
        ground: ground.unwrap_or_default(),
        trigger,
        stores: RefCell::default(),
        expiring: RefCell::default(),
    };
    if ci.ground.projects.is_empty() && ci.needs_config() {
        ci.ground = ci.default_ground().await?.unwrap_or_default();
    }
    match decide(&ci.trigger, &ci.ground.rules())? {
        Decision::Deploy { stage, source, reason } => {
            ci.say(&format!("Deploys stage `{stage}`: {reason}"));
            Box::pin(ci.deploy(&stage, source)).await.map(Done::of)
        }
        Decision::Destroy { removal, reason } => {
            ci.say(&format!("Removes stage `{}`: {reason}", removal.stage()));
            ci.destroy(&removal).await.map(Done::of)
        }
        Decision::Sweep { reason } => {
            ci.say(&format!("Sweeps: {reason}"));
            ci.sweep().await.map(Done::Told)
        }
        Decision::Skip { reason } => {
            if let Trigger::PullRequest(_) = &ci.trigger {
                ci.annotate(Level::Notice, reason.clone());
            }
            ci.skip(&reason);
            Ok(Done::Told(Ok(())))
        }
    }
}

impl Ci<'_> {
    /// Whether the config of the default branch is worth a call: an event that leads to nothing costs nothing.
    fn needs_config(&self) -> bool {
        match &self.trigger {
            Trigger::PullRequest(_) => decide(&self.trigger, &self.ground.rules())
                .is_ok_and(|decision| matches!(decision, Decision::Destroy { .. })),
            Trigger::BranchDeleted { .. } | Trigger::Schedule | Trigger::Manual { .. } => true,
            Trigger::Push { .. } | Trigger::Other { .. } => false,
        }
    }

    /// What the default branch says, asked of GitHub; `None` where it has no config. Where the workflow says all that is
    /// needed to remove a stage, it is enough.
    async fn default_ground(&self) -> Result<Option<Ground>, Failure> {
        let options = &self.session.options;
        let path = path_of(&self.within(&options.project_dir));
        let read = self.github.api().default_file(&path).await.map_err(Failure::from);
        let ground = read.and_then(|text| text.map(|text| Ground::in_text(&text)).transpose());
        match ground {
            Err(failure) if options.app.is_some() && options.state.is_some() => {
                self.warn(&failure);
                Ok(None)
            }
            ground => ground,
        }
    }

    /// What the default branch says about an app: in its own file, and in those of the folders above, the nearest first.
    async fn default_configs(&self, project: &Project) -> Result<Vec<Config>, Failure> {
        let within = self.within(&project.folder);
        let mut configs = Vec::new();
        for folder in within.ancestors() {
            let text = self.github.api().default_file(&path_of(folder)).await?;
            configs.extend(text.map(|text| load::parse_config(&text)).transpose()?);
        }
        Ok(configs)
    }

    /// A folder as it is seen from the top of the repository. Outside of a checkout, it is as the workflow wrote it.
    fn within(&self, folder: &Path) -> PathBuf {
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let within = self.github.within(&whole).unwrap_or_else(|| folder.to_owned());
        let is_named = |part: &Component<'_>| matches!(part, Component::Normal(_));
        match within.is_absolute() {
            true => PathBuf::new(),
            false => within.components().filter(is_named).collect(),
        }
    }

    /// What the stage is recorded as being made for.
    fn claim(&self, source: Source) -> Claim {
        Claim {
            repository: self.github.repository().to_owned(),
            repository_id: self.github.repository_id(),
            source,
        }
    }

    /// Whether a stage was made for our repository.
    fn is_ours(&self, claim: &Claim) -> bool {
        claim.is_of(&Repository {
            name: self.github.repository().to_owned(),
            id: self.github.repository_id(),
        })
    }

    /// The checked out project of an app.
    fn project_of(&self, app: &AppName) -> Option<&Project> {
        let is_it = |project: &&Project| project.app_name().is_ok_and(|name| name == *app);
        self.ground.projects.iter().find(is_it)
    }

    /// The store of an app, wherever its config is.
    async fn store(&self, app: &AppName) -> Result<Rc<dyn Store>, Failure> {
        let known = self.stores.borrow().get(app).cloned();
        if let Some(store) = known {
            return Ok(store);
        }
        let own = self.project_of(app);
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
            None => state_without_config(&self.session.options.project_dir),
        };
        let store: Rc<dyn Store> = Rc::from(self.session.store(configured, folder, app).await?);
        self.stores.borrow_mut().insert(app.clone(), store.clone());
        Ok(store)
    }

    fn is_self_hosted(&self) -> bool {
        let runner = self.session.environment.get("RUNNER_ENVIRONMENT");
        runner.is_some_and(|runner| runner == "self-hosted")
    }

    /// The apps that a flag, an input or the config names.
    fn named_apps(&self) -> Result<BTreeSet<AppName>, Failure> {
        if let Some(app) = &self.session.options.app {
            return Ok(BTreeSet::from([app.clone()]));
        }
        let mut apps: BTreeSet<AppName> = self.ground.config.app.iter().cloned().collect();
        for project in &self.ground.projects {
            apps.insert(project.app_name()?);
        }
        Ok(apps)
    }

    /// The states of a stage in all apps that are ours: the named ones, and those that the store knows to be of our
    /// repository. Of others, nothing is taken amiss.
    async fn states(&self, stage: &StageName) -> Result<Vec<State>, Failure> {
        let named = self.named_apps()?;
        // Any name opens the place where all apps are.
        let any = match named.first() {
            Some(app) => app.clone(),
            None => "app".parse()?,
        };
        let listed = match self.store(&any).await?.apps().await {
            Ok(listed) => listed,
            // Whoever may read only the own app's states sees no other one.
            Err(fault) if fault.kind == FaultKind::Denied && !named.is_empty() => Vec::new(),
            Err(fault) => return Err(fault.into()),
        };
        let mut states = Vec::new();
        for app in named.iter().chain(listed.iter().filter(|app| !named.contains(*app))) {
            let is_named = named.contains(app);
            let state = match lease::read(self.store(app).await?.as_ref(), Some(app), stage).await {
                Ok(seen) => seen.map(|seen| seen.state),
                Err(error) if is_named => return Err(error.into()),
                Err(error) => {
                    tracing::info!(%app, %stage, %error, "left alone: it cannot be read");
                    None
                }
            };
            let ours = state.filter(|state| match &state.claim {
                Some(claim) => self.is_ours(claim),
                None => is_named,
            });
            states.extend(ours);
        }
        states.sort_by(|one, other| one.app.cmp(&other.app));
        Ok(states)
    }

    /// Where a stage is, and as whom it is reached, as far as the config says.
    fn configured(&self, app: &AppName, stage: &StageName) -> StageConfig {
        let config = self
            .project_of(app)
            .map_or(&self.ground.config, |project| &project.config);
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

    fn skip(&self, reason: &str) {
        tell::skipped(self.session, self.github, reason);
    }

    fn say(&self, line: &str) {
        self.session.host.progress(Ink::Faint, line);
    }

    /// What GitHub is told, and can do without: that it could not be told is a warning.
    fn told<T>(&self, what: Result<T, Fault>) -> Option<T> {
        what.map_err(|fault| self.warn(&Failure::from(fault))).ok()
    }

    fn warn(&self, failure: &Failure) {
        let hints: String = failure.hints.iter().map(|hint| format!("; {hint}")).collect();
        self.annotate(Level::Warning, format!("{}{hints}", failure.message));
    }

    fn annotate(&self, level: Level, message: String) {
        self.session.host.annotate(&Annotation {
            level,
            place: None,
            message,
        });
    }
}

/// The config in a folder, as GitHub names it.
fn path_of(folder: &Path) -> String {
    folder.join(FILE).to_string_lossy().into_owned()
}
