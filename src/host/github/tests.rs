//! What the variables of a run of GitHub Actions are understood to say.
#![expect(
    clippy::disallowed_methods,
    reason = "nobody reads these files while they are written"
)]

use tempfile::TempDir;

use super::*;

/// The variables of a push.
fn variables(folder: &TempDir) -> BTreeMap<String, String> {
    let event = folder.path().join("event.json");
    fs::write(&event, "{}").unwrap();
    let set = [
        ("GITHUB_REPOSITORY", "octo/app".to_owned()),
        ("GITHUB_RUN_ID", "42".to_owned()),
        ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
        ("GITHUB_EVENT_NAME", "push".to_owned()),
        ("GITHUB_EVENT_PATH", event.display().to_string()),
        ("GITHUB_REF", "refs/heads/main".to_owned()),
        ("GITHUB_SHA", "5ha".to_owned()),
    ];
    set.map(|(name, value)| (name.to_owned(), value)).into()
}

fn run(variables: &BTreeMap<String, String>) -> Result<Run, Error> {
    Run::of(&Variables(variables))
}

fn set(variables: &mut BTreeMap<String, String>, name: &str, value: &str) {
    variables.insert(name.to_owned(), value.to_owned());
}

#[test]
fn outside_github_actions_the_missing_variable_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_EVENT_PATH", "GITHUB_SHA"] {
        let mut variables = variables(&folder);
        set(&mut variables, name, "");
        let error = run(&variables).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("GitHub Actions"), "{error}");
    }
}

#[test]
fn a_run_says_who_it_is_and_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let mut variables = variables(&folder);
    let first = run(&variables).unwrap();
    assert_eq!(first.who(), "octo/app run 42");
    assert_eq!(first.url(), "https://github.com/octo/app/actions/runs/42/attempts/1");
    set(&mut variables, "GITHUB_RUN_ATTEMPT", "3");
    set(&mut variables, "GITHUB_SERVER_URL", "https://ghe.example.com/");
    let rerun = run(&variables).unwrap();
    assert_eq!(rerun.who(), "octo/app run 42 attempt 3");
    assert_eq!(
        rerun.url(),
        "https://ghe.example.com/octo/app/actions/runs/42/attempts/3"
    );
}

#[test]
fn a_run_is_recorded_with_its_runner_where_that_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut variables = variables(&folder);
    set(&mut variables, "GITHUB_RUN_NUMBER", "7");
    set(&mut variables, "GITHUB_WORKFLOW_REF", "octo/app/w.yml@refs/heads/main");
    let nameless = run(&variables).unwrap().recorded().unwrap();
    assert_eq!(nameless.runner, None);
    assert!(serde_json::to_value(&nameless).unwrap().get("runner").is_none());
    set(&mut variables, "RUNNER_NAME", "GitHub Actions 2");
    let named = run(&variables).unwrap().recorded().unwrap();
    assert_eq!(named.runner.as_deref(), Some("GitHub Actions 2"));
}

#[test]
fn the_commit_of_a_pull_request_is_its_head_and_not_the_merge() {
    let folder = tempfile::tempdir().unwrap();
    let mut variables = variables(&folder);
    assert_eq!(run(&variables).unwrap().commit().unwrap(), "5ha");
    let payload = r#"{"pull_request": {"head": {"sha": "4ead"}}}"#;
    fs::write(folder.path().join("event.json"), payload).unwrap();
    for name in ["pull_request", "pull_request_target"] {
        set(&mut variables, "GITHUB_EVENT_NAME", name);
        assert_eq!(run(&variables).unwrap().commit().unwrap(), "4ead");
    }
    fs::remove_file(folder.path().join("event.json")).unwrap();
    assert_eq!(run(&variables).unwrap().commit(), None);
}

#[test]
fn an_input_that_was_not_given_is_none() {
    let given = [
        ("INPUT_PROJECT-DIR", "services/api"),
        ("INPUT_ROLE", ""),
        ("INPUT_WAIT", " "),
    ];
    let variables = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(
        Inputs::of(&Variables(&variables)),
        Inputs {
            project_dir: Some("services/api".to_owned()),
            ..Inputs::default()
        }
    );
}

#[test]
fn the_token_of_the_input_comes_before_that_of_the_environment() {
    let mut variables = BTreeMap::new();
    assert_eq!(Variables(&variables).token(), None);
    set(&mut variables, "GITHUB_TOKEN", "environment");
    assert_eq!(
        Variables(&variables).token(),
        Some(Secret::new("environment".to_owned()))
    );
    set(&mut variables, "INPUT_GITHUB-TOKEN", "input");
    assert_eq!(Variables(&variables).token(), Some(Secret::new("input".to_owned())));
}

#[test]
fn an_event_that_cannot_be_read_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let variables = variables(&folder);
    let event = folder.path().join("event.json");
    fs::write(&event, "{").unwrap();
    let error = run(&variables).unwrap().payload().unwrap_err().to_string();
    assert!(error.contains("event.json") && error.contains("not JSON"), "{error}");
    fs::remove_file(&event).unwrap();
    let error = run(&variables).unwrap().payload().unwrap_err().to_string();
    assert!(
        error.contains("event.json") && error.contains("No such file"),
        "{error}"
    );
}

#[test]
fn a_repository_that_would_lead_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["octo", "octo/", "octo/app/../../user", "octo/app?x"] {
        let mut variables = variables(&folder);
        set(&mut variables, "GITHUB_REPOSITORY", name);
        assert!(matches!(run(&variables), Err(Error::Repository(_))), "{name}");
    }
}

#[test]
fn graphql_is_beside_rest() {
    assert_eq!(
        graphql_beside("https://api.github.com"),
        "https://api.github.com/graphql"
    );
    assert_eq!(
        graphql_beside("https://ghe.example.com/api/v3"),
        "https://ghe.example.com/api/graphql"
    );
}

#[test]
fn a_step_without_a_file_for_outputs_names_the_variable() {
    let error = write("GITHUB_OUTPUT", None, |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("GITHUB_OUTPUT"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let error = write("GITHUB_OUTPUT", Some(folder.path()), |file| {
        workflow::outputs(file, &[])
    });
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("GITHUB_OUTPUT") && error.contains("directory"),
        "{error}"
    );
}
