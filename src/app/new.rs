//! A small app that deploys as it stands, for whoever begins.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Error, Finding, Severity};
use crate::names::AppName;

/// Which small app is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// A Chalice app.
    Chalice,
    /// A Python function without Chalice, declared in `stagewright.yaml`.
    Manifest,
}

/// A file's path in the app, and its text with `{{name}}` for the app's name.
type Sheet = (&'static str, &'static str);

const CHALICE: [Sheet; 4] = [
    (
        ".chalice/config.json",
        include_str!("../../templates/chalice/config.json"),
    ),
    (".gitignore", include_str!("../../templates/chalice/gitignore")),
    ("app.py", include_str!("../../templates/chalice/app.py")),
    (
        "requirements.txt",
        include_str!("../../templates/chalice/requirements.txt"),
    ),
];

const MANIFEST: [Sheet; 3] = [
    (".gitignore", include_str!("../../templates/manifest/gitignore")),
    ("src/app.py", include_str!("../../templates/manifest/src/app.py")),
    (
        "stagewright.yaml",
        include_str!("../../templates/manifest/stagewright.yaml"),
    ),
];

/// Makes a small app in a folder that does not exist yet or is empty, all of it or nothing, and says which files it has.
///
/// # Errors
///
/// [`Error::Findings`] where something is in the folder, [`Error::File`] where it cannot be written.
pub fn create(folder: &Path, name: &AppName, template: Template) -> Result<Vec<PathBuf>, Error> {
    refuse_occupied(folder)?;
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let sheets: &[Sheet] = match template {
        Template::Chalice => &CHALICE,
        Template::Manifest => &MANIFEST,
    };
    let made = || -> io::Result<()> {
        fs::create_dir_all(parent)?;
        // Written beside it and renamed: nobody ever sees half an app.
        let draft = tempfile::Builder::new()
            .prefix(".stagewright-new-")
            .tempdir_in(parent)?;
        for (path, text) in sheets {
            write(&draft.path().join(path), &text.replace("{{name}}", name.as_str()))?;
        }
        fs::set_permissions(draft.path(), Permissions::from_mode(0o755))?;
        fs::rename(draft.path(), folder)?;
        // There is nothing left to remove.
        let _gone: PathBuf = draft.keep();
        Ok(())
    };
    made().map_err(|source| Error::File {
        path: folder.to_owned(),
        source,
    })?;
    Ok(sheets.iter().map(|(path, _)| folder.join(path)).collect())
}

fn refuse_occupied(folder: &Path) -> Result<(), Error> {
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    };
    if is_free {
        return Ok(());
    }
    Err(Error::Findings(vec![Finding {
        severity: Severity::Error,
        file: folder.to_owned(),
        place: None,
        message: "exists and is not an empty folder".to_owned(),
        hint: Some("choose another name, or empty it".to_owned()),
    }]))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> AppName {
        "guest-book_2".parse().unwrap()
    }

    #[test]
    fn a_new_app_has_its_name_in_it_and_every_file_that_was_told() {
        for template in [Template::Chalice, Template::Manifest] {
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join("deep/guests");
            let files = create(&folder, &name(), template).unwrap();
            let texts: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
            assert!(texts.iter().any(|text| text.contains("guest-book_2")));
            assert!(!texts.iter().any(|text| text.contains("{{name}}")));
            let beside: Vec<_> = fs::read_dir(folder.parent().unwrap()).unwrap().collect();
            assert_eq!(beside.len(), 1, "{beside:?}");
        }
    }

    #[test]
    fn an_empty_folder_is_taken_and_an_occupied_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("guests");
        fs::create_dir(&folder).unwrap();
        create(&folder, &name(), Template::Manifest).unwrap();
        let before = fs::read_to_string(folder.join("stagewright.yaml")).unwrap();
        let told = create(&folder, &name(), Template::Chalice).unwrap_err().to_string();
        assert!(told.ends_with("exists and is not an empty folder"), "{told}");
        assert_eq!(fs::read_to_string(folder.join("stagewright.yaml")).unwrap(), before);
        assert!(!folder.join("app.py").exists());
    }
}
