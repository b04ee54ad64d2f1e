//! APIs of API Gateway's second version: websocket APIs and HTTP APIs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::events::HttpCors;
use crate::fault::{Fault, FaultKind};
use crate::names::Address;
use crate::resource;

pub mod aws;

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
