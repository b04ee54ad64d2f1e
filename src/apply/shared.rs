//! What stages share, changed by one of them at a time: under a lease of its own, by the protocol of a stage's.
//!
//! A bucket has one list of notifications, which AWS lets one only read and write back whole: two stages that change it at
//! once would undo each other's entries. Previews share roles, and each must know whether it is the last one: `role.rs`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::fault::{Fault, FaultKind};
use crate::names::{AppName, StageName};
use crate::plan::Plan;
use crate::resource::Context;
use crate::state::lease::{self, Held, Holder, Seen, Waiting};
use crate::state::store::Store;
use crate::state::takeover::Life;
use crate::state::{Error, Lease};

pub mod role;

/// How long a thing is waited for that others change: each of them needs a few seconds, and one that died a lease.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a thing is looked at that others change: most need it for less than a second.
const GLANCE: Duration = Duration::from_millis(250);

const OPERATION: &str = "state:Share";

/// Where the leases of shared things lie, and who takes them.
pub struct Shared {
    store: Box<dyn Store>,
    holder: Holder,
    /// Steps of one run bear one mark, so that a lease would not keep them apart.
    turn: Mutex<()>,
    /// What was seen of things before anybody needed them, by their names.
    ahead: RefCell<BTreeMap<String, Seen>>,
}

/// Nobody is asked about a holder: after a silence of a whole lease it is dead.
struct Silently<'a>(&'a str);

#[async_trait(?Send)]
impl Waiting for Silently<'_> {
    fn told(&mut self, lease: &Lease) {
        tracing::info!(thing = self.0, holder = lease.holder, "waiting for what stages share");
    }

    async fn life(&mut self, _: &Lease) -> Life {
        Life::Unknown
    }

    fn glance(&self) -> Duration {
        GLANCE
    }
}

impl Shared {
    /// Takes a store of shared things, and who we are.
    pub fn new(store: Box<dyn Store>, holder: Holder) -> Self {
        Self {
            store,
            holder,
            turn: Mutex::new(()),
            ahead: RefCell::default(),
        }
    }

    /// Looks at the first thing that a plan changes, so that its lease is taken without a look. What cannot be seen now, or is
    /// another's at the moment, is looked at then.
    pub async fn look_ahead(&self, plan: &Plan) {
        let Some(thing) = plan.steps.iter().find_map(|step| step.action.shared()) else {
            return;
        };
        let place = StageName::of_shared(&thing);
        if let Ok(Some(seen)) = lease::read(self.store.as_ref(), Some(&AppName::shared()), &place).await
            && seen.state.lease.is_none()
        {
            self.ahead.borrow_mut().insert(thing, seen);
        }
    }

    /// Where shared things are recorded.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Does some work on a shared thing while nobody else does, under a hold that covers the thing as well as the stage.
    ///
    /// # Errors
    ///
    /// The work's own fault. [`FaultKind::Conflict`] where others keep the thing, and the store's faults; nothing was done then.
    pub async fn alone<T>(
        &self,
        thing: &str,
        context: &Context,
        work: impl AsyncFnOnce(&Context) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _turn = self.turn.lock().await;
        let (mut held, mut seen) = self.take(thing).await.map_err(|error| not_ours(thing, error))?;
        let context = Context {
            hold: context.hold.and(held.hold()),
            ..context.clone()
        };
        let worked = Box::pin(held.while_working(&mut seen.state, work(&context))).await;
        let worked = worked.unwrap_or_else(|error| Err(not_ours(thing, error).of_a_begun_step()));
        if worked.is_ok() {
            context.standing.tell();
        }
        if let Err(error) = held.give_back(&mut seen.state).await {
            tracing::warn!(thing, %error, "the lease could not be given back; it runs out by itself");
        }
        worked
    }

    /// Waits until nobody else changes a thing.
    async fn free(&self, thing: &str) -> Result<Seen, Error> {
        if let Some(seen) = self.ahead.borrow_mut().remove(thing) {
            return Ok(seen);
        }
        let (app, place) = (AppName::shared(), StageName::of_shared(thing));
        lease::free(self.store.as_ref(), (&app, &place), PATIENCE, &mut Silently(thing)).await
    }

    async fn take(&self, thing: &str) -> Result<(Held<'_>, Seen), Error> {
        loop {
            let mut seen = self.free(thing).await?;
            // Nothing of such a thing is recorded but who changes it.
            seen.state.late.clear();
            if let Some(held) = lease::take(self.store.as_ref(), &mut seen, &self.holder).await? {
                return Ok((held, seen));
            }
        }
    }
}

fn not_ours(thing: &str, error: Error) -> Fault {
    match error {
        Error::Store(fault) => fault,
        Error::Held { .. } | Error::Deposed { .. } => {
            let message = format!("somebody else changes it: {error}");
            Fault::refused(OPERATION, thing, FaultKind::Conflict, message)
        }
        Error::Damaged { .. } | Error::Newer { .. } | Error::Unread { .. } | Error::Misplaced { .. } => {
            Fault::refused(OPERATION, thing, FaultKind::Invalid, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use boot_time::Instant;

    use super::*;
    use crate::hold::Hold;
    use crate::names::Timestamp;
    use crate::resource::{Place, Standing};
    use crate::state::directory::Directory;

    fn shared(folder: &std::path::Path, who: &str) -> Shared {
        let holder = Holder {
            mark: who.to_owned(),
            name: who.to_owned(),
            purpose: "deploy",
            since: Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
            run: None,
        };
        Shared::new(Directory::new(folder.to_owned()).shared(), holder)
    }

    fn context() -> Context {
        Context {
            hold: Hold::until(Instant::now() + Duration::from_secs(60)),
            place: Place {
                account: "1".to_owned(),
                region: "eu-west-1".to_owned(),
                partition: "aws".to_owned(),
            },
            outputs: Arc::default(),
            code: Arc::default(),
            standing: Standing::default(),
        }
    }

    /// Reads a list, lets others go on, and writes it back whole with one entry more.
    async fn add(list: &RefCell<Vec<String>>, shared: &Shared) -> Result<(), Fault> {
        let entry = shared.holder.name.clone();
        let work = async |_: &Context| {
            let read = list.borrow().clone();
            tokio::task::yield_now().await;
            *list.borrow_mut() = read.into_iter().chain([entry]).collect();
            Ok(())
        };
        shared.alone("bucket-photos", &context(), work).await
    }

    #[tokio::test]
    async fn of_two_that_change_a_shared_list_at_once_neither_undoes_the_others_entry() {
        let folder = tempfile::tempdir().unwrap();
        let list = RefCell::new(Vec::new());
        let (ann, ben) = (shared(folder.path(), "ann"), shared(folder.path(), "ben"));
        let (first, second) = tokio::join!(add(&list, &ann), add(&list, &ben));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        let mut entries = list.into_inner();
        entries.sort();
        assert_eq!(entries, ["ann", "ben"]);
    }

    #[tokio::test]
    async fn two_steps_of_one_run_do_not_undo_each_other_either() {
        let folder = tempfile::tempdir().unwrap();
        let list = RefCell::new(Vec::new());
        let ann = shared(folder.path(), "ann");
        let (first, second) = tokio::join!(add(&list, &ann), add(&list, &ann));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        assert_eq!(list.into_inner().len(), 2);
    }

    #[tokio::test]
    async fn what_is_changed_beside_it_needs_both_leases() {
        let folder = tempfile::tempdir().unwrap();
        let shared = shared(folder.path(), "ann");
        let stage = context();
        stage.hold.lose();
        let work = async |context: &Context| context.hold.cover("s3:PutBucketNotification", "photos");
        let refused = shared.alone("bucket-photos", &stage, work).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::LeaseLost);
    }
}
