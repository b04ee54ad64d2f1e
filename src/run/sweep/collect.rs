//! What a store keeps and nobody refers to: zips, and former versions.

use std::collections::BTreeSet;
use std::time::Duration;

use super::survey::Estate;
use crate::error::Failure;
use crate::names::Timestamp;
use crate::state::State;
use crate::state::store::Leftover;

/// How old a zip is at least: a deploy that is about to refer to it has long done so.
const AGE_OF_ARTIFACTS: Duration = Duration::from_hours(24);

/// How long a version is former at least: so long it can be put back.
const AGE_OF_VERSIONS: Duration = Duration::from_hours(30 * 24);

/// What of an app's store is to be discarded. The states are read after the list is made: what was listed before a state
/// referred to it is then seen in that state.
///
/// # Errors
///
/// The store does not answer.
pub async fn leftovers(estate: &mut Estate<'_>, now: Timestamp) -> Result<Vec<Leftover>, Failure> {
    let found = estate.store.leftovers().await?;
    if found.is_empty() {
        return Ok(found);
    }
    estate.read_again().await?;
    // What refers to a zip may stand in a state that cannot be read.
    let referred = estate.unreadable.is_empty().then(|| referred(&estate.states));
    Ok(due(found, referred.as_ref(), now))
}

fn due(mut found: Vec<Leftover>, referred: Option<&BTreeSet<String>>, now: Timestamp) -> Vec<Leftover> {
    found.retain(|leftover| match leftover {
        Leftover::Artifact { sha256, since } => {
            let is_free = referred.is_some_and(|referred| !referred.contains(sha256));
            is_free && now.since(*since) > AGE_OF_ARTIFACTS
        }
        Leftover::Version { since, .. } => now.since(*since) > AGE_OF_VERSIONS,
    });
    found
}

/// SHA-256 of every zip that a release was made of, or that a function has or shall have.
fn referred(states: &[State]) -> BTreeSet<String> {
    let mut referred = BTreeSet::new();
    for state in states {
        let release = state.release.iter().flat_map(|release| release.artifacts.values());
        referred.extend(release.cloned());
        let deployed = state.deployed.values().map(|deployed| &deployed.resource);
        let in_doubt = state.in_doubt.values().map(|doubt| &doubt.resource);
        referred.extend(
            deployed
                .chain(in_doubt)
                .flatten()
                .filter_map(|resource| resource.code().map(str::to_owned)),
        );
    }
    referred
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::StageName;
    use crate::state::Release;

    fn now() -> Timestamp {
        Timestamp::new("2026-11-20T12:00:00Z".parse().unwrap())
    }

    fn hours_ago(hours: i64) -> Timestamp {
        Timestamp::new(
            "2026-11-20T12:00:00Z".parse::<jiff::Timestamp>().unwrap() - jiff::SignedDuration::from_hours(hours),
        )
    }

    fn artifact(sha256: &str, hours: i64) -> Leftover {
        Leftover::Artifact {
            sha256: sha256.to_owned(),
            since: hours_ago(hours),
        }
    }

    fn version(hours: i64) -> Leftover {
        Leftover::Version {
            object: "shop/prod.json".to_owned(),
            version: "1".to_owned(),
            since: hours_ago(hours),
        }
    }

    #[test]
    fn a_zip_goes_when_it_is_older_than_a_day_and_no_state_refers_to_it() {
        let referred = BTreeSet::from(["used".to_owned()]);
        let found = vec![artifact("used", 99), artifact("new", 23), artifact("free", 25)];
        assert_eq!(due(found, Some(&referred), now()), [artifact("free", 25)]);
    }

    #[test]
    fn where_a_state_cannot_be_read_no_zip_goes() {
        assert_eq!(due(vec![artifact("free", 25)], None, now()), []);
    }

    #[test]
    fn a_version_can_be_put_back_for_thirty_days() {
        let found = vec![version(30 * 24), version(30 * 24 + 1)];
        assert_eq!(due(found, None, now()), [version(30 * 24 + 1)]);
    }

    #[test]
    fn a_release_refers_to_its_zips() {
        let stage: StageName = "prod".parse().unwrap();
        let mut state = State::new("shop".parse().unwrap(), stage, String::new());
        assert_eq!(referred(&[state.clone()]), BTreeSet::new());
        state.release = Some(Release {
            number: 1,
            revision: crate::state::Revision::default(),
            at: now(),
            by: "ann".to_owned(),
            artifacts: [("app".to_owned(), "used".to_owned())].into(),
            pins: None,
            withheld: Vec::new(),
            inputs: None,
        });
        assert_eq!(referred(&[state]), BTreeSet::from(["used".to_owned()]));
    }
}
