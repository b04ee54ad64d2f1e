//! What `stagewright.yaml` may say, and what is told when it says something else.

#![expect(
    clippy::disallowed_methods,
    reason = "a test may leave half a file in its own folder"
)]

use super::*;
use crate::app::withheld::Allowed;
use crate::config::PreviewRoles;

const APP: &str = "app: guestbook\n";
const FUNCTIONS: &str = "functions:\n  api: { runtime: python3.13, handler: app.handler, code: src }\n";

fn folder_with(text: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), text).unwrap();
    folder
}

fn make_chalice(folder: &Path) {
    std::fs::create_dir_all(folder.join(".chalice")).unwrap();
    std::fs::write(folder.join(".chalice/config.json"), "{}").unwrap();
}

/// `LINE:COLUMN: message (hint)` of each finding.
fn told(error: Error) -> Vec<String> {
    let Error::Findings(findings) = error else {
        panic!("{error}");
    };
    findings.iter().map(line).collect()
}

fn line(finding: &Finding) -> String {
    let text = finding.to_string();
    let text = text.strip_prefix("stagewright.yaml:").unwrap_or(&text);
    match &finding.hint {
        Some(hint) => format!("{text} ({hint})"),
        None => text.to_owned(),
    }
}

fn flaws(text: &str) -> Vec<String> {
    let folder = folder_with(text.as_bytes());
    told(load(folder.path()).unwrap_err())
}

fn flaw(text: &str) -> String {
    let mut flaws = flaws(text);
    assert_eq!(flaws.len(), 1, "{flaws:?}");
    flaws.remove(0)
}

fn read(text: &str) -> Project {
    let folder = folder_with(text.as_bytes());
    load(folder.path()).unwrap()
}

#[test]
fn the_example_of_the_docs_is_read() {
    let project = read(
        r#"
app: guestbook
state: s3://acme-deploys/stagewright
branches: { main: prod, "release/*": "release-{1}" }
stages:
  prod:
    aws: { region: eu-west-1, role: "arn:aws:iam::111111111111:role/deployer" }
    environment: { LOG_LEVEL: warn }
    functions: { api: { memory_mib: 1024 } }
functions:
  api:
    runtime: provided.al2023
    architecture: arm64
    handler: bootstrap
    code: target/lambda/api
    build: cargo lambda build --release
    memory_mib: 256
    timeout_s: 30
    environment: { TABLE: guests, PORT: 8080, DEBUG: true, VERSION: 1.10 }
    policy:
      - { actions: ["dynamodb:GetItem"], resources: ["*"] }
routes:
  GET /: api
  POST /guests/{id}: api
  ANY /files/{proxy+}: api
cors: true
"#,
    );
    assert_eq!(project.config.app.unwrap().as_str(), "guestbook");
    assert_eq!(
        project.config.state.unwrap().url.to_string(),
        "s3://acme-deploys/stagewright"
    );
    let prod = &project.config.stages[&"prod".parse().unwrap()];
    assert_eq!(prod.region.as_deref(), Some("eu-west-1"));
    let FrontEnd::Manifest(manifest) = project.front_end else {
        panic!("not a manifest");
    };
    let environment = &manifest.functions.get("api").unwrap().environment;
    let values: Vec<_> = environment.iter().map(|(_, value)| value.value.as_str()).collect();
    assert_eq!(values, ["guests", "8080", "true", "1.10"]);
    let routes: Vec<_> = manifest.routes.names().collect();
    assert_eq!(routes, ["GET /", "POST /guests/{id}", "ANY /files/{proxy+}"]);
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_what_was_meant() {
    let text = format!("{APP}{}", FUNCTIONS.replace("handler", "handlr"));
    assert_eq!(
        flaw(&text),
        "3:31: unknown key `handlr` in `functions.api` (did you mean `handler`?)"
    );
    assert_eq!(
        flaw(&format!("{APP}{FUNCTIONS}stage: {{}}\n")),
        "4:1: unknown key `stage` (did you mean `stages`?)"
    );
    assert_eq!(
        flaw(&format!(
            "{APP}{FUNCTIONS}stages:\n  prod:\n    functions:\n      api: {{ memory: 1 }}\n"
        )),
        "7:14: unknown key `memory` in `stages.prod.functions.api` (did you mean `memory_mib`?)"
    );
    assert_eq!(
        flaw(&format!("{APP}{FUNCTIONS}cors:\n  alow_origin: x\n")),
        "5:3: unknown key `alow_origin` in `cors` (did you mean `allow_origin`?)"
    );
}

#[test]
fn a_wrong_type_is_told_with_its_place() {
    let with = |line: &str| flaw(&format!("{APP}functions:\n  api:\n    {line}\n"));
    assert_eq!(
        with("memory_mib: lots"),
        "4:17: `functions.api.memory_mib` must be a whole number"
    );
    assert_eq!(
        with("memory_mib: -1"),
        "4:17: `functions.api.memory_mib` must be a whole number"
    );
    assert_eq!(with("runtime: [a]"), "4:14: `functions.api.runtime` must be a text");
    assert_eq!(
        with("tracing: yes"),
        "4:14: `functions.api.tracing` must be `true` or `false`"
    );
    assert_eq!(
        with("environment: [A]"),
        "4:18: `functions.api.environment` must be a mapping"
    );
    assert_eq!(
        with("architecture: arm46"),
        "4:19: `functions.api.architecture` cannot be `arm46`, only `x86_64`, `arm64` (did you mean `arm64`?)"
    );
    assert_eq!(
        with("environment: { A: ~ }"),
        "4:23: `functions.api.environment.A` has no value"
    );
    assert_eq!(
        with("policy: 7"),
        "4:5: `functions.api.policy` must be a list of statements, or the path of a policy document, not integer `7`"
    );
    assert_eq!(flaw("app: [x]\n"), "1:6: `app` must be a text");
    assert_eq!(flaw("- app\n"), "1:1: this must be a mapping");
}

#[test]
fn a_missing_key_is_told_with_the_function_that_lacks_it() {
    let with = |function: &str| flaw(&format!("{APP}functions:\n  api:\n{function}"));
    assert_eq!(
        with("    vpc:\n      subnet_ids: []\n"),
        "5:7: the key `security_group_ids` is missing in `functions.api.vpc`"
    );
    assert_eq!(
        with("    policy:\n      - actions: []\n"),
        "5:9: the key `resources` is missing in `functions.api.policy[0]`"
    );
}

#[test]
fn a_key_that_stands_twice_is_an_error() {
    let route = "  GET /: api\n";
    assert_eq!(
        flaw(&format!("{APP}{FUNCTIONS}routes:\n{route}{route}")),
        "6:3: the key `GET /` stands twice in `routes`"
    );
    assert_eq!(flaw(&format!("{APP}{APP}")), "2:1: the key `app` stands twice");
}

#[test]
fn what_is_not_yaml_is_told_with_its_place() {
    let told = flaw("app: [guestbook\nfunctions: {}\n");
    assert!(told.starts_with("2:"), "{told}");
    assert!(!told.contains('\n') && !told.contains("line"), "{told}");
    let told = flaw("app: \"guest\n");
    assert!(!told.contains('\n') && !told.contains("line"), "{told}");
    assert_eq!(
        flaw("app: a: b\n"),
        "1:7: mapping values are not allowed in this context \
         (check the indentation, or quote a text that has `: ` in it)"
    );
    let deep = "[".repeat(100_000);
    assert!(flaw(&format!("app: {deep}")).starts_with("1:"));
}

#[test]
fn two_documents_in_the_file_are_refused() {
    let told = flaw(&format!("{APP}---\n{APP}"));
    assert_eq!(told, "3:1: the file has more than one document");
}

#[test]
fn an_empty_file_is_told_as_such() {
    for text in ["", "\n\n", "# nothing yet\n---\n"] {
        assert_eq!(flaw(text), "1:1: the file is empty");
    }
}

#[test]
fn a_file_that_is_not_utf8_is_told_with_the_byte() {
    let folder = folder_with(b"app: guestbook\nstate: caf\xe9\n");
    let told = told(load(folder.path()).unwrap_err());
    assert_eq!(told, ["2:11: the file is not UTF-8: byte 0xe9"]);
}

#[test]
fn everything_that_is_wrong_with_names_and_places_is_told_at_once() {
    let text = format!(
        "app: guest book\nstate: {{ url: \"s3://Acme\", region: here, role: me }}\n\
         branches:\n  ma in: prod\n  main: pr od\nstages:\n  pr/od:\n    aws: {{ region: eu, role: deployer }}\n\
         {FUNCTIONS}"
    );
    let told = flaws(&text);
    let places: Vec<_> = told.iter().filter_map(|line| line.split(": ").next()).collect();
    let expected = ["1:6", "2:15", "2:36", "2:48", "4:3", "5:3", "7:3", "8:20", "8:30"];
    assert_eq!(places, expected, "{told:#?}");
}

#[test]
fn a_secret_is_taken_in_environment_only() {
    let text = format!("app: \"${{env:APP}}\"\n{FUNCTIONS}routes:\n  GET /: \"$${{env:X}}\"\n");
    let told = flaws(&text);
    assert_eq!(told[0], "1:6: `${env:…}` is taken in `environment` only, not in `app`");
    assert_eq!(told.len(), 2, "{told:?}");
    let nested = FUNCTIONS.replace("code: src", "code: src, environment: { T: \"${env:NOT_SET}\" }");
    read(&format!(
        "{APP}{nested}stages:\n  prod:\n    environment: {{ T: \"${{env:NOT_SET}}\" }}\n"
    ));
}

#[test]
fn a_folder_for_the_state_is_relative_to_the_project() {
    let folder = folder_with(format!("{APP}{FUNCTIONS}state: ../state\n").as_bytes());
    let project = load(folder.path()).unwrap();
    let url = project.config.state.unwrap().url;
    assert_eq!(url, StateUrl::Folder(folder.path().join("../state")));
    let flaw = flaw(&format!("{APP}{FUNCTIONS}state: {{ url: here, region: eu-west-1 }}\n"));
    assert!(flaw.contains("a folder has neither `region` nor `role`"), "{flaw}");
}

#[test]
fn a_chalice_app_needs_no_file_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    make_chalice(folder.path());
    let project = load(folder.path()).unwrap();
    assert!(matches!(project.front_end, FrontEnd::Chalice { folder: it } if it == folder.path()));
}

#[test]
fn a_folder_without_an_app_is_an_error_that_says_how_to_begin() {
    let folder = tempfile::tempdir().unwrap();
    let told = told(load(folder.path()).unwrap_err());
    assert!(told[0].contains("there is no app here"), "{told:?}");
    assert!(told[0].contains("stagewright new"), "{told:?}");
    assert!(flaw(APP).contains("there is no app here"));
}

#[test]
fn a_file_with_the_other_ending_is_not_overlooked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stagewright.yml"), APP).unwrap();
    let told = told(load(folder.path()).unwrap_err());
    assert!(told[0].contains("rename it to `stagewright.yaml`"), "{told:?}");
}

#[test]
fn two_apps_in_one_folder_are_an_error_until_one_is_named() {
    let folder = folder_with(format!("{APP}{FUNCTIONS}").as_bytes());
    make_chalice(folder.path());
    let told = told(load(folder.path()).unwrap_err());
    assert!(
        told[0].starts_with("3:3: there are `functions` here and a Chalice app"),
        "{told:?}"
    );

    let choose = |line: &str| {
        std::fs::write(folder.path().join(FILE), format!("{APP}{FUNCTIONS}{line}")).unwrap();
        load(folder.path()).unwrap().front_end
    };
    assert!(matches!(choose("chalice: .\n"), FrontEnd::Chalice { folder: it } if it == folder.path()));
    assert!(matches!(choose("chalice: false\n"), FrontEnd::Manifest(_)));
}

#[test]
fn a_chalice_app_that_is_not_where_it_should_be_is_told() {
    assert_eq!(
        flaw(&format!("{APP}chalice: backend\n")),
        "2:10: there is no `.chalice/config.json` in `backend`"
    );
}

#[test]
fn keys_that_only_a_manifest_has_are_refused_beside_a_chalice_app() {
    let folder = folder_with(b"routes:\n  GET /: api\nstages:\n  prod: { environment: { A: b } }\n");
    make_chalice(folder.path());
    let told = told(load(folder.path()).unwrap_err());
    assert!(told[0].starts_with("2:3: `routes` belongs to `functions`"), "{told:?}");
    assert!(
        told[1].starts_with("4:26: `environment` belongs to `functions`"),
        "{told:?}"
    );
}

#[test]
fn a_broken_app_can_still_be_loaded_so_that_its_stages_can_be_removed() {
    read(&format!("{APP}{FUNCTIONS}routes:\n  GO nowhere: nobody\n"));
}

#[test]
fn a_key_with_nothing_behind_it_is_told_with_its_place() {
    assert_eq!(flaw("app: guestbook\nfunctions:\n"), "2:1: `functions` is empty");
}

#[test]
fn the_stages_of_pull_requests_are_not_configured() {
    let told = flaw(&format!("{APP}{FUNCTIONS}stages:\n  pr-7: {{}}\n  pr-x: {{}}\n"));
    assert_eq!(told, "5:3: stage name `pr-7` is kept for the preview of a pull request");
}

#[test]
fn a_chalice_app_has_one_name() {
    let folder = folder_with(b"# ours\napp: guests\nchalice: svc\n");
    let svc = folder.path().join("svc");
    make_chalice(&svc);
    load(folder.path()).unwrap();
    std::fs::write(svc.join(".chalice/config.json"), "{\n \"app_name\": \"guests\"}").unwrap();
    load(folder.path()).unwrap();
    std::fs::write(svc.join(".chalice/config.json"), "{\n \"app_name\": \"visitors\"}").unwrap();
    let told = told(load(folder.path()).unwrap_err());
    assert_eq!(
        told,
        [
            "2:6: the app is called `guests` here, and `visitors` in svc/.chalice/config.json:2 \
          (leave `app` out: a Chalice app has its name in its own config)"
        ]
    );
}

#[test]
fn findings_of_a_chalice_app_in_a_folder_name_its_files() {
    let folder = folder_with(b"chalice: svc\n");
    make_chalice(&folder.path().join("svc"));
    let told = told(load(folder.path()).unwrap().app_name().unwrap_err());
    assert!(
        told[0].starts_with("svc/.chalice/config.json:1:1: `app_name` is missing"),
        "{told:?}"
    );
}

#[test]
fn the_state_never_lies_in_code() {
    for state in ["src/state", "./src", "lib/../src/x"] {
        let told = flaw(&format!("{APP}{FUNCTIONS}state: {state}\n"));
        assert!(told.starts_with("4:8: the state lies in `"), "{told}");
    }
    let whole = FUNCTIONS.replace("code: src", "code: .");
    assert!(flaw(&format!("{APP}{whole}state: deployed\n")).starts_with("4:8: the state lies in"));
    for (functions, state) in [
        (whole.as_str(), ".stagewright/deployed"),
        (FUNCTIONS, "srcs"),
        (FUNCTIONS, "../state"),
    ] {
        read(&format!("{APP}{functions}state: {state}\n"));
    }
}

#[test]
fn what_an_editor_refuses_by_the_schema_is_refused() {
    let with = |line: &str| {
        flaw(&format!(
            "{APP}{}",
            FUNCTIONS.replace("code: src", &format!("code: src, {line}"))
        ))
    };
    assert_eq!(
        with("memory_mib: \"256\""),
        "3:76: `functions.api.memory_mib` must be a whole number, not a text (leave the quotes out)"
    );
    assert!(flaw(&format!("app: 12\n{FUNCTIONS}")).starts_with("1:6: `app` must be a text (put it into quotes)"));
    assert!(with("layers: [7]").contains("`functions.api.layers` must be a text"));
    read(&format!(
        "{APP}{}",
        FUNCTIONS.replace("code: src", "code: src, environment: { A1: 7, B1: true, C1: x }")
    ));
}

#[test]
fn the_policy_of_pull_requests_is_read() {
    use std::time::Duration;

    use crate::stage::policy::{CommentMode, Drafts, Previews, PullRequests};

    let policy = |text: &str| read(&format!("{APP}{FUNCTIONS}{text}")).config.pull_requests;
    assert_eq!(policy(""), PullRequests::default());
    assert_eq!(policy("pull_requests: true\n"), PullRequests::default());
    assert_eq!(policy("pull_requests: false\n").previews, Previews::Off);
    let all = policy(
        r"
pull_requests:
  base: [main, release/*]
  drafts: false
  label: preview
  comment: on-change
  expire_after: 14d
  keep_label: stay
  limit: 20
",
    );
    let bases: Vec<_> = all.base.as_ref().unwrap().iter().map(|base| base.as_str()).collect();
    assert_eq!(bases, ["main", "release/*"]);
    assert_eq!((all.drafts, all.comment), (Drafts::Skipped, CommentMode::OnChange));
    assert_eq!(all.expire_after, Some(Duration::from_hours(14 * 24)));
    assert_eq!(
        (all.label.as_deref(), all.keep_label.as_str()),
        (Some("preview"), "stay")
    );
    assert_eq!(all.limit.unwrap().get(), 20);
    assert_eq!(policy("pull_requests: { comment: off }\n").comment, CommentMode::Off);
}

#[test]
fn what_is_wrong_with_pull_requests_is_told_with_its_place() {
    let with = |keys: &str| flaw(&format!("{APP}{FUNCTIONS}pull_requests: {keys}\n"));
    assert_eq!(
        with("{ draft: false }"),
        "4:18: unknown key `draft` in `pull_requests` (did you mean `drafts`?)"
    );
    assert_eq!(
        with("{ comment: sometimes }"),
        "4:27: `pull_requests.comment` cannot be `sometimes`, only `always`, `on-change`, `off`"
    );
    assert!(with("{ expire_after: soon }").starts_with("4:32: `soon` is not a time of hours, days or weeks"));
    assert!(with("{ limit: 0 }").starts_with("4:25: a `limit` of 0 previews is none"));
    assert!(with("{ base: [] }").contains("`base` is empty"));
    assert!(with("{ base: [\"a b\"] }").contains("Git takes no such name"));
    assert!(with("{ label: \"\" }").contains("`label` has 0 characters"));
    assert!(with("{ drafts: \"false\" }").contains("must be `true` or `false`"));
    assert!(with("{ aws: { region: moon } }").starts_with("4:33: "));
    assert!(with("sometimes").contains("`true`, `false` or a mapping"));
}

#[test]
fn a_glob_whose_stage_is_configured_by_name_is_refused() {
    let with = |keys: &str| flaw(&format!("{APP}{FUNCTIONS}{keys}\n"));
    for keys in [
        "branches: { develop: beta, \"hotfix/*\": beta }",
        "branches: { \"hotfix/*\": beta }\nstages: { beta: { protected: true } }",
    ] {
        let told = with(keys);
        assert!(told.contains("the glob `hotfix/*` makes the stage `beta`"), "{told}");
    }
    assert!(with("stages: { PR-7: {} }").contains("kept for the preview"));
    let shared = format!("{APP}{FUNCTIONS}branches: {{ main: prod, master: prod }}\n");
    assert_eq!(read(&shared).config.fixed_stages().len(), 1);
}

#[test]
fn the_python_of_a_chalice_app_is_named_by_its_stage() {
    let python = |version: &str| {
        let folder = folder_with(format!("stages:\n  prod: {{ python: {version} }}\n").as_bytes());
        make_chalice(folder.path());
        load(folder.path())
    };
    let project = python("\"3.13\"").unwrap();
    let prod = project.config.stage(&"prod".parse().unwrap());
    assert_eq!(prod.python.as_deref(), Some("3.13"));
    assert!(told(python("\"2.7\"").unwrap_err())[0].starts_with("2:19: `2.7` is not a Python of Lambda"));
    assert!(told(python("\"3.9\"").unwrap_err())[0].contains("is not a Python of Lambda"));
    assert!(told(python("\"3.16\"").unwrap_err())[0].contains("is not a Python of Lambda"));
    assert!(told(python("\"3.13.1\"").unwrap_err())[0].contains("is not a Python of Lambda"));
    assert!(told(python("3.13").unwrap_err())[0].contains("`stages.prod.python` must be a text"));
}

#[test]
fn an_api_of_a_stage_is_for_functions_of_this_file_alone() {
    let folder = folder_with(b"stages:\n  prod: { http: {} }\n");
    make_chalice(folder.path());
    let told = told(load(folder.path()).unwrap_err());
    assert!(told[0].starts_with("2:17: `http` belongs to `functions`"), "{told:?}");
}

#[test]
fn event_sources_of_previews_are_kinds_functions_or_all_of_them() {
    let allowed = |names: &str| {
        read(&format!(
            "{APP}{FUNCTIONS}pull_requests: {{ event_sources: {names} }}\n"
        ))
        .config
        .event_sources
    };
    assert_eq!(allowed("all"), Allowed::All);
    assert_eq!(allowed("[all]"), Allowed::All);
    assert_eq!(allowed("[schedule, api]"), Allowed::of(&["api", "schedule"]));
    assert_eq!(
        read(&format!("{APP}{FUNCTIONS}")).config.event_sources,
        Allowed::default()
    );
    assert_eq!(
        flaw(&format!(
            "{APP}{FUNCTIONS}pull_requests: {{ event_sources: [scedule] }}\n"
        )),
        "4:34: `scedule` is neither a kind of event source nor a function (did you mean `schedule`?)"
    );
}

#[test]
fn previews_share_their_role_unless_each_shall_have_its_own() {
    let roles = |previews: &str| read(&format!("{APP}{FUNCTIONS}{previews}")).config.preview_roles;
    assert_eq!(roles(""), PreviewRoles::Shared);
    assert_eq!(roles("pull_requests: { role: shared }\n"), PreviewRoles::Shared);
    assert_eq!(roles("pull_requests: { role: own }\n"), PreviewRoles::Own);
    let wrong = flaw(&format!("{APP}{FUNCTIONS}pull_requests: {{ role: other }}\n"));
    assert!(wrong.contains("other") && wrong.contains("own"), "{wrong}");
}
