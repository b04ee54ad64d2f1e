//! The action in a repository: what each event leads to, and what is told of it on GitHub.

use serde_json::{Value, json};

use crate::github::GitHub;
use crate::github::events::{self, Event};
use crate::github::runner::Runner;
use crate::world::{Run, World};

const CONFIG: &str = "\
state: s3://deploys/stages
branches: { main: prod, develop: beta, \"release/*\": \"release-{1}\" }
stages:
  prod:
    protected: true
";

/// A commit.
fn sha(name: &str) -> String {
    name.repeat(20)
}

/// A repository on GitHub, its checkout, and the AWS that it is deployed to.
struct Repository {
    world: World,
    github: GitHub,
}

impl Repository {
    fn new() -> Self {
        let repository = Self {
            world: World::new(),
            github: GitHub::start(),
        };
        repository.world.chalice_hello();
        repository.configure(CONFIG);
        repository
    }

    /// Writes the config into the checkout and onto the default branch.
    fn configure(&self, config: &str) {
        self.world.write("stagewright.yaml", config);
        self.github.set_file("stagewright.yaml", config);
    }

    fn runner(&self, event: &Event) -> Runner {
        let mut runner = self.github.runner(event);
        runner.set("GITHUB_WORKSPACE", &self.world.project().to_string_lossy());
        runner
    }

    /// Runs the action for an event.
    fn ci(&self, event: &Event) -> Run {
        self.step(&self.runner(event), &["ci"])
    }

    fn step(&self, runner: &Runner, arguments: &[&str]) -> Run {
        let mut command = self.world.command(env!("CARGO_BIN_EXE_stagewright").as_ref());
        command.envs(runner.environment()).args(arguments);
        Run::from(command.output().expect("the program runs"))
    }

    /// The only comment on a pull request.
    fn comment(&self, number: u64) -> String {
        let comments = self.github.comments(number);
        assert_eq!(comments.len(), 1, "{comments:#?}");
        comments.into_iter().map(|comment| comment.body).collect()
    }

    /// How things stand with the deployments of an environment, the oldest first.
    fn deployments(&self, environment: &str) -> Vec<String> {
        let deployments = self.github.deployments().into_iter();
        let here = deployments.filter(|deployment| deployment.environment == environment);
        here.map(|deployment| deployment.state().to_owned()).collect()
    }

    fn url(&self, stage: &str) -> String {
        self.world.run(&["url", "--stage", stage]).succeeded().last_word()
    }

    fn greeting(&self, stage: &str) -> Value {
        self.world.get(&self.url(stage)).json()
    }
}

#[test]
fn a_pull_request_is_opened_changed_and_merged() {
    let repository = Repository::new();
    let Repository { world, github } = &repository;
    repository.ci(&events::push("develop", &sha("d1"))).succeeded();
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));

    github.open_pull_request(7, &sha("a1"), "main");
    let opened = repository.runner(&events::pull_request(7).head(&sha("a1")).base("main"));
    repository.step(&opened, &["ci"]).succeeded();
    let url = repository.url("pr-7");
    let comment = repository.comment(7);
    for part in [
        url.as_str(),
        "✅ ready",
        " a1a1a1a1a ",
        "created function/api_handler",
        "prod",
    ] {
        assert!(comment.contains(part), "no {part:?} in\n{comment}");
    }
    assert_eq!(opened.outputs()["url"], url);
    assert_eq!(opened.outputs()["outcome"], "deployed");
    assert!(opened.summary().contains("gantt"), "{}", opened.summary());
    assert_eq!(repository.deployments("preview"), ["success"]);

    world.replace("app.py", "world", "changed world");
    github.push_to(7, &sha("a2"));
    repository
        .ci(&events::pull_request(7).synchronized(&sha("a2")).base("main"))
        .succeeded();
    assert_eq!(repository.url("pr-7"), url);
    assert_eq!(repository.greeting("pr-7"), json!({"hello": "changed world"}));
    assert!(repository.comment(7).contains(" a2a2a2a2a "));
    assert_eq!(repository.deployments("preview"), ["inactive", "success"]);

    github.merge(7);
    repository
        .ci(&events::pull_request(7)
            .closed()
            .merged()
            .head(&sha("a2"))
            .base("main")
            .target())
        .succeeded();

    let left = world.names_in_aws();
    assert!(!left.iter().any(|name| name.contains("pr-7")), "{left:?}");
    assert!(
        repository.comment(7).contains("🧹 removed"),
        "{}",
        repository.comment(7)
    );
    assert_eq!(repository.deployments("preview"), ["inactive", "inactive"]);

    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "changed world"}));
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
    assert_eq!(repository.deployments("prod"), ["success"]);
}
