//! A repository on GitHub with a checkout and an AWS, for scenarios of the action.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::github::GitHub;
use crate::github::events::{self, Event};
use crate::github::runner::Runner;
use crate::world::{Run, World};

/// The config that a repository begins with.
pub const CONFIG: &str = "\
state: s3://deploys/stages
branches: { main: prod, develop: beta, \"release/*\": \"release-{1}\" }
stages:
  prod:
    protected: true
";

/// A commit, called by two hexadecimal digits.
pub fn sha(name: &str) -> String {
    name.repeat(20)
}

/// A repository on GitHub, its checkout, and the AWS that it is deployed to.
pub struct Repository {
    pub world: World,
    pub github: GitHub,
}

/// A run of the action that has not ended yet.
pub struct Running {
    program: Child,
    runner: Runner,
}

impl Running {
    /// Sends what GitHub sends when a run is cancelled.
    pub fn interrupt(&self) {
        let id = self.program.id().to_string();
        let told = Command::new("kill").args(["-INT", &id]).status();
        assert!(told.expect("kill runs").success());
    }

    /// Kills it, as a machine that breaks down.
    pub fn kill(mut self) {
        self.program.kill().expect("it can be killed");
        self.program.wait().expect("it is gone");
    }

    /// Waits for its end.
    pub fn ended(self) -> (Run, Runner) {
        (
            Run::from(self.program.wait_with_output().expect("it ends")),
            self.runner,
        )
    }
}

impl Repository {
    /// A repository of one Chalice app.
    pub fn new() -> Self {
        Self::on(GitHub::start())
    }

    /// The same on another GitHub.
    pub fn on(github: GitHub) -> Self {
        let repository = Self::empty(github);
        repository.world.chalice_hello();
        repository.configure(CONFIG);
        repository
    }

    /// A repository of one app with one Python function and an environment, and the given lines at the end of its config.
    pub fn manifest(more: &str) -> Self {
        let repository = Self::empty(GitHub::start());
        repository.world.manifest_hello();
        let app = repository.world.read("stagewright.yaml");
        repository.configure(&format!("{app}{CONFIG}{more}"));
        repository
    }

    /// A repository with nothing in it.
    pub fn empty(github: GitHub) -> Self {
        Self {
            world: World::new(),
            github,
        }
    }

    /// Writes the config into the checkout and onto the default branch.
    pub fn configure(&self, config: &str) {
        self.world.write("stagewright.yaml", config);
        self.github.set_file("stagewright.yaml", config);
    }

    /// Takes away what is checked out, as in a job without `actions/checkout`.
    pub fn without_checkout(&self) {
        let project = self.world.project();
        std::fs::remove_dir_all(&project).expect("it is removed");
        std::fs::create_dir(&project).expect("it is made");
    }

    /// The step of a workflow that an event started.
    pub fn runner(&self, event: &Event) -> Runner {
        let mut runner = self.github.runner(event);
        runner.set("GITHUB_WORKSPACE", &self.world.project().to_string_lossy());
        runner
    }

    /// Runs the action for an event.
    pub fn ci(&self, event: &Event) -> Run {
        self.step(&self.runner(event), &["ci"])
    }

    /// Runs the program as a step.
    pub fn step(&self, runner: &Runner, arguments: &[&str]) -> Run {
        self.step_with(runner, &[], arguments)
    }

    /// The same with other variables; an empty value takes one away.
    pub fn step_with(&self, runner: &Runner, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        let mut command = self.command(runner);
        for (name, value) in environment {
            match *value {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        Run::from(command.args(arguments).output().expect("the program runs"))
    }

    /// Starts the action, and does not wait for its end.
    pub fn start(&self, runner: Runner) -> Running {
        let mut command = self.command(&runner);
        let command = command.arg("ci").stdout(Stdio::piped()).stderr(Stdio::piped());
        Running {
            program: command.spawn().expect("it starts"),
            runner,
        }
    }

    fn command(&self, runner: &Runner) -> Command {
        let mut command = self.world.command(env!("CARGO_BIN_EXE_stagewright").as_ref());
        command.envs(runner.environment());
        command
    }

    /// Opens a pull request and deploys its preview.
    pub fn preview(&self, number: u64) -> Run {
        self.github.open_pull_request(number, &sha("a1"), "main");
        self.ci(&opened(number)).succeeded()
    }

    /// The only comment on a pull request.
    pub fn comment(&self, number: u64) -> String {
        let comments = self.github.comments(number);
        assert_eq!(comments.len(), 1, "{comments:#?}");
        comments.into_iter().map(|comment| comment.body).collect()
    }

    /// Insists on texts in the only comment on a pull request.
    pub fn comment_says(&self, number: u64, texts: &[&str]) {
        let comment = self.comment(number);
        for text in texts {
            assert!(comment.contains(text), "no {text:?} in\n{comment}");
        }
    }

    /// The calls to GitHub that may have changed something, as `POST /path`; not the question of who we are.
    pub fn mutations_on_github(&self) -> Vec<String> {
        let calls = self.github.calls().into_iter();
        let changing = calls.filter(|call| call.method != "GET" && !call.path.ends_with("/graphql"));
        changing.map(|call| format!("{} {}", call.method, call.path)).collect()
    }

    /// How things stand with the deployments of an environment, the oldest first.
    pub fn deployments(&self, environment: &str) -> Vec<String> {
        let deployments = self.github.deployments().into_iter();
        let here = deployments.filter(|deployment| deployment.environment == environment);
        here.map(|deployment| deployment.state().to_owned()).collect()
    }

    /// Whether anything stands in AWS that is called by a stage.
    pub fn stands(&self, stage: &str) -> bool {
        self.world.names_in_aws().iter().any(|name| name.contains(stage))
    }

    /// The URL of a stage.
    pub fn url(&self, stage: &str) -> String {
        self.world.run(&["url", "--stage", stage]).succeeded().last_word()
    }

    /// What a stage of the Chalice app answers.
    pub fn greeting(&self, stage: &str) -> Value {
        self.world.get(&self.url(stage)).json()
    }
}

/// Opened, with the first commit.
pub fn opened(number: u64) -> Event {
    events::pull_request(number).head(&sha("a1")).base("main")
}

/// Closed without a merge, as the workflow of the base sees it.
pub fn closed(number: u64) -> Event {
    opened(number).closed().target()
}
