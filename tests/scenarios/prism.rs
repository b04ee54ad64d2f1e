//! The action against a GitHub that nobody here wrote, every exchange held against GitHub's own document by Prism.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::emulator::in_checkout;
use crate::github::events::{self, Event};
use crate::github::runner::Runner;
use crate::http::Request;
use crate::world::{Run, World};

/// A GitHub by others, with one pull request. It ends with our end of its pipe.
struct Prism {
    process: Child,
    api_url: String,
    upstream: String,
    log: String,
    head: String,
}

impl Prism {
    fn start() -> Self {
        let mut process = Command::new(in_checkout("tests/github/prism/check.sh"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script is there");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("it says where it is");
        let ready: Value = serde_json::from_str(&line).expect("one line of JSON");
        let text = |name: &str| ready[name].as_str().expect("a text").to_owned();
        Self {
            api_url: text("api_url"),
            upstream: text("upstream"),
            log: text("log"),
            head: text("head_sha"),
            process,
        }
    }

    fn ci(&self, world: &World, event: &Event) -> Run {
        let environment = vec![
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_API_URL", self.api_url.clone()),
            ("GITHUB_SERVER_URL", self.upstream.clone()),
            ("GITHUB_REPOSITORY", "octo/app".to_owned()),
            ("GITHUB_RUN_ID", "1".to_owned()),
            ("GITHUB_WORKSPACE", world.project().to_string_lossy().into_owned()),
            ("INPUT_GITHUB-TOKEN", "ghs_workflow".to_owned()),
            ("INPUT_COMMENT-AUTHOR", "workflow-bot".to_owned()),
        ];
        let runner = Runner::new(environment, event);
        let mut command = world.command(env!("CARGO_BIN_EXE_stagewright").as_ref());
        command.envs(runner.environment()).arg("ci");
        Run::from(command.output().expect("the program runs"))
    }

    fn comments(&self) -> Vec<String> {
        let url = format!("{}/repos/octo/app/issues/1/comments", self.upstream);
        let answer = Request::new("GET", &url)
            .header("Authorization", "Bearer ghp_maintainer")
            .send()
            .json();
        let comments = answer.as_array().cloned().unwrap_or_default();
        let body = |comment: &Value| comment["body"].as_str().unwrap_or_default().to_owned();
        comments.iter().map(body).collect()
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ended = self.process.wait();
    }
}

#[test]
fn one_comment_is_kept_on_a_github_by_others_and_no_request_breaks_githubs_document() {
    let prism = Prism::start();
    let world = World::new();
    world.manifest_hello();
    let config = format!("state: s3://deploys/stages\n{}", world.read("stagewright.yaml"));
    world.write("stagewright.yaml", &config);
    let event = events::pull_request(1).head(&prism.head).base("main");

    prism.ci(&world, &event).succeeded();
    world.replace("src/handler.py", "hello", "changed");
    prism.ci(&world, &event).succeeded();

    let comments = prism.comments();
    assert_eq!(comments.len(), 1, "{comments:#?}");
    assert!(comments[0].contains("updated function/api"), "{}", comments[0]);
    let log = std::fs::read_to_string(&prism.log).expect("a log");
    let broken: Vec<_> = log.lines().filter(|line| line.contains("Violation: request")).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
