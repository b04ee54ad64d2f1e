//! What a project requires, with the versions that suit it: what `uv` is asked, and what its refusals mean.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use super::line::{head, name};
use super::requirements::Requirements;
use super::target::{Target, lambdas, wheel};
use super::uv::{bare_url, without_credentials};
use super::{Uv, pins, texts};
use crate::app::{Architecture, Error, Finding, Severity};

/// Packages that are built for one project: more are no accident, but a wheel of each that is not taken.
const BUILT: usize = 32;

/// Something that `uv` does with packages, for which wheels may have to be built.
pub struct Job<'a> {
    /// The folder of the project.
    pub project: &'a Path,
    /// What it requires.
    pub required: &'a Requirements,
    /// What the packages are for.
    pub target: Target<'a>,
    /// The target in a person's words.
    pub described: String,
    /// Arguments of `uv`, which reads the packages from its standard input.
    pub arguments: Vec<&'a str>,
    /// The packages, one a line.
    pub packages: Vec<String>,
}

impl Uv {
    /// Runs a job of `uv`, and builds the wheels that it misses.
    ///
    /// # Errors
    ///
    /// As [`Uv::pins`].
    pub async fn job(&self, job: &Job<'_>) -> Result<String, Error> {
        let mut built: Vec<super::build::Built> = Vec::new();
        let mut tried = BTreeSet::new();
        loop {
            let mut arguments = job.arguments.clone();
            arguments.extend(texts(&job.required.arguments));
            for wheel in &built {
                arguments.extend(["--find-links", wheel.folder.as_str()]);
            }
            let packages = job.packages.iter().map(|package| with_built(package, &built));
            let lines: Vec<String> = job.required.indexes.iter().cloned().chain(packages).collect();
            let error = match self.run(job.project, &arguments, &lines.join("\n")).await {
                Ok(output) => return Ok(output),
                Err(error) => wheel(pins::located(error, job.required), &job.described),
            };
            let Error::Wheel { package, .. } = &error else {
                return Err(error);
            };
            if !tried.insert(name(package)) || tried.len() > BUILT {
                return Err(self.explained(error, job, &built).await);
            }
            match self.build(job, package).await? {
                Ok(wheel) => built.push(wheel),
                Err(why) => return Err(self.explained(noted(error, &why), job, &built).await),
            }
        }
    }

    /// Says for what else than the target there is a wheel.
    async fn explained(&self, error: Error, job: &Job<'_>, built: &[super::build::Built]) -> Error {
        let Error::Wheel {
            package,
            platform,
            output,
        } = error
        else {
            return error;
        };
        let wheel = built.iter().find(|wheel| wheel.name == name(&package));
        let platform = match wheel {
            Some(wheel) => format!("{platform}: built here, it is for `{}` alone", wheel.platform()),
            None => match self.other_architecture(job, &package).await {
                Some(other) => format!("{platform}: there is one for {}", lambdas(other)),
                None => platform,
            },
        };
        Error::Wheel {
            package,
            platform,
            output,
        }
    }

    async fn other_architecture(&self, job: &Job<'_>, package: &str) -> Option<Architecture> {
        let other = match job.target.architecture {
            Architecture::X86_64 => Architecture::Arm64,
            Architecture::Arm64 => Architecture::X86_64,
        };
        let target = Target {
            architecture: other,
            ..job.target
        };
        let platform = target.platform();
        let mut arguments = vec![
            "pip",
            "compile",
            "-",
            "--no-header",
            "--no-deps",
            "--only-binary",
            ":all:",
        ];
        arguments.extend(["--python-platform", &platform, "--python-version", target.python]);
        arguments.extend(texts(&job.required.arguments));
        let asked = job.packages.iter().find(|line| name(line) == name(package));
        let asked = asked.map_or(package, String::as_str);
        let input = [&texts(&job.required.indexes)[..], &[asked]].concat().join("\n");
        let found = self.run(job.project, &arguments, &input).await;
        found.is_ok().then_some(other)
    }

    /// The versions of what is required, for a target.
    ///
    /// # Errors
    ///
    /// As [`Uv::pins`].
    pub async fn compile(
        &self,
        project: &Path,
        required: &Requirements,
        target: Target<'_>,
    ) -> Result<Vec<String>, Error> {
        if required.lines.is_empty() {
            return Ok(Vec::new());
        }
        let constraints = listed(&required.constraints)?;
        let overrides = listed(&required.overrides)?;
        let (constraints_path, overrides_path) = (path(&constraints), path(&overrides));
        let platform = target.platform();
        let mut arguments = vec!["pip", "compile", "-", "--no-header", "--no-annotate"];
        arguments.extend(["--no-strip-extras", "--only-binary", ":all:"]);
        arguments.extend(["--python-platform", &platform, "--python-version", target.python]);
        let files = required.remote.iter().map(String::as_str);
        let files = files.chain((!required.constraints.is_empty()).then_some(constraints_path.as_str()));
        arguments.extend(files.flat_map(|file| ["--constraint", file]));
        if !required.overrides.is_empty() {
            arguments.extend(["--override", &overrides_path]);
        }
        let (python, described) = (target.python, target.described());
        let job = Job {
            project,
            required,
            target,
            described,
            arguments,
            packages: required.texts().into_iter().map(str::to_owned).collect(),
        };
        let output = self.job(&job).await;
        let output = output.map_err(|error| unsuitable(error, required, python))?;
        let pins = pins::pins(&output, required)?;
        if let Some(lock) = &required.lock {
            lock.check(&pins)?;
        }
        Ok(pins)
    }
}

/// A file with these lines, which vanishes with the value.
fn listed(lines: &[String]) -> Result<NamedTempFile, Error> {
    let failed = |source| Error::File {
        path: std::env::temp_dir(),
        source,
    };
    let mut file = NamedTempFile::new().map_err(failed)?;
    file.write_all(lines.join("\n").as_bytes()).map_err(failed)?;
    Ok(file)
}

fn path(file: &NamedTempFile) -> String {
    file.path().to_string_lossy().into_owned()
}

/// A pin of a package that was built here: its digests are those of the source, and the wheel has another one.
fn with_built(line: &str, built: &[super::build::Built]) -> String {
    let wheel = built.iter().find(|wheel| wheel.name == name(line));
    match wheel {
        Some(wheel) if line.contains(" --hash") => format!("{line} --hash=sha256:{}", wheel.sha256),
        Some(_) | None => line.to_owned(),
    }
}

/// The same failure, with why nothing was built.
fn noted(error: Error, why: &str) -> Error {
    match error {
        Error::Wheel {
            package,
            platform,
            output,
        } => Error::Wheel {
            package,
            platform,
            output: format!(
                "{}\n\nIt was not built from its source, either: {why}\n",
                output.trim_end()
            ),
        },
        other => other,
    }
}

/// Says where no version suits the Python of the function, or the lock file.
fn unsuitable(error: Error, required: &Requirements, python: &str) -> Error {
    let Error::Command { output, .. } = &error else {
        return error;
    };
    if let Some((package, range)) = other_python(output) {
        let line = required.lines.iter().find(|line| name(&line.text) == name(&package));
        return Error::Findings(vec![Finding {
            severity: Severity::Error,
            file: line.map_or_else(|| required.file(), |line| line.file.clone()),
            place: line.map(|line| (line.line, 1)),
            message: format!("`{package}` takes Python {range}, and the functions have Python {python}"),
            hint: Some(
                "require a version that takes it; or choose another Python by `.python-version` or `requires-python`"
                    .to_owned(),
            ),
        }]);
    }
    match &required.lock {
        Some(lock) if output.contains("unsatisfiable") => lock.misfit(&reason(output)),
        Some(_) | None => error,
    }
}

/// The package and the range of versions of Python that it takes, where uv says that these are others.
fn other_python(output: &str) -> Option<(String, String)> {
    let words: Vec<&str> = output.split_whitespace().collect();
    let at = words
        .windows(2)
        .position(|two| matches!(two, ["requires" | "require" | "satisfy", python] if python.starts_with("Python")))?;
    let range = |words: &[&str]| {
        let glued = words.concat();
        let range = glued.trim_start_matches("Python").trim_end_matches([',', '.']);
        (!range.is_empty()).then(|| range.to_owned())
    };
    let ends = |word: &&&str| !matches!(**word, "and" | "we" | "or");
    let said: Vec<&str> = words.iter().skip(at + 1).take_while(ends).take(4).copied().collect();
    let is_package = |word: &&&str| !word.starts_with('(') && (word.contains("==") || word.contains(">="));
    let (before, behind) = words.split_at(at);
    let named = before.iter().rev().find(is_package);
    let named = named.or_else(|| behind.iter().skip(2).find(|word| word.contains("==")));
    let package = named.or_else(|| before.last())?;
    Some(((*package).to_owned(), range(&said)?))
}

/// The first sentence of what uv says.
fn reason(output: &str) -> String {
    let said = output.split_once("cause: ").map_or(output, |(_, said)| said);
    let said = said.lines().next().unwrap_or_default().trim();
    without_credentials(said)
}

/// Pins as they are installed: with the credentials that the project's own line has, and the digests of the lock.
pub fn installed(pins: &[String], required: &Requirements) -> Vec<String> {
    let hashed = required.lock.as_ref().filter(|lock| lock.is_hashed(pins));
    let with_credentials = |pin: &String| {
        let url = bare_url(pin)?;
        let lines = required.lines.iter().map(|line| head(&line.text));
        let own = lines
            .into_iter()
            .find(|line| bare_url(line).is_some_and(|own| own == url))?;
        let own = own.split_once("://").and_then(|(before, after)| {
            let scheme = before.rsplit([' ', '@']).next()?;
            Some(format!("{scheme}://{after}"))
        })?;
        Some(pin.replace(&url, &own))
    };
    let whole = |pin: &String| {
        let pin = with_credentials(pin).unwrap_or_else(|| pin.clone());
        hashed.map_or_else(|| pin.clone(), |lock| lock.with_digests(&pin))
    };
    pins.iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::super::requirements::read;
    use super::super::requirements::tests::project;
    use super::*;

    #[test]
    fn a_package_for_another_python_is_told_with_both_versions_at_its_line() {
        let project = project(&[("requirements.txt", "idna\nnewer\n")]);
        let required = read(project.path(), "requirements.txt").unwrap();
        let of = |said: &str| {
            let error = Error::Command {
                command: String::new(),
                status: String::new(),
                output: said.to_owned(),
            };
            unsuitable(error, &required, "3.11").to_string()
        };
        let said = "cause: Because newer==1.0.0 requires Python >=3.13 and only newer==1.0.0 is available, we can";
        let told = of(said);
        assert!(
            told.starts_with(
                "requirements.txt:2:1: `newer==1.0.0` takes Python >=3.13, and the functions have Python 3.11"
            ),
            "{told}"
        );
        let said = "Because the requested Python version (>=3.11) does not satisfy Python>=3.13 and newer==1.0 depends on \
                    Python>=3.13, we can";
        assert!(of(said).contains("`newer==1.0` takes Python >=3.13"), "{}", of(said));
        let said = "Because all versions of newer require Python >=3.13, we can";
        assert!(of(said).contains("`newer` takes Python >=3.13"), "{}", of(said));
    }

    #[test]
    fn credentials_of_a_wheels_url_are_given_to_uv_alone() {
        let line = "greeting @ https://me:secret@x/greeting-1.0-py3-none-any.whl?token=secret";
        for line in [line, line.split_once("@ ").unwrap().1] {
            let project = project(&[("requirements.txt", line)]);
            let required = read(project.path(), "requirements.txt").unwrap();
            let pins = pins::pins(line, &required).unwrap();
            assert!(!pins.concat().contains("secret"), "{pins:?}");
            let installed = installed(&pins, &required);
            assert!(installed.concat().contains("https://me:secret@x/"), "{installed:?}");
            assert!(installed.concat().contains("?token=secret"), "{installed:?}");
        }
    }
}
