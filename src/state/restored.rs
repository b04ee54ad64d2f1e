//! The former states of a stage, and one of them that becomes the present one. What has happened in AWS since then has happened: nothing that
//! either of the two knows is forgotten before somebody has looked.

use std::collections::BTreeSet;

use super::chalice::{self, Expected};
use super::lease::new_mark;
use super::store::{Former, Store};
use super::{Deployed, Doubt, Error, Intent, State};
use crate::fault::Fault;
use crate::names::{Address, AppName, StageName, Timestamp};
use crate::resource::Resource;

/// The most versions that are read for one look at what a stage was: a run that takes minutes leaves dozens of them.
const READS: usize = 200;

/// What a stage's object was before, as far as somebody could want it back.
#[derive(Debug, Default)]
pub struct FormerStates {
    /// The versions worth showing, the newest first, each with its state or why it cannot be read.
    pub listed: Vec<(Former, Result<State, Error>)>,
    /// How many were left out that a run wrote while it held the stage, and followed by a later one of its own.
    pub renewals: usize,
    /// How many older ones were not read.
    pub unread: usize,
}

/// Looks through what a stage's object was before, the newest first, until `wanted` states are found that can be read.
///
/// # Errors
///
/// The store's faults.
pub async fn former_states(
    store: &dyn Store,
    (app, stage): (&AppName, &StageName),
    wanted: usize,
) -> Result<FormerStates, Fault> {
    let versions = store.former(stage).await?;
    let (count, mut found) = (versions.len(), 0);
    let mut generations = BTreeSet::new();
    let mut states = FormerStates::default();
    for (index, former) in versions.into_iter().enumerate() {
        if found == wanted || index == READS {
            states.unread = count - index;
            break;
        }
        let Some(body) = store.read_former(stage, &former.version).await? else {
            continue;
        };
        let object = format!("{}?versionId={}", store.object(stage), former.version);
        let expected = Expected {
            app: Some(app),
            stage,
            object: &object,
        };
        let read = chalice::parse(&body, expected, new_mark());
        if let Ok(state) = &read {
            let is_last = generations.insert(state.generation);
            if state.lease.is_some() && !is_last {
                states.renewals += 1;
                continue;
            }
            found += 1;
        }
        states.listed.push((former, read));
    }
    Ok(states)
}

/// The former state, held by nobody, under a generation that was never used. All that it or the present state knows is in
/// doubt, and late: the next run looks at it, sets it up anew, and removes what is not wanted.
///
/// What tells of runs is the present state's, where that can be read: they have happened. So is the commit that was last
/// begun, for an older one must not land on it.
pub fn restored(former: State, present: Option<&State>, (generation, now): (u64, Timestamp)) -> State {
    // The present state is asked first: its outputs are the newer ones.
    let states: Vec<&State> = present.into_iter().chain([&former]).collect();
    let addresses: BTreeSet<&Address> = states.iter().flat_map(|state| known(state)).collect();
    let deployed = addresses.iter().filter_map(|address| {
        let outputs = states
            .iter()
            .find_map(|state| state.deployed.get(*address))?
            .outputs
            .clone();
        let deployed = Deployed {
            resource: None,
            outputs,
        };
        Some(((*address).clone(), deployed))
    });
    let in_doubt = addresses.iter().map(|address| {
        let doubt = Doubt {
            intent: Intent::Update,
            resource: states.iter().find_map(|state| resource(state, address)).cloned(),
        };
        ((*address).clone(), doubt)
    });
    let (deployed, in_doubt) = (deployed.collect(), in_doubt.collect());
    let mut state = State {
        generation,
        lease: None,
        deployed,
        in_doubt,
        ..former.clone()
    };
    if let Some(present) = present {
        state.place = former.place.or(present.place.clone());
        state.role = former.role.or(present.role.clone());
        state.attempted = present.attempted.clone().or(former.attempted);
        state.last = present.last.clone().or(former.last);
        if !present.history.is_empty() {
            state.history.clone_from(&present.history);
        }
    }
    state.expect_late(now);
    state
}

fn known(state: &State) -> impl Iterator<Item = &Address> {
    state
        .deployed
        .keys()
        .chain(state.in_doubt.keys())
        .chain(state.late.keys())
}

fn resource<'a>(state: &'a State, address: &Address) -> Option<&'a Resource> {
    let deployed = state
        .deployed
        .get(address)
        .and_then(|deployed| deployed.resource.as_ref());
    let in_doubt = || state.in_doubt.get(address).and_then(|doubt| doubt.resource.as_ref());
    let late = || state.late.get(address).and_then(|late| late.resource.as_ref());
    deployed.or_else(in_doubt).or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Outputs, function, rest_api};
    use crate::state::Revision;

    fn now() -> Timestamp {
        Timestamp::new(jiff::Timestamp::from_second(1_000_000).unwrap())
    }

    fn api(id: &str) -> Deployed {
        Deployed {
            resource: None,
            outputs: Outputs::RestApi(rest_api::Outputs { id: id.to_owned() }),
        }
    }

    fn function() -> Deployed {
        let arn = "arn:aws:lambda:eu-west-1:1:function:shop-prod-old".to_owned();
        Deployed {
            resource: None,
            outputs: Outputs::Function(function::Outputs { arn }),
        }
    }

    fn state(generation: u64, deployed: impl IntoIterator<Item = (Address, Deployed)>) -> State {
        State {
            generation,
            deployed: deployed.into_iter().collect(),
            ..State::new("shop".parse().unwrap(), "prod".parse().unwrap(), "salt".to_owned())
        }
    }

    #[test]
    fn what_either_state_knows_is_looked_at_twice_and_the_newer_ids_count() {
        let (rest_api, old) = (Address::new("rest_api", "rest_api"), Address::new("function", "old"));
        let former = state(3, [(rest_api.clone(), api("former")), (old.clone(), function())]);
        let present = state(9, [(rest_api.clone(), api("present"))]);
        let restored = restored(former, Some(&present), (10, now()));
        let both: Vec<&Address> = vec![&old, &rest_api];
        assert_eq!(restored.deployed.keys().collect::<Vec<_>>(), both);
        assert_eq!(restored.in_doubt.keys().collect::<Vec<_>>(), both);
        assert_eq!(restored.late.keys().collect::<Vec<_>>(), both);
        assert_eq!(restored.deployed[&rest_api], api("present"));
        assert_eq!((restored.generation, restored.lease), (10, None));
    }

    #[test]
    fn a_commit_that_was_begun_since_then_still_counts() {
        let revision = |commit: &str| Revision {
            commit: Some(commit.to_owned()),
            run: None,
        };
        let former = State {
            attempted: Some(revision("old")),
            ..state(3, [])
        };
        let present = State {
            attempted: Some(revision("new")),
            ..state(9, [])
        };
        let with = restored(former.clone(), Some(&present), (10, now()));
        assert_eq!(with.attempted, Some(revision("new")));
        let without = restored(former, None, (10, now()));
        assert_eq!(without.attempted, Some(revision("old")));
    }
}
