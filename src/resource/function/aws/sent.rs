//! How a zip gets to Lambda: from a bucket of the same Region, or with the call itself.

use std::path::Path;
use std::time::Duration;

use aws_sdk_lambda::config::Builder;
use aws_smithy_types::Blob;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::fault::{Fault, FaultKind};
use crate::resource::{CodeLocation, Context};

/// A zip as a call names it: either the bytes, or a bucket and a key.
#[derive(Debug, Default)]
pub struct Zip {
    /// The zip itself.
    pub inline: Option<Blob>,
    /// The bucket that it lies in.
    pub bucket: Option<String>,
    /// Its key in the bucket.
    pub key: Option<String>,
}

impl Zip {
    /// A call that carries the zip itself takes longer than others.
    pub fn patience(&self) -> Builder {
        if self.inline.is_none() {
            return Builder::new();
        }
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(300))
            .operation_timeout(Duration::from_secs(300));
        Builder::new().timeout_config(timeouts.build())
    }
}

/// Finds a zip by its SHA-256, and reads it where it is to be sent.
///
/// # Errors
///
/// [`FaultKind::Invalid`]: this run did not package it, or it cannot be read.
pub async fn zip((operation, name): (&'static str, &str), sha256: &str, context: &Context) -> Result<Zip, Fault> {
    let refused = |message: String| Fault::refused(operation, name, FaultKind::Invalid, message);
    match context.code.get(sha256) {
        Some(CodeLocation::Bucket { bucket, key }) => Ok(Zip {
            inline: None,
            bucket: Some(bucket.clone()),
            key: Some(key.clone()),
        }),
        Some(CodeLocation::Inline(path)) => Ok(Zip {
            inline: Some(read(path).await.map_err(refused)?),
            ..Zip::default()
        }),
        None => Err(refused("its zip was not packaged by this run".to_owned())),
    }
}

async fn read(path: &Path) -> Result<Blob, String> {
    let bytes = tokio::fs::read(path).await;
    bytes
        .map(Blob::new)
        .map_err(|error| format!("its zip cannot be read: {error}"))
}
