//! A run that is killed, or meets an error, at any of its calls: whatever is run next ends where it would have ended anyhow.
//!
//! The calls are those of an undisturbed run, so a call that the program learns to make is met without a word here. Every
//! case has an AWS account of its own in one emulator, since to see that a holder is dead takes a whole lease of 30 s.
//! `KILL_SWEEP=all` tries every case, and `KILL_SWEEP=NUMBER` another sample than the usual one.

mod end;
mod gate;
mod mishap;
mod scene;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use self::end::End;
use self::gate::at_once;
use self::mishap::{Answer, Case, Mishap, Side, Struck};
use self::scene::{Scene, Version, Wish};
use crate::world::{Account, Call, World};

#[test]
fn a_run_that_is_killed_at_any_call_is_finished_by_running_it_again() {
    Sweep::begin().meet(|scene| {
        let killed = |side| vec![(Mishap::Killed(side), scene.wish())];
        Side::BOTH.map(killed).to_vec()
    });
}

#[test]
fn a_run_that_is_killed_at_any_call_is_put_right_by_whatever_is_run_next() {
    Sweep::begin().meet(|scene| {
        let others = Side::BOTH.into_iter().flat_map(|side| {
            let then = scene.other_wishes().into_iter();
            then.map(move |wish| (Mishap::Killed(side), wish))
        });
        vec![others.collect()]
    });
}

#[test]
fn whatever_one_call_answers_the_next_run_ends_where_an_undisturbed_one_ends() {
    Sweep::begin().meet(|scene| {
        let of = |side, answers: &[Answer]| {
            let answered = answers.iter().map(|answer| Mishap::Answered(side, *answer));
            answered.map(|mishap| (mishap, scene.wish())).collect()
        };
        let refused = [Answer::Broken, Answer::Closed, Answer::Conflict, Answer::Throttled];
        vec![
            of(Side::Before, &refused),
            of(Side::After, &[Answer::Broken, Answer::Closed]),
        ]
    });
}

/// A world with the app in every version, and where undisturbed runs end.
struct Sweep {
    world: World,
    calls: Vec<Struck>,
    ends: BTreeMap<Wish, End>,
}

impl Sweep {
    /// Lets every run happen undisturbed.
    fn begin() -> Self {
        let world = World::new();
        Version::ALL.into_iter().for_each(|version| version.write(&world));
        let of_scenes = Scene::ALL.map(|scene| (Some(scene), scene.wish()));
        let afresh = [Version::OtherCode, Version::FewerRoutes].map(|version| (None, Wish::Deploy(version)));
        let undisturbed = of_scenes.into_iter().chain(afresh).enumerate().collect();
        let ended = at_once(undisturbed, |(index, (scene, wish))| {
            let account = world.account(index + 1);
            let before = scene.and_then(Scene::before);
            before.map(|wish| wish.run(&account).succeeded());
            account.forget_calls();
            wish.run(&account).succeeded();
            let calls = scene.map_or_else(Vec::new, |scene| struck(scene, &account));
            Ok((wish, account, calls))
        });
        let mut calls = Vec::new();
        let mut accounts = BTreeMap::new();
        for (wish, account, its) in ended.into_iter().map(|ended| ended.expect("nothing disturbs it")) {
            accounts.insert(wish, account);
            calls.extend(its);
        }
        let ends = accounts
            .iter()
            .map(|(wish, account)| (*wish, End::of(account)))
            .collect();
        Self { ends, calls, world }
    }

    /// Lets every call meet one of each group of mishaps that are thought of for it, and insists on how it ends.
    fn meet(&self, mishaps: impl Fn(Scene) -> Vec<Vec<(Mishap, Wish)>>) {
        let chosen = self.calls.iter().flat_map(|struck| {
            let tried = mishaps(struck.scene)
                .into_iter()
                .flat_map(|group| sampled(struck, group));
            tried.map(|(mishap, then)| (struck.clone(), mishap, then))
        });
        let numbered = chosen.enumerate().map(|(index, (struck, mishap, then))| Case {
            number: index + 101,
            struck,
            mishap,
            then,
        });
        let cases: Vec<Case> = numbered.collect();
        assert!(!cases.is_empty(), "an undisturbed run makes no calls");
        let accounts: Vec<Account<'_>> = cases.iter().map(|case| self.world.account(case.number)).collect();
        let both = || cases.iter().zip(&accounts);
        let happened = at_once(both().collect(), |(case, account)| case.happen(account));
        let ended = at_once(both().zip(happened).collect(), |((case, account), next)| {
            case.go_on(account, next?)
        });
        let judged = at_once(both().zip(ended).collect(), |((case, account), ended)| {
            ended.and_then(|()| self.judge(case, account))
        });
        let failed = cases.iter().zip(judged).filter_map(|(case, judged)| {
            let wrong = judged.err()?;
            Some(format!("=== {case}:\n{wrong}\n"))
        });
        let failed: Vec<String> = failed.collect();
        assert!(
            failed.is_empty(),
            "{} of {} cases:\n{}",
            failed.len(),
            cases.len(),
            failed.concat()
        );
    }

    fn judge(&self, case: &Case, account: &Account<'_>) -> Result<(), String> {
        let (mut found, mut wanted) = (End::of(account), self.ends[&case.then].clone());
        if case.then != case.struck.scene.wish() {
            (found, wanted) = (found.without_objects(), wanted.without_objects());
        }
        let difference = found.difference(&wanted);
        if !difference.is_empty() {
            return Err(format!("it ends elsewhere (- wanted, + found):\n{difference}"));
        }
        match case.then {
            Wish::Deploy(version) => {
                let answered = answers(account, &self.world.url_of(&found.api, "api"), version);
                // A function that was called keeps a process until it is removed.
                for name in ["api", "new"] {
                    let function = format!("/2015-03-31/functions/sweep-dev-{name}");
                    account.ask("DELETE", "lambda", &self.world.endpoint(&function));
                }
                answered
            }
            Wish::Destroy => Ok(()),
        }
    }
}

/// The calls of an account's last run that may have changed anything.
fn struck(scene: Scene, account: &Account<'_>) -> Vec<Struck> {
    let mut before: BTreeMap<(String, String), usize> = BTreeMap::new();
    let of_call = |call: Call| {
        let is_named = call.service != "apigateway";
        let target = if is_named {
            call.target.replace(&account.key, "KEY")
        } else {
            String::new()
        };
        let count = before.entry((call.operation.clone(), target.clone())).or_default();
        let nth = *count;
        *count += 1;
        Struck {
            scene,
            service: call.service,
            operation: call.operation,
            target,
            nth,
        }
    };
    let mutating = account.calls().into_iter().filter(|call| call.mutates);
    // A slow run renews its lease: what is behind the first write of the state is its second, whatever it is for.
    mutating
        .map(of_call)
        .filter(|struck| struck.service != "s3" || struck.nth < 2)
        .collect()
}

/// What is tried of a group of mishaps at one call: one of them, or all.
fn sampled<T>(struck: &Struck, mut group: Vec<T>) -> Vec<T> {
    let asked = std::env::var("KILL_SWEEP").unwrap_or_default();
    if asked == "all" {
        return group;
    }
    let mut hasher = DefaultHasher::new();
    (&asked, &struck.operation, &struck.target, struck.nth, group.len()).hash(&mut hasher);
    let chosen = usize::try_from(hasher.finish() % 1_000_000).unwrap_or_default() % group.len();
    vec![group.swap_remove(chosen)]
}

/// Asks the API as its users do, where versions differ.
fn answers(account: &Account<'_>, url: &str, version: Version) -> Result<(), String> {
    let ask = |path: &str| account.ask("GET", "execute-api", &format!("{url}{path}"));
    let body = ask("").text();
    if body != version.folder() {
        return Err(format!("{url} answers {body:?}"));
    }
    if version == Version::Second && ask("new").text() != "the rest" {
        return Err(format!("{url}new does not answer"));
    }
    for gone in ["new", "old"] {
        if !version.others().contains(&gone) && ask(gone).status == 200 {
            return Err(format!("{url}{gone} answers still"));
        }
    }
    Ok(())
}
