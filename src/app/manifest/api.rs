//! The REST API of a manifest on a stage.

use serde_json::{Value, json};

use super::web::{Leads, domain};
use super::{ApiEntry, ApiOverride, EndpointEntry, Manifest, StageEntry, policy, routes};
use crate::app::flaws::Flaws;
use crate::app::limits;
use crate::app::yaml::Placed;
use crate::app::{Api, Endpoint, Tracing};
use crate::names::StageName;

const STAGE_NAME: &str = "api";

/// Media types that Chalice passes on as binary.
const BINARY_TYPES: [&str; 16] = [
    "application/octet-stream",
    "application/x-tar",
    "application/zip",
    "audio/basic",
    "audio/ogg",
    "audio/mp4",
    "audio/mpeg",
    "audio/wav",
    "audio/webm",
    "image/png",
    "image/jpg",
    "image/jpeg",
    "image/gif",
    "video/ogg",
    "video/mpeg",
    "video/webm",
];

/// The REST API, if the app has any route.
pub fn api(manifest: &Manifest, stage: &StageName, changed: &StageEntry, flaws: &mut Flaws) -> Option<Api> {
    let entry = &manifest.api;
    let nothing = ApiOverride::default();
    let own = changed.api.as_ref().map_or(&nothing, |changed| &changed.value);
    check(entry, flaws);
    let routes = routes::read(manifest, flaws);
    if routes.is_empty() {
        if let Some(changed) = &changed.api {
            flaws.error(changed.place, "this app has no `routes`, and so no REST API");
        }
        return None;
    }
    let (endpoint, policy) = reached(manifest, own, flaws);
    let leads = match &endpoint {
        Endpoint::Edge => Leads::Edge,
        Endpoint::Regional | Endpoint::Private { .. } => Leads::Regional,
    };
    let named = own.domain.as_ref().or(entry.domain.as_ref());
    if let Some(named) = named.filter(|_| matches!(endpoint, Endpoint::Private { .. })) {
        flaws.error(
            named.place,
            "a private API is reached through its VPC endpoints, and has no domain",
        );
    }
    let binary_types = entry.binary_types.clone();
    Some(Api {
        title: manifest.app.to_string(),
        stage_name: entry
            .stage_name
            .as_ref()
            .map_or_else(|| STAGE_NAME.to_owned(), |name| name.value.clone()),
        endpoint,
        policy,
        minimum_compression_size: entry.minimum_compression_size.as_ref().map(|size| size.value),
        tracing: if entry.tracing {
            Tracing::Active
        } else {
            Tracing::PassThrough
        },
        binary_types: binary_types.unwrap_or_else(|| BINARY_TYPES.map(str::to_owned).to_vec()),
        routes,
        authorizers: Vec::new(),
        domain: domain(named, stage, leads, flaws),
    })
}

fn check(entry: &ApiEntry, flaws: &mut Flaws) {
    if let Some(name) = &entry.stage_name {
        flaws.check(name.place, limits::check_api_stage(&name.value));
    }
    if let Some(size) = entry
        .minimum_compression_size
        .as_ref()
        .filter(|size| size.value > 10_485_760)
    {
        let message = format!(
            "minimum compression size of {} bytes is outside 0 to 10485760 bytes",
            size.value
        );
        flaws.error(size.place, message);
    }
}

/// Where the API is reached, and by whom.
fn reached(manifest: &Manifest, own: &ApiOverride, flaws: &mut Flaws) -> (Endpoint, Option<Value>) {
    let entry = &manifest.api;
    let endpoint = own.endpoint.as_ref().or(entry.endpoint.as_ref());
    let vpc_endpoints = own.vpc_endpoints.as_ref().or(entry.vpc_endpoints.as_ref());
    for id in vpc_endpoints.iter().flat_map(|ids| &ids.value) {
        flaws.check(id.place, limits::check_network_id("vpc_endpoints", "vpce-", &id.value));
    }
    if let Some(ids) = vpc_endpoints.filter(|_| !is_private_anywhere(manifest)) {
        flaws.error(ids.place, "`vpc_endpoints` belong to an API with `endpoint: private`");
    }
    let policy = own.policy.as_ref().or(entry.policy.as_ref());
    let written = policy.and_then(|path| policy::of_api(manifest, path, flaws));
    match endpoint.map_or(EndpointEntry::Regional, |endpoint| endpoint.value) {
        EndpointEntry::Regional => (Endpoint::Regional, written),
        EndpointEntry::Edge => (Endpoint::Edge, written),
        EndpointEntry::Private => {
            let ids = ids(vpc_endpoints);
            if ids.is_empty() && policy.is_none() {
                let message = "nobody could call a private API without `vpc_endpoints` or a `policy`";
                flaws.error(endpoint.and_then(|endpoint| endpoint.place), message);
            }
            let vpc_endpoints = (!ids.is_empty()).then(|| json!(ids));
            let policy = written.or_else(|| vpc_endpoints.as_ref().map(through));
            (Endpoint::Private { vpc_endpoints }, policy)
        }
    }
}

/// A stage may take an API into its VPC, or out of it.
fn is_private_anywhere(manifest: &Manifest) -> bool {
    let of_stages = manifest.stages.iter().filter_map(|(_, stage)| stage.api.as_ref());
    let of_stages = of_stages.filter_map(|api| api.value.endpoint.as_ref());
    let mut endpoints = manifest.api.endpoint.iter().chain(of_stages);
    endpoints.any(|endpoint| match endpoint.value {
        EndpointEntry::Private => true,
        EndpointEntry::Regional | EndpointEntry::Edge => false,
    })
}

fn ids(list: Option<&Placed<Vec<Placed<String>>>>) -> Vec<&str> {
    let ids = list.iter().flat_map(|list| &list.value);
    ids.map(|id| id.value.as_str()).collect()
}

/// The policy that lets callers in who come through one of the VPC endpoints.
fn through(vpc_endpoints: &Value) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": "arn:*:execute-api:*:*:*",
            "Condition": {"StringEquals": {"aws:SourceVpce": vpc_endpoints}},
        }],
    })
}
