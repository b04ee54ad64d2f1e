//! What calls an app's functions beside the routes of its REST API: events, websockets, HTTP APIs, URLs; and the domains
//! under which people find it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that happens outside and calls a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Logical name: `tick-event`, `worker-sqs-event-source`.
    pub name: String,
    /// Logical name of the function.
    pub function: String,
    /// What happens.
    pub source: EventSource,
}

/// What happens outside.
#[derive(Debug, Clone, PartialEq)]
pub enum EventSource {
    /// A time comes.
    Schedule {
        /// As EventBridge writes it: `rate(1 hour)`, `cron(0 10 * * ? *)`.
        expression: String,
        /// What people read in the console; Chalice always sends one, if an empty one.
        description: Option<String>,
    },
    /// An event of the account's default bus fits a pattern.
    Pattern {
        /// The pattern.
        pattern: Value,
        /// What people read in the console.
        description: Option<String>,
    },
    /// An object of a bucket changes.
    Bucket {
        /// The bucket.
        bucket: String,
        /// Kinds of changes: `s3:ObjectCreated:*`.
        events: Vec<String>,
        /// What the object's key begins with.
        prefix: Option<String>,
        /// What the object's key ends in.
        suffix: Option<String>,
    },
    /// A message comes to an SNS topic.
    Topic {
        /// Its name, or its ARN.
        topic: String,
    },
    /// Messages wait in a queue.
    Queue {
        /// Its name, or its ARN.
        queue: String,
        /// How they are handed over.
        batch: Batch,
        /// At most so many executions at once, 2 to 1,000.
        maximum_concurrency: Option<u32>,
    },
    /// Records come to a stream.
    Stream {
        /// The stream.
        stream: Stream,
        /// How they are handed over.
        batch: Batch,
        /// Where reading begins: `LATEST`, `TRIM_HORIZON`.
        starting_position: String,
    },
}

/// A stream of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// A Kinesis stream: its name, or its ARN.
    Kinesis(String),
    /// The changes of a DynamoDB table: the ARN of its stream.
    DynamoDb(String),
}

/// How messages or records are handed to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// At most so many at once.
    pub size: u32,
    /// Seconds for which a batch is waited for, 0 to 300.
    pub window_s: u32,
}

/// A websocket API.
#[derive(Debug, Clone, PartialEq)]
pub struct Websocket {
    /// Name of its API Gateway stage.
    pub stage_name: String,
    /// Functions' logical names by route key: `$connect`, `$default`, `$disconnect`, or a value of `action`.
    pub routes: Vec<(String, String)>,
    /// The domain under which it is found.
    pub domain: Option<Domain>,
}

/// An HTTP API: API Gateway's simpler and cheaper kind.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpApi {
    /// Functions' logical names by route key: `GET /guests/{id}`, `ANY /{proxy+}`, `$default`.
    pub routes: Vec<(String, String)>,
    /// Who of another origin may call it.
    pub cors: Option<HttpCors>,
    /// The domain under which it is found.
    pub domain: Option<Domain>,
}

/// Who of another origin may call an HTTP API or a function's URL, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HttpCors {
    /// Origins, or `*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Headers that may be sent, or `*`.
    pub allow_headers: Vec<String>,
    /// Headers of the answer that may be read.
    pub expose_headers: Vec<String>,
    /// Seconds for which the browser keeps the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u32>,
    /// Whether cookies and credentials may be sent.
    pub allow_credentials: bool,
}

/// A domain of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The domain: `api.example.com`.
    pub name: String,
    /// ARN of its certificate in ACM.
    pub certificate_arn: String,
    /// The oldest TLS that it speaks: `TLS_1_2`.
    pub tls_version: String,
    /// The first segment of its paths that leads to the API, without slashes; `None` where all of them do.
    pub path: Option<String>,
    /// Tags of the user.
    pub tags: BTreeMap<String, String>,
}

/// A function's own address on the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUrl {
    /// Who may call it.
    pub access: UrlAccess,
    /// Who of another origin may call it from a browser.
    pub cors: Option<HttpCors>,
}

/// Who may call a function's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlAccess {
    /// Anybody.
    Public,
    /// Whom IAM allows to.
    Iam,
}

/// A layer that we make of an app's dependencies, and put under each of its functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Logical name: `managed-layer`.
    pub name: String,
    /// Name of its content in the app's sources.
    pub source: String,
    /// Lambda's name of the runtime: `python3.11`.
    pub runtime: String,
    /// CPU architecture of its content.
    pub architecture: super::Architecture,
}
