//! The app of a project on a stage, whoever reads it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::state_url::StateUrl;
use super::{FILE, FrontEnd, Project};
use crate::app::inputs::Files;
use crate::app::manifest::{self, variables::Lookup};
use crate::app::python::{Pins, Resolution, Uv};
use crate::app::withheld::{Withheld, withheld};
use crate::app::{App, Error, Finding, chalice};
use crate::names::{AppName, StageName};
use crate::stage::branches::is_reserved;

/// A stage to read the app for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The stage.
    pub stage: &'a StageName,
    /// Its Region, where it is known: an app that makes AWS clients when it is imported wants one.
    pub region: Option<&'a str>,
    /// Versions that the stage's release was resolved to.
    pub recorded: Option<&'a Pins>,
    /// Whether these are used again.
    pub resolution: Resolution,
    /// How `uv` is run.
    pub uv: &'a Uv,
}

/// An app as it was read.
#[derive(Debug, Clone)]
pub struct Read {
    /// The app on the stage.
    pub app: App,
    /// Versions to record with the release.
    pub pins: Option<Pins>,
    /// What is probably not meant.
    pub warnings: Vec<Finding>,
    /// What the app has on other stages, and a preview does without.
    pub withheld: Vec<Withheld>,
}

/// Where no Region is configured, an app is imported in this one: nothing of it is called.
const REGION: &str = "us-east-1";

impl Project {
    /// Reads the app for a stage; secrets are looked up now. A preview does without what stages share.
    ///
    /// # Errors
    ///
    /// Those of the front-end.
    pub async fn read(&self, request: Request<'_>, lookup: Lookup<'_>) -> Result<Read, Error> {
        let mut read = self.read_whole(request, lookup).await?;
        if is_reserved(request.stage) {
            read.withheld = withheld(&mut read.app, &self.config.event_sources);
        }
        Ok(read)
    }

    async fn read_whole(&self, request: Request<'_>, lookup: Lookup<'_>) -> Result<Read, Error> {
        match &self.front_end {
            FrontEnd::Manifest(manifest) => {
                let (app, warnings) = manifest::read::read(manifest, request.stage, lookup)?;
                Ok(Read {
                    app,
                    pins: None,
                    warnings,
                    withheld: Vec::new(),
                })
            }
            FrontEnd::Chalice { folder } => {
                let python = self.config.stage(request.stage).python;
                let request = of_chalice(folder, python.as_deref(), request);
                let reading = chalice::read(&request).await.map_err(|error| self.named(error))?;
                let chalice::Reading { app, pins, warnings } = reading;
                let named = |finding: Finding| Finding {
                    file: self.file_name(&finding.file),
                    ..finding
                };
                Ok(Read {
                    app,
                    pins: Some(pins),
                    warnings: warnings.into_iter().map(named).collect(),
                    withheld: Vec::new(),
                })
            }
        }
    }

    /// Looks at every file that the app is read from, where that takes more than to read `stagewright.yaml`.
    ///
    /// # Errors
    ///
    /// Something cannot be told for sure.
    pub fn files(&self, ours: &[PathBuf]) -> io::Result<Option<Files>> {
        match &self.front_end {
            FrontEnd::Manifest(_) => Ok(None),
            FrontEnd::Chalice { folder } => chalice::inputs::files(folder, ours).map(Some),
        }
    }

    /// The versions that were recorded, where the app would be read with them again.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn recorded_pins(&self, request: Request<'_>) -> Result<Option<Pins>, Error> {
        match &self.front_end {
            FrontEnd::Manifest(_) => Ok(None),
            FrontEnd::Chalice { folder } => {
                let python = self.config.stage(request.stage).python;
                Ok(chalice::inputs::pins(&of_chalice(folder, python.as_deref(), request))?.cloned())
            }
        }
    }

    /// The digest of all that the app is read from, but for what `stagewright.yaml` says; `None` where that says everything.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn digest(&self, request: Request<'_>, (files, pins): (&Files, &Pins)) -> Result<Option<String>, Error> {
        match &self.front_end {
            FrontEnd::Manifest(_) => Ok(None),
            FrontEnd::Chalice { folder } => {
                let python = self.config.stage(request.stage).python;
                let request = of_chalice(folder, python.as_deref(), request);
                chalice::inputs::digest(&request, (files, pins)).map(Some)
            }
        }
    }

    /// The app's name. A Chalice project has it in its own config.
    ///
    /// # Errors
    ///
    /// That config cannot be read.
    pub fn app_name(&self) -> Result<AppName, Error> {
        match &self.front_end {
            FrontEnd::Manifest(manifest) => Ok(manifest.app.clone()),
            FrontEnd::Chalice { folder } => chalice::app_name(folder).map_err(|error| self.named(error)),
        }
    }

    /// The stages that are configured anywhere: in `stages`, as the aim of a branch, or in Chalice's own config. Where there
    /// is none, the one that `deploy` takes.
    pub fn stages(&self) -> BTreeSet<StageName> {
        let mut stages: BTreeSet<StageName> = self.config.stages.keys().cloned().collect();
        stages.extend(self.config.branches.stages());
        if let FrontEnd::Chalice { folder } = &self.front_end {
            // What is wrong with that config is told by whoever reads the app.
            let named = chalice::stages(folder).unwrap_or_default();
            stages.extend(named.into_iter().filter_map(|name| StageName::try_from(name).ok()));
        }
        if stages.is_empty() {
            stages.extend("dev".parse::<StageName>());
        }
        stages
    }

    /// The folder of states, where none is configured.
    pub fn state_folder(&self) -> PathBuf {
        match &self.front_end {
            FrontEnd::Chalice { folder } => folder.join(".chalice/deployed"),
            FrontEnd::Manifest(_) => self.folder.join(".stagewright/deployed"),
        }
    }

    /// The same error, its files named as they are seen from the project's folder.
    #[must_use]
    pub fn named(&self, error: Error) -> Error {
        match error {
            Error::Findings(mut findings) => {
                for finding in &mut findings {
                    finding.file = self.file_name(&finding.file);
                }
                Error::Findings(findings)
            }
            Error::Raised {
                file,
                line,
                message,
                traceback,
            } => Error::Raised {
                file: self.file_name(&file),
                line,
                message,
                traceback,
            },
            Error::Absent {
                file,
                line,
                package,
                output,
            } => Error::Absent {
                file: self.file_name(&file),
                line,
                package,
                output,
            },
            Error::File { path, source } => Error::File {
                path: self.file_name(&path),
                source,
            },
            same @ (Error::Command { .. }
            | Error::Program { .. }
            | Error::Wheel { .. }
            | Error::Index { .. }
            | Error::Size { .. }) => same,
        }
    }

    /// The name of a file of the app as it is seen from the project's folder.
    #[must_use]
    pub fn file_name(&self, file: &Path) -> PathBuf {
        let file = match &self.front_end {
            FrontEnd::Chalice { folder } => folder.join(file),
            FrontEnd::Manifest(_) => self.folder.join(file),
        };
        file.strip_prefix(&self.folder)
            .map_or_else(|_| file.clone(), Path::to_owned)
    }

    /// The file that names the app, for findings that are about names.
    pub fn config_file(&self) -> PathBuf {
        match &self.front_end {
            FrontEnd::Chalice { .. } => self.file_name(Path::new(".chalice/config.json")),
            FrontEnd::Manifest(_) => PathBuf::from(FILE),
        }
    }
}

/// What Chalice's front-end is asked for.
fn of_chalice<'a>(folder: &'a Path, python: Option<&'a str>, request: Request<'a>) -> chalice::Request<'a> {
    let Request {
        stage,
        region,
        recorded,
        resolution,
        uv,
    } = request;
    chalice::Request {
        project: folder,
        stage,
        region: region.unwrap_or(REGION),
        python,
        recorded,
        resolution,
        uv,
    }
}

/// Where states lie that no config speaks of.
#[must_use]
pub fn state_without_config(project: &std::path::Path) -> StateUrl {
    let of_chalice = project.join(".chalice/deployed");
    StateUrl::Folder(if of_chalice.is_dir() {
        of_chalice
    } else {
        project.join(".stagewright/deployed")
    })
}
