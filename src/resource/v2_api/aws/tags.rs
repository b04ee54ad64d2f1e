//! Tags of what API Gateway's second version knows: APIs and domains.

use std::collections::BTreeMap;

use super::patience::patiently;
use crate::aws::{Clients, fault};
use crate::fault::Fault;
use crate::resource::Context;

type Tags = BTreeMap<String, String>;

/// Writes the tags that are missing or different, and takes away those that we wrote once and want no more.
pub async fn retag(
    clients: &Clients,
    (path, found): (&str, &Tags),
    (before, wanted): (Option<&Tags>, &Tags),
    context: &Context,
) -> Result<(), Fault> {
    let place = &context.place;
    let arn = format!("arn:{}:apigateway:{}::{path}", place.partition, place.region);
    let (written, dropped) = difference(found, before, wanted);
    if !dropped.is_empty() {
        const OPERATION: &str = "apigateway:UntagResource";
        patiently(clients, (OPERATION, &arn), async || {
            context.hold.cover(OPERATION, &arn)?;
            let request = clients.gateway_v2.untag_resource().resource_arn(&arn);
            let sent = request.set_tag_keys(Some(dropped.clone())).send().await;
            sent.map(drop).map_err(|error| fault::of(OPERATION, &arn, &error))
        })
        .await?;
    }
    if written.is_empty() {
        return Ok(());
    }
    const OPERATION: &str = "apigateway:TagResource";
    patiently(clients, (OPERATION, &arn), async || {
        context.hold.cover(OPERATION, &arn)?;
        let request = clients.gateway_v2.tag_resource().resource_arn(&arn);
        let tags = written.clone().into_iter().collect();
        let sent = request.set_tags(Some(tags)).send().await;
        sent.map(drop).map_err(|error| fault::of(OPERATION, &arn, &error))
    })
    .await
}

/// What is written, and which keys go. Tags that somebody else wrote stay.
fn difference(found: &Tags, before: Option<&Tags>, wanted: &Tags) -> (Tags, Vec<String>) {
    let differs = |(key, value): &(&String, &String)| found.get(*key) != Some(*value);
    let written = wanted.iter().filter(differs);
    let written = written.map(|(key, value)| (key.clone(), value.clone())).collect();
    let former = before.into_iter().flat_map(BTreeMap::keys);
    let dropped = former.filter(|key| found.contains_key(*key) && !wanted.contains_key(*key));
    (written, dropped.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_what_differs_is_written_and_only_what_was_ours_goes() {
        let found = tags(&[("team", "red"), ("cost", "1"), ("theirs", "x")]);
        let before = tags(&[("team", "red"), ("cost", "1")]);
        let wanted = tags(&[("team", "blue")]);
        let (written, dropped) = difference(&found, Some(&before), &wanted);
        assert_eq!(written, wanted);
        assert_eq!(dropped, ["cost"]);
        assert_eq!(
            difference(&found, None, &tags(&[("team", "red")])),
            (Tags::new(), Vec::new())
        );
    }
}
