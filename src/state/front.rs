//! Where people find a stage.

use super::State;
use crate::resource::{Outputs, deployment, v2_api};

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

    /// Where people find the stage: its REST API, else its HTTP API, else the URL of its one function that has one, else its
    /// websocket API.
    pub fn front(&self) -> Option<Front<'_>> {
        if let Some(served) = self.served() {
            return Some(Front {
                api: Some((&served.rest_api_id, &served.stage_name)),
                url: &served.url,
            });
        }
        if let Some(served) = self.v2_api("https://") {
            return Some(Front {
                api: Some((&served.id, "$default")),
                url: &served.url,
            });
        }
        let mut urls = Vec::new();
        for deployed in self.deployed.values() {
            if let Outputs::FunctionUrl(function) = &deployed.outputs {
                urls.push(&function.url);
            }
        }
        match (urls.as_slice(), self.v2_api("wss://")) {
            ([url], _) => Some(Front { api: None, url }),
            (_, Some(served)) => Some(Front {
                api: None,
                url: &served.url,
            }),
            (_, None) => None,
        }
    }

    /// The API of the second version whose URL is of a scheme. What it was made of is not known while it is in doubt.
    fn v2_api(&self, scheme: &str) -> Option<&v2_api::Outputs> {
        self.deployed.values().find_map(|deployed| {
            if let Outputs::V2Api(served) = &deployed.outputs
                && served.url.starts_with(scheme)
            {
                return Some(served);
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Address;

    #[test]
    fn an_http_api_that_is_only_known_to_stand_is_still_where_people_find_the_stage() {
        let mut state = State::new("shop".parse().unwrap(), "dev".parse().unwrap(), "salt".to_owned());
        for (name, url) in [("websocket_api", "wss://w/api/"), ("http_api", "https://h/")] {
            let outputs = Outputs::V2Api(v2_api::Outputs {
                id: name.to_owned(),
                url: url.to_owned(),
            });
            state.record(Address::new("v2_api", name), None, outputs);
            assert_eq!(state.front().map(|front| front.url), Some(url));
        }
        let front = state.front().unwrap();
        assert_eq!((front.api, front.url), (Some(("http_api", "$default")), "https://h/"));
    }
}
