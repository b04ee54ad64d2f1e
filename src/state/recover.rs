//! Ends doubt: looks at AWS for what was begun, and its end not recorded.

use std::sync::Arc;

use super::{Doubt, Intent, State};
use crate::fault::{Fault, FaultKind};
use crate::resource::{Cloud, Context};

/// Looks for everything that is in doubt. What is found is recorded as existing, its content unknown, so that the next plan
/// sets it up anew; what is not is forgotten.
///
/// To be called with the lease of the stage only: a look without it proves nothing.
///
/// # Errors
///
/// The first look that fails; what was settled before it stays settled.
pub async fn settle(state: &mut State, cloud: &dyn Cloud, context: &Context) -> Result<(), Fault> {
    // What refers to others comes last: a deployment is looked for by the id of its API, which may be in doubt as well.
    let mut doubts: Vec<_> = state.in_doubt.clone().into_iter().collect();
    doubts.sort_by_key(|(_, doubt)| doubt.resource.as_ref().map(|resource| resource.references().len()));
    for (address, Doubt { intent, resource }) in doubts {
        let known = state.deployed.get(&address).map(|deployed| deployed.outputs.clone());
        let context = Context {
            outputs: Arc::new(state.outputs()),
            ..context.clone()
        };
        let found = match &resource {
            Some(resource) => match cloud.look(resource, &context).await {
                Err(fault) if fault.kind == FaultKind::Foreign => None,
                found => found?,
            },
            // Chalice recorded it, and we have never set it up: it is there until it is removed for sure.
            None => known.clone(),
        };
        tracing::info!(%address, ?intent, found = found.is_some(), "doubt settled");
        match (found, known) {
            // What was known stays known: an API Gateway stage of the former name is still to be taken down.
            (Some(_), Some(known)) if intent == Intent::Update => state.record(address, None, known),
            (Some(found), _) => state.record(address, None, found),
            (None, _) => state.forget(&address),
        }
    }
    Ok(())
}
