//! The store that is a bucket: one object a stage, changed by S3's conditional writes.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{self, ChecksumMode, Delete, ObjectIdentifier};
use aws_smithy_types::DateTime;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::store::{Condition, Former, Leftover, Store, Stored, Version, Written};
use crate::app::Artifact;
use crate::aws::answered::Answered;
use crate::aws::{Access, fault};
use crate::fault::{Fault, FaultKind};
use crate::names::{AppName, StageName, Timestamp};
use crate::resource::CodeLocation;

pub use self::condition::look;
pub use self::made::{Made, create};

mod condition;
mod history;
mod made;

/// A bucket, with the states of one app at `prefix/APP/STAGE.json`.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    region: Option<String>,
    endpoint: Option<String>,
    bucket: String,
    /// Empty, or ending in a slash.
    prefix: String,
    app: AppName,
}

impl Bucket {
    /// Opens a bucket. No call is made.
    pub async fn open(access: &Access, bucket: String, prefix: &str, app: AppName) -> Self {
        let Reached {
            client,
            region,
            endpoint,
        } = client(access).await;
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Self {
            client,
            region,
            endpoint,
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

    /// Sends a zip from its file, piece by piece.
    async fn send(&self, artifact: &Artifact, key: &str, if_none_match: Option<&str>) -> Result<(), Fault> {
        const OPERATION: &str = "s3:PutObject";
        let unreadable = |message: String| Fault::refused(OPERATION, self.url(key), FaultKind::Other, message);
        let body = ByteStream::from_path(&artifact.path)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .set_if_none_match(if_none_match.map(ToOwned::to_owned))
            .checksum_sha256(in_base64(&artifact.sha256))
            .content_type("application/zip");
        let sent = request
            .body(body)
            .customize()
            .config_override(Builder::new().timeout_config(upload()))
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, self.url(key), &error))
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

    fn endpoint(&self) -> Option<String> {
        self.endpoint.clone()
    }

    fn shared(&self) -> Box<dyn Store> {
        Box::new(Self {
            app: AppName::shared(),
            ..self.clone()
        })
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
                at: answered.at(),
            }),
            None => {
                let message = "no ETag came back".to_owned();
                Err(Fault::refused(OPERATION, self.url(&key), FaultKind::Other, message).of_a_begun_step())
            }
        }
    }

    async fn former(&self, stage: &StageName) -> Result<Vec<Former>, Fault> {
        self.former_states(stage).await
    }

    async fn read_former(&self, stage: &StageName, version: &str) -> Result<Option<Vec<u8>>, Fault> {
        // IAM asks for another action where a version is named.
        const OPERATION: &str = "s3:GetObjectVersion";
        let key = self.key(stage);
        let request = self.client.get_object().bucket(&self.bucket).key(&key);
        let found = match request.version_id(version).send().await {
            Ok(found) => found,
            Err(error) => match fault::of(OPERATION, self.url(&key), &error) {
                absent if ["NoSuchVersion", "NoSuchKey"].contains(&absent.code.as_str()) => return Ok(None),
                fault => return Err(fault),
            },
        };
        let body =
            found.body.collect().await.map_err(|error| {
                Fault::refused(OPERATION, self.url(&key), FaultKind::Unreachable, error.to_string())
            })?;
        Ok(Some(body.to_vec()))
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
            let apps_here = names.filter_map(|name| name.parse::<AppName>().ok());
            apps.extend(apps_here.filter(|app| *app != AppName::shared()));
        }
        apps.sort();
        Ok(apps)
    }

    fn keeps_for(&self, region: &str) -> bool {
        self.region.as_deref() == Some(region)
    }

    async fn keep(&self, artifact: &Artifact, region: &str) -> Result<Option<CodeLocation>, Fault> {
        if !self.keeps_for(region) {
            return Ok(None);
        }
        let key = self.artifact(&artifact.sha256);
        let digest = in_base64(&artifact.sha256);
        // A small zip is sent at once: to ask whether it is there takes as long as to send it.
        let is_there = match artifact.size_bytes <= SENT_AT_ONCE_BYTES {
            true => match self.send(artifact, &key, Some("*")).await {
                Err(fault) if fault.kind == FaultKind::Condition => self.has(&key, &digest).await?,
                sent => sent.map(|()| true)?,
            },
            false => self.has(&key, &digest).await?,
        };
        if !is_there {
            self.send(artifact, &key, None).await?;
        }
        Ok(Some(CodeLocation::Bucket {
            bucket: self.bucket.clone(),
            key,
        }))
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, Fault> {
        self.kept_beside().await
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

/// Bytes up to which a zip is sent without asking first whether it is there.
const SENT_AT_ONCE_BYTES: u64 = 1024 * 1024;

/// A client, and whom it calls.
struct Reached {
    client: Client,
    region: Option<String>,
    /// Where it is not AWS's own.
    endpoint: Option<String>,
}

/// Opens a client. No call is made.
async fn client(access: &Access) -> Reached {
    let shared = access.pool.configuration(access).await;
    // With an endpoint that is not AWS's there is no DNS name for each bucket.
    let path_style = shared.endpoint_url().is_some();
    let configuration = Builder::from(&shared).force_path_style(path_style);
    let configuration = configuration.interceptor(access.pool.calls()).build();
    Reached {
        client: Client::from_conf(configuration),
        region: shared.region().map(ToString::to_string),
        endpoint: shared.endpoint_url().map(ToOwned::to_owned),
    }
}

fn moment(at: Option<&DateTime>) -> Option<Timestamp> {
    let moment = jiff::Timestamp::from_second(at?.secs()).ok()?;
    Some(Timestamp::new(moment))
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
