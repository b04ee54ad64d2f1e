//! What a bucket is like that keeps states: where it is, whether it keeps versions, whom it lets in.

use aws_sdk_s3::types::BucketVersioningStatus;

use super::{Reached, client};
use crate::aws::{Access, fault};
use crate::fault::{Fault, FaultKind};

/// A bucket that can be reached. What may not be asked is told as its fault.
#[derive(Debug)]
pub struct BucketCondition {
    /// Where it is, as far as S3 says.
    pub region: Option<String>,
    /// Where it was reached, if that is not AWS's own address.
    pub endpoint: Option<String>,
    /// Whether former versions are kept.
    pub is_versioned: Result<bool, Fault>,
    /// Whether nobody can let the public in.
    pub is_private: Result<bool, Fault>,
}

/// Looks at a bucket.
///
/// # Errors
///
/// It cannot be reached, or there is none of this name.
pub async fn look(access: &Access, bucket: &str) -> Result<BucketCondition, Fault> {
    let reached = client(access).await;
    let found = reached.client.head_bucket().bucket(bucket).send().await;
    // An answer to HEAD has no body that could bear S3's own code.
    let found = found.map_err(|error| match fault::of("s3:ListBucket", bucket, &error) {
        absent if absent.kind == FaultKind::Absent => Fault {
            code: "NoSuchBucket".to_owned(),
            message: "there is no such bucket".to_owned(),
            ..absent
        },
        fault => fault,
    })?;
    Ok(BucketCondition {
        region: found.bucket_region,
        is_versioned: is_versioned(&reached, bucket).await,
        is_private: is_private(&reached, bucket).await,
        endpoint: reached.endpoint,
    })
}

async fn is_versioned(reached: &Reached, bucket: &str) -> Result<bool, Fault> {
    let answer = reached.client.get_bucket_versioning().bucket(bucket).send().await;
    let answer = answer.map_err(|error| fault::of("s3:GetBucketVersioning", bucket, &error))?;
    Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
}

async fn is_private(reached: &Reached, bucket: &str) -> Result<bool, Fault> {
    let answer = reached.client.get_public_access_block().bucket(bucket).send().await;
    let answer = answer.map_err(|error| fault::of("s3:GetBucketPublicAccessBlock", bucket, &error));
    let block = match answer {
        Ok(answer) => answer.public_access_block_configuration,
        Err(fault) if fault.code == "NoSuchPublicAccessBlockConfiguration" => None,
        Err(fault) => return Err(fault),
    };
    Ok(block.is_some_and(|block| {
        [
            block.block_public_acls,
            block.ignore_public_acls,
            block.block_public_policy,
            block.restrict_public_buckets,
        ]
        .iter()
        .all(|part| *part == Some(true))
    }))
}
