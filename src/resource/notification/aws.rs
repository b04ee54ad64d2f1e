//! The calls for notifications of buckets.
//!
//! What others want to be told of stays as it is, entry by entry: only our own entry is changed. It is known by its function and
//! its id; the one entry of a function that Chalice connected has an id that S3 made up.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, LambdaFunctionConfiguration, NotificationConfiguration,
    NotificationConfigurationFilter, S3KeyFilter,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Notification, Outputs};
use crate::aws::wait::{self, Look, Pace};
use crate::aws::{Clients, fault};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;

const READ: &str = "s3:GetBucketNotificationConfiguration";
const WRITE: &str = "s3:PutBucketNotificationConfiguration";

/// For a permission that S3 does not see yet: usually a few seconds.
const PERMISSION: Pace = Pace {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(4),
    patience: Duration::from_secs(60),
};

/// How S3 looks at the destinations of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destinations {
    /// It refuses the list where it may not call one of them.
    Tried,
    /// It takes them as they are: what somebody else left behind must not keep our entry from going.
    Trusted,
}

/// What an entry is about, in whatever way it is written.
#[derive(Debug, PartialEq, Eq)]
struct Scope {
    events: BTreeSet<String>,
    prefix: String,
    suffix: String,
}

/// Puts the function's entry into the bucket's list; one that it has already is changed.
pub async fn create(clients: &Clients, wanted: &Notification, context: &Context) -> Result<Outputs, Fault> {
    let function_arn = context.place.function_arn(&wanted.function_name);
    let entry = entry(wanted, &function_arn)?;
    let added = change(clients, &wanted.bucket, (Destinations::Tried, context), |list| {
        with_entry(list, &entry)
    });
    added.await?;
    Ok(Outputs {
        bucket: wanted.bucket.clone(),
        function_arn,
    })
}

/// Sets the function's entry. A former one of another function is taken out after that.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&Notification>, &Notification),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let made = create(clients, to, context).await?;
    if made != *outputs {
        delete(clients, (from, outputs), context)
            .await
            .map_err(Fault::of_a_begun_step)?;
    }
    Ok(made)
}

/// Takes the entry out of the bucket's list; all entries of the function, where it is not known which.
pub async fn delete(
    clients: &Clients,
    (resource, outputs): (Option<&Notification>, &Outputs),
    context: &Context,
) -> Result<(), Fault> {
    let id = resource.map(id);
    let removed = change(clients, &outputs.bucket, (Destinations::Trusted, context), |list| {
        without_entry(list, &outputs.function_arn, id.as_deref())
    });
    match removed.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        removed => removed,
    }
}

/// Looks for the function's entry in the bucket's list.
pub async fn look(
    clients: &Clients,
    (wanted, known): (&Notification, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    let sought = known.cloned().unwrap_or_else(|| Outputs {
        bucket: wanted.bucket.clone(),
        function_arn: context.place.function_arn(&wanted.function_name),
    });
    let found = find(clients, &sought, &id(wanted)).await?;
    Ok(found.map(|_| sought))
}

/// Whether what stands is as it is wanted.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Notification, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let wanted_entry = entry(wanted, &context.place.function_arn(&wanted.function_name))?;
    let found = find(clients, outputs, &id(wanted)).await?;
    let is_same = |found: &LambdaFunctionConfiguration| {
        found.lambda_function_arn == wanted_entry.lambda_function_arn && scope(found) == scope(&wanted_entry)
    };
    Ok(outputs.bucket == wanted.bucket && found.as_ref().is_some_and(is_same))
}

async fn find(clients: &Clients, sought: &Outputs, id: &str) -> Result<Option<LambdaFunctionConfiguration>, Fault> {
    let list = match read(clients, &sought.bucket).await {
        Err(fault) if fault.kind == FaultKind::Absent => return Ok(None),
        list => list?,
    };
    let mut entries = list.lambda_function_configurations.unwrap_or_default();
    let found = position(&entries, &sought.function_arn, id);
    Ok(found.map(|index| entries.swap_remove(index)))
}

/// Reads a bucket's list, changes the entries of functions in it, and writes it back whole, unless nothing differs. Whoever
/// else writes it between is undone: the lease of the bucket keeps them away.
async fn change(
    clients: &Clients,
    bucket: &str,
    (destinations, context): (Destinations, &Context),
    edit: impl FnOnce(Vec<LambdaFunctionConfiguration>) -> Vec<LambdaFunctionConfiguration>,
) -> Result<(), Fault> {
    let mut list = read(clients, bucket).await?;
    let before = list.lambda_function_configurations.take().unwrap_or_default();
    let after = edit(before.clone());
    if before == after {
        return Ok(());
    }
    let added: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).cloned().collect();
    list.lambda_function_configurations = Some(after);
    let written = write(clients, bucket, (&list, destinations), context).await;
    written.map_err(|fault| match fault.message.contains("overlap") {
        true => overlapping(fault, &list, &added),
        false => fault,
    })
}

async fn read(clients: &Clients, bucket: &str) -> Result<NotificationConfiguration, Fault> {
    let found = wait::throttled(clients, (READ, bucket), async || {
        let request = clients.s3.get_bucket_notification_configuration().bucket(bucket);
        request.send().await.map_err(|error| refusal(READ, bucket, &error))
    });
    let found = found.await?;
    Ok(NotificationConfiguration::builder()
        .set_topic_configurations(found.topic_configurations)
        .set_queue_configurations(found.queue_configurations)
        .set_lambda_function_configurations(found.lambda_function_configurations)
        .set_event_bridge_configuration(found.event_bridge_configuration)
        .build())
}

async fn write(
    clients: &Clients,
    bucket: &str,
    (list, destinations): (&NotificationConfiguration, Destinations),
    context: &Context,
) -> Result<(), Fault> {
    let skip = (destinations == Destinations::Trusted).then_some(true);
    let request = clients
        .s3
        .put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(list.clone())
        .set_skip_destination_validation(skip);
    let mut last = None;
    let written = wait::until(clients, (WRITE, bucket), PERMISSION, async || {
        context.hold.cover(WRITE, bucket)?;
        let sent = request.clone().send().await;
        let Err(fault) = sent.map_err(|error| refusal(WRITE, bucket, &error)) else {
            return Ok(Look::Ready(()));
        };
        let seen = not_yet(&fault).ok_or_else(|| fault.clone())?;
        last = Some(fault);
        Ok(Look::NotYet(seen.to_owned()))
    })
    .await;
    match (written, last) {
        (Err(fault), Some(last)) if fault.kind == FaultKind::Timeout => Err(last),
        (written, _) => written,
    }
}

/// Why the list may be written again; nothing where it may not.
fn not_yet(fault: &Fault) -> Option<&'static str> {
    match fault.code.as_str() {
        "InvalidArgument" if fault.message.contains("Unable to validate the following destination") => {
            Some("unable to call a function yet")
        }
        "OperationAborted" => Some("being changed by somebody else"),
        _ if fault.kind == FaultKind::Throttled => Some("throttled by AWS"),
        _ => None,
    }
}

/// A failed call; where the bucket is in another Region, that is said.
fn refusal<E>(operation: &'static str, bucket: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let fault = fault::of(operation, bucket, error);
    let headers = error.raw_response().map(HttpResponse::headers);
    let region = headers.and_then(|headers| headers.get("x-amz-bucket-region"));
    match (fault.kind, region) {
        (FaultKind::Region, Some(region)) => Fault {
            message: format!("the bucket is in {region}, and a bucket calls only functions of its own Region"),
            ..fault
        },
        (FaultKind::Region, None) => Fault {
            message: "the bucket is in another Region, and a bucket calls only functions of its own".to_owned(),
            ..fault
        },
        _ => fault,
    }
}

/// S3 says that entries overlap, and not which.
fn overlapping(fault: Fault, list: &NotificationConfiguration, added: &[LambdaFunctionConfiguration]) -> Fault {
    let is_other = |arn: &str| added.iter().all(|entry| entry.lambda_function_arn != arn);
    let others = destinations(list).into_iter().filter(|(arn, _)| is_other(arn));
    let overlaps = |other: &Scope| added.iter().any(|entry| scope(entry).overlaps(other));
    let met: Vec<String> = others
        .filter(|(_, scope)| overlaps(scope))
        .map(|(arn, _)| format!("`{}`", arn.rsplit(':').next().unwrap_or_default()))
        .collect();
    let whose = match met.is_empty() {
        true => "another one of the bucket".to_owned(),
        false => format!("that of {}", met.join(", ")),
    };
    let message = format!(
        "the notification overlaps with {whose}: S3 tells one destination only of a kind of change, unless prefixes or \
         suffixes keep them apart ({})",
        fault.message
    );
    Fault {
        kind: FaultKind::Invalid,
        message,
        ..fault
    }
}

/// Every destination of a list, and what it is told of.
fn destinations(list: &NotificationConfiguration) -> Vec<(String, Scope)> {
    let functions = list
        .lambda_function_configurations()
        .iter()
        .map(|entry| (entry.lambda_function_arn.clone(), scope(entry)));
    let queues = list
        .queue_configurations()
        .iter()
        .map(|entry| (entry.queue_arn.clone(), Scope::of(&entry.events, entry.filter.as_ref())));
    let topics = list
        .topic_configurations()
        .iter()
        .map(|entry| (entry.topic_arn.clone(), Scope::of(&entry.events, entry.filter.as_ref())));
    functions.chain(queues).chain(topics).collect()
}

fn scope(entry: &LambdaFunctionConfiguration) -> Scope {
    Scope::of(&entry.events, entry.filter.as_ref())
}

impl Scope {
    /// S3 answers with `Prefix` where it was told `prefix`.
    fn of(events: &[Event], filter: Option<&NotificationConfigurationFilter>) -> Self {
        let rules = filter.and_then(NotificationConfigurationFilter::key);
        let rules = rules.map(S3KeyFilter::filter_rules).unwrap_or_default();
        let value = |wanted: &FilterRuleName| {
            let named = |rule: &&FilterRule| {
                rule.name()
                    .is_some_and(|name| name.as_str().eq_ignore_ascii_case(wanted.as_str()))
            };
            let rule = rules.iter().find(named);
            rule.and_then(FilterRule::value).unwrap_or_default().to_owned()
        };
        Self {
            events: events.iter().map(|event| event.as_str().to_owned()).collect(),
            prefix: value(&FilterRuleName::Prefix),
            suffix: value(&FilterRuleName::Suffix),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let holds = |all: &str, one: &str| {
            let wide = all.strip_suffix('*');
            all == one || wide.is_some_and(|kind| one.starts_with(kind))
        };
        let same_kind = |one: &String| other.events.iter().any(|two| holds(one, two) || holds(two, one));
        let (prefix, suffix) = (&self.prefix, &self.suffix);
        self.events.iter().any(same_kind)
            && (prefix.starts_with(&other.prefix) || other.prefix.starts_with(prefix))
            && (suffix.ends_with(&other.suffix) || other.suffix.ends_with(suffix))
    }
}

/// The list with our entry as it is wanted. One that says the same stays as it is, its id too.
fn with_entry(
    mut list: Vec<LambdaFunctionConfiguration>,
    wanted: &LambdaFunctionConfiguration,
) -> Vec<LambdaFunctionConfiguration> {
    let id = wanted.id().unwrap_or_default();
    match position(&list, &wanted.lambda_function_arn, id) {
        None => list.push(wanted.clone()),
        Some(index) if scope(&list[index]) == scope(wanted) => {}
        Some(index) => list[index] = wanted.clone(),
    }
    list
}

/// The list without the entry of an id, and without those of the function that bear none of ours; without any of the
/// function's where no id is known.
fn without_entry(
    mut list: Vec<LambdaFunctionConfiguration>,
    function_arn: &str,
    id: Option<&str>,
) -> Vec<LambdaFunctionConfiguration> {
    let goes =
        |entry: &LambdaFunctionConfiguration| id.is_none_or(|id| entry.id() == Some(id) || !has_id_of_ours(entry));
    list.retain(|entry| entry.lambda_function_arn != function_arn || !goes(entry));
    list
}

/// Where our entry stands: under its id, or else under an id that is none of ours.
fn position(list: &[LambdaFunctionConfiguration], function_arn: &str, id: &str) -> Option<usize> {
    let of_function = |entry: &LambdaFunctionConfiguration| entry.lambda_function_arn == function_arn;
    let known = list
        .iter()
        .position(|entry| of_function(entry) && entry.id() == Some(id));
    known.or_else(|| {
        list.iter()
            .position(|entry| of_function(entry) && !has_id_of_ours(entry))
    })
}

/// The id of our entry. One function can have several of a bucket: they are told apart by the event's own name, which its
/// permission bears, too.
fn id(wanted: &Notification) -> String {
    format!("{}.{}", wanted.function_name, wanted.permission.name())
}

fn has_id_of_ours(entry: &LambdaFunctionConfiguration) -> bool {
    let function = entry.lambda_function_arn.rsplit(':').next().unwrap_or_default();
    let rest = entry.id().and_then(|id| id.strip_prefix(function));
    rest.is_some_and(|rest| rest.starts_with('.'))
}

fn entry(wanted: &Notification, function_arn: &str) -> Result<LambdaFunctionConfiguration, Fault> {
    let rule = |name, value: &Option<String>| {
        let value = value.as_ref()?;
        Some(FilterRule::builder().name(name).value(value).build())
    };
    let rules = [
        rule(FilterRuleName::Prefix, &wanted.prefix),
        rule(FilterRuleName::Suffix, &wanted.suffix),
    ];
    let rules: Vec<FilterRule> = rules.into_iter().flatten().collect();
    let filter = (!rules.is_empty()).then(|| {
        let key = S3KeyFilter::builder().set_filter_rules(Some(rules)).build();
        NotificationConfigurationFilter::builder().key(key).build()
    });
    let events = wanted.events.iter().map(|event| Event::from(event.as_str())).collect();
    let entry = LambdaFunctionConfiguration::builder()
        .id(id(wanted))
        .lambda_function_arn(function_arn)
        .set_events(Some(events))
        .set_filter(filter)
        .build();
    entry.map_err(|error| {
        let message = format!("no entry can be made of it: {error}");
        Fault::refused(WRITE, &wanted.bucket, FaultKind::Invalid, message)
    })
}

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
