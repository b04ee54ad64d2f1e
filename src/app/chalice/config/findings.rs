//! What is wrong with `.chalice/config.json` on a stage: all flaws at once, each at its key.

use std::path::PathBuf;

use serde_json::Value;

use super::{Config, FILE, Found, ROUTES_FUNCTION, RoleSource, domain, full, number, texts};
use crate::app::chalice::json::below;
use crate::app::chalice::schema::{self, Flaw};
use crate::app::flaws::did_you_mean;
use crate::app::limits::{self, Rule};
use crate::app::{Finding, Severity};
use crate::names::StageName;

impl Config {
    /// Finds every flaw of what counts for a stage.
    ///
    /// `functions` are the app's, where they are known; otherwise the functions that the file names are looked at.
    pub fn findings(&self, stage: &StageName, functions: Option<&[&str]>) -> Vec<Finding> {
        let stage = stage.as_str();
        let mut flaws = schema::flaws(&self.document, stage);
        let sound = flaws.iter().all(|flaw| flaw.severity != Severity::Error);
        // That the file or the name is of a wrong type is said already.
        let unnamed = |flaw: &Flaw| flaw.pointer.is_empty() || flaw.pointer == "/app_name";
        if !flaws.iter().any(unnamed) {
            flaws.extend(self.name().err());
        }
        flaws.extend(self.stage_name_flaws());
        flaws.extend(self.domain_flaws(stage));
        if sound {
            flaws.extend(self.stage_flaws(stage));
            let named: Vec<&str> = self.functions(stage).into_iter().map(|(name, _)| name).collect();
            let looked_at = functions.unwrap_or(&named).iter().copied();
            for function in std::iter::once(ROUTES_FUNCTION).chain(looked_at) {
                flaws.extend(self.function_flaws(stage, function));
            }
        }
        if let Some(functions) = functions {
            flaws.extend(self.strangers(stage, functions));
        }
        let mut findings: Vec<Finding> = self.repeated();
        for flaw in flaws {
            let finding = self.finding(flaw);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        findings.sort_by_key(|finding| finding.place);
        findings
    }

    /// Keys that stand twice in one object, of which only the last counts: for Chalice as for us.
    fn repeated(&self) -> Vec<Finding> {
        let repeated = self.document.repeated().into_iter();
        let findings = repeated.map(|(key, place)| Finding {
            severity: Severity::Warning,
            file: PathBuf::from(FILE),
            place: Some(place),
            message: format!("the key `{key}` stands here a second time, and the former one has no effect"),
            hint: Some("remove one".to_owned()),
        });
        findings.collect()
    }

    /// Stages of the file that could never be deployed. The one that is looked at has a name that is taken, so that these are
    /// others, and keep nobody from deploying it.
    fn stage_name_flaws(&self) -> Vec<Flaw> {
        let flaw = |name: &str| {
            let why = name.parse::<StageName>().err()?.to_string();
            Some(Flaw::warning(below("/stages", name), why))
        };
        self.stages().into_iter().filter_map(flaw).collect()
    }

    fn stage_flaws(&self, stage: &str) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let kind = self.stage_text(stage, "api_gateway_endpoint_type").unwrap_or("EDGE");
        let vpce = self
            .look(stage, "api_gateway_endpoint_vpce")
            .filter(|found| full(found.value));
        let policy = self
            .look(stage, "api_gateway_policy_file")
            .filter(|found| full(found.value));
        match (kind, &vpce, &policy) {
            ("PRIVATE", Some(vpce), Some(_)) => flaws.push(Flaw::error(
                vpce.pointer.clone(),
                "`api_gateway_endpoint_vpce` and `api_gateway_policy_file` exclude each other".to_owned(),
            )),
            ("PRIVATE", None, None) => {
                let pointer = self.look(stage, "api_gateway_endpoint_type").map(|found| found.pointer);
                flaws.push(Flaw::error(
                    pointer.unwrap_or_default(),
                    "a PRIVATE endpoint needs `api_gateway_endpoint_vpce` or `api_gateway_policy_file`".to_owned(),
                ));
            }
            ("PRIVATE", _, _) => {}
            (_, Some(vpce), _) => flaws.push(Flaw::error(
                vpce.pointer.clone(),
                format!("`api_gateway_endpoint_vpce` is of no use to an {kind} endpoint, but to a PRIVATE one"),
            )),
            (_, None, _) => {}
        }
        flaws.extend(policy.and_then(|found| self.document_at(&found, limits::PolicyOf::Api).err()));
        if let Some(found) = self.look(stage, "api_gateway_stage") {
            let refused = limits::check_api_stage(found.value.as_str().unwrap_or_default()).err();
            flaws.extend(refused.map(|why| Flaw::error(found.pointer, why)));
        }
        flaws
    }

    /// What is wrong with the domains of a stage's APIs.
    fn domain_flaws(&self, stage: &str) -> Vec<Flaw> {
        let keys = ["api_gateway_custom_domain", "websocket_api_custom_domain"];
        let found = keys.map(|key| (key, self.look(stage, key).filter(|found| full(found.value))));
        let mut flaws = Vec::new();
        for (key, found) in &found {
            flaws.extend(
                found
                    .iter()
                    .flat_map(|found| domain::flaws(key, found.value, &found.pointer)),
            );
        }
        let [(_, of_api), (_, of_websocket)] = found;
        let name = |found: &Option<Found<'_>>| found.as_ref()?.value.get("domain_name").cloned();
        if let (Some(of_websocket), Some(name)) = (&of_websocket, name(&of_api))
            && of_websocket.value.get("domain_name") == Some(&name)
        {
            let pointer = below(&of_websocket.pointer, "domain_name");
            let message = "a domain leads to REST APIs or to websocket APIs, and this one is the REST API's".to_owned();
            flaws.push(Flaw::error(pointer, message));
        }
        let is_edge = self.stage_text(stage, "api_gateway_endpoint_type").unwrap_or("EDGE") == "EDGE";
        if let Some(of_api) = of_api.filter(|_| is_edge) {
            let certificate = of_api.value.get("certificate_arn").and_then(Value::as_str);
            let region = certificate.and_then(|arn| arn.strip_prefix("arn:aws:acm:")?.split(':').next());
            flaws.extend(region.filter(|region| *region != "us-east-1").map(|region| {
                let message =
                    format!("the certificate of an EDGE endpoint's domain must be in us-east-1, and is in {region}");
                Flaw::error(below(&of_api.pointer, "certificate_arn"), message)
            }));
        }
        flaws
    }

    fn function_flaws(&self, stage: &str, function: &str) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let look = |key| self.look_for(stage, function, key).filter(|found| full(found.value));
        if let Some(found) = look("log_retention_in_days") {
            let refused = number(found.value).and_then(|days| limits::check_retention(days).err());
            flaws.extend(refused.map(|why| Flaw::error(found.pointer, why)));
        }
        match (look("subnet_ids"), look("security_group_ids")) {
            (Some(half), None) => flaws.push(half_vpc(half.pointer, function, "security_group_ids")),
            (None, Some(half)) => flaws.push(half_vpc(half.pointer, function, "subnet_ids")),
            (Some(_), Some(_)) | (None, None) => {}
        }
        flaws.extend(self.role_flaw(stage, function));
        flaws.extend(self.merged_flaws(stage, function));
        flaws.extend(self.list_flaws(stage, function));
        flaws
    }

    fn role_flaw(&self, stage: &str, function: &str) -> Option<Flaw> {
        let pointer = |key| self.look_for(stage, function, key).map(|found| found.pointer);
        match self.role(stage, function) {
            Err(flaw) => Some(flaw),
            Ok(RoleSource::Given(arn)) => {
                let why = limits::check_role_arn(&arn).err()?;
                Some(Flaw::error(pointer("iam_role_arn")?, why))
            }
            Ok(RoleSource::Own(policy)) => {
                let why = limits::check_policy(function, &policy).err()?;
                let pointer = pointer("iam_policy_file").or(pointer("autogen_policy"))?;
                Some(Flaw::error(pointer, why))
            }
            Ok(RoleSource::Generated) => None,
        }
    }

    /// Environment variables and tags that Lambda would refuse.
    fn merged_flaws(&self, stage: &str, function: &str) -> Vec<Flaw> {
        let variables = self.merged(stage, function, "environment_variables");
        let texts = variables.iter().map(|(name, (text, _))| (*name, *text));
        let whole = limits::check_environment(function, texts).err();
        let last = variables.values().map(|(_, pointer)| pointer).max();
        let above = last
            .and_then(|pointer| pointer.rsplit_once('/'))
            .map(|(above, _)| above.to_owned());
        let mut flaws: Vec<Flaw> = whole
            .map(|why| Flaw::error(above.unwrap_or_default(), why))
            .into_iter()
            .collect();
        let names = variables
            .iter()
            .map(|(name, (_, pointer))| (pointer, limits::check_variable(name)));
        let tags = self.merged(stage, function, "tags");
        let tags = tags
            .iter()
            .map(|(key, (text, pointer))| (pointer, limits::check_tag(key, text)));
        let refused = names
            .chain(tags)
            .filter_map(|(pointer, verdict)| Some((pointer.clone(), verdict.err()?)));
        flaws.extend(refused.map(|(pointer, why)| Flaw::error(pointer, why)));
        flaws
    }

    /// Layers and parts of a network that Lambda would refuse.
    fn list_flaws(&self, stage: &str, function: &str) -> Vec<Flaw> {
        let rules: [(&str, Rule); 3] = [
            ("layers", limits::check_layer),
            ("subnet_ids", |id| limits::check_network_id("subnet_ids", "subnet-", id)),
            ("security_group_ids", |id| {
                limits::check_network_id("security_group_ids", "sg-", id)
            }),
        ];
        let mut flaws = Vec::new();
        for (key, rule) in rules {
            let Some(found) = self.look_for(stage, function, key) else {
                continue;
            };
            let items = texts(found.value);
            if key == "layers" {
                let too_many = limits::check_layer_count(items.len()).err();
                flaws.extend(too_many.map(|why| Flaw::error(found.pointer.clone(), why)));
            }
            let refused = items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| Some((index, rule(item).err()?)));
            flaws.extend(refused.map(|(index, why)| Flaw::error(below(&found.pointer, &index.to_string()), why)));
        }
        flaws
    }

    /// Warns of a key that is set and has no effect, since the app lacks what it is for.
    pub fn idle(&self, stage: &StageName, key: &str, missing: &str) -> Option<Finding> {
        let found = self.look(stage.as_str(), key).filter(|found| full(found.value))?;
        let message = format!("`{key}` has no effect: the app has no {missing}");
        Some(self.finding(Flaw::warning(found.pointer, message)))
    }

    /// Functions that have too many layers together with the one that we make of the dependencies.
    ///
    /// It is told when that layer is known to be made: without dependencies there is none.
    pub fn layer_findings(&self, stage: &StageName, functions: &[&str]) -> Vec<Finding> {
        let found = functions.iter().filter_map(|function| {
            let found = self.look_for(stage.as_str(), function, "layers")?;
            let why = limits::check_layer_count(texts(found.value).len() + 1).err()?;
            let message = format!("{why}: one of them is made of the dependencies (`automatic_layer`)");
            Some(self.finding(Flaw::error(found.pointer, message)))
        });
        let mut findings: Vec<Finding> = found.collect();
        findings.dedup();
        findings
    }

    /// Functions that the file names and the app does not have.
    fn strangers(&self, stage: &str, functions: &[&str]) -> Vec<Flaw> {
        let known = || functions.iter().copied().chain([ROUTES_FUNCTION]);
        let strange = self
            .functions(stage)
            .into_iter()
            .filter(|(name, _)| !known().any(|known| known == *name));
        let flaws = strange.map(|(name, pointer)| {
            let flaw = Flaw::warning(pointer, format!("the app has no function `{name}`"));
            Flaw {
                hint: did_you_mean(name, known()),
                ..flaw
            }
        });
        flaws.collect()
    }
}

fn half_vpc(pointer: String, function: &str, missing: &str) -> Flaw {
    Flaw::error(
        pointer,
        format!("function `{function}` has half of a VPC: `{missing}` is missing"),
    )
}
