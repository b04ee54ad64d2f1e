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
    usual: Duration::from_secs(5),
    longest: Duration::from_secs(4),
    patience: Duration::from_secs(60),
};

/// How S3 looks at the destinations of a list.
#[derive(Debug, Clone, Copy)]
enum Destinations<'a> {
    /// It refuses the list where it may not call one of them; the permission of this function may be too new for it to see.
    Tried(&'a str),
    /// It takes them as they are: what somebody else left behind must not keep our entry from going.
    Trusted,
}

/// By what our entry is known in a bucket's list.
#[derive(Debug, Default)]
struct Sought {
    function_arn: String,
    /// The recorded id first, then those that we give.
    ids: Vec<String>,
    /// What it is about; empty where the id is recorded. S3 made up the id of an entry that Chalice connected.
    scopes: Vec<Scope>,
    /// The recorded ids of the stage's other entries.
    others: BTreeSet<String>,
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
    let sought = Sought::new(&function_arn, None, &[wanted], context)?;
    put(clients, wanted, &sought, context).await
}

/// Sets the function's entry. A former one of another function gives way in the same call, one of another bucket after that.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&Notification>, &Notification),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    if outputs.bucket == to.bucket {
        let forms: Vec<&Notification> = from.into_iter().chain([to]).collect();
        let sought = Sought::new(&outputs.function_arn, Some(outputs), &forms, context)?;
        return put(clients, to, &sought, context).await;
    }
    let made = create(clients, to, context).await?;
    delete(clients, (from, outputs), context)
        .await
        .map_err(Fault::of_a_begun_step)?;
    Ok(made)
}

async fn put(clients: &Clients, to: &Notification, sought: &Sought, context: &Context) -> Result<Outputs, Fault> {
    let function_arn = context.place.function_arn(&to.function_name);
    let entry = entry(to, &function_arn)?;
    let tried = Destinations::Tried(&function_arn);
    let list = change(clients, &to.bucket, (tried, context), |list| {
        with_entry(list, sought, &entry)
    });
    let list = list.await?;
    let stands = list
        .iter()
        .find(|found| found.lambda_function_arn == function_arn && scope(found) == scope(&entry));
    let id = stands.and_then(|stands| stands.id()).map(ToOwned::to_owned);
    Ok(Outputs {
        bucket: to.bucket.clone(),
        function_arn,
        id,
    })
}

/// Takes the entry out of the bucket's list; all entries of the function, where nothing at all tells which it is.
pub async fn delete(
    clients: &Clients,
    (resource, outputs): (Option<&Notification>, &Outputs),
    context: &Context,
) -> Result<(), Fault> {
    let forms: Vec<&Notification> = resource.into_iter().collect();
    let sought = Sought::new(&outputs.function_arn, Some(outputs), &forms, context)?;
    let removed = change(clients, &outputs.bucket, (Destinations::Trusted, context), |list| {
        without_entry(list, &sought)
    });
    match removed.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        removed => removed.map(drop),
    }
}

/// Looks for the function's entry in the bucket's list.
pub async fn look(
    clients: &Clients,
    (wanted, known): (&Notification, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    let (bucket, function_arn) = match known {
        Some(known) => (known.bucket.clone(), known.function_arn.clone()),
        None => (wanted.bucket.clone(), context.place.function_arn(&wanted.function_name)),
    };
    let sought = Sought::new(&function_arn, known, &[wanted], context)?;
    let found = find(clients, &bucket, &sought).await?;
    Ok(found.map(|found| Outputs {
        bucket,
        function_arn,
        id: found.id,
    }))
}

/// Whether what stands is as it is wanted.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Notification, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let wanted_entry = entry(wanted, &context.place.function_arn(&wanted.function_name))?;
    let sought = Sought::new(&outputs.function_arn, Some(outputs), &[wanted], context)?;
    let found = find(clients, &outputs.bucket, &sought).await?;
    let is_same = |found: &LambdaFunctionConfiguration| {
        found.lambda_function_arn == wanted_entry.lambda_function_arn && scope(found) == scope(&wanted_entry)
    };
    Ok(outputs.bucket == wanted.bucket && found.as_ref().is_some_and(is_same))
}

async fn find(clients: &Clients, bucket: &str, sought: &Sought) -> Result<Option<LambdaFunctionConfiguration>, Fault> {
    let list = match read(clients, bucket).await {
        Err(fault) if fault.kind == FaultKind::Absent => return Ok(None),
        list => list?,
    };
    let mut entries = list.lambda_function_configurations.unwrap_or_default();
    let found = sought.position(&entries);
    Ok(found.map(|index| entries.swap_remove(index)))
}

/// Changes the entries of functions in a bucket's list, and tells what they are then. While S3 refuses the list for a while, it
/// is read anew each time, so that what somebody else writes meanwhile stays.
async fn change(
    clients: &Clients,
    bucket: &str,
    (destinations, context): (Destinations<'_>, &Context),
    edit: impl Fn(Vec<LambdaFunctionConfiguration>) -> Vec<LambdaFunctionConfiguration>,
) -> Result<Vec<LambdaFunctionConfiguration>, Fault> {
    let mut last = None;
    let changed = wait::until(clients, (WRITE, bucket), PERMISSION, async || {
        match change_once(clients, bucket, (destinations, context), &edit).await {
            Ok(list) => Ok(Look::Ready(list)),
            Err(fault) => {
                let seen = not_yet(&fault, destinations).ok_or_else(|| fault.clone())?;
                last = Some(fault);
                Ok(Look::NotYet(seen.to_owned()))
            }
        }
    })
    .await;
    match (changed, last) {
        (Err(fault), Some(last)) if fault.kind == FaultKind::Timeout => Err(last),
        (changed, _) => changed,
    }
}

/// Reads a bucket's list, changes the entries of functions in it, and writes it back whole, unless nothing differs. Whoever
/// else writes it between is undone: the lease of the bucket keeps them away.
async fn change_once(
    clients: &Clients,
    bucket: &str,
    (destinations, context): (Destinations<'_>, &Context),
    edit: impl Fn(Vec<LambdaFunctionConfiguration>) -> Vec<LambdaFunctionConfiguration>,
) -> Result<Vec<LambdaFunctionConfiguration>, Fault> {
    let mut list = read(clients, bucket).await?;
    let before = list.lambda_function_configurations.take().unwrap_or_default();
    let after = edit(before.clone());
    if before == after {
        return Ok(after);
    }
    let added: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).cloned().collect();
    list.lambda_function_configurations = Some(after.clone());
    context.hold.cover(WRITE, bucket)?;
    let request = clients
        .s3
        .put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(list.clone())
        .set_skip_destination_validation(matches!(destinations, Destinations::Trusted).then_some(true));
    let written = request.send().await.map_err(|error| refusal(WRITE, bucket, &error));
    written.map(|_| after).map_err(|fault| {
        if fault.message.contains("overlap") {
            return overlapping(fault, &list, &added);
        }
        fault
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

const UNABLE: &str = "Unable to validate the following destination";

/// Why the list may be written again; nothing where it may not: what S3 may not call of others does not come by waiting.
fn not_yet(fault: &Fault, destinations: Destinations<'_>) -> Option<&'static str> {
    let is_of_another = match destinations {
        Destinations::Tried(function_arn) => {
            fault.message.contains("arn:") && !arns(&fault.message).any(|arn| arn == function_arn)
        }
        Destinations::Trusted => false,
    };
    match fault.code.as_str() {
        "InvalidArgument" if fault.message.contains(UNABLE) && !is_of_another => Some("unable to call a function yet"),
        "OperationAborted" => Some("being changed by somebody else"),
        _ if fault.kind == FaultKind::Throttled => Some("throttled by AWS"),
        _ => None,
    }
}

/// The ARNs that stand in a text.
fn arns(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "<>[](),;`'\"".contains(c))
        .filter(|word| word.starts_with("arn:"))
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
        _ if fault.message.contains(UNABLE) && !fault.message.contains("arn:") => {
            // S3 names them beside its message.
            let body = error.raw_response().and_then(|response| response.body().bytes());
            let body = body.map(String::from_utf8_lossy).unwrap_or_default();
            let named: BTreeSet<&str> = arns(&body).collect();
            let named: Vec<&str> = named.into_iter().collect();
            let message = match named.is_empty() {
                true => fault.message,
                false => format!("{}: {}", fault.message, named.join(", ")),
            };
            Fault { message, ..fault }
        }
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

/// The list with our entry as it is wanted. One that says the same stays as it is; one that is changed keeps its id, by which it
/// is recorded.
fn with_entry(
    mut list: Vec<LambdaFunctionConfiguration>,
    sought: &Sought,
    wanted: &LambdaFunctionConfiguration,
) -> Vec<LambdaFunctionConfiguration> {
    let is_same = |entry: &LambdaFunctionConfiguration| {
        entry.lambda_function_arn == wanted.lambda_function_arn && scope(entry) == scope(wanted)
    };
    match sought.position(&list) {
        None => list.push(wanted.clone()),
        Some(index) if is_same(&list[index]) => {}
        Some(index) => {
            let id = match list[index].lambda_function_arn == wanted.lambda_function_arn {
                true => list[index].id.take(),
                false => None,
            };
            list[index] = wanted.clone();
            list[index].id = id.or(list[index].id.take());
        }
    }
    list
}

/// The list without our entry; without all of the function's that are not recorded of others where nothing tells which it is.
fn without_entry(mut list: Vec<LambdaFunctionConfiguration>, sought: &Sought) -> Vec<LambdaFunctionConfiguration> {
    if sought.ids.is_empty() {
        list.retain(|entry| !sought.may_be(entry));
    } else if let Some(index) = sought.position(&list) {
        list.remove(index);
    }
    list
}

impl Sought {
    fn new(
        function_arn: &str,
        known: Option<&Outputs>,
        forms: &[&Notification],
        context: &Context,
    ) -> Result<Self, Fault> {
        let recorded = known.and_then(|known| known.id.clone());
        let mut scopes = Vec::new();
        for form in forms {
            scopes.push(scope(&entry(form, function_arn)?));
        }
        let others: BTreeSet<String> = context
            .outputs
            .values()
            .filter_map(of_notification)
            .filter(|other| other.id != recorded)
            .filter_map(|other| other.id.clone())
            .collect();
        Ok(Self {
            function_arn: function_arn.to_owned(),
            scopes: if recorded.is_some() { Vec::new() } else { scopes },
            ids: recorded.into_iter().chain(forms.iter().copied().map(id)).collect(),
            others,
        })
    }

    /// Where our entry stands: under one of its ids; or else, where none is recorded, under an id that is none of ours, the one
    /// that is about the same first.
    fn position(&self, list: &[LambdaFunctionConfiguration]) -> Option<usize> {
        let of_id = |id: &String| {
            let is_it = |entry: &LambdaFunctionConfiguration| self.is_of_function(entry) && entry.id() == Some(id);
            list.iter().position(is_it)
        };
        let unmarked = |entry: &LambdaFunctionConfiguration| self.may_be(entry) && !has_id_of_ours(entry);
        let of_scope = |wanted: &Scope| list.iter().position(|entry| unmarked(entry) && scope(entry) == *wanted);
        let known = self.ids.iter().find_map(of_id);
        let same = known.or_else(|| self.scopes.iter().find_map(of_scope));
        match self.scopes.is_empty() {
            true => same,
            false => same.or_else(|| list.iter().position(unmarked)),
        }
    }

    fn is_of_function(&self, entry: &LambdaFunctionConfiguration) -> bool {
        entry.lambda_function_arn == self.function_arn
    }

    fn may_be(&self, entry: &LambdaFunctionConfiguration) -> bool {
        self.is_of_function(entry) && !entry.id().is_some_and(|id| self.others.contains(id))
    }
}

fn of_notification(outputs: &crate::resource::Outputs) -> Option<&Outputs> {
    if let crate::resource::Outputs::Notification(outputs) = outputs {
        return Some(outputs);
    }
    None
}

/// The id that we give our entry. One function can have several of a bucket: they are told apart by the event's own name; in
/// states of a former program by its permission's.
fn id(wanted: &Notification) -> String {
    let own = match wanted.event.is_empty() {
        true => wanted.permission.name(),
        false => &wanted.event,
    };
    format!("{}.{own}", wanted.function_name)
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
