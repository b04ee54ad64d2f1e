//! Requests to the fake, as a program makes them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::HEAD;
use crate::github::{GitHub, REPOSITORY, TOKEN};
use crate::http::{Answer, Request};

pub(super) fn github_with_pull_request() -> GitHub {
    let github = GitHub::start();
    github.open_pull_request(7, HEAD, "main");
    github
}

pub(super) fn authorized<'a>(request: Request<'a>, token: &str) -> Request<'a> {
    request
        .header("Authorization", &format!("Bearer {token}"))
        .header("User-Agent", "tests")
}

pub(super) fn send(method: &str, url: &str, body: &Value) -> Answer {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = authorized(Request::new(method, url), TOKEN);
    request
        .header("Content-Type", "application/json")
        .body(text.as_bytes())
        .send()
}

pub(super) fn here(github: &GitHub, path: &str) -> String {
    let url = format!("{}/repos/{REPOSITORY}/{path}", github.api_url());
    url.trim_end_matches('/').to_owned()
}

pub(super) fn get(github: &GitHub, path: &str) -> Answer {
    send("GET", &here(github, path), &Value::Null)
}

pub(super) fn post(github: &GitHub, path: &str, body: &Value) -> Answer {
    send("POST", &here(github, path), body)
}

pub(super) fn remove(github: &GitHub, path: &str) -> Answer {
    send("DELETE", &here(github, path), &Value::Null)
}

pub(super) fn texts(page: &Answer) -> Vec<String> {
    let comments = page.json().as_array().cloned().unwrap_or_default();
    let text = |comment: &Value| comment["body"].as_str().unwrap_or_default().to_owned();
    comments.iter().map(text).collect()
}

pub(super) fn next_of(link: &str) -> Option<String> {
    let next = link.split(", ").find(|part| part.ends_with("rel=\"next\""))?;
    Some(next.split(['<', '>']).nth(1)?.to_owned())
}

/// Writes comments over one connection, and returns all that comes back.
pub(super) fn raw_comment(github: &GitHub, times: usize) -> String {
    let host = github.url().replace("http://", "");
    let mut stream = TcpStream::connect(&host).expect("it listens");
    let body = r#"{"body":"hello"}"#;
    for time in 1..=times {
        let connection = if time == times { "close" } else { "keep-alive" };
        let head =
            format!("POST /repos/{REPOSITORY}/issues/7/comments HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tests\r\n");
        let length = body.len();
        let rest =
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: {connection}\r\n");
        let text = format!("{head}Authorization: Bearer {TOKEN}\r\n{rest}\r\n{body}");
        stream.write_all(text.as_bytes()).expect("it is sent");
    }
    let mut answered = String::new();
    stream.read_to_string(&mut answered).expect("it is answered");
    answered
}
