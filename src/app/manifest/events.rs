//! Events of a manifest: what calls a function on a stage, and what AWS would refuse of it.

use std::collections::BTreeMap;

use super::Manifest;
use super::StageEntry;
use super::either::TextOr;
use super::event_entries::{BucketFields, EventEntry, PositionEntry, QueueFields, StreamFields};
use super::substitution::{in_value, on_stage};
use crate::app::events::{Batch, Event, EventSource, Stream};
use crate::app::flaws::{Flaws, Place};
use crate::app::limits::events as limits;
use crate::app::withheld::Kind;
use crate::app::yaml::Placed;
use crate::names::StageName;

/// Messages of a queue at once, as Lambda has it.
const MESSAGES: u32 = 10;

/// Records of a stream at once, as Lambda has it.
const RECORDS: u32 = 100;

/// What a bucket tells of, where nothing is said.
const CHANGE: &str = "s3:ObjectCreated:*";

/// Reads the events of all functions, in the order of the file.
pub fn read(manifest: &Manifest, stage: &StageName, here: &StageEntry, flaws: &mut Flaws) -> Vec<Event> {
    let mut events = Vec::new();
    for (name, entry) in manifest.functions.iter() {
        let changed = here
            .functions
            .get(&name.value)
            .and_then(|changed| changed.events.as_ref());
        let entries = changed.unwrap_or(&entry.events);
        events.extend(of_function(&name.value, entries, stage, flaws));
    }
    check_together(&events, flaws);
    events.into_iter().map(|(_, event)| event).collect()
}

/// An event is called after its function and its kind; from the second rule on, and from the second event of one bucket on,
/// after its number as well.
fn of_function(
    function: &str,
    entries: &[Placed<EventEntry>],
    stage: &StageName,
    flaws: &mut Flaws,
) -> Vec<(Place, Event)> {
    let mut counts: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    let mut events = Vec::new();
    for entry in entries {
        let Some(source) = source(entry, stage, flaws) else {
            continue;
        };
        let kind = Kind::of(&source);
        let of = match &source {
            EventSource::Schedule { .. } | EventSource::Pattern { .. } => String::new(),
            EventSource::Bucket { bucket, .. } => bucket.clone(),
            EventSource::Topic { topic } => topic.clone(),
            EventSource::Queue { queue, .. } => queue.clone(),
            EventSource::Stream {
                stream: Stream::Kinesis(stream) | Stream::DynamoDb(stream),
                ..
            } => stream.clone(),
        };
        let count = counts.entry((kind, of)).or_default();
        *count += 1;
        let name = match *count {
            1 => format!("{function}-{}", kind.as_str()),
            number => format!("{function}-{}-{number}", kind.as_str()),
        };
        let function = function.to_owned();
        events.push((entry.place, Event { name, function, source }));
    }
    events
}

fn source(entry: &Placed<EventEntry>, stage: &StageName, flaws: &mut Flaws) -> Option<EventSource> {
    let EventEntry {
        schedule,
        pattern,
        bucket,
        topic,
        queue,
        stream,
        description,
    } = &entry.value;
    check_one_kind(entry, flaws)?;
    if let Some(description) = description {
        check_description(description, flaws);
        if schedule.is_none() && pattern.is_none() {
            let message = "`description` belongs to a `schedule` or a `pattern`";
            flaws.error(description.place, message);
        }
    }
    let description = description.as_ref().map(|text| text.value.clone());
    if let Some(schedule) = schedule {
        return Some(of_schedule(schedule, description, flaws));
    }
    if let Some(pattern) = pattern {
        flaws.check(pattern.place, limits::check_pattern(&pattern.value));
        let pattern = in_value(pattern, stage, flaws);
        return Some(EventSource::Pattern { pattern, description });
    }
    if let Some(bucket) = bucket {
        return Some(of_bucket(bucket, stage, flaws));
    }
    if let Some(topic) = topic {
        let topic = on_stage(topic, stage, limits::check_topic, flaws);
        return Some(EventSource::Topic { topic });
    }
    if let Some(queue) = queue {
        return Some(of_queue(queue, stage, flaws));
    }
    stream.as_ref().and_then(|stream| of_stream(stream, stage, flaws))
}

fn check_one_kind(entry: &Placed<EventEntry>, flaws: &mut Flaws) -> Option<()> {
    let EventEntry {
        schedule,
        pattern,
        bucket,
        topic,
        queue,
        stream,
        description: _,
    } = &entry.value;
    let given = [
        ("schedule", schedule.is_some()),
        ("pattern", pattern.is_some()),
        ("bucket", bucket.is_some()),
        ("topic", topic.is_some()),
        ("queue", queue.is_some()),
        ("stream", stream.is_some()),
    ];
    let given: Vec<_> = given
        .iter()
        .filter(|(_, is_given)| *is_given)
        .map(|(kind, _)| format!("`{kind}`"))
        .collect();
    match given.as_slice() {
        [_] => Some(()),
        [] => {
            let kinds = "`schedule`, `pattern`, `bucket`, `topic`, `queue` or `stream`";
            flaws.error(entry.place, format!("an event is a {kinds}, and this is none"));
            None
        }
        [..] => {
            let message = format!("this is {} at once, and an event is one thing", given.join(" and "));
            let hint = Some("begin each with a `-` of its own".to_owned());
            flaws.error_with(entry.place, message, hint);
            None
        }
    }
}

fn check_description(text: &Placed<String>, flaws: &mut Flaws) {
    flaws.check(text.place, limits::check_description(&text.value));
}

fn of_schedule(
    schedule: &Placed<TextOr<super::event_entries::ScheduleFields>>,
    beside: Option<String>,
    flaws: &mut Flaws,
) -> EventSource {
    let (expression, place, own) = match &schedule.value {
        TextOr::Text(expression) => (expression, schedule.place, None),
        TextOr::Fields(fields) => {
            if let Some(description) = &fields.description {
                check_description(description, flaws);
            }
            let own = fields.description.as_ref().map(|text| text.value.clone());
            (&fields.expression.value, fields.expression.place, own)
        }
    };
    flaws.check(place, limits::check_schedule(expression));
    EventSource::Schedule {
        expression: expression.clone(),
        description: own.or(beside),
    }
}

fn of_bucket(bucket: &Placed<TextOr<BucketFields>>, stage: &StageName, flaws: &mut Flaws) -> EventSource {
    let only_named;
    let fields = match &bucket.value {
        TextOr::Text(name) => {
            only_named = BucketFields {
                name: placed(name, bucket.place),
                events: None,
                prefix: None,
                suffix: None,
            };
            &only_named
        }
        TextOr::Fields(fields) => fields,
    };
    let name = on_stage(&fields.name, stage, limits::check_bucket, flaws);
    let events = match &fields.events {
        None => vec![CHANGE.to_owned()],
        Some(kinds) => {
            if kinds.value.is_empty() {
                flaws.error(kinds.place, "`events` of a bucket is empty");
            }
            for kind in &kinds.value {
                if let Some((message, hint)) = limits::change_flaw(&kind.value) {
                    flaws.error_with(kind.place, message, hint);
                }
            }
            kinds.value.iter().map(|kind| kind.value.clone()).collect()
        }
    };
    let mut key_part = |part: &Option<Placed<String>>| {
        let part = part.as_ref()?;
        flaws.check(part.place, limits::check_key_part(&part.value));
        Some(part.value.clone())
    };
    EventSource::Bucket {
        bucket: name,
        events,
        prefix: key_part(&fields.prefix),
        suffix: key_part(&fields.suffix),
    }
}

fn of_queue(queue: &Placed<TextOr<QueueFields>>, stage: &StageName, flaws: &mut Flaws) -> EventSource {
    let only_named;
    let fields = match &queue.value {
        TextOr::Text(name) => {
            only_named = QueueFields {
                name: placed(name, queue.place),
                batch_size: None,
                window_s: None,
                maximum_concurrency: None,
            };
            &only_named
        }
        TextOr::Fields(fields) => fields,
    };
    let name = on_stage(&fields.name, stage, limits::check_queue, flaws);
    let batch = batch(fields.batch_size.as_ref(), fields.window_s.as_ref(), MESSAGES);
    let place = fields.batch_size.as_ref().or(fields.window_s.as_ref());
    let place = place.map_or(queue.place, |number| number.place);
    flaws.check(place, limits::check_queue_batch(&name, batch));
    if let Some(limit) = &fields.maximum_concurrency {
        flaws.check(limit.place, limits::check_maximum_concurrency(limit.value));
    }
    EventSource::Queue {
        queue: name,
        batch,
        maximum_concurrency: fields.maximum_concurrency.as_ref().map(|limit| limit.value),
    }
}

fn of_stream(stream: &Placed<StreamFields>, stage: &StageName, flaws: &mut Flaws) -> Option<EventSource> {
    let fields = &stream.value;
    let batch = batch(fields.batch_size.as_ref(), fields.window_s.as_ref(), RECORDS);
    let place = fields.batch_size.as_ref().or(fields.window_s.as_ref());
    let place = place.map_or(stream.place, |number| number.place);
    flaws.check(place, limits::check_batch(batch));
    let read = match (&fields.kinesis, &fields.dynamodb) {
        (Some(name), None) => Stream::Kinesis(on_stage(name, stage, limits::check_kinesis, flaws)),
        (None, Some(arn)) => Stream::DynamoDb(on_stage(arn, stage, limits::check_dynamodb_stream, flaws)),
        (Some(_), Some(_)) | (None, None) => {
            flaws.error(stream.place, "a stream is either `kinesis` or `dynamodb`");
            return None;
        }
    };
    let starting_position = match fields.starting_position {
        PositionEntry::Latest => "LATEST",
        PositionEntry::TrimHorizon => "TRIM_HORIZON",
    };
    Some(EventSource::Stream {
        stream: read,
        batch,
        starting_position: starting_position.to_owned(),
    })
}

fn batch(size: Option<&Placed<u32>>, window_s: Option<&Placed<u32>>, usual: u32) -> Batch {
    Batch {
        size: size.map_or(usual, |size| size.value),
        window_s: window_s.map_or(0, |window| window.value),
    }
}

fn placed(text: &str, place: Place) -> Placed<String> {
    Placed {
        value: text.to_owned(),
        place,
    }
}

/// Looks at what the events of an app do to each other.
fn check_together(events: &[(Place, Event)], flaws: &mut Flaws) {
    for (index, (place, event)) in events.iter().enumerate() {
        for (_, other) in events.iter().take(index) {
            check_pair(*place, event, other, flaws);
        }
    }
}

fn check_pair(place: Place, event: &Event, other: &Event, flaws: &mut Flaws) {
    let (ours, theirs) = (&event.function, &other.function);
    match (&event.source, &other.source) {
        (EventSource::Queue { queue, .. }, EventSource::Queue { queue: same, .. }) if is_same(queue, same) => {
            if ours == theirs {
                flaws.error_with(
                    place,
                    format!("`{ours}` has queue `{queue}` twice"),
                    elsewhere(queue, same),
                );
            } else {
                let message =
                    format!("`{theirs}` and `{ours}` both read queue `{queue}`: a message comes to one of them");
                flaws.warn(place, message, None);
            }
        }
        (
            EventSource::Stream {
                stream: Stream::Kinesis(stream),
                ..
            },
            EventSource::Stream {
                stream: Stream::Kinesis(same),
                ..
            },
        )
        | (
            EventSource::Stream {
                stream: Stream::DynamoDb(stream),
                ..
            },
            EventSource::Stream {
                stream: Stream::DynamoDb(same),
                ..
            },
        ) if ours == theirs && is_same(stream, same) => {
            let message = format!("`{ours}` has a stream twice");
            flaws.error_with(place, message, elsewhere(stream, same));
        }
        (EventSource::Topic { topic }, EventSource::Topic { topic: same })
            if ours == theirs && is_same(topic, same) =>
        {
            flaws.error_with(
                place,
                format!("`{ours}` has topic `{topic}` twice"),
                elsewhere(topic, same),
            );
        }
        (EventSource::Bucket { .. }, EventSource::Bucket { .. }) => {
            if let Some(bucket) = limits::contested(&event.source, &other.source) {
                let message = format!("`{theirs}` and `{ours}` would be told of one change of bucket `{bucket}`");
                let hint = "S3 takes one receiver: tell them apart by `prefix` or `suffix`, or use a topic";
                flaws.error_with(place, message, Some(hint.to_owned()));
            }
        }
        // Whatever else there is can be there twice.
        (
            EventSource::Schedule { .. }
            | EventSource::Pattern { .. }
            | EventSource::Bucket { .. }
            | EventSource::Topic { .. }
            | EventSource::Queue { .. }
            | EventSource::Stream { .. },
            _,
        ) => {}
    }
}

/// Whether two texts mean one thing. A name is one in the stage's own account and Region, which are not known yet: an ARN that
/// ends with it is taken for the same.
fn is_same(one: &str, other: &str) -> bool {
    match (one.starts_with("arn:"), other.starts_with("arn:")) {
        (true, true) | (false, false) => one == other,
        (true, false) | (false, true) => bare(one) == bare(other),
    }
}

/// The name in an ARN of a queue, a topic or a Kinesis stream, behind the account.
fn bare(text: &str) -> &str {
    let name = text.rsplit(':').next().unwrap_or(text);
    name.strip_prefix("stream/").unwrap_or(name)
}

/// What to do where a name and an ARN only look like one thing.
fn elsewhere(one: &str, other: &str) -> Option<String> {
    (one != other).then(|| "take one of them out, or write both as ARNs if they are two things".to_owned())
}
