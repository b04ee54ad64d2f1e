//! What GitHub reads of us agrees with itself: the action, its image, the workflows, the documentation and the releases.

#![expect(clippy::unwrap_used, reason = "a test that cannot read what we ship must fail")]
#![expect(clippy::disallowed_methods, reason = "a test writes the files of its own repository")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_action_runs_ci_in_an_image_that_is_built_from_the_checkout() {
    let runs = &yaml("action.yml")["runs"];
    assert_eq!(*runs, json!({"using": "docker", "image": "Dockerfile", "args": ["ci"]}));
}

#[test]
fn a_workflow_needs_to_give_no_input() {
    let action = yaml("action.yml");
    for (name, input) in action["inputs"].as_object().unwrap() {
        assert_eq!(input["required"], false, "{name}");
        let default = match name.as_str() {
            "github-token" => "${{ github.token }}",
            "project-dir" => ".",
            "wait" => "10m",
            _ => "",
        };
        assert_eq!(input["default"], default, "{name}");
    }
}

#[test]
fn the_documentation_names_every_input_and_output_with_its_default() {
    let documentation = text("docs/github.md");
    let action = yaml("action.yml");
    for kind in ["inputs", "outputs"] {
        for (name, about) in action[kind].as_object().unwrap() {
            let row = documentation
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("docs/github.md has no row for {name} of {kind}"));
            let default = about["default"].as_str().unwrap_or_default();
            assert!(row.contains(default), "{row} does not say the default {default}");
        }
    }
}

#[test]
fn the_example_uses_inputs_and_outputs_that_the_action_has() {
    let action = yaml("action.yml");
    let example = yaml(".github/workflows/example.yml");
    let steps = example["jobs"]["stage"]["steps"].as_array().unwrap();
    let ours = steps.iter().find(|step| step["uses"] == "./").unwrap();
    let unknown: Vec<_> = names(&ours["with"])
        .difference(&names(&action["inputs"]))
        .copied()
        .collect();
    assert_eq!(unknown, [""; 0]);
    let used = text(".github/workflows/example.yml");
    let used = used.split("steps.stagewright.outputs.").skip(1);
    for output in used.map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap()) {
        assert!(action["outputs"].get(output).is_some(), "{output}");
    }
}

#[test]
fn the_workflow_to_copy_is_short_and_is_what_init_writes() {
    let readme = text("README.md");
    let (_, workflow) = readme.split_once("```yaml\n").unwrap();
    let (workflow, _) = workflow.split_once("```").unwrap();
    assert!(workflow.lines().count() < 30, "{}", workflow.lines().count());
    let parsed: Value = serde_saphyr::from_str(workflow).unwrap();
    let [checkout, ours] = parsed["jobs"]["stagewright"]["steps"].as_array().unwrap().as_slice() else {
        panic!("two steps in {parsed}");
    };
    let written = text("src/setup/workflow.rs");
    for step in [checkout, ours] {
        let action = step["uses"].as_str().unwrap();
        assert!(written.contains(&format!("\"{action}")), "`init` writes no {action}");
    }
    let condition = checkout["if"].as_str().unwrap();
    assert!(written.contains(&format!("if: {condition}\n")), "{condition}");
    let action = yaml("action.yml");
    let unknown: Vec<_> = names(&ours["with"])
        .difference(&names(&action["inputs"]))
        .copied()
        .collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn the_image_has_the_rust_and_the_uv_that_the_tests_use() {
    let dockerfile = text("Dockerfile");
    let toolchain = text("rust-toolchain.toml");
    let rust = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap();
    assert!(
        dockerfile.contains(&format!("FROM rust:{}-", rust.trim_matches('"'))),
        "{rust}"
    );
    let requirements = text("tests/requirements.txt");
    let uv = requirements.lines().find_map(|line| line.strip_prefix("uv==")).unwrap();
    assert!(dockerfile.contains(&format!("uv:{uv} AS uv\n")), "{uv}");
}

#[test]
fn the_image_of_a_release_is_that_of_the_checkout_but_for_the_binary() {
    let runtime = |path: &str| {
        let text = text(path);
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let common: Vec<_> = lines
            .take_while(|line| !line.starts_with("ENTRYPOINT"))
            .map(str::to_owned)
            .collect();
        let entrypoint = text
            .lines()
            .find(|line| line.starts_with("ENTRYPOINT"))
            .unwrap()
            .to_owned();
        (common, entrypoint)
    };
    assert_eq!(runtime("Dockerfile"), runtime("Dockerfile.prebuilt"));
}

/// A repository called acme/Shop, whose `main` has what a release is made of.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(TempDir::new().unwrap());
        let folder = repository.0.path();
        fs::create_dir(folder.join(".github")).unwrap();
        for path in ["action.yml", "Cargo.toml", ".github/tag-release.sh"] {
            fs::copy(path, folder.join(path)).unwrap();
        }
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.git(&["config", "user.name", "ann"]);
        repository.git(&["config", "user.email", "ann@example.com"]);
        repository.git(&["config", "commit.gpgsign", "false"]);
        repository.git(&["config", "tag.gpgsign", "false"]);
        repository.git(&["remote", "add", "origin", "git@github.com:acme/Shop.git"]);
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "--message", "all"]);
        repository.git(&["update-ref", "refs/remotes/origin/main", "main"]);
        repository
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).args(arguments).output().unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = self.command("git", arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn tag_release(&self, arguments: &[&str]) -> Output {
        self.command(Path::new("./.github/tag-release.sh"), arguments)
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_release_is_a_commit_of_main_whose_action_runs_its_public_image() {
    let repository = Repository::new();
    let made = repository.tag_release(&[VERSION]);
    assert!(made.status.success(), "{made:?}");
    let tag = format!("v{VERSION}");
    let changed = repository.git(&["diff", "--unified=0", "main", &tag]);
    let changes: Vec<_> = changed
        .lines()
        .filter(|line| (line.starts_with('+') || line.starts_with('-')) && line.chars().nth(1) == Some(' '))
        .collect();
    let image = format!("+  image: docker://ghcr.io/acme/shop:{tag}");
    assert_eq!(changes, ["-  image: Dockerfile", &image]);
    let checked = repository.tag_release(&["--check", &tag, "acme/Shop"]);
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(
        repository.git(&["status", "--short"]),
        "",
        "the checkout stays as it was"
    );
}

#[test]
fn a_release_that_is_not_what_main_has_is_refused() {
    let repository = Repository::new();
    let tag = format!("v{VERSION}");
    let refused = |why: &str| {
        let checked = repository.tag_release(&["--check", &tag, "acme/Shop"]);
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(!checked.status.success() && said.contains(why), "{checked:?}");
    };
    let commit = |file: &str, line: &str| {
        let path = repository.0.path().join(file);
        let all = format!("{}{line}\n", fs::read_to_string(&path).unwrap_or_default());
        fs::write(path, all).unwrap();
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "--message", "more"]);
        repository.git(&["tag", "--force", &tag]);
    };
    commit("action.yml", "# Anything.");
    refused("does not name its image");
    commit("main.rs", "fn main() {}");
    refused("is not on main");
    repository.git(&["update-ref", "refs/remotes/origin/main", "main~1"]);
    refused("changes more than action.yml");
    let other = repository.tag_release(&["9.9.9"]);
    assert!(!other.status.success(), "Cargo.toml says another version");
}
