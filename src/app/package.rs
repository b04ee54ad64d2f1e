//! From a source to a zip that is the same, byte for byte, wherever and whenever it is made.
//!
//! Entries stand in the order of their names, are of 1980-01-01 and have one of two modes. Left out are `.git`, our own
//! `.stagewright`, and what changes without meaning anything: `__pycache__`, `*.pyc`, `.DS_Store`.
//!
//! Links are followed as far as the project goes: the repository, or the folder of `stagewright.yaml` or `.chalice`
//! where there is none. A link that leaves it is refused, and so is one into `.git`: what a pull request links to must
//! not end up in a function. Only the path that is named as `code` itself may lead anywhere; what Chalice takes by its
//! name (`app.py`, `chalicelib`, `vendor`) is a link like any other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempDir};
use tokio::process::Command;
use tokio::sync::Mutex;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use self::tree::Entry;
use super::apart::{self, GROUP, User};
use super::{Artifact, Build, Code, Error, Finding, Severity, Source};

pub mod contents;
pub mod inputs;
mod tree;

/// Bytes that a function's code and layers may have unzipped.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const UNZIPPED_BYTES: u64 = 250 * 1024 * 1024;

/// Bytes that a zip may have which is sent inline, not through S3.
const INLINE_BYTES: u64 = 50 * 1024 * 1024;

/// Bytes of a command's output that are shown when it fails, from its end.
const SHOWN_BYTES: u64 = 64 * 1024;

/// Parts that are named when a package is too large.
const LARGEST: usize = 5;

/// Whether a build command may see an environment variable: where programs, their settings, proxies and certificates
/// are. What bears a word for a secret in its name is not among them, nor is a URL with a password in it, nor anything
/// of AWS, GitHub or Google.
pub fn sees(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let secrets = [
        "TOKEN",
        "SECRET",
        "PASS",
        "CREDENTIAL",
        "CREDS",
        "AUTH",
        "_KEY",
        "PRIVATE",
    ];
    let ours = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "TZ",
        "TERM",
        "TMPDIR",
        "VIRTUAL_ENV",
        "CI",
    ];
    let tools = [
        "LC_",
        "XDG_",
        "SSL_CERT_",
        "CARGO_",
        "RUST",
        "JAVA_",
        "MAVEN_",
        "GRADLE_",
        "GO111",
        "GOARCH",
        "GOBIN",
        "GOCACHE",
        "GOEXPERIMENT",
        "GOFLAGS",
        "GOMODCACHE",
        "GONOPROXY",
        "GONOSUM",
        "GOOS",
        "GOPATH",
        "GOPROXY",
        "GOROOT",
        "GOSUM",
        "GOTOOLCHAIN",
        "CGO_",
        "NODE_",
        "NPM_",
        "DOTNET_",
        "PYTHON",
        "PIP_",
        "UV_",
        "CC",
        "CFLAGS",
    ];
    let is_a_tools = upper.ends_with("_PROXY") || tools.iter().any(|prefix| upper.starts_with(prefix));
    (ours.contains(&name) || is_a_tools) && !secrets.iter().any(|word| upper.contains(word)) && !has_a_password(value)
}

/// Whether a value has a URL with a user and a password in it: `https://user:pass@example.com/simple`.
fn has_a_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

/// Builds a source, if it is to be built, and puts its code as `SHA256.zip` into a folder.
///
/// The build command sees `environment` and nothing else of ours, and where we are root it runs as the owner of its folder
/// if it can; [`exposed`] warns where it cannot. Builds of this process run one after the other, since two in one folder
/// would stumble over each other.
///
/// # Errors
///
/// [`Error::Command`] where the build fails, [`Error::Findings`] where code is missing or cannot be packaged,
/// [`Error::Size`] where Lambda would not take it.
pub async fn package(
    name: &str,
    source: &Source,
    into: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<Artifact, Error> {
    if let Some(build) = &source.build {
        run(build, environment).await?;
    }
    let (name, code, into) = (name.to_owned(), source.code.clone(), into.to_owned());
    let folder = into.clone();
    let zipping = tokio::task::spawn_blocking(move || match code {
        Code::Zip(path) => adopt(&name, &path, &into),
        Code::Parts(parts) => {
            let entries = tree::entries(&parts, &into)?;
            check_size(&name, sizes(&entries), UNZIPPED_BYTES, "unzipped")?;
            write(&entries, &into)
        }
    });
    zipping.await.map_err(|e| file_error(&folder)(io::Error::other(e)))?
}

/// Finds what [`package`] would refuse of code that nothing builds, without making a zip.
///
/// # Errors
///
/// As [`package`].
pub fn inspect(name: &str, source: &Source) -> Result<(), Error> {
    if source.build.is_some() {
        return Ok(());
    }
    let parts = match &source.code {
        Code::Zip(path) => unzipped(path)?,
        Code::Parts(parts) => sizes(&tree::entries(parts, Path::new(""))?),
    };
    check_size(name, parts, UNZIPPED_BYTES, "unzipped")
}

/// Whether a zip can be sent inline, without S3.
///
/// # Errors
///
/// [`Error::Size`] with the parts that are the largest in the zip.
pub fn fits_inline(name: &str, artifact: &Artifact) -> Result<(), Error> {
    if artifact.size_bytes <= INLINE_BYTES {
        return Ok(());
    }
    let parts = zip_parts(&artifact.path, Form::Compressed)?;
    Err(Error::Size {
        function: name.to_owned(),
        size_bytes: artifact.size_bytes,
        limit_bytes: INLINE_BYTES,
        form: "as a zip that is sent inline",
        largest: largest(parts),
    })
}

/// Warns that a source is built by root's own process, where another user's was to. `environment` is that of [`package`].
pub fn exposed(source: &Source, environment: &BTreeMap<String, String>) -> Option<Finding> {
    match builder(source.build.as_ref()?, environment) {
        User::Other(_) | User::Own => None,
        User::Root(file) => Some(Finding {
            severity: Severity::Warning,
            file,
            place: None,
            message: "only root can use it, so `build` runs as root and could get at our credentials".to_owned(),
            hint: Some(
                "give the project to another user, by `chown -R 1000 .`, and have what it builds with where that user can \
                 read it; or do not run as root"
                    .to_owned(),
            ),
        }),
    }
}

fn builder(build: &Build, environment: &BTreeMap<String, String>) -> User {
    apart::builder(&build.folder, environment.get("PATH").map_or("", String::as_str))
}

static BUILDING: Mutex<()> = Mutex::const_new(());

async fn run(build: &Build, environment: &BTreeMap<String, String>) -> Result<(), Error> {
    let _alone = BUILDING.lock().await;
    if !build.folder.is_dir() {
        return Err(flaw(&build.folder, "is not a folder in which a build can run"));
    }
    // One file for both streams keeps their lines in order and needs no memory.
    let mut output = tempfile::tempfile().map_err(file_error(&std::env::temp_dir()))?;
    let (mut command, user, home) = prepare(build, environment, &output).map_err(file_error(&build.folder))?;
    let mut child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::Program {
            program: "sh",
            needed: "to run `build`",
        },
        _ => file_error(&build.folder)(source),
    })?;
    let group = child.id().map(|leader| Group::of(leader, environment));
    let group = group.transpose().map_err(file_error(&build.folder))?;
    let status = child.wait().await.map_err(file_error(&build.folder))?;
    drop((group, home));
    if status.success() {
        return Ok(());
    }
    let mut said = tail(&mut output).map_err(file_error(&build.folder))?;
    if let Some(other) = user.other() {
        let why = format!(
            "(It ran as user {other}, who owns `{}`, and not as root: whatever it reads must be readable for that user, and \
             what it changes must be theirs.)\n",
            build.folder.display()
        );
        said.push_str(&why);
    }
    Err(Error::Command {
        command: build.command.clone(),
        status: status.to_string(),
        output: said,
    })
}

/// The process of a build, its user, and that user's home where one had to be made for it.
fn prepare(
    build: &Build,
    environment: &BTreeMap<String, String>,
    output: &File,
) -> io::Result<(Command, User, Option<TempDir>)> {
    let user = builder(build, environment);
    tracing::info!(?user, folder = %build.folder.display(), "build");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(&build.command)
        .current_dir(&build.folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .kill_on_drop(true);
    let Some(other) = user.other() else {
        command.envs(environment);
        return Ok((command, user, None));
    };
    let theirs = apart::environment(environment, other);
    let home = if theirs.contains_key("HOME") {
        None
    } else {
        let home = tempfile::Builder::new().prefix("stagewright-").tempdir()?;
        std::os::unix::fs::chown(home.path(), Some(other), Some(GROUP))?;
        command.env("HOME", home.path());
        Some(home)
    };
    // A script that opens `/dev/stderr` opens this file anew.
    std::os::unix::fs::fchown(output, Some(other), Some(GROUP))?;
    command.envs(theirs).uid(other).gid(GROUP);
    Ok((command, user, home))
}

/// A process group of a build, which ends with this value and with us: what a build leaves running is no use to anybody.
///
/// A Ctrl-C of the terminal does not reach the group, and may kill us before anything is dropped. So a process beside us
/// ends it, as soon as its standard input is closed.
struct Group(std::process::Child);

impl Group {
    fn of(leader: u32, environment: &BTreeMap<String, String>) -> io::Result<Self> {
        let mut watch = std::process::Command::new("sh");
        // The build can read this process's environment in `/proc`, where it has the same user.
        watch
            .args(["-c", "read -r _; kill -s KILL -- \"-$0\""])
            .arg(leader.to_string())
            .env_clear()
            .envs(environment)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        watch.spawn().map(Self)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let ended = self.0.wait();
        // Where nothing is left, there is nothing to end.
        tracing::debug!(left = ended.is_ok_and(|status| status.success()), "process group ended");
    }
}

/// The end of what a command wrote.
fn tail(output: &mut File) -> io::Result<String> {
    let length = output.seek(SeekFrom::End(0))?;
    output.seek(SeekFrom::Start(length.saturating_sub(SHOWN_BYTES)))?;
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Takes a zip of the user's own as it is.
fn adopt(name: &str, path: &Path, into: &Path) -> Result<Artifact, Error> {
    check_size(name, unzipped(path)?, UNZIPPED_BYTES, "unzipped")?;
    let mut copy = temporary(into)?;
    let mut original = File::open(path).map_err(file_error(path))?;
    io::copy(&mut original, &mut copy).map_err(file_error(path))?;
    finish(copy, into)
}

/// Files of a zip of the user's own.
fn unzipped(path: &Path) -> Result<Vec<(String, u64)>, Error> {
    if !path.is_file() {
        return Err(flaw(path, "does not exist, or is no file"));
    }
    let parts = zip_parts(path, Form::Unzipped)?;
    if parts.is_empty() {
        return Err(flaw(path, "is a zip with no file in it"));
    }
    Ok(parts)
}

/// Whether a file is a zip whose entries can be listed.
pub fn is_zip(path: &Path) -> bool {
    zip_parts(path, Form::Unzipped).is_ok()
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Unzipped,
    Compressed,
}

/// Files of a zip with their sizes in bytes.
fn zip_parts(path: &Path, form: Form) -> Result<Vec<(String, u64)>, Error> {
    let file = File::open(path).map_err(file_error(path))?;
    let not_a_zip = |e: zip::result::ZipError| flaw(path, &format!("is not a zip: {e}"));
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(not_a_zip)?;
    let mut parts = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(not_a_zip)?;
        let size = match form {
            Form::Unzipped => entry.size(),
            Form::Compressed => entry.compressed_size(),
        };
        if entry.is_file() {
            parts.push((entry.name().map_err(not_a_zip)?.into_owned(), size));
        }
    }
    Ok(parts)
}

fn sizes(entries: &BTreeMap<String, Entry>) -> Vec<(String, u64)> {
    entries
        .iter()
        .map(|(name, entry)| (name.clone(), entry.size_bytes))
        .collect()
}

fn check_size(name: &str, parts: Vec<(String, u64)>, limit_bytes: u64, form: &'static str) -> Result<(), Error> {
    let size_bytes = parts.iter().map(|(_, size)| size).sum();
    if size_bytes <= limit_bytes {
        return Ok(());
    }
    Err(Error::Size {
        function: name.to_owned(),
        size_bytes,
        limit_bytes,
        form,
        largest: largest(parts),
    })
}

/// The largest files and top-level folders, largest first.
fn largest(parts: Vec<(String, u64)>) -> Vec<(String, u64)> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, size) in parts {
        let part = name.split_once('/').map(|(folder, _)| format!("{folder}/"));
        *sums.entry(part.unwrap_or(name)).or_default() += size;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sums.truncate(LARGEST);
    sums
}

/// Writes the zip. One file after the other passes through, so that none has to fit into memory.
fn write(entries: &BTreeMap<String, Entry>, into: &Path) -> Result<Artifact, Error> {
    let mut zip = ZipWriter::new(io::BufWriter::new(temporary(into)?));
    for (name, entry) in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(entry.mode);
        let mut file = File::open(&entry.path).map_err(file_error(&entry.path))?;
        zip.start_file(name.as_str(), options)
            .map_err(|e| file_error(into)(e.into()))?;
        io::copy(&mut file, &mut zip).map_err(file_error(&entry.path))?;
    }
    let buffer = zip.finish().map_err(|e| file_error(into)(e.into()))?;
    let file = buffer.into_inner().map_err(|e| file_error(into)(e.into_error()))?;
    finish(file, into)
}

fn temporary(into: &Path) -> Result<NamedTempFile, Error> {
    std::fs::create_dir_all(into).map_err(file_error(into))?;
    NamedTempFile::new_in(into).map_err(file_error(into))
}

/// Gives a finished zip the name of its content.
fn finish(mut file: NamedTempFile, into: &Path) -> Result<Artifact, Error> {
    let at = file.path().to_owned();
    let mut digest = Sha256::new();
    file.seek(SeekFrom::Start(0)).map_err(file_error(&at))?;
    let mut chunk = vec![0; 64 * 1024];
    let mut size_bytes = 0;
    loop {
        let count = file.read(&mut chunk).map_err(file_error(&at))?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        digest.update(read);
        size_bytes += read.len() as u64;
    }
    let sha256: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let path = into.join(format!("{sha256}.zip"));
    file.persist(&path).map_err(|e| file_error(&path)(e.error))?;
    Ok(Artifact {
        sha256,
        size_bytes,
        path,
    })
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File {
        path: path.clone(),
        source,
    }
}

fn flaw(path: &Path, message: &str) -> Error {
    Error::Findings(vec![Finding {
        severity: Severity::Error,
        file: path.to_owned(),
        place: None,
        message: message.to_owned(),
        hint: None,
    }])
}

#[cfg(test)]
mod tests;
