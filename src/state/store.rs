//! Where states are kept: the promises of a store, and what every store is tested against.

use async_trait::async_trait;

use crate::app::Artifact;
use crate::fault::Fault;
use crate::names::{AppName, StageName, Timestamp};
use crate::resource::CodeLocation;

/// A version of an object, as the store names it. It changes with every write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Its version.
    pub version: Version,
    /// When it was read, by the store's clock.
    pub at: Timestamp,
}

/// A write that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The version of the object that it made.
    pub version: Version,
    /// When it happened, by the store's clock; `None` where it did not say.
    pub at: Option<Timestamp>,
}

/// What must be true for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is no such object yet.
    Absent,
    /// The object is still of this version.
    Unchanged(Version),
}

/// What a stage's object was before, where the store keeps that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// The store's own id of it.
    pub version: String,
    /// When it was written, by the store's clock.
    pub at: Timestamp,
    /// How large it is.
    pub size_bytes: u64,
}

/// Something that a store keeps of an app beside its current states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// A zip, whether or not a state refers to it.
    Artifact {
        /// SHA-256 of its content, in hexadecimal digits.
        sha256: String,
        /// When it was kept, by the store's clock.
        since: Timestamp,
    },
    /// A former version of an object, which is not served any more.
    Version {
        /// Where the object stands, as the store names it.
        object: String,
        /// The version, as the store names it.
        version: String,
        /// When another one took its place, by the store's clock.
        since: Timestamp,
    },
}

/// Keeps the states of one app, one object a stage, each changed only by compare-and-set.
#[async_trait(?Send)]
pub trait Store: Send + Sync {
    /// What tells this store from others, as it stands in our tags; `None` where the same place may be another store for
    /// somebody else, as a folder is in another checkout.
    fn identity(&self) -> Option<String>;

    /// Where a stage's object stands, for people.
    fn object(&self, stage: &StageName) -> String;

    /// The address at which the store is reached, where it is not the one that AWS has for it.
    fn endpoint(&self) -> Option<String> {
        None
    }

    /// The store of what stages share, at the same place: each thing stands there as a stage of [`AppName::shared`].
    fn shared(&self) -> Box<dyn Store>;

    /// Reads a stage's object.
    async fn read(&self, stage: &StageName) -> Result<Option<Stored>, Fault>;

    /// Writes a stage's object whole, if the condition holds.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Condition`](crate::fault::FaultKind::Condition) where it does not hold. It may also come after
    /// a write of ours whose answer was lost: whoever cares reads again and looks for their mark.
    async fn write(&self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault>;

    /// What a stage's object was before, the newest first, without what it is now; all of it where somebody has removed the
    /// object, and nothing where the store keeps no versions.
    async fn former(&self, stage: &StageName) -> Result<Vec<Former>, Fault>;

    /// Reads what a stage's object was before, by the [id](Former::version) of that; `None` where there is no such version.
    async fn read_former(&self, stage: &StageName, version: &str) -> Result<Option<Vec<u8>>, Fault>;

    /// The stages that have an object, sorted.
    async fn stages(&self) -> Result<Vec<StageName>, Fault>;

    /// The apps whose states lie at the same place, sorted; none where a place has only one app.
    async fn apps(&self) -> Result<Vec<AppName>, Fault>;

    /// Whether it keeps zips where Lambda of a Region can take them from.
    fn keeps_for(&self, region: &str) -> bool;

    /// Keeps a zip by its content, once, where Lambda can take it from; `None` where it does not do so for
    /// `region`.
    async fn keep(&self, artifact: &Artifact, region: &str) -> Result<Option<CodeLocation>, Fault>;

    /// All that is kept beside the current states: every zip, and every former version of a zip or a state. A current state
    /// is never among them, nor are the versions of one that somebody has removed: they are all that is left of it.
    async fn leftovers(&self) -> Result<Vec<Leftover>, Fault>;

    /// Keeps these no more. What is gone already is a success; where one cannot be removed, others may be gone.
    async fn discard(&self, leftovers: &[Leftover]) -> Result<(), Fault>;
}

#[cfg(test)]
pub mod contract {
    //! The promises, as functions that every store's tests call.

    use super::*;
    use crate::fault::FaultKind;

    fn stage(name: &str) -> StageName {
        name.parse().unwrap()
    }

    async fn stands(store: &dyn Store, stage: &StageName) -> (Vec<u8>, Version) {
        let found = store.read(stage).await.unwrap().unwrap();
        (found.body, found.version)
    }

    /// What was written is read, and every write has a version of its own.
    pub async fn what_was_written_is_read(store: &dyn Store) {
        let dev = stage("dev");
        assert_eq!(store.read(&dev).await.unwrap(), None);
        let first = store
            .write(&dev, b"one".to_vec(), &Condition::Absent)
            .await
            .unwrap()
            .version;
        assert_eq!(stands(store, &dev).await, (b"one".to_vec(), first.clone()));
        let second = store
            .write(&dev, b"two".to_vec(), &Condition::Unchanged(first.clone()))
            .await
            .unwrap()
            .version;
        assert_ne!(first, second);
        assert_eq!(store.stages().await.unwrap(), [dev]);
    }

    /// What stands is no leftover, however often it was written; only what it was before may be one.
    pub async fn a_state_that_stands_is_no_leftover(store: &dyn Store) {
        let dev = stage("dev");
        let first = store
            .write(&dev, b"one".to_vec(), &Condition::Absent)
            .await
            .unwrap()
            .version;
        assert_eq!(store.leftovers().await.unwrap(), []);
        let unchanged = Condition::Unchanged(first);
        store.write(&dev, b"two".to_vec(), &unchanged).await.unwrap();
        let leftovers = store.leftovers().await.unwrap();
        store.discard(&leftovers).await.unwrap();
        assert_eq!(store.leftovers().await.unwrap(), []);
        assert_eq!(store.read(&dev).await.unwrap().unwrap().body, b"two");
    }

    /// A write whose condition does not hold changes nothing.
    pub async fn a_stale_write_is_refused(store: &dyn Store) {
        let dev = stage("dev");
        let first = store
            .write(&dev, b"one".to_vec(), &Condition::Absent)
            .await
            .unwrap()
            .version;
        let second = store
            .write(&dev, b"two".to_vec(), &Condition::Unchanged(first.clone()))
            .await
            .unwrap()
            .version;
        for condition in [Condition::Absent, Condition::Unchanged(first)] {
            let refused = store.write(&dev, b"lost".to_vec(), &condition).await.unwrap_err();
            assert_eq!(refused.kind, FaultKind::Condition, "{condition:?}");
        }
        assert_eq!(stands(store, &dev).await, (b"two".to_vec(), second));
        let gone = store
            .write(
                &stage("gone"),
                b"x".to_vec(),
                &Condition::Unchanged(Version("1".to_owned())),
            )
            .await;
        assert_eq!(gone.unwrap_err().kind, FaultKind::Condition);
    }

    /// Of many writers with the same condition, each on a thread of its own, one wins, and the winner's bytes stand.
    pub fn one_of_many_wins(stores: Vec<Box<dyn Store>>) {
        let start = std::sync::Barrier::new(stores.len());
        let write = |(number, store): (usize, Box<dyn Store>)| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let body = format!("writer {number}").into_bytes();
            start.wait();
            runtime.block_on(async {
                let won = store
                    .write(&stage("race"), body.clone(), &Condition::Absent)
                    .await
                    .is_ok();
                let stands = store.read(&stage("race")).await.unwrap().unwrap().body;
                assert!(!won || stands == body);
                usize::from(won)
            })
        };
        let won: usize = std::thread::scope(|scope| {
            let write = &write;
            let writers: Vec<_> = stores
                .into_iter()
                .enumerate()
                .map(|writer| scope.spawn(move || write(writer)))
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(won, 1);
    }
}
