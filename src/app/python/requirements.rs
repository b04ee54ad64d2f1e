//! What a Python project requires, read from its files without running anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::app::Error;

/// What a requirements file and the files that it nests ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Requirements, one a line, comments and options left out.
    pub lines: Vec<String>,
    /// Options that say where packages come from: `--extra-index-url …`.
    pub indexes: Vec<String>,
    /// Every other line, files' names and local wheels' digests: what a resolution depends on besides.
    pub context: Vec<String>,
}

/// Reads a requirements file of a project, and the files that it nests.
///
/// A file that does not exist asks for nothing.
///
/// # Errors
///
/// `Error::File` where a file exists and cannot be read, or is nested and does not exist.
pub fn read(project: &Path, name: &str) -> Result<Requirements, Error> {
    let mut requirements = Requirements::default();
    let file = project.join(name);
    if file.exists() {
        gather(&file, &mut BTreeSet::new(), &mut requirements)?;
    }
    Ok(requirements)
}

fn gather(file: &Path, seen: &mut BTreeSet<PathBuf>, into: &mut Requirements) -> Result<(), Error> {
    // Files may nest each other in a circle, by ever longer paths.
    if !seen.insert(file.canonicalize().unwrap_or_else(|_| file.to_owned())) {
        return Ok(());
    }
    let folder = file.parent().unwrap_or(file);
    for line in logical_lines(&text(file)?) {
        let (option, argument) = line
            .split_once([' ', '='])
            .map_or((line.as_str(), ""), |(option, argument)| (option, argument.trim()));
        match option {
            "-r" | "--requirement" => gather(&folder.join(argument), seen, into)?,
            "-c" | "--constraint" => into.context.extend(logical_lines(&text(&folder.join(argument))?)),
            "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" | "--no-index" => {
                into.indexes.push(line.clone());
            }
            _ if option.starts_with('-') => into.context.push(line.clone()),
            _ => {
                into.context.extend(local_wheel(folder, &line));
                into.lines.push(line.clone());
            }
        }
    }
    Ok(())
}

fn text(file: &Path) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(|source| Error::File {
        path: file.to_owned(),
        source,
    })
}

/// Lines without comments, continued lines joined.
fn logical_lines(text: &str) -> Vec<String> {
    let joined = text.replace("\r\n", "\n").replace("\\\n", " ");
    joined
        .lines()
        .map(|line| match line.find(" #") {
            Some(at) => &line[..at],
            None => line,
        })
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// The digest of a wheel that lies in the project: it may change while the line stays.
fn local_wheel(folder: &Path, line: &str) -> Option<String> {
    let path = line.rsplit(" @ ").next()?.trim_start_matches("file:");
    let content = std::fs::read(folder.join(path)).ok()?;
    Some(format!("{path} {}", hex(&Sha256::digest(content))))
}

/// Lower-case hexadecimal digits of a digest.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is asked of the version where a line requires `package`: `==1.31.2`, `>=1.30,<2`, or nothing at all.
pub fn version_wanted(line: &str, package: &str) -> Option<String> {
    let line = line.split([';', '#']).next()?.split(" --").next()?.trim();
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    let rest = match rest.trim_start().strip_prefix('[') {
        Some(extras) => extras.split_once(']')?.1,
        None => rest,
    };
    let rest: String = rest.chars().filter(|c| !c.is_whitespace()).collect();
    (name == package).then(|| rest.trim_matches(['(', ')']).to_owned())
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
pub fn chalice_wanted(project: &Path, main: &Requirements) -> Result<Option<String>, Error> {
    let of = |requirements: &Requirements| {
        let mut wanted = requirements
            .lines
            .iter()
            .filter_map(|line| version_wanted(line, "chalice"));
        wanted.next()
    };
    if let Some(wanted) = of(main) {
        return Ok(Some(wanted));
    }
    for name in development_files(project) {
        if let Some(wanted) = of(&read(project, &name)?) {
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
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
        }
        folder
    }

    #[test]
    fn nested_files_are_read_and_options_kept_apart() {
        let project = project(&[
            (
                "requirements.txt",
                "# ours\n-r more/base.txt\n--extra-index-url https://x/simple\nrequests \\\n  >=2 # why\n-c pins.txt\n",
            ),
            ("more/base.txt", "idna\n-r ../requirements.txt\n"),
            ("pins.txt", "idna==3.10\n"),
        ]);
        let read = read(project.path(), "requirements.txt").unwrap();
        assert_eq!(read.lines, ["idna", "requests    >=2"]);
        assert_eq!(read.indexes, ["--extra-index-url https://x/simple"]);
        assert_eq!(read.context, ["idna==3.10"]);
    }

    #[test]
    fn a_nested_file_that_does_not_exist_is_named() {
        let project = project(&[("requirements.txt", "-r absent.txt\n")]);
        let error = read(project.path(), "requirements.txt").unwrap_err();
        assert!(error.to_string().contains("absent.txt"), "{error}");
    }

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
        assert_eq!(exact("==1.31.2"), Some("1.31.2"));
        assert_eq!(exact("==1.*"), None);
        assert_eq!(exact(">=1.30"), None);
    }

    #[test]
    fn the_version_of_chalice_is_found_wherever_projects_write_it() {
        let wanted = |files: &[(&str, &str)]| {
            let project = project(files);
            let main = read(project.path(), "requirements.txt").unwrap();
            chalice_wanted(project.path(), &main).unwrap()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(wanted(&[]), None);
        assert_eq!(wanted(&[("requirements.txt", "chalice==1.30.0")]), some("==1.30.0"));
        assert_eq!(
            wanted(&[("requirements-dev.txt", "pytest\nchalice>=1.30")]),
            some(">=1.30")
        );
        assert_eq!(wanted(&[("requirements/dev.txt", "chalice<2")]), some("<2"));
        let lock = "[[package]]\nname = \"chalice\"\nversion = \"1.33.0\"\n";
        assert_eq!(wanted(&[("uv.lock", lock)]), some("==1.33.0"));
        let toml = "[project]\nname = \"chalice\"\ndependencies = [\n  \"requests\", \"chalice~=1.31\",\n]\n";
        assert_eq!(wanted(&[("pyproject.toml", toml)]), some("~=1.31"));
    }
}
