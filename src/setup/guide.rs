//! What is left to do by hand, once the files are there: in the account, and on GitHub.

use serde_json::{Value, json};

use super::iam::{AUDIENCE, ISSUER};
use super::workflow::{REGION_VARIABLE, ROLE_VARIABLE};
use super::{Setup, scalar};

/// The two policies of the deploy role, and its name.
#[derive(Debug, Clone)]
pub struct DeployRole {
    /// Its name in the account.
    pub name: String,
    /// Who may assume it.
    pub trust_policy: Value,
    /// What it may do.
    pub deploy_policy: Value,
}

/// Every step with its commands, as text for people.
pub fn guide(setup: &Setup, role: &DeployRole) -> String {
    let name = &role.name;
    let mut text = format!(
        "\
1. Let the account know GitHub's tokens. Once an account; it says `EntityAlreadyExists` where that was done.

  {provider}

2. Save this trust policy as `trust.json`. It lets runs of these branches and of pull requests assume the role. A job with
   `environment: NAME` has the subject `repo:{repository}:environment:NAME` instead: add that if you set one. The
   subjects with `@*` are those of repositories made, renamed or moved since July 2026, which have numbers there. Whoever may
   push a branch may open a pull request, and runs with this role then: a second one for previews is named by
   `pull_requests.aws.role` in stagewright.yaml. It trusts the subjects that end in `:pull_request`, and those of the default
   branch as well, from which previews are removed. Then name by `state: {{ url, role }}` a role for the state that all of them may
   assume, since runs of pull requests read it too.

{trust}

3. Save this policy as `policy.json`. It is what this app needs on any stage, and no more.

{policy}

4. Make the role, and give it both.

  aws iam create-role --role-name {name} --assume-role-policy-document file://trust.json
  aws iam put-role-policy --role-name {name} --policy-name deploy --policy-document file://policy.json
",
        provider = provider(),
        repository = setup.repository,
        trust = indented(&role.trust_policy),
        policy = indented(&role.deploy_policy),
    );
    let variables = variables(setup, name);
    if !variables.is_empty() {
        text += "\n5. Tell the workflow what was not known here.\n\n";
        text.extend(variables.iter().map(|line| format!("  {line}\n")));
    }
    text + &format!(
        "\nCommit both files to `{}`. `stagewright init --json` prints the policies for programs.\n",
        setup.default_branch
    )
}

/// As an object for programs.
pub fn object(setup: &Setup, role: &DeployRole) -> Value {
    json!({
        "repository": setup.repository.to_string(),
        "role_name": role.name,
        "identity_provider": {"url": format!("https://{ISSUER}"), "audience": AUDIENCE},
        "trust_policy": role.trust_policy,
        "deploy_policy": role.deploy_policy,
        "variables": variables(setup, &role.name),
    })
}

fn provider() -> String {
    format!("aws iam create-open-id-connect-provider --url https://{ISSUER} --client-id-list {AUDIENCE}")
}

/// Commands that set the repository's variables which the workflow refers to.
fn variables(setup: &Setup, role_name: &str) -> Vec<String> {
    let set =
        |variable: &str, value: &str| format!("gh variable set {variable} --repo {} --body {value}", setup.repository);
    let role = setup.role.is_none().then(|| {
        let arn = format!("arn:{}:iam::{}:role/{role_name}", setup.partition(), setup.account());
        set(ROLE_VARIABLE, &arn)
    });
    let region = setup.region.is_none().then(|| set(REGION_VARIABLE, "REGION"));
    role.into_iter().chain(region).collect()
}

fn indented(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What to know of a workflow that was left as somebody had edited it.
pub fn of_an_edited_workflow(path: &str) -> String {
    let path = scalar(path);
    format!(
        "{path} is not what would be written now, and was left as it is. To see the difference: `stagewright init --force`, \
         then `git diff {path}`; `git restore {path}` takes it back"
    )
}

#[cfg(test)]
mod tests {
    use super::super::examples::shop;
    use super::*;

    fn role() -> DeployRole {
        DeployRole {
            name: "ship-it".to_owned(),
            trust_policy: json!({"trust": 1}),
            deploy_policy: json!({"deploy": 2}),
        }
    }

    #[test]
    fn every_step_has_its_command() {
        let text = guide(&shop(), &role());
        for needed in [
            "--url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com",
            "\"trust\": 1",
            "\"deploy\": 2",
            "create-role --role-name ship-it",
            "put-role-policy --role-name ship-it",
            "repo:acme/shop:environment:NAME",
        ] {
            assert!(text.contains(needed), "{needed} is not in\n{text}");
        }
        assert!(!text.contains("gh variable"), "{text}");
    }

    #[test]
    fn variables_that_the_workflow_refers_to_are_to_be_set() {
        let setup = Setup {
            role: None,
            region: None,
            ..shop()
        };
        let text = guide(&setup, &role());
        assert!(
            text.contains("gh variable set STAGEWRIGHT_ROLE --repo acme/shop --body arn:aws:iam::ACCOUNT:role/ship-it"),
            "{text}"
        );
        assert!(text.contains("gh variable set STAGEWRIGHT_REGION"), "{text}");
    }
}
