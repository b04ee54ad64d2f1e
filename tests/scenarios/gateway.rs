//! What API Gateway's second version and Lambda say when a scenario asks them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http::Request;
use crate::world::World;

impl World {
    /// What a service of AWS answers at a path.
    pub fn ask(&self, service: &str, path: &str) -> Value {
        let url = self.endpoint(path);
        let answer = Request::new("GET", &url).signed(service, "test").send();
        match answer.status {
            404 => Value::Null,
            _ => answer.json(),
        }
    }

    /// Asks a service of AWS to do something, which it must do.
    pub fn tell_aws(&self, (method, service): (&str, &str), path: &str, body: &Value) -> Value {
        let url = self.endpoint(path);
        let body = body.to_string();
        let request = Request::new(method, &url).signed(service, "test");
        let answer = request
            .header("Content-Type", "application/json")
            .body(body.as_bytes())
            .send();
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    }

    /// The websocket APIs and HTTP APIs of a name.
    pub fn v2_apis(&self, name: &str) -> Vec<Value> {
        let mut apis = items(&self.ask("apigateway", "/v2/apis"));
        apis.retain(|api| api["name"] == name);
        apis
    }

    /// Id of the one API of a name.
    pub fn v2_api(&self, name: &str) -> String {
        let apis = self.v2_apis(name);
        assert_eq!(apis.len(), 1, "{apis:?}");
        text(&apis[0], "apiId")
    }

    /// What the routes of an API call, by route.
    pub fn v2_routes(&self, id: &str) -> BTreeMap<String, String> {
        let integrations = items(&self.ask("apigateway", &format!("/v2/apis/{id}/integrations")));
        let called: BTreeMap<String, String> = integrations
            .iter()
            .map(|found| (text(found, "integrationId"), text(found, "integrationUri")))
            .collect();
        let name = |uri: &str| {
            let arn = uri.split("/functions/").last().unwrap_or_default();
            let name = arn.rsplit(':').next().unwrap_or_default();
            name.trim_end_matches("/invocations").to_owned()
        };
        let routes = items(&self.ask("apigateway", &format!("/v2/apis/{id}/routes")));
        let route = |found: &Value| {
            let target = text(found, "target");
            let uri = called.get(target.trim_start_matches("integrations/"));
            (text(found, "routeKey"), uri.map(|uri| name(uri)).unwrap_or_default())
        };
        routes.iter().map(route).collect()
    }

    /// How many of something an API has: `integrations`, `stages`, `deployments`.
    pub fn v2_count(&self, id: &str, what: &str) -> usize {
        items(&self.ask("apigateway", &format!("/v2/apis/{id}/{what}"))).len()
    }

    /// The calls that may have changed something, those of API Gateway's second version by method and path.
    pub fn changes(&self) -> Vec<String> {
        let mut changes = self.mutations();
        changes.retain(|call| !call.starts_with("GET "));
        changes
    }
}

/// The items of a list that AWS told.
pub fn items(list: &Value) -> Vec<Value> {
    list["items"].as_array().cloned().unwrap_or_default()
}

/// A field as text.
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// A handler for Python functions that answers with its function's name.
pub const HANDLER: &str = "\
import os


def answer(event, context):
    return {\"statusCode\": 200, \"body\": os.environ[\"AWS_LAMBDA_FUNCTION_NAME\"]}
";

/// An app of Python functions, and what more its manifest says.
pub fn manifest(functions: &[&str], rest: &str) -> String {
    let function = |name: &&str| format!("  {name}: {{ runtime: python3.11, handler: handler.answer, code: src }}\n");
    let functions: String = functions.iter().map(function).collect();
    format!("app: chat\nfunctions:\n{functions}{rest}")
}

impl World {
    /// Makes the project an app of Python functions, with what more its manifest says.
    pub fn python_app(&self, functions: &[&str], rest: &str) {
        self.write("stagewright.yaml", &manifest(functions, rest));
        self.write("src/handler.py", HANDLER);
    }
}
