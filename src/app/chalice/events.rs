//! What calls an app's functions beside its routes: event sources in our words, and what AWS would refuse of them.

use serde_json::Value;

use super::discover::{Facts, FunctionFacts};
use super::functions::{event_name, finding};
use super::schema::described;
use crate::app::events::{Batch, Event, EventSource, Stream};
use crate::app::limits::{Rule, Verdict, events as limits};
use crate::app::{Finding, Severity};

/// The events of an app in the order of the source; what has flaws is left out.
pub fn events(facts: &Facts) -> Vec<Event> {
    facts
        .event_sources
        .iter()
        .filter_map(|facts| event(facts).ok())
        .collect()
}

/// Finds what Chalice or AWS would not take of what an app declares.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut buckets: Vec<EventSource> = Vec::new();
    for function in &facts.event_sources {
        let mut tell = |message| findings.push(finding(Severity::Error, &function.file, function.line, message));
        match event(function) {
            Err(flaws) => flaws.into_iter().for_each(tell),
            Ok(event) => {
                if let Some(bucket) = buckets.iter().find_map(|other| limits::contested(other, &event.source)) {
                    tell(format!(
                        "an object of bucket `{bucket}` would call two functions, `{}` among them, and S3 takes one",
                        function.name
                    ));
                }
                buckets.push(event.source);
            }
        }
        findings.extend(two_queues(function));
    }
    findings
}

/// Chalice takes the ARN where an app names two queues.
fn two_queues(function: &FunctionFacts) -> Option<Finding> {
    let named = |key| function.details.get(key).and_then(Value::as_str);
    let (queue, arn) = (named("queue")?, named("queue_arn")?);
    let same = arn.rsplit(':').next() == Some(queue);
    let message = format!("`queue` of function `{}` has no effect: `queue_arn` has", function.name);
    (!same).then(|| finding(Severity::Warning, &function.file, function.line, message))
}

/// An event, or everything that is wrong with it.
fn event(facts: &FunctionFacts) -> Result<Event, Vec<String>> {
    let mut details = Details {
        facts,
        flaws: Vec::new(),
    };
    let source = match facts.details.get("flaw").and_then(Value::as_str) {
        Some(flaw) => {
            details.flaws.push(format!("function `{}`: {flaw}", facts.name));
            None
        }
        None => details.source(),
    };
    if !details.flaws.is_empty() {
        return Err(details.flaws);
    }
    let (Some(source), Some(name)) = (source, event_name(facts)) else {
        let (name, kind) = (&facts.name, &facts.kind);
        return Err(vec![format!(
            "function `{name}` is called by a `{kind}`, which is not known"
        )]);
    };
    Ok(Event {
        name,
        function: facts.name.clone(),
        source,
    })
}

/// The fields of an event as Chalice has them, and what is wrong with those that were read.
struct Details<'a> {
    facts: &'a FunctionFacts,
    flaws: Vec<String>,
}

impl Details<'_> {
    fn source(&mut self) -> Option<EventSource> {
        Some(match self.facts.kind.as_str() {
            "ScheduledEventConfig" => EventSource::Schedule {
                expression: self.text("schedule_expression", limits::check_schedule),
                description: self.optional("description", limits::check_description),
            },
            "CloudWatchEventConfig" => EventSource::Pattern {
                pattern: self.pattern(),
                description: None,
            },
            "S3EventConfig" => EventSource::Bucket {
                bucket: self.text("bucket", limits::check_bucket),
                events: self.changes(),
                prefix: self.optional("prefix", limits::check_key_part),
                suffix: self.optional("suffix", limits::check_key_part),
            },
            "SNSEventConfig" => EventSource::Topic {
                topic: self.text("topic", limits::check_topic),
            },
            "SQSEventConfig" => self.queue(),
            "KinesisEventConfig" => {
                let stream = Stream::Kinesis(self.text("stream", limits::check_kinesis));
                self.stream(stream)
            }
            "DynamoDBEventConfig" => {
                let stream = Stream::DynamoDb(self.text("stream_arn", limits::check_dynamodb_stream));
                self.stream(stream)
            }
            _ => return None,
        })
    }

    fn queue(&mut self) -> EventSource {
        let queue = if self.value("queue_arn").is_null() {
            self.text("queue", limits::check_queue_name)
        } else {
            self.text("queue_arn", limits::check_queue_arn)
        };
        let batch = self.batch();
        self.check(limits::check_queue_batch(&queue, batch));
        let maximum_concurrency = self.optional_number("maximum_concurrency");
        if let Some(maximum) = maximum_concurrency {
            self.check(limits::check_maximum_concurrency(maximum));
        }
        EventSource::Queue {
            queue,
            batch,
            maximum_concurrency,
        }
    }

    fn stream(&mut self, stream: Stream) -> EventSource {
        let batch = self.batch();
        self.check(limits::check_batch(batch));
        EventSource::Stream {
            stream,
            batch,
            starting_position: self.text("starting_position", limits::check_starting_position),
        }
    }

    /// A batch; one that is fine where its numbers are none, so that this alone is told.
    fn batch(&mut self) -> Batch {
        Batch {
            size: self.number("batch_size").unwrap_or(1),
            window_s: self.number("maximum_batching_window_in_seconds").unwrap_or(0),
        }
    }

    fn pattern(&mut self) -> Value {
        let pattern = self.value("event_pattern");
        if pattern.is_object() {
            self.check(limits::check_pattern(&pattern));
        } else {
            self.wrong("event_pattern", "a dict");
        }
        pattern
    }

    fn changes(&mut self) -> Vec<String> {
        let events = self.value("events");
        let texts: Option<Vec<String>> = events
            .as_array()
            .and_then(|events| events.iter().map(|event| event.as_str().map(str::to_owned)).collect());
        let Some(texts) = texts else {
            self.wrong("events", "a list of texts");
            return Vec::new();
        };
        if texts.is_empty() {
            self.wrong("events", "a list of texts that has one at least");
        }
        for (message, hint) in texts.iter().filter_map(|text| limits::change_flaw(text)) {
            let meant = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            self.flaws.push(format!("{message}{meant}"));
        }
        texts
    }

    fn value(&self, key: &str) -> Value {
        self.facts.details.get(key).cloned().unwrap_or_default()
    }

    fn text(&mut self, key: &str, rule: Rule) -> String {
        match self.value(key) {
            Value::String(text) => {
                self.check(rule(&text).map_err(|why| format!("`{key}` of function `{}`: {why}", self.facts.name)));
                text
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong(key, "text");
                String::new()
            }
        }
    }

    fn optional(&mut self, key: &str, rule: Rule) -> Option<String> {
        (!self.value(key).is_null()).then(|| self.text(key, rule))
    }

    fn number(&mut self, key: &str) -> Option<u32> {
        let number = self.value(key).as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.wrong(key, "a whole number");
        }
        number
    }

    fn optional_number(&mut self, key: &str) -> Option<u32> {
        if self.value(key).is_null() {
            return None;
        }
        self.number(key)
    }

    fn wrong(&mut self, key: &str, expected: &str) {
        let found = described(&self.value(key));
        let name = &self.facts.name;
        self.flaws.push(format!(
            "`{key}` of function `{name}` must be {expected}, and is {found}"
        ));
    }

    fn check(&mut self, verdict: Verdict) {
        self.flaws.extend(verdict.err());
    }
}
