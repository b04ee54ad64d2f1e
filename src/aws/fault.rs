//! The one place that reads the SDK's errors.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::fault::{Certainty, Fault, FaultKind};

/// Turns a failed call into what we know about it.
pub fn of<E>(operation: &'static str, target: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let (kind, certainty, code, message) = match error {
        SdkError::ServiceError(refusal) => answered(refusal.err(), refusal.raw().status().as_u16()),
        SdkError::TimeoutError(_) => broken(FaultKind::Timeout, Certainty::MayHaveHappened, error),
        SdkError::ConstructionFailure(_) => broken(unsent(error), Certainty::DidNotHappen, error),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            broken(FaultKind::Timeout, Certainty::MayHaveHappened, error)
        }
        SdkError::DispatchFailure(_) => match unsent(error) {
            FaultKind::Credentials => broken(FaultKind::Credentials, Certainty::DidNotHappen, error),
            _ => broken(FaultKind::Unreachable, Certainty::MayHaveHappened, error),
        },
        _ => broken(FaultKind::Other, Certainty::MayHaveHappened, error),
    };
    Fault {
        operation,
        target: target.into(),
        kind,
        code,
        message,
        certainty,
        request_id: request_id(error),
    }
}

type Known = (FaultKind, Certainty, String, String);

fn answered<E: ProvideErrorMetadata>(refusal: &E, status: u16) -> Known {
    let code = refusal.code().unwrap_or_default().to_owned();
    let message = match (refusal.message(), code.as_str()) {
        (Some(message), "") => message.to_owned(),
        (Some(message), code) => format!("{message} ({code})"),
        (None, "") => format!("HTTP status {status}"),
        (None, code) => format!("{code}, HTTP status {status}"),
    };
    (kind(&code, status), certainty(status), code, message)
}

/// A 409 or a 412 may be an earlier attempt of ours, and a 5xx may come after the effect.
fn certainty(status: u16) -> Certainty {
    match status {
        400..=407 | 410 | 411 | 413..=499 => Certainty::DidNotHappen,
        _ => Certainty::MayHaveHappened,
    }
}

/// Codes by <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html> and the four services' own lists.
fn kind(code: &str, status: u16) -> FaultKind {
    match code {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => FaultKind::Credentials,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AllAccessDisabled" => FaultKind::Denied,
        "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" | "SlowDown" => {
            FaultKind::Throttled
        }
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            FaultKind::Region
        }
        "PreconditionFailed" | "ConditionalRequestConflict" => FaultKind::Condition,
        "NoSuchEntity" | "NotFoundException" | "ResourceNotFoundException" | "NoSuchKey" | "NoSuchBucket" => {
            FaultKind::Absent
        }
        "LimitExceeded" | "LimitExceededException" => FaultKind::Invalid,
        "EntityAlreadyExists" | "ResourceConflictException" | "ConflictException" => FaultKind::Conflict,
        _ => by_status(status),
    }
}

fn by_status(status: u16) -> FaultKind {
    match status {
        301 | 307 => FaultKind::Region,
        401 | 403 => FaultKind::Denied,
        404 => FaultKind::Absent,
        408 => FaultKind::Timeout,
        409 => FaultKind::Conflict,
        412 => FaultKind::Condition,
        429 => FaultKind::Throttled,
        400..=499 => FaultKind::Invalid,
        _ => FaultKind::Other,
    }
}

fn broken(kind: FaultKind, certainty: Certainty, error: &(dyn StdError + 'static)) -> Known {
    (kind, certainty, String::new(), innermost(error))
}

/// What kept a request from being sent: most often that no credentials were found.
fn unsent(error: &(dyn StdError + 'static)) -> FaultKind {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.downcast_ref::<CredentialsError>().is_some() {
            return FaultKind::Credentials;
        }
        next = cause.source();
    }
    FaultKind::Other
}

/// The SDK's outer errors say only "dispatch failure"; the innermost says what broke.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    // Only what the causes say of themselves: their debug form can hold a whole answer, with secrets in it.
    let mut cause = error;
    while let Some(source) = cause.source() {
        tracing::debug!(%cause, "call failed");
        cause = source;
    }
    cause.to_string()
}

fn request_id<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let headers = error.raw_response()?.headers();
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|name| headers.get(*name))
        .map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_did_not_happen_but_a_conflict_or_a_server_error_may_have() {
        for status in [400, 401, 403, 404, 429] {
            assert_eq!(certainty(status), Certainty::DidNotHappen, "{status}");
        }
        for status in [408, 409, 412, 500, 503] {
            assert_eq!(certainty(status), Certainty::MayHaveHappened, "{status}");
        }
    }

    #[test]
    fn the_code_says_more_than_the_status() {
        assert_eq!(kind("ThrottlingException", 400), FaultKind::Throttled);
        assert_eq!(kind("ExpiredToken", 403), FaultKind::Credentials);
        assert_eq!(kind("SomethingNew", 403), FaultKind::Denied);
        assert_eq!(kind("ValidationException", 400), FaultKind::Invalid);
    }
}
