//! The log of a function, as CloudWatch Logs keeps it.

/// Some of a log.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Name of the log group: that of [`group`].
    pub group: &'a str,
    /// The first moment that is wanted, in milliseconds since 1970.
    pub from_ms: i64,
    /// What the page before this one named as its next.
    pub page: Option<&'a str>,
}

/// One page of what was found. It may be empty and have a next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What was logged, in the order of AWS.
    pub events: Vec<LogEvent>,
    /// The next page, if there is one.
    pub next: Option<String>,
}

/// Something that was logged: a line, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// What tells it from others of the same moment.
    pub id: String,
    /// When it was logged, in milliseconds since 1970.
    pub at_ms: i64,
    /// The instance of the function that logged it.
    pub stream: String,
    /// What was logged.
    pub message: String,
}

/// The log group that Lambda gives a function.
///
/// See <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>.
#[must_use]
pub fn group(arn: &str) -> String {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    format!("/aws/lambda/{name}")
}
