//! Python dependencies by `uv`: pinned for Lambda's platform, and installed into folders that are kept by digest.
//!
//! A folder in the cache is made beside its place and renamed, so that it is either whole or not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::app::{Architecture, Error};

mod folder;
pub mod requirements;
mod target;

use folder::{create, making, prune, remove, settle, write};
use requirements::{Requirements, hex};
use target::{Target, runtime};

/// Changes when folders of the cache are made differently.
const FORMAT: &str = "stagewright-python-1";

/// Versions that a resolution chose: recorded with the release, and used again while `inputs` stays the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// Digest of everything that the resolution depended on.
    pub inputs: String,
    /// Python version of the Lambda runtime: `3.11`.
    pub python: String,
    /// Requirements for Lambda as `name==version`, sorted.
    pub requirements: Vec<String>,
    /// Version of Chalice's runtime files.
    pub chalice: Option<String>,
}

/// Whether recorded versions are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// Yes, while their inputs stay the same.
    Recorded,
    /// No: everything is resolved anew.
    Upgrade,
}

/// `uv`, as we run it.
#[derive(Debug, Clone)]
pub struct Uv {
    /// Our cache folder, which need not exist yet.
    pub cache: PathBuf,
    /// The variables that `uv` sees, of those that [`sees`] is true for.
    pub environment: BTreeMap<String, String>,
}

/// A virtualenv on this machine, in which an app can be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its interpreter.
    pub python: PathBuf,
    /// Its folder of packages.
    pub packages: PathBuf,
}

/// Whether `uv` may see an environment variable: where programs, indexes, proxies and certificates are. No
/// credentials of AWS or GitHub are among them.
pub fn sees(name: &str) -> bool {
    let proxy = name.to_ascii_uppercase().ends_with("_PROXY");
    let ours = [
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ];
    let prefixes = ["UV_", "PIP_", "SSL_CERT_"];
    proxy || ours.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

impl Uv {
    /// Resolves what a Chalice project requires, for Lambda's platform; or takes what was recorded.
    ///
    /// # Errors
    ///
    /// `Error::Wheel` where a package has no wheel for Lambda, `Error::Program` without `uv`, `Error::Command` where
    /// `uv` fails otherwise, `Error::File` where the requirements cannot be read.
    pub async fn pins(
        &self,
        project: &Path,
        architecture: Architecture,
        recorded: Option<&Pins>,
        resolution: Resolution,
    ) -> Result<Pins, Error> {
        let python = self.python(project).await?;
        let required = requirements::read(project, "requirements.txt")?;
        let wanted = requirements::chalice_wanted(project, &required)?;
        let inputs = inputs(&required, wanted.as_deref(), &python, architecture);
        if let Some(recorded) = recorded
            && resolution == Resolution::Recorded
            && recorded.inputs == inputs
        {
            return Ok(recorded.clone());
        }
        let target = Target {
            python: &python,
            architecture,
        };
        let requirements = self.compile(project, &required, &target).await?;
        let chalice = self.chalice(project, wanted.as_deref(), &requirements, &python).await?;
        Ok(Pins {
            inputs,
            python,
            requirements,
            chalice: Some(chalice),
        })
    }

    /// The Python version of the Lambda runtime that is nearest to the interpreter that `uv` finds for a project.
    async fn python(&self, project: &Path) -> Result<String, Error> {
        let pinned = std::fs::read_to_string(project.join(".python-version")).unwrap_or_default();
        if let Some(version) = pinned.lines().find_map(|line| runtime(line.trim())) {
            return Ok(version);
        }
        let found = self.run(project, &["python", "find", "--show-version"], None).await?;
        runtime(found.trim()).ok_or_else(|| Error::Command {
            command: "uv python find --show-version".to_owned(),
            status: "an answer that is no version".to_owned(),
            output: found,
        })
    }

    async fn compile(
        &self,
        project: &Path,
        required: &Requirements,
        target: &Target<'_>,
    ) -> Result<Vec<String>, Error> {
        if required.lines.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = vec!["pip", "compile", "requirements.txt", "--no-header", "--no-annotate"];
        let platform = target.platform();
        arguments.extend(["--no-strip-extras", "--only-binary", ":all:"]);
        arguments.extend(["--python-platform", &platform, "--python-version", target.python]);
        let output = self.run(project, &arguments, None).await;
        Ok(pinned_lines(&output.map_err(|error| target.wheel(error))?))
    }

    /// The version of Chalice: the pinned one, else the newest that agrees with the project.
    async fn chalice(
        &self,
        project: &Path,
        wanted: Option<&str>,
        pins: &[String],
        python: &str,
    ) -> Result<String, Error> {
        let resolved = pins.iter().find_map(|pin| pin.strip_prefix("chalice=="));
        if let Some(version) = resolved.or_else(|| wanted.and_then(requirements::exact)) {
            return Ok(version.to_owned());
        }
        let input = format!("chalice{}\n", wanted.unwrap_or_default());
        let arguments = ["pip", "compile", "-", "--no-header", "--no-annotate", "--no-deps"];
        let arguments = [&arguments[..], &["--python-version", python]].concat();
        let output = self.run(project, &arguments, Some(&input)).await?;
        let version = output
            .lines()
            .find_map(|line| line.strip_prefix("chalice=="))
            .map(|version| version.trim().to_owned());
        version.ok_or_else(|| Error::Command {
            command: command_line(&arguments),
            status: "an answer without `chalice`".to_owned(),
            output,
        })
    }

    /// Installs pinned packages for Lambda's platform, and returns their folder in the cache.
    ///
    /// # Errors
    ///
    /// As [`Self::pins`]; `Error::File` where the cache cannot be written.
    pub async fn install(&self, project: &Path, pins: &Pins, architecture: Architecture) -> Result<PathBuf, Error> {
        let target = Target {
            python: &pins.python,
            architecture,
        };
        let required = requirements::read(project, "requirements.txt")?;
        let platform = target.platform();
        let key = digest(&[
            &["lambda", &platform, &pins.python][..],
            &texts(&pins.requirements),
            &texts(&required.context),
        ]);
        let place = self.place(&key)?;
        if place.is_dir() {
            return Ok(place);
        }
        let making = making(&place)?;
        let packages = making.path().join("packages");
        create(&packages)?;
        if !pins.requirements.is_empty() {
            let list = making.path().join("pins.txt");
            write(
                &list,
                &[required.indexes.as_slice(), &pins.requirements].concat().join("\n"),
            )?;
            let (list, folder) = (list.to_string_lossy(), packages.to_string_lossy());
            let mut arguments = vec!["pip", "install", "--no-deps", "--only-binary", ":all:"];
            arguments.extend(["--python-platform", &platform, "--python-version", target.python]);
            arguments.extend(["--target", &folder, "-r", &list]);
            let output = self.run(project, &arguments, None).await;
            output.map_err(|error| target.wheel(error))?;
            prune(&packages)?;
        }
        settle(&packages, &place)
    }

    /// Makes a virtualenv on this machine with the pinned packages, Chalice and boto3 in it.
    ///
    /// # Errors
    ///
    /// As [`Self::install`].
    pub async fn host(&self, project: &Path, pins: &Pins) -> Result<Host, Error> {
        let required = requirements::read(project, "requirements.txt")?;
        let chalice = pins.chalice.as_ref().map(|version| format!("chalice=={version}"));
        let mut packages = pins.requirements.clone();
        packages.extend(chalice.filter(|pin| !packages.contains(pin)));
        let key = digest(&[
            &["host", &pins.python][..],
            &texts(&packages),
            &texts(&required.context),
        ]);
        let place = self.place(&key)?;
        let host = Host {
            python: place.join("bin/python"),
            packages: place.join(format!("lib/python{}/site-packages", pins.python)),
        };
        if host.python.exists() {
            return Ok(host);
        }
        remove(&place)?;
        let making = making(&place)?;
        let venv = making.path().join("venv");
        let folder = venv.to_string_lossy();
        let arguments = [
            "venv",
            "--no-project",
            "--relocatable",
            "--python",
            &pins.python,
            &folder,
        ];
        self.run(project, &arguments, None).await?;
        let list = making.path().join("pins.txt");
        packages.push("boto3".to_owned());
        write(&list, &[required.indexes, packages].concat().join("\n"))?;
        let list = list.to_string_lossy();
        let arguments = ["pip", "install", "--python", &folder, "-r", &list];
        self.run(project, &arguments, None).await?;
        warm(&venv).await;
        settle(&venv, &place)?;
        Ok(host)
    }

    /// Where a folder of the cache is, wherever a process runs.
    fn place(&self, key: &str) -> Result<PathBuf, Error> {
        let place = self.cache.join("python").join(key);
        std::path::absolute(&place).map_err(|source| Error::File { path: place, source })
    }

    async fn run(&self, project: &Path, arguments: &[&str], input: Option<&str>) -> Result<String, Error> {
        let mut child = tokio::process::Command::new("uv")
            .args(arguments)
            .current_dir(project)
            .env_clear()
            .envs(&self.environment)
            .envs(of_pip(&self.environment))
            .envs([("UV_NO_PROGRESS", "1"), ("NO_COLOR", "1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(missing)?;
        tracing::debug!(arguments = command_line(arguments), "uv started");
        if let Some(mut stdin) = child.stdin.take() {
            // Where uv ended before it read everything, its exit status says why.
            let written = stdin.write_all(input.unwrap_or_default().as_bytes()).await;
            tracing::debug!(ok = written.is_ok(), "input of uv written");
        }
        let output = child.wait_with_output().await.map_err(missing)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        Err(Error::Command {
            command: command_line(arguments),
            status: output.status.to_string(),
            output: stdout + &String::from_utf8_lossy(&output.stderr),
        })
    }
}

/// Compiles what apps and the analyser import at every deploy, since they may not write bytecode themselves: it saves
/// more than half a second each time.
async fn warm(venv: &Path) {
    let code = "import compileall, sys, os\n\
                for name in ('boto3', 'botocore', 's3transfer', 'chalice'):\n    \
                compileall.compile_dir(os.path.join(sys.path[-1], name), quiet=2, workers=0)";
    let mut command = tokio::process::Command::new(venv.join("bin/python"));
    command.args(["-I", "-c", code]).env_clear().stdin(Stdio::null());
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    // Without bytecode everything works all the same, only slower.
    tracing::debug!(ok = ended.is_ok_and(|status| status.success()), "bytecode compiled");
}

fn inputs(required: &Requirements, chalice: Option<&str>, python: &str, architecture: Architecture) -> String {
    let target = Target { python, architecture }.platform();
    digest(&[
        &[python, &target, chalice.unwrap_or("any")][..],
        &texts(&required.lines),
        &texts(&required.indexes),
        &texts(&required.context),
    ])
}

fn texts(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

fn digest(groups: &[&[&str]]) -> String {
    let mut digest = Sha256::new_with_prefix(FORMAT);
    for group in groups {
        digest.update([1]);
        for text in *group {
            digest.update(text);
            digest.update([0]);
        }
    }
    hex(&digest.finalize())
}

/// The pins in what `uv pip compile` prints, sorted.
fn pinned_lines(output: &str) -> Vec<String> {
    let mut lines: Vec<String> = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '-']))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

/// The indexes of pip's variables in uv's words, where uv's own are not set: people have these set for Chalice.
fn of_pip(environment: &BTreeMap<String, String>) -> Vec<(&'static str, &String)> {
    [
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    ]
    .into_iter()
    .filter(|(_, of_uv)| !environment.contains_key(*of_uv))
    .filter_map(|(of_pip, of_uv)| Some((of_uv, environment.get(of_pip)?)))
    .collect()
}

fn command_line(arguments: &[&str]) -> String {
    format!("uv {}", arguments.join(" "))
}

fn missing(source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::NotFound => Error::Program {
            program: "uv",
            needed: "to install Python dependencies",
        },
        _ => Error::File {
            path: PathBuf::from("uv"),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uv_sees_indexes_and_proxies_and_none_of_our_credentials() {
        assert!(sees("UV_INDEX_URL") && sees("https_proxy") && sees("PATH"));
        assert!(!sees("AWS_SECRET_ACCESS_KEY") && !sees("GITHUB_TOKEN") && !sees("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    }

    #[test]
    fn other_requirements_or_another_architecture_are_other_inputs() {
        let required = |line: &str| Requirements {
            lines: vec![line.to_owned()],
            ..Requirements::default()
        };
        let of = |line, architecture| inputs(&required(line), None, "3.11", architecture);
        assert_eq!(of("idna", Architecture::X86_64), of("idna", Architecture::X86_64));
        assert_ne!(of("idna", Architecture::X86_64), of("idna<4", Architecture::X86_64));
        assert_ne!(of("idna", Architecture::X86_64), of("idna", Architecture::Arm64));
    }

    #[tokio::test]
    async fn without_uv_an_error_says_what_it_is_needed_for() {
        let folder = tempfile::tempdir().unwrap();
        let uv = Uv {
            cache: folder.path().join("cache"),
            environment: BTreeMap::from([("PATH".to_owned(), folder.path().to_string_lossy().into_owned())]),
        };
        let pins = uv.pins(folder.path(), Architecture::X86_64, None, Resolution::Recorded);
        assert!(matches!(pins.await, Err(Error::Program { program: "uv", .. })));
    }

    #[tokio::test]
    async fn recorded_versions_are_used_again_without_running_anything_while_their_inputs_stay() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join(".python-version"), "3.12\n").unwrap();
        write(&folder.path().join("requirements.txt"), "idna\n").unwrap();
        let uv = Uv {
            cache: folder.path().join("cache"),
            environment: BTreeMap::from([("PATH".to_owned(), String::new())]),
        };
        let required = requirements::read(folder.path(), "requirements.txt").unwrap();
        let recorded = Pins {
            inputs: inputs(&required, None, "3.12", Architecture::X86_64),
            python: "3.12".to_owned(),
            requirements: vec!["idna==3.10".to_owned()],
            chalice: Some("1.34.0".to_owned()),
        };
        let again = uv.pins(
            folder.path(),
            Architecture::X86_64,
            Some(&recorded),
            Resolution::Recorded,
        );
        assert_eq!(again.await.unwrap(), recorded);
        let anew = uv.pins(
            folder.path(),
            Architecture::X86_64,
            Some(&recorded),
            Resolution::Upgrade,
        );
        assert!(matches!(anew.await, Err(Error::Program { .. })));
    }
}
