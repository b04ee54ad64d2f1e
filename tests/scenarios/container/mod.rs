//! The action's container: the real Dockerfile, built and run as GitHub's runner does it, and the shipped workflow, run by
//! `act`. Where no engine can be had, these say `SKIPPED`; base images are stood in for, so that no registry is asked.

mod engine;
mod runner;
mod workflow;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::github::GitHub;
use crate::github::events::{self, Event};
use crate::world::World;

use self::engine::{Built, Engine, both, copy, engine, in_checkout, succeed};
use self::runner::{Machine, push};

/// The image that the Dockerfile makes of the checkout, with the program under test in it.
fn image(engine: &Engine) -> String {
    engine.lets_rust_build(Built::Program);
    engine.build_action("Dockerfile", &in_checkout("."))
}

#[test]
fn an_image_is_built_from_a_checkout_and_starts_the_program() {
    let Some(engine) = engine() else { return };
    let image = image(&engine);
    let run = Machine::new("push", &push("main"), &[]).run(&engine, &image, &["--version"]);
    assert!(run.status.success(), "{}", both(&run));
    assert_eq!(
        String::from_utf8_lossy(&run.stdout),
        format!("stagewright {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn an_image_of_a_release_is_built_around_a_binary_without_running_anything() {
    let Some(engine) = engine() else { return };
    engine.lets_rust_build(Built::Program);
    let folder = TempDir::new().unwrap();
    for file in ["Dockerfile.prebuilt", ".dockerignore"] {
        copy(&in_checkout(file), &folder.path().join(file));
    }
    fs::create_dir(folder.path().join("dist")).unwrap();
    copy(&engine.program, &folder.path().join("dist/stagewright-linux-here"));
    let mut build = engine.docker(&["build", "--network", "none", "--build-arg", "TARGETARCH=here"]);
    build.args(["--tag", "stagewright-tests-release:1", "--file"]);
    succeed(build.arg(folder.path().join("Dockerfile.prebuilt")).arg(folder.path()));
    let run = Machine::new("push", &push("main"), &[]).run(&engine, "stagewright-tests-release:1", &["--version"]);
    assert!(run.status.success(), "{}", both(&run));
}

#[test]
fn the_image_leaves_user_and_working_directory_to_the_runner_and_starts_no_shell() {
    let Some(engine) = engine() else { return };
    let image = image(&engine);
    let said = succeed(&mut engine.docker(&["image", "inspect", "--format", "{{json .Config}}", &image]));
    let config: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(config["Entrypoint"], json!(["/usr/local/bin/stagewright"]));
    for nothing in ["User", "WorkingDir", "Cmd"] {
        let value = &config[nothing];
        assert!(value.is_null() || *value == "", "{nothing} is {value}");
    }
}

#[test]
fn uv_and_python_in_the_image_are_for_every_user() {
    let Some(engine) = engine() else { return };
    let image = image(&engine);
    for (tool, arguments) in [
        ("uv", ["--no-cache", "--version"]),
        ("python3", ["-c", "import ssl, zipfile"]),
    ] {
        let mut run = engine.docker(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--user",
            "nobody",
            "--entrypoint",
            tool,
        ]);
        succeed(run.arg(&image).args(arguments));
    }
}

#[test]
fn a_cancelled_job_stops_the_program_with_its_own_exit_code() {
    let Some(engine) = engine() else { return };
    let image = image(&engine);
    // It takes the request and never answers, so the program is at work when the signal comes.
    let aws = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut machine = Machine::new("push", &push("main"), &[]);
    machine.set("AWS_ENDPOINT_URL", &format!("http://{}", aws.local_addr().unwrap()));
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ] {
        machine.set(name, value);
    }
    let arguments = ["stages", "--app", "shop", "--state", "s3://deploys/stages"];
    let mut run = machine.start(&engine, &image, &arguments).spawn().unwrap();
    let address = aws.local_addr().unwrap();
    let ended = thread::spawn(move || {
        let status = run.wait().unwrap();
        // One that ends before it asks shall fail this test, and not let it wait for ever.
        drop(TcpStream::connect(address));
        status
    });
    let asked = aws.accept().unwrap();
    succeed(&mut engine.docker(&["kill", "--signal", "INT", "action"]));
    let status = ended.join().unwrap();
    drop(asked);
    assert_eq!(status.code(), Some(5));
}

#[test]
fn a_push_is_decided_in_the_container_by_files_of_the_job_alone() {
    let Some(engine) = engine() else { return };
    let image = image(&engine);
    let machine = Machine::new("push", &push("develop"), &[("project-dir", "services/shop")]);
    machine.write(
        "workspace/services/shop/stagewright.yaml",
        "app: shop\nstate: s3://deploys/stages\nbranches: { main: prod, develop: beta }\n\
         functions: { api: { runtime: python3.13, handler: app.answer, code: src } }\n",
    );
    let run = machine.run(&engine, &image, &["ci", "--decide"]);
    assert!(run.status.success(), "{}", both(&run));
    let decision: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(decision["decision"], "deploy");
    assert_eq!(decision["stage"], "beta");
}

/// Runs the action's container for an event, with AWS and GitHub at hand.
fn ci(engine: &Engine, image: &str, (world, github): (&World, &GitHub), event: &Event) -> String {
    let mut machine = Machine::new(event.name, &event.payload, &[]);
    for (name, value) in github.environment().into_iter().chain(event.variables()) {
        machine.set(name, &value);
    }
    for (name, value) in [
        ("AWS_ENDPOINT_URL", world.endpoint("").as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ] {
        machine.set(name, value);
    }
    for path in ["stagewright.yaml", "src/handler.py"] {
        machine.write(&format!("workspace/{path}"), &world.read(path));
    }
    let run = machine.run(engine, image, &["ci"]);
    assert!(run.status.success(), "{}", both(&run));
    machine.read("_runner_file_commands/output")
}

#[test]
fn the_container_deploys_a_preview_comments_on_it_and_removes_it() {
    let Some(engine) = engine() else { return };
    let image = image(&engine);
    let (world, github) = (World::new(), GitHub::start());
    world.manifest_hello();
    let config = format!("state: s3://deploys/stages\n{}", world.read("stagewright.yaml"));
    world.write("stagewright.yaml", &config);
    github.set_file("stagewright.yaml", &config);
    let head = "ab".repeat(20);
    github.open_pull_request(7, &head, "main");
    let opened = events::pull_request(7).head(&head).base("main");

    let outputs = ci(&engine, &image, (&world, &github), &opened);
    assert!(outputs.contains("deployed"), "{outputs}");
    assert!(
        world.names_in_aws().contains("functions/greeter-pr-7-api"),
        "{:?}",
        world.names_in_aws()
    );
    assert!(github.comments(7)[0].body.contains("ready"), "{:?}", github.comments(7));

    github.close(7);
    ci(
        &engine,
        &image,
        (&world, &github),
        &events::pull_request(7).head(&head).base("main").closed().target(),
    );
    assert!(!world.names_in_aws().iter().any(|name| name.contains("pr-7")));
    assert!(
        github.comments(7)[0].body.contains("removed"),
        "{:?}",
        github.comments(7)
    );
}
