//! The Chalice front-end: `.chalice/config.json` and `app.py` become an [`App`], as Chalice itself understands them.
//!
//! The app is imported in a Python process of its own, with the stage's environment and nothing of ours.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::app::event_policy::{self, Access};
use crate::app::events::Websocket;
use crate::app::limits;
use crate::app::python::{self, Pins, Resolution, Uv, Wish};
use crate::app::{Api, App, Error, Finding, Function, FunctionRole, Package, Role, Settings, Severity};
use crate::names::StageName;
use crate::variable::Variable;

mod config;
mod discover;
mod events;
mod functions;
pub mod inputs;
mod isolated;
mod json;
mod policy;
mod routes;
mod schema;
mod sources;

use config::{Config, FunctionSettings, ROUTES_FUNCTION, RoleSource, StageSettings};
use discover::{Facts, Import};
use policy::{Analysis, Needs, Subject};
use sources::Places;

/// Logical name of the role that is made from the source.
const DEFAULT_ROLE: &str = "default-role";

/// A Chalice app to read for a stage.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Folder with `app.py` and `.chalice/`.
    pub project: &'a Path,
    /// The stage.
    pub stage: &'a StageName,
    /// Region that AWS clients of the app are made for.
    pub region: &'a str,
    /// The version of Python that the config chooses for the stage: `3.12`.
    pub python: Option<&'a str>,
    /// Versions that the stage's release was resolved to.
    pub recorded: Option<&'a Pins>,
    /// Whether these are used again.
    pub resolution: Resolution,
    /// How `uv` is run.
    pub uv: &'a Uv,
}

/// A Chalice app as it was read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The app on the stage.
    pub app: App,
    /// Versions to record with the release.
    pub pins: Pins,
    /// What is probably not meant.
    pub warnings: Vec<Finding>,
}

/// Whether a folder holds a Chalice app.
pub fn is_project(folder: &Path) -> bool {
    folder.join(".chalice/config.json").is_file()
}

/// The stages that `.chalice/config.json` names.
///
/// # Errors
///
/// `Error::File` where the file cannot be read, `Error::Findings` where it is no JSON.
pub fn stages(project: &Path) -> Result<Vec<String>, Error> {
    Ok(Config::read(project)?.stages().into_iter().map(str::to_owned).collect())
}

/// The first part of all names in AWS, as `.chalice/config.json` has it.
///
/// # Errors
///
/// As [`stages`], and `Error::Findings` where it is missing or AWS would refuse it.
pub fn app_name(project: &Path) -> Result<crate::names::AppName, Error> {
    Config::read(project)?.app_name()
}

/// Line and column of that name.
///
/// # Errors
///
/// As [`stages`].
pub fn app_name_place(project: &Path) -> Result<(usize, usize), Error> {
    Ok(Config::read(project)?.app_name_place())
}

/// Reads a Chalice app for a stage: resolves and installs its dependencies, imports it, has it analysed.
///
/// # Errors
///
/// `Error::Findings` where config or app have flaws, `Error::Raised` where the import raises, and those of
/// [`Uv::pins`] and [`Uv::install`].
pub async fn read(request: &Request<'_>) -> Result<Reading, Error> {
    // Processes run in other folders than we do.
    let project = std::path::absolute(request.project).map_err(|source| Error::File {
        path: request.project.to_owned(),
        source,
    })?;
    let project = project.as_path();
    let config = Config::read(project)?;
    sound(config.findings(request.stage, None))?;
    let stage = config.stage(request.stage)?;
    let uv = request.uv;
    let wish = Wish {
        architecture: stage.architecture,
        python: request.python,
        recorded: request.recorded,
        resolution: request.resolution,
    };
    let pins = uv.pins(project, &wish).await?;
    let (packages, host) = tokio::try_join!(uv.install(project, &pins, stage.architecture), uv.host(project, &pins))?;
    let path = uv.environment.get("PATH").map_or("", String::as_str);
    let user = &isolated::user(&host.python, project).await?;
    let import = Import {
        python: &host.python,
        project,
        environment: &config.environment(request.stage, ROUTES_FUNCTION),
        region: request.region,
        path,
        user,
    };
    let subject = Subject::of(&import);
    let beside = beside(&config, request.stage, &subject);
    let (discovered, analysed) = tokio::join!(discover::discover(&import), beside);
    let (facts, exposed) = discovered?;
    let places = Places {
        project,
        packages: &packages,
        host: &host.packages,
    };
    let layer = sources::layer(places, stage.dependencies, (&pins.python, stage.architecture));
    let names = functions::names(&facts);
    let mut findings = config.findings(request.stage, Some(&names));
    findings.extend(declared_findings(&facts));
    findings.extend(idle_domains(&config, request.stage, &facts));
    findings.extend(exposed);
    if layer.is_some() {
        let made: Vec<&str> = functions::declared(&facts).into_iter().map(|(name, _)| name).collect();
        findings.extend(config.layer_findings(request.stage, &made));
    }
    let mut warnings = sound(findings)?;
    let functions = declared(&config, request.stage, &facts)?;
    let analysis = analysis((&subject, analysed), &functions).await?;
    warnings.extend(analysis.iter().flat_map(unknown_services));
    warnings.extend(python::sources::warnings(project));
    let reading = Read {
        config: &config,
        name: request.stage,
        stage,
        facts: &facts,
        functions,
        analysis,
    };
    let mut app = reading.app(&pins.python);
    sound(policy_findings(&app))?;
    app.sources = sources::sources(places, layer.as_ref());
    app.layer = layer;
    Ok(Reading { app, pins, warnings })
}

/// Finds what cannot be deployed of what an app declares, or not as it is meant.
fn declared_findings(facts: &Facts) -> Vec<Finding> {
    [
        routes::findings(facts),
        functions::findings(facts),
        events::findings(facts),
    ]
    .concat()
}

/// Domains that lead to no API, which Chalice leaves out in silence.
fn idle_domains(config: &Config, stage: &StageName, facts: &Facts) -> Vec<Finding> {
    let of_api = facts
        .routes
        .is_empty()
        .then_some(("api_gateway_custom_domain", "route"));
    let of_websocket = facts.websockets.is_empty();
    let of_websocket = of_websocket.then_some(("websocket_api_custom_domain", "websocket handler"));
    let idle = of_api.into_iter().chain(of_websocket);
    idle.filter_map(|(key, missing)| config.idle(stage, key, missing))
        .collect()
}

/// What the source of an app calls, where that will most likely be asked: the analyser needs nothing but the source, so that it
/// works while the app is imported.
async fn beside(config: &Config, stage: &StageName, subject: &Subject<'_>) -> Option<Result<Analysis, Error>> {
    let routes = config.function(stage, ROUTES_FUNCTION).ok()?;
    match routes.role {
        RoleSource::Generated => Some(policy::analyse(subject).await),
        RoleSource::Own(_) | RoleSource::Given(_) => None,
    }
}

/// What the source of an app calls, where any function's policy is made of it.
async fn analysis(
    (subject, analysed): (&Subject<'_>, Option<Result<Analysis, Error>>),
    functions: &[Declared],
) -> Result<Option<Analysis>, Error> {
    let is_generated = |function: &Declared| function.settings.role == RoleSource::Generated;
    match (functions.iter().any(is_generated), analysed) {
        (true, Some(analysed)) => analysed.map(Some),
        (true, None) => policy::analyse(subject).await.map(Some),
        (false, _) => Ok(None),
    }
}

/// Policies that IAM would refuse: those that were made from the source, since the others were looked at already.
fn policy_findings(app: &App) -> Vec<Finding> {
    let shared = app.roles.iter().filter(|role| role.name == DEFAULT_ROLE);
    let refused = shared.filter_map(|role| limits::check_policy(DEFAULT_ROLE, &role.policy).err());
    let finding = |message| Finding {
        severity: Severity::Error,
        file: "app.py".into(),
        place: None,
        message,
        hint: Some(
            "write a shorter one by hand: `autogen_policy: false` and `.chalice/policy-<stage>.json`".to_owned(),
        ),
    };
    refused.map(finding).collect()
}

/// Refuses findings of which one is an error, and hands on the warnings otherwise.
fn sound(findings: Vec<Finding>) -> Result<Vec<Finding>, Error> {
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Error::Findings(findings));
    }
    Ok(findings)
}

fn unknown_services(analysis: &Analysis) -> Vec<Finding> {
    let services = analysis.unknown_services.iter();
    let warnings = services.map(|service| Finding {
        severity: Severity::Warning,
        file: "app.py".into(),
        place: None,
        message: format!("Chalice does not know the permissions of `{service}`: the generated policy lacks them"),
        hint: Some("write the policy by hand: `autogen_policy: false` and `.chalice/policy-<stage>.json`".to_owned()),
    });
    warnings.collect()
}

/// A function that the app has, before the stage's common settings are added.
struct Declared {
    name: String,
    handler: String,
    settings: FunctionSettings,
}

/// The functions of an app, each with its settings.
fn declared(config: &Config, stage: &StageName, facts: &Facts) -> Result<Vec<Declared>, Error> {
    let functions = functions::declared(facts).into_iter().map(|(name, handler)| {
        Ok(Declared {
            name: name.to_owned(),
            handler: handler.to_owned(),
            settings: config.function(stage, name)?,
        })
    });
    functions.collect()
}

/// Everything that is known of an app but where its code lies.
struct Read<'a> {
    config: &'a Config,
    name: &'a StageName,
    stage: StageSettings,
    facts: &'a Facts,
    functions: Vec<Declared>,
    analysis: Option<Analysis>,
}

impl Read<'_> {
    fn app(self, python: &str) -> App {
        let roles = self.roles();
        let functions = self.functions.iter().map(|declared| self.function(declared, python));
        App {
            roles,
            functions: functions.collect(),
            api: self.api(),
            websocket: self.websocket(),
            events: events::events(self.facts),
            ..App::new(self.stage.app.clone())
        }
    }

    /// The roles in the order in which functions need them first.
    fn roles(&self) -> Vec<Role> {
        let mut roles: Vec<Role> = Vec::new();
        for declared in &self.functions {
            let role = match &declared.settings.role {
                RoleSource::Given(_) => continue,
                RoleSource::Own(policy) => Role {
                    name: own_role(&declared.name),
                    suffix: declared.name.clone(),
                    policy: policy.clone(),
                },
                RoleSource::Generated => Role {
                    name: DEFAULT_ROLE.to_owned(),
                    suffix: String::new(),
                    policy: self.generated(),
                },
            };
            if !roles.iter().any(|known| known.name == role.name) {
                roles.push(role);
            }
        }
        roles
    }

    fn generated(&self) -> Value {
        let in_vpc =
            |declared: &Declared| declared.settings.role == RoleSource::Generated && declared.settings.vpc.is_some();
        let nothing = Analysis {
            policy: Value::Null,
            unknown_services: Vec::new(),
        };
        let needs = Needs {
            vpc_of_routes: self.config.vpc(self.name, ROUTES_FUNCTION).is_some(),
            vpc_of_any: self.functions.iter().any(in_vpc),
            tracing: self.config.tracing(self.name, ROUTES_FUNCTION),
            access: self.access(),
        };
        policy::generated(self.analysis.as_ref().unwrap_or(&nothing), &needs)
    }

    /// What the functions with the generated policy are called by, as far as they need permissions for it.
    fn access(&self) -> Vec<Access> {
        let is_generated = |name: &str| {
            let mut functions = self.functions.iter().filter(|function| function.name == name);
            functions.any(|function| function.settings.role == RoleSource::Generated)
        };
        let events = events::events(self.facts);
        let of_events = events.iter().filter(|event| is_generated(&event.function));
        let mut access: Vec<Access> = Vec::new();
        for needed in of_events.filter_map(|event| event_policy::access(&event.source)) {
            if !access.contains(&needed) {
                access.push(needed);
            }
        }
        let speaks = functions::websockets(self.facts).any(|(_, name, _)| is_generated(name));
        access.extend(speaks.then_some(Access::Connections));
        access
    }

    fn function(&self, declared: &Declared, python: &str) -> Function {
        let settings = &declared.settings;
        let plain = |(name, value): (&String, &String)| (name.clone(), Variable::Plain(value.clone()));
        Function {
            name: declared.name.clone(),
            suffix: match declared.name.as_str() {
                ROUTES_FUNCTION => String::new(),
                name => name.to_owned(),
            },
            package: Package::Zip(sources::APP.to_owned()),
            role: match &settings.role {
                RoleSource::Given(arn) => FunctionRole::Given(arn.clone()),
                RoleSource::Own(_) => FunctionRole::Managed(own_role(&declared.name)),
                RoleSource::Generated => FunctionRole::Managed(DEFAULT_ROLE.to_owned()),
            },
            settings: Settings {
                runtime: format!("python{python}"),
                architecture: self.stage.architecture,
                handler: declared.handler.clone(),
                memory_mib: settings.memory_mib,
                timeout_s: settings.timeout_s,
                environment: settings.environment.iter().map(plain).collect(),
                layers: settings.layers.clone(),
                vpc: settings.vpc.clone(),
                tracing: settings.tracing,
            },
            tags: self.tags(settings),
            reserved_concurrency: settings.reserved_concurrency,
            log_retention_days: settings.log_retention_days,
            url: None,
        }
    }

    /// Tags of the user and Chalice's own, which wins over one of the user's.
    fn tags(&self, settings: &FunctionSettings) -> BTreeMap<String, String> {
        let (version, stage, app) = (&self.facts.chalice, self.name, &self.stage.app);
        let own = format!("version={version}:stage={stage}:app={app}");
        let mut tags = settings.tags.clone();
        tags.insert("aws-chalice".to_owned(), own);
        tags
    }

    fn api(&self) -> Option<Api> {
        (!self.facts.routes.is_empty()).then(|| Api {
            title: self.facts.app_name.clone(),
            stage_name: self.stage.api_stage.clone(),
            endpoint: self.stage.endpoint.clone(),
            policy: self.stage.api_policy.clone(),
            minimum_compression_size: self.stage.minimum_compression_size,
            tracing: self.config.tracing(self.name, ROUTES_FUNCTION),
            binary_types: self.facts.binary_types.clone(),
            routes: routes::routes(self.facts),
            authorizers: routes::authorizers(self.facts),
            domain: self.stage.api_domain.clone(),
        })
    }

    fn websocket(&self) -> Option<Websocket> {
        let routes = functions::websockets(self.facts).map(|(key, name, _)| (key.to_owned(), name.to_owned()));
        let routes: Vec<(String, String)> = routes.collect();
        (!routes.is_empty()).then(|| Websocket {
            stage_name: self.stage.api_stage.clone(),
            routes,
            domain: self.stage.websocket_domain.clone(),
        })
    }
}

fn own_role(function: &str) -> String {
    format!("{function}_role")
}

#[cfg(test)]
pub mod tests;
