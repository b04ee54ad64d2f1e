//! What an API has and what it shall have -> what to change of it.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

/// What an API has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its integrations.
    pub integrations: Vec<Integration>,
    /// Its routes.
    pub routes: Vec<Found>,
}

/// An integration of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    /// Its id.
    pub id: String,
    /// What it calls; `None` where it calls it in another way than we would.
    pub uri: Option<String>,
}

/// A route that an API has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// What is answered.
    pub key: String,
    /// Id of the integration behind it, if there is one.
    pub integration: Option<String>,
}

/// A route that an API shall have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// What is answered.
    pub key: String,
    /// What its integration calls.
    pub uri: String,
}

/// What is to be changed, in the order of the fields: a route never leads to an integration that is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What new integrations call.
    pub integrations: Vec<String>,
    /// Routes that are missing.
    pub routes: Vec<Wanted>,
    /// Ids of routes that lead elsewhere, and where they shall lead.
    pub moved: Vec<(String, String)>,
    /// Ids of routes that nobody wants any more.
    pub old_routes: Vec<String>,
    /// Ids of integrations that nobody wants any more.
    pub old_integrations: Vec<String>,
}

impl Changes {
    /// Whether all is as it is wanted.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Contents {
    /// The integration that calls something: the first, should there be more.
    pub fn integration(&self, uri: &str) -> Option<&str> {
        let found = self.integrations.iter().find(|found| found.uri.as_deref() == Some(uri));
        found.map(|found| found.id.as_str())
    }
}

/// What turns the contents into the routes that are wanted, with one integration for all routes that call the same.
pub fn changes(wanted: &[Wanted], found: &Contents) -> Changes {
    let uris: BTreeSet<&str> = wanted.iter().map(|route| route.uri.as_str()).collect();
    let kept: BTreeSet<&str> = uris.iter().filter_map(|uri| found.integration(uri)).collect();
    let missing = uris.iter().filter(|uri| found.integration(uri).is_none());
    let mut changes = Changes {
        integrations: missing.map(|uri| (*uri).to_owned()).collect(),
        ..Changes::default()
    };
    for route in wanted {
        match found.routes.iter().find(|found| found.key == route.key) {
            None => changes.routes.push(route.clone()),
            Some(stands) => {
                let leads_there =
                    stands.integration.is_some() && stands.integration.as_deref() == found.integration(&route.uri);
                if !leads_there {
                    changes.moved.push((stands.id.clone(), route.uri.clone()));
                }
            }
        }
    }
    let is_unwanted = |found: &&Found| wanted.iter().all(|route| route.key != found.key);
    let old_routes = found.routes.iter().filter(is_unwanted);
    changes.old_routes = old_routes.map(|found| found.id.clone()).collect();
    let old = found
        .integrations
        .iter()
        .filter(|found| !kept.contains(found.id.as_str()));
    changes.old_integrations = old.map(|found| found.id.clone()).collect();
    changes
}

/// What tells a deployment of these routes from one of others, as its description: routes are served only from the
/// deployment that was made of them, and AWS does not say of which it was.
pub fn deployment_mark(wanted: &[Wanted]) -> String {
    let mut sorted: Vec<&Wanted> = wanted.iter().collect();
    sorted.sort();
    let mut digest = Sha256::new();
    for route in sorted {
        digest.update(format!("{}\n{}\n", route.key, route.uri));
    }
    let hexadecimal: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{MARK}{hexadecimal}")
}

/// Whether a deployment serves these routes, as far as its description says: one that somebody else made says nothing, and
/// is believed to be of the routes that stand.
pub fn may_serve(description: &str, wanted: &[Wanted]) -> bool {
    !description.starts_with(MARK) || description == deployment_mark(wanted)
}

const MARK: &str = "stagewright: routes ";

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(routes: &[(&str, &str)]) -> Vec<Wanted> {
        let route = |(key, uri): &(&str, &str)| Wanted {
            key: (*key).to_owned(),
            uri: (*uri).to_owned(),
        };
        routes.iter().map(route).collect()
    }

    fn contents(integrations: &[(&str, &str)], routes: &[(&str, &str, &str)]) -> Contents {
        let integration = |(id, uri): &(&str, &str)| Integration {
            id: (*id).to_owned(),
            uri: (!uri.is_empty()).then(|| (*uri).to_owned()),
        };
        let route = |(id, key, integration): &(&str, &str, &str)| Found {
            id: (*id).to_owned(),
            key: (*key).to_owned(),
            integration: Some((*integration).to_owned()),
        };
        Contents {
            integrations: integrations.iter().map(integration).collect(),
            routes: routes.iter().map(route).collect(),
        }
    }

    #[test]
    fn a_new_api_gets_one_integration_a_function_and_not_one_a_route() {
        let wanted = wanted(&[("$connect", "hall"), ("$default", "room"), ("say", "room")]);
        let changes = changes(&wanted, &Contents::default());
        assert_eq!(changes.integrations, ["hall", "room"]);
        assert_eq!(changes.routes, wanted);
        assert!(changes.moved.is_empty() && changes.old_routes.is_empty() && changes.old_integrations.is_empty());
    }

    #[test]
    fn what_stands_as_it_is_wanted_is_left_alone() {
        let wanted = wanted(&[("$connect", "hall"), ("say", "room")]);
        let found = contents(
            &[("i1", "hall"), ("i2", "room")],
            &[("r1", "say", "i2"), ("r2", "$connect", "i1")],
        );
        assert!(changes(&wanted, &found).is_nothing());
    }

    #[test]
    fn a_half_made_api_is_continued_and_nothing_of_it_is_made_twice() {
        let wanted = wanted(&[("$connect", "hall"), ("say", "room")]);
        let found = contents(&[("i1", "hall")], &[("r1", "$connect", "i1")]);
        let changes = changes(&wanted, &found);
        assert_eq!(changes.integrations, ["room"]);
        assert_eq!(changes.routes, wanted[1..]);
        assert!(changes.moved.is_empty() && changes.old_integrations.is_empty());
    }

    #[test]
    fn a_route_of_another_function_is_moved_and_the_former_integration_goes() {
        let found = contents(&[("i1", "hall")], &[("r1", "say", "i1"), ("r2", "sing", "i1")]);
        let changes = changes(&wanted(&[("say", "room")]), &found);
        assert_eq!(changes.integrations, ["room"]);
        assert_eq!(changes.moved, [("r1".to_owned(), "room".to_owned())]);
        assert_eq!(changes.old_routes, ["r2"]);
        assert_eq!(changes.old_integrations, ["i1"]);
    }

    #[test]
    fn an_integration_of_another_making_or_a_second_one_is_replaced() {
        let found = contents(&[("i1", ""), ("i2", "room"), ("i3", "room")], &[("r1", "say", "i3")]);
        let changes = changes(&wanted(&[("say", "room")]), &found);
        assert_eq!(changes.integrations, [""; 0]);
        assert_eq!(changes.moved, [("r1".to_owned(), "room".to_owned())]);
        assert_eq!(changes.old_integrations, ["i1", "i3"]);
    }

    #[test]
    fn a_deployment_of_other_routes_does_not_serve_these() {
        let (one, other) = (wanted(&[("a", "x"), ("b", "y")]), wanted(&[("a", "y"), ("b", "x")]));
        let reversed: Vec<Wanted> = one.iter().rev().cloned().collect();
        assert!(may_serve(&deployment_mark(&one), &reversed));
        assert!(!may_serve(&deployment_mark(&other), &one));
        assert!(may_serve("", &one));
    }
}
