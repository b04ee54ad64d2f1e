//! Whether a function stands as it is wanted.

use std::collections::BTreeSet;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{FunctionConfiguration, TracingMode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::{Function, Outputs};
use super::{architecture, environment, role_arn, signed, tracing_config};
use crate::app::package::contents;
use crate::aws::download::download;
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::{self, CodeLocation, Context, TAG};

/// The longest zip that is looked into, in bytes. Lambda takes none whose files have more.
const ZIP_BYTES: usize = 250 * 1024 * 1024;

/// Chalice's own tag: it names Chalice's version, and what it says besides stands in ours.
const OF_CHALICE: &str = "aws-chalice";

/// Whether what stands is as it is wanted, our marks aside. Its code is compared file by file, since two programs that zip
/// the same files make two zips.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Function, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    const OPERATION: &str = "lambda:GetFunction";
    if context.place.function_arn(&wanted.name) != outputs.arn {
        return Ok(false);
    }
    let found = wait::throttled(clients, (OPERATION, &wanted.name), async || {
        let sent = clients.lambda.get_function().function_name(&wanted.name).send().await;
        sent.map_err(|error| fault::of(OPERATION, &wanted.name, &error))
    });
    let found = match found.await {
        Ok(found) => found,
        Err(fault) if fault.kind == FaultKind::Absent => return Ok(false),
        Err(fault) => return Err(fault),
    };
    Ok(is_set_up(wanted, &found, context) && has_code(wanted, &found, context).await)
}

fn is_set_up(wanted: &Function, found: &GetFunctionOutput, context: &Context) -> bool {
    let Some(configuration) = &found.configuration else {
        return false;
    };
    let reserved = found
        .concurrency
        .as_ref()
        .and_then(|found| found.reserved_concurrent_executions);
    let tags = found.tags.clone().unwrap_or_default();
    let is_tagged = |(key, value): (&String, &String)| {
        key.starts_with(TAG) || key.as_str() == OF_CHALICE || tags.get(key) == Some(value)
    };
    reserved == wanted.reserved_concurrency.map(signed)
        && wanted.tags.iter().all(is_tagged)
        && is_configured(wanted, configuration, context)
}

fn is_configured(wanted: &Function, found: &FunctionConfiguration, context: &Context) -> bool {
    let settings = &wanted.settings;
    let Ok(role) = role_arn(&wanted.role, context) else {
        return false;
    };
    let found_runtime = found.runtime.as_ref().map(|runtime| runtime.as_str());
    let found_tracing = found.tracing_config.as_ref().and_then(|config| config.mode.clone());
    let is_zip = wanted.image.is_none();
    is_zip
        && found.role.as_deref() == Some(&role)
        && found.handler.as_deref() == Some(&settings.handler)
        && found_runtime == Some(settings.runtime.as_str())
        && found.timeout == Some(signed(settings.timeout_s))
        && found.memory_size == Some(signed(settings.memory_mib))
        && found.architectures() == [architecture(settings.architecture)]
        && found_tracing.unwrap_or(TracingMode::PassThrough) == mode(wanted)
        && has_variables(wanted, found)
        && has_layers(wanted, found, context)
        && is_in_its_network(wanted, found)
}

fn mode(wanted: &Function) -> TracingMode {
    let config = tracing_config(&wanted.settings);
    config.mode.unwrap_or(TracingMode::PassThrough)
}

/// A secret whose value is not known here may be another one.
fn has_variables(wanted: &Function, found: &FunctionConfiguration) -> bool {
    let Ok(wanted) = environment(&wanted.settings) else {
        return false;
    };
    let found = found.environment.as_ref().and_then(|found| found.variables.clone());
    found.unwrap_or_default() == wanted.variables.unwrap_or_default()
}

fn has_layers(wanted: &Function, found: &FunctionConfiguration, context: &Context) -> bool {
    let managed = match &wanted.managed_layer {
        Some(address) => match context.outputs.get(address) {
            Some(resource::Outputs::Layer(layer)) => Some(layer.arn.as_str()),
            Some(_) | None => return false,
        },
        None => None,
    };
    let wanted = managed
        .into_iter()
        .chain(wanted.settings.layers.iter().map(String::as_str));
    let found = found.layers().iter().filter_map(|layer| layer.arn.as_deref());
    wanted.eq(found)
}

fn is_in_its_network(wanted: &Function, found: &FunctionConfiguration) -> bool {
    fn set(ids: &[String]) -> BTreeSet<&str> {
        ids.iter().map(String::as_str).collect()
    }
    let (subnets, groups) = match &found.vpc_config {
        Some(vpc) => (set(vpc.subnet_ids()), set(vpc.security_group_ids())),
        None => (BTreeSet::new(), BTreeSet::new()),
    };
    match &wanted.settings.vpc {
        Some(vpc) => subnets == set(&vpc.subnet_ids) && groups == set(&vpc.security_group_ids),
        None => subnets.is_empty() && groups.is_empty(),
    }
}

async fn has_code(wanted: &Function, found: &GetFunctionOutput, context: &Context) -> bool {
    let digest = found
        .configuration
        .as_ref()
        .and_then(|found| found.code_sha256.as_deref());
    let location = found.code.as_ref().and_then(|code| code.location.as_deref());
    is_code(&wanted.code, (digest, location), context).await
}

/// Whether a zip that stands holds what ours does: by AWS's digest of it, or else by the files in it.
pub async fn is_code(wanted: &str, (digest, location): (Option<&str>, Option<&str>), context: &Context) -> bool {
    let digest = digest.and_then(|digest| BASE64_STANDARD.decode(digest).ok());
    let digest: Option<String> = digest.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    if digest.as_deref() == Some(wanted) {
        return true;
    }
    let (Some(CodeLocation::Inline(path)), Some(location)) = (context.code.get(wanted), location) else {
        return false;
    };
    let (Some(theirs), Ok(ours)) = (download(location, ZIP_BYTES).await, tokio::fs::read(path).await) else {
        return false;
    };
    let compared = tokio::task::spawn_blocking(move || contents::are_same(&ours, &theirs));
    compared.await.unwrap_or(false)
}
