//! A Lambda function of nothing but Rust's standard library: it speaks the Runtime API itself.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::io::{self, Read, Write};
use std::net::TcpStream;

const GREETING: &str = "Hello";

fn main() -> io::Result<()> {
    let runtime = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("Lambda names its Runtime API");
    let stage = std::env::var("STAGE").unwrap_or_default();
    loop {
        let next = call(&runtime, "GET", "/2018-06-01/runtime/invocation/next", "")?;
        let id = header(&next, "lambda-runtime-aws-request-id");
        let event = next.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let answer = answer(event, &stage);
        call(&runtime, "POST", &format!("/2018-06-01/runtime/invocation/{id}/response"), &answer)?;
    }
}

/// What API Gateway gets back for one HTTP request.
fn answer(event: &str, stage: &str) -> String {
    let (method, path) = (field(event, "httpMethod"), field(event, "path"));
    let body = format!("{GREETING} from {stage}: {method} {path}\\n");
    let headers = r#"{"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}"#;
    format!(r#"{{"statusCode": 200, "headers": {headers}, "body": "{body}"}}"#)
}

/// The text of a field, still escaped as in JSON; the event's own fields stand before those of its inner objects.
fn field<'a>(event: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = event.split_once(&format!("\"{name}\"")) else { return "" };
    let rest = rest.trim_start_matches([':', ' ', '"']);
    rest.split('"').next().unwrap_or_default()
}

fn header<'a>(response: &'a str, name: &str) -> &'a str {
    let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
    let line = response.lines().find(named).unwrap_or_default();
    line.split_once(':').map_or("", |(_, value)| value.trim())
}

fn call(runtime: &str, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(runtime)?;
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {runtime}\r\nContent-Length: {length}\r\n")?;
    write!(stream, "Connection: close\r\n\r\n{body}")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
