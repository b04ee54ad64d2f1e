//! Domains of REST APIs: the first version of API Gateway, which alone knows domains that are reached at the edge.

use std::collections::HashMap;

use aws_sdk_apigateway::config::Builder;
use aws_sdk_apigateway::operation::create_domain_name::CreateDomainNameOutput;
use aws_sdk_apigateway::operation::get_domain_name::GetDomainNameOutput;
use aws_sdk_apigateway::types::{
    BasePathMapping, DomainNameStatus, EndpointConfiguration, EndpointType, Op, PatchOperation, SecurityPolicy,
};
use aws_smithy_types::retry::RetryConfig;

use super::super::DomainName;
use super::super::mappings::{Found, Mapping};
use super::Standing;
use crate::aws::{Clients, fault};
use crate::fault::Fault;
use crate::resource::Context;
use crate::resource::v2_api::aws::patience::patiently;

/// What AWS calls the path of a mapping of all paths.
const NO_PATH: &str = "(none)";

const EDGE: &str = "EDGE";

/// Makes a domain.
pub async fn make(clients: &Clients, wanted: &DomainName, context: &Context) -> Result<Standing, Fault> {
    const OPERATION: &str = "apigateway:CreateDomainName";
    let name = wanted.domain_name.as_str();
    let types = EndpointConfiguration::builder().types(EndpointType::from(wanted.endpoint_type.as_str()));
    let certificate = |endpoint_is_edge: bool| {
        let is_edge = wanted.endpoint_type == EDGE;
        (is_edge == endpoint_is_edge).then(|| wanted.certificate_arn.clone())
    };
    let made = patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .api_gateway
            .create_domain_name()
            .domain_name(name)
            .endpoint_configuration(types.clone().build())
            .set_certificate_arn(certificate(true))
            .set_regional_certificate_arn(certificate(false))
            .security_policy(SecurityPolicy::from(wanted.security_policy.as_str()))
            .set_tags(Some(wanted.tags.clone().into_iter().collect()))
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        request.send().await.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    Ok(Told::from(made).standing())
}

/// Reads a domain.
pub async fn get(clients: &Clients, name: &str) -> Result<Standing, Fault> {
    const OPERATION: &str = "apigateway:GetDomainName";
    let found = patiently(clients, (OPERATION, name), async || {
        let sent = clients.api_gateway.get_domain_name().domain_name(name).send().await;
        sent.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    Ok(Told::from(found).standing())
}

/// Sets certificate and security policy, as far as they differ.
pub async fn set(clients: &Clients, wanted: &DomainName, stands: &Standing, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:UpdateDomainName";
    let name = wanted.domain_name.as_str();
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients.api_gateway.update_domain_name().domain_name(name);
        let request = request.set_patch_operations(Some(patches(wanted, stands)));
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
        let sent = clients.api_gateway.delete_domain_name().domain_name(name).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Reads where a domain leads, on all pages.
pub async fn mappings(clients: &Clients, name: &str) -> Result<Vec<Found>, Fault> {
    const OPERATION: &str = "apigateway:GetBasePathMappings";
    let found = patiently(clients, (OPERATION, name), async || {
        let request = clients
            .api_gateway
            .get_base_path_mappings()
            .domain_name(name)
            .limit(500);
        let mappings: Result<Vec<_>, _> = request.into_paginator().items().send().try_collect().await;
        mappings.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    Ok(found.into_iter().map(mapping).collect())
}

/// Leads a path of a domain to an API.
pub async fn make_mapping(clients: &Clients, name: &str, wanted: &Mapping, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:CreateBasePathMapping";
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .api_gateway
            .create_base_path_mapping()
            .domain_name(name)
            .base_path(base_path(wanted))
            .rest_api_id(&wanted.api_id)
            .stage(&wanted.stage_name);
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Leads a path elsewhere.
pub async fn lead(clients: &Clients, name: &str, wanted: &Mapping, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:UpdateBasePathMapping";
    let patches = vec![
        replace("/restapiId", &wanted.api_id),
        replace("/stage", &wanted.stage_name),
    ];
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients.api_gateway.update_base_path_mapping().domain_name(name);
        let request = request
            .base_path(base_path(wanted))
            .set_patch_operations(Some(patches.clone()));
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Takes a mapping away.
pub async fn remove_mapping(clients: &Clients, name: &str, former: &Found, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteBasePathMapping";
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients.api_gateway.delete_base_path_mapping().domain_name(name);
        let sent = request.base_path(base_path(&former.mapping)).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

fn base_path(mapping: &Mapping) -> &str {
    mapping.path.as_deref().unwrap_or(NO_PATH)
}

fn mapping(found: BasePathMapping) -> Found {
    let path = found.base_path.filter(|path| !path.is_empty() && path != NO_PATH);
    Found {
        id: path.clone().unwrap_or_else(|| NO_PATH.to_owned()),
        mapping: Mapping {
            path,
            api_id: found.rest_api_id.unwrap_or_default(),
            stage_name: found.stage.unwrap_or_default(),
        },
    }
}

fn patches(wanted: &DomainName, stands: &Standing) -> Vec<PatchOperation> {
    let certificate = match wanted.endpoint_type.as_str() {
        EDGE => "/certificateArn",
        _ => "/regionalCertificateArn",
    };
    let mut patches = Vec::new();
    if stands.certificate_arn != wanted.certificate_arn {
        patches.push(replace(certificate, &wanted.certificate_arn));
    }
    if stands.security_policy != wanted.security_policy {
        patches.push(replace("/securityPolicy", &wanted.security_policy));
    }
    patches
}

fn replace(path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder()
        .op(Op::Replace)
        .path(path)
        .value(value)
        .build()
}

/// What both answers say of a domain.
struct Told {
    endpoint: Option<EndpointConfiguration>,
    edge: [Option<String>; 3],
    regional: [Option<String>; 3],
    security_policy: Option<SecurityPolicy>,
    status: Option<DomainNameStatus>,
    tags: Option<HashMap<String, String>>,
}

/// The two answers have the same fields, and no type in common.
macro_rules! told {
    ($answer:ty) => {
        impl From<$answer> for Told {
            fn from(answer: $answer) -> Self {
                Self {
                    endpoint: answer.endpoint_configuration,
                    edge: [
                        answer.certificate_arn,
                        answer.distribution_hosted_zone_id,
                        answer.distribution_domain_name,
                    ],
                    regional: [
                        answer.regional_certificate_arn,
                        answer.regional_hosted_zone_id,
                        answer.regional_domain_name,
                    ],
                    security_policy: answer.security_policy,
                    status: answer.domain_name_status,
                    tags: answer.tags,
                }
            }
        }
    };
}

told!(CreateDomainNameOutput);
told!(GetDomainNameOutput);

impl Told {
    fn standing(self) -> Standing {
        let types = self.endpoint.and_then(|endpoint| endpoint.types).unwrap_or_default();
        let endpoint_types: Vec<String> = match types.is_empty() {
            true => vec![EDGE.to_owned()],
            false => types.iter().map(|kind| kind.as_str().to_owned()).collect(),
        };
        let is_edge = endpoint_types.iter().any(|kind| kind == EDGE);
        let [certificate, zone, alias] = if is_edge { self.edge } else { self.regional };
        Standing {
            endpoint_types,
            certificate_arn: certificate.unwrap_or_default(),
            security_policy: self
                .security_policy
                .map_or_else(String::new, |policy| policy.as_str().to_owned()),
            hosted_zone_id: zone.unwrap_or_default(),
            alias_domain_name: alias.unwrap_or_default(),
            tags: self.tags.unwrap_or_default().into_iter().collect(),
            status: self
                .status
                .map_or_else(String::new, |status| status.as_str().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Address;

    fn wanted(endpoint_type: &str) -> DomainName {
        DomainName {
            domain_name: "api.example.com".to_owned(),
            certificate_arn: "new".to_owned(),
            security_policy: "TLS_1_2".to_owned(),
            endpoint_type: endpoint_type.to_owned(),
            api: Address::new("rest_api", "rest_api"),
            stage_name: "api".to_owned(),
            path: None,
            tags: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn only_what_differs_of_a_domain_is_patched() {
        let stands = Standing {
            certificate_arn: "old".to_owned(),
            security_policy: "TLS_1_2".to_owned(),
            ..Standing::default()
        };
        assert_eq!(
            patches(&wanted("REGIONAL"), &stands),
            [replace("/regionalCertificateArn", "new")]
        );
        assert_eq!(patches(&wanted("EDGE"), &stands), [replace("/certificateArn", "new")]);
    }

    #[test]
    fn a_domain_at_the_edge_is_reached_at_its_distribution() {
        let types = |kind| EndpointConfiguration::builder().types(kind).build();
        let answer = GetDomainNameOutput::builder()
            .distribution_domain_name("d1.cloudfront.net")
            .regional_domain_name("d-1.execute-api.eu-west-1.amazonaws.com");
        let edge = answer.clone().endpoint_configuration(types(EndpointType::Edge)).build();
        let regional = answer.endpoint_configuration(types(EndpointType::Regional)).build();
        assert_eq!(Told::from(edge).standing().alias_domain_name, "d1.cloudfront.net");
        assert_eq!(
            Told::from(regional).standing().alias_domain_name,
            "d-1.execute-api.eu-west-1.amazonaws.com"
        );
    }

    #[test]
    fn a_mapping_of_all_paths_has_no_path() {
        let told = |path: &str| mapping(BasePathMapping::builder().base_path(path).build()).mapping.path;
        assert_eq!(told("(none)"), None);
        assert_eq!(told("v1").as_deref(), Some("v1"));
    }
}
