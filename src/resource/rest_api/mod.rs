//! REST APIs of API Gateway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::{Fault, FaultKind};
use crate::names::Address;
use crate::resource::{self, Place};

pub mod aws;
pub mod document;
pub mod standing;

/// A REST API.
///
/// Its name need not be unique in AWS; what tells it from others is the mark in its document's description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestApi {
    /// The Swagger 2.0 document, whose description is our mark.
    pub document: Value,
    /// Where it is reached: `EDGE`, `REGIONAL` or `PRIVATE`.
    pub endpoint_type: String,
    /// Smallest answer in bytes that is compressed, 0 to 10,485,760; `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_compression_size: Option<u32>,
}

impl RestApi {
    /// What tells this API from others of its name.
    pub fn mark(&self) -> &str {
        self.document["info"]["description"].as_str().unwrap_or_default()
    }
}

/// What AWS told us about a REST API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its id.
    pub id: String,
}

/// The id of a REST API that other resources refer to.
///
/// # Errors
///
/// [`FaultKind::Absent`]: it is not known, so that what refers to it cannot be made.
pub fn id<'a>(outputs: &'a BTreeMap<Address, resource::Outputs>, address: &Address) -> Result<&'a str, Fault> {
    match outputs.get(address) {
        Some(resource::Outputs::RestApi(api)) => Ok(&api.id),
        Some(_) | None => {
            let message = "its id is not known, so that nothing can refer to it".to_owned();
            Err(Fault::refused(
                "apigateway:GetRestApi",
                address.as_str(),
                FaultKind::Absent,
                message,
            ))
        }
    }
}

/// The ARN of every call of a REST API, as permissions name it.
pub fn execution_arn(place: &Place, id: &str) -> String {
    let Place {
        account,
        region,
        partition,
    } = place;
    format!("arn:{partition}:execute-api:{region}:{account}:{id}/*")
}
