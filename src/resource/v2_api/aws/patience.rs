//! What API Gateway makes a caller wait for: quotas of the account, and another change of the same thing.

use crate::aws::Clients;
use crate::aws::pace::quota::Quota;
use crate::aws::wait;
use crate::fault::{Fault, FaultKind};

/// Makes a call when its turn comes, and again for as long as AWS only says that there were too many of them, or that something is being changed by
/// another one.
///
/// # Errors
///
/// The call's own fault, the last one when it lasts longer than [`wait::QUOTA`] allows.
pub async fn patiently<T, C>(clients: &Clients, of: (&'static str, &str), call: C) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    wait::paced(clients, Quota::slow(of.0), of, passing, call).await
}

/// What passes by itself, if the fault is that. A conflict can also be one that stays: a name that is taken.
fn passing(fault: &Fault) -> Option<&'static str> {
    let says = |what: &str| fault.message.to_lowercase().contains(what);
    match fault.kind {
        FaultKind::Throttled => Some("throttled by AWS"),
        FaultKind::Conflict if says("concurrent") || says("try again") || says("in progress") => {
            Some("being changed by somebody else")
        }
        FaultKind::Conflict
        | FaultKind::Credentials
        | FaultKind::Denied
        | FaultKind::Absent
        | FaultKind::Foreign
        | FaultKind::Condition
        | FaultKind::Timeout
        | FaultKind::Unreachable
        | FaultKind::Region
        | FaultKind::Invalid
        | FaultKind::LeaseLost
        | FaultKind::Stopped
        | FaultKind::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_by_somebody_else_is_waited_for_and_a_name_that_is_taken_is_not() {
        let conflict = |message: &str| {
            let fault = Fault::refused("apigateway:CreateRoute", "a1", FaultKind::Conflict, message.to_owned());
            passing(&fault).is_some()
        };
        assert!(conflict(
            "Unable to complete operation due to concurrent modification. Please try again later."
        ));
        assert!(!conflict("Route with key $connect already exists for this API"));
    }
}
