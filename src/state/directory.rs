//! The store that is a folder: one file a stage, written beside and renamed, under a lock of the folder.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::store::{Condition, Former, Leftover, Store, Stored, Version, Written};
use crate::app::Artifact;
use crate::fault::{Fault, FaultKind};
use crate::names::{AppName, StageName, Timestamp};
use crate::resource::CodeLocation;

/// A folder with one file a stage.
#[derive(Debug, Clone)]
pub struct Directory {
    folder: PathBuf,
}

impl Directory {
    /// Takes a folder, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn file(&self, stage: &StageName) -> PathBuf {
        self.folder.join(format!("{stage}.json"))
    }

    /// Compares and sets under a lock of the folder, so that it is one act for every process of this machine.
    fn swap(&self, stage: &StageName, body: &[u8], condition: &Condition) -> io::Result<bool> {
        fs::create_dir_all(&self.folder)?;
        let lock = File::open(&self.folder)?;
        lock.lock()?;
        let file = self.file(stage);
        let found = read(&file)?.map(|stored| stored.version);
        let holds = match condition {
            Condition::Absent => found.is_none(),
            Condition::Unchanged(version) => found.as_ref() == Some(version),
        };
        if holds {
            let mut beside = tempfile::Builder::new()
                .permissions(readable())
                .tempfile_in(&self.folder)?;
            beside.write_all(body)?;
            beside.as_file().sync_all()?;
            beside.persist(&file)?;
            // Or a loss of power could bring the former file back.
            lock.sync_all()?;
        }
        Ok(holds)
    }
}

#[async_trait(?Send)]
impl Store for Directory {
    /// A folder is wherever its project is checked out.
    fn identity(&self) -> Option<String> {
        None
    }

    fn object(&self, stage: &StageName) -> String {
        self.file(stage).display().to_string()
    }

    /// Beside the stages' files, in a folder of its own.
    fn shared(&self) -> Box<dyn Store> {
        Box::new(Self::new(self.folder.join("shared")))
    }

    async fn read(&self, stage: &StageName) -> Result<Option<Stored>, Fault> {
        let file = self.file(stage);
        read(&file).map_err(|error| fault("file:Read", &file, &error))
    }

    async fn write(&self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        let file = self.file(stage);
        match self.swap(stage, &body, condition) {
            Ok(true) => Ok(Written {
                version: version(&body),
                at: Some(now()),
            }),
            Ok(false) => {
                let message = "the file has changed since it was read".to_owned();
                Err(Fault::refused(
                    "file:Write",
                    file.display().to_string(),
                    FaultKind::Condition,
                    message,
                ))
            }
            Err(error) => Err(fault("file:Write", &file, &error)),
        }
    }

    /// A folder keeps no versions.
    async fn former(&self, _: &StageName) -> Result<Vec<Former>, Fault> {
        Ok(Vec::new())
    }

    async fn read_former(&self, _: &StageName, _: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    async fn stages(&self) -> Result<Vec<StageName>, Fault> {
        let listed = match fs::read_dir(&self.folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault("file:List", &self.folder, &error)),
        };
        let stage = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".json")?.parse().ok()
        };
        let mut stages: Vec<StageName> = listed.filter_map(stage).collect();
        stages.sort();
        Ok(stages)
    }

    /// A folder is that of one project.
    async fn apps(&self) -> Result<Vec<AppName>, Fault> {
        Ok(Vec::new())
    }

    fn keeps_for(&self, _: &str) -> bool {
        false
    }

    async fn keep(&self, _: &Artifact, _: &str) -> Result<Option<CodeLocation>, Fault> {
        Ok(None)
    }

    /// A folder keeps neither zips nor versions.
    async fn leftovers(&self) -> Result<Vec<Leftover>, Fault> {
        Ok(Vec::new())
    }

    async fn discard(&self, _: &[Leftover]) -> Result<(), Fault> {
        Ok(())
    }
}

/// What a person has kept of a state.
///
/// # Errors
///
/// It cannot be read.
pub fn backup(file: &Path) -> io::Result<Vec<u8>> {
    fs::read(file)
}

/// What Chalice itself has recorded of a stage, in its folder of deployed files: the file of the stage, or else that of all
/// stages, which the first Chalice wrote beside the folder.
///
/// # Errors
///
/// A file is there and cannot be read.
pub fn of_chalice(folder: &Path, stage: &StageName) -> io::Result<Option<(PathBuf, Vec<u8>)>> {
    for file in [folder.join(format!("{stage}.json")), folder.with_extension("json")] {
        if let Some(stored) = read(&file)? {
            return Ok(Some((file, stored.body)));
        }
    }
    Ok(None)
}

/// Keeps what nobody can read beside the states, in a new file. Nobody can say what is in it: its owner alone may read it.
///
/// # Errors
///
/// It cannot be written, or is there already.
pub fn keep_beside(file: &Path, body: &[u8]) -> io::Result<()> {
    let mut created = File::options().write(true).create_new(true).mode(0o600).open(file)?;
    created.write_all(body)?;
    created.sync_all()
}

/// Others read states, too, as far as the user's mask allows.
fn readable() -> fs::Permissions {
    fs::Permissions::from_mode(0o666)
}

fn read(file: &Path) -> io::Result<Option<Stored>> {
    match fs::read(file) {
        Ok(body) => Ok(Some(Stored {
            version: version(&body),
            body,
            at: now(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A folder has no clock but ours.
#[expect(clippy::disallowed_methods, reason = "this is a store's own clock")]
fn now() -> Timestamp {
    Timestamp::new(jiff::Timestamp::now())
}

fn version(body: &[u8]) -> Version {
    Version(Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn fault(operation: &'static str, path: &Path, error: &io::Error) -> Fault {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => FaultKind::Denied,
        _ => FaultKind::Other,
    };
    Fault::refused(operation, path.display().to_string(), kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::store::contract;

    fn folder() -> (tempfile::TempDir, Directory) {
        let folder = tempfile::tempdir().unwrap();
        let store = Directory::new(folder.path().join("deployed"));
        (folder, store)
    }

    #[tokio::test]
    async fn a_folder_keeps_the_promises_of_a_store() {
        contract::what_was_written_is_read(&folder().1).await;
        contract::a_stale_write_is_refused(&folder().1).await;
        contract::a_state_that_stands_is_no_leftover(&folder().1).await;
    }

    #[test]
    fn of_many_writers_of_one_file_one_wins() {
        let (_kept, store) = folder();
        contract::one_of_many_wins((0..8).map(|_| Box::new(store.clone()) as Box<dyn Store>).collect());
    }

    #[tokio::test]
    async fn nothing_is_left_beside_the_states() {
        let (_kept, store) = folder();
        contract::a_stale_write_is_refused(&store).await;
        let names: Vec<_> = fs::read_dir(&store.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["dev.json"]);
    }
}
