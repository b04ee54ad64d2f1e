//! A container of the action, started by the contract of GitHub's runner.
//!
//! See `ContainerActionHandler.cs` and `DockerCommandManager.cs` of <https://github.com/actions/runner>: the mounts, the
//! names of the variables, the working directory. What an action could wrongly rely on is not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::engine::{Engine, in_checkout};

/// What the host keeps outside of the container, and where the container sees it.
const MOUNTS: [(&str, &str); 5] = [
    ("temp", "/github/runner_temp"),
    ("_github_home", "/github/home"),
    ("_github_workflow", "/github/workflow"),
    ("_runner_file_commands", "/github/file_commands"),
    ("workspace", "/github/workspace"),
];

/// A job's machine, as far as a container of an action sees it.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

impl Machine {
    /// A machine whose job was started by an event, with what the workflow gives as `with`.
    pub fn new(event: &str, payload: &Value, with: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for (outside, _) in MOUNTS {
            fs::create_dir(folder.path().join(outside)).expect("a folder");
        }
        let machine = Self {
            variables: variables(event, with),
            folder,
        };
        machine.write("_github_workflow/event.json", &payload.to_string());
        for file in ["output", "step_summary", "state", "env", "path"] {
            machine.write(&format!("_runner_file_commands/{file}"), "");
        }
        machine
    }

    /// A file, by its path outside of the container.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(path, text).expect("a file is written");
    }

    /// The text of a file, by its path outside of the container.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).expect("a file is read")
    }

    /// Another variable, or another value of one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// The command that starts the action's container with arguments.
    pub fn start(&self, engine: &Engine, image: &str, arguments: &[&str]) -> Command {
        let mut command = engine.docker(&["run", "--name", "action", "--label", "job", "--network", "host", "--rm"]);
        command.args(["--workdir", "/github/workspace"]);
        for (name, value) in &self.variables {
            command.args(["-e", name]).env(name, value);
        }
        for (outside, inside) in MOUNTS {
            let outside: PathBuf = self.folder.path().join(outside);
            command.arg("-v").arg(format!("{}:{inside}", outside.display()));
        }
        command.arg(image).args(arguments);
        command
    }

    /// Runs the action's container to its end.
    pub fn run(&self, engine: &Engine, image: &str, arguments: &[&str]) -> Output {
        self.start(engine, image, arguments).output().expect("docker runs")
    }
}

fn variables(event: &str, with: &[(&str, &str)]) -> BTreeMap<String, String> {
    let set = [
        ("HOME", "/github/home"),
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_ACTION", "stagewright"),
        ("GITHUB_ACTOR", "ann"),
        ("GITHUB_API_URL", "http://127.0.0.1:9"),
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_EVENT_PATH", "/github/workflow/event.json"),
        ("GITHUB_OUTPUT", "/github/file_commands/output"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_REPOSITORY_OWNER", "acme"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REF", "refs/heads/develop"),
        ("GITHUB_SHA", "1111111111111111111111111111111111111111"),
        ("GITHUB_STATE", "/github/file_commands/state"),
        ("GITHUB_STEP_SUMMARY", "/github/file_commands/step_summary"),
        ("GITHUB_WORKSPACE", "/github/workspace"),
        ("RUNNER_OS", "Linux"),
        ("RUNNER_TEMP", "/github/runner_temp"),
    ];
    let mut all: BTreeMap<_, _> = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let action = fs::read_to_string(in_checkout("action.yml")).expect("an action.yml");
    let action: Value = serde_saphyr::from_str(&action).expect("YAML");
    for (name, input) in action["inputs"].as_object().expect("inputs") {
        let default = match input["default"].as_str() {
            Some("${{ github.token }}") => "ghs_token",
            other => other.unwrap_or_default(),
        };
        let given = with.iter().find(|(given, _)| given == name);
        let value = given.map_or(default, |(_, value)| value);
        // The hyphens stay, as no shell would have them.
        all.insert(format!("INPUT_{}", name.to_uppercase()), value.to_owned());
    }
    all
}

/// A push to a branch of a repository whose default branch is `main`.
pub fn push(branch: &str) -> Value {
    json!({
        "ref": format!("refs/heads/{branch}"), "before": "0".repeat(40), "after": "1".repeat(40),
        "created": false, "deleted": false, "forced": false,
        "repository": repository(), "sender": {"login": "ann", "type": "User"},
    })
}

/// Something that happened to pull request 7, which wants to merge `topic` into `main`.
pub fn pull_request(action: &str) -> Value {
    let state = if action == "closed" { "closed" } else { "open" };
    json!({
        "action": action, "number": 7,
        "pull_request": {
            "number": 7, "state": state, "draft": false, "merged": false, "labels": [], "title": "a topic",
            "user": {"login": "ann", "type": "User"},
            "head": {"ref": "topic", "sha": "1".repeat(40), "repo": repository()},
            "base": {"ref": "main", "sha": "2".repeat(40), "repo": repository()},
        },
        "repository": repository(), "sender": {"login": "ann", "type": "User"},
    })
}

fn repository() -> Value {
    json!({
        "name": "shop", "full_name": "acme/shop", "default_branch": "main", "fork": false, "private": false,
        "owner": {"login": "acme", "type": "Organization"},
    })
}
