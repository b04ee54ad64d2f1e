//! The calls for deployments.

use super::{Deployment, Outputs, url};
use crate::app::Tracing;
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::{Context, rest_api};

/// Serves the REST API's document as it now is; an API Gateway stage of another name is then taken down.
pub async fn put(
    clients: &Clients,
    deployment: &Deployment,
    before: Option<&Outputs>,
    context: &Context,
) -> Result<Outputs, Fault> {
    const OPERATION: &str = "apigateway:CreateDeployment";
    let id = rest_api::id(&context.outputs, &deployment.rest_api)?;
    wait::throttled(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients
            .api_gateway
            .create_deployment()
            .rest_api_id(id)
            .stage_name(&deployment.stage_name)
            .tracing_enabled(deployment.tracing == Tracing::Active);
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await?;
    if let Some(before) = before.filter(|before| before.rest_api_id == id && before.stage_name != deployment.stage_name)
    {
        delete(clients, before, context).await.map_err(Fault::of_a_begun_step)?;
    }
    Ok(outputs(id, deployment, context))
}

/// Takes an API Gateway stage down.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteStage";
    let Outputs {
        rest_api_id,
        stage_name,
        ..
    } = outputs;
    let deleted = wait::throttled(clients, (OPERATION, stage_name), async || {
        context.hold.cover(OPERATION, stage_name)?;
        let request = clients
            .api_gateway
            .delete_stage()
            .rest_api_id(rest_api_id)
            .stage_name(stage_name);
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| fault::of(OPERATION, stage_name, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        deleted => deleted,
    }
}

/// Looks for the API Gateway stage.
pub async fn look(clients: &Clients, deployment: &Deployment, context: &Context) -> Result<Option<Outputs>, Fault> {
    const OPERATION: &str = "apigateway:GetStage";
    let Ok(id) = rest_api::id(&context.outputs, &deployment.rest_api) else {
        return Ok(None);
    };
    let stage = clients
        .api_gateway
        .get_stage()
        .rest_api_id(id)
        .stage_name(&deployment.stage_name)
        .send()
        .await;
    match stage.map_err(|error| fault::of(OPERATION, id, &error)) {
        Ok(_) => Ok(Some(outputs(id, deployment, context))),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn outputs(id: &str, deployment: &Deployment, context: &Context) -> Outputs {
    let stage_name = deployment.stage_name.clone();
    Outputs {
        rest_api_id: id.to_owned(),
        url: url(&context.place, id, &stage_name),
        stage_name,
    }
}
