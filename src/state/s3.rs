//! The store that is a bucket: one object a stage, changed by S3's conditional writes.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
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
        let shared = aws::configuration(access).await;
        // With an endpoint that is not AWS's there is no DNS name for each bucket.
        let path_style = shared.endpoint_url().is_some();
        let configuration = Builder::from(&shared).force_path_style(path_style).build();
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let region = shared.region().map(ToString::to_string);
        Self {
            client: Client::from_conf(configuration),
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
    fn identity(&self) -> String {
        self.url(self.prefix.trim_end_matches('/'))
            .trim_end_matches('/')
            .to_owned()
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
            None => Err(Fault::refused(
                OPERATION,
                self.url(&key),
                FaultKind::Other,
                "no ETag came back".to_owned(),
            )),
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

/// Up to 250 MB over a slow line.
fn upload() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(900))
        .operation_timeout(Duration::from_secs(1800))
        .build()
}
