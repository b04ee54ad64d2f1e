//! `.chalice/config.json`: what Chalice's own rules of precedence make of it for a stage and a function.
//!
//! A key that varies by function is looked up in the stage's function, the stage, the function at the top, the top;
//! the first that is not null wins. Environment variables and tags are merged instead, later ones over earlier ones:
//! top, stage, the stage's function. Everything else of this file checks what the rules lead to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::json::{self, Document, below};
use super::schema::{self, Flaw};
use crate::app::events::Domain;
use crate::app::limits::{self, PolicyOf};
use crate::app::{Architecture, Endpoint, Error, Finding, Severity, Tracing, Vpc, paths};
use crate::names::{AppName, NameError, StageName};

/// Function scope of everything that is not of one function alone.
pub const ROUTES_FUNCTION: &str = "api_handler";

const FILE: &str = ".chalice/config.json";

/// The config file of a project.
#[derive(Debug, Clone)]
pub struct Config {
    folder: PathBuf,
    document: Document,
}

/// What the file says about a stage.
#[derive(Debug, Clone)]
pub struct StageSettings {
    /// Name of the app, the first part of every name in AWS.
    pub app: AppName,
    /// Name of the API Gateway stage.
    pub api_stage: String,
    /// Where the API is reached.
    pub endpoint: Endpoint,
    /// The API's resource policy.
    pub api_policy: Option<Value>,
    /// Smallest answer that is compressed, in bytes.
    pub minimum_compression_size: Option<u32>,
    /// CPU architecture of all functions.
    pub architecture: Architecture,
    /// The domain of the REST API.
    pub api_domain: Option<Domain>,
    /// The domain of the websocket API.
    pub websocket_domain: Option<Domain>,
    /// Where dependencies go.
    pub dependencies: Dependencies,
}

/// Where the dependencies of an app go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// Into the zip of each function, beside the app.
    Beside,
    /// Into one layer of the stage, under all functions.
    Layer,
}

/// What the file says about a function on a stage.
#[derive(Debug, Clone)]
pub struct FunctionSettings {
    /// Time limit in seconds.
    pub timeout_s: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Tags of the user.
    pub tags: BTreeMap<String, String>,
    /// ARNs of layer versions.
    pub layers: Vec<String>,
    /// The network it runs in.
    pub vpc: Option<Vpc>,
    /// Whether X-Ray traces it.
    pub tracing: Tracing,
    /// Concurrency reserved for it.
    pub reserved_concurrency: Option<u32>,
    /// Days after which its log is deleted.
    pub log_retention_days: Option<u32>,
    /// What it may do.
    pub role: RoleSource,
}

/// Where the role of a function comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum RoleSource {
    /// It exists: its ARN.
    Given(String),
    /// The stage's own, with a policy made from the source.
    Generated,
    /// One of its own, with this policy.
    Own(Value),
}

/// A value that was looked up, and where it stands.
struct Found<'a> {
    value: &'a Value,
    pointer: String,
}

impl Config {
    /// Reads the config file of a project.
    ///
    /// # Errors
    ///
    /// `Error::File` where it cannot be read, `Error::Findings` where it is no JSON.
    pub fn read(project: &Path) -> Result<Self, Error> {
        let path = project.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::File {
            path: PathBuf::from(FILE),
            source,
        })?;
        let document = Document::parse(&text).map_err(|broken| {
            Error::Findings(vec![Finding {
                severity: Severity::Error,
                file: PathBuf::from(FILE),
                place: Some(broken.place),
                message: format!("this is no JSON: {}", broken.message),
                hint: broken.hint.map(str::to_owned),
            }])
        })?;
        Ok(Self {
            folder: project.join(".chalice"),
            document,
        })
    }

    /// The stages that the file names.
    pub fn stages(&self) -> Vec<&str> {
        let stages = self.document.value.get("stages").and_then(Value::as_object);
        stages.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// The functions that the file names for a stage, each with a place for findings.
    fn functions(&self, stage: &str) -> Vec<(&str, String)> {
        let stage_scope = below("/stages", stage);
        let scopes = [String::new(), stage_scope].map(|scope| below(&scope, "lambda_functions"));
        let named = scopes.iter().flat_map(|scope| {
            let functions = self.document.value.pointer(scope).and_then(Value::as_object);
            let names = functions.into_iter().flatten();
            names.map(move |(name, _)| (name.as_str(), below(scope, name)))
        });
        named.collect()
    }

    fn finding(&self, flaw: Flaw) -> Finding {
        Finding {
            severity: flaw.severity,
            file: PathBuf::from(FILE),
            place: Some(self.document.place(&flaw.pointer)),
            message: flaw.message,
            hint: flaw.hint,
        }
    }

    /// The first part of all names in AWS.
    ///
    /// # Errors
    ///
    /// `Error::Findings` where it is missing or AWS would refuse it.
    pub fn app_name(&self) -> Result<AppName, Error> {
        self.name().map_err(|flaw| Error::Findings(vec![self.finding(flaw)]))
    }

    /// Line and column of the app's name.
    pub fn app_name_place(&self) -> (usize, usize) {
        self.document.place("/app_name")
    }

    fn name(&self) -> Result<AppName, Flaw> {
        let at_name = |why: String| Flaw::error("/app_name".to_owned(), why);
        if let Some(flaw) = schema::not_an_object(&self.document.value) {
            return Err(flaw);
        }
        match self.document.value.get("app_name") {
            None | Some(Value::Null) => Err(Flaw::error(String::new(), "`app_name` is missing".to_owned())
                .hint("name the app, the first part of every name in AWS: `\"app_name\": \"guestbook\"`".to_owned())),
            Some(Value::String(name)) => name.parse().map_err(|error: NameError| at_name(error.to_string())),
            Some(other) => Err(at_name(format!("`app_name` must be text, and is {other}"))),
        }
    }

    /// What the file says about a stage, once it has no flaws.
    ///
    /// # Errors
    ///
    /// `Error::Findings` where it has some.
    pub fn stage(&self, stage: &StageName) -> Result<StageSettings, Error> {
        let refused = |flaw| Error::Findings(vec![self.finding(flaw)]);
        let app = self.app_name()?;
        let stage = stage.as_str();
        let vpce = self
            .look(stage, "api_gateway_endpoint_vpce")
            .filter(|found| full(found.value));
        let vpce = vpce.map(|found| found.value.clone());
        let endpoint = match self.stage_text(stage, "api_gateway_endpoint_type") {
            Some("REGIONAL") => Endpoint::Regional,
            Some("PRIVATE") => Endpoint::Private {
                vpc_endpoints: vpce.clone(),
            },
            Some(_) | None => Endpoint::Edge,
        };
        let policy = self
            .look(stage, "api_gateway_policy_file")
            .filter(|found| full(found.value));
        let policy = policy
            .map(|found| self.document_at(&found, PolicyOf::Api))
            .transpose()
            .map_err(refused)?;
        let of_vpce = matches!(endpoint, Endpoint::Private { .. }).then(|| from_vpce(vpce.as_ref()));
        let size = self.look(stage, "minimum_compression_size");
        Ok(StageSettings {
            app,
            api_stage: self.stage_text(stage, "api_gateway_stage").unwrap_or("api").to_owned(),
            endpoint,
            api_policy: policy.or(of_vpce),
            minimum_compression_size: size.and_then(|found| number(found.value)),
            architecture: match self.stage_text(stage, "lambda_architecture") {
                Some("arm64") => Architecture::Arm64,
                Some(_) | None => Architecture::X86_64,
            },
            api_domain: self.domain(stage, "api_gateway_custom_domain"),
            websocket_domain: self.domain(stage, "websocket_api_custom_domain"),
            dependencies: match self.look(stage, "automatic_layer") {
                Some(found) if full(found.value) => Dependencies::Layer,
                Some(_) | None => Dependencies::Beside,
            },
        })
    }

    fn domain(&self, stage: &str, key: &str) -> Option<Domain> {
        domain::read(self.look(stage, key)?.value)
    }

    /// What the file says about a function on a stage, once it has no flaws.
    ///
    /// # Errors
    ///
    /// `Error::Findings` where its role or policy is not to be had.
    pub fn function(&self, stage: &StageName, function: &str) -> Result<FunctionSettings, Error> {
        let role = self.role(stage.as_str(), function);
        let role = role.map_err(|flaw| Error::Findings(vec![self.finding(flaw)]))?;
        let look = |key| self.look_for(stage.as_str(), function, key);
        let number = |key| look(key).and_then(|found| number(found.value));
        Ok(FunctionSettings {
            timeout_s: number("lambda_timeout").unwrap_or(60),
            memory_mib: number("lambda_memory_size").unwrap_or(128),
            environment: self.merge(stage.as_str(), function, "environment_variables"),
            tags: self.merge(stage.as_str(), function, "tags"),
            layers: look("layers").map_or_else(Vec::new, |found| texts(found.value)),
            vpc: self.vpc(stage, function),
            tracing: self.tracing(stage, function),
            reserved_concurrency: number("reserved_concurrency"),
            log_retention_days: number("log_retention_in_days").filter(|days| *days > 0),
            role,
        })
    }

    /// The environment variables of a function: for [`ROUTES_FUNCTION`], those with which the app is imported.
    pub fn environment(&self, stage: &StageName, function: &str) -> BTreeMap<String, String> {
        self.merge(stage.as_str(), function, "environment_variables")
    }

    /// The network of a function.
    pub fn vpc(&self, stage: &StageName, function: &str) -> Option<Vpc> {
        let list = |key| {
            let found = self.look_for(stage.as_str(), function, key)?;
            full(found.value).then(|| texts(found.value))
        };
        Some(Vpc {
            subnet_ids: list("subnet_ids")?,
            security_group_ids: list("security_group_ids")?,
        })
    }

    /// Whether X-Ray traces a function: for [`ROUTES_FUNCTION`], the API too.
    pub fn tracing(&self, stage: &StageName, function: &str) -> Tracing {
        match self.look_for(stage.as_str(), function, "xray") {
            Some(found) if full(found.value) => Tracing::Active,
            Some(_) | None => Tracing::PassThrough,
        }
    }

    fn role(&self, stage: &str, function: &str) -> Result<RoleSource, Flaw> {
        let look = |key| self.look_for(stage, function, key);
        let off = |found: &Found<'_>| found.value == &Value::Bool(false);
        if let Some(unmanaged) = look("manage_iam_role").filter(off) {
            return match look("iam_role_arn").filter(|found| full(found.value)) {
                Some(arn) => Ok(RoleSource::Given(arn.value.as_str().unwrap_or_default().to_owned())),
                None => Err(Flaw::error(
                    unmanaged.pointer,
                    format!("`manage_iam_role` is false, and function `{function}` has no `iam_role_arn`"),
                )),
            };
        }
        let Some(switch) = look("autogen_policy").filter(off) else {
            return Ok(RoleSource::Generated);
        };
        let policy = match look("iam_policy_file") {
            Some(found) => self.document_at(&found, PolicyOf::Role),
            None => self.document_in(&format!("policy-{stage}.json"), &switch.pointer, PolicyOf::Role),
        };
        policy.map(RoleSource::Own)
    }

    fn document_at(&self, found: &Found<'_>, of: PolicyOf) -> Result<Value, Flaw> {
        self.document_in(found.value.as_str().unwrap_or_default(), &found.pointer, of)
    }

    fn document_in(&self, name: &str, pointer: &str, of: PolicyOf) -> Result<Value, Flaw> {
        let flaw = |reason: String| Flaw::error(pointer.to_owned(), format!("policy file `.chalice/{name}`: {reason}"));
        let unread = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => flaw("it does not exist".to_owned()),
            _ => flaw(error.to_string()),
        };
        let project = self.folder.parent().unwrap_or(&self.folder);
        let place = paths::contained(project, &self.folder.join(name)).map_err(unread)?;
        let place = place.ok_or_else(|| flaw("it lies outside of the repository".to_owned()))?;
        let text = std::fs::read_to_string(place).map_err(unread)?;
        let policy = match serde_json::from_str::<Value>(json::without_mark(&text)) {
            Ok(policy @ Value::Object(_)) => policy,
            Ok(_) => return Err(flaw("it holds no object".to_owned())),
            Err(error) => return Err(flaw(format!("it is no JSON: {error}"))),
        };
        limits::check_document(of, &policy).map_err(flaw)?;
        Ok(policy)
    }

    fn stage_text(&self, stage: &str, key: &str) -> Option<&str> {
        self.look(stage, key).and_then(|found| found.value.as_str())
    }

    /// Looks up a key that varies by stage.
    fn look(&self, stage: &str, key: &str) -> Option<Found<'_>> {
        self.first([below("/stages", stage), String::new()], key)
    }

    /// Looks up a key that varies by stage and function.
    fn look_for(&self, stage: &str, function: &str, key: &str) -> Option<Found<'_>> {
        let stage = below("/stages", stage);
        let of_function = |scope: &str| below(&below(scope, "lambda_functions"), function);
        let scopes = [of_function(&stage), stage.clone(), of_function(""), String::new()];
        self.first(scopes, key)
    }

    fn first<const N: usize>(&self, scopes: [String; N], key: &str) -> Option<Found<'_>> {
        scopes.into_iter().find_map(|scope| {
            let pointer = below(&scope, key);
            let value = self.document.value.pointer(&pointer).filter(|value| !value.is_null())?;
            Some(Found { value, pointer })
        })
    }

    /// Merges the texts of a key. What stands in a function at the top is left out, as Chalice leaves it out.
    fn merge(&self, stage: &str, function: &str, key: &str) -> BTreeMap<String, String> {
        let merged = self.merged(stage, function, key).into_iter();
        merged
            .map(|(name, (text, _))| (name.to_owned(), text.to_owned()))
            .collect()
    }

    /// As [`Self::merge`], each with its pointer.
    fn merged(&self, stage: &str, function: &str, key: &str) -> BTreeMap<&str, (&str, String)> {
        let stage = below("/stages", stage);
        let of_function = below(&below(&stage, "lambda_functions"), function);
        let scopes = [String::new(), stage, of_function].map(|scope| below(&scope, key));
        let values = scopes.iter().filter_map(|scope| {
            let values = self.document.value.pointer(scope)?.as_object()?;
            Some(values.iter().map(move |(name, value)| (scope, name, value)))
        });
        let texts = values
            .flatten()
            .filter_map(|(scope, name, value)| Some((name.as_str(), (value.as_str()?, below(scope, name)))));
        texts.collect()
    }
}

/// Whether a value is what Python calls true.
fn full(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(switch) => *switch,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The resource policy with which a private API lets one VPC endpoint in, or several.
fn from_vpce(vpce: Option<&Value>) -> Value {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": "arn:*:execute-api:*:*:*",
            "Condition": {"StringEquals": {"aws:SourceVpce": vpce}},
        }],
    })
}

mod domain;
mod findings;
#[cfg(test)]
mod tests;
