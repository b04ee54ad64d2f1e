//! `init`, which makes branches stages: two files, two policies, and a bucket on request.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::emulator::in_checkout;
use crate::http::Request;
use crate::world::{Call, Run, World};

const WORKFLOW: &str = ".github/workflows/stagewright.yml";
const ROLE: &str = "arn:aws:iam::000000000000:role/deployer";
const ALL: [&str; 7] = [
    "init",
    "--repository",
    "acme/shop",
    "--role",
    ROLE,
    "--region",
    "us-east-1",
];

pub fn git(world: &World, arguments: &[&str]) {
    let output = world.command(Path::new("git")).args(arguments).output();
    Run::from(output.expect("git runs")).succeeded();
}

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [&ALL, more].concat()
}

#[test]
fn init_writes_a_config_and_a_workflow_of_what_git_knows() {
    let world = World::with_folder_state();
    world.chalice_hello();
    git(&world, &["init", "--quiet", "--initial-branch", "trunk"]);
    git(&world, &["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    world
        .run(&["init", "--yes"])
        .succeeded()
        .saying(&["repo:acme/shop:ref:refs/heads/trunk"]);
    let config = world.read("stagewright.yaml");
    assert!(config.contains("state: s3://acme-stagewright/shop\n"), "{config}");
    assert!(config.contains("branches: { trunk: prod }\n"), "{config}");
    let workflow = world.read(WORKFLOW);
    assert!(workflow.contains("branches: [trunk]\n"), "{workflow}");
    assert!(workflow.contains("role: ${{ vars.STAGEWRIGHT_ROLE }}\n"), "{workflow}");
    assert!(world.calls().is_empty(), "{:#?}", world.calls());

    world.run(&["check"]).succeeded();
    world.run(&["init", "--yes"]).succeeded();
    assert_eq!(
        (world.read("stagewright.yaml"), world.read(WORKFLOW)),
        (config, workflow)
    );
}

#[test]
fn the_workflow_that_init_writes_passes_every_lint() {
    let world = World::with_folder_state();
    world.chalice_hello();
    git(&world, &["init", "--quiet", "--initial-branch", "main"]);
    git(&world, &["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    world.run(&["init", "--yes"]).succeeded();
    let linted = world
        .command(&in_checkout("tests/lint/actions.sh"))
        .arg(world.project().join(WORKFLOW))
        .output();
    Run::from(linted.expect("the lints run")).succeeded();
}

#[test]
fn a_second_init_changes_nothing() {
    let world = World::new();
    world.manifest_hello();
    let before = world.read("stagewright.yaml");
    let outcomes = |run: &Run| run.json()["files"].clone();
    let first = world.run(&with(&["--json"])).succeeded();
    assert_eq!(outcomes(&first)[1], json!({"path": WORKFLOW, "outcome": "made"}));
    let workflow = world.read(WORKFLOW);
    let second = world.run(&with(&["--json", "--force"])).succeeded();
    assert_eq!(
        outcomes(&second),
        json!([
            {"path": "stagewright.yaml", "outcome": "unchanged"},
            {"path": WORKFLOW, "outcome": "unchanged"},
        ])
    );
    assert_eq!(
        (world.read("stagewright.yaml"), world.read(WORKFLOW)),
        (before, workflow)
    );
}

#[test]
fn what_an_existing_config_lacks_is_told_and_not_written() {
    let world = World::new();
    world.manifest_hello();
    world
        .run(&with(&["--beta-branch", "develop"]))
        .succeeded()
        .saying(&["state: s3://deploys/stages\nbranches: { main: prod, develop: beta }\n"]);
}

#[test]
fn a_workflow_that_somebody_edited_is_left_as_it_is_until_it_is_forced() {
    let world = World::new();
    world.manifest_hello();
    world.run(&ALL).succeeded();
    let written = world.read(WORKFLOW);
    let edited = written.replace("ubuntu-latest", "our-own-machine");
    world.write(WORKFLOW, &edited);
    world.run(&ALL).succeeded().saying(&["kept", "--force", "git diff"]);
    assert_eq!(world.read(WORKFLOW), edited);
    world.run(&with(&["--force"])).succeeded().saying(&["replaced"]);
    assert_eq!(world.read(WORKFLOW), written);
}

#[test]
fn without_a_terminal_what_is_missing_is_named_and_nothing_is_written() {
    let world = World::with_folder_state();
    world.manifest_hello();
    world
        .run(&["init"])
        .ended_with(2)
        .saying(&["`--repository` and `--state` are missing"]);
    assert!(!world.project().join(WORKFLOW).exists());
}

#[test]
fn the_bucket_is_made_private_versioned_and_encrypted_and_making_it_twice_is_no_error() {
    let world = World::with_folder_state();
    world.manifest_hello();
    let line = with(&["--state", "s3://acme-fresh/stages", "--create-bucket", "--json"]);
    let outcome = |run: Run| run.succeeded().json()["bucket"]["outcome"].clone();
    assert_eq!(outcome(world.run(&line)), "made");
    assert_eq!(outcome(world.run(&line)), "unchanged");
    let setting = |name: &str| {
        Request::new("GET", &world.endpoint(&format!("/acme-fresh?{name}")))
            .send()
            .text()
    };
    assert!(
        setting("versioning").contains("<Status>Enabled</Status>"),
        "{}",
        setting("versioning")
    );
    assert!(setting("encryption").contains("AES256"), "{}", setting("encryption"));
    let block = setting("publicAccessBlock");
    assert_eq!(block.matches(">true<").count(), 4, "{block}");
}

#[test]
fn a_bucket_of_somebody_else_is_an_error_that_says_so() {
    let world = World::with_folder_state();
    world.manifest_hello();
    world.order_faults(&json!([
        {"operation": "HeadBucket", "answer": {"status": 403, "code": "AccessDenied", "message": "no"}},
        {"operation": "CreateBucket", "answer": {"status": 409, "code": "BucketAlreadyExists", "message": "taken"}},
    ]));
    world
        .run(&with(&["--state", "s3://acme-taken", "--create-bucket"]))
        .ended_with(2)
        .saying(&["`acme-taken` belongs to somebody else"]);
    assert!(!world.project().join(WORKFLOW).exists());
}

#[test]
fn the_printed_policy_allows_every_call_of_a_deploy_and_a_destroy() {
    let world = World::new();
    world.manifest_hello();
    let policy = world.run(&with(&["--json"])).succeeded().json()["deploy_policy"].clone();
    world.forget_calls();
    world.deploy("prod");
    world.replace(
        "stagewright.yaml",
        "code: src",
        "code: src\n    memory_mib: 256\n    tags: { team: red }",
    );
    world.replace("stagewright.yaml", "GET /: api", "GET /: api\n  GET /more: api");
    world.replace("src/handler.py", "hello", "good day");
    world.deploy("prod");
    world.replace("stagewright.yaml", "    tags: { team: red }\n", "");
    world.deploy("prod");
    world.run(&["stages"]).succeeded();
    world.run(&["destroy", "--stage", "prod", "--yes"]).succeeded();
    world.set_aws(&json!({"stored_s": 100_000}));
    world.run(&["sweep"]).succeeded();
    let calls = world.calls();
    let needed: Vec<(String, String)> = calls
        .iter()
        .filter(|call| call.service != "sts")
        .flat_map(needed)
        .collect();
    assert!(needed.len() > 20, "{needed:#?}");
    for (action, resource) in &needed {
        assert!(
            allows(&policy, action, resource),
            "{action} on {resource} is not in\n{policy:#}"
        );
    }
    let used: BTreeSet<&str> = needed.iter().map(|(action, _)| action.as_str()).collect();
    let unused: Vec<String> = actions(&policy)
        .into_iter()
        .filter(|action| !used.contains(action.as_str()) && !AFTER_A_MISHAP.contains(&action.as_str()))
        .collect();
    assert!(unused.is_empty(), "no call needs {unused:?}");
    let elsewhere = "arn:aws:lambda:us-east-1:000000000000:function:other-prod";
    assert!(!allows(&policy, "lambda:DeleteFunction", elsewhere));
}

/// Actions of calls that are made only after a run was cut off, or where somebody else made or changed something.
const AFTER_A_MISHAP: [&str; 14] = [
    "apigateway:PATCH",
    "events:ListTagsForResource",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:ListRoleTags",
    "lambda:DeleteFunctionConcurrency",
    "lambda:GetFunction",
    "lambda:GetPolicy",
    "lambda:ListTags",
    "lambda:RemovePermission",
    "s3:DeleteObjectVersion",
];

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    let named = |statement: &Value| statement["Action"].as_array().cloned().unwrap_or_default();
    let actions = statements.iter().flat_map(named);
    actions
        .filter_map(|action| action.as_str().map(ToOwned::to_owned))
        .collect()
}

/// What IAM asks for a call: its action on its resource, and what comes along with it.
fn needed(call: &Call) -> Vec<(String, String)> {
    let Call { operation, target, .. } = call;
    let function = format!("arn:aws:lambda:us-east-1:000000000000:function:{target}");
    let role = format!("arn:aws:iam::000000000000:role/{target}");
    let needs = |action: String, resource: &str| (action, resource.to_owned());
    match (call.service.as_str(), operation.as_str()) {
        ("s3", "HeadObject") => vec![needs("s3:GetObject".to_owned(), &format!("arn:aws:s3:::{target}"))],
        // The proxy names a bucket with the slash that its path ends in.
        ("s3", "ListObjectsV2" | "ListObjectVersions") => {
            let action = match operation.as_str() {
                "ListObjectsV2" => "s3:ListBucket",
                _ => "s3:ListBucketVersions",
            };
            let bucket = format!("arn:aws:s3:::{}", target.trim_end_matches('/'));
            vec![needs(action.to_owned(), &bucket)]
        }
        // What is removed stands in the body: here it is zips.
        ("s3", "DeleteObjects") => {
            let zips = format!(
                "arn:aws:s3:::{}/stages/greeter/artifacts/",
                target.trim_end_matches('/')
            );
            vec![needs("s3:DeleteObject".to_owned(), &zips)]
        }
        ("lambda", "ListFunctions") | ("iam", "ListRoles") | ("events", "ListRules") => {
            vec![needs(format!("{}:{operation}", call.service), "*")]
        }
        ("s3", operation) => vec![needs(format!("s3:{operation}"), &format!("arn:aws:s3:::{target}"))],
        ("lambda", "CreateFunction") => vec![
            needs("lambda:CreateFunction".to_owned(), &function),
            needs("lambda:TagResource".to_owned(), &function),
            needs("iam:PassRole".to_owned(), &role),
        ],
        ("lambda", operation) => vec![needs(format!("lambda:{operation}"), &function)],
        ("iam", "CreateRole") => vec![
            needs("iam:CreateRole".to_owned(), &role),
            needs("iam:TagRole".to_owned(), &role),
        ],
        ("iam", operation) => vec![needs(format!("iam:{operation}"), &role)],
        ("apigateway", operation) => vec![of_api_gateway(operation, target)],
        (service, operation) => panic!("{service}:{operation} is a call that this test does not know"),
    }
}

/// API Gateway's actions are the methods of its calls, on their paths.
fn of_api_gateway(operation: &str, target: &str) -> (String, String) {
    let verbs = [
        ("Get", "GET"),
        ("Import", "POST"),
        ("Create", "POST"),
        ("Put", "PUT"),
        ("Update", "PATCH"),
        ("Delete", "DELETE"),
    ];
    let verb = verbs.iter().find(|(prefix, _)| operation.starts_with(prefix));
    let (_, verb) = verb.expect("a verb of API Gateway's");
    let path = match operation {
        "ImportRestApi" | "GetRestApis" => "/restapis".to_owned(),
        "GetApis" => "/apis".to_owned(),
        "CreateDeployment" => format!("/restapis/{target}/deployments"),
        _ => format!("/restapis/{target}"),
    };
    (
        format!("apigateway:{verb}"),
        format!("arn:aws:apigateway:us-east-1::{path}"),
    )
}

/// Whether a statement has the action, and a pattern of its resources takes the resource.
fn allows(policy: &Value, action: &str, resource: &str) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let takes = |pattern: &Value| {
        let pattern = pattern.as_str().expect("a pattern");
        pattern == resource
            || pattern
                .strip_suffix('*')
                .is_some_and(|begin| resource.starts_with(begin))
    };
    let statements = list(&policy["Statement"]);
    statements.iter().any(|statement| {
        list(&statement["Action"]).contains(&json!(action)) && list(&statement["Resource"]).iter().any(takes)
    })
}
