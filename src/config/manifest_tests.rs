//! From `stagewright.yaml` to an app on a stage, and what is told when it cannot be one.

#![expect(
    clippy::disallowed_methods,
    reason = "a test may leave half a file in its own folder"
)]

use serde_json::json;

use super::FrontEnd;
use super::load::load;
use crate::app::manifest::Manifest;
use crate::app::manifest::read::read;
use crate::app::new::{Template, create};
use crate::app::{App, Architecture, Code, Endpoint, Error, Finding, FunctionRole, Severity};
use crate::variable::Variable;

/// A project in a folder of its own, with `src/app.py` and `bin/server` in it.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder };
        world.write("stagewright.yaml", text);
        world.write("src/app.py", "def handler(event, context): pass\n");
        world.write("bin/server", "\n");
        world
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn manifest(&self) -> Manifest {
        match load(self.folder.path()).unwrap().front_end {
            FrontEnd::Manifest(manifest) => *manifest,
            FrontEnd::Chalice { .. } => panic!("not a manifest"),
        }
    }

    pub fn read(&self, stage: &str) -> Result<(App, Vec<Finding>), Error> {
        let lookup = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned()).ok_or(Severity::Error);
        read(&self.manifest(), &stage.parse().unwrap(), &lookup)
    }

    pub fn app(&self, stage: &str) -> App {
        self.read(stage).unwrap().0
    }

    pub fn flaws(&self) -> Vec<String> {
        let Err(Error::Findings(findings)) = self.read("dev") else {
            panic!("nothing is wrong");
        };
        findings
            .iter()
            .map(|finding| match &finding.hint {
                Some(hint) => format!("{finding} ({hint})"),
                None => finding.to_string(),
            })
            .map(|line| line.replace("stagewright.yaml:", ""))
            .collect()
    }
}

pub fn function(keys: &str) -> String {
    format!(
        "app: guestbook\nfunctions:\n  api:\n    runtime: python3.13\n    handler: app.handler\n    code: src\n{keys}"
    )
}

pub fn flaw(keys: &str) -> String {
    let mut flaws = World::of(&function(keys)).flaws();
    assert_eq!(flaws.len(), 1, "{flaws:#?}");
    flaws.remove(0)
}

fn route(route: &str) -> String {
    flaw(&format!("routes:\n  GET /known/{{id}}: api\n  {route}\n"))
}

fn plain(text: &str) -> Variable {
    Variable::Plain(text.to_owned())
}

#[test]
fn what_is_left_out_has_its_default() {
    let app = World::of(&function("routes:\n  GET /: api\n")).app("dev");
    let settings = &app.functions[0].settings;
    assert_eq!((settings.memory_mib, settings.timeout_s), (128, 30));
    assert_eq!(settings.architecture, Architecture::X86_64);
    let api = app.api.unwrap();
    assert_eq!((api.title.as_str(), api.stage_name.as_str()), ("guestbook", "api"));
    assert_eq!(api.endpoint, Endpoint::Regional);
    assert_eq!(api.binary_types.len(), 16);
    assert_eq!(api.routes[0].content_types, ["application/json"]);
    assert_eq!(api.routes[0].cors, None);
}

#[test]
fn an_app_without_routes_has_no_api() {
    assert!(World::of(&function("")).app("dev").api.is_none());
}

#[test]
fn a_stage_wins_over_a_function_and_a_function_on_a_stage_over_both() {
    let world = World::of(&function(
        "    memory_mib: 256\n    environment: { A1: own, B1: own, C1: own, TOKEN: \"Bearer ${env:TOKEN}\" }\n\
         stages:\n  prod:\n    environment: { B1: stage, C1: stage }\n    functions:\n      \
         api: { memory_mib: 1024, timeout_s: 60, reserved_concurrency: 0, environment: { C1: both } }\n",
    ));
    let prod = &world.app("prod").functions[0];
    assert_eq!((prod.settings.memory_mib, prod.settings.timeout_s), (1024, 60));
    assert_eq!(prod.reserved_concurrency, Some(0));
    let environment = &prod.settings.environment;
    assert_eq!(environment["A1"], plain("own"));
    assert_eq!(environment["B1"], plain("stage"));
    assert_eq!(environment["C1"], plain("both"));
    assert_eq!(environment["TOKEN"].reveal(), Some("Bearer hunter2"));
    assert!(matches!(environment["TOKEN"], Variable::Secret(_)));
    let dev = &world.app("dev").functions[0];
    assert_eq!(dev.settings.memory_mib, 256);
    assert_eq!(dev.settings.environment["C1"], plain("own"));
}

#[test]
fn a_secret_that_is_not_set_is_told_with_its_key_and_only_on_the_stage_that_needs_it() {
    let world = World::of(&function(
        "    environment: { KEY: \"${env:NOT_SET}\" }\nstages:\n  prod: { environment: { KEY: known } }\n",
    ));
    assert_eq!(
        world.flaws(),
        [
            "7:25: environment variable `NOT_SET` is not set or empty, and `KEY` needs it (set `NOT_SET` where stagewright runs)"
        ]
    );
    assert_eq!(
        world.app("prod").functions[0].settings.environment["KEY"],
        plain("known")
    );
}

#[test]
fn a_secret_that_is_not_needed_now_is_a_warning() {
    let world = World::of(&function("    environment: { KEY: \"${env:NOT_SET}\" }\n"));
    let (_, warnings) = read(&world.manifest(), &"dev".parse().unwrap(), &|_| Err(Severity::Warning)).unwrap();
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["stagewright.yaml:7:25: environment variable `NOT_SET` is not set here, and a deploy needs it for `KEY`"]
    );
}

#[test]
fn functions_without_a_policy_share_a_role_and_one_with_a_policy_has_its_own() {
    let world = World::of(&function(
        "    tracing: true\n  writer:\n    runtime: python3.13\n    handler: app.handler\n    code: ./src/\n    policy:\n      \
         - { actions: [\"s3:PutObject\"], resources: [\"*\"], conditions: { Bool: { \"aws:SecureTransport\": true } } }\n  \
         guest:\n    runtime: python3.13\n    handler: app.handler\n    code: src\n    role: arn:aws:iam::111111111111:role/guest\n",
    ));
    let app = world.app("dev");
    let roles: Vec<_> = app
        .roles
        .iter()
        .map(|role| (role.name.as_str(), role.suffix.as_str()))
        .collect();
    assert_eq!(roles, [("default-role", ""), ("writer_role", "writer")]);
    let logs = json!({
        "Effect": "Allow",
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": ["arn:*:logs:*:*:*"],
    });
    let traces = json!({
        "Effect": "Allow",
        "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        "Resource": ["*"],
    });
    assert_eq!(app.roles[0].policy["Statement"], json!([logs, traces]));
    let own = json!({
        "Effect": "Allow",
        "Action": ["s3:PutObject"],
        "Resource": ["*"],
        "Condition": {"Bool": {"aws:SecureTransport": true}},
    });
    assert_eq!(app.roles[1].policy["Statement"], json!([own, logs]));
    let given = FunctionRole::Given("arn:aws:iam::111111111111:role/guest".to_owned());
    assert_eq!(app.functions[2].role, given);
    // All three are made of one folder, written in two ways: one source.
    assert_eq!(app.sources.keys().collect::<Vec<_>>(), ["api"]);
}

#[test]
fn a_policy_may_be_a_document_of_its_own() {
    let world = World::of(&function("    policy: policy.json\n"));
    world.write(
        "policy.json",
        r#"{"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#,
    );
    let policy = world.app("dev").roles.remove(0).policy;
    assert_eq!(
        policy["Statement"][0],
        json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    );
    world.write(
        "policy.json",
        r#"{"Statement": {"Effect": "allow", "Action": "s3:*", "Resource": "*"}}"#,
    );
    assert_eq!(
        world.flaws(),
        ["policy.json: the `Effect` of a statement is neither `Allow` nor `Deny`"]
    );
    world.write("policy.json", "{\n  \"Statement\": [,]\n}\n");
    let flaws = world.flaws();
    assert!(
        flaws[0].starts_with("policy.json:2:17: the policy document is not JSON: "),
        "{flaws:?}"
    );
}

#[test]
fn a_file_of_a_native_runtime_becomes_its_bootstrap() {
    let text = "app: guestbook\nfunctions:\n  api: { runtime: provided.al2023, code: bin/server }\n";
    let app = World::of(text).app("dev");
    assert_eq!(app.functions[0].settings.handler, "bootstrap");
    let Code::Parts(parts) = &app.sources["api"].code else {
        panic!("not parts");
    };
    assert_eq!(parts[0].into, "bootstrap");
}

#[test]
fn code_that_a_command_makes_need_not_be_there_yet() {
    let app = World::of(&function("    build: make\n").replace("code: src", "code: out/api.zip")).app("dev");
    let source = &app.sources["api"];
    assert!(matches!(&source.code, Code::Zip(path) if path.ends_with("out/api.zip")));
    assert_eq!(source.build.as_ref().unwrap().command, "make");
}

#[test]
fn code_that_is_not_there_is_told() {
    let missing = World::of(&function("").replace("code: src", "code: sources")).flaws();
    assert_eq!(
        missing,
        ["6:11: `code` `sources` does not exist (if a command makes it, name the command: `build: …`)"]
    );
    let other = World::of(&function("").replace("app.handler", "main.handler")).flaws();
    assert_eq!(
        other,
        ["5:14: handler `main.handler` needs `main.py` or `main/__init__.py` in `src`"]
    );
    let absolute = World::of(&function("    build: make\n").replace("code: src", "code: /etc")).flaws();
    assert_eq!(
        absolute,
        ["6:11: `code` must be a path relative to the project, not `/etc`"]
    );
}

#[test]
fn a_number_that_lambda_refuses_is_told_with_its_place() {
    assert_eq!(
        flaw("    memory_mib: 64\n"),
        "7:17: memory of 64 MiB is outside 128 to 10240 MiB"
    );
    assert_eq!(
        flaw("    timeout_s: 901\n"),
        "7:16: timeout of 901 s is outside 1 to 900 s"
    );
    assert_eq!(
        flaw("stages:\n  prod:\n    functions:\n      api: { memory_mib: 1 }\n"),
        "10:26: memory of 1 MiB is outside 128 to 10240 MiB"
    );
}

#[test]
fn an_environment_that_lambda_refuses_is_told_with_its_place() {
    let long = "x".repeat(4096);
    assert_eq!(
        flaw(&format!("    environment: {{ AB: {long} }}\n")),
        "3:3: the environment of `api` has 4098 bytes, and 4096 is the limit"
    );
    assert_eq!(
        flaw("    environment: { AWS_REGION: eu-west-1 }\n"),
        "7:20: `AWS_REGION` is set by Lambda itself"
    );
    assert!(flaw("    environment: { 1A: x }\n").starts_with("7:20: `1A` cannot name an environment variable"));
    assert!(
        flaw("    environment: { TOKEN: \"${env:TOKEN\" }\n").starts_with("7:27: the value of `TOKEN` has a `${env:`")
    );
}

#[test]
fn an_override_of_a_function_that_does_not_exist_is_told_with_its_place() {
    assert_eq!(
        flaw("stages:\n  prod:\n    functions:\n      apii: { memory_mib: 256 }\n"),
        "10:7: there is no function `apii` (did you mean `api`?)"
    );
}

#[test]
fn a_role_or_network_or_layer_that_cannot_be_is_told_with_its_place() {
    assert!(flaw("    role: me\n").starts_with("7:11: `me` is not the ARN of a role"));
    assert_eq!(
        flaw("    vpc: { subnet_ids: [], security_group_ids: [sg-1] }\n"),
        "7:10: `vpc` needs at least one subnet and one security group"
    );
    assert_eq!(
        flaw("    vpc: { subnet_ids: [sg-1], security_group_ids: [sg-1] }\n"),
        "7:25: `sg-1` in `subnet_ids` does not begin with `subnet-`"
    );
    assert!(flaw("    layers: [numpy]\n").starts_with("7:14: `numpy` is not the ARN of a layer version"));
    assert_eq!(
        flaw("    policy:\n      - { actions: [read], resources: [\"*\"] }\n"),
        "8:21: `read` is not an action, like `dynamodb:GetItem`"
    );
    assert_eq!(
        flaw("    policy:\n      - { actions: [], resources: [\"*\"] }\n"),
        "8:20: `actions` of a statement is empty"
    );
}

#[test]
fn a_version_of_a_runtime_that_nobody_knows_is_a_warning_and_a_family_an_error() {
    let world = World::of(&function("").replace("python3.13", "python3.99"));
    let (_, warnings) = world.read("dev").unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].severity, Severity::Warning);
    assert_eq!(warnings[0].place, Some((4, 14)));
    let flaws = World::of(&function("").replace("python3.13", "pyton3.13")).flaws();
    assert_eq!(
        flaws,
        ["4:14: `pyton3.13` is not a runtime that is known of (did you mean `python3.13`?)"]
    );
}

#[test]
fn a_route_that_leads_nowhere_is_told_with_its_place_and_what_was_meant() {
    assert_eq!(
        route("POST /: appi"),
        "9:11: there is no function `appi` (did you mean `api`?)"
    );
    assert_eq!(
        route("/x: api"),
        "9:3: route `/x` is not a method and a path, like `GET /guests/{id}`"
    );
    assert_eq!(route("get /x: api"), "9:3: unknown method `get` (did you mean `GET`?)");
    assert_eq!(route("GET x: api"), "9:3: path `x` does not begin with `/`");
    assert_eq!(
        route("GET  /known/{id}: api"),
        "9:3: the route `GET /known/{id}` stands twice"
    );
    assert_eq!(
        route("PUT /known/{name}/x: api"),
        "9:3: path `/known/{name}/x` has `{name}` where another route has `{id}`, and API Gateway takes one \
         parameter at a level (name it `{id}` in both)"
    );
}

#[test]
fn cors_is_for_all_routes_but_those_that_answer_options_themselves() {
    let world = World::of(&function(
        "routes:\n  GET /: api\n  GET /own: api\n  OPTIONS /own: api\ncors:\n  origin: https://example.com\n  \
         allow_headers: [X-Mine]\n  expose_headers: [X-Out]\n  max_age: 600\n  allow_credentials: true\n",
    ));
    let routes = world.app("dev").api.unwrap().routes;
    let headers: Vec<_> = routes[0]
        .cors
        .as_ref()
        .unwrap()
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        headers,
        [
            "Access-Control-Allow-Origin: https://example.com",
            "Access-Control-Allow-Headers: Authorization,Content-Type,X-Amz-Date,X-Amz-Security-Token,X-Api-Key,X-Mine",
            "Access-Control-Expose-Headers: X-Out",
            "Access-Control-Max-Age: 600",
            "Access-Control-Allow-Credentials: true",
        ]
    );
    assert_eq!((&routes[1].cors, &routes[2].cors), (&None, &None));
    let open = flaw("cors: { allow_credentials: true }\n");
    assert!(open.starts_with("7:28: browsers refuse `allow_credentials`"), "{open}");
}

#[test]
fn all_flaws_are_told_at_once_and_in_order() {
    let keys = "    memory_mib: 1\n    timeout_s: 0\n    role: me\nroutes:\n  GO /: api\n  GET /: ipa\n";
    let flaws = World::of(&function(keys)).flaws();
    let places: Vec<_> = flaws.iter().filter_map(|flaw| flaw.split(": ").next()).collect();
    assert_eq!(places, ["7:17", "8:16", "9:11", "11:3", "12:10"]);
}

#[test]
fn the_fixtures_can_be_deployed_on_every_stage() {
    for (fixture, stages) in [
        ("guestbook", ["prod", "beta"]),
        ("python", ["dev", "prod"]),
        ("shop", ["prod", "beta"]),
    ] {
        let folder = std::env::current_dir()
            .unwrap()
            .join("tests/fixtures/manifest")
            .join(fixture);
        let FrontEnd::Manifest(manifest) = load(&folder).unwrap().front_end else {
            panic!("not a manifest");
        };
        for stage in stages {
            let (app, warnings) = read(&manifest, &stage.parse().unwrap(), &|_| Err(Severity::Error)).unwrap();
            assert!(warnings.is_empty(), "{warnings:?}");
            assert!(app.api.is_some());
        }
    }
}

#[test]
fn a_new_app_can_be_deployed_as_it_stands() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("guests");
    create(&folder, &"null".parse().unwrap(), Template::Manifest).unwrap();
    let FrontEnd::Manifest(manifest) = load(&folder).unwrap().front_end else {
        panic!("not a manifest");
    };
    let (app, warnings) = read(&manifest, &"dev".parse().unwrap(), &|_| Err(Severity::Error)).unwrap();
    assert_eq!((app.name.as_str(), warnings), ("null", Vec::new()));

    let folder = parent.path().join("chalice");
    create(&folder, &"guests".parse().unwrap(), Template::Chalice).unwrap();
    assert!(matches!(load(&folder).unwrap().front_end, FrontEnd::Chalice { .. }));
}

#[test]
fn a_table_without_entries_may_be_left_empty() {
    let world = World::of(&function(
        "    environment:\n    tags:\nstages:\n  prod:\nroutes:\nbranches:\ncors:\napi:\n",
    ));
    assert!(world.app("prod").api.is_none());
}
