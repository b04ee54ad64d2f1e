//! The calls for what of an API is served: API Gateway stages and deployments.
//!
//! An HTTP API is deployed by AWS with each change. A websocket API serves what its last deployment was made of: so each
//! change ends in a new one, whose description says of which routes it is.

use aws_sdk_apigatewayv2::types::{DeploymentStatus, Stage};

use super::super::converge::{self, Contents, Wanted};
use super::super::{Protocol, V2Api};
use super::patience::patiently;
use crate::aws::wait::{self, Look};
use crate::aws::{Clients, fault};
use crate::fault::{Certainty, Fault, FaultKind};
use crate::resource::Context;

/// What an API Gateway stage serves.
enum Serves {
    /// Whatever the API's routes are.
    Changes,
    /// A deployment: its id.
    Deployment(String),
}

/// Serves an API that is new.
pub async fn begin(
    clients: &Clients,
    id: &str,
    (wanted, routes): (&V2Api, &[Wanted]),
    context: &Context,
) -> Result<(), Fault> {
    let serves = match wanted.protocol {
        Protocol::Http => Serves::Changes,
        Protocol::Websocket => Serves::Deployment(deploy(clients, id, routes, context).await?),
    };
    match make_stage(clients, (id, &wanted.stage_name), &serves, context).await {
        // An attempt of this very call, whose answer was lost.
        Err(fault) if fault.kind == FaultKind::Conflict => {
            set_stage(clients, (id, &wanted.stage_name), &serves, context).await
        }
        made => made,
    }
}

/// Has the API Gateway stage serve the routes as they now are, where it does not.
pub async fn follow(
    clients: &Clients,
    id: &str,
    (wanted, routes, found): (&V2Api, &[Wanted], &Contents),
    context: &Context,
) -> Result<(), Fault> {
    let Some(stage) = stage(clients, id, &wanted.stage_name).await? else {
        return begin(clients, id, (wanted, routes), context).await;
    };
    let serves = match wanted.protocol {
        Protocol::Http if stage.auto_deploy() == Some(true) => return Ok(()),
        Protocol::Http => Serves::Changes,
        Protocol::Websocket => {
            let is_changed = !converge::changes(routes, found).is_nothing();
            if !is_changed && description(clients, id, &stage).await? == Some(converge::deployment_mark(routes)) {
                return Ok(());
            }
            Serves::Deployment(deploy(clients, id, routes, context).await?)
        }
    };
    set_stage(clients, (id, &wanted.stage_name), &serves, context).await
}

/// Whether the API Gateway stage serves the routes.
pub async fn stands_as(clients: &Clients, id: &str, (wanted, routes): (&V2Api, &[Wanted])) -> Result<bool, Fault> {
    let Some(stage) = stage(clients, id, &wanted.stage_name).await? else {
        return Ok(false);
    };
    match wanted.protocol {
        Protocol::Http => Ok(stage.auto_deploy() == Some(true)),
        Protocol::Websocket => {
            let description = description(clients, id, &stage).await?;
            Ok(description.is_some_and(|description| converge::may_serve(&description, routes)))
        }
    }
}

/// Takes an API Gateway stage down. One to which a domain still leads stays until the domain is led to the other one.
pub async fn take_down(clients: &Clients, (id, stage_name): (&str, &str), context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteStage";
    let deleted = patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients.gateway_v2.delete_stage().api_id(id).stage_name(stage_name);
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        Err(fault) if matches!(fault.kind, FaultKind::Invalid | FaultKind::Conflict) => {
            tracing::warn!(id, stage_name, %fault, "a former API Gateway stage stays");
            Ok(())
        }
        deleted => deleted,
    }
}

async fn stage(clients: &Clients, id: &str, stage_name: &str) -> Result<Option<Stage>, Fault> {
    const OPERATION: &str = "apigateway:GetStage";
    let found = patiently(clients, (OPERATION, id), async || {
        let request = clients.gateway_v2.get_stage().api_id(id).stage_name(stage_name);
        let sent = request.send().await;
        sent.map_err(|error| fault::of(OPERATION, id, &error))
    });
    match found.await {
        Ok(found) => Ok(Some(
            Stage::builder()
                .stage_name(stage_name)
                .set_auto_deploy(found.auto_deploy)
                .set_deployment_id(found.deployment_id)
                .build(),
        )),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What the deployment that a stage serves says of itself; `None` where there is none.
async fn description(clients: &Clients, id: &str, stage: &Stage) -> Result<Option<String>, Fault> {
    const OPERATION: &str = "apigateway:GetDeployment";
    let Some(deployment) = stage.deployment_id() else {
        return Ok(None);
    };
    let found = patiently(clients, (OPERATION, id), async || {
        let request = clients.gateway_v2.get_deployment().api_id(id);
        let sent = request.deployment_id(deployment).send().await;
        sent.map_err(|error| fault::of(OPERATION, id, &error))
    });
    match found.await {
        Ok(found) => Ok(Some(found.description.unwrap_or_default())),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Makes a deployment, waits until it can be served, and returns its id.
async fn deploy(clients: &Clients, id: &str, routes: &[Wanted], context: &Context) -> Result<String, Fault> {
    const OPERATION: &str = "apigateway:CreateDeployment";
    let made = patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients.gateway_v2.create_deployment().api_id(id);
        let sent = request.description(converge::deployment_mark(routes)).send().await;
        sent.map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await?;
    let deployment = made.deployment_id.unwrap_or_default();
    match ready(
        id,
        made.deployment_status.as_ref(),
        made.deployment_status_message.as_deref(),
    )? {
        Look::Ready(()) => {}
        Look::NotYet(_) => deployed(clients, id, &deployment).await?,
    }
    Ok(deployment)
}

async fn deployed(clients: &Clients, id: &str, deployment: &str) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:GetDeployment";
    wait::until(clients, (OPERATION, id), wait::FUNCTION, async || {
        let request = clients.gateway_v2.get_deployment().api_id(id);
        let sent = request.deployment_id(deployment).send().await;
        match sent.map_err(|error| fault::of(OPERATION, id, &error)) {
            Ok(found) => ready(
                id,
                found.deployment_status.as_ref(),
                found.deployment_status_message.as_deref(),
            ),
            Err(fault) if fault.kind == FaultKind::Throttled => Ok(Look::NotYet("throttled by AWS".to_owned())),
            Err(fault) => Err(fault),
        }
    })
    .await
}

fn ready(id: &str, status: Option<&DeploymentStatus>, message: Option<&str>) -> Result<Look<()>, Fault> {
    match status {
        Some(DeploymentStatus::Pending) => Ok(Look::NotYet("being deployed".to_owned())),
        Some(DeploymentStatus::Failed) => {
            let message = format!("AWS could not deploy it: {}", message.unwrap_or("it does not say why"));
            Err(Fault {
                certainty: Certainty::MayHaveHappened,
                ..Fault::refused("apigateway:CreateDeployment", id, FaultKind::Other, message)
            })
        }
        Some(_) | None => Ok(Look::Ready(())),
    }
}

async fn make_stage(
    clients: &Clients,
    (id, stage_name): (&str, &str),
    serves: &Serves,
    context: &Context,
) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:CreateStage";
    patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients.gateway_v2.create_stage().api_id(id).stage_name(stage_name);
        let request = match serves {
            Serves::Changes => request.auto_deploy(true),
            Serves::Deployment(deployment) => request.deployment_id(deployment),
        };
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await
}

async fn set_stage(
    clients: &Clients,
    (id, stage_name): (&str, &str),
    serves: &Serves,
    context: &Context,
) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:UpdateStage";
    patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients.gateway_v2.update_stage().api_id(id).stage_name(stage_name);
        let request = match serves {
            Serves::Changes => request.auto_deploy(true),
            Serves::Deployment(deployment) => request.deployment_id(deployment),
        };
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_served_when_it_is_ready_and_one_that_failed_is_told() {
        let seen = |status: DeploymentStatus| ready("a1", Some(&status), Some("no routes"));
        assert!(matches!(seen(DeploymentStatus::Pending), Ok(Look::NotYet(_))));
        assert!(matches!(seen(DeploymentStatus::Deployed), Ok(Look::Ready(()))));
        let Err(fault) = seen(DeploymentStatus::Failed) else {
            panic!("a failed deployment is no success")
        };
        assert!(fault.message.contains("no routes"), "{fault}");
    }
}
