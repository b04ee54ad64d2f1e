//! The calls for permissions.

use serde_json::Value;

use super::{Outputs, Permission, STATEMENT_ID};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::{Context, rest_api};

/// Lets the REST API call the function. A statement of ours that says something else is replaced.
pub async fn put(clients: &Clients, permission: &Permission, context: &Context) -> Result<Outputs, Fault> {
    let outputs = Outputs {
        function_name: permission.function_name.clone(),
        statement_id: STATEMENT_ID.to_owned(),
    };
    let source = source_arn(permission, context)?;
    match add(clients, &outputs, &source, context).await {
        Err(fault) if fault.kind == FaultKind::Conflict => {
            delete(clients, &outputs, context).await?;
            add(clients, &outputs, &source, context)
                .await
                .map_err(Fault::of_a_begun_step)?;
        }
        added => added?,
    }
    Ok(outputs)
}

async fn add(clients: &Clients, statement: &Outputs, source_arn: &str, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:AddPermission";
    let name = &statement.function_name;
    wait::throttled(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .lambda
            .add_permission()
            .function_name(name)
            .statement_id(&statement.statement_id)
            .action("lambda:InvokeFunction")
            .principal("apigateway.amazonaws.com")
            .source_arn(source_arn);
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await
}

/// Takes the statement away.
pub async fn delete(clients: &Clients, statement: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:RemovePermission";
    let name = &statement.function_name;
    let removed = wait::throttled(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .lambda
            .remove_permission()
            .function_name(name)
            .statement_id(&statement.statement_id);
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| fault::of(OPERATION, name, &error))
    });
    match removed.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        removed => removed,
    }
}

/// Looks for the statement in the function's policy.
pub async fn look(clients: &Clients, permission: &Permission, context: &Context) -> Result<Option<Outputs>, Fault> {
    const OPERATION: &str = "lambda:GetPolicy";
    let name = &permission.function_name;
    let policy = match clients.lambda.get_policy().function_name(name).send().await {
        Ok(answer) => answer.policy.unwrap_or_default(),
        Err(error) => match fault::of(OPERATION, name, &error) {
            fault if fault.kind == FaultKind::Absent => return Ok(None),
            fault => return Err(fault),
        },
    };
    let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
    let Ok(source) = source_arn(permission, context) else {
        return Ok(None);
    };
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let stands = |statement: &&Value| {
        statement["Sid"] == STATEMENT_ID && statement["Condition"]["ArnLike"]["AWS:SourceArn"] == source.as_str()
    };
    Ok(statements
        .filter(stands)
        .map(|_| Outputs {
            function_name: name.clone(),
            statement_id: STATEMENT_ID.to_owned(),
        })
        .next())
}

fn source_arn(permission: &Permission, context: &Context) -> Result<String, Fault> {
    Ok(rest_api::execution_arn(
        &context.place,
        rest_api::id(&context.outputs, &permission.rest_api)?,
    ))
}
