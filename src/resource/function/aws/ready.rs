//! What Lambda makes a caller wait for: a new role, an update under way, a function that becomes active.

use std::cell::RefCell;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State};

use crate::aws::wait::{self, Look};
use crate::aws::{Clients, fault};
use crate::fault::{Certainty, Fault, FaultKind};

/// The revision of a function that was last seen. An update that names it is refused by AWS where the function has changed
/// meanwhile: so a call of a holder who was replaced, and that lands late, changes nothing of its successor's.
/// See <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html>.
#[derive(Debug, Default)]
pub struct LastSeen(RefCell<Option<String>>);

impl LastSeen {
    /// The revision that stands when nothing is under way any more, whether or not the last update went well: the next one may
    /// put it right.
    pub async fn of(clients: &Clients, name: &str) -> Result<Self, Fault> {
        Ok(Self(RefCell::new(looked(clients, name, idle).await?)))
    }

    /// Its id; `None` where AWS has not told it.
    pub fn id(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until the function has settled, and takes the revision that then stands.
    pub async fn follow(&self, clients: &Clients, name: &str) -> Result<(), Fault> {
        let seen = settled(clients, name).await?;
        self.0.replace(seen);
        Ok(())
    }
}

/// Waits until a function is active and its last update has ended, and returns its revision.
pub async fn settled(clients: &Clients, name: &str) -> Result<Option<String>, Fault> {
    looked(clients, name, judge).await
}

/// What is made of an answer.
type Judge = fn(&str, &GetFunctionConfigurationOutput) -> Result<Look<Option<String>>, Fault>;

async fn looked(clients: &Clients, name: &str, judge: Judge) -> Result<Option<String>, Fault> {
    const OPERATION: &str = "lambda:GetFunctionConfiguration";
    wait::until(clients, (OPERATION, name), wait::FUNCTION, async || {
        clients.pacer.turn(None, (OPERATION, name)).await?;
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

fn judge(name: &str, seen: &GetFunctionConfigurationOutput) -> Result<Look<Option<String>>, Fault> {
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
        (_, _) => idle(name, seen),
    }
}

fn idle(_: &str, seen: &GetFunctionConfigurationOutput) -> Result<Look<Option<String>>, Fault> {
    match (seen.state(), seen.last_update_status()) {
        (Some(State::Pending), _) => Ok(Look::NotYet("pending".to_owned())),
        (_, Some(LastUpdateStatus::InProgress)) => Ok(Look::NotYet("being updated".to_owned())),
        (_, _) => Ok(Look::Ready(seen.revision_id().map(ToOwned::to_owned))),
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
        clients.pacer.turn(None, (operation, name)).await?;
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

/// How often an update is sent at most: so often the SDK would send it.
const ATTEMPTS: u32 = 3;

/// As [`ready_function`], of an update that names the revision of the function. Whoever updates it meanwhile is waited for,
/// and not overwritten. The SDK's own retries have to be off: after a lost answer they would be refused for what they
/// themselves had changed, while here the function is looked at first.
pub async fn ready_revision<C>(
    clients: &Clients,
    (operation, name): (&'static str, &str),
    revision: &LastSeen,
    mut call: C,
) -> Result<(), Fault>
where
    C: AsyncFnMut(Option<String>) -> Result<(), Fault>,
{
    let mut left = ATTEMPTS;
    ready_function(clients, operation, name, async || {
        loop {
            let fault = match call(revision.id()).await {
                Err(fault) if is_lost(&fault) => fault,
                ended => return ended,
            };
            left -= 1;
            if left == 0 {
                return Err(fault);
            }
            revision.follow(clients, name).await?;
        }
    })
    .await
}

/// Whether nothing is known of a call but that it went wrong on the way. One that took too long has used up its time.
fn is_lost(fault: &Fault) -> bool {
    fault.certainty == Certainty::MayHaveHappened && matches!(fault.kind, FaultKind::Other | FaultKind::Unreachable)
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
            Ok(Look::Ready(_))
        ));
        assert!(seen(Some(State::Failed), None).is_err());
        assert!(seen(Some(State::Active), Some(LastUpdateStatus::Failed)).is_err());
    }

    #[test]
    fn a_function_whose_last_update_failed_can_be_updated_again() {
        let failed = GetFunctionConfigurationOutput::builder()
            .state(State::Active)
            .last_update_status(LastUpdateStatus::Failed)
            .revision_id("r1")
            .build();
        assert!(matches!(idle("x", &failed), Ok(Look::Ready(Some(_)))));
    }
}
