//! Where people find a stage.

use super::State;
use crate::resource::v2_api::Protocol;
use crate::resource::{Outputs, Resource, deployment};

/// Where people find a stage.
#[derive(Debug, Clone, Copy)]
pub struct Front<'a> {
    /// Id of the API and name of its API Gateway stage, where it is one.
    pub api: Option<(&'a str, &'a str)>,
    /// The URL in AWS's own form.
    pub url: &'a str,
}

impl State {
    /// What is served: id of the REST API, name of the API Gateway stage, URL.
    pub fn served(&self) -> Option<&deployment::Outputs> {
        self.deployed.values().find_map(|deployed| match &deployed.outputs {
            Outputs::Deployment(deployment) => Some(deployment),
            Outputs::Role(_)
            | Outputs::Function(_)
            | Outputs::RestApi(_)
            | Outputs::Permission(_)
            | Outputs::Rule(_)
            | Outputs::Notification(_)
            | Outputs::Subscription(_)
            | Outputs::EventSourceMapping(_)
            | Outputs::V2Api(_)
            | Outputs::DomainName(_)
            | Outputs::Layer(_)
            | Outputs::LogGroup(_)
            | Outputs::FunctionUrl(_) => None,
        })
    }

    /// Where people find the stage: its REST API, else its HTTP API, else the URL of its one function that has one.
    pub fn front(&self) -> Option<Front<'_>> {
        if let Some(served) = self.served() {
            return Some(Front {
                api: Some((&served.rest_api_id, &served.stage_name)),
                url: &served.url,
            });
        }
        let mut urls = Vec::new();
        for deployed in self.deployed.values() {
            match (&deployed.resource, &deployed.outputs) {
                (Some(Resource::V2Api(api)), Outputs::V2Api(served)) if api.protocol == Protocol::Http => {
                    return Some(Front {
                        api: Some((&served.id, &api.stage_name)),
                        url: &served.url,
                    });
                }
                (_, Outputs::FunctionUrl(function)) => urls.push(&function.url),
                (_, _) => {}
            }
        }
        match urls.as_slice() {
            [url] => Some(Front { api: None, url }),
            [] | [_, _, ..] => None,
        }
    }
}
