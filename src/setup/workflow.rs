//! The text of `.github/workflows/stagewright.yml`.

use sha2::{Digest as _, Sha256};

use super::{Repository, Setup, scalar, shown};

/// Where the workflow lies in a repository.
pub const FILE: &str = ".github/workflows/stagewright.yml";

/// The action, as a workflow names it.
pub const ACTION: &str = "stagewright/stagewright@v1";

/// The checkout of GitHub's own: <https://github.com/actions/checkout/releases/tag/v7.0.1>.
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";

/// Named variables of the repository, for what is not known yet.
pub const ROLE_VARIABLE: &str = "STAGEWRIGHT_ROLE";
/// As [`ROLE_VARIABLE`], for the Region.
pub const REGION_VARIABLE: &str = "STAGEWRIGHT_REGION";

/// The workflow that makes every event of a repository a run of ours.
///
/// A pending run is cancelled by a newer one of its group. So a group has the runs of one kind of event on one subject,
/// of which the newest is all that counts: `labeled` is in another one than `closed`, a sweep in another than a push, and
/// two branches that are deleted at once do not meet. What must not happen at once, the lease keeps apart.
pub fn workflow(setup: &Setup) -> String {
    let branches: Vec<String> = setup
        .branches
        .iter()
        .map(|known| scalar(&filter(&known.branch)))
        .collect();
    let deleted = if setup.branches.iter().any(|known| known.is_glob()) {
        "  delete:\n"
    } else {
        ""
    };
    let (minute, hour) = nightly(&setup.repository);
    format!(
        "\
name: stagewright
on:
  push:
    branches: [{branches}]
  pull_request:
    types: [opened, synchronize, reopened, ready_for_review, labeled]
  pull_request_target: # zizmor: ignore[dangerous-triggers] only to remove a preview: nothing is checked out
    types: [closed]
{deleted}  schedule:
    - cron: \"{minute} {hour} * * *\"
  workflow_dispatch:
    inputs:
      stage: {{ description: Stage, type: string }}
      command: {{ description: What to do, type: choice, options: [deploy, destroy, sweep] }}
permissions: {{}}
concurrency:
  # A newer run replaces a waiting one of its group, so each kind of event has groups of its own.
  group: stagewright-${{{{ github.event_name }}}}-${{{{ github.event.pull_request.number || github.event.ref }}}}-${{{{ inputs.stage }}}}
  cancel-in-progress: false
jobs:
  stagewright:
    runs-on: ubuntu-latest
    permissions: {{ actions: read, contents: read, deployments: write, id-token: write, pull-requests: write }}
    steps:
      - uses: {CHECKOUT}
        if: github.event_name != 'pull_request_target'
        with:
          # The commit that is shown as deployed, where GitHub would take its merge with the base branch.
          ref: ${{{{ github.event.pull_request.head.sha || github.sha }}}}
          persist-credentials: false
      - uses: {ACTION} # zizmor: ignore[unpinned-uses] pin it to a commit, if you like
        with:
{inputs}",
        branches = branches.join(", "),
        inputs = inputs(setup),
    )
}

/// What the action cannot read where nothing is checked out.
fn inputs(setup: &Setup) -> String {
    let of_variable = |name: &str| format!("${{{{ vars.{name} }}}}");
    let mut inputs = Vec::new();
    if setup.project_dir.iter().next().is_some() {
        inputs.push(("project-dir", scalar(&shown(&setup.project_dir))));
    }
    inputs.push(("state", plain(&setup.state.to_string())));
    let role = setup.role.as_deref().map(plain);
    let role = role.unwrap_or_else(|| of_variable(ROLE_VARIABLE));
    inputs.push(("role", role));
    let region = setup.region.as_deref().map(scalar);
    let region = region.unwrap_or_else(|| of_variable(REGION_VARIABLE));
    inputs.push(("region", region));
    inputs
        .into_iter()
        .map(|(name, value)| format!("          {name}: {value}\n"))
        .collect()
}

/// URLs and ARNs are plain text in YAML: their colons are not at an end.
pub fn plain(url: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '-' | '_' | '.');
    if url.chars().all(is_plain) && !url.ends_with(':') {
        return url.to_owned();
    }
    scalar(url)
}

/// A branch or glob of ours as GitHub's filters write it: `*` and `**` mean the same there, and `+` repeats what stands
/// before it.
fn filter(branch: &str) -> String {
    let escaped = branch.replace('+', "\\+");
    match escaped.strip_prefix('!') {
        Some(rest) => format!("\\!{rest}"),
        None => escaped,
    }
}

/// A minute and an hour, different for most repositories: at full hours GitHub's schedules are late.
fn nightly(repository: &Repository) -> (u8, u8) {
    let digest = Sha256::digest(repository.to_string());
    (1 + digest[0] % 58, 1 + digest[1] % 5)
}

#[cfg(test)]
mod tests {
    use super::super::Mapping;
    use super::super::examples::shop;
    use super::*;

    #[test]
    fn the_workflow_is_the_one_of_the_example() {
        let text = workflow(&shop());
        assert!(text.lines().count() < 45, "{}", text.lines().count());
        assert!(text.contains("    branches: [main, develop]\n"), "{text}");
        assert!(text.contains("          state: s3://acme-deploys/stages\n"), "{text}");
        assert!(
            text.contains("          role: arn:aws:iam::111111111111:role/deployers/ship-it\n"),
            "{text}"
        );
        assert!(!text.contains("delete:") && !text.contains("project-dir"), "{text}");
    }

    #[test]
    fn nothing_of_a_pull_request_is_checked_out_where_its_code_must_not_run() {
        let text = workflow(&shop());
        let (_, steps) = text.split_once("    steps:\n").unwrap();
        let checkouts: Vec<_> = steps
            .split("      - ")
            .filter(|step| step.contains("checkout@"))
            .collect();
        assert_eq!(checkouts.len(), 1);
        assert!(checkouts[0].contains("if: github.event_name != 'pull_request_target'\n"));
        assert!(checkouts[0].contains("persist-credentials: false\n"));
    }

    #[test]
    fn deleted_branches_are_heard_of_only_where_a_glob_made_stages_of_them() {
        let mut setup = shop();
        setup.branches.push(Mapping::new("release/**", "release-{1}"));
        let text = workflow(&setup);
        assert!(text.contains("  delete:\n"), "{text}");
        assert!(text.contains("[main, develop, \"release/**\"]"), "{text}");
    }

    #[test]
    fn a_branch_with_a_plus_is_not_a_pattern() {
        assert_eq!(filter("c++"), "c\\+\\+");
        assert_eq!(filter("!x"), "\\!x");
    }

    #[test]
    fn what_is_not_known_yet_is_a_variable_of_the_repository() {
        let setup = Setup {
            role: None,
            region: None,
            project_dir: "services/shop".into(),
            ..shop()
        };
        let text = workflow(&setup);
        assert!(
            text.contains("          role: ${{ vars.STAGEWRIGHT_ROLE }}\n"),
            "{text}"
        );
        assert!(
            text.contains("          region: ${{ vars.STAGEWRIGHT_REGION }}\n"),
            "{text}"
        );
        assert!(text.contains("          project-dir: services/shop\n"), "{text}");
    }

    #[test]
    fn the_nightly_minute_is_always_the_same_and_never_a_full_hour() {
        for name in ["acme/shop", "acme/blog", "o/r", "octo/app", "x/y"] {
            let repository: Repository = name.parse().unwrap();
            let (minute, hour) = nightly(&repository);
            assert_eq!((minute, hour), nightly(&repository));
            assert!((1..=58).contains(&minute) && (1..=5).contains(&hour), "{minute} {hour}");
        }
    }
}
