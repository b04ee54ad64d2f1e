//! The call that invokes a function. It changes nothing of the stage, so that it needs no lease.

use std::time::Duration;

use aws_sdk_lambda::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_lambda::types::{InvocationType, LogType};
use aws_smithy_types::Blob;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::aws::{Clients, fault};
use crate::fault::Fault;
use crate::resource::function::invocation::{Answer, End, Invocation, Tail};

const OPERATION: &str = "lambda:Invoke";

/// Invokes a function once, and waits for its answer. It is never tried again: nobody knows what a function does twice.
pub async fn invoke(clients: &Clients, invocation: &Invocation<'_>) -> Result<Answer, Fault> {
    let log_type = match invocation.tail {
        Tail::Wanted => LogType::Tail,
        Tail::Unwanted => LogType::None,
    };
    let request = clients
        .lambda
        .invoke()
        .function_name(invocation.arn)
        .invocation_type(InvocationType::RequestResponse)
        .log_type(log_type)
        .payload(Blob::new(invocation.payload))
        .customize()
        .config_override(once(invocation.patience));
    let answer = request
        .send()
        .await
        .map_err(|error| fault::of(OPERATION, invocation.arn, &error))?;
    Ok(Answer {
        status: answer.status_code,
        end: match answer.function_error {
            Some(_) => End::Raised,
            None => End::Returned,
        },
        log_tail: answer.log_result.and_then(|tail| text(&tail)),
        payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
    })
}

/// A function is silent while it works.
fn once(patience: Duration) -> Builder {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(patience)
        .operation_timeout(patience);
    Builder::new()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

fn text(tail: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(tail).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
