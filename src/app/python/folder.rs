//! Folders of the cache: made beside their place, moved there whole, and without what differs from run to run.

use std::path::{Path, PathBuf};

use crate::app::Error;

/// Removes what differs from one installation to the next, or is of no use in Lambda.
///
/// # Errors
///
/// `Error::File` where something cannot be removed.
pub fn prune(packages: &Path) -> Result<(), Error> {
    let metadata = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];
    let mut unwanted = vec![packages.join("bin"), packages.join("chalice"), packages.join(".lock")];
    for entry in walkdir::WalkDir::new(packages).into_iter().flatten() {
        let name = entry.file_name().to_string_lossy();
        let parent = entry.path().parent().and_then(Path::file_name).unwrap_or_default();
        let in_metadata = parent.to_string_lossy().ends_with(".dist-info");
        let of_uv = name.starts_with("uv_") && name.ends_with(".json");
        if name == "__pycache__" || in_metadata && (metadata.contains(&&*name) || of_uv) {
            unwanted.push(entry.path().to_owned());
        }
    }
    unwanted.iter().try_for_each(|path| remove(path))
}

/// Removes a file, or a folder and everything in it; nothing there is no error.
///
/// # Errors
///
/// `Error::File` where it cannot be removed.
pub fn remove(path: &Path) -> Result<(), Error> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(other) => Err(other),
    };
    removed.map_err(|source| at(path, source))
}

/// Makes a folder and those above it.
///
/// # Errors
///
/// `Error::File` where it cannot be made.
pub fn create(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| at(folder, source))
}

fn at(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}

/// A folder beside `place` in which its content is made; it vanishes with the value.
///
/// # Errors
///
/// `Error::File` where it cannot be made.
pub fn making(place: &Path) -> Result<tempfile::TempDir, Error> {
    let parent = place.parent().unwrap_or(place);
    create(parent)?;
    let made = tempfile::Builder::new().prefix(".making-").tempdir_in(parent);
    made.map_err(|source| at(parent, source))
}

/// Moves what was made to its place, unless somebody else was faster.
///
/// # Errors
///
/// `Error::File` where it cannot be moved.
pub fn settle(made: &Path, place: &Path) -> Result<PathBuf, Error> {
    match std::fs::rename(made, place) {
        Ok(()) => Ok(place.to_owned()),
        Err(_) if place.is_dir() => Ok(place.to_owned()),
        Err(source) => Err(at(place, source)),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
        std::fs::File::create(path).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
    }

    fn fill(folder: &Path, names: &[&str]) {
        for name in names {
            let file = folder.join(name);
            create(file.parent().unwrap()).unwrap();
            write(&file, "x").unwrap();
        }
    }

    #[test]
    fn what_differs_from_run_to_run_is_removed_and_the_rest_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = [
            "idna/core.py",
            "idna-3.dist-info/METADATA",
            "idna/RECORD",
            "chalice-1.dist-info/METADATA",
        ];
        let unwanted = [
            ".lock",
            "bin/tool",
            "chalice/app.py",
            "idna/__pycache__/core.pyc",
            "idna-3.dist-info/RECORD",
            "idna-3.dist-info/INSTALLER",
            "idna-3.dist-info/uv_cache.json",
        ];
        fill(folder.path(), &kept);
        fill(folder.path(), &unwanted);
        prune(folder.path()).unwrap();
        assert!(kept.iter().all(|name| folder.path().join(name).exists()));
        assert!(unwanted.iter().all(|name| !folder.path().join(name).exists()));
    }

    #[test]
    fn whoever_is_second_takes_what_the_first_has_made() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("place");
        for content in ["first", "second"] {
            let making = making(&place).unwrap();
            let made = making.path().join("made");
            create(&made).unwrap();
            write(&made.join("file"), content).unwrap();
            assert_eq!(settle(&made, &place).unwrap(), place);
        }
        assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), "first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
