//! What a function's role must allow so that Lambda can read its queues and streams for it.
//!
//! The account and Region are not known where an app is read: a name stands in the ARN, and they are left open.

use serde_json::{Value, json};

use super::events::{EventSource, Stream};

/// The statements that a function's role needs for an event source; most need none, since they call by themselves.
pub fn statements(source: &EventSource) -> Vec<Value> {
    match source {
        EventSource::Queue { queue, .. } => vec![allow(
            &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            &arn("sqs", queue),
        )],
        EventSource::Stream { stream, .. } => of_stream(stream),
        EventSource::Schedule { .. }
        | EventSource::Pattern { .. }
        | EventSource::Bucket { .. }
        | EventSource::Topic { .. } => Vec::new(),
    }
}

/// The statement with which a function answers on a websocket: to whom, says the message.
pub fn websocket() -> Value {
    allow(
        &["execute-api:ManageConnections"],
        "arn:*:execute-api:*:*:*/@connections/*",
    )
}

/// What Lambda, or a function, must be able to do for what calls the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Take messages from queues.
    Queues,
    /// Read Kinesis streams.
    KinesisStreams,
    /// Read the streams of DynamoDB tables.
    TableStreams,
    /// Send messages to who is connected to a websocket API.
    Connections,
}

/// The statement that Chalice gives the role of a stage for it: of all queues or streams of the account.
pub fn of_all(access: Access) -> Value {
    let (actions, resource): (&[&str], &str) = match access {
        Access::Queues => (
            &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            "*",
        ),
        Access::KinesisStreams => (
            &[
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:DescribeStream",
                "kinesis:ListStreams",
            ],
            "*",
        ),
        Access::TableStreams => (
            &[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            "*",
        ),
        Access::Connections => (
            &["execute-api:ManageConnections"],
            "arn:*:execute-api:*:*:*/@connections/*",
        ),
    };
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

/// What Lambda must be able to do for an event, with the function's own role.
pub fn access(source: &EventSource) -> Option<Access> {
    match source {
        EventSource::Queue { .. } => Some(Access::Queues),
        EventSource::Stream { stream, .. } => Some(match stream {
            Stream::Kinesis(_) => Access::KinesisStreams,
            Stream::DynamoDb(_) => Access::TableStreams,
        }),
        EventSource::Schedule { .. }
        | EventSource::Pattern { .. }
        | EventSource::Bucket { .. }
        | EventSource::Topic { .. } => None,
    }
}

/// Lists are of a whole account: AWS takes no ARN for them.
fn of_stream(stream: &Stream) -> Vec<Value> {
    match stream {
        Stream::Kinesis(stream) => vec![
            allow(
                &[
                    "kinesis:DescribeStream",
                    "kinesis:DescribeStreamSummary",
                    "kinesis:GetRecords",
                    "kinesis:GetShardIterator",
                    "kinesis:ListShards",
                ],
                &if stream.starts_with("arn:") {
                    stream.clone()
                } else {
                    arn("kinesis", &format!("stream/{stream}"))
                },
            ),
            allow(&["kinesis:ListStreams"], "*"),
        ],
        Stream::DynamoDb(stream) => vec![
            allow(
                &[
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                ],
                stream,
            ),
            allow(&["dynamodb:ListStreams"], "*"),
        ],
    }
}

fn arn(service: &str, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    format!("arn:*:{service}:*:*:{name}")
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": [resource]})
}
