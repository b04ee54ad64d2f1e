//! Paths of files that a project may name, and paths of routes, and what API Gateway takes of these.
//!
//! See <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::limits::Verdict;

/// Resources that a REST API may have: each path, and each beginning of a path, is one.
/// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>.
const RESOURCES: usize = 300;

/// Where a file that a project names really lies, symbolic links followed; `None` where that is outside of the project's
/// repository, or outside of the project where there is none.
///
/// A pull request may name any file, and what we read may be shown to whoever wrote it.
///
/// # Errors
///
/// What the system says of a file that is not there, or cannot be looked at.
pub fn contained(project: &Path, file: &Path) -> io::Result<Option<PathBuf>> {
    let here = Path::new(".");
    let project = if project.as_os_str().is_empty() { here } else { project };
    let project = project.canonicalize()?;
    let repository = project.ancestors().find(|folder| folder.join(".git").exists());
    let whole = file.canonicalize()?;
    let inner = whole.strip_prefix(repository.unwrap_or(&project));
    // Git itself keeps credentials in there.
    let is_ours = inner.is_ok_and(|inner| !inner.starts_with(".git"));
    Ok(is_ours.then_some(whole))
}

/// Whether API Gateway takes a path: the words go behind the path.
pub fn check_path(path: &str) -> Verdict {
    let Some(inner) = path.strip_prefix('/') else {
        return Err("does not begin with `/`".to_owned());
    };
    if inner.is_empty() {
        return Ok(());
    }
    if inner.ends_with('/') {
        return Err("ends with `/`".to_owned());
    }
    let segments: Vec<_> = inner.split('/').collect();
    let mut parameters = BTreeSet::new();
    for (index, segment) in segments.iter().enumerate() {
        match parameter(segment)? {
            Some((name, Greed::Greedy)) if index + 1 < segments.len() => {
                return Err(format!("has `{{{name}+}}` before its end, and it takes all the rest"));
            }
            Some((name, Greed::Greedy | Greed::One)) if !parameters.insert(name) => {
                return Err(format!("has the parameter `{name}` twice"));
            }
            Some(_) => {}
            None => check_segment(segment)?,
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greed {
    One,
    Greedy,
}

/// The name of the parameter that a segment is, if it is one.
fn parameter(segment: &str) -> Result<Option<(&str, Greed)>, String> {
    let braces = segment.matches(['{', '}']).count();
    let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return match braces {
            0 => Ok(None),
            _ if segment.matches('{').count() == segment.matches('}').count() => {
                Err(format!("has `{segment}`, and a parameter must be a whole segment"))
            }
            _ => Err(format!("has an unbalanced brace in `{segment}`")),
        };
    };
    let (name, greed) = name
        .strip_suffix('+')
        .map_or((name, Greed::One), |name| (name, Greed::Greedy));
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_taken) {
        return Err(format!(
            "has the parameter `{segment}`, whose name API Gateway does not take"
        ));
    }
    Ok(Some((name, greed)))
}

fn check_segment(segment: &str) -> Verdict {
    if segment.is_empty() {
        return Err("has `//`".to_owned());
    }
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | ',' | '$');
    match segment.chars().find(|c| !is_taken(c)) {
        Some(c) => Err(format!(
            "has the character `{c}`, and API Gateway takes letters, digits, `.`, `_`, `-`, `:`, `,` and `$`"
        )),
        None => Ok(()),
    }
}

/// The resources of an API: all paths, and all their beginnings.
#[derive(Debug, Default)]
pub struct Tree {
    /// The parameter below each beginning of a path.
    parameters: BTreeMap<String, String>,
    resources: BTreeSet<String>,
}

impl Tree {
    /// Adds a path.
    ///
    /// # Errors
    ///
    /// What is wrong and what to do: API Gateway takes one parameter at a level.
    pub fn add(&mut self, path: &str) -> Result<(), (String, String)> {
        let mut verdict = Ok(());
        let mut parent = String::new();
        for segment in path.split('/').skip(1).filter(|segment| !segment.is_empty()) {
            if segment.starts_with('{') {
                let known = self
                    .parameters
                    .entry(parent.clone())
                    .or_insert_with(|| segment.to_owned());
                if known != segment {
                    let message = format!(
                        "path `{path}` has `{segment}` where another route has `{known}`, and API Gateway takes one \
                         parameter at a level"
                    );
                    verdict = Err((message, format!("name it `{known}` in both")));
                }
            }
            parent.push('/');
            parent.push_str(segment);
            self.resources.insert(parent.clone());
        }
        verdict
    }

    /// Whether an API may have so many.
    pub fn check_count(&self) -> Verdict {
        let count = self.resources.len() + 1;
        if count <= RESOURCES {
            return Ok(());
        }
        Err(format!(
            "the routes need {count} resources in API Gateway, and {RESOURCES} is the limit"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_reads_its_repository_and_nothing_else() {
        let world = tempfile::tempdir().unwrap();
        let folder = |path: &str| world.path().join(path);
        for name in ["repository/.git", "repository/apps/shop"] {
            std::fs::create_dir_all(folder(name)).unwrap();
        }
        for name in ["secret", "repository/.git/config", "repository/base.txt"] {
            drop(std::fs::File::create(folder(name)).unwrap());
        }
        let project = folder("repository/apps/shop");
        std::os::unix::fs::symlink(folder("secret"), project.join("link")).unwrap();
        let is_taken = |name: &str| contained(&project, &project.join(name)).unwrap().is_some();
        assert!(is_taken("../../base.txt"));
        assert!(!is_taken("../../../secret"));
        assert!(!is_taken("link"));
        assert!(!is_taken("../../.git/config"));
        assert!(contained(&project, &project.join("absent")).is_err());

        std::fs::remove_dir_all(folder("repository/.git")).unwrap();
        assert!(!is_taken("../../base.txt"));
    }

    #[test]
    fn a_path_is_refused_for_what_api_gateway_would_refuse() {
        for path in ["/", "/a", "/guests/{id}", "/files/{proxy+}", "/a/{x.y}/b:c"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        let refused = [
            ("a", "does not begin with `/`"),
            ("/a/", "ends with `/`"),
            ("/a//b", "has `//`"),
            ("/a/{id", "unbalanced brace in `{id`"),
            ("/a/x{id}", "must be a whole segment"),
            ("/a/{p+}/b", "before its end"),
            ("/{id}/{id}", "the parameter `id` twice"),
            ("/{}", "whose name API Gateway does not take"),
            ("/a b", "the character ` `"),
            ("/ä", "the character `ä`"),
        ];
        for (path, why) in refused {
            let told = check_path(path).unwrap_err();
            assert!(told.contains(why), "{path}: {told}");
        }
    }
}
