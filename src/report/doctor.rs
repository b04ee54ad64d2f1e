//! What `doctor` found, as text and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `config`, `bucket`, `stage prod`.
    pub about: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was seen.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Nothing fails for it now.
    Warning,
    /// Something fails for it.
    Problem,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(about: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            verdict: Verdict::Ok,
            message: message.into(),
            hint: None,
        }
    }

    /// Something is not as it should be, and what to do about it.
    pub fn warning(about: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            hint: Some(hint.into()),
            ..Self::ok(about, message)
        }
    }

    /// As a line for people, and one more where there is something to do.
    pub fn text(&self) -> String {
        let word = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Problem => "problem",
        };
        let mut text = format!("{word:<8} {}: {}", self.about, self.message);
        if let Some(hint) = &self.hint {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{:<8} hint: {hint}", "");
        }
        text
    }
}
