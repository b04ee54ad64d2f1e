//! Several apps of one repository: a root file that names their folders, and says what they have in common.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::file::{ChaliceEntry, File};
use super::load::{self, parsed_file};
use super::state_url::StateUrl;
use super::{Config, FILE, Project, StageConfig, StateConfig};
use crate::app::chalice;
use crate::app::flaws::{Flaws, Place, one};
use crate::app::yaml::Placed;
use crate::app::{Error, Finding, Severity};
use crate::names::{AppName, StageName};
use crate::stage::glob::Glob;

/// The apps of a repository.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// What the root file says; in a workspace of one project, what that one says.
    pub config: Config,
    /// The apps, by their folders.
    pub projects: Vec<Project>,
}

/// A root file that was read, without its apps.
#[derive(Debug)]
pub struct Root {
    folder: PathBuf,
    config: Config,
    /// Where the key `apps` stands.
    place: Place,
    patterns: Vec<(Placed<String>, Folders)>,
}

/// A pattern of folders, one glob a level.
#[derive(Debug)]
pub struct Folders(Vec<Glob>);

impl Folders {
    /// Takes a pattern apart: `services/*`.
    fn new(text: &str) -> Result<Self, String> {
        let mut levels = Vec::new();
        for level in text.trim_end_matches('/').split('/') {
            match level {
                "" | "." | ".." => {
                    return Err(format!(
                        "`{text}` is no folder below this one: it is written like `services/*` or `apps/web`"
                    ));
                }
                level if level.contains("**") || level.contains(['?', '[', '{', '\\']) => {
                    return Err(format!("in `{text}`, only `*` is a wildcard, for one level"));
                }
                level => levels.push(Glob::new(level)),
            }
        }
        Ok(Self(levels))
    }

    /// Whether a folder, as seen from the root, is one of these.
    fn has(&self, folder: &Path) -> bool {
        let names: Vec<_> = folder.components().collect();
        let fits =
            |(glob, name): (&Glob, &Component<'_>)| name.as_os_str().to_str().is_some_and(|name| fits(glob, name));
        names.len() == self.0.len() && self.0.iter().zip(&names).all(fits)
    }

    /// The folders that are there, by name.
    fn found(&self, root: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut found = vec![root.to_owned()];
        for glob in &self.0 {
            let mut below = Vec::new();
            for folder in &found {
                below.extend(children(folder, glob).map_err(|source| Error::File {
                    path: folder.clone(),
                    source,
                })?);
            }
            found = below;
        }
        found.sort();
        Ok(found)
    }
}

/// As in a shell, a wildcard does not take what is hidden.
fn fits(glob: &Glob, name: &str) -> bool {
    glob.fits(name) && (glob.wildcards() == 0 || !name.starts_with('.'))
}

fn children(folder: &Path, glob: &Glob) -> std::io::Result<Vec<PathBuf>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_meant = entry.file_name().to_str().is_some_and(|name| fits(glob, name));
        // Behind a link, the folder is elsewhere, and a deploy from there would not find this root.
        if is_meant && entry.file_type()?.is_dir() {
            children.push(entry.path());
        }
    }
    Ok(children)
}

impl Workspace {
    /// The stages that are configured by name, for all apps or for one of them.
    pub fn fixed_stages(&self) -> BTreeSet<StageName> {
        let of_apps = self.projects.iter().flat_map(|project| project.config.fixed_stages());
        self.config.fixed_stages().into_iter().chain(of_apps).collect()
    }
}

/// Reads the apps of a folder: those that its `apps` name, or else the one that it is itself.
///
/// # Errors
///
/// [`Error::Findings`] with everything that is wrong in the root and in its apps, [`Error::File`] for what cannot be read.
pub fn workspace(folder: &Path) -> Result<Workspace, Error> {
    let Some((root, flaws)) = Root::read(folder)? else {
        let project = load::load(folder)?;
        return Ok(Workspace {
            config: project.config.clone(),
            projects: vec![project],
        });
    };
    let projects = root.projects(flaws)?;
    Ok(Workspace {
        config: root.config,
        projects,
    })
}

/// Whether a file beside the apps is in none of them: what people read, and what other tools are told.
pub fn is_beside(file: &Path) -> bool {
    let is_text = file.extension().is_some_and(|ending| ending == "md");
    is_text || file.starts_with(".github")
}

/// The root whose app a folder is: above it, in the same repository.
///
/// # Errors
///
/// Those of the root's file.
pub fn root_of(folder: &Path) -> Result<Option<Root>, Error> {
    let folder = std::path::absolute(folder).map_err(|source| Error::File {
        path: folder.to_owned(),
        source,
    })?;
    let is_repository = |folder: &&Path| folder.join(".git").exists();
    let mut above = folder.ancestors();
    let mut below = above.next();
    for candidate in above {
        if below.as_ref().is_some_and(is_repository) {
            return Ok(None);
        }
        below = Some(candidate);
        let inner = folder.strip_prefix(candidate).unwrap_or(&folder);
        let up: PathBuf = inner.components().map(|_| "..").collect();
        if let Some((root, flaws)) = Root::read(candidate).map_err(|error| moved(&up, error))?
            && root.patterns.iter().any(|(_, folders)| folders.has(inner))
        {
            flaws.into_warnings().map_err(|error| moved(&up, error))?;
            return Ok(Some(root));
        }
    }
    Ok(None)
}

impl Root {
    /// Reads the root of a workspace and what is wrong with it; `None` where the folder is none.
    fn read(folder: &Path) -> Result<Option<(Self, Flaws)>, Error> {
        let path = folder.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { path, source }),
        };
        let (file, _, mut flaws) = parsed_file(&bytes)?;
        let Some(apps) = &file.apps else {
            return Ok(None);
        };
        let config = load::config(folder, &file, &mut flaws);
        refuse_keys_of_an_app(&file, &mut flaws);
        let is_denied = matches!(&file.chalice, Some(chalice) if matches!(chalice.value, ChaliceEntry::No));
        if chalice::is_project(folder) && !is_denied {
            let hint = Some("say `chalice: false`, or move the app into a folder of its own".to_owned());
            flaws.error_with(
                apps.place,
                "there are `apps` here and a Chalice app in `.chalice`",
                hint,
            );
        }
        let patterns = patterns(apps, &mut flaws);
        let root = Self {
            folder: folder.to_owned(),
            config,
            place: apps.place,
            patterns,
        };
        Ok(Some((root, flaws)))
    }

    fn projects(&self, mut flaws: Flaws) -> Result<Vec<Project>, Error> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for (text, pattern) in &self.patterns {
            let mut found = pattern.found(&self.folder)?;
            found.retain(|folder| load::is_project(folder));
            if found.is_empty() {
                let hint = Some(format!("an app's folder has `{FILE}` or `.chalice/config.json`"));
                flaws.error_with(
                    text.place,
                    format!("`{}` takes no folder with an app", text.value),
                    hint,
                );
            }
            folders.extend(found);
        }
        folders.sort();
        folders.dedup();
        let mut projects: Vec<(AppName, Project)> = Vec::new();
        for folder in folders {
            let inner = folder.strip_prefix(&self.folder).unwrap_or(&folder);
            let read = load::load_below(&folder, Some(self)).and_then(|project| Ok((project.app_name()?, project)));
            match read.map_err(|error| moved(inner, error)) {
                Ok(project) => projects.push(project),
                Err(Error::Findings(findings)) => findings.into_iter().for_each(|finding| flaws.push(finding)),
                Err(error) => return Err(error),
            }
        }
        self.refuse_twins(&projects, &mut flaws);
        flaws.into_warnings()?;
        Ok(projects.into_iter().map(|(_, project)| project).collect())
    }

    /// Names in AWS begin with the app's, and IAM keeps them apart by more than case.
    fn refuse_twins(&self, projects: &[(AppName, Project)], flaws: &mut Flaws) {
        let shown = |project: &Project| {
            let inner = project.folder.strip_prefix(&self.folder);
            inner.unwrap_or(&project.folder).display().to_string()
        };
        for (index, (name, project)) in projects.iter().enumerate() {
            let is_twin = |(other, _): &&(AppName, Project)| other.as_str().eq_ignore_ascii_case(name.as_str());
            if let Some((_, twin)) = projects.iter().take(index).find(is_twin) {
                let message = format!(
                    "the apps in `{}` and `{}` are both called `{name}`",
                    shown(twin),
                    shown(project)
                );
                let hint = Some("rename one of them: stages of both would be one".to_owned());
                flaws.error_with(self.place, message, hint);
            }
        }
    }

    /// Gives an app what it does not say itself.
    ///
    /// # Errors
    ///
    /// Its state would lie in a folder that bears its name, and the name cannot be read.
    pub fn bequeath(&self, config: &mut Config, app: impl FnOnce() -> Result<AppName, Error>) -> Result<(), Error> {
        let root = &self.config;
        config.branches = root.branches.clone();
        config.pull_requests = root.pull_requests.clone();
        config.previews = root.previews.clone();
        config.event_sources = root.event_sources.clone();
        config.preview_roles = root.preview_roles;
        for (stage, shared) in &root.stages {
            let own = config.stages.remove(stage).unwrap_or_default();
            let merged = StageConfig {
                region: own.region.or_else(|| shared.region.clone()),
                role: own.role.or_else(|| shared.role.clone()),
                protected: own.protected.max(shared.protected),
                python: own.python.or_else(|| shared.python.clone()),
            };
            config.stages.insert(stage.clone(), merged);
        }
        config.state = match &root.state {
            None => None,
            Some(shared) => Some(StateConfig {
                url: match &shared.url {
                    // A bucket keeps apps apart by their names, and a folder of stages does not.
                    StateUrl::Folder(folder) => StateUrl::Folder(folder.join(app()?.as_str())),
                    bucket @ StateUrl::Bucket { .. } => bucket.clone(),
                },
                ..shared.clone()
            }),
        };
        Ok(())
    }
}

fn patterns(apps: &Placed<Vec<Placed<String>>>, flaws: &mut Flaws) -> Vec<(Placed<String>, Folders)> {
    if apps.value.is_empty() {
        flaws.error(apps.place, "`apps` is empty");
    }
    let mut patterns = Vec::new();
    for text in &apps.value {
        match Folders::new(&text.value) {
            Ok(folders) => patterns.push((text.clone(), folders)),
            Err(why) => flaws.error(text.place, why),
        }
    }
    patterns
}

/// The root of a workspace is no app itself.
pub fn refuse_keys_of_an_app(file: &File, flaws: &mut Flaws) {
    let mut found: Vec<(&str, Place)> = Vec::new();
    found.extend(file.app.as_ref().map(|app| ("app", app.place)));
    found.extend(file.functions.as_ref().map(|functions| ("functions", functions.place)));
    if let Some(chalice) = &file.chalice
        && matches!(chalice.value, ChaliceEntry::Folder(_))
    {
        found.push(("chalice", chalice.place));
    }
    found.extend(file.routes.iter().take(1).map(|(key, _)| ("routes", key.place)));
    found.extend(file.cors.as_ref().map(|cors| ("cors", cors.place)));
    found.extend(file.api.as_ref().map(|api| ("api", api.place)));
    found.extend(file.http.as_ref().map(|http| ("http", http.place)));
    found.extend(file.websocket.as_ref().map(|websocket| ("websocket", websocket.place)));
    for stage in file.stages.iter().filter_map(|(_, stage)| stage.as_ref()) {
        let first = stage.environment.iter().take(1).map(|(key, _)| key.place);
        found.extend(first.map(|place| ("environment", place)));
        found.extend(stage.functions.iter().take(1).map(|(key, _)| ("functions", key.place)));
        found.extend(stage.web_keys());
    }
    for (key, place) in found {
        flaws.error_with(
            place,
            format!("`{key}` belongs to one app, and this file has `apps`"),
            Some(format!("say it in the `{FILE}` of the app's own folder")),
        );
    }
}

/// What is said once for all apps is said in one place.
pub fn refuse_keys_of_the_root(file: &File, flaws: &mut Flaws) {
    let branches = file.branches.iter().take(1).map(|(key, _)| ("branches", key.place));
    let pull_requests = file.pull_requests.as_ref().map(|entry| ("pull_requests", entry.place));
    // A preview is removed without its code: where its state is must stand where that is known.
    let state = file.state.as_ref().map(|state| ("state", state.place));
    for (key, place) in branches.chain(pull_requests).chain(state) {
        flaws.error_with(
            place,
            format!("`{key}` counts for all apps of a workspace, and this is one of them"),
            Some(format!("say it in the `{FILE}` that has `apps`")),
        );
    }
}

/// The root is no app: which one is meant?
pub fn names_no_app(file: &File, apps: &Placed<Vec<Placed<String>>>) -> Error {
    let known: Vec<_> = apps.value.iter().map(|app| format!("`{}`", app.value)).collect();
    let mut flaws = Flaws::of(Path::new(FILE));
    refuse_keys_of_an_app(file, &mut flaws);
    if let Err(error) = flaws.into_warnings() {
        return error;
    }
    one(Finding {
        severity: Severity::Error,
        file: PathBuf::from(FILE),
        place: apps.place,
        message: format!("these are several apps, in {}", known.join(", ")),
        hint: Some("name the folder of one of them with `--project-dir`".to_owned()),
    })
}

/// The same error, its findings' files named as they are seen from elsewhere.
fn moved(folder: &Path, error: Error) -> Error {
    match error {
        Error::Findings(mut findings) => {
            for finding in &mut findings {
                finding.file = folder.join(&finding.file);
            }
            Error::Findings(findings)
        }
        same @ (Error::Raised { .. }
        | Error::Absent { .. }
        | Error::File { .. }
        | Error::Command { .. }
        | Error::Program { .. }
        | Error::Wheel { .. }
        | Error::Index { .. }
        | Error::Size { .. }) => same,
    }
}

#[cfg(test)]
#[path = "workspace_tests.rs"]
mod tests;
