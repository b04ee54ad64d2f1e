//! The calls for APIs of API Gateway's second version.

use std::collections::BTreeMap;

use aws_sdk_apigatewayv2::config::Builder;
use aws_sdk_apigatewayv2::types::{Api, Cors, ProtocolType};
use aws_smithy_types::retry::RetryConfig;

use self::patience::patiently;
use super::converge::{self, Contents, Wanted};
use super::cors::is_same;
use super::{Outputs, Protocol, V2Api, integration_uri, stage_of, url};
use crate::app::events::HttpCors;
use crate::aws::{Clients, fault};
use crate::fault::{Fault, FaultKind};
use crate::resource::marked::{Marked, Search};
use crate::resource::{self, Context, Owner, is_ours};

mod contents;
pub mod patience;
mod served;
mod tags;

pub use self::served::take_down;
pub use self::tags::retag;

/// So many things a page at most.
pub const PAGE: &str = "500";

/// Makes it. One that is there already and is ours is taken over and completed.
///
/// Names are not unique in API Gateway and the call has no token: it is never retried, and one look by our tags comes
/// before it, so that an API whose record was lost is found again and no second one is made.
pub async fn create(clients: &Clients, wanted: &V2Api, context: &Context) -> Result<Outputs, Fault> {
    if let Some(found) = look(clients, (wanted, None), context).await? {
        return update(clients, (None, wanted), &found, context)
            .await
            .map_err(Fault::of_a_begun_step);
    }
    let id = make(clients, wanted, context).await?;
    let routes = routes(wanted, context);
    let begun = async {
        contents::change(
            clients,
            (wanted.protocol, &id),
            (&routes, &Contents::default()),
            context,
        )
        .await?;
        served::begin(clients, &id, (wanted, &routes), context).await
    };
    begun.await.map_err(Fault::of_a_begun_step)?;
    Ok(outputs(&id, wanted, context))
}

async fn make(clients: &Clients, wanted: &V2Api, context: &Context) -> Result<String, Fault> {
    const OPERATION: &str = "apigateway:CreateApi";
    let name = &wanted.name;
    let made = patiently(clients, (OPERATION, name), async || {
        context.hold.cover(OPERATION, name)?;
        let request = clients
            .gateway_v2
            .create_api()
            .name(name)
            .protocol_type(protocol_type(wanted.protocol))
            .set_route_selection_expression(selection(wanted.protocol))
            .set_cors_configuration(wanted.cors.as_ref().map(cors))
            .set_tags(Some(wanted.tags.clone().into_iter().collect()))
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()));
        request.send().await.map_err(|error| fault::of(OPERATION, name, &error))
    })
    .await?;
    Ok(made.api_id.unwrap_or_default())
}

/// Sets what differs: of the API itself only where `from` is not known or another one; of its routes whatever does, by a
/// look. What is served changes last.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&V2Api>, &V2Api),
    outputs: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let id = &outputs.id;
    let is_itself_the_same =
        from.is_some_and(|from| (&from.name, &from.cors, &from.tags) == (&to.name, &to.cors, &to.tags));
    let stands = match is_itself_the_same {
        true => None,
        false => Some(get(clients, id).await?),
    };
    let found = contents::read(clients, to.protocol, id).await?;
    let routes = routes(to, context);
    let begun = async {
        if let Some(stands) = stands {
            set_up(clients, (from, to), &stands, context).await?;
        }
        contents::change(clients, (to.protocol, id), (&routes, &found), context).await?;
        served::follow(clients, id, (to, &routes, &found), context).await?;
        let former = stage_of(&outputs.url);
        match former == to.stage_name {
            true => Ok(()),
            false => take_down(clients, (id, former), context).await,
        }
    };
    begun.await.map_err(Fault::of_a_begun_step)?;
    Ok(self::outputs(id, to, context))
}

/// Sets name, CORS and tags of an API that stands.
async fn set_up(
    clients: &Clients,
    (from, to): (Option<&V2Api>, &V2Api),
    stands: &Api,
    context: &Context,
) -> Result<(), Fault> {
    let id = stands.api_id().unwrap_or_default();
    let has_other_cors = !same_cors(stands.cors_configuration(), to.cors.as_ref());
    if stands.name() != Some(to.name.as_str()) || (has_other_cors && to.cors.is_some()) {
        const OPERATION: &str = "apigateway:UpdateApi";
        patiently(clients, (OPERATION, id), async || {
            context.hold.cover(OPERATION, id)?;
            let request = clients.gateway_v2.update_api().api_id(id).name(&to.name);
            let request = request.set_cors_configuration(to.cors.as_ref().map(cors));
            let sent = request.send().await;
            sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
        })
        .await?;
    }
    if has_other_cors && to.cors.is_none() {
        const OPERATION: &str = "apigateway:DeleteCorsConfiguration";
        patiently(clients, (OPERATION, id), async || {
            context.hold.cover(OPERATION, id)?;
            let sent = clients.gateway_v2.delete_cors_configuration().api_id(id).send().await;
            sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
        })
        .await?;
    }
    let dropped = from.map(|from| &from.tags);
    let found = tags_of(stands);
    retag(clients, (&format!("/apis/{id}"), &found), (dropped, &to.tags), context).await
}

/// Removes it, with all that it serves.
pub async fn delete(clients: &Clients, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
    const OPERATION: &str = "apigateway:DeleteApi";
    let id = &outputs.id;
    let deleted = patiently(clients, (OPERATION, id), async || {
        context.hold.cover(OPERATION, id)?;
        let sent = clients.gateway_v2.delete_api().api_id(id).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, id, &error))
    });
    match deleted.await {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        deleted => deleted,
    }
}

/// Looks for it: for the known one, or else for what bears our name and tags.
pub async fn look(
    clients: &Clients,
    (wanted, known): (&V2Api, Option<&Outputs>),
    context: &Context,
) -> Result<Option<Outputs>, Fault> {
    if let Some(known) = known {
        return Ok(is_there(clients, &known.id).await?.then(|| known.clone()));
    }
    let ours = ours(clients, wanted).await?;
    Ok(ours.first().map(|id| outputs(id, wanted, context)))
}

/// The other APIs that bear our name and tags.
pub async fn twins(
    clients: &Clients,
    (wanted, stands): (&V2Api, &Outputs),
    context: &Context,
) -> Result<Vec<Outputs>, Fault> {
    let ours = ours(clients, wanted).await?;
    let others = ours.iter().filter(|id| **id != stands.id);
    Ok(others.map(|id| outputs(id, wanted, context)).collect())
}

/// Whether what stands is as it is wanted, our marks aside. What somebody else's deployment serves is not known, and
/// believed to be what stands.
pub async fn stands_as(
    clients: &Clients,
    (wanted, outputs): (&V2Api, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let id = &outputs.id;
    let stands = get(clients, id).await?;
    if stands.name() != Some(wanted.name.as_str())
        || stands.protocol_type() != Some(&protocol_type(wanted.protocol))
        || selection(wanted.protocol).is_some_and(|wanted| stands.route_selection_expression() != Some(&wanted))
        || !same_cors(stands.cors_configuration(), wanted.cors.as_ref())
        || stage_of(&outputs.url) != wanted.stage_name
    {
        return Ok(false);
    }
    let found = contents::read(clients, wanted.protocol, id).await?;
    let routes = routes(wanted, context);
    match converge::changes(&routes, &found).is_nothing() {
        true => served::stands_as(clients, id, (wanted, &routes)).await,
        false => Ok(false),
    }
}

/// Looks for APIs that bear a mark.
///
/// Whose apps have none may well not be allowed to list them: they are told, and the rest is looked for all the same.
pub async fn marked(clients: &Clients, search: &Search<'_>) -> Result<Vec<Marked>, Fault> {
    let marked = |found: Api| {
        let owner = Owner::of_tags(&tags_of(&found))?;
        let id = found.api_id?;
        let url = format!("{}/", found.api_endpoint.unwrap_or_default());
        Some(Marked {
            owner,
            name: found.name.unwrap_or_else(|| id.clone()),
            outputs: resource::Outputs::V2Api(Outputs { id, url }),
        })
    };
    let found = match all(clients, "*").await {
        Err(fault) if fault.kind == FaultKind::Denied => {
            (clients.tell)(&format!("websocket APIs and HTTP APIs are not looked for: {fault}"));
            return Ok(Vec::new());
        }
        found => found?,
    };
    let marked = found.into_iter().filter_map(marked);
    Ok(marked
        .filter(|marked| search.apps.contains(&marked.owner.app) && !search.knows(&marked.outputs))
        .collect())
}

/// Ids of the APIs that bear our name and tags, the oldest first. A stage's websocket API and its HTTP API bear the same
/// tags.
async fn ours(clients: &Clients, wanted: &V2Api) -> Result<Vec<String>, Fault> {
    let mut found = all(clients, &wanted.name).await?;
    found.retain(|found| {
        found.name() == Some(wanted.name.as_str())
            && found.protocol_type() == Some(&protocol_type(wanted.protocol))
            && is_ours(&wanted.tags, &tags_of(found))
    });
    found.sort_by_key(|found| found.created_date().map(|date| (date.secs(), date.subsec_nanos())));
    Ok(found.into_iter().filter_map(|found| found.api_id).collect())
}

async fn all(clients: &Clients, target: &str) -> Result<Vec<Api>, Fault> {
    const OPERATION: &str = "apigateway:GetApis";
    let mut found = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = patiently(clients, (OPERATION, target), async || {
            let request = clients.gateway_v2.get_apis().max_results(PAGE);
            let sent = request.set_next_token(next.clone()).send().await;
            sent.map_err(|error| fault::of(OPERATION, target, &error))
        })
        .await?;
        found.extend(page.items.unwrap_or_default());
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Whether an API of this id stands.
pub async fn is_there(clients: &Clients, id: &str) -> Result<bool, Fault> {
    match get(clients, id).await {
        Ok(_) => Ok(true),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(false),
        Err(fault) => Err(fault),
    }
}

async fn get(clients: &Clients, id: &str) -> Result<Api, Fault> {
    const OPERATION: &str = "apigateway:GetApi";
    let found = patiently(clients, (OPERATION, id), async || {
        let sent = clients.gateway_v2.get_api().api_id(id).send().await;
        sent.map_err(|error| fault::of(OPERATION, id, &error))
    })
    .await?;
    Ok(Api::builder()
        .api_id(id)
        .set_name(found.name)
        .set_protocol_type(found.protocol_type)
        .set_route_selection_expression(found.route_selection_expression)
        .set_cors_configuration(found.cors_configuration)
        .set_tags(found.tags)
        .build())
}

fn routes(api: &V2Api, context: &Context) -> Vec<Wanted> {
    let route = |route: &super::Route| Wanted {
        key: route.key.clone(),
        uri: integration_uri(api.protocol, &context.place, &route.function_name),
    };
    api.routes.iter().map(route).collect()
}

fn outputs(id: &str, wanted: &V2Api, context: &Context) -> Outputs {
    Outputs {
        id: id.to_owned(),
        url: url(wanted.protocol, &context.place, id, &wanted.stage_name),
    }
}

fn tags_of(api: &Api) -> BTreeMap<String, String> {
    api.tags().cloned().unwrap_or_default().into_iter().collect()
}

fn protocol_type(protocol: Protocol) -> ProtocolType {
    match protocol {
        Protocol::Websocket => ProtocolType::Websocket,
        Protocol::Http => ProtocolType::Http,
    }
}

/// What of a message says which route it takes; HTTP APIs have a fixed one.
fn selection(protocol: Protocol) -> Option<String> {
    match protocol {
        Protocol::Websocket => Some("$request.body.action".to_owned()),
        Protocol::Http => None,
    }
}

/// AWS replaces a configuration whole, and takes no empty list in it.
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

fn same_cors(found: Option<&Cors>, wanted: Option<&HttpCors>) -> bool {
    match (found, wanted) {
        (None, None) => true,
        (Some(found), Some(wanted)) => is_same(&told(found), wanted),
        (Some(_), None) | (None, Some(_)) => false,
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
    fn cors_is_told_as_it_was_sent_and_none_is_not_the_same_as_some() {
        let wanted = HttpCors {
            allow_origins: vec!["https://a.example".to_owned()],
            max_age_s: Some(60),
            allow_credentials: true,
            ..HttpCors::default()
        };
        let sent = cors(&wanted);
        assert_eq!(told(&sent), wanted);
        assert!(same_cors(Some(&sent), Some(&wanted)));
        assert!(!same_cors(Some(&sent), None));
        assert!(!same_cors(None, Some(&wanted)));
    }
}
