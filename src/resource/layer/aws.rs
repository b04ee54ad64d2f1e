//! The calls for layers.

use aws_sdk_lambda::types::{
    Architecture as AwsArchitecture, LayerVersionContentInput, LayerVersionContentOutput, LayerVersionsListItem,
    Runtime,
};
use aws_smithy_types::retry::RetryConfig;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{Layer, Outputs};
use crate::app::Architecture;
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;
use crate::resource::function::aws::sent::zip;
use crate::resource::function::aws::stands::is_code;

/// Publishes a version, unless one of this content stands already: each call makes another version, so that one whose
/// answer was lost is not made again.
pub async fn create(clients: &Clients, wanted: &Layer, context: &Context) -> Result<Outputs, Fault> {
    if let Some(found) = look(clients, (wanted, None), context).await? {
        return Ok(found);
    }
    const OPERATION: &str = "lambda:PublishLayerVersion";
    let name = &wanted.name;
    let zip = zip((OPERATION, name), &wanted.code, context).await?;
    let once = zip.patience().retry_config(RetryConfig::disabled());
    let content = LayerVersionContentInput::builder()
        .set_zip_file(zip.inline)
        .set_s3_bucket(zip.bucket)
        .set_s3_key(zip.key)
        .build();
    let request = clients
        .lambda
        .publish_layer_version()
        .layer_name(name)
        .content(content)
        .compatible_runtimes(Runtime::from(wanted.runtime.as_str()))
        .compatible_architectures(architecture(wanted.architecture));
    let published = wait::throttled(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = request.clone().customize().config_override(once.clone());
        request.send().await.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    Ok(Outputs {
        arn: published.layer_version_arn.unwrap_or_default(),
    })
}

/// Looks for it again, and publishes it where it is gone: a version never changes.
pub async fn update(
    clients: &Clients,
    (_, to): (Option<&Layer>, &Layer),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    match look(clients, (to, Some(outputs)), context).await? {
        Some(found) => Ok(found),
        None => create(clients, to, context).await,
    }
}

/// Removes a version. Functions that have it keep it.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:DeleteLayerVersion";
    let arn = &outputs.arn;
    let Some((name, version)) = version_of(arn) else {
        let message = "this is no ARN of a version of a layer".to_owned();
        return Err(Fault::refused(OPERATION, arn, FaultKind::Invalid, message));
    };
    let deleted = wait::throttled(clients, (OPERATION, arn), async || {
        context.hold.cover(OPERATION, arn)?;
        let request = clients.lambda.delete_layer_version().layer_name(name);
        let sent = request.version_number(version).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, arn, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        deleted => deleted,
    }
}

/// Looks for it: for the known version, or else for one of this name and content.
pub async fn look(
    clients: &Clients,
    (wanted, known): (&Layer, Option<&Outputs>),
    _: &Context,
) -> Result<Option<Outputs>, Fault> {
    if let Some(known) = known
        && digest(clients, &known.arn).await?.is_some()
    {
        return Ok(Some(known.clone()));
    }
    let same = same(clients, wanted, First::Only).await?;
    Ok(same.into_iter().next())
}

/// The other versions of this name and content.
pub async fn twins(clients: &Clients, wanted: &Layer, stands: &Outputs) -> Result<Vec<Outputs>, Fault> {
    let same = same(clients, wanted, First::AndAllOthers).await?;
    Ok(same.into_iter().filter(|found| found != stands).collect())
}

/// Whether what stands has the wanted content, whoever zipped it.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Layer, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let Some(found) = content(clients, &outputs.arn).await? else {
        return Ok(false);
    };
    let of = (found.code_sha256.as_deref(), found.location.as_deref());
    Ok(is_code(&wanted.code, of, context).await)
}

/// How many are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Only,
    AndAllOthers,
}

/// Versions of this name and content, the newest first. A list does not tell a version's content: it is asked for of each.
async fn same(clients: &Clients, wanted: &Layer, how_many: First) -> Result<Vec<Outputs>, Fault> {
    let content = base64_of(&wanted.code);
    let mut found = Vec::new();
    for version in versions(clients, wanted).await? {
        let Some(arn) = version.layer_version_arn else { continue };
        let digest = digest(clients, &arn).await?;
        if digest.is_some() && digest == content {
            found.push(Outputs { arn });
            if how_many == First::Only {
                break;
            }
        }
    }
    Ok(found)
}

async fn versions(clients: &Clients, wanted: &Layer) -> Result<Vec<LayerVersionsListItem>, Fault> {
    const OPERATION: &str = "lambda:ListLayerVersions";
    let name = &wanted.name;
    let listed = wait::throttled(clients, (OPERATION, name), async || {
        let request = clients
            .lambda
            .list_layer_versions()
            .layer_name(name)
            .compatible_runtime(Runtime::from(wanted.runtime.as_str()))
            .compatible_architecture(architecture(wanted.architecture));
        let versions: Result<Vec<_>, _> = request.into_paginator().items().send().try_collect().await;
        versions.map_err(|error| fault::of(OPERATION, name, &error))
    });
    match listed.await {
        Ok(mut versions) => {
            versions.sort_by_key(|version| std::cmp::Reverse(version.version));
            Ok(versions)
        }
        Err(fault) if fault.kind == FaultKind::Absent => Ok(Vec::new()),
        Err(fault) => Err(fault),
    }
}

/// SHA-256 of a version's zip as AWS tells it, in base64; `None` where there is no such version.
async fn digest(clients: &Clients, arn: &str) -> Result<Option<String>, Fault> {
    let found = content(clients, arn).await?;
    Ok(found.map(|content| content.code_sha256.unwrap_or_default()))
}

async fn content(clients: &Clients, arn: &str) -> Result<Option<LayerVersionContentOutput>, Fault> {
    const OPERATION: &str = "lambda:GetLayerVersion";
    let Some((name, version)) = version_of(arn) else {
        return Ok(None);
    };
    let found = wait::throttled(clients, (OPERATION, arn), async || {
        let request = clients.lambda.get_layer_version().layer_name(name);
        let sent = request.version_number(version).send().await;
        sent.map_err(|error| fault::of(OPERATION, arn, &error))
    });
    match found.await {
        Ok(found) => Ok(Some(
            found
                .content
                .unwrap_or_else(|| LayerVersionContentOutput::builder().build()),
        )),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The layer's name and the version of a version's ARN: `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`.
fn version_of(arn: &str) -> Option<(&str, i64)> {
    let (layer, version) = arn.rsplit_once(':')?;
    let (_, name) = layer.rsplit_once(":layer:")?;
    Some((name, version.parse().ok()?))
}

/// A SHA-256 in hexadecimal digits as AWS writes it.
fn base64_of(hexadecimal: &str) -> Option<String> {
    let digits = hexadecimal.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.map(byte).collect();
    bytes.map(|bytes| BASE64_STANDARD.encode(bytes))
}

fn architecture(architecture: Architecture) -> AwsArchitecture {
    match architecture {
        Architecture::X86_64 => AwsArchitecture::X8664,
        Architecture::Arm64 => AwsArchitecture::Arm64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_by_the_end_of_its_arn() {
        let layer = "arn:aws:lambda:eu-west-1:123456789012:layer:shop-prod-managed-layer";
        assert_eq!(
            version_of(&format!("{layer}:12")),
            Some(("shop-prod-managed-layer", 12))
        );
        assert_eq!(version_of(layer), None);
    }

    #[test]
    fn a_digest_is_written_as_aws_writes_it() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            base64_of(empty).as_deref(),
            Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        );
        assert_eq!(base64_of("no digest"), None);
    }
}
