//! The Python version that an app runs on: what the repository says, else what was deployed, else what is here.

use std::path::Path;

use super::Uv;
use super::pyproject::Pyproject;
use super::target::runtime;
use super::uv::command_line;
use crate::app::{Error, Finding, Severity};

/// What a repository says about its Python.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Said {
    /// The one of `.python-version`: `3.11`.
    one: Option<String>,
    /// The range of `pyproject.toml`: `>=3.11,<4`.
    range: Option<String>,
}

/// Every version that Lambda has, in uv's words.
const LAMBDAS: &str = ">=3.10,<3.16";

impl Uv {
    /// The Python version of the Lambda runtime for a project: the one that is `asked` for by its config, else what the
    /// repository says; `recorded` is the one of its release.
    ///
    /// # Errors
    ///
    /// `Error::Findings` where two of these exclude each other, `Error::Program` without `uv`, `Error::Command` where there
    /// is no Python that suits.
    pub async fn version(&self, project: &Path, asked: Option<&str>, recorded: Option<&str>) -> Result<String, Error> {
        let range = match settled(project, asked, recorded)? {
            Settled::Version(version) => return Ok(version),
            Settled::Range(range) => range,
        };
        // A virtualenv that happens to lie in a folder above, or on the path, must not decide.
        let arguments = ["python", "find", "--no-project", "--system", "--show-version", &range];
        let found = self.run(project, &arguments, "").await?;
        runtime(found.trim()).ok_or_else(|| Error::Command {
            command: command_line(&arguments),
            status: "an answer that is no version".to_owned(),
            output: found,
        })
    }

    /// The interpreter of a version on this machine: its path, or the version itself where `uv` has to fetch it.
    pub async fn interpreter(&self, project: &Path, version: &str) -> String {
        let arguments = ["python", "find", "--no-project", "--system", version];
        let found = self.run(project, &arguments, "").await;
        found.map_or_else(|_| version.to_owned(), |path| path.trim().to_owned())
    }
}

/// What is known of a version before any interpreter is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// This one it is.
    Version(String),
    /// One of these, in uv's words.
    Range(String),
}

/// The version that config, repository and release agree on, or what they leave open.
///
/// # Errors
///
/// `Error::Findings` where two of these exclude each other.
pub fn settled(project: &Path, asked: Option<&str>, recorded: Option<&str>) -> Result<Settled, Error> {
    let said = said(project);
    let asked = asked.map(|version| ("stagewright.yaml", version));
    let pinned = said.one.as_deref().map(|version| (".python-version", version));
    if let Some((file, version)) = asked.or(pinned) {
        return agreed(file, version, said.range.as_deref()).map(Settled::Version);
    }
    Ok(match (said.range, recorded) {
        (Some(range), Some(recorded)) if admits(&range, recorded) => Settled::Version(recorded.to_owned()),
        (None, Some(recorded)) => Settled::Version(recorded.to_owned()),
        (Some(range), _) => Settled::Range(range),
        (None, None) => Settled::Range(LAMBDAS.to_owned()),
    })
}

/// A version that a file chooses, if the range of `pyproject.toml` has it.
fn agreed(file: &str, version: &str, range: Option<&str>) -> Result<String, Error> {
    match range {
        Some(range) if !admits(range, version) => Err(Error::Findings(vec![Finding {
            severity: Severity::Error,
            file: file.into(),
            place: None,
            message: format!("chooses Python {version}, and `requires-python` of `pyproject.toml` is `{range}`"),
            hint: Some("change one of them".to_owned()),
        }])),
        Some(_) | None => Ok(version.to_owned()),
    }
}

/// What the nearest folder says that says anything, up to the top of the repository.
fn said(project: &Path) -> Said {
    // A repository with several apps has one file for all of them at its top.
    let top = project.ancestors().find(|folder| folder.join(".git").exists());
    let depth = top.map_or(1, |top| {
        project.ancestors().take_while(|folder| *folder != top).count() + 1
    });
    for folder in project.ancestors().take(depth) {
        let pinned = std::fs::read_to_string(folder.join(".python-version")).unwrap_or_default();
        // What is no TOML is told where its packages count.
        let pyproject = Pyproject::read(folder).unwrap_or_default();
        let said = Said {
            one: pinned.lines().find_map(|line| runtime(line.trim())),
            range: pyproject.and_then(|pyproject| pyproject.requires_python()),
        };
        if said != Said::default() {
            return said;
        }
    }
    Said::default()
}

/// Whether a range has a minor version in it: `>=3.11,<4` has `3.12`.
fn admits(range: &str, version: &str) -> bool {
    let minor = |text: &str| {
        let mut numbers = text
            .trim()
            .trim_end_matches(".*")
            .split('.')
            .map(|number| number.parse::<u32>().ok());
        Some((
            numbers.next()??,
            numbers.next().flatten().unwrap_or(0),
            numbers.next().flatten(),
        ))
    };
    let Some((major, minor_number, _)) = minor(version) else {
        return false;
    };
    let ours = (major, minor_number);
    range.split(',').map(str::trim).all(|part| {
        let end = part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len());
        let Some((major, minor_number, patch)) = minor(&part[end..]) else {
            return false;
        };
        let theirs = (major, minor_number);
        match part[..end].trim() {
            ">=" => ours >= theirs,
            ">" => ours > theirs || ours == theirs && patch.is_some(),
            "<=" => ours <= theirs,
            "<" => ours < theirs || ours == theirs && patch.is_some_and(|patch| patch > 0),
            "==" | "===" => ours == theirs,
            "!=" => ours != theirs || patch.is_some(),
            "~=" if patch.is_some() => ours == theirs,
            "~=" => ours.0 == theirs.0 && ours >= theirs,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::folder::create;
    use super::super::folder::tests::write;
    use super::*;

    #[test]
    fn a_repository_says_its_python_beside_the_app_or_at_its_top() {
        let folder = tempfile::tempdir().unwrap();
        let (top, app) = (folder.path().join("top"), folder.path().join("top/apps/one"));
        create(&app).unwrap();
        write(&folder.path().join(".python-version"), "3.10\n").unwrap();
        assert_eq!(said(&app), Said::default());
        create(&top.join(".git")).unwrap();
        write(&top.join(".python-version"), "3.12.4\n").unwrap();
        assert_eq!(said(&app).one.as_deref(), Some("3.12"));
        write(&app.join("pyproject.toml"), "[project]\nrequires-python = \">=3.11\"\n").unwrap();
        assert_eq!((said(&app).one, said(&app).range.as_deref()), (None, Some(">=3.11")));
    }

    #[tokio::test]
    async fn a_version_outside_of_what_the_project_takes_is_refused_with_both() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join(".python-version"), "3.10\n").unwrap();
        let toml = "[tool.poetry.dependencies]\npython = \"^3.11\"\n";
        write(&folder.path().join("pyproject.toml"), toml).unwrap();
        let uv = Uv {
            cache: folder.path().join("cache"),
            environment: std::collections::BTreeMap::new(),
        };
        let told = uv.version(folder.path(), None, None).await.unwrap_err().to_string();
        let both = ".python-version: chooses Python 3.10, and `requires-python` of `pyproject.toml` is `>=3.11,<4`";
        assert!(told.starts_with(both), "{told}");
        assert_eq!(
            uv.version(folder.path(), Some("3.13"), Some("3.12")).await.unwrap(),
            "3.13"
        );
        let told = uv
            .version(folder.path(), Some("3.10"), None)
            .await
            .unwrap_err()
            .to_string();
        assert!(told.starts_with("stagewright.yaml: chooses Python 3.10"), "{told}");
    }

    #[test]
    fn a_range_keeps_the_deployed_version_while_it_has_it() {
        assert!(admits(">=3.11,<4", "3.12") && admits("~=3.11", "3.13") && admits("==3.12.*", "3.12"));
        assert!(admits("<3.12.5", "3.12") && admits(">= 3.10", "3.10"));
        assert!(!admits(">=3.12", "3.11") && !admits("<3.12", "3.12") && !admits("~=3.11.2", "3.12"));
    }

    #[tokio::test]
    async fn without_a_word_of_the_repository_the_deployed_version_stays() {
        let folder = tempfile::tempdir().unwrap();
        let uv = Uv {
            cache: folder.path().join("cache"),
            environment: std::collections::BTreeMap::from([("PATH".to_owned(), String::new())]),
        };
        assert_eq!(uv.version(folder.path(), None, Some("3.12")).await.unwrap(), "3.12");
        assert!(uv.version(folder.path(), None, None).await.is_err());
    }
}
