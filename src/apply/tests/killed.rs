//! A program that is killed at any call to cloud or store, and calls that land when it is long gone: one plain run finishes
//! it, and one more, five minutes later, puts right what came late.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use async_trait::async_trait;

use super::sky::Landing;
use super::*;
use crate::app::Artifact;
use crate::names::{AppName, StageName};
use crate::state::store::{Condition, Former, Leftover, Stored, Written};

/// A store whose program can be killed at a write, and whose clock goes on when it is told to.
#[derive(Default)]
struct Shop {
    memory: Memory,
    seconds: AtomicI64,
    writes: AtomicUsize,
    kill: Mutex<Option<(usize, Landing)>>,
    killed: tokio::sync::Notify,
}

impl Shop {
    fn now(&self) -> Timestamp {
        Timestamp::new(jiff::Timestamp::from_second(self.seconds.load(Ordering::Relaxed)).unwrap())
    }

    fn wait(&self, minutes: i64) {
        self.seconds.fetch_add(minutes * 60, Ordering::Relaxed);
    }

    async fn kill(&self) -> ! {
        self.killed.notify_one();
        std::future::pending().await
    }
}

#[async_trait(?Send)]
impl Store for Shop {
    fn identity(&self) -> Option<String> {
        self.memory.identity()
    }

    fn object(&self, stage: &StageName) -> String {
        self.memory.object(stage)
    }

    fn shared(&self) -> Box<dyn Store> {
        self.memory.shared()
    }

    async fn read(&self, stage: &StageName) -> Result<Option<Stored>, Fault> {
        let found = self.memory.read(stage).await?;
        Ok(found.map(|found| Stored {
            at: self.now(),
            ..found
        }))
    }

    async fn write(&self, stage: &StageName, body: Vec<u8>, condition: &Condition) -> Result<Written, Fault> {
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        let kill = self.kill.lock().unwrap().take_if(|(at, _)| *at == write);
        if matches!(kill, Some((_, Landing::Never | Landing::Late))) {
            self.kill().await;
        }
        let written = self.memory.write(stage, body, condition).await?;
        if kill.is_some() {
            self.kill().await;
        }
        Ok(Written {
            at: Some(self.now()),
            ..written
        })
    }

    async fn former(&self, stage: &StageName) -> Result<Vec<Former>, Fault> {
        self.memory.former(stage).await
    }

    async fn read_former(&self, stage: &StageName, version: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.memory.read_former(stage, version).await
    }

    async fn stages(&self) -> Result<Vec<StageName>, Fault> {
        self.memory.stages().await
    }

    async fn apps(&self) -> Result<Vec<AppName>, Fault> {
        self.memory.apps().await
    }

    fn keeps_for(&self, region: &str) -> bool {
        self.memory.keeps_for(region)
    }

    async fn keep(&self, artifact: &Artifact, region: &str) -> Result<Option<CodeLocation>, Fault> {
        self.memory.keep(artifact, region).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, Fault> {
        self.memory.leftovers().await
    }

    async fn discard(&self, leftovers: &[Leftover]) -> Result<(), Fault> {
        self.memory.discard(leftovers).await
    }
}

/// At which call a run is killed.
#[derive(Debug, Clone, Copy)]
enum At {
    Cloud(usize),
    Store(usize),
}

/// A run that is killed at a call, if it comes so far.
async fn killed(shop: &Shop, sky: &Rc<Sky>, desired: &Desired, (at, landing): (At, Landing)) {
    sky.calls.set(0);
    shop.writes.store(0, Ordering::Relaxed);
    match at {
        At::Cloud(call) => drop(sky.strikes.borrow_mut().insert(call, Strike::Killed(landing))),
        At::Store(write) => *shop.kill.lock().unwrap() = Some((write, landing)),
    }
    tokio::select! {
        biased;
        () = sky.killed.notified() => {}
        () = shop.killed.notified() => {}
        _ = deploy(shop, sky, desired) => {}
    }
    sky.strikes.borrow_mut().clear();
    *shop.kill.lock().unwrap() = None;
}

/// How many calls to cloud and store a run makes that nobody disturbs.
async fn calls(before: &Desired, then: &Desired) -> (usize, usize) {
    let (shop, sky) = (Shop::default(), Rc::new(Sky::default()));
    deploy(&shop, &sky, before).await;
    sky.calls.set(0);
    shop.writes.store(0, Ordering::Relaxed);
    deploy(&shop, &sky, then).await;
    (sky.calls.get(), shop.writes.load(Ordering::Relaxed))
}

/// Insists that all is as if nobody had ever been killed.
async fn is_as_if_undisturbed(shop: &Shop, sky: &Sky, desired: &Desired, case: &str) {
    let (calm_shop, calm) = (Shop::default(), Rc::new(Sky::default()));
    deploy(&calm_shop, &calm, desired).await;
    let of = |sky: &Sky| sky.standing.borrow().values().cloned().collect::<Vec<_>>();
    assert_eq!(of(sky), of(&calm), "{case}");
    let (found, expected) = (state(shop).await, state(&calm_shop).await);
    assert!(found.in_doubt.is_empty() && found.lease.is_none(), "{case}");
    let resources = |state: &State| {
        let known = state.deployed.iter();
        known
            .map(|(address, deployed)| (address.clone(), deployed.resource.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(resources(&found), resources(&expected), "{case}");
}

/// From `before`, a run towards `then` is killed; one plain run towards `last` ends it; what was on its way lands; and five
/// minutes later one more run has put that right, too.
async fn survives([before, then, last]: [&Desired; 3], kill: (At, Landing)) {
    let case = format!("{kill:?}");
    let (shop, sky) = (Shop::default(), Rc::new(Sky::default()));
    deploy(&shop, &sky, before).await;
    killed(&shop, &sky, then, kill).await;
    deploy(&shop, &sky, last).await;
    is_as_if_undisturbed(&shop, &sky, last, &case).await;

    sky.land();
    shop.wait(4);
    let early = deploy(&shop, &sky, last).await;
    assert!(early.steps.is_empty(), "{case}: nothing is looked at before it is time");
    shop.wait(2);
    deploy(&shop, &sky, last).await;
    is_as_if_undisturbed(&shop, &sky, last, &case).await;
    assert!(state(&shop).await.late.is_empty(), "{case}");
    let again = deploy(&shop, &sky, last).await;
    assert!(again.steps.is_empty(), "{case}: {:?}", again.steps);
}

async fn survives_everywhere(path: [&Desired; 3]) {
    let (cloud, store) = calls(path[0], path[1]).await;
    let calls = (0..cloud).map(At::Cloud).chain((0..store).map(At::Store));
    for at in calls {
        for landing in [Landing::Never, Landing::Before, Landing::Late] {
            survives(path, (at, landing)).await;
        }
    }
}

/// Nothing, an app, and the same app changed: other code, one function less and one more.
fn apps() -> [Desired; 3] {
    let nothing = Desired { resources: Vec::new() };
    [nothing, app("one", &["api", "job"]), app("two", &["api", "other"])]
}

#[test]
fn a_first_deploy_that_is_killed_anywhere_is_finished_by_the_next_run_whatever_that_wants() {
    let [nothing, one, two] = apps();
    in_world(async {
        for last in [&one, &two, &nothing] {
            survives_everywhere([&nothing, &one, last]).await;
        }
    });
}

#[test]
fn an_update_that_is_killed_anywhere_is_finished_by_the_next_run_whatever_that_wants() {
    let [nothing, one, two] = apps();
    in_world(async {
        for last in [&two, &one, &nothing] {
            survives_everywhere([&one, &two, last]).await;
        }
    });
}

#[test]
fn a_destroy_that_is_killed_anywhere_is_finished_by_the_next_run_whatever_that_wants() {
    let [nothing, one, two] = apps();
    in_world(async {
        for last in [&nothing, &one, &two] {
            survives_everywhere([&one, &nothing, last]).await;
        }
    });
}

#[test]
fn the_run_that_cleans_up_may_be_killed_anywhere_as_well() {
    let [nothing, one, two] = apps();
    in_world(async {
        let (cloud, _) = calls(&nothing, &one).await;
        for first in 0..cloud {
            for landing in [Landing::Before, Landing::Late] {
                for second in 0..cloud {
                    let (shop, sky) = (Shop::default(), Rc::new(Sky::default()));
                    let case = format!("{first} {landing:?}, then {second}");
                    killed(&shop, &sky, &one, (At::Cloud(first), landing)).await;
                    killed(&shop, &sky, &two, (At::Cloud(second), Landing::Late)).await;
                    deploy(&shop, &sky, &two).await;
                    is_as_if_undisturbed(&shop, &sky, &two, &case).await;
                    sky.land();
                    shop.wait(6);
                    deploy(&shop, &sky, &two).await;
                    is_as_if_undisturbed(&shop, &sky, &two, &case).await;
                }
            }
        }
    });
}
