//! What the fake knows, as the objects that GitHub answers with.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::state::{
    Comment, Comparison, Condition, DEFAULT_BRANCH, Deployment, DeploymentStatus, Job, PullRequest, State,
};
use super::{OWNER, REPOSITORY};

const REPOSITORY_ID: u64 = 1_296_269;

/// A second of the fake's clock, which begins with the year 2026, as GitHub writes it.
pub fn time(second: u64) -> String {
    let (days, rest) = (second / 86_400, second % 86_400);
    assert!(days < 31, "a scenario lasts no month");
    let (hour, minute) = (rest / 3600, rest / 60 % 60);
    format!("2026-01-{:02}T{hour:02}:{minute:02}:{:02}Z", days + 1, rest % 60)
}

/// A user. A name that ends with `[bot]` is an app's.
pub fn user(state: &State, login: &str) -> Value {
    let seed = state.seeds["comment"]["user"].to_string();
    let in_urls = login.replace('[', "%5B").replace(']', "%5D");
    let mut user: Value = serde_json::from_str(&seed.replace("octocat", &in_urls)).expect("it is JSON as before");
    user["login"] = json!(login);
    user["type"] = json!(if login.ends_with("[bot]") { "Bot" } else { "User" });
    user["id"] = json!(login.bytes().fold(7_u64, |id, byte| id * 31 % 99_991 + u64::from(byte)));
    user
}

/// The repository, or a fork of it.
pub fn repository(state: &State, full_name: &str) -> Value {
    let seed = state.seeds["repository"].to_string();
    let mut repository: Value =
        serde_json::from_str(&seed.replace(REPOSITORY, full_name)).expect("it is JSON as before");
    let (owner, name) = full_name.split_once('/').expect("an owner and a name");
    repository["name"] = json!(name);
    repository["full_name"] = json!(full_name);
    repository["owner"] = user(state, owner);
    repository["default_branch"] = json!(DEFAULT_BRANCH);
    repository["fork"] = json!(full_name != REPOSITORY);
    repository["id"] = json!(REPOSITORY_ID + u64::from(full_name != REPOSITORY));
    repository["language"] = Value::Null;
    for only_of_forks in ["source", "parent", "template_repository", "organization"] {
        repository.as_object_mut().expect("an object").remove(only_of_forks);
    }
    repository
}

/// A label.
pub fn label(state: &State, name: &str) -> Value {
    let mut label = state.seeds["label"].clone();
    label["name"] = json!(name);
    label["url"] = json!(format!("{}/repos/{REPOSITORY}/labels/{name}", state.api_url));
    label["default"] = json!(false);
    label
}

/// A comment.
pub fn comment(state: &State, of: &Comment) -> Value {
    let mut comment = numbered(&state.seeds["comment"], "/1347", &format!("/{}", of.pull_request));
    comment["id"] = json!(of.id);
    comment["url"] = json!(format!(
        "{}/repos/{REPOSITORY}/issues/comments/{}",
        state.api_url, of.id
    ));
    comment["body"] = json!(of.body);
    comment["user"] = user(state, &of.author);
    comment["created_at"] = json!(time(of.written_s));
    comment["updated_at"] = json!(time(of.changed_s));
    comment
}

/// A pull request.
pub fn pull_request(state: &State, number: u64, of: &PullRequest) -> Value {
    let mut value = numbered(&state.seeds["pull_request"], "/1347", &format!("/{number}"));
    let opened = time(of.opened_s);
    let (is_open, is_merged) = (of.condition == Condition::Open, of.condition == Condition::Merged);
    value["number"] = json!(number);
    value["id"] = json!(5000 + number);
    value["state"] = json!(if is_open { "open" } else { "closed" });
    value["merged"] = json!(is_merged);
    value["merged_at"] = if is_merged { json!(opened) } else { Value::Null };
    value["merged_by"] = if is_merged { user(state, OWNER) } else { Value::Null };
    value["closed_at"] = if is_open { Value::Null } else { json!(opened) };
    value["created_at"] = json!(opened);
    value["updated_at"] = json!(opened);
    value["draft"] = json!(of.is_draft);
    value["user"] = user(state, &of.author);
    value["labels"] = of.labels.iter().map(|name| label(state, name)).collect();
    value["locked"] = json!(false);
    value["active_lock_reason"] = Value::Null;
    for nothing in ["milestone", "assignee", "auto_merge"] {
        value[nothing] = Value::Null;
    }
    for none in ["assignees", "requested_reviewers", "requested_teams"] {
        value[none] = json!([]);
    }
    let base_sha = state.branches.get(&of.base).cloned().unwrap_or_else(|| "2".repeat(40));
    value["base"] = side(state, Some(REPOSITORY), &of.base, &base_sha);
    value["head"] = side(state, of.head_repository.as_deref(), &of.head_branch, &of.head_sha);
    value
}

fn side(state: &State, full_name: Option<&str>, branch: &str, sha: &str) -> Value {
    let owner = full_name.and_then(|name| name.split('/').next()).unwrap_or("ghost");
    json!({
        "label": format!("{owner}:{branch}"),
        "ref": branch,
        "sha": sha,
        "user": user(state, owner),
        "repo": full_name.map(|name| repository(state, name)),
    })
}

/// A file that a pull request or a comparison changes.
pub fn changed_file(state: &State, path: &str) -> Value {
    let mut file = state.seeds["comparison"]["files"][0].clone();
    file["filename"] = json!(path);
    file
}

/// A deployment.
pub fn deployment(state: &State, of: &Deployment) -> Value {
    let here = format!("{}/repos/{REPOSITORY}/deployments/{}", state.api_url, of.id);
    let mut value = state.seeds["deployment"].clone();
    value["id"] = json!(of.id);
    value["url"] = json!(here);
    value["statuses_url"] = json!(format!("{here}/statuses"));
    value["sha"] = json!(of.sha);
    value["ref"] = json!(of.git_ref);
    value["task"] = json!(of.task);
    value["payload"] = of.payload.clone();
    value["environment"] = json!(of.environment);
    value["original_environment"] = json!(of.environment);
    value["description"] = json!(of.description);
    value["transient_environment"] = json!(of.is_transient);
    value["production_environment"] = json!(of.is_production);
    value["creator"] = user(state, &of.author);
    value["created_at"] = json!(time(of.made_s));
    value["updated_at"] = json!(time(of.statuses.last().map_or(of.made_s, |status| status.made_s)));
    value
}

/// A status of a deployment.
pub fn deployment_status(state: &State, deployment: &Deployment, of: &DeploymentStatus) -> Value {
    let here = format!("{}/repos/{REPOSITORY}/deployments/{}", state.api_url, deployment.id);
    let mut value = state.seeds["deployment_status"].clone();
    value["id"] = json!(of.id);
    value["url"] = json!(format!("{here}/statuses/{}", of.id));
    value["deployment_url"] = json!(here);
    value["state"] = json!(of.state);
    value["description"] = json!(of.description);
    value["environment"] = json!(deployment.environment);
    value["environment_url"] = json!(of.environment_url);
    value["log_url"] = json!(of.log_url);
    value["target_url"] = json!(of.log_url);
    value["creator"] = user(state, &deployment.author);
    value["created_at"] = json!(time(of.made_s));
    value["updated_at"] = json!(time(of.made_s));
    value
}

/// An environment.
pub fn environment(state: &State, name: &str) -> Value {
    let here = format!("{}/repos/{REPOSITORY}/environments/{name}", state.api_url);
    json!({
        "id": 161_088_068,
        "node_id": "MDExOkVudmlyb25tZW50MTYxMDg4MDY4",
        "name": name,
        "url": here,
        "html_url": here,
        "created_at": time(0),
        "updated_at": time(0),
        "protection_rules": [],
        "deployment_branch_policy": null,
    })
}

/// An attempt of a workflow run.
pub fn run(state: &State, id: u64, attempt: u64, status: &str) -> Value {
    let mut run = numbered(&state.seeds["run"], "/30433642", &format!("/{id}"));
    run["id"] = json!(id);
    run["run_attempt"] = json!(attempt);
    run["status"] = json!(status);
    run["conclusion"] = if status == "completed" {
        json!("success")
    } else {
        Value::Null
    };
    run
}

/// A job of an attempt of a workflow run.
pub fn job(state: &State, (id, attempt): (u64, u64), of: &Job) -> Value {
    let mut job = numbered(&state.seeds["jobs"]["jobs"][0], "/29679449", &format!("/{id}"));
    job["run_id"] = json!(id);
    job["run_attempt"] = json!(attempt);
    job["status"] = json!(of.status);
    job["runner_name"] = json!(of.runner);
    // It is required, and the document's own example has none.
    job["created_at"] = job["started_at"].clone();
    if of.status != "completed" {
        job["conclusion"] = Value::Null;
        job["completed_at"] = Value::Null;
    }
    if of.runner.is_none() {
        for name in ["runner_id", "runner_group_id", "runner_group_name"] {
            job[name] = Value::Null;
        }
    }
    job
}

/// A branch, with its commit.
pub fn branch(state: &State, name: &str, sha: &str) -> Value {
    let mut branch = state.seeds["branch"].clone();
    branch["name"] = json!(name);
    branch["commit"]["sha"] = json!(sha);
    branch
}

/// A branch as a list has it.
pub fn short_branch(state: &State, name: &str, sha: &str) -> Value {
    let url = format!("{}/repos/{REPOSITORY}/commits/{sha}", state.api_url);
    json!({"name": name, "commit": {"sha": sha, "url": url}, "protected": false})
}

/// A ref of git.
pub fn git_ref(state: &State, branch: &str, sha: &str) -> Value {
    let git = format!("{}/repos/{REPOSITORY}/git", state.api_url);
    json!({
        "ref": format!("refs/heads/{branch}"),
        "node_id": "MDM6UmVmcmVmcy9oZWFkcy9tYWlu",
        "url": format!("{git}/refs/heads/{branch}"),
        "object": {"type": "commit", "sha": sha, "url": format!("{git}/commits/{sha}")},
    })
}

/// A comparison of two commits.
pub fn comparison(state: &State, of: &Comparison) -> Value {
    let mut value = state.seeds["comparison"].clone();
    value["status"] = json!(of.status);
    value["ahead_by"] = json!(u8::from(of.status == "ahead" || of.status == "diverged"));
    value["behind_by"] = json!(u8::from(of.status == "behind" || of.status == "diverged"));
    value["files"] = of.files.iter().map(|path| changed_file(state, path)).collect();
    value
}

/// A file of the default branch as the contents API has it; its text only where `text` is given.
pub fn content(state: &State, path: &str, text: Option<&str>) -> Value {
    let here = format!("{}/repos/{REPOSITORY}/contents/{path}", state.api_url);
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut value = json!({
        "type": "file",
        "size": state.files.get(path).map_or(0, String::len),
        "name": name,
        "path": path,
        "sha": "3".repeat(40),
        "url": here,
        "git_url": here,
        "html_url": here,
        "download_url": here,
        "_links": {"git": here, "html": here, "self": here},
    });
    if let Some(text) = text {
        value["encoding"] = json!("base64");
        // GitHub breaks the lines of what it encodes.
        value["content"] = json!(broken(&BASE64_STANDARD.encode(text)));
    }
    value
}

/// A folder in a listing.
pub fn folder(state: &State, path: &str) -> Value {
    let mut folder = content(state, path, None);
    folder["type"] = json!("dir");
    folder["download_url"] = Value::Null;
    folder
}

/// An entry of a tree.
pub fn tree_entry(state: &State, path: &str) -> Value {
    let sha = "3".repeat(40);
    let url = format!("{}/repos/{REPOSITORY}/git/blobs/{sha}", state.api_url);
    let size = state.files.get(path).map_or(0, String::len);
    json!({"path": path, "mode": "100644", "type": "blob", "sha": sha, "size": size, "url": url})
}

fn broken(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let lines = characters.chunks(60).map(|line| line.iter().collect::<String>() + "\n");
    lines.collect()
}

/// A seed whose URLs name another number.
fn numbered(seed: &Value, old: &str, new: &str) -> Value {
    serde_json::from_str(&seed.to_string().replace(old, new)).expect("it is JSON as before")
}
