//! What code is read from and made of, known by the content of its files: what is the same as it was need not be read or built again.
//!
//! Whatever cannot be told for sure is an error here, and then nothing is recognised: a file that cannot be read or changes
//! meanwhile, a link to nothing, a device, more than can be read in a moment.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::app::python::requirements::hex;

/// The most bytes of files that are looked at: more would take longer than what it saves.
const LIMIT_BYTES: u64 = 512 * 1024 * 1024;

/// The most files and folders that are looked at.
const LIMIT_FILES: usize = 50_000;

/// Changes when the same files shall have another digest.
const FORMAT: &str = "stagewright-inputs-1";

/// What an app or a package was read from, as a release remembers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    known: BTreeMap<Vec<u8>, Known>,
    bytes: u64,
}

/// A file by its content, or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    content: Content,
    /// Size, and when content or attributes were last changed: who changes a file back leaves a trace here.
    trace: [i64; 5],
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Folder,
    File { sha256: [u8; 32], mode: Mode },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Program,
}

/// What of a folder does not count.
#[derive(Debug, Clone)]
pub struct Except<'a> {
    /// Folders in which every file counts but compiled Python: they go into a package as they are.
    pub whole: &'a [PathBuf],
    /// Folders of which nothing counts: those that we write into.
    pub ours: &'a [PathBuf],
}

impl Files {
    /// Adds a file, or everything in a folder, under a name; of a folder all but what is left out.
    ///
    /// # Errors
    ///
    /// Something cannot be told for sure.
    pub fn add(&mut self, name: &str, path: &Path, except: &Except<'_>) -> io::Result<()> {
        if !path.metadata()?.is_dir() {
            return self.add_file(name.as_bytes().to_vec(), path);
        }
        let mut walk = WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter();
        while let Some(found) = walk.next() {
            let found = found?;
            let is_folder = found.file_type().is_dir();
            if found.depth() > 0 && is_left_out(&found, except) {
                if is_folder {
                    walk.skip_current_dir();
                }
                continue;
            }
            let inner = found.path().strip_prefix(path).unwrap_or(found.path());
            let full = [name.as_bytes(), b"/", inner.as_os_str().as_bytes()].concat();
            if is_folder {
                self.keep(full, Content::Folder, [0; 5])?;
            } else {
                self.add_file(full, found.path())?;
            }
        }
        Ok(())
    }

    /// Adds a file that goes into a package.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_file(&mut self, name: Vec<u8>, path: &Path) -> io::Result<()> {
        let mut file = open(path)?;
        let before = file.metadata()?;
        self.bytes += before.len();
        if self.bytes > LIMIT_BYTES {
            return Err(io::Error::other(format!("more than {LIMIT_BYTES} bytes")));
        }
        let mut digest = Sha256::new();
        let mut chunk = vec![0; 64 * 1024];
        // What grows as fast as it is read would never end.
        let mut rest = before.len() + 1;
        while let Some(read) = some_of(&mut file, &mut chunk)? {
            digest.update(read);
            rest = rest.checked_sub(read.len() as u64).ok_or_else(|| moved(path))?;
        }
        let after = file.metadata()?;
        if trace(&before) != trace(&after) {
            return Err(moved(path));
        }
        let mode = match before.mode() & 0o111 {
            0 => Mode::Plain,
            _ => Mode::Program,
        };
        let sha256 = digest.finalize().into();
        self.keep(name, Content::File { sha256, mode }, trace(&after))
    }

    fn keep(&mut self, name: Vec<u8>, content: Content, trace: [i64; 5]) -> io::Result<()> {
        self.known.insert(name, Known { content, trace });
        match self.known.len() {
            ..=LIMIT_FILES => Ok(()),
            _ => Err(io::Error::other(format!("more than {LIMIT_FILES} files"))),
        }
    }

    /// The digest of all names, contents and executable bits.
    pub fn digest(&self) -> String {
        let mut all = Digest::new("files");
        for (name, known) in &self.known {
            all.add(name);
            match &known.content {
                Content::Folder => all.add("folder"),
                Content::File { sha256, mode } => {
                    all.add(sha256);
                    all.add(match mode {
                        Mode::Plain => "plain",
                        Mode::Program => "program",
                    });
                }
            }
        }
        all.text()
    }

    /// Whether all files are as they were at a later look, at which more may be there: what a build left behind.
    pub fn are_kept_in(&self, later: &Self) -> bool {
        let is_kept = |(name, known): (&Vec<u8>, &Known)| {
            later
                .known
                .get(name)
                .is_some_and(|later| later.content == known.content)
        };
        self.known.iter().all(is_kept)
    }
}

/// Whether a file or folder does not count: what Git, Python and we keep for ourselves, and what says of itself that it is a
/// virtualenv or a cache.
fn is_left_out(found: &DirEntry, except: &Except<'_>) -> bool {
    let (name, path) = (found.file_name(), found.path());
    let is_named = |names: &[&str]| names.iter().any(|junk| name == OsStr::new(junk));
    if is_named(&[".git", ".stagewright", "__pycache__", ".DS_Store"]) || except.ours.iter().any(|ours| path == ours) {
        return true;
    }
    let is_whole = except.whole.iter().any(|whole| path.starts_with(whole));
    let says_so = || {
        ["pyvenv.cfg", "CACHEDIR.TAG"]
            .iter()
            .any(|tag| path.join(tag).is_file())
    };
    found.file_type().is_dir() && !is_whole && says_so()
}

/// Opens a regular file, and nothing that could keep us waiting.
fn open(path: &Path) -> io::Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other(format!("`{}` is no regular file", path.display()))),
    }
}

fn some_of<'a>(file: &mut File, chunk: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    let count = file.read(chunk)?;
    Ok(chunk.get(..count).filter(|read| !read.is_empty()))
}

fn trace(metadata: &Metadata) -> [i64; 5] {
    let size = i64::try_from(metadata.size()).unwrap_or(i64::MAX);
    let (changed, touched) = (metadata.mtime_nsec(), metadata.ctime_nsec());
    [size, metadata.mtime(), changed, metadata.ctime(), touched]
}

fn moved(path: &Path) -> io::Error {
    io::Error::other(format!("`{}` was changed while it was read", path.display()))
}

/// A digest of parts that cannot run into each other.
#[derive(Debug, Clone)]
pub struct Digest(Sha256);

impl Digest {
    /// A digest of something, which other things do not share.
    pub fn new(kind: &str) -> Self {
        let mut digest = Self(Sha256::new_with_prefix(FORMAT));
        digest.add(kind);
        digest
    }

    /// Adds a part.
    pub fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Adds this program: another version of it may read the same files otherwise.
    ///
    /// # Errors
    ///
    /// It is not known which one this is.
    pub fn add_program(&mut self) -> io::Result<()> {
        self.add(env!("CARGO_PKG_VERSION"));
        // Between two releases, the version stays the same.
        let own = std::env::current_exe()?.metadata()?;
        self.add(format!("{} {} {}", own.size(), own.mtime(), own.mtime_nsec()));
        Ok(())
    }

    /// The digest in hexadecimal digits.
    pub fn text(self) -> String {
        hex(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Except<'static> = Except { whole: &[], ours: &[] };

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        io::Write::write_all(&mut File::create(path).unwrap(), text.as_bytes()).unwrap();
    }

    fn look(folder: &Path) -> io::Result<Files> {
        let mut files = Files::default();
        files.add("here", folder, &NOTHING)?;
        Ok(files)
    }

    #[test]
    fn what_a_build_leaves_behind_is_no_change_and_what_it_overwrites_is() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.txt", "1");
        let before = look(folder.path()).unwrap();
        write(folder.path(), "out/b.txt", "2");
        let after = look(folder.path()).unwrap();
        assert!(before.are_kept_in(&after) && before.digest() != after.digest());
        write(folder.path(), "a.txt", "3");
        assert!(!before.are_kept_in(&look(folder.path()).unwrap()));
    }

    #[test]
    fn a_file_that_is_changed_back_has_its_digest_and_is_seen_to_have_been_changed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.txt", "1");
        let file = File::open(folder.path().join("a.txt")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let before = look(folder.path()).unwrap();
        write(folder.path(), "a.txt", "1");
        let after = look(folder.path()).unwrap();
        assert_eq!(before.digest(), after.digest());
        assert_ne!(before, after);
    }

    #[test]
    fn the_parts_of_a_digest_cannot_run_into_each_other() {
        let of = |parts: [&str; 2]| {
            let mut digest = Digest::new("x");
            parts.iter().for_each(|part| digest.add(part));
            digest.text()
        };
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }

    #[test]
    fn what_could_keep_us_waiting_or_leads_in_circles_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero")).unwrap();
        assert!(look(folder.path()).unwrap_err().to_string().contains("no regular file"));
        let circle = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(circle.path(), circle.path().join("again")).unwrap();
        assert!(look(circle.path()).is_err());
    }
}
