//! Where a manifest's functions take their code from, and whether the handler is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::checks::is_native;
use super::{FunctionEntry, Manifest};
use crate::app::flaws::Flaws;
use crate::app::yaml::Placed;
use crate::app::{Build, Code, Part, Reach, Source};

/// The sources of all functions: functions of the same code and build share one, so that it is built once.
#[derive(Default)]
pub struct Sources(BTreeMap<String, Source>);

impl Sources {
    /// Adds a function's source, and says by which name the function refers to it.
    pub fn add(&mut self, name: &Placed<String>, source: Source) -> String {
        let shared = self.0.iter().find(|(_, known)| **known == source);
        if let Some((known, _)) = shared {
            return known.clone();
        }
        self.0.insert(name.value.clone(), source);
        name.value.clone()
    }

    /// All sources by name.
    pub fn into_map(self) -> BTreeMap<String, Source> {
        self.0
    }
}

/// A function's source, if it is made of code. Code that nothing builds is looked at now.
pub fn source(manifest: &Manifest, entry: &FunctionEntry, flaws: &mut Flaws) -> Option<Source> {
    let code = entry.code.as_ref()?;
    let path = path_of(manifest, code, flaws);
    match &entry.build {
        Some(build) if build.value.trim().is_empty() => flaws.error(build.place, "`build` is empty"),
        Some(_) => {}
        None => check_code(entry, (code, &path), flaws),
    }
    let is_zip = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    Some(Source {
        build: entry.build.as_ref().map(|build| Build {
            command: build.value.clone(),
            folder: manifest.folder.clone(),
        }),
        code: if is_zip {
            Code::Zip(path)
        } else {
            // A native runtime calls `bootstrap`, whatever the file is called here.
            let into = if is_native(entry) { "bootstrap" } else { "" };
            Code::Parts(vec![Part {
                from: path,
                into: into.to_owned(),
                reach: Reach::Anywhere,
            }])
        },
    })
}

fn path_of(manifest: &Manifest, code: &Placed<String>, flaws: &mut Flaws) -> PathBuf {
    let path = Path::new(&code.value);
    if path.is_absolute() || code.value.is_empty() {
        let message = format!("`code` must be a path relative to the project, not `{}`", code.value);
        flaws.error(code.place, message);
    }
    // Without a trailing slash or `.`, so that one folder has one name.
    manifest.folder.join(path).components().collect()
}

fn check_code(entry: &FunctionEntry, (code, path): (&Placed<String>, &Path), flaws: &mut Flaws) {
    if !path.exists() {
        flaws.error_with(
            code.place,
            format!("`code` `{}` does not exist", code.value),
            Some("if a command makes it, name the command: `build: …`".to_owned()),
        );
        return;
    }
    if path.is_dir() && path.read_dir().is_ok_and(|mut entries| entries.next().is_none()) {
        flaws.error(code.place, format!("`code` `{}` is an empty folder", code.value));
        return;
    }
    check_handler(entry, (code, path), flaws);
}

/// Looks for the file of the handler, for runtimes whose handlers name one. A layer may hold it too.
fn check_handler(entry: &FunctionEntry, (code, path): (&Placed<String>, &Path), flaws: &mut Flaws) {
    let handler = entry.handler.as_ref().map_or("bootstrap", |handler| &handler.value);
    let place = entry.handler.as_ref().map_or(code.place, |handler| handler.place);
    let files = files_of(entry, handler);
    let is_there = |file: &String| {
        if path.is_dir() {
            path.join(file).exists()
        } else {
            path.file_name().is_some_and(|name| name == file.as_str())
        }
    };
    let is_zip = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    if is_zip || !entry.layers.is_empty() || files.is_empty() || files.iter().any(is_there) {
        return;
    }
    if is_native(entry) && path.is_file() {
        return;
    }
    let wanted: Vec<_> = files.iter().map(|file| format!("`{file}`")).collect();
    let code = &code.value;
    let message = format!("handler `{handler}` needs {} in `{code}`", wanted.join(" or "));
    flaws.error(place, message);
}

/// Files, one of which must be there for a handler; empty where nobody can tell.
fn files_of(entry: &FunctionEntry, handler: &str) -> Vec<String> {
    let runtime = entry.runtime.as_ref().map_or("", |runtime| &runtime.value);
    let module = handler.rsplit_once('.').map(|(module, _)| module);
    match module {
        _ if is_native(entry) => vec!["bootstrap".to_owned()],
        Some(module) if runtime.starts_with("python") => {
            let module = module.replace('.', "/");
            vec![format!("{module}.py"), format!("{module}/__init__.py")]
        }
        Some(module) if runtime.starts_with("nodejs") => ["js", "mjs", "cjs"]
            .map(|extension| format!("{module}.{extension}"))
            .to_vec(),
        Some(module) if runtime.starts_with("ruby") => {
            let file = module.split('.').next().unwrap_or(module);
            vec![format!("{file}.rb")]
        }
        Some(_) | None => Vec::new(),
    }
}
