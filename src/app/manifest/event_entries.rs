//! The keys of `events`: what happens outside and calls a function.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::either::TextOr;
use crate::app::yaml::Placed;

/// Something that happens outside and calls the function: one of `schedule`, `pattern`, `bucket`, `topic`, `queue` and `stream`.
///
/// In names of buckets, topics, queues and streams, and in texts of a pattern, `${stage}` is the stage's name.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct EventEntry {
    /// A time comes: `rate(1 hour)`, `cron(0 10 * * ? *)`.
    pub schedule: Option<Placed<TextOr<ScheduleFields>>>,
    /// An event of the account's default bus fits this pattern of EventBridge.
    #[schemars(with = "Option<Map<String, Value>>")]
    pub pattern: Option<Placed<Value>>,
    /// An object of this bucket changes.
    pub bucket: Option<Placed<TextOr<BucketFields>>>,
    /// A message comes to this SNS topic: its name, or its ARN.
    pub topic: Option<Placed<String>>,
    /// Messages wait in this SQS queue: its name, or its ARN.
    pub queue: Option<Placed<TextOr<QueueFields>>>,
    /// Records come to this stream.
    pub stream: Option<Placed<StreamFields>>,
    /// Beside `schedule` or `pattern`: what people read in the console.
    pub description: Option<Placed<String>>,
}

/// A schedule, and what is said about it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleFields {
    /// As EventBridge writes it: `rate(1 hour)`, `cron(0 10 * * ? *)`, in UTC.
    pub expression: Placed<String>,
    /// What people read in the console, 512 characters at most.
    pub description: Option<Placed<String>>,
}

/// Changes of a bucket's objects.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketFields {
    /// Name of the bucket, which exists.
    pub name: Placed<String>,
    /// Kinds of changes. Left out: `s3:ObjectCreated:*`.
    pub events: Option<Placed<Vec<Placed<String>>>>,
    /// What the object's key begins with.
    pub prefix: Option<Placed<String>>,
    /// What the object's key ends in.
    pub suffix: Option<Placed<String>>,
}

/// A queue, and how its messages are handed over.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueFields {
    /// Name of the queue, which exists, or its ARN.
    pub name: Placed<String>,
    /// At most so many messages at once, 1 to 10,000; of a FIFO queue, 10. Left out: 10.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_size: Option<Placed<u32>>,
    /// Seconds for which a batch is waited for, 0 to 300; more than 10 messages need 1. Left out: 0.
    #[schemars(range(max = 300))]
    pub window_s: Option<Placed<u32>>,
    /// At most so many executions at once, 2 to 1,000. Left out: no limit of the queue's own.
    #[schemars(range(min = 2, max = 1000))]
    pub maximum_concurrency: Option<Placed<u32>>,
}

/// A stream, and how its records are handed over.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamFields {
    /// A Kinesis stream, which exists: its name, or its ARN.
    pub kinesis: Option<Placed<String>>,
    /// The changes of a DynamoDB table: the ARN of its stream.
    pub dynamodb: Option<Placed<String>>,
    /// At most so many records at once, 1 to 10,000. Left out: 100.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_size: Option<Placed<u32>>,
    /// Seconds for which a batch is waited for, 0 to 300. Left out: 0.
    #[schemars(range(max = 300))]
    pub window_s: Option<Placed<u32>>,
    /// Where reading begins: `LATEST` (the default) or `TRIM_HORIZON`.
    #[serde(default)]
    pub starting_position: PositionEntry,
}

/// Where reading of a stream begins.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PositionEntry {
    /// With what comes from now on.
    #[default]
    Latest,
    /// With the oldest record that is still there.
    TrimHorizon,
}
