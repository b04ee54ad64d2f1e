//! Two stages that read one queue, or are told by one bucket, hear of it before it hurts.

use std::process::Command;

use serde_json::{Value, json};

use crate::emulator::{in_checkout, tool};
use crate::world::{Run, World};

/// One queue for all stages, and one bucket, of which each stage has a part.
const APP: &str = "app: mail
functions:
  worker:
    runtime: python3.11
    handler: app.handler
    code: src
    events:
      - queue: orders
      - bucket: { name: photos, prefix: dev/, suffix: .jpg }
stages:
  prod:
    functions:
      worker:
        events:
          - queue: orders
          - bucket: { name: photos, prefix: prod/, suffix: .jpg }
";

impl World {
    fn one_queue_and_one_bucket(&self) {
        self.write("stagewright.yaml", APP);
        self.write("src/app.py", "def handler(event, context):\n    return event\n");
        let mut command: Command = self.command(&tool("python"));
        let script = in_checkout("tests/scenarios/events/outside.py");
        let output = command.arg(script).arg("make").output().expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn warnings(run: Run) -> Value {
    run.succeeded().json()["warnings"].clone()
}

fn both(own: &str, other: &str) -> Value {
    json!([
        format!(
            "bucket `photos` notifies stages `{own}` and `{other}`: both handle each change, and S3 refuses filters that overlap"
        ),
        format!("queue `orders` is read by stages `{own}` and `{other}`: each message comes to only one of them"),
    ])
}

#[test]
fn two_stages_with_one_queue_and_one_bucket_are_told_with_every_change() {
    let world = World::new();
    world.one_queue_and_one_bucket();
    assert_eq!(warnings(world.run(&["deploy", "--json"])), Value::Null);

    let planned = world.run(&["plan", "--stage", "prod", "--json"]);
    assert_eq!(warnings(planned), both("prod", "dev"));
    world
        .run(&["deploy", "--stage", "prod"])
        .succeeded()
        .saying(&["warning: queue `orders` is read by stages `prod` and `dev`"]);

    world.write("src/app.py", "def handler(event, context):\n    return None\n");
    assert_eq!(warnings(world.run(&["deploy", "--json"])), both("dev", "prod"));
    assert_eq!(warnings(world.run(&["deploy", "--json"])), Value::Null);
}
