//! What a package is made from, as one digest: where it is the same, so is the package, and nobody has to make it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::tree::{self, Entry};
use crate::app::inputs::{Digest, Except, Files};
use crate::app::{Build, Code, Part, Source};

/// What a package depends on beside its source.
#[derive(Debug, Clone)]
pub struct Ground<'a> {
    /// Our cache: what lies in a folder of it is known by the folder's name.
    pub cache: &'a Path,
    /// What a build command sees of our environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The commit that is checked out, which a build command can ask for.
    pub commit: Option<&'a str>,
    /// Folders that we write into.
    pub ours: &'a [PathBuf],
    /// The stage's salt: a build can read files with secrets in them.
    pub salt: &'a str,
}

/// What a package is made from, at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    files: Files,
    /// Everything but the files.
    rest: String,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The files are what goes into the package.
    Zipping,
    /// The files are what a command can read, which leaves more of them behind.
    Building,
}

impl Inputs {
    /// Looks at everything that a package is made from.
    ///
    /// # Errors
    ///
    /// Something cannot be told for sure.
    pub fn of(source: &Source, ground: &Ground<'_>) -> io::Result<Self> {
        let mut rest = Digest::new("package");
        rest.add_program()?;
        rest.add(ground.salt);
        match (&source.build, &source.code) {
            (Some(build), code) => built(build, code, (ground, rest)),
            (None, Code::Zip(zip)) => {
                let mut files = Files::default();
                files.add_file(b"zip".to_vec(), zip)?;
                Ok(Self::zipped(files, rest))
            }
            (None, Code::Parts(parts)) => zipped(parts, (ground, rest)),
        }
    }

    fn zipped(files: Files, rest: Digest) -> Self {
        Self {
            files,
            rest: rest.text(),
            by: By::Zipping,
        }
    }

    /// The digest by which it is recognised.
    pub fn digest(&self) -> String {
        let mut digest = Digest::new("inputs");
        digest.add(&self.rest);
        digest.add(self.files.digest());
        digest.text()
    }

    /// Whether what was made between this look and a later one was made from what was seen at this one.
    pub fn are_still(&self, later: &Self) -> bool {
        match self.by {
            By::Zipping => self == later,
            By::Building => self.rest == later.rest && self.files.are_kept_in(&later.files),
        }
    }
}

/// What goes into a zip is known file by file, but for what we installed ourselves.
fn zipped(parts: &[Part], (ground, mut rest): (&Ground<'_>, Digest)) -> io::Result<Inputs> {
    let mut own = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match part.from.strip_prefix(ground.cache) {
            Ok(installed) => {
                // Later parts win, so that it matters where it stands among them.
                rest.add(format!("{index} {} {}", installed.display(), part.into));
            }
            Err(_) => {
                rest.add(format!("{index} of the project {}", part.into));
                own.push(part.clone());
            }
        }
    }
    let mut files = Files::default();
    let entries = match own.is_empty() {
        true => BTreeMap::new(),
        false => tree::entries(&own, Path::new("")).map_err(io::Error::other)?,
    };
    for (name, Entry { path, mode, .. }) in entries {
        rest.add(format!("{name} {mode:o}"));
        files.add_file(name.into_bytes(), &path)?;
    }
    Ok(Inputs::zipped(files, rest))
}

/// A command can read whatever lies in its repository, and ask for the commit.
fn built(build: &Build, code: &Code, (ground, mut rest): (&Ground<'_>, Digest)) -> io::Result<Inputs> {
    let mut above = build.folder.ancestors();
    let top = above
        .find(|folder| folder.join(".git").exists())
        .unwrap_or(&build.folder);
    let inner = |path: &Path| path.strip_prefix(top).unwrap_or(path).display().to_string();
    rest.add(&build.command);
    rest.add(inner(&build.folder));
    rest.add(ground.commit.unwrap_or_default());
    for (name, value) in ground.environment {
        rest.add(name);
        rest.add(value);
    }
    let mut files = Files::default();
    let except = Except {
        whole: &[],
        ours: ground.ours,
    };
    files.add("top", top, &except)?;
    let paths: Vec<(&Path, &str)> = match code {
        Code::Zip(zip) => vec![(zip, "")],
        Code::Parts(parts) => parts
            .iter()
            .map(|part| (part.from.as_path(), part.into.as_str()))
            .collect(),
    };
    for (path, into) in paths {
        rest.add(format!("{} {into}", inner(path)));
        // What a former build left there may go into the package as well, even if it lies in a cache.
        if path.exists() {
            let whole = [path.to_owned()];
            let except = Except {
                whole: &whole,
                ours: ground.ours,
            };
            files.add(&format!("code {}", inner(path)), path, &except)?;
        }
    }
    Ok(Inputs {
        files,
        rest: rest.text(),
        by: By::Building,
    })
}
