//! Which files go into a zip, under which names.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::{file_error, flaw};
use crate::app::{Error, Part, Reach};

/// A file that goes into a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is read from.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its mode in the zip: 0755 for a program, 0644 for anything else.
    pub mode: u32,
}

/// The files of all parts by their names in the zip; later parts win. What lies in `except` is left out.
///
/// # Errors
///
/// [`Error::Findings`] where code is missing or empty, or cannot go into a zip.
pub fn entries(parts: &[Part], except: &Path) -> Result<BTreeMap<String, Entry>, Error> {
    let mut entries = BTreeMap::new();
    let except = except.canonicalize().ok();
    for part in parts {
        let metadata = part.from.metadata().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => flaw(&part.from, "does not exist"),
            _ => file_error(&part.from)(e),
        })?;
        if let Reach::Project(project) = &part.reach {
            Bounds::of(project)?.check(&part.from)?;
        }
        if metadata.is_dir() {
            add_folder(part, except.as_deref(), &mut entries)?;
        } else {
            let name = file_name(part)?;
            entries.insert(name.clone(), entry(&part.from, &name)?);
        }
    }
    if entries.is_empty() {
        let from = parts.first().map_or(Path::new("."), |part| &part.from);
        return Err(flaw(from, "has no file in it"));
    }
    Ok(entries)
}

/// A part that is a file stands under the name that is given, or under its own in a folder that is given.
fn file_name(part: &Part) -> Result<String, Error> {
    if !part.into.is_empty() && !part.into.ends_with('/') {
        return Ok(part.into.clone());
    }
    let own = part.from.file_name().and_then(|name| name.to_str());
    let own = own.ok_or_else(|| flaw(&part.from, "has a name that is not UTF-8"))?;
    Ok(format!("{}{own}", part.into))
}

fn add_folder(part: &Part, except: Option<&Path>, entries: &mut BTreeMap<String, Entry>) -> Result<(), Error> {
    let root = part.from.canonicalize().map_err(file_error(&part.from))?;
    let bounds = match &part.reach {
        Reach::Anywhere => Bounds {
            project: project_of(&part.from, &root),
            root: root.clone(),
        },
        Reach::Project(project) => Bounds::of(project)?,
    };
    // A name that is not a folder's is for the case that the part is a file.
    let prefix = if part.into.ends_with('/') { &part.into } else { "" };
    let mut walk = WalkDir::new(&root).follow_links(true).sort_by_file_name().into_iter();
    while let Some(found) = walk.next() {
        let found = found.map_err(|e| unwalkable(&root, e))?;
        if found.depth() == 0 {
            continue;
        }
        let is_folder = found.file_type().is_dir();
        if is_left_out(&found) || except.is_some_and(|except| is_folder && found.path() == except) {
            if is_folder {
                walk.skip_current_dir();
            }
            continue;
        }
        if found.path_is_symlink() {
            bounds.check(found.path())?;
        }
        if is_folder {
            continue;
        }
        let name = format!("{prefix}{}", relative(&root, found.path())?);
        let entry = entry(found.path(), &name)?;
        entries.insert(name, entry);
    }
    Ok(())
}

fn is_left_out(found: &DirEntry) -> bool {
    let name = found.file_name();
    let is_junk = [".git", ".stagewright", "__pycache__", ".DS_Store"]
        .iter()
        .any(|junk| name == *junk);
    is_junk || Path::new(name).extension().is_some_and(|extension| extension == "pyc")
}

fn relative(root: &Path, path: &Path) -> Result<String, Error> {
    let inner = path.strip_prefix(root).unwrap_or(path);
    let name = inner
        .to_str()
        .ok_or_else(|| flaw(path, "has a name that is not UTF-8"))?;
    Ok(name.to_owned())
}

fn entry(path: &Path, name: &str) -> Result<Entry, Error> {
    let metadata = path.metadata().map_err(file_error(path))?;
    if !metadata.is_file() {
        return Err(flaw(path, "is neither a file nor a folder"));
    }
    // Lambda starts `bootstrap`, whatever the checkout or the build made of its mode.
    let is_program = metadata.permissions().mode() & 0o111 != 0 || name == "bootstrap";
    Ok(Entry {
        path: path.to_owned(),
        size_bytes: metadata.len(),
        mode: if is_program { 0o755 } else { 0o644 },
    })
}

/// How far links may lead.
struct Bounds {
    project: PathBuf,
    root: PathBuf,
}

impl Bounds {
    /// What a folder of a project may link to.
    fn of(folder: &Path) -> Result<Self, Error> {
        let root = folder.canonicalize().map_err(file_error(folder))?;
        Ok(Self {
            project: project_of(&root, &root),
            root,
        })
    }

    fn check(&self, link: &Path) -> Result<(), Error> {
        let target = link.canonicalize().map_err(file_error(link))?;
        let inner = target
            .strip_prefix(&self.root)
            .or_else(|_| target.strip_prefix(&self.project));
        let is_git = |path: &Path| path.components().any(|component| component.as_os_str() == ".git");
        match inner {
            Ok(inner) if is_git(inner) => Err(flaw(link, "is a link into `.git`, which never goes into a function")),
            Ok(_) => Ok(()),
            Err(_) => Err(flaw(
                link,
                &format!("is a link to `{}`, outside of the project", target.display()),
            )),
        }
    }
}

/// The project that a folder belongs to: its repository, or else the nearest folder that has a config, or itself.
fn project_of(from: &Path, root: &Path) -> PathBuf {
    // Not above what a link leads to, but above where it stands.
    let start = from.parent().and_then(|parent| parent.canonicalize().ok());
    let start = start.unwrap_or_else(|| root.to_owned());
    let start = if root.starts_with(&start) { root } else { &start };
    let nearest = |names: &[&str]| {
        start
            .ancestors()
            .find(|folder| names.iter().any(|name| folder.join(name).exists()))
            .map(Path::to_owned)
    };
    nearest(&[".git"])
        .or_else(|| nearest(&["stagewright.yaml", ".chalice"]))
        .unwrap_or_else(|| root.to_owned())
}

fn unwalkable(root: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(root).to_owned();
    if let Some(ancestor) = error.loop_ancestor() {
        let message = format!("is a link to `{}`, in which it lies itself", ancestor.display());
        return flaw(&path, &message);
    }
    match error.into_io_error() {
        Some(e) if e.kind() == std::io::ErrorKind::NotFound => flaw(&path, "is a link to nothing"),
        Some(e) => file_error(&path)(e),
        None => flaw(&path, "cannot be read"),
    }
}
