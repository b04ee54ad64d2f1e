//! What GitHub answers to each operation, and what that changes.

use serde_json::{Value, json};

use super::REPOSITORY;
use super::contract::Operation;
use super::objects;
use super::server::{Asked, Reply};
use super::state::{Condition, DEFAULT_BRANCH, Deployment, DeploymentStatus, State};

const LONGEST_COMMENT: usize = 65_536;
const LONGEST_DESCRIPTION: usize = 140;
const PREFIX: &str = "/repos/{owner}/{repo}";

/// A request for an operation, by somebody.
#[derive(Debug)]
pub struct Question<'a> {
    /// The request.
    pub asked: &'a Asked,
    /// The operation it is for.
    pub operation: &'a Operation,
    /// The login of whoever asks.
    pub login: &'a str,
}

impl Question<'_> {
    fn text(&self, name: &str) -> &str {
        self.operation.named.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// A page of a list, with the header that leads to the others.
    fn page(&self, state: &State, items: &[Value]) -> Reply {
        let (part, link) = self.part(state, items);
        let reply = Reply::new(200, &json!(part));
        if link.is_empty() {
            reply
        } else {
            reply.with("link", &link)
        }
    }

    fn part<'a>(&self, state: &State, items: &'a [Value]) -> (&'a [Value], String) {
        let asked = |name: &str| self.asked.query(name).and_then(|value| value.parse::<usize>().ok());
        let size = asked("per_page").unwrap_or(30).clamp(1, 100);
        let page = asked("page").unwrap_or(1).max(1);
        let last = items.len().div_ceil(size).max(1);
        let from = items.len().min((page - 1) * size);
        let part = &items[from..items.len().min(from + size)];
        let others = self.asked.query.iter().filter(|(name, _)| name != "page");
        let others: String = others.map(|(name, value)| format!("{name}={value}&")).collect();
        let (api, path) = (&state.api_url, &self.asked.path);
        let link = |rel: &str, page: usize| format!("<{api}{path}?{others}page={page}>; rel=\"{rel}\"");
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link("prev", page - 1), link("first", 1)]);
        }
        if page < last {
            links.extend([link("next", page + 1), link("last", last)]);
        }
        (part, links.join(", "))
    }
}

/// Answers, and does what was asked.
pub fn answer(state: &mut State, question: &Question<'_>) -> Reply {
    let template = question.operation.template;
    let is_ours = format!("{}/{}", question.text("owner"), question.text("repo")) == REPOSITORY;
    let Some(path) = template.strip_prefix(PREFIX) else {
        return rate_limit();
    };
    if !is_ours {
        return not_found();
    }
    let room = path[usize::from(!path.is_empty())..]
        .split('/')
        .next()
        .unwrap_or_default();
    match room {
        "" => Reply::new(200, &objects::repository(state, REPOSITORY)),
        "issues" => issues(state, question, path),
        "deployments" if question.asked.method == "GET" => deployments(state, question, path),
        "deployments" => change_deployments(state, question, path),
        "environments" => environments(state, question, path),
        "pulls" => pull_requests(state, question, path),
        "actions" if path.ends_with("/jobs") => jobs(state, question),
        "actions" => runs(state, question),
        "contents" => contents(state, question),
        _ => git(state, question, path),
    }
}

/// What GitHub says where there is nothing, or nothing that one may see.
pub fn not_found() -> Reply {
    problem(404, "Not Found")
}

/// A refusal in GitHub's usual form.
pub fn problem(status: u16, message: &str) -> Reply {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    Reply::new(status, &body)
}

fn invalid(resource: &str, field: &str, message: &str) -> Reply {
    let error = json!({"resource": resource, "code": "unprocessable", "field": field, "message": message});
    let body = json!({
        "message": "Validation Failed",
        "errors": [error],
        "documentation_url": "https://docs.github.com/rest",
        "status": "422",
    });
    Reply::new(422, &body)
}

fn rate_limit() -> Reply {
    let rate = json!({"limit": 1000, "used": 1, "remaining": 999, "reset": 1_800_000_000});
    Reply::new(200, &json!({"resources": {"core": rate, "search": rate}, "rate": rate}))
}

fn issues(state: &mut State, question: &Question<'_>, path: &str) -> Reply {
    let method = question.asked.method.as_str();
    if path.starts_with("/issues/comments") {
        return one_comment(state, question);
    }
    let number = question.number("issue_number");
    if !state.pull_requests.contains_key(&number) {
        return not_found();
    }
    if path.contains("/labels") {
        return labels(state, question, number);
    }
    if method == "GET" {
        let ours = state.comments.iter().filter(|each| each.pull_request == number);
        let comments: Vec<Value> = ours.map(|each| objects::comment(state, each)).collect();
        return question.page(state, &comments);
    }
    match comment_body(question) {
        Err(refused) => refused,
        Ok(body) => {
            let comment = state.add_comment(question.login, number, &body);
            Reply::new(201, &objects::comment(state, &comment))
        }
    }
}

fn one_comment(state: &mut State, question: &Question<'_>) -> Reply {
    let id = question.number("comment_id");
    let Some(at) = state.comments.iter().position(|each| each.id == id) else {
        return not_found();
    };
    match question.asked.method.as_str() {
        "DELETE" => {
            state.comments.remove(at);
            return Reply::empty(204);
        }
        "PATCH" => match comment_body(question) {
            Err(refused) => return refused,
            Ok(body) => {
                state.comments[at].changed_s = state.tick();
                state.comments[at].body = body;
            }
        },
        _ => {}
    }
    Reply::new(200, &objects::comment(state, &state.comments[at]))
}

fn comment_body(question: &Question<'_>) -> Result<String, Reply> {
    let body = question.asked.json()["body"].as_str().unwrap_or_default().to_owned();
    if body.chars().count() > LONGEST_COMMENT {
        let message = format!("Body is too long (maximum is {LONGEST_COMMENT} characters)");
        return Err(invalid("IssueComment", "data", &message));
    }
    if body.trim().is_empty() {
        return Err(invalid("IssueComment", "body", "Body can't be blank"));
    }
    Ok(body)
}

fn labels(state: &mut State, question: &Question<'_>, number: u64) -> Reply {
    let Some(found) = state.pull_requests.get_mut(&number) else {
        return not_found();
    };
    match question.asked.method.as_str() {
        "POST" => {
            let asked = question.asked.json();
            let names = asked["labels"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            found.labels.extend(names.map(str::to_owned));
        }
        "DELETE" => found.labels.retain(|label| label != question.text("name")),
        _ => {}
    }
    let names = found.labels.clone();
    let labels: Vec<Value> = names.iter().map(|name| objects::label(state, name)).collect();
    question.page(state, &labels)
}

fn deployments(state: &State, question: &Question<'_>, path: &str) -> Reply {
    if path == "/deployments" {
        let fits = |each: &&Deployment| {
            let is = |name: &str, value: &str| question.asked.query(name).is_none_or(|wanted| wanted == value);
            is("sha", &each.sha)
                && is("ref", &each.git_ref)
                && is("task", &each.task)
                && is("environment", &each.environment)
        };
        let newest_first = state.deployments.iter().rev().filter(fits);
        let found: Vec<Value> = newest_first.map(|each| objects::deployment(state, each)).collect();
        return question.page(state, &found);
    }
    let id = question.number("deployment_id");
    let Some(found) = state.deployments.iter().find(|each| each.id == id) else {
        return not_found();
    };
    if path.ends_with("/statuses") {
        let newest_first = found.statuses.iter().rev();
        let statuses: Vec<Value> = newest_first
            .map(|status| objects::deployment_status(state, found, status))
            .collect();
        return question.page(state, &statuses);
    }
    Reply::new(200, &objects::deployment(state, found))
}

fn change_deployments(state: &mut State, question: &Question<'_>, path: &str) -> Reply {
    if path == "/deployments" {
        return add_deployment(state, question);
    }
    let id = question.number("deployment_id");
    let Some(at) = state.deployments.iter().position(|each| each.id == id) else {
        return not_found();
    };
    if question.asked.method == "DELETE" {
        if state.deployments.len() > 1 && state.deployments[at].state() != "inactive" {
            return problem(
                422,
                "We cannot delete an active deployment unless it is the only deployment in a given environment.",
            );
        }
        state.deployments.remove(at);
        return Reply::empty(204);
    }
    add_status(state, question, at)
}

fn add_deployment(state: &mut State, question: &Question<'_>) -> Reply {
    let asked = question.asked.json();
    let text = |name: &str, otherwise: &str| asked[name].as_str().unwrap_or(otherwise).to_owned();
    let git_ref = text("ref", "");
    let Some(sha) = state.commit(&git_ref) else {
        return problem(422, &format!("No ref found for: {git_ref}"));
    };
    // Both defaults of GitHub do what a deploy tool does not want; the fake lives up to them.
    if asked["auto_merge"] != false && git_ref != DEFAULT_BRANCH {
        let message = format!("Auto-merged {DEFAULT_BRANCH} into {git_ref} on deployment.");
        return Reply::new(202, &json!({ "message": message }));
    }
    if asked["required_contexts"] != json!([]) {
        return problem(409, &format!("Conflict: Commit status checks failed for {git_ref}."));
    }
    let id = state.tick();
    let environment = text("environment", "production");
    let deployment = Deployment {
        id,
        task: text("task", "deploy"),
        payload: if asked["payload"].is_null() {
            json!({})
        } else {
            asked["payload"].clone()
        },
        sha,
        git_ref,
        description: asked["description"].as_str().map(str::to_owned),
        is_transient: asked["transient_environment"] == true,
        is_production: asked["production_environment"]
            .as_bool()
            .unwrap_or(environment == "production"),
        statuses: Vec::new(),
        author: question.login.to_owned(),
        made_s: id,
        environment,
    };
    let reply = Reply::new(201, &objects::deployment(state, &deployment));
    state.deployments.push(deployment);
    reply
}

fn add_status(state: &mut State, question: &Question<'_>, at: usize) -> Reply {
    let asked = question.asked.json();
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    if text("description").chars().count() > LONGEST_DESCRIPTION {
        let message = format!("description is too long (maximum is {LONGEST_DESCRIPTION} characters)");
        return invalid("DeploymentStatus", "description", &message);
    }
    let id = state.tick();
    let status = DeploymentStatus {
        id,
        state: text("state"),
        environment_url: text("environment_url"),
        log_url: text("log_url"),
        description: text("description"),
        made_s: id,
    };
    if status.state == "success" && asked["auto_inactive"] != false {
        retire_others(state, at, &status);
    }
    let reply = objects::deployment_status(state, &state.deployments[at], &status);
    state.deployments[at].statuses.push(status);
    Reply::new(201, &reply)
}

/// GitHub's default: what was deployed to the same environment before counts no longer.
fn retire_others(state: &mut State, at: usize, status: &DeploymentStatus) {
    let environment = state.deployments[at].environment.clone();
    let inactive = DeploymentStatus {
        state: "inactive".to_owned(),
        ..status.clone()
    };
    for (other, deployment) in state.deployments.iter_mut().enumerate() {
        let is_same = other != at && deployment.environment == environment && deployment.state() == "success";
        if is_same && !deployment.is_transient && !deployment.is_production {
            deployment.statuses.push(inactive.clone());
        }
    }
}

fn environments(state: &State, question: &Question<'_>, path: &str) -> Reply {
    let mut names: Vec<&str> = state.deployments.iter().map(|each| each.environment.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if question.asked.method == "DELETE" {
        return forbidden("administration=write");
    }
    if path == "/environments" {
        let found: Vec<Value> = names.iter().map(|name| objects::environment(state, name)).collect();
        let (part, _) = question.part(state, &found);
        return Reply::new(200, &json!({"total_count": found.len(), "environments": part}));
    }
    match names.iter().find(|name| **name == question.text("environment_name")) {
        Some(name) => Reply::new(200, &objects::environment(state, name)),
        None => not_found(),
    }
}

/// What a token without a right is told.
pub fn forbidden(permissions: &str) -> Reply {
    problem(403, "Resource not accessible by integration").with("x-accepted-github-permissions", permissions)
}

fn pull_requests(state: &State, question: &Question<'_>, path: &str) -> Reply {
    if path == "/pulls" {
        let wanted = question.asked.query("state").unwrap_or("open");
        let fits = |condition: Condition| wanted == "all" || (wanted == "open") == (condition == Condition::Open);
        let is_base = |base: &str| question.asked.query("base").is_none_or(|wanted| wanted == base);
        let newest_first = state.pull_requests.iter().rev();
        let found = newest_first.filter(|(_, each)| fits(each.condition) && is_base(&each.base));
        let found: Vec<Value> = found
            .map(|(number, each)| objects::pull_request(state, *number, each))
            .collect();
        return question.page(state, &found);
    }
    let number = question.number("pull_number");
    match state.pull_requests.get(&number) {
        None => not_found(),
        Some(found) if path.ends_with("/files") => {
            let files: Vec<Value> = found
                .files
                .iter()
                .map(|path| objects::changed_file(state, path))
                .collect();
            question.page(state, &files)
        }
        Some(found) => Reply::new(200, &objects::pull_request(state, number, found)),
    }
}

fn runs(state: &State, question: &Question<'_>) -> Reply {
    let id = question.number("run_id");
    let wanted = question.text("attempt_number").parse::<u64>().ok();
    let fits = |run: u64, attempt: u64| run == id && wanted.is_none_or(|wanted| wanted == attempt);
    let newest = state.runs.iter().rev().find(|((run, attempt), _)| fits(*run, *attempt));
    newest.map_or_else(not_found, |((run, attempt), status)| {
        Reply::new(200, &objects::run(state, *run, *attempt, status))
    })
}

fn jobs(state: &State, question: &Question<'_>) -> Reply {
    let attempt = (question.number("run_id"), question.number("attempt_number"));
    if !state.runs.contains_key(&attempt) {
        return not_found();
    }
    let jobs = state.jobs.get(&attempt).into_iter().flatten();
    let found: Vec<Value> = jobs.map(|job| objects::job(state, attempt, job)).collect();
    let (part, link) = question.part(state, &found);
    let reply = Reply::new(200, &json!({"total_count": found.len(), "jobs": part}));
    if link.is_empty() {
        reply
    } else {
        reply.with("link", &link)
    }
}

fn contents(state: &State, question: &Question<'_>) -> Reply {
    let wanted = question.asked.query("ref").unwrap_or(DEFAULT_BRANCH);
    if state.commit(wanted) != state.commit(DEFAULT_BRANCH) {
        return not_found();
    }
    let path = question.text("path").trim_end_matches('/');
    if let Some(text) = state.files.get(path) {
        let is_raw = question.asked.header("accept").contains("raw");
        return match is_raw {
            true => Reply::raw(text),
            false => Reply::new(200, &objects::content(state, path, Some(text))),
        };
    }
    let below: Vec<&str> = state
        .files
        .keys()
        .filter_map(|file| file.strip_prefix(path)?.strip_prefix('/'))
        .collect();
    if below.is_empty() {
        return not_found();
    }
    let mut entries: Vec<Value> = Vec::new();
    for file in below {
        let entry = match file.split_once('/') {
            Some((folder, _)) => objects::folder(state, &format!("{path}/{folder}")),
            None => objects::content(state, &format!("{path}/{file}"), None),
        };
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    Reply::new(200, &json!(entries))
}

fn git(state: &State, question: &Question<'_>, path: &str) -> Reply {
    let heads = |name: &str| name.strip_prefix("heads/").unwrap_or("/").to_owned();
    let found = match path {
        "/branches" => {
            let branches = state.branches.iter();
            let list: Vec<Value> = branches
                .map(|(name, sha)| objects::short_branch(state, name, sha))
                .collect();
            return question.page(state, &list);
        }
        "/branches/{branch}" => {
            let name = question.text("branch");
            state.branches.get(name).map(|sha| objects::branch(state, name, sha))
        }
        "/git/ref/{ref}" => {
            let name = heads(question.text("ref"));
            state.branches.get(&name).map(|sha| objects::git_ref(state, &name, sha))
        }
        "/git/matching-refs/{ref}" => {
            let begin = heads(question.text("ref"));
            let branches = state.branches.iter().filter(|(name, _)| name.starts_with(&begin));
            Some(branches.map(|(name, sha)| objects::git_ref(state, name, sha)).collect())
        }
        "/git/trees/{tree_sha}" => state.commit(question.text("tree_sha")).map(|sha| {
            let entries: Vec<Value> = state
                .files
                .keys()
                .map(|path| objects::tree_entry(state, path))
                .collect();
            let url = format!("{}/repos/{REPOSITORY}/git/trees/{sha}", state.api_url);
            json!({"sha": sha, "url": url, "truncated": false, "tree": entries})
        }),
        "/compare/{basehead}" => {
            let (base, head) = question.text("basehead").split_once("...").unwrap_or_default();
            let found = state.comparisons.get(&(base.to_owned(), head.to_owned()));
            found.map(|comparison| objects::comparison(state, comparison))
        }
        other => panic!("the fake has no answer to {other}, which its document describes"),
    };
    found.map_or_else(not_found, |found| Reply::new(200, &found))
}
