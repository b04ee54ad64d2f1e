//! Which of a project's files says what it requires: the first of `requirements.txt`, `uv.lock`, `poetry.lock` and
//! `pyproject.toml` that is there.

use std::path::Path;

use super::lock::{Kind, Lock};
use super::pyproject::{self, Pyproject};
use super::requirements::{self, Requirements};
use crate::app::{Error, Finding, Severity};

/// Chalice's file, which counts before all others, even if it is empty.
const CHALICES: &str = "requirements.txt";

/// Reads what a project requires.
///
/// # Errors
///
/// `Error::File` where a file cannot be read, `Error::Findings` where something in it is not taken, or a lock file does
/// not fit.
pub fn read(project: &Path) -> Result<Requirements, Error> {
    if project.join(CHALICES).exists() {
        return requirements::read(project, CHALICES);
    }
    let Some(pyproject) = Pyproject::read(project)?.filter(Pyproject::declares) else {
        return Ok(Requirements::default());
    };
    let lock = match Lock::read(project, Kind::Uv)? {
        Some(lock) => Some(lock),
        None => Lock::read(project, Kind::Poetry)?,
    };
    let mut required = pyproject.requirements();
    if let Some(lock) = &lock {
        required.refused.extend(lock.findings(&required.lines));
        required.constraints.extend(lock.constraints());
        required.context.extend(lock.context());
    }
    required.lock = lock;
    if required.refused.is_empty() {
        return Ok(required);
    }
    Err(Error::Findings(required.refused))
}

/// Warns of files that say what a project requires, and do not count, since another one does.
pub fn warnings(project: &Path) -> Vec<Finding> {
    let is_there = |name: &str| project.join(name).is_file();
    // A file that cannot be read counts for nothing here, and is an error where it counts.
    let declares = Pyproject::read(project).is_ok_and(|read| read.is_some_and(|pyproject| pyproject.declares()));
    let files = [CHALICES, Kind::Uv.file(), Kind::Poetry.file(), pyproject::FILE];
    let mut there = files.into_iter().filter(|file| match *file {
        CHALICES => is_there(CHALICES),
        pyproject::FILE => declares,
        lock => declares && is_there(lock),
    });
    let Some(first) = there.next() else { return Vec::new() };
    // A lock file and `pyproject.toml` belong together.
    let others: Vec<_> = there
        .filter(|file| first == CHALICES || *file != pyproject::FILE)
        .collect();
    if others.is_empty() {
        return Vec::new();
    }
    let others = others
        .iter()
        .map(|file| format!("`{file}`"))
        .collect::<Vec<_>>()
        .join(", ");
    vec![Finding {
        severity: Severity::Warning,
        file: first.into(),
        place: None,
        message: format!("its packages are deployed, and not those of {others}"),
        hint: Some(format!("remove `{first}` if the others are meant")),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::requirements::tests::project;
    use super::*;

    const PEP_621: &str = "[project]\nname = \"shop\"\ndependencies = [\n  \"idna>=3\",\n]\n";
    const UV_LOCK: &str = "version = 1\n[[package]]\nname = \"idna\"\nversion = \"3.9\"\nsource = { registry = \"https://pypi.org/simple\" }\n";
    const POETRY_LOCK: &str = "[[package]]\nname = \"idna\"\nversion = \"3.8\"\n[metadata]\nlock-version = \"2.1\"\n";

    fn constraints(files: &[(&str, &str)]) -> Vec<String> {
        read(project(files).path()).unwrap().constraints
    }

    fn refused(files: &[(&str, &str)]) -> String {
        read(project(files).path()).unwrap_err().to_string()
    }

    #[test]
    fn chalices_file_counts_before_all_others_and_a_warning_says_so() {
        let project = project(&[
            ("requirements.txt", ""),
            ("pyproject.toml", PEP_621),
            ("uv.lock", "nonsense"),
        ]);
        assert_eq!(read(project.path()).unwrap(), Requirements::default());
        let [warning] = warnings(project.path()).try_into().unwrap();
        assert_eq!(
            warning.to_string(),
            "requirements.txt: its packages are deployed, and not those of `uv.lock`, `pyproject.toml`"
        );
    }

    #[test]
    fn a_lock_holds_the_versions_of_pyproject_toml_and_uvs_counts_first() {
        let both = [
            ("pyproject.toml", PEP_621),
            ("uv.lock", UV_LOCK),
            ("poetry.lock", POETRY_LOCK),
        ];
        assert_eq!(constraints(&both), ["idna==3.9"]);
        assert_eq!(constraints(&[both[0], both[2]]), ["idna==3.8"]);
        assert_eq!(constraints(&both[..1]), Vec::<String>::new());
        assert_eq!(warnings(project(&both).path()).len(), 1);
        assert_eq!(warnings(project(&both[..2]).path()), []);
    }

    #[test]
    fn settings_of_tools_require_nothing() {
        let tools = "[tool.ruff]\nline-length = 99\n";
        assert_eq!(
            read(project(&[("pyproject.toml", tools)]).path()).unwrap(),
            Requirements::default()
        );
        assert_eq!(
            warnings(project(&[("pyproject.toml", tools), ("requirements.txt", "")]).path()),
            []
        );
    }

    #[test]
    fn a_lock_without_a_package_of_the_project_is_told_at_its_line() {
        let more = PEP_621.replace("idna>=3", "requests[socks]>=2");
        assert_eq!(
            refused(&[("pyproject.toml", &more), ("uv.lock", UV_LOCK)]),
            "pyproject.toml:4:1: `uv.lock` does not fit: it has no `requests`"
        );
    }

    #[test]
    fn what_would_run_code_of_the_project_is_refused_at_its_line() {
        let dynamic = "[project]\nname = \"shop\"\ndynamic = [\"dependencies\"]\n";
        assert!(
            refused(&[("pyproject.toml", dynamic)]).starts_with("pyproject.toml:3:1: its dependencies are `dynamic`")
        );
        let git = format!("{PEP_621}[tool.uv.sources]\nIdna = {{ git = \"https://x/idna\" }}\n");
        assert!(refused(&[("pyproject.toml", &git)]).starts_with("pyproject.toml:4:1: `idna` comes from `git`"));
        let direct = PEP_621.replace("idna>=3", "idna @ git+https://x/idna");
        assert!(refused(&[("pyproject.toml", &direct)]).starts_with("pyproject.toml:4:1: `idna @ git"));
        let poetry = "[tool.poetry.dependencies]\npython = \"^3.11\"\nidna = { path = \"../idna\" }\n";
        assert!(refused(&[("pyproject.toml", poetry)]).starts_with("pyproject.toml:3:1: `idna` comes from `path`"));
    }

    #[test]
    fn poetrys_tables_and_indexes_are_read() {
        let toml = "[tool.poetry.dependencies]\npython = \"^3.11\"\nidna = \"^3.4\"\n[tool.poetry.group.dev.dependencies]\n\
                    pytest = \"*\"\n[[tool.poetry.source]]\nname = \"corp\"\nurl = \"https://x/simple\"\n";
        let read = read(project(&[("pyproject.toml", toml)]).path()).unwrap();
        assert_eq!(read.texts(), ["idna>=3.4,<4"]);
        assert_eq!(read.arguments, ["--index", "corp=https://x/simple"]);
    }
}
