//! What may be done with what calls functions: rules, buckets, topics, queues, streams, websockets, URLs; and with what lies
//! beside them.

use serde_json::{Value, json};

use super::super::needs::Part;
use super::{Land, allow, allow_if};

/// All statements of these kinds that an app needs.
pub fn statements(land: &Land<'_>) -> Vec<Value> {
    let has = |part| land.needs.has(part);
    let anywhere = || vec!["*".to_owned()];
    let mut statements = Vec::new();
    if has(Part::Rule) {
        let actions = [
            "events:DeleteRule",
            "events:DescribeRule",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
        ];
        statements.push(allow("Rules", &actions, &named(land, "events", "rule/")));
    }
    if has(Part::Mapping) {
        // A mapping's id is AWS's own; whose function it calls is not.
        let functions = json!({"ArnLike": {"lambda:FunctionArn": land.functions()}});
        let actions = [
            "lambda:CreateEventSourceMapping",
            "lambda:DeleteEventSourceMapping",
            "lambda:UpdateEventSourceMapping",
        ];
        statements.push(allow_if("Mappings", &actions, &anywhere(), functions));
        let looks = ["lambda:GetEventSourceMapping", "lambda:ListEventSourceMappings"];
        statements.push(allow("LookAtMappings", &looks, &anywhere()));
    }
    statements.extend(outside(land));
    if has(Part::V2Api) {
        statements.push(gateway(land, "V2Apis", &["/apis", "/apis/*"]));
    }
    if has(Part::Domain) {
        statements.push(gateway(land, "Domains", &["/domainnames", "/domainnames/*"]));
    }
    if has(Part::V2Api) || has(Part::Domain) {
        statements.push(gateway(land, "TagsOfApis", &["/tags/*"]));
    }
    if has(Part::LogGroup) {
        let actions = [
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:DeleteRetentionPolicy",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
        ];
        let groups = land.in_regions(|region| {
            let (partition, account, app) = (land.partition, land.account, &land.needs.app);
            format!("arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/{app}-*")
        });
        statements.push(allow("LogGroups", &actions, &groups));
        statements.push(allow("LookAtLogGroups", &["logs:DescribeLogGroups"], &anywhere()));
    }
    if has(Part::ManagedLayer) {
        let actions = [
            "lambda:DeleteLayerVersion",
            "lambda:GetLayerVersion",
            "lambda:ListLayerVersions",
            "lambda:PublishLayerVersion",
        ];
        statements.push(allow("ManagedLayers", &actions, &named(land, "lambda", "layer:")));
    }
    if has(Part::Url) {
        let actions = [
            "lambda:CreateFunctionUrlConfig",
            "lambda:DeleteFunctionUrlConfig",
            "lambda:GetFunctionUrlConfig",
            "lambda:UpdateFunctionUrlConfig",
        ];
        statements.push(allow("Urls", &actions, &land.functions()));
    }
    statements
}

/// Things of others that the app uses: their buckets, topics and images.
fn outside(land: &Land<'_>) -> Vec<Value> {
    let list = |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
    let mut statements = Vec::new();
    if !land.needs.buckets.is_empty() {
        let bucket = |name: &String| format!("arn:{}:s3:::{name}", land.partition);
        let buckets: Vec<String> = land.needs.buckets.iter().map(bucket).collect();
        let actions = ["s3:GetBucketNotification", "s3:PutBucketNotification"];
        statements.push(allow("Notifications", &actions, &buckets));
    }
    if !land.needs.topics.is_empty() {
        let topic = |topic: &String| match topic.starts_with("arn:") {
            true => vec![topic.clone()],
            false => land.in_regions(|region| format!("arn:{}:sns:{region}:{}:{topic}", land.partition, land.account)),
        };
        let topics: Vec<String> = land.needs.topics.iter().flat_map(topic).collect();
        let actions = ["sns:ListSubscriptionsByTopic", "sns:Subscribe", "sns:Unsubscribe"];
        statements.push(allow("Subscriptions", &actions, &topics));
    }
    if !land.needs.repositories.is_empty() {
        // Lambda lets itself in where the repository does not yet.
        let actions = [
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetRepositoryPolicy",
            "ecr:SetRepositoryPolicy",
        ];
        statements.push(allow("Images", &actions, &list(&land.needs.repositories)));
    }
    statements
}

/// What bears a name of the app.
pub fn named(land: &Land<'_>, service: &str, kind: &str) -> Vec<String> {
    let (partition, account, app) = (land.partition, land.account, &land.needs.app);
    land.in_regions(|region| format!("arn:{partition}:{service}:{region}:{account}:{kind}{app}-*"))
}

/// API Gateway's ids are its own, so that no pattern knows ours.
fn gateway(land: &Land<'_>, name: &str, paths: &[&str]) -> Value {
    let actions = [
        "apigateway:DELETE",
        "apigateway:GET",
        "apigateway:PATCH",
        "apigateway:POST",
        "apigateway:PUT",
    ];
    let at = |path: &&str| land.in_regions(|region| format!("arn:{}:apigateway:{region}::{path}", land.partition));
    let resources: Vec<String> = paths.iter().flat_map(at).collect();
    allow(name, &actions, &resources)
}
