//! What is the same as it was deployed is neither read nor built again, and whatever changed is noticed.
//!
//! The apps here read a file outside of their project, which nobody can know of: without it an import fails, and so does a
//! build. Where it is gone and all goes well, nothing was imported or built.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::http::Request;
use crate::world::{Run, World};

const CONFIG: &str = ".chalice/config.json";

/// Makes the code of a function, if there is weather.
const BUILD: &str = "cat ../weather && mkdir -p out && cp src/* out/";

/// The file outside of the project.
fn weather(world: &World) -> PathBuf {
    world.project().parent().expect("a folder above").join("weather")
}

fn let_there_be_weather(world: &World) {
    fs::write(weather(world), "sunny").expect("it is written");
}

fn no_weather(world: &World) {
    fs::remove_file(weather(world)).expect("it was there");
}

/// A Chalice app that reads the weather when it is imported.
fn chalice() -> World {
    let world = World::new();
    world.chalice_hello();
    let app = world.read("app.py");
    let reading =
        "import os\nwith open(os.path.join(os.path.dirname(__file__), '..', 'weather')) as file:\n    file.read()\n";
    world.write("app.py", &format!("{reading}{app}"));
    world.write("chalicelib/__init__.py", "");
    world.write("vendor/own.py", "x = 1\n");
    let_there_be_weather(&world);
    world
}

/// The same, deployed as `dev`, and the weather gone.
fn deployed_chalice() -> World {
    let world = chalice();
    world.deploy("dev");
    no_weather(&world);
    world.forget_calls();
    world
}

/// A function that a command builds, which reads the weather.
fn built() -> World {
    let world = World::new();
    world.manifest_hello();
    let code = format!("    code: out\n    build: {BUILD}\n    environment: {{ TOKEN: \"${{env:TOKEN}}\" }}\n");
    world.replace("stagewright.yaml", "    code: src\n", &code);
    let_there_be_weather(&world);
    world
}

fn deploy_with(world: &World, token: &str) -> Run {
    world.run_with(&[("TOKEN", token)], &["deploy", "--stage", "dev", "--json"])
}

/// A built function that is deployed from the same files as before: those that the build leaves behind are there as well.
fn deployed_built() -> World {
    let world = built();
    deploy_twice(&world);
    world
}

fn deploy_twice(world: &World) {
    for outcome in ["deployed", "unchanged"] {
        assert_eq!(deploy_with(world, "one").succeeded().json()["outcome"], outcome);
    }
    no_weather(world);
    world.forget_calls();
}

/// The requests since the list of calls was begun anew.
fn calls(world: &World) -> Vec<String> {
    let calls = world.calls().into_iter();
    calls
        .map(|call| format!("{} {}", call.service, call.operation))
        .collect()
}

fn is_noticed(world: &World, what: &str) {
    let run = world.run(&["plan", "--stage", "dev"]);
    assert_eq!(run.code, 2, "{what} was not noticed: {}", run.stdout);
    run.saying(&["the app raised an exception when it was imported"]);
}

fn is_recognised(world: &World, what: &str) {
    let run = world.run(&["plan", "--stage", "dev", "--json"]);
    assert_eq!(run.code, 0, "{what}: {}", run.stderr);
    assert_eq!(run.json()["steps"], json!([]), "{what}");
}

#[test]
fn an_app_that_has_not_changed_is_not_imported_and_one_request_is_made() {
    let world = deployed_chalice();
    let again = world.run(&["deploy", "--stage", "dev", "--json"]).succeeded().json();

    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(calls(&world), ["s3 GetObject"]);
}

#[test]
fn what_is_told_of_an_unchanged_app_is_the_same_however_it_is_known() {
    let world = chalice();
    // Two files say what it requires, and one of them counts: that is worth a warning.
    world.write(
        "pyproject.toml",
        "[project]\nname = 'x'\nversion = '1'\ndependencies = ['idna']\n",
    );
    world.deploy("dev");
    let read = world.run(&["deploy", "--stage", "dev", "--refresh"]).succeeded();
    no_weather(&world);
    let known = world.run(&["deploy", "--stage", "dev"]).succeeded();

    assert!(read.stderr.contains("pyproject.toml"), "{}", read.stderr);
    assert_eq!((known.stdout, known.stderr), (read.stdout, read.stderr));
}

#[test]
fn refresh_reads_an_app_that_has_not_changed() {
    let world = deployed_chalice();
    for command in ["deploy", "plan"] {
        let run = world.run(&[command, "--stage", "dev", "--refresh"]).ended_with(2);
        run.saying(&["the app raised an exception when it was imported"]);
    }
    let_there_be_weather(&world);
    world
        .run(&["deploy", "--stage", "dev", "--refresh"])
        .succeeded()
        .saying(&["unchanged"]);
}

#[test]
fn each_file_that_an_import_or_a_package_can_see_is_noticed_and_so_is_its_way_back() {
    let world = deployed_chalice();
    is_recognised(&world, "an app that nobody touched");
    let files = [
        "app.py",
        "chalicelib/__init__.py",
        "chalicelib/new.py",
        "vendor/own.py",
        "data.json",
        "requirements.txt",
        "uv.lock",
        ".python-version",
        CONFIG,
        ".chalice/policy.json",
    ];
    for file in files {
        let path = world.project().join(file);
        let before = fs::read(&path).ok();
        let text = String::from_utf8(before.clone().unwrap_or_default()).expect("text");
        world.write(file, &format!("{text}\n"));
        is_noticed(&world, file);
        match before {
            Some(before) => fs::write(&path, before).expect("it is written back"),
            None => fs::remove_file(&path).expect("it was there"),
        }
        is_recognised(&world, file);
    }
}

#[test]
fn a_mode_a_name_and_a_folder_are_noticed() {
    let world = deployed_chalice();
    let path = |name: &str| world.project().join(name);
    let mode = |mode| {
        fs::set_permissions(path("vendor/own.py"), fs::Permissions::from_mode(mode)).expect("the mode is set");
    };
    mode(0o755);
    is_noticed(&world, "an executable bit");
    mode(0o644);
    is_recognised(&world, "a former mode");

    fs::rename(path("vendor/own.py"), path("vendor/other.py")).expect("it is renamed");
    is_noticed(&world, "another name");
    fs::rename(path("vendor/other.py"), path("vendor/own.py")).expect("it is renamed");

    fs::create_dir(path("chalicelib/empty")).expect("it is made");
    is_noticed(&world, "a folder");
    fs::remove_dir(path("chalicelib/empty")).expect("it is removed");
    is_recognised(&world, "the same files");
}

#[test]
fn files_outside_of_the_project_that_it_names_are_noticed() {
    let world = chalice();
    let above = world.project().parent().expect("a folder above").to_owned();
    // The project is one of several in a repository.
    fs::create_dir(above.join(".git")).expect("it is made");
    fs::write(above.join("constraints.txt"), "idna<4\n").expect("it is written");
    fs::write(above.join("linked.py"), "x = 1\n").expect("it is written");
    fs::rename(world.project().join(".chalice/policy.json"), above.join("policy.json")).expect("it is moved");
    world.replace(CONFIG, "\"policy.json\"", "\"../../policy.json\"");
    world.write("requirements.txt", "-c ../constraints.txt\n");
    std::os::unix::fs::symlink("../../linked.py", world.project().join("chalicelib/linked.py")).expect("it is linked");
    world.deploy("dev");
    no_weather(&world);

    for (file, other) in [
        ("constraints.txt", "idna<3\n"),
        ("linked.py", "x = 2\n"),
        ("policy.json", "{}"),
        (".python-version", "3.12\n"),
    ] {
        let before = fs::read(above.join(file)).ok();
        is_recognised(&world, file);
        fs::write(above.join(file), other).expect("it is written");
        let run = world.run(&["plan", "--stage", "dev"]);
        assert_ne!(run.code, 0, "{file} was not noticed: {}", run.stdout);
        match before {
            Some(before) => fs::write(above.join(file), before).expect("it is written back"),
            None => fs::remove_file(above.join(file)).expect("it was there"),
        }
    }
}

#[test]
fn what_nobody_imports_changes_nothing() {
    let world = deployed_chalice();
    world.write("chalicelib/__pycache__/x.cpython-311.pyc", "compiled");
    world.write(
        ".pytest_cache/CACHEDIR.TAG",
        "Signature: 8a477f597d28d172789f06886806bc55",
    );
    world.write(".venv/pyvenv.cfg", "home = /usr/bin\n");
    world.write(".chalice/deployed/other.json", "{}");
    is_recognised(&world, "caches and records");
}

#[test]
fn a_link_to_nothing_is_no_reason_to_fail_and_nothing_is_recognised_with_it() {
    let world = chalice();
    std::os::unix::fs::symlink("nowhere", world.project().join("dangling")).expect("it is linked");
    world.deploy("dev");
    world
        .run(&["deploy", "--stage", "dev"])
        .succeeded()
        .saying(&["unchanged"]);
    no_weather(&world);
    is_noticed(&world, "what cannot be told");
}

#[test]
fn what_the_import_is_given_of_the_environment_is_noticed() {
    let world = deployed_chalice();
    let path = std::env::var("PATH").expect("a path");
    let python = world
        .command("sh".as_ref())
        .args(["-c", "printf %s \"$PATH\""])
        .output()
        .expect("it runs");
    let ours = String::from_utf8(python.stdout).expect("text");
    assert!(ours.ends_with(&path));
    for (name, value) in [
        ("PATH", format!("{ours}:/nowhere")),
        ("UV_INDEX", "https://example.com/simple".to_owned()),
    ] {
        let run = world.run_with(&[(name, &value)], &["plan", "--stage", "dev"]);
        assert_ne!(run.code, 0, "{name} was not noticed: {}", run.stdout);
    }
    let run = world.run_with(&[("UNRELATED", "1")], &["plan", "--stage", "dev"]);
    run.succeeded();
}

#[test]
fn after_a_deploy_that_failed_the_app_is_read_again() {
    let world = chalice();
    world.deploy("dev");
    let config = world.read(CONFIG);
    world.write(CONFIG, &config.replacen('{', "{\"lambda_memory_size\": 512,", 1));
    let refused = json!({"status": 403, "code": "AccessDeniedException", "message": "no"});
    world.order_faults(&json!([{"operation": "UpdateFunctionConfiguration", "answer": refused}]));
    world.run(&["deploy", "--stage", "dev"]).ended_with(1);
    world.order_faults(&json!([]));
    world.write(CONFIG, &config);
    no_weather(&world);
    is_noticed(&world, "a failed deploy");
}

#[test]
fn after_a_restore_the_app_is_read_again() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    world.write("former.json", &world.read(".chalice/deployed/dev.json"));
    world.deploy("dev");
    world
        .run(&["restore", "--stage", "dev", "--file", "former.json", "--yes"])
        .succeeded();
    world.forget_calls();
    world.deploy("dev");
    let asked = calls(&world);
    assert!(asked.iter().any(|call| call.starts_with("lambda ")), "{asked:?}");
}

#[test]
fn what_is_deployed_counts_and_not_only_what_it_was_made_from() {
    let world = deployed_chalice();
    let mut state = world.state("hello", "dev");
    state["stagewright"]["deployed"]["function/api_handler"]["resource"]["memory_mib"] = json!(512);
    world.write_state("hello", "dev", &state.to_string());
    is_noticed(&world, "another function");
}

#[test]
fn more_memory_is_one_change_and_no_code_is_sent_or_looked_for() {
    let world = chalice();
    world.deploy("dev");
    world.write(
        CONFIG,
        &world.read(CONFIG).replacen('{', "{\"lambda_memory_size\": 512,", 1),
    );
    world.forget_calls();
    world.run(&["deploy", "--stage", "dev"]).succeeded();

    assert_eq!(world.mutations(), ["UpdateFunctionConfiguration hello-dev"]);
    let zips = world
        .calls()
        .into_iter()
        .filter(|call| call.target.contains("/artifacts/"));
    assert_eq!(
        zips.map(|call| call.operation).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

#[test]
fn a_build_is_not_run_again_while_all_that_it_can_read_is_the_same() {
    let world = deployed_built();
    let again = deploy_with(&world, "one").succeeded().json();
    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(calls(&world), ["s3 GetObject"]);

    world.write("anywhere.txt", "x");
    deploy_with(&world, "one").ended_with(2).saying(&["weather"]);
}

#[test]
fn a_setting_or_secret_is_changed_without_a_build() {
    let world = deployed_built();
    let other = deploy_with(&world, "two").succeeded().json();
    assert_eq!(causes(&other).len(), 1, "{other:#}");
    assert_eq!(world.mutations(), ["UpdateFunctionConfiguration greeter-dev-api"]);
    let state = world.state("greeter", "dev").to_string();
    assert!(!state.contains("two"), "{state}");
}

#[test]
fn what_was_recognised_is_built_where_aws_needs_the_code() {
    let world = built();
    let two = format!("  two: {{ runtime: python3.11, handler: handler.answer, code: out, build: \"{BUILD}\" }}\n");
    world.replace("stagewright.yaml", "routes:\n", &format!("{two}routes:\n"));
    deploy_twice(&world);
    // As if somebody had removed one of its functions. What the manifest says is an input of the build, and stays.
    let function = world.endpoint("/2015-03-31/functions/greeter-dev-two");
    let removed = Request::new("DELETE", &function).signed("lambda", "test").send();
    assert_eq!(removed.status / 100, 2, "{}", removed.text());
    let mut state = world.state("greeter", "dev");
    let deployed = state["stagewright"]["deployed"].as_object_mut().expect("a map");
    deployed.remove("function/two").expect("it is deployed");
    world.write_state("greeter", "dev", &state.to_string());
    world.forget_calls();

    // Whoever only plans has no need of the code.
    let plan = world.run_with(&[("TOKEN", "one")], &["plan", "--stage", "dev"]);
    plan.succeeded().saying(&["create function/two"]);
    deploy_with(&world, "one").ended_with(2).saying(&["weather"]);
    assert_eq!(world.mutations(), Vec::<String>::new());
    let_there_be_weather(&world);
    assert_eq!(deploy_with(&world, "one").succeeded().json()["outcome"], "deployed");
    assert_eq!(world.mutations(), ["CreateFunction greeter-dev-two"]);
    no_weather(&world);
    assert_eq!(deploy_with(&world, "one").succeeded().json()["outcome"], "unchanged");
}

#[test]
fn another_stage_knows_no_build_of_the_first_and_takes_none_from_it() {
    let world = deployed_built();
    let_there_be_weather(&world);
    let run = world.run_with(&[("TOKEN", "one")], &["deploy", "--stage", "prod", "--json"]);
    assert_eq!(run.succeeded().json()["outcome"], "deployed");
    no_weather(&world);
    assert_eq!(deploy_with(&world, "one").succeeded().json()["outcome"], "unchanged");
}

fn causes(report: &Value) -> Vec<String> {
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().map(|step| step["causes"].to_string()).collect()
}
