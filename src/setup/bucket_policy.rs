//! A policy of the state's bucket, with which S3 itself refuses what could overwrite somebody else's state.
//!
//! Condition keys by <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html>.

use serde_json::{Value, json};

/// Denies every write of a state without `If-Match` or `If-None-Match`, and every removal without `If-Match`. Zips are no
/// states; nor is a former version, which has an action of its own.
///
/// `prefix` is as [`StateUrl`](crate::config::state_url::StateUrl) has it.
pub fn bucket_policy(partition: &str, bucket: &str, prefix: &str) -> Value {
    let folder = match prefix {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let states = format!("arn:{partition}:s3:::{bucket}/{folder}*.json");
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "StagewrightWritesOnCondition",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": states,
                "Condition": {
                    "Null": {"s3:if-match": "true", "s3:if-none-match": "true"},
                    // The calls of a multipart upload but the last one make no object, and take no condition.
                    "Bool": {"s3:ObjectCreationOperation": "true"},
                },
            },
            {
                "Sid": "StagewrightRemovesOnCondition",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:DeleteObject",
                "Resource": states,
                "Condition": {"Null": {"s3:if-match": "true"}},
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_states_under_the_prefix_are_meant() {
        let resources = |prefix| {
            let policy = bucket_policy("aws-cn", "acme", prefix);
            let of = |statement: &Value| statement["Resource"].as_str().map(ToOwned::to_owned);
            let statements = policy["Statement"].as_array().unwrap();
            statements.iter().filter_map(of).collect::<Vec<_>>()
        };
        assert_eq!(resources("a/b"), ["arn:aws-cn:s3:::acme/a/b/*.json"; 2]);
        assert_eq!(resources(""), ["arn:aws-cn:s3:::acme/*.json"; 2]);
    }

    #[test]
    fn one_of_the_two_headers_is_enough_to_be_let_in() {
        let policy = bucket_policy("aws", "acme", "x");
        let write = &policy["Statement"][0];
        // Both have to be missing: conditions under one operator are joined by `and`.
        assert_eq!(
            write["Condition"]["Null"],
            json!({"s3:if-match": "true", "s3:if-none-match": "true"})
        );
        assert_eq!(
            write["Condition"]["Bool"],
            json!({"s3:ObjectCreationOperation": "true"})
        );
    }
}
