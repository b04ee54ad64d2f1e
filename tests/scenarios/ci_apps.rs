//! Several apps of one repository: those with changes are deployed, and one comment tells of all.

use serde_json::json;

use crate::github::GitHub;
use crate::github::events;
use crate::repository::{Repository, closed, opened, sha};

const ROOT: &str = "\
apps: [services/*]
state: s3://deploys/stages
branches: { main: prod }
";

/// A repository of two apps.
fn shop() -> Repository {
    let repository = Repository::empty(GitHub::start());
    repository.configure(ROOT);
    for app in ["cart", "mail"] {
        let manifest = format!(
            "app: {app}\nfunctions:\n  api:\n    runtime: python3.11\n    handler: handler.answer\n    code: src\nroutes:\n  \
             GET /: api\n"
        );
        repository
            .world
            .write(&format!("services/{app}/stagewright.yaml"), &manifest);
        let handler = format!("def answer(event, context):\n    return {{\"statusCode\": 200, \"body\": \"{app}\"}}\n");
        repository
            .world
            .write(&format!("services/{app}/src/handler.py"), &handler);
    }
    repository
}

#[test]
fn only_the_app_with_changes_gets_a_preview_until_something_beside_both_changes() {
    let repository = shop();
    let first = sha("a1");
    repository.github.open_pull_request(7, &first, "main");
    let changed = ["services/cart/src/handler.py"];
    repository.github.set_comparison(["main", &first], "ahead", &changed);

    repository
        .ci(&opened(7))
        .succeeded()
        .saying(&["App `mail` stays as it is"]);

    assert!(repository.stands("cart-pr-7"));
    assert!(!repository.stands("mail-pr-7"));
    repository.comment_says(7, &["| `cart` | ✅ ready |"]);
    assert!(
        !repository.comment(7).contains("| `mail` |"),
        "{}",
        repository.comment(7)
    );

    let second = sha("a2");
    repository.github.push_to(7, &second);
    for base in ["main", &first] {
        repository
            .github
            .set_comparison([base, &second], "ahead", &["shared/lib.py"]);
    }
    repository.ci(&opened(7).synchronized(&second)).succeeded();
    assert!(repository.stands("mail-pr-7"));
    repository.comment_says(7, &["| `cart` | ✅ ready |", "| `mail` | ✅ ready |"]);

    repository.github.merge(7);
    repository.without_checkout();
    repository.ci(&closed(7).merged()).succeeded();
    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["| `cart` | 🧹 removed |", "| `mail` | 🧹 removed |"]);
    assert_eq!(
        repository
            .deployments("preview")
            .iter()
            .filter(|state| *state != "inactive")
            .count(),
        0
    );
}

#[test]
fn a_push_deploys_every_app_that_is_not_there_yet() {
    let repository = shop();
    let runner = repository.runner(&events::push("main", &sha("e1")));
    repository.step(&runner, &["ci"]).succeeded();
    assert!(repository.stands("cart-prod") && repository.stands("mail-prod"));
    assert_eq!(runner.outputs()["changed"], "true");
    for app in ["cart", "mail"] {
        assert!(runner.summary().contains(&format!("Stage `prod` of `{app}`: deployed")));
    }
}

#[test]
fn one_app_that_fails_does_not_keep_the_other_from_its_preview() {
    let repository = shop();
    let config = repository.world.read("services/cart/stagewright.yaml");
    repository.world.write(
        "services/cart/stagewright.yaml",
        &config.replace("code: src", "code: src\n    build: exit 7"),
    );
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository
        .github
        .set_comparison(["main", &sha("a1")], "ahead", &["shared/lib.py"]);

    repository.ci(&opened(7)).ended_with(2);

    assert!(repository.stands("mail-pr-7"));
    repository.comment_says(7, &["| `cart` | ❌ failed |", "| `mail` | ✅ ready |"]);
}

#[test]
fn an_app_whose_state_cannot_be_read_does_not_keep_the_other_from_its_deploy() {
    let repository = shop();
    let [first, second] = ["f1", "f2"].map(sha);
    repository.ci(&events::push("main", &first)).succeeded();
    repository.world.write_state("cart", "prod", "{");
    repository
        .world
        .replace("services/mail/src/handler.py", "mail", "mail, again");
    let changed = ["services/mail/src/handler.py"];
    repository.github.set_comparison([&first, &second], "ahead", &changed);

    repository
        .ci(&events::push("main", &second))
        .ended_with(2)
        .saying(&["cart/prod.json"]);

    let mail = &repository.world.state("mail", "prod")["stagewright"];
    assert_eq!(mail["release"]["commit"], second);
}

#[test]
fn apps_without_changes_wait_for_none_of_the_others_and_github_is_asked_once_for_all() {
    let repository = shop();
    let [first, second] = ["d1", "d2"].map(sha);
    repository.ci(&events::push("main", &first)).succeeded();
    let Repository { world, github, .. } = &repository;
    github.set_comparison([&first, &second], "ahead", &["README.md"]);
    world.forget_calls();
    github.forget_calls();
    // Who takes one app after the other reads no second record before this is answered.
    world.order_faults(&json!([{"operation": "GetObject", "match": "/prod.json", "answer": "hold"}]));

    let push = repository.start(repository.runner(&events::push("main", &second)));
    world.await_held();
    world.await_calls("GetObject", 2);
    world.release();

    let (push, _) = push.ended();
    push.succeeded()
        .saying(&["App `cart` stays as it is", "App `mail` stays as it is"]);
    let mut operations: Vec<String> = world.calls().into_iter().map(|call| call.operation).collect();
    operations.sort();
    assert_eq!(operations, ["GetObject", "GetObject", "PutObject", "PutObject"]);
    assert_eq!(github.calls().len(), 1, "{:?}", github.calls());
}

#[test]
fn a_commit_that_changes_nothing_of_an_app_keeps_older_ones_from_it_as_well() {
    let repository = shop();
    let [first, bad, revert] = ["c1", "c2", "c3"].map(sha);
    let push = |commit: &str| repository.ci(&events::push("main", commit)).succeeded();
    push(&first);
    let changed = ["services/cart/src/handler.py"];
    let github = &repository.github;
    github.set_comparison([&first, &revert], "ahead", &["services/mail/notes.txt"]);
    github.set_comparison([&revert, &bad], "behind", &changed);
    push(&revert).saying(&["App `cart` stays as it is"]);
    let cart = || repository.world.state("cart", "prod")["stagewright"].clone();
    assert_eq!(cart()["release"]["commit"], revert);

    // The run of the commit before it comes late.
    repository
        .world
        .replace("services/cart/src/handler.py", "cart", "a mistake");
    push(&bad).saying(&["Superseded"]);
    assert_eq!(cart()["release"]["commit"], revert);
}
