//! What stands in AWS, bears our mark, and belongs to no stage: it is found, and removed under the lease of the stage that
//! the mark names.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Ground;
use super::removal::Became;
use super::roles;
use super::survey::Estate;
use crate::aws::Access;
use crate::config::Config;
use crate::error::Failure;
use crate::fault::Fault;
use crate::names::{AppName, StageName};
use crate::report::sweep::RowOutcome;
use crate::resource::marked::{self, Marked, Search};
use crate::resource::{Cloud, Context, Outputs, Owner, Place, Resource, Standing};
use crate::run::Session;
use crate::run::holding::{free_within, holder, lost_to_somebody, record};
use crate::state::store::Store;
use crate::state::{State, lease, probe};

/// Something that belongs to no stage.
pub struct Orphan<'a> {
    /// What it is, and whose it says it is.
    pub marked: Marked,
    store: &'a dyn Store,
    cloud: Rc<dyn Cloud>,
    place: Place,
}

/// A Region and a role with which to look there; `None` where it is that of the environment.
type Spot = (Option<String>, Option<String>);

/// A place that was found, and what to look there with.
type Found = (Place, Rc<dyn Cloud>);

/// Looks in every place that the apps are in, or are configured to be in. What could not be looked at is told beside it.
pub async fn found<'a>(
    session: &Session<'_>,
    ground: &Ground<'_>,
    estates: &'a [Estate<'_>],
) -> (Vec<Orphan<'a>>, Vec<String>) {
    let mut notes = Vec::new();
    let mut orphans = Vec::new();
    let mut seen = BTreeSet::new();
    let apps: BTreeSet<AppName> = estates.iter().map(|estate| estate.app.clone()).collect();
    let known = known(estates);
    let search = Search {
        apps: &apps,
        known: &known,
    };
    for (place, cloud) in places(session, spots(session, ground, estates), &mut notes).await {
        let marked = match cloud.marked(&search).await {
            Ok(marked) => marked,
            Err(fault) => {
                notes.push(unseen(&place.region, fault));
                continue;
            }
        };
        for marked in marked {
            // A role is seen from every Region of its account.
            let is_new = seen.insert((place.account.clone(), marked::key(&marked.outputs)));
            let estate = estates.iter().find(|estate| is_of(&marked.owner, estate));
            let Some(estate) = estate.filter(|_| is_new) else {
                continue;
            };
            if is_left_over(estate, &marked).await {
                orphans.push(Orphan {
                    marked,
                    store: estate.store.as_ref(),
                    cloud: cloud.clone(),
                    place: place.clone(),
                });
            }
        }
    }
    (orphans, notes)
}

/// Whatever any state has, wherever it is.
fn known(estates: &[Estate<'_>]) -> BTreeSet<String> {
    let states = estates.iter().flat_map(|estate| &estate.states);
    let deployed = states.flat_map(|state| state.deployed.values());
    deployed.filter_map(|deployed| marked::key(&deployed.outputs)).collect()
}

fn is_of(owner: &Owner, estate: &Estate<'_>) -> bool {
    owner.app == estate.app && estate.marks().contains(&owner.store)
}

/// Reads the state of the stage that the mark names: what is being deployed was not there before, and is listed by none.
async fn is_left_over(estate: &Estate<'_>, marked: &Marked) -> bool {
    if let Some(role) = marked.outputs.shared_role() {
        return roles::is_unused(estate, role).await;
    }
    match lease::read(estate.store.as_ref(), Some(&estate.app), &marked.owner.stage).await {
        Ok(Some(seen)) => seen.state.lease.is_none() && !has(&seen.state, marked),
        Ok(None) => true,
        Err(error) => {
            tracing::debug!(%error, "a stage cannot be read, and may have it");
            false
        }
    }
}

/// Whether a state has a thing, or something was begun that may be it.
fn has(state: &State, marked: &Marked) -> bool {
    let key = marked::key(&marked.outputs);
    let mut deployed = state.deployed.values();
    let mut in_doubt = state.in_doubt.values();
    let may_be = |resource: &Resource| match (resource, &marked.outputs) {
        (Resource::Role(role), Outputs::Role(_)) => role.name == marked.name,
        (Resource::Function(function), Outputs::Function(_)) => function.name == marked.name,
        (Resource::RestApi(api), Outputs::RestApi(_)) => api.mark() == marked.owner.mark(),
        (Resource::Rule(rule), Outputs::Rule(_)) => rule.name == marked.name,
        (Resource::V2Api(api), Outputs::V2Api(_)) => api.name == marked.name,
        (Resource::DomainName(domain), Outputs::DomainName(_)) => domain.domain_name == marked.name,
        (Resource::LogGroup(group), Outputs::LogGroup(_)) => group.name == marked.name,
        (
            Resource::Role(_)
            | Resource::Function(_)
            | Resource::RestApi(_)
            | Resource::Permission(_)
            | Resource::Deployment(_)
            | Resource::Rule(_)
            | Resource::Notification(_)
            | Resource::Subscription(_)
            | Resource::EventSourceMapping(_)
            | Resource::V2Api(_)
            | Resource::DomainName(_)
            | Resource::Layer(_)
            | Resource::LogGroup(_)
            | Resource::FunctionUrl(_),
            _,
        ) => false,
    };
    deployed.any(|deployed| marked::key(&deployed.outputs) == key)
        || in_doubt.any(|doubt| doubt.resource.as_ref().is_some_and(may_be))
}

/// Where the stages are that are recorded, and those that are configured.
fn spots(session: &Session<'_>, ground: &Ground<'_>, estates: &[Estate<'_>]) -> BTreeSet<Spot> {
    let options = session.options;
    let role = |own: Option<String>| own.or_else(|| options.role.clone());
    let mut spots = BTreeSet::from([(options.region.clone(), options.role.clone())]);
    let homes = ground.apps.iter().map(|home| home.config);
    for config in homes.chain([ground.config]) {
        let Config { previews, stages, .. } = config;
        for stage in stages.values().chain([previews]) {
            let region = stage.region.clone().or_else(|| options.region.clone());
            spots.insert((region, role(stage.role.clone())));
        }
    }
    for estate in estates {
        for state in &estate.states {
            let configured = estate.config.stage(&state.stage).role;
            let known = configured.or_else(|| state.role.clone());
            spots.extend(
                state
                    .place
                    .as_ref()
                    .map(|place| (Some(place.region.clone()), role(known))),
            );
        }
    }
    spots
}

/// Each place once, however many stages are there.
async fn places(session: &Session<'_>, spots: BTreeSet<Spot>, notes: &mut Vec<String>) -> Vec<Found> {
    let mut places: BTreeMap<(String, String), Found> = BTreeMap::new();
    for (region, role) in spots {
        let access = Access {
            region,
            role,
            identity: session.identity.clone(),
            pacing: session.pacing(),
            pool: session.pool.clone(),
        };
        let cloud = (session.open_cloud)(access, session.tell()).await;
        // Without a Region there is no place, and a stage that stands somewhere says where.
        let Some(region) = cloud.region() else { continue };
        match cloud.place().await {
            Ok(place) => {
                let of = (place.account.clone(), place.region.clone());
                places.entry(of).or_insert((place, cloud));
            }
            Err(fault) => notes.push(unseen(&region, fault)),
        }
    }
    places.into_values().collect()
}

fn unseen(region: &str, fault: Fault) -> String {
    let Failure { message, hints, .. } = fault.into();
    let hints: String = hints.iter().map(|hint| format!("; {hint}")).collect();
    format!("what belongs to no stage in {region} is not looked for: {message}{hints}")
}

/// Removes an orphan under the lease of its stage, if it belongs to no state still.
pub async fn remove(session: &Session<'_>, orphan: &Orphan<'_>, fixed: &BTreeSet<StageName>) -> Became {
    attempt(session, orphan, fixed).await.unwrap_or_else(Became::broken)
}

async fn attempt(session: &Session<'_>, orphan: &Orphan<'_>, fixed: &BTreeSet<StageName>) -> Result<Became, Failure> {
    let Orphan {
        marked,
        store,
        cloud,
        place,
    } = orphan;
    let Owner { app, stage, .. } = &marked.owner;
    if let Some(role) = marked.outputs.shared_role() {
        return roles::collect(session, (cloud.as_ref(), place), (*store, app), role).await;
    }
    let mut seen = free_within(session, *store, (app, stage), Duration::ZERO).await?;
    if seen.version.is_none() && fixed.contains(stage) {
        return Ok(Became::left("the state of this stage is missing: put it back first"));
    }
    if seen.needs_a_look() || has(&seen.state, marked) {
        return Ok(Became::left("it may belong to the stage by now"));
    }
    if seen.version.is_none() {
        probe::ensure(*store).await?;
    }
    let _holding = session.stop.holding();
    let Some(mut held) = lease::take(*store, &mut seen, &holder(session, "sweep")).await? else {
        return Ok(Became::left("somebody else was faster"));
    };
    let mut state = seen.state;
    let context = Context {
        hold: held.hold().clone(),
        place: place.clone(),
        outputs: Arc::default(),
        code: Arc::default(),
        standing: Standing::default(),
    };
    let deleting = cloud.delete(None, &marked.outputs, &context);
    let deleted = held
        .while_working(&mut state, deleting)
        .await
        .map_err(lost_to_somebody)?;
    record(held, &mut state).await?;
    Ok(match deleted {
        Ok(()) => Became(RowOutcome::Removed, None),
        Err(fault) => Became::broken(fault.into()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::names::Address;
    use crate::resource::role::{self, Role};
    use crate::state::{Doubt, Intent};

    fn orphan(name: &str) -> Marked {
        let outputs = role::Outputs {
            arn: format!("arn:aws:iam::1:role/{name}"),
            name: name.to_owned(),
            sharing: role::Sharing::Own,
        };
        Marked {
            owner: Owner {
                store: "s3://b/p".to_owned(),
                app: "shop".parse().unwrap(),
                stage: "pr-7".parse().unwrap(),
            },
            name: name.to_owned(),
            outputs: Outputs::Role(outputs),
        }
    }

    fn state() -> State {
        State::new("shop".parse().unwrap(), "pr-7".parse().unwrap(), String::new())
    }

    #[test]
    fn what_was_begun_and_not_ended_belongs_to_its_stage() {
        let mut state = state();
        let role = Role {
            name: "shop-pr-7".to_owned(),
            policy: json!({}),
            tags: BTreeMap::new(),
            sharing: role::Sharing::Own,
        };
        let doubt = Doubt {
            intent: Intent::Create,
            resource: Some(Resource::Role(role)),
        };
        state.in_doubt.insert(Address::new("role", "default-role"), doubt);
        assert!(has(&state, &orphan("shop-pr-7")));
        assert!(!has(&state, &orphan("shop-pr-7-old")));
    }

    #[test]
    fn what_is_deployed_belongs_to_its_stage() {
        let mut state = state();
        let Marked { outputs, .. } = orphan("shop-pr-7");
        state.record(Address::new("role", "default-role"), None, outputs);
        assert!(has(&state, &orphan("shop-pr-7")));
        assert!(!has(&state, &orphan("shop-pr-7-old")));
    }
}
