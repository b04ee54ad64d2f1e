//! What a domain leads to and what it shall lead to -> which of its mappings to change.

/// Where a path of a domain leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The first segment of the path; `None` for all that have no mapping of their own.
    pub path: Option<String>,
    /// The API's id.
    pub api_id: String,
    /// The API's API Gateway stage.
    pub stage_name: String,
}

/// A mapping that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id; the first version of API Gateway knows a mapping by its path alone.
    pub id: String,
    /// Where it leads.
    pub mapping: Mapping,
}

/// What becomes of the mapping that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// It stands.
    Leave,
    /// It is missing.
    Make,
    /// It leads elsewhere.
    Lead(Found),
}

/// What is to be changed: the wanted mapping first, and then those that go, so that the domain always leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The wanted mapping.
    pub first: First,
    /// Those of ours that nobody wants any more.
    pub removed: Vec<Found>,
}

/// What makes the domain lead where it is wanted. Mappings that somebody else made of other paths to other APIs stay.
pub fn changes(wanted: &Mapping, former_path: Option<&str>, found: &[Found]) -> Changes {
    let first = match found.iter().find(|found| found.mapping.path == wanted.path) {
        None => First::Make,
        Some(stands) if stands.mapping == *wanted => First::Leave,
        Some(stands) => First::Lead(stands.clone()),
    };
    let is_former = |found: &&Found| {
        let was_ours = found.mapping.path.as_deref() == former_path || found.mapping.api_id == wanted.api_id;
        found.mapping.path != wanted.path && was_ours
    };
    Changes {
        first,
        removed: found.iter().filter(is_former).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(path: Option<&str>, api_id: &str, stage_name: &str) -> Mapping {
        Mapping {
            path: path.map(ToOwned::to_owned),
            api_id: api_id.to_owned(),
            stage_name: stage_name.to_owned(),
        }
    }

    fn found(id: &str, mapping: Mapping) -> Found {
        Found {
            id: id.to_owned(),
            mapping,
        }
    }

    #[test]
    fn another_path_is_led_to_the_api_before_the_former_one_goes() {
        let former = found("m1", mapping(Some("v1"), "a1", "api"));
        let wanted = mapping(Some("v2"), "a1", "api");
        let changes = changes(&wanted, Some("v1"), std::slice::from_ref(&former));
        assert_eq!(changes.first, First::Make);
        assert_eq!(changes.removed, [former]);
    }

    #[test]
    fn a_path_of_somebody_else_stays() {
        let theirs = found("m1", mapping(Some("billing"), "b7", "live"));
        let wanted = mapping(None, "a1", "api");
        let ours = found("m2", wanted.clone());
        let changes = changes(&wanted, None, &[theirs, ours]);
        assert_eq!(changes.first, First::Leave);
        assert!(changes.removed.is_empty());
    }

    #[test]
    fn an_api_that_was_made_anew_takes_over_the_path() {
        let before = found("m1", mapping(None, "a1", "api"));
        let wanted = mapping(None, "a2", "api");
        let changes = changes(&wanted, None, std::slice::from_ref(&before));
        assert_eq!(changes.first, First::Lead(before));
        assert!(changes.removed.is_empty());
    }
}
