//! The one place that reads GitHub's refusals.

use std::time::Duration;

use jiff::fmt::rfc2822;
use serde_json::Value;

use super::wire::{Answer, Broken};
use crate::fault::{Certainty, Fault, FaultKind};

/// Longest part of GitHub's own words that is shown, in characters.
const SHOWN: usize = 300;

/// An answer that refuses, as what we know about it.
pub fn of_answer(operation: &'static str, target: &str, answer: &Answer) -> Fault {
    let said = said(answer);
    let kind = kind(answer, &said);
    let needs = (kind == FaultKind::Denied).then(|| needs(answer)).flatten();
    Fault {
        operation,
        target: target.to_owned(),
        kind,
        code: answer.status.to_string(),
        message: match needs {
            Some(needs) => format!("{said} (needs {needs})"),
            None => said,
        },
        certainty: certainty(answer.status),
        request_id: answer.header("x-github-request-id").map(ToOwned::to_owned),
    }
}

/// No answer, as what we know about it.
pub fn of_broken(operation: &'static str, target: &str, broken: Broken) -> Fault {
    let (kind, certainty, message) = match broken {
        Broken::Unsent(why) => (FaultKind::Other, Certainty::DidNotHappen, why),
        Broken::Refused(why) => (FaultKind::Unreachable, Certainty::DidNotHappen, why),
        Broken::Cut(why) => (FaultKind::Unreachable, Certainty::MayHaveHappened, why),
        Broken::Timeout(after) => (
            FaultKind::Timeout,
            Certainty::MayHaveHappened,
            format!("no answer after {} s", after.as_secs()),
        ),
    };
    Fault {
        operation,
        target: target.to_owned(),
        kind,
        code: String::new(),
        message,
        certainty,
        request_id: None,
    }
}

/// How long GitHub asks to wait before the next call, if it says so.
/// See <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>.
pub fn asked_pause(answer: &Answer) -> Option<Duration> {
    let number = |name| answer.header(name).and_then(|value| value.trim().parse::<u64>().ok());
    if let Some(seconds) = number("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    if number("x-ratelimit-remaining") != Some(0) {
        return None;
    }
    // By GitHub's own clock, so that ours need not be right.
    let now = rfc2822::parse(answer.header("date")?).ok()?.timestamp().as_second();
    let left = number("x-ratelimit-reset")?.saturating_sub(u64::try_from(now).ok()?);
    Some(Duration::from_secs(left + 1))
}

fn kind(answer: &Answer, said: &str) -> FaultKind {
    match answer.status {
        401 => FaultKind::Credentials,
        429 => FaultKind::Throttled,
        403 if is_limit(answer, said) => FaultKind::Throttled,
        403 => FaultKind::Denied,
        404 | 410 => FaultKind::Absent,
        408 => FaultKind::Timeout,
        409 => FaultKind::Conflict,
        412 => FaultKind::Condition,
        400..=499 => FaultKind::Invalid,
        _ => FaultKind::Other,
    }
}

/// Whether a 403 is about too many calls, and not about a right.
fn is_limit(answer: &Answer, said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    answer.header("retry-after").is_some()
        || answer.header("x-ratelimit-remaining").map(str::trim) == Some("0")
        || said.contains("secondary rate limit")
        || said.contains("rate limit exceeded")
}

/// A 409 or a 412 may be an earlier attempt of ours, and a 5xx may come after the effect.
fn certainty(status: u16) -> Certainty {
    match status {
        300..=407 | 410 | 411 | 413..=499 => Certainty::DidNotHappen,
        _ => Certainty::MayHaveHappened,
    }
}

/// GitHub's own words, in one line.
fn said(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let details = body["errors"].as_array().into_iter().flatten().filter_map(detail);
    let message = body["message"].as_str().map(ToOwned::to_owned);
    let parts: Vec<String> = message.into_iter().chain(details).collect();
    if parts.is_empty() {
        return format!("HTTP status {}", answer.status);
    }
    let line = parts.join(": ").split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SHOWN).collect()
}

fn detail(error: &Value) -> Option<String> {
    let text = |name: &str| error[name].as_str();
    match (error.as_str(), text("message"), text("field"), text("code")) {
        (Some(said), ..) | (None, Some(said), ..) => Some(said.to_owned()),
        (None, None, Some(field), Some(code)) => Some(format!("`{field}` is {}", code.replace('_', " "))),
        (None, None, _, Some(code)) => Some(code.replace('_', " ")),
        (None, None, _, None) => None,
    }
}

/// The permissions that would do: `;` divides what does alone, `,` what is needed together.
/// See <https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible>.
fn needs(answer: &Answer) -> Option<String> {
    let accepted = answer.header("x-accepted-github-permissions")?;
    let together = |set: &str| {
        let permissions = set
            .split(',')
            .map(str::trim)
            .filter(|permission| !permission.is_empty());
        let quoted: Vec<String> = permissions.map(|permission| format!("`{permission}`")).collect();
        quoted.join(" and ")
    };
    let alternatives: Vec<String> = accepted
        .split(';')
        .map(together)
        .filter(|set| !set.is_empty())
        .collect();
    (!alternatives.is_empty()).then(|| alternatives.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
        of_answer("github:CreateComment", "octo/app#7", &answer(status, headers, body))
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Answer {
            status,
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_missing_permission_is_named_as_github_names_it() {
        let fault = refused(
            403,
            &[
                (
                    "x-accepted-github-permissions",
                    "issues=write; pull_requests=write,contents=read",
                ),
                ("x-github-request-id", "C0DE:1"),
            ],
            r#"{"message": "Resource not accessible by integration", "documentation_url": "https://docs.github.com"}"#,
        );
        assert_eq!(fault.kind, FaultKind::Denied);
        assert_eq!(fault.certainty, Certainty::DidNotHappen);
        assert_eq!(
            fault.to_string(),
            "github:CreateComment on `octo/app#7`: Resource not accessible by integration (needs `issues=write` or \
             `pull_requests=write` and `contents=read`) (request C0DE:1)"
        );
    }

    #[test]
    fn a_limit_of_calls_is_told_from_a_missing_right() {
        let limits = [
            refused(429, &[], ""),
            refused(403, &[("retry-after", "30")], r#"{"message": "You have been limited"}"#),
            refused(
                403,
                &[("x-ratelimit-remaining", "0")],
                r#"{"message": "API rate limit exceeded"}"#,
            ),
            refused(403, &[], r#"{"message": "You have exceeded a secondary rate limit."}"#),
        ];
        for limited in limits {
            assert_eq!(limited.kind, FaultKind::Throttled, "{limited}");
        }
        let denied = refused(403, &[("x-ratelimit-remaining", "12")], r#"{"message": "Forbidden"}"#);
        assert_eq!(denied.kind, FaultKind::Denied);
    }

    #[test]
    fn github_says_what_it_does_not_like() {
        let body = r#"{"message": "Validation Failed", "errors": [{"resource": "IssueComment", "code": "unprocessable",
            "field": "data", "message": "Body is too long (maximum is 65536 characters)"}]}"#;
        assert_eq!(
            refused(422, &[], body).message,
            "Validation Failed: Body is too long (maximum is 65536 characters)"
        );
        let body = r#"{"message": "Validation Failed", "errors": [{"code": "missing_field", "field": "ref"}]}"#;
        assert_eq!(
            refused(422, &[], body).message,
            "Validation Failed: `ref` is missing field"
        );
        assert_eq!(refused(422, &[], body).kind, FaultKind::Invalid);
    }

    #[test]
    fn a_page_of_a_broken_gateway_is_not_shown() {
        let fault = refused(502, &[], "<html><body>Unicorn!</body></html>");
        assert_eq!(fault.message, "HTTP status 502");
        assert_eq!(fault.certainty, Certainty::MayHaveHappened);
    }

    #[test]
    fn the_pause_is_what_github_asks_for_by_its_own_clock() {
        let asked = |headers: &[(&str, &str)]| asked_pause(&answer(403, headers, ""));
        assert_eq!(asked(&[("retry-after", "17")]), Some(Duration::from_secs(17)));
        let reset = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1445412510"),
            ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ];
        assert_eq!(asked(&reset), Some(Duration::from_secs(31)));
        assert_eq!(asked(&reset[..2]), None);
        assert_eq!(
            asked(&[("x-ratelimit-remaining", "50"), ("x-ratelimit-reset", "1445412510")]),
            None
        );
    }

    #[test]
    fn only_an_answer_that_nobody_gave_leaves_a_doubt() {
        let of = |broken| of_broken("github:CreateComment", "octo/app#7", broken);
        assert_eq!(
            of(Broken::Refused("refused".to_owned())).certainty,
            Certainty::DidNotHappen
        );
        assert_eq!(
            of(Broken::Cut("reset".to_owned())).certainty,
            Certainty::MayHaveHappened
        );
        let late = of(Broken::Timeout(Duration::from_secs(10)));
        assert_eq!(
            (late.kind, late.certainty),
            (FaultKind::Timeout, Certainty::MayHaveHappened)
        );
        assert_eq!(late.message, "no answer after 10 s");
    }
}
