//! The text of `stagewright.yaml`, and what an existing one lacks.

use super::workflow::plain;
use super::{Mapping, Setup, scalar};
use crate::names::{AppName, StageName};

/// The text of a `stagewright.yaml` for a project whose app is described elsewhere.
pub fn project_file(setup: &Setup, app: &AppName) -> String {
    let keys = [app_key(app), state_key(setup), branches_key(&setup.branches)];
    format!(
        "\
# How this app is deployed. `stagewright check` says what is wrong with it.
{keys}
# Pull requests become stages of their own, deployed with the role of the workflow. A role with fewer rights for them:
# pull_requests: {{ aws: {{ role: \"arn:aws:iam::{account}:role/NAME\" }} }}
stages:
{stages}",
        keys = keys.join("\n"),
        account = setup.account(),
        stages = stages(setup),
    )
}

/// The keys that an existing file lacks, as text to add to it; empty where there is all that is needed.
pub fn additions(setup: &Setup, app: &AppName, lacks: &[Key]) -> String {
    let line = |key: &Key| match key {
        Key::App => app_key(app),
        Key::State => state_key(setup),
        Key::Branches => branches_key(&setup.branches),
    };
    lacks.iter().map(|key| line(key) + "\n").collect()
}

/// A key without which a run on GitHub does not know what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The app's name: a Chalice project has it where nobody looks without a checkout.
    App,
    /// The bucket of the state.
    State,
    /// Which branch is which stage.
    Branches,
}

fn app_key(app: &AppName) -> String {
    format!("app: {}", scalar(app.as_str()))
}

fn state_key(setup: &Setup) -> String {
    format!("state: {}", plain(&setup.state.to_string()))
}

fn branches_key(branches: &[Mapping]) -> String {
    let pair = |known: &Mapping| format!("{}: {}", scalar(&known.branch), scalar(&known.stage));
    let pairs: Vec<String> = branches.iter().map(pair).collect();
    format!("branches: {{ {} }}", pairs.join(", "))
}

/// The first stage is production: only the default branch's own file maps a branch to it.
fn stages(setup: &Setup) -> String {
    let mut stages: Vec<StageName> = Vec::new();
    for stage in setup.branches.iter().filter_map(Mapping::fixed_stage) {
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    let line = |(index, stage): (usize, &StageName)| {
        let protected = (index == 0).then(|| "protected: true".to_owned());
        let region = setup.region.as_deref();
        let region = region.map(|region| format!("aws: {{ region: {} }}", scalar(region)));
        let fields: Vec<String> = protected.into_iter().chain(region).collect();
        match fields.as_slice() {
            [] => format!("  {stage}:\n", stage = scalar(stage.as_str())),
            fields => format!("  {}: {{ {} }}\n", scalar(stage.as_str()), fields.join(", ")),
        }
    };
    stages.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::examples::shop;
    use super::*;

    fn app() -> AppName {
        "shop".parse().unwrap()
    }

    #[test]
    fn the_file_says_where_the_state_lies_and_which_branch_is_which_stage() {
        let text = project_file(&shop(), &app());
        for line in [
            "app: shop",
            "state: s3://acme-deploys/stages",
            "branches: { main: prod, develop: beta }",
            "  prod: { protected: true, aws: { region: eu-west-1 } }",
            "  beta: { aws: { region: eu-west-1 } }",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_file_can_be_read_and_says_what_was_answered() {
        let text = project_file(&shop(), &app());
        let (read, _): (serde_json::Value, _) =
            crate::app::yaml::parse(std::path::Path::new("stagewright.yaml"), text.as_bytes()).unwrap();
        assert_eq!(read["branches"]["main"], "prod");
        assert_eq!(read["state"], "s3://acme-deploys/stages");
        assert_eq!(read["stages"]["prod"]["protected"], true);
    }

    #[test]
    fn only_what_is_lacking_is_to_be_added() {
        assert_eq!(
            additions(&shop(), &app(), &[Key::State, Key::Branches]),
            "state: s3://acme-deploys/stages\nbranches: { main: prod, develop: beta }\n"
        );
        assert_eq!(additions(&shop(), &app(), &[]), "");
    }
}
