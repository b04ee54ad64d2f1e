//! The bucket itself: how one for states is made.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};

use super::{Reached, client};
use crate::aws::{Access, fault};
use crate::fault::{Fault, FaultKind};

/// Makes a bucket for states: nobody else can be let in, every version is kept, and all of it is encrypted. A bucket that
/// is ours already becomes so, too.
///
/// # Errors
///
/// A [`Fault`] with the code `BucketAlreadyExists` where the name is somebody else's: names of buckets are global.
pub async fn create(access: &Access, bucket: &str) -> Result<Made, Fault> {
    let Reached { client, region, .. } = client(access).await;
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
