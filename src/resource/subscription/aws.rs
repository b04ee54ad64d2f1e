//! The calls for subscriptions.

use super::{Outputs, Subscription};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;

const PROTOCOL: &str = "lambda";

/// Subscribes the function. AWS answers with the subscription that stands where the function has one already.
pub async fn create(clients: &Clients, wanted: &Subscription, context: &Context) -> Result<Outputs, Fault> {
    const OPERATION: &str = "sns:Subscribe";
    let function_arn = context.place.function_arn(&wanted.function_name);
    let arn = wait::throttled(clients, (OPERATION, &wanted.topic_arn), async || {
        context.hold.cover(OPERATION, &wanted.topic_arn)?;
        let request = clients
            .sns
            .subscribe()
            .topic_arn(&wanted.topic_arn)
            .protocol(PROTOCOL)
            .endpoint(&function_arn)
            .return_subscription_arn(true);
        let answer = request.send().await;
        let answer = answer.map_err(|error| fault::of(OPERATION, &wanted.topic_arn, &error))?;
        Ok(answer.subscription_arn.unwrap_or_default())
    });
    Ok(outputs(wanted, arn.await?, function_arn))
}

/// Subscribes the function again, which changes nothing where it is subscribed. A former subscription of another function
/// is taken away after that.
pub async fn update(
    clients: &Clients,
    (_from, to): (Option<&Subscription>, &Subscription),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let made = create(clients, to, context).await?;
    if made.arn != outputs.arn {
        unsubscribe(clients, &outputs.arn, context)
            .await
            .map_err(Fault::of_a_begun_step)?;
    }
    Ok(made)
}

/// Takes the subscription away, and one that was made again since, and not recorded: a function has one of a topic.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    unsubscribe(clients, &outputs.arn, context).await?;
    let left = find(clients, &outputs.topic_arn, &outputs.function_arn).await;
    match left.map_err(Fault::of_a_begun_step)? {
        Some(left) if left != outputs.arn => unsubscribe(clients, &left, context)
            .await
            .map_err(Fault::of_a_begun_step),
        Some(_) | None => Ok(()),
    }
}

async fn unsubscribe(clients: &Clients, arn: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "sns:Unsubscribe";
    let deleted = wait::throttled(clients, (OPERATION, arn), async || {
        context.hold.cover(OPERATION, arn)?;
        let sent = clients.sns.unsubscribe().subscription_arn(arn).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, arn, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        deleted => deleted,
    }
}

/// Looks for the function's subscription among those of the topic.
pub async fn look(
    clients: &Clients,
    (wanted, known): (&Subscription, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    let of_now = context.place.function_arn(&wanted.function_name);
    let (topic, function) = match known {
        Some(known) => (&known.topic_arn, &known.function_arn),
        None => (&wanted.topic_arn, &of_now),
    };
    let Some(arn) = find(clients, topic, function).await? else {
        return Ok(None);
    };
    Ok(Some(match known {
        Some(known) => Outputs { arn, ..known.clone() },
        None => outputs(wanted, arn, of_now),
    }))
}

/// Whether what stands is as it is wanted.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Subscription, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let function = context.place.function_arn(&wanted.function_name);
    let found = find(clients, &wanted.topic_arn, &function).await?;
    Ok(found.as_ref() == Some(&outputs.arn))
}

/// The ARN of a function's subscription to a topic.
async fn find(clients: &Clients, topic_arn: &str, function_arn: &str) -> Result<Option<String>, Fault> {
    const OPERATION: &str = "sns:ListSubscriptionsByTopic";
    let listed = wait::throttled(clients, (OPERATION, topic_arn), async || {
        let request = clients.sns.list_subscriptions_by_topic().topic_arn(topic_arn);
        let pages = request.into_paginator().items().send();
        let subscriptions: Result<Vec<_>, _> = pages.try_collect().await;
        subscriptions.map_err(|error| fault::of(OPERATION, topic_arn, &error))
    });
    let listed = match listed.await {
        Err(fault) if fault.kind == FaultKind::Absent => return Ok(None),
        listed => listed?,
    };
    let mut ours = listed.into_iter().filter(|subscription| {
        subscription.protocol() == Some(PROTOCOL) && subscription.endpoint() == Some(function_arn)
    });
    Ok(ours.next().and_then(|subscription| subscription.subscription_arn))
}

fn outputs(wanted: &Subscription, arn: String, function_arn: String) -> Outputs {
    Outputs {
        arn,
        topic: wanted.topic.clone(),
        topic_arn: wanted.topic_arn.clone(),
        function_arn,
    }
}
