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
        let former = (id, before.stage_name.as_str());
        take_down(clients, former, context)
            .await
            .map_err(Fault::of_a_begun_step)?;
    }
    Ok(outputs(id, deployment, context))
}

/// Takes a former API Gateway stage down. One to which a domain still leads stays until the domain is led to the other one.
pub async fn take_down(
    clients: &Clients,
    (rest_api_id, stage_name): (&str, &str),
    context: &Context,
) -> Result<(), Fault> {
    match remove(clients, (rest_api_id, stage_name), context).await {
        Err(fault) if is_led_to(&fault) => {
            tracing::warn!(rest_api_id, stage_name, %fault, "a former API Gateway stage stays");
            Ok(())
        }
        removed => removed,
    }
}

/// Whether AWS refuses because a domain leads there: it speaks of base path mappings then.
fn is_led_to(fault: &Fault) -> bool {
    let is_refused = matches!(fault.kind, FaultKind::Invalid | FaultKind::Conflict);
    is_refused && fault.message.to_lowercase().contains("mapping")
}

/// Takes an API Gateway stage down.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    remove(clients, (&outputs.rest_api_id, &outputs.stage_name), context).await
}

async fn remove(clients: &Clients, (rest_api_id, stage_name): (&str, &str), context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteStage";
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

/// Looks for the API Gateway stage: for the known one, which may be of a former name, or else by the name that was wanted.
pub async fn look(
    clients: &Clients,
    (deployment, known): (&Deployment, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    if let Some(known) = known
        && stands(clients, (&known.rest_api_id, &known.stage_name)).await?
    {
        return Ok(Some(known.clone()));
    }
    let Ok(id) = rest_api::id(&context.outputs, &deployment.rest_api) else {
        return Ok(None);
    };
    let found = stands(clients, (id, &deployment.stage_name)).await?;
    Ok(found.then(|| outputs(id, deployment, context)))
}

/// The API Gateway stage that a late call made under the name that was wanted once, beside the one that stands.
pub async fn twins(
    clients: &Clients,
    (deployment, known): (&Deployment, &Outputs),
    context: &Context,
) -> Result<Vec<Outputs>, Fault> {
    let twin = outputs(&known.rest_api_id, deployment, context);
    let is_other = twin.stage_name != known.stage_name;
    let stands = is_other && stands(clients, (&twin.rest_api_id, &twin.stage_name)).await?;
    Ok(stands.then_some(twin).into_iter().collect())
}

async fn stands(clients: &Clients, (id, stage_name): (&str, &str)) -> Result<bool, Fault> {
    const OPERATION: &str = "apigateway:GetStage";
    let found = wait::throttled(clients, (OPERATION, id), async || {
        let request = clients.api_gateway.get_stage().rest_api_id(id).stage_name(stage_name);
        request.send().await.map_err(|error| fault::of(OPERATION, id, &error))
    });
    match found.await {
        Ok(_) => Ok(true),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(false),
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

/// Whether what stands is as it is wanted. Which document it serves, AWS does not say: Chalice deploys whatever it has
/// imported, so that it is the one that stands.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Deployment, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    const OPERATION: &str = "apigateway:GetStage";
    let is_same_api = rest_api::id(&context.outputs, &wanted.rest_api).is_ok_and(|id| id == outputs.rest_api_id);
    if !is_same_api || wanted.stage_name != outputs.stage_name {
        return Ok(false);
    }
    let id = &outputs.rest_api_id;
    let found = wait::throttled(clients, (OPERATION, id), async || {
        let request = clients.api_gateway.get_stage().rest_api_id(id);
        let sent = request.stage_name(&wanted.stage_name).send().await;
        sent.map_err(|error| fault::of(OPERATION, id, &error))
    });
    match found.await {
        Ok(found) => Ok(found.tracing_enabled == (wanted.tracing == Tracing::Active)),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(false),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_a_domain_leads_to_is_left_and_no_other_refusal_is_overlooked() {
        let refused = |kind, message: &str| {
            let fault = Fault::refused("apigateway:DeleteStage", "v1", kind, message.to_owned());
            is_led_to(&fault)
        };
        let mapped = "Please remove all base path mappings related to the stage";
        assert!(refused(FaultKind::Invalid, mapped));
        assert!(!refused(FaultKind::Denied, mapped));
        assert!(!refused(FaultKind::Invalid, "Invalid stage identifier"));
    }
}
