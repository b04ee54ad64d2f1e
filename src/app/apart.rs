//! How a project's code is kept apart from us: it must not find our environment, with its credentials, in `/proc`.
//!
//! We close our own `/proc` to every process that may not trace others' ([`hide`]). Root's may, and root's files and
//! sockets (Docker's is one) are open to it besides: so where we are root, the code runs as another [`User`] if it can.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The user and group `nobody`, who owns nothing.
const NOBODY: u32 = 65_534;

/// The group of every other user, since a folder's own may be one that lets its members become root: that of a workspace
/// on GitHub's machines can be `docker`.
pub const GROUP: u32 = NOBODY;

/// Bits of a mode: to reach what is in a folder, to read a file, to do both.
const ENTER: u32 = 0o1;
const READ: u32 = 0o4;
const LIST: u32 = 0o5;

/// Whose process a project's code runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// That of this number, who is neither root nor has any group but [`GROUP`].
    Other(u32),
    /// Our own, since we are not root and cannot choose.
    Own,
    /// Our own, and that is root's: this path stands in the way of another.
    Root(PathBuf),
}

impl User {
    /// The number to run as, where it is not our own.
    pub fn other(&self) -> Option<u32> {
        match self {
            Self::Other(user) => Some(*user),
            Self::Own | Self::Root(_) => None,
        }
    }
}

/// Closes our environment, memory and open files in `/proc` to other processes, and keeps them from attaching to us, but
/// for those with the capability `CAP_SYS_PTRACE`; on a newer Linux, those with `CAP_PERFMON` can read as well. Root has
/// neither in a container as Docker makes it. Programs that we start are open again once they run.
///
/// We leave no core dumps any more: one would hold the same secrets.
pub fn hide() {
    #[cfg(target_os = "linux")]
    {
        let hidden = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        // Linux itself never refuses; a sandbox around us may.
        tracing::info!(ok = hidden.is_ok(), "closed to other processes");
    }
}

/// Whether we are root, who can run a process as anybody.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who imports code: where we are root, `nobody` if everybody can read what it needs, else the owner of the `first` of
/// that, if it is not root and can.
pub fn importer(first: Option<&Path>, needed: &[&Path]) -> User {
    if !is_root() {
        return User::Own;
    }
    let hides_from = |user| needed.iter().find_map(|path| hidden(path, user));
    let Some(path) = hides_from(NOBODY) else {
        return User::Other(NOBODY);
    };
    match first.and_then(owner) {
        Some(owner) if hides_from(owner).is_none() => User::Other(owner),
        Some(_) | None => User::Root(path),
    }
}

/// Who builds in a folder: where we are root, the folder's owner, if it is not root and can reach the folder and every
/// folder of programs, those of a `PATH`.
pub fn builder(folder: &Path, programs: &str) -> User {
    if !is_root() {
        return User::Own;
    }
    let Some(owner) = owner(folder) else {
        return User::Root(folder.to_owned());
    };
    let programs: Vec<_> = std::env::split_paths(programs).filter(|path| path.is_dir()).collect();
    let mut needed = std::iter::once(folder).chain(programs.iter().map(PathBuf::as_path));
    match needed.find_map(|path| barrier(path, owner)) {
        Some(path) => User::Root(path),
        None => User::Other(owner),
    }
}

/// The environment of another user, of ours: without names that are not theirs, and without paths that they cannot
/// reach, in the place of which programs take their own below `HOME`. `HOME` stays if it belongs to them.
pub fn environment(ours: &BTreeMap<String, String>, user: u32) -> BTreeMap<String, String> {
    let theirs = |(name, value): &(&String, &String)| match name.as_str() {
        "USER" | "LOGNAME" => false,
        "HOME" => owner(Path::new(value)) == Some(user) && barrier(Path::new(value), user).is_none(),
        "PATH" => true,
        _ => !value.starts_with('/') || barrier(Path::new(value), user).is_none(),
    };
    let seen = ours.iter().filter(theirs);
    seen.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The owner of a file or folder, who is there and is not root.
fn owner(path: &Path) -> Option<u32> {
    let found = std::fs::metadata(path).ok()?;
    Some(found.uid()).filter(|owner| *owner != 0)
}

/// What keeps a user from a file or from listing a folder: itself or a folder above. Of a path that does not exist, what
/// is above counts.
fn barrier(path: &Path, user: u32) -> Option<PathBuf> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut above = path.ancestors().skip(1).filter(|folder| folder.is_dir());
    let closed = above.find(|folder| !allows(folder, ENTER, user));
    let need = if path.is_dir() { LIST } else { READ };
    let itself = || Some(path.as_path()).filter(|path| path.exists() && !allows(path, need, user));
    closed.or_else(itself).map(Path::to_owned)
}

/// What a user cannot read of a file or of everything in a folder; what does not exist hides nothing.
fn hidden(path: &Path, user: u32) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    // Python lists the folder that it imports from.
    let listed = path.parent().unwrap_or(&path);
    if let Some(barrier) = barrier(listed, user) {
        return Some(barrier);
    }
    walkdir::WalkDir::new(&path).into_iter().find_map(|entry| {
        let Ok(entry) = entry else { return Some(path.clone()) };
        let kind = entry.file_type();
        let need = if kind.is_dir() { LIST } else { READ };
        let open = kind.is_symlink() || allows(entry.path(), need, user);
        (!open).then(|| entry.path().to_owned())
    })
}

/// Whether the mode of a file or folder allows something to a user, whose one group is [`GROUP`].
fn allows(path: &Path, need: u32, user: u32) -> bool {
    std::fs::metadata(path).is_ok_and(|found| {
        let whose = if found.uid() == user {
            6
        } else if found.gid() == GROUP {
            3
        } else {
            0
        };
        (found.permissions().mode() >> whose) & need == need
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user who owns nothing here.
    const STRANGER: u32 = 4_242_424;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_one_file_hides_from_others_is_not_open_and_its_owner_sees_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let file = inner.join("app.py");
        drop(std::fs::File::create(&file).unwrap());
        let ours = rustix::process::geteuid().as_raw();
        mode(&file, 0o644);
        mode(&inner, 0o755);
        mode(folder.path(), 0o755);
        assert_eq!(hidden(&inner, STRANGER), None);
        mode(&file, 0o600);
        assert_eq!(hidden(&inner, STRANGER), Some(file.clone()));
        assert_eq!(hidden(&inner, ours), None);
        mode(&file, 0o644);
        mode(folder.path(), 0o700);
        assert_eq!(hidden(&file, STRANGER).as_deref(), Some(folder.path()));
    }

    #[test]
    fn another_user_gets_no_path_that_is_closed_to_them_and_no_name_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (open, closed) = (folder.path().join("open"), folder.path().join("closed"));
        for (path, bits) in [(folder.path(), 0o755), (&open, 0o755), (&closed, 0o700)] {
            std::fs::create_dir_all(path).unwrap();
            mode(path, bits);
        }
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let ours = [
            ("CARGO_HOME", text(&closed.join("cargo"))),
            ("GOPATH", text(&open.join("go"))),
            ("HOME", text(&open)),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", text(&closed)),
            ("USER", "root".to_owned()),
        ];
        let ours = ours.map(|(name, value)| (name.to_owned(), value)).into();
        let theirs = environment(&ours, STRANGER);
        assert_eq!(theirs.keys().collect::<Vec<_>>(), ["GOPATH", "LANG", "PATH"]);
    }

    #[test]
    fn nobody_imports_what_everybody_reads_and_its_owner_what_only_they_do() {
        if !is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.py");
        drop(std::fs::File::create(&file).unwrap());
        let own = |user| std::os::unix::fs::chown(&file, Some(user), None).unwrap();
        let importer = || importer(Some(&file), &[&file]);
        mode(folder.path(), 0o755);
        mode(&file, 0o644);
        own(STRANGER);
        assert_eq!(importer(), User::Other(NOBODY));
        mode(&file, 0o600);
        assert_eq!(importer(), User::Other(STRANGER));
        own(0);
        assert_eq!(importer(), User::Root(file.clone()));
    }

    #[test]
    fn a_folder_is_built_in_by_its_owner_unless_that_is_root_or_cannot_reach_the_programs() {
        if !is_root() {
            return;
        }
        let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = programs.path().to_str().unwrap();
        mode(programs.path(), 0o755);
        assert_eq!(builder(folder.path(), path), User::Root(folder.path().to_owned()));
        std::os::unix::fs::chown(folder.path(), Some(STRANGER), None).unwrap();
        assert_eq!(builder(folder.path(), path), User::Other(STRANGER));
        mode(programs.path(), 0o700);
        assert_eq!(builder(folder.path(), path), User::Root(programs.path().to_owned()));
    }
}
