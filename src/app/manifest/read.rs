//! A manifest on one stage: the app, or everything that is wrong with it.

use super::code::{self, Sources};
use super::substitution::on_stage;
use super::variables::{self, Lookup};
use super::{FunctionEntry, Manifest, OverrideEntry, StageEntry, texts, values};
use super::{api, checks, events, policy, web};
use crate::app::flaws::{Flaws, did_you_mean};
use crate::app::limits::check_image;
use crate::app::yaml::Placed;
use crate::app::{App, Error, Finding, Function, Package, Settings, Tracing, Vpc};
use crate::names::StageName;

const MEMORY_MIB: u32 = 128;
const TIMEOUT_S: u32 = 30;

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
    let here = manifest.stages.get(stage.as_str()).unwrap_or(&nothing);
    let mut sources = Sources::default();
    let mut functions = Vec::new();
    for (name, entry) in manifest.functions.iter() {
        checks::check_function(name, entry, &mut flaws);
        let changed = here.functions.get(&name.value);
        let image = changed
            .and_then(|changed| changed.image.as_ref())
            .or(entry.image.as_ref());
        let package = match image {
            Some(image) => Package::Image(on_stage(image, stage, check_image, &mut flaws)),
            None => {
                let source = code::source(manifest, entry, &mut flaws);
                Package::Zip(source.map(|source| sources.add(name, source)).unwrap_or_default())
            }
        };
        let settings = settings(name, entry, here, lookup, &mut flaws);
        functions.push(function((name, entry), changed, (package, settings), &mut flaws));
    }
    let mut app = App {
        functions,
        events: events::read(manifest, stage, here, &mut flaws),
        api: api::api(manifest, stage, here, &mut flaws),
        http_api: web::http_api(manifest, stage, here, &mut flaws),
        websocket: web::websocket(manifest, stage, here, &mut flaws),
        sources: sources.into_map(),
        ..App::new(manifest.app.clone())
    };
    checks::check_twins(manifest, &app, &mut flaws);
    app.roles = policy::roles(manifest, &app, &mut flaws);
    web::check_domains(&app, manifest, here, &mut flaws);
    Ok((app, flaws.into_warnings()?))
}

fn function(
    (name, entry): (&Placed<String>, &FunctionEntry),
    changed: Option<&OverrideEntry>,
    (package, settings): (Package, Settings),
    flaws: &mut Flaws,
) -> Function {
    let retention = changed.and_then(|changed| changed.log_retention_days.as_ref());
    let retention = retention.or(entry.log_retention_days.as_ref());
    let url = changed.and_then(|changed| changed.url.as_ref()).or(entry.url.as_ref());
    Function {
        name: name.value.clone(),
        suffix: name.value.clone(),
        package,
        role: policy::role_of(name, entry, flaws),
        settings,
        tags: texts(&entry.tags),
        reserved_concurrency: changed
            .and_then(|changed| changed.reserved_concurrency)
            .or(entry.reserved_concurrency),
        log_retention_days: retention.map(|days| days.value),
        url: web::url(url, flaws),
    }
}

fn check_overrides(manifest: &Manifest, flaws: &mut Flaws) {
    for (_, stage) in manifest.stages.iter() {
        if let Some(python) = &stage.python {
            let message = "`python` belongs to a Chalice app: a function of this file names its `runtime`";
            flaws.error(python.place, message);
        }
        for (name, entry) in stage.functions.iter() {
            let function = manifest.functions.get(&name.value);
            if function.is_none() {
                flaws.error_with(
                    name.place,
                    format!("there is no function `{}`", name.value),
                    did_you_mean(&name.value, manifest.functions.names()),
                );
            }
            checks::check_override(function, entry, flaws);
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
    let text = |text: &Option<Placed<String>>| text.as_ref().map(|text| text.value.clone());
    let of_code = if entry.image.is_some() { "" } else { "bootstrap" };
    let vpc = changed.and_then(|changed| changed.vpc.as_ref()).or(entry.vpc.as_ref());
    let own_layers = changed.and_then(|changed| changed.layers.as_ref());
    let is_traced = changed.and_then(|changed| changed.tracing).unwrap_or(entry.tracing);
    Settings {
        runtime: text(&entry.runtime).unwrap_or_default(),
        architecture: entry.architecture,
        handler: text(&entry.handler).unwrap_or_else(|| of_code.to_owned()),
        memory_mib: number(|changed| &changed.memory_mib, &entry.memory_mib, MEMORY_MIB),
        timeout_s: number(|changed| &changed.timeout_s, &entry.timeout_s, TIMEOUT_S),
        environment: variables::merged(name, &layers, lookup, flaws),
        layers: values(own_layers.unwrap_or(&entry.layers)),
        vpc: vpc.map(|vpc| Vpc {
            subnet_ids: values(&vpc.value.subnet_ids),
            security_group_ids: values(&vpc.value.security_group_ids),
        }),
        tracing: if is_traced {
            Tracing::Active
        } else {
            Tracing::PassThrough
        },
    }
}
