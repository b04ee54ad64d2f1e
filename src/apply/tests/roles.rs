//! A role that previews share, used and left by several of them while calls fail: it is there as long as one uses it.

use super::*;
use crate::hold::Hold;
use crate::resource::Owner;
use crate::state::directory::Directory;

/// What a stage does with a role.
#[derive(Debug, Clone, Copy)]
enum Act {
    Use(u64),
    Leave(u64),
}

/// Previews of one app, in one account.
struct World {
    folder: tempfile::TempDir,
    sky: Sky,
    role: Role,
}

impl World {
    fn new() -> Self {
        let owner = Owner {
            store: "s3://b/p".to_owned(),
            app: "shop".parse().unwrap(),
            stage: "pr-1".parse().unwrap(),
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            sky: Sky::default(),
            role: role::of_previews(&json!({"Statement": []}), &owner, &place()),
        }
    }

    fn strike(&self, call: usize, strike: Strike) {
        self.sky.calls.set(0);
        self.sky.strikes.borrow_mut().insert(call, strike);
    }

    async fn act(&self, act: Act) -> Result<(), Fault> {
        let shared = alone(&Directory::new(self.folder.path().to_owned()));
        let context = Context {
            hold: Hold::until(Instant::now() + Duration::from_secs(60)),
            place: place(),
            outputs: Arc::default(),
            code: Arc::default(),
            standing: Standing::default(),
        };
        let (Act::Use(number) | Act::Leave(number)) = act;
        let user = User {
            stage: crate::names::StageName::of_preview(number),
            address: Address::new("role", "default-role@1"),
        };
        match act {
            Act::Use(_) => {
                let used = shared.use_role(&self.sky, (&self.role, &user), &context).await;
                used.map(drop)
            }
            Act::Leave(_) => {
                let outputs = self.role.outputs(&place());
                shared.leave_role(&self.sky, (&outputs, &user), &context).await
            }
        }
    }

    fn stands(&self) -> bool {
        !self.sky.standing.borrow().is_empty()
    }
}

#[test]
fn whatever_happens_to_a_call_the_role_is_there_as_long_as_a_stage_uses_it_and_no_longer() {
    use Act::{Leave, Use};
    let acts = [Use(7), Use(8), Leave(7), Use(9), Leave(8), Leave(9), Use(7), Leave(7)];
    in_world(async {
        for (call, strike) in (0..4).flat_map(|call| STRIKES.map(|strike| (call, strike))) {
            let world = World::new();
            world.strike(call, strike);
            let mut using = BTreeSet::new();
            for act in acts {
                // Who met the strike is run once more, as its user would.
                if world.act(act).await.is_err() {
                    world.act(act).await.unwrap();
                }
                match act {
                    Use(number) => using.insert(number),
                    Leave(number) => using.remove(&number),
                };
                assert_eq!(world.stands(), !using.is_empty(), "{act:?} after {strike:?} at {call}");
            }
        }
    });
}

#[test]
fn a_stage_whose_role_was_refused_keeps_it_from_nobody() {
    in_world(async {
        let world = World::new();
        world.strike(0, Strike::Refused);
        world.act(Act::Use(7)).await.unwrap_err();
        world.act(Act::Use(8)).await.unwrap();
        world.act(Act::Leave(8)).await.unwrap();
        assert!(!world.stands());
    });
}

#[test]
fn a_stage_that_leaves_what_others_use_or_what_it_never_used_calls_nobody() {
    in_world(async {
        let world = World::new();
        world.act(Act::Use(7)).await.unwrap();
        world.act(Act::Use(8)).await.unwrap();
        let calls = world.sky.calls.get();
        world.act(Act::Leave(8)).await.unwrap();
        world.act(Act::Leave(8)).await.unwrap();
        assert_eq!((world.sky.calls.get(), calls), (1, 1));
        assert!(world.stands());
    });
}

#[test]
fn a_refusal_forgets_nothing_of_what_a_run_before_may_have_made() {
    in_world(async {
        let world = World::new();
        world.strike(0, Strike::LostAnswer);
        world.act(Act::Use(7)).await.unwrap_err();
        world.strike(0, Strike::Refused);
        world.act(Act::Use(8)).await.unwrap_err();
        assert!(world.stands());
        world.act(Act::Leave(7)).await.unwrap();
        assert!(!world.stands());
    });
}

#[test]
fn a_stage_that_was_refused_a_role_that_somebody_removed_keeps_it_from_nobody() {
    in_world(async {
        let world = World::new();
        world.act(Act::Use(7)).await.unwrap();
        world.sky.standing.borrow_mut().clear();
        world.strike(0, Strike::Refused);
        world.act(Act::Use(8)).await.unwrap_err();
        world.act(Act::Use(7)).await.unwrap();
        world.act(Act::Leave(7)).await.unwrap();
        assert!(!world.stands());
    });
}
