//! The calls for event source mappings.
//!
//! AWS makes, changes and removes a mapping behind the answer, and refuses the next call until it is done. One that is being
//! removed counts as gone, and is waited for where the same function and source are to be mapped again.

use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::operation::get_event_source_mapping::GetEventSourceMappingOutput;
use aws_sdk_lambda::types::{EventSourcePosition, ScalingConfig};
use aws_smithy_types::retry::RetryConfig;

use super::{EventSourceMapping, Outputs};
use crate::aws::wait::{self, Look, Pace};
use crate::aws::{Clients, fault};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;

/// What is known of a mapping in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    uuid: String,
    is_going: bool,
}

/// How a mapping came to be there.
enum Made {
    New(String),
    Found(String),
}

/// Makes a mapping, or takes over and sets up the one that the function has with this source: AWS takes no second one.
pub async fn create(clients: &Clients, wanted: &EventSourceMapping, context: &Context) -> Result<Outputs, Fault> {
    const WAITED: &str = "lambda:CreateEventSourceMapping";
    let source = &wanted.source_arn;
    let made = unhurried(clients, (WAITED, source), wait::ROLE, async || {
        let standing = mapped(clients, wanted, context).await?;
        if let Some(found) = standing.iter().find(|standing| !standing.is_going) {
            return Ok(Look::Ready(Made::Found(found.uuid.clone())));
        }
        if !standing.is_empty() {
            return Ok(Look::NotYet("not free of a former mapping".to_owned()));
        }
        let uuid = create_new(clients, wanted, context).await?;
        Ok(Look::Ready(Made::New(uuid)))
    });
    match made.await? {
        Made::New(uuid) => Ok(outputs(uuid, wanted, context)),
        Made::Found(uuid) => {
            let found = outputs(uuid, wanted, context);
            let sent = send_update(clients, (None, wanted), &found.uuid, context).await;
            sent.map_err(Fault::of_a_begun_step)?;
            Ok(found)
        }
    }
}

async fn create_new(clients: &Clients, wanted: &EventSourceMapping, context: &Context) -> Result<String, Fault> {
    const OPERATION: &str = "lambda:CreateEventSourceMapping";
    context.hold.cover(OPERATION, &wanted.source_arn)?;
    let position = wanted.starting_position.as_deref();
    let request = clients
        .lambda
        .create_event_source_mapping()
        .function_name(&wanted.function_name)
        .event_source_arn(&wanted.source_arn)
        .batch_size(signed(wanted.batch_size))
        .set_maximum_batching_window_in_seconds((wanted.window_s > 0).then(|| signed(wanted.window_s)))
        .set_scaling_config(wanted.maximum_concurrency.map(|most| scaling(Some(most))))
        .set_starting_position(position.map(EventSourcePosition::from));
    // After a lost answer the SDK's own retry could make a second one.
    let once = Builder::new().retry_config(RetryConfig::disabled());
    let answer = request.customize().config_override(once).send().await;
    let answer = answer.map_err(|error| fault::of(OPERATION, &wanted.source_arn, &error))?;
    Ok(answer.uuid.unwrap_or_default())
}

/// The address has the source's name alone: one of the same name in another account or Region is another source, and AWS does
/// not let one change it.
fn is_of_another_source(known: &Outputs, to: &EventSourceMapping) -> bool {
    known.source_arn != to.source_arn
}

/// Sets what differs of batch, window, concurrency and function; all of it where `from` is not known. Where reading began
/// cannot be changed, so that another starting position alone changes nothing. A mapping that somebody removed is made again.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&EventSourceMapping>, &EventSourceMapping),
    known: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    if is_of_another_source(known, to) {
        let made = create(clients, to, context).await?;
        let deleted = delete(clients, known, context).await;
        return deleted.map(|()| made).map_err(Fault::of_a_begun_step);
    }
    match send_update(clients, (from, to), &known.uuid, context).await {
        Err(fault) if fault.kind == FaultKind::Absent => create(clients, to, context).await,
        sent => sent.map(|()| outputs(known.uuid.clone(), to, context)),
    }
}

async fn send_update(
    clients: &Clients,
    (from, to): (Option<&EventSourceMapping>, &EventSourceMapping),
    uuid: &str,
    context: &Context,
) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:UpdateEventSourceMapping";
    let what = Difference::of(from, to);
    if what == Difference::default() {
        return Ok(());
    }
    let request = clients
        .lambda
        .update_event_source_mapping()
        .uuid(uuid)
        .set_enabled(what.enabled)
        .set_function_name(what.function_name)
        .set_batch_size(what.batch_size.map(signed))
        .set_maximum_batching_window_in_seconds(what.window_s.map(signed))
        .set_scaling_config(what.maximum_concurrency.map(scaling));
    unhurried(clients, (OPERATION, &to.source_arn), wait::FUNCTION, async || {
        context.hold.cover(OPERATION, &to.source_arn)?;
        let sent = request.clone().send().await;
        sent.map(|_| Look::Ready(()))
            .map_err(|error| fault::of(OPERATION, &to.source_arn, &error))
    })
    .await
}

/// What an update has to send.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    /// Set where it is not known how it stands: somebody may have turned it off.
    enabled: Option<bool>,
    function_name: Option<String>,
    batch_size: Option<u32>,
    window_s: Option<u32>,
    /// The inner nothing takes a limit away.
    maximum_concurrency: Option<Option<u32>>,
}

impl Difference {
    fn of(from: Option<&EventSourceMapping>, to: &EventSourceMapping) -> Self {
        let differs =
            |what: fn(&EventSourceMapping, &EventSourceMapping) -> bool| from.is_none_or(|from| what(from, to));
        // Streams know no limit of executions, and FIFO queues no window: AWS refuses to be told that there is none.
        let takes_limit = to.source_arn.split(':').nth(2) == Some("sqs");
        let takes_window = to.window_s > 0 || !to.source_arn.ends_with(".fifo");
        let limit = takes_limit && differs(|from, to| from.maximum_concurrency != to.maximum_concurrency);
        let window = takes_window && differs(|from, to| from.window_s != to.window_s);
        Self {
            enabled: from.is_none().then_some(true),
            function_name: differs(|from, to| from.function_name != to.function_name).then(|| to.function_name.clone()),
            batch_size: differs(|from, to| from.batch_size != to.batch_size).then_some(to.batch_size),
            window_s: window.then_some(to.window_s),
            maximum_concurrency: limit.then_some(to.maximum_concurrency),
        }
    }
}

/// Removes a mapping. Where it is gone already, another one of the same function and source is removed: one that was made
/// again, and not recorded.
pub async fn delete(clients: &Clients, known: &Outputs, context: &Context) -> Result<(), Fault> {
    match delete_one(clients, &known.uuid, context).await {
        Err(fault) if fault.kind == FaultKind::Absent => {}
        deleted => return deleted,
    }
    for standing in listed(clients, &known.function_arn, &known.source_arn).await? {
        if standing.is_going {
            continue;
        }
        match delete_one(clients, &standing.uuid, context).await {
            Err(fault) if fault.kind == FaultKind::Absent => {}
            deleted => deleted?,
        }
    }
    Ok(())
}

async fn delete_one(clients: &Clients, uuid: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:DeleteEventSourceMapping";
    unhurried(clients, (OPERATION, uuid), wait::FUNCTION, async || {
        context.hold.cover(OPERATION, uuid)?;
        let sent = clients.lambda.delete_event_source_mapping().uuid(uuid).send().await;
        sent.map(|_| Look::Ready(()))
            .map_err(|error| fault::of(OPERATION, uuid, &error))
    })
    .await
}

/// Looks for a mapping: for the known one, or else for that of the function and the source.
pub async fn look(
    clients: &Clients,
    (wanted, known): (&EventSourceMapping, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    if let Some(known) = known
        && get(clients, &known.uuid).await?.is_some()
    {
        return Ok(Some(known.clone()));
    }
    let standing = mapped(clients, wanted, context).await?;
    let found = standing.into_iter().find(|standing| !standing.is_going);
    Ok(found.map(|found| outputs(found.uuid, wanted, context)))
}

/// Whether what stands is as it is wanted. Where reading began does not count: it cannot be changed.
pub async fn stands_as(
    clients: &Clients,
    (wanted, known): (&EventSourceMapping, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let Some(found) = get(clients, &known.uuid).await? else {
        return Ok(false);
    };
    let maximum_concurrency = found.scaling_config().and_then(ScalingConfig::maximum_concurrency);
    Ok(!is_off(found.state())
        && found.event_source_arn() == Some(&wanted.source_arn)
        && found.function_arn() == Some(&context.place.function_arn(&wanted.function_name))
        && found.batch_size() == Some(signed(wanted.batch_size))
        && found.maximum_batching_window_in_seconds().unwrap_or_default() == signed(wanted.window_s)
        && maximum_concurrency == wanted.maximum_concurrency.map(signed))
}

/// A mapping by its id; `None` where it is gone, or going.
async fn get(clients: &Clients, uuid: &str) -> Result<Option<GetEventSourceMappingOutput>, Fault> {
    const OPERATION: &str = "lambda:GetEventSourceMapping";
    let found = wait::throttled(clients, (OPERATION, uuid), async || {
        let answer = clients.lambda.get_event_source_mapping().uuid(uuid).send().await;
        answer.map_err(|error| fault::of(OPERATION, uuid, &error))
    });
    match found.await {
        Ok(found) => Ok(Some(found).filter(|found| !is_going(found.state()))),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn mapped(clients: &Clients, wanted: &EventSourceMapping, context: &Context) -> Result<Vec<Standing>, Fault> {
    let function_arn = context.place.function_arn(&wanted.function_name);
    listed(clients, &function_arn, &wanted.source_arn).await
}

/// The mappings of a function and a source: one, and those that are going.
async fn listed(clients: &Clients, function_arn: &str, source_arn: &str) -> Result<Vec<Standing>, Fault> {
    const OPERATION: &str = "lambda:ListEventSourceMappings";
    let listed = wait::throttled(clients, (OPERATION, source_arn), async || {
        let request = clients
            .lambda
            .list_event_source_mappings()
            .function_name(function_arn)
            .event_source_arn(source_arn);
        let mappings: Result<Vec<_>, _> = request.into_paginator().items().send().try_collect().await;
        mappings.map_err(|error| fault::of(OPERATION, source_arn, &error))
    });
    let listed = match listed.await {
        Err(fault) if fault.kind == FaultKind::Absent => return Ok(Vec::new()),
        listed => listed?,
    };
    let ours = listed
        .into_iter()
        .filter(|found| found.function_arn() == Some(function_arn));
    let standing = ours.filter_map(|found| {
        let is_going = is_going(found.state());
        found.uuid.map(|uuid| Standing { uuid, is_going })
    });
    Ok(standing.collect())
}

/// Whether somebody turned it off, or is about to.
fn is_off(state: Option<&str>) -> bool {
    matches!(state, Some("Disabled" | "Disabling"))
}

fn is_going(state: Option<&str>) -> bool {
    state == Some("Deleting")
}

/// Makes a call again while Lambda says that it cannot be made yet. Where that lasts too long, what Lambda said last is the
/// fault.
async fn unhurried<T, C>(clients: &Clients, of: (&'static str, &str), pace: Pace, mut call: C) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<Look<T>, Fault>,
{
    let mut last = None;
    let ended = wait::until(clients, of, pace, async || {
        clients.pacer.turn(None, of).await?;
        match call().await {
            Err(fault) => {
                let seen = not_yet(&fault).ok_or_else(|| fault.clone())?;
                last = Some(fault);
                Ok(Look::NotYet(seen.to_owned()))
            }
            looked => looked,
        }
    })
    .await;
    match (ended, last) {
        (Err(fault), Some(last)) if fault.kind == FaultKind::Timeout => Err(last),
        (ended, _) => ended,
    }
}

/// Why a call may be made again; nothing where it may not.
///
/// Codes by <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html>, messages by experience.
fn not_yet(fault: &Fault) -> Option<&'static str> {
    let says = |what: &str| fault.message.contains(what);
    let is_role = says("role")
        && (says("cannot be assumed") || says("does not have permissions") || says("ensure the role can perform"));
    let is_principal = says("InvalidArnException") && says("valid principal");
    match fault.code.as_str() {
        "InvalidParameterValueException" if is_role || is_principal => Some("unable to read it with a new role"),
        "ResourceInUseException" => Some("in use"),
        "ResourceConflictException" => Some("mapped or being changed"),
        _ if fault.kind == FaultKind::Throttled => Some("throttled by AWS"),
        _ => None,
    }
}

/// Without a number it takes the limit away.
fn scaling(maximum_concurrency: Option<u32>) -> ScalingConfig {
    ScalingConfig::builder()
        .set_maximum_concurrency(maximum_concurrency.map(signed))
        .build()
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn outputs(uuid: String, wanted: &EventSourceMapping, context: &Context) -> Outputs {
    Outputs {
        uuid,
        source_arn: wanted.source_arn.clone(),
        function_arn: context.place.function_arn(&wanted.function_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Address;

    fn mapping(source: &str) -> EventSourceMapping {
        EventSourceMapping {
            source_arn: format!("arn:aws:{source}"),
            function: Address::new("function", "worker"),
            function_name: "shop-prod-worker".to_owned(),
            batch_size: 10,
            window_s: 0,
            maximum_concurrency: None,
            starting_position: None,
        }
    }

    fn refusal(code: &str, message: &str) -> Fault {
        let fault = Fault::refused(
            "lambda:CreateEventSourceMapping",
            "x",
            FaultKind::Invalid,
            message.to_owned(),
        );
        Fault {
            code: code.to_owned(),
            ..fault
        }
    }

    #[test]
    fn an_update_sends_what_differs_and_nothing_else() {
        let from = mapping("sqs:eu-west-1:1:jobs");
        let to = EventSourceMapping {
            batch_size: 5,
            ..from.clone()
        };
        let only = Difference {
            batch_size: Some(5),
            ..Difference::default()
        };
        assert_eq!(Difference::of(Some(&from), &to), only);
        assert_eq!(Difference::of(Some(&to), &to), Difference::default());
    }

    #[test]
    fn a_limit_of_executions_that_was_taken_out_is_taken_away() {
        let to = mapping("sqs:eu-west-1:1:jobs");
        let from = EventSourceMapping {
            maximum_concurrency: Some(5),
            ..to.clone()
        };
        assert_eq!(Difference::of(Some(&from), &to).maximum_concurrency, Some(None));
        assert_eq!(Difference::of(Some(&to), &from).maximum_concurrency, Some(Some(5)));
    }

    #[test]
    fn a_source_is_not_told_of_what_it_does_not_know() {
        let stream = Difference::of(None, &mapping("kinesis:eu-west-1:1:stream/clicks"));
        assert_eq!((stream.window_s, stream.maximum_concurrency), (Some(0), None));
        let fifo = Difference::of(None, &mapping("sqs:eu-west-1:1:jobs.fifo"));
        assert_eq!((fifo.window_s, fifo.maximum_concurrency), (None, Some(None)));
    }

    #[test]
    fn a_mapping_of_which_nothing_is_known_is_turned_on_and_any_other_is_left_as_it_is() {
        let from = mapping("sqs:eu-west-1:1:jobs");
        let to = EventSourceMapping {
            batch_size: 5,
            ..from.clone()
        };
        assert_eq!(Difference::of(None, &to).enabled, Some(true));
        assert_eq!(Difference::of(Some(&from), &to).enabled, None);
        assert!(is_off(Some("Disabled")) && !is_off(Some("Enabled")) && !is_off(Some("Creating")));
    }

    #[test]
    fn a_queue_of_the_same_name_in_another_account_or_region_is_another_source() {
        let known = Outputs {
            uuid: "1".to_owned(),
            source_arn: "arn:aws:sqs:eu-west-1:1:jobs".to_owned(),
            function_arn: "arn:aws:lambda:eu-west-1:1:function:shop-prod-worker".to_owned(),
        };
        assert!(is_of_another_source(&known, &mapping("sqs:eu-west-1:2:jobs")));
        assert!(is_of_another_source(&known, &mapping("sqs:eu-west-2:1:jobs")));
        assert!(!is_of_another_source(&known, &mapping("sqs:eu-west-1:1:jobs")));
    }

    #[test]
    fn another_starting_position_alone_is_no_update() {
        let from = mapping("kinesis:eu-west-1:1:stream/clicks");
        let to = EventSourceMapping {
            starting_position: Some("TRIM_HORIZON".to_owned()),
            ..from.clone()
        };
        assert_eq!(Difference::of(Some(&from), &to), Difference::default());
    }

    #[test]
    fn a_new_role_and_a_mapping_in_use_are_waited_for_and_a_wrong_source_is_not() {
        let invalid = "InvalidParameterValueException";
        let role = "The function execution role does not have permissions to call ReceiveMessage on SQS";
        assert!(not_yet(&refusal(invalid, role)).is_some());
        let stream = "Cannot access stream. Please ensure the role can perform the GetRecords action";
        assert!(not_yet(&refusal(invalid, stream)).is_some());
        let busy = "Cannot update the event source mapping because it is in use.";
        assert!(not_yet(&refusal("ResourceInUseException", busy)).is_some());
        let wrong = "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue.";
        assert!(not_yet(&refusal(invalid, wrong)).is_none());
    }
}
