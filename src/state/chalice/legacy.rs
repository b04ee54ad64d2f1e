//! Chalice's first deployed file, `.chalice/deployed.json`, which had all stages of a project in one.

use serde_json::{Value, json};

use crate::names::{AppName, StageName};
use crate::resource::{Place, deployment};

/// A stage of the first file as a document of schema 2.0; `None` where it does not stand there, or not as it should.
///
/// The first Chalice recorded functions by their names in AWS, no role, and of the API's URL only the parts.
pub fn upgraded(document: &Value, (app, stage): (&AppName, &StageName)) -> Option<Value> {
    let recorded = document.get(stage.as_str())?;
    let text = |key: &str| recorded[key].as_str();
    let prefix = format!("{app}-{stage}-");
    let mut resources: Vec<Value> = Vec::new();
    for (name, function) in recorded["lambda_functions"].as_object().into_iter().flatten() {
        // Before 0.10.1 there was the ARN alone.
        let arn = function.as_str().or_else(|| function["arn"].as_str())?;
        let name = name.strip_prefix(&prefix).unwrap_or(name);
        resources.push(json!({"name": name, "resource_type": "lambda_function", "lambda_arn": arn}));
    }
    if let Some(arn) = text("api_handler_arn") {
        resources.push(json!({"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": arn}));
        if let Some(id) = text("rest_api_id") {
            let place = Place::of_function(arn)?;
            let url = deployment::url(&place, id, text("api_gateway_stage").unwrap_or("api"));
            resources
                .push(json!({"name": "rest_api", "resource_type": "rest_api", "rest_api_id": id, "rest_api_url": url}));
        }
    }
    Some(json!({"resources": resources, "schema_version": super::SCHEMA, "backend": "api"}))
}
