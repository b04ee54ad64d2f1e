//! Lock files of uv and Poetry: the versions that a project has chosen, and what their files must be.

use std::path::Path;

use toml::{Table, Value};

use super::line;
use super::pyproject::parse;
use super::requirements::Requirement;
use crate::app::{Error, Finding, Severity};

/// A file that holds versions to those that were chosen once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`.
    Poetry,
}

impl Kind {
    /// Its name.
    pub fn file(self) -> &'static str {
        match self {
            Self::Uv => "uv.lock",
            Self::Poetry => "poetry.lock",
        }
    }

    /// What writes it anew.
    fn command(self) -> &'static str {
        match self {
            Self::Uv => "uv lock",
            Self::Poetry => "poetry lock",
        }
    }
}

/// A lock file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Which one.
    pub kind: Kind,
    /// Its packages, but for the project itself.
    pub packages: Vec<Locked>,
}

/// A version in a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    name: String,
    version: String,
    /// Where it counts, in PEP 508's words; empty: everywhere.
    marker: String,
    /// `sha256:…` of its files.
    digests: Vec<String>,
    /// Where it comes from, where that is no index: `git`.
    elsewhere: Option<String>,
}

impl Lock {
    /// Reads a lock file; `None` where there is none.
    ///
    /// # Errors
    ///
    /// `Error::File` where it cannot be read, `Error::Findings` where it is no TOML, or of a format that is not known of.
    pub fn read(project: &Path, kind: Kind) -> Result<Option<Self>, Error> {
        let path = project.join(kind.file());
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
        let table = parse(&text, kind.file())?;
        let format = match kind {
            Kind::Uv => table
                .get("version")
                .and_then(Value::as_integer)
                .map(|format| format.to_string()),
            Kind::Poetry => {
                let metadata = table.get("metadata").and_then(|metadata| metadata.get("lock-version"));
                metadata.and_then(Value::as_str).map(str::to_owned)
            }
        };
        let is_known = match (kind, format.as_deref()) {
            (Kind::Uv, format) => format == Some("1"),
            (Kind::Poetry, format) => format.is_some_and(|format| format.starts_with("1.") || format.starts_with("2.")),
        };
        if !is_known {
            let format = format.unwrap_or_else(|| "none".to_owned());
            let message = format!("a lock file of format {format}, which this version cannot read");
            return Err(flaw(kind, message, &format!("write it anew: `{}`", kind.command())));
        }
        let packages = table.get("package").and_then(Value::as_array).into_iter().flatten();
        let packages = packages
            .filter_map(Value::as_table)
            .filter_map(|package| locked(kind, package));
        Ok(Some(Self {
            kind,
            packages: packages.collect(),
        }))
    }

    /// The versions as constraints of a resolution.
    pub fn constraints(&self) -> Vec<String> {
        let is_one = |package: &Locked| !package.marker.is_empty() || self.named(&package.name).count() == 1;
        let chosen = self
            .packages
            .iter()
            .filter(|package| package.elsewhere.is_none() && is_one(package));
        chosen.map(Locked::constraint).collect()
    }

    /// What a resolution depends on: every version with its digests.
    pub fn context(&self) -> Vec<String> {
        let text = |package: &Locked| format!("{} {}", package.constraint(), package.digests.join(" "));
        self.packages.iter().map(text).collect()
    }

    /// Finds requirements of the project that the lock has nothing for, or something that is not taken.
    pub fn findings(&self, required: &[Requirement]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for requirement in required {
            let name = line::name(&requirement.text);
            let place = |message: String, hint: String| Finding {
                severity: Severity::Error,
                file: requirement.file.clone(),
                place: Some((requirement.line, 1)),
                message,
                hint: Some(hint),
            };
            if self.named(&name).count() == 0 {
                let message = format!("`{}` does not fit: it has no `{name}`", self.kind.file());
                findings.push(place(message, self.anew()));
            }
        }
        findings
    }

    /// Refuses what a resolution chose and the lock did not.
    ///
    /// # Errors
    ///
    /// `Error::Findings` with each such version.
    pub fn check(&self, pins: &[String]) -> Result<(), Error> {
        let findings: Vec<Finding> = pins.iter().filter_map(|pin| self.flaw_of(pin)).collect();
        if findings.is_empty() {
            return Ok(());
        }
        Err(Error::Findings(findings))
    }

    fn flaw_of(&self, pin: &str) -> Option<Finding> {
        let name = line::name(pin);
        let version = line::head(pin).split_once("==").map_or("", |(_, version)| version);
        let finding = |message: String, hint: String| {
            Some(Finding {
                severity: Severity::Error,
                file: self.kind.file().into(),
                place: None,
                message,
                hint: Some(hint),
            })
        };
        let mut known = self.named(&name);
        match known.find(|package| is_same(&package.version, version)) {
            Some(Locked { elsewhere: None, .. }) => None,
            Some(Locked {
                elsewhere: Some(kind), ..
            }) => {
                let message = format!("`{name}` comes from `{kind}`, and installing it could run its `setup.py`");
                finding(message, line::BUILD.to_owned())
            }
            None => finding(
                format!("does not fit `pyproject.toml`, which asks for `{}`", line::head(pin)),
                self.anew(),
            ),
        }
    }

    /// The error where no versions suit both the lock and `pyproject.toml`.
    pub fn misfit(&self, reason: &str) -> Error {
        let message = format!("does not fit `pyproject.toml`: {reason}");
        flaw(self.kind, message, &self.anew())
    }

    fn anew(&self) -> String {
        format!("run `{}`, and commit `{}`", self.kind.command(), self.kind.file())
    }

    /// A pin with the digests of its files, if the lock knows them.
    pub fn with_digests(&self, pin: &str) -> String {
        let name = line::name(pin);
        let version = line::head(pin).split_once("==").map_or("", |(_, version)| version);
        let package = self.named(&name).find(|package| is_same(&package.version, version));
        let digests = package.into_iter().flat_map(|package| &package.digests);
        digests.fold(pin.to_owned(), |pin, digest| format!("{pin} --hash={digest}"))
    }

    /// Whether the lock knows digests for every one of these pins.
    pub fn is_hashed(&self, pins: &[String]) -> bool {
        pins.iter().all(|pin| self.with_digests(pin).contains(" --hash="))
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Locked> {
        self.packages.iter().filter(move |package| package.name == name)
    }
}

impl Locked {
    fn constraint(&self) -> String {
        let Self {
            name, version, marker, ..
        } = self;
        match marker.as_str() {
            "" => format!("{name}=={version}"),
            marker => format!("{name}=={version} ; {marker}"),
        }
    }
}

/// Whether two texts are one version: `1.0` is `1.0.0`.
fn is_same(one: &str, other: &str) -> bool {
    let normal = |version: &str| {
        let mut version = version.to_ascii_lowercase();
        while let Some(shorter) = version.strip_suffix(".0") {
            version = shorter.to_owned();
        }
        version
    };
    normal(one) == normal(other)
}

fn locked(kind: Kind, package: &Table) -> Option<Locked> {
    let text = |key: &str| package.get(key).and_then(Value::as_str);
    let elsewhere = match kind {
        Kind::Uv => of_uv(package.get("source")),
        Kind::Poetry => {
            let source = package
                .get("source")
                .and_then(|source| source.get("type"))
                .and_then(Value::as_str);
            source.filter(|source| *source != "legacy").map(str::to_owned)
        }
    };
    // The project itself.
    if elsewhere.as_deref() == Some(".") {
        return None;
    }
    Some(Locked {
        name: line::name(text("name")?),
        version: text("version").unwrap_or_default().to_owned(),
        marker: marker(kind, package),
        digests: digests(kind, package),
        elsewhere,
    })
}

/// Where a package of `uv.lock` comes from, if not from an index; `.` for the project itself.
fn of_uv(source: Option<&Value>) -> Option<String> {
    let (kind, place) = source?.as_table()?.iter().next()?;
    match (kind.as_str(), place.as_str()) {
        ("registry", _) => None,
        ("virtual" | "editable", Some(".")) => Some(".".to_owned()),
        (kind, _) => Some(kind.to_owned()),
    }
}

fn marker(kind: Kind, package: &Table) -> String {
    match kind {
        Kind::Uv => {
            let markers = package.get("resolution-markers").and_then(Value::as_array);
            let markers = markers.into_iter().flatten().filter_map(Value::as_str);
            markers
                .map(|marker| format!("({marker})"))
                .collect::<Vec<_>>()
                .join(" or ")
        }
        Kind::Poetry => {
            let by_group = |groups: &Value| groups.get("main").and_then(Value::as_str).map(str::to_owned);
            let marker = package.get("markers");
            let marker = marker.and_then(|marker| marker.as_str().map(str::to_owned).or_else(|| by_group(marker)));
            marker.unwrap_or_default()
        }
    }
}

fn digests(kind: Kind, package: &Table) -> Vec<String> {
    let list = |key: &str| package.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let files = match kind {
        Kind::Uv => [list("wheels"), package.get("sdist").cloned().into_iter().collect()].concat(),
        Kind::Poetry => list("files"),
    };
    let digests = files.iter().filter_map(|file| file.get("hash").and_then(Value::as_str));
    digests.map(str::to_owned).collect()
}

fn flaw(kind: Kind, message: String, hint: &str) -> Error {
    Error::Findings(vec![Finding {
        severity: Severity::Error,
        file: kind.file().into(),
        place: None,
        message,
        hint: Some(hint.to_owned()),
    }])
}

#[cfg(test)]
mod tests {
    use super::super::requirements::tests::project;
    use super::*;

    const UV: &str = r#"
version = 1
[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
[[package]]
name = "idna"
version = "3.10"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://x/idna.tar.gz", hash = "sha256:00" }
wheels = [{ url = "https://x/idna.whl", hash = "sha256:11" }]
[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://pypi.org/simple" }
resolution-markers = ["python_full_version < '3.12'", "sys_platform == 'win32'"]
[[package]]
name = "numpy"
version = "2.0.0"
source = { registry = "https://pypi.org/simple" }
resolution-markers = ["python_full_version >= '3.12'"]
[[package]]
name = "ours"
version = "1.0"
source = { git = "https://x/ours?rev=main#00" }
"#;

    const POETRY: &str = r#"
[[package]]
name = "Foo_Bar"
version = "1.0"
groups = ["main"]
markers = "python_version < '3.12'"
files = [{ file = "foo_bar.whl", hash = "sha256:22" }]
[[package]]
name = "two"
version = "1.0"
[[package]]
name = "two"
version = "2.0"
[[package]]
name = "ours"
version = "1.0"
[package.source]
type = "git"
[metadata]
lock-version = "2.1"
"#;

    fn lock(kind: Kind, text: &str) -> Lock {
        let project = project(&[(kind.file(), text)]);
        Lock::read(project.path(), kind).unwrap().unwrap()
    }

    #[test]
    fn versions_of_a_lock_hold_where_the_lock_says() {
        assert_eq!(
            lock(Kind::Uv, UV).constraints(),
            [
                "idna==3.10",
                "numpy==1.26.4 ; (python_full_version < '3.12') or (sys_platform == 'win32')",
                "numpy==2.0.0 ; (python_full_version >= '3.12')"
            ]
        );
        assert_eq!(
            lock(Kind::Poetry, POETRY).constraints(),
            ["foo-bar==1.0 ; python_version < '3.12'"]
        );
    }

    #[test]
    fn what_is_not_of_the_lock_or_of_no_index_is_refused() {
        let check = |kind, text, pin: &str| lock(kind, text).check(&[pin.to_owned()]).map_err(|e| e.to_string());
        assert_eq!(check(Kind::Uv, UV, "idna==3.10.0"), Ok(()));
        let error = check(Kind::Uv, UV, "idna==3.11").unwrap_err();
        assert!(error.starts_with("uv.lock: does not fit `pyproject.toml`"), "{error}");
        assert!(check(Kind::Poetry, POETRY, "three==1").is_err());
        for (kind, text) in [(Kind::Uv, UV), (Kind::Poetry, POETRY)] {
            assert!(check(kind, text, "ours==1.0").unwrap_err().contains("`git`"));
        }
    }

    #[test]
    fn a_pin_gets_the_digests_of_its_files() {
        let pin = lock(Kind::Uv, UV).with_digests("idna==3.10");
        assert_eq!(pin, "idna==3.10 --hash=sha256:11 --hash=sha256:00");
        assert_eq!(
            lock(Kind::Poetry, POETRY).with_digests("foo-bar==1.0"),
            "foo-bar==1.0 --hash=sha256:22"
        );
        assert!(!lock(Kind::Uv, UV).is_hashed(&["idna==3.10".to_owned(), "idna==3.11".to_owned()]));
    }

    #[test]
    fn a_lock_of_a_format_of_tomorrow_is_not_guessed_at() {
        let project = project(&[("uv.lock", "version = 2\n"), ("poetry.lock", "[[package\n")]);
        let error = |kind| Lock::read(project.path(), kind).unwrap_err().to_string();
        assert!(error(Kind::Uv).contains("format 2"));
        assert!(
            error(Kind::Poetry).starts_with("poetry.lock:1:1: is no TOML"),
            "{}",
            error(Kind::Poetry)
        );
        assert_eq!(Lock::read(Path::new("absent"), Kind::Uv).unwrap(), None);
    }
}
