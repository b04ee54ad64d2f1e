//! The calls for functions.

use std::collections::BTreeMap;

use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::types::{
    Architecture as AwsArchitecture, Environment, FunctionCode, PackageType, Runtime, TracingConfig, TracingMode,
    VpcConfig,
};
use aws_smithy_types::retry::RetryConfig;
use tokio::task::JoinSet;

use self::ready::{LastSeen, Seen, ready_function, ready_revision, ready_role, settled};
use self::sent::{Zip, zip};
use super::{Function, Outputs, RoleReference};
use crate::app::{Architecture, Settings, Tracing};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::marked::{Marked, Search};
use crate::resource::{self, Context, Owner, is_ours};

pub use self::stands::stands_as;

pub mod invoke;
pub mod logs;
mod ready;
pub mod sent;
pub mod stands;

/// Makes a function, or takes over and updates the one of this name that bears our tags.
pub async fn create(clients: &Clients, function: &Function, context: &Context) -> Result<Outputs, Fault> {
    let made = match create_new(clients, function, context).await {
        Ok(made) => made,
        Err(fault) if fault.kind == FaultKind::Conflict => {
            return match look(clients, function).await.map_err(Fault::of_a_begun_step)? {
                Some(_) => update(clients, (None, function), context)
                    .await
                    .map_err(Fault::of_a_begun_step),
                None => Err(fault),
            };
        }
        Err(fault) => return Err(fault),
    };
    // Whatever calls it must not do so before it has its limit.
    if function.reserved_concurrency.is_none() {
        context.standing.tell();
    }
    let settled = settled(clients, &function.name, Some(made)).await;
    settled.map_err(Fault::of_a_begun_step)?;
    if let Some(reserved) = function.reserved_concurrency {
        reserve(clients, &function.name, Some(reserved), context)
            .await
            .map_err(Fault::of_a_begun_step)?;
    }
    Ok(outputs(function, context))
}

async fn create_new(clients: &Clients, function: &Function, context: &Context) -> Result<Seen, Fault> {
    const OPERATION: &str = "lambda:CreateFunction";
    let settings = &function.settings;
    let role = role_arn(&function.role, context)?;
    let form = form(function);
    let zip = zip_of(OPERATION, function, context).await?;
    let patience = zip.patience();
    let code = FunctionCode::builder()
        .set_zip_file(zip.inline)
        .set_s3_bucket(zip.bucket)
        .set_s3_key(zip.key)
        .set_image_uri(function.image.clone())
        .build();
    let request = clients
        .lambda
        .create_function()
        .function_name(&function.name)
        .set_package_type(form.package_type)
        .set_runtime(form.runtime)
        .role(&role)
        .set_handler(form.handler)
        .code(code)
        .timeout(signed(settings.timeout_s))
        .memory_size(signed(settings.memory_mib))
        .environment(environment(settings)?)
        .tracing_config(tracing_config(settings))
        .set_layers(Some(layers(function, context)?).filter(|layers| !layers.is_empty()))
        .set_vpc_config(settings.vpc.is_some().then(|| vpc(settings)))
        .architectures(architecture(settings.architecture))
        .set_tags(Some(function.tags.clone().into_iter().collect()));
    ready_role(clients, (OPERATION, &function.name), &role, async || {
        clients.pacer.turn(None, (OPERATION, &function.name)).await?;
        context.hold.cover(OPERATION, &function.name)?;
        let sent = request
            .clone()
            .customize()
            .config_override(patience.clone())
            .send()
            .await;
        sent.map(Seen::from)
            .map_err(|error| fault::of(OPERATION, &function.name, &error))
    })
    .await
}

/// Sets what differs of a function's code, configuration, concurrency and tags; all of it where `from` is not known.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&Function>, &Function),
    context: &Context,
) -> Result<Outputs, Fault> {
    if let Some(from) = from {
        same_form(from, to)?;
    }
    let differs = |what: fn(&Function, &Function) -> bool| from.is_none_or(|from| what(from, to));
    let has_other_code = differs(has_other_code);
    let has_other_settings = differs(has_other_settings);
    if has_other_code || has_other_settings {
        let revision = LastSeen::of(clients, &to.name).await?;
        if has_other_code {
            let updated = update_code(clients, to, &revision, context).await?;
            revision.follow(clients, &to.name, Some(updated)).await?;
        }
        if has_other_settings {
            let updated = update_configuration(clients, (from, to), &revision, context).await?;
            settled(clients, &to.name, Some(updated)).await?;
        }
    }
    if differs(|from, to| from.reserved_concurrency != to.reserved_concurrency) {
        reserve(clients, &to.name, to.reserved_concurrency, context).await?;
    }
    if differs(|from, to| from.tags != to.tags) {
        retag(clients, from.map(|from| &from.tags), to, context).await?;
    }
    Ok(outputs(to, context))
}

fn has_other_code(from: &Function, to: &Function) -> bool {
    code_of(from) != code_of(to)
}

fn has_other_settings(from: &Function, to: &Function) -> bool {
    configuration_of(from) != configuration_of(to)
}

/// Looks at functions whose code or configuration will be updated, all at once, if there are few: Lambda answers 100 looks a
/// second, and those of many are better made while the first updates are under way.
pub async fn look_ahead(clients: &Clients, changes: &[(Option<&Function>, &Function)]) {
    const FEW: usize = 20;
    // What was seen before somebody else held the stage says nothing any more.
    clients.foreseen.borrow_mut().clear();
    let is_updated = |from: &Function, to: &Function| has_other_code(from, to) || has_other_settings(from, to);
    let updated = changes
        .iter()
        .filter(|(from, to)| from.is_none_or(|from| is_updated(from, to)));
    let mut looks = JoinSet::new();
    for (_, to) in updated.take(FEW) {
        let (clients, name) = (clients.clone(), to.name.clone());
        looks.spawn_local(async move { LastSeen::foresee(&clients, &name).await });
    }
    looks.join_all().await;
}

async fn update_code(
    clients: &Clients,
    function: &Function,
    revision: &LastSeen,
    context: &Context,
) -> Result<Seen, Fault> {
    const OPERATION: &str = "lambda:UpdateFunctionCode";
    let zip = zip_of(OPERATION, function, context).await?;
    let once = zip.patience().retry_config(RetryConfig::disabled());
    let request = clients
        .lambda
        .update_function_code()
        .function_name(&function.name)
        .set_zip_file(zip.inline)
        .set_s3_bucket(zip.bucket)
        .set_s3_key(zip.key)
        .set_image_uri(function.image.clone())
        .architectures(architecture(function.settings.architecture));
    ready_revision(clients, (OPERATION, &function.name), revision, async |revision| {
        context.hold.cover(OPERATION, &function.name)?;
        let sent = request
            .clone()
            .set_revision_id(revision)
            .customize()
            .config_override(once.clone())
            .send()
            .await;
        sent.map(Seen::from)
            .map_err(|error| fault::of(OPERATION, &function.name, &error))
    })
    .await
}

async fn update_configuration(
    clients: &Clients,
    (from, function): (Option<&Function>, &Function),
    revision: &LastSeen,
    context: &Context,
) -> Result<Seen, Fault> {
    const OPERATION: &str = "lambda:UpdateFunctionConfiguration";
    let settings = &function.settings;
    // A function that never was in a network is not asked to leave one.
    let has_network = settings.vpc.is_some() || from.is_none_or(|from| from.settings.vpc.is_some());
    let form = form(function);
    let role = role_arn(&function.role, context)?;
    let request = clients
        .lambda
        .update_function_configuration()
        .function_name(&function.name)
        .set_runtime(form.runtime)
        .role(&role)
        .set_handler(form.handler)
        .timeout(signed(settings.timeout_s))
        .memory_size(signed(settings.memory_mib))
        .environment(environment(settings)?)
        .tracing_config(tracing_config(settings))
        .set_layers(Some(layers(function, context)?).filter(|_| function.image.is_none()))
        .set_vpc_config(has_network.then(|| vpc(settings)));
    ready_role(clients, (OPERATION, &function.name), &role, async || {
        ready_revision(clients, (OPERATION, &function.name), revision, async |revision| {
            context.hold.cover(OPERATION, &function.name)?;
            let request = request.clone().set_revision_id(revision).customize();
            let once = Builder::new().retry_config(RetryConfig::disabled());
            let sent = request.config_override(once).send().await;
            sent.map(Seen::from)
                .map_err(|error| fault::of(OPERATION, &function.name, &error))
        })
        .await
    })
    .await
}

async fn reserve(clients: &Clients, name: &str, reserved: Option<u32>, context: &Context) -> Result<(), Fault> {
    wait::throttled(
        clients,
        ("lambda:PutFunctionConcurrency", name),
        async || match reserved {
            Some(reserved) => {
                const OPERATION: &str = "lambda:PutFunctionConcurrency";
                context.hold.cover(OPERATION, name)?;
                let request = clients.lambda.put_function_concurrency().function_name(name);
                let sent = request.reserved_concurrent_executions(signed(reserved)).send().await;
                sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
            }
            None => {
                const OPERATION: &str = "lambda:DeleteFunctionConcurrency";
                context.hold.cover(OPERATION, name)?;
                let sent = clients
                    .lambda
                    .delete_function_concurrency()
                    .function_name(name)
                    .send()
                    .await;
                sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
            }
        },
    )
    .await
}

async fn retag(
    clients: &Clients,
    from: Option<&BTreeMap<String, String>>,
    to: &Function,
    context: &Context,
) -> Result<(), Fault> {
    let arn = context.place.function_arn(&to.name);
    let dropped: Vec<String> = from
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|key| !to.tags.contains_key(*key))
        .cloned()
        .collect();
    if !dropped.is_empty() {
        const OPERATION: &str = "lambda:UntagResource";
        clients.pacer.turn(None, (OPERATION, &arn)).await?;
        context.hold.cover(OPERATION, &arn)?;
        let sent = clients
            .lambda
            .untag_resource()
            .resource(&arn)
            .set_tag_keys(Some(dropped))
            .send()
            .await;
        sent.map_err(|error| fault::of(OPERATION, &arn, &error))?;
    }
    const OPERATION: &str = "lambda:TagResource";
    clients.pacer.turn(None, (OPERATION, &arn)).await?;
    context.hold.cover(OPERATION, &arn)?;
    let tags = to.tags.clone().into_iter().collect();
    let sent = clients
        .lambda
        .tag_resource()
        .resource(&arn)
        .set_tags(Some(tags))
        .send()
        .await;
    sent.map(drop).map_err(|error| fault::of(OPERATION, &arn, &error))
}

/// Removes a function.
pub async fn delete(clients: &Clients, function: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:DeleteFunction";
    let deleted = ready_function(clients, OPERATION, &function.arn, async || {
        context.hold.cover(OPERATION, &function.arn)?;
        let sent = clients
            .lambda
            .delete_function()
            .function_name(&function.arn)
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, &function.arn, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        deleted => deleted,
    }
}

/// Looks for a function by its name.
///
/// # Errors
///
/// [`FaultKind::Foreign`]: there is one, and it does not bear our tags.
pub async fn look(clients: &Clients, function: &Function) -> Result<Option<Outputs>, Fault> {
    const OPERATION: &str = "lambda:GetFunction";
    let found = match clients.lambda.get_function().function_name(&function.name).send().await {
        Ok(found) => found,
        Err(error) => match fault::of(OPERATION, &function.name, &error) {
            fault if fault.kind == FaultKind::Absent => return Ok(None),
            fault => return Err(fault),
        },
    };
    let arn = found
        .configuration
        .and_then(|configuration| configuration.function_arn)
        .unwrap_or_default();
    let tags = found.tags.unwrap_or_default().into_iter().collect();
    if is_ours(&function.tags, &tags) {
        return Ok(Some(Outputs { arn }));
    }
    let message = "a function of this name stands in AWS and does not bear our tags".to_owned();
    Err(Fault::refused(OPERATION, arn, FaultKind::Foreign, message))
}

/// Looks for functions that bear a mark. A list of functions says nothing of tags, which are asked for only where a name
/// fits.
pub async fn marked(clients: &Clients, search: &Search<'_>) -> Result<Vec<Marked>, Fault> {
    const OPERATION: &str = "lambda:ListFunctions";
    let listed = wait::throttled(clients, (OPERATION, "*"), async || {
        let pages = clients.lambda.list_functions().into_paginator().items().send();
        let functions: Result<Vec<_>, _> = pages.try_collect().await;
        functions.map_err(|error| fault::of(OPERATION, "*", &error))
    });
    let mut marked = Vec::new();
    for function in listed.await? {
        let (Some(name), Some(arn)) = (function.function_name, function.function_arn) else {
            continue;
        };
        let outputs = resource::Outputs::Function(Outputs { arn: arn.clone() });
        if !search.has(&name) || search.knows(&outputs) {
            continue;
        }
        if let Some(owner) = owner(clients, &arn).await? {
            marked.push(Marked { owner, name, outputs });
        }
    }
    Ok(marked)
}

/// Whose a function is; `None` where it is not ours, or gone by now.
async fn owner(clients: &Clients, arn: &str) -> Result<Option<Owner>, Fault> {
    const OPERATION: &str = "lambda:ListTags";
    let found = wait::throttled(clients, (OPERATION, arn), async || {
        let answer = clients.lambda.list_tags().resource(arn).send().await;
        answer.map_err(|error| fault::of(OPERATION, arn, &error))
    });
    match found.await {
        Ok(answer) => {
            let tags = answer.tags.unwrap_or_default().into_iter().collect();
            Ok(Owner::of_tags(&tags))
        }
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What a function says of itself only where it is a zip: a container image brings its own runtime and entry point.
struct Form {
    package_type: Option<PackageType>,
    runtime: Option<Runtime>,
    handler: Option<String>,
}

fn form(function: &Function) -> Form {
    match function.image {
        Some(_) => Form {
            package_type: Some(PackageType::Image),
            runtime: None,
            handler: None,
        },
        None => Form {
            package_type: None,
            runtime: Some(Runtime::from(function.settings.runtime.as_str())),
            handler: Some(function.settings.handler.clone()),
        },
    }
}

/// Refuses what AWS does not let one change, before anything else is.
fn same_form(from: &Function, to: &Function) -> Result<(), Fault> {
    let (was, becomes) = match (&from.image, &to.image) {
        (Some(_), None) => ("a container image", "a zip"),
        (None, Some(_)) => ("a zip", "a container image"),
        (Some(_), Some(_)) | (None, None) => return Ok(()),
    };
    let message = format!(
        "it is {was}, and AWS lets no function become {becomes}: give it another name in the app, or deploy once without \
         it and then with it again"
    );
    let operation = "lambda:UpdateFunctionCode";
    Err(Fault::refused(operation, &to.name, FaultKind::Invalid, message))
}

/// What UpdateFunctionCode sets.
fn code_of(function: &Function) -> impl PartialEq + '_ {
    (&function.code, &function.image, function.settings.architecture)
}

/// What UpdateFunctionConfiguration sets.
fn configuration_of(function: &Function) -> impl PartialEq + '_ {
    (&function.role, &function.settings, &function.managed_layer)
}

/// The zip of a function; nothing for a container image.
async fn zip_of(operation: &'static str, function: &Function, context: &Context) -> Result<Zip, Fault> {
    match function.image {
        Some(_) => Ok(Zip::default()),
        None => zip((operation, &function.name), &function.code, context).await,
    }
}

/// ARNs of a function's layers: the stage's own first, so that those of the configuration can replace what is in it.
fn layers(function: &Function, context: &Context) -> Result<Vec<String>, Fault> {
    let managed = match &function.managed_layer {
        None => None,
        Some(address) => match context.outputs.get(address) {
            Some(resource::Outputs::Layer(layer)) => Some(layer.arn.clone()),
            Some(_) | None => {
                let message = "its ARN is not known, so that no function can have it".to_owned();
                let operation = "lambda:GetLayerVersion";
                return Err(Fault::refused(operation, address.as_str(), FaultKind::Absent, message));
            }
        },
    };
    Ok(managed
        .into_iter()
        .chain(function.settings.layers.iter().cloned())
        .collect())
}

fn role_arn(role: &RoleReference, context: &Context) -> Result<String, Fault> {
    match role {
        RoleReference::Given(arn) => Ok(arn.clone()),
        RoleReference::Managed(address) => match context.outputs.get(address) {
            Some(resource::Outputs::Role(role)) => Ok(role.arn.clone()),
            Some(_) | None => {
                let message = "its ARN is not known, so that no function can run as it".to_owned();
                Err(Fault::refused(
                    "iam:GetRole",
                    address.as_str(),
                    FaultKind::Absent,
                    message,
                ))
            }
        },
    }
}

fn environment(settings: &Settings) -> Result<Environment, Fault> {
    let mut variables = std::collections::HashMap::new();
    for (name, variable) in &settings.environment {
        let Some(value) = variable.reveal() else {
            let message = format!("the value of the secret variable `{name}` is not known here");
            return Err(Fault::refused(
                "lambda:UpdateFunctionConfiguration",
                name,
                FaultKind::Invalid,
                message,
            ));
        };
        variables.insert(name.clone(), value.to_owned());
    }
    Ok(Environment::builder().set_variables(Some(variables)).build())
}

/// Empty lists take a function out of its network.
fn vpc(settings: &Settings) -> VpcConfig {
    let (subnets, groups) = match &settings.vpc {
        Some(vpc) => (vpc.subnet_ids.clone(), vpc.security_group_ids.clone()),
        None => (Vec::new(), Vec::new()),
    };
    VpcConfig::builder()
        .set_subnet_ids(Some(subnets))
        .set_security_group_ids(Some(groups))
        .build()
}

fn tracing_config(settings: &Settings) -> TracingConfig {
    let mode = match settings.tracing {
        Tracing::PassThrough => TracingMode::PassThrough,
        Tracing::Active => TracingMode::Active,
    };
    TracingConfig::builder().mode(mode).build()
}

fn architecture(architecture: Architecture) -> AwsArchitecture {
    match architecture {
        Architecture::X86_64 => AwsArchitecture::X8664,
        Architecture::Arm64 => AwsArchitecture::Arm64,
    }
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn outputs(function: &Function, context: &Context) -> Outputs {
    Outputs {
        arn: context.place.function_arn(&function.name),
    }
}
