//! The calls for URLs of functions.

use aws_sdk_lambda::types::{Cors, FunctionUrlAuthType};

use super::{FunctionUrl, Outputs};
use crate::app::events::{HttpCors, UrlAccess};
use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;
use crate::resource::v2_api::aws::patience::patiently;
use crate::resource::v2_api::cors::is_same;

/// Makes it. A function has one URL at most: one that is there already is ours as the function is, and is set up.
pub async fn create(clients: &Clients, wanted: &FunctionUrl, context: &Context) -> Result<Outputs, Fault> {
    const OPERATION: &str = "lambda:CreateFunctionUrlConfig";
    let name = &wanted.function_name;
    let turn = clients.turns.of(name).await;
    let made = patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .lambda
            .create_function_url_config()
            .function_name(name)
            .auth_type(auth_type(wanted.access))
            .set_cors(wanted.cors.as_ref().map(cors));
        request.send().await.map_err(|error| fault::of(OPERATION, name, &error))
    });
    let made = made.await;
    drop(turn);
    match made {
        Ok(made) => Ok(outputs(name, made.function_url)),
        Err(fault) if fault.kind == FaultKind::Conflict => {
            match get(clients, name).await.map_err(Fault::of_a_begun_step)? {
                Some(_) => set(clients, wanted, context).await.map_err(Fault::of_a_begun_step),
                None => Err(fault),
            }
        }
        Err(fault) => Err(fault),
    }
}

/// Sets access and CORS, which are one call.
pub async fn update(
    clients: &Clients,
    (_, to): (Option<&FunctionUrl>, &FunctionUrl),
    _: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    set(clients, to, context).await
}

async fn set(clients: &Clients, wanted: &FunctionUrl, context: &Context) -> Result<Outputs, Fault> {
    const OPERATION: &str = "lambda:UpdateFunctionUrlConfig";
    let name = &wanted.function_name;
    let _turn = clients.turns.of(name).await;
    let set = patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        // An empty one takes a former configuration away; none at all would leave it.
        let cors = wanted.cors.as_ref().map_or_else(|| Cors::builder().build(), cors);
        let request = clients
            .lambda
            .update_function_url_config()
            .function_name(name)
            .auth_type(auth_type(wanted.access))
            .cors(cors);
        request.send().await.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    Ok(outputs(name, set.function_url))
}

/// Removes it. A function that is gone has none.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "lambda:DeleteFunctionUrlConfig";
    let name = &outputs.function_name;
    let _turn = clients.turns.of(name).await;
    let deleted = patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients.lambda.delete_function_url_config().function_name(name);
        let sent = request.send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, name, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        deleted => deleted,
    }
}

/// Looks for the function's URL. Another function of that name would have another one: what is told now counts.
pub async fn look(
    clients: &Clients,
    (wanted, _): (&FunctionUrl, Option<&Outputs>),
    _: &Context,
) -> Result<Option<Outputs>, Fault> {
    let found = get(clients, &wanted.function_name).await?;
    Ok(found.map(|found| outputs(&wanted.function_name, found.url)))
}

/// Whether what stands is as it is wanted.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&FunctionUrl, &Outputs),
    _: &Context,
) -> Result<bool, Fault> {
    let found = get(clients, &wanted.function_name).await?;
    Ok(found.is_some_and(|found| {
        found.url == outputs.url
            && found.auth_type == auth_type(wanted.access)
            && same_cors(found.cors.as_ref(), wanted.cors.as_ref())
    }))
}

struct Found {
    url: String,
    auth_type: FunctionUrlAuthType,
    cors: Option<Cors>,
}

async fn get(clients: &Clients, name: &str) -> Result<Option<Found>, Fault> {
    const OPERATION: &str = "lambda:GetFunctionUrlConfig";
    let found = wait::throttled(clients, (OPERATION, name), async || {
        let sent = clients
            .lambda
            .get_function_url_config()
            .function_name(name)
            .send()
            .await;
        sent.map_err(|error| fault::of(OPERATION, name, &error))
    });
    match found.await {
        Ok(found) => Ok(Some(Found {
            url: found.function_url,
            auth_type: found.auth_type,
            cors: found.cors,
        })),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn outputs(function_name: &str, url: String) -> Outputs {
    Outputs {
        function_name: function_name.to_owned(),
        url,
    }
}

fn auth_type(access: UrlAccess) -> FunctionUrlAuthType {
    match access {
        UrlAccess::Public => FunctionUrlAuthType::None,
        UrlAccess::Iam => FunctionUrlAuthType::AwsIam,
    }
}

fn cors(wanted: &HttpCors) -> Cors {
    let some_of = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    Cors::builder()
        .set_allow_origins(some_of(&wanted.allow_origins))
        .set_allow_methods(some_of(&wanted.allow_methods))
        .set_allow_headers(some_of(&wanted.allow_headers))
        .set_expose_headers(some_of(&wanted.expose_headers))
        .set_max_age(wanted.max_age_s.map(|age| i32::try_from(age).unwrap_or(i32::MAX)))
        .allow_credentials(wanted.allow_credentials)
        .build()
}

/// An empty configuration is the same as none.
fn same_cors(found: Option<&Cors>, wanted: Option<&HttpCors>) -> bool {
    let found = found.map(told).unwrap_or_default();
    match wanted {
        Some(wanted) => is_same(&found, wanted),
        None => is_same(&found, &HttpCors::default()),
    }
}

/// What AWS says of who of another origin may call.
fn told(cors: &Cors) -> HttpCors {
    HttpCors {
        allow_origins: cors.allow_origins().to_vec(),
        allow_methods: cors.allow_methods().to_vec(),
        allow_headers: cors.allow_headers().to_vec(),
        expose_headers: cors.expose_headers().to_vec(),
        max_age_s: cors.max_age().and_then(|age| u32::try_from(age).ok()),
        allow_credentials: cors.allow_credentials().unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_cors_is_the_same_as_one_whose_cors_was_taken_away() {
        let empty = Cors::builder().allow_credentials(false).build();
        let wanted = HttpCors {
            allow_origins: vec!["*".to_owned()],
            ..HttpCors::default()
        };
        assert!(same_cors(Some(&empty), None));
        assert!(same_cors(None, None));
        assert!(!same_cors(Some(&empty), Some(&wanted)));
        assert!(!same_cors(Some(&cors(&wanted)), None));
    }
}
