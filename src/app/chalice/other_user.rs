//! Another user for a project's code: a process of our own user could read our environment, with its credentials,
//! in `/proc`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The user and group `nobody`, who owns nothing.
pub const NOBODY: u32 = 65_534;

/// Whose process a project's code runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// `nobody`'s.
    Other,
    /// Our own, since we are not root and cannot choose.
    Own,
    /// Our own, and that is root's: others cannot read this path.
    Root(PathBuf),
}

/// Whose process it can be: another user's where we are root, and everybody can read what it needs.
pub fn possible(needed: &[&Path]) -> User {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    match needed.iter().find_map(|path| hidden(path)) {
        _ if !root => User::Own,
        Some(path) => User::Root(path),
        None => User::Other,
    }
}

/// What others cannot read of a file or of everything in a folder; what does not exist hides nothing.
fn hidden(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let above = path.ancestors().skip(1).find(|folder| !allows(folder, 0o1));
    // Python lists the folder that it imports from.
    let unlisted = || path.parent().filter(|folder| !allows(folder, 0o5));
    if let Some(folder) = above.or_else(unlisted) {
        return Some(folder.to_owned());
    }
    walkdir::WalkDir::new(&path).into_iter().find_map(|entry| {
        let Ok(entry) = entry else { return Some(path.clone()) };
        let kind = entry.file_type();
        let open = kind.is_symlink() || allows(entry.path(), if kind.is_dir() { 0o5 } else { 0o4 });
        (!open).then(|| entry.path().to_owned())
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
        assert_eq!(hidden(&inner), None);
        mode(&file, 0o600);
        assert_eq!(hidden(&inner), Some(file.clone()));
        mode(&file, 0o644);
        mode(folder.path(), 0o700);
        assert_eq!(hidden(&file).as_deref(), Some(folder.path()));
    }
}
