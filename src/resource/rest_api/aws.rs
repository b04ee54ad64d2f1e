//! The calls for REST APIs.

use aws_sdk_apigateway::config::Builder;
use aws_sdk_apigateway::operation::get_rest_api::GetRestApiOutput;
use aws_sdk_apigateway::types::{self, Op, PatchOperation, PutMode};
use aws_smithy_types::Blob;
use aws_smithy_types::retry::RetryConfig;

use super::{Outputs, RestApi};
use crate::aws::pace::quota::Quota;
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::marked::{Marked, Search};
use crate::resource::{self, Context, Owner};

pub use self::stands::stands_as;

mod stands;

/// Imports the document as a new REST API, or into the one that bears our mark already.
///
/// Names are not unique in API Gateway and an import has no token: it is never retried, and one look by our mark
/// comes before it, so that an API whose record was lost is found again and no second one is made.
pub async fn create(clients: &Clients, api: &RestApi, context: &Context) -> Result<Outputs, Fault> {
    if let Some(found) = look(clients, api).await? {
        return update(clients, (None, api), &found, context)
            .await
            .map_err(Fault::of_a_begun_step);
    }
    const OPERATION: &str = "apigateway:ImportRestApi";
    let name = name(api);
    let quota = Quota::of_new_rest_api(&api.endpoint_type);
    let imported = wait::throttled_by(clients, quota, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .api_gateway
            .import_rest_api()
            .parameters("endpointConfigurationTypes", &api.endpoint_type)
            .body(body(api))
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        request.send().await.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    let outputs = Outputs {
        id: imported.id.unwrap_or_default(),
    };
    if let Some(size) = api.minimum_compression_size {
        patch(clients, &outputs, vec![compression(Some(size))], context)
            .await
            .map_err(Fault::of_a_begun_step)?;
    }
    Ok(outputs)
}

/// Overwrites the document, and patches what stands beside it.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&RestApi>, &RestApi),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let is_overwritten = from.is_none_or(|from| from.document != to.document);
    if is_overwritten {
        overwrite(clients, to, outputs, context).await?;
    }
    let mut patches = Vec::new();
    // What the document does not say is set again after it was overwritten.
    let is_reset = is_overwritten && to.minimum_compression_size.is_some();
    if is_reset || from.map(|from| from.minimum_compression_size) != Some(to.minimum_compression_size) {
        patches.push(compression(to.minimum_compression_size));
    }
    let endpoint_type = match from {
        Some(from) => from.endpoint_type.clone(),
        None => endpoint_type(clients, outputs).await?,
    };
    if endpoint_type != to.endpoint_type {
        let path = format!("/endpointConfiguration/types/{endpoint_type}");
        patches.push(
            PatchOperation::builder()
                .op(Op::Replace)
                .path(path)
                .value(&to.endpoint_type)
                .build(),
        );
    }
    if !patches.is_empty() {
        patch(clients, outputs, patches, context).await?;
    }
    Ok(outputs.clone())
}

async fn overwrite(clients: &Clients, api: &RestApi, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:PutRestApi";
    wait::throttled(clients, (OPERATION, &outputs.id), async || {
        context.hold.cover(OPERATION, &outputs.id)?;
        let request = clients
            .api_gateway
            .put_rest_api()
            .rest_api_id(&outputs.id)
            .mode(PutMode::Overwrite)
            .body(body(api));
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| fault::of(OPERATION, &outputs.id, &error))
    })
    .await
}

async fn patch(
    clients: &Clients,
    outputs: &Outputs,
    patches: Vec<PatchOperation>,
    context: &Context,
) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:UpdateRestApi";
    wait::throttled(clients, (OPERATION, &outputs.id), async || {
        context.hold.cover(OPERATION, &outputs.id)?;
        let request = clients.api_gateway.update_rest_api().rest_api_id(&outputs.id);
        let request = request.set_patch_operations(Some(patches.clone()));
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| fault::of(OPERATION, &outputs.id, &error))
    })
    .await
}

/// Without a value compression is turned off.
fn compression(size: Option<u32>) -> PatchOperation {
    let value = size.map(|size| size.to_string()).unwrap_or_default();
    PatchOperation::builder()
        .op(Op::Replace)
        .path("/minimumCompressionSize")
        .value(value)
        .build()
}

async fn endpoint_type(clients: &Clients, outputs: &Outputs) -> Result<String, Fault> {
    let found = get(clients, &outputs.id).await?;
    let types = found
        .endpoint_configuration
        .and_then(|configuration| configuration.types)
        .unwrap_or_default();
    Ok(types.first().map_or("EDGE", |kind| kind.as_str()).to_owned())
}

/// Removes a REST API, with all that it serves.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteRestApi";
    let deleted = wait::throttled(clients, (OPERATION, &outputs.id), async || {
        context.hold.cover(OPERATION, &outputs.id)?;
        let sent = clients
            .api_gateway
            .delete_rest_api()
            .rest_api_id(&outputs.id)
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, &outputs.id, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        deleted => deleted,
    }
}

/// Looks for a REST API whose id is known.
pub async fn find(clients: &Clients, known: &Outputs) -> Result<Option<Outputs>, Fault> {
    match get(clients, &known.id).await {
        Ok(_) => Ok(Some(known.clone())),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn get(clients: &Clients, id: &str) -> Result<GetRestApiOutput, Fault> {
    const OPERATION: &str = "apigateway:GetRestApi";
    wait::throttled(clients, (OPERATION, id), async || {
        let found = clients.api_gateway.get_rest_api().rest_api_id(id).send().await;
        found.map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await
}

/// Looks for the REST API that bears our mark, on all pages. One that was taken over bears none yet.
pub async fn look(clients: &Clients, api: &RestApi) -> Result<Option<Outputs>, Fault> {
    if api.mark().is_empty() {
        return Ok(None);
    }
    let found = all(clients, name(api)).await?;
    let ours = found
        .into_iter()
        .find(|found| found.description.as_deref() == Some(api.mark()));
    Ok(ours.and_then(|found| found.id).map(|id| Outputs { id }))
}

/// The other REST APIs that bear our mark.
pub async fn twins(clients: &Clients, api: &RestApi, stands: &Outputs) -> Result<Vec<Outputs>, Fault> {
    if api.mark().is_empty() {
        return Ok(Vec::new());
    }
    let found = all(clients, name(api)).await?;
    let marked = found
        .into_iter()
        .filter(|found| found.description.as_deref() == Some(api.mark()));
    let others = marked.filter_map(|found| found.id).filter(|id| *id != stands.id);
    Ok(others.map(|id| Outputs { id }).collect())
}

/// Looks for REST APIs that bear a mark.
pub async fn marked(clients: &Clients, search: &Search<'_>) -> Result<Vec<Marked>, Fault> {
    let marked = |found: types::RestApi| {
        let owner = Owner::of_mark(found.description.as_deref()?)?;
        let id = found.id?;
        Some(Marked {
            owner,
            name: found.name.unwrap_or_else(|| id.clone()),
            outputs: resource::Outputs::RestApi(Outputs { id }),
        })
    };
    let found = all(clients, "*").await?;
    let marked = found.into_iter().filter_map(marked);
    Ok(marked
        .filter(|marked| search.apps.contains(&marked.owner.app) && !search.knows(&marked.outputs))
        .collect())
}

async fn all(clients: &Clients, target: &str) -> Result<Vec<types::RestApi>, Fault> {
    const OPERATION: &str = "apigateway:GetRestApis";
    wait::throttled(clients, (OPERATION, target), async || {
        let pages = clients.api_gateway.get_rest_apis().limit(500).into_paginator();
        let apis: Result<Vec<_>, _> = pages.items().send().try_collect().await;
        apis.map_err(|error| fault::of(OPERATION, target, &error))
    })
    .await
}

fn body(api: &RestApi) -> Blob {
    Blob::new(api.document.to_string())
}

fn name(api: &RestApi) -> &str {
    api.document["info"]["title"].as_str().unwrap_or("rest_api")
}
