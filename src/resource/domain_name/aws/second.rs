//! Domains of websocket APIs and HTTP APIs: the second version of API Gateway.

use aws_sdk_apigatewayv2::config::Builder;
use aws_sdk_apigatewayv2::types::{ApiMapping, DomainNameConfiguration, EndpointType, SecurityPolicy};
use aws_smithy_types::retry::RetryConfig;

use super::super::DomainName;
use super::super::mappings::{Found, Mapping};
use super::Standing;
use crate::aws::{Clients, fault};
use crate::fault::Fault;
use crate::resource::Context;
use crate::resource::v2_api::aws::PAGE;
use crate::resource::v2_api::aws::patience::patiently;

/// Makes a domain.
pub async fn make(clients: &Clients, wanted: &DomainName, context: &Context) -> Result<Standing, Fault> {
    const OPERATION: &str = "apigateway:CreateDomainName";
    let name = wanted.domain_name.as_str();
    let made = patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .gateway_v2
            .create_domain_name()
            .domain_name(name)
            .domain_name_configurations(configuration(wanted))
            .set_tags(Some(wanted.tags.clone().into_iter().collect()))
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        request.send().await.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    let configurations = made.domain_name_configurations.unwrap_or_default();
    Ok(standing(configurations, made.tags))
}

/// Reads a domain.
pub async fn get(clients: &Clients, name: &str) -> Result<Standing, Fault> {
    const OPERATION: &str = "apigateway:GetDomainName";
    let found = patiently(clients, (OPERATION, name), async || {
        let sent = clients.gateway_v2.get_domain_name().domain_name(name).send().await;
        sent.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    let configurations = found.domain_name_configurations.unwrap_or_default();
    Ok(standing(configurations, found.tags))
}

/// Sets certificate and security policy.
pub async fn set(clients: &Clients, wanted: &DomainName, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:UpdateDomainName";
    let name = wanted.domain_name.as_str();
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients.gateway_v2.update_domain_name().domain_name(name);
        let request = request.domain_name_configurations(configuration(wanted));
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Removes a domain.
pub async fn delete(clients: &Clients, name: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteDomainName";
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let sent = clients.gateway_v2.delete_domain_name().domain_name(name).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Reads where a domain leads, on all pages.
pub async fn mappings(clients: &Clients, name: &str) -> Result<Vec<Found>, Fault> {
    const OPERATION: &str = "apigateway:GetApiMappings";
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = patiently(clients, (OPERATION, name), async || {
            let request = clients.gateway_v2.get_api_mappings().domain_name(name);
            let request = request.max_results(PAGE).set_next_token(next.clone());
            let sent = request.send().await;
            sent.map_err(|error| fault::of(OPERATION, name, &error))
        })
        .await?;
        found.extend(page.items.unwrap_or_default().into_iter().map(mapping));
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Leads a path of a domain to an API.
pub async fn make_mapping(clients: &Clients, name: &str, wanted: &Mapping, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:CreateApiMapping";
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .gateway_v2
            .create_api_mapping()
            .domain_name(name)
            .api_id(&wanted.api_id)
            .stage(&wanted.stage_name)
            .set_api_mapping_key(wanted.path.clone());
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Leads a path elsewhere.
pub async fn lead(
    clients: &Clients,
    name: &str,
    (id, wanted): (&str, &Mapping),
    context: &Context,
) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:UpdateApiMapping";
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .gateway_v2
            .update_api_mapping()
            .domain_name(name)
            .api_mapping_id(id)
            .api_id(&wanted.api_id)
            .stage(&wanted.stage_name);
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Takes a mapping away.
pub async fn remove_mapping(clients: &Clients, name: &str, former: &Found, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteApiMapping";
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients.gateway_v2.delete_api_mapping().domain_name(name);
        let sent = request.api_mapping_id(&former.id).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

fn configuration(wanted: &DomainName) -> DomainNameConfiguration {
    DomainNameConfiguration::builder()
        .certificate_arn(&wanted.certificate_arn)
        .endpoint_type(EndpointType::from(wanted.endpoint_type.as_str()))
        .security_policy(SecurityPolicy::from(wanted.security_policy.as_str()))
        .build()
}

fn standing(
    configurations: Vec<DomainNameConfiguration>,
    tags: Option<std::collections::HashMap<String, String>>,
) -> Standing {
    let type_of = |configuration: &DomainNameConfiguration| {
        let endpoint_type = configuration.endpoint_type.as_ref();
        endpoint_type.map(|endpoint_type| endpoint_type.as_str().to_owned())
    };
    let endpoint_types = configurations.iter().filter_map(type_of).collect();
    let told = configurations.into_iter().next();
    let tags = tags.unwrap_or_default().into_iter().collect();
    let Some(told) = told else {
        return Standing {
            tags,
            ..Standing::default()
        };
    };
    Standing {
        endpoint_types,
        certificate_arn: told.certificate_arn.unwrap_or_default(),
        security_policy: told
            .security_policy
            .map_or_else(String::new, |policy| policy.as_str().to_owned()),
        hosted_zone_id: told.hosted_zone_id.unwrap_or_default(),
        alias_domain_name: told.api_gateway_domain_name.unwrap_or_default(),
        tags,
        status: told
            .domain_name_status
            .map_or_else(String::new, |status| status.as_str().to_owned()),
    }
}

fn mapping(found: ApiMapping) -> Found {
    let path = found.api_mapping_key.filter(|key| !key.is_empty() && key != "(none)");
    Found {
        id: found.api_mapping_id.unwrap_or_default(),
        mapping: Mapping {
            path,
            api_id: found.api_id.unwrap_or_default(),
            stage_name: found.stage.unwrap_or_default(),
        },
    }
}
