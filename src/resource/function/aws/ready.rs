//! What Lambda makes a caller wait for: a new role, an update under way, a function that becomes active.

use std::cell::RefCell;

use aws_sdk_lambda::operation::create_function::CreateFunctionOutput;
use aws_sdk_lambda::operation::update_function_code::UpdateFunctionCodeOutput;
use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, State};

use crate::aws::wait::{self, Look};
use crate::aws::{Clients, fault};
use crate::fault::{Certainty, Fault, FaultKind};

/// What AWS says of a function, in the answer to a change or to a look.
#[derive(Debug, Default)]
pub struct Seen {
    state: Option<State>,
    state_reason: Option<String>,
    update: Option<LastUpdateStatus>,
    update_reason: Option<String>,
    revision: Option<String>,
}

impl From<CreateFunctionOutput> for Seen {
    fn from(answer: CreateFunctionOutput) -> Self {
        Self {
            state: answer.state,
            state_reason: answer.state_reason,
            update: answer.last_update_status,
            update_reason: answer.last_update_status_reason,
            revision: answer.revision_id,
        }
    }
}

impl From<UpdateFunctionCodeOutput> for Seen {
    fn from(answer: UpdateFunctionCodeOutput) -> Self {
        Self {
            state: answer.state,
            state_reason: answer.state_reason,
            update: answer.last_update_status,
            update_reason: answer.last_update_status_reason,
            revision: answer.revision_id,
        }
    }
}

impl From<UpdateFunctionConfigurationOutput> for Seen {
    fn from(answer: UpdateFunctionConfigurationOutput) -> Self {
        Self {
            state: answer.state,
            state_reason: answer.state_reason,
            update: answer.last_update_status,
            update_reason: answer.last_update_status_reason,
            revision: answer.revision_id,
        }
    }
}

impl From<FunctionConfiguration> for Seen {
    fn from(found: FunctionConfiguration) -> Self {
        Self {
            state: found.state,
            state_reason: found.state_reason,
            update: found.last_update_status,
            update_reason: found.last_update_status_reason,
            revision: found.revision_id,
        }
    }
}

/// The revision of a function that was last seen. An update that names it is refused by AWS where the function has changed
/// meanwhile: so a call of a holder who was replaced, and that lands late, changes nothing of its successor's.
/// See <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html>.
#[derive(Debug, Default)]
pub struct LastSeen(RefCell<Option<String>>);

impl LastSeen {
    /// The revision that stands when nothing is under way any more, whether or not the last update went well: the next one may
    /// put it right.
    pub async fn of(clients: &Clients, name: &str) -> Result<Self, Fault> {
        let foreseen = clients.foreseen.borrow_mut().remove(name);
        let revision = match foreseen {
            Some(revision) => Some(revision),
            None => looked(clients, name, (None, idle)).await?,
        };
        Ok(Self(RefCell::new(revision)))
    }

    /// Looks once, for the next [`Self::of`]. What is under way, and what AWS does not tell, is looked at then.
    pub async fn foresee(clients: &Clients, name: &str) {
        let Ok(seen) = look(clients, name).await else { return };
        if let Ok(Look::Ready(Some(revision))) = idle(name, &seen) {
            clients.foreseen.borrow_mut().insert(name.to_owned(), revision);
        }
    }

    /// Its id; `None` where AWS has not told it.
    pub fn id(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until the function has settled, and takes the revision that then stands.
    pub async fn follow(&self, clients: &Clients, name: &str, seen: Option<Seen>) -> Result<(), Fault> {
        let revision = settled(clients, name, seen).await?;
        self.0.replace(revision);
        Ok(())
    }
}

/// Waits until a function is active and its last update has ended, and returns its revision. What AWS answered to the change
/// is the first look.
pub async fn settled(clients: &Clients, name: &str, seen: Option<Seen>) -> Result<Option<String>, Fault> {
    looked(clients, name, (seen, judge)).await
}

/// What is made of an answer.
type Judge = fn(&str, &Seen) -> Result<Look<Option<String>>, Fault>;

/// Lambda takes a hundred of these calls a second, where it takes 15 of all others together.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const LOOK: &str = "lambda:GetFunction";

async fn looked(
    clients: &Clients,
    name: &str,
    (mut seen, judge): (Option<Seen>, Judge),
) -> Result<Option<String>, Fault> {
    wait::until(clients, (LOOK, name), wait::FUNCTION, async || {
        if let Some(seen) = seen.take() {
            return judge(name, &seen);
        }
        match look(clients, name).await {
            Ok(seen) => judge(name, &seen),
            Err(fault) if fault.kind == FaultKind::Throttled => Ok(Look::NotYet("throttled by AWS".to_owned())),
            Err(fault) => Err(fault),
        }
    })
    .await
}

async fn look(clients: &Clients, name: &str) -> Result<Seen, Fault> {
    clients.pacer.turn(None, (LOOK, name)).await?;
    let sent = clients.lambda.get_function().function_name(name).send().await;
    let found = sent.map_err(|error| fault::of(LOOK, name, &error))?;
    Ok(found.configuration.map(Seen::from).unwrap_or_default())
}

fn judge(name: &str, seen: &Seen) -> Result<Look<Option<String>>, Fault> {
    let failed = |reason: Option<&str>| {
        let message = format!("AWS could not set it up: {}", reason.unwrap_or("it does not say why"));
        Fault {
            certainty: Certainty::MayHaveHappened,
            ..Fault::refused(LOOK, name, FaultKind::Other, message)
        }
    };
    match (&seen.state, &seen.update) {
        (Some(State::Failed), _) => Err(failed(seen.state_reason.as_deref())),
        (_, Some(LastUpdateStatus::Failed)) => Err(failed(seen.update_reason.as_deref())),
        (_, _) => idle(name, seen),
    }
}

fn idle(_: &str, seen: &Seen) -> Result<Look<Option<String>>, Fault> {
    match (&seen.state, &seen.update) {
        (Some(State::Pending), _) => Ok(Look::NotYet("pending".to_owned())),
        (_, Some(LastUpdateStatus::InProgress)) => Ok(Look::NotYet("being updated".to_owned())),
        (_, _) => Ok(Look::Ready(seen.revision.clone())),
    }
}

/// Makes a call again while Lambda cannot assume a role that is new, or says that there were too many calls. A role that is in
/// doubt is tried by one call at a time.
///
/// Messages by <https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-deployment.html> and experience.
pub async fn ready_role<T, C>(clients: &Clients, of: (&'static str, &str), role: &str, mut call: C) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    // Kept between two tries, and given on with the end of this one.
    let mut turn = None;
    wait::until(clients, of, wait::ROLE, async || {
        if turn.is_none() {
            turn = clients.scouts.turn(role).await;
        }
        match call().await {
            Ok(answer) => {
                clients.scouts.trust(role);
                Ok(Look::Ready(answer))
            }
            Err(fault) if is_about_a_new_role(&fault) => {
                clients.scouts.doubt(role);
                Ok(Look::NotYet("unable to assume its new role".to_owned()))
            }
            Err(fault) if fault.kind == FaultKind::Throttled => Ok(Look::NotYet("throttled by AWS".to_owned())),
            Err(fault) => Err(fault),
        }
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
pub async fn ready_function<T, C>(
    clients: &Clients,
    operation: &'static str,
    name: &str,
    mut call: C,
) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    wait::until(clients, (operation, name), wait::FUNCTION, async || {
        clients.pacer.turn(None, (operation, name)).await?;
        match call().await {
            Ok(answer) => Ok(Look::Ready(answer)),
            Err(fault) if fault.kind == FaultKind::Throttled => Ok(Look::NotYet("throttled by AWS".to_owned())),
            Err(fault) if fault.code == "ResourceConflictException" => {
                settled(clients, name, None).await?;
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
pub async fn ready_revision<T, C>(
    clients: &Clients,
    (operation, name): (&'static str, &str),
    revision: &LastSeen,
    mut call: C,
) -> Result<T, Fault>
where
    C: AsyncFnMut(Option<String>) -> Result<T, Fault>,
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
            revision.follow(clients, name, None).await?;
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
        let seen = |state, update| {
            let seen = Seen {
                state,
                update,
                ..Seen::default()
            };
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
        let failed = Seen {
            state: Some(State::Active),
            update: Some(LastUpdateStatus::Failed),
            revision: Some("r1".to_owned()),
            ..Seen::default()
        };
        assert!(matches!(idle("x", &failed), Ok(Look::Ready(Some(_)))));
    }
}
