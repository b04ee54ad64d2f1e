//! `pull_requests` of `stagewright.yaml`: from what is written to the policy that decides.

use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::PreviewRoles;
use crate::app::flaws::{Flaws, Place, did_you_mean};
use crate::app::manifest::AwsEntry;
use crate::app::withheld::{Allowed, Kind};
use crate::app::yaml::Placed;
use crate::stage::branches::Pattern;
use crate::stage::policy::{CommentMode, Drafts, Previews, PullRequests, lifetime};

/// Whether pull requests get previews, and which.
#[derive(Debug)]
pub enum PullRequestsEntry {
    /// `true`: all of them, as if nothing was said.
    On,
    /// `false`: none.
    Off,
    /// Some, or in another way.
    Fields(Box<PullRequestsFields>),
}

/// Which pull requests get a preview, how long it lives, and how much is said about it.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PullRequestsFields {
    /// Branches or globs into which a pull request must be meant to be merged. Left out: any.
    pub base: Option<Placed<Vec<Placed<String>>>>,
    /// Whether drafts get a preview. Left out: they do.
    pub drafts: Option<bool>,
    /// A label without which there is no preview.
    pub label: Option<Placed<String>>,
    /// When the comment on the pull request is written.
    #[serde(default)]
    pub comment: CommentEntry,
    /// How long after its last deploy a preview is removed: `72h`, `14d`, `2w`. Left out: when the pull request is closed.
    pub expire_after: Option<Placed<String>>,
    /// The label that keeps a preview from expiring. Left out: `keep`.
    pub keep_label: Option<Placed<String>>,
    /// How many previews of an app live at once. Left out: any number.
    #[schemars(range(min = 1))]
    pub limit: Option<Placed<u32>>,
    /// The account and Region of previews.
    pub aws: Option<AwsEntry>,
    /// Which event sources and domains previews have, although other stages may have the same: `all`, or a list of kinds
    /// (`schedule`, `pattern`, `bucket`, `topic`, `queue`, `stream`, `domain`) and of functions. Left out: none.
    pub event_sources: Option<Placed<EventSourcesEntry>>,
    /// Whether previews that may do the same run as one role, so that only the first one waits until AWS knows it: `shared`, or
    /// `own` for a role of its own for each.
    #[serde(default)]
    pub role: RoleEntry,
}

/// Which role previews run as.
#[derive(Debug, Default, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RoleEntry {
    /// One for all that may do the same.
    #[default]
    Shared,
    /// One for each.
    Own,
}

/// Which event sources previews have.
#[derive(Debug)]
pub enum EventSourcesEntry {
    /// One name, as a rule `all`.
    One(String),
    /// Kinds and functions.
    Names(Vec<Placed<String>>),
}

impl EventSourcesEntry {
    /// The names, and where they stand; a single one stands where the entry does.
    pub fn names(&self, place: Place) -> Vec<(&str, Place)> {
        match self {
            Self::One(name) => vec![(name, place)],
            Self::Names(names) => names.iter().map(|name| (name.value.as_str(), name.place)).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for EventSourcesEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;

        impl<'de> Visitor<'de> for Entry {
            type Value = EventSourcesEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`all`, or a list of kinds and functions")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<EventSourcesEntry, E> {
                Ok(EventSourcesEntry::One(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<EventSourcesEntry, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(EventSourcesEntry::Names(names))
            }
        }

        deserializer.deserialize_any(Entry)
    }
}

impl JsonSchema for EventSourcesEntry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EventSourcesEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = generator.subschema_for::<Vec<String>>();
        json_schema!({"anyOf": [{"type": "string"}, names]})
    }
}

/// When the comment on the pull request is written.
#[derive(Debug, Default, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CommentEntry {
    /// Whenever there is a run.
    #[default]
    Always,
    /// When something changed or failed.
    OnChange,
    /// Never.
    Off,
}

impl<'de> Deserialize<'de> for PullRequestsEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;

        impl<'de> Visitor<'de> for Entry {
            type Value = PullRequestsEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true`, `false` or a mapping")
            }

            fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<PullRequestsEntry, E> {
                Ok(if is_on {
                    PullRequestsEntry::On
                } else {
                    PullRequestsEntry::Off
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PullRequestsEntry, A::Error> {
                PullRequestsFields::deserialize(MapAccessDeserializer::new(map))
                    .map(Box::new)
                    .map(PullRequestsEntry::Fields)
            }
        }

        deserializer.deserialize_any(Entry)
    }
}

impl JsonSchema for PullRequestsEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PullRequestsEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<PullRequestsFields>();
        json_schema!({"anyOf": [{"type": "boolean"}, fields]})
    }
}

/// The policy that is written, with what is wrong about it told.
pub fn policy(entry: Option<&PullRequestsEntry>, flaws: &mut Flaws) -> PullRequests {
    match entry {
        None | Some(PullRequestsEntry::On) => PullRequests::default(),
        Some(PullRequestsEntry::Off) => PullRequests {
            previews: Previews::Off,
            ..PullRequests::default()
        },
        Some(PullRequestsEntry::Fields(fields)) => of_fields(fields, flaws),
    }
}

/// The account and Region of previews.
pub fn aws(entry: Option<&PullRequestsEntry>) -> Option<&AwsEntry> {
    match entry {
        None | Some(PullRequestsEntry::On | PullRequestsEntry::Off) => None,
        Some(PullRequestsEntry::Fields(fields)) => fields.aws.as_ref(),
    }
}

/// Which roles previews have.
pub fn roles(entry: Option<&PullRequestsEntry>) -> PreviewRoles {
    match entry {
        None | Some(PullRequestsEntry::On | PullRequestsEntry::Off) => PreviewRoles::default(),
        Some(PullRequestsEntry::Fields(fields)) => match fields.role {
            RoleEntry::Shared => PreviewRoles::Shared,
            RoleEntry::Own => PreviewRoles::Own,
        },
    }
}

/// Which event sources previews have.
pub fn event_sources(entry: Option<&PullRequestsEntry>) -> Allowed {
    let names: Vec<_> = named(entry).into_iter().map(|(name, _)| name).collect();
    Allowed::of(&names)
}

/// Finds names that are neither kinds nor functions, where the functions are known.
pub fn check_event_sources(entry: Option<&PullRequestsEntry>, functions: &[&str], flaws: &mut Flaws) {
    let kinds = Kind::ALL.map(Kind::as_str);
    let known: Vec<&str> = kinds.iter().chain(functions).copied().chain(["all"]).collect();
    for (name, place) in named(entry) {
        if !known.contains(&name) {
            let message = format!("`{name}` is neither a kind of event source nor a function");
            let listed = format!("kinds are {}", kinds.join(", "));
            flaws.error_with(place, message, did_you_mean(name, &known).or(Some(listed)));
        }
    }
}

fn named(entry: Option<&PullRequestsEntry>) -> Vec<(&str, Place)> {
    match entry {
        None | Some(PullRequestsEntry::On | PullRequestsEntry::Off) => Vec::new(),
        Some(PullRequestsEntry::Fields(fields)) => {
            let sources = fields.event_sources.iter();
            sources.flat_map(|sources| sources.value.names(sources.place)).collect()
        }
    }
}

fn of_fields(fields: &PullRequestsFields, flaws: &mut Flaws) -> PullRequests {
    let default = PullRequests::default();
    let expire_after = fields.expire_after.as_ref().and_then(|text| {
        let lifetime = lifetime(text.value.trim());
        lifetime.map_err(|why| flaws.error(text.place, why)).ok()
    });
    let limit = fields.limit.as_ref().and_then(|limit| {
        let number = NonZeroU32::new(limit.value);
        if number.is_none() {
            let hint = Some("say `pull_requests: false` for no previews".to_owned());
            flaws.error_with(limit.place, "a `limit` of 0 previews is none", hint);
        }
        number
    });
    PullRequests {
        previews: Previews::On,
        base: fields.base.as_ref().map(|bases| patterns(bases, flaws)),
        drafts: match fields.drafts {
            Some(false) => Drafts::Skipped,
            None | Some(true) => Drafts::Deployed,
        },
        label: label(fields.label.as_ref(), "label", flaws),
        comment: match fields.comment {
            CommentEntry::Always => CommentMode::Always,
            CommentEntry::OnChange => CommentMode::OnChange,
            CommentEntry::Off => CommentMode::Off,
        },
        expire_after,
        keep_label: label(fields.keep_label.as_ref(), "keep_label", flaws).unwrap_or(default.keep_label),
        limit,
    }
}

fn patterns(bases: &Placed<Vec<Placed<String>>>, flaws: &mut Flaws) -> Vec<Pattern> {
    if bases.value.is_empty() {
        let hint = Some("leave it out for every base, or say `pull_requests: false`".to_owned());
        flaws.error_with(bases.place, "`base` is empty, so that no pull request would fit", hint);
    }
    let mut checked = |base: &Placed<String>| {
        let pattern = Pattern::new(&base.value);
        pattern.map_err(|e| flaws.error(base.place, e.to_string())).ok()
    };
    bases.value.iter().filter_map(&mut checked).collect()
}

fn label(text: Option<&Placed<String>>, key: &str, flaws: &mut Flaws) -> Option<String> {
    let text = text?;
    if let Err(why) = check_label(key, &text.value) {
        let place: Place = text.place;
        flaws.error(place, why);
    }
    Some(text.value.clone())
}

/// GitHub takes labels of 1 to 50 characters, and trims them.
fn check_label(key: &str, label: &str) -> Result<(), String> {
    match label.chars().count() {
        1..=50 if label.trim() == label => Ok(()),
        1..=50 => Err(format!("`{key}` has spaces at its ends, and no label has")),
        length => Err(format!("`{key}` has {length} characters, and a label has 1 to 50")),
    }
}
