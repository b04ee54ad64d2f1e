//! Roles that previews share and that none of them has any more, whoever is still written down as a user.

use super::removal::Became;
use super::survey::Estate;
use crate::apply::shared::role::Users;
use crate::error::Failure;
use crate::names::{Address, AppName};
use crate::report::sweep::RowOutcome;
use crate::resource::role::Outputs;
use crate::resource::{Cloud, Place, Resource};
use crate::run::Session;
use crate::run::holding::shared;
use crate::state::store::Store;
use crate::state::{State, lease};

/// Whether no state of the app has a role, and nothing was begun with it. Where a state cannot be read, it may have it.
pub async fn is_unused(estate: &Estate<'_>, role: &Outputs) -> bool {
    match users(estate.store.as_ref(), &estate.app, role).await {
        Ok(users) => users.is_empty(),
        Err(failure) => {
            tracing::debug!(error = failure.message, "a stage cannot be read, and may have it");
            false
        }
    }
}

/// Removes a role if still no stage has it, which is asked under the lease of the role; else its users are set right.
///
/// # Errors
///
/// Somebody else keeps it, a state cannot be read, or AWS refuses.
pub async fn collect(
    session: &Session<'_>,
    (cloud, place): (&dyn Cloud, &Place),
    (store, app): (&dyn Store, &AppName),
    role: &Outputs,
) -> Result<Became, Failure> {
    let _holding = session.stop.holding();
    let shared = shared(session, store, "sweep");
    let users = async || users(store, app, role).await;
    Ok(match shared.collect_role(cloud, role, users, place).await? {
        true => Became(RowOutcome::Removed, None),
        false => Became::left("a preview has it by now"),
    })
}

/// Who has a role, or has begun to, as the states of the app say: a stage writes that down before it asks for the role.
async fn users(store: &dyn Store, app: &AppName, role: &Outputs) -> Result<Users, Failure> {
    let mut users = Users::new();
    for stage in store.stages().await? {
        let Some(seen) = lease::read(store, Some(app), &stage).await? else {
            continue;
        };
        let addresses: Vec<Address> = uses(&seen.state, role).cloned().collect();
        if !addresses.is_empty() {
            users.insert(stage, addresses.into_iter().collect());
        }
    }
    Ok(users)
}

/// As what of its own a stage has a role.
fn uses<'a>(state: &'a State, role: &'a Outputs) -> impl Iterator<Item = &'a Address> {
    let is_it = |resource: Option<&Resource>| {
        let shared = resource.and_then(Resource::shared_role);
        shared.is_some_and(|shared| shared.name == role.name)
    };
    let deployed = state.deployed.iter().filter(|(_, deployed)| {
        let shared = deployed.outputs.shared_role();
        shared.is_some_and(|shared| shared.name == role.name)
    });
    let in_doubt = state
        .in_doubt
        .iter()
        .filter(move |(_, doubt)| is_it(doubt.resource.as_ref()));
    let late = state.late.iter().filter(move |(_, late)| is_it(late.resource.as_ref()));
    let begun = in_doubt
        .map(|(address, _)| address)
        .chain(late.map(|(address, _)| address));
    deployed.map(|(address, _)| address).chain(begun)
}
