//! The fake GitHub itself: what stands in for GitHub must take what GitHub takes, and refuse what GitHub refuses.

mod requests;
mod runner;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use self::requests::{authorized, get, github_with_pull_request, next_of, post, raw_comment, remove, send, texts};
use crate::github::events::{self, Event};
use crate::github::{
    BOT, Failure, GitHub, Operation, READ_ONLY_TOKEN, REPOSITORY, RUN, Reply, TOKEN, invalid_event, read,
};
use crate::http::Request;

const HEAD: &str = "9999999999999999999999999999999999999999";

#[test]
fn a_long_list_comes_in_pages_that_lead_to_each_other() {
    let github = github_with_pull_request();
    for number in 1..=5 {
        github.write_comment_as("stranger", 7, &format!("comment {number}"));
    }
    let first = get(&github, "issues/7/comments?per_page=2");
    assert_eq!(first.json().as_array().map(Vec::len), Some(2));
    let mut texts = texts(&first);
    let mut link = first.header("link").to_owned();
    while let Some(next) = next_of(&link) {
        let page = send("GET", &next, &Value::Null);
        texts.extend(self::texts(&page));
        page.header("link").clone_into(&mut link);
    }
    assert_eq!(texts, ["comment 1", "comment 2", "comment 3", "comment 4", "comment 5"]);
}

#[test]
fn a_comment_is_written_changed_and_removed() {
    let github = github_with_pull_request();
    let written = post(&github, "issues/7/comments", &json!({"body": "first"}));
    assert_eq!(written.status, 201);
    let written = written.json();
    assert_eq!(
        (&written["user"]["login"], &written["user"]["type"]),
        (&json!(BOT), &json!("Bot"))
    );

    let one = format!(
        "{}/repos/{REPOSITORY}/issues/comments/{}",
        github.api_url(),
        written["id"]
    );
    assert_eq!(send("PATCH", &one, &json!({"body": "second"})).status, 200);
    assert_eq!(send("GET", &one, &Value::Null).json()["body"], "second");
    let [comment] = &github.comments(7)[..] else {
        panic!("one comment")
    };
    assert_eq!((comment.author.as_str(), comment.body.as_str()), (BOT, "second"));
    assert!(comment.changed_s > comment.written_s);

    assert_eq!(send("DELETE", &one, &Value::Null).status, 204);
    assert_eq!(github.comments(7), []);
}

#[test]
fn a_comment_longer_than_github_takes_is_refused() {
    let github = github_with_pull_request();
    let longest = "ä".repeat(65_536);
    assert_eq!(
        post(&github, "issues/7/comments", &json!({"body": longest})).status,
        201
    );
    let refused = post(&github, "issues/7/comments", &json!({"body": format!("{longest}.")}));
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text()
            .contains("Body is too long (maximum is 65536 characters)")
    );
    assert_eq!(github.comments(7).len(), 1);
}

#[test]
fn what_githubs_document_does_not_describe_is_a_violation() {
    let github = github_with_pull_request();
    github.write_comment_as(BOT, 7, "ours");
    let id = github.comments(7)[0].id;
    let by_post = post(&github, &format!("issues/comments/{id}"), &json!({"body": "changed"}));
    assert_eq!(by_post.status, 404);
    assert_eq!(github.comments(7)[0].body, "ours");
    post(&github, "issues/7/comments", &json!({"text": "no body"}));
    post(&github, "deployments", &json!({"ref": "main", "auto_merge": "no"}));
    get(&github, "issues/7/comments?per_page=many");
    get(&github, "issues/7/comments?size=5");
    Request::new("GET", &format!("{}/repos/{REPOSITORY}", github.api_url())).send();

    let violations = github.violations().join("\n");
    for expected in [
        "no operation of the document",
        "`text` is not described",
        "\"body\" is a required property",
        "`/auto_merge`",
        "\"many\" is not of type",
        "`size` is not described",
        "Authorization",
        "User-Agent",
    ] {
        assert!(violations.contains(expected), "no {expected:?} in\n{violations}");
    }
}

#[test]
fn an_answer_that_githubs_document_does_not_describe_is_a_violation() {
    let operation = Operation::find("GET", "/repos/octo/app/issues/comments/1").expect("it is described");
    let faults = |reply: &Reply| operation.faults_of_reply(reply).join("\n");
    let github = github_with_pull_request();
    let comment = post(&github, "issues/7/comments", &json!({"body": "hello"})).json();
    assert_eq!(faults(&Reply::new(200, &comment)), "");
    let mut misshapen = comment;
    misshapen["id"] = json!("many");
    assert!(faults(&Reply::new(200, &misshapen)).contains("`/id`"));
    assert!(faults(&Reply::new(201, &misshapen)).contains("201 is not described"));
    assert!(faults(&Reply::new(404, &json!("gone"))).contains("is not of type \"object\""));
}

#[test]
fn a_violation_fails_the_test_that_it_belongs_to() {
    let github = GitHub::start();
    get(&github, "no/such/thing");
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(github)));
    assert!(dropped.is_err());
}

#[test]
fn a_token_that_may_only_read_is_told_what_it_lacks() {
    let github = github_with_pull_request();
    let url = format!("{}/repos/{REPOSITORY}/issues/7/comments", github.api_url());
    let refused = authorized(Request::new("POST", &url), READ_ONLY_TOKEN)
        .header("Content-Type", "application/json")
        .body(br#"{"body": "hello"}"#)
        .send();
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.header("x-accepted-github-permissions"),
        "issues=write; pull_requests=write"
    );
    assert_eq!(github.comments(7), []);
}

#[test]
fn ordered_failures_come_once_and_in_order() {
    let github = github_with_pull_request();
    github.fail_next("POST", "/comments", Failure::forbidden("pull_requests=write"));
    github.fail_next("POST", "/comments", Failure::limited(429, 5));
    github.forget_calls();
    let hello = json!({"body": "hello"});
    let forbidden = post(&github, "issues/7/comments", &hello);
    assert_eq!(forbidden.json()["message"], "Resource not accessible by integration");
    assert_eq!(forbidden.header("x-accepted-github-permissions"), "pull_requests=write");
    assert_eq!(post(&github, "issues/7/comments", &hello).header("retry-after"), "5");
    assert_eq!(post(&github, "issues/7/comments", &hello).status, 201);
    let statuses: Vec<_> = github.calls().into_iter().map(|call| call.status).collect();
    assert_eq!(statuses, [Some(403), Some(429), Some(201)]);
    assert!(
        github
            .calls()
            .iter()
            .all(|call| call.method == "POST" && call.path.ends_with("/7/comments"))
    );
}

#[test]
fn a_lost_answer_may_hide_an_effect_or_none() {
    let github = github_with_pull_request();
    github.fail_next("POST", "/comments", Failure::DropBeforeEffect);
    assert_eq!(raw_comment(&github, 1), "");
    assert_eq!(github.comments(7), []);
    github.fail_next("POST", "/comments", Failure::DropAfterEffect);
    assert_eq!(raw_comment(&github, 1), "");
    assert_eq!(github.comments(7).len(), 1);
    let statuses: Vec<_> = github.calls().into_iter().map(|call| call.status).collect();
    assert_eq!(statuses, [None, None]);
}

#[test]
fn one_connection_carries_several_requests() {
    let github = github_with_pull_request();
    assert_eq!(raw_comment(&github, 3).matches("HTTP/1.1 201").count(), 3);
    assert_eq!(github.comments(7).len(), 3);
}

#[test]
fn a_deployment_does_what_githubs_defaults_do() {
    let github = github_with_pull_request();
    assert_eq!(post(&github, "deployments", &json!({"ref": HEAD})).status, 202);
    let unchecked = json!({"ref": HEAD, "auto_merge": false});
    assert_eq!(post(&github, "deployments", &unchecked).status, 409);
    assert_eq!(post(&github, "deployments", &json!({"ref": "nowhere"})).status, 422);
    assert_eq!(github.deployments().len(), 0);

    let first = deployed(&github);
    deployed(&github);
    let [old, new] = &github.deployments()[..] else {
        panic!("two deployments")
    };
    assert_eq!((old.state(), new.state()), ("inactive", "success"));
    assert_eq!(
        (old.task.as_str(), old.environment.as_str(), old.sha.as_str()),
        ("deploy", "preview", HEAD)
    );
    assert_eq!(old.payload, json!({"stage": "pr-7"}));
    assert_eq!(new.statuses[0].environment_url, "https://example.com/");

    let listed = get(&github, "deployments?environment=preview").json();
    assert_eq!(listed[1]["id"], first);
    let statuses = get(&github, &format!("deployments/{first}/statuses")).json();
    assert_eq!(
        (&statuses[0]["state"], &statuses[1]["state"]),
        (&json!("inactive"), &json!("success"))
    );
    assert_eq!(get(&github, "environments").json()["total_count"], 1);
    assert_eq!(remove(&github, "environments/preview").status, 403);
    assert_eq!(remove(&github, &format!("deployments/{}", new.id)).status, 422);
    assert_eq!(remove(&github, &format!("deployments/{first}")).status, 204);
}

#[test]
fn a_pull_request_is_shown_as_it_is() {
    let github = github_with_pull_request();
    github.set_label(7, "preview");
    github.set_draft(7);
    github.push_to(7, &"8".repeat(40));
    let shown = get(&github, "pulls/7").json();
    assert_eq!(shown["head"]["sha"], "8".repeat(40));
    assert_eq!(
        (&shown["labels"][0]["name"], &shown["draft"]),
        (&json!("preview"), &json!(true))
    );
    assert_eq!(get(&github, "issues/7/labels").json()[0]["name"], "preview");

    github.set_head_repository(7, Some("stranger/app"));
    assert_eq!(
        get(&github, "pulls/7").json()["head"]["repo"]["full_name"],
        "stranger/app"
    );
    github.set_head_repository(7, None);
    assert_eq!(get(&github, "pulls/7").json()["head"]["repo"], Value::Null);

    github.open_pull_request(8, HEAD, "main");
    github.close(7);
    github.merge(8);
    assert_eq!(get(&github, "pulls/7").json()["state"], "closed");
    assert_eq!(get(&github, "pulls/8").json()["merged"], true);
    assert_eq!(get(&github, "pulls").json(), json!([]));
    assert_eq!(get(&github, "pulls?state=all").json()[0]["number"], 8);
    assert_eq!(get(&github, "pulls/8/files").json()[0]["filename"], "app.py");
    assert_eq!(get(&github, "pulls/9").status, 404);
}

#[test]
fn files_branches_and_runs_are_shown_as_they_are() {
    let github = GitHub::start();
    github.set_file("services/one/stagewright.yaml", "app: one\n");
    github.set_branch("feature/new", HEAD);
    github.set_run(RUN, 2, "completed");
    github.set_comparison([HEAD, "main"], "ahead", &["services/one/app.py"]);

    let url = format!(
        "{}/repos/{REPOSITORY}/contents/services/one/stagewright.yaml",
        github.api_url()
    );
    let raw = authorized(Request::new("GET", &url), TOKEN).header("Accept", "application/vnd.github.raw+json");
    assert_eq!(raw.send().text(), "app: one\n");
    let file = send("GET", &url, &Value::Null).json();
    assert_eq!(
        (&file["encoding"], &file["content"]),
        (&json!("base64"), &json!("YXBwOiBvbmUK\n"))
    );
    assert_eq!(get(&github, "contents/services").json()[0]["type"], "dir");
    assert_eq!(get(&github, "contents/nothing").status, 404);
    let tree = get(&github, "git/trees/main?recursive=1").json();
    assert_eq!(tree["tree"][0]["path"], "services/one/stagewright.yaml");

    assert_eq!(get(&github, "branches/feature%2Fnew").json()["commit"]["sha"], HEAD);
    assert_eq!(get(&github, "branches").json().as_array().map(Vec::len), Some(2));
    assert_eq!(get(&github, "git/ref/heads/feature/new").json()["object"]["sha"], HEAD);
    assert_eq!(
        get(&github, "git/matching-refs/heads/feature/").json()[0]["ref"],
        "refs/heads/feature/new"
    );
    assert_eq!(get(&github, "git/ref/heads/feature").status, 404);
    let compared = get(&github, &format!("compare/{HEAD}...main")).json();
    assert_eq!(
        (&compared["status"], &compared["ahead_by"]),
        (&json!("ahead"), &json!(1))
    );

    assert_eq!(get(&github, "").json()["default_branch"], "main");
    assert_eq!(
        get(&github, &format!("actions/runs/{RUN}")).json()["status"],
        "completed"
    );
    let first = get(&github, &format!("actions/runs/{RUN}/attempts/1")).json();
    assert_eq!(first["status"], "in_progress");
    let limits = send("GET", &format!("{}/rate_limit", github.api_url()), &Value::Null);
    assert_eq!(limits.json()["rate"]["limit"], 1000);
}

#[test]
fn a_token_learns_whose_it_is() {
    let github = GitHub::start();
    let asked = json!({"query": "query { viewer { login } }"});
    let answered = send("POST", &github.graphql_url(), &asked);
    assert_eq!(answered.json()["data"]["viewer"]["login"], BOT);
}

#[test]
fn an_enterprise_server_has_its_api_below_a_folder() {
    let github = GitHub::enterprise_server();
    github.open_pull_request(7, HEAD, "main");
    github.write_comment_as("stranger", 7, "one");
    github.write_comment_as("stranger", 7, "two");
    let page = get(&github, "issues/7/comments?per_page=1");
    let next = next_of(page.header("link")).expect("another page");
    assert_eq!(texts(&send("GET", &next, &Value::Null)), ["two"]);
    let asked = json!({"query": "{ viewer { login } }"});
    assert_eq!(send("POST", &github.graphql_url(), &asked).status, 200);
    assert_eq!(github.violations(), Vec::<String>::new());

    let outside = format!("{}/repos/{REPOSITORY}/pulls/7", github.url());
    assert_eq!(send("GET", &outside, &Value::Null).status, 404);
    assert_eq!(
        send("POST", &format!("{}/graphql", github.api_url()), &asked).status,
        404
    );
    assert_eq!(github.violations().len(), 2);
}

/// The first example of each event is old, and lacks what the schemas want of a repository by now.
const INVALID_EXAMPLES: [(&str, usize); 7] = [
    ("create", 0),
    ("delete", 0),
    ("issue_comment", 0),
    ("merge_group", 0),
    ("pull_request", 0),
    ("push", 0),
    ("workflow_dispatch", 0),
];

#[test]
fn githubs_examples_are_what_its_schemas_say() {
    let mut invalid = Vec::new();
    for (name, _) in INVALID_EXAMPLES {
        let examples = read(&format!("tests/github/events/{name}.json"));
        let examples = examples.as_array().expect("a list").iter().enumerate();
        invalid.extend(
            examples
                .filter(|(_, example)| !invalid_event(name, example).is_empty())
                .map(|(index, _)| (name, index)),
        );
    }
    assert_eq!(invalid, INVALID_EXAMPLES);
}

#[test]
fn the_events_that_are_made_here_are_what_githubs_schemas_say() {
    for event in made_events() {
        let faults = invalid_event(event.schema(), &event.payload);
        assert_eq!(
            faults,
            Vec::<String>::new(),
            "{} {}",
            event.name,
            event.payload["action"]
        );
        let text = event.payload.to_string();
        for foreign in ["Codertocat/", "octo-org"] {
            assert!(
                !text.contains(foreign),
                "{foreign} in {} {}",
                event.name,
                event.payload["action"]
            );
        }
        let repository = &event.payload["repository"];
        assert_eq!(
            (&repository["full_name"], &repository["default_branch"]),
            (&json!(REPOSITORY), &json!("main"))
        );
    }
    assert_eq!(events::schedule().payload["repository"]["full_name"], REPOSITORY);
}

fn made_events() -> Vec<Event> {
    let opened = || events::pull_request(7);
    vec![
        opened(),
        opened().head(HEAD).head_branch("other").base("develop"),
        opened().action("reopened"),
        opened().draft().action("converted_to_draft"),
        opened().action("ready_for_review"),
        opened().synchronized(HEAD),
        opened().labeled("preview"),
        opened().with_label("keep").by_dependabot(),
        opened().closed(),
        opened().closed().merged(),
        opened().closed().target(),
        opened().of_fork("stranger/app"),
        opened().of_deleted_fork("stranger/app").closed(),
        events::push("develop", HEAD),
        events::push("develop", HEAD).deleted(),
        events::push_tag("v1", HEAD),
        events::branch_deleted("feature/new"),
        events::dispatch("beta", "deploy"),
        events::dispatch("", ""),
        events::merge_group(),
        events::commented(7, "/deploy"),
    ]
}

/// Deploys the pull request's commit, and returns the id of the deployment.
fn deployed(github: &GitHub) -> u64 {
    let asked = json!({
        "ref": HEAD,
        "environment": "preview",
        "payload": {"stage": "pr-7"},
        "auto_merge": false,
        "required_contexts": [],
    });
    let made = post(github, "deployments", &asked).json();
    let id = made["id"].as_u64().expect("a number");
    let status = json!({"state": "success", "environment_url": "https://example.com/"});
    let path = format!("deployments/{id}/statuses");
    assert_eq!(post(github, &path, &status).status, 201);
    let too_long = json!({"state": "success", "description": "x".repeat(141)});
    assert_eq!(post(github, &path, &too_long).status, 422);
    id
}
