//! `stagewright.yaml`: which project this is, where its state lies, which branch is which stage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use self::state_url::StateUrl;
use crate::app::manifest::Manifest;
use crate::app::withheld::Allowed;
use crate::names::{AppName, StageName};
use crate::stage::branches::{Branches, is_reserved};
use crate::stage::policy::PullRequests;

pub mod file;
pub mod load;
mod previews;
pub mod read;
pub mod state_url;
mod types;
pub mod workspace;

/// Name of the file that says how a project is deployed.
pub const FILE: &str = "stagewright.yaml";

/// A folder with an app, and how it is deployed.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project's folder.
    pub folder: PathBuf,
    /// What `stagewright.yaml` says.
    pub config: Config,
    /// Who reads the app.
    pub front_end: FrontEnd,
}

/// Who reads a project's app.
#[derive(Debug, Clone)]
pub enum FrontEnd {
    /// Chalice's own files do.
    Chalice {
        /// The folder that has `.chalice/config.json`.
        folder: PathBuf,
    },
    /// `functions` and `routes` of `stagewright.yaml` do.
    Manifest(Box<Manifest>),
}

/// What `stagewright.yaml` says about any project, whoever reads its app.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The app's name; a Chalice project may leave it to Chalice's own config.
    pub app: Option<AppName>,
    /// Where the state lies, if not in a folder of the project.
    pub state: Option<StateConfig>,
    /// Which branch is which stage.
    pub branches: Branches,
    /// Which pull requests get a preview.
    pub pull_requests: PullRequests,
    /// The account and Region of previews.
    pub previews: StageConfig,
    /// What previews have of the event sources and domains that stages share.
    pub event_sources: Allowed,
    /// Which roles previews have.
    pub preview_roles: PreviewRoles,
    /// The stages that are configured, by name.
    pub stages: BTreeMap<StageName, StageConfig>,
}

impl Config {
    /// What is configured of a stage: of a preview, what `pull_requests` says.
    pub fn stage(&self, stage: &StageName) -> StageConfig {
        match is_reserved(stage) {
            true => self.previews.clone(),
            false => self.stages.get(stage).cloned().unwrap_or_default(),
        }
    }

    /// The stages that are configured by name, under `stages` or as that of a branch: no trigger removes them.
    pub fn fixed_stages(&self) -> BTreeSet<StageName> {
        let mut stages: BTreeSet<StageName> = self.stages.keys().cloned().collect();
        stages.extend(self.branches.stages());
        stages
    }
}

/// Where the state lies, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateConfig {
    /// The bucket or folder; a folder stands with the project's folder in front already.
    pub url: StateUrl,
    /// Region of the bucket.
    pub region: Option<String>,
    /// ARN of the role with which the bucket is reached.
    pub role: Option<String>,
}

/// Which roles previews have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PreviewRoles {
    /// One for all previews of the app that may do the same.
    #[default]
    Shared,
    /// One for each.
    Own,
}

/// What is configured of one stage, beside its app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageConfig {
    /// Region in which the stage stands.
    pub region: Option<String>,
    /// ARN of the role with which it is deployed.
    pub role: Option<String>,
    /// Who may map a branch to it.
    pub protected: Protection,
    /// Version of Python that a Chalice app has there: `3.13`.
    pub python: Option<String>,
}

/// Who may map a branch to a stage. The stricter one is the greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// The config of the branch that is deployed.
    #[default]
    Open,
    /// The config of the default branch alone.
    Protected,
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod manifest_event_tests;
#[cfg(test)]
mod manifest_tests;
