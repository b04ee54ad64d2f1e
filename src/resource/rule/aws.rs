//! The calls for EventBridge rules.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::types::{RuleState, Tag, Target};
use serde_json::Value;

use super::{Outputs, Rule};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::marked::{Marked, Search};
use crate::resource::{self, Context, Owner, is_ours};

/// Id of the one target, as Chalice has it.
const TARGET: &str = "1";

/// Targets that one call removes at most.
/// See <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RemoveTargets.html>.
const AT_ONCE: usize = 100;

/// Makes a rule, or takes over and sets up the one of this name that bears our tags.
///
/// # Errors
///
/// [`FaultKind::Foreign`]: there is one, and it does not bear our tags. Nothing was changed then.
pub async fn create(clients: &Clients, rule: &Rule, context: &Context) -> Result<Outputs, Fault> {
    // PutRule writes over whatever has the name, so that whose it is must be known before.
    if let Some(found) = look(clients, (rule, None), context).await? {
        return update(clients, (None, rule), &found, context).await;
    }
    put_rule(clients, rule, Some(tags(&rule.tags)), context).await?;
    put_target(clients, rule, context)
        .await
        .map_err(Fault::of_a_begun_step)?;
    Ok(outputs(rule))
}

/// Sets what differs; all of it where `from` is not known.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&Rule>, &Rule),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let when = |rule: &Rule| (rule.schedule.clone(), rule.pattern.clone(), rule.description.clone());
    if from.is_none_or(|from| when(from) != when(to)) {
        put_rule(clients, to, None, context).await?;
    }
    if from.is_none_or(|from| from.function_name != to.function_name) {
        put_target(clients, to, context).await.map_err(Fault::of_a_begun_step)?;
    }
    if from.is_none_or(|from| from.tags != to.tags) {
        tag(clients, to, context).await.map_err(Fault::of_a_begun_step)?;
    }
    Ok(outputs.clone())
}

/// AWS refuses tags in this call where the rule exists already.
async fn put_rule(clients: &Clients, rule: &Rule, tags: Option<Vec<Tag>>, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "events:PutRule";
    unhurried(clients, (OPERATION, &rule.name), async || {
        context.hold.cover(OPERATION, &rule.name)?;
        let request = clients
            .events
            .put_rule()
            .name(&rule.name)
            .state(RuleState::Enabled)
            .set_schedule_expression(rule.schedule.clone())
            .set_event_pattern(rule.pattern.as_ref().map(Value::to_string))
            .set_description(rule.description.clone())
            .set_tags(tags.clone());
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, &rule.name, &error))
    })
    .await
}

async fn put_target(clients: &Clients, rule: &Rule, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "events:PutTargets";
    let arn = context.place.function_arn(&rule.function_name);
    let target = Target::builder().id(TARGET).arn(&arn).build();
    let target = target.map_err(|error| {
        let message = format!("no target can be made of `{arn}`: {error}");
        Fault::refused(OPERATION, &rule.name, FaultKind::Invalid, message)
    })?;
    unhurried(clients, (OPERATION, &rule.name), async || {
        context.hold.cover(OPERATION, &rule.name)?;
        let request = clients.events.put_targets().rule(&rule.name).targets(target.clone());
        let answer = request.send().await;
        let answer = answer.map_err(|error| fault::of(OPERATION, &rule.name, &error))?;
        let failed = answer.failed_entries().first();
        let failed = failed.map(|entry| (entry.error_code(), entry.error_message()));
        all_done((OPERATION, &rule.name), answer.failed_entry_count(), failed)
    })
    .await
}

async fn tag(clients: &Clients, rule: &Rule, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "events:TagResource";
    unhurried(clients, (OPERATION, &rule.name), async || {
        context.hold.cover(OPERATION, &rule.name)?;
        let request = clients
            .events
            .tag_resource()
            .resource_arn(arn(&rule.name, context))
            .set_tags(Some(tags(&rule.tags)));
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, &rule.name, &error))
    })
    .await
}

/// Removes a rule with all its targets, whoever added them.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    let Some(targets) = or_absent(targets(clients, &outputs.name).await)? else {
        return Ok(());
    };
    let ids: Vec<String> = targets.into_iter().map(|target| target.id).collect();
    for ids in ids.chunks(AT_ONCE) {
        or_absent(remove_targets(clients, &outputs.name, ids, context).await)?;
    }
    const OPERATION: &str = "events:DeleteRule";
    let deleted = unhurried(clients, (OPERATION, &outputs.name), async || {
        context.hold.cover(OPERATION, &outputs.name)?;
        let sent = clients.events.delete_rule().name(&outputs.name).send().await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, &outputs.name, &error))
    });
    or_absent(deleted.await).map(drop)
}

async fn remove_targets(clients: &Clients, name: &str, ids: &[String], context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "events:RemoveTargets";
    unhurried(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients.events.remove_targets().rule(name).set_ids(Some(ids.to_vec()));
        let answer = request.send().await;
        let answer = answer.map_err(|error| fault::of(OPERATION, name, &error))?;
        let failed = answer.failed_entries().first();
        let failed = failed.map(|entry| (entry.error_code(), entry.error_message()));
        all_done((OPERATION, name), answer.failed_entry_count(), failed)
    })
    .await
}

/// An answer of HTTP status 200 can say that nothing was done.
fn all_done(
    (operation, name): (&'static str, &str),
    failed_entries: i32,
    failed: Option<(Option<&str>, Option<&str>)>,
) -> Result<(), Fault> {
    if failed_entries == 0 {
        return Ok(());
    }
    let (code, message) = failed.unwrap_or_default();
    let message = message.unwrap_or("AWS did not do it and does not say why").to_owned();
    let kind = match code {
        Some("ResourceNotFoundException") => FaultKind::Absent,
        Some(_) | None => FaultKind::Other,
    };
    Err(Fault {
        code: code.unwrap_or_default().to_owned(),
        ..Fault::refused(operation, name, kind, message)
    })
}

/// Looks for a rule: for the known one, or else for the one of this name.
///
/// # Errors
///
/// [`FaultKind::Foreign`]: there is one that was not known, and it does not bear our tags.
pub async fn look(
    clients: &Clients,
    (rule, known): (&Rule, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    let name = known.map_or(&rule.name, |known| &known.name);
    if describe(clients, name).await?.is_none() {
        return Ok(None);
    }
    if let Some(known) = known {
        return Ok(Some(known.clone()));
    }
    let arn = arn(name, context);
    match tags_of(clients, &arn).await? {
        None => Ok(None),
        Some(found) if is_ours(&rule.tags, &found) => Ok(Some(outputs(rule))),
        Some(_) => {
            let message = "a rule of this name stands in AWS and does not bear our tags".to_owned();
            Err(Fault::refused("events:DescribeRule", arn, FaultKind::Foreign, message))
        }
    }
}

/// Whether what stands is as it is wanted, our marks aside.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Rule, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let Some(found) = describe(clients, &outputs.name).await? else {
        return Ok(false);
    };
    if outputs.name != wanted.name || !fires_as(&found, wanted) {
        return Ok(false);
    }
    let targets = or_absent(targets(clients, &outputs.name).await)?.unwrap_or_default();
    let function = context.place.function_arn(&wanted.function_name);
    Ok(targets.len() == 1
        && targets
            .iter()
            .all(|target| target.id == TARGET && target.arn == function))
}

/// Nothing and an empty text mean the same to EventBridge.
fn fires_as(found: &DescribeRuleOutput, wanted: &Rule) -> bool {
    let some = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let pattern = some(found.event_pattern()).map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    found.state() == Some(&RuleState::Enabled)
        && some(found.schedule_expression()) == wanted.schedule
        && pattern == wanted.pattern
        && some(found.description()) == some(wanted.description.as_deref())
}

/// Looks for rules that bear a mark. A list of rules says nothing of tags, which are asked for only where a name fits.
///
/// Whose apps have no rules may well not be allowed to list them: they are told, and the others are looked for all the same.
pub async fn marked(clients: &Clients, search: &Search<'_>) -> Result<Vec<Marked>, Fault> {
    let mut marked = Vec::new();
    for app in search.apps {
        let rules = match named(clients, &format!("{app}-")).await {
            Err(fault) if fault.kind == FaultKind::Denied => {
                (clients.tell)(&format!("rules are not looked for: {fault}"));
                return Ok(marked);
            }
            rules => rules?,
        };
        for (name, arn) in rules {
            let outputs = resource::Outputs::Rule(Outputs { name: name.clone() });
            if search.knows(&outputs) {
                continue;
            }
            let owner = tags_of(clients, &arn).await?.and_then(|tags| Owner::of_tags(&tags));
            marked.extend(owner.map(|owner| Marked { owner, name, outputs }));
        }
    }
    Ok(marked)
}

/// Names and ARNs of the rules whose names begin so.
async fn named(clients: &Clients, prefix: &str) -> Result<Vec<(String, String)>, Fault> {
    const OPERATION: &str = "events:ListRules";
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let page = unhurried(clients, (OPERATION, prefix), async || {
            let request = clients.events.list_rules().name_prefix(prefix);
            let answer = request.set_next_token(next.clone()).send().await;
            answer.map_err(|error| fault::of(OPERATION, prefix, &error))
        });
        let page = page.await?;
        let rules = page.rules.unwrap_or_default().into_iter();
        found.extend(rules.filter_map(|rule| rule.name.zip(rule.arn)));
        next = page.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

async fn describe(clients: &Clients, name: &str) -> Result<Option<DescribeRuleOutput>, Fault> {
    const OPERATION: &str = "events:DescribeRule";
    let found = unhurried(clients, (OPERATION, name), async || {
        let answer = clients.events.describe_rule().name(name).send().await;
        answer.map_err(|error| fault::of(OPERATION, name, &error))
    });
    or_absent(found.await)
}

/// All targets of a rule.
///
/// # Errors
///
/// [`FaultKind::Absent`]: there is no such rule.
async fn targets(clients: &Clients, name: &str) -> Result<Vec<Target>, Fault> {
    const OPERATION: &str = "events:ListTargetsByRule";
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let page = unhurried(clients, (OPERATION, name), async || {
            let request = clients.events.list_targets_by_rule().rule(name);
            let answer = request.set_next_token(next.clone()).send().await;
            answer.map_err(|error| fault::of(OPERATION, name, &error))
        });
        let page = page.await?;
        found.extend(page.targets.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// A rule's tags; `None` where it is gone by now.
async fn tags_of(clients: &Clients, arn: &str) -> Result<Option<BTreeMap<String, String>>, Fault> {
    const OPERATION: &str = "events:ListTagsForResource";
    let found = unhurried(clients, (OPERATION, arn), async || {
        let answer = clients.events.list_tags_for_resource().resource_arn(arn).send().await;
        answer.map_err(|error| fault::of(OPERATION, arn, &error))
    });
    let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
    Ok(or_absent(found.await)?.map(|answer| answer.tags().iter().map(pair).collect()))
}

/// Makes a call again while there were too many calls, or EventBridge has not ended an earlier change of the rule.
async fn unhurried<T, C>(clients: &Clients, of: (&'static str, &str), mut call: C) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    let call = async || {
        call().await.map_err(|fault| match is_still_changing(&fault) {
            true => Fault {
                kind: FaultKind::Throttled,
                ..fault
            },
            false => fault,
        })
    };
    wait::throttled(clients, of, call).await
}

/// Code and message by <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html> and experience.
fn is_still_changing(fault: &Fault) -> bool {
    fault.code == "ConcurrentModificationException"
        || (fault.operation == "events:DeleteRule" && fault.message.contains("since it has targets"))
}

fn or_absent<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build().ok();
    tags.iter().filter_map(tag).collect()
}

fn arn(name: &str, context: &Context) -> String {
    context.place.arn("events", &format!("rule/{name}"))
}

fn outputs(rule: &Rule) -> Outputs {
    Outputs {
        name: rule.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::names::Address;

    fn rule(schedule: Option<&str>, pattern: Option<Value>) -> Rule {
        Rule {
            name: "shop-prod-tick-event".to_owned(),
            schedule: schedule.map(ToOwned::to_owned),
            pattern,
            description: Some(String::new()),
            function: Address::new("function", "tick"),
            function_name: "shop-prod-tick".to_owned(),
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn an_answer_of_200_with_a_failed_entry_is_a_failure_that_says_why() {
        let of = ("events:PutTargets", "shop-prod-tick-event");
        assert!(all_done(of, 0, None).is_ok());
        let failed = all_done(of, 1, Some((Some("InternalException"), Some("try another day")))).unwrap_err();
        assert_eq!(failed.message, "try another day");
        let busy = all_done(of, 1, Some((Some("ConcurrentModificationException"), None))).unwrap_err();
        assert!(is_still_changing(&busy));
    }

    #[test]
    fn a_rule_that_chalice_made_stands_as_it_is_wanted() {
        let found = DescribeRuleOutput::builder().state(RuleState::Enabled);
        let hourly = found
            .clone()
            .schedule_expression("rate(1 hour)")
            .event_pattern("")
            .build();
        assert!(fires_as(&hourly, &rule(Some("rate(1 hour)"), None)));
        assert!(!fires_as(&hourly, &rule(Some("rate(2 hours)"), None)));
        let pattern = json!({"source": ["aws.ec2"], "detail": {"state": ["running"]}});
        let fits = found.event_pattern(r#"{"detail":{"state":["running"]}, "source":["aws.ec2"]}"#);
        assert!(fires_as(&fits.build(), &rule(None, Some(pattern))));
    }

    #[test]
    fn a_rule_that_somebody_switched_off_does_not_stand_as_it_is_wanted() {
        let off = DescribeRuleOutput::builder().state(RuleState::Disabled);
        let off = off.schedule_expression("rate(1 hour)").build();
        assert!(!fires_as(&off, &rule(Some("rate(1 hour)"), None)));
    }
}
