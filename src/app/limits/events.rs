//! What EventBridge, S3, SNS, SQS and Kinesis refuse of what calls a function, found before the first call: pure rules, one
//! value each, for every front-end.
//!
//! Each says what is wrong, and the front-end where.

use serde_json::Value;

use super::{Verdict, is_arn, name_in};
use crate::app::events::{Batch, EventSource};
use crate::app::flaws::did_you_mean;

/// Kinds of changes that S3 tells of.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>.
const CHANGES: [&str; 27] = [
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAcl:Put",
];

/// Messages of a queue that are handed over at once where nothing waits for more of them, and of a FIFO queue at all.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>.
const MESSAGES: u32 = 10;

/// Whether EventBridge takes an expression as a schedule.
/// See <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>.
///
/// # Errors
///
/// What it should look like.
pub fn check_schedule(expression: &str) -> Verdict {
    let inner = |name: &str| expression.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    let why = match (inner("rate"), inner("cron")) {
        (Some(rate), _) => check_rate(rate),
        (None, Some(cron)) => check_cron(cron),
        (None, None) => Err("it is written like `rate(5 minutes)` or `cron(0 10 * * ? *)`".to_owned()),
    };
    why.map_err(|why| format!("`{expression}` is no schedule: {why}"))
}

fn check_rate(rate: &str) -> Verdict {
    let words: Vec<_> = rate.split_whitespace().collect();
    let [number, unit] = words.as_slice() else {
        return Err("a rate is a number and a unit, like `rate(5 minutes)`".to_owned());
    };
    let number: u64 = match number.parse() {
        Ok(0) | Err(_) => return Err(format!("`{number}` is not a whole number from 1 on")),
        Ok(number) => number,
    };
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    if !["minute", "hour", "day"].contains(&singular) {
        return Err(format!("`{unit}` is none of `minutes`, `hours` and `days`"));
    }
    let is_plural = singular.len() < unit.len();
    match (number, is_plural) {
        (1, true) => Err(format!("EventBridge wants `rate(1 {singular})`")),
        (2.., false) => Err(format!("EventBridge wants `rate({number} {singular}s)`")),
        (_, _) => Ok(()),
    }
}

fn check_cron(cron: &str) -> Verdict {
    let fields: Vec<_> = cron.split_whitespace().collect();
    let [_, _, day_of_month, _, day_of_week, _] = fields.as_slice() else {
        let count = fields.len();
        return Err(format!(
            "it has {count} fields, and EventBridge wants 6: minutes, hours, day of month, month, day of week, year"
        ));
    };
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, ',' | '-' | '*' | '/' | '?' | '#');
    if let Some(character) = fields.iter().flat_map(|field| field.chars()).find(|c| !is_taken(*c)) {
        return Err(format!("it has the character `{character}`"));
    }
    if *day_of_month != "?" && *day_of_week != "?" {
        return Err("day of month or day of week, the third field or the fifth, must be `?`".to_owned());
    }
    Ok(())
}

/// Whether EventBridge takes the description of a rule.
///
/// # Errors
///
/// That it is too long.
pub fn check_description(description: &str) -> Verdict {
    match description.chars().count() {
        0..=512 => Ok(()),
        length => Err(format!("the description has {length} characters, and 512 is the limit")),
    }
}

/// Whether EventBridge takes the pattern of a rule: lists and objects alone, none of them empty, down to the values.
/// See <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>.
///
/// # Errors
///
/// Which field is none, by its path in the pattern.
pub fn check_pattern(pattern: &Value) -> Verdict {
    match pattern {
        Value::Object(_) => check_field("", pattern),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("an event pattern is a mapping, like `{source: [aws.s3]}`".to_owned())
        }
    }
}

fn check_field(path: &str, field: &Value) -> Verdict {
    match field {
        Value::Object(fields) if fields.is_empty() && path.is_empty() => {
            Err("the event pattern is empty, and fits nothing".to_owned())
        }
        Value::Object(fields) if fields.is_empty() => {
            Err(format!("`{path}` in the event pattern is empty, and fits nothing"))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            check_field(&path, field)
        }),
        Value::Array(values) if values.is_empty() => Err(format!(
            "`{path}` in the event pattern is an empty list, and fits nothing"
        )),
        Value::Array(_) => Ok(()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(format!(
            "`{path}` in the event pattern must be a list of what it may be: `[{field}]`"
        )),
    }
}

/// Whether a text can be the name of a bucket. Old buckets have names that new ones cannot have, and are taken.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
///
/// # Errors
///
/// What it has to be.
pub fn check_bucket(name: &str) -> Verdict {
    let taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if (3..=255).contains(&name.len()) && name.chars().all(taken) {
        return Ok(());
    }
    Err(format!(
        "`{name}` is not the name of a bucket: 3 or more letters, digits, `.` and `-`, no ARN and no URL"
    ))
}

/// What is wrong with a kind of change of a bucket, and what was probably meant.
pub fn change_flaw(kind: &str) -> Option<(String, Option<String>)> {
    if CHANGES.contains(&kind) {
        return None;
    }
    let message = format!("`{kind}` is no change that S3 tells of, like `s3:ObjectCreated:*`");
    Some((message, did_you_mean(kind, CHANGES)))
}

/// Whether S3 takes the beginning or the end of an object's key.
///
/// # Errors
///
/// That it is too long.
pub fn check_key_part(part: &str) -> Verdict {
    match part.len() {
        0..=1024 => Ok(()),
        length => Err(format!("it has {length} bytes, and 1024 is the limit")),
    }
}

/// The bucket of two events where one change of one object would fit both: S3 refuses such a list of notifications.
pub fn contested<'a>(one: &'a EventSource, other: &EventSource) -> Option<&'a str> {
    let (of_one, of_other) = (changes(one)?, changes(other)?);
    let is_kind_shared = of_one.kinds.iter().any(|kind| {
        of_other
            .kinds
            .iter()
            .any(|other| covers(kind, other) || covers(other, kind))
    });
    let (prefix, other_prefix) = (of_one.prefix, of_other.prefix);
    let (suffix, other_suffix) = (of_one.suffix, of_other.suffix);
    let is_key_shared = (prefix.starts_with(other_prefix) || other_prefix.starts_with(prefix))
        && (suffix.ends_with(other_suffix) || other_suffix.ends_with(suffix));
    (of_one.bucket == of_other.bucket && is_kind_shared && is_key_shared).then_some(of_one.bucket)
}

/// Whether all changes of one kind are of another one too.
fn covers(wide: &str, narrow: &str) -> bool {
    let is_beginning = |beginning| narrow.starts_with(beginning);
    wide == narrow || wide.strip_suffix('*').is_some_and(is_beginning)
}

/// Which changes of a bucket call a function.
struct Changes<'a> {
    bucket: &'a str,
    kinds: &'a [String],
    prefix: &'a str,
    suffix: &'a str,
}

fn changes(source: &EventSource) -> Option<Changes<'_>> {
    let EventSource::Bucket {
        bucket,
        events,
        prefix,
        suffix,
    } = source
    else {
        return None;
    };
    Some(Changes {
        bucket,
        kinds: events,
        prefix: prefix.as_deref().unwrap_or_default(),
        suffix: suffix.as_deref().unwrap_or_default(),
    })
}

/// Whether a text names an SNS topic that can call a function: its name, or its ARN.
///
/// # Errors
///
/// What it has to be; SNS calls no function from a FIFO topic.
pub fn check_topic(topic: &str) -> Verdict {
    let name = name_in(topic, "sns").unwrap_or_default();
    if name.ends_with(".fifo") {
        return Err(format!(
            "`{topic}` is a FIFO topic, and SNS calls no function from it: put a queue between them"
        ));
    }
    if is_name(name, 256, "") {
        return Ok(());
    }
    Err(format!(
        "`{topic}` is neither the name of a topic nor its ARN, `arn:aws:sns:REGION:ACCOUNT:NAME`"
    ))
}

/// Whether a text names an SQS queue: its name, or its ARN.
///
/// # Errors
///
/// What it has to be.
pub fn check_queue(queue: &str) -> Verdict {
    if name_in(queue, "sqs").is_some_and(is_queue) {
        return Ok(());
    }
    Err(format!(
        "`{queue}` is neither the name of a queue nor its ARN, `arn:aws:sqs:REGION:ACCOUNT:NAME`"
    ))
}

/// Whether a text is the name of a queue, and not its ARN.
///
/// # Errors
///
/// What it has to be.
pub fn check_queue_name(queue: &str) -> Verdict {
    if is_queue(queue) {
        return Ok(());
    }
    Err(format!(
        "`{queue}` is not the name of a queue: 1 to 80 letters, digits, `_` and `-`, no ARN and no URL"
    ))
}

/// Whether a text is the ARN of a queue, and not its name.
///
/// # Errors
///
/// What it has to be.
pub fn check_queue_arn(arn: &str) -> Verdict {
    if is_arn(arn) && name_in(arn, "sqs").is_some_and(is_queue) {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a queue, `arn:aws:sqs:REGION:ACCOUNT:NAME`"
    ))
}

fn is_queue(name: &str) -> bool {
    is_name(name.strip_suffix(".fifo").unwrap_or(name), 80, "")
}

/// Whether a text names a Kinesis stream: its name, or its ARN.
///
/// # Errors
///
/// What it has to be.
pub fn check_kinesis(stream: &str) -> Verdict {
    let name = match name_in(stream, "kinesis") {
        Some(resource) if is_arn(stream) => resource.strip_prefix("stream/"),
        name => name,
    };
    if is_name(name.unwrap_or_default(), 128, ".") {
        return Ok(());
    }
    Err(format!(
        "`{stream}` is neither the name of a Kinesis stream nor its ARN, `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME`"
    ))
}

/// Whether a text is the ARN of a DynamoDB table's stream.
///
/// # Errors
///
/// What it has to be.
pub fn check_dynamodb_stream(arn: &str) -> Verdict {
    let resource = name_in(arn, "dynamodb").unwrap_or_default();
    let parts: Vec<_> = resource.split('/').collect();
    if is_arn(arn) && matches!(parts.as_slice(), ["table", _, "stream", _]) {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a table's stream, `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL`"
    ))
}

/// Whether Lambda hands so many messages of a queue over at once, and waits so long for them.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>.
///
/// # Errors
///
/// Which number is outside of what.
pub fn check_queue_batch(queue: &str, batch: Batch) -> Verdict {
    check_batch(batch)?;
    let Batch { size, window_s } = batch;
    let is_fifo = queue.ends_with(".fifo");
    match (is_fifo, size > MESSAGES, window_s > 0) {
        (true, true, _) => Err(format!(
            "a batch size of {size} is outside 1 to {MESSAGES}, which a FIFO queue has"
        )),
        (true, false, true) => Err("a FIFO queue has no batching window".to_owned()),
        (false, true, false) => Err(format!(
            "a batch size of {size} needs a batching window of 1 s or more: without, a queue hands over {MESSAGES}"
        )),
        (true, false, false) | (false, _, true) | (false, false, false) => Ok(()),
    }
}

/// Whether Lambda hands so many records over at once, and waits so long for them.
///
/// # Errors
///
/// Which number is outside of what.
pub fn check_batch(batch: Batch) -> Verdict {
    let Batch { size, window_s } = batch;
    if !(1..=10_000).contains(&size) {
        return Err(format!("a batch size of {size} is outside 1 to 10000"));
    }
    if window_s > 300 {
        return Err(format!("a batching window of {window_s} s is outside 0 to 300 s"));
    }
    Ok(())
}

/// Whether Lambda takes a limit of a queue's executions at once.
///
/// # Errors
///
/// That it is outside of what Lambda takes.
pub fn check_maximum_concurrency(executions: u32) -> Verdict {
    match executions {
        2..=1000 => Ok(()),
        _ => Err(format!(
            "a maximum concurrency of {executions} is outside 2 to 1000 executions"
        )),
    }
}

/// Whether reading a stream can begin at a position.
///
/// # Errors
///
/// Which positions there are.
pub fn check_starting_position(position: &str) -> Verdict {
    match position {
        "LATEST" | "TRIM_HORIZON" => Ok(()),
        other => Err(format!("`{other}` is neither `LATEST` nor `TRIM_HORIZON`")),
    }
}

fn is_name(name: &str, longest: usize, beside: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || beside.contains(c);
    (1..=longest).contains(&name.len()) && name.chars().all(is_taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_are_told_apart_from_what_eventbridge_refuses() {
        for schedule in [
            "rate(1 minute)",
            "rate(1 hour)",
            "rate(5 minutes)",
            "rate(12 hours)",
            "cron(0 10 * * ? *)",
            "cron(0/15 8-17 ? * MON-FRI *)",
            "cron(0 0 L * ? 2027)",
            "cron(0 0 ? * 6#3 *)",
        ] {
            assert_eq!(check_schedule(schedule), Ok(()), "{schedule}");
        }
        for refused in [
            "",
            "rate(5)",
            "rate(1.5 hours)",
            "rate(-1 hours)",
            "cron()",
            "at(2026-01-01T00:00:00)",
        ] {
            assert!(check_schedule(refused).is_err(), "{refused}");
        }
        let why = |schedule| check_schedule(schedule).unwrap_err();
        assert_eq!(
            why("rate(1 hours)"),
            "`rate(1 hours)` is no schedule: EventBridge wants `rate(1 hour)`"
        );
        assert_eq!(
            why("rate(5 minute)"),
            "`rate(5 minute)` is no schedule: EventBridge wants `rate(5 minutes)`"
        );
        assert!(why("rate(0 hours)").contains("from 1 on"));
        assert!(why("rate(1 week)").contains("`week` is none of"));
        assert!(why("cron(0 10 * * *)").contains("it has 5 fields"));
        assert!(why("cron(0 10 * * * *)").contains("must be `?`"));
        assert!(why("cron(0 10! * * ? *)").ends_with("it has the character `!`"));
        assert!(why("every hour").contains("it is written like"));
    }

    #[test]
    fn a_pattern_is_looked_at_down_to_its_values() {
        let sound = json!({"source": ["aws.s3"], "detail": {"bucket": {"name": [{"prefix": "up"}]}}});
        assert_eq!(check_pattern(&sound), Ok(()));
        let why = |pattern| check_pattern(&pattern).unwrap_err();
        assert_eq!(
            why(json!({"detail": {"state": "running"}})),
            "`detail.state` in the event pattern must be a list of what it may be: `[\"running\"]`"
        );
        assert_eq!(
            why(json!({"detail": {"object": {}}})),
            "`detail.object` in the event pattern is empty, and fits nothing"
        );
        assert_eq!(why(json!({})), "the event pattern is empty, and fits nothing");
        assert!(why(json!({"source": []})).contains("`source` in the event pattern is an empty list"));
        assert!(why(json!("x")).contains("is a mapping"));
    }

    #[test]
    fn names_and_arns_of_sources_are_taken_and_urls_are_not() {
        assert_eq!(check_queue("jobs"), Ok(()));
        assert_eq!(check_queue("jobs.fifo"), Ok(()));
        assert_eq!(check_queue("arn:aws:sqs:eu-west-1:111111111111:jobs"), Ok(()));
        assert_eq!(
            check_queue_arn("arn:aws-us-gov:sqs:us-gov-west-1:111111111111:q.fifo"),
            Ok(())
        );
        assert_eq!(check_topic("arn:aws-cn:sns:cn-north-1:111111111111:news"), Ok(()));
        assert_eq!(check_kinesis("clicks.raw"), Ok(()));
        assert_eq!(
            check_kinesis("arn:aws:kinesis:eu-west-1:111111111111:stream/clicks"),
            Ok(())
        );
        let stream = "arn:aws:dynamodb:eu-west-1:111111111111:table/guests/stream/2027-01-01T00:00:00.000";
        assert_eq!(check_dynamodb_stream(stream), Ok(()));
        assert_eq!(check_bucket("Old_Guests.example.com"), Ok(()));
        assert!(check_queue("https://sqs.eu-west-1.amazonaws.com/111111111111/jobs").is_err());
        assert!(check_queue("arn:aws:sns:eu-west-1:111111111111:jobs").is_err());
        assert!(check_queue_name("arn:aws:sqs:eu-west-1:111111111111:jobs").is_err());
        assert!(check_queue_arn("jobs").is_err());
        assert!(check_topic("news.fifo").unwrap_err().contains("FIFO"));
        assert!(check_kinesis("arn:aws:kinesis:eu-west-1:111111111111:clicks").is_err());
        assert!(check_dynamodb_stream("guests").is_err());
        assert!(check_dynamodb_stream("arn:aws:dynamodb:eu-west-1:111111111111:table/guests").is_err());
        assert!(check_bucket("s3://uploads").is_err());
    }

    #[test]
    fn batches_are_as_large_as_the_kind_of_queue_lets_them() {
        let batch = |size, window_s| Batch { size, window_s };
        assert_eq!(check_queue_batch("jobs", batch(10, 0)), Ok(()));
        assert_eq!(check_queue_batch("jobs", batch(10_000, 1)), Ok(()));
        assert_eq!(check_queue_batch("jobs.fifo", batch(10, 0)), Ok(()));
        for (queue, wrong) in [
            ("jobs", batch(11, 0)),
            ("jobs", batch(0, 0)),
            ("jobs", batch(10_001, 5)),
            ("jobs", batch(1, 301)),
            ("jobs.fifo", batch(11, 0)),
            ("jobs.fifo", batch(11, 1)),
            ("jobs.fifo", batch(1, 1)),
        ] {
            assert!(check_queue_batch(queue, wrong).is_err(), "{queue} {wrong:?}");
        }
    }

    #[test]
    fn one_change_of_a_bucket_that_would_fit_two_events_is_found() {
        let of = |bucket: &str, kind: &str, prefix: Option<&str>, suffix: Option<&str>| EventSource::Bucket {
            bucket: bucket.to_owned(),
            events: vec![kind.to_owned()],
            prefix: prefix.map(str::to_owned),
            suffix: suffix.map(str::to_owned),
        };
        let (all, put, copy) = ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Copy");
        let everything = of("in", all, None, None);
        assert_eq!(contested(&everything, &everything), Some("in"));
        assert_eq!(contested(&of("in", put, None, None), &everything), Some("in"));
        let (csv, new) = (
            of("in", all, Some("a/"), Some(".csv")),
            of("in", all, Some("a/b/"), None),
        );
        assert_eq!(contested(&csv, &new), Some("in"));
        for (one, other) in [
            (of("in", put, None, None), of("in", copy, None, None)),
            (of("in", all, None, None), of("out", all, None, None)),
            (of("in", all, Some("a/"), None), of("in", all, Some("b/"), None)),
            (
                of("in", all, None, Some(".csv")),
                of("in", all, Some("a/"), Some(".png")),
            ),
        ] {
            assert_eq!(contested(&one, &other), None, "{one:?} {other:?}");
        }
    }
}
