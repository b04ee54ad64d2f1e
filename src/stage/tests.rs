//! What a trigger may lead to, whatever it and the config say.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::branches::{Branch, Branches, By, Pattern};
use super::claim::claims;
use super::decide::{Rules, decide};
use super::policy::{CommentMode, Drafts, Previews, PullRequests};
use super::*;

/// What a config says, as rules need it.
#[derive(Debug, Clone)]
struct Config {
    branches: Branches,
    pull_requests: PullRequests,
    fixed: BTreeSet<StageName>,
}

impl Config {
    fn of(pairs: &[(&str, &str)]) -> Self {
        let branch = |(pattern, stage): &(&str, &str)| Branch::new(pattern, stage).unwrap();
        Self {
            branches: Branches::new(pairs.iter().map(branch).collect()),
            pull_requests: PullRequests::default(),
            fixed: BTreeSet::new(),
        }
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            branches: &self.branches,
            pull_requests: &self.pull_requests,
            fixed: &self.fixed,
        }
    }
}

fn stage(name: &str) -> StageName {
    name.parse().unwrap()
}

fn branch(name: &str) -> Source {
    Source::Branch(name.to_owned())
}

fn pull_request() -> PullRequest {
    PullRequest {
        number: 7,
        activity: Activity::Deployable,
        workflow: Workflow::Own,
        origin: Origin::Here,
        base: "main".to_owned(),
        head: "abc".to_owned(),
        readiness: Readiness::Ready,
        labels: vec!["bug".to_owned()],
    }
}

fn told(trigger: &Trigger, config: &Config) -> String {
    match decide(trigger, &config.rules()) {
        Ok(decision) => decision.json().to_string(),
        Err(refused) => format!("refused: {refused}"),
    }
}

fn told_of(pull_request: PullRequest, pull_requests: PullRequests) -> String {
    let config = Config {
        pull_requests,
        ..Config::of(&[])
    };
    told(&Trigger::PullRequest(Box::new(pull_request)), &config)
}

#[test]
fn each_reason_for_no_preview_is_told_by_its_key() {
    let default = PullRequests::default;
    let off = PullRequests {
        previews: Previews::Off,
        ..default()
    };
    let base = PullRequests {
        base: Some(vec![
            Pattern::new("develop").unwrap(),
            Pattern::new("release/*").unwrap(),
        ]),
        ..default()
    };
    let label = PullRequests {
        label: Some("preview".to_owned()),
        ..default()
    };
    let drafts = PullRequests {
        drafts: Drafts::Skipped,
        ..default()
    };
    let draft = PullRequest {
        readiness: Readiness::Draft,
        ..pull_request()
    };
    for (pull_request, policy, why) in [
        (pull_request(), off, "`pull_requests: false`"),
        (
            pull_request(),
            base,
            "into `main`, and `pull_requests.base` has only `develop`, `release/*`.",
        ),
        (pull_request(), label, "no label `preview`"),
        (draft.clone(), drafts, "#7 is a draft"),
    ] {
        let told = told_of(pull_request, policy);
        assert!(
            told.starts_with(r#"{"decision":"skip","stage":null"#) && told.contains(why),
            "{told}"
        );
    }
    assert_eq!(
        told_of(draft, default()),
        r##"{"decision":"deploy","stage":"pr-7","reason":"#7 is open, and gets a preview."}"##
    );
}

#[test]
fn what_the_policy_asks_for_is_enough() {
    let policy = PullRequests {
        base: Some(vec![Pattern::new("m*").unwrap()]),
        label: Some("BUG".to_owned()),
        drafts: Drafts::Skipped,
        ..PullRequests::default()
    };
    assert!(told_of(pull_request(), policy).contains("deploy"));
}

#[test]
fn a_closed_pull_request_is_removed_whatever_the_policy_says_by_now() {
    let closed = PullRequest {
        activity: Activity::Closed,
        ..pull_request()
    };
    let off = PullRequests {
        previews: Previews::Off,
        ..PullRequests::default()
    };
    assert!(told_of(closed.clone(), off).contains(r#""destroy","stage":"pr-7""#));
    assert!(told_of(closed, PullRequests::default()).contains(r#""destroy","stage":"pr-7""#));
}

#[test]
fn a_glob_that_would_make_a_configured_stage_is_refused_when_it_is_pushed() {
    let mut config = Config::of(&[("*", "{1}")]);
    config.fixed.insert(stage("prod"));
    let push = |name: &str| Trigger::Push {
        branch: name.to_owned(),
    };
    assert!(told(&push("prod"), &config).starts_with("refused: the stage of branch `prod` cannot be made"));
    assert!(told(&push("x"), &config).contains("deploy"));
    let deleted = Trigger::BranchDeleted {
        branch: "prod".to_owned(),
    };
    assert!(told(&deleted, &config).contains("skip"));
}

#[test]
fn a_name_that_looks_like_a_preview_and_is_none_is_not_removed() {
    let config = Config::of(&[]);
    for name in ["pr-007", "PR-7", "pr-99999999999999999999999"] {
        let trigger = Trigger::Manual {
            git_ref: "refs/heads/main".to_owned(),
            stage: Some(name.to_owned()),
            command: Some("destroy".to_owned()),
        };
        let told = told(&trigger, &config);
        assert!(
            told.contains("is not the preview of any pull request"),
            "{name}: {told}"
        );
    }
}

#[test]
fn a_preview_is_removed_only_if_its_state_does_not_say_otherwise() {
    let removal = Removal::of_preview(7);
    let branches = Branches::default();
    assert!(removal.allows(None, &branches).is_ok());
    assert!(removal.allows(Some(&Source::PullRequest(7)), &branches).is_ok());
    assert!(removal.allows(Some(&Source::PullRequest(8)), &branches).is_err());
    assert!(removal.allows(Some(&branch("main")), &branches).is_err());
}

#[test]
fn the_stage_of_a_branch_is_removed_only_if_a_glob_made_it_for_this_branch() {
    let config = Config::of(&[("main", "prod"), ("release/*", "release-{1}")]);
    let removal = |branch: Option<&str>| {
        let branch = branch.map(str::to_owned);
        Removal::of_branch(stage("release-1"), branch, &config.rules()).unwrap()
    };
    let allows = |asked, recorded: Option<&Source>| removal(asked).allows(recorded, &config.branches);
    let (ours, other) = (branch("release/1"), branch("release.1"));
    assert_eq!(allows(Some("release/1"), Some(&ours)), Ok(()));
    assert_eq!(allows(None, Some(&ours)), Ok(()));
    for (asked, recorded, why) in [
        (Some("release/1"), None, "Nothing says for which branch"),
        (
            Some("release/1"),
            Some(&other),
            "was made for `release.1`, and not for `release/1`",
        ),
        (None, Some(&other), "which no glob maps to it"),
        (None, Some(&Source::PullRequest(1)), "and not for a branch"),
    ] {
        let told = allows(asked, recorded).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
    for fixed in ["prod", "Prod", "pr-7"] {
        assert_eq!(Removal::of_branch(stage(fixed), None, &config.rules()), None);
    }
}

#[test]
fn the_second_branch_of_a_stage_is_told_of_the_first() {
    let config = Config::of(&[("main", "prod"), ("master", "prod"), ("**", "{1}")]);
    let claims = |name: &str, ours: &str, recorded: Option<&str>| {
        let recorded = recorded.map(branch);
        claims(&stage(name), &branch(ours), recorded.as_ref(), &config.branches)
    };
    let told = claims("a-b", "a.b", Some("a/b")).unwrap_err().to_string();
    assert!(
        told.contains("`refs/heads/a/b`") && told.contains("`refs/heads/a.b`"),
        "{told}"
    );
    assert!(told.contains("stagewright destroy --stage a-b"), "{told}");
    assert_eq!(claims("a-b", "a.b", None), Ok(()));
    assert_eq!(claims("a-b", "a.b", Some("a.b")), Ok(()));
    assert_eq!(claims("a-b", "a.b", Some("elsewhere")), Ok(()));
    assert_eq!(claims("prod", "master", Some("main")), Ok(()));
    let told = claims("prod", "hotfix", Some("main")).unwrap_err().to_string();
    assert!(told.contains("under `branches`"), "{told}");
}

/// Few, so that branches, stages and what is configured meet often.
const NAMES: [&str; 9] = ["main", "prod", "Prod", "pr-7", "PR-7", "a/b", "a.b", "a-b", "x/pr/7"];

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => "[a-cP./7-]{1,12}",
    ]
}

fn stage_names() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => names(),
        1 => Just(String::new()),
        1 => Just("pr-007".to_owned()),
    ]
}

fn branches() -> impl Strategy<Value = Branches> {
    let globs = prop::sample::select(&["*", "**", "*/*", "a*", "**/7", "x/**"][..]);
    let templates = prop::sample::select(&["{1}", "{1}", "{1}", "p{1}", "pr-{1}", "{1}-7", "{1}-{2}"][..]);
    let by_glob = (globs.prop_map(str::to_owned), templates.prop_map(str::to_owned));
    let pair = prop_oneof![(names(), names()), by_glob];
    let pairs = prop::collection::vec(pair, 1..5);
    // What the config refuses never gets here.
    let branch = |(pattern, stage): &(String, String)| Branch::new(pattern, stage).ok();
    pairs.prop_map(move |pairs| Branches::new(pairs.iter().filter_map(branch).collect()))
}

fn policies() -> impl Strategy<Value = PullRequests> {
    (
        prop::sample::select(&[Previews::On, Previews::Off][..]),
        prop::option::of(Just(vec![Pattern::new("m*").unwrap()])),
        prop::sample::select(&[Drafts::Deployed, Drafts::Skipped][..]),
        prop::option::of(Just("bug".to_owned())),
    )
        .prop_map(|(previews, base, drafts, label)| PullRequests {
            previews,
            base,
            drafts,
            label,
            comment: CommentMode::Off,
            expire_after: Some(Duration::from_hours(1)),
            keep_label: "keep".to_owned(),
            limit: None,
        })
}

fn configs() -> impl Strategy<Value = Config> {
    let fixed = prop::collection::btree_set(stage_names(), 0..6);
    (branches(), policies(), fixed).prop_map(|(branches, pull_requests, fixed)| Config {
        branches,
        pull_requests,
        fixed: fixed.into_iter().filter_map(|name| name.try_into().ok()).collect(),
    })
}

fn pull_requests() -> impl Strategy<Value = PullRequest> {
    let activities = [
        Activity::Deployable,
        Activity::Closed,
        Activity::Other("edited".to_owned()),
    ];
    let origins = [
        Origin::Here,
        Origin::Fork(None),
        Origin::Fork(Some("m/x".to_owned())),
        Origin::Dependabot,
    ];
    (
        prop_oneof![Just(7), any::<u64>()],
        prop::sample::select(activities.to_vec()),
        prop::sample::select(&[Workflow::Own, Workflow::Base][..]),
        prop::sample::select(origins.to_vec()),
        names(),
        prop::sample::select(&[Readiness::Ready, Readiness::Draft][..]),
    )
        .prop_map(|(number, activity, workflow, origin, base, readiness)| PullRequest {
            number,
            activity,
            workflow,
            origin,
            base,
            readiness,
            ..pull_request()
        })
}

fn triggers() -> impl Strategy<Value = Trigger> {
    let commands = prop::sample::select(&["deploy", "destroy", "sweep", "", "other"][..]).prop_map(str::to_owned);
    let refs = (
        prop::sample::select(&["refs/heads/", "refs/tags/", "refs/pull/"][..]),
        names(),
    );
    let manual = (refs, prop::option::of(stage_names()), prop::option::of(commands));
    prop_oneof![
        names().prop_map(|branch| Trigger::Push { branch }),
        names().prop_map(|branch| Trigger::BranchDeleted { branch }),
        pull_requests().prop_map(|pull_request| Trigger::PullRequest(Box::new(pull_request))),
        Just(Trigger::Schedule),
        manual.prop_map(|((kind, name), stage, command)| Trigger::Manual {
            git_ref: format!("{kind}{name}"),
            stage,
            command,
        }),
        Just(Trigger::Other {
            what: "the moon is full".to_owned()
        }),
    ]
}

fn is_one(stages: &BTreeSet<StageName>, stage: &StageName) -> bool {
    stages
        .iter()
        .any(|other| other.as_str().eq_ignore_ascii_case(stage.as_str()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_trigger_removes_a_stage_that_is_configured_by_name(trigger in triggers(), config in configs()) {
        if let Ok(Decision::Destroy { removal, .. }) = decide(&trigger, &config.rules()) {
            let named: BTreeSet<StageName> = config.branches.stages().collect();
            prop_assert!(!is_one(&config.fixed, removal.stage()), "{:?}", removal);
            prop_assert!(!is_one(&named, removal.stage()), "{:?}", removal);
        }
    }

    #[test]
    fn a_pull_request_deploys_its_own_preview_or_nothing(pull_request in pull_requests(), config in configs()) {
        let trigger = Trigger::PullRequest(Box::new(pull_request.clone()));
        let decision = decide(&trigger, &config.rules()).unwrap();
        match &decision {
            Decision::Deploy { stage, source, .. } => {
                prop_assert_eq!(stage.as_str(), format!("pr-{}", pull_request.number));
                prop_assert_eq!(source, &Source::PullRequest(pull_request.number));
                prop_assert_eq!(&pull_request.activity, &Activity::Deployable);
                prop_assert_eq!(&pull_request.origin, &Origin::Here);
                prop_assert_eq!(pull_request.workflow, Workflow::Own);
            }
            Decision::Destroy { removal, .. } => {
                prop_assert_eq!(removal.stage().as_str(), format!("pr-{}", pull_request.number));
                prop_assert_eq!(&pull_request.activity, &Activity::Closed);
            }
            Decision::Sweep { .. } => prop_assert!(false, "a pull request sweeps"),
            Decision::Skip { reason } => prop_assert!(reason.ends_with('.'), "{}", reason),
        }
    }

    #[test]
    fn only_a_pull_request_deploys_a_preview(trigger in triggers(), config in configs()) {
        if let Ok(Decision::Deploy { stage, source: Source::Branch(_), .. }) = decide(&trigger, &config.rules()) {
            let name = stage.as_str().to_ascii_lowercase();
            prop_assert!(!stage_of_preview(&name), "{}", stage);
        }
    }

    #[test]
    fn a_push_deploys_what_its_branch_is_mapped_to_and_takes_no_stage_that_another_has_by_name(
        name in names(),
        config in configs(),
    ) {
        let trigger = Trigger::Push { branch: name.clone() };
        if let Ok(Decision::Deploy { stage, source, .. }) = decide(&trigger, &config.rules()) {
            prop_assert_eq!(source, Source::Branch(name.clone()));
            let mapped = config.branches.stage_of(&name).unwrap().unwrap();
            prop_assert_eq!(&mapped.stage, &stage);
            if mapped.by == By::Glob {
                prop_assert!(!is_one(&config.fixed, &stage));
            }
        }
    }

    #[test]
    fn a_branch_that_is_gone_takes_no_stage_with_it_but_its_own(
        name in names(),
        recorded in names(),
        config in configs(),
    ) {
        let trigger = Trigger::BranchDeleted { branch: name.clone() };
        if let Ok(Decision::Destroy { removal, .. }) = decide(&trigger, &config.rules()) {
            let is_allowed = removal.allows(Some(&Source::Branch(recorded.clone())), &config.branches).is_ok();
            prop_assert_eq!(is_allowed, recorded == name);
        }
    }

    #[test]
    fn two_branches_never_get_one_stage_unnoticed(one in names(), other in names(), config in configs()) {
        prop_assume!(one != other);
        let deployed = |name: &String| match decide(&Trigger::Push { branch: name.clone() }, &config.rules()) {
            Ok(Decision::Deploy { stage, source, .. }) => Some((stage, source)),
            Ok(Decision::Destroy { .. } | Decision::Sweep { .. } | Decision::Skip { .. }) | Err(_) => None,
        };
        if let (Some((first, holder)), Some((second, ours))) = (deployed(&one), deployed(&other))
            && first == second
        {
            let is_written_down = |name: &String| config.branches.stage_of(name).unwrap().unwrap().by == By::Name;
            let verdict = claims(&second, &ours, Some(&holder), &config.branches);
            prop_assert_eq!(verdict.is_ok(), is_written_down(&one) && is_written_down(&other));
        }
    }
}

fn stage_of_preview(name: &str) -> bool {
    name.strip_prefix("pr-")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
