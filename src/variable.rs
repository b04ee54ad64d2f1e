//! A value of an environment variable, and how a secret one is kept out of everything that is written or shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A value of an environment variable of a function.
///
/// In state and plan a secret one stands as its reference and a salted digest, never as its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// A value that stands in the repository.
    Plain(String),
    /// A value that was taken from our own environment.
    Secret(SecretVariable),
}

/// A value that is not in the repository.
#[derive(Debug, Clone)]
pub struct SecretVariable {
    /// How the user wrote it: `${env:NAME}`.
    pub reference: String,
    /// Salted digest of the value, once the stage's salt is known.
    pub digest: Option<String>,
    /// The value; unknown where it was read back from a state.
    pub value: Option<Secret>,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into custody.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// Gives the text out, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Variable {
    /// Makes a secret value from what the user wrote and what it stands for.
    pub fn secret(reference: String, value: String) -> Self {
        Self::Secret(SecretVariable {
            reference,
            digest: None,
            value: Some(Secret::new(value)),
        })
    }

    /// Makes a secret whose value is not known here.
    pub fn unknown(reference: String) -> Self {
        Self::Secret(SecretVariable {
            reference,
            digest: None,
            value: None,
        })
    }

    /// Whether nothing is known of the value, not even whether it is the same as another.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Secret(secret) => secret.digest.is_none() && secret.value.is_none(),
        }
    }

    /// Whether the user wrote both in the same way.
    pub fn is_as_written(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(one), Self::Secret(other)) => one.reference == other.reference,
            (Self::Plain(_) | Self::Secret(_), _) => false,
        }
    }

    /// The same variable with its digest under a stage's salt.
    #[must_use]
    pub fn salted(&self, salt: &str) -> Self {
        match self {
            Self::Secret(SecretVariable {
                reference,
                value: Some(value),
                ..
            }) => {
                let digest = Sha256::new()
                    .chain_update(salt)
                    .chain_update([0])
                    .chain_update(value.reveal())
                    .finalize();
                let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                Self::Secret(SecretVariable {
                    reference: reference.clone(),
                    digest: Some(digest),
                    value: Some(value.clone()),
                })
            }
            Self::Plain(_) | Self::Secret(_) => self.clone(),
        }
    }

    /// The value itself, for the call that sets it; `None` for a secret that was read back from a state.
    pub fn reveal(&self) -> Option<&str> {
        match self {
            Self::Plain(value) => Some(value),
            Self::Secret(secret) => secret.value.as_ref().map(Secret::reveal),
        }
    }
}

/// Two secrets are the same where reference and digest are: the value is not always known.
impl PartialEq for SecretVariable {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference && self.digest == other.digest
    }
}

impl Eq for SecretVariable {}

#[derive(Serialize, Deserialize)]
struct Recorded {
    reference: String,
    digest: Option<String>,
}

impl Serialize for Variable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => serializer.serialize_str(value),
            Self::Secret(secret) => Recorded {
                reference: secret.reference.clone(),
                digest: secret.digest.clone(),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Plain(String),
            Secret(Recorded),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Plain(value) => Self::Plain(value),
            Form::Secret(Recorded { reference, digest }) => Self::Secret(SecretVariable {
                reference,
                digest,
                value: None,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_its_reference_and_digest_only() {
        let secret = Variable::secret("${env:TOKEN}".to_owned(), "hunter2".to_owned()).salted("salt");
        let written = serde_json::to_string(&secret).unwrap();
        assert!(written.contains("${env:TOKEN}"), "{written}");
        assert!(!written.contains("hunter2"), "{written}");
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(serde_json::from_str::<Variable>(&written).unwrap(), secret);
    }

    #[test]
    fn a_changed_secret_is_a_changed_variable_and_another_salt_hides_that_two_are_the_same() {
        let of = |value: &str, salt| Variable::secret("${env:T}".to_owned(), value.to_owned()).salted(salt);
        assert_ne!(of("a", "1"), of("b", "1"));
        assert_ne!(of("a", "1"), of("a", "2"));
        assert_eq!(of("a", "1"), of("a", "1"));
    }
}
