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
