//! The Swagger 2.0 document that API Gateway imports: the whole of a REST API in one value.
//!
//! It equals, as a JSON value, the document that Chalice 1.34 makes for the same app, but for `info.description`.

use serde_json::{Map, Value, json};

use crate::app::{Api, ApiKey, Authorizer, AuthorizerKind, Cors, Endpoint, Route};

/// Allowed methods of a path on which any method is answered.
const USUAL_METHODS: &str = "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT";

/// Makes the document of an API.
///
/// `description` becomes `info.description`; `uri` gives API Gateway's invocation URI of a function by its logical name.
pub fn document(api: &Api, description: &str, uri: &dyn Fn(&str) -> String) -> Value {
    let mut document = json!({
        "swagger": "2.0",
        "info": {"version": "1.0", "title": api.title, "description": description},
        "schemes": ["https"],
        "paths": paths(api, uri),
        "definitions": {"Empty": {"type": "object", "title": "Empty Schema"}},
        "x-amazon-apigateway-binary-media-types": api.binary_types,
    });
    let definitions = security_definitions(api, uri);
    if !definitions.is_empty() {
        document["securityDefinitions"] = Value::Object(definitions);
    }
    if let Some(policy) = &api.policy {
        document["x-amazon-apigateway-policy"] = policy.clone();
    }
    if let Some(ids) = vpc_endpoints(&api.endpoint) {
        document["x-amazon-apigateway-endpoint-configuration"] = json!({"vpcEndpointIds": ids});
    }
    document
}

fn vpc_endpoints(endpoint: &Endpoint) -> Option<Value> {
    match endpoint {
        Endpoint::Edge | Endpoint::Regional => None,
        Endpoint::Private { vpc_endpoints } => match vpc_endpoints.as_ref()? {
            Value::Array(ids) if ids.is_empty() => None,
            Value::String(id) if id.is_empty() => None,
            Value::String(id) => Some(json!([id])),
            many => Some(many.clone()),
        },
    }
}

fn paths(api: &Api, uri: &dyn Fn(&str) -> String) -> Map<String, Value> {
    let mut paths = Map::new();
    for route in &api.routes {
        let methods = paths
            .entry(route.path.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        methods[method_key(&route.method)] = method(route, &uri(&route.function));
    }
    for (path, methods) in &mut paths {
        let of_path: Vec<&Route> = api.routes.iter().filter(|route| route.path == *path).collect();
        if let Some(preflight) = preflight(&of_path) {
            methods["options"] = preflight;
        }
    }
    paths
}

fn method_key(method: &str) -> String {
    match method {
        "ANY" => "x-amazon-apigateway-any-method".to_owned(),
        declared => declared.to_lowercase(),
    }
}

fn method(route: &Route, uri: &str) -> Value {
    let mut method = json!({
        "consumes": route.content_types,
        "produces": ["application/json"],
        "responses": {"200": ok()},
        "x-amazon-apigateway-integration": {
            "responses": {"default": {"statusCode": "200"}},
            "uri": uri,
            "passthroughBehavior": "when_no_match",
            "httpMethod": "POST",
            "contentHandling": "CONVERT_TO_TEXT",
            "type": "aws_proxy",
        },
    });
    if let Some(summary) = &route.summary {
        method["summary"] = json!(summary);
    }
    if let Some(description) = &route.description {
        method["description"] = json!(description);
    }
    let parameters: Vec<Value> = path_parameters(&route.path)
        .into_iter()
        .map(|name| json!({"name": name, "in": "path", "required": true, "type": "string"}))
        .collect();
    if !parameters.is_empty() {
        method["parameters"] = Value::Array(parameters);
    }
    let security = security(route);
    if !security.is_empty() {
        method["security"] = Value::Array(security);
    }
    method
}

fn ok() -> Value {
    json!({"description": "200 response", "schema": {"$ref": "#/definitions/Empty"}})
}

/// The names in braces, in their order. `{proxy+}` is not among them: API Gateway knows that one by itself.
fn path_parameters(path: &str) -> Vec<&str> {
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .collect()
}

fn security(route: &Route) -> Vec<Value> {
    let key = match route.api_key {
        ApiKey::Required => Some(json!({"api_key": []})),
        ApiKey::NotNeeded => None,
    };
    let guard = route.guard.as_ref().map(|guard| {
        let mut item = Map::new();
        item.insert(guard.authorizer.clone(), json!(guard.scopes));
        Value::Object(item)
    });
    key.into_iter().chain(guard).collect()
}

fn security_definitions(api: &Api, uri: &dyn Fn(&str) -> String) -> Map<String, Value> {
    let mut definitions = Map::new();
    for route in &api.routes {
        let guard = route.guard.as_ref();
        let authorizer = guard.and_then(|guard| api.authorizers.iter().find(|known| known.name == guard.authorizer));
        if let Some(authorizer) = authorizer {
            definitions.insert(authorizer.name.clone(), definition(authorizer, uri));
        }
        if route.api_key == ApiKey::Required {
            let key = json!({"type": "apiKey", "name": "x-api-key", "in": "header"});
            definitions.insert("api_key".to_owned(), key);
        }
    }
    definitions
}

fn definition(authorizer: &Authorizer, uri: &dyn Fn(&str) -> String) -> Value {
    let (header, kind, details) = match &authorizer.kind {
        AuthorizerKind::Iam => ("Authorization", "awsSigv4", None),
        AuthorizerKind::Cognito { header, provider_arns } => (
            header.as_str(),
            "cognito_user_pools",
            Some(json!({"type": "cognito_user_pools", "providerARNs": provider_arns})),
        ),
        AuthorizerKind::Custom {
            header,
            uri,
            ttl_s,
            credentials,
        } => (
            header.as_str(),
            "custom",
            Some(token(uri, Some(*ttl_s), credentials.as_deref())),
        ),
        AuthorizerKind::Function {
            header,
            function,
            ttl_s,
            credentials,
        } => (
            header.as_str(),
            "custom",
            Some(token(&uri(function), *ttl_s, credentials.as_deref())),
        ),
    };
    let mut definition = json!({
        "in": "header",
        "type": "apiKey",
        "name": header,
        "x-amazon-apigateway-authtype": kind,
    });
    if let Some(details) = details {
        definition["x-amazon-apigateway-authorizer"] = details;
    }
    definition
}

fn token(uri: &str, ttl_s: Option<u64>, credentials: Option<&str>) -> Value {
    let mut token = json!({"type": "token", "authorizerUri": uri});
    if let Some(ttl_s) = ttl_s {
        token["authorizerResultTtlInSeconds"] = json!(ttl_s);
    }
    if let Some(credentials) = credentials {
        token["authorizerCredentials"] = json!(credentials);
    }
    token
}

/// The answer to a browser's question which methods it may use; `None` where no route asks for it, or where the app
/// answers `OPTIONS` itself.
fn preflight(routes: &[&Route]) -> Option<Value> {
    let allowing: Vec<(&str, &Cors)> = routes
        .iter()
        .filter_map(|route| Some((route.method.as_str(), route.cors.as_ref()?)))
        .collect();
    let (_, cors) = allowing.last()?;
    if routes.iter().any(|route| route.method.eq_ignore_ascii_case("OPTIONS")) {
        return None;
    }
    let methods: Vec<&str> = allowing.iter().map(|(method, _)| *method).collect();
    let methods = if methods.contains(&"ANY") {
        USUAL_METHODS.to_owned()
    } else {
        format!("{},OPTIONS", methods.join(","))
    };
    let mut headers = Map::new();
    let mut values = Map::new();
    let allowed = ("Access-Control-Allow-Methods", methods.as_str());
    let others = cors.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in std::iter::once(allowed).chain(others) {
        headers.insert(name.to_owned(), json!({"type": "string"}));
        values.insert(format!("method.response.header.{name}"), json!(format!("'{value}'")));
    }
    let mut ok = ok();
    ok["headers"] = Value::Object(headers);
    Some(json!({
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "responses": {"200": ok},
        "x-amazon-apigateway-integration": {
            "responses": {"default": {"statusCode": "200", "responseParameters": values}},
            "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
            "passthroughBehavior": "when_no_match",
            "type": "mock",
            "contentHandling": "CONVERT_TO_TEXT",
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Tracing;
    use crate::app::chalice::tests::{every_stage, name_in_aws};

    fn route(method: &str, path: &str, cors: Option<Cors>) -> Route {
        Route {
            path: path.to_owned(),
            method: method.to_owned(),
            function: "api".to_owned(),
            summary: None,
            description: None,
            content_types: vec!["application/json".to_owned()],
            api_key: ApiKey::NotNeeded,
            cors,
            guard: None,
        }
    }

    fn document_of(routes: Vec<Route>) -> Value {
        let api = Api {
            title: "guestbook".to_owned(),
            stage_name: "api".to_owned(),
            endpoint: Endpoint::Regional,
            policy: None,
            minimum_compression_size: None,
            tracing: Tracing::PassThrough,
            binary_types: Vec::new(),
            routes,
            authorizers: Vec::new(),
            domain: None,
        };
        document(&api, "ours", &|function| format!("uri of {function}"))
    }

    fn open() -> Cors {
        Cors {
            headers: vec![("Access-Control-Allow-Origin".to_owned(), "*".to_owned())],
        }
    }

    #[test]
    fn the_api_document_is_the_one_that_chalice_makes() {
        for (name, stage, app, expected) in every_stage() {
            let uri = |function: &str| {
                let function = app.functions.iter().find(|known| known.name == function).unwrap();
                let arn = format!(
                    "arn:aws:lambda:eu-west-1:111111111111:function:{}",
                    name_in_aws(&app, stage, &function.suffix)
                );
                format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations")
            };
            let mut ours = app.api.as_ref().map(|api| document(api, "ours", &uri));
            if let Some(ours) = &mut ours {
                ours["info"]
                    .as_object_mut()
                    .unwrap()
                    .shift_remove("description")
                    .unwrap();
            }
            assert_eq!(ours.unwrap_or(Value::Null), expected["document"], "{name} on {stage}");
        }
    }

    #[test]
    fn a_route_for_any_method_becomes_api_gateways_any_method() {
        let document = document_of(vec![route("ANY", "/files/{proxy+}", None)]);
        let methods = &document["paths"]["/files/{proxy+}"];
        let any = &methods["x-amazon-apigateway-any-method"];
        assert_eq!(any["x-amazon-apigateway-integration"]["uri"], "uri of api");
        assert_eq!(any["parameters"], Value::Null);
        assert_eq!(methods.as_object().unwrap().len(), 1);
    }

    #[test]
    fn browsers_may_use_the_usual_methods_where_any_method_is_answered() {
        let document = document_of(vec![route("ANY", "/", Some(open()))]);
        let integration = &document["paths"]["/"]["options"]["x-amazon-apigateway-integration"];
        assert_eq!(
            integration["responses"]["default"]["responseParameters"]["method.response.header.Access-Control-Allow-Methods"],
            format!("'{USUAL_METHODS}'")
        );
    }

    #[test]
    fn an_options_route_of_the_apps_own_is_kept() {
        let document = document_of(vec![route("GET", "/", Some(open())), route("OPTIONS", "/", None)]);
        let integration = &document["paths"]["/"]["options"]["x-amazon-apigateway-integration"];
        assert_eq!(integration["type"], "aws_proxy");
    }

    #[test]
    fn path_parameters_are_found_as_chalice_finds_them() {
        assert_eq!(path_parameters("/a/{b}/{c_1}"), ["b", "c_1"]);
        assert_eq!(path_parameters("/a/{proxy+}/{}/{x-y}/{z"), Vec::<&str>::new());
        assert_eq!(path_parameters("/{{a}}"), ["a"]);
    }

    #[test]
    fn the_description_bears_our_mark() {
        assert_eq!(
            document_of(vec![route("GET", "/", None)])["info"]["description"],
            "ours"
        );
    }
}
