//! A manifest on one stage: the app, or everything that is wrong with it.

use super::code::{self, Sources};
use super::variables::{self, Lookup};
use super::{ApiEntry, EndpointEntry, FunctionEntry, Manifest, OverrideEntry, StageEntry};
use super::{checks, policy, routes};
use crate::app::flaws::{Flaws, did_you_mean};
use crate::app::limits;
use crate::app::yaml::{Placed, Table};
use crate::app::{Api, App, Endpoint, Error, Finding, Function, Package, Settings, Tracing, Vpc};
use crate::names::StageName;

const MEMORY_MIB: u32 = 128;
const TIMEOUT_S: u32 = 30;
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

/// Reads the app for one stage; secrets are resolved now, by `lookup`. Beside the app come the warnings.
///
/// # Errors
///
/// [`Error::Findings`] with everything that is wrong.
pub fn read(manifest: &Manifest, stage: &StageName, lookup: Lookup<'_>) -> Result<(App, Vec<Finding>), Error> {
    let mut flaws = Flaws::of(&manifest.file);
    checks::check_names(manifest, &mut flaws);
    check_overrides(manifest, &mut flaws);
    let nothing = StageEntry::default();
    let on_stage = manifest.stages.get(stage.as_str()).unwrap_or(&nothing);
    let mut sources = Sources::default();
    let functions = manifest
        .functions
        .iter()
        .map(|(name, entry)| {
            checks::check_function(name, entry, &mut flaws);
            let source = code::source(manifest, entry, &mut flaws);
            let settings = settings(name, entry, on_stage, lookup, &mut flaws);
            Function {
                name: name.value.clone(),
                suffix: name.value.clone(),
                package: Package::Zip(sources.add(name, source)),
                role: policy::role_of(name, entry, &mut flaws),
                settings,
                tags: texts(&entry.tags),
                reserved_concurrency: on_stage
                    .functions
                    .get(&name.value)
                    .and_then(|changed| changed.reserved_concurrency)
                    .or(entry.reserved_concurrency),
                log_retention_days: None,
                url: None,
            }
        })
        .collect();
    let app = App {
        roles: policy::roles(manifest, &mut flaws),
        functions,
        api: api(manifest, &mut flaws),
        sources: sources.into_map(),
        ..App::new(manifest.app.clone())
    };
    Ok((app, flaws.into_warnings()?))
}

fn check_overrides(manifest: &Manifest, flaws: &mut Flaws) {
    for (_, stage) in manifest.stages.iter() {
        for (name, entry) in stage.functions.iter() {
            if manifest.functions.get(&name.value).is_none() {
                flaws.error_with(
                    name.place,
                    format!("there is no function `{}`", name.value),
                    did_you_mean(&name.value, manifest.functions.names()),
                );
            }
            checks::check_override(entry, flaws);
        }
    }
}

fn settings(
    name: &Placed<String>,
    entry: &FunctionEntry,
    stage: &StageEntry,
    lookup: Lookup<'_>,
    flaws: &mut Flaws,
) -> Settings {
    let changed = stage.functions.get(&name.value);
    let layers = [
        Some(&entry.environment),
        Some(&stage.environment),
        changed.map(|changed| &changed.environment),
    ];
    let layers: Vec<_> = layers.into_iter().flatten().collect();
    let number = |of: fn(&OverrideEntry) -> &Option<Placed<u32>>, own: &Option<Placed<u32>>, default| {
        let changed = changed.and_then(|changed| of(changed).as_ref());
        changed.or(own.as_ref()).map_or(default, |number| number.value)
    };
    Settings {
        runtime: entry.runtime.value.clone(),
        architecture: entry.architecture,
        handler: entry
            .handler
            .as_ref()
            .map_or_else(|| "bootstrap".to_owned(), |handler| handler.value.clone()),
        memory_mib: number(|changed| &changed.memory_mib, &entry.memory_mib, MEMORY_MIB),
        timeout_s: number(|changed| &changed.timeout_s, &entry.timeout_s, TIMEOUT_S),
        environment: variables::merged(name, &layers, lookup, flaws),
        layers: values(&entry.layers),
        vpc: entry.vpc.as_ref().map(|vpc| Vpc {
            subnet_ids: values(&vpc.value.subnet_ids),
            security_group_ids: values(&vpc.value.security_group_ids),
        }),
        tracing: traced(entry.tracing),
    }
}

fn api(manifest: &Manifest, flaws: &mut Flaws) -> Option<Api> {
    let entry = &manifest.api;
    check_api(entry, flaws);
    let routes = routes::read(manifest, flaws);
    if routes.is_empty() {
        return None;
    }
    let binary_types = entry.binary_types.clone();
    Some(Api {
        title: manifest.app.to_string(),
        stage_name: entry
            .stage_name
            .as_ref()
            .map_or_else(|| STAGE_NAME.to_owned(), |name| name.value.clone()),
        endpoint: match entry.endpoint {
            EndpointEntry::Regional => Endpoint::Regional,
            EndpointEntry::Edge => Endpoint::Edge,
        },
        policy: None,
        minimum_compression_size: entry.minimum_compression_size.as_ref().map(|size| size.value),
        tracing: traced(entry.tracing),
        binary_types: binary_types.unwrap_or_else(|| BINARY_TYPES.map(str::to_owned).to_vec()),
        routes,
        authorizers: Vec::new(),
        domain: None,
    })
}

fn check_api(entry: &ApiEntry, flaws: &mut Flaws) {
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

fn traced(is_on: bool) -> Tracing {
    if is_on { Tracing::Active } else { Tracing::PassThrough }
}

fn values(list: &[Placed<String>]) -> Vec<String> {
    list.iter().map(|text| text.value.clone()).collect()
}

fn texts(table: &Table<Placed<String>>) -> std::collections::BTreeMap<String, String> {
    table
        .iter()
        .map(|(key, value)| (key.value.clone(), value.value.clone()))
        .collect()
}
