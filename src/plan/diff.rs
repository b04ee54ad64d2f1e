//! What is desired and what is deployed -> what to do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Action, Cause, Desired, Plan, Step};
use crate::names::Address;
use crate::resource::{Outputs, Resource};
use crate::state::{Deployed, State};

/// The longest that a value is shown.
const SHOWN: usize = 44;

/// At most so many changed inputs of one resource are told one by one.
const CAUSES: usize = 12;

/// The changes that make a stage what is desired.
pub fn diff(desired: &Desired, state: &State) -> Plan {
    let mut changes: Vec<(Address, Action, Vec<Cause>)> = Vec::new();
    let mut renewed = BTreeSet::new();
    for (address, resource) in &desired.resources {
        let change = match state.deployed.get(address) {
            None => {
                renewed.insert(address.clone());
                Some((Action::Create(resource.clone()), vec![Cause::New]))
            }
            Some(deployed) => update(resource, deployed, &renewed),
        };
        changes.extend(change.map(|(action, causes)| (address.clone(), action, causes)));
    }
    let wanted: BTreeSet<&Address> = desired.resources.iter().map(|(address, _)| address).collect();
    let unwanted = state.deployed.iter().filter(|(address, _)| !wanted.contains(address));
    let removed: BTreeMap<&Address, &Deployed> = unwanted.collect();
    changes.extend(deletes(&removed, &Cause::Removed));
    Plan {
        app: state.app.clone(),
        stage: state.stage.clone(),
        steps: ordered(changes),
    }
}

/// The changes that leave nothing of a stage.
pub fn destruction(state: &State) -> Plan {
    let all: BTreeMap<&Address, &Deployed> = state.deployed.iter().collect();
    let steps = ordered(deletes(&all, &Cause::Destroyed).collect());
    Plan {
        app: state.app.clone(),
        stage: state.stage.clone(),
        steps,
    }
}

fn update(to: &Resource, deployed: &Deployed, renewed: &BTreeSet<Address>) -> Option<(Action, Vec<Cause>)> {
    let mut causes = match &deployed.resource {
        None => vec![Cause::Unknown],
        // What was taken over is marked as ours with its next change, and not for the mark alone.
        Some(from) if from == to || *from == to.unmarked() => Vec::new(),
        Some(from) => changed(from, to),
    };
    let anew: Vec<Address> = to
        .references()
        .into_iter()
        .filter(|address| renewed.contains(address))
        .collect();
    let mut from = deployed.clone();
    if !anew.is_empty() {
        // However much of it stays the same, AWS has to be told all of it again.
        from.resource = None;
    }
    causes.extend(anew.into_iter().map(Cause::Renewed));
    if causes.is_empty() {
        return None;
    }
    Some((
        Action::Update {
            from: Box::new(from),
            to: to.clone(),
        },
        causes,
    ))
}

/// A resource that goes with another one needs no step of its own.
fn deletes<'a>(
    removed: &'a BTreeMap<&Address, &Deployed>,
    cause: &'a Cause,
) -> impl Iterator<Item = (Address, Action, Vec<Cause>)> + 'a {
    let goes_along = |outputs: &Outputs| removed.values().any(|other| outputs.belongs_to(&other.outputs));
    removed
        .iter()
        .filter(move |(_, deployed)| !goes_along(&deployed.outputs))
        .map(|(address, deployed)| {
            (
                (*address).clone(),
                Action::Delete((*deployed).clone()),
                vec![cause.clone()],
            )
        })
}

/// Gives each change what must come before it, and puts deletes last, in an order in which they could be made one by one. What
/// makes room in a thing that stages share goes first: a bucket takes no entry that overlaps with one that still stands.
fn ordered(changes: Vec<(Address, Action, Vec<Cause>)>) -> Vec<Step> {
    let (deleted, kept): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|(_, action, _)| matches!(action, Action::Delete(_)));
    let kept_addresses: Vec<Address> = kept.iter().map(|(address, _, _)| address.clone()).collect();
    let new_functions: BTreeSet<Address> = kept.iter().filter_map(new_function).collect();
    let new_apis: BTreeSet<Address> = kept.iter().filter_map(new_api).collect();
    let step = |(address, action, causes): (Address, Action, Vec<Cause>), after| Step {
        address,
        action,
        causes,
        after,
        beside: Vec::new(),
    };
    let filled: BTreeSet<String> = kept.iter().filter_map(|(_, action, _)| action.shared()).collect();
    let (room, mut deleted): (Vec<_>, Vec<_>) = deleted
        .into_iter()
        .partition(|(_, action, _)| action.shared().is_some_and(|shared| filled.contains(&shared)));
    let rooms: Vec<(Address, Option<String>)> = room
        .iter()
        .map(|(address, action, _)| (address.clone(), action.shared()))
        .collect();
    let mut steps: Vec<Step> = room.into_iter().map(|change| step(change, Vec::new())).collect();
    steps.extend(kept.into_iter().map(|change| {
        let own = change.1.shared();
        let made_room = rooms.iter().filter(|(_, of)| own.is_some() && *of == own);
        let before = before(&change.1, (&kept_addresses, &new_apis), &change.0);
        let (beside, mut after): (Vec<_>, Vec<_>) = before
            .into_iter()
            .partition(|address| matches!(change.1, Action::Create(_)) && new_functions.contains(address));
        after.extend(made_room.map(|(address, _)| address.clone()));
        Step {
            beside,
            ..step(change, after)
        }
    }));
    deleted.sort_by_key(|(_, action, _)| std::cmp::Reverse(rank(action)));
    let others: Vec<(Address, Option<Outputs>)> = deleted
        .iter()
        .map(|(address, action, _)| (address.clone(), removed(action).cloned()))
        .collect();
    for change in deleted {
        let own = removed(&change.1);
        let needed = |other: &Outputs| own.is_some_and(|own| needs(other, own));
        let dependents = others.iter().filter(|(_, other)| other.as_ref().is_some_and(needed));
        // What stages share is as it shall be before its lease is given back.
        let (beside, dependents): (Vec<_>, Vec<_>) =
            dependents.partition(|(_, other)| other.as_ref().is_some_and(|other| other.shared().is_some()));
        let made_room = rooms.iter().map(|(address, _)| address.clone());
        let dependents = dependents.into_iter().map(|(address, _)| address.clone());
        let after = kept_addresses.iter().cloned().chain(made_room).chain(dependents);
        let after = after.collect();
        steps.push(Step {
            beside: beside.into_iter().map(|(address, _)| address.clone()).collect(),
            ..step(change, after)
        });
    }
    steps
}

/// A function that is made. What is new, too, and calls it, may be made as soon as it stands: Lambda makes what calls it wait
/// until it is active. What stood before calls it only when it is ready.
fn new_function((address, action, _): &(Address, Action, Vec<Cause>)) -> Option<Address> {
    matches!(action, Action::Create(Resource::Function(_))).then(|| address.clone())
}

/// A REST API that is made, of which nobody knows where it is.
fn new_api((address, action, _): &(Address, Action, Vec<Cause>)) -> Option<Address> {
    matches!(action, Action::Create(Resource::RestApi(_))).then(|| address.clone())
}

/// What is made or changed comes after what it refers to; what is served comes last of all, so that no caller meets a
/// function that is not there yet. A new API has no callers, and a deployment of one need not wait for its turn at the end: AWS
/// counts them by seconds.
fn before(action: &Action, (all, new_apis): (&[Address], &BTreeSet<Address>), own: &Address) -> Vec<Address> {
    let to = match action {
        Action::Create(to) | Action::Update { to, .. } => to,
        Action::Delete(_) => return Vec::new(),
    };
    match to {
        Resource::Deployment(deployment) if new_apis.contains(&deployment.rest_api) => {
            vec![deployment.rest_api.clone()]
        }
        // A domain leads to what is served.
        Resource::Deployment(_) => {
            let others = all.iter().filter(|address| *address != own);
            others
                .filter(|address| address.kind() != "domain_name")
                .cloned()
                .collect()
        }
        // Its callers may be there already.
        Resource::DomainName(_) => {
            let is_before = |address: &&Address| address.kind() != "domain_name";
            all.iter().filter(is_before).cloned().collect()
        }
        Resource::Role(_)
        | Resource::Function(_)
        | Resource::RestApi(_)
        | Resource::Permission(_)
        | Resource::Rule(_)
        | Resource::Notification(_)
        | Resource::Subscription(_)
        | Resource::EventSourceMapping(_)
        | Resource::V2Api(_)
        | Resource::Layer(_)
        | Resource::LogGroup(_)
        | Resource::FunctionUrl(_) => to
            .references()
            .into_iter()
            .filter(|address| all.contains(address))
            .collect(),
    }
}

/// What a step removes.
fn removed(action: &Action) -> Option<&Outputs> {
    match action {
        Action::Delete(deployed) => Some(&deployed.outputs),
        Action::Create(_) | Action::Update { .. } => None,
    }
}

/// Whether AWS lets go of the one only after the other, or would make it anew: an API to which a domain leads, a function's role
/// with which it still runs, the log that it still writes. A bucket that still tells a function which is gone takes no other
/// list, of another stage neither. All else may go at once.
fn needs(other: &Outputs, own: &Outputs) -> bool {
    match own {
        Outputs::RestApi(_) | Outputs::V2Api(_) | Outputs::Deployment(_) => matches!(other, Outputs::DomainName(_)),
        Outputs::Role(_) | Outputs::Layer(_) | Outputs::LogGroup(_) => matches!(other, Outputs::Function(_)),
        Outputs::Function(_) | Outputs::Permission(_) => matches!(other, Outputs::Notification(_)),
        Outputs::FunctionUrl(_)
        | Outputs::Rule(_)
        | Outputs::Notification(_)
        | Outputs::Subscription(_)
        | Outputs::EventSourceMapping(_)
        | Outputs::DomainName(_) => false,
    }
}

/// Where a removal stands in the plan: what calls goes first, then what is called, and what these need last.
fn rank(action: &Action) -> u8 {
    let outputs = match action {
        Action::Create(_) => return 0,
        Action::Update { from, .. } => &from.outputs,
        Action::Delete(deployed) => &deployed.outputs,
    };
    match outputs {
        Outputs::Role(_) | Outputs::Layer(_) | Outputs::LogGroup(_) => 0,
        Outputs::Function(_) | Outputs::RestApi(_) | Outputs::V2Api(_) => 1,
        Outputs::Permission(_) | Outputs::Deployment(_) | Outputs::FunctionUrl(_) => 2,
        Outputs::Rule(_)
        | Outputs::Notification(_)
        | Outputs::Subscription(_)
        | Outputs::EventSourceMapping(_)
        | Outputs::DomainName(_) => 3,
    }
}

fn changed(from: &Resource, to: &Resource) -> Vec<Cause> {
    let value = |resource: &Resource| serde_json::to_value(resource).unwrap_or_default();
    let mut causes = Vec::new();
    compare("", &value(&from.unmarked()), &value(&to.unmarked()), &mut causes);
    if causes.is_empty() {
        compare("", &value(from), &value(to), &mut causes);
    }
    let more = causes.len().saturating_sub(CAUSES);
    if more > 0 {
        causes.truncate(CAUSES);
        causes.push(Cause::Changed {
            input: format!("and {more} more"),
            from: None,
            to: None,
        });
    }
    causes
}

fn compare(input: &str, from: &Value, to: &Value, causes: &mut Vec<Cause>) {
    if from == to {
        return;
    }
    if let (Value::Object(before), Value::Object(after)) = (from, to)
        && secret(from).is_none()
        && secret(to).is_none()
    {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let input = if input.is_empty() {
                key.clone()
            } else {
                format!("{input}.{key}")
            };
            let field = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
            compare(&input, &field(before), &field(after), causes);
        }
        return;
    }
    causes.push(Cause::Changed {
        input: input.to_owned(),
        from: shown(from),
        to: shown(to),
    });
}

/// The reference of a secret variable, if a value is one.
fn secret(value: &Value) -> Option<&str> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    object.get("digest")?.as_str()?;
    object
        .get("reference")?
        .as_str()
        .filter(|reference| reference.contains("${env:"))
}

/// A value in short. A secret is shown as its reference.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(digest) if digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()) => {
            digest.chars().take(12).collect()
        }
        Value::String(text) => text.clone(),
        Value::Object(_) if secret(value).is_some() => format!("{} (secret)", secret(value).unwrap_or_default()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    match text.chars().count() {
        0..=SHOWN => Some(text),
        _ => Some(text.chars().take(SHOWN - 1).chain(['…']).collect()),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
