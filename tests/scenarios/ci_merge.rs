//! What merging would do to the stage of the base branch, as the comment says it.

use serde_json::json;

use crate::github::events;
use crate::repository::{Repository, opened, sha};

const WITH_TOKEN: &str = "    code: src\n    environment: { TOKEN: \"${env:TOKEN}\" }\n";

#[test]
fn before_production_is_there_merging_creates_it() {
    let repository = Repository::new();
    repository.preview(7);
    repository.comment_says(
        7,
        &[
            "what merging does to <code>prod</code>",
            "+ create function/api_handler",
            "+ create rest_api/rest_api",
        ],
    );
    assert!(!repository.stands("prod"));
}

#[test]
fn merging_code_that_changed_updates_production_and_says_why() {
    let repository = Repository::new();
    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    repository.world.replace("app.py", "world", "changed world");
    repository.preview(7);
    repository.comment_says(7, &["~ update function/api_handler", "code"]);
    let comment = repository.comment(7);
    assert!(!comment.contains("+ create"), "{comment}");
    assert_eq!(repository.greeting("prod"), json!({"hello": "world"}));
}

#[test]
fn merging_what_production_has_already_changes_nothing() {
    let repository = Repository::new();
    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    repository.preview(7);
    repository.comment_says(7, &["Nothing to change: stage `prod` is as the app says"]);
}

#[test]
fn a_base_without_a_stage_has_no_plan() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "topic");
    repository.ci(&opened(7).base("topic")).succeeded();
    assert!(!repository.comment(7).contains("merging"), "{}", repository.comment(7));
}

#[test]
fn what_only_production_knows_is_shown_as_unknown() {
    let repository = Repository::manifest("");
    let config = repository.world.read("stagewright.yaml");
    let stage = "  prod:\n    environment: { TOKEN: \"${env:PROD_TOKEN}\" }\n";
    let config = config.replace("  prod:\n", stage);
    repository.configure(&config);
    let mut deploy = repository.runner(&events::push("main", &sha("e1")));
    deploy.set("PROD_TOKEN", "first");
    repository.step(&deploy, &["ci"]).succeeded();

    repository.preview(7);

    repository.comment_says(7, &["known only where `prod` is deployed"]);
    assert!(!repository.comment(7).contains("~ update"), "{}", repository.comment(7));
}

#[test]
fn a_secret_that_the_preview_has_is_not_held_against_that_of_production() {
    let repository = Repository::manifest("");
    let config = repository
        .world
        .read("stagewright.yaml")
        .replace("    code: src\n", WITH_TOKEN);
    repository.configure(&config);
    let mut deploy = repository.runner(&events::push("main", &sha("e1")));
    deploy.set("TOKEN", "of production");
    repository.step(&deploy, &["ci"]).succeeded();

    repository.github.open_pull_request(7, &sha("a1"), "main");
    let mut preview = repository.runner(&opened(7));
    preview.set("TOKEN", "of previews");
    repository.step(&preview, &["ci"]).succeeded();

    let comment = repository.comment(7);
    assert!(!comment.contains("~ update"), "{comment}");
}

#[test]
fn a_state_of_production_that_may_not_be_read_is_one_sentence() {
    let repository = Repository::new();
    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    let denied = json!({"status": 403, "code": "AccessDenied", "message": "not yours"});
    repository
        .world
        .order_faults(&json!([{"operation": "GetObject", "match": "hello/prod.json", "answer": denied, "times": 50}]));
    repository.preview(7);
    repository.comment_says(7, &["✅ ready", "There is no plan for `prod`:"]);
    assert_eq!(repository.deployments("preview"), ["success"]);
}
