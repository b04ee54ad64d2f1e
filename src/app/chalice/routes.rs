//! Routes and authorizers of an app, and what Chalice or API Gateway would not take of what it declares.

use std::collections::BTreeSet;

use serde_json::Value;

use super::config::ROUTES_FUNCTION;
use super::discover::{Facts, GuardFacts, RouteFacts};
use super::functions::finding;
use crate::app::paths::{Tree, check_path};
use crate::app::{ApiKey, Authorizer, AuthorizerKind, Cors, Finding, Guard, Route, Severity};

/// Methods that Chalice answers: it compares letters of their case too.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The routes of an app in our words.
pub fn routes(facts: &Facts) -> Vec<Route> {
    facts.routes.iter().map(|route| read(route, facts)).collect()
}

fn read(facts: &RouteFacts, all: &Facts) -> Route {
    let (summary, description) = documentation(&facts.documentation);
    Route {
        path: facts.path.clone(),
        method: facts.method.clone(),
        function: ROUTES_FUNCTION.to_owned(),
        summary,
        description,
        content_types: facts.content_types.clone(),
        api_key: if facts.api_key_required {
            ApiKey::Required
        } else {
            ApiKey::NotNeeded
        },
        cors: facts.cors.clone().map(|headers| Cors { headers }),
        guard: facts.authorizer.as_ref().map(|guard| Guard {
            authorizer: name_in_api(guard, all).to_owned(),
            scopes: guard.scopes.clone(),
        }),
    }
}

/// First line, and the rest if there is any.
fn documentation(lines: &[String]) -> (Option<String>, Option<String>) {
    match lines {
        [] => (None, None),
        [only] => (Some(only.clone()), None),
        [first, rest @ ..] => (Some(first.clone()), Some(rest.join("\n").trim_matches('\n').to_owned())),
    }
}

/// The authorizers that guard routes, each once; of two with one name the last counts, as in Chalice.
pub fn authorizers(facts: &Facts) -> Vec<Authorizer> {
    let mut authorizers: Vec<Authorizer> = Vec::new();
    for guard in guards(facts) {
        let Some(kind) = kind(guard) else { continue };
        let name = name_in_api(guard, facts);
        match authorizers.iter_mut().find(|known| known.name == name) {
            Some(known) => known.kind = kind,
            None => authorizers.push(Authorizer {
                name: name.to_owned(),
                kind,
            }),
        }
    }
    authorizers
}

fn guards(facts: &Facts) -> impl Iterator<Item = &GuardFacts> {
    facts.routes.iter().filter_map(|route| route.authorizer.as_ref())
}

/// The name of an authorizer in the API. A blueprint's prefix is left out of it, so that authorizers of two blueprints
/// can have one name: these are called as their functions are.
fn name_in_api<'a>(guard: &'a GuardFacts, facts: &Facts) -> &'a str {
    let namesake = |other: &GuardFacts| other.name == guard.name && other.function != guard.function;
    match &guard.function {
        Some(function) if guards(facts).any(namesake) => function,
        Some(_) | None => &guard.name,
    }
}

/// Warns of a route that is guarded by another authorizer than the one that it names.
fn namesakes(facts: &Facts) -> Vec<Finding> {
    let authorizers = authorizers(facts);
    let mut findings = Vec::new();
    for route in &facts.routes {
        let Some(guard) = &route.authorizer else { continue };
        let name = name_in_api(guard, facts);
        let found = authorizers.iter().find(|authorizer| authorizer.name == name);
        if let (Some(found), Some(kind)) = (found, kind(guard))
            && found.kind != kind
        {
            let message = format!("two authorizers are called `{name}`: the other one guards this route");
            findings.push(Finding {
                hint: Some("give each authorizer a name of its own".to_owned()),
                ..finding(Severity::Warning, &route.file, route.line, message)
            });
        }
    }
    findings
}

fn kind(guard: &GuardFacts) -> Option<AuthorizerKind> {
    if let Some(function) = &guard.function {
        return Some(AuthorizerKind::Function {
            header: guard.header.clone().unwrap_or_else(|| "Authorization".to_owned()),
            function: function.clone(),
            ttl_s: guard.ttl_s,
            credentials: guard.credentials.clone(),
        });
    }
    let definition = guard.definition.as_ref()?;
    let details = definition.get("x-amazon-apigateway-authorizer");
    let detail = |key: &str| details.and_then(|details| details.get(key));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let header = text(definition.get("name"))?;
    match definition.get("x-amazon-apigateway-authtype")?.as_str()? {
        "awsSigv4" => Some(AuthorizerKind::Iam),
        "cognito_user_pools" => {
            let arns = detail("providerARNs")?.as_array()?;
            let provider_arns = arns.iter().map(|arn| text(Some(arn))).collect::<Option<_>>()?;
            Some(AuthorizerKind::Cognito { header, provider_arns })
        }
        "custom" if detail("type")?.as_str() == Some("token") => Some(AuthorizerKind::Custom {
            header,
            uri: text(detail("authorizerUri"))?,
            ttl_s: detail("authorizerResultTtlInSeconds")?.as_u64()?,
            credentials: text(detail("authorizerCredentials")),
        }),
        _ => None,
    }
}

/// Finds what cannot be deployed of an app's routes, or not as it is meant, and files that would not be packaged.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = path_findings(facts);
    findings.extend(namesakes(facts));
    for route in &facts.routes {
        let message = route_flaw(route, facts);
        findings.extend(message.map(|message| finding(Severity::Error, &route.file, route.line, message)));
        if !METHODS.contains(&route.method.as_str()) {
            let message = format!(
                "Chalice never answers the method `{}` of `{}`",
                route.method, route.path
            );
            let finding = finding(Severity::Warning, &route.file, route.line, message);
            findings.push(Finding {
                hint: Some(format!("Chalice's methods are {}", METHODS.join(", "))),
                ..finding
            });
        }
    }
    findings.extend(facts.unpackaged.iter().map(|file| {
        let message = "the app imports this file, and it is not packaged".to_owned();
        Finding {
            hint: Some("Chalice packages `app.py`, `chalicelib/` and `vendor/`: move it to `chalicelib/`".to_owned()),
            ..finding(Severity::Warning, file, None, message)
        }
    }));
    findings
}

/// What API Gateway would refuse of paths, each told once. Chalice itself refuses those that are empty or end in a slash.
fn path_findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tree = Tree::default();
    let mut seen = BTreeSet::new();
    for route in facts.routes.iter().filter(|route| seen.insert(route.path.as_str())) {
        let path = route.path.as_str();
        if path.is_empty() || (path != "/" && path.ends_with('/')) {
            continue;
        }
        let verdict = match check_path(path) {
            Ok(()) => tree.add(path).map_err(|(why, hint)| (why, Some(hint))),
            Err(why) => Err((format!("path `{path}` {why}"), None)),
        };
        let refused = |(message, hint)| Finding {
            hint,
            ..finding(Severity::Error, &route.file, route.line, message)
        };
        findings.extend(verdict.err().map(refused));
    }
    let first = facts.routes.first();
    let too_many = first.and_then(|first| Some(finding(Severity::Error, &first.file, None, tree.check_count().err()?)));
    findings.extend(too_many);
    findings
}

/// What API Gateway would refuse of a route. Flaws of a whole path are told once, at its first route.
fn route_flaw(route: &RouteFacts, facts: &Facts) -> Option<String> {
    let path = route.path.as_str();
    let of_path: Vec<&RouteFacts> = facts.routes.iter().filter(|other| other.path == path).collect();
    let first = of_path.first().is_some_and(|first| std::ptr::eq(*first, route));
    let mut cors = of_path.iter().filter_map(|route| route.cors.as_ref());
    let one = cors.next();
    if path.is_empty() && first {
        return Some("a route's path cannot be empty".to_owned());
    }
    if path != "/" && path.ends_with('/') && first {
        return Some(format!("a route's path cannot end in a slash: `{path}`"));
    }
    if let Some(one) = one
        && first
    {
        if of_path.iter().any(|route| route.method == "OPTIONS") {
            return Some(format!(
                "`{path}` has both CORS, which answers OPTIONS, and a route for OPTIONS"
            ));
        }
        if cors.any(|other| !same(one, other)) {
            return Some(format!("`{path}` has different CORS configurations"));
        }
    }
    if guarded_by_unknown(route) {
        let name = route.authorizer.as_ref().map_or("", |guard| guard.name.as_str());
        return Some(format!("authorizer `{name}` is none of Chalice's four kinds"));
    }
    let binary = |kind: &&String| facts.binary_types.contains(kind);
    let count = route.content_types.iter().filter(binary).count();
    (count != 0 && count != route.content_types.len()).then(|| {
        let kinds = route.content_types.join(", ");
        format!(
            "content types of `{}` are partly binary, partly not: {kinds}",
            route.view
        )
    })
}

fn guarded_by_unknown(route: &RouteFacts) -> bool {
    route.authorizer.as_ref().is_some_and(|guard| kind(guard).is_none())
}

fn same(one: &[(String, String)], other: &[(String, String)]) -> bool {
    let sorted = |headers: &[(String, String)]| headers.iter().cloned().collect::<BTreeSet<_>>();
    sorted(one) == sorted(other)
}
