//! Domains of the user's own, and which API they lead to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::Address;

pub mod aws;
pub mod mappings;

/// A domain in API Gateway, with one mapping to an API of the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainName {
    /// The domain.
    pub domain_name: String,
    /// ARN of its certificate in ACM.
    pub certificate_arn: String,
    /// The oldest TLS that it speaks: `TLS_1_2`.
    pub security_policy: String,
    /// Where it is reached: `EDGE` or `REGIONAL`.
    pub endpoint_type: String,
    /// The API.
    pub api: Address,
    /// The API's API Gateway stage.
    pub stage_name: String,
    /// The first segment of its paths that leads to the API; `None` where all of them do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// All tags, ours among them.
    pub tags: BTreeMap<String, String>,
}

impl DomainName {
    /// Which version of API Gateway has the API that it leads to.
    pub fn version(&self) -> Version {
        Version::of(&self.api)
    }
}

/// A version of API Gateway. A domain is known to both; each maps it to APIs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// That of REST APIs.
    First,
    /// That of websocket APIs and HTTP APIs.
    Second,
}

impl Version {
    /// The version that an API of the stage is of.
    pub fn of(api: &Address) -> Self {
        match api.as_str().starts_with("rest_api/") {
            true => Self::First,
            false => Self::Second,
        }
    }
}

/// What AWS told us about a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The domain.
    pub domain_name: String,
    /// Route 53's id of the zone that the alias is in.
    pub hosted_zone_id: String,
    /// What a DNS record of the domain must name.
    pub alias_domain_name: String,
    /// ARN of its certificate in ACM.
    pub certificate_arn: String,
    /// The oldest TLS that it speaks.
    pub security_policy: String,
    /// The first segment of its paths that leads to the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The API that it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Address>,
    /// Our mark, as [`crate::resource::Owner::mark`] writes it: by this we know our own where no more is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}
