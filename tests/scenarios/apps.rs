//! The apps of the scenarios: small ones written here, larger ones copied from `examples/`.

use serde_json::json;

use crate::world::World;

const HELLO: &str = r#"from chalice import Chalice

app = Chalice(app_name="hello")


@app.route("/")
def index():
    return {"hello": "world"}
"#;

impl World {
    /// Makes the project a Chalice app with one route, `{"hello": "world"}`.
    pub fn chalice_hello(&self) {
        self.write("app.py", HELLO);
        self.write("requirements.txt", "");
        let config = json!({
            "version": "2.0",
            "app_name": "hello",
            "api_gateway_endpoint_type": "REGIONAL",
            "autogen_policy": false,
            "iam_policy_file": "policy.json",
        });
        self.write(".chalice/config.json", &config.to_string());
        let statement = json!({"Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": "arn:*:logs:*:*:*"});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        self.write(".chalice/policy.json", &policy.to_string());
    }

    /// Makes the project a Chalice app that uses every route option.
    pub fn chalice_guestbook(&self) {
        self.copy("examples/guestbook-chalice");
    }

    /// Makes the project a manifest app with a native binary.
    pub fn native_guestbook(&self) {
        self.copy("examples/guestbook-native");
    }

    /// Makes the project a manifest app of one Python function.
    pub fn manifest_hello(&self) {
        let manifest = "\
app: greeter
functions:
  api:
    runtime: python3.11
    handler: handler.answer
    code: src
routes:
  GET /: api
";
        self.write("stagewright.yaml", manifest);
        let handler = "\
def answer(event, context):
    return {\"statusCode\": 200, \"body\": \"hello\"}
";
        self.write("src/handler.py", handler);
    }
}
