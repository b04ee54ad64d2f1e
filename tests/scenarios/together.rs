//! Several runs of one stage at once: one at a time touches AWS, the others wait for it, and say so.
//!
//! Each run has a user of its own, whose name is the access key, too: so the log of calls tells the runs apart.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{Call, Started, World};

const DEPLOY: [&str; 3] = ["deploy", "--stage", "dev"];
const DESTROY: [&str; 4] = ["destroy", "--stage", "dev", "--yes"];

#[test]
fn of_many_runs_of_a_stage_at_once_one_at_a_time_touches_it_and_the_last_one_has_its_way() {
    let world = World::new();
    let deployers = ["ann", "ben", "cleo", "dan", "eve", "finn"];
    let destroyers = ["gus", "hal"];
    deployers.iter().for_each(|user| app_of(&world, user));
    destroyers.iter().for_each(|user| app_of(&world, user));

    let deploys = deployers
        .iter()
        .map(|user| Started::new(&mut program(&world, user, &DEPLOY)));
    let destroys = destroyers
        .iter()
        .map(|user| Started::new(&mut program(&world, user, &DESTROY)));
    let started: Vec<Started> = deploys.chain(destroys).collect();
    let ended: Vec<_> = started.into_iter().map(|one| one.ended().succeeded()).collect();

    let turns = turns(&world);
    let users: BTreeSet<&str> = turns.iter().map(|turn| turn.user.as_str()).collect();
    assert_eq!(users.len(), turns.len(), "somebody had two turns: {turns:#?}");
    assert!(deployers.iter().all(|user| users.contains(user)), "{turns:#?}");
    for pair in turns.windows(2) {
        assert!(pair[0].ended < pair[1].began, "two at once: {pair:#?}");
    }
    let state = world.state("greeter", "dev");
    assert_eq!(state["stagewright"]["generation"], turns.len(), "{state:#}");
    assert_eq!(state["stagewright"]["lease"], Value::Null, "{state:#}");
    let last = turns
        .last()
        .map(|turn| turn.user.as_str())
        .expect("somebody had a turn");
    if destroyers.contains(&last) {
        assert_eq!(world.names_in_aws(), BTreeSet::new());
    } else {
        let url = ended
            .iter()
            .map(|run| run.last_word())
            .find(|word| word.starts_with("http"));
        let api = world.aws()["apis"][0]["id"].as_str().expect("an API").to_owned();
        assert!(url.is_some());
        assert_eq!(world.get(&world.url_of(&api, "api")).text(), last);
    }
    assert!(
        ended.iter().any(|run| run.stderr.contains("waiting: ")),
        "nobody waited"
    );
}

#[test]
fn who_waits_says_so_once_and_for_whom() {
    let world = World::new();
    let ann = held_in_create_function(&world, "ann");
    app_of(&world, "ben");
    world.order_faults(&json!([{"operation": "GetObject", "key": "ben", "answer": "hold", "skip": 2}]));
    let mut ben = Started::new(&mut program(&world, "ben", &DEPLOY));
    assert!(ben.says("waiting: ann@"), "ben does not wait");
    world.await_held_of("ben");

    world.release();
    ann.ended().succeeded();
    let ben = ben.ended().succeeded();
    let said: Vec<&str> = ben.stderr.lines().filter(|line| line.contains("waiting")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("holds stage `dev` since ") && said[0].contains("(deploy)"),
        "{said:?}"
    );
    assert_eq!(world.get(&ben.last_word()).text(), "ben");
}

#[test]
fn who_does_not_want_to_wait_is_told_at_once_who_holds_the_stage() {
    let world = World::new();
    let ann = held_in_create_function(&world, "ann");
    app_of(&world, "ben");
    for arguments in [&DEPLOY[..], &DESTROY[..]] {
        let arguments = [&["--wait", "0"], arguments].concat();
        let ben = Started::new(&mut program(&world, "ben", &arguments)).ended();
        let ben = ben.ended_with(3).saying(&["ann@", "`dev`", "nothing was changed"]);
        assert!(!ben.stderr.contains("waiting"), "{}", ben.stderr);
    }
    assert!(turns(&world).iter().all(|turn| turn.user != "ben"));

    world.release();
    ann.ended().succeeded();
}

#[test]
fn a_stage_does_not_wait_for_another_one() {
    let world = World::new();
    let ann = held_in_create_function(&world, "ann");
    app_of(&world, "ben");
    let prod = ["--wait", "0", "deploy", "--stage", "prod"];
    let ben = Started::new(&mut program(&world, "ben", &prod)).ended().succeeded();
    assert_eq!(world.get(&ben.last_word()).text(), "ben");

    world.release();
    let ann = ann.ended().succeeded();
    assert_eq!(world.get(&ann.last_word()).text(), "ann");
}

/// A user's checkout of the app, which answers with the user's name.
fn app_of(world: &World, user: &str) {
    world.manifest_hello();
    for file in ["stagewright.yaml", "src/handler.py"] {
        world.write(
            &format!("{user}/{file}"),
            &world.read(file).replace("\"hello\"", &format!("\"{user}\"")),
        );
    }
}

fn program(world: &World, user: &str, arguments: &[&str]) -> Command {
    let mut command = world.program();
    command
        .current_dir(world.project().join(user))
        .env("USER", user)
        .env("AWS_ACCESS_KEY_ID", user)
        .args(arguments);
    command
}

/// A deploy of a user that holds stage `dev`, and whose `CreateFunction` is held.
fn held_in_create_function(world: &World, user: &str) -> Started {
    app_of(world, user);
    world.order_faults(&json!([{"operation": "CreateFunction", "key": user, "answer": "hold"}]));
    let started = Started::new(&mut program(world, user, &DEPLOY));
    world.await_held_of(user);
    started
}

/// What one run did to AWS and to the record without another one between.
#[derive(Debug)]
struct Turn {
    user: String,
    began: f64,
    ended: f64,
}

/// The turns of the runs, in their order.
fn turns(world: &World) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let records = |call: &Call| call.target.ends_with("/dev.json") && call.status == Some(200);
    let changing = |call: &Call| call.mutates && (call.service != "s3" || records(call));
    for call in world.calls().into_iter().filter(changing) {
        let ended = call.began + f64::from(call.took_ms.unwrap_or_default()) / 1000.0;
        match turns.last_mut() {
            Some(turn) if turn.user == call.key => {
                turn.ended = turn.ended.max(ended);
            }
            Some(_) | None => turns.push(Turn {
                user: call.key,
                began: call.began,
                ended,
            }),
        }
    }
    turns
}
