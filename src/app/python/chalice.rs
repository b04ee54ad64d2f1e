//! Which version of Chalice a project wants: wherever projects write it, read without running anything.

use std::path::Path;

use super::line;
use super::requirements::{Requirements, gathered};
use crate::app::Error;

/// What is asked of the version where a line requires `package`: `==1.31.2`, `>=1.30,<2`, or nothing at all. `None`
/// where it requires another package, or one at a URL.
pub fn version_wanted(requirement: &str, package: &str) -> Option<String> {
    let head = line::head(requirement.split('#').next()?);
    let rest = head.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let rest = match rest.trim_start().strip_prefix('[') {
        Some(extras) => extras.split_once(']')?.1,
        None => rest,
    };
    let version: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    let version = version.trim_matches(['(', ')']);
    let is_plain = version
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".,<>=!~*+-_".contains(c));
    (line::name(head) == package && is_plain).then(|| version.to_owned())
}

/// The one version that a version wanted allows: `1.31.2` of `==1.31.2`.
pub fn exact(wanted: &str) -> Option<&str> {
    let version = wanted.strip_prefix("===").or_else(|| wanted.strip_prefix("=="))?;
    (!version.contains([',', '*'])).then_some(version)
}

/// Finds what a project asks of the version of `chalice`, wherever projects write it; `None` if nowhere.
///
/// # Errors
///
/// `Error::File` where one of the files cannot be read.
pub fn wanted(project: &Path, main: &Requirements) -> Result<Option<String>, Error> {
    let of = |requirements: &Requirements| {
        let mut wanted = requirements
            .lines
            .iter()
            .filter_map(|line| version_wanted(&line.text, "chalice"));
        wanted.next()
    };
    if let Some(wanted) = of(main) {
        return Ok(Some(wanted));
    }
    for name in development_files(project) {
        if let Some(wanted) = of(&gathered(project, &name)?) {
            return Ok(Some(wanted));
        }
    }
    for lock in ["uv.lock", "poetry.lock"] {
        if let Ok(text) = std::fs::read_to_string(project.join(lock))
            && let Some(version) = locked(&text, "chalice")
        {
            return Ok(Some(format!("=={version}")));
        }
    }
    let pyproject = std::fs::read_to_string(project.join("pyproject.toml")).unwrap_or_default();
    Ok(quoted(&pyproject).find_map(|text| version_wanted(text, "chalice")))
}

/// Requirements files for development: `requirements-dev.txt`, `dev-requirements.txt`, `requirements/dev.txt`.
fn development_files(project: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for (folder, prefix) in [
        (project.to_owned(), ""),
        (project.join("requirements"), "requirements/"),
    ] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        names.extend(entries.map(|entry| format!("{prefix}{}", entry.file_name().to_string_lossy())));
    }
    names.retain(|name| name.ends_with(".txt") && name.contains("dev") && name.contains("requirements"));
    names.sort();
    names
}

/// The version of a package in a lock file of uv or Poetry.
fn locked(lock: &str, package: &str) -> Option<String> {
    let mut lines = lock.lines().map(str::trim);
    let name = format!("name = \"{package}\"");
    lines.find(|line| *line == name)?;
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

/// The texts in quotes of a TOML file that are written on one line, keys' values of Poetry's tables left out.
fn quoted(toml: &str) -> impl Iterator<Item = &str> {
    toml.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', '[']) && !line.starts_with("name"))
        .flat_map(|line| line.split(['"', '\'']).skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use super::super::requirements::read;
    use super::super::requirements::tests::project;
    use super::*;

    #[test]
    fn a_requirement_of_chalice_is_known_in_all_its_spellings() {
        let wanted = |line| version_wanted(line, "chalice");
        assert_eq!(wanted("chalice"), Some(String::new()));
        assert_eq!(
            wanted("Chalice == 1.31.2 ; python_version > '3'"),
            Some("==1.31.2".to_owned())
        );
        assert_eq!(
            wanted("chalice[event-file-poller]>=1.30,<2"),
            Some(">=1.30,<2".to_owned())
        );
        assert_eq!(wanted("chalice==1.31.2 --hash=sha256:00"), Some("==1.31.2".to_owned()));
        assert_eq!(wanted("chalice-spec"), None);
        assert_eq!(wanted("chalice @ git+https://x/chalice"), None);
        assert_eq!(exact("==1.31.2"), Some("1.31.2"));
        assert_eq!(exact("==1.*"), None);
        assert_eq!(exact(">=1.30"), None);
    }

    #[test]
    fn the_version_of_chalice_is_found_wherever_projects_write_it() {
        let wanted = |files: &[(&str, &str)]| {
            let project = project(files);
            let main = read(project.path(), "requirements.txt").unwrap();
            super::wanted(project.path(), &main).unwrap()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(wanted(&[]), None);
        assert_eq!(wanted(&[("requirements.txt", "chalice==1.30.0")]), some("==1.30.0"));
        assert_eq!(
            wanted(&[("requirements-dev.txt", "pytest\nchalice>=1.30")]),
            some(">=1.30")
        );
        assert_eq!(wanted(&[("requirements-dev.txt", "-e .\nchalice<2")]), some("<2"));
        assert_eq!(wanted(&[("requirements/dev.txt", "chalice<2")]), some("<2"));
        let lock = "[[package]]\nname = \"chalice\"\nversion = \"1.33.0\"\n";
        assert_eq!(wanted(&[("uv.lock", lock)]), some("==1.33.0"));
        let toml = "[project]\nname = \"chalice\"\ndependencies = [\n  \"requests\", \"chalice~=1.31\",\n]\n";
        assert_eq!(wanted(&[("pyproject.toml", toml)]), some("~=1.31"));
    }
}
