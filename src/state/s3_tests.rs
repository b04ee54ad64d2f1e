//! Tests of the store that is a bucket, against an emulated AWS.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use super::*;
use crate::state::store::contract;

/// An emulated AWS that ends with the test. `make env` installs it.
struct Emulator {
    process: Child,
    endpoint: String,
}

impl Emulator {
    fn start() -> Self {
        let checkout = std::env::current_dir().unwrap();
        let mut process = Command::new(checkout.join(".env/bin/python"))
            .arg(checkout.join("tests/aws/start.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`make env` was run");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self {
            process,
            endpoint: ready["endpoint"].as_str().unwrap().to_owned(),
        }
    }

    /// A client of its own for each store: connections belong to the runtime that opened them.
    fn client(&self) -> Client {
        let credentials = aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test");
        let configuration = Builder::new()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .http_client(crate::aws::pool::http_client())
            .credentials_provider(credentials)
            .endpoint_url(&self.endpoint)
            .force_path_style(true);
        Client::from_conf(configuration.build())
    }

    async fn bucket(&self, name: &str) -> Bucket {
        self.client().create_bucket().bucket(name).send().await.unwrap();
        self.store(name)
    }

    async fn versioned(&self, name: &str) -> Bucket {
        let bucket = self.bucket(name).await;
        let kept = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        let versioned = bucket.client.put_bucket_versioning().bucket(name);
        let versioned = versioned.versioning_configuration(kept.build()).send().await;
        versioned.unwrap();
        bucket
    }

    fn store(&self, name: &str) -> Bucket {
        Bucket {
            client: self.client(),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(self.endpoint.clone()),
            bucket: name.to_owned(),
            prefix: "states/".to_owned(),
            app: "shop".parse().unwrap(),
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It ends with its standard input; killing its group would leave its own child.
        drop(self.process.stdin.take());
        let _ended = self.process.wait();
    }
}

#[test]
fn a_bucket_keeps_the_promises_of_a_store() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let emulator = Emulator::start();
    runtime.block_on(async {
        contract::what_was_written_is_read(&emulator.bucket("reads").await).await;
        contract::a_stale_write_is_refused(&emulator.bucket("stale").await).await;
        contract::a_state_that_stands_is_no_leftover(&emulator.bucket("plain").await).await;
        contract::a_state_that_stands_is_no_leftover(&emulator.versioned("versioned").await).await;
        emulator.bucket("race").await;
    });
    let writers = (0..8).map(|_| Box::new(emulator.store("race")) as Box<dyn Store>);
    contract::one_of_many_wins(writers.collect());
}

/// SHA-256 of `zip`.
const OF_ZIP: &str = "4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2";

/// A zip in a folder that is there as long as the test wants it.
fn zip() -> (tempfile::TempDir, Artifact) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("code.zip");
    std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), b"zip").unwrap();
    let artifact = Artifact {
        sha256: OF_ZIP.to_owned(),
        size_bytes: 3,
        path,
    };
    (folder, artifact)
}

#[tokio::test]
async fn a_zip_is_uploaded_once_and_only_to_a_bucket_of_the_functions_region() {
    let emulator = Emulator::start();
    let store = emulator.versioned("zips").await;
    let (folder, artifact) = zip();
    let key = format!("states/shop/artifacts/{OF_ZIP}.zip");
    let kept = store.keep(&artifact, "us-east-1").await.unwrap();
    assert_eq!(
        kept,
        Some(CodeLocation::Bucket {
            bucket: "zips".to_owned(),
            key: key.clone()
        })
    );
    assert_eq!(store.keep(&artifact, "eu-west-1").await.unwrap(), None);
    assert!(store.keep(&artifact, "us-east-1").await.is_ok());
    let versions = emulator.client().list_object_versions().bucket("zips").prefix(&key);
    let versions = versions.send().await.unwrap();
    assert_eq!(versions.versions().len(), 1, "it was sent again");
    // Whoever has a large one is asked first: the file may be gone.
    drop(folder);
    let large = Artifact {
        size_bytes: SENT_AT_ONCE_BYTES + 1,
        ..artifact
    };
    assert!(store.keep(&large, "us-east-1").await.is_ok());
    assert_eq!(store.stages().await.unwrap(), []);
}

#[tokio::test]
async fn what_somebody_put_under_the_name_of_a_zip_is_not_taken_for_it() {
    let emulator = Emulator::start();
    let store = emulator.bucket("zips").await;
    let key = format!("states/shop/artifacts/{OF_ZIP}.zip");
    let planted = emulator.client().put_object().bucket("zips").key(&key);
    planted.body(ByteStream::from_static(b"evil")).send().await.unwrap();
    let (_folder, artifact) = zip();
    store.keep(&artifact, "us-east-1").await.unwrap();
    let stands = emulator
        .client()
        .get_object()
        .bucket("zips")
        .key(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(stands.body.collect().await.unwrap().to_vec(), b"zip");
}

#[tokio::test]
async fn a_zip_that_was_removed_is_kept_as_a_version_until_that_goes_too() {
    let emulator = Emulator::start();
    let store = emulator.versioned("zips").await;
    let (_folder, artifact) = zip();
    store.keep(&artifact, "us-east-1").await.unwrap();
    let kinds = |leftovers: &[Leftover]| {
        let kind = |leftover: &Leftover| match leftover {
            Leftover::Artifact { .. } => "artifact",
            Leftover::Version { .. } => "version",
        };
        leftovers.iter().map(kind).collect::<Vec<_>>()
    };
    // The zip, then what it was, then the record that it was removed, then nothing.
    for expected in [&["artifact"][..], &["version"], &["version"], &[]] {
        let leftovers = store.leftovers().await.unwrap();
        assert_eq!(kinds(&leftovers), expected);
        store.discard(&leftovers).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_state_was_before_can_be_read_also_after_somebody_removed_it() {
    let emulator = Emulator::start();
    let store = emulator.versioned("former").await;
    let dev: StageName = "dev".parse().unwrap();
    let mut condition = Condition::Absent;
    for body in ["one", "two!", "three"] {
        let written = store.write(&dev, body.into(), &condition).await.unwrap();
        condition = Condition::Unchanged(written.version);
    }
    // Its key begins with that of the other.
    let beside = emulator.client().put_object().bucket("former");
    let beside = beside
        .key("states/shop/dev.json.bak")
        .body(ByteStream::from_static(b"x"));
    beside.send().await.unwrap();
    assert_eq!(bodies(&store, &dev).await, ["two!", "one"]);
    let removed = emulator.client().delete_object().bucket("former").key(store.key(&dev));
    removed.send().await.unwrap();
    assert_eq!(store.read(&dev).await.unwrap(), None);
    assert_eq!(bodies(&store, &dev).await, ["three", "two!", "one"]);
    assert_eq!(store.read_former(&dev, "none-such").await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_without_versioning_keeps_nothing_of_what_was_before() {
    let emulator = Emulator::start();
    let store = emulator.bucket("plain").await;
    contract::what_was_written_is_read(&store).await;
    assert_eq!(bodies(&store, &"dev".parse().unwrap()).await, Vec::<String>::new());
}

/// What a state was before, the newest first, each of the size that was listed.
async fn bodies(store: &Bucket, stage: &StageName) -> Vec<String> {
    let mut bodies = Vec::new();
    for former in store.former(stage).await.unwrap() {
        let body = store.read_former(stage, &former.version).await.unwrap().unwrap();
        assert_eq!(former.size_bytes, body.len() as u64);
        bodies.push(String::from_utf8(body).unwrap());
    }
    bodies
}
