//! A call too many is not repeated at once: API Gateway's quotas take seconds, and each further try counts, too.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};

/// Leaves what is answered by 429 to whoever knows the quotas.
#[derive(Debug)]
pub struct NotTooMany;

impl ClassifyRetry for NotTooMany {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(429) => RetryAction::RetryForbidden,
            Some(_) | None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "not too many"
    }

    /// Behind those that would repeat it.
    fn priority(&self) -> RetryClassifierPriority {
        let transient = RetryClassifierPriority::transient_error_classifier();
        RetryClassifierPriority::run_after(RetryClassifierPriority::run_after(transient))
    }
}
