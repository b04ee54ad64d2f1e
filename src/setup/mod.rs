//! What a repository needs so that its branches become stages: two files in it, and two policies in the account.
//!
//! All of it is text that is made from one [`Setup`]; who may write it down, and who is asked, is told one floor up.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::state_url::StateUrl;
use crate::names::StageName;

pub mod bucket_policy;
pub mod files;
pub mod guide;
pub mod iam;
pub mod needs;
pub mod project_file;
pub mod questions;
pub mod workflow;

/// Everything that the files and policies are made from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The repository on GitHub.
    pub repository: Repository,
    /// The branch that GitHub calls the default one: schedules run on it.
    pub default_branch: String,
    /// Branches or globs, and the stages that they are.
    pub branches: Vec<Mapping>,
    /// The bucket of the state.
    pub state: StateUrl,
    /// Region of the stages, where it is known.
    pub region: Option<String>,
    /// ARN of the role with which stages are deployed, where it is known.
    pub role: Option<String>,
    /// The project's folder as it is seen from the repository's root; `.` for the root itself.
    pub project_dir: PathBuf,
}

/// A branch or glob, and the stage that it is, both as `stagewright.yaml` writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The branch or glob.
    pub branch: String,
    /// The stage, perhaps with captures.
    pub stage: String,
}

impl Mapping {
    /// A mapping of a branch to a stage.
    pub fn new(branch: impl Into<String>, stage: impl Into<String>) -> Self {
        Self {
            branch: branch.into(),
            stage: stage.into(),
        }
    }

    /// Whether it is of many branches.
    pub fn is_glob(&self) -> bool {
        self.branch.contains('*')
    }

    /// The stage, where it is one for certain.
    pub fn fixed_stage(&self) -> Option<StageName> {
        if self.is_glob() { None } else { self.stage.parse().ok() }
    }
}

impl Setup {
    /// The role's account, or the word to put the account's number in place of.
    pub fn account(&self) -> &str {
        let account = self.role.as_deref().and_then(|role| role.split(':').nth(4));
        account.unwrap_or("ACCOUNT")
    }

    /// The role's name without its path, or the one that we propose.
    pub fn role_name(&self) -> String {
        let given = self.role.as_deref().and_then(|role| role.rsplit('/').next());
        given.map_or_else(|| format!("stagewright-{}", self.repository.name), ToOwned::to_owned)
    }

    /// AWS's name of the group of Regions that this one is in.
    pub fn partition(&self) -> &'static str {
        partition(self.region.as_deref())
    }

    /// The bucket, and what stands before every key in it: empty, or ending in a slash.
    pub fn bucket(&self) -> (&str, String) {
        match &self.state {
            StateUrl::Bucket { bucket, prefix } if prefix.is_empty() => (bucket, String::new()),
            StateUrl::Bucket { bucket, prefix } => (bucket, format!("{prefix}/")),
            StateUrl::Folder(_) => ("BUCKET", String::new()),
        }
    }
}

/// AWS's name of the group of Regions that this one is in.
pub fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        Some(_) | None => "aws",
    }
}

/// A repository on GitHub: `acme/shop`.
///
/// Invariant: an owner and a name of letters, digits, `-`, `_` and `.`, with one slash between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The person or organisation.
    pub owner: String,
    /// The repository.
    pub name: String,
}

/// A text that is not the name of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a repository: it is written `OWNER/NAME`")]
pub struct RepositoryError(String);

impl FromStr for Repository {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Self, RepositoryError> {
        let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = |name: &str| !name.is_empty() && name.chars().all(is_taken) && !matches!(name, "." | "..");
        match text.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            }),
            Some(_) | None => Err(RepositoryError(text.to_owned())),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl Repository {
    /// The repository that a remote of Git's names: by SSH or HTTPS, on github.com or a server of one's own.
    pub fn of_remote(url: &str) -> Option<Self> {
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/')?.1,
            None => url.split_once(':')?.1,
        };
        let path = path.trim_end_matches('/');
        path.strip_suffix(".git").unwrap_or(path).parse().ok()
    }
}

/// A path with the slashes of YAML and URLs, `.` for an empty one.
pub fn shown(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

/// A text as YAML writes it: as it stands where that is safe, else in quotes.
pub fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if begins && !is_word && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // A JSON string is a YAML string.
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
pub mod examples {
    //! A setup for the tests of this room.

    use super::*;

    /// `acme/shop` with two branches, a bucket, a Region and a role.
    pub fn shop() -> Setup {
        Setup {
            repository: "acme/shop".parse().unwrap(),
            default_branch: "main".to_owned(),
            branches: vec![Mapping::new("main", "prod"), Mapping::new("develop", "beta")],
            state: "s3://acme-deploys/stages".parse().unwrap(),
            region: Some("eu-west-1".to_owned()),
            role: Some("arn:aws:iam::111111111111:role/deployers/ship-it".to_owned()),
            project_dir: PathBuf::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_by_ssh_or_https_names_its_repository() {
        for url in [
            "git@github.com:acme/shop.git",
            "https://github.com/acme/shop",
            "https://token@github.com/acme/shop.git/",
            "ssh://git@github.example.com:2222/acme/shop.git",
        ] {
            assert_eq!(Repository::of_remote(url).unwrap().to_string(), "acme/shop", "{url}");
        }
        for url in ["/srv/git/shop.git", "../shop", "https://github.com/shop", "git@x:a/b/c"] {
            assert_eq!(Repository::of_remote(url), None, "{url}");
        }
    }

    #[test]
    fn what_is_no_repository_is_refused() {
        for text in [
            "shop",
            "acme/",
            "/shop",
            "acme/shop/x",
            "ac me/shop",
            "acme/${{x}}",
            "acme/..",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_that_yaml_would_misread_is_quoted() {
        assert_eq!(scalar("release/v1.2"), "release/v1.2");
        for (text, written) in [
            ("on", "\"on\""),
            ("release/*", "\"release/*\""),
            ("1.10", "\"1.10\""),
            ("a: b", "\"a: b\""),
            ("s3://b/p", "\"s3://b/p\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn the_account_is_that_of_the_role() {
        let setup = examples::shop();
        assert_eq!(
            (setup.account(), setup.role_name().as_str()),
            ("111111111111", "ship-it")
        );
        let unknown = Setup { role: None, ..setup };
        assert_eq!(
            (unknown.account(), unknown.role_name().as_str()),
            ("ACCOUNT", "stagewright-shop")
        );
    }
}
