//! What a bucket keeps beside the current states: zips, and former versions.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_smithy_types::DateTime;

use super::{Bucket, moment};
use crate::aws::fault;
use crate::fault::Fault;
use crate::names::{StageName, Timestamp};
use crate::state::store::{Former, Leftover};

impl Bucket {
    /// All zips, and all that objects of the app were before and are no more.
    pub(super) async fn kept_beside(&self) -> Result<Vec<Leftover>, Fault> {
        let mut leftovers = self.artifacts().await?;
        let mut by_key: BTreeMap<String, Vec<Past>> = BTreeMap::new();
        for past in self.history(&self.folder()).await? {
            by_key.entry(past.key.clone()).or_default().push(past);
        }
        for (key, history) in by_key {
            let part = self.part(&key);
            leftovers.extend(part.into_iter().flat_map(|part| replaced(part, history.clone())));
        }
        Ok(leftovers)
    }

    /// What a state was before. S3 lists the newest first, also of those written within one second.
    pub(super) async fn former_states(&self, stage: &StageName) -> Result<Vec<Former>, Fault> {
        let key = self.key(stage);
        // Longer keys begin with this one, too.
        let mut history = self.history(&key).await?;
        history.retain(|past| past.key == key && !past.is_current);
        history.sort_by_key(|past| Reverse(past.at));
        let former = |past: Past| match past.content {
            Content::Body { size_bytes } => Some(Former {
                version: past.version,
                at: past.at,
                size_bytes,
            }),
            Content::Removal => None,
        };
        Ok(history.into_iter().filter_map(former).collect())
    }

    async fn artifacts(&self) -> Result<Vec<Leftover>, Fault> {
        let folder = format!("{}artifacts/", self.folder());
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&folder);
        let mut artifacts = Vec::new();
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault::of("s3:ListBucket", self.url(&folder), &error))?;
            artifacts.extend(page.contents().iter().filter_map(|object| {
                let sha256 = object.key()?.strip_prefix(&folder)?.strip_suffix(".zip")?.to_owned();
                let since = moment(object.last_modified())?;
                Some(Leftover::Artifact { sha256, since })
            }));
        }
        Ok(artifacts)
    }

    /// The history of every object whose key begins so, current versions among them; only these where the bucket keeps no
    /// others.
    async fn history(&self, prefix: &str) -> Result<Vec<Past>, Fault> {
        const OPERATION: &str = "s3:ListBucketVersions";
        let mut history = Vec::new();
        let mut after: (Option<String>, Option<String>) = (None, None);
        loop {
            let request = self.client.list_object_versions().bucket(&self.bucket).prefix(prefix);
            let request = request
                .set_key_marker(after.0.take())
                .set_version_id_marker(after.1.take());
            let page = request.send().await;
            let page = page.map_err(|error| fault::of(OPERATION, self.url(prefix), &error))?;
            history.extend(page.versions().iter().filter_map(|version| {
                let of = (version.key(), version.version_id(), version.last_modified());
                let size_bytes = version
                    .size()
                    .and_then(|size| u64::try_from(size).ok())
                    .unwrap_or_default();
                Past::new(of, version.is_latest(), Content::Body { size_bytes })
            }));
            history.extend(page.delete_markers().iter().filter_map(|marker| {
                let of = (marker.key(), marker.version_id(), marker.last_modified());
                Past::new(of, marker.is_latest(), Content::Removal)
            }));
            after = (page.next_key_marker, page.next_version_id_marker);
            if page.is_truncated != Some(true) || after.0.is_none() {
                return Ok(history);
            }
        }
    }

    /// Whether an object is one of those whose former versions are collected: a state, or a zip.
    fn part(&self, key: &str) -> Option<Part> {
        let rest = key.strip_prefix(&self.folder())?;
        match rest.split_once('/') {
            None => rest.ends_with(".json").then_some(Part::State),
            Some(("artifacts", zip)) => zip.ends_with(".zip").then_some(Part::Artifact),
            Some(_) => None,
        }
    }
}

/// What an object of the app is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    State,
    Artifact,
}

/// One entry in the history of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Past {
    key: String,
    version: String,
    at: Timestamp,
    is_current: bool,
    content: Content,
}

/// What an entry in the history of an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The object as it was written.
    Body {
        /// How large it was.
        size_bytes: u64,
    },
    /// The object was removed.
    Removal,
}

impl Past {
    /// What S3 says of an entry; `None` where it does not say enough.
    fn new(
        (key, version, at): (Option<&str>, Option<&str>, Option<&DateTime>),
        is_current: Option<bool>,
        content: Content,
    ) -> Option<Self> {
        Some(Self {
            key: key?.to_owned(),
            version: version?.to_owned(),
            at: moment(at)?,
            is_current: is_current?,
            content,
        })
    }
}

/// What of an object's history is not served any more: a version is former since the next one was written. Of an object
/// that was removed, a zip's history goes and at last the removal itself, while a state's is all that is left of it.
fn replaced(part: Part, mut history: Vec<Past>) -> Vec<Leftover> {
    history.sort_by_key(|past| (!past.is_current, Reverse(past.at)));
    let leftover = |past: &Past, since| Leftover::Version {
        object: past.key.clone(),
        version: past.version.clone(),
        since,
    };
    match history.as_slice() {
        [current, ..] if !current.is_current => Vec::new(),
        [removal, ..] if removal.content == Content::Removal && part == Part::State => Vec::new(),
        [removal] if removal.content == Content::Removal => vec![leftover(removal, removal.at)],
        all => all.windows(2).map(|pair| leftover(&pair[1], pair[0].at)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_former_since_the_next_one_was_written() {
        let at = |second| Timestamp::new(jiff::Timestamp::from_second(second).unwrap());
        let past = |version: &str, second, content| Past {
            key: "states/shop/prod.json".to_owned(),
            version: version.to_owned(),
            at: at(second),
            is_current: version == "now",
            content,
        };
        let history = vec![
            past("old", 100, Content::Body { size_bytes: 1 }),
            past("now", 900, Content::Body { size_bytes: 1 }),
            past("older", 50, Content::Body { size_bytes: 1 }),
        ];
        let since = |leftover: Leftover| match leftover {
            Leftover::Version { version, since, .. } => (version, since),
            Leftover::Artifact { sha256, since } => (sha256, since),
        };
        let found: Vec<_> = replaced(Part::State, history).into_iter().map(since).collect();
        assert_eq!(found, [("old".to_owned(), at(900)), ("older".to_owned(), at(100))]);
    }

    #[test]
    fn of_a_state_that_somebody_removed_every_version_stays() {
        let past = |second: i64, is_current, content| Past {
            key: "states/shop/prod.json".to_owned(),
            version: second.to_string(),
            at: Timestamp::new(jiff::Timestamp::from_second(second).unwrap()),
            is_current,
            content,
        };
        let history = vec![
            past(2, true, Content::Removal),
            past(1, false, Content::Body { size_bytes: 1 }),
        ];
        assert_eq!(replaced(Part::State, history.clone()), []);
        assert_eq!(replaced(Part::Artifact, history).len(), 1);
    }
}
