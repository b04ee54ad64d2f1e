//! Another user for a project's code: a process of our own user could read our environment, with its credentials,
//! in `/proc`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// The user and group `nobody`, who owns nothing.
pub const NOBODY: u32 = 65_534;

/// Whether a process can and may be somebody else: we are root, and everybody can read what it needs.
pub fn is_possible(needed: &[&Path]) -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    root && needed.iter().all(|path| is_open(path))
}

/// Whether everybody can read a file, or everything in a folder; what does not exist is no hindrance.
fn is_open(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return true };
    // Python lists the folder that it imports from.
    let listed = path.parent().is_none_or(|folder| allows(folder, 0o5));
    let reached = path.ancestors().skip(1).all(|folder| allows(folder, 0o1));
    listed
        && reached
        && walkdir::WalkDir::new(&path).into_iter().all(|entry| {
            entry.is_ok_and(|entry| {
                let kind = entry.file_type();
                kind.is_symlink() || allows(entry.path(), if kind.is_dir() { 0o5 } else { 0o4 })
            })
        })
}

fn allows(path: &Path, mode: u32) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & mode == mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_file_hides_from_others_is_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let file = inner.join("app.py");
        drop(std::fs::File::create(&file).unwrap());
        mode(&file, 0o644);
        mode(&inner, 0o755);
        mode(folder.path(), 0o755);
        assert!(is_open(&inner));
        mode(&file, 0o600);
        assert!(!is_open(&inner));
        mode(&file, 0o644);
        mode(folder.path(), 0o700);
        assert!(!is_open(&file));
    }
}
