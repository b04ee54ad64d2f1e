//! A container engine of the tests' own, and the images in it that stand in for those of a registry.
//!
//! The engine ends with our end of its pipe, that is with this process, whatever becomes of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

/// The image that jobs of a workflow run in.
pub const RUNNER: &str = "stagewright-tests-runner:1";

static ENGINE: Mutex<Option<Result<Engine, String>>> = Mutex::new(None);

/// What the image that compiles "compiles".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Built {
    /// The program under test.
    Program,
    /// What tells how it was called.
    Recorder,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    _serving: Child,
    address: String,
    /// Settings of the client, none.
    settings: TempDir,
    /// The program under test, without what only a debugger reads, since it is copied many times.
    pub program: PathBuf,
}

/// The engine, for one test at a time: images have one name for everybody.
#[derive(Debug)]
pub struct Held(MutexGuard<'static, Option<Result<Engine, String>>>);

impl std::ops::Deref for Held {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.0
            .as_ref()
            .and_then(|engine| engine.as_ref().ok())
            .expect("it runs")
    }
}

/// The engine, or nothing where none can be had, which is said aloud.
pub fn engine() -> Option<Held> {
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    match engine.get_or_insert_with(Engine::start) {
        Ok(_) => Some(Held(engine)),
        Err(reason) => {
            // Past the capture of test output: whoever reads a green run shall see that this one proved nothing.
            writeln!(std::io::stderr(), "\n{reason}\n").expect("standard error takes it");
            None
        }
    }
}

/// The file `path` of the checkout.
pub fn in_checkout(path: &str) -> PathBuf {
    std::env::current_dir().expect("a checkout").join(path)
}

/// The base image of the Dockerfile's stage `stage`.
fn base(stage: &str) -> String {
    let text = fs::read_to_string(in_checkout("Dockerfile")).expect("a Dockerfile");
    let end = format!(" AS {stage}");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("FROM ")?.strip_suffix(&end));
    line.unwrap_or_else(|| panic!("no stage {stage}")).to_owned()
}

/// Copies a file and its right to be executed.
pub fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// Runs a command that has to succeed, and gives its output.
pub fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", both(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard output, then standard error.
pub fn both(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.concat()
}

impl Engine {
    fn start() -> Result<Self, String> {
        let mut serving = Command::new(in_checkout("tests/container/engine.sh"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script is there");
        let mut said = String::new();
        BufReader::new(serving.stdout.as_mut().expect("a pipe"))
            .read_line(&mut said)
            .expect("it says where it is");
        let address = said.trim().to_owned();
        if address.starts_with("SKIPPED") {
            serving.wait().expect("it has ended");
            return Err(address);
        }
        let settings = TempDir::new().expect("a temporary folder");
        let program = settings.path().join("stagewright");
        let tested = env!("CARGO_BIN_EXE_stagewright");
        succeed(Command::new("strip").arg("-o").arg(&program).arg(tested));
        let engine = Self {
            _serving: serving,
            address,
            settings,
            program,
        };
        engine.stand_in_for_runtime();
        engine.stand_in_for_uv();
        Ok(engine)
    }

    /// A command whose containers are this engine's.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DOCKER_HOST", &self.address)
            .env("DOCKER_CONFIG", self.settings.path())
            .env_remove("DOCKER_CONTEXT");
        command
    }

    /// The engine's client with arguments.
    pub fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("docker");
        command.args(arguments);
        command
    }

    fn stand_in_for_runtime(&self) {
        let mut files = Command::new(in_checkout(".env/bin/python"))
            .arg(in_checkout("tests/container/rootfs.py"))
            .arg(env!("CARGO_BIN_EXE_stagewright"))
            .arg(in_checkout(".env/bin/uv"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("python of `make env`");
        let tar = files.stdout.take().expect("a pipe");
        let import = self.docker(&["import", "-", RUNNER]).stdin(tar).output();
        assert!(
            files.wait().expect("it ends").success(),
            "the files of an image are collected"
        );
        let import = import.expect("docker runs");
        assert!(import.status.success(), "{}", both(&import));
        succeed(&mut self.docker(&["tag", RUNNER, &base("runtime")]));
    }

    fn stand_in_for_uv(&self) {
        let context = TempDir::new().expect("a temporary folder");
        copy(&in_checkout(".env/bin/uv"), &context.path().join("uv"));
        self.make(&context, "FROM scratch\nCOPY uv /uv\n", &base("uv"));
    }

    fn stand_in_for_rust(&self, built: Built) {
        let context = TempDir::new().expect("a temporary folder");
        let recorder = in_checkout("tests/container/recorder.py");
        let result = match built {
            Built::Program => &self.program,
            Built::Recorder => &recorder,
        };
        copy(result, &context.path().join("built"));
        for tool in ["cargo", "rustc"] {
            let script = in_checkout(&format!("tests/container/{tool}.sh"));
            copy(&script, &context.path().join(tool));
        }
        let dockerfile = format!("FROM {RUNNER}\nCOPY built /usr/local/lib/\nCOPY cargo rustc /usr/local/bin/\n");
        self.make(&context, &dockerfile, &base("build"));
    }

    fn make(&self, context: &TempDir, dockerfile: &str, name: &str) {
        let path = context.path().join("Dockerfile");
        let mut file = fs::File::create(path).expect("the Dockerfile is made");
        file.write_all(dockerfile.as_bytes())
            .expect("the Dockerfile is written");
        let context = context.path().to_str().expect("a plain path");
        succeed(&mut self.docker(&["build", "--quiet", "--tag", name, context]));
    }

    /// Lets the image that compiles give `built`, and the runtime's hold what that needs.
    pub fn lets_rust_build(&self, built: Built) {
        if built == Built::Recorder {
            let context = TempDir::new().expect("a temporary folder");
            copy(&self.program, &context.path().join("stagewright"));
            let dockerfile = format!("FROM {RUNNER}\nCOPY stagewright /usr/local/lib/stagewright\n");
            self.make(&context, &dockerfile, &base("runtime"));
        } else {
            succeed(&mut self.docker(&["tag", RUNNER, &base("runtime")]));
        }
        self.stand_in_for_rust(built);
    }

    /// Builds an image by a Dockerfile of the action's folder as the runner does: no build arguments, no platform.
    pub fn build_action(&self, dockerfile: &str, folder: &Path) -> String {
        let tag = format!("stagewright-tests-{}:1", dockerfile.to_lowercase());
        let file = folder.join(dockerfile);
        let mut build = self.docker(&["build", "--tag", &tag, "--file"]);
        succeed(build.arg(file).arg(folder));
        tag
    }
}
