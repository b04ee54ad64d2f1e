//! What of a manifest's functions AWS would refuse, each at its place.

use super::{FunctionEntry, Manifest, OverrideEntry, VpcEntry};
use crate::app::Severity;
use crate::app::flaws::{Flaws, Place};
use crate::app::yaml::Placed;
use crate::app::{App, limits};
use crate::names::check_name;

/// Checks everything about one function but its code, environment, events, URL and policy.
pub fn check_function(name: &Placed<String>, entry: &FunctionEntry, flaws: &mut Flaws) {
    check_numbers(entry.memory_mib.as_ref(), entry.timeout_s.as_ref(), flaws);
    match &entry.image {
        Some(image) => check_made_of_image(entry, image.place, flaws),
        None => check_made_of_code(name, entry, flaws),
    }
    check_layers(&entry.layers, flaws);
    check_retention(entry.log_retention_days.as_ref(), flaws);
    if let Some(vpc) = &entry.vpc {
        check_vpc(vpc, flaws);
    }
    for (key, value) in entry.tags.iter() {
        flaws.check(key.place, limits::check_tag(&key.value, &value.value));
    }
}

/// Checks what a stage changes of a function.
pub fn check_override(function: Option<&FunctionEntry>, entry: &OverrideEntry, flaws: &mut Flaws) {
    check_numbers(entry.memory_mib.as_ref(), entry.timeout_s.as_ref(), flaws);
    check_layers(entry.layers.as_deref().unwrap_or_default(), flaws);
    check_retention(entry.log_retention_days.as_ref(), flaws);
    if let Some(vpc) = &entry.vpc {
        check_vpc(vpc, flaws);
    }
    let is_of_an_image = function.map(|function| function.image.is_some());
    match (is_of_an_image, &entry.image, entry.layers.as_deref()) {
        (Some(false), Some(image), _) => {
            flaws.error(image.place, "this function is made of `code`, and has no `image`");
        }
        (Some(true), _, Some([layer, ..])) => flaws.error(layer.place, NO_LAYERS),
        (Some(_), _, _) | (None, _, _) => {}
    }
}

const NO_LAYERS: &str = "a function that is made of an image takes no layers: put them into the image";

fn check_layers(layers: &[Placed<String>], flaws: &mut Flaws) {
    if let Some(sixth) = layers.get(5) {
        flaws.check(sixth.place, limits::check_layer_count(layers.len()));
    }
    for layer in layers {
        flaws.check(layer.place, limits::check_layer(&layer.value));
    }
}

fn check_retention(days: Option<&Placed<u32>>, flaws: &mut Flaws) {
    if let Some(days) = days {
        flaws.check(days.place, limits::check_retention(days.value));
    }
}

fn check_made_of_image(entry: &FunctionEntry, image: Place, flaws: &mut Flaws) {
    let beside = [
        ("runtime", &entry.runtime),
        ("handler", &entry.handler),
        ("code", &entry.code),
        ("build", &entry.build),
    ];
    let beside: Vec<_> = beside.iter().filter(|(_, value)| value.is_some()).collect();
    if let [(_, Some(first)), ..] = beside.as_slice() {
        let names: Vec<_> = beside.iter().map(|(key, _)| format!("`{key}`")).collect();
        let message = format!("{} beside `image`: the image says it all", names.join(", "));
        flaws.error(first.place.or(image), message);
    }
    if let [layer, ..] = entry.layers.as_slice() {
        flaws.error(layer.place, NO_LAYERS);
    }
}

fn check_made_of_code(name: &Placed<String>, entry: &FunctionEntry, flaws: &mut Flaws) {
    for (key, value) in [("runtime", &entry.runtime), ("code", &entry.code)] {
        if value.is_none() {
            let message = format!("the key `{key}` is missing in `functions.{}`", name.value);
            let hint = "a function has `runtime` and `code`, or an `image`";
            flaws.error_with(name.place, message, Some(hint.to_owned()));
        }
    }
    if let Some(runtime) = &entry.runtime {
        check_runtime(runtime, flaws);
        check_handler(name, entry, flaws);
    }
}

/// Checks the names of all functions; whether they are too long on a stage is the planner's to say.
pub fn check_names(manifest: &Manifest, flaws: &mut Flaws) {
    for (index, (key, _)) in manifest.functions.iter().enumerate() {
        let name = &key.value;
        if let Err(why) = check_name("function name", name) {
            flaws.error(key.place, why.to_string());
        }
        // IAM keeps role names apart by more than case.
        let twin = manifest
            .functions
            .names()
            .take(index)
            .find(|other| other.eq_ignore_ascii_case(name));
        if let Some(twin) = twin {
            flaws.error(
                key.place,
                format!("functions `{twin}` and `{name}` differ by case only"),
            );
        }
    }
}

/// Checks that no function is called like the permission of something else: they share names.
pub fn check_twins(manifest: &Manifest, app: &App, flaws: &mut Flaws) {
    let mut taken: Vec<(String, &str)> = Vec::new();
    taken.extend(
        app.events
            .iter()
            .map(|event| (event.name.clone(), event.function.as_str())),
    );
    for function in app.functions.iter().filter(|function| function.url.is_some()) {
        let name = &function.name;
        taken.extend([format!("{name}-url"), format!("{name}-url-function")].map(|taken| (taken, name.as_str())));
    }
    let http = app.http_api.iter().flat_map(|api| &api.routes);
    taken.extend(http.map(|(_, function)| (format!("{function}-http_api"), function.as_str())));
    let websocket = app.websocket.iter().flat_map(|api| &api.routes);
    taken.extend(websocket.map(|(_, function)| (format!("{function}-websocket_api"), function.as_str())));
    for (name, _) in manifest.functions.iter() {
        if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == name.value) {
            let message = format!(
                "`{}` is what calls `{other}`, and no function can be called so",
                name.value
            );
            flaws.error_with(name.place, message, Some("call the function otherwise".to_owned()));
        }
    }
}

fn check_numbers(memory: Option<&Placed<u32>>, timeout: Option<&Placed<u32>>, flaws: &mut Flaws) {
    if let Some(memory) = memory {
        flaws.check(memory.place, limits::check_memory(memory.value));
    }
    if let Some(timeout) = timeout {
        flaws.check(timeout.place, limits::check_timeout(timeout.value));
    }
}

fn check_runtime(runtime: &Placed<String>, flaws: &mut Flaws) {
    match limits::runtime_flaw(&runtime.value) {
        Some((Severity::Error, message, hint)) => flaws.error_with(runtime.place, message, hint),
        Some((Severity::Warning, message, hint)) => flaws.warn(runtime.place, message, hint),
        None => {}
    }
}

fn check_handler(name: &Placed<String>, entry: &FunctionEntry, flaws: &mut Flaws) {
    match &entry.handler {
        Some(handler) => flaws.check(handler.place, limits::check_handler(&handler.value)),
        None if is_native(entry) => {}
        None => flaws.error(name.place, format!("function `{}` lacks the key `handler`", name.value)),
    }
}

/// Whether a function is a program of its own.
pub fn is_native(entry: &FunctionEntry) -> bool {
    let runtime = entry.runtime.as_ref();
    runtime.is_some_and(|runtime| runtime.value.starts_with("provided"))
}

fn check_vpc(vpc: &Placed<VpcEntry>, flaws: &mut Flaws) {
    let (place, vpc) = (vpc.place, &vpc.value);
    if vpc.subnet_ids.is_empty() || vpc.security_group_ids.is_empty() {
        flaws.error(place, "`vpc` needs at least one subnet and one security group");
    }
    let lists = [
        ("subnet_ids", "subnet-", &vpc.subnet_ids),
        ("security_group_ids", "sg-", &vpc.security_group_ids),
    ];
    for (key, prefix, ids) in lists {
        for id in ids {
            flaws.check(id.place, limits::check_network_id(key, prefix, &id.value));
        }
    }
}
