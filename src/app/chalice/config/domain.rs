//! `api_gateway_custom_domain` and `websocket_api_custom_domain`: the form of their objects, and what they lead to.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::app::chalice::json::below;
use crate::app::chalice::schema::{self, Flaw};
use crate::app::events::Domain;
use crate::app::flaws::did_you_mean;
use crate::app::limits::{self, Rule, domains};

/// Keys of a domain.
const KEYS: [&str; 5] = ["domain_name", "certificate_arn", "tls_version", "url_prefix", "tags"];

/// What Chalice takes where no version of TLS, or none that it knows, is given.
const TLS_DEFAULT: &str = "TLS_1_2";

/// Finds what is wrong with a domain that is an object.
pub fn flaws(key: &str, value: &Value, pointer: &str) -> Vec<Flaw> {
    let Some(fields) = value.as_object().filter(|fields| !fields.is_empty()) else {
        return Vec::new();
    };
    let mut flaws = Vec::new();
    for required in ["domain_name", "certificate_arn"] {
        if fields.get(required).is_none_or(Value::is_null) {
            let message = format!("`{key}` has no `{required}`");
            flaws.push(Flaw::error(pointer.to_owned(), message));
        }
    }
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let pointer = below(pointer, name);
        let full = format!("{key}.{name}");
        match (name.as_str(), value.as_str()) {
            ("tags", _) => {
                schema::named(&full, value, pointer.clone(), &mut flaws);
                flaws.extend(tag_flaws(value, &pointer));
            }
            (known, None) if KEYS.contains(&known) => flaws.push(schema::wrong(&full, value, "text", pointer)),
            ("domain_name", Some(text)) => flaws.extend(refused(domains::check_domain, text, pointer)),
            ("certificate_arn", Some(text)) => flaws.extend(refused(domains::check_certificate, text, pointer)),
            ("tls_version", Some(text)) => flaws.extend(tls_flaw(text, pointer)),
            ("url_prefix", Some(text)) => {
                let checked = path(text).map_or(Ok(()), |path| domains::check_base_path(&path));
                flaws.extend(checked.err().map(|why| Flaw::error(pointer, why)));
            }
            (unknown, _) => {
                let flaw = Flaw::warning(pointer, format!("unknown key `{unknown}` in `{key}`"));
                flaws.push(Flaw {
                    hint: did_you_mean(unknown, KEYS),
                    ..flaw
                });
            }
        }
    }
    flaws
}

fn refused(rule: Rule, text: &str, pointer: String) -> Option<Flaw> {
    rule(text).err().map(|why| Flaw::error(pointer, why))
}

fn tls_flaw(version: &str, pointer: String) -> Option<Flaw> {
    match version {
        "TLS_1_0" | "TLS_1_2" => None,
        "TLS_1_1" => {
            let message = "API Gateway has no `TLS_1_1`, but `TLS_1_0` and `TLS_1_2`".to_owned();
            Some(Flaw::error(pointer, message))
        }
        other => {
            let message = format!("Chalice does not know `{other}`, and takes `{TLS_DEFAULT}`");
            Some(Flaw::warning(pointer, message))
        }
    }
}

fn tag_flaws(tags: &Value, pointer: &str) -> Vec<Flaw> {
    let tags = tags.as_object().into_iter().flatten();
    let refused = tags.filter_map(|(name, value)| {
        let why = limits::check_tag(name, value.as_str()?).err()?;
        Some(Flaw::error(below(pointer, name), why))
    });
    refused.collect()
}

/// A domain as it was written, once it has no flaws.
pub fn read(value: &Value) -> Option<Domain> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let tags = value.get("tags").and_then(Value::as_object).into_iter().flatten();
    let tags: BTreeMap<String, String> = tags
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let tls_version = text("tls_version").filter(|version| ["TLS_1_0", "TLS_1_2"].contains(version));
    Some(Domain {
        name: text("domain_name")?.to_owned(),
        certificate_arn: text("certificate_arn")?.to_owned(),
        tls_version: tls_version.unwrap_or(TLS_DEFAULT).to_owned(),
        path: text("url_prefix").and_then(path),
        tags,
    })
}

/// The segment that leads to the API; Chalice writes none as `/` or as `(none)`.
fn path(url_prefix: &str) -> Option<String> {
    let bare = url_prefix.trim_matches('/');
    (!bare.is_empty() && bare != "(none)").then(|| bare.to_owned())
}
