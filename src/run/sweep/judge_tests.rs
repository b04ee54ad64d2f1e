//! Tests of the judgement: what goes, what stays, and what people are warned of.

use std::collections::BTreeSet;

use super::*;
use crate::stage::branches::{Branch, Branches};
use crate::stage::policy::PullRequests;
use crate::state::{Attempt, Doubt, Intent, Progress};

const NOW: &str = "2026-11-20T12:00:00Z";

/// A config, and the moment at which it is read.
struct World {
    branches: Branches,
    pull_requests: PullRequests,
    fixed: BTreeSet<StageName>,
    repository: Repository,
}

impl World {
    fn new(pull_requests: PullRequests) -> Self {
        let glob = Branch::new("release/*", "release-{1}").unwrap();
        let name = Branch::new("main", "prod").unwrap();
        Self {
            branches: Branches::new(vec![name, glob]),
            pull_requests,
            fixed: BTreeSet::from([stage("staging")]),
            repository: Repository {
                name: "octo/app".to_owned(),
                id: None,
            },
        }
    }

    fn law(&self) -> Law<'_> {
        Law {
            rules: Rules {
                branches: &self.branches,
                pull_requests: &self.pull_requests,
                fixed: &self.fixed,
            },
            repository: &self.repository,
            now: at(0),
        }
    }

    fn doomed(&self, states: &[State], open: &[(u64, &str)]) -> Vec<String> {
        let doomed = previews(states, &self::open(open), self.law()).doomed;
        doomed.iter().map(|doomed| doomed.removal.stage().to_string()).collect()
    }
}

fn every() -> World {
    World::new(PullRequests::default())
}

fn with_lifetime(hours: u64) -> World {
    World::new(PullRequests {
        expire_after: Some(Duration::from_hours(hours)),
        ..PullRequests::default()
    })
}

fn with_limit(limit: u32) -> World {
    World::new(PullRequests {
        limit: NonZeroU32::new(limit),
        ..PullRequests::default()
    })
}

fn stage(name: &str) -> StageName {
    name.parse().unwrap()
}

/// So many hours ago.
fn at(hours: i64) -> Timestamp {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    Timestamp::new(now - jiff::SignedDuration::from_hours(hours))
}

fn open(pulls: &[(u64, &str)]) -> Open {
    let labels = |label: &str| (!label.is_empty()).then(|| label.to_owned()).into_iter().collect();
    pulls.iter().map(|(number, label)| (*number, labels(label))).collect()
}

/// A stage of which something exists.
fn state(name: &str, claim: Option<(&str, Source)>, hours: i64) -> State {
    let mut state = State::new("shop".parse().unwrap(), stage(name), String::new());
    let doubt = Doubt {
        intent: Intent::Create,
        resource: None,
    };
    state.in_doubt = [(crate::names::Address::new("role", "default-role"), doubt)].into();
    state.claim = claim.map(|(repository, source)| Claim {
        repository: repository.to_owned(),
        repository_id: None,
        source,
    });
    state.last = Some(Attempt {
        outcome: Progress::Ready,
        by: String::new(),
        commit: None,
        at: at(hours),
        took_ms: None,
        run: None,
        changes: Vec::new(),
        error: None,
        release: None,
        deployment: None,
        merge: None,
    });
    state
}

fn preview_of(number: u64, hours: i64) -> State {
    let claim = Some(("octo/app", Source::PullRequest(number)));
    state(&format!("pr-{number}"), claim, hours)
}

fn of_branch(name: &str, branch: &str) -> State {
    state(name, Some(("octo/app", Source::Branch(branch.to_owned()))), 1)
}

#[test]
fn a_preview_goes_when_its_pull_request_is_not_open() {
    let states = [preview_of(7, 1), preview_of(8, 1)];
    assert_eq!(every().doomed(&states, &[(8, "")]), ["pr-7"]);
}

#[test]
fn what_others_made_or_nobody_knows_of_stays() {
    let foreign = state("pr-7", Some(("octo/other", Source::PullRequest(7))), 1);
    let by_hand = state("pr-8", None, 1);
    let misnamed = state("pr-9", Some(("octo/app", Source::PullRequest(10))), 1);
    let mut gone = preview_of(11, 1);
    gone.in_doubt.clear();
    let fixed = state("staging", Some(("octo/app", Source::PullRequest(12))), 1);
    let none: [&str; 0] = [];
    assert_eq!(every().doomed(&[foreign, by_hand, misnamed, gone, fixed], &[]), none);
}

#[test]
fn a_preview_expires_by_its_last_run_unless_a_label_keeps_it() {
    let states = [preview_of(1, 73), preview_of(2, 71), preview_of(3, 73)];
    let world = with_lifetime(72);
    let open = [(1, ""), (2, ""), (3, "Keep")];
    assert_eq!(world.doomed(&states, &open), ["pr-1"]);
    let kept = previews(&states, &self::open(&open), world.law()).kept;
    assert_eq!(kept.iter().map(|(kept, _)| kept.as_str()).collect::<Vec<_>>(), ["pr-3"]);
}

#[test]
fn without_a_lifetime_no_preview_expires() {
    assert!(every().doomed(&[preview_of(1, 100_000)], &[(1, "")]).is_empty());
}

#[test]
fn a_preview_whose_age_nobody_knows_does_not_expire() {
    let mut unknown = preview_of(1, 0);
    unknown.last = None;
    assert!(with_lifetime(1).doomed(&[unknown], &[(1, "")]).is_empty());
}

#[test]
fn whoever_touches_a_preview_is_warned_before_it_goes() {
    let states = [preview_of(1, 13 * 24), preview_of(2, 11 * 24), preview_of(3, 13 * 24)];
    let world = with_lifetime(14 * 24);
    let judged = previews(&states, &open(&[(1, ""), (2, ""), (3, "keep")]), world.law());
    assert_eq!(judged.expiring, [(stage("pr-1"), at(-24))]);
}

#[test]
fn a_short_life_is_not_one_long_warning() {
    let states = [preview_of(1, 1), preview_of(2, 7)];
    let judged = previews(&states, &open(&[(1, ""), (2, "")]), with_lifetime(12).law());
    assert_eq!(judged.expiring, [(stage("pr-2"), at(-5))]);
}

#[test]
fn beyond_the_limit_go_those_that_nobody_touched_for_longest() {
    let states = [
        preview_of(1, 1),
        preview_of(2, 30),
        preview_of(3, 20),
        preview_of(4, 40),
    ];
    let open = [(1, ""), (2, ""), (3, ""), (4, "keep")];
    assert_eq!(with_limit(2).doomed(&states, &open), ["pr-2", "pr-3"]);
    assert!(with_limit(4).doomed(&states, &open).is_empty());
}

#[test]
fn what_is_closed_does_not_count_for_the_limit() {
    let states = [preview_of(1, 1), preview_of(2, 30)];
    assert_eq!(with_limit(1).doomed(&states, &[(2, "")]), ["pr-1"]);
}

#[test]
fn only_a_stage_that_a_glob_made_for_its_branch_can_go_with_it() {
    let states = [
        of_branch("release-1", "release/1"),
        of_branch("prod", "main"),
        of_branch("staging", "release/staging"),
        of_branch("release-2", "release/other"),
        of_branch("pr-7", "release/7"),
    ];
    let world = every();
    let found = of_branches(&states, world.law());
    let names: Vec<_> = found.iter().map(|doomed| doomed.removal.stage().as_str()).collect();
    assert_eq!(names, ["release-1"]);
}
