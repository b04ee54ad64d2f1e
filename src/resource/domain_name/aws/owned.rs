//! What of a domain is ours: the domain itself, and each path that leads somewhere.

use std::collections::BTreeMap;

use super::super::mappings::Found;
use crate::aws::Clients;
use crate::fault::{Fault, FaultKind};
use crate::names::Address;
use crate::resource::{self, Context, Owner, rest_api, v2_api};

/// Whose a domain is.
#[derive(Debug, PartialEq, Eq)]
pub enum Whose {
    /// It bears our mark, or none at all though we know it.
    Ours,
    /// It bears the mark of another stage.
    Others,
    /// It bears a mark, and we do not know which one is ours.
    Unknown,
}

/// Whose a domain is that bears these tags, where `mark` is ours.
pub fn whose(tags: &BTreeMap<String, String>, mark: Option<&str>) -> Whose {
    match (Owner::of_tags(tags).map(|owner| owner.mark()), mark) {
        (None, _) => Whose::Ours,
        (Some(found), Some(mark)) if found == mark => Whose::Ours,
        (Some(_), Some(_)) => Whose::Others,
        (Some(_), None) => Whose::Unknown,
    }
}

/// The mappings that lead to APIs that stand and are not of the stage.
pub async fn of_others(clients: &Clients, found: &[Found], context: &Context) -> Result<Vec<Found>, Fault> {
    let ours: Vec<&str> = context.outputs.values().filter_map(api_id).collect();
    let mut others = Vec::new();
    for mapping in found {
        let id = mapping.mapping.api_id.as_str();
        // What leads nowhere any more was left by an API of ours that is gone.
        if !ours.contains(&id) && is_there(clients, id).await? {
            others.push(mapping.clone());
        }
    }
    Ok(others)
}

/// The refusal to touch mappings that somebody else made.
pub fn refused(domain_name: &str, theirs: &[Found]) -> Fault {
    let one = |found: &Found| {
        let path = found.mapping.path.as_deref().unwrap_or_default();
        format!("`/{path}` to `{}`", found.mapping.api_id)
    };
    let theirs: Vec<String> = theirs.iter().map(one).collect();
    let message = format!(
        "it leads {}, and no such API is of this stage: remove these mappings in API Gateway if nobody needs them",
        theirs.join(", ")
    );
    Fault::refused("apigateway:GetApiMappings", domain_name, FaultKind::Foreign, message)
}

/// Whether the domain leads to the API of another resource of the stage that has the same domain.
pub fn is_led_by_another(found: &[Found], (domain_name, own): (&str, Option<&Address>), context: &Context) -> bool {
    let others = context.outputs.values().filter_map(|outputs| match outputs {
        resource::Outputs::DomainName(other) if other.domain_name == domain_name => other.api.as_ref(),
        resource::Outputs::DomainName(_)
        | resource::Outputs::RestApi(_)
        | resource::Outputs::V2Api(_)
        | resource::Outputs::Role(_)
        | resource::Outputs::Function(_)
        | resource::Outputs::Permission(_)
        | resource::Outputs::Deployment(_)
        | resource::Outputs::Rule(_)
        | resource::Outputs::Notification(_)
        | resource::Outputs::Subscription(_)
        | resource::Outputs::EventSourceMapping(_)
        | resource::Outputs::Layer(_)
        | resource::Outputs::LogGroup(_)
        | resource::Outputs::FunctionUrl(_) => None,
    });
    let leads = |api: &Address| found.iter().any(|found| leads_to(found, Some(api), context));
    others.filter(|api| Some(*api) != own).any(leads)
}

/// Whether a mapping leads to an API of the stage.
pub fn leads_to(found: &Found, api: Option<&Address>, context: &Context) -> bool {
    let outputs = api.and_then(|api| context.outputs.get(api));
    outputs.and_then(api_id) == Some(found.mapping.api_id.as_str())
}

async fn is_there(clients: &Clients, id: &str) -> Result<bool, Fault> {
    let rest = rest_api::Outputs { id: id.to_owned() };
    let found = match v2_api::aws::is_there(clients, id).await {
        Ok(false) => rest_api::aws::find(clients, &rest).await.map(|found| found.is_some()),
        found => found,
    };
    match found {
        // What we may not even read is nothing of ours.
        Err(fault) if fault.kind == FaultKind::Denied => Ok(true),
        found => found,
    }
}

fn api_id(outputs: &resource::Outputs) -> Option<&str> {
    match outputs {
        resource::Outputs::RestApi(api) => Some(&api.id),
        resource::Outputs::V2Api(api) => Some(&api.id),
        resource::Outputs::Role(_)
        | resource::Outputs::Function(_)
        | resource::Outputs::Permission(_)
        | resource::Outputs::Deployment(_)
        | resource::Outputs::Rule(_)
        | resource::Outputs::Notification(_)
        | resource::Outputs::Subscription(_)
        | resource::Outputs::EventSourceMapping(_)
        | resource::Outputs::DomainName(_)
        | resource::Outputs::Layer(_)
        | resource::Outputs::LogGroup(_)
        | resource::Outputs::FunctionUrl(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_bears_a_mark_is_not_ours_as_long_as_ours_is_not_known() {
        let owner = |stage: &str| Owner {
            store: "s3://b/p".to_owned(),
            app: "shop".parse().unwrap(),
            stage: stage.parse().unwrap(),
        };
        let (prod, beta) = (owner("prod"), owner("beta"));
        assert_eq!(whose(&prod.tags(), Some(&prod.mark())), Whose::Ours);
        assert_eq!(whose(&prod.tags(), Some(&beta.mark())), Whose::Others);
        assert_eq!(whose(&prod.tags(), None), Whose::Unknown);
        assert_eq!(whose(&BTreeMap::new(), None), Whose::Ours);
    }
}
