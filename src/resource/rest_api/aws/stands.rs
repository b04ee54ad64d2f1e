//! Whether a REST API stands as it is wanted.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_apigateway::types;
use serde_json::Value;

use super::super::standing::{self, Authorizer, Integration, Method, Standing, USUAL_TTL_S};
use super::super::{Outputs, RestApi};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;

/// Whether what stands is as it is wanted, our marks aside.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&RestApi, &Outputs),
    _context: &Context,
) -> Result<bool, Fault> {
    match standing(clients, &outputs.id).await {
        Ok(found) => {
            let wanted = standing::wanted(wanted);
            let is_same = found == wanted;
            if !is_same {
                tracing::debug!(id = outputs.id, ?found, ?wanted, "the API stands otherwise");
            }
            Ok(is_same)
        }
        Err(fault) if fault.kind == FaultKind::Absent => Ok(false),
        Err(fault) => Err(fault),
    }
}

async fn standing(clients: &Clients, id: &str) -> Result<Standing, Fault> {
    let aws = &clients.api_gateway;
    let api = wait::throttled(clients, ("apigateway:GetRestApi", id), async || {
        let sent = aws.get_rest_api().rest_api_id(id).send().await;
        sent.map_err(|error| fault::of("apigateway:GetRestApi", id, &error))
    });
    let authorizers = wait::throttled(clients, ("apigateway:GetAuthorizers", id), async || {
        let sent = aws.get_authorizers().rest_api_id(id).limit(500).send().await;
        sent.map_err(|error| fault::of("apigateway:GetAuthorizers", id, &error))
    });
    let resources = wait::throttled(clients, ("apigateway:GetResources", id), async || {
        let request = aws.get_resources().rest_api_id(id).embed("methods").limit(500);
        let found: Result<Vec<_>, _> = request.into_paginator().items().send().try_collect().await;
        found.map_err(|error| fault::of("apigateway:GetResources", id, &error))
    });
    let (api, authorizers, resources) = tokio::try_join!(api, authorizers, resources)?;
    let authorizers = authorizers.items.unwrap_or_default();
    let names: HashMap<&str, &str> = authorizers
        .iter()
        .filter_map(|authorizer| Some((authorizer.id.as_deref()?, authorizer.name.as_deref()?)))
        .collect();
    let methods = resources.iter().flat_map(|resource| {
        let path = resource.path.as_deref().unwrap_or_default();
        let methods = resource.resource_methods.iter().flatten();
        methods.map(move |(verb, found)| (format!("{verb} {path}"), found))
    });
    let methods = methods.map(|(key, found)| (key, method(found, &names)));
    let endpoint = api.endpoint_configuration;
    let types = endpoint.as_ref().map(types::EndpointConfiguration::types);
    Ok(Standing {
        name: api.name.unwrap_or_default(),
        endpoint_type: types
            .and_then(|types| types.first())
            .map_or("EDGE", |kind| kind.as_str())
            .to_owned(),
        vpc_endpoints: endpoint
            .and_then(|endpoint| endpoint.vpc_endpoint_ids)
            .into_iter()
            .flatten()
            .collect(),
        binary_types: api.binary_media_types.into_iter().flatten().collect(),
        minimum_compression_size: api.minimum_compression_size.and_then(|size| u32::try_from(size).ok()),
        policy: policy(api.policy.as_deref()),
        methods: methods.collect(),
        authorizers: authorizers.iter().map(authorizer).collect(),
    })
}

/// API Gateway hands a policy out as the inside of a JSON string.
fn policy(text: Option<&str>) -> Value {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Value::Null;
    };
    let bare = serde_json::from_str::<String>(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned());
    standing::policy(serde_json::from_str(&bare).unwrap_or_default())
}

fn authorizer(found: &types::Authorizer) -> (String, Authorizer) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let ttl_s = found.authorizer_result_ttl_in_seconds;
    let authorizer = Authorizer {
        kind: found.r#type.as_ref().map_or("", |kind| kind.as_str()).to_owned(),
        identity_source: text(&found.identity_source),
        uri: text(&found.authorizer_uri),
        credentials: text(&found.authorizer_credentials),
        ttl_s: ttl_s
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or(USUAL_TTL_S),
        pools: found.provider_arns().iter().cloned().collect(),
    };
    (text(&found.name), authorizer)
}

fn method(found: &types::Method, names: &HashMap<&str, &str>) -> Method {
    let id = found.authorizer_id.as_deref();
    Method {
        authorization: found.authorization_type.clone().unwrap_or_else(|| "NONE".to_owned()),
        authorizer: id
            .and_then(|id| names.get(id))
            .map(|name| (*name).to_owned())
            .unwrap_or_default(),
        scopes: found.authorization_scopes().iter().cloned().collect(),
        needs_key: found.api_key_required.unwrap_or_default(),
        integration: found.method_integration.as_ref().map(integration).unwrap_or_default(),
    }
}

fn integration(found: &types::Integration) -> Integration {
    let answers = found.integration_responses.iter().flatten();
    let answers = answers.map(|(status, answer)| (status.clone(), pairs(answer.response_parameters.as_ref())));
    let handling = found.content_handling.as_ref();
    Integration {
        kind: found.r#type.as_ref().map_or("", |kind| kind.as_str()).to_owned(),
        uri: found.uri.clone().unwrap_or_default(),
        passthrough: found.passthrough_behavior.clone().unwrap_or_default(),
        content_handling: handling.map_or("", |handling| handling.as_str()).to_owned(),
        templates: pairs(found.request_templates.as_ref()),
        answers: answers.collect(),
    }
    .in_short()
}

fn pairs(found: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    let pairs = found.into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.clone())).collect()
}
