//! The store that is a bucket: one object a stage, changed by S3's conditional writes.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use aws_sdk_s3::types::{
    self, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Delete, ObjectIdentifier,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::store::{Condition, Leftover, Store, Stored, Version, Written};
use crate::app::Artifact;
use crate::aws::answered::Answered;
use crate::aws::{self, Access, fault};
use crate::fault::{Fault, FaultKind};
use crate::names::{AppName, StageName, Timestamp};
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

    fn artifact(&self, sha256: &str) -> String {
        format!("{}artifacts/{sha256}.zip", self.folder())
    }

    fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Whether an object is there with this content. Its name alone proves nothing: whoever may deploy a preview may perhaps
    /// write here, and S3 itself has counted the digest.
    async fn has(&self, key: &str, digest: &str) -> Result<bool, Fault> {
        let request = self.client.head_object().bucket(&self.bucket).key(key);
        let found = request.checksum_mode(ChecksumMode::Enabled).send().await;
        match found.map_err(|error| fault::of("s3:HeadObject", self.url(key), &error)) {
            Ok(found) => Ok(found.checksum_sha256() == Some(digest)),
            Err(fault) if fault.kind == FaultKind::Absent => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    fn identifier(&self, leftover: &Leftover) -> Result<ObjectIdentifier, BuildError> {
        let object = ObjectIdentifier::builder();
        match leftover {
            Leftover::Artifact { sha256, .. } => object.key(self.artifact(sha256)),
            Leftover::Version {
                object: key, version, ..
            } => object.key(key).version_id(version),
        }
        .build()
    }

    /// One of many objects that could not be removed. IAM asks for another action where a version is named.
    fn refused(&self, refusal: &types::Error) -> Fault {
        let operation = match refusal.version_id() {
            None | Some("") => "s3:DeleteObject",
            Some(_) => "s3:DeleteObjectVersion",
        };
        let code = refusal.code().unwrap_or_default();
        let kind = match code {
            "AccessDenied" => FaultKind::Denied,
            "SlowDown" => FaultKind::Throttled,
            _ => FaultKind::Other,
        };
        let message = format!("{} ({code})", refusal.message().unwrap_or_default());
        Fault::refused(operation, self.url(refusal.key().unwrap_or_default()), kind, message)
    }

    async fn artifacts(&self) -> Result<Vec<Leftover>, Fault> {
        let folder = format!("{}artifacts/", self.folder());
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&folder);
        let mut artifacts = Vec::new();
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault::of("s3:ListBucket", self.url(&folder), &error))?;
            artifacts.extend(page.contents().iter().filter_map(|object| {
                let sha256 = object.key()?.strip_prefix(&folder)?.strip_suffix(".zip")?.to_owned();
                let since = moment(object.last_modified())?;
                Some(Leftover::Artifact { sha256, since })
            }));
        }
        Ok(artifacts)
    }

    /// The history of every object of the app, current versions among them; only these where the bucket keeps no others.
    async fn history(&self) -> Result<Vec<Past>, Fault> {
        const OPERATION: &str = "s3:ListBucketVersions";
        let folder = self.folder();
        let mut history = Vec::new();
        let mut after: (Option<String>, Option<String>) = (None, None);
        loop {
            let request = self.client.list_object_versions().bucket(&self.bucket).prefix(&folder);
            let request = request
                .set_key_marker(after.0.take())
                .set_version_id_marker(after.1.take());
            let page = request.send().await;
            let page = page.map_err(|error| fault::of(OPERATION, self.url(&folder), &error))?;
            history.extend(page.versions().iter().filter_map(|version| {
                let of = (version.key(), version.version_id(), version.last_modified());
                Past::new(of, version.is_latest(), Content::Body)
            }));
            history.extend(page.delete_markers().iter().filter_map(|marker| {
                let of = (marker.key(), marker.version_id(), marker.last_modified());
                Past::new(of, marker.is_latest(), Content::Removal)
            }));
            after = (page.next_key_marker, page.next_version_id_marker);
            if page.is_truncated != Some(true) || after.0.is_none() {
                return Ok(history);
            }
        }
    }

    /// Whether an object is one of those whose former versions are collected: a state, or a zip.
    fn part(&self, key: &str) -> Option<Part> {
        let rest = key.strip_prefix(&self.folder())?;
        match rest.split_once('/') {
            None => rest.ends_with(".json").then_some(Part::State),
            Some(("artifacts", zip)) => zip.ends_with(".zip").then_some(Part::Artifact),
            Some(_) => None,
        }
    }
}

/// What an object of the app is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    State,
    Artifact,
}

/// One entry in the history of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Past {
    key: String,
    version: String,
    at: Timestamp,
    is_current: bool,
    content: Content,
}

/// What an entry in the history of an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The object as it was written.
    Body,
    /// The object was removed.
    Removal,
}

impl Past {
    /// What S3 says of an entry; `None` where it does not say enough.
    fn new(
        (key, version, at): (Option<&str>, Option<&str>, Option<&DateTime>),
        is_current: Option<bool>,
        content: Content,
    ) -> Option<Self> {
        Some(Self {
            key: key?.to_owned(),
            version: version?.to_owned(),
            at: moment(at)?,
            is_current: is_current?,
            content,
        })
    }
}

/// What of an object's history is not served any more: a version is former since the next one was written. Of an object
/// that was removed, a zip's history goes and at last the removal itself, while a state's is all that is left of it.
fn former(part: Part, mut history: Vec<Past>) -> Vec<Leftover> {
    history.sort_by_key(|past| (!past.is_current, std::cmp::Reverse(past.at)));
    let leftover = |past: &Past, since| Leftover::Version {
        object: past.key.clone(),
        version: past.version.clone(),
        since,
    };
    match history.as_slice() {
        [current, ..] if !current.is_current => Vec::new(),
        [removal, ..] if removal.content == Content::Removal && part == Part::State => Vec::new(),
        [removal] if removal.content == Content::Removal => vec![leftover(removal, removal.at)],
        all => all.windows(2).map(|pair| leftover(&pair[1], pair[0].at)).collect(),
    }
}

fn moment(at: Option<&DateTime>) -> Option<Timestamp> {
    let moment = jiff::Timestamp::from_second(at?.secs()).ok()?;
    Some(Timestamp::new(moment))
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
        let answered = Answered::default();
        let request = self.client.get_object().bucket(&self.bucket).key(&key);
        let found = match request.customize().interceptor(answered.clone()).send().await {
            Ok(found) => found,
            Err(error) => match fault::of(OPERATION, self.url(&key), &error) {
                absent if absent.code == "NoSuchKey" => return Ok(None),
                fault => return Err(fault),
            },
        };
        let broken = |message: String| Fault::refused(OPERATION, self.url(&key), FaultKind::Unreachable, message);
        let version = found.e_tag.ok_or_else(|| broken("the answer has no ETag".to_owned()))?;
        // Without a `Date` it is at least so late as the object is old.
        let at = answered.at().or_else(|| moment(found.last_modified.as_ref()));
        let at = at.ok_or_else(|| broken("the answer has no date".to_owned()))?;
        let body = found.body.collect().await.map_err(|error| broken(error.to_string()))?;
        Ok(Some(Stored {
            body: body.to_vec(),
            version: Version(version),
            at,
        }))
    }

    /// The SDK's own retries are off: a retry after a lost answer would be refused by our own first write.
    async fn write(&self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
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
        let answered = Answered::default();
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let sent = request
            .body(ByteStream::from(body))
            .customize()
            .config_override(once)
            .interceptor(answered.clone())
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
            Some(version) => Ok(Written {
                version: Version(version),
                // A store that tells no time: what is late is then looked at with the next run.
                at: answered.at().unwrap_or(Timestamp::new(jiff::Timestamp::UNIX_EPOCH)),
            }),
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
        let key = self.artifact(&artifact.sha256);
        let digest = in_base64(&artifact.sha256);
        if !self.has(&key, &digest).await? {
            let unreadable = |message: String| Fault::refused(OPERATION, self.url(&key), FaultKind::Other, message);
            let body = ByteStream::from_path(&artifact.path)
                .await
                .map_err(|error| unreadable(error.to_string()))?;
            let request = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(&key)
                .checksum_sha256(digest)
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

    async fn leftovers(&self) -> Result<Vec<Leftover>, Fault> {
        let mut leftovers = self.artifacts().await?;
        let mut by_key: BTreeMap<String, Vec<Past>> = BTreeMap::new();
        for past in self.history().await? {
            by_key.entry(past.key.clone()).or_default().push(past);
        }
        for (key, history) in by_key {
            let part = self.part(&key);
            leftovers.extend(part.into_iter().flat_map(|part| former(part, history.clone())));
        }
        Ok(leftovers)
    }

    async fn discard(&self, leftovers: &[Leftover]) -> Result<(), Fault> {
        const OPERATION: &str = "s3:DeleteObject";
        let broken = |message: String| Fault::refused(OPERATION, self.url(&self.folder()), FaultKind::Invalid, message);
        for batch in leftovers.chunks(AT_ONCE) {
            let objects: Result<Vec<_>, _> = batch.iter().map(|leftover| self.identifier(leftover)).collect();
            let objects = objects.map_err(|error| broken(error.to_string()))?;
            let listed = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let request = self.client.delete_objects().bucket(&self.bucket);
            let sent = request
                .delete(listed.map_err(|error| broken(error.to_string()))?)
                .send()
                .await;
            let answer = sent.map_err(|error| fault::of(OPERATION, self.url(&self.folder()), &error))?;
            if let Some(refusal) = answer.errors().first() {
                return Err(self.refused(refusal));
            }
        }
        Ok(())
    }
}

/// The most objects that S3 removes with one call.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
const AT_ONCE: usize = 1000;

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

/// A digest as S3 writes it.
fn in_base64(hexadecimal: &str) -> String {
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Vec<u8> = hexadecimal.as_bytes().chunks(2).filter_map(byte).collect();
    BASE64_STANDARD.encode(bytes)
}

/// Up to 250 MB over a slow line.
fn upload() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(900))
        .operation_timeout(Duration::from_secs(1800))
        .build()
}

#[cfg(test)]
#[path = "s3_tests.rs"]
mod tests;
