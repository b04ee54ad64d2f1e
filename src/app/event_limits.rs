//! What EventBridge, S3, SNS, SQS, Kinesis and API Gateway refuse of what calls a function: pure rules, one value each, for
//! every front-end.
//!
//! Each says what is wrong, and the front-end where.

use serde_json::Value;

use super::events::Batch;
use super::flaws::did_you_mean;
use super::limits::Verdict;

/// Days for which CloudWatch keeps a log.
/// See <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

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

/// Messages of a FIFO queue that are handed over at once.
const FIFO_BATCH: u32 = 10;

/// Whether CloudWatch keeps a log for so many days.
pub fn check_retention(days: u32) -> Verdict {
    if RETENTIONS.contains(&days) {
        return Ok(());
    }
    let nearest = RETENTIONS.into_iter().find(|known| *known > days).unwrap_or(3653);
    Err(format!(
        "CloudWatch keeps no log for {days} days: the next that it takes is {nearest}"
    ))
}

/// Whether EventBridge takes an expression as a schedule.
/// See <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>.
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
    let number: u32 = match number.parse() {
        Ok(0) | Err(_) => return Err(format!("`{number}` is not a whole number from 1 on")),
        Ok(number) => number,
    };
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    if !["minute", "hour", "day"].contains(&singular) {
        return Err(format!("`{unit}` is none of `minutes`, `hours` and `days`"));
    }
    let is_plural = singular.len() < unit.len();
    match (number, is_plural) {
        (1, true) => Err(format!("it is `rate(1 {singular})`")),
        (2.., false) => Err(format!("it is `rate({number} {singular}s)`")),
        (_, _) => Ok(()),
    }
}

fn check_cron(cron: &str) -> Verdict {
    let fields: Vec<_> = cron.split_whitespace().collect();
    let [_, _, day_of_month, _, day_of_week, _] = fields.as_slice() else {
        let count = fields.len();
        return Err(format!(
            "it has {count} fields, and EventBridge takes 6: minutes, hours, day of month, month, day of week, year"
        ));
    };
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, ',' | '-' | '*' | '/' | '?' | '#');
    if let Some(wrong) = fields.iter().find(|field| !field.chars().all(is_taken)) {
        return Err(format!("`{wrong}` is no field of it"));
    }
    if *day_of_month != "?" && *day_of_week != "?" {
        return Err("the day of the month or the day of the week must be `?`".to_owned());
    }
    Ok(())
}

/// Whether EventBridge takes a pattern: names with lists of what they may be, perhaps in mappings of their own.
pub fn check_pattern(pattern: &Value) -> Verdict {
    let fields = match pattern {
        Value::Object(fields) if !fields.is_empty() => fields,
        Value::Object(_) => return Err("the pattern is empty, and fits nothing".to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err("a pattern is a mapping, like `{source: [aws.s3]}`".to_owned());
        }
    };
    fields.iter().try_for_each(|(name, value)| match value {
        Value::Array(list) if list.is_empty() => Err(format!("`{name}` in the pattern is an empty list")),
        Value::Array(_) => Ok(()),
        Value::Object(_) => check_pattern(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(format!(
            "`{name}` in the pattern must be a list of what it may be: `[{value}]`"
        )),
    })
}

/// Whether S3 takes the name of a bucket.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
pub fn check_bucket(name: &str) -> Verdict {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let is_outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_named = (3..=63).contains(&name.len())
        && name.chars().all(is_inner)
        && name.starts_with(is_outer)
        && name.ends_with(is_outer);
    if is_named {
        return Ok(());
    }
    Err(format!(
        "`{name}` names no bucket: S3 takes 3 to 63 small letters, digits, `.` and `-`"
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

/// Whether a text names an SNS topic that can call a function: its name, or its ARN.
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
pub fn check_queue(queue: &str) -> Verdict {
    let name = name_in(queue, "sqs").unwrap_or_default();
    if is_name(name.strip_suffix(".fifo").unwrap_or(name), 80, "") {
        return Ok(());
    }
    Err(format!(
        "`{queue}` is neither the name of a queue nor its ARN, `arn:aws:sqs:REGION:ACCOUNT:NAME`"
    ))
}

/// Whether a text names a Kinesis stream: its name, or its ARN.
pub fn check_kinesis(stream: &str) -> Verdict {
    let name = match name_in(stream, "kinesis") {
        Some(resource) if resource.len() < stream.len() => resource.strip_prefix("stream/"),
        name => name,
    };
    if is_name(name.unwrap_or_default(), 128, ".") {
        return Ok(());
    }
    Err(format!(
        "`{stream}` is neither the name of a stream nor its ARN, `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME`"
    ))
}

/// Whether a text is the ARN of a DynamoDB table's stream.
pub fn check_dynamodb_stream(arn: &str) -> Verdict {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let parts: Vec<_> = resource.split('/').collect();
    if name_in(arn, "dynamodb").is_some() && matches!(parts.as_slice(), ["table", _, "stream", _]) {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a table's stream, `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL`"
    ))
}

/// The name in an ARN of a service, or a text that is no ARN as it is.
fn name_in<'a>(text: &'a str, service: &str) -> Option<&'a str> {
    if !text.starts_with("arn:") {
        return Some(text);
    }
    match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, of, region, account, name]
            if partition.starts_with("aws") && *of == service && !region.is_empty() && !account.is_empty() =>
        {
            Some(name)
        }
        _ => None,
    }
}

fn is_name(name: &str, longest: usize, beside: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || beside.contains(c);
    (1..=longest).contains(&name.len()) && name.chars().all(is_taken)
}

/// Whether Lambda hands so many messages of a queue over at once.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>.
pub fn check_queue_batch(queue: &str, batch: Batch) -> Verdict {
    check_batch(batch)?;
    let Batch { size, window_s } = batch;
    if queue.ends_with(".fifo") {
        if size > FIFO_BATCH {
            return Err(format!(
                "a batch of {size} messages is outside 1 to {FIFO_BATCH}, which a FIFO queue has"
            ));
        }
        if window_s > 0 {
            return Err("a FIFO queue has no `window_s`".to_owned());
        }
    } else if size > FIFO_BATCH && window_s == 0 {
        return Err(format!(
            "a batch of {size} messages needs a `window_s` of 1 s or more: without, Lambda takes {FIFO_BATCH}"
        ));
    }
    Ok(())
}

/// Whether Lambda hands so many records over at once, and waits so long for them.
pub fn check_batch(batch: Batch) -> Verdict {
    let Batch { size, window_s } = batch;
    if !(1..=10_000).contains(&size) {
        return Err(format!("a batch of {size} is outside 1 to 10000"));
    }
    if window_s > 300 {
        return Err(format!("a window of {window_s} s is outside 0 to 300 s"));
    }
    Ok(())
}

/// Whether Lambda takes a limit of a queue's executions.
pub fn check_maximum_concurrency(executions: u32) -> Verdict {
    match executions {
        2..=1000 => Ok(()),
        _ => Err(format!(
            "a maximum concurrency of {executions} is outside 2 to 1000 executions"
        )),
    }
}

/// Whether a text is the URI of a container image in ECR, with a tag or a digest.
pub fn check_image(uri: &str) -> Verdict {
    let (host, name) = uri.split_once('/').unwrap_or_default();
    let account = host.get(..12).unwrap_or_default();
    let is_registry = account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && [".dkr.ecr.", ".dkr-ecr."]
            .iter()
            .any(|middle| host.get(12..).is_some_and(|rest| rest.starts_with(middle)));
    if !is_registry || name.is_empty() || uri.contains(char::is_whitespace) {
        return Err(format!(
            "`{uri}` is not an image in ECR, `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`"
        ));
    }
    let is_exact = name
        .split_once([':', '@'])
        .is_some_and(|(name, version)| !name.is_empty() && !version.is_empty());
    if is_exact {
        return Ok(());
    }
    Err(format!("`{uri}` has neither a tag nor a digest"))
}

/// Whether a text is a domain, all small letters.
pub fn check_domain(name: &str) -> Verdict {
    let is_label = |label: &str| {
        let is_taken = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(is_taken)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("`{name}` is not a domain, like `api.example.com`"))
}

/// Whether a text is the ARN of a certificate in ACM.
pub fn check_certificate(arn: &str) -> Verdict {
    let is_certificate = arn.starts_with("arn:")
        && name_in(arn, "acm").is_some_and(|name| name.strip_prefix("certificate/").is_some_and(|id| !id.is_empty()));
    if is_certificate {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a certificate, `arn:aws:acm:REGION:ACCOUNT:certificate/ID`"
    ))
}

/// Whether API Gateway takes a text as the first segment of a domain's paths.
pub fn check_base_path(path: &str) -> Verdict {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'()".contains(c);
    if !path.is_empty() && path.chars().all(is_taken) {
        return Ok(());
    }
    Err(format!(
        "`{path}` cannot be the `path` of a domain: one segment, without slashes"
    ))
}

/// Whether two filters of a bucket's notifications could both fit one key, which S3 refuses.
pub fn overlap(
    (prefix, suffix): (Option<&str>, Option<&str>),
    (other_prefix, other_suffix): (Option<&str>, Option<&str>),
) -> bool {
    let (a, b) = (prefix.unwrap_or_default(), other_prefix.unwrap_or_default());
    let (c, d) = (suffix.unwrap_or_default(), other_suffix.unwrap_or_default());
    (a.starts_with(b) || b.starts_with(a)) && (c.ends_with(d) || d.ends_with(c))
}

/// Whether one of two kinds of changes is the other, or has it within.
pub fn is_within(kind: &str, other: &str) -> bool {
    let has = |wide: &str, narrow: &str| wide.strip_suffix('*').is_some_and(|stem| narrow.starts_with(stem));
    kind == other || has(kind, other) || has(other, kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_are_told_apart_from_what_eventbridge_refuses() {
        for schedule in [
            "rate(1 hour)",
            "rate(5 minutes)",
            "cron(0 10 * * ? *)",
            "cron(0/15 8-17 ? * MON-FRI *)",
            "cron(0 0 L * ? 2027)",
        ] {
            assert_eq!(check_schedule(schedule), Ok(()), "{schedule}");
        }
        let why = |schedule| check_schedule(schedule).unwrap_err();
        assert_eq!(
            why("rate(1 hours)"),
            "`rate(1 hours)` is no schedule: it is `rate(1 hour)`"
        );
        assert_eq!(
            why("rate(5 minute)"),
            "`rate(5 minute)` is no schedule: it is `rate(5 minutes)`"
        );
        assert!(why("rate(0 hours)").contains("from 1 on"));
        assert!(why("rate(1 week)").contains("`week` is none of"));
        assert!(why("cron(0 10 * * *)").contains("it has 5 fields"));
        assert!(why("cron(0 10 * * * *)").contains("must be `?`"));
        assert!(why("every hour").contains("it is written like"));
    }

    #[test]
    fn a_pattern_has_lists_at_its_ends() {
        let sound = json!({"source": ["aws.s3"], "detail": {"bucket": {"name": [{"prefix": "up"}]}}});
        assert_eq!(check_pattern(&sound), Ok(()));
        let bare = check_pattern(&json!({"detail": {"state": "running"}})).unwrap_err();
        assert_eq!(
            bare,
            "`state` in the pattern must be a list of what it may be: `[\"running\"]`"
        );
        for wrong in [json!({}), json!("x"), json!({"source": []})] {
            assert!(check_pattern(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_and_arns_of_sources_are_taken_and_urls_are_not() {
        assert_eq!(check_queue("jobs"), Ok(()));
        assert_eq!(check_queue("jobs.fifo"), Ok(()));
        assert_eq!(check_queue("arn:aws:sqs:eu-west-1:111111111111:jobs"), Ok(()));
        assert_eq!(check_topic("arn:aws-cn:sns:cn-north-1:111111111111:news"), Ok(()));
        assert_eq!(check_kinesis("clicks.raw"), Ok(()));
        assert_eq!(
            check_kinesis("arn:aws:kinesis:eu-west-1:111111111111:stream/clicks"),
            Ok(())
        );
        let stream = "arn:aws:dynamodb:eu-west-1:111111111111:table/guests/stream/2027-01-01T00:00:00.000";
        assert_eq!(check_dynamodb_stream(stream), Ok(()));
        assert!(check_queue("https://sqs.eu-west-1.amazonaws.com/111111111111/jobs").is_err());
        assert!(check_queue("arn:aws:sns:eu-west-1:111111111111:jobs").is_err());
        assert!(check_topic("news.fifo").unwrap_err().contains("FIFO"));
        assert!(check_kinesis("arn:aws:kinesis:eu-west-1:111111111111:clicks").is_err());
        assert!(check_dynamodb_stream("guests").is_err());
        assert!(check_dynamodb_stream("arn:aws:dynamodb:eu-west-1:111111111111:table/guests").is_err());
        assert!(check_bucket("Uploads").is_err());
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
            ("jobs.fifo", batch(1, 1)),
        ] {
            assert!(check_queue_batch(queue, wrong).is_err(), "{queue} {wrong:?}");
        }
    }

    #[test]
    fn an_image_is_one_in_ecr_with_a_tag_or_a_digest() {
        let registry = "111111111111.dkr.ecr.eu-west-1.amazonaws.com";
        assert_eq!(check_image(&format!("{registry}/team/shop:1.2")), Ok(()));
        assert_eq!(check_image(&format!("{registry}/shop@sha256:abc")), Ok(()));
        assert!(check_image(&format!("{registry}/shop")).unwrap_err().contains("tag"));
        assert!(check_image("docker.io/library/python:3.13").is_err());
        assert!(check_image("").is_err());
    }

    #[test]
    fn filters_of_one_bucket_overlap_where_one_key_could_fit_both() {
        assert!(overlap((Some("in/"), None), (Some("in/new/"), Some(".csv"))));
        assert!(overlap((None, None), (None, None)));
        assert!(!overlap((Some("in/"), None), (Some("out/"), None)));
        assert!(!overlap((None, Some(".csv")), (Some("in/"), Some(".png"))));
        assert!(is_within("s3:ObjectCreated:*", "s3:ObjectCreated:Put"));
        assert!(!is_within("s3:ObjectCreated:Copy", "s3:ObjectCreated:Put"));
    }

    #[test]
    fn a_domain_and_its_certificate_have_their_shapes() {
        assert_eq!(check_domain("api.example.com"), Ok(()));
        for wrong in [
            "",
            "localhost",
            "API.example.com",
            "https://api.example.com",
            "-a.b",
            "*.b",
        ] {
            assert!(check_domain(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            check_certificate("arn:aws:acm:eu-west-1:111111111111:certificate/12-34"),
            Ok(())
        );
        assert!(check_certificate("12-34").is_err());
        assert!(check_certificate("certificate/12-34").is_err());
        assert_eq!(check_base_path("v1"), Ok(()));
        assert!(check_base_path("/v1").is_err());
    }

    #[test]
    fn logs_are_kept_for_the_days_that_cloudwatch_knows() {
        assert_eq!(check_retention(14), Ok(()));
        assert!(check_retention(15).unwrap_err().ends_with("is 30"));
        assert!(check_retention(0).is_err());
        assert!(check_retention(9999).is_err());
    }
}
