//! Where a deploy or a plan takes place, and the app that is ready for it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Region, Session, check};
use crate::app::python::{Pins, Resolution};
use crate::app::withheld::Withheld;
use crate::app::{self, App, Artifact, Finding, Severity, package};
use crate::config::read::{Read, Request};
use crate::config::{PreviewRoles, Project};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::StageName;
use crate::plan::desired::{self, Ground};
use crate::plan::{Desired, Plan, diff};
use crate::resource::role::Sharing;
use crate::resource::{Cloud, Owner, Place};
use crate::stage::branches::is_reserved;
use crate::state::State;
use crate::state::store::Store;
use crate::timeline::Phase;

/// An app, ready to be deployed on a stage.
pub struct Ready {
    /// The app.
    pub app: App,
    /// The versions that were resolved for it.
    pub pins: Option<Pins>,
    /// Its zips, by the names of their sources.
    pub artifacts: BTreeMap<String, Artifact>,
    /// What the stage is left without, since it is a preview.
    pub withheld: Vec<String>,
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// Holds the zips until the run has ended.
    _zips: tempfile::TempDir,
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

    /// Reads and packages the app, with the versions of the last release unless an upgrade is asked for. Nothing outside
    /// is changed.
    pub async fn ready(&self, state: &State, resolution: Resolution, secrets: Secrets) -> Result<Ready, Failure> {
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
            resolution,
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
        let withheld = self.told(&withheld);
        let zips = tempfile::tempdir().map_err(|source| app::Error::File {
            path: std::env::temp_dir(),
            source,
        })?;
        let builds = session.visible(package::sees);
        let mut artifacts = BTreeMap::new();
        let phase = session.timeline.phase(Phase::Packaging);
        for (name, source) in &app.sources {
            session.warn(&project.folder, package::exposed(source, &builds).as_slice());
            let artifact = package::package(name, source, zips.path(), &builds)
                .await
                .map_err(|error| project.named(error))?;
            tracing::info!(
                name,
                sha256 = artifact.sha256,
                size_bytes = artifact.size_bytes,
                "packaged"
            );
            artifacts.insert(name.clone(), artifact);
        }
        drop(phase);
        Ok(Ready {
            app,
            pins,
            artifacts,
            withheld,
            commit,
            _zips: zips,
        })
    }

    /// Tells what the stage is left without, since it is a preview.
    fn told(&self, withheld: &[Withheld]) -> Vec<String> {
        let told: Vec<String> = withheld.iter().map(ToString::to_string).collect();
        if !told.is_empty() {
            let note = format!(
                "note: left out of the preview: {} (`pull_requests.event_sources` asks for it)",
                told.join(", ")
            );
            self.session.host.note(Ink::Faint, &note);
        }
        told
    }

    /// Whose the stage's resources are. A store without a name of its own goes by what is random in the state: the mark
    /// of one checkout's folder is not that of another's.
    fn owner(&self, state: &State) -> Owner {
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
        desired::desired(&ready.app, &ready.artifacts, ground)
    }
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
