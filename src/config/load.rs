//! Reads `stagewright.yaml` of a folder, and finds out who reads its app.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::file::{ChaliceEntry, File, StateEntry, StateFields};
use super::state_url::StateUrl;
use super::workspace::{self, Root};
use super::{Config, FILE, FrontEnd, Project, Protection, StageConfig, StateConfig};
use super::{previews, types};
use crate::app::chalice;
use crate::app::flaws::{Flaws, Place, one};
use crate::app::limits::{check_region, check_role_arn};
use crate::app::manifest::{AwsEntry, Manifest, StageEntry};
use crate::app::yaml::{self, Placed, Table, Tree};
use crate::app::{Error, Finding, Severity};
use crate::names::{AppName, StageName};
use crate::stage::branches::{Branch, BranchError, Branches, is_reserved};

/// Whether a folder has a config of a project, be it sound or not.
pub fn is_project(folder: &Path) -> bool {
    folder.join(FILE).exists() || chalice::is_project(folder)
}

/// Reads the project of a folder. Functions and routes are only read, not checked: that is done for a stage, by
/// [`crate::app::manifest::read::read`], so that a stage can be removed whose app is broken.
///
/// # Errors
///
/// [`Error::Findings`] with everything that is wrong, [`Error::File`] for a file that cannot be read.
pub fn load(folder: &Path) -> Result<Project, Error> {
    load_below(folder, workspace::root_of(folder)?.as_ref())
}

/// Reads the project of a folder whose root, if it has one, is known.
///
/// # Errors
///
/// Those of [`load`].
pub fn load_below(folder: &Path, root: Option<&Root>) -> Result<Project, Error> {
    let path = folder.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return inheriting(without_file(folder)?, root),
        Err(source) => return Err(Error::File { path, source }),
    };
    let (file, tree, mut flaws) = parsed_file(&bytes)?;
    if let Some(apps) = &file.apps {
        return Err(workspace::names_no_app(&file, apps));
    }
    let config = config(folder, &file, &mut flaws);
    if root.is_some() {
        workspace::refuse_keys_of_the_root(&file, &mut flaws);
    }
    let places = Places::of(&file);
    let front_end = front_end(folder, file, config.app.as_ref(), &mut flaws);
    match &front_end {
        Some(FrontEnd::Chalice { folder: chalice }) => {
            refuse_another_name(folder, chalice, (config.app.as_ref(), places.app), &mut flaws);
        }
        Some(FrontEnd::Manifest(_)) => {}
        None => {
            // With nothing behind it, a key is as good as none to the reader.
            if let Some(place) = tree.place_of("functions").filter(|_| !places.has_functions) {
                flaws.error(place, "`functions` is empty");
            }
        }
    }
    if let (Some(front_end), Some(state)) = (&front_end, &config.state) {
        refuse_state_in_code(folder, front_end, (&state.url, places.state), &mut flaws);
    }
    flaws.into_warnings()?;
    let project = Project {
        folder: folder.to_owned(),
        config,
        front_end: front_end.ok_or_else(|| nothing_to_deploy(FILE))?,
    };
    inheriting(project, root)
}

/// The project with what its root says for it.
fn inheriting(mut project: Project, root: Option<&Root>) -> Result<Project, Error> {
    let Some(root) = root else {
        return Ok(project);
    };
    let mut config = std::mem::take(&mut project.config);
    let has_own_state = config.state.is_some();
    root.bequeath(&mut config, || project.app_name())?;
    project.config = config;
    if let Some(state) = project.config.state.as_ref().filter(|_| !has_own_state) {
        let mut flaws = Flaws::of(Path::new(FILE));
        refuse_state_in_code(&project.folder, &project.front_end, (&state.url, None), &mut flaws);
        flaws.into_warnings()?;
    }
    Ok(project)
}

/// Reads what a `stagewright.yaml` says about any project, from its text alone: its folder is elsewhere. Who reads the
/// app, and whether there is one, is not looked at; a folder for state stays relative.
///
/// # Errors
///
/// [`Error::Findings`] with everything that is wrong.
pub fn parse_config(text: &str) -> Result<Config, Error> {
    let (file, _, mut flaws) = parsed_file(text.as_bytes())?;
    let config = config(Path::new(""), &file, &mut flaws);
    if file.apps.is_some() {
        workspace::refuse_keys_of_an_app(&file, &mut flaws);
    }
    flaws.into_warnings()?;
    Ok(config)
}

/// Reads the keys of the file, and finds what is wrong with any of them wherever it stands.
///
/// # Errors
///
/// [`Error::Findings`] with the first thing that is no such file.
pub fn parsed_file(bytes: &[u8]) -> Result<(File, Tree, Flaws), Error> {
    let (file, tree): (File, Tree) = yaml::parse(Path::new(FILE), bytes)?;
    let mut flaws = Flaws::of(Path::new(FILE));
    refuse_references(&tree, &mut flaws);
    types::check(&tree, &mut flaws);
    Ok((file, tree, flaws))
}

/// Where keys stand whose values are looked at once it is known who reads the app.
struct Places {
    app: Place,
    state: Place,
    has_functions: bool,
}

impl Places {
    fn of(file: &File) -> Self {
        Self {
            app: file.app.as_ref().and_then(|app| app.place),
            state: file.state.as_ref().and_then(|state| state.place),
            has_functions: file.functions.is_some(),
        }
    }
}

/// A Chalice app has its name in its own config, and another one here would be read by nobody.
fn refuse_another_name(folder: &Path, chalice: &Path, (app, place): (Option<&AppName>, Place), flaws: &mut Flaws) {
    // What is wrong with that config is told by whoever reads the app.
    let (Some(ours), Ok(theirs)) = (app, chalice::app_name(chalice)) else {
        return;
    };
    if *ours != theirs {
        let config = chalice.join(".chalice/config.json");
        let config = config.strip_prefix(folder).unwrap_or(&config).display();
        let line = chalice::app_name_place(chalice).map_or(1, |(line, _)| line);
        flaws.error_with(
            place,
            format!("the app is called `{ours}` here, and `{theirs}` in {config}:{line}"),
            Some("leave `app` out: a Chalice app has its name in its own config".to_owned()),
        );
    }
}

/// Every deploy writes the state: if it went into a zip, no deploy would ever leave a stage unchanged.
fn refuse_state_in_code(project: &Path, front_end: &FrontEnd, (state, place): (&StateUrl, Place), flaws: &mut Flaws) {
    let StateUrl::Folder(state) = state else { return };
    let state = plain(state);
    let code: Vec<PathBuf> = match front_end {
        FrontEnd::Chalice { folder } => ["chalicelib", "vendor"].map(|name| folder.join(name)).to_vec(),
        FrontEnd::Manifest(manifest) => {
            let entries = manifest.functions.iter();
            let codes = entries.filter_map(|(_, entry)| entry.code.as_ref());
            codes.map(|code| manifest.folder.join(&code.value)).collect()
        }
    };
    let packaged = |code: &&PathBuf| {
        let inner = state.strip_prefix(plain(code));
        inner.is_ok_and(|inner| !inner.starts_with(".stagewright"))
    };
    if let Some(code) = code.iter().find(packaged) {
        let code = plain(code);
        let shown = match code.strip_prefix(plain(project)) {
            Ok(inner) if inner.as_os_str().is_empty() => Path::new("."),
            Ok(inner) => inner,
            Err(_) => &code,
        };
        flaws.error_with(
            place,
            format!(
                "the state lies in `{}`, which goes into a function's zip",
                shown.display()
            ),
            Some("name a folder beside the code, or leave `state` out".to_owned()),
        );
    }
}

/// A path without `.` and `..`, as far as its text tells.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}

fn without_file(folder: &Path) -> Result<Project, Error> {
    let misnamed = "stagewright.yml";
    if folder.join(misnamed).exists() {
        let message = format!("`{misnamed}` is not read: the file is called `{FILE}`");
        return Err(one(finding(misnamed, message, Some(format!("rename it to `{FILE}`")))));
    }
    if !chalice::is_project(folder) {
        return Err(nothing_to_deploy("."));
    }
    Ok(Project {
        folder: folder.to_owned(),
        config: Config::default(),
        front_end: FrontEnd::Chalice {
            folder: folder.to_owned(),
        },
    })
}

fn nothing_to_deploy(file: &str) -> Error {
    let message = "there is no app here: neither `functions` in `stagewright.yaml` nor `.chalice/config.json`";
    let hint = "make a small one with `stagewright new NAME`, or name the folder with `--project-dir`";
    one(finding(file, message.to_owned(), Some(hint.to_owned())))
}

fn finding(file: &str, message: String, hint: Option<String>) -> Finding {
    Finding {
        severity: Severity::Error,
        file: PathBuf::from(file),
        place: None,
        message,
        hint,
    }
}

/// `${env:…}` is a secret, and only environment variables keep secrets.
fn refuse_references(tree: &Tree, flaws: &mut Flaws) {
    tree.texts(&mut |path, place, text| {
        let is_taken = matches!(
            path,
            ["functions", _, "environment", _]
                | ["stages", _, "environment", _]
                | ["stages", _, "functions", _, "environment", _]
        );
        if !is_taken && text.replace("$${env:", "").contains("${env:") {
            let key = path.join(".");
            flaws.error(
                place,
                format!("`${{env:…}}` is taken in `environment` only, not in `{key}`"),
            );
        }
    });
}

/// What the file says about any project; a folder for state is taken from `folder`.
pub fn config(folder: &Path, file: &File, flaws: &mut Flaws) -> Config {
    let pull_requests = file.pull_requests.as_ref().map(|entry| &entry.value);
    let stages = stages(file, flaws);
    Config {
        app: file.app.as_ref().and_then(|app| parsed(app, flaws)),
        state: file.state.as_ref().and_then(|state| state_config(folder, state, flaws)),
        branches: branches(&file.branches, &stages, flaws),
        pull_requests: previews::policy(pull_requests, flaws),
        previews: stage_config(previews::aws(pull_requests), Protection::Open, flaws),
        event_sources: previews::event_sources(pull_requests),
        preview_roles: previews::roles(pull_requests),
        stages,
    }
}

fn parsed<T>(text: &Placed<String>, flaws: &mut Flaws) -> Option<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.value
        .parse()
        .map_err(|e: T::Err| flaws.error(text.place, e.to_string()))
        .ok()
}

fn state_config(folder: &Path, state: &Placed<StateEntry>, flaws: &mut Flaws) -> Option<StateConfig> {
    let (url, region, role) = match &state.value {
        StateEntry::Url(url) => {
            let url = Placed {
                value: url.clone(),
                place: state.place,
            };
            (url, None, None)
        }
        StateEntry::Fields(StateFields { url, region, role }) => {
            (url.clone(), checked_region(region, flaws), checked_role(role, flaws))
        }
    };
    let place = url.place;
    let url = match parsed(&url, flaws)? {
        StateUrl::Folder(path) => StateUrl::Folder(folder.join(path)),
        bucket @ StateUrl::Bucket { .. } => bucket,
    };
    if matches!(url, StateUrl::Folder(_)) && (region.is_some() || role.is_some()) {
        flaws.error(
            place,
            "a folder has neither `region` nor `role`: they belong to an S3 bucket",
        );
    }
    Some(StateConfig { url, region, role })
}

fn checked_region(region: &Option<Placed<String>>, flaws: &mut Flaws) -> Option<String> {
    checked(region.as_ref(), check_region, flaws)
}

fn checked_role(role: &Option<Placed<String>>, flaws: &mut Flaws) -> Option<String> {
    checked(role.as_ref(), check_role_arn, flaws)
}

fn checked(text: Option<&Placed<String>>, check: fn(&str) -> Result<(), String>, flaws: &mut Flaws) -> Option<String> {
    let text = text?;
    if let Err(why) = check(&text.value) {
        flaws.error(text.place, why);
    }
    Some(text.value.clone())
}

fn branches(table: &Table<Placed<String>>, stages: &BTreeMap<StageName, StageConfig>, flaws: &mut Flaws) -> Branches {
    let mut branches = Vec::new();
    for (pattern, stage) in table.iter() {
        match Branch::new(&pattern.value, &stage.value) {
            Ok(branch) => branches.push((pattern.place, branch)),
            Err(e) => flaws.error(pattern.place, e.to_string()),
        }
    }
    let all = Branches::new(branches.iter().map(|(_, branch)| branch.clone()).collect());
    let fixed: BTreeSet<StageName> = stages.keys().cloned().chain(all.stages()).collect();
    for (place, branch) in branches {
        flaws.check(place, branch.spares(&fixed).map_err(|e| e.to_string()));
    }
    all
}

fn stages(file: &File, flaws: &mut Flaws) -> BTreeMap<StageName, StageConfig> {
    let mut stages = BTreeMap::new();
    for (key, entry) in file.stages.iter() {
        let aws = entry.as_ref().and_then(|entry| entry.aws.as_ref());
        let protected = match entry.as_ref().map(|entry| entry.protected) {
            Some(true) => Protection::Protected,
            Some(false) | None => Protection::Open,
        };
        let python = entry.as_ref().and_then(|entry| entry.python.as_ref());
        let config = StageConfig {
            python: checked(python, check_python, flaws),
            ..stage_config(aws, protected, flaws)
        };
        let stage: Option<StageName> = parsed(key, flaws);
        if let Some(preview) = stage.as_ref().filter(|stage| is_reserved(stage)) {
            flaws.error(key.place, BranchError::Reserved(preview.to_string()).to_string());
        }
        stages.extend(stage.map(|stage| (stage, config)));
    }
    stages
}

fn stage_config(aws: Option<&AwsEntry>, protected: Protection, flaws: &mut Flaws) -> StageConfig {
    StageConfig {
        region: aws.and_then(|aws| checked_region(&aws.region, flaws)),
        role: aws.and_then(|aws| checked_role(&aws.role, flaws)),
        protected,
        python: None,
    }
}

/// Whether a text is a Python that Lambda has, as where none is chosen: `3.13`.
fn check_python(version: &str) -> Result<(), String> {
    let minor = version.strip_prefix("3.").and_then(|minor| minor.parse::<u8>().ok());
    match minor {
        Some(minor @ 10..=15) if format!("3.{minor}") == version => Ok(()),
        Some(_) | None => Err(format!("`{version}` is not a Python of Lambda, like `\"3.13\"`")),
    }
}

/// Who reads the app; `None` where there is none, or where it was told already what is wrong.
fn front_end(folder: &Path, file: File, app: Option<&AppName>, flaws: &mut Flaws) -> Option<FrontEnd> {
    match &file.chalice {
        Some(Placed {
            value: ChaliceEntry::Folder(path),
            place,
        }) => {
            // Without `.` in it, so that paths read well.
            let chalice: PathBuf = folder.join(path).components().collect();
            if !chalice::is_project(&chalice) {
                flaws.error(*place, format!("there is no `.chalice/config.json` in `{path}`"));
            }
            // Functions beside it are left alone: the key says which of both is meant.
            refuse_manifest_keys(&file, flaws);
            Some(FrontEnd::Chalice { folder: chalice })
        }
        None if chalice::is_project(folder) => {
            if let Some(functions) = &file.functions {
                flaws.error_with(
                    functions.place,
                    "there are `functions` here and a Chalice app in `.chalice`, and only one of them is deployed",
                    Some("say which is meant: `chalice: .` or `chalice: false`".to_owned()),
                );
                return None;
            }
            refuse_manifest_keys(&file, flaws);
            Some(FrontEnd::Chalice {
                folder: folder.to_owned(),
            })
        }
        None
        | Some(Placed {
            value: ChaliceEntry::No,
            ..
        }) => manifest(folder, file, app, flaws),
    }
}

/// Chalice's own files say these, and what is read nowhere must not look as if it were.
fn refuse_manifest_keys(file: &File, flaws: &mut Flaws) {
    if file.functions.is_some() {
        return;
    }
    let first = |table: &Table<Placed<String>>| table.iter().next().and_then(|(key, _)| key.place);
    let mut found: Vec<(&str, Place)> = Vec::new();
    if !file.routes.is_empty() {
        found.push(("routes", first(&file.routes)));
    }
    found.extend(file.cors.as_ref().map(|cors| ("cors", cors.place)));
    found.extend(file.api.as_ref().map(|api| ("api", api.place)));
    found.extend(file.http.as_ref().map(|http| ("http", http.place)));
    found.extend(file.websocket.as_ref().map(|websocket| ("websocket", websocket.place)));
    for stage in file.stages.iter().filter_map(|(_, stage)| stage.as_ref()) {
        if !stage.environment.is_empty() {
            found.push(("environment", first(&stage.environment)));
        }
        found.extend(stage.functions.iter().map(|(key, _)| ("functions", key.place)).next());
        found.extend(stage.web_keys());
    }
    for (key, place) in found {
        flaws.error_with(
            place,
            format!("`{key}` belongs to `functions` of this file, and this is a Chalice app"),
            Some("say it in `app.py` and `.chalice/config.json`".to_owned()),
        );
    }
}

fn manifest(folder: &Path, file: File, app: Option<&AppName>, flaws: &mut Flaws) -> Option<FrontEnd> {
    let functions = file.functions?;
    if functions.value.is_empty() {
        flaws.error(functions.place, "`functions` is empty");
    }
    if file.app.is_none() {
        flaws.error_with(
            Some((1, 1)),
            "the key `app` is missing",
            Some("name the app: `app: guestbook`".to_owned()),
        );
    }
    let pull_requests = file.pull_requests.as_ref().map(|entry| &entry.value);
    previews::check_event_sources(pull_requests, &functions.value.names().collect::<Vec<_>>(), flaws);
    let named = |(name, stage): (_, Option<StageEntry>)| (name, stage.unwrap_or_default());
    let stages = file.stages.0.into_iter().map(named).collect();
    Some(FrontEnd::Manifest(Box::new(Manifest {
        folder: folder.to_owned(),
        file: PathBuf::from(FILE),
        app: app?.clone(),
        functions: functions.value,
        routes: file.routes,
        cors: file.cors,
        api: file.api.map(|api| api.value).unwrap_or_default(),
        http: file.http,
        websocket: file.websocket,
        stages: Table(stages),
    })))
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
