//! Where a deploy or a plan takes place, and the app that is ready for it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tempfile::TempDir;

use super::recognised::{self, Look, Reading, Recognition};
use super::{Region, Session, check};
use crate::app::inputs::Files;
use crate::app::python::Pins;
use crate::app::{self, App, Artifact, Finding, Severity, Source, package};
use crate::config::read::{Read, Request};
use crate::config::{PreviewRoles, Project};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::StageName;
use crate::plan::desired::{self, Ground};
use crate::plan::{Action, Desired, Plan, diff};
use crate::resource::role::Sharing;
use crate::resource::{Cloud, Owner, Place};
use crate::stage::branches::is_reserved;
use crate::state::lease::Seen;
use crate::state::store::Store;
use crate::state::{Inputs, State};
use crate::timeline::Phase;

/// An app, ready to be deployed on a stage.
pub struct Ready {
    /// The app.
    pub app: App,
    /// Its zips, by the names of their sources; one that was recognised is made where somebody needs it.
    pub artifacts: BTreeMap<String, Artifact>,
    /// What is recorded of it.
    pub contents: Contents,
    /// Holds the zips until the run has ended.
    zips: TempDir,
}

/// What a release records of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The versions that were resolved for it.
    pub pins: Option<Pins>,
    /// What the stage is left without, since it is a preview.
    pub withheld: Vec<String>,
    /// SHA-256 of each zip, by the name of the source.
    pub artifacts: BTreeMap<String, String>,
    /// By what it is recognised later; the app's digest stands here without what is deployed.
    pub inputs: Inputs,
}

/// What is done about the secrets of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// The app is not ready without it.
    Needed,
    /// It stays unknown, even if something of its name is set: that is for another stage. Nothing is deployed, and nobody is
    /// warned.
    Unknown,
}

/// Where a deploy takes place.
pub struct Scene<'a> {
    /// What every command has at hand.
    pub session: &'a Session<'a>,
    /// The project.
    pub project: &'a Project,
    /// The stage.
    pub stage: &'a StageName,
    /// Where its state is kept.
    pub store: &'a dyn Store,
    /// Where its resources live.
    pub cloud: Rc<dyn Cloud>,
}

impl<'a> Scene<'a> {
    /// Opens the cloud of a stage whose state was read.
    pub async fn open(
        session: &'a Session<'a>,
        project: &'a Project,
        store: &'a dyn Store,
        state: &'a State,
    ) -> Result<Self, Failure> {
        let stage = &state.stage;
        let cloud = session.cloud(project.config.stage(stage), state, Region::Asked).await?;
        Ok(Self {
            session,
            project,
            stage,
            store,
            cloud,
        })
    }

    /// Reads and packages the app, with the versions of the last release unless an upgrade is asked for. What is the same as in
    /// that release is not packaged. Nothing outside is changed. `seen` are the app's files before anything was read.
    pub async fn ready(
        &self,
        state: &State,
        (reading, secrets): (Reading, Secrets),
        seen: Option<&Files>,
    ) -> Result<Ready, Failure> {
        let Self {
            session,
            project,
            stage,
            ..
        } = self;
        // Before any code of the project has run, which could change what git answers.
        let commit = session.host.commit(&project.folder);
        let uv = session.uv();
        let region = self.cloud.region();
        let request = Request {
            stage,
            region: region.as_deref(),
            recorded: state.release.as_ref().and_then(|release| release.pins.as_ref()),
            resolution: reading.resolution,
            uv: &uv,
        };
        let secret = |name: &str| match secrets {
            Secrets::Needed => session.secret(name).ok_or(Severity::Error),
            Secrets::Unknown => Err(Severity::Warning),
        };
        let Read {
            app,
            pins,
            warnings,
            withheld,
        } = {
            let _phase = session.timeline.phase(Phase::ReadingApp);
            project.read(request, &secret).await?
        };
        if secrets == Secrets::Needed {
            session.warn(&project.folder, &warnings);
        }
        refuse(check::names(project, &app, &stages(project, stage)))?;
        let withheld: Vec<String> = withheld.iter().map(ToString::to_string).collect();
        self.tell_withheld(&withheld);
        let zips = tempfile::tempdir().map_err(|source| app::Error::File {
            path: std::env::temp_dir(),
            source,
        })?;
        let mut ready = Ready {
            app,
            artifacts: BTreeMap::new(),
            contents: Contents {
                commit,
                pins,
                withheld,
                artifacts: BTreeMap::new(),
                inputs: Inputs::default(),
            },
            zips,
        };
        self.package(&mut ready, state, reading.recognition).await?;
        let app = match (seen, &ready.contents.pins) {
            // What was changed while it was read may have been read before or after.
            (Some(before), Some(pins)) if Look::begin(session, project)?.ended().await.as_ref() == Some(before) => {
                self.digest(request, (before, pins))
            }
            (_, _) => None,
        };
        if app.is_some() {
            ready.contents.inputs.warnings = warnings;
        }
        ready.contents.inputs.app = app;
        Ok(ready)
    }

    /// Packages what is not the same as in the last release.
    async fn package(&self, ready: &mut Ready, state: &State, recognition: Recognition) -> Result<(), Failure> {
        let Contents { commit, .. } = &ready.contents;
        let sources = ready.app.sources.clone();
        let looks = self.look(&sources, (state, commit.as_deref())).await?;
        for name in sources.keys() {
            let digest = looks.get(name).map(package::inputs::Inputs::digest);
            let known = recorded_zip(state, name, digest.as_deref()).filter(|_| recognition == Recognition::Trusted);
            if let (Some(known), Some(digest)) = (known, digest) {
                tracing::info!(name, sha256 = known, "package recognised");
                ready.contents.artifacts.insert(name.clone(), known.to_owned());
                ready.contents.inputs.packages.insert(name.clone(), digest);
            } else {
                self.make(ready, name).await?;
            }
        }
        let made: BTreeMap<String, Source> = sources
            .into_iter()
            .filter(|(name, _)| ready.artifacts.contains_key(name) && looks.contains_key(name))
            .collect();
        let commit = ready.contents.commit.clone();
        let later = self.look(&made, (state, commit.as_deref())).await?;
        for (name, later) in later {
            if let Some(before) = looks.get(&name).filter(|before| before.are_still(&later)) {
                ready.contents.inputs.packages.insert(name, before.digest());
            }
        }
        Ok(())
    }

    /// Looks at everything that packages are made from; without those where something cannot be told for sure.
    async fn look(
        &self,
        sources: &BTreeMap<String, Source>,
        (state, commit): (&State, Option<&str>),
    ) -> Result<BTreeMap<String, package::inputs::Inputs>, Failure> {
        let uv = self.session.uv();
        let cache = std::path::absolute(&uv.cache).unwrap_or(uv.cache);
        let environment = self.session.visible(package::sees);
        let ours = recognised::ours(self.session, self.project)?;
        let (sources, salt, commit) = (sources.clone(), state.salt.clone(), commit.map(str::to_owned));
        let looking = tokio::task::spawn_blocking(move || {
            let ground = package::inputs::Ground {
                cache: &cache,
                environment: &environment,
                commit: commit.as_deref(),
                ours: &ours,
                salt: &salt,
            };
            let look = |(name, source): (String, Source)| match package::inputs::Inputs::of(&source, &ground) {
                Ok(inputs) => Some((name, inputs)),
                Err(error) => {
                    tracing::debug!(name, %error, "the package will not be recognised");
                    None
                }
            };
            sources.into_iter().filter_map(look).collect()
        });
        // Where the look was broken off, nothing is recognised.
        Ok(looking.await.unwrap_or_default())
    }

    /// Makes the zip of a source.
    async fn make(&self, ready: &mut Ready, name: &str) -> Result<(), Failure> {
        let Self { session, project, .. } = self;
        let Some(source) = ready.app.sources.get(name) else {
            return Ok(());
        };
        let builds = session.visible(package::sees);
        session.warn(&project.folder, package::exposed(source, &builds).as_slice());
        let _phase = session.timeline.phase(Phase::Packaging);
        let artifact = package::package(name, source, ready.zips.path(), &builds)
            .await
            .map_err(|error| project.named(error))?;
        tracing::info!(
            name,
            sha256 = artifact.sha256,
            size_bytes = artifact.size_bytes,
            "packaged"
        );
        let digest = artifact.sha256.clone();
        ready.contents.artifacts.insert(name.to_owned(), digest);
        ready.artifacts.insert(name.to_owned(), artifact);
        Ok(())
    }

    /// Makes the zips that were recognised and that somebody needs all the same: AWS gets the code of a function that is
    /// made anew, and who looks at what a former run left in doubt compares it.
    pub async fn complete(&self, ready: &mut Ready, seen: &Seen) -> Result<(), Failure> {
        let state = &seen.state;
        let needed = match &state.place {
            Some(place) if !seen.needs_a_look() => Some(zips_sent(&self.plan(ready, state, place))),
            Some(_) | None => None,
        };
        let artifacts = ready.contents.artifacts.clone();
        for (name, sha256) in &artifacts {
            let is_needed = needed.as_ref().is_none_or(|needed| needed.contains_key(sha256));
            if ready.artifacts.contains_key(name) || !is_needed {
                continue;
            }
            self.make(ready, name).await?;
            if ready.contents.artifacts.get(name) != Some(sha256) {
                // A build that makes something else each time.
                ready.contents.inputs.packages.remove(name);
            }
        }
        Ok(())
    }

    /// Tells what the stage is left without, since it is a preview.
    pub fn tell_withheld(&self, withheld: &[String]) {
        if !withheld.is_empty() {
            let note = format!(
                "note: left out of the preview: {} (`pull_requests.event_sources` asks for it)",
                withheld.join(", ")
            );
            self.session.host.note(Ink::Faint, &note);
        }
    }

    /// Whose the stage's resources are. A store without a name of its own goes by what is random in the state: the mark
    /// of one checkout's folder is not that of another's.
    pub fn owner(&self, state: &State) -> Owner {
        let of_folder = || format!("folder-{}", state.salt.chars().take(12).collect::<String>());
        Owner {
            store: self.store.identity().unwrap_or_else(of_folder),
            app: state.app.clone(),
            stage: state.stage.clone(),
        }
    }

    /// Whose the roles of the stage are. Who uses a role that previews share stands in the store, and a store without a name of
    /// its own is not that of other previews.
    fn roles(&self) -> Sharing {
        let can_share = is_reserved(self.stage) && self.store.identity().is_some();
        match self.project.config.preview_roles {
            PreviewRoles::Shared if can_share => Sharing::Previews,
            PreviewRoles::Shared | PreviewRoles::Own => Sharing::Own,
        }
    }

    /// ARN of the role that the config names for the stage. One that a workflow gives is not recorded: people at a terminal may
    /// be unable to assume it, and the workflow that removes the stage gives it again.
    pub fn role(&self) -> Option<String> {
        self.project.config.stage(self.stage).role
    }

    /// What there is to do, where values that are not known here stay as they are, and what these are.
    pub fn plan_but_unknown(&self, ready: &Ready, state: &State, place: &Place) -> (Plan, Vec<String>) {
        let mut desired = self.desired(ready, state, place);
        let unknown = desired.keep_unknown(state);
        (diff::diff(&desired, state), unknown)
    }

    /// What there is to do, where the stage lives in a place.
    pub fn plan(&self, ready: &Ready, state: &State, place: &Place) -> Plan {
        diff::diff(&self.desired(ready, state, place), state)
    }

    /// What the stage shall have, where it lives in a place.
    pub fn desired(&self, ready: &Ready, state: &State, place: &Place) -> Desired {
        let ground = Ground {
            place,
            owner: &self.owner(state),
            salt: &state.salt,
            roles: self.roles(),
        };
        desired::desired(&ready.app, &ready.contents.artifacts, ground)
    }
}

/// The zip of a source in the last release, if it was made from what has this digest.
fn recorded_zip<'a>(state: &'a State, name: &str, digest: Option<&str>) -> Option<&'a str> {
    let release = state.release.as_ref()?;
    let recorded = release.inputs.as_ref()?.packages.get(name)?;
    let is_same = digest == Some(recorded.as_str());
    release.artifacts.get(name).filter(|_| is_same).map(String::as_str)
}

/// The zips that AWS gets in the course of a plan: their SHA-256, each with the name of what is made of it.
pub fn zips_sent(plan: &Plan) -> BTreeMap<String, String> {
    let mut sent = BTreeMap::new();
    for step in &plan.steps {
        let code = match &step.action {
            Action::Create(to) => to.code_sent(None),
            Action::Update { from, to } => to.code_sent(from.resource.as_ref()),
            Action::Delete(_) => None,
        };
        sent.extend(code.map(|code| (code.to_owned(), step.address.name().to_owned())));
    }
    sent
}

/// The stage and every configured one: names are refused for all of them, so that none fails on release day.
pub fn stages(project: &Project, stage: &StageName) -> BTreeSet<StageName> {
    let mut stages = project.stages();
    stages.insert(stage.clone());
    stages
}

/// Refuses to go on where there is any finding.
pub fn refuse(findings: Vec<Finding>) -> Result<(), Failure> {
    if findings.is_empty() {
        Ok(())
    } else {
        Err(app::Error::Findings(findings).into())
    }
}
