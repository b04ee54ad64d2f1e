//! What functions logged, and what they raised: as text and as JSON.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::resource::function::log::LogEvent;

/// What a function logged at one moment, as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// When, in UTC, to the millisecond.
    pub at: Timestamp,
    /// Logical name of the function.
    pub function: String,
    /// The instance of the function: its log stream.
    pub stream: String,
    /// What it logged, without the line's end.
    pub message: String,
}

/// Whose the lines are, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Of functions whose longest name has so many characters.
    Shown(usize),
    /// Of one function, which need not be named.
    Hidden,
}

/// What a function raised instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The type of it, where the runtime says it: `KeyError`.
    pub kind: Option<String>,
    /// What it says of itself.
    pub message: String,
    /// Where it was raised, a call a line; empty where the runtime does not say.
    pub trace: String,
}

impl Logged {
    /// What a function of this name logged.
    pub fn of(function: &str, event: LogEvent) -> Self {
        Self {
            at: Timestamp::from_millisecond(event.at_ms).unwrap_or_default(),
            function: function.to_owned(),
            stream: event.stream,
            message: event.message.trim_end().to_owned(),
        }
    }

    /// As text for people: a line, and one more for each further line of the message.
    pub fn text(&self, names: Names) -> String {
        let at = self.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S.%3f UTC");
        let name = match names {
            Names::Shown(width) => format!("{:width$}  ", self.function),
            Names::Hidden => String::new(),
        };
        format!("{at}  {name}{}\n", plain(&self.message))
    }
}

/// Whether a line is Lambda's own account of an invocation: when it began and ended, how long it took and what it cost.
///
/// See <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.
pub fn is_of_the_runtime(message: &str) -> bool {
    const BEGINNINGS: [&str; 4] = [
        "START RequestId: ",
        "END RequestId: ",
        "REPORT RequestId: ",
        "INIT_START Runtime Version: ",
    ];
    if BEGINNINGS.iter().any(|beginning| message.starts_with(beginning)) {
        return true;
    }
    let as_json = || serde_json::from_str::<Value>(message).ok();
    let is_platform = |value: Value| {
        [
            "platform.start",
            "platform.end",
            "platform.report",
            "platform.initStart",
        ]
        .iter()
        .any(|kind| value["type"] == **kind && value["record"].is_object())
    };
    message.starts_with('{') && as_json().is_some_and(is_platform)
}

/// Reads what Lambda answers for a function that did not return. Each runtime says it a little differently.
pub fn raised(payload: &[u8]) -> Raised {
    let text = String::from_utf8_lossy(payload).trim().to_owned();
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    let said = |key: &str| value[key].as_str().map(ToOwned::to_owned);
    let calls = ["stackTrace", "trace"].iter().find_map(|key| value[key].as_array());
    let lines = calls.into_iter().flatten().map(|call| match call {
        Value::String(line) => line.trim_end().to_owned(),
        other => other.to_string(),
    });
    Raised {
        kind: said("errorType").filter(|kind| !kind.is_empty()),
        message: plain(&said("errorMessage").unwrap_or(text)),
        trace: plain(&lines.collect::<Vec<_>>().join("\n")),
    }
}

/// A text of somebody else's, which cannot move the cursor or change the colours of a terminal.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    // Python's tracebacks are one event, whose lines a carriage return parts.
    for c in text.replace("\r\n", "\n").replace('\r', "\n").chars() {
        match c {
            '\n' | '\t' => plain.push(c),
            // Writing to a string cannot fail.
            c if c.is_control() => drop(write!(plain, "{}", c.escape_unicode())),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(message: &str) -> Logged {
        let event = LogEvent {
            id: "1".to_owned(),
            at_ms: 1_767_323_045_067,
            stream: "s".to_owned(),
            message: message.to_owned(),
        };
        Logged::of("api", event)
    }

    #[test]
    fn a_line_says_when_to_the_millisecond_and_which_function_where_there_are_several() {
        let line = logged("hello\n");
        assert_eq!(line.text(Names::Hidden), "2026-01-02 03:04:05.067 UTC  hello\n");
        assert_eq!(
            line.text(Names::Shown(6)),
            "2026-01-02 03:04:05.067 UTC  api     hello\n"
        );
        assert_eq!(serde_json::json!(line)["at"], "2026-01-02T03:04:05.067Z");
    }

    #[test]
    fn what_a_function_logs_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\tc\rd\u{9b}1m"), "a\\u{1b}[2Jb\tc\nd\\u{9b}1m");
    }

    #[test]
    fn lines_of_the_runtime_are_told_from_those_of_the_app() {
        for line in [
            "START RequestId: 1 Version: $LATEST",
            "END RequestId: 1",
            "REPORT RequestId: 1\tDuration: 2 ms",
            "INIT_START Runtime Version: python:3.13.v1",
            r#"{"time":"2026-01-02T03:04:05Z","type":"platform.report","record":{"requestId":"1"}}"#,
        ] {
            assert!(is_of_the_runtime(line), "{line}");
        }
        for line in [
            "START of the day",
            "[ERROR] KeyError: 'a'",
            "2026-01-02T03:04:05Z 1 Task timed out after 3.00 seconds",
            r#"{"type":"platform.report"}"#,
            r#"{"level":"INFO","message":"platform.start"}"#,
        ] {
            assert!(!is_of_the_runtime(line), "{line}");
        }
    }

    #[test]
    fn what_was_raised_is_read_from_any_runtime() {
        let python = br#"{"errorMessage": "'a'", "errorType": "KeyError", "stackTrace": ["  File \"app.py\", line 1\n", "    x\n"]}"#;
        let told = raised(python);
        assert_eq!(told.kind.as_deref(), Some("KeyError"));
        assert_eq!(
            (told.message.as_str(), told.trace.as_str()),
            ("'a'", "  File \"app.py\", line 1\n    x")
        );
        let node = br#"{"errorType": "Error", "errorMessage": "no", "trace": ["Error: no", "    at handler"]}"#;
        assert_eq!(raised(node).trace, "Error: no\n    at handler");
        let go = br#"{"errorType": "E", "errorMessage": "no", "stackTrace": [{"path": "main.go", "line": 3}]}"#;
        assert_eq!(raised(go).trace, r#"{"path":"main.go","line":3}"#);
        let stopped = raised(br#"{"errorMessage": "Task timed out after 3.00 seconds"}"#);
        assert_eq!(
            (stopped.kind, stopped.message.as_str()),
            (None, "Task timed out after 3.00 seconds")
        );
        assert_eq!(raised(b"gone\n").message, "gone");
    }
}
