//! What of a REST API can be seen in AWS: as its document would make it, to be compared with what stands.
//!
//! Left out is what changes no answer: the documentation of routes, their models, and how often it was deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::RestApi;

/// What AWS keeps an authorizer's answer for, where nobody says: in seconds.
/// See <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html>.
pub const USUAL_TTL_S: u64 = 300;

/// All that can be seen of a REST API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Where it is reached: `EDGE`, `REGIONAL` or `PRIVATE`.
    pub endpoint_type: String,
    /// Ids of the VPC endpoints by which it is reached.
    pub vpc_endpoints: BTreeSet<String>,
    /// Media types that are handed on as bytes.
    pub binary_types: BTreeSet<String>,
    /// Smallest answer in bytes that is compressed.
    pub minimum_compression_size: Option<u32>,
    /// Who may call it, as [`policy`] gives it.
    pub policy: Value,
    /// Its authorizers, by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// Its methods: `GET /guests/{id}`.
    pub methods: BTreeMap<String, Method>,
}

/// Who decides about a caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorizer {
    /// What it is: `TOKEN`, `COGNITO_USER_POOLS`.
    pub kind: String,
    /// Where a caller says who it is: `method.request.header.Authorization`.
    pub identity_source: String,
    /// URI of its function.
    pub uri: String,
    /// ARN of the role with which it is called.
    pub credentials: String,
    /// For how many seconds its answer counts.
    pub ttl_s: u64,
    /// ARNs of its user pools.
    pub pools: BTreeSet<String>,
}

/// A method of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Method {
    /// Who may call it: `NONE`, `AWS_IAM`, `CUSTOM`, `COGNITO_USER_POOLS`.
    pub authorization: String,
    /// Name of its authorizer.
    pub authorizer: String,
    /// Scopes that a caller must have.
    pub scopes: BTreeSet<String>,
    /// `true` where a caller needs an API key.
    pub needs_key: bool,
    /// What answers.
    pub integration: Integration,
}

/// What answers a method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Integration {
    /// What it is: `AWS_PROXY`, `MOCK`.
    pub kind: String,
    /// URI of the function, where one answers.
    pub uri: String,
    /// What becomes of a body whose type nobody named: `WHEN_NO_MATCH`.
    pub passthrough: String,
    /// What becomes of a body's bytes: `CONVERT_TO_TEXT`.
    pub content_handling: String,
    /// What a mock is asked, by media type.
    pub templates: BTreeMap<String, String>,
    /// The headers with which a mock answers, by status.
    pub answers: BTreeMap<String, BTreeMap<String, String>>,
}

impl Integration {
    /// A function's answers are its own, and a mock calls nothing.
    #[must_use]
    pub fn in_short(self) -> Self {
        match self.kind.as_str() {
            "MOCK" => Self {
                uri: String::new(),
                ..self
            },
            _ => Self {
                templates: BTreeMap::new(),
                answers: BTreeMap::new(),
                ..self
            },
        }
    }
}

/// What a REST API would be in AWS.
pub fn wanted(api: &RestApi) -> Standing {
    let document = &api.document;
    let definitions = &document["securityDefinitions"];
    let authorizers = entries(definitions)
        .filter(|(_, definition)| !definition["x-amazon-apigateway-authorizer"].is_null())
        .map(|(name, definition)| (name.clone(), authorizer(definition)));
    let methods = entries(&document["paths"]).flat_map(|(path, methods)| {
        entries(methods).map(move |(key, found)| (format!("{} {path}", verb(key)), method(found, definitions)))
    });
    Standing {
        name: text(&document["info"]["title"]),
        endpoint_type: api.endpoint_type.clone(),
        vpc_endpoints: texts(&document["x-amazon-apigateway-endpoint-configuration"]["vpcEndpointIds"]),
        binary_types: texts(&document["x-amazon-apigateway-binary-media-types"]),
        minimum_compression_size: api.minimum_compression_size,
        policy: policy(document["x-amazon-apigateway-policy"].clone()),
        authorizers: authorizers.collect(),
        methods: methods.collect(),
    }
}

fn verb(key: &str) -> String {
    match key {
        "x-amazon-apigateway-any-method" => "ANY".to_owned(),
        key => key.to_uppercase(),
    }
}

fn authorizer(definition: &Value) -> Authorizer {
    let details = &definition["x-amazon-apigateway-authorizer"];
    Authorizer {
        kind: text(&details["type"]).to_uppercase(),
        identity_source: format!("method.request.header.{}", text(&definition["name"])),
        uri: text(&details["authorizerUri"]),
        credentials: text(&details["authorizerCredentials"]),
        ttl_s: details["authorizerResultTtlInSeconds"].as_u64().unwrap_or(USUAL_TTL_S),
        pools: texts(&details["providerARNs"]),
    }
}

fn method(method: &Value, definitions: &Value) -> Method {
    let mut made = Method {
        authorization: "NONE".to_owned(),
        integration: integration(&method["x-amazon-apigateway-integration"]),
        ..Method::default()
    };
    let demands = method["security"].as_array().into_iter().flatten().flat_map(entries);
    for (name, scopes) in demands {
        let definition = &definitions[name];
        let kind = text(&definition["x-amazon-apigateway-authorizer"]["type"]);
        match (kind.as_str(), definition["x-amazon-apigateway-authtype"].as_str()) {
            ("", Some("awsSigv4")) => made.authorization = "AWS_IAM".to_owned(),
            ("", _) => made.needs_key = true,
            (kind, _) => {
                let is_pool = kind == "cognito_user_pools";
                made.authorization = if is_pool { "COGNITO_USER_POOLS" } else { "CUSTOM" }.to_owned();
                made.authorizer = name.clone();
                made.scopes = texts(scopes);
            }
        }
    }
    made
}

fn integration(integration: &Value) -> Integration {
    let pairs = |value: &Value| entries(value).map(|(key, value)| (key.clone(), text(value))).collect();
    let answers = entries(&integration["responses"]);
    Integration {
        kind: text(&integration["type"]).to_uppercase(),
        uri: text(&integration["uri"]),
        passthrough: text(&integration["passthroughBehavior"]).to_uppercase(),
        content_handling: text(&integration["contentHandling"]),
        templates: pairs(&integration["requestTemplates"]),
        answers: answers
            .map(|(_, answer)| (text(&answer["statusCode"]), pairs(&answer["responseParameters"])))
            .collect(),
    }
    .in_short()
}

/// A resource policy in one form: API Gateway writes the API's own ARN where a document says `execute-api:/`, and one value
/// for a list of one.
pub fn policy(policy: Value) -> Value {
    match policy {
        Value::String(text) => match text.split_once("execute-api:") {
            Some((_, rest)) => match rest.split_once('/') {
                Some((_, path)) => format!("execute-api:/{path}").into(),
                None => text.into(),
            },
            None => text.into(),
        },
        Value::Array(mut values) if values.len() == 1 => values.pop().map_or(Value::Null, self::policy),
        Value::Array(values) => values.into_iter().map(self::policy).collect(),
        Value::Object(keys) => keys
            .into_iter()
            .map(|(key, value)| (key, self::policy(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => policy,
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> BTreeSet<String> {
    let values = value.as_array().into_iter().flatten();
    values.map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn standing(document: Value) -> Standing {
        wanted(&RestApi {
            document,
            endpoint_type: "EDGE".to_owned(),
            minimum_compression_size: None,
        })
    }

    fn guarded(security: &Value) -> Method {
        let document = json!({
            "paths": {"/": {"get": {"security": security, "x-amazon-apigateway-integration": {"type": "aws_proxy"}}}},
            "securityDefinitions": {
                "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
                "iam": {"x-amazon-apigateway-authtype": "awsSigv4"},
                "pool": {"x-amazon-apigateway-authtype": "cognito_user_pools",
                    "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": ["p"]}},
                "own": {"name": "Token", "x-amazon-apigateway-authtype": "custom",
                    "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": "u"}},
            },
        });
        standing(document).methods.remove("GET /").unwrap()
    }

    #[test]
    fn a_document_says_who_may_call_a_route() {
        assert_eq!(guarded(&json!([])).authorization, "NONE");
        assert_eq!(guarded(&json!([{"iam": []}])).authorization, "AWS_IAM");
        let pool = guarded(&json!([{"api_key": []}, {"pool": ["read"]}]));
        assert_eq!(pool.authorization, "COGNITO_USER_POOLS");
        assert_eq!(pool.authorizer, "pool");
        assert!(pool.needs_key && pool.scopes.contains("read"));
        assert_eq!(guarded(&json!([{"own": []}])).authorization, "CUSTOM");
    }

    #[test]
    fn an_authorizer_is_where_the_document_says_and_counts_for_the_usual_time() {
        let definition =
            json!({"name": "Token", "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": "u"}});
        let own = authorizer(&definition);
        assert_eq!((own.kind.as_str(), own.ttl_s), ("TOKEN", 300));
        assert_eq!(own.identity_source, "method.request.header.Token");
    }

    #[test]
    fn a_policy_is_the_same_whether_it_names_the_api_or_means_its_own() {
        let written = json!({"Statement": [{"Effect": "Allow", "Resource": ["execute-api:/*"]}]});
        let found = json!({"Statement": [{"Effect": "Allow",
            "Resource": "arn:aws:execute-api:eu-west-1:111111111111:abc/*"}]});
        assert_eq!(policy(written.clone()), policy(found));
        let other = json!({"Statement": [{"Effect": "Deny", "Resource": ["execute-api:/*"]}]});
        assert_ne!(policy(written), policy(other));
    }

    #[test]
    fn what_a_mock_answers_counts_and_what_a_function_is_said_to_answer_does_not() {
        let integration = |kind: &str| {
            super::integration(&json!({
                "type": kind, "uri": "u",
                "responses": {"default": {"statusCode": "200", "responseParameters": {"h": "'x'"}}},
            }))
        };
        assert_eq!(integration("mock").answers["200"]["h"], "'x'");
        assert_eq!(integration("mock").uri, "");
        assert!(integration("aws_proxy").answers.is_empty());
        assert_eq!(integration("aws_proxy").uri, "u");
    }
}
