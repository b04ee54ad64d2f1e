//! Deployments: what of a REST API is served, at which URL.

use serde::{Deserialize, Serialize};

use crate::app::Tracing;
use crate::names::Address;
use crate::resource::Place;

pub mod aws;

/// An API Gateway stage, and the deployment that it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The REST API.
    pub rest_api: Address,
    /// Name of the API Gateway stage.
    pub stage_name: String,
    /// SHA-256 of the API's document: another one is another deployment.
    pub document: String,
    /// Whether X-Ray traces its requests.
    pub tracing: Tracing,
}

/// What is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Id of the REST API.
    pub rest_api_id: String,
    /// Name of the API Gateway stage.
    pub stage_name: String,
    /// Where it is served, in AWS's own form.
    pub url: String,
}

/// The URL of an API Gateway stage, in AWS's own form.
pub fn url(place: &Place, rest_api_id: &str, stage_name: &str) -> String {
    format!(
        "https://{rest_api_id}.execute-api.{}.{}/{stage_name}/",
        place.region,
        place.dns_suffix()
    )
}
