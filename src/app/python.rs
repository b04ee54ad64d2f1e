//! Python dependencies by `uv`: pinned for Lambda's platform, and installed into folders that are kept by digest.
//!
//! A folder in the cache is made beside its place and renamed, so that it is either whole or not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::app::{Architecture, Error, apart};

mod build;
mod chalice;
mod folder;
mod line;
mod lock;
mod pins;
mod poetry;
mod pyproject;
pub mod requirements;
mod resolve;
pub mod sources;
mod target;
mod uv;
mod version;

use folder::{create, making, prune, remove, settle};
use requirements::{Requirements, hex};
use resolve::{Job, installed};
use target::Target;
use uv::{command_line, without_user};
use version::Settled;

/// Changes when folders of the cache are made differently.
const FORMAT: &str = "stagewright-python-2";

/// Versions that a resolution chose: recorded with the release, and used again while `inputs` stays the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// Digest of everything that the resolution depended on.
    pub inputs: String,
    /// Python version of the Lambda runtime: `3.11`.
    pub python: String,
    /// Requirements for Lambda as `name==version`, sorted; with `--hash=` where the project gives digests.
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

/// What versions are resolved for.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// CPU architecture of the functions.
    pub architecture: Architecture,
    /// The version of Python that the config chooses: `3.12`.
    pub python: Option<&'a str>,
    /// Versions that were resolved before.
    pub recorded: Option<&'a Pins>,
    /// Whether these are used again while their inputs stay the same.
    pub resolution: Resolution,
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
        "NETRC",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ];
    let prefixes = ["UV_", "PIP_", "SSL_CERT_"];
    proxy || ours.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Our cache folder: root's own is closed to the user that apps are imported as.
pub fn cache(environment: &BTreeMap<String, String>) -> PathBuf {
    let variable = |name: &str| environment.get(name).map(PathBuf::from);
    let shared = apart::is_root().then(|| PathBuf::from("/var/cache"));
    let home = || variable("HOME").map(|home| home.join(".cache"));
    let folder = variable("XDG_CACHE_HOME").or(shared).or_else(home);
    folder.unwrap_or_else(std::env::temp_dir).join("stagewright")
}

impl Uv {
    /// Resolves what a Chalice project requires, for Lambda's platform; or takes what was recorded.
    ///
    /// # Errors
    ///
    /// `Error::Findings` where a requirement is not taken, `Error::Absent` where there is none of its name or version,
    /// `Error::Wheel` where it has no wheel for Lambda, `Error::Index` where no index answers, `Error::Program` without
    /// `uv`, `Error::Command` where `uv` fails otherwise, `Error::File` where the requirements cannot be read.
    pub async fn pins(&self, project: &Path, wish: &Wish<'_>) -> Result<Pins, Error> {
        if let Some(recorded) = self.again(project, wish)? {
            return Ok(recorded.clone());
        }
        let architecture = wish.architecture;
        let required = sources::read(project)?;
        let again = wish.recorded.filter(|_| wish.resolution == Resolution::Recorded);
        let recorded = again.map(|pins| pins.python.as_str());
        let python = self.version(project, wish.python, recorded).await?;
        let wanted = chalice::wanted(project, &required)?;
        let inputs = inputs(&required, wanted.as_deref(), &python, architecture);
        let target = Target {
            python: &python,
            architecture,
        };
        let requirements = self.compile(project, &required, target).await?;
        let wanted = wanted.as_deref();
        let known = pins::version_of(&requirements, "chalice").or_else(|| wanted.and_then(chalice::exact));
        let chalice = match known {
            Some(version) => version.to_owned(),
            None => self.newest_chalice(project, &required, wanted, &python).await?,
        };
        Ok(Pins {
            inputs,
            python,
            requirements,
            chalice: Some(chalice),
        })
    }

    /// What was recorded, where [`Self::pins`] would take it again: nothing is run to find out.
    ///
    /// # Errors
    ///
    /// As [`Self::pins`], without those of `uv`.
    pub fn again<'a>(&self, project: &Path, wish: &Wish<'a>) -> Result<Option<&'a Pins>, Error> {
        let Some(recorded) = wish.recorded.filter(|_| wish.resolution == Resolution::Recorded) else {
            return Ok(None);
        };
        let Settled::Version(python) = version::settled(project, wish.python, Some(&recorded.python))? else {
            return Ok(None);
        };
        let required = sources::read(project)?;
        let wanted = chalice::wanted(project, &required)?;
        let inputs = inputs(&required, wanted.as_deref(), &python, wish.architecture);
        Ok(Some(recorded).filter(|pins| pins.inputs == inputs))
    }

    /// The newest version of Chalice that agrees with a project, of the indexes that the project has.
    async fn newest_chalice(
        &self,
        project: &Path,
        required: &Requirements,
        wanted: Option<&str>,
        python: &str,
    ) -> Result<String, Error> {
        let chalice = format!("chalice{}\n", wanted.unwrap_or_default());
        let input = [&texts(&required.indexes)[..], &[&chalice]].concat().join("\n");
        let mut arguments = vec!["pip", "compile", "-", "--no-header", "--no-annotate", "--no-deps"];
        arguments.extend(["--only-binary", ":all:", "--python-version", python]);
        arguments.extend(texts(&required.arguments));
        let output = self.run(project, &arguments, &input).await?;
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
        let required = sources::read(project)?;
        let platform = target.platform();
        let key = self.key_of_packages((pins, &required), target);
        let place = self.place(&key)?;
        if place.is_dir() {
            return Ok(place);
        }
        let making = making(&place)?;
        let packages = making.path().join("packages");
        create(&packages)?;
        if !pins.requirements.is_empty() {
            let folder = packages.to_string_lossy();
            let pinned = installed(&pins.requirements, &required);
            let mut arguments = vec!["pip", "install", "--no-deps", "--only-binary", ":all:"];
            arguments.extend(["--python-platform", &platform, "--python-version", target.python]);
            arguments.extend(["--target", &folder, "-r", "-"]);
            let is_hashed = pinned.iter().any(|pin| pin.contains(" --hash")) || required.is_hashed();
            arguments.extend(is_hashed.then_some("--require-hashes"));
            let job = Job {
                project,
                required: &required,
                described: target.described(),
                target,
                arguments,
                packages: pinned,
            };
            self.job(&job).await?;
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
        let required = sources::read(project)?;
        let mut packages = packages_here(pins);
        let key = self.key_of_host(pins, &required);
        let place = self.place(&key)?;
        let host = Host {
            python: place.join("bin/python"),
            packages: place.join(packages_of(&pins.python)),
        };
        if host.python.exists() {
            return Ok(host);
        }
        remove(&place)?;
        let making = making(&place)?;
        let venv = making.path().join("venv");
        let folder = venv.to_string_lossy();
        let interpreter = self.interpreter(project, &pins.python).await;
        let arguments = [
            "venv",
            "--no-project",
            "--relocatable",
            "--python",
            &interpreter,
            &folder,
        ];
        self.run(project, &arguments, "").await?;
        packages = installed(&packages, &required);
        packages.push("boto3".to_owned());
        // What is not built ahead, and apart, would be built now, and run its code as ourselves.
        let mut arguments = vec!["pip", "install", "--only-binary", ":all:", "--python", &folder];
        arguments.extend(["--verify-hashes", "-r", "-"]);
        let job = Job {
            project,
            required: &required,
            target: Target::here(&pins.python),
            described: format!("this machine's Python {}", pins.python),
            arguments,
            packages,
        };
        self.job(&job).await?;
        warm(&venv, &venv.join(packages_of(&pins.python))).await;
        settle(&venv, &place)?;
        Ok(host)
    }

    /// The names of the folders of the cache that pinned packages are in: for Lambda, and for this machine. They say what is in
    /// them.
    ///
    /// # Errors
    ///
    /// `Error::File` and `Error::Findings` where the requirements cannot be read.
    pub fn keys(&self, project: &Path, pins: &Pins, architecture: Architecture) -> Result<[String; 2], Error> {
        let required = sources::read(project)?;
        let target = Target {
            python: &pins.python,
            architecture,
        };
        let of_packages = self.key_of_packages((pins, &required), target);
        Ok([of_packages, self.key_of_host(pins, &required)])
    }

    fn key_of_packages(&self, (pins, required): (&Pins, &Requirements), target: Target<'_>) -> String {
        digest(&[
            &["lambda", &target.platform(), &pins.python][..],
            &texts(&pins.requirements),
            &texts(&required.context),
            &texts(&self.settings()),
        ])
    }

    fn key_of_host(&self, pins: &Pins, required: &Requirements) -> String {
        digest(&[
            &["host", &pins.python][..],
            &texts(&packages_here(pins)),
            &texts(&required.context),
            &texts(&self.settings()),
        ])
    }

    /// Where a folder of the cache is, wherever a process runs.
    fn place(&self, key: &str) -> Result<PathBuf, Error> {
        let place = self.cache.join("python").join(key);
        std::path::absolute(&place).map_err(|source| Error::File { path: place, source })
    }
}

/// What is installed on this machine: Chalice as well, which Lambda gets file by file.
fn packages_here(pins: &Pins) -> Vec<String> {
    let mut packages = pins.requirements.clone();
    if pins::version_of(&packages, "chalice").is_none() {
        packages.extend(pins.chalice.as_ref().map(|version| format!("chalice=={version}")));
    }
    packages
}

/// Where a virtualenv has its packages.
fn packages_of(python: &str) -> String {
    format!("lib/python{python}/site-packages")
}

/// Compiles what apps and the analyser import at every deploy, since they may not write bytecode themselves: it saves
/// more than half a second each time.
///
/// Nothing of the packages runs: without `site`, Python does not even read their `.pth` files.
async fn warm(venv: &Path, packages: &Path) {
    let code = "import compileall, sys, os\n\
                for name in ('boto3', 'botocore', 's3transfer', 'chalice', 'click', 'dateutil', 'jmespath', 'urllib3'):\n    \
                compileall.compile_dir(os.path.join(sys.argv[1], name), quiet=2, workers=0)";
    let mut command = tokio::process::Command::new(venv.join("bin/python"));
    command.args(["-I", "-S", "-c", code]).arg(packages).env_clear();
    let ended = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    // Without bytecode everything works all the same, only slower.
    let is_done = ended.await.is_ok_and(|status| status.success());
    tracing::debug!(ok = is_done, "bytecode compiled");
}

fn inputs(required: &Requirements, chalice: Option<&str>, python: &str, architecture: Architecture) -> String {
    let target = Target { python, architecture }.platform();
    // The credentials of an index may change, and the packages stay.
    let bare = |lines: Vec<&str>| lines.into_iter().map(without_user).collect::<Vec<_>>();
    digest(&[
        &[python, &target, chalice.unwrap_or("any")][..],
        &texts(&bare(required.texts())),
        &texts(&bare(texts(&required.context))),
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

#[cfg(test)]
mod tests {
    use super::folder::tests::write;
    use super::*;

    #[test]
    fn uv_sees_indexes_and_proxies_and_none_of_our_credentials() {
        assert!(sees("UV_INDEX_URL") && sees("https_proxy") && sees("PATH"));
        assert!(!sees("AWS_SECRET_ACCESS_KEY") && !sees("GITHUB_TOKEN") && !sees("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    }

    #[test]
    fn other_requirements_or_another_architecture_are_other_inputs() {
        let required = |line: &str| Requirements {
            context: vec![line.to_owned()],
            ..Requirements::default()
        };
        let of = |line, architecture| inputs(&required(line), None, "3.11", architecture);
        assert_eq!(of("idna", Architecture::X86_64), of("idna", Architecture::X86_64));
        assert_ne!(of("idna", Architecture::X86_64), of("idna<4", Architecture::X86_64));
        assert_ne!(of("idna", Architecture::X86_64), of("idna", Architecture::Arm64));
    }

    fn wish(recorded: Option<&Pins>, resolution: Resolution) -> Wish<'_> {
        Wish {
            architecture: Architecture::X86_64,
            python: None,
            recorded,
            resolution,
        }
    }

    #[tokio::test]
    async fn without_uv_an_error_says_what_it_is_needed_for() {
        let folder = tempfile::tempdir().unwrap();
        let uv = Uv {
            cache: folder.path().join("cache"),
            environment: BTreeMap::from([("PATH".to_owned(), folder.path().to_string_lossy().into_owned())]),
        };
        let wish = wish(None, Resolution::Recorded);
        let pins = uv.pins(folder.path(), &wish);
        assert!(matches!(pins.await, Err(Error::Program { program: "uv", .. })));
    }

    #[tokio::test]
    async fn chalice_is_looked_up_where_the_project_says_that_packages_come_from() {
        let folder = tempfile::tempdir().unwrap();
        let script = "#!/bin/sh\n{ echo \"$*\"; /bin/cat; } >asked\necho chalice==1.34.0\n";
        write(&folder.path().join("uv"), script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path().join("uv"), mode).unwrap();
        let uv = Uv {
            cache: folder.path().join("cache"),
            environment: BTreeMap::from([("PATH".to_owned(), folder.path().to_string_lossy().into_owned())]),
        };
        let required = Requirements {
            indexes: vec!["--index-url https://x/simple".to_owned()],
            arguments: vec!["--index".to_owned(), "ours=https://y/simple".to_owned()],
            ..Requirements::default()
        };
        let version = uv.newest_chalice(folder.path(), &required, Some("<2"), "3.12");
        assert_eq!(version.await.unwrap(), "1.34.0");
        let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
        assert!(asked.contains(" --index ours=https://y/simple\n"), "{asked}");
        assert!(
            asked.ends_with("\n--index-url https://x/simple\nchalice<2\n"),
            "{asked}"
        );
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
        let again = wish(Some(&recorded), Resolution::Recorded);
        let again = uv.pins(folder.path(), &again);
        assert_eq!(again.await.unwrap(), recorded);
        let anew = wish(Some(&recorded), Resolution::Upgrade);
        let anew = uv.pins(folder.path(), &anew);
        assert!(matches!(anew.await, Err(Error::Program { .. })));
    }
}
