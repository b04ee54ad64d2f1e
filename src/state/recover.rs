//! Ends doubt: looks at AWS for what was begun, and its end not recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lease::Held;
use super::{Error, State};
use crate::fault::FaultKind;
use crate::names::{Address, Timestamp};
use crate::resource::{Cloud, Context, Outputs, Resource};

/// Looks for everything that is in doubt, and a second time for what a late call may have changed meanwhile. What is found is
/// recorded as existing, its content unknown, so that the next plan sets it up anew; what is not is forgotten; what came
/// about twice is removed. What stood in our state before is ours, whatever mark it bears.
///
/// A look without the lease of the stage proves nothing: it is held, and renewed while the looks take long.
///
/// # Errors
///
/// The first look that fails, what was settled before it stays settled; or those of [`Held::renew`].
pub async fn settle(state: &mut State, held: &mut Held<'_>, cloud: &dyn Cloud, context: &Context) -> Result<(), Error> {
    let now = held.now();
    for Question {
        address,
        resource,
        turn,
    } in questions(state, now)
    {
        let known = state.deployed.get(&address).map(|deployed| deployed.outputs.clone());
        let context = Context {
            outputs: Arc::new(state.outputs()),
            ..context.clone()
        };
        let shared = resource.as_ref().and_then(Resource::shared_role);
        let found = match &resource {
            // Others may have made it, and who uses it does not stand in AWS: it is there until we have let it go for sure.
            Some(_) if shared.is_some() => shared.map(|role| Outputs::Role(role.outputs(&context.place))),
            Some(resource) => match held
                .while_working(state, cloud.look(resource, known.as_ref(), &context))
                .await?
            {
                Err(fault) if fault.kind == FaultKind::Foreign => known.clone(),
                found => found?,
            },
            // Chalice recorded it, and we have never set it up: it is there until it is removed for sure.
            None => known.clone(),
        };
        tracing::info!(%address, ?turn, found = found.is_some(), "doubt settled");
        // What was known stays known: an API Gateway stage of the former name is still to be taken down.
        let stands = found.and_then(|found| known.or(Some(found)));
        if let (Turn::Second, Some(resource), Some(stands)) = (turn, &resource, &stands) {
            for twin in held
                .while_working(state, cloud.twins(resource, stands, &context))
                .await??
            {
                tracing::info!(%address, ?twin, "a late call made it once more");
                held.while_working(state, cloud.delete(None, &twin, &context)).await??;
            }
        }
        match stands {
            Some(stands) => state.record(address.clone(), None, stands),
            None => state.forget(&address),
        }
        if turn == Turn::Second {
            state.late.remove(&address);
        }
        held.renew_if_due(state).await?;
    }
    Ok(())
}

/// What is to be looked at.
struct Question {
    address: Address,
    resource: Option<Resource>,
    turn: Turn,
}

/// Which look it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The first: late calls may come about behind it.
    First,
    /// The second, so late that nothing comes about any more.
    Second,
}

/// What refers to others comes last: a deployment is looked for by the id of its API, which may be in doubt as well.
fn questions(state: &State, now: Timestamp) -> Vec<Question> {
    let second = state.late.iter().filter(|(_, late)| late.is_due(now));
    let mut questions: BTreeMap<&Address, (Option<&Resource>, Turn)> = second
        .map(|(address, late)| (address, (late.resource.as_ref(), Turn::Second)))
        .collect();
    for (address, doubt) in &state.in_doubt {
        let turn = questions.get(address).map_or(Turn::First, |(_, turn)| *turn);
        questions.insert(address, (doubt.resource.as_ref(), turn));
    }
    let mut questions: Vec<_> = questions.into_iter().collect();
    questions.sort_by_key(|(_, (resource, _))| resource.map(|resource| resource.references().len()));
    let question = |(address, (resource, turn)): (&Address, (Option<&Resource>, Turn))| Question {
        address: address.clone(),
        resource: resource.cloned(),
        turn,
    };
    questions.into_iter().map(question).collect()
}
