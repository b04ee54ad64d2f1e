//! The calls for permissions.

use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::Value;

use super::{Caller, Outputs, Permission, PublicCall};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::v2_api::aws::patience::patiently;
use crate::resource::{self, Context, rest_api, v2_api};

/// What a statement says.
struct Statement {
    action: &'static str,
    principal: &'static str,
    source_arn: Option<String>,
    /// A bucket's ARN does not say whose it is.
    source_account: Option<String>,
    url: Option<PublicCall>,
}

/// Lets the caller call the function. A statement of ours that says something else is replaced.
pub async fn put(clients: &Clients, permission: &Permission, context: &Context) -> Result<Outputs, Fault> {
    let outputs = Outputs {
        function_name: permission.function_name.clone(),
        statement_id: permission.caller.statement_id(),
    };
    let statement = statement(&permission.caller, context)?;
    match add(clients, &outputs, &statement, context).await {
        Err(fault) if is_taken(&fault) => {
            delete(clients, &outputs, context).await?;
            add(clients, &outputs, &statement, context)
                .await
                .map_err(Fault::of_a_begun_step)?;
        }
        added => added?,
    }
    Ok(outputs)
}

/// Whether a statement of this id stands, and not only another change of the function that lasts.
fn is_taken(fault: &Fault) -> bool {
    fault.kind == FaultKind::Conflict && fault.message.contains("exist")
}

/// As [`put`], and takes away what let a former caller call the function.
pub async fn update(
    clients: &Clients,
    permission: &Permission,
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let made = put(clients, permission, context).await?;
    if made != *outputs && !others_may_need(outputs, context) {
        delete(clients, outputs, context)
            .await
            .map_err(Fault::of_a_begun_step)?;
    }
    Ok(made)
}

/// Whether a former statement may be what another permission of the function stands on: it can be recorded as that one's
/// too, and two events of one kind can trade their callers.
fn others_may_need(outputs: &Outputs, context: &Context) -> bool {
    let may_need = |recorded: &&resource::Outputs| match recorded {
        resource::Outputs::Permission(one) => one.function_name == outputs.function_name && may_trade(one, outputs),
        resource::Outputs::Role(_)
        | resource::Outputs::Function(_)
        | resource::Outputs::RestApi(_)
        | resource::Outputs::Deployment(_)
        | resource::Outputs::Rule(_)
        | resource::Outputs::Notification(_)
        | resource::Outputs::Subscription(_)
        | resource::Outputs::EventSourceMapping(_)
        | resource::Outputs::V2Api(_)
        | resource::Outputs::DomainName(_)
        | resource::Outputs::Layer(_)
        | resource::Outputs::LogGroup(_)
        | resource::Outputs::FunctionUrl(_) => false,
    };
    // The permission itself is recorded with its former statement.
    context.outputs.values().filter(may_need).count() > 1
}

/// Whether the one can come to stand on the other's statement. An id that is not of our making is nobody's aim.
fn may_trade(one: &Outputs, other: &Outputs) -> bool {
    let kind = |outputs: &Outputs| {
        let ours = outputs.statement_id.strip_prefix("stagewright-")?;
        ours.split('-').next().map(ToOwned::to_owned)
    };
    one.statement_id == other.statement_id || (kind(one).is_some() && kind(one) == kind(other))
}

async fn add(clients: &Clients, outputs: &Outputs, statement: &Statement, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:AddPermission";
    let name = &outputs.function_name;
    let (auth, by_url) = match statement.url {
        None => (None, None),
        Some(PublicCall::Url) => (Some(FunctionUrlAuthType::None), None),
        Some(PublicCall::Function) => (None, Some(true)),
    };
    let _turn = clients.turns.of(name).await;
    patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .lambda
            .add_permission()
            .function_name(name)
            .statement_id(&outputs.statement_id)
            .action(statement.action)
            .principal(statement.principal)
            .set_source_arn(statement.source_arn.clone())
            .set_source_account(statement.source_account.clone())
            .set_function_url_auth_type(auth.clone())
            .set_invoked_via_function_url(by_url);
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
    let _turn = clients.turns.of(name).await;
    let removed = patiently(clients, (OPERATION, name), async || {
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

/// Looks in the function's policy for a statement that says the same, whatever its id (Chalice's are random), or for the
/// one that is known, whatever it says.
pub async fn look(
    clients: &Clients,
    (permission, known): (&Permission, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    const OPERATION: &str = "lambda:GetPolicy";
    let name = &permission.function_name;
    let answer = wait::throttled(clients, (OPERATION, name), async || {
        let sent = clients.lambda.get_policy().function_name(name).send().await;
        sent.map_err(|error| fault::of(OPERATION, name, &error))
    });
    let policy = match answer.await {
        Ok(answer) => answer.policy.unwrap_or_default(),
        Err(fault) if fault.kind == FaultKind::Absent => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
    let wanted = statement(&permission.caller, context).ok();
    let id = find(&policy, wanted.as_ref(), known);
    Ok(id.map(|id| Outputs {
        function_name: name.clone(),
        statement_id: id.to_owned(),
    }))
}

/// The id of a statement that says what is wanted, or else of the known one, if that stands.
fn find<'a>(policy: &'a Value, wanted: Option<&Statement>, known: Option<&Outputs>) -> Option<&'a str> {
    let statements = || policy["Statement"].as_array().into_iter().flatten();
    let says_it = wanted.and_then(|wanted| statements().find(|found| says(found, wanted)));
    let is_known = || known.and_then(|known| statements().find(|found| found["Sid"] == known.statement_id.as_str()));
    says_it.or_else(is_known)?["Sid"].as_str()
}

/// Whether the statement stands.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&Permission, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let found = look(clients, (wanted, None), context).await?;
    Ok(found.as_ref() == Some(outputs))
}

fn says(found: &Value, wanted: &Statement) -> bool {
    let principal = &found["Principal"];
    let conditions = &found["Condition"];
    let text = |value: &Option<String>| value.as_deref().map_or(Value::Null, Value::from);
    // Without its condition the same words would let anybody call the function in any way.
    let has_condition = match wanted.url {
        None => true,
        Some(PublicCall::Url) => conditions["StringEquals"]["lambda:FunctionUrlAuthType"] == "NONE",
        Some(PublicCall::Function) => conditions["Bool"]["lambda:InvokedViaFunctionUrl"] == "true",
    };
    found["Effect"] == "Allow"
        && found["Action"] == wanted.action
        && (principal["Service"] == wanted.principal || *principal == wanted.principal)
        && conditions["ArnLike"]["AWS:SourceArn"] == text(&wanted.source_arn)
        && (wanted.source_account.is_none()
            || conditions["StringEquals"]["AWS:SourceAccount"] == text(&wanted.source_account))
        && has_condition
}

fn statement(caller: &Caller, context: &Context) -> Result<Statement, Fault> {
    let place = &context.place;
    let by = |principal, source_arn| Statement {
        action: "lambda:InvokeFunction",
        principal,
        source_arn: Some(source_arn),
        source_account: None,
        url: None,
    };
    Ok(match caller {
        Caller::RestApi(address) => {
            let id = rest_api::id(&context.outputs, address)?;
            by("apigateway.amazonaws.com", rest_api::execution_arn(place, id))
        }
        Caller::V2Api(address) => {
            let id = v2_api::id(&context.outputs, address)?;
            by("apigateway.amazonaws.com", rest_api::execution_arn(place, id))
        }
        Caller::Rule(name) => by("events.amazonaws.com", place.arn("events", &format!("rule/{name}"))),
        Caller::Topic(arn) => by("sns.amazonaws.com", arn.clone()),
        Caller::Bucket(name) => Statement {
            source_account: Some(place.account.clone()),
            ..by("s3.amazonaws.com", format!("arn:{}:s3:::{name}", place.partition))
        },
        Caller::Public(call) => Statement {
            action: match call {
                PublicCall::Url => "lambda:InvokeFunctionUrl",
                PublicCall::Function => "lambda:InvokeFunction",
            },
            principal: "*",
            source_arn: None,
            source_account: None,
            url: Some(*call),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::hold::Hold;
    use crate::names::Address;
    use crate::resource::{Place, Standing};

    fn context() -> Context {
        let address = Address::new("v2_api", "websocket_api");
        let api = v2_api::Outputs {
            id: "a1".to_owned(),
            url: "wss://a1.execute-api.eu-west-1.amazonaws.com/api/".to_owned(),
        };
        Context {
            hold: Hold::until(boot_time::Instant::now() + Duration::from_secs(60)),
            place: Place {
                account: "123456789012".to_owned(),
                region: "eu-west-1".to_owned(),
                partition: "aws".to_owned(),
            },
            outputs: Arc::new(BTreeMap::from([(address, resource::Outputs::V2Api(api))])),
            code: Arc::default(),
            standing: Standing::default(),
        }
    }

    fn says_of(caller: &Caller, found: &Value) -> bool {
        says(found, &statement(caller, &context()).unwrap())
    }

    #[test]
    fn a_statement_of_chalices_own_is_found_whatever_its_id() {
        let websocket = Caller::V2Api(Address::new("v2_api", "websocket_api"));
        let found = json!({
            "Sid": "2f1c", "Effect": "Allow", "Action": "lambda:InvokeFunction",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:eu-west-1:123456789012:a1/*"}},
        });
        assert!(says_of(&websocket, &found));
        let mut other = found.clone();
        other["Condition"]["ArnLike"]["AWS:SourceArn"] = json!("arn:aws:execute-api:eu-west-1:123456789012:b2/*");
        assert!(!says_of(&websocket, &other));
        let mut denied = found;
        denied["Effect"] = json!("Deny");
        assert!(!says_of(&websocket, &denied));
    }

    #[test]
    fn the_statement_of_a_former_caller_is_found_until_it_is_gone() {
        let known = Outputs {
            function_name: "shop-prod-told".to_owned(),
            statement_id: "stagewright-bucket-inbox".to_owned(),
        };
        let policy = json!({"Statement": [{"Sid": "stagewright-bucket-inbox"}]});
        let wanted = statement(&Caller::Bucket("outbox".to_owned()), &context()).unwrap();
        assert_eq!(
            find(&policy, Some(&wanted), Some(&known)),
            Some("stagewright-bucket-inbox")
        );
        assert_eq!(find(&policy, Some(&wanted), None), None);
    }

    #[test]
    fn what_another_event_of_the_function_may_stand_on_is_left() {
        let permission = |function_name: &str, statement_id: &str| Outputs {
            function_name: function_name.to_owned(),
            statement_id: statement_id.to_owned(),
        };
        let recorded = |permissions: [Outputs; 2]| Context {
            outputs: Arc::new(
                permissions
                    .into_iter()
                    .enumerate()
                    .map(|(number, outputs)| {
                        let address = Address::new("permission", &number.to_string());
                        (address, resource::Outputs::Permission(outputs))
                    })
                    .collect(),
            ),
            ..context()
        };
        let former = permission("told", "stagewright-bucket-inbox");
        let alone = recorded([former.clone(), permission("other", "stagewright-bucket-inbox")]);
        assert!(!others_may_need(&former, &alone));
        let shared = recorded([former.clone(), permission("told", "stagewright-bucket-outbox")]);
        assert!(others_may_need(&former, &shared));
        let beside = recorded([former.clone(), permission("told", "stagewright-topic-orders")]);
        assert!(!others_may_need(&former, &beside));
    }

    #[test]
    fn a_statement_of_chalices_own_goes_with_its_caller_however_many_others_the_function_has() {
        let permission = |id: &str| Outputs {
            function_name: "told".to_owned(),
            statement_id: id.to_owned(),
        };
        let recorded = |ids: [&str; 3]| Context {
            outputs: Arc::new(
                (0..)
                    .zip(ids)
                    .map(|(number, id): (u8, _)| {
                        let address = Address::new("permission", &number.to_string());
                        (address, resource::Outputs::Permission(permission(id)))
                    })
                    .collect(),
            ),
            ..context()
        };
        let former = permission("2f1c");
        assert!(!others_may_need(
            &former,
            &recorded(["2f1c", "77aa", "stagewright-topic-orders"])
        ));
        assert!(others_may_need(
            &former,
            &recorded(["2f1c", "2f1c", "stagewright-topic-orders"])
        ));
    }

    #[test]
    fn a_statement_is_replaced_only_where_its_id_is_taken() {
        let conflict = |message: &str| {
            let fault = Fault::refused("lambda:AddPermission", "told", FaultKind::Conflict, message.to_owned());
            is_taken(&fault)
        };
        assert!(conflict(
            "The statement id (stagewright-rest_api) provided already exists. Please provide a new statement id."
        ));
        assert!(!conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        ));
    }

    #[test]
    fn a_bucket_of_another_account_is_another_caller() {
        let found = |account: &str| {
            json!({
                "Effect": "Allow", "Action": "lambda:InvokeFunction",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Condition": {
                    "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::inbox"},
                    "StringEquals": {"AWS:SourceAccount": account},
                },
            })
        };
        let bucket = Caller::Bucket("inbox".to_owned());
        assert!(says_of(&bucket, &found("123456789012")));
        assert!(!says_of(&bucket, &found("999999999999")));
    }

    #[test]
    fn a_public_url_is_let_in_by_the_url_alone() {
        let by_url = json!({
            "Effect": "Allow", "Action": "lambda:InvokeFunctionUrl", "Principal": "*",
            "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        });
        let via_url = json!({
            "Effect": "Allow", "Action": "lambda:InvokeFunction", "Principal": "*",
            "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
        });
        let anyhow = json!({"Effect": "Allow", "Action": "lambda:InvokeFunction", "Principal": "*"});
        let (url, function) = (Caller::Public(PublicCall::Url), Caller::Public(PublicCall::Function));
        assert!(says_of(&url, &by_url) && !says_of(&url, &via_url));
        assert!(says_of(&function, &via_url) && !says_of(&function, &anyhow));
    }
}
