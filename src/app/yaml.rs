//! YAML as typed values that know where they stand, and what a person is told when they do not fit.

use std::marker::PhantomData;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Options, Spanned};

use super::flaws::{Place, did_you_mean, one};
use super::{Error, Finding, Severity};

/// A value and the place where it stands.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            place: place(spanned.referenced),
        })
    }
}

/// In a schema, a value with a place is the value.
impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A mapping from names to values, in the order of the file, whose names know their places.
#[derive(Debug, Clone)]
pub struct Table<V>(pub Vec<(Placed<String>, V)>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Table<V> {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }

    /// Names and values in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&Placed<String>, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The names in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.value.as_str())
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Table<V>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }

            // A key whose entries are all comments.
            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Table::default())
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Table::default())
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_map(self)
            }
        }

        deserializer.deserialize_option(Entries(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Table<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("TableOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["object", "null"], "additionalProperties": generator.subschema_for::<V>()})
    }
}

/// A document without types, for what concerns all of its values alike.
#[derive(Debug)]
pub enum Tree {
    /// A text.
    Text(String),
    /// Anything else that is one value; only its kind is kept.
    Scalar(Kind),
    /// A list.
    List(Vec<Placed<Self>>),
    /// A mapping, duplicates included.
    Map(Vec<(Placed<String>, Placed<Self>)>),
}

/// What a value is that is neither text, list nor mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Nothing.
    Nothing,
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(Kind::Switch))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(Kind::Number))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(Kind::Number))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Tree, E> {
        Ok(Tree::Scalar(Kind::Number))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Tree, E> {
        Ok(Tree::Scalar(Kind::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(Kind::Number))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Kind::Nothing))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

impl Tree {
    /// Calls `visit` with every text, its place and the keys on the way to it.
    pub fn texts(&self, visit: &mut dyn FnMut(&[&str], Place, &str)) {
        self.walk(None, &mut Vec::new(), visit);
    }

    /// The place of a key at the top.
    pub fn place_of(&self, name: &str) -> Option<Place> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.value == name)
                .map(|(key, _)| key.place),
            Self::Text(_) | Self::Scalar(_) | Self::List(_) => None,
        }
    }

    fn walk<'a>(&'a self, place: Place, path: &mut Vec<&'a str>, visit: &mut dyn FnMut(&[&str], Place, &str)) {
        match self {
            Self::Text(text) => visit(path, place, text),
            Self::Scalar(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.value.walk(item.place, path, visit)),
            Self::Map(entries) => {
                for (key, value) in entries {
                    path.push(&key.value);
                    value.value.walk(value.place, path, visit);
                    path.pop();
                }
            }
        }
    }

    /// The way to the key or value at a place: `functions`, `api`, `policy`, `[0]`.
    fn path_to(&self, wanted: (usize, usize)) -> Option<Vec<String>> {
        // A container and the first of what is in it have one place: the deeper one is meant.
        let found = |step: String, is_it: bool, below: &Self| {
            let below = below.path_to(wanted).or_else(|| is_it.then(Vec::new))?;
            Some([vec![step], below].concat())
        };
        let here = Some(wanted);
        match self {
            Self::Text(_) | Self::Scalar(_) => None,
            Self::List(items) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| found(format!("[{index}]"), item.place == here, &item.value)),
            Self::Map(entries) => entries.iter().find_map(|(key, value)| {
                let is_it = key.place == here || value.place == here;
                found(key.value.clone(), is_it, &value.value)
            }),
        }
    }
}

/// A way as one reads it: `functions.api.policy[0]`.
fn joined(path: &[String]) -> String {
    path.join(".").replace(".[", "[")
}

/// Reads a file's text as a typed value, and once more without types.
///
/// # Errors
///
/// [`Error::Findings`] with the first thing that does not fit.
pub fn parse<T: DeserializeOwned>(file: &Path, bytes: &[u8]) -> Result<(T, Tree), Error> {
    let text = std::str::from_utf8(bytes).map_err(|e| one(not_utf8(file, bytes, e.valid_up_to())))?;
    let is_blank = |line: &str| matches!(line.trim(), "" | "---") || line.trim_start().starts_with('#');
    if text.lines().all(is_blank) {
        let finding = finding(file, Some((1, 1)), "the file is empty".to_owned());
        return Err(one(finding));
    }
    let tree = serde_saphyr::from_str_with_options::<Tree>(text, options(DuplicateKeyPolicy::PassThrough));
    // Without types only what is no YAML at all is refused, and that must be told first.
    let tree = tree.map_err(|e| one(explained(file, &e, None)))?;
    match serde_saphyr::from_str_with_options(text, options(DuplicateKeyPolicy::Error)) {
        Ok(value) => Ok((value, tree)),
        Err(e) => Err(one(explained(file, &e, Some(&tree)))),
    }
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: duplicate_keys,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 10_000, max_depth: 64 },
    }
}

fn finding(file: &Path, place: Place, message: String) -> Finding {
    Finding {
        severity: Severity::Error,
        file: file.to_owned(),
        place,
        message,
        hint: None,
    }
}

fn not_utf8(file: &Path, bytes: &[u8], valid: usize) -> Finding {
    let (before, after) = bytes.split_at(valid);
    let before = String::from_utf8_lossy(before);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let byte = after.first().copied().unwrap_or_default();
    let message = format!("the file is not UTF-8: byte 0x{byte:02x}");
    finding(file, Some((line, column)), message)
}

fn place(location: Location) -> Place {
    match (usize::try_from(location.line()), usize::try_from(location.column())) {
        (Ok(line), Ok(column)) if line > 0 => Some((line, column)),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
    }
}

/// What the parser found, in our words.
fn explained(file: &Path, error: &serde_saphyr::Error, tree: Option<&Tree>) -> Finding {
    let place = error.location().and_then(place);
    let path = tree.zip(place).and_then(|(tree, place)| tree.path_to(place));
    let (message, hint) = described(error.without_snippet(), &path.unwrap_or_default());
    Finding {
        hint,
        ..finding(file, place, message)
    }
}

fn described(error: &serde_saphyr::Error, path: &[String]) -> (String, Option<String>) {
    use serde_saphyr::Error as Yaml;
    let parent = match path {
        [] | [_] => String::new(),
        [parent @ .., _] => format!(" in `{}`", joined(parent)),
    };
    let subject = match path {
        [] => "this".to_owned(),
        path => format!("`{}`", joined(path)),
    };
    match error {
        Yaml::SerdeUnknownField { field, expected, .. } => (
            format!("unknown key `{field}`{parent}"),
            did_you_mean(field, expected).or_else(|| Some(format!("known are {}", listed(expected)))),
        ),
        Yaml::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing{parent}"), None),
        Yaml::MultipleDocuments { .. } => ("the file has more than one document".to_owned(), None),
        Yaml::DuplicateMappingKey { key: Some(key), .. } => (format!("the key `{key}` stands twice{parent}"), None),
        Yaml::SerdeUnknownVariant { variant, expected, .. } => (
            format!("{subject} cannot be `{variant}`, only {}", listed(expected)),
            did_you_mean(variant, expected),
        ),
        Yaml::SerdeInvalidType {
            unexpected, expected, ..
        }
        | Yaml::SerdeInvalidValue {
            unexpected, expected, ..
        } => (format!("{subject} must be {}, not {unexpected}", plain(expected)), None),
        Yaml::InvalidScalar { ty, .. } => (format!("{subject} must be {}", plain(ty)), None),
        Yaml::Unexpected { expected, .. } => (format!("{subject} must be {}", plain(expected)), None),
        Yaml::NullIntoString { .. } => (format!("{subject} has no value"), None),
        Yaml::InvalidBooleanStrict { .. } => (format!("{subject} must be `true` or `false`"), None),
        Yaml::RecursiveReferencesRequireWeakTypes { .. } => ("the alias stands in what it refers to".to_owned(), None),
        Yaml::AliasError { error, .. } => described(error, path),
        other => {
            let message = without_location(&other.to_string());
            let hint = syntax_hint(&message);
            (message, hint)
        }
    }
}

/// What to do about the two mistakes that are made most.
fn syntax_hint(message: &str) -> Option<String> {
    if message.contains("mapping values are not allowed") {
        return Some("check the indentation, or quote a text that has `: ` in it".to_owned());
    }
    let is_reserved = message.starts_with("unexpected character");
    is_reserved.then(|| "quote a text that begins with this character".to_owned())
}

fn plain(expected: &str) -> &str {
    match expected {
        "string scalar" | "a string" | "string" | "scalar" => "a text",
        "sequence" | "sequence start" | "a sequence" => "a list",
        "mapping" | "mapping start" | "map" | "a map" => "a mapping",
        "u8" | "u16" | "u32" | "u64" | "i64" | "integer" => "a whole number",
        "bool" | "a boolean" | "boolean" => "`true` or `false`",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The place stands in front of our messages already.
fn without_location(message: &str) -> String {
    let end = message
        .find(" at line ")
        .or_else(|| message.find("\n"))
        .unwrap_or(message.len());
    let start = message.find("YAML parse error: ").map_or(0, |at| at + 18);
    message.get(start..end).unwrap_or(message).to_owned()
}
