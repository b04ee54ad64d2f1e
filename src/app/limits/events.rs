//! What AWS refuses of event sources and domains, found before the first call: pure rules for every front-end.

use serde_json::Value;

use super::Verdict;
use crate::app::events::Batch;
use crate::app::flaws::did_you_mean;

/// Kinds of changes of a bucket's objects, without what a kind is divided into.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>.
const BUCKET_EVENTS: [&str; 27] = [
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
    "s3:ObjectAcl:Put",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
];

/// Days that CloudWatch Logs keeps a log for.
/// See <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
const RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Whether EventBridge takes the expression of a rule's schedule.
/// See <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>.
///
/// # Errors
///
/// What it should look like.
pub fn check_schedule(expression: &str) -> Verdict {
    let within = |name: &str| expression.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(rate) = within("rate") {
        return check_rate(expression, rate);
    }
    if let Some(cron) = within("cron") {
        return check_cron(expression, cron);
    }
    Err(format!(
        "`{expression}` is no schedule, as `rate(5 minutes)` and `cron(0 10 * * ? *)` are"
    ))
}

fn check_rate(whole: &str, rate: &str) -> Verdict {
    let parts: Vec<&str> = rate.split_whitespace().collect();
    let number = parts.first().and_then(|number| number.parse::<u64>().ok());
    match (number, parts.as_slice()) {
        (Some(1), [_, "minute" | "hour" | "day"]) => Ok(()),
        (Some(1), [_, unit @ ("minutes" | "hours" | "days")]) => {
            let one = unit.trim_end_matches('s');
            Err(format!("`{whole}`: EventBridge wants `rate(1 {one})`"))
        }
        (Some(2..), [_, "minutes" | "hours" | "days"]) => Ok(()),
        (Some(number @ 2..), [_, unit @ ("minute" | "hour" | "day")]) => {
            Err(format!("`{whole}`: EventBridge wants `rate({number} {unit}s)`"))
        }
        _ => Err(format!(
            "`{whole}` is no rate: a whole number from 1, and `minutes`, `hours` or `days`"
        )),
    }
}

fn check_cron(whole: &str, cron: &str) -> Verdict {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let taken = |c: char| c.is_ascii_alphanumeric() || ",-*/?#".contains(c);
    if let Some(character) = fields.iter().flat_map(|field| field.chars()).find(|c| !taken(*c)) {
        return Err(format!("`{whole}` has the character `{character}`"));
    }
    match fields.as_slice() {
        [_, _, day_of_month, _, day_of_week, _] if *day_of_month == "?" || *day_of_week == "?" => Ok(()),
        [_, _, _, _, _, _] => Err(format!(
            "`{whole}`: day of month or day of week, the third field or the fifth, must be `?`"
        )),
        fields => Err(format!(
            "`{whole}` has {} fields, and EventBridge wants 6: minutes, hours, day of month, month, day of week, year",
            fields.len()
        )),
    }
}

/// Whether EventBridge takes the description of a rule.
///
/// # Errors
///
/// That it is too long.
pub fn check_description(description: &str) -> Verdict {
    match description.chars().count() {
        0..=512 => Ok(()),
        length => Err(format!("it has {length} characters, and 512 is the limit")),
    }
}

/// Whether EventBridge takes the pattern of a rule: lists and objects alone, none of them empty, down to the values.
/// See <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>.
///
/// # Errors
///
/// Which field is none.
pub fn check_pattern(pattern: &Value) -> Verdict {
    let Some(fields) = pattern.as_object().filter(|fields| !fields.is_empty()) else {
        return Err("the event pattern is empty".to_owned());
    };
    for (name, value) in fields {
        match value {
            Value::Object(_) => check_pattern(value).map_err(|why| format!("{why}, at `{name}`"))?,
            Value::Array(values) if !values.is_empty() => {}
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(format!(
                    "the event pattern must have a list of values at `{name}`, and has {value}"
                ));
            }
        }
    }
    Ok(())
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

/// Whether S3 tells of a kind of changes.
///
/// # Errors
///
/// That it does not, and what was probably meant.
pub fn check_bucket_event(event: &str) -> Verdict {
    if BUCKET_EVENTS.contains(&event) {
        return Ok(());
    }
    let meant = did_you_mean(event, BUCKET_EVENTS).map(|hint| format!(": {hint}"));
    Err(format!(
        "`{event}` is not a change that S3 tells of{}",
        meant.unwrap_or_default()
    ))
}

/// Whether all changes of one kind are of another one too.
pub fn covers(wide: &str, narrow: &str) -> bool {
    wide == narrow
        || wide
            .strip_suffix('*')
            .is_some_and(|beginning| narrow.starts_with(beginning))
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

/// Whether a text is the name of an SNS topic, or its ARN.
///
/// # Errors
///
/// What it has to be.
pub fn check_topic(topic: &str) -> Verdict {
    if is_arn(topic, "sns", |name| is_name(name, 256)) || is_name(topic, 256) {
        return Ok(());
    }
    Err(format!("`{topic}` is neither the name of a topic nor its ARN"))
}

/// Whether a text is the name of a queue.
///
/// # Errors
///
/// What it has to be.
pub fn check_queue_name(queue: &str) -> Verdict {
    if is_name(queue.strip_suffix(".fifo").unwrap_or(queue), 80) {
        return Ok(());
    }
    Err(format!(
        "`{queue}` is not the name of a queue: 1 to 80 letters, digits, `_` and `-`, no ARN and no URL"
    ))
}

/// Whether a text is the ARN of a queue.
///
/// # Errors
///
/// What it has to be.
pub fn check_queue_arn(arn: &str) -> Verdict {
    if is_arn(arn, "sqs", |name| check_queue_name(name).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a queue, `arn:aws:sqs:REGION:ACCOUNT:NAME`"
    ))
}

/// Whether a text is the name of a Kinesis stream, or its ARN.
///
/// # Errors
///
/// What it has to be.
pub fn check_stream(stream: &str) -> Verdict {
    let is_stream = |name: &str| is_name(&name.replace('.', "_"), 128);
    let of_arn = |rest: &str| rest.strip_prefix("stream/").is_some_and(is_stream);
    if is_stream(stream) || is_arn(stream, "kinesis", of_arn) {
        return Ok(());
    }
    Err(format!(
        "`{stream}` is neither the name of a Kinesis stream nor its ARN"
    ))
}

/// Whether a text is the ARN of a DynamoDB table's stream.
///
/// # Errors
///
/// What it has to be.
pub fn check_table_stream(arn: &str) -> Verdict {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_stream = match parts.as_slice() {
        ["arn", _, "dynamodb", _, _, rest] => rest.starts_with("table/") && rest.contains("/stream/"),
        _ => false,
    };
    if is_stream {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a table's stream, `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL`"
    ))
}

/// Whether Lambda takes such batches of a queue's messages.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>.
///
/// # Errors
///
/// Which number is outside of what.
pub fn check_queue_batch(queue: &str, batch: Batch) -> Verdict {
    let Batch { size, window_s } = batch;
    if queue.ends_with(".fifo") && (size > 10 || window_s > 0) {
        return Err(format!(
            "batch size of {size} and window of {window_s} s: a FIFO queue has at most 10 messages at once, and no window"
        ));
    }
    if size > 10 && window_s == 0 {
        return Err(format!(
            "batch size of {size} needs a batching window of 1 s at least: without one, 10 is the limit of a queue"
        ));
    }
    check_stream_batch(batch)
}

/// Whether Lambda takes such batches of a stream's records.
///
/// # Errors
///
/// Which number is outside of what.
pub fn check_stream_batch(batch: Batch) -> Verdict {
    let Batch { size, window_s } = batch;
    if !(1..=10_000).contains(&size) {
        return Err(format!("batch size of {size} is outside 1 to 10000"));
    }
    if window_s > 300 {
        return Err(format!("batching window of {window_s} s is outside 0 to 300 s"));
    }
    Ok(())
}

/// Whether Lambda takes such a limit of a queue's executions at once.
///
/// # Errors
///
/// That it is outside of what Lambda takes.
pub fn check_maximum_concurrency(maximum: u32) -> Verdict {
    match maximum {
        2..=1000 => Ok(()),
        _ => Err(format!("maximum concurrency of {maximum} is outside 2 to 1000")),
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

/// Whether CloudWatch Logs keeps a log for a number of days.
///
/// # Errors
///
/// Which numbers it takes.
pub fn check_log_retention(days: u32) -> Verdict {
    if RETENTION_DAYS.contains(&days) {
        return Ok(());
    }
    let known: Vec<String> = RETENTION_DAYS.iter().map(ToString::to_string).collect();
    Err(format!(
        "a log cannot be kept for {days} days, but for {}",
        known.join(", ")
    ))
}

/// Whether a text can be a domain of the user's own.
///
/// # Errors
///
/// What it has to be.
pub fn check_domain(domain: &str) -> Verdict {
    let bare = domain.strip_prefix("*.").unwrap_or(domain);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if bare.contains('.') && domain.len() <= 253 && bare.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("`{domain}` is not a domain, as `api.example.com` is"))
}

/// Whether a text is the ARN of a certificate.
///
/// # Errors
///
/// What it should look like.
pub fn check_certificate(arn: &str) -> Verdict {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let is_certificate = match parts.as_slice() {
        ["arn", _, "acm", _, _, rest] => rest.starts_with("certificate/"),
        ["arn", _, "iam", "", _, rest] => rest.starts_with("server-certificate/"),
        _ => false,
    };
    if is_certificate {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a certificate, `arn:aws:acm:REGION:ACCOUNT:certificate/ID`"
    ))
}

/// Whether API Gateway takes the first segment of a domain's paths, without slashes.
///
/// # Errors
///
/// What it has to be.
pub fn check_domain_path(path: &str) -> Verdict {
    let taken = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'()".contains(c);
    if path.len() <= 300 && path.chars().all(taken) {
        return Ok(());
    }
    Err(format!(
        "`{path}` is not one segment of a path: letters, digits and `$-_.+!*'()`"
    ))
}

fn is_name(name: &str, limit: usize) -> bool {
    let taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=limit).contains(&name.len()) && name.chars().all(taken)
}

fn is_arn(arn: &str, service: &str, resource: impl Fn(&str) -> bool) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, of, region, account, rest] => {
            *of == service && !region.is_empty() && !account.is_empty() && resource(rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_of_both_kinds_are_taken() {
        for taken in [
            "rate(1 minute)",
            "rate(12 hours)",
            "cron(0/15 8-17 ? * MON-FRI *)",
            "cron(0 8 1 * ? 2026)",
            "cron(0 0 L * ? *)",
            "cron(0 0 ? * 6#3 *)",
        ] {
            assert_eq!(check_schedule(taken), Ok(()), "{taken}");
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
    }

    #[test]
    fn a_fifo_queue_hands_over_few_messages_and_does_not_wait() {
        let batch = |size, window_s| Batch { size, window_s };
        assert_eq!(check_queue_batch("orders.fifo", batch(10, 0)), Ok(()));
        assert!(check_queue_batch("orders.fifo", batch(11, 0)).is_err());
        assert!(check_queue_batch("orders.fifo", batch(10, 1)).is_err());
        assert_eq!(check_queue_batch("orders", batch(10_000, 1)), Ok(()));
        assert!(check_queue_batch("orders", batch(11, 0)).is_err());
    }

    #[test]
    fn names_and_arns_of_every_partition_are_taken() {
        assert_eq!(check_topic("arn:aws-cn:sns:cn-north-1:111111111111:news"), Ok(()));
        assert_eq!(check_topic("news"), Ok(()));
        assert_eq!(
            check_queue_arn("arn:aws-us-gov:sqs:us-gov-west-1:111111111111:q.fifo"),
            Ok(())
        );
        assert_eq!(check_stream("my.stream-1"), Ok(()));
        assert_eq!(
            check_stream("arn:aws:kinesis:eu-west-1:111111111111:stream/clicks"),
            Ok(())
        );
        assert!(check_stream("arn:aws:kinesis:eu-west-1:111111111111:clicks").is_err());
        assert_eq!(check_bucket("guest-books.example.com"), Ok(()));
        assert_eq!(check_domain("*.example.com"), Ok(()));
        assert!(check_domain("example").is_err());
        assert_eq!(
            check_certificate("arn:aws:iam::111111111111:server-certificate/own"),
            Ok(())
        );
    }

    #[test]
    fn a_pattern_is_looked_at_down_to_its_values() {
        let pattern = json!({"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "in/"}]}}});
        assert_eq!(check_pattern(&pattern), Ok(()));
        let empty = json!({"detail": {"object": {}}});
        assert_eq!(
            check_pattern(&empty),
            Err("the event pattern is empty, at `object`, at `detail`".to_owned())
        );
        assert!(check_pattern(&json!({"source": []})).is_err());
    }

    #[test]
    fn a_kind_of_changes_covers_what_it_is_divided_into() {
        assert!(covers("s3:ObjectCreated:*", "s3:ObjectCreated:Put"));
        assert!(!covers("s3:ObjectCreated:Put", "s3:ObjectCreated:*"));
        assert!(!covers("s3:ObjectRemoved:*", "s3:ObjectCreated:Put"));
    }
}
