//! What was deployed and is the same today: it is neither read nor built again.

use std::io;
use std::path::PathBuf;

use serde_json::json;
use tokio::task::JoinHandle;

use super::Session;
use super::scene::{Contents, Scene, stages};
use crate::app::inputs::{Digest, Files};
use crate::app::python::{Pins, Resolution};
use crate::config::Project;
use crate::config::read::Request;
use crate::config::state_url::StateUrl;
use crate::error::Failure;
use crate::state::lease::Seen;
use crate::state::{Inputs, Progress, State};

/// Whether what is the same as it was is taken as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognition {
    /// Yes.
    Trusted,
    /// No: the app reads something that nobody can look at before, and everything is read and built.
    Refused,
}

/// How an app is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Which versions of dependencies are taken.
    pub resolution: Resolution,
    /// Whether it is read at all, if it is the same.
    pub recognition: Recognition,
}

/// A look at the app's files, which goes on beside other things.
#[derive(Debug)]
pub struct Look(JoinHandle<io::Result<Option<Files>>>);

impl Look {
    /// Begins to look at what the app is read from.
    ///
    /// # Errors
    ///
    /// `--state` is no place for a state.
    pub fn begin(session: &Session<'_>, project: &Project) -> Result<Self, Failure> {
        let (seen, ours) = (project.clone(), ours(session, project)?);
        Ok(Self(tokio::task::spawn_blocking(move || seen.files(&ours))))
    }

    /// What was seen; `None` where something cannot be told for sure, and where there is nothing to look at.
    pub async fn ended(self) -> Option<Files> {
        let seen = self.0.await.map_err(io::Error::other).and_then(|seen| seen);
        seen.unwrap_or_else(|error| {
            tracing::debug!(%error, "the app will not be recognised");
            None
        })
    }
}

/// The folders that we write into ourselves.
pub fn ours(session: &Session<'_>, project: &Project) -> Result<Vec<PathBuf>, Failure> {
    let mut ours = vec![project.state_folder()];
    if let Some(StateUrl::Folder(folder)) = session.place(project.config.state.as_ref())? {
        ours.push(std::path::absolute(&folder).unwrap_or(folder));
    }
    Ok(ours)
}

impl Scene<'_> {
    /// What was deployed, where it is known without reading the app that nothing is to be done: the stage is settled, its last
    /// run made it what the release says, and everything that the app is read from is the same.
    pub fn recognised(&self, seen: &Seen, reading: Reading, files: Option<&Files>) -> Option<Contents> {
        let state = &seen.state;
        let is_settled = seen.version.is_some() && !seen.needs_a_look();
        let is_ready = state.last.as_ref().is_some_and(|last| last.outcome == Progress::Ready);
        let release = state.release.as_ref()?;
        let recorded = release.inputs.as_ref()?;
        if !is_settled || !is_ready || reading.recognition == Recognition::Refused {
            return None;
        }
        let uv = self.session.uv();
        let region = self.cloud.region();
        let request = Request {
            stage: self.stage,
            region: region.as_deref(),
            recorded: release.pins.as_ref(),
            resolution: reading.resolution,
            uv: &uv,
        };
        let pins = self.project.recorded_pins(request).ok()??;
        let app = self.digest(request, (files?, &pins))?;
        let contents = Contents {
            commit: self.session.host.commit(&self.project.folder),
            pins: Some(pins),
            withheld: release.withheld.clone(),
            artifacts: release.artifacts.clone(),
            inputs: Inputs {
                app: Some(app),
                ..recorded.clone()
            },
        };
        let is_same = self.recorded(&contents, state) == *recorded;
        tracing::info!(is_same, "compared with the last release");
        is_same.then_some(contents)
    }

    /// Whether AWS will be asked for something, of an app that was not recognised: nothing is deployed yet, or what it is read from
    /// was recorded and has changed.
    pub fn is_sure_to_change(&self, state: &State) -> bool {
        let Some(release) = &state.release else { return true };
        release.inputs.as_ref().is_some_and(|inputs| inputs.app.is_some())
    }

    /// The digest of everything that the app is read from; `None` where that cannot be told for sure.
    pub fn digest(&self, request: Request<'_>, seen: (&Files, &Pins)) -> Option<String> {
        let Self { project, stage, .. } = self;
        let read = project.digest(request, seen).unwrap_or_else(|error| {
            tracing::debug!(%error, "the app will not be recognised");
            None
        })?;
        let mut digest = Digest::new("app");
        digest.add(read);
        // All of it: whatever it comes to say of stages and previews counts as well.
        digest.add(format!("{:?}", project.config));
        digest.add(format!("{:?}", stages(project, stage)));
        Some(digest.text())
    }

    /// What a release records to be recognised by: what the app was read from counts only together with what is deployed.
    pub fn recorded(&self, contents: &Contents, state: &State) -> Inputs {
        let owner = self.owner(state);
        let sealed = |app: &String| {
            let mut digest = Digest::new("release");
            for part in [app, &state.salt, &owner.store] {
                digest.add(part);
            }
            digest.add(json!([&state.app, &state.stage, &state.place, &state.deployed]).to_string());
            digest.text()
        };
        Inputs {
            app: contents.inputs.app.as_ref().map(sealed),
            ..contents.inputs.clone()
        }
    }

    /// Tells what was told when the app was read.
    pub fn retell(&self, contents: &Contents) {
        self.session.warn(&self.project.folder, &contents.inputs.warnings);
        self.tell_withheld(&contents.withheld);
    }
}
