//! The store that is a bucket: one object a stage, changed by S3's conditional writes.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::store::{Condition, Store, Stored, Version};
use crate::app::Artifact;
use crate::aws::{self, Access, fault};
use crate::fault::{Fault, FaultKind};
use crate::names::{AppName, StageName};
use crate::resource::CodeLocation;

/// A bucket, with the states of one app at `prefix/APP/STAGE.json`.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    region: Option<String>,
    bucket: String,
    /// Empty, or ending in a slash.
    prefix: String,
    app: AppName,
}

impl Bucket {
    /// Opens a bucket. No call is made.
    pub async fn open(access: &Access, bucket: String, prefix: &str, app: AppName) -> Self {
        let (client, region) = client(access).await;
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Self {
            client,
            region,
            bucket,
            prefix,
            app,
        }
    }

    fn folder(&self) -> String {
        format!("{}{}/", self.prefix, self.app)
    }

    fn key(&self, stage: &StageName) -> String {
        format!("{}{stage}.json", self.folder())
    }

    fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    async fn has(&self, key: &str) -> Result<bool, Fault> {
        let found = self.client.head_object().bucket(&self.bucket).key(key).send().await;
        match found.map_err(|error| fault::of("s3:HeadObject", self.url(key), &error)) {
            Ok(_) => Ok(true),
            Err(fault) if fault.kind == FaultKind::Absent => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

#[async_trait(?Send)]
impl Store for Bucket {
    fn identity(&self) -> Option<String> {
        let url = self.url(self.prefix.trim_end_matches('/'));
        Some(url.trim_end_matches('/').to_owned())
    }

    fn object(&self, stage: &StageName) -> String {
        self.url(&self.key(stage))
    }

    async fn read(&self, stage: &StageName) -> Result<Option<Stored>, Fault> {
        const OPERATION: &str = "s3:GetObject";
        let key = self.key(stage);
        let found = match self.client.get_object().bucket(&self.bucket).key(&key).send().await {
            Ok(found) => found,
            Err(error) => match fault::of(OPERATION, self.url(&key), &error) {
                absent if absent.code == "NoSuchKey" => return Ok(None),
                fault => return Err(fault),
            },
        };
        let broken = |message: String| Fault::refused(OPERATION, self.url(&key), FaultKind::Unreachable, message);
        let version = found.e_tag.ok_or_else(|| broken("the answer has no ETag".to_owned()))?;
        let body = found.body.collect().await.map_err(|error| broken(error.to_string()))?;
        Ok(Some(Stored {
            body: body.to_vec(),
            version: Version(version),
        }))
    }

    /// The SDK's own retries are off: a retry after a lost answer would be refused by our own first write.
    async fn write(&self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Version, Fault> {
        const OPERATION: &str = "s3:PutObject";
        let key = self.key(stage);
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .content_type("application/json");
        let request = match condition {
            Condition::Absent => request.if_none_match("*"),
            Condition::Unchanged(Version(version)) => request.if_match(version),
        };
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let sent = request
            .body(ByteStream::from(body))
            .customize()
            .config_override(once)
            .send()
            .await;
        let written = sent.map_err(|error| match fault::of(OPERATION, self.url(&key), &error) {
            // S3 answers so to `If-Match` where the object is gone.
            gone if gone.code == "NoSuchKey" => Fault {
                kind: FaultKind::Condition,
                ..gone
            },
            fault => fault,
        })?;
        match written.e_tag {
            Some(version) => Ok(Version(version)),
            None => {
                let message = "no ETag came back".to_owned();
                Err(Fault::refused(OPERATION, self.url(&key), FaultKind::Other, message).of_a_begun_step())
            }
        }
    }

    async fn stages(&self) -> Result<Vec<StageName>, Fault> {
        let folder = self.folder();
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&folder)
            .delimiter("/");
        let mut stages = Vec::new();
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault::of("s3:ListBucket", self.url(&folder), &error))?;
            let names = page
                .contents()
                .iter()
                .filter_map(|object| object.key()?.strip_prefix(&folder)?.strip_suffix(".json"));
            stages.extend(names.filter_map(|name| name.parse::<StageName>().ok()));
        }
        stages.sort();
        Ok(stages)
    }

    async fn apps(&self) -> Result<Vec<AppName>, Fault> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).delimiter("/");
        let mut apps = Vec::new();
        let mut pages = request.prefix(&self.prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault::of("s3:ListBucket", self.url(&self.prefix), &error))?;
            let names = page
                .common_prefixes()
                .iter()
                .filter_map(|found| found.prefix()?.strip_prefix(&self.prefix)?.strip_suffix('/'));
            apps.extend(names.filter_map(|name| name.parse::<AppName>().ok()));
        }
        apps.sort();
        Ok(apps)
    }

    async fn keep(&self, artifact: &Artifact, region: &str) -> Result<Option<CodeLocation>, Fault> {
        const OPERATION: &str = "s3:PutObject";
        if self.region.as_deref() != Some(region) {
            return Ok(None);
        }
        let key = format!("{}artifacts/{}.zip", self.folder(), artifact.sha256);
        if !self.has(&key).await? {
            let unreadable = |message: String| Fault::refused(OPERATION, self.url(&key), FaultKind::Other, message);
            let body = ByteStream::from_path(&artifact.path)
                .await
                .map_err(|error| unreadable(error.to_string()))?;
            let request = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(&key)
                .content_type("application/zip");
            let sent = request
                .body(body)
                .customize()
                .config_override(Builder::new().timeout_config(upload()))
                .send()
                .await;
            sent.map_err(|error| fault::of(OPERATION, self.url(&key), &error))?;
        }
        Ok(Some(CodeLocation::Bucket {
            bucket: self.bucket.clone(),
            key,
        }))
    }
}

/// A client, and the Region that it calls. No call is made.
async fn client(access: &Access) -> (Client, Option<String>) {
    let shared = aws::configuration(access).await;
    // With an endpoint that is not AWS's there is no DNS name for each bucket.
    let path_style = shared.endpoint_url().is_some();
    let configuration = Builder::from(&shared).force_path_style(path_style).build();
    (
        Client::from_conf(configuration),
        shared.region().map(ToString::to_string),
    )
}

/// Makes a bucket for states: nobody else can be let in, every version is kept, and all of it is encrypted. A bucket that
/// is ours already becomes so, too.
///
/// # Errors
///
/// A [`Fault`] with the code `BucketAlreadyExists` where the name is somebody else's: names of buckets are global.
pub async fn create(access: &Access, bucket: &str) -> Result<Made, Fault> {
    let (client, region) = client(access).await;
    let made = make(&client, region.as_deref(), bucket).await?;
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let blocked = client.put_public_access_block().bucket(bucket);
    let blocked = blocked.public_access_block_configuration(block).send().await;
    blocked.map_err(|error| fault::of("s3:PutBucketPublicAccessBlock", bucket, &error))?;
    let kept = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versioned = client.put_bucket_versioning().bucket(bucket);
    let versioned = versioned.versioning_configuration(kept.build()).send().await;
    versioned.map_err(|error| fault::of("s3:PutBucketVersioning", bucket, &error))?;
    encrypt(&client, bucket).await?;
    Ok(made)
}

/// Whether a bucket is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was made now.
    Now,
    /// It was ours before.
    Before,
}

/// In us-east-1 S3 takes no location, and making a bucket of one's own once more is a success.
async fn make(client: &Client, region: Option<&str>, bucket: &str) -> Result<Made, Fault> {
    const OPERATION: &str = "s3:CreateBucket";
    if client.head_bucket().bucket(bucket).send().await.is_ok() {
        return Ok(Made::Before);
    }
    let location = region.filter(|region| *region != "us-east-1").map(|region| {
        let constraint = BucketLocationConstraint::from(region);
        CreateBucketConfiguration::builder()
            .location_constraint(constraint)
            .build()
    });
    let request = client.create_bucket().bucket(bucket);
    match request.set_create_bucket_configuration(location).send().await {
        Ok(_) => Ok(Made::Now),
        Err(error) => match fault::of(OPERATION, bucket, &error) {
            ours if ours.code == "BucketAlreadyOwnedByYou" => Ok(Made::Before),
            fault => Err(fault),
        },
    }
}

async fn encrypt(client: &Client, bucket: &str) -> Result<(), Fault> {
    const OPERATION: &str = "s3:PutEncryptionConfiguration";
    let broken = |message: String| Fault::refused(OPERATION, bucket, FaultKind::Invalid, message);
    let by_s3 = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
    let by_s3 = by_s3.build().map_err(|error| broken(error.to_string()))?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_s3);
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
    let rules = rules.build().map_err(|error| broken(error.to_string()))?;
    let sent = client.put_bucket_encryption().bucket(bucket);
    let sent = sent.server_side_encryption_configuration(rules).send().await;
    sent.map(drop).map_err(|error| fault::of(OPERATION, bucket, &error))
}

/// Up to 250 MB over a slow line.
fn upload() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(900))
        .operation_timeout(Duration::from_secs(1800))
        .build()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

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
                .http_client(aws::http_client())
                .credentials_provider(credentials)
                .endpoint_url(&self.endpoint)
                .force_path_style(true);
            Client::from_conf(configuration.build())
        }

        async fn bucket(&self, name: &str) -> Bucket {
            self.client().create_bucket().bucket(name).send().await.unwrap();
            self.store(name)
        }

        fn store(&self, name: &str) -> Bucket {
            Bucket {
                client: self.client(),
                region: Some("us-east-1".to_owned()),
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
            emulator.bucket("race").await;
        });
        let writers = (0..8).map(|_| Box::new(emulator.store("race")) as Box<dyn Store>);
        contract::one_of_many_wins(writers.collect());
    }

    #[tokio::test]
    async fn a_zip_is_uploaded_once_and_only_to_a_bucket_of_the_functions_region() {
        let emulator = Emulator::start();
        let store = emulator.bucket("zips").await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.zip");
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), b"zip").unwrap();
        let artifact = Artifact {
            sha256: "ab12".to_owned(),
            size_bytes: 3,
            path,
        };
        let key = "states/shop/artifacts/ab12.zip".to_owned();
        let kept = store.keep(&artifact, "us-east-1").await.unwrap();
        assert_eq!(
            kept,
            Some(CodeLocation::Bucket {
                bucket: "zips".to_owned(),
                key: key.clone()
            })
        );
        assert_eq!(store.keep(&artifact, "eu-west-1").await.unwrap(), None);
        // The second time there is nothing to send: the file may be gone.
        drop(folder);
        assert!(store.keep(&artifact, "us-east-1").await.is_ok());
        assert_eq!(store.stages().await.unwrap(), []);
    }
}
