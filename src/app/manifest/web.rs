//! Addresses of an app beside its REST API: URLs of functions, the HTTP API, the websocket API, and domains.

use super::either::SwitchOr;
use super::routes::{check_function, method_and_path};
use super::substitution::on_stage;
use super::web_entries::{AccessEntry, DomainEntry, HttpCorsFields, HttpEntry, TlsEntry, UrlFields};
use super::{Manifest, StageEntry, texts};
use crate::app::App;
use crate::app::events::{Domain, FunctionUrl, HttpApi, HttpCors, UrlAccess, Websocket};
use crate::app::flaws::{Flaws, Place, did_you_mean};
use crate::app::limits::{check_api_stage, check_tag, domains};
use crate::app::yaml::{Placed, Table};
use crate::names::StageName;

/// Routes that API Gateway has for a websocket beside those of messages.
const OCCASIONS: [&str; 3] = ["$connect", "$disconnect", "$default"];

/// What fits whatever fits no other route.
const DEFAULT: &str = "$default";

/// The first segment of a websocket API's path, where nothing is said.
const STAGE_NAME: &str = "api";

/// Methods that a browser asks an HTTP API or a URL for.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Routes that an API of the second version may have.
/// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const ROUTES: usize = 300;

/// Seconds for which a browser keeps the answer to its question, at most.
const MAX_AGE_S: u32 = 86_400;

/// Which kind of API a domain leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// To a REST API, through CloudFront's points of presence.
    Edge,
    /// To a REST API of its Region.
    Regional,
    /// To a websocket or an HTTP API.
    SecondVersion,
}

/// A function's URL, if it has one on the stage.
pub fn url(entry: Option<&Placed<SwitchOr<UrlFields>>>, flaws: &mut Flaws) -> Option<FunctionUrl> {
    match &entry?.value {
        SwitchOr::Switch(false) => None,
        SwitchOr::Switch(true) => Some(FunctionUrl {
            access: UrlAccess::Public,
            cors: None,
        }),
        SwitchOr::Fields(fields) => {
            let cors = fields.cors.as_ref().and_then(|cors| self::cors(cors, flaws));
            let methods = cors.iter().flat_map(|cors| &cors.allow_methods);
            if let Some(cors) = fields
                .cors
                .as_ref()
                .filter(|_| methods.into_iter().any(|method| method == "OPTIONS"))
            {
                let message = "a function's URL takes no `OPTIONS` in `allow_methods`: it answers it itself";
                flaws.error(cors.place, message);
            }
            Some(FunctionUrl {
                access: match fields.access {
                    AccessEntry::Public => UrlAccess::Public,
                    AccessEntry::Iam => UrlAccess::Iam,
                },
                cors,
            })
        }
    }
}

/// The HTTP API, if the app has one.
pub fn http_api(manifest: &Manifest, stage: &StageName, changed: &StageEntry, flaws: &mut Flaws) -> Option<HttpApi> {
    if let (None, Some(changed)) = (&manifest.http, &changed.http) {
        flaws.error(changed.place, "this app has no `http`");
    }
    let entry = manifest.http.as_ref()?;
    let HttpEntry { routes, cors, domain } = &entry.value;
    check_routes(manifest, "http", routes, flaws);
    let own = changed.http.as_ref().and_then(|changed| changed.value.domain.as_ref());
    let mut read: Vec<(String, String)> = Vec::new();
    for (key, function) in routes.value.iter() {
        let route = match key.value.as_str() {
            DEFAULT => Some(DEFAULT.to_owned()),
            _ => method_and_path(key, flaws).map(|(method, path)| format!("{method} {path}")),
        };
        let Some(route) = route else { continue };
        if read.iter().any(|(known, _)| *known == route) {
            flaws.error(key.place, format!("the route `{route}` stands twice"));
            continue;
        }
        read.push((route, function.value.clone()));
    }
    Some(HttpApi {
        routes: read,
        cors: cors.as_ref().and_then(|cors| self::cors(cors, flaws)),
        domain: self::domain(own.or(domain.as_ref()), stage, Leads::SecondVersion, flaws),
    })
}

/// The websocket API, if the app has one.
pub fn websocket(manifest: &Manifest, stage: &StageName, changed: &StageEntry, flaws: &mut Flaws) -> Option<Websocket> {
    if let (None, Some(changed)) = (&manifest.websocket, &changed.websocket) {
        flaws.error(changed.place, "this app has no `websocket`");
    }
    let entry = &manifest.websocket.as_ref()?.value;
    check_routes(manifest, "websocket", &entry.routes, flaws);
    let routes = &entry.routes.value;
    for (key, _) in routes.iter() {
        check_occasion(key, flaws);
    }
    if let Some(name) = &entry.stage_name {
        flaws.check(name.place, check_api_stage(&name.value));
    }
    let own = changed.websocket.as_ref();
    let own = own.and_then(|changed| changed.value.domain.as_ref());
    let routes = routes
        .iter()
        .map(|(key, function)| (key.value.clone(), function.value.clone()));
    Some(Websocket {
        stage_name: entry
            .stage_name
            .as_ref()
            .map_or_else(|| STAGE_NAME.to_owned(), |name| name.value.clone()),
        routes: routes.collect(),
        domain: domain(own.or(entry.domain.as_ref()), stage, Leads::SecondVersion, flaws),
    })
}

fn check_routes(manifest: &Manifest, key: &str, routes: &Placed<Table<Placed<String>>>, flaws: &mut Flaws) {
    let count = routes.value.names().count();
    match count {
        0 => flaws.error(routes.place, format!("`routes` of `{key}` is empty")),
        1..=ROUTES => {}
        _ => flaws.error(routes.place, format!("{count} routes, and {ROUTES} is the limit")),
    }
    for (_, function) in routes.value.iter() {
        check_function(manifest, function, flaws);
    }
}

fn check_occasion(key: &Placed<String>, flaws: &mut Flaws) {
    let name = key.value.as_str();
    if name.starts_with('$') {
        if !OCCASIONS.contains(&name) {
            let known = format!("known are {}", OCCASIONS.join(", "));
            let hint = did_you_mean(name, OCCASIONS).or(Some(known));
            flaws.error_with(key.place, format!("unknown route `{name}` of a websocket"), hint);
        }
    } else if name.is_empty() || name.len() > 128 {
        flaws.error(
            key.place,
            format!("the route `{name}` of a websocket has no 1 to 128 characters"),
        );
    }
}

/// Who of another origin may call; `None` for nobody.
fn cors(entry: &Placed<SwitchOr<HttpCorsFields>>, flaws: &mut Flaws) -> Option<HttpCors> {
    let anybody = HttpCorsFields::default();
    let fields = match &entry.value {
        SwitchOr::Switch(false) => return None,
        SwitchOr::Switch(true) => &anybody,
        SwitchOr::Fields(fields) => {
            check_cors(fields, flaws);
            fields
        }
    };
    let listed = |list: &Option<Vec<Placed<String>>>| match list {
        None => vec!["*".to_owned()],
        Some(list) => list.iter().map(|text| text.value.clone()).collect(),
    };
    Some(HttpCors {
        allow_origins: listed(&fields.allow_origins),
        allow_methods: listed(&fields.allow_methods),
        allow_headers: listed(&fields.allow_headers),
        expose_headers: fields.expose_headers.iter().map(|text| text.value.clone()).collect(),
        max_age_s: fields.max_age.as_ref().map(|seconds| seconds.value),
        allow_credentials: is_credited(fields),
    })
}

fn is_credited(fields: &HttpCorsFields) -> bool {
    fields.allow_credentials.as_ref().is_some_and(|it| it.value)
}

fn check_cors(fields: &HttpCorsFields, flaws: &mut Flaws) {
    for method in fields.allow_methods.iter().flatten() {
        let name = method.value.as_str();
        if name != "*" && !METHODS.contains(&name) {
            let known = format!("known are {} and *", METHODS.join(", "));
            let hint = did_you_mean(name, METHODS).or(Some(known));
            flaws.error_with(method.place, format!("unknown method `{name}`"), hint);
        }
    }
    for origin in fields.allow_origins.iter().flatten() {
        let origin_of = |text: &str| {
            text.split_once("://")
                .is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'))
        };
        if origin.value != "*" && !origin_of(&origin.value) {
            let message = format!("`{}` is not an origin, like `https://example.com`", origin.value);
            flaws.error(origin.place, message);
        }
    }
    if let Some(seconds) = fields.max_age.as_ref().filter(|seconds| seconds.value > MAX_AGE_S) {
        let message = format!("a `max_age` of {} s is outside 0 to {MAX_AGE_S} s", seconds.value);
        flaws.error(seconds.place, message);
    }
    let is_anybody = fields
        .allow_origins
        .as_ref()
        .is_none_or(|origins| origins.iter().any(|origin| origin.value == "*"));
    if let Some(credentials) = fields.allow_credentials.as_ref().filter(|it| it.value && is_anybody) {
        flaws.error_with(
            credentials.place,
            "browsers refuse `allow_credentials` where any origin may call",
            Some("name the origins: `allow_origins: [https://example.com]`".to_owned()),
        );
    }
}

/// A domain on a stage.
pub fn domain(
    entry: Option<&Placed<DomainEntry>>,
    stage: &StageName,
    leads: Leads,
    flaws: &mut Flaws,
) -> Option<Domain> {
    let DomainEntry {
        name,
        certificate_arn,
        tls_version,
        path,
        tags,
    } = &entry?.value;
    let domain = on_stage(name, stage, domains::check_domain, flaws);
    flaws.check(
        certificate_arn.place,
        domains::check_certificate(&certificate_arn.value),
    );
    if leads == Leads::Edge && !certificate_arn.value.contains(":us-east-1:") {
        let message = "the certificate of an `edge` API's domain must stand in us-east-1";
        flaws.error(certificate_arn.place, message);
    }
    if let Some(path) = path {
        flaws.check(path.place, domains::check_base_path(&path.value));
    }
    for (key, value) in tags.iter() {
        flaws.check(key.place, check_tag(&key.value, &value.value));
    }
    let tls = match tls_version {
        Some(Placed {
            value: TlsEntry::Tls10,
            place,
        }) => {
            check_old_tls(*place, leads, flaws);
            TlsEntry::Tls10
        }
        Some(Placed {
            value: TlsEntry::Tls12, ..
        })
        | None => TlsEntry::Tls12,
    };
    Some(Domain {
        name: domain,
        certificate_arn: certificate_arn.value.clone(),
        tls_version: tls.as_str().to_owned(),
        path: path.as_ref().map(|path| path.value.clone()),
        tags: texts(tags),
    })
}

fn check_old_tls(place: Place, leads: Leads, flaws: &mut Flaws) {
    match leads {
        Leads::SecondVersion => flaws.error(place, "a websocket or an HTTP API speaks TLS_1_2 and later only"),
        Leads::Edge | Leads::Regional => {}
    }
}

/// Two APIs cannot be found under one domain: each has it as a resource of its own.
pub fn check_domains(app: &App, manifest: &Manifest, changed: &StageEntry, flaws: &mut Flaws) {
    let rest = app.api.as_ref().and_then(|api| api.domain.as_ref());
    let http = app.http_api.as_ref().and_then(|api| api.domain.as_ref());
    let websocket = app.websocket.as_ref().and_then(|api| api.domain.as_ref());
    let place = |own: Option<&Placed<DomainEntry>>, of_all: Option<&Placed<DomainEntry>>| {
        own.or(of_all).and_then(|domain| domain.value.name.place)
    };
    let http_place = place(
        changed.http.as_ref().and_then(|changed| changed.value.domain.as_ref()),
        manifest.http.as_ref().and_then(|entry| entry.value.domain.as_ref()),
    );
    let websocket_place = place(
        changed
            .websocket
            .as_ref()
            .and_then(|changed| changed.value.domain.as_ref()),
        manifest
            .websocket
            .as_ref()
            .and_then(|entry| entry.value.domain.as_ref()),
    );
    let named = [(rest, None), (http, http_place), (websocket, websocket_place)];
    for (index, (domain, place)) in named.iter().enumerate() {
        let Some(domain) = domain else { continue };
        let is_same = |(other, _): &(Option<&Domain>, Place)| other.is_some_and(|other| other.name == domain.name);
        if named.iter().take(index).any(is_same) {
            let message = format!("two APIs of this app are to be found under `{}`", domain.name);
            flaws.error_with(*place, message, Some("give each a domain of its own".to_owned()));
        }
    }
}
