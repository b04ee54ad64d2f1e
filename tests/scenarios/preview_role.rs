//! Previews of an app that may do the same run as one role: only the first one waits until AWS knows it.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};

use crate::http::Request;
use crate::world::{Account, Call, Run, Started, World};

/// The names of the roles that stand.
fn roles(world: &World) -> Vec<String> {
    let names = world.names_in_aws().into_iter();
    names
        .filter_map(|name| name.strip_prefix("roles/").map(str::to_owned))
        .collect()
}

/// The one role that stands.
fn role(world: &World) -> String {
    let roles = roles(world);
    assert_eq!(roles.len(), 1, "{roles:?}");
    roles.into_iter().next().unwrap_or_default()
}

/// The calls to a service, as their operations.
fn operations(world: &World, service: &str) -> Vec<String> {
    let calls = world.calls().into_iter();
    calls
        .filter(|call| call.service == service)
        .map(|call| call.operation)
        .collect()
}

/// The requests for the object of a shared role.
fn of_the_record(world: &World) -> Vec<Call> {
    let is_it = |call: &Call| call.target.contains("stagewright-shared/role-");
    world.calls().into_iter().filter(is_it).collect()
}

/// The addresses of the roles that functions of a stage run as, by its state.
fn addresses(world: &World, app: &str, stage: &str) -> BTreeSet<String> {
    let state = world.state(app, stage);
    let deployed = state["stagewright"]["deployed"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    deployed
        .into_iter()
        .map(|(address, _)| address)
        .filter(|address| address.starts_with("role/"))
        .collect()
}

fn destroy(world: &World, stage: &str) -> Run {
    world.run(&["destroy", "--stage", stage, "--yes"]).succeeded()
}

/// Lets the function of the app do something.
fn allow(world: &World, action: &str) {
    let policy = format!("    code: src\n    policy: [{{ actions: [\"{action}\"], resources: [\"*\"] }}]\n");
    world.replace("stagewright.yaml", "    code: src\n", &policy);
}

#[test]
fn a_second_preview_runs_as_the_role_of_the_first_and_waits_for_nothing() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("pr-7");
    let shared = role(&world);
    assert!(shared.starts_with("greeter-preview-"), "{shared}");

    // A role that was made now could not be assumed for longer than anybody waits.
    world.set_aws(&json!({"role_delay_s": 3600}));
    world
        .run(&["plan", "--stage", "pr-8"])
        .succeeded()
        .saying(&["+ create role/", ", the shared preview role  (new)"]);
    world.forget_calls();
    let url = world.deploy("pr-8");
    assert_eq!(operations(&world, "iam"), ["GetRole"]);
    let creations = operations(&world, "lambda");
    assert_eq!(creations.iter().filter(|name| *name == "CreateFunction").count(), 1);
    // It is read, and its users are written down on condition: no lease is taken.
    assert_eq!(of_the_record(&world).len(), 2, "{:#?}", of_the_record(&world));
    assert_eq!(role(&world), shared);
    assert_eq!(world.get(&url).text(), "hello");

    world.forget_calls();
    world.deploy("pr-8");
    assert_eq!(operations(&world, "iam").len() + of_the_record(&world).len(), 0);
}

#[test]
fn the_role_bears_no_stage_and_is_not_in_the_list_that_chalice_deletes() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("pr-7");
    let state = world.state("hello", "pr-7");
    let listed = state["resources"].as_array().expect("a list");
    assert!(!listed.is_empty() && listed.iter().all(|entry| entry["resource_type"] != "iam_role"));
    let role = world.aws()["roles"][0].to_string();
    assert!(!role.contains("pr-7"), "{role}");
    assert!(role.contains("stagewright:shared"), "{role}");

    world.deploy("pr-8");
    destroy(&world, "pr-7");
    let url = world.run(&["url", "--stage", "pr-8"]).succeeded().last_word();
    assert_eq!(world.get(&url).json(), json!({"hello": "world"}));
}

#[test]
fn the_role_stays_as_long_as_a_preview_uses_it_and_goes_with_the_last_one() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("pr-7");
    world.deploy("pr-8");
    world.forget_calls();
    destroy(&world, "pr-7");
    assert_eq!(operations(&world, "iam"), Vec::<String>::new());
    assert_eq!(roles(&world).len(), 1);
    world.forget_calls();
    destroy(&world, "pr-8");
    assert_eq!(operations(&world, "iam"), ["DeleteRolePolicy", "DeleteRole"]);
    assert_eq!(world.names_in_aws(), BTreeSet::new());
    world.deploy("pr-9");
    assert_eq!(roles(&world).len(), 1);
}

#[test]
fn a_pull_request_that_changes_the_policy_gets_another_role() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("pr-7");
    world.deploy("pr-8");
    let first = role(&world);
    allow(&world, "logs:CreateLogStream");
    let url = world.deploy("pr-7");
    assert_eq!(world.get(&url).text(), "hello");
    let both = roles(&world);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.contains(&first), "{both:?}");
    assert_eq!(addresses(&world, "greeter", "pr-7").len(), 1);

    world.deploy("pr-8");
    assert_ne!(role(&world), first);
}

#[test]
fn a_branch_and_a_stage_in_a_folder_have_a_role_of_their_own() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("pr-7");
    world.deploy("beta");
    assert!(roles(&world).contains(&"greeter-beta".to_owned()));
    assert_eq!(roles(&world).len(), 2);

    let folder = World::with_folder_state();
    folder.manifest_hello();
    folder.deploy("pr-7");
    assert_eq!(role(&folder), "greeter-pr-7");
}

#[test]
fn a_policy_that_names_the_stage_is_nobody_elses() {
    let world = World::new();
    world.manifest_hello();
    let policy =
        "    code: src\n    policy:\n      - { actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::x-pr-7/*\"] }\n";
    world.replace("stagewright.yaml", "    code: src\n", policy);
    world.deploy("pr-7");
    assert!(!role(&world).contains("preview"), "{}", role(&world));
}

#[test]
fn previews_move_between_the_shared_role_and_their_own() {
    let world = World::new();
    world.manifest_hello();
    let said = world.read("stagewright.yaml");
    let own = format!("{said}pull_requests: {{ role: own }}\n");
    world.write("stagewright.yaml", &own);
    world.deploy("pr-7");
    assert_eq!(roles(&world), ["greeter-pr-7"]);

    world.write("stagewright.yaml", &said);
    world.forget_calls();
    let url = world.deploy("pr-7");
    assert_eq!(world.get(&url).text(), "hello");
    assert!(role(&world).starts_with("greeter-preview-"));
    let changes = world.mutations();
    let at = |operation: &str| changes.iter().position(|change| change.starts_with(operation));
    assert!(at("CreateRole") < at("UpdateFunctionConfiguration"), "{changes:#?}");
    assert!(at("UpdateFunctionConfiguration") < at("DeleteRole "), "{changes:#?}");

    world.write("stagewright.yaml", &own);
    world.deploy("pr-7");
    assert_eq!(roles(&world), ["greeter-pr-7"]);
    world
        .run(&["plan", "--stage", "pr-7"])
        .succeeded()
        .saying(&["Nothing to change"]);
}

#[test]
fn of_previews_at_once_one_makes_the_role_and_all_use_it() {
    let world = World::new();
    world.manifest_hello();
    let stages = ["pr-1", "pr-2", "pr-3", "pr-4"];
    let deploy = |stage: &&str| Started::new(world.program().args(["deploy", "--stage", stage]));
    let started: Vec<Started> = stages.iter().map(deploy).collect();
    for one in started {
        one.ended().succeeded();
    }
    role(&world);
    let made = operations(&world, "iam")
        .into_iter()
        .filter(|name| name == "CreateRole");
    assert_eq!(made.count(), 1);
    let destroy = |stage: &&str| Started::new(world.program().args(["destroy", "--yes", "--stage", stage]));
    let started: Vec<Started> = stages.iter().map(destroy).collect();
    for one in started {
        one.ended().succeeded();
    }
    assert_eq!(world.names_in_aws(), BTreeSet::new());
}

#[test]
fn a_role_that_somebody_removed_is_made_again_for_the_next_preview() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("pr-7");
    let name = role(&world);
    for action in [format!("DeleteRolePolicy&PolicyName={name}"), "DeleteRole".to_owned()] {
        let body = format!("Action={action}&RoleName={name}&Version=2010-05-08");
        let url = world.endpoint("/");
        let answer = Request::new("POST", &url)
            .header("content-type", "application/x-www-form-urlencoded")
            .signed("iam", "test")
            .body(body.as_bytes())
            .send();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(roles(&world).len(), 0);
    let url = world.deploy("pr-8");
    assert_eq!(world.get(&url).text(), "hello");
    assert_eq!(role(&world), name);
}

#[test]
fn a_role_that_no_preview_has_any_more_is_found_by_the_sweep() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("pr-7");
    let name = role(&world);
    let sweep = |arguments: &[&str]| world.run(&[&["sweep"], arguments].concat()).succeeded();
    let said = sweep(&["--orphans", "--json"]).json();
    assert_eq!(said["rows"], json!([]), "it is used: {said:#}");

    // As if somebody had removed the stage in another way: it is a user still, as far as is written down.
    let mut state = world.state("greeter", "pr-7");
    let deployed = state["stagewright"]["deployed"].as_object_mut().expect("a map");
    deployed.retain(|address, _| !address.starts_with("role/"));
    world.write_state("greeter", "pr-7", &state.to_string());
    let said = sweep(&["--json"]).json();
    assert_eq!(said["rows"][0]["resource"], format!("role `{name}`"), "{said:#}");
    assert_eq!(said["rows"][0]["outcome"], "left", "{said:#}");
    world.forget_calls();
    sweep(&["--orphans"]).saying(&["removed"]);
    assert_eq!(roles(&world), Vec::<String>::new());
    let record = of_the_record(&world);
    assert!(!record.is_empty(), "the sweep did not look who has it");
}

/// What a run is killed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// The deploy of the first preview.
    Deploy,
    /// The removal of the last one.
    Destroy,
}

/// At which call a run is killed, and what is run then beside the same again.
#[derive(Debug)]
struct Case {
    scene: Scene,
    operation: &'static str,
    /// What the path of such a call contains.
    path: &'static str,
    when: &'static str,
    /// How many such calls go before it.
    skip: usize,
}

impl Case {
    fn all() -> Vec<Self> {
        let record = "stagewright-shared";
        let calls = [
            (Scene::Deploy, "before", "PutObject", record, 0),
            (Scene::Deploy, "after", "PutObject", record, 0),
            (Scene::Deploy, "after", "CreateRole", "", 0),
            (Scene::Deploy, "before", "PutRolePolicy", "", 0),
            (Scene::Deploy, "before", "PutObject", record, 1),
            (Scene::Destroy, "after", "PutObject", record, 0),
            (Scene::Destroy, "before", "DeleteRolePolicy", "", 0),
            (Scene::Destroy, "after", "DeleteRolePolicy", "", 0),
            (Scene::Destroy, "after", "DeleteRole", "", 0),
            (Scene::Destroy, "before", "PutObject", record, 1),
        ];
        let case = |(scene, when, operation, path, skip)| Self {
            scene,
            operation,
            path,
            when,
            skip,
        };
        calls.into_iter().map(case).collect()
    }

    fn arguments(&self) -> &'static [&'static str] {
        match self.scene {
            Scene::Deploy => &["deploy", "--stage", "pr-7"],
            Scene::Destroy => &["destroy", "--stage", "pr-7", "--yes"],
        }
    }

    /// Kills a run, then deploys another preview and runs the same again, both at once; at last both are removed.
    fn happen(&self, account: &Account<'_>) {
        let run = |arguments: &[&str]| Started::new(account.program(".").args(arguments));
        if self.scene == Scene::Destroy {
            run(&["deploy", "--stage", "pr-7"]).ended().succeeded();
        }
        let fault = json!({"operation": self.operation, "match": self.path, "skip": self.skip, "when": self.when, "answer": "hold"});
        account.order_faults(&json!([fault]));
        let mut killed = account.program(".");
        let killed = killed
            .args(self.arguments())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut killed = killed.spawn().expect("it starts");
        account.await_held();
        killed.kill().expect("it can be killed");
        killed.wait().expect("it is gone");
        account.order_faults(&json!([]));
        account.drop_held();

        let (other, again) = (run(&["deploy", "--stage", "pr-8"]), run(self.arguments()));
        other.ended().succeeded();
        again.ended().succeeded();
    }
}

#[test]
fn whenever_a_run_is_killed_the_role_is_there_for_whoever_uses_it_and_goes_with_the_last_one() {
    let world = World::new();
    world.manifest_hello();
    let cases = Case::all();
    let accounts: Vec<Account<'_>> = (0..cases.len()).map(|index| world.account(index + 301)).collect();
    let both = || cases.iter().zip(&accounts);
    let each = |work: &(dyn Fn(&Case, &Account<'_>) + Sync)| {
        thread::scope(|scope| {
            for (case, account) in both() {
                scope.spawn(move || work(case, account));
            }
        });
    };
    each(&|case, account| case.happen(account));
    for (case, account) in both() {
        let aws = account.aws();
        let roles = aws["roles"].as_array().cloned().unwrap_or_default();
        assert_eq!(roles.len(), 1, "{case:?}: {roles:#?}");
        assert_eq!(policies(&roles[0]), 1, "{case:?}: {roles:#?}");
        let stages = aws["functions"].as_array().map_or(0, Vec::len);
        let wanted = if case.scene == Scene::Deploy { 2 } else { 1 };
        assert_eq!(stages, wanted, "{case:?}");
    }
    each(&|_, account| {
        for stage in ["pr-7", "pr-8"] {
            let destroyed = account
                .program(".")
                .args(["destroy", "--yes", "--stage", stage])
                .output();
            Run::from(destroyed.expect("the program runs")).succeeded();
        }
    });
    for (case, account) in both() {
        assert_eq!(account.aws()["roles"], json!([]), "{case:?}");
    }
}

fn policies(role: &Value) -> usize {
    let policies = &role["policies"];
    let many = policies
        .as_array()
        .map(Vec::len)
        .or(policies.as_object().map(serde_json::Map::len));
    many.unwrap_or_default()
}
