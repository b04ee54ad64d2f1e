//! GitHub's door: each request and each answer is held against the document, and failures that were ordered happen here.

use std::sync::{Mutex, PoisonError};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::json;

use super::answers::{Question, answer, forbidden, not_found, problem};
use super::server::Asked;
use super::state::{DEFAULT_BRANCH, State};
use super::{BOT, Call, Failure, OIDC_PATH, OIDC_REQUEST_TOKEN, Operation, READ_ONLY_TOKEN, REPOSITORY, Reply, TOKEN};

/// Does what is asked, or what was ordered instead; nothing breaks the connection.
pub(super) fn exchange(state: &Mutex<State>, asked: &Asked) -> Option<Reply> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let state = &mut *state;
    let ordered = state.take_ordered(&asked.method, &asked.path);
    let reply = match ordered {
        Some(Failure::DropBeforeEffect) => {
            blame(state, asked, look(asked).faults);
            None
        }
        Some(Failure::Status(status, headers, message)) => {
            blame(state, asked, look(asked).faults);
            let refusal = problem(status, &message);
            Some(
                headers
                    .iter()
                    .fold(refusal, |reply, (name, value)| reply.with(name, value)),
            )
        }
        Some(Failure::DropAfterEffect) => {
            done(state, asked);
            None
        }
        None => Some(done(state, asked)),
    };
    state.calls.push(Call {
        method: asked.method.clone(),
        path: asked.path.clone(),
        status: reply.as_ref().map(|reply| reply.status),
    });
    reply.map(|reply| {
        let limited = reply
            .with("x-ratelimit-limit", "1000")
            .with("x-ratelimit-remaining", "999");
        limited
            .with("x-ratelimit-reset", "1800000000")
            .with("x-github-request-id", "FAKE:1")
    })
}

/// A request as GitHub's door sees it.
struct Looked {
    operation: Option<Operation>,
    login: Option<&'static str>,
    faults: Vec<String>,
}

/// Holds a request against the document, and against what GitHub wants of every request.
fn look(asked: &Asked) -> Looked {
    let mut looked = Looked {
        operation: Operation::find(&asked.method, &asked.path),
        login: match asked.header("authorization").strip_prefix("Bearer ") {
            Some(TOKEN | READ_ONLY_TOKEN) => Some(BOT),
            Some(_) | None => None,
        },
        faults: Vec::new(),
    };
    if [OIDC_PATH, "/graphql"].contains(&asked.path.as_str()) {
        return looked;
    }
    if looked.login.is_none() {
        let fault = "no token of this GitHub is sent as `Authorization: Bearer`";
        looked.faults.push(fault.to_owned());
    }
    if asked.header("user-agent").is_empty() {
        let fault = "no `User-Agent` is sent, which GitHub refuses";
        looked.faults.push(fault.to_owned());
    }
    match &looked.operation {
        Some(operation) => looked.faults.extend(operation.faults_of_request(asked)),
        None => looked.faults.push("this is no operation of the document".to_owned()),
    }
    looked
}

fn blame(state: &mut State, asked: &Asked, faults: Vec<String>) {
    let named = faults
        .into_iter()
        .map(|fault| format!("{} {}: {fault}", asked.method, asked.path));
    state.violations.extend(named);
}

/// The answer to a request, whose effect it has; both are held against the document.
fn done(state: &mut State, asked: &Asked) -> Reply {
    let looked = look(asked);
    let is_read_only = asked.header("authorization").ends_with(READ_ONLY_TOKEN) && asked.method != "GET";
    let reply = match (&looked.operation, looked.login, asked.path.as_str()) {
        (_, _, OIDC_PATH) => return oidc(asked),
        (_, None, _) => problem(401, "Bad credentials"),
        (_, Some(login), "/graphql") => return viewer(state, asked, login),
        (None, Some(_), _) => not_found(),
        (Some(_), Some(_), _) if !looked.faults.is_empty() => problem(422, &looked.faults.join("; ")),
        (Some(_), Some(_), _) if is_read_only => forbidden("issues=write; pull_requests=write"),
        (Some(operation), Some(login), _) => {
            let question = Question {
                asked,
                operation,
                login,
            };
            let reply = answer(state, &question);
            blame(state, asked, operation.faults_of_reply(&reply));
            reply
        }
    };
    blame(state, asked, looked.faults);
    reply
}

/// The one question of GraphQL: who am I?
fn viewer(state: &mut State, asked: &Asked, login: &str) -> Reply {
    let query = asked.json()["query"].as_str().unwrap_or_default().to_owned();
    let words = query.split(|letter: char| !letter.is_alphanumeric());
    let named: Vec<&str> = words.filter(|word| !["", "query"].contains(word)).collect();
    if named != ["viewer", "login"] {
        let fault = format!("the fake answers `viewer {{ login }}` alone, not {query:?}");
        blame(state, asked, vec![fault]);
    }
    Reply::new(200, &json!({"data": {"viewer": {"login": login}}}))
}

/// What the runner's token service answers: a token that looks right and is signed by nobody.
fn oidc(asked: &Asked) -> Reply {
    let bearer = format!("Bearer {OIDC_REQUEST_TOKEN}");
    if asked.method != "GET" || !asked.header("authorization").eq_ignore_ascii_case(&bearer) {
        return problem(401, "Bad credentials");
    }
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"typ": "JWT", "alg": "RS256", "kid": "fake"}));
    let claims = part(json!({
        "iss": "https://token.actions.githubusercontent.com",
        "sub": format!("repo:{REPOSITORY}:ref:refs/heads/{DEFAULT_BRANCH}"),
        "aud": asked.query("audience").unwrap_or("https://github.com/octo"),
        "repository": REPOSITORY,
        "iat": 1_767_225_600,
        "exp": 4_102_444_800_u64,
    }));
    let signature = BASE64_URL_SAFE_NO_PAD.encode("nobody");
    Reply::new(
        200,
        &json!({"count": 1, "value": format!("{head}.{claims}.{signature}")}),
    )
}
