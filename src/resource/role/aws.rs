//! The calls for roles.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Tag;
use serde_json::Value;

use super::{Outputs, Role, Sharing, trust_policy};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::marked::{Marked, Search};
use crate::resource::{self, Context, Owner, is_ours};

/// Makes a role, or takes over the one of this name that bears our tags, and sets its policy.
pub async fn create(clients: &Clients, role: &Role, context: &Context) -> Result<Outputs, Fault> {
    const OPERATION: &str = "iam:CreateRole";
    context.hold.cover(OPERATION, &role.name)?;
    let request = clients
        .iam
        .create_role()
        .role_name(&role.name)
        .assume_role_policy_document(trust_policy().to_string())
        .set_tags(Some(tags(&role.tags)));
    let outputs = match request.send().await {
        Ok(answer) => {
            let arn = answer.role().map(|made| made.arn().to_owned()).unwrap_or_default();
            clients.scouts.doubt(&arn);
            Outputs {
                arn,
                name: role.name.clone(),
                sharing: role.sharing,
            }
        }
        Err(error) => match fault::of(OPERATION, &role.name, &error) {
            taken if taken.kind == FaultKind::Conflict => look(clients, role)
                .await
                .map_err(Fault::of_a_begun_step)?
                .ok_or(taken)?,
            fault => return Err(fault),
        },
    };
    put_policy(clients, role, context)
        .await
        .map_err(Fault::of_a_begun_step)?;
    Ok(outputs)
}

/// Sets what differs of a role's policy and tags.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&Role>, &Role),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    if from.is_none_or(|from| from.policy != to.policy) {
        put_policy(clients, to, context).await?;
    }
    if from.is_none_or(|from| from.tags != to.tags) {
        const OPERATION: &str = "iam:TagRole";
        context.hold.cover(OPERATION, &to.name)?;
        let sent = clients
            .iam
            .tag_role()
            .role_name(&to.name)
            .set_tags(Some(tags(&to.tags)))
            .send()
            .await;
        sent.map_err(|error| fault::of(OPERATION, &to.name, &error))?;
    }
    Ok(outputs.clone())
}

async fn put_policy(clients: &Clients, role: &Role, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "iam:PutRolePolicy";
    context.hold.cover(OPERATION, &role.name)?;
    let document = serde_json::to_string_pretty(&role.policy).unwrap_or_default();
    let request = clients
        .iam
        .put_role_policy()
        .role_name(&role.name)
        .policy_name(&role.name)
        .policy_document(document);
    request
        .send()
        .await
        .map_err(|error| fault::of(OPERATION, &role.name, &error))?;
    Ok(())
}

/// Removes a role with its policies. Policies that others gave it are taken off only where they keep it from going.
pub async fn delete(clients: &Clients, role: &Outputs, context: &Context) -> Result<(), Fault> {
    delete_policy(clients, &role.name, &role.name, context).await?;
    match delete_role(clients, &role.name, context).await {
        Err(fault) if fault.kind == FaultKind::Conflict => {
            strip(clients, &role.name, context).await?;
            delete_role(clients, &role.name, context).await
        }
        settled => settled,
    }
}

async fn delete_role(clients: &Clients, name: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "iam:DeleteRole";
    context.hold.cover(OPERATION, name)?;
    let sent = clients.iam.delete_role().role_name(name).send().await;
    gone_is_done(sent.map(drop).map_err(|error| match error.as_service_error() {
        Some(refusal) if refusal.is_delete_conflict_exception() => Fault {
            kind: FaultKind::Conflict,
            ..fault::of(OPERATION, name, &error)
        },
        Some(_) | None => fault::of(OPERATION, name, &error),
    }))
}

async fn delete_policy(clients: &Clients, role: &str, policy: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "iam:DeleteRolePolicy";
    context.hold.cover(OPERATION, role)?;
    let sent = clients
        .iam
        .delete_role_policy()
        .role_name(role)
        .policy_name(policy)
        .send()
        .await;
    gone_is_done(sent.map(drop).map_err(|error| fault::of(OPERATION, role, &error)))
}

/// Takes every policy off a role.
async fn strip(clients: &Clients, role: &str, context: &Context) -> Result<(), Fault> {
    let inline = clients
        .iam
        .list_role_policies()
        .role_name(role)
        .into_paginator()
        .items()
        .send()
        .try_collect();
    let inline = inline
        .await
        .map_err(|error| fault::of("iam:ListRolePolicies", role, &error))?;
    for policy in inline {
        delete_policy(clients, role, &policy, context).await?;
    }
    let attached = clients.iam.list_attached_role_policies().role_name(role);
    let attached = attached.into_paginator().items().send().try_collect().await;
    for policy in attached.map_err(|error| fault::of("iam:ListAttachedRolePolicies", role, &error))? {
        const OPERATION: &str = "iam:DetachRolePolicy";
        context.hold.cover(OPERATION, role)?;
        let sent = clients
            .iam
            .detach_role_policy()
            .role_name(role)
            .set_policy_arn(policy.policy_arn)
            .send()
            .await;
        gone_is_done(sent.map(drop).map_err(|error| fault::of(OPERATION, role, &error)))?;
    }
    Ok(())
}

/// Looks for a role by its name.
///
/// # Errors
///
/// [`FaultKind::Foreign`]: there is one, and it does not bear our tags.
pub async fn look(clients: &Clients, role: &Role) -> Result<Option<Outputs>, Fault> {
    const OPERATION: &str = "iam:GetRole";
    let found = wait::throttled(clients, (OPERATION, &role.name), async || {
        match clients.iam.get_role().role_name(&role.name).send().await {
            Ok(answer) => Ok(answer.role),
            Err(error) => match fault::of(OPERATION, &role.name, &error) {
                fault if fault.kind == FaultKind::Absent => Ok(None),
                fault => Err(fault),
            },
        }
    });
    let Some(found) = found.await? else { return Ok(None) };
    if is_ours(&role.tags, &read(found.tags())) {
        return Ok(Some(Outputs {
            arn: found.arn,
            name: role.name.clone(),
            sharing: role.sharing,
        }));
    }
    let message = "a role of this name stands in AWS and does not bear our tags".to_owned();
    Err(Fault::refused(OPERATION, found.arn, FaultKind::Foreign, message))
}

/// Looks for roles that bear a mark. A list of roles says nothing of tags, which are asked for only where a name fits.
pub async fn marked(clients: &Clients, search: &Search<'_>) -> Result<Vec<Marked>, Fault> {
    const OPERATION: &str = "iam:ListRoles";
    let listed = wait::throttled(clients, (OPERATION, "*"), async || {
        let pages = clients.iam.list_roles().into_paginator().items().send();
        let roles: Result<Vec<_>, _> = pages.try_collect().await;
        roles.map_err(|error| fault::of(OPERATION, "*", &error))
    });
    let mut marked = Vec::new();
    for role in listed.await? {
        let mut outputs = Outputs {
            arn: role.arn,
            name: role.role_name.clone(),
            sharing: Sharing::Own,
        };
        if !search.has(&role.role_name) || search.knows(&resource::Outputs::Role(outputs.clone())) {
            continue;
        }
        if let Some((owner, sharing)) = owner(clients, &role.role_name).await? {
            outputs.sharing = sharing;
            marked.push(Marked {
                owner,
                name: role.role_name,
                outputs: resource::Outputs::Role(outputs),
            });
        }
    }
    Ok(marked)
}

/// Whose a role is; `None` where it is not ours, or gone by now.
async fn owner(clients: &Clients, name: &str) -> Result<Option<(Owner, Sharing)>, Fault> {
    const OPERATION: &str = "iam:ListRoleTags";
    let found = wait::throttled(clients, (OPERATION, name), async || {
        let answer = clients.iam.list_role_tags().role_name(name).send().await;
        answer.map_err(|error| fault::of(OPERATION, name, &error))
    });
    match found.await {
        Ok(answer) => {
            let tags = read(answer.tags());
            let shared = Owner::of_shared_tags(&tags, name).map(|owner| (owner, Sharing::Previews));
            Ok(shared.or_else(|| Owner::of_tags(&tags).map(|owner| (owner, Sharing::Own))))
        }
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn gone_is_done(sent: Result<(), Fault>) -> Result<(), Fault> {
    match sent {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        sent => sent,
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build().ok();
    tags.iter().filter_map(tag).collect()
}

fn read(tags: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
    tags.iter().map(pair).collect()
}

/// Whether what stands is as it is wanted, our marks aside. The ids of a policy's statements mean nothing, and Chalice's are
/// random.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Role, &Outputs),
    _context: &Context,
) -> Result<bool, Fault> {
    const OPERATION: &str = "iam:GetRolePolicy";
    if wanted.name != outputs.name {
        return Ok(false);
    }
    let found = wait::throttled(clients, (OPERATION, &wanted.name), async || {
        let request = clients.iam.get_role_policy().role_name(&wanted.name);
        let sent = request.policy_name(&wanted.name).send().await;
        sent.map_err(|error| fault::of(OPERATION, &wanted.name, &error))
    });
    match found.await {
        Ok(answer) => Ok(super::says_the_same(&document(&answer.policy_document), &wanted.policy)),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// IAM hands a document out with all that is no letter or digit written as in a URL.
fn document(encoded: &str) -> Value {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        let pair = rest.clone().take(2).collect();
        let escaped = String::from_utf8(pair)
            .ok()
            .filter(|pair| byte == b'%' && pair.len() == 2);
        match escaped.and_then(|pair| u8::from_str_radix(&pair, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest.nth(1);
            }
            None => bytes.push(byte),
        }
    }
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_iam_hands_it_out() {
        let encoded = "%7B%22Version%22%3A%20%222012-10-17%22%2C%20%22Sid%22%3A%20%22%C3%BC%22%7D";
        assert_eq!(
            document(encoded),
            serde_json::json!({"Version": "2012-10-17", "Sid": "ü"})
        );
        assert_eq!(
            document("{\"Version\": \"100%\"}"),
            serde_json::json!({"Version": "100%"})
        );
    }
}
