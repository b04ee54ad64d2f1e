//! Logs: whose lines are shown, in which order, and what following them shows.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::http::Request;
use crate::world::{Started, World};

const MANIFEST: &str = "\
app: greeter
functions:
  greet: { runtime: python3.11, handler: handler.answer, code: src }
  ring: { runtime: python3.11, handler: handler.answer, code: src }
";

const HANDLER: &str = "
def answer(event, context):
    print(event['say'])
";

fn greeter() -> World {
    let world = World::new();
    deploy_greeter(&world);
    world
}

fn deploy_greeter(world: &World) {
    world.write("stagewright.yaml", MANIFEST);
    world.write("src/handler.py", HANDLER);
    world.run(&["deploy", "--stage", "dev"]).succeeded();
}

fn have_said(world: &World, function: &str, text: &str) {
    let payload = json!({"say": text}).to_string();
    let run = world.run(&["invoke", "-n", function, "--payload", &payload]);
    run.succeeded();
}

/// Has a function log texts at a moment, as Lambda would.
fn log(world: &World, at_ms: i64, texts: &[&str]) {
    let (group, stream) = ("/aws/lambda/greeter-dev-greet", "instance");
    let events: Vec<Value> = texts
        .iter()
        .map(|text| json!({"timestamp": at_ms, "message": text}))
        .collect();
    let named = json!({"logGroupName": group, "logStreamName": stream});
    let put = json!({"logGroupName": group, "logStreamName": stream, "logEvents": events});
    let url = world.endpoint("/");
    // A group and a stream that are there already are refused, and serve as well.
    for (operation, body) in [
        ("CreateLogGroup", json!({"logGroupName": group})),
        ("CreateLogStream", named),
        ("PutLogEvents", put),
    ] {
        Request::new("POST", &url)
            .signed("logs", "test")
            .header("X-Amz-Target", &format!("Logs_20140328.{operation}"))
            .header("Content-Type", "application/x-amz-json-1.1")
            .body(body.to_string().as_bytes())
            .send();
    }
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a clock").as_millis().try_into().expect("a moment")
}

/// The lines without their moments.
fn untimed(text: &str) -> Vec<&str> {
    let untimed = |line| str::split_once(line, " UTC  ").map_or("", |(_, rest)| rest);
    text.lines().map(untimed).collect()
}

/// A program that is followed line by line.
struct Following {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Following {
    fn begin(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.program();
        let command = command.args(["logs", "--follow"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("text");
        untimed(&line).join("")
    }

    /// Ends it by Ctrl-C. Returns what it said until then, and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "INT", &id]).status();
        assert!(sent.expect("kill runs").success());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("text");
        (rest, self.child.wait().expect("it ends").code())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // Nothing to kill where it has ended.
        let _killed = self.child.kill();
    }
}

#[test]
fn lines_of_several_functions_stand_in_the_order_of_time_with_their_names() {
    let world = greeter();
    have_said(&world, "greet", "one");
    have_said(&world, "ring", "two");
    have_said(&world, "greet", "three");

    let all = world.run(&["logs"]).succeeded().stdout;
    assert_eq!(untimed(&all), ["greet  one", "ring   two", "greet  three"], "{all}");
    let one = world.run(&["logs", "-n", "greet"]).succeeded().stdout;
    assert_eq!(untimed(&one), ["one", "three"], "{one}");
    let last = world.run(&["logs", "-n", "all", "--lines", "1"]).succeeded().stdout;
    assert_eq!(untimed(&last), ["greet  three"], "{last}");
    let said = world.run(&["--json", "logs"]).succeeded().json();
    assert_eq!(said["events"][1]["function"], "ring", "{said}");
    assert_eq!(said["events"][1]["message"], "two", "{said}");
}

#[test]
fn what_lambda_itself_writes_is_shown_only_where_it_is_wanted() {
    let world = greeter();
    have_said(&world, "greet", "one");
    let all = world
        .run(&["logs", "-n", "greet", "--runtime-lines"])
        .succeeded()
        .stdout;
    let lines = untimed(&all);
    assert!(lines.contains(&"one"), "{all}");
    for beginning in ["START RequestId", "END RequestId", "REPORT RequestId"] {
        assert!(lines.iter().any(|line| line.starts_with(beginning)), "{all}");
    }
}

#[test]
fn what_was_logged_before_the_moment_that_is_given_is_left_out() {
    let world = greeter();
    log(&world, now_ms() - 2 * 3_600_000, &["long ago"]);
    log(&world, now_ms(), &["now"]);
    assert_eq!(
        untimed(&world.run(&["logs", "-n", "greet"]).succeeded().stdout),
        ["now"]
    );
    let since = world.run(&["logs", "-n", "greet", "--since", "1d"]).succeeded().stdout;
    assert_eq!(untimed(&since), ["long ago", "now"]);
    let later = world.run(&["logs", "-n", "greet", "--since", "2099-01-01"]).succeeded();
    assert_eq!(later.stdout, "");
    later.saying(&["`greet` logged nothing since 2099-01-01 00:00:00 UTC"]);
    world
        .run(&["logs", "--since", "soon"])
        .ended_with(2)
        .saying(&["write it like 10m"]);
}

#[test]
fn a_function_that_never_ran_has_no_log_and_that_is_no_error() {
    let world = greeter();
    let run = world.run(&["logs", "-n", "greet"]).succeeded();
    assert_eq!(run.stdout, "");
    run.saying(&["there is no log of `greet` yet"]);
    let run = world.run(&["logs", "-n", "gret"]).ended_with(2);
    run.saying(&["has no function `gret`", "did you mean `greet`?"]);
}

#[test]
fn who_follows_sees_each_line_once_as_it_comes_and_ends_it_by_ctrl_c() {
    let world = greeter();
    // Nothing is there yet, and that is no reason to end.
    let mut following = Following::begin(&world, &["-n", "greet"]);
    let moment = now_ms();
    log(&world, moment, &["a", "b", "b"]);
    let seen = [following.line(), following.line(), following.line()];
    assert_eq!(seen, ["a", "b", "b"]);
    // Of the same moment, of an earlier one, and of a later one.
    log(&world, moment, &["c"]);
    assert_eq!(following.line(), "c");
    log(&world, moment - 1_000, &["late"]);
    assert_eq!(following.line(), "late");
    log(&world, moment + 1, &["d"]);
    assert_eq!(following.line(), "d");
    assert_eq!(following.end(), (String::new(), Some(0)));
}

#[test]
fn who_follows_goes_on_when_the_network_comes_back() {
    let world = greeter();
    log(&world, now_ms(), &["before"]);
    let mut following = Following::begin(&world, &["-n", "greet"]);
    assert_eq!(following.line(), "before");
    world.order_faults(&json!([{"operation": "FilterLogEvents", "answer": "close", "times": 3}]));
    log(&world, now_ms(), &["after"]);
    assert_eq!(following.line(), "after");
    assert_eq!(following.end().1, Some(0));
    assert_eq!(world.faults_of(""), 3);
}

#[test]
fn who_follows_ends_when_nobody_reads_any_more() {
    let world = greeter();
    log(&world, now_ms(), &["first"]);
    world.order_faults(&json!([{"operation": "FilterLogEvents", "answer": "hold", "skip": 1}]));
    let mut command = world.program();
    let shell = "\"$0\" \"$@\" | head -n 1";
    let program = command.get_program().to_owned();
    command.args(["logs", "--follow", "-n", "greet"]);
    let mut piped = world.command("sh".as_ref());
    piped.args(["-c", shell]).arg(program).args(command.get_args());
    let piped = Started::new(&mut piped);
    // It hears of that at its next line, as any program does.
    world.await_held();
    log(&world, now_ms(), &["second"]);
    world.release();
    assert_eq!(untimed(&piped.ended().succeeded().stdout), ["first"]);
}

#[test]
fn a_stage_of_another_account_is_not_one_without_logs() {
    let world = World::with_folder_state();
    deploy_greeter(&world);
    have_said(&world, "greet", "one");
    let run = world
        .run_with(&[("AWS_ACCESS_KEY_ID", "000000000042")], &["logs"])
        .ended_with(2);
    run.saying(&["stands in account `000000000000`, and this run is in `000000000042`"]);
}

#[test]
fn too_many_readers_are_waited_for() {
    let world = greeter();
    log(&world, now_ms(), &["one"]);
    let throttled = json!({"status": 400, "code": "ThrottlingException", "message": "on order"});
    world.order_faults(&json!([{"operation": "FilterLogEvents", "answer": throttled, "times": 4}]));
    let run = world.run(&["logs", "-n", "greet"]).succeeded();
    assert_eq!(untimed(&run.stdout), ["one"]);
}

#[test]
fn who_may_not_read_logs_is_told_what_to_allow() {
    let world = greeter();
    let denied = json!({"status": 400, "code": "AccessDeniedException", "message": "on order"});
    world.order_faults(&json!([{"operation": "FilterLogEvents", "answer": denied}]));
    let run = world.run(&["logs", "-n", "greet"]).ended_with(1);
    run.saying(&["allow `logs:FilterLogEvents` on `/aws/lambda/greeter-dev-greet`"]);
}
