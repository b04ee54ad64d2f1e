//! APIs of API Gateway's second version: websocket APIs and HTTP APIs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::events::HttpCors;
use crate::fault::{Fault, FaultKind};
use crate::names::Address;
use crate::resource::{self, Place};

pub mod aws;
pub mod converge;
pub mod cors;

/// An API with its routes, the integrations behind them, and the API Gateway stage that serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct V2Api {
    /// Its name in AWS, which need not be unique.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Name of its one API Gateway stage: `$default` serves an HTTP API without a first segment.
    pub stage_name: String,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Who of another origin may call it, for an HTTP API only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<HttpCors>,
    /// All tags, ours among them: by these we find it again.
    pub tags: BTreeMap<String, String>,
}

/// What an API speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Websockets, with routes by the field `action` of a message.
    Websocket,
    /// HTTP.
    Http,
}

/// Which function answers what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// What is answered: `$connect`, `GET /guests/{id}`.
    pub key: String,
    /// The function.
    pub function: Address,
    /// The function's name in AWS.
    pub function_name: String,
}

/// What AWS told us about an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its id.
    pub id: String,
    /// Where it is served, in AWS's own form: `wss://{id}.execute-api.{region}.amazonaws.com/{stage}/`.
    pub url: String,
}

/// The id of an API of the stage, for what refers to it.
///
/// # Errors
///
/// [`FaultKind::Absent`] where it is not known.
pub fn id<'a>(outputs: &'a BTreeMap<Address, resource::Outputs>, address: &Address) -> Result<&'a str, Fault> {
    match outputs.get(address) {
        Some(resource::Outputs::V2Api(api)) => Ok(&api.id),
        Some(_) | None => {
            let message = "its id is not known, so that nothing can refer to it".to_owned();
            let operation = "apigateway:GetApi";
            Err(Fault::refused(operation, address.as_str(), FaultKind::Absent, message))
        }
    }
}

/// What an integration names to have a function called.
pub fn integration_uri(protocol: Protocol, place: &Place, function_name: &str) -> String {
    let Place { region, partition, .. } = place;
    let arn = place.function_arn(function_name);
    match protocol {
        Protocol::Websocket => {
            format!("arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations")
        }
        Protocol::Http => arn,
    }
}

/// Where an API Gateway stage is served, in AWS's own form.
pub fn url(protocol: Protocol, place: &Place, id: &str, stage_name: &str) -> String {
    let scheme = match protocol {
        Protocol::Websocket => "wss",
        Protocol::Http => "https",
    };
    let host = format!("{id}.execute-api.{}.{}", place.region, place.dns_suffix());
    match stage_name {
        DEFAULT_STAGE => format!("{scheme}://{host}/"),
        stage_name => format!("{scheme}://{host}/{stage_name}/"),
    }
}

/// The API Gateway stage that a URL of [`url`] leads to.
pub fn stage_of(url: &str) -> &str {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    match path.map(|(_, path)| path.trim_end_matches('/')) {
        Some("") | None => DEFAULT_STAGE,
        Some(stage_name) => stage_name,
    }
}

/// The API Gateway stage that is served without a first segment.
const DEFAULT_STAGE: &str = "$default";

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
        }
    }

    #[test]
    fn the_stage_is_read_back_from_a_url() {
        for stage_name in ["api", "$default"] {
            for protocol in [Protocol::Websocket, Protocol::Http] {
                assert_eq!(stage_of(&url(protocol, &place(), "a1", stage_name)), stage_name);
            }
        }
    }

    #[test]
    fn a_url_has_the_form_that_aws_serves() {
        assert_eq!(
            url(Protocol::Websocket, &place(), "a1", "api"),
            "wss://a1.execute-api.eu-west-1.amazonaws.com/api/"
        );
        assert_eq!(
            url(Protocol::Http, &place(), "a1", "$default"),
            "https://a1.execute-api.eu-west-1.amazonaws.com/"
        );
    }

    #[test]
    fn a_websocket_names_a_function_as_chalice_does_and_an_http_api_by_its_arn() {
        assert_eq!(
            integration_uri(Protocol::Websocket, &place(), "shop-prod"),
            "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/\
             arn:aws:lambda:eu-west-1:123456789012:function:shop-prod/invocations"
        );
        assert_eq!(
            integration_uri(Protocol::Http, &place(), "shop-prod"),
            "arn:aws:lambda:eu-west-1:123456789012:function:shop-prod"
        );
    }
}
