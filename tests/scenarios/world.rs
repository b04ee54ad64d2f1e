//! The world of one scenario, with verbs: a project in a folder of its own, an AWS of its own, and the program.

mod account;
mod cache;
mod started;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::emulator::{Emulator, in_checkout, tool};
use crate::http::{Answer, Request};

pub use self::account::Account;
pub use self::started::Started;

const BUCKET: &str = "deploys";
const SCRUBBED: [&str; 5] = ["GITHUB_", "RUNNER_", "AWS_", "STAGEWRIGHT_", "CLICOLOR"];
const REGION: &str = "us-east-1";

/// Where stages are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recorded {
    Bucket,
    Folder,
}

/// A project, an AWS, and the program between them.
#[derive(Debug)]
pub struct World {
    emulator: Option<Emulator>,
    folder: TempDir,
    recorded: Recorded,
    cache: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(emulator) = self.emulator.take() {
            emulator.give_back();
        }
    }
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// One request that reached AWS.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// `s3`, `lambda`, …
    pub service: String,
    /// AWS's name of it: `CreateFunction`.
    pub operation: String,
    /// The access key that signed it.
    pub key: String,
    /// Whether it may change anything.
    pub mutates: bool,
    /// The name of the thing that it is about.
    pub target: String,
    /// When it came, in seconds of the proxy's clock.
    pub began: f64,
    /// How long it took; nothing as long as it is not answered.
    pub took_ms: Option<u32>,
    /// What was answered; nothing if the connection broke or the call is still held.
    pub status: Option<u16>,
    /// The fault that it met.
    pub fault: Option<String>,
}

impl World {
    /// A new world, whose stages are recorded in a bucket.
    pub fn new() -> Self {
        let world = Self::with(Recorded::Bucket);
        let made = Request::new("PUT", &world.endpoint(&format!("/{BUCKET}"))).send();
        assert_eq!(made.status, 200, "{}", made.text());
        world.forget_calls();
        world
    }

    /// A new world, whose stages are recorded in the project's own folder.
    pub fn with_folder_state() -> Self {
        Self::with(Recorded::Folder)
    }

    fn with(recorded: Recorded) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("home")).expect("a home");
        fs::create_dir_all(folder.path().join("project")).expect("a project");
        Self {
            emulator: Some(Emulator::take()),
            folder,
            recorded,
            cache: cache::shared().to_owned(),
        }
    }

    /// The same world with a cache folder of its own, which is empty.
    pub fn with_own_cache(mut self) -> Self {
        self.cache = self.folder.path().join("home/.cache");
        self
    }

    /// The folder of the project.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Makes the project a copy of a folder of the checkout.
    pub fn copy(&self, path: &str) {
        copy(&in_checkout(path), &self.project());
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// A file of the project.
    pub fn read(&self, path: &str) -> String {
        let path = self.project().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Puts another text in the place of one that stands in a file of the project.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} does not contain {old:?}:\n{text}");
        self.write(path, &text.replace(old, new));
    }

    /// Runs the program in the project, with credentials and state as its users have them.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(&[], arguments)
    }

    /// The program in the project, before it is given its arguments.
    pub fn program(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_stagewright").as_ref());
        if self.recorded == Recorded::Bucket {
            command.args(["--state", &format!("s3://{BUCKET}/stages")]);
        }
        command
    }

    /// Runs the program with other environment variables; an empty value takes one away.
    pub fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        let mut command = self.program();
        for (name, value) in environment {
            match *value {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        Run::from(command.args(arguments).output().expect("the program runs"))
    }

    /// Deploys a stage, which must succeed, and returns its URL.
    pub fn deploy(&self, stage: &str) -> String {
        self.run(&["deploy", "--stage", stage]).succeeded().last_word()
    }

    /// Runs the real Chalice in the project.
    pub fn chalice(&self, arguments: &[&str]) -> Run {
        let mut command = self.command(&tool("chalice"));
        Run::from(command.args(arguments).output().expect("chalice runs"))
    }

    /// A command in the project, with an environment from which everything but this world is scrubbed.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if SCRUBBED.iter().any(|prefix| text.starts_with(prefix)) || text == "CI" || text == "NO_COLOR" {
                command.env_remove(name);
            }
        }
        let emulator = self.emulator();
        command
            .current_dir(self.project())
            .stdin(Stdio::null())
            .env("PATH", path())
            .env("HOME", self.folder.path().join("home"))
            .env("XDG_CACHE_HOME", &self.cache)
            .env("AWS_ENDPOINT_URL", &emulator.endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("STAGEWRIGHT_URL_TEMPLATE", &emulator.url_template)
            .env("STAGEWRIGHT_QUOTAS", "none");
        // Caches and toolchains are a matter of this machine, not of the scenario.
        for (name, below_home) in [
            ("UV_CACHE_DIR", ".cache/uv"),
            ("CARGO_HOME", ".cargo"),
            ("RUSTUP_HOME", ".rustup"),
        ] {
            if let (None, Some(home)) = (std::env::var_os(name), std::env::home_dir()) {
                command.env(name, home.join(below_home));
            }
        }
        command
    }

    /// An account of its own, with an empty bucket.
    pub fn account(&self, number: usize) -> Account<'_> {
        let key = format!("{number:012}");
        let bucket = self.endpoint(&format!("/{BUCKET}-{key}"));
        let made = Request::new("PUT", &bucket).signed("s3", &key).send();
        assert_eq!(made.status, 200, "{}", made.text());
        let account = Account { world: self, key };
        account.forget_calls();
        account
    }

    /// GETs a URL.
    pub fn get(&self, url: &str) -> Answer {
        Request::new("GET", url).send()
    }

    /// Every request that reached AWS since the world began, but those to the deployed functions.
    pub fn calls(&self) -> Vec<Call> {
        self.logged("")
    }

    fn logged(&self, query: &str) -> Vec<Call> {
        let log = self.endpoint(&format!("/__proxy/log{query}"));
        let log = Request::new("GET", &log).send().json();
        let calls: Vec<Call> = serde_json::from_value(log).expect("the log is a list of calls");
        calls.into_iter().filter(|call| call.service != "execute-api").collect()
    }

    /// How many calls met a fault that are about something whose name ends so.
    pub fn faults_of(&self, target: &str) -> usize {
        let struck = |call: &Call| call.fault.is_some() && call.target.ends_with(target);
        self.calls().into_iter().filter(struck).count()
    }

    /// The calls that may have changed something outside the state, as `Operation target`.
    pub fn mutations(&self) -> Vec<String> {
        let outside = |call: &Call| call.mutates && call.service != "s3";
        let named = |call: Call| format!("{} {}", call.operation, call.target).trim().to_owned();
        self.calls().into_iter().filter(outside).map(named).collect()
    }

    /// Begins the list of calls anew.
    pub fn forget_calls(&self) {
        Request::new("DELETE", &self.endpoint("/__proxy/log")).send();
    }

    /// Orders faults; see `tests/aws/faults.py`.
    pub fn order_faults(&self, faults: &Value) {
        self.control("faults", faults);
    }

    /// Sets how slow and how busy AWS is; see `tests/aws/rules.py`.
    pub fn set_aws(&self, settings: &Value) {
        self.control("settings", settings);
    }

    /// Waits until a call is held by a fault.
    pub fn await_held(&self) {
        self.await_held_of("");
    }

    /// Waits until a call that an access key signed is held.
    pub fn await_held_of(&self, key: &str) {
        let held = self.endpoint(&format!("/__proxy/held?timeout_s=60&key={key}"));
        let held = Request::new("GET", &held).send().json();
        assert_ne!(held, Value::Array(Vec::new()), "no call was held");
    }

    /// Waits until so many calls of an operation came, answered or not.
    pub fn await_calls(&self, operation: &str, count: usize) {
        let began = Instant::now();
        let came = || self.calls().iter().filter(|call| call.operation == operation).count();
        while came() < count && began.elapsed().as_secs() < 30 {
            std::thread::yield_now();
        }
        assert_eq!(came(), count, "calls of {operation}");
    }

    /// Lets the held calls go on.
    pub fn release(&self) {
        self.control("release", &serde_json::json!({"how": "forward"}));
    }

    fn control(&self, path: &str, body: &Value) {
        let url = self.endpoint(&format!("/__proxy/{path}"));
        let answer = Request::new("POST", &url).body(body.to_string().as_bytes()).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Everything that stands in AWS; see `tests/aws/inventory.py`.
    pub fn aws(&self) -> Value {
        self.aws_of("")
    }

    /// What stands in the account of an access key.
    fn aws_of(&self, key: &str) -> Value {
        let inventory = self.endpoint(&format!("/__proxy/inventory?key={key}"));
        let answer = Request::new("GET", &inventory).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The names of what stands in AWS: its roles, functions and REST APIs.
    pub fn names_in_aws(&self) -> BTreeSet<String> {
        let aws = self.aws();
        let named = |kind: &str| {
            let things = aws[kind].as_array().cloned().unwrap_or_default();
            let one = |thing: &Value| format!("{kind}/{}", thing["name"].as_str().unwrap_or_default());
            things.iter().map(one).collect::<Vec<_>>()
        };
        ["roles", "functions", "apis"].into_iter().flat_map(named).collect()
    }

    /// The state object of a stage.
    pub fn state(&self, app: &str, stage: &str) -> Value {
        self.object(&format!("stages/{app}/{stage}.json")).json()
    }

    /// Puts a text at the place of a stage's state object.
    pub fn write_state(&self, app: &str, stage: &str, text: &str) {
        let url = self.endpoint(&format!("/{BUCKET}/stages/{app}/{stage}.json"));
        assert_eq!(Request::new("PUT", &url).body(text.as_bytes()).send().status, 200);
    }

    /// Puts bytes at a key of the bucket.
    pub fn write_object(&self, key: &str, body: &[u8]) {
        let url = self.endpoint(&format!("/{BUCKET}/{key}"));
        assert_eq!(Request::new("PUT", &url).body(body).send().status, 200);
    }

    /// An object of the bucket.
    pub fn object(&self, key: &str) -> Answer {
        Request::new("GET", &self.endpoint(&format!("/{BUCKET}/{key}"))).send()
    }

    /// The reachable URL of the API that a deployed file of Chalice's form names.
    pub fn reachable(&self, deployed_file: &str) -> String {
        let deployed: Value = serde_json::from_str(&self.read(deployed_file)).expect("JSON");
        let resources = deployed["resources"].as_array().cloned().unwrap_or_default();
        let api = resources.iter().find_map(|resource| resource["rest_api_id"].as_str());
        self.url_of(api.expect("a REST API"), "api")
    }

    /// The reachable URL of an API's stage.
    pub fn url_of(&self, api: &str, stage: &str) -> String {
        self.emulator()
            .url_template
            .replace("{api}", api)
            .replace("{stage}", stage)
    }

    /// Where a path of AWS is reached.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.emulator().endpoint)
    }

    fn emulator(&self) -> &Emulator {
        self.emulator.as_ref().expect("it is there until the world ends")
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// Insists on exit code 0.
    pub fn succeeded(self) -> Self {
        self.ended_with(0)
    }

    /// Insists on an exit code.
    pub fn ended_with(self, code: i32) -> Self {
        let Self {
            code: ended,
            stdout,
            stderr,
        } = &self;
        assert_eq!(*ended, code, "--- stdout:\n{stdout}\n--- stderr:\n{stderr}");
        self
    }

    /// Insists on texts in what it said.
    pub fn saying(self, texts: &[&str]) -> Self {
        let Self { stdout, stderr, .. } = &self;
        let said = format!("--- stdout:\n{stdout}\n--- stderr:\n{stderr}");
        for text in texts {
            assert!(said.contains(text), "no {text:?} in\n{said}");
        }
        self
    }

    /// Its standard output as one JSON value.
    pub fn json(&self) -> Value {
        let Self { stdout, stderr, .. } = self;
        serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}:\n{stdout}\n--- stderr:\n{stderr}"))
    }

    /// The last word of its standard output: the URL, after a deploy.
    pub fn last_word(&self) -> String {
        let line = self.stdout.trim_end().lines().last().unwrap_or_default();
        line.split_whitespace().last().unwrap_or_default().to_owned()
    }
}

/// Where programs are looked for: `uv`, then Python itself rather than a script of a version manager that looks for it anew
/// each time, then what the machine has.
fn path() -> OsString {
    let python = tool("python").canonicalize().expect("an interpreter");
    let python = python.parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [in_checkout(".env/path"), python].into_iter();
    std::env::join_paths(folders.chain(std::env::split_paths(&path))).expect("no folder has a colon")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder is made");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("the file is copied");
        }
    }
}
