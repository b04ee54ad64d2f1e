//! Wheels of packages that have none: built from their sources, by a process that sees nothing of ours.
//!
//! A source runs code of its package. So `uv` itself runs as another user where we are root, with a cache and a home of
//! its own, and without the credentials of any index; where an index needs them, nothing is built, since a package of the
//! same name may stand in a public one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::folder::{create, making, settle};
use super::line;
use super::requirements::hex;
use super::resolve::Job;
use super::uv::without_credentials;
use super::{Uv, digest, pins, texts};
use crate::app::apart::{self, GROUP, User};
use crate::app::{Error, package};

/// How long a build may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// A wheel that was built here.
#[derive(Debug, Clone)]
pub struct Built {
    /// Name of the package, in its normal form.
    pub name: String,
    /// The folder in the cache in which it lies alone.
    pub folder: String,
    /// Name of the wheel.
    pub file: String,
    /// Its digest, in hexadecimal digits.
    pub sha256: String,
}

impl Built {
    /// The platform that it is for, as its name says: `any`, `linux_x86_64`.
    pub fn platform(&self) -> &str {
        let stem = self.file.trim_end_matches(".whl");
        stem.rsplit('-').next().unwrap_or(stem)
    }
}

impl Uv {
    /// Builds a wheel of a package that a job misses, or takes it from the cache where its version is known.
    ///
    /// # Errors
    ///
    /// `Error::File` where a file cannot be read or written. Why nothing can be built stands inside.
    pub async fn build(&self, job: &Job<'_>, package: &str) -> Result<Result<Built, String>, Error> {
        let name = line::name(package);
        let own = job.packages.iter().filter(|asked| line::name(asked) == name);
        let mut lines: Vec<String> = own.cloned().collect();
        if lines.is_empty() {
            lines.push(package.to_owned());
        }
        if let Some(version) = pins::version_of(&lines, &name).filter(|version| !version.contains('*')) {
            let place = self.place_of(job, &name, version)?;
            if place.is_dir() {
                return found(&name, &place);
            }
        }
        let constraints = job
            .required
            .constraints
            .iter()
            .filter(|asked| line::name(asked) == name);
        // Where several lines ask for the package, all of them count.
        lines.extend(constraints.cloned());
        let isolated = match self.isolated(job) {
            Ok(isolated) => isolated,
            Err(why) => return Ok(Err(why)),
        };
        let room = Room::new(&isolated.user)?;
        tracing::info!(package = name, user = ?isolated.user, "build of a package");
        if let Err(why) = room.run(&isolated, job, &name, &lines).await? {
            return Ok(Err(why));
        }
        let Some(wheel) = room.wheel(&name) else {
            return Ok(Err("the build left no wheel".to_owned()));
        };
        let version = wheel.file_name().map(|file| file.to_string_lossy().into_owned());
        let version = version
            .and_then(|file| file.split('-').nth(1).map(str::to_owned))
            .unwrap_or_default();
        let place = self.place_of(job, &name, &version)?;
        let making = making(&place)?;
        let folder = making.path().join("wheel");
        create(&folder)?;
        let file = folder.join(wheel.file_name().unwrap_or(OsStr::new("wheel.whl")));
        let copied = std::fs::copy(&wheel, &file);
        copied.map_err(|source| Error::File { path: wheel, source })?;
        settle(&folder, &place)?;
        found(&name, &place)
    }

    fn place_of(&self, job: &Job<'_>, name: &str, version: &str) -> Result<PathBuf, Error> {
        let wheel = format!("{name}=={version}");
        // What a source must be decides, and not how it is asked for.
        let own = job.packages.iter().filter(|asked| line::name(asked) == name);
        let digests: Vec<&str> = own.flat_map(|line| line.split(" --hash").skip(1)).collect();
        let key = digest(&[
            &["wheel", &wheel, job.target.python, std::env::consts::ARCH][..],
            &digests,
            &texts(&job.required.indexes),
            &texts(&job.required.arguments),
            &texts(&self.settings()),
        ]);
        self.place(&key)
    }

    /// Who builds, and with which environment.
    fn isolated(&self, job: &Job<'_>) -> Result<Environment, String> {
        let variables = self.variables();
        let is_secret = |(name, value): &(&&str, &String)| {
            let is_ours = ["UV_", "PIP_"].iter().any(|prefix| name.starts_with(prefix));
            is_ours && !package::sees(name, value)
        };
        let own = job.required.indexes.iter().chain(&job.required.arguments);
        let own = own.chain(&job.packages).any(|text| without_credentials(text) != *text);
        if own || variables.iter().any(|entry| is_secret(&entry)) {
            let why = "an index needs credentials, which code of a package must not see";
            return Err(why.to_owned());
        }
        let path = variables.get("PATH").map(String::as_str).unwrap_or_default();
        let uv = std::env::split_paths(path)
            .map(|folder| folder.join("uv"))
            .find(|file| file.is_file());
        let needed: Vec<&Path> = uv.iter().map(PathBuf::as_path).collect();
        let user = apart::importer(None, &needed);
        if let User::Root(file) = &user {
            let why = format!(
                "only root can use `{}`, and code of a package must not run as root",
                file.display()
            );
            return Err(why);
        }
        let seen = variables.into_iter().filter(|(name, value)| package::sees(name, value));
        let mut variables: BTreeMap<String, String> = seen.map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(places) = variables.get_mut("UV_FIND_LINKS") {
            *places = absolute(places, job.project);
        }
        Ok(Environment { user, variables })
    }
}

/// Folders of wheels as they are named in any folder.
fn absolute(places: &str, project: &Path) -> String {
    let absolute = |place: &str| match place.trim() {
        url if url.contains("://") => url.to_owned(),
        path => project.join(path).to_string_lossy().into_owned(),
    };
    places.split(',').map(absolute).collect::<Vec<_>>().join(",")
}

fn found(name: &str, place: &Path) -> Result<Result<Built, String>, Error> {
    let failed = |source| Error::File {
        path: place.to_owned(),
        source,
    };
    let mut entries = std::fs::read_dir(place).map_err(failed)?.flatten();
    let Some(entry) = entries.next() else {
        return Ok(Err(format!("`{}` is empty", place.display())));
    };
    let content = std::fs::read(entry.path()).map_err(failed)?;
    Ok(Ok(Built {
        name: name.to_owned(),
        folder: place.to_string_lossy().into_owned(),
        file: entry.file_name().to_string_lossy().into_owned(),
        sha256: hex(&Sha256::digest(content)),
    }))
}

/// What a build sees.
struct Environment {
    user: User,
    variables: BTreeMap<String, String>,
}

/// Folders of a build, which vanish with the value.
struct Room(TempDir);

impl Room {
    fn new(user: &User) -> Result<Self, Error> {
        let failed = |source| Error::File {
            path: std::env::temp_dir(),
            source,
        };
        let folder = tempfile::Builder::new()
            .prefix("stagewright-")
            .tempdir()
            .map_err(failed)?;
        for name in ["home", "tmp", "cache", "packages"] {
            create(&folder.path().join(name))?;
        }
        if let Some(other) = user.other() {
            for name in ["", "home", "tmp", "cache", "packages"] {
                std::os::unix::fs::chown(folder.path().join(name), Some(other), Some(GROUP)).map_err(failed)?;
            }
        }
        Ok(Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Builds and installs a package; why it cannot be built stands inside.
    async fn run(
        &self,
        isolated: &Environment,
        job: &Job<'_>,
        name: &str,
        lines: &[String],
    ) -> Result<Result<(), String>, Error> {
        let packages = self.path("packages");
        let mut command = tokio::process::Command::new("uv");
        command
            .args([
                "pip",
                "install",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--no-binary",
                name,
            ])
            .args(["--python", job.target.python, "-r", "-", "--target"])
            .arg(&packages)
            .args(
                lines
                    .iter()
                    .any(|line| line.contains(" --hash"))
                    .then_some("--require-hashes"),
            )
            .args(&job.required.arguments)
            .current_dir(self.0.path())
            .env_clear()
            .envs(&isolated.variables)
            .envs([
                ("HOME", self.path("home")),
                ("TMPDIR", self.path("tmp")),
                ("UV_CACHE_DIR", self.path("cache")),
            ])
            .envs([
                ("UV_PYTHON_DOWNLOADS", "never"),
                ("UV_NO_PROGRESS", "1"),
                ("NO_COLOR", "1"),
            ])
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(other) = isolated.user.other() {
            command.uid(other).gid(GROUP);
        }
        let failed = |source| Error::File {
            path: PathBuf::from("uv"),
            source,
        };
        let mut child = command.spawn().map_err(failed)?;
        let group = Group(child.id());
        if let Some(mut stdin) = child.stdin.take() {
            let input = [job.required.indexes.as_slice(), lines].concat().join("\n");
            let written = stdin.write_all(input.as_bytes()).await;
            tracing::debug!(ok = written.is_ok(), "input of a build written");
        }
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        drop(group);
        let Ok(ended) = ended else {
            return Ok(Err(format!("the build took more than {} s", PATIENCE.as_secs())));
        };
        let output = ended.map_err(failed)?;
        if output.status.success() {
            return Ok(Ok(()));
        }
        Ok(Err(without_credentials(String::from_utf8_lossy(&output.stderr).trim())))
    }

    /// The wheel that uv keeps of what it has built.
    fn wheel(&self, name: &str) -> Option<PathBuf> {
        let entries = walkdir::WalkDir::new(self.path("cache")).into_iter().flatten();
        // What a build leaves must not be a link to a file of ours, nor anything else than a wheel.
        let mut wheels = entries
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path);
        wheels.find(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let is_wheel = file.ends_with(".whl") && file.split('-').next().is_some_and(|own| line::name(own) == name);
            is_wheel && package::is_zip(path)
        })
    }
}

/// The processes of a build, which end with the value.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let Some(leader) = self.0 else { return };
        let mut kill = std::process::Command::new("sh");
        kill.args(["-c", "kill -s KILL -- \"-$0\""]).arg(leader.to_string());
        let ended = kill
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // Where nothing is left, there is nothing to end.
        tracing::debug!(
            left = ended.is_ok_and(|status| status.success()),
            "processes of a build ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::requirements::Requirements;
    use super::super::target::Target;
    use super::*;
    use crate::app::Architecture;

    fn refusal(variables: &[(&str, &str)], indexes: &[&str]) -> Option<String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let uv = Uv {
            cache: PathBuf::from("cache"),
            environment: variables.iter().map(owned).collect(),
        };
        let required = Requirements {
            indexes: indexes.iter().map(|line| (*line).to_owned()).collect(),
            ..Requirements::default()
        };
        let job = Job {
            project: Path::new("project"),
            required: &required,
            target: Target {
                python: "3.11",
                architecture: Architecture::X86_64,
            },
            described: String::new(),
            arguments: Vec::new(),
            packages: Vec::new(),
        };
        uv.isolated(&job).err()
    }

    #[test]
    fn nothing_is_built_where_an_index_needs_credentials() {
        assert_eq!(
            refusal(&[("UV_INDEX", "corp=https://x/simple")], &["--index-url https://x"]),
            None
        );
        for variable in [
            ("UV_INDEX_CORP_PASSWORD", "secret"),
            ("PIP_EXTRA_INDEX_URL", "https://me:secret@x/simple"),
        ] {
            let why = refusal(&[variable], &[]).unwrap();
            assert!(why.contains("credentials") && !why.contains("secret"), "{why}");
        }
        assert!(refusal(&[], &["--extra-index-url https://token@x/simple"]).is_some());
    }

    #[test]
    fn folders_of_wheels_are_found_from_any_folder() {
        let places = absolute("wheels,/other,https://x/wheels", Path::new("/project"));
        assert_eq!(places, "/project/wheels,/other,https://x/wheels");
    }
}
