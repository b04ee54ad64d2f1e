//! An app, as a front-end read it for one stage: functions, roles, routes and where their code comes from.
//!
//! Nothing here knows AWS ids, and no child module is imported: both front-ends and the planner share these nouns.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::AppName;
use crate::variable::Variable;

pub mod apart;
pub mod chalice;
mod error;
pub mod event_policy;
pub mod events;
pub mod flaws;
pub mod inputs;
pub mod limits;
pub mod manifest;
pub mod new;
pub mod package;
pub mod paths;
pub mod python;
pub mod withheld;
pub mod yaml;

pub use error::Error;
use events::{Domain, Event, FunctionUrl, HttpApi, Layer, Websocket};

/// An app on one stage.
#[derive(Debug, Clone)]
pub struct App {
    /// The first part of every name in AWS.
    pub name: AppName,
    /// The roles that we make; functions refer to them by their logical name.
    pub roles: Vec<Role>,
    /// The functions, in the order of the source.
    pub functions: Vec<Function>,
    /// The REST API, if the app has any route.
    pub api: Option<Api>,
    /// The HTTP API, if the app has one.
    pub http_api: Option<HttpApi>,
    /// The websocket API, if the app has one.
    pub websocket: Option<Websocket>,
    /// What happens outside and calls functions, in the order of the source.
    pub events: Vec<Event>,
    /// The layer with the dependencies of all functions, where they are kept out of the functions' own zips.
    pub layer: Option<Layer>,
    /// Where code comes from, by the name that functions refer to it with.
    pub sources: BTreeMap<String, Source>,
}

impl App {
    /// An app of this name that has nothing yet.
    pub fn new(name: AppName) -> Self {
        Self {
            name,
            roles: Vec::new(),
            functions: Vec::new(),
            api: None,
            http_api: None,
            websocket: None,
            events: Vec::new(),
            layer: None,
            sources: BTreeMap::new(),
        }
    }
}

/// An IAM role that we make and that Lambda assumes.
#[derive(Debug, Clone)]
pub struct Role {
    /// Logical name: `default-role` or `<function>_role`.
    pub name: String,
    /// What stands behind `APP-STAGE` in the name in AWS, without the hyphen; empty for the stage's own role.
    pub suffix: String,
    /// The inline policy document, without `Sid`s.
    pub policy: Value,
}

/// A Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Logical name: `api_handler` for the routes of a Chalice app.
    pub name: String,
    /// What stands behind `APP-STAGE` in the name in AWS, without the hyphen; empty for a Chalice app's routes.
    pub suffix: String,
    /// What it is made from.
    pub package: Package,
    /// Which role it runs as.
    pub role: FunctionRole,
    /// Everything that AWS calls its configuration.
    pub settings: Settings,
    /// Tags of the user, ours not among them.
    pub tags: BTreeMap<String, String>,
    /// Concurrency reserved for it: 0 blocks it, `None` leaves it to the account's pool.
    pub reserved_concurrency: Option<u32>,
    /// Days after which its log is deleted; `None` leaves the log to Lambda, which keeps it for ever.
    pub log_retention_days: Option<u32>,
    /// Its own address on the web.
    pub url: Option<FunctionUrl>,
}

/// What a function is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Package {
    /// A zip: the name of its content in [`App::sources`].
    Zip(String),
    /// A container image: its URI in ECR. Runtime and handler are empty then.
    Image(String),
}

/// Which role a function runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionRole {
    /// One that we make: its logical name in [`App::roles`].
    Managed(String),
    /// One that exists: its ARN.
    Given(String),
}

/// What AWS calls the configuration of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Lambda's name of the runtime: `python3.11`, `provided.al2023`.
    pub runtime: String,
    /// CPU architecture.
    pub architecture: Architecture,
    /// What the runtime calls: `app.app`, `bootstrap`.
    pub handler: String,
    /// Memory in MiB, 128 to 10,240.
    pub memory_mib: u32,
    /// Time limit of one invocation in seconds, 1 to 900.
    pub timeout_s: u32,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Variable>,
    /// ARNs of layer versions, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// The network it runs in, if not Lambda's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Vpc>,
    /// Whether X-Ray traces it.
    #[serde(default)]
    pub tracing: Tracing,
}

/// CPU architecture of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM (Graviton).
    Arm64,
}

/// Whether X-Ray traces requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracing {
    /// Only what somebody upstream asked to trace (AWS's `PassThrough`).
    #[default]
    PassThrough,
    /// Every sampled request.
    Active,
}

/// A network of the user's, in which a function runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Ids of subnets.
    pub subnet_ids: Vec<String>,
    /// Ids of security groups.
    pub security_group_ids: Vec<String>,
}

/// A REST API: routes and what guards them.
#[derive(Debug, Clone)]
pub struct Api {
    /// Its name in AWS, which need not be unique.
    pub title: String,
    /// Name of its one API Gateway stage, the first segment of its paths.
    pub stage_name: String,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// Its resource policy.
    pub policy: Option<Value>,
    /// Smallest answer in bytes that is compressed, 0 to 10,485,760; `None` for never.
    pub minimum_compression_size: Option<u32>,
    /// Whether X-Ray traces its requests.
    pub tracing: Tracing,
    /// Media types that are passed on as binary.
    pub binary_types: Vec<String>,
    /// Routes in the order of the source.
    pub routes: Vec<Route>,
    /// What may guard a route.
    pub authorizers: Vec<Authorizer>,
    /// The domain under which it is found.
    pub domain: Option<Domain>,
}

/// Where a REST API is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Through CloudFront's points of presence.
    Edge,
    /// In its Region.
    Regional,
    /// From within VPCs.
    Private {
        /// The VPC endpoints, as they were written: one id, a list of them, or nothing.
        vpc_endpoints: Option<Value>,
    },
}

/// One method on one path.
#[derive(Debug, Clone)]
pub struct Route {
    /// Path with parameters in braces: `/guests/{id}`.
    pub path: String,
    /// HTTP method as it was declared, or `ANY`.
    pub method: String,
    /// Logical name of the function that answers.
    pub function: String,
    /// First line of its documentation.
    pub summary: Option<String>,
    /// The rest of its documentation.
    pub description: Option<String>,
    /// Media types that it takes.
    pub content_types: Vec<String>,
    /// Whether a caller must send an API key.
    pub api_key: ApiKey,
    /// Headers that allow browsers of other origins to call it.
    pub cors: Option<Cors>,
    /// The authorizer that guards it.
    pub guard: Option<Guard>,
}

/// Whether a caller must send an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiKey {
    /// No.
    #[default]
    NotNeeded,
    /// Yes.
    Required,
}

/// What a route demands of its authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Name of one of [`Api::authorizers`].
    pub authorizer: String,
    /// OAuth scopes, of which the caller must have one.
    pub scopes: Vec<String>,
}

/// The answer to a browser's preflight request, but for its methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Headers by name, in order: `Access-Control-Allow-Origin` and so on.
    pub headers: Vec<(String, String)>,
}

/// Something that decides whether a call may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// Its name in the API.
    pub name: String,
    /// How it decides.
    pub kind: AuthorizerKind,
}

/// How an authorizer decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizerKind {
    /// By AWS's own signature (`AWS_IAM`).
    Iam,
    /// By a token of a Cognito user pool.
    Cognito {
        /// Header with the token.
        header: String,
        /// ARNs of user pools.
        provider_arns: Vec<String>,
    },
    /// By a function that is not of this app.
    Custom {
        /// Header with the token.
        header: String,
        /// Invocation URI of the function.
        uri: String,
        /// Seconds for which an answer is kept.
        ttl_s: u64,
        /// ARN of the role with which API Gateway calls it.
        credentials: Option<String>,
    },
    /// By a function of this app.
    Function {
        /// Header with the token.
        header: String,
        /// Logical name of the function.
        function: String,
        /// Seconds for which an answer is kept.
        ttl_s: Option<u64>,
        /// ARN of the role with which API Gateway calls it.
        credentials: Option<String>,
    },
}

/// Where a function's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What to run first, and where.
    pub build: Option<Build>,
    /// What to put into the zip.
    pub code: Code,
}

/// A command that makes the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// A command line for `sh -c`.
    pub command: String,
    /// The folder in which it runs.
    pub folder: PathBuf,
}

/// What goes into a function's zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A zip of the user's own, taken as it is.
    Zip(PathBuf),
    /// Files and folders, of which later ones win.
    Parts(Vec<Part>),
}

/// A file, or everything in a folder, in a function's zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The file or folder.
    pub from: PathBuf,
    /// The entry's name for a file; the prefix of the entries, empty or ending in `/`, for a folder.
    pub into: String,
    /// How far a link may lead that stands at `from` itself.
    pub reach: Reach,
}

/// How far a link may lead that is a part of a zip as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the user, or we, named the path.
    Anywhere,
    /// As far as links in the project of this folder may: nobody named the path, it is there.
    Project(PathBuf),
}

/// A zip that functions can be made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// SHA-256 of the zip, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Size of the zip in bytes.
    pub size_bytes: u64,
    /// Where the zip lies.
    pub path: PathBuf,
}

/// A flaw in what the user wrote, found without touching AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, relative to the project where it lies in it.
    pub file: PathBuf,
    /// Line and column, counted from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A deploy would be refused.
    Error,
    /// A deploy would do something that is probably not meant.
    Warning,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}
