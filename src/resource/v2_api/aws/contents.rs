//! The calls for what an API is made of: integrations and routes.

use std::collections::BTreeMap;

use aws_sdk_apigatewayv2::config::Builder;
use aws_sdk_apigatewayv2::types::{self, ConnectionType, ContentHandlingStrategy, IntegrationType};
use aws_smithy_types::retry::RetryConfig;

use super::super::Protocol;
use super::super::converge::{self, Contents, Found, Integration, Wanted};
use super::PAGE;
use super::patience::patiently;
use crate::aws::{Clients, fault};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;

/// The form in which an HTTP API hands a request to a function.
const PAYLOAD_FORMAT: &str = "2.0";

/// What stands behind a route is named so.
const TARGET: &str = "integrations/";

/// Reads what an API has, on all pages.
pub async fn read(clients: &Clients, protocol: Protocol, id: &str) -> Result<Contents, Fault> {
    let (integrations, routes) = (integrations(clients, id), routes(clients, id));
    let (integrations, routes) = tokio::try_join!(integrations, routes)?;
    let integrations = integrations
        .into_iter()
        .filter_map(|found| integration(protocol, found));
    let routes = routes.into_iter().filter_map(route);
    Ok(Contents {
        integrations: integrations.collect(),
        routes: routes.collect(),
    })
}

fn integration(protocol: Protocol, found: types::Integration) -> Option<Integration> {
    let has_our_form = match protocol {
        Protocol::Websocket => true,
        Protocol::Http => found.payload_format_version.as_deref() == Some(PAYLOAD_FORMAT),
    };
    let is_ours = found.integration_type == Some(IntegrationType::AwsProxy) && has_our_form;
    Some(Integration {
        id: found.integration_id?,
        uri: found.integration_uri.filter(|_| is_ours),
    })
}

fn route(found: types::Route) -> Option<Found> {
    let target = found.target.as_deref();
    Some(Found {
        integration: target
            .and_then(|target| target.strip_prefix(TARGET))
            .map(ToOwned::to_owned),
        id: found.route_id?,
        key: found.route_key?,
    })
}

async fn integrations(clients: &Clients, id: &str) -> Result<Vec<types::Integration>, Fault> {
    const OPERATION: &str = "apigateway:GetIntegrations";
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = patiently(clients, (OPERATION, id), async || {
            let request = clients.gateway_v2.get_integrations().api_id(id).max_results(PAGE);
            let sent = request.set_next_token(next.clone()).send().await;
            sent.map_err(|error| fault::of(OPERATION, id, &error))
        })
        .await?;
        found.extend(page.items.unwrap_or_default());
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(found);
        }
    }
}

async fn routes(clients: &Clients, id: &str) -> Result<Vec<types::Route>, Fault> {
    const OPERATION: &str = "apigateway:GetRoutes";
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = patiently(clients, (OPERATION, id), async || {
            let request = clients.gateway_v2.get_routes().api_id(id).max_results(PAGE);
            let sent = request.set_next_token(next.clone()).send().await;
            sent.map_err(|error| fault::of(OPERATION, id, &error))
        })
        .await?;
        found.extend(page.items.unwrap_or_default());
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Makes what is missing, moves what leads elsewhere, and then removes what nobody wants, one after the other: API Gateway
/// refuses changes of one API that meet.
pub async fn change(
    clients: &Clients,
    (protocol, id): (Protocol, &str),
    (wanted, found): (&[Wanted], &Contents),
    context: &Context,
) -> Result<(), Fault> {
    let changes = converge::changes(wanted, found);
    let mut made: BTreeMap<&str, String> = BTreeMap::new();
    for uri in &changes.integrations {
        made.insert(uri, make_integration(clients, (protocol, id), uri, context).await?);
    }
    let target = |uri: &str| {
        let integration = made.get(uri).map(String::as_str).or_else(|| found.integration(uri));
        format!("{TARGET}{}", integration.unwrap_or_default())
    };
    for route in &changes.routes {
        let to = (route.key.as_str(), target(&route.uri));
        make_route(clients, (protocol, id), to, context).await?;
    }
    for (route, uri) in &changes.moved {
        move_route(clients, id, (route, &target(uri)), context).await?;
    }
    for route in &changes.old_routes {
        remove_route(clients, id, route, context).await?;
    }
    for integration in &changes.old_integrations {
        remove_integration(clients, id, integration, context).await?;
    }
    Ok(())
}

/// A second integration of a lost answer would be removed by the next run, and is still not asked for: no retries.
async fn make_integration(
    clients: &Clients,
    (protocol, id): (Protocol, &str),
    uri: &str,
    context: &Context,
) -> Result<String, Fault> {
    const OPERATION: &str = "apigateway:CreateIntegration";
    let made = patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients
            .gateway_v2
            .create_integration()
            .api_id(id)
            .connection_type(ConnectionType::Internet)
            .integration_type(IntegrationType::AwsProxy)
            .integration_uri(uri);
        let request = match protocol {
            Protocol::Websocket => request.content_handling_strategy(ContentHandlingStrategy::ConvertToText),
            Protocol::Http => request.payload_format_version(PAYLOAD_FORMAT),
        };
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let sent = request.customize().config_override(once).send().await;
        sent.map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await?;
    Ok(made.integration_id.unwrap_or_default())
}

async fn make_route(
    clients: &Clients,
    (protocol, id): (Protocol, &str),
    (key, target): (&str, String),
    context: &Context,
) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:CreateRoute";
    // As Chalice has it: what the function returns may be answered.
    let answer = match protocol {
        Protocol::Websocket => Some("$default".to_owned()),
        Protocol::Http => None,
    };
    patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients
            .gateway_v2
            .create_route()
            .api_id(id)
            .route_key(key)
            .target(&target)
            .set_route_response_selection_expression(answer.clone())
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await
}

async fn move_route(
    clients: &Clients,
    id: &str,
    (route, target): (&str, &str),
    context: &Context,
) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:UpdateRoute";
    patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients.gateway_v2.update_route().api_id(id).route_id(route);
        let sent = request.target(target).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await
}

async fn remove_route(clients: &Clients, id: &str, route: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteRoute";
    let removed = patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients.gateway_v2.delete_route().api_id(id).route_id(route);
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    });
    match removed.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        removed => removed,
    }
}

async fn remove_integration(clients: &Clients, id: &str, integration: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteIntegration";
    let removed = patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let request = clients
            .gateway_v2
            .delete_integration()
            .api_id(id)
            .integration_id(integration);
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    });
    match removed.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(payload: &str) -> types::Integration {
        types::Integration::builder()
            .integration_id("i1")
            .integration_type(IntegrationType::AwsProxy)
            .integration_uri("x")
            .payload_format_version(payload)
            .build()
    }

    #[test]
    fn an_integration_that_hands_requests_over_in_another_form_is_not_taken_for_ours() {
        let uri = |protocol, payload| integration(protocol, told(payload)).unwrap().uri;
        assert_eq!(uri(Protocol::Http, "2.0").as_deref(), Some("x"));
        assert_eq!(uri(Protocol::Http, "1.0"), None);
        assert_eq!(uri(Protocol::Websocket, "1.0").as_deref(), Some("x"));
    }

    #[test]
    fn a_route_without_an_integration_leads_nowhere() {
        let told = |target: Option<&str>| {
            let route = types::Route::builder().route_id("r1").route_key("say");
            route.set_target(target.map(ToOwned::to_owned)).build()
        };
        assert_eq!(
            route(told(Some("integrations/i1"))).unwrap().integration.as_deref(),
            Some("i1")
        );
        assert_eq!(route(told(None)).unwrap().integration, None);
    }
}
