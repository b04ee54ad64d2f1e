//! What a Python project requires, read from its files without running anything.
//!
//! `uv` never reads these files itself: it is told what we read, so that nothing in them means more to it than to us.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::line::{self, Line, Refusal};
use super::lock::Lock;
use crate::app::{Error, Finding, Severity, paths};

/// A line that requires a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The line, without comment.
    pub text: String,
    /// The file, relative to the project.
    pub file: PathBuf,
    /// The number of its first line, counted from 1.
    pub line: usize,
}

/// What a requirements file and the files that it nests ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Lines that require packages.
    pub lines: Vec<Requirement>,
    /// Options that say where packages come from, wherever they are read: `--extra-index-url …`.
    pub indexes: Vec<String>,
    /// Constraints, one a line.
    pub constraints: Vec<String>,
    /// URLs of more constraints.
    pub remote: Vec<String>,
    /// Requirements that take the place of what packages require, one a line.
    pub overrides: Vec<String>,
    /// Arguments that say where packages come from: `--index`, `NAME=URL`.
    pub arguments: Vec<String>,
    /// The lock file that holds versions.
    pub lock: Option<Lock>,
    /// Every other line, the options above as they were written, and local wheels' digests: what a resolution depends
    /// on besides, whatever folder the project lies in.
    pub context: Vec<String>,
    /// Lines that we do not take.
    pub refused: Vec<Finding>,
}

impl Requirements {
    /// The texts of the lines.
    pub fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }

    /// The file that asks first.
    pub fn file(&self) -> PathBuf {
        self.lines
            .first()
            .map_or_else(|| "requirements.txt".into(), |line| line.file.clone())
    }

    /// Whether a package may only be installed where its digest is known.
    pub fn is_hashed(&self) -> bool {
        let asked = |line: &String| line == "--require-hashes";
        self.context.iter().any(asked) || self.texts().iter().any(|text| text.contains(" --hash"))
    }
}

/// Reads a requirements file of a project, and the files that it nests.
///
/// A file that does not exist asks for nothing.
///
/// # Errors
///
/// `Error::File` where a file exists and cannot be read, or is nested and does not exist; `Error::Findings` where a
/// line is not taken.
pub fn read(project: &Path, name: &str) -> Result<Requirements, Error> {
    let requirements = gathered(project, name)?;
    match requirements.refused {
        refused if refused.is_empty() => Ok(Requirements {
            refused,
            ..requirements
        }),
        refused => Err(Error::Findings(refused)),
    }
}

/// The same, whatever lines are not taken.
///
/// # Errors
///
/// `Error::File` as [`read`].
pub fn gathered(project: &Path, name: &str) -> Result<Requirements, Error> {
    let mut requirements = Requirements::default();
    let file = project.join(name);
    if file.exists() {
        let mut reader = Reader {
            project,
            seen: BTreeSet::new(),
            into: &mut requirements,
        };
        match reader.place(&file)? {
            Some(whole) => reader.gather(&file, &whole, Kind::Requirements)?,
            None => reader.refuse(Path::new(name), None, outside(name)),
        }
    }
    Ok(requirements)
}

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Requirements,
    Constraints,
}

struct Reader<'a> {
    project: &'a Path,
    seen: BTreeSet<PathBuf>,
    into: &'a mut Requirements,
}

impl Reader<'_> {
    /// Reads a file that lies at a place, and those that it nests.
    fn gather(&mut self, file: &Path, place: &Path, kind: Kind) -> Result<(), Error> {
        let is_first = self.seen.is_empty();
        // Files may nest each other in a circle, by ever longer paths.
        if !self.seen.insert(place.to_owned()) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(file);
        let text = std::fs::read_to_string(place).map_err(failed(file))?;
        for (number, line) in logical_lines(&text) {
            let parsed = if is_first { line::parse } else { line::parse_nested };
            match parsed(&line) {
                Ok(Line::Nested(path)) => self.nest((file, number), &path, kind)?,
                Ok(Line::RemoteConstraints(url)) => {
                    self.into.context.push(line);
                    self.into.remote.push(url);
                }
                Ok(Line::Constraints(path)) => self.nest((file, number), &path, Kind::Constraints)?,
                Ok(Line::FindLinks(place)) => {
                    self.into.context.push(line);
                    self.into.context.extend(local_wheels(folder, &place));
                    self.into.indexes.push(find_links(folder, &place));
                }
                Ok(Line::Index) => {
                    self.into.context.push(line.clone());
                    self.into.indexes.push(line);
                }
                Ok(Line::Setting) => {
                    let only_binary = line.starts_with("--only-binary");
                    self.into.indexes.extend(only_binary.then(|| line.clone()));
                    self.into.context.push(line);
                }
                Ok(Line::Requirement) => self.package(file, number, line, kind),
                Err(refusal) => self.refuse(file, Some((number, 1)), refusal),
            }
        }
        Ok(())
    }

    /// Reads a file that another one names at a line.
    fn nest(&mut self, (file, number): (&Path, usize), path: &str, kind: Kind) -> Result<(), Error> {
        let nested = file.parent().unwrap_or(file).join(path);
        match self.place(&nested)? {
            Some(whole) => self.gather(&nested, &whole, kind),
            None => {
                self.refuse(file, Some((number, 1)), outside(path));
                Ok(())
            }
        }
    }

    /// Where a file lies, if that is in the repository.
    fn place(&self, file: &Path) -> Result<Option<PathBuf>, Error> {
        paths::contained(self.project, file).map_err(failed(file))
    }

    fn refuse(&mut self, file: &Path, place: Option<(usize, usize)>, refusal: Refusal) {
        self.into.refused.push(Finding {
            severity: Severity::Error,
            file: self.relative(file),
            place,
            message: refusal.message,
            hint: Some(refusal.hint),
        });
    }

    fn package(&mut self, file: &Path, line: usize, text: String, kind: Kind) {
        self.into.context.extend(local_wheel(self.project, &text));
        match kind {
            Kind::Constraints => {
                self.into.context.push(format!("-c {text}"));
                self.into.constraints.push(text);
            }
            Kind::Requirements => self.into.lines.push(Requirement {
                text,
                file: self.relative(file),
                line,
            }),
        }
    }

    fn relative(&self, file: &Path) -> PathBuf {
        file.strip_prefix(self.project).unwrap_or(file).to_owned()
    }
}

fn outside(path: &str) -> Refusal {
    Refusal {
        message: format!("`{path}` lies outside of the repository, and is not read"),
        hint: "copy the file into the repository".to_owned(),
    }
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}

/// The option with a path that means the same in any folder.
fn find_links(folder: &Path, place: &str) -> String {
    if place.contains("://") {
        return format!("--find-links {place}");
    }
    let path = folder.join(place.trim_start_matches("file:"));
    format!("--find-links {}", path.display())
}

/// Lines without comments and with the number of their first line, continued lines joined. A comment is never
/// continued.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut is_continued = false;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let bare = without_comment(line);
        let (bare, continues) = match bare.strip_suffix('\\') {
            Some(start) if bare.len() == line.len() => (start, true),
            _ => (bare, false),
        };
        match lines.last_mut() {
            Some((_, last)) if is_continued => {
                last.push(' ');
                last.push_str(bare.trim());
            }
            _ => lines.push((index + 1, bare.trim().to_owned())),
        }
        is_continued = continues;
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
        .into_iter()
        .map(|(number, line)| (number, line.trim().to_owned()))
        .collect()
}

fn without_comment(line: &str) -> &str {
    let starts = |at: &usize| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let start = line.match_indices('#').map(|(at, _)| at).find(starts);
    start.map_or(line, |at| &line[..at])
}

/// The digest of a wheel that lies in the project: it may change while the line stays.
fn local_wheel(project: &Path, requirement: &str) -> Option<String> {
    let head = line::head(requirement);
    let path = head.rsplit('@').next()?.trim().trim_start_matches("file:");
    let path = path.split('#').next()?;
    let content = std::fs::read(project.join(path)).ok()?;
    Some(format!("{path} {}", hex(&Sha256::digest(content))))
}

/// The digests of the wheels in a folder that is named: another branch may have others under the same names.
fn local_wheels(folder: &Path, place: &str) -> Vec<String> {
    if place.contains("://") {
        return Vec::new();
    }
    let folder = folder.join(place.trim_start_matches("file:"));
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let digest = |file: std::fs::DirEntry| {
        let name = file.file_name().to_string_lossy().into_owned();
        let path = Some(file.path()).filter(|_| name.ends_with(".whl"))?;
        let content = std::fs::read(path).ok()?;
        Some(format!("{name} {}", hex(&Sha256::digest(content))))
    };
    let mut digests: Vec<String> = files.filter_map(digest).collect();
    digests.sort();
    digests
}

/// Lower-case hexadecimal digits of a digest.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
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
        assert_eq!(read.texts(), ["idna", "requests >=2"]);
        assert_eq!(
            (read.lines[0].file.as_path(), read.lines[0].line),
            (Path::new("more/base.txt"), 1)
        );
        assert_eq!(
            (read.lines[1].file.as_path(), read.lines[1].line),
            (Path::new("requirements.txt"), 4)
        );
        assert_eq!(read.indexes, ["--extra-index-url https://x/simple"]);
        assert_eq!(read.constraints, ["idna==3.10"]);
    }

    #[test]
    fn a_nested_file_that_does_not_exist_is_named() {
        let project = project(&[("requirements.txt", "-r absent.txt\n")]);
        let error = read(project.path(), "requirements.txt").unwrap_err();
        assert!(error.to_string().contains("absent.txt"), "{error}");
    }

    #[test]
    fn a_line_that_would_run_code_is_refused_at_its_place() {
        let project = project(&[
            ("requirements.txt", "idna\n-r base.txt\n"),
            ("base.txt", "# ours\n-e .\n"),
        ]);
        let error = read(project.path(), "requirements.txt").unwrap_err();
        assert!(
            error.to_string().starts_with("base.txt:2:1: an editable requirement"),
            "{error}"
        );
        assert_eq!(gathered(project.path(), "requirements.txt").unwrap().texts(), ["idna"]);
    }

    #[test]
    fn a_file_outside_of_the_project_is_not_read_whatever_leads_to_it() {
        let outside = project(&[("secret", "AWS_SECRET=abc\n")]);
        let secret = outside.path().join("secret");
        let nested = format!("idna\n-r {}\n-c {}\n", secret.display(), secret.display());
        let named = project(&[("requirements.txt", &nested)]);
        let linked = project(&[]);
        std::os::unix::fs::symlink(&secret, linked.path().join("requirements.txt")).unwrap();
        let told = |project: &tempfile::TempDir| read(project.path(), "requirements.txt").unwrap_err().to_string();
        let (named, linked) = (told(&named), told(&linked));
        assert!(
            named.contains("requirements.txt:2:1: `") && named.contains("requirements.txt:3:1: `"),
            "{named}"
        );
        assert!(
            linked.starts_with("requirements.txt: `requirements.txt` lies outside"),
            "{linked}"
        );
        assert!(!named.contains("abc") && !linked.contains("abc"), "{named} {linked}");
    }

    #[test]
    fn a_nested_file_that_holds_something_else_is_named_and_not_quoted() {
        let project = project(&[
            ("requirements.txt", "-r other\n"),
            (
                "other",
                "root:x:0:0\nTOKEN=abc\nmy words\n-----BEGIN KEY\nidna>=3\nidna[a] @ https://x/a.whl\n",
            ),
        ]);
        let Err(Error::Findings(refused)) = read(project.path(), "requirements.txt") else {
            panic!("it is taken");
        };
        let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
        let line = |number| format!("other:{number}:1: this line is no requirement");
        assert_eq!(told, [line(1), line(2), line(3), line(4)]);
    }

    #[test]
    fn a_comment_does_not_hide_the_next_line() {
        let project = project(&[(
            "requirements.txt",
            "# innocent \\\n-e ./pkg\nidna # so is this \\\n./pkg\n",
        )]);
        let Err(Error::Findings(refused)) = read(project.path(), "requirements.txt") else {
            panic!("it is taken");
        };
        assert_eq!(refused.len(), 2);
    }

    #[test]
    fn a_folder_of_wheels_lies_beside_the_file_that_names_it() {
        let project = project(&[
            ("requirements.txt", "-r more/base.txt\n"),
            ("more/base.txt", "--find-links ./wheels\n-f https://x/wheels\n"),
        ]);
        let read = read(project.path(), "requirements.txt").unwrap();
        let local = format!("--find-links {}", project.path().join("more/./wheels").display());
        assert_eq!(read.indexes, [local, "--find-links https://x/wheels".to_owned()]);
        assert_eq!(read.context, ["--find-links ./wheels", "-f https://x/wheels"]);
    }

    #[test]
    fn another_wheel_of_the_same_name_in_a_folder_is_another_input() {
        let context = |wheel| {
            let project = project(&[
                ("requirements.txt", "-f wheels\nidna\n"),
                ("wheels/idna-3.10-py3-none-any.whl", wheel),
            ]);
            read(project.path(), "requirements.txt").unwrap().context
        };
        assert_eq!(context("one"), context("one"));
        assert_ne!(context("one"), context("other"));
    }

    #[test]
    fn constraints_of_another_host_are_no_file() {
        let project = project(&[("requirements.txt", "-c https://x/constraints.txt\nidna\n")]);
        let read = read(project.path(), "requirements.txt").unwrap();
        assert_eq!(read.remote, ["https://x/constraints.txt"]);
    }
}
