//! `invoke`: runs one function of a stage, and prints what it returns.

use std::time::Duration;

use serde_json::{Value, json};

use super::Session;
use super::functions::{Functions, Known};
use crate::cli;
use crate::error::Failure;
use crate::fault::{Certainty, Fault, FaultKind};
use crate::host::{Ink, terminal};
use crate::names::StageName;
use crate::report::logs::{Raised, plain, raised};
use crate::resource::function::invocation::{Answer, End, Invocation, Tail};

/// The function of a Chalice app's routes, which is meant where nothing else is said.
const OF_ROUTES: &str = "api_handler";

/// How long an answer may be on its way, beside the function's own time limit: a cold start counts as no part of that.
const MARGIN: Duration = Duration::from_secs(30);

/// When it is told that standard input is waited for.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// Invokes a function once, and prints what it returns.
///
/// # Errors
///
/// There is no such function, the payload is not JSON, AWS cannot be reached, or the function raised something.
pub async fn invoke(session: &Session<'_>, wishes: &cli::Invoke) -> Result<(), Failure> {
    let functions = Functions::of(session, &wishes.stage.name).await?;
    let (name, function) = chosen(&functions, wishes.function.as_deref())?;
    let payload = payload(session, wishes.payload.as_deref()).await?;
    let answer = answered(session, &functions, (name, function), (&payload, tail(wishes))).await?;
    if let Some(tail) = &answer.log_tail {
        session.host.note(Ink::Faint, plain(tail).trim_end());
    }
    let failure = match answer.end {
        End::Returned => None,
        End::Raised => Some(failure((&functions.stage, name), raised(&answer.payload))),
    };
    tell(session, (&functions, name), &answer, failure.as_ref());
    match failure {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

fn tail(wishes: &cli::Invoke) -> Tail {
    if wishes.logs { Tail::Wanted } else { Tail::Unwanted }
}

/// The function that is named; else the only one, or that of the routes.
fn chosen<'a>(functions: &'a Functions, name: Option<&str>) -> Result<(&'a str, &'a Known), Failure> {
    if let Some(name) = name {
        return functions.named(name);
    }
    let mut known = functions.known.iter();
    match (known.next(), known.next()) {
        (Some((name, known)), None) => Ok((name.as_str(), known)),
        (_, _) if functions.known.contains_key(OF_ROUTES) => functions.named(OF_ROUTES),
        (_, _) => {
            let (app, stage) = (&functions.app, &functions.stage);
            let message = format!("stage `{stage}` of app `{app}` has several functions, and none is named");
            Err(Failure::input(message).hint(format!("say which by `--name`: {}", functions.listed())))
        }
    }
}

/// Calls the function. Whoever wishes to stop does not wait for the answer, but the function goes on.
async fn answered(
    session: &Session<'_>,
    functions: &Functions,
    (name, function): (&str, &Known),
    (payload, tail): (&[u8], Tail),
) -> Result<Answer, Failure> {
    let invocation = Invocation {
        arn: &function.arn,
        payload,
        patience: function.timeout + MARGIN,
        tail,
    };
    let _hearing = session.stop.hearing();
    tokio::select! {
        answer = functions.cloud.invoke(&invocation) => answer.map_err(|fault| unanswered(fault, (&functions.stage, name))),
        () = session.stop.requested() => {
            let now = format!("nobody waits for its answer, but function `{name}` goes on: an invocation cannot be taken back");
            Err(Failure::stopped().now(now))
        }
    }
}

/// What is the matter where no answer came. An invocation is never tried again: nobody knows what a function does twice.
fn unanswered(fault: Fault, (stage, name): (&StageName, &str)) -> Failure {
    let hint = if fault.kind == FaultKind::Absent {
        format!("something took function `{name}` out of AWS, and the next deploy that changes it makes it anew")
    } else if fault.certainty == Certainty::MayHaveHappened {
        format!(
            "it may have run all the same, and is not tried again by itself: `stagewright logs --stage {stage} --name {name}` shows what it did"
        )
    } else {
        return fault.into();
    };
    Failure {
        hints: vec![hint],
        ..Failure::from(fault)
    }
}

/// What the function is given: as the flag says, else what is piped into us, else an empty object.
async fn payload(session: &Session<'_>, flag: Option<&str>) -> Result<Vec<u8>, Failure> {
    let (whence, payload) = match flag {
        Some("-") => ("standard input", input(session).await?),
        Some(given) => match given.strip_prefix('@') {
            Some(file) => (file, std::fs::read(file).map_err(|error| unread(file, &error))?),
            None => ("--payload", given.as_bytes().to_vec()),
        },
        None if terminal::is_piped() => ("standard input", input(session).await?),
        None => ("nothing", Vec::new()),
    };
    if payload.trim_ascii().is_empty() {
        return Ok(b"{}".to_vec());
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(Failure::input(format!("the payload of {whence} is not JSON: {error}"))
            .hint("write it like `--payload '{\"key\": \"value\"}'`, `--payload @FILE`, or `--payload -` for standard input")),
    }
}

async fn input(session: &Session<'_>) -> Result<Vec<u8>, Failure> {
    let mut reading = std::pin::pin!(terminal::input());
    let read = match tokio::time::timeout(TOLD_AFTER, &mut reading).await {
        Ok(read) => read,
        Err(_) => {
            let line =
                "waiting: the payload is read from standard input until that ends; `--payload '{}'` does without";
            session.host.note(Ink::Faint, line);
            reading.await
        }
    };
    read.map_err(|error| unread("standard input", &error))
}

fn unread(whence: &str, error: &std::io::Error) -> Failure {
    Failure::input(format!("the payload of {whence} cannot be read: {error}"))
}

fn failure((stage, name): (&StageName, &str), raised: Raised) -> Failure {
    let message = match raised.kind {
        Some(kind) => format!("function `{name}` raised {}: {}", plain(&kind), raised.message),
        None => format!("function `{name}` failed: {}", raised.message),
    };
    Failure {
        details: Some(raised.trace),
        ..Failure::outside(message).hint(format!(
            "`stagewright logs --stage {stage} --name {name}` shows what it logged"
        ))
    }
}

fn tell(session: &Session<'_>, (functions, name): (&Functions, &str), answer: &Answer, failure: Option<&Failure>) {
    let text = String::from_utf8_lossy(&answer.payload);
    if failure.is_none() {
        session.host.say(&format!("{text}\n"));
    }
    let payload = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()));
    let mut told = json!({
        "app": functions.app,
        "stage": functions.stage,
        "function": name,
        "status": answer.status,
        "payload": payload,
    });
    if let Some(failure) = failure {
        told["error"] = failure.json();
    }
    if let Some(tail) = &answer.log_tail {
        told["log_tail"] = json!(tail);
    }
    session.host.answer(&told);
}
