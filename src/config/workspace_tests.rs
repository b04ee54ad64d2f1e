//! Several apps of one repository: which they are, what they have in common, and what is told when it cannot be.

#![expect(
    clippy::disallowed_methods,
    reason = "a test may leave half a file in its own folder"
)]

use super::super::Protection;
use super::super::load::{load, parse_config};
use super::*;

/// A repository in a folder of its own.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// With a root file, and the apps `a` (a manifest) and `b` (of Chalice) in `services`.
    fn of(root: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder };
        std::fs::create_dir(world.folder.path().join(".git")).unwrap();
        world.write("stagewright.yaml", root);
        world.write("services/a/stagewright.yaml", &manifest("a", ""));
        world.write(
            "services/b/.chalice/config.json",
            r#"{"version": "2.0", "app_name": "b"}"#,
        );
        world.write("services/notes/README.md", "");
        world.write("services/.old/stagewright.yaml", &manifest("old", ""));
        world
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn workspace(&self) -> Workspace {
        workspace(self.folder.path()).unwrap()
    }

    fn flaws(&self) -> Vec<String> {
        told(workspace(self.folder.path()).unwrap_err())
    }
}

fn manifest(app: &str, keys: &str) -> String {
    format!("app: {app}\n{keys}functions:\n  api: {{ runtime: python3.13, handler: app.handler, code: src }}\n")
}

/// `FILE:LINE:COLUMN: message (hint)` of each finding.
fn told(error: Error) -> Vec<String> {
    let Error::Findings(findings) = error else {
        panic!("{error}");
    };
    let line = |finding: &Finding| match &finding.hint {
        Some(hint) => format!("{finding} ({hint})"),
        None => finding.to_string(),
    };
    findings.iter().map(line).collect()
}

fn stage(name: &str) -> StageName {
    name.parse().unwrap()
}

const ROOT: &str = "\
apps: [services/*]
state: { url: s3://acme-deploys/x, region: eu-west-1 }
branches: { main: prod }
pull_requests: { drafts: false, aws: { region: us-west-2 } }
stages:
  prod: { protected: true, aws: { region: eu-west-1, role: \"arn:aws:iam::111111111111:role/deployer\" } }
";

#[test]
fn every_folder_with_an_app_that_a_pattern_takes_is_an_app() {
    let world = World::of(ROOT);
    let workspace = world.workspace();
    let folders: Vec<_> = workspace
        .projects
        .iter()
        .map(|project| project.folder.clone())
        .collect();
    assert_eq!(folders, [world.path("services/a"), world.path("services/b")]);
    assert_eq!(workspace.config.branches.stages().collect::<Vec<_>>(), [stage("prod")]);
}

#[test]
fn an_app_has_from_the_root_what_it_does_not_say_itself() {
    let world = World::of(ROOT);
    world.write(
        "services/a/stagewright.yaml",
        &manifest("a", "stages: { prod: { aws: { region: ap-south-1 } }, test: {} }\n"),
    );
    // A local deploy of one app finds the same.
    let alone = load(&world.path("services/a")).unwrap();
    for project in [&world.workspace().projects[0], &alone] {
        let config = &project.config;
        assert_eq!(config.state.as_ref().unwrap().url.to_string(), "s3://acme-deploys/x");
        let prod = config.stage(&stage("prod"));
        assert_eq!(prod.region.as_deref(), Some("ap-south-1"));
        assert_eq!(prod.role.as_deref(), Some("arn:aws:iam::111111111111:role/deployer"));
        assert_eq!(prod.protected, Protection::Protected);
        assert_eq!(config.stage(&stage("pr-7")).region.as_deref(), Some("us-west-2"));
        let fixed: Vec<_> = config.fixed_stages().into_iter().collect();
        assert_eq!(fixed, [stage("prod"), stage("test")]);
    }
    assert_eq!(world.workspace().fixed_stages(), [stage("prod"), stage("test")].into());
    let of_chalice = load(&world.path("services/b")).unwrap();
    assert_eq!(
        of_chalice.config.stage(&stage("prod")).region.as_deref(),
        Some("eu-west-1")
    );
}

#[test]
fn an_app_of_a_workspace_has_no_state_of_its_own() {
    let world = World::of(ROOT);
    world.write("services/a/stagewright.yaml", &manifest("a", "state: s3://elsewhere\n"));
    let refused = load(&world.path("services/a")).unwrap_err().to_string();
    assert!(refused.contains("`state` counts for all apps"), "{refused}");
}

#[test]
fn apps_that_share_a_folder_of_states_do_not_share_their_states() {
    let world = World::of("apps: [services/*]\nstate: states\n");
    for app in ["a", "b"] {
        let state = load(&world.path("services").join(app)).unwrap().config.state.unwrap();
        assert_eq!(state.url, StateUrl::Folder(world.path("states").join(app)));
    }
}

#[test]
fn a_state_of_the_root_that_would_go_into_a_zip_is_refused() {
    let world = World::of("apps: [services/*]\nstate: services/a/src\n");
    let told = world.flaws();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("the state lies in `src`, which goes into a function's zip"),
        "{told:?}"
    );
}

#[test]
fn branches_and_pull_requests_of_an_app_belong_into_the_root() {
    let world = World::of(ROOT);
    let keys = "branches: { develop: beta }\npull_requests: false\n";
    world.write("services/a/stagewright.yaml", &manifest("a", keys));
    for told in [world.flaws(), told(load(&world.path("services/a")).unwrap_err())] {
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].contains("`branches` counts for all apps of a workspace"),
            "{told:?}"
        );
        assert!(told[1].contains("`pull_requests` counts for all apps"), "{told:?}");
    }
    assert!(world.flaws()[0].starts_with("services/a/stagewright.yaml:2:"));
}

#[test]
fn the_root_itself_is_no_app_and_says_which_there_are() {
    let world = World::of(ROOT);
    assert_eq!(
        told(load(world.folder.path()).unwrap_err()),
        [
            "stagewright.yaml:1:7: these are several apps, in `services/*` (name the folder of one of them with \
             `--project-dir`)"
        ]
    );
}

#[test]
fn what_belongs_to_one_app_is_refused_in_the_root() {
    let keys = "app: x\nroutes: { GET /: api }\nstages: { prod: { environment: { A: b } } }\n";
    let world = World::of(&format!("apps: [services/*]\n{keys}"));
    world.write(".chalice/config.json", "{}");
    let told = world.flaws();
    for (line, key) in told.iter().skip(1).zip(["`app`", "`routes`", "`environment`"]) {
        assert!(line.contains(&format!("{key} belongs to one app")), "{told:#?}");
    }
    assert!(told[0].contains("a Chalice app in `.chalice`"), "{told:#?}");
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[test]
fn a_pattern_that_takes_no_app_is_told_and_so_is_one_that_is_none() {
    let flaws = |apps: &str| {
        let told = World::of(&format!("apps: {apps}\n")).flaws();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].clone()
    };
    assert!(flaws("[services/*, lib/*]").starts_with("stagewright.yaml:1:20: `lib/*` takes no folder with an app"));
    assert!(flaws("[services/notes]").contains("takes no folder"));
    assert!(flaws("[]").contains("`apps` is empty"));
    for outside in ["[../x]", "[/srv]", "[.]", "[\"\"]"] {
        assert!(flaws(outside).contains("is no folder below this one"), "{outside}");
    }
    assert!(flaws("[\"**\"]").contains("only `*` is a wildcard"));
}

#[test]
fn an_app_that_two_patterns_take_is_there_once_and_a_hidden_one_by_its_name_only() {
    let world = World::of("apps: [services/*, services/a, \"serv*/b\"]\n");
    assert_eq!(world.workspace().projects.len(), 2);
    let world = World::of("apps: [services/.old]\n");
    assert_eq!(world.workspace().projects[0].folder, world.path("services/.old"));
}

#[test]
fn a_folder_behind_a_link_is_no_app_since_a_deploy_from_there_would_not_find_the_root() {
    let world = World::of("apps: [services/*]\n");
    world.write("lib/c/stagewright.yaml", &manifest("c", ""));
    std::os::unix::fs::symlink("../lib/c", world.path("services/c")).unwrap();
    assert_eq!(world.workspace().projects.len(), 2);
}

#[test]
fn two_apps_of_one_name_are_told_with_both_folders() {
    let world = World::of(ROOT);
    world.write("services/c/stagewright.yaml", &manifest("B", ""));
    let told = world.flaws();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("`services/b` and `services/c` are both called `B`"),
        "{told:?}"
    );
}

#[test]
fn what_is_wrong_in_root_and_apps_is_told_at_once() {
    let world = World::of("apps: [services/*]\nstate: s3://X\n");
    world.write("services/a/stagewright.yaml", "app: a b\nfunctions: {}\n");
    world.write("services/b/.chalice/config.json", "{");
    let told = world.flaws().join("\n");
    for file in [
        "stagewright.yaml:2:8: ",
        "services/a/stagewright.yaml:1:6: ",
        "services/b/.chalice/config.json",
    ] {
        assert!(told.contains(file), "{file}: {told}");
    }
}

#[test]
fn what_is_wrong_in_the_root_is_told_to_a_deploy_of_one_app() {
    let world = World::of("apps: [services/*]\nstate: s3://X\n");
    let told = told(load(&world.path("services/a")).unwrap_err());
    assert!(told[0].starts_with("../../stagewright.yaml:2:8: "), "{told:?}");
}

#[test]
fn a_root_beyond_the_repository_or_without_this_folder_is_none() {
    let world = World::of(ROOT);
    let state = |path: &str| load(&world.path(path)).unwrap().config.state;
    world.write("services/a/.git", "gitdir: elsewhere\n");
    assert_eq!(state("services/a"), None);
    world.write("tools/t/stagewright.yaml", &manifest("t", ""));
    assert_eq!(state("tools/t"), None);
    world.write("services/b/deep/stagewright.yaml", &manifest("deep", ""));
    assert_eq!(state("services/b/deep"), None);
}

#[test]
fn a_folder_without_apps_is_the_workspace_of_its_one_project() {
    let world = World::of(&manifest("solo", "branches: { main: prod }\n"));
    let workspace = world.workspace();
    assert_eq!(workspace.projects.len(), 1);
    assert_eq!(workspace.projects[0].app_name().unwrap().as_str(), "solo");
    assert_eq!(workspace.config.fixed_stages(), [stage("prod")].into());
}

#[test]
fn a_config_is_read_from_its_text_alone() {
    let config = parse_config(ROOT).unwrap();
    assert_eq!(config.stage(&stage("prod")).protected, Protection::Protected);
    let config = parse_config("chalice: not/here\nstate: states\nstages: { prod: }\n").unwrap();
    assert_eq!(config.state.unwrap().url, StateUrl::Folder(PathBuf::from("states")));
    assert_eq!(parse_config(&manifest("a", "")).unwrap().app.unwrap().as_str(), "a");
    assert!(parse_config("state: s3://X\n").is_err());
}
