//! What Lambda makes a caller wait for: a new role, an update under way, a function that becomes active.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State};

use crate::aws::wait::{self, Look};
use crate::aws::{Clients, fault};
use crate::fault::{Certainty, Fault, FaultKind};

/// Waits until a function is active and its last update has ended.
pub async fn settled(clients: &Clients, name: &str) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:GetFunctionConfiguration";
    wait::until(clients, (OPERATION, name), wait::FUNCTION, async || {
        let sent = clients
            .lambda
            .get_function_configuration()
            .function_name(name)
            .send()
            .await;
        match sent.map_err(|error| fault::of(OPERATION, name, &error)) {
            Ok(configuration) => Ok(judge(name, &configuration)?),
            Err(fault) if fault.kind == FaultKind::Throttled => Ok(Look::NotYet("throttled by AWS".to_owned())),
            Err(fault) => Err(fault),
        }
    })
    .await
}

fn judge(name: &str, seen: &GetFunctionConfigurationOutput) -> Result<Look<()>, Fault> {
    let failed = |reason: Option<&str>| {
        let message = format!("AWS could not set it up: {}", reason.unwrap_or("it does not say why"));
        Fault {
            certainty: Certainty::MayHaveHappened,
            ..Fault::refused("lambda:GetFunctionConfiguration", name, FaultKind::Other, message)
        }
    };
    match (seen.state(), seen.last_update_status()) {
        (Some(State::Failed), _) => Err(failed(seen.state_reason())),
        (_, Some(LastUpdateStatus::Failed)) => Err(failed(seen.last_update_status_reason())),
        (Some(State::Pending), _) => Ok(Look::NotYet("pending".to_owned())),
        (_, Some(LastUpdateStatus::InProgress)) => Ok(Look::NotYet("being updated".to_owned())),
        (_, _) => Ok(Look::Ready(())),
    }
}

/// Makes a call again while Lambda cannot assume a role that is new, or says that there were too many calls.
///
/// Messages by <https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-deployment.html> and experience.
pub async fn ready_role<C>(clients: &Clients, operation: &'static str, name: &str, mut call: C) -> Result<(), Fault>
where
    C: AsyncFnMut() -> Result<(), Fault>,
{
    wait::until(clients, (operation, name), wait::ROLE, async || match call().await {
        Ok(()) => Ok(Look::Ready(())),
        Err(fault) if is_about_a_new_role(&fault) => Ok(Look::NotYet("unable to assume its new role".to_owned())),
        Err(fault) if fault.kind == FaultKind::Throttled => Ok(Look::NotYet("throttled by AWS".to_owned())),
        Err(fault) => Err(fault),
    })
    .await
}

fn is_about_a_new_role(fault: &Fault) -> bool {
    let role = |what: &str| {
        fault
            .message
            .split_once("role")
            .is_some_and(|(_, rest)| rest.contains(what))
    };
    fault.code == "InvalidParameterValueException"
        && (role("cannot be assumed")
            || role("does not have permissions")
            || (fault.message.contains("InvalidArnException") && fault.message.contains("valid principal")))
}

/// Makes a call again while another update of the function is under way.
pub async fn ready_function<C>(clients: &Clients, operation: &'static str, name: &str, mut call: C) -> Result<(), Fault>
where
    C: AsyncFnMut() -> Result<(), Fault>,
{
    wait::until(clients, (operation, name), wait::FUNCTION, async || {
        match call().await {
            Ok(()) => Ok(Look::Ready(())),
            Err(fault) if fault.kind == FaultKind::Throttled => Ok(Look::NotYet("throttled by AWS".to_owned())),
            Err(fault) if fault.code == "ResourceConflictException" => {
                settled(clients, name).await?;
                Ok(Look::NotYet("being updated by somebody else".to_owned()))
            }
            Err(fault) => Err(fault),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, message: &str) -> Fault {
        let fault = Fault::refused("lambda:CreateFunction", "x", FaultKind::Invalid, message.to_owned());
        Fault {
            code: code.to_owned(),
            ..fault
        }
    }

    #[test]
    fn a_role_that_is_not_assumable_yet_is_waited_for_and_a_wrong_one_is_not() {
        let code = "InvalidParameterValueException";
        let waits = |message| is_about_a_new_role(&refusal(code, message));
        assert!(waits("The role defined for the function cannot be assumed by Lambda."));
        assert!(waits(
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
        ));
        assert!(waits("InvalidArnException: does not refer to a valid principal"));
        assert!(!waits("Uploaded file must be a non-empty zip"));
        assert!(!is_about_a_new_role(&refusal(
            "ValidationException",
            "the role cannot be assumed"
        )));
    }

    #[test]
    fn a_function_is_ready_when_it_is_active_and_nothing_is_in_progress() {
        let seen = |state: Option<State>, update: Option<LastUpdateStatus>| {
            let seen = GetFunctionConfigurationOutput::builder()
                .set_state(state)
                .set_last_update_status(update)
                .build();
            judge("x", &seen)
        };
        assert!(matches!(seen(Some(State::Pending), None), Ok(Look::NotYet(_))));
        assert!(matches!(
            seen(Some(State::Active), Some(LastUpdateStatus::InProgress)),
            Ok(Look::NotYet(_))
        ));
        assert!(matches!(
            seen(Some(State::Active), Some(LastUpdateStatus::Successful)),
            Ok(Look::Ready(()))
        ));
        assert!(seen(Some(State::Failed), None).is_err());
        assert!(seen(Some(State::Active), Some(LastUpdateStatus::Failed)).is_err());
    }
}
