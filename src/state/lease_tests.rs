//! Three contenders take, renew and give back one stage in any order, while the store fails in any way: what was told to be
//! recorded is recorded, and who was replaced is told so. And which states need a look at AWS first.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use tokio::task::{JoinSet, LocalSet};

use super::chalice::{Expected, parse};
use super::lease::{Held, Holder, Seen, note, read, take};
use super::memory::{Memory, Strike};
use super::{Doubt, Error, Intent, LATE, Late, Lease, Revision, State};
use crate::names::{Address, AppName, StageName, Timestamp};

/// What one of the contenders does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Reads the state.
    Read,
    /// Takes the lease with what it last read, whoever has it: the worst contender waits for nobody.
    Take,
    /// Renews its lease, and records something.
    Renew,
    /// Gives its lease back, and records something.
    GiveBack,
    /// Records something without a lease.
    Note,
}

/// An act, of which contender, and what happens to its writes.
type Turn = (usize, Act, Vec<Strike>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let act = select(vec![
        Act::Read,
        Act::Take,
        Act::Take,
        Act::Renew,
        Act::Renew,
        Act::GiveBack,
        Act::Note,
    ]);
    let strike = select(vec![
        Strike::Refused,
        Strike::LostRequest,
        Strike::LostAnswer,
        Strike::Late,
        Strike::Conflict,
        Strike::SlowDown,
    ]);
    let strikes = prop_oneof![8 => Just(Vec::new()), 2 => prop::collection::vec(strike.clone(), 1..3), 1 => prop::collection::vec(strike, 3..5)];
    prop::collection::vec((0..3usize, act, strikes), 1..16)
}

fn names() -> (AppName, StageName) {
    ("shop".parse().unwrap(), "dev".parse().unwrap())
}

/// One of those who want the stage.
#[derive(Default)]
struct Contender<'a> {
    seen: Option<Seen>,
    held: Option<(Held<'a>, State)>,
    /// Of how many processes it was: whose lease is in doubt has ended, and comes back as another with a mark of its own.
    processes: usize,
}

/// The stage, and what was told about it.
struct World<'a> {
    store: &'a Memory,
    contenders: [Contender<'a>; 3],
    /// Numbers that were told to be recorded.
    told: Vec<u64>,
    next: u64,
}

/// How a write ended.
enum Ended {
    Told,
    Deposed,
    Unknown,
}

fn ended<T>(result: &Result<T, Error>) -> Ended {
    match result {
        Ok(_) => Ended::Told,
        Err(Error::Deposed { .. }) => Ended::Deposed,
        Err(_) => Ended::Unknown,
    }
}

fn mark_of(contender: usize, process: usize) -> String {
    format!("mark {contender} of process {process}")
}

/// The numbers that a state records.
fn recorded(state: &State) -> Vec<u64> {
    let text = state.attempted.as_ref().and_then(|revision| revision.commit.clone());
    text.iter()
        .flat_map(|text| text.split(' '))
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn record(state: &mut State, number: u64) {
    let mut numbers = recorded(state);
    numbers.push(number);
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let commit = Some(numbers.join(" "));
    state.attempted = Some(Revision { commit, run: None });
}

fn parsed(body: &[u8]) -> State {
    let (app, stage) = names();
    let expected = Expected {
        app: Some(&app),
        stage: &stage,
        object: "it",
    };
    parse(body, expected, String::new()).unwrap()
}

impl World<'_> {
    /// The state that stands.
    fn stands(&self) -> Option<State> {
        let (_, stage) = names();
        self.store.written(&stage).last().map(|body| parsed(body))
    }

    fn is_holder(&self, contender: usize) -> bool {
        let lease = self.stands().and_then(|state| state.lease);
        lease.is_some_and(|lease| lease.mark == mark_of(contender, self.contenders[contender].processes))
    }

    async fn read(&mut self, contender: usize) {
        let (app, stage) = names();
        let seen = read(self.store, Some(&app), &stage).await.unwrap();
        self.contenders[contender].seen = Some(seen.unwrap_or_else(|| Seen::new(app, stage)));
    }

    /// A process has one lease at most: who would take another has given the first up.
    async fn take(&mut self, contender: usize) {
        let Some(mut seen) = self.contenders[contender].seen.take() else {
            return;
        };
        self.contenders[contender].held = None;
        self.contenders[contender].processes += 1;
        let holder = holder(contender, self.contenders[contender].processes);
        if let Ok(Some(held)) = take(self.store, &mut seen, &holder).await {
            self.contenders[contender].held = Some((held, seen.state));
        }
    }

    /// Writes with a lease in hand, and holds what is told against what stands.
    async fn write(&mut self, contender: usize, act: Act, strikes: &[Strike]) -> Result<(), TestCaseError> {
        let Some((mut held, mut state)) = self.contenders[contender].held.take() else {
            return Ok(());
        };
        let is_holder =
            self.is_holder(contender) && self.stands().is_some_and(|found| found.generation == state.generation);
        let generation = state.generation;
        self.next += 1;
        record(&mut state, self.next);
        let ended = match act {
            Act::GiveBack => ended(&held.give_back(&mut state).await),
            Act::Read | Act::Take | Act::Renew | Act::Note => {
                let ended = ended(&held.renew(&mut state).await);
                if !matches!(ended, Ended::Deposed) {
                    self.contenders[contender].held = Some((held, state));
                }
                ended
            }
        };
        // The write is made four times; none of them is refused for good.
        let is_bearable = strikes.len() <= 3 && !strikes.contains(&Strike::Refused);
        match ended {
            Ended::Told => {
                prop_assert!(is_holder, "somebody wrote who was replaced");
                self.told.push(self.next);
            }
            Ended::Deposed => {
                // A late write of somebody else can land right before ours.
                let is_replaced = self.stands().is_some_and(|found| found.generation != generation);
                prop_assert!(
                    !is_holder || is_replaced,
                    "somebody was told to be replaced who was not"
                );
            }
            Ended::Unknown => prop_assert!(!is_bearable, "a lost answer was not recognised"),
        }
        Ok(())
    }

    async fn note(&mut self, contender: usize) {
        let Some(mut seen) = self.contenders[contender].seen.take() else {
            return;
        };
        self.next += 1;
        record(&mut seen.state, self.next);
        if let Ok(true) = note(self.store, &seen).await {
            self.told.push(self.next);
        }
    }

    /// Nothing that was told is lost, and each lease has a generation of its own.
    fn is_sound(&self) -> Result<(), TestCaseError> {
        let (_, stage) = names();
        let written: Vec<State> = self.store.written(&stage).iter().map(|body| parsed(body)).collect();
        for pair in written.windows(2) {
            let mark = |state: &State| state.lease.as_ref().map(|lease| (lease.mark.clone(), lease.renewals));
            let is_taken = mark(&pair[1]).is_some_and(|(_, renewals)| renewals == 0);
            let generation = pair[0].generation + u64::from(is_taken);
            prop_assert_eq!(pair[1].generation, generation);
        }
        let stands = written.last().map(recorded).unwrap_or_default();
        let lost: Vec<_> = self.told.iter().filter(|number| !stands.contains(number)).collect();
        prop_assert!(lost.is_empty(), "lost: {lost:?}");
        Ok(())
    }
}

async fn play(turns: Vec<Turn>) -> Result<(), TestCaseError> {
    let store = Memory::default();
    let mut world = World {
        store: &store,
        contenders: Default::default(),
        told: Vec::new(),
        next: 0,
    };
    for (contender, act, strikes) in turns {
        store.strike(&strikes);
        match act {
            Act::Read => world.read(contender).await,
            Act::Take => {
                if world.contenders[contender].seen.is_none() {
                    world.read(contender).await;
                }
                world.take(contender).await;
            }
            Act::Renew | Act::GiveBack => world.write(contender, act, &strikes).await?,
            Act::Note => world.note(contender).await,
        }
        store.strike(&[]);
        world.is_sound()?;
    }
    Ok(())
}

/// A state of which all is known.
fn settled() -> State {
    let (app, stage) = names();
    State::new(app, stage, String::new())
}

#[test]
fn a_stage_needs_a_look_while_a_run_has_it_or_has_left_something_open() {
    let now = Timestamp::new(jiff::Timestamp::UNIX_EPOCH);
    assert!(!settled().needs_a_look(now));
    let lease = Lease {
        mark: mark_of(0, 1),
        holder: "ann".to_owned(),
        purpose: "deploy".to_owned(),
        since: now,
        renewals: 0,
        run: None,
    };
    let held = State {
        lease: Some(lease),
        ..settled()
    };
    assert!(held.needs_a_look(now));
    let doubt = Doubt {
        intent: Intent::Create,
        resource: None,
    };
    let in_doubt = State {
        in_doubt: [(Address::new("function", "api"), doubt)].into(),
        ..settled()
    };
    assert!(in_doubt.needs_a_look(now));
}

#[test]
fn what_may_come_late_is_looked_at_when_it_is_time() {
    let since = Timestamp::new(jiff::Timestamp::UNIX_EPOCH);
    let late = |name: &str, since| (Address::new("function", name), Late { resource: None, since });
    let expecting = |late: &[(Address, Late)]| State {
        late: late.iter().cloned().collect(),
        ..settled()
    };
    let one = expecting(&[late("api", since)]);
    assert!(!one.needs_a_look(since.after(LATE - Duration::from_secs(1))));
    assert!(one.needs_a_look(since.after(LATE)));
    let two = expecting(&[late("api", since), late("job", since.after(LATE))]);
    assert!(two.needs_a_look(since.after(LATE)), "one of two is due");
}

fn holder(contender: usize, process: usize) -> Holder {
    Holder {
        mark: mark_of(contender, process),
        name: format!("contender {contender}"),
        purpose: "deploy",
        since: Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
        run: None,
    }
}

#[tokio::test]
async fn who_does_not_know_that_its_renewal_landed_renews_again_and_is_not_taken_for_somebody_else() {
    let (app, stage) = names();
    let store = Memory::default();
    let mut seen = Seen::new(app, stage.clone());
    let mut held = take(&store, &mut seen, &holder(0, 1)).await.unwrap().unwrap();
    // The renewal lands behind the look after it, and the next word of the store is a refusal.
    store.strike(&[Strike::Late, Strike::Refused]);
    assert!(matches!(held.renew(&mut seen.state).await, Err(Error::Store(_))));
    assert_eq!(store.written(&stage).len(), 2, "the renewal landed");
    assert!(held.renew(&mut seen.state).await.is_ok());
}

proptest! {
    // What is tried again is tried after a pause, so that many games are played at once. To play all of them again for each
    // step towards a smaller case would take minutes, and the game that was lost is told anyhow.
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_nothing_that_was_told_is_lost_and_who_was_replaced_is_told(
        games in prop::collection::vec(turns(), 300),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let all = async {
            let mut running = JoinSet::new();
            for game in games {
                running.spawn_local(async move { play(game.clone()).await.map_err(|error| (error, game)) });
            }
            running.join_all().await
        };
        for end in runtime.block_on(LocalSet::new().run_until(all)) {
            if let Err((error, game)) = end {
                prop_assert!(false, "{error} in {game:?}");
            }
        }
    }
}
