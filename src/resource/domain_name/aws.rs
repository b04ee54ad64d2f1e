//! The calls for domains.

use std::collections::BTreeMap;
use std::slice;

use self::owned::Whose;
use super::mappings::{First, Found, Mapping, changes};
use super::{DomainName, Outputs, Version};
use crate::aws::Clients;
use crate::aws::wait::{self, Look};
use crate::fault::{Fault, FaultKind};
use crate::names::Address;
use crate::resource::v2_api::aws::retag;
use crate::resource::{Context, Owner, deployment, is_ours, rest_api, v2_api};

mod first;
mod owned;
mod second;

/// A domain as it stands.
#[derive(Debug, Clone, Default)]
struct Standing {
    endpoint_types: Vec<String>,
    certificate_arn: String,
    security_policy: String,
    hosted_zone_id: String,
    alias_domain_name: String,
    tags: BTreeMap<String, String>,
    /// What AWS calls its status: `AVAILABLE`, `UPDATING`.
    status: String,
}

/// Makes it and leads it to the API. One that is there already and is ours is set up instead; a domain is known to the whole
/// of AWS, so that one look comes before a call of which an account has one in 30 seconds.
///
/// # Errors
///
/// [`FaultKind::Foreign`]: it stands, and is not ours.
pub async fn create(clients: &Clients, wanted: &DomainName, context: &Context) -> Result<Outputs, Fault> {
    let lead = mapping(wanted, context)?;
    if let Some(stands) = get(clients, wanted).await? {
        refuse_foreign(wanted, &stands)?;
        let found = outputs(wanted, &stands);
        return update(clients, (None, wanted), &found, context)
            .await
            .map_err(Fault::of_a_begun_step);
    }
    let made = match wanted.version() {
        Version::First => first::make(clients, wanted, context).await?,
        Version::Second => second::make(clients, wanted, context).await?,
    };
    make_mapping(clients, wanted, &lead, context)
        .await
        .map_err(Fault::of_a_begun_step)?;
    Ok(outputs(wanted, &made))
}

/// Sets what differs: of the domain itself only where `from` is not known or another one; of its mappings whatever does, by
/// a look.
pub async fn update(
    clients: &Clients,
    (from, to): (Option<&DomainName>, &DomainName),
    known: &Outputs,
    context: &Context,
) -> Result<Outputs, Fault> {
    let itself = |domain: &DomainName| {
        let DomainName {
            certificate_arn,
            security_policy,
            endpoint_type,
            tags,
            ..
        } = domain.clone();
        (certificate_arn, security_policy, endpoint_type, tags)
    };
    let lead = mapping(to, context)?;
    let updated = match from {
        Some(from) if itself(from) == itself(to) => Outputs {
            path: to.path.clone(),
            api: Some(to.api.clone()),
            mark: mark(to),
            ..known.clone()
        },
        from => {
            let Some(stands) = get(clients, to).await? else {
                return Box::pin(create(clients, to, context)).await;
            };
            refuse_of_another_stage(to, &stands)?;
            set_up(clients, (from, to), &stands, context).await?;
            outputs(to, &stands)
        }
    };
    let former = map(clients, to, (&lead, known.path.as_deref()), context)
        .await
        .map_err(Fault::of_a_begun_step)?;
    // A path that somebody has led to an API Gateway stage of their own says nothing of that one.
    let ours = former.filter(|former| from.is_some_and(|from| from.stage_name == former.stage_name));
    if let Some(former) = ours {
        leave(clients, to.version(), (&former, &lead), context)
            .await
            .map_err(Fault::of_a_begun_step)?;
    }
    Ok(updated)
}

async fn set_up(
    clients: &Clients,
    (from, to): (Option<&DomainName>, &DomainName),
    stands: &Standing,
    context: &Context,
) -> Result<(), Fault> {
    if !stands.endpoint_types.contains(&to.endpoint_type) {
        let message = format!(
            "it is reached as {}, and AWS makes it {} only in steps with a change of your DNS in between: do these in AWS \
             first, and then deploy again",
            stands.endpoint_types.join(" and "),
            to.endpoint_type
        );
        let operation = "apigateway:UpdateDomainName";
        return Err(Fault::refused(operation, &to.domain_name, FaultKind::Invalid, message));
    }
    if stands.certificate_arn != to.certificate_arn || stands.security_policy != to.security_policy {
        settled(clients, to).await?;
        match to.version() {
            Version::First => first::set(clients, to, stands, context).await?,
            Version::Second => second::set(clients, to, context).await?,
        }
    }
    let path = format!("/domainnames/{}", to.domain_name);
    let before = from.map(|from| &from.tags);
    retag(clients, (&path, &stands.tags), (before, &to.tags), context)
        .await
        .map_err(Fault::of_a_begun_step)
}

/// Leads the domain to the API, and takes away the mapping of a former path. Returns where the path led until now, if
/// elsewhere.
async fn map(
    clients: &Clients,
    domain: &DomainName,
    (wanted, former_path): (&Mapping, Option<&str>),
    context: &Context,
) -> Result<Option<Mapping>, Fault> {
    let (version, name) = (domain.version(), domain.domain_name.as_str());
    let found = mappings(clients, version, name).await?;
    let changes = changes(wanted, former_path, &found);
    match &changes.first {
        First::Leave => {}
        First::Make => make_mapping(clients, domain, wanted, context).await?,
        First::Lead(stands) => {
            let theirs = owned::of_others(clients, slice::from_ref(stands), context).await?;
            if !theirs.is_empty() {
                return Err(owned::refused(name, &theirs));
            }
            match version {
                Version::First => first::lead(clients, name, wanted, context).await?,
                Version::Second => second::lead(clients, name, (&stands.id, wanted), context).await?,
            }
        }
    }
    // A former path of ours that somebody has led elsewhere since is theirs.
    let theirs = owned::of_others(clients, &changes.removed, context).await?;
    for former in changes.removed.iter().filter(|former| !theirs.contains(former)) {
        remove_mapping(clients, (version, name), former, context).await?;
    }
    Ok(match changes.first {
        First::Leave | First::Make => None,
        First::Lead(former) => Some(former.mapping),
    })
}

/// Takes down the API Gateway stage that the domain led to until now, if it is a former one of the same API: AWS has kept
/// it for the domain's sake.
async fn leave(
    clients: &Clients,
    version: Version,
    (former, wanted): (&Mapping, &Mapping),
    context: &Context,
) -> Result<(), Fault> {
    if former.api_id != wanted.api_id || former.stage_name == wanted.stage_name {
        return Ok(());
    }
    let of = (former.api_id.as_str(), former.stage_name.as_str());
    match version {
        Version::First => deployment::aws::take_down(clients, of, context).await,
        Version::Second => v2_api::aws::take_down(clients, of, context).await,
    }
}

async fn make_mapping(
    clients: &Clients,
    domain: &DomainName,
    wanted: &Mapping,
    context: &Context,
) -> Result<(), Fault> {
    match domain.version() {
        Version::First => first::make_mapping(clients, &domain.domain_name, wanted, context).await,
        Version::Second => second::make_mapping(clients, &domain.domain_name, wanted, context).await,
    }
}

async fn remove_mapping(
    clients: &Clients,
    (version, name): (Version, &str),
    former: &Found,
    context: &Context,
) -> Result<(), Fault> {
    let removed = match version {
        Version::First => first::remove_mapping(clients, name, former, context).await,
        Version::Second => second::remove_mapping(clients, name, former, context).await,
    };
    gone(removed)
}

async fn mappings(clients: &Clients, version: Version, name: &str) -> Result<Vec<Found>, Fault> {
    match version {
        Version::First => first::mappings(clients, name).await,
        Version::Second => second::mappings(clients, name).await,
    }
}

/// Removes it with the mappings that are ours. One that bears the marks of another stage by now is not ours any more; one
/// that another resource of the stage has led to its API stays that one's.
///
/// # Errors
///
/// [`FaultKind::Foreign`]: it also leads to APIs that are not of this stage, or its marks are not known to be ours.
pub async fn delete(
    clients: &Clients,
    (was, outputs): (Option<&DomainName>, &Outputs),
    context: &Context,
) -> Result<(), Fault> {
    let name = outputs.domain_name.as_str();
    // Two resources that have the same domain go one after the other: the last one sees that nobody needs it any more.
    let _turn = clients.turns.of(name).await;
    let api = outputs.api.as_ref().or(was.map(|was| &was.api));
    let Some((version, stands)) = find(clients, api, name).await? else {
        return Ok(());
    };
    let mark = was.and_then(mark).or_else(|| outputs.mark.clone());
    match owned::whose(&stands.tags, mark.as_deref()) {
        Whose::Ours => {}
        Whose::Others => return Ok(()),
        Whose::Unknown => {
            let owner = Owner::of_tags(&stands.tags)
                .map(|owner| owner.mark())
                .unwrap_or_default();
            let message = format!("whether it is this stage's is not known, and it bears the mark `{owner}`");
            let operation = "apigateway:DeleteDomainName";
            return Err(Fault::refused(operation, name, FaultKind::Foreign, message));
        }
    }
    let found = mappings(clients, version, name).await?;
    let is_shared = owned::is_led_by_another(&found, (name, api), context);
    let foreign = owned::of_others(clients, &found, context).await?;
    for mapping in found.iter().filter(|found| !foreign.contains(found)) {
        if !is_shared || owned::leads_to(mapping, api, context) {
            remove_mapping(clients, (version, name), mapping, context).await?;
        }
    }
    if is_shared {
        return Ok(());
    }
    if !foreign.is_empty() {
        return Err(owned::refused(name, &foreign).of_a_begun_step());
    }
    let deleted = match version {
        Version::First => first::delete(clients, name, context).await,
        Version::Second => second::delete(clients, name, context).await,
    };
    gone(deleted)
}

/// Looks for a domain in the version of API Gateway that its API is of, and in both where that is not known: the second does
/// not know those that are reached at the edge.
async fn find(clients: &Clients, api: Option<&Address>, name: &str) -> Result<Option<(Version, Standing)>, Fault> {
    let versions = match api {
        Some(api) => vec![Version::of(api)],
        None => vec![Version::Second, Version::First],
    };
    for version in versions {
        if let Some(stands) = standing(clients, version, name).await? {
            return Ok(Some((version, stands)));
        }
    }
    Ok(None)
}

/// Looks for it: one that is known is ours unless it bears the marks of another stage; one that is not, if it bears ours.
pub async fn look(
    clients: &Clients,
    (wanted, known): (&DomainName, Option<&Outputs>),
    _: &Context,
) -> Result<Option<Outputs>, Fault> {
    let Some(stands) = get(clients, wanted).await? else {
        return Ok(None);
    };
    match known {
        Some(known) => {
            refuse_of_another_stage(wanted, &stands)?;
            Ok(Some(known.clone()))
        }
        None => {
            refuse_foreign(wanted, &stands)?;
            Ok(Some(outputs(wanted, &stands)))
        }
    }
}

/// Whether what stands is as it is wanted, our marks aside.
pub async fn stands_as(
    clients: &Clients,
    (wanted, _): (&DomainName, &Outputs),
    context: &Context,
) -> Result<bool, Fault> {
    let lead = mapping(wanted, context)?;
    let Some(stands) = get(clients, wanted).await? else {
        return Ok(false);
    };
    let has_users_tags = wanted
        .tags
        .iter()
        .filter(|(key, _)| !key.starts_with("stagewright:"))
        .all(|(key, value)| stands.tags.get(key) == Some(value));
    if stands.certificate_arn != wanted.certificate_arn
        || stands.security_policy != wanted.security_policy
        || !stands.endpoint_types.contains(&wanted.endpoint_type)
        || !has_users_tags
    {
        return Ok(false);
    }
    let found = mappings(clients, wanted.version(), &wanted.domain_name).await?;
    let changes = changes(&lead, lead.path.as_deref(), &found);
    Ok(changes.first == First::Leave && changes.removed.is_empty())
}

async fn get(clients: &Clients, domain: &DomainName) -> Result<Option<Standing>, Fault> {
    standing(clients, domain.version(), &domain.domain_name).await
}

async fn standing(clients: &Clients, version: Version, name: &str) -> Result<Option<Standing>, Fault> {
    let found = match version {
        Version::First => first::get(clients, name).await,
        Version::Second => second::get(clients, name).await,
    };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Waits until the last change of a domain has ended: AWS takes no other one before.
async fn settled(clients: &Clients, domain: &DomainName) -> Result<(), Fault> {
    let of = ("apigateway:GetDomainName", domain.domain_name.as_str());
    wait::until(clients, of, wait::QUOTA, async || match get(clients, domain).await? {
        Some(stands) if stands.status == "UPDATING" => Ok(Look::NotYet("being updated".to_owned())),
        Some(_) | None => Ok(Look::Ready(())),
    })
    .await
}

/// The tags must be ours: a domain that somebody uses is never taken over in silence.
fn refuse_foreign(wanted: &DomainName, stands: &Standing) -> Result<(), Fault> {
    match is_ours(&wanted.tags, &stands.tags) {
        true => Ok(()),
        false => Err(foreign(wanted, stands)),
    }
}

/// A domain that is known from the state need not bear our tags, but it bears none of another stage.
fn refuse_of_another_stage(wanted: &DomainName, stands: &Standing) -> Result<(), Fault> {
    match Owner::of_tags(&stands.tags) {
        Some(_) => refuse_foreign(wanted, stands),
        None => Ok(()),
    }
}

fn foreign(wanted: &DomainName, stands: &Standing) -> Fault {
    let whose = match Owner::of_tags(&stands.tags) {
        Some(Owner { store, app, stage }) => format!("it is of stage `{stage}` of app `{app}` in {store}"),
        None => format!(
            "it bears no tags of ours; people reach it at `{}`, by the certificate {}",
            stands.alias_domain_name, stands.certificate_arn
        ),
    };
    let message = format!("a domain of this name stands in API Gateway, and {whose}");
    let operation = "apigateway:GetDomainName";
    Fault::refused(operation, &wanted.domain_name, FaultKind::Foreign, message)
}

fn mapping(domain: &DomainName, context: &Context) -> Result<Mapping, Fault> {
    let api_id = match domain.version() {
        Version::First => rest_api::id(&context.outputs, &domain.api)?,
        Version::Second => v2_api::id(&context.outputs, &domain.api)?,
    };
    Ok(Mapping {
        path: domain.path.clone(),
        api_id: api_id.to_owned(),
        stage_name: domain.stage_name.clone(),
    })
}

fn outputs(domain: &DomainName, stands: &Standing) -> Outputs {
    Outputs {
        domain_name: domain.domain_name.clone(),
        hosted_zone_id: stands.hosted_zone_id.clone(),
        alias_domain_name: stands.alias_domain_name.clone(),
        certificate_arn: domain.certificate_arn.clone(),
        security_policy: domain.security_policy.clone(),
        path: domain.path.clone(),
        api: Some(domain.api.clone()),
        mark: mark(domain),
    }
}

fn mark(domain: &DomainName) -> Option<String> {
    Owner::of_tags(&domain.tags).map(|owner| owner.mark())
}

fn gone(ended: Result<(), Fault>) -> Result<(), Fault> {
    match ended {
        Err(fault) if fault.kind == FaultKind::Absent => Ok(()),
        ended => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(stage: &str) -> Owner {
        Owner {
            store: "s3://b/p".to_owned(),
            app: "shop".parse().unwrap(),
            stage: stage.parse().unwrap(),
        }
    }

    fn wanted() -> DomainName {
        DomainName {
            domain_name: "api.example.com".to_owned(),
            certificate_arn: "arn:aws:acm:eu-west-1:123456789012:certificate/c1".to_owned(),
            security_policy: "TLS_1_2".to_owned(),
            endpoint_type: "REGIONAL".to_owned(),
            api: Address::new("v2_api", "websocket_api"),
            stage_name: "api".to_owned(),
            path: None,
            tags: owner("prod").tags(),
        }
    }

    fn standing(tags: BTreeMap<String, String>) -> Standing {
        Standing {
            alias_domain_name: "d-1.execute-api.eu-west-1.amazonaws.com".to_owned(),
            tags,
            ..Standing::default()
        }
    }

    #[test]
    fn a_domain_of_another_stage_is_never_taken_over_even_if_it_was_known() {
        let stands = standing(owner("beta").tags());
        let fault = refuse_of_another_stage(&wanted(), &stands).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Foreign);
        assert!(fault.message.contains("stage `beta` of app `shop`"), "{fault}");
    }

    #[test]
    fn a_domain_without_marks_is_ours_only_if_it_was_known() {
        let stands = standing(BTreeMap::new());
        assert!(refuse_of_another_stage(&wanted(), &stands).is_ok());
        let fault = refuse_foreign(&wanted(), &stands).unwrap_err();
        assert!(fault.message.contains("d-1.execute-api"), "{fault}");
    }

    #[test]
    fn the_api_says_which_version_of_api_gateway_a_domain_belongs_to() {
        assert_eq!(wanted().version(), Version::Second);
        let rest = DomainName {
            api: Address::new("rest_api", "rest_api"),
            ..wanted()
        };
        assert_eq!(rest.version(), Version::First);
    }
}
