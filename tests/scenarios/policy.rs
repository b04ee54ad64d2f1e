//! The policies of an app's roles, from its source alone.

use serde_json::{Value, json};

use crate::world::World;

const MANIFEST: &str = "\
app: greeter
functions:
  plain: { runtime: python3.11, handler: handler.answer, code: src }
  reader:
    runtime: python3.11
    handler: handler.answer
    code: src
    policy: [{ actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::guests/*\"] }]
";

fn shown(world: &World, arguments: &[&str]) -> Value {
    world.run(arguments).succeeded().json()
}

#[test]
fn the_policy_of_the_one_role_is_what_a_deploy_gives_it_and_aws_is_not_asked() {
    let world = World::new();
    world.chalice_hello();
    world.replace(
        ".chalice/config.json",
        "\"autogen_policy\":false",
        "\"autogen_policy\":true",
    );
    world.replace(".chalice/config.json", ",\"iam_policy_file\":\"policy.json\"", "");
    world.replace("app.py", "app = ", "import boto3\n\nSQS = boto3.client('sqs')\napp = ");
    world.replace("app.py", "return ", "SQS.list_queues()\n    return ");
    let policy = shown(&world, &["policy"]);
    assert!(world.calls().is_empty(), "{:#?}", world.calls());
    assert!(policy.to_string().contains("sqs:ListQueues"), "{policy}");
    assert_eq!(shown(&world, &["--json", "policy", "--role", "default-role"]), policy);

    world.deploy("dev");
    let deployed = world.state("hello", "dev")["stagewright"]["deployed"].clone();
    assert_eq!(deployed["role/default-role"]["resource"]["policy"], policy);
}

#[test]
fn several_policies_stand_under_the_names_of_their_roles() {
    let world = World::new();
    world.write("stagewright.yaml", MANIFEST);
    world.write("src/handler.py", "def answer(event, context):\n    return {}\n");
    let all = shown(&world, &["policy"]);
    let names: Vec<&String> = all.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["default-role", "reader_role"]);
    let reader = shown(&world, &["policy", "--role", "reader_role"]);
    assert_eq!(reader, all["reader_role"]);
    assert!(reader.to_string().contains("s3:GetObject"), "{reader}");

    world.run(&["deploy", "--stage", "dev"]).succeeded();
    let deployed = world.state("greeter", "dev")["stagewright"]["deployed"].clone();
    assert_eq!(deployed["role/reader_role"]["resource"]["policy"], reader);
}

#[test]
fn a_role_that_is_not_of_the_app_is_told_with_those_that_are() {
    let world = World::new();
    world.write("stagewright.yaml", MANIFEST);
    world.write("src/handler.py", "");
    let run = world.run(&["policy", "--role", "readr_role"]).ended_with(2);
    run.saying(&[
        "the app has no role `readr_role` of its own",
        "did you mean `reader_role`?",
    ]);
}

#[test]
fn an_app_whose_roles_are_given_has_no_policy_to_show() {
    let world = World::new();
    world.manifest_hello();
    let role = "code: src\n    role: arn:aws:iam::000000000000:role/given";
    world.replace("stagewright.yaml", "code: src", role);
    let run = world.run(&["--json", "policy"]).ended_with(2);
    assert_eq!(
        run.json()["error"]["message"],
        json!("stage `dev` of app `greeter` has no role of its own")
    );
}
