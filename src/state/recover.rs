//! Ends doubt: looks at AWS for what was begun, and its end not recorded.

use std::sync::Arc;

use super::lease::Held;
use super::{Doubt, Error, State};
use crate::fault::FaultKind;
use crate::resource::{Cloud, Context};

/// Looks for everything that is in doubt. What is found is recorded as existing, its content unknown, so that the next plan
/// sets it up anew; what is not is forgotten. What stood in our state before is ours, whatever mark it bears.
///
/// A look without the lease of the stage proves nothing: it is held, and renewed where the looks take long.
///
/// # Errors
///
/// The first look that fails, what was settled before it stays settled; or those of [`Held::renew`].
pub async fn settle(state: &mut State, held: &mut Held<'_>, cloud: &dyn Cloud, context: &Context) -> Result<(), Error> {
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
            Some(resource) => match cloud.look(resource, known.as_ref(), &context).await {
                Err(fault) if fault.kind == FaultKind::Foreign => known.clone(),
                found => found?,
            },
            // Chalice recorded it, and we have never set it up: it is there until it is removed for sure.
            None => known.clone(),
        };
        tracing::info!(%address, ?intent, found = found.is_some(), "doubt settled");
        match (found, known) {
            // What was known stays known: an API Gateway stage of the former name is still to be taken down.
            (Some(_), Some(known)) => state.record(address, None, known),
            (Some(found), None) => state.record(address, None, found),
            (None, _) => state.forget(&address),
        }
        held.renew_if_due(state).await?;
    }
    Ok(())
}
