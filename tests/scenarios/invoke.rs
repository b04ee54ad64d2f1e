//! Invoking a function by hand: what it is given, what is printed, and what is told when it fails.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::{Call, Run, Started, World};

const MANIFEST: &str = "\
app: greeter
functions:
  greet: { runtime: python3.11, handler: handler.greet, code: src }
  count: { runtime: python3.11, handler: handler.count, code: src }
";

const HANDLER: &str = r#"
def greet(event, context):
    print("greeting", event.get("who"))
    return {"hello": event["who"]}


def count(event, context):
    return len(event)
"#;

fn greeter() -> World {
    let world = World::new();
    world.write("stagewright.yaml", MANIFEST);
    world.write("src/handler.py", HANDLER);
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    world.forget_calls();
    world
}

fn invocations(world: &World) -> usize {
    let is_one = |call: &Call| call.operation == "Invoke";
    world.calls().into_iter().filter(is_one).count()
}

fn with_input(world: &World, input: &str, arguments: &[&str]) -> Run {
    let mut command = world.program();
    command.args(arguments).stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("it reads");
    drop(pipe);
    Run::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn the_answer_alone_is_printed_wherever_the_payload_comes_from() {
    let world = greeter();
    world.write("ann.json", r#"{"who": "ann"}"#);
    let greet = ["invoke", "-n", "greet"];
    let ann = "{\"hello\": \"ann\"}\n";
    let by_flag = world.run(&[&greet[..], &["--payload", r#"{"who": "ann"}"#]].concat());
    assert_eq!(by_flag.succeeded().stdout, ann);
    let by_file = world.run(&[&greet[..], &["--payload", "@ann.json"]].concat());
    assert_eq!(by_file.succeeded().stdout, ann);
    assert_eq!(with_input(&world, r#"{"who": "ann"}"#, &greet).succeeded().stdout, ann);
    let by_dash = with_input(&world, r#"{"who": "ann"}"#, &[&greet[..], &["--payload", "-"]].concat());
    assert_eq!(by_dash.succeeded().stdout, ann);
    // Nothing on standard input is an empty object.
    assert_eq!(world.run(&["invoke", "-n", "count"]).succeeded().stdout, "0\n");
}

#[test]
fn as_json_the_answer_stands_beside_the_name_of_its_function() {
    let world = greeter();
    let said = world.run(&[
        "--json",
        "invoke",
        "-n",
        "greet",
        "--logs",
        "--payload",
        r#"{"who": "ann"}"#,
    ]);
    let mut said = said.succeeded().json();
    let tail = said["log_tail"].take();
    assert!(
        tail.as_str().is_some_and(|tail| tail.contains("greeting ann")),
        "{tail}"
    );
    let answer = json!({
        "app": "greeter",
        "stage": "dev",
        "function": "greet",
        "status": 200,
        "payload": {"hello": "ann"},
        "log_tail": null,
    });
    assert_eq!(said, answer);
}

#[test]
fn the_end_of_the_log_is_kept_apart_from_the_answer() {
    let world = greeter();
    let run = world.run(&["invoke", "-n", "greet", "--logs", "--payload", r#"{"who": "ann"}"#]);
    let run = run.succeeded();
    assert_eq!(run.stdout, "{\"hello\": \"ann\"}\n");
    assert!(run.stderr.contains("greeting ann"), "{}", run.stderr);
}

#[test]
fn what_a_function_raises_is_told_and_is_no_answer() {
    let world = greeter();
    let run = world.run(&["invoke", "-n", "greet"]).ended_with(1);
    assert_eq!(run.stdout, "");
    // The emulator calls every exception of Python `Runtime.HandlerError`, and gives no trace.
    let message = "function `greet` raised Runtime.HandlerError: 'who'";
    run.saying(&[message, "stagewright logs --stage dev --name greet"]);

    let said = world.run(&["--json", "invoke", "-n", "greet"]).ended_with(1).json();
    assert_eq!(said["payload"]["errorMessage"], "'who'", "{said}");
    assert_eq!(said["error"]["exit_code"], 1, "{said}");
    assert_eq!(said["error"]["message"], message);
}

#[test]
fn an_unknown_function_is_told_with_those_that_there_are() {
    let world = greeter();
    let run = world.run(&["invoke", "-n", "gret"]).ended_with(2);
    run.saying(&["stage `dev` of app `greeter` has no function `gret`"])
        .saying(&["did you mean `greet`?", "it has `count`, `greet`"]);
    let run = world.run(&["invoke"]).ended_with(2);
    run.saying(&["several functions, and none is named", "`count`, `greet`"]);
    let run = world.run(&["invoke", "--stage", "nowhere"]).ended_with(2);
    run.saying(&["nothing is recorded of stage `nowhere`"]);
    assert_eq!(invocations(&world), 0);
}

#[test]
fn the_routes_of_a_chalice_app_are_invoked_where_nothing_is_named() {
    let world = World::new();
    world.chalice_hello();
    world.replace(
        "app.py",
        "@app.route",
        "@app.lambda_function()\ndef other(event, context):\n    return 'other'\n\n\n@app.route",
    );
    world.deploy("dev");
    let event = json!({
        "requestContext": {"resourcePath": "/", "httpMethod": "GET"},
        "headers": {},
        "multiValueQueryStringParameters": null,
        "pathParameters": {},
        "body": null,
        "stageVariables": null,
        "isBase64Encoded": false,
    });
    let run = world.run(&["invoke", "--payload", &event.to_string()]).succeeded();
    let answer: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(answer["body"], r#"{"hello":"world"}"#, "{answer}");
    assert_eq!(world.run(&["invoke", "-n", "other"]).succeeded().stdout, "\"other\"\n");
}

#[test]
fn a_payload_that_is_not_json_reaches_no_function() {
    let world = greeter();
    let run = world
        .run(&["invoke", "-n", "greet", "--payload", "{who: ann}"])
        .ended_with(2);
    run.saying(&["the payload of --payload is not JSON"]);
    let run = world
        .run(&["invoke", "-n", "greet", "--payload", "@nowhere.json"])
        .ended_with(2);
    run.saying(&["the payload of nowhere.json cannot be read"]);
    let run = with_input(&world, "hello", &["invoke", "-n", "greet"]).ended_with(2);
    run.saying(&["the payload of standard input is not JSON"]);
    assert_eq!(invocations(&world), 0);
}

#[test]
fn no_invocation_is_made_twice() {
    let throttled = json!({"status": 429, "code": "TooManyRequestsException", "message": "on order"});
    let broken = json!({"status": 500, "code": "ServiceException", "message": "on order"});
    for answer in [throttled, broken, json!("close")] {
        let world = greeter();
        world.order_faults(&json!([{"operation": "Invoke", "answer": answer, "times": 9, "when": "after"}]));
        world.run(&["invoke", "-n", "count"]).ended_with(1);
        assert_eq!(invocations(&world), 1, "{answer}");
    }
}

#[test]
fn who_gets_no_answer_is_told_that_the_function_may_have_run() {
    let world = greeter();
    world.order_faults(&json!([{"operation": "Invoke", "answer": "close", "when": "after"}]));
    let run = world.run(&["invoke", "-n", "count"]).ended_with(1);
    run.saying(&[
        "it may have run all the same",
        "stagewright logs --stage dev --name count",
    ]);

    let denied = json!({"status": 403, "code": "AccessDeniedException", "message": "on order"});
    world.order_faults(&json!([{"operation": "Invoke", "answer": denied}]));
    let run = world.run(&["invoke", "-n", "count"]).ended_with(1);
    run.saying(&["allow `lambda:InvokeFunction` on `arn:aws:lambda:"]);
}

#[test]
fn ctrl_c_ends_the_wait_and_says_that_the_function_goes_on() {
    let world = greeter();
    world.order_faults(&json!([{"operation": "Invoke", "answer": "hold", "when": "after"}]));
    let ann = Started::new(world.program().args(["invoke", "-n", "count"]));
    world.await_held();
    ann.signal("INT");
    let run = ann.ended().ended_with(5);
    run.saying(&["stopped by a signal", "function `count` goes on"]);
    world.release();
}
