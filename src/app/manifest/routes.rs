//! Routes of a manifest: `METHOD /path`, what API Gateway takes of it, and CORS.

use std::collections::{BTreeMap, BTreeSet};

use super::{CorsEntry, CorsFields, Manifest};
use crate::app::yaml::{Flaws, Place, Placed, did_you_mean};
use crate::app::{ApiKey, Cors, Route};

/// Methods that a route may have.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];

/// Headers that a browser may always send, as Chalice allows them.
const ALLOWED_HEADERS: [&str; 5] = [
    "Authorization",
    "Content-Type",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Api-Key",
];

/// Resources that a REST API may have: each path, and each beginning of a path, is one.
/// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>.
const RESOURCES: usize = 300;

/// Reads all routes, in the order of the file.
pub fn read(manifest: &Manifest, flaws: &mut Flaws) -> Vec<Route> {
    let cors = manifest.cors.as_ref().and_then(|entry| cors(entry, flaws));
    let mut routes: Vec<Route> = Vec::new();
    let mut siblings = Siblings::default();
    for (key, function) in manifest.routes.iter() {
        check_function(manifest, function, flaws);
        let Some((method, path)) = method_and_path(key, flaws) else {
            continue;
        };
        if routes.iter().any(|route| route.method == method && route.path == path) {
            flaws.error(key.place, format!("the route `{method} {path}` stands twice"));
            continue;
        }
        siblings.add(path, key.place, flaws);
        routes.push(Route {
            path: path.to_owned(),
            method,
            function: function.value.clone(),
            summary: None,
            description: None,
            content_types: vec!["application/json".to_owned()],
            api_key: ApiKey::NotNeeded,
            cors: cors.clone(),
            guard: None,
        });
    }
    siblings.check_count(manifest, flaws);
    leave_preflight_to_its_own_routes(&mut routes);
    routes
}

/// A path with an `OPTIONS` route of its own answers browsers itself.
fn leave_preflight_to_its_own_routes(routes: &mut [Route]) {
    let own: BTreeSet<String> = routes
        .iter()
        .filter(|route| route.method == "OPTIONS")
        .map(|route| route.path.clone())
        .collect();
    for route in routes.iter_mut().filter(|route| own.contains(&route.path)) {
        route.cors = None;
    }
}

fn check_function(manifest: &Manifest, function: &Placed<String>, flaws: &mut Flaws) {
    if manifest.functions.get(&function.value).is_none() {
        flaws.error_with(
            function.place,
            format!("there is no function `{}`", function.value),
            did_you_mean(&function.value, manifest.functions.names()),
        );
    }
}

fn method_and_path<'a>(key: &'a Placed<String>, flaws: &mut Flaws) -> Option<(String, &'a str)> {
    let Some((method, path)) = key.value.split_once(char::is_whitespace) else {
        let message = format!(
            "route `{}` is not a method and a path, like `GET /guests/{{id}}`",
            key.value
        );
        flaws.error(key.place, message);
        return None;
    };
    if !METHODS.contains(&method) {
        let known = METHODS.join(", ");
        let hint = did_you_mean(method, METHODS).or(Some(format!("known are {known}")));
        flaws.error_with(key.place, format!("unknown method `{method}`"), hint);
        return None;
    }
    let path = path.trim();
    if let Err(why) = check_path(path) {
        flaws.error(key.place, format!("path `{path}` {why}"));
        return None;
    }
    Some((method.to_owned(), path))
}

fn check_path(path: &str) -> Result<(), String> {
    let Some(inner) = path.strip_prefix('/') else {
        return Err("does not begin with `/`".to_owned());
    };
    if inner.is_empty() {
        return Ok(());
    }
    if inner.ends_with('/') {
        return Err("ends with `/`".to_owned());
    }
    let segments: Vec<_> = inner.split('/').collect();
    let mut parameters = BTreeSet::new();
    for (index, segment) in segments.iter().enumerate() {
        match parameter(segment)? {
            Some((name, Greed::Greedy)) if index + 1 < segments.len() => {
                return Err(format!("has `{{{name}+}}` before its end, and it takes all the rest"));
            }
            Some((name, Greed::Greedy | Greed::One)) if !parameters.insert(name) => {
                return Err(format!("has the parameter `{name}` twice"));
            }
            Some(_) => {}
            None => check_segment(segment)?,
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greed {
    One,
    Greedy,
}

/// The name of the parameter that a segment is, if it is one.
fn parameter(segment: &str) -> Result<Option<(&str, Greed)>, String> {
    let braces = segment.matches(['{', '}']).count();
    let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return match braces {
            0 => Ok(None),
            _ if segment.matches('{').count() == segment.matches('}').count() => {
                Err(format!("has `{segment}`, and a parameter must be a whole segment"))
            }
            _ => Err(format!("has an unbalanced brace in `{segment}`")),
        };
    };
    let (name, greed) = name
        .strip_suffix('+')
        .map_or((name, Greed::One), |name| (name, Greed::Greedy));
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_taken) {
        return Err(format!(
            "has the parameter `{segment}`, whose name API Gateway does not take"
        ));
    }
    Ok(Some((name, greed)))
}

fn check_segment(segment: &str) -> Result<(), String> {
    if segment.is_empty() {
        return Err("has `//`".to_owned());
    }
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    match segment.chars().find(|c| !is_taken(c)) {
        Some(c) => Err(format!(
            "has the character `{c}`, and API Gateway takes letters, digits, `.`, `_`, `-` and `:`"
        )),
        None => Ok(()),
    }
}

/// The parameter below each beginning of a path: API Gateway takes one.
#[derive(Default)]
struct Siblings {
    parameters: BTreeMap<String, String>,
    resources: BTreeSet<String>,
}

impl Siblings {
    fn add(&mut self, path: &str, place: Place, flaws: &mut Flaws) {
        let mut parent = String::new();
        for segment in path.split('/').skip(1).filter(|segment| !segment.is_empty()) {
            if segment.starts_with('{') {
                let known = self
                    .parameters
                    .entry(parent.clone())
                    .or_insert_with(|| segment.to_owned());
                if known != segment {
                    let message = format!(
                        "path `{path}` has `{segment}` where another route has `{known}`, and API Gateway takes one \
                         parameter at a level"
                    );
                    flaws.error_with(place, message, Some(format!("name it `{known}` in both")));
                }
            }
            parent.push('/');
            parent.push_str(segment);
            self.resources.insert(parent.clone());
        }
    }

    fn check_count(&self, manifest: &Manifest, flaws: &mut Flaws) {
        let count = self.resources.len() + 1;
        if count > RESOURCES {
            let place = manifest.routes.iter().next().and_then(|(key, _)| key.place);
            flaws.error(
                place,
                format!("the routes need {count} resources in API Gateway, and {RESOURCES} is the limit"),
            );
        }
    }
}

fn cors(entry: &Placed<CorsEntry>, flaws: &mut Flaws) -> Option<Cors> {
    let nothing = CorsFields {
        allow_origin: None,
        allow_headers: Vec::new(),
        expose_headers: Vec::new(),
        max_age: None,
        allow_credentials: None,
    };
    match &entry.value {
        CorsEntry::Switch(false) => None,
        CorsEntry::Switch(true) => Some(cors_headers(&nothing)),
        CorsEntry::Fields(fields) => {
            check_cors(fields, flaws);
            Some(cors_headers(fields))
        }
    }
}

fn check_cors(fields: &CorsFields, flaws: &mut Flaws) {
    let texts = fields.allow_origin.iter().chain(&fields.allow_headers);
    for text in texts.chain(&fields.expose_headers) {
        if text.value.is_empty() || text.value.contains(|c: char| c == '\'' || c.is_ascii_control()) {
            flaws.error(
                text.place,
                format!("`{}` cannot stand in a header", text.value.escape_debug()),
            );
        }
    }
    let is_anybody = fields.allow_origin.as_ref().is_none_or(|origin| origin.value == "*");
    if let Some(credentials) = fields.allow_credentials.as_ref().filter(|it| it.value && is_anybody) {
        flaws.error_with(
            credentials.place,
            "browsers refuse `allow_credentials` where any origin may call",
            Some("name the origin: `allow_origin: https://example.com`".to_owned()),
        );
    }
}

fn cors_headers(fields: &CorsFields) -> Cors {
    let origin = fields.allow_origin.as_ref().map_or("*", |origin| &origin.value);
    let allowed: BTreeSet<&str> = fields
        .allow_headers
        .iter()
        .map(|header| header.value.as_str())
        .chain(ALLOWED_HEADERS)
        .collect();
    let allowed: Vec<_> = allowed.into_iter().collect();
    let mut headers = vec![
        ("Access-Control-Allow-Origin".to_owned(), origin.to_owned()),
        ("Access-Control-Allow-Headers".to_owned(), allowed.join(",")),
    ];
    if !fields.expose_headers.is_empty() {
        let exposed: Vec<_> = fields
            .expose_headers
            .iter()
            .map(|header| header.value.as_str())
            .collect();
        headers.push(("Access-Control-Expose-Headers".to_owned(), exposed.join(",")));
    }
    if let Some(seconds) = fields.max_age {
        headers.push(("Access-Control-Max-Age".to_owned(), seconds.to_string()));
    }
    if fields.allow_credentials.as_ref().is_some_and(|it| it.value) {
        headers.push(("Access-Control-Allow-Credentials".to_owned(), "true".to_owned()));
    }
    Cors { headers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_refused_for_what_api_gateway_would_refuse() {
        for path in ["/", "/a", "/guests/{id}", "/files/{proxy+}", "/a/{x.y}/b:c"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        let refused = [
            ("a", "does not begin with `/`"),
            ("/a/", "ends with `/`"),
            ("/a//b", "has `//`"),
            ("/a/{id", "unbalanced brace in `{id`"),
            ("/a/x{id}", "must be a whole segment"),
            ("/a/{p+}/b", "before its end"),
            ("/{id}/{id}", "the parameter `id` twice"),
            ("/{}", "whose name API Gateway does not take"),
            ("/a b", "the character ` `"),
            ("/ä", "the character `ä`"),
        ];
        for (path, why) in refused {
            let told = check_path(path).unwrap_err();
            assert!(told.contains(why), "{path}: {told}");
        }
    }
}
