//! The two policies of the deploy role: who may assume it, and what it may do.
//!
//! Every action here is one that a call of ours in `resource/` or `state/s3.rs` needs; IAM's own names of them are listed at
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/>.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Setup;
use super::needs::{Needs, Part};
use crate::names::AppName;

mod sources;

/// Who issues the tokens of GitHub's runs, without `https://`.
pub const ISSUER: &str = "token.actions.githubusercontent.com";

/// For whom the tokens are issued that we ask for.
pub const AUDIENCE: &str = "sts.amazonaws.com";

/// Lets runs of the mapped branches, of the default one and of pull requests assume the role.
///
/// A repository that is younger than July 2026 has the numbers of owner and repository behind their names in the subject
/// (`repo:acme@12/shop@34:…`), so that both forms are trusted. Neither `@` nor `/` can be in a name.
/// See <https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims>.
pub fn trust_policy(setup: &Setup) -> Value {
    let partition = setup.partition();
    let account = setup.account();
    let mut contexts: Vec<String> = Vec::new();
    let branches = setup.branches.iter().map(|known| pattern(&known.branch));
    for branch in branches.chain([setup.default_branch.clone()]) {
        let context = format!("ref:refs/heads/{branch}");
        if !contexts.contains(&context) {
            contexts.push(context);
        }
    }
    contexts.push("pull_request".to_owned());
    let repository = &setup.repository;
    let numbered = format!("{}@*/{}@*", repository.owner, repository.name);
    let of = |name: &str| {
        contexts
            .iter()
            .map(|context| format!("repo:{name}:{context}"))
            .collect::<Vec<_>>()
    };
    let subjects = [of(&repository.to_string()), of(&numbered)].concat();
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{ISSUER}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {format!("{ISSUER}:aud"): AUDIENCE},
                "StringLike": {format!("{ISSUER}:sub"): subjects},
            },
        }],
    })
}

/// IAM's `*` takes slashes, too.
fn pattern(branch: &str) -> String {
    branch.replace("**", "*")
}

/// What the deploy role must be able to do for an app, in the Regions of its stages, and nothing beside it.
pub fn deploy_policy(setup: &Setup, regions: &BTreeSet<String>, needs: &Needs) -> Value {
    let land = Land {
        partition: setup.partition(),
        account: setup.account(),
        regions,
        needs,
    };
    let mut statements = state(setup, &land);
    statements.extend(functions(&land));
    statements.extend(roles(&land));
    statements.extend(apis(&land));
    statements.extend(sources::statements(&land));
    statements.extend(lists(&land));
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Where the app's resources are, and which it has.
struct Land<'a> {
    partition: &'a str,
    account: &'a str,
    regions: &'a BTreeSet<String>,
    needs: &'a Needs,
}

impl Land<'_> {
    fn in_regions(&self, of: impl Fn(&str) -> String) -> Vec<String> {
        if self.regions.is_empty() {
            return vec![of("REGION")];
        }
        self.regions.iter().map(|region| of(region)).collect()
    }

    fn functions(&self) -> Vec<String> {
        let Self { partition, account, .. } = self;
        let app = &self.needs.app;
        self.in_regions(|region| format!("arn:{partition}:lambda:{region}:{account}:function:{app}-*"))
    }

    fn roles(&self) -> String {
        format!("arn:{}:iam::{}:role/{}-*", self.partition, self.account, self.needs.app)
    }

    fn rest_apis(&self, path: &str) -> Vec<String> {
        self.in_regions(|region| format!("arn:{}:apigateway:{region}::/restapis{path}", self.partition))
    }
}

fn allow(name: &str, actions: &[&str], resources: &[String]) -> Value {
    json!({"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resources})
}

fn allow_if(name: &str, actions: &[&str], resources: &[String], condition: Value) -> Value {
    let mut statement = allow(name, actions, resources);
    statement["Condition"] = condition;
    statement
}

/// S3 says of what is not there that it is forbidden, unless listing is allowed; and that question comes without a prefix.
fn state(setup: &Setup, land: &Land<'_>) -> Vec<Value> {
    let (bucket, prefix) = setup.bucket();
    let bucket = format!("arn:{}:s3:::{bucket}", land.partition);
    let folder = format!("{prefix}{}/", land.needs.app);
    // The sweep looks for apps at the prefix itself.
    let listed = json!({"StringLikeIfExists": {"s3:prefix": [prefix, format!("{folder}*")]}});
    let mut objects = vec![format!("{bucket}/{folder}*")];
    // What stages share: lists of notifications, and when the account's runs may call API Gateway.
    let counted = [Part::Api, Part::V2Api, Part::Domain];
    let shares_calls = counted.into_iter().any(|part| land.needs.has(part));
    if shares_calls || !land.needs.buckets.is_empty() {
        objects.push(format!("{bucket}/{prefix}{}/*", AppName::shared()));
    } else if land.needs.has(Part::Role) {
        // Who uses a role that previews share.
        objects.push(format!(
            "{bucket}/{prefix}{}/role-{}-*",
            AppName::shared(),
            land.needs.app
        ));
    }
    vec![
        allow("State", &["s3:GetObject", "s3:PutObject"], &objects),
        allow_if(
            "ListState",
            &["s3:ListBucket", "s3:ListBucketVersions"],
            std::slice::from_ref(&bucket),
            listed,
        ),
        // A current state is removed by nobody.
        allow(
            "TidyState",
            &["s3:DeleteObject"],
            &[format!("{bucket}/{folder}artifacts/*")],
        ),
        allow(
            "TidyVersions",
            &["s3:DeleteObjectVersion"],
            &[format!("{bucket}/{folder}*")],
        ),
    ]
}

/// What the sweep looks through for things that belong to no stage, of every kind, since the app may have been another one
/// once. A list takes no narrower resource.
fn lists(land: &Land<'_>) -> Vec<Value> {
    let mut statements = vec![
        allow(
            "Lists",
            &["events:ListRules", "iam:ListRoles", "lambda:ListFunctions"],
            &["*".to_owned()],
        ),
        allow("MarksOfRoles", &["iam:ListRoleTags"], &[land.roles()]),
    ];
    if !land.needs.has(Part::Api) {
        statements.push(allow("ListRestApis", &["apigateway:GET"], &land.rest_apis("")));
    }
    if !land.needs.has(Part::V2Api) {
        let lists = land.in_regions(|region| format!("arn:{}:apigateway:{region}::/apis", land.partition));
        statements.push(allow("ListV2Apis", &["apigateway:GET"], &lists));
    }
    if !land.needs.has(Part::Rule) {
        let rules = sources::named(land, "events", "rule/");
        statements.push(allow("MarksOfRules", &["events:ListTagsForResource"], &rules));
    }
    statements
}

fn functions(land: &Land<'_>) -> Vec<Value> {
    let needs = land.needs;
    let mut actions = vec![
        "lambda:CreateFunction",
        "lambda:DeleteFunction",
        // Without a record of what a function was, everything is set that could be.
        "lambda:DeleteFunctionConcurrency",
        "lambda:GetFunction",
        "lambda:ListTags",
        "lambda:TagResource",
        "lambda:UntagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    ];
    if needs.has(Part::Concurrency) {
        actions.push("lambda:PutFunctionConcurrency");
    }
    if needs.has(Part::Caller) {
        actions.extend(["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"]);
    }
    actions.sort_unstable();
    let mut statements = vec![allow("Functions", &actions, &land.functions())];
    if !needs.layers.is_empty() {
        let layers: Vec<String> = needs.layers.iter().cloned().collect();
        statements.push(allow("Layers", &["lambda:GetLayerVersion"], &layers));
    }
    if needs.has(Part::Network) {
        // These take no narrower resource.
        let actions = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"];
        statements.push(allow("Networks", &actions, &["*".to_owned()]));
    }
    statements
}

fn roles(land: &Land<'_>) -> Vec<Value> {
    let needs = land.needs;
    let mut statements = Vec::new();
    let mut passed: Vec<String> = needs.function_roles.iter().cloned().collect();
    if needs.has(Part::Role) {
        let actions = [
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePolicy",
            "iam:TagRole",
        ];
        statements.push(allow("Roles", &actions, &[land.roles()]));
        passed.insert(0, land.roles());
    }
    let pass = |name, roles: &[String], service: &str| {
        let condition = json!({"StringEquals": {"iam:PassedToService": service}});
        allow_if(name, &["iam:PassRole"], roles, condition)
    };
    if !passed.is_empty() {
        statements.push(pass("RolesOfFunctions", &passed, "lambda.amazonaws.com"));
    }
    if !needs.gateway_roles.is_empty() {
        let roles: Vec<String> = needs.gateway_roles.iter().cloned().collect();
        statements.push(pass("RolesOfAuthorizers", &roles, "apigateway.amazonaws.com"));
    }
    statements
}

/// The ids of REST APIs are AWS's own, so that no pattern knows ours.
fn apis(land: &Land<'_>) -> Vec<Value> {
    if !land.needs.has(Part::Api) {
        return Vec::new();
    }
    let mut within = vec![
        "apigateway:DELETE",
        "apigateway:GET",
        "apigateway:PATCH",
        "apigateway:POST",
        "apigateway:PUT",
    ];
    let mut above = vec!["apigateway:GET", "apigateway:POST"];
    if land.needs.has(Part::ApiPolicy) {
        within.push("apigateway:UpdateRestApiPolicy");
        above.push("apigateway:UpdateRestApiPolicy");
    }
    vec![
        allow("MakeRestApis", &above, &land.rest_apis("")),
        allow("RestApis", &within, &land.rest_apis("/*")),
    ]
}

/// Whether the deploy role's own name is one that its policy lets it change.
pub fn reaches_itself(setup: &Setup, needs: &Needs) -> bool {
    needs.has(Part::Role) && setup.role_name().starts_with(&format!("{}-", needs.app))
}

#[cfg(test)]
#[path = "iam_tests.rs"]
mod tests;
