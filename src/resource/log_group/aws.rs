//! The calls for log groups.

use super::{LogGroup, Outputs};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;

/// Makes a log group. One of this name is taken over, whoever made it: it is that of our function, and Lambda itself makes it
/// where the function wrote a line before.
pub async fn create(clients: &Clients, group: &LogGroup, context: &Context) -> Result<Outputs, Fault> {
    const OPERATION: &str = "logs:CreateLogGroup";
    let tags = group.tags.clone().into_iter().collect();
    let request = clients.logs.create_log_group().log_group_name(&group.name);
    let request = request.set_tags(Some(tags));
    let made = unhurried(clients, (OPERATION, &group.name), async || {
        context.hold.cover(OPERATION, &group.name)?;
        let sent = request.clone().send().await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, &group.name, &error))
    });
    match made.await {
        Err(fault) if fault.code == "ResourceAlreadyExistsException" => tag(clients, group, context).await?,
        made => made?,
    }
    put_retention(clients, group, context)
        .await
        .map_err(Fault::of_a_begun_step)?;
    Ok(outputs(group))
}

/// Sets what differs; all of it where `from` is not known. One that somebody removed meanwhile is made again.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&LogGroup>, &LogGroup),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let Some(from) = from else {
        return create(clients, to, context).await;
    };
    if from.retention_days != to.retention_days {
        match put_retention(clients, to, context).await {
            Err(fault) if fault.kind == FaultKind::Absent => return create(clients, to, context).await,
            put => put?,
        }
    }
    if from.tags != to.tags {
        tag(clients, to, context).await.map_err(Fault::of_a_begun_step)?;
    }
    Ok(outputs.clone())
}

async fn put_retention(clients: &Clients, group: &LogGroup, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "logs:PutRetentionPolicy";
    unhurried(clients, (OPERATION, &group.name), async || {
        context.hold.cover(OPERATION, &group.name)?;
        let request = clients
            .logs
            .put_retention_policy()
            .log_group_name(&group.name)
            .retention_in_days(days(group));
        let sent = request.send().await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, &group.name, &error))
    })
    .await
}

async fn tag(clients: &Clients, group: &LogGroup, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "logs:TagResource";
    let arn = context.place.arn("logs", &format!("log-group:{}", group.name));
    let tags: std::collections::HashMap<_, _> = group.tags.clone().into_iter().collect();
    unhurried(clients, (OPERATION, &arn), async || {
        context.hold.cover(OPERATION, &arn)?;
        let request = clients.logs.tag_resource().resource_arn(&arn);
        let sent = request.set_tags(Some(tags.clone())).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, &arn, &error))
    })
    .await
}

/// Removes a log group with all that was written to it, where its function is gone. That of a function which stays is kept, and
/// all that is written to it for ever.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    let ended = match context.outputs.values().any(|other| writes_to(other, &outputs.name)) {
        true => delete_retention(clients, outputs, context).await,
        false => delete_group(clients, outputs, context).await,
    };
    match ended {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        ended => ended,
    }
}

/// Whether this is a function of the stage that writes to the log group.
fn writes_to(outputs: &crate::resource::Outputs, group: &str) -> bool {
    let name = group.strip_prefix("/aws/lambda/");
    if let crate::resource::Outputs::Function(function) = outputs {
        return function.arn.rsplit(':').next() == name;
    }
    false
}

async fn delete_retention(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "logs:DeleteRetentionPolicy";
    unhurried(clients, (OPERATION, &outputs.name), async || {
        context.hold.cover(OPERATION, &outputs.name)?;
        let request = clients.logs.delete_retention_policy();
        let sent = request.log_group_name(&outputs.name).send().await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, &outputs.name, &error))
    })
    .await
}

async fn delete_group(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "logs:DeleteLogGroup";
    unhurried(clients, (OPERATION, &outputs.name), async || {
        context.hold.cover(OPERATION, &outputs.name)?;
        let sent = clients
            .logs
            .delete_log_group()
            .log_group_name(&outputs.name)
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| fault::of(OPERATION, &outputs.name, &error))
    })
    .await
}

/// Looks for the log group: for the known one, or else for the one of this name, which is ours by its name.
pub async fn look(
    clients: &Clients,
    (group, known): (&LogGroup, Option<&Outputs>),
    _context: &Context,
) -> Result<Option<Outputs>, Fault> {
    let name = known.map_or(&group.name, |known| &known.name);
    let found = find(clients, name).await?;
    Ok(found.map(|_| known.cloned().unwrap_or_else(|| outputs(group))))
}

/// Whether what stands is as it is wanted, our marks aside.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&LogGroup, &Outputs),
    _context: &Context,
) -> Result<bool, Fault> {
    let found = find(clients, &outputs.name).await?;
    Ok(outputs.name == wanted.name && found.is_some_and(|found| found.retention_days == Some(days(wanted))))
}

struct Found {
    retention_days: Option<i32>,
}

/// AWS knows only the beginnings of names: `/aws/lambda/shop-dev` finds `/aws/lambda/shop-dev-sweep` as well.
async fn find(clients: &Clients, name: &str) -> Result<Option<Found>, Fault> {
    const OPERATION: &str = "logs:DescribeLogGroups";
    let listed = unhurried(clients, (OPERATION, name), async || {
        let request = clients.logs.describe_log_groups().log_group_name_prefix(name);
        let pages = request.into_paginator().items().send();
        let groups: Result<Vec<_>, _> = pages.try_collect().await;
        groups.map_err(|error| fault::of(OPERATION, name, &error))
    });
    let found = listed.await?.into_iter();
    let mut found = found.filter(|group| group.log_group_name() == Some(name));
    Ok(found.next().map(|group| Found {
        retention_days: group.retention_in_days(),
    }))
}

/// Makes a call again while there were too many calls, or another one is still at work on the same log group.
async fn unhurried<T, C>(clients: &Clients, of: (&'static str, &str), mut call: C) -> Result<T, Fault>
where
    C: AsyncFnMut() -> Result<T, Fault>,
{
    let call = async || {
        call().await.map_err(|fault| match fault.code.as_str() {
            "OperationAbortedException" => Fault {
                kind: FaultKind::Throttled,
                ..fault
            },
            _ => fault,
        })
    };
    wait::throttled(clients, of, call).await
}

fn days(group: &LogGroup) -> i32 {
    i32::try_from(group.retention_days).unwrap_or(i32::MAX)
}

fn outputs(group: &LogGroup) -> Outputs {
    Outputs {
        name: group.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{self, function};

    #[test]
    fn the_log_of_a_function_that_stays_is_told_from_that_of_one_of_a_longer_name() {
        let arn = "arn:aws:lambda:eu-west-1:111111111111:function:shop-dev".to_owned();
        let function = resource::Outputs::Function(function::Outputs { arn });
        assert!(writes_to(&function, "/aws/lambda/shop-dev"));
        assert!(!writes_to(&function, "/aws/lambda/shop-dev-sweep"));
    }
}
