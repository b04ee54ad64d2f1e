//! An invocation of a function: what it is asked, and what it answers.

use std::time::Duration;

/// One invocation, whose answer is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// ARN of the function.
    pub arn: &'a str,
    /// What its handler is given: JSON. Lambda takes 6 MB at most:
    /// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
    pub payload: &'a [u8],
    /// How long an answer is waited for.
    pub patience: Duration,
    /// Whether the end of the log is wanted, too.
    pub tail: Tail,
}

/// Whether the end of an invocation's log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Its last 4 KB.
    Wanted,
    /// Nothing of it.
    Unwanted,
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Lambda's own HTTP status: 200, even where the function raised something.
    pub status: i32,
    /// What it returned, or what is known of its error.
    pub payload: Vec<u8>,
    /// Whether it returned.
    pub end: End,
    /// The end of the log, where it was wanted and there is one.
    pub log_tail: Option<String>,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The handler returned.
    Returned,
    /// It raised something, was stopped at its time limit, or died.
    Raised,
}
