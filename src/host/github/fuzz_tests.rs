//! The reader of webhook payloads, and payloads that are damaged.

use proptest::prelude::*;
use serde_json::Value;

use super::event::trigger;
use crate::damage;
use crate::stage::{Activity, Origin, Trigger, Workflow};

/// GitHub's own examples of an event.
fn examples(event: &str) -> Vec<Value> {
    let folder = std::env::current_dir().unwrap().join("tests/github/events");
    let text = std::fs::read_to_string(folder.join(format!("{event}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Each event that leads to something, with its examples.
const EVENTS: [&str; 5] = [
    "push",
    "delete",
    "pull_request",
    "pull_request_target",
    "workflow_dispatch",
];

fn payloads() -> impl Strategy<Value = (&'static str, Value)> {
    let damaged = |event: &'static str| {
        let examples = examples(event.trim_end_matches("_target"));
        damage::values(examples).prop_map(move |payload| (event, payload))
    };
    proptest::strategy::Union::new(EVENTS.map(|event| damaged(event).boxed()))
}

fn text<'a>(payload: &'a Value, pointer: &str) -> Option<&'a str> {
    payload.pointer(pointer).and_then(Value::as_str)
}

proptest! {
    #![proptest_config(damage::cases(400))]

    #[test]
    fn a_damaged_payload_is_told_by_its_event_and_field((event, payload) in payloads()) {
        if let Err(error) = trigger(event, &payload, "refs/heads/main") {
            let named = error.to_string();
            let expected = [format!("`{event}`"), format!("`{}`", error.field)];
            prop_assert!(expected.iter().all(|name| named.contains(name)), "{}", named);
        }
    }

    #[test]
    fn no_damage_makes_a_pull_request_one_of_our_own_or_gives_it_another_number((event, payload) in payloads()) {
        if let Ok(Trigger::PullRequest(pull_request)) = trigger(event, &payload, "refs/heads/main") {
            let here = text(&payload, "/pull_request/base/repo/full_name");
            let there = text(&payload, "/pull_request/head/repo/full_name");
            prop_assert!(here.is_some());
            prop_assert_eq!(here == there, !matches!(pull_request.origin, Origin::Fork(_)));
            prop_assert_eq!(Some(pull_request.number), payload["pull_request"]["number"].as_u64());
            let is_own = pull_request.workflow == Workflow::Own;
            prop_assert_eq!(is_own, event == "pull_request");
        }
    }

    #[test]
    fn no_damage_closes_a_pull_request_or_deletes_a_branch_of_which_the_payload_does_not_say_so((event, payload) in payloads()) {
        match trigger(event, &payload, "refs/heads/main") {
            Ok(Trigger::PullRequest(pull_request)) => {
                let said = [text(&payload, "/action"), text(&payload, "/pull_request/state")];
                prop_assert_eq!(pull_request.activity == Activity::Closed, said.contains(&Some("closed")));
            }
            Ok(Trigger::BranchDeleted { branch }) => {
                let is_said = event == "delete" && payload["ref_type"] == "branch" || payload["deleted"] == true;
                prop_assert!(is_said);
                prop_assert!(text(&payload, "/ref").is_some_and(|git_ref| git_ref.ends_with(&branch)));
            }
            Ok(Trigger::Push { branch }) => {
                prop_assert_eq!(&payload["deleted"], &Value::Bool(false));
                let branch = format!("refs/heads/{branch}");
                prop_assert_eq!(text(&payload, "/ref"), Some(branch.as_str()));
            }
            Ok(Trigger::Schedule | Trigger::Manual { .. } | Trigger::Other { .. }) | Err(_) => {}
        }
    }
}
