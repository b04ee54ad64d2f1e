//! Tests of the policies: every action that is needed, and none that is not.

use super::super::Mapping;
use super::super::examples::shop;
use super::*;

fn needs(parts: &[Part]) -> Needs {
    Needs {
        parts: parts.iter().copied().collect(),
        ..Needs::of(&"shop".parse().unwrap(), &[])
    }
}

fn policy(needs: &Needs) -> Value {
    deploy_policy(&shop(), &BTreeSet::from(["eu-west-1".to_owned()]), needs)
}

fn statement(policy: &Value, name: &str) -> Option<Value> {
    let statements = policy["Statement"].as_array().unwrap();
    statements.iter().find(|statement| statement["Sid"] == name).cloned()
}

#[test]
fn runs_of_mapped_branches_of_the_default_one_and_of_pull_requests_may_assume_the_role() {
    let mut setup = shop();
    setup.default_branch = "trunk".to_owned();
    setup.branches.push(Mapping::new("release/**", "release-{1}"));
    let policy = trust_policy(&setup);
    let statement = &policy["Statement"][0];
    assert_eq!(
        statement["Principal"]["Federated"],
        "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
    );
    assert_eq!(
        statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:aud"],
        "sts.amazonaws.com"
    );
    let subjects = &statement["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"];
    assert_eq!(
        *subjects,
        json!([
            "repo:acme/shop:ref:refs/heads/main",
            "repo:acme/shop:ref:refs/heads/develop",
            "repo:acme/shop:ref:refs/heads/release/*",
            "repo:acme/shop:ref:refs/heads/trunk",
            "repo:acme/shop:pull_request",
            "repo:acme@*/shop@*:ref:refs/heads/main",
            "repo:acme@*/shop@*:ref:refs/heads/develop",
            "repo:acme@*/shop@*:ref:refs/heads/release/*",
            "repo:acme@*/shop@*:ref:refs/heads/trunk",
            "repo:acme@*/shop@*:pull_request",
        ])
    );
}

#[test]
fn an_app_of_functions_with_given_roles_needs_neither_roles_nor_apis() {
    let arn = "arn:aws:iam::111111111111:role/worker".to_owned();
    let mut needs = needs(&[]);
    needs.function_roles.insert(arn.clone());
    let policy = policy(&needs);
    assert_eq!(
        statement(&policy, "RolesOfFunctions").unwrap()["Resource"],
        json!([arn])
    );
    let text = policy.to_string();
    for absent in [
        "CreateRole",
        "apigateway:POST",
        "AddPermission",
        "ec2:",
        "GetLayerVersion",
        "PutFunctionConcurrency",
    ] {
        assert!(!text.contains(absent), "{absent}: {policy:#}");
    }
}

#[test]
fn what_an_app_has_brings_its_rights() {
    for (part, name, action) in [
        (Part::Role, "Roles", "iam:CreateRole"),
        (Part::Caller, "Functions", "lambda:AddPermission"),
        (Part::Rule, "Rules", "events:PutTargets"),
        (Part::Mapping, "Mappings", "lambda:CreateEventSourceMapping"),
        (Part::V2Api, "V2Apis", "apigateway:POST"),
        (Part::Domain, "Domains", "apigateway:POST"),
        (Part::LogGroup, "LogGroups", "logs:PutRetentionPolicy"),
        (Part::ManagedLayer, "ManagedLayers", "lambda:PublishLayerVersion"),
        (Part::Url, "Urls", "lambda:CreateFunctionUrlConfig"),
        (Part::Api, "MakeRestApis", "apigateway:POST"),
        (Part::Network, "Networks", "ec2:DescribeSubnets"),
        (Part::Concurrency, "Functions", "lambda:PutFunctionConcurrency"),
    ] {
        let has = |parts: &[Part]| {
            let found = statement(&policy(&needs(parts)), name);
            found.is_some_and(|found| found["Action"].as_array().unwrap().contains(&json!(action)))
        };
        assert!(has(&[part]), "{part:?} needs {action}");
        assert!(!has(&[]), "{action} without {part:?}");
    }
    assert!(
        policy(&needs(&[Part::Api, Part::ApiPolicy]))
            .to_string()
            .contains("UpdateRestApiPolicy")
    );
    assert!(!policy(&needs(&[Part::Api])).to_string().contains("UpdateRestApiPolicy"));
}

#[test]
fn buckets_and_topics_are_named_and_a_bucket_brings_what_stages_share() {
    let mut needs = needs(&[]);
    assert!(!policy(&needs).to_string().contains("stagewright-shared"));
    needs.buckets.insert("photos".to_owned());
    needs.topics.insert("news".to_owned());
    let policy = policy(&needs);
    let resources = |name: &str| statement(&policy, name).unwrap()["Resource"].clone();
    assert_eq!(resources("Notifications"), json!(["arn:aws:s3:::photos"]));
    assert_eq!(
        resources("Subscriptions"),
        json!(["arn:aws:sns:eu-west-1:111111111111:news"])
    );
    assert_eq!(
        resources("State")[1],
        json!("arn:aws:s3:::acme-deploys/stages/stagewright-shared/*")
    );
}

#[test]
fn an_api_brings_the_record_of_when_it_may_be_called() {
    for part in [Part::Api, Part::V2Api, Part::Domain] {
        let state = statement(&policy(&needs(&[part])), "State").unwrap()["Resource"].clone();
        assert!(state.to_string().contains("stagewright-shared/*"), "{part:?}: {state}");
    }
}

#[test]
fn rights_end_at_the_names_of_the_app() {
    let policy = policy(&needs(&[Part::Role, Part::Api]));
    let resources = |name: &str| statement(&policy, name).unwrap()["Resource"].clone();
    assert_eq!(
        resources("Functions"),
        json!(["arn:aws:lambda:eu-west-1:111111111111:function:shop-*"])
    );
    assert_eq!(resources("Roles"), json!(["arn:aws:iam::111111111111:role/shop-*"]));
    assert_eq!(
        resources("RestApis"),
        json!(["arn:aws:apigateway:eu-west-1::/restapis/*"])
    );
    assert_eq!(resources("State"), json!(["arn:aws:s3:::acme-deploys/stages/shop/*"]));
    let pass = statement(&policy, "RolesOfFunctions").unwrap();
    assert_eq!(
        pass["Condition"],
        json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
    );
}

#[test]
fn stages_of_several_regions_are_all_named_and_an_unknown_one_is_left_open() {
    let regions = BTreeSet::from(["eu-west-1".to_owned(), "us-east-1".to_owned()]);
    let both = deploy_policy(&shop(), &regions, &needs(&[]));
    let functions = statement(&both, "Functions").unwrap();
    assert_eq!(functions["Resource"].as_array().unwrap().len(), 2);
    let setup = Setup {
        role: None,
        region: None,
        ..shop()
    };
    let open = deploy_policy(&setup, &BTreeSet::new(), &needs(&[]));
    assert_eq!(
        statement(&open, "Functions").unwrap()["Resource"],
        json!(["arn:aws:lambda:REGION:ACCOUNT:function:shop-*"])
    );
}

#[test]
fn a_deploy_role_that_is_named_like_the_apps_own_could_change_itself() {
    let named = |role: &str| Setup {
        role: Some(format!("arn:aws:iam::111111111111:role/{role}")),
        ..shop()
    };
    assert!(reaches_itself(&named("shop-deploy"), &needs(&[Part::Role])));
    assert!(!reaches_itself(&named("deploy-shop"), &needs(&[Part::Role])));
    assert!(!reaches_itself(&named("shop-deploy"), &needs(&[])));
}

#[test]
fn the_sweep_may_look_for_what_any_app_leaves_and_remove_no_current_state() {
    let policy = policy(&needs(&[]));
    for (name, action) in [
        ("Lists", "lambda:ListFunctions"),
        ("Lists", "iam:ListRoles"),
        ("MarksOfRoles", "iam:ListRoleTags"),
        ("ListRestApis", "apigateway:GET"),
        ("Functions", "lambda:ListTags"),
    ] {
        let found = statement(&policy, name).unwrap();
        assert!(found["Action"].as_array().unwrap().contains(&json!(action)), "{action}");
    }
    let zips = statement(&policy, "TidyState").unwrap();
    assert_eq!(zips["Action"], json!(["s3:DeleteObject"]));
    assert_eq!(
        zips["Resource"],
        json!(["arn:aws:s3:::acme-deploys/stages/shop/artifacts/*"])
    );
}

/// What IAM calls the right to a call, where it has another name.
fn right(operation: &str) -> String {
    match operation {
        "s3:GetBucketNotificationConfiguration" => "s3:GetBucketNotification".to_owned(),
        "s3:PutBucketNotificationConfiguration" => "s3:PutBucketNotification".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn every_call_on_resources_is_one_that_the_deploy_role_may_make() {
    use Part::{Api, Caller, Concurrency, Domain, LogGroup, ManagedLayer, Mapping, Role, Rule, Url, V2Api};
    let all = [
        Api,
        Caller,
        Concurrency,
        Domain,
        LogGroup,
        ManagedLayer,
        Mapping,
        Role,
        Rule,
        Url,
        V2Api,
    ];
    let mut needs = needs(&all);
    needs.buckets.insert("photos".to_owned());
    needs.topics.insert("news".to_owned());
    let policy = policy(&needs).to_string();
    // API Gateway's rights are of methods and paths, and people call and read functions with rights of their own.
    let others = ["apigateway:", "sts:", "lambda:Invoke", "logs:FilterLogEvents", "state:"];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/resource");
    let mut calls = BTreeSet::new();
    for file in walkdir::WalkDir::new(folder) {
        let file = file.unwrap().into_path();
        if file.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(file).unwrap();
            let constants = text.split(": &str = \"").skip(1);
            let named = constants.filter_map(|rest| rest.split('"').next());
            let is_call = |name: &&str| {
                let verb = name.split_once(':').map_or("", |(_, verb)| verb);
                verb.starts_with(|c: char| c.is_ascii_uppercase()) && verb.chars().all(|c| c.is_ascii_alphanumeric())
            };
            calls.extend(named.filter(is_call).map(str::to_owned));
        }
    }
    assert!(calls.len() > 40, "{calls:?}");
    let is_ours = |call: &&String| !others.iter().any(|other| call.starts_with(other));
    let missing = calls
        .iter()
        .filter(is_ours)
        .filter(|call| !policy.contains(&format!("\"{}\"", right(call))));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
}
