//! `check`, which finds what is wrong without AWS, and `new`, whose app deploys as it stands.

use serde_json::json;

use crate::world::World;

#[test]
fn an_app_without_faults_checks_out_and_aws_is_not_asked() {
    let world = World::new();
    world.chalice_guestbook();
    world.run(&["check"]).succeeded();
    assert!(world.calls().is_empty(), "{:#?}", world.calls());
}

#[test]
fn every_finding_is_shown_at_once_with_file_and_line() {
    let world = World::new();
    world.manifest_hello();
    world.replace("stagewright.yaml", "code: src", "code: nowhere\n    memory_mib: 64");
    world.replace("stagewright.yaml", "GET /: api", "GET /: nobody");
    world
        .run(&["check"])
        .ended_with(2)
        .saying(&["stagewright.yaml", "nowhere", "64", "nobody"]);
}

#[test]
fn a_misspelt_key_is_found_and_the_right_one_suggested() {
    let world = World::new();
    world.manifest_hello();
    world.replace("stagewright.yaml", "code: src", "code: src\n    memroy_mib: 256");
    world
        .run(&["check"])
        .ended_with(2)
        .saying(&["stagewright.yaml:7", "memroy_mib", "memory_mib"]);
}

#[test]
fn a_name_too_long_for_one_configured_stage_is_found() {
    let world = World::new();
    world.chalice_hello();
    let config = world.read(".chalice/config.json");
    let stages = json!({"s".repeat(62): {}}).to_string();
    world.write(
        ".chalice/config.json",
        &config.replacen('{', &format!("{{\"stages\": {stages},"), 1),
    );
    world.run(&["check"]).ended_with(2).saying(&["64"]);
}

/// The only error that `check` tells of the project, which it must refuse without AWS.
fn only_error(world: &World) -> String {
    let run = world.run(&["check"]).ended_with(2).saying(&["1 error found"]);
    let lines = run.stdout.lines();
    let errors: Vec<&str> = lines.filter_map(|line| line.strip_prefix("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", run.stdout);
    assert!(world.calls().is_empty(), "{:#?}", world.calls());
    errors[0].to_owned()
}

/// Declarations from the third line of `app.py` on, and the beginning of what is told about them.
const BAD_APPS: [(&str, &str); 16] = [
    (
        "raise KeyError('GONE')",
        "app.py:3:1: the app raised an exception when it was imported: KeyError: 'GONE'",
    ),
    (
        "import sys\nsys.exit(3)",
        "app.py:4:1: the app ends the process when it is imported: sys.exit(3)",
    ),
    (
        "import socket\nsocket.create_connection(('127.0.0.1', 1))",
        "app.py:4:1: the app raised an exception when it was imported: ConnectionRefusedError",
    ),
    ("app = 7", "app.py: `app` must be a `Chalice`, and is a `int`"),
    (
        "@app.lambda_function()\ndef a(e, c): pass\n@app.lambda_function(name='a')\ndef b(e, c): pass",
        "app.py:5:1: there is another function called `a`",
    ),
    (
        "@app.lambda_function()\ndef api_handler(e, c): pass",
        "app.py:3:1: a function cannot be called `api_handler`",
    ),
    (
        "@app.lambda_function(name='default-role')\ndef a(e, c): pass",
        "app.py:3:1: a function cannot be called `default-role`",
    ),
    (
        "@app.lambda_function()\ndef a(e, c): pass\ndel a",
        "app.py:3:1: function `a`: Lambda will not find its handler `app.a`",
    ),
    (
        "@app.lambda_function(name=5)\ndef a(e, c): pass",
        "app.py:3:1: the name of a function must be text, and is 5",
    ),
    (
        "@app.schedule(Rate('x', unit=Rate.MINUTES))\ndef a(e): pass",
        "app.py:3:1: `schedule_expression` of function `a`: `rate(x minutes)` is no schedule",
    ),
    (
        "@app.schedule(Rate(1, unit=60))\ndef a(e): pass",
        "app.py:3:1: function `a`: Rate(value=1, unit=60) is no schedule",
    ),
    (
        "@app.on_sqs_message(queue='q', batch_size='10')\ndef a(e): pass",
        "app.py:3:1: `batch_size` of function `a` must be a whole number, and is the text \"10\"",
    ),
    (
        "@app.on_s3_event(bucket='')\ndef a(e): pass",
        "app.py:3:1: `bucket` of function `a`: `` is not the name of a bucket",
    ),
    (
        "@app.on_sns_message(topic=object)\ndef a(e): pass",
        "app.py:3:1: function `a`: `topic` must be text, a number or a list, and is <class 'object'>",
    ),
    (
        "@app.on_ws_connect()\ndef a(e): pass",
        "app.py:3:1: the app uses Chalice's experimental feature `WEBSOCKETS` and does not ask for it",
    ),
    (
        "@app.on_sqs_message()\ndef a(e): pass",
        "app.py:3:1: the app raised an exception when it was imported: ValueError: Must provide either `queue`",
    ),
];

#[test]
fn a_chalice_app_that_cannot_be_deployed_has_one_error_at_its_line() {
    let world = World::new();
    world.chalice_hello();
    for (declared, told) in BAD_APPS {
        let app = format!("from chalice import Chalice, Rate\napp = Chalice(app_name='hello')\n{declared}\n");
        world.write("app.py", &app);
        let error = only_error(&world);
        assert!(error.starts_with(told), "{declared}\n{error}");
    }
}

#[test]
fn a_chalice_config_that_cannot_be_deployed_has_one_error_at_its_line() {
    let world = World::new();
    world.chalice_hello();
    world.write(".chalice/broken.json", "{\"Version\": ");
    for (settings, told) in [
        (
            r#""lambda_timeout": "60""#,
            "`lambda_timeout` must be a whole number of seconds",
        ),
        (
            r#""environment_variables": {"DEBUG": true}"#,
            "`environment_variables.DEBUG` must be text, and is true",
        ),
        (
            r#""subnet_ids": ["subnet-1"]"#,
            "function `api_handler` has half of a VPC",
        ),
        (
            r#""autogen_policy": false, "iam_policy_file": "broken.json""#,
            "policy file `.chalice/broken.json`: it is no JSON",
        ),
        (r#""log_retention_in_days": 8"#, "a log cannot be kept for 8 days"),
        (
            r#""api_gateway_custom_domain": {"domain_name": "a.b"}"#,
            "`api_gateway_custom_domain` has no `certificate_arn`",
        ),
        (r#""automatic_layer": "yes""#, "`automatic_layer` must be true or false"),
    ] {
        world.write(
            ".chalice/config.json",
            &format!("{{\n  \"app_name\": \"hello\",\n  {settings}\n}}\n"),
        );
        let error = only_error(&world);
        assert!(
            error.starts_with(".chalice/config.json:3:") && error.contains(told),
            "{settings}\n{error}"
        );
    }
}

#[test]
fn what_an_app_prints_or_leaves_running_keeps_nothing_from_being_read() {
    let world = World::new();
    world.chalice_hello();
    let noise = "import sys, threading, time\nprint('{')\nprint('error', file=sys.stderr)\n\
                 threading.Thread(target=time.sleep, args=(600,)).start()\nsys.stdout.close()\n";
    world.write("app.py", &format!("{noise}{}", world.read("app.py")));
    world.run(&["check"]).succeeded();
}

#[test]
fn an_app_without_routes_may_be_a_websocket_api_with_functions_of_events() {
    let world = World::new();
    world.copy("tests/fixtures/chalice/called");
    world.run(&["check"]).succeeded().saying(&["Checked dev, prod"]);
}

#[test]
fn what_calls_a_chalice_app_and_what_it_is_found_under_is_planned() {
    let world = World::new();
    for (app, planned) in [
        (
            "called",
            &[
                "rule/hourly-event",
                "rule/stopped-event",
                "notification/changed-s3event@reports",
                "subscription/alarmed-sns-subscription@alarms",
                "event_source_mapping/orders-work-sqs-event-source@orders.fifo",
                "event_source_mapping/mailed-sqs-event-source@mails",
                "v2_api/websocket_api",
                "domain_name/websocket_api_custom_domain@talk.example.com",
                "log_group/plain-log-group",
            ][..],
        ),
        (
            "layered",
            &[
                "layer/managed-layer@",
                "domain_name/api_gateway_custom_domain@prod.example.com",
                "log_group/api_handler-log-group",
            ],
        ),
    ] {
        world.copy(&format!("tests/fixtures/chalice/{app}"));
        world.run(&["plan", "--stage", "prod"]).succeeded().saying(planned);
    }
}

#[test]
fn a_new_chalice_app_deploys_as_it_stands() {
    a_new_app_deploys("chalice");
}

#[test]
fn a_new_manifest_app_deploys_as_it_stands() {
    a_new_app_deploys("manifest");
}

fn a_new_app_deploys(template: &str) {
    let world = World::with_folder_state();
    world.run(&["new", "fresh", "--template", template]).succeeded();
    let url = world.run(&["--project-dir", "fresh", "deploy"]).succeeded().last_word();
    assert_eq!(world.get(&url).status, 200);
}
