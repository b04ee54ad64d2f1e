//! What is wrong with `.chalice/config.json` on a stage: all flaws at once, each at its key.

use serde_json::Value;

use super::{Config, ROUTES_FUNCTION, full};
use crate::app::chalice::schema::{self, Flaw};
use crate::app::{Finding, Severity};
use crate::names::{AppName, StageName};

impl Config {
    /// Finds every flaw of what counts for a stage.
    ///
    /// `functions` are the app's, where they are known; otherwise the functions that the file names are looked at.
    pub fn findings(&self, stage: &StageName, functions: Option<&[&str]>) -> Vec<Finding> {
        let stage = stage.as_str();
        let mut flaws = schema::flaws(&self.document, stage);
        let sound = flaws.iter().all(|flaw| flaw.severity != Severity::Error);
        flaws.extend(self.name_flaws());
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
        let mut findings: Vec<Finding> = Vec::new();
        for flaw in flaws {
            let finding = self.finding(flaw);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        findings.sort_by_key(|finding| finding.place);
        findings
    }

    fn name_flaws(&self) -> Option<Flaw> {
        match self.document.value.get("app_name") {
            None | Some(Value::Null) => Some(
                Flaw::error(String::new(), "`app_name` is missing".to_owned())
                    .hint("name the app: it is the first part of every name in AWS".to_owned()),
            ),
            Some(Value::String(name)) => {
                let refused = name.parse::<AppName>().err()?;
                Some(Flaw::error("/app_name".to_owned(), refused.to_string()))
            }
            // That it must be text is said already.
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => None,
        }
    }

    fn stage_flaws(&self, stage: &str) -> Vec<Flaw> {
        let mut flaws = self.later_flaws(stage);
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
        flaws.extend(policy.and_then(|found| self.document_at(&found).err()));
        if let Some(found) = self.look(stage, "api_gateway_stage") {
            let name = found.value.as_str().unwrap_or_default();
            let taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(taken) {
                let message = format!("`{name}` is no name of an API Gateway stage: letters, digits, `-` and `_`");
                flaws.push(Flaw::error(found.pointer, message));
            }
        }
        flaws
    }

    /// What a later issue of ours brings, and is refused until then.
    fn later_flaws(&self, stage: &str) -> Vec<Flaw> {
        let keys = [
            "automatic_layer",
            "api_gateway_custom_domain",
            "websocket_api_custom_domain",
        ];
        let wanted = keys.into_iter().filter_map(|key| {
            let found = self.look(stage, key).filter(|found| full(found.value))?;
            Some(Flaw::error(found.pointer, format!("`{key}` is not supported yet")))
        });
        wanted.collect()
    }

    fn function_flaws(&self, stage: &str, function: &str) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let look = |key| self.look_for(stage, function, key).filter(|found| full(found.value));
        if let Some(found) = look("log_retention_in_days") {
            let message = "`log_retention_in_days` is not supported yet".to_owned();
            flaws.push(Flaw::error(found.pointer, message));
        }
        match (look("subnet_ids"), look("security_group_ids")) {
            (Some(half), None) => flaws.push(half_vpc(half.pointer, function, "security_group_ids")),
            (None, Some(half)) => flaws.push(half_vpc(half.pointer, function, "subnet_ids")),
            (Some(_), Some(_)) | (None, None) => {}
        }
        flaws.extend(self.role(stage, function).err());
        flaws
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
            match schema::nearest(name, known()) {
                Some(near) => flaw.hint(format!("did you mean `{near}`?")),
                None => flaw,
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
