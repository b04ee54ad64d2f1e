//! Where the state lies, as `--state` and `state:` write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the state of all stages lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateUrl {
    /// An S3 bucket: `s3://bucket/prefix`.
    Bucket {
        /// Name of the bucket.
        bucket: String,
        /// What stands before every key, without slashes at its ends; may be empty.
        prefix: String,
    },
    /// A folder.
    Folder(PathBuf),
}

/// A text that says nowhere where the state lies, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateUrlError {
    /// Nothing was given.
    #[error("the place of the state is empty: it is `s3://bucket/prefix` or a folder")]
    Empty,
    /// A URL of something else than a bucket.
    #[error("`{0}` is not a place for state: it is `s3://bucket/prefix` or a folder")]
    Scheme(String),
    /// S3 takes no such bucket name.
    #[error("`{bucket}` is not the name of a bucket: {why}")]
    Bucket {
        /// The name as it was given.
        bucket: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// S3 would take it, and nobody would find it again.
    #[error("the prefix `{0}` has an empty segment, `.` or `..` in it")]
    Prefix(String),
}

impl FromStr for StateUrl {
    type Err = StateUrlError;

    fn from_str(text: &str) -> Result<Self, StateUrlError> {
        if text.trim().is_empty() {
            return Err(StateUrlError::Empty);
        }
        let Some(rest) = text.strip_prefix("s3://") else {
            return match text.contains("://") {
                true => Err(StateUrlError::Scheme(text.to_owned())),
                false => Ok(Self::Folder(PathBuf::from(text))),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some(why) = broken_rule(bucket) {
            return Err(StateUrlError::Bucket {
                bucket: bucket.to_owned(),
                why,
            });
        }
        let prefix = prefix.trim_end_matches('/');
        let is_hidden = |segment: &str| matches!(segment, "" | "." | "..");
        if !prefix.is_empty() && prefix.split('/').any(is_hidden) {
            return Err(StateUrlError::Prefix(prefix.to_owned()));
        }
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

/// The rule of S3 that a bucket's name breaks.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn broken_rule(bucket: &str) -> Option<&'static str> {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !(3..=63).contains(&bucket.len()) {
        return Some("it has 3 to 63 characters");
    }
    if !bucket.chars().all(is_inner) {
        return Some("it has only lower-case letters, digits, `.` and `-`");
    }
    if !bucket.starts_with(is_end) || !bucket.ends_with(is_end) {
        return Some("it begins and ends with a letter or digit");
    }
    if bucket.contains("..") {
        return Some("it has no two dots in a row");
    }
    if bucket.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some("it does not look like an IP address");
    }
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"];
    if reserved.iter().any(|prefix| bucket.starts_with(prefix)) {
        return Some("its beginning is reserved by S3");
    }
    let reserved = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    if reserved.iter().any(|suffix| bucket.ends_with(suffix)) {
        return Some("its end is reserved by S3");
    }
    None
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(bucket: &str, prefix: &str) -> Result<StateUrl, StateUrlError> {
        Ok(StateUrl::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    #[test]
    fn a_place_is_a_bucket_with_a_prefix_or_a_folder() {
        assert_eq!("s3://acme-deploys".parse(), bucket("acme-deploys", ""));
        assert_eq!("s3://acme-deploys/a/b/".parse(), bucket("acme-deploys", "a/b"));
        assert_eq!("../state".parse(), Ok(StateUrl::Folder("../state".into())));
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in ["s3://acme-deploys", "s3://acme-deploys/a/b", "/var/state"] {
            assert_eq!(text.parse::<StateUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_name_that_s3_refuses_is_refused_with_the_rule() {
        let refused = [
            ("s3://", "3 to 63 characters"),
            ("s3://ab", "3 to 63 characters"),
            ("s3://Acme", "lower-case letters"),
            ("s3://acme_deploys", "lower-case letters"),
            ("s3://-acme", "begins and ends"),
            ("s3://a..b", "two dots"),
            ("s3://10.0.0.1", "IP address"),
            ("s3://xn--acme", "beginning is reserved"),
            ("s3://acme-s3alias", "end is reserved"),
            ("s3://acme//x", "empty segment"),
            ("gs://acme/x", "not a place for state"),
            (" ", "is empty"),
        ];
        for (text, why) in refused {
            let told = text.parse::<StateUrl>().unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
