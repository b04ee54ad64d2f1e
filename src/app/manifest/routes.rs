//! Routes of a manifest: `METHOD /path`, what API Gateway takes of it, and CORS.

use std::collections::BTreeSet;

use super::{CorsEntry, CorsFields, Manifest};
use crate::app::flaws::{Flaws, did_you_mean};
use crate::app::paths::{Tree, check_path};
use crate::app::yaml::Placed;
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

/// Reads all routes, in the order of the file.
pub fn read(manifest: &Manifest, flaws: &mut Flaws) -> Vec<Route> {
    let cors = manifest.cors.as_ref().and_then(|entry| cors(entry, flaws));
    let mut routes: Vec<Route> = Vec::new();
    let mut tree = Tree::default();
    for (key, function) in manifest.routes.iter() {
        check_function(manifest, function, flaws);
        let Some((method, path)) = method_and_path(key, flaws) else {
            continue;
        };
        if routes.iter().any(|route| route.method == method && route.path == path) {
            flaws.error(key.place, format!("the route `{method} {path}` stands twice"));
            continue;
        }
        if let Err((why, hint)) = tree.add(path) {
            flaws.error_with(key.place, why, Some(hint));
        }
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
    let first = manifest.routes.iter().next().and_then(|(key, _)| key.place);
    flaws.check(first, tree.check_count());
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

/// Finds a route or the like that names a function which is not there.
pub fn check_function(manifest: &Manifest, function: &Placed<String>, flaws: &mut Flaws) {
    if manifest.functions.get(&function.value).is_none() {
        flaws.error_with(
            function.place,
            format!("there is no function `{}`", function.value),
            did_you_mean(&function.value, manifest.functions.names()),
        );
    }
}

/// The two parts of a route, if API Gateway takes them.
pub fn method_and_path<'a>(key: &'a Placed<String>, flaws: &mut Flaws) -> Option<(String, &'a str)> {
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
