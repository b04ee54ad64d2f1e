//! The names that every room uses: an app, a stage, an address in a stage, a moment.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A name that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// AWS takes letters, digits, `-` and `_` in the names that are made from this one.
    #[error("{what} `{name}` has the character `{character}`, and AWS takes only letters, digits, `-` and `_`")]
    Character {
        /// What kind of name it is.
        what: &'static str,
        /// The name as it was given.
        name: String,
        /// The first character that is refused.
        character: char,
    },
    /// The name alone is longer than any name in AWS may be.
    #[error("{what} `{name}` has {length} characters, and 63 is the limit")]
    Long {
        /// What kind of name it is.
        what: &'static str,
        /// The name as it was given.
        name: String,
        /// Its length in characters.
        length: usize,
    },
    /// It is kept for something else.
    #[error("{what} `{name}` is kept for the object on which a store is tried")]
    Kept {
        /// What kind of name it is.
        what: &'static str,
        /// The name.
        name: &'static str,
    },
}

/// The folder for what stages share, among the apps' own.
const SHARED: &str = "stagewright-shared";

/// Where the state of a stage would stand, a store is tried instead: no stage has this name.
const PROBE: &str = "stagewright-probe";

/// Checks that AWS takes a name as a part of its own: 1 to 63 letters, digits, `-` and `_`.
///
/// # Errors
///
/// See [`NameError`].
pub fn check_name(what: &'static str, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty(what));
    }
    let refused = |c: &char| !(c.is_ascii_alphanumeric() || *c == '-' || *c == '_');
    if let Some(character) = name.chars().find(refused) {
        return Err(NameError::Character {
            what,
            name: name.to_owned(),
            character,
        });
    }
    match name.len() {
        0..=63 => Ok(()),
        length => Err(NameError::Long {
            what,
            name: name.to_owned(),
            length,
        }),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                $check($what, &name)?;
                Ok(Self(name))
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::try_from(name.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Name of an app: the first part of every name in AWS.
    ///
    /// Invariant: 1 to 63 letters, digits, `-` and `_`.
    AppName,
    "app name",
    check_name
);

name!(
    /// Name of a stage: the second part of every name in AWS, and the name of its state object.
    ///
    /// Invariant: 1 to 63 letters, digits, `-` and `_`; never `stagewright-probe`, but for [`StageName::probe`].
    StageName,
    "stage name",
    check_stage
);

fn check_stage(what: &'static str, name: &str) -> Result<(), NameError> {
    if name == PROBE {
        return Err(NameError::Kept { what, name: PROBE });
    }
    check_name(what, name)
}

impl AppName {
    /// No app, but the place among the apps' folders for what stages share.
    pub fn shared() -> Self {
        Self(SHARED.to_owned())
    }
}

impl StageName {
    /// No stage, but the name under which the lease of a shared thing stands: that of the thing, as far as it fits.
    pub fn of_shared(thing: &str) -> Self {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let readable = thing.chars().map(|c| if fits(c) { c } else { '_' }).take(46);
        let digest: String = Sha256::digest(thing)
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self(readable.chain(['-']).chain(digest.chars()).collect())
    }

    /// No stage, but the place among the stages' objects where a store is tried.
    pub fn probe() -> Self {
        Self(PROBE.to_owned())
    }

    /// The name of the preview of a pull request: `pr-42`.
    pub fn of_preview(number: u64) -> Self {
        Self(format!("pr-{number}"))
    }

    /// Whether the name is one of those that are kept for previews of pull requests: `pr-` and a number.
    pub fn is_of_a_preview(&self) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        self.0.strip_prefix("pr-").is_some_and(is_number)
    }
}

/// Logical name of a resource in its stage: `function/api_handler`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Makes the address of the resource `name` of a kind.
    pub fn new(kind: &str, name: &str) -> Self {
        Self(format!("{kind}/{name}"))
    }

    /// Makes the address of a resource that is another one where its source (an ARN, or what is behind one's account) is
    /// another: what AWS does not let one change stands behind an `@`.
    pub fn at(kind: &str, name: &str, source: &str) -> Self {
        Self(format!("{kind}/{name}@{}", last(source)))
    }

    /// The part before the first slash: the kind of the resource.
    pub fn kind(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The part behind the first slash: the resource's logical name.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// The resource's logical name without its source: what Chalice calls it.
    pub fn plain_name(&self) -> &str {
        self.name().split('@').next().unwrap_or_default()
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands behind the account in an ARN: the name of what it is of. Anything else stays what it is.
pub fn last(arn: &str) -> &str {
    match arn.starts_with("arn:") {
        true => arn.splitn(6, ':').nth(5).unwrap_or_default(),
        false => arn,
    }
}

/// A moment, in UTC, to the second. For people to read: no decision compares two machines' clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Cuts a moment to whole seconds.
    pub fn new(moment: jiff::Timestamp) -> Self {
        Self(jiff::Timestamp::from_second(moment.as_second()).unwrap_or(moment))
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(self) -> i64 {
        self.0.as_millisecond()
    }

    /// How long before this moment another one was; no time where it was not before it. For ages of hours and days, since
    /// the two may be of two machines' clocks.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or_default()
    }

    /// The moment that is so much later; the last one that there is where it would be behind that.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        self.0.checked_add(pause).map_or(Self(jiff::Timestamp::MAX), Self::new)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            self.0.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_name_is_what_aws_takes() {
        assert!("pr-42".parse::<StageName>().is_ok());
        assert!("Prod_2".parse::<StageName>().is_ok());
        assert_eq!("".parse::<StageName>(), Err(NameError::Empty("stage name")));
        let slashed = "feature/x".parse::<StageName>().unwrap_err();
        assert!(slashed.to_string().contains("the character `/`"), "{slashed}");
        assert!("ü".parse::<StageName>().is_err());
        assert!("a".repeat(64).parse::<StageName>().is_err());
        assert!(PROBE.parse::<StageName>().is_err());
    }

    #[test]
    fn an_age_is_never_negative() {
        let early = Timestamp::new(jiff::Timestamp::from_second(1_000).unwrap());
        let late = early.after(Duration::from_hours(1));
        assert_eq!(late.since(early), Duration::from_hours(1));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn an_address_keeps_its_two_parts_apart() {
        assert_eq!(Address::new("function", "a/b").name(), "a/b");
        assert_eq!(Address::new("function", "api").to_string(), "function/api");
        let table = "arn:aws:dynamodb:eu-west-1:1:table/guests/stream/2026-01-02T03:04:05.678";
        let mapping = Address::at("event_source_mapping", "log-dynamodb-event-source", table);
        assert_eq!(mapping.plain_name(), "log-dynamodb-event-source");
        assert_eq!(
            mapping.name(),
            "log-dynamodb-event-source@table/guests/stream/2026-01-02T03:04:05.678"
        );
    }
}
