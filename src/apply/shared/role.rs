//! A role that previews share: it is there as long as a preview uses it.
//!
//! Its object in the store records the role, who uses it, and what was begun. A preview is written down there before anything of
//! it refers to the role; the one that is crossed out last removes the role under the lease of the object. Nothing in AWS changes
//! where the role stands already, or others still use it: then one write on condition is enough, and no lease is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{OPERATION, Shared, not_ours};
use crate::fault::{Certainty, Fault, FaultKind};
use crate::names::{Address, StageName};
use crate::resource::role::{self, Role};
use crate::resource::{Cloud, Context, Outputs, Place, Resource, Standing};
use crate::state::lease::{self, Held, Seen};
use crate::state::{Doubt, Error, Intent, State};

/// The stages that use a role, and as what of theirs.
pub type Users = BTreeMap<StageName, BTreeSet<Address>>;

/// Who uses a role: a stage, by one of its addresses.
#[derive(Debug, Clone)]
pub struct User {
    /// The stage.
    pub stage: StageName,
    /// What the role is to the stage.
    pub address: Address,
}

/// Whether what is recorded of a role is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Believed,
    /// AWS has no such role: somebody has removed it.
    Refuted,
}

impl User {
    /// Writes it down; `false` where it was already.
    fn enter(&self, state: &mut State) -> bool {
        let addresses = state.users.entry(self.stage.clone()).or_default();
        addresses.insert(self.address.clone())
    }

    /// Crosses it out; `false` where it was not written down.
    fn leave(&self, state: &mut State) -> bool {
        let Some(addresses) = state.users.get_mut(&self.stage) else {
            return false;
        };
        let was_there = addresses.remove(&self.address);
        if addresses.is_empty() {
            state.users.remove(&self.stage);
        }
        was_there
    }
}

impl Shared {
    /// Writes a stage down as a user of a role, and makes the role where it is not there. Where it is, AWS is only asked whether.
    ///
    /// # Errors
    ///
    /// Those of the store and of AWS; [`FaultKind::Conflict`] where others keep the object for minutes. Where nothing was made,
    /// the stage is not written down.
    pub async fn use_role(
        &self,
        cloud: &dyn Cloud,
        (wanted, user): (&Role, &User),
        context: &Context,
    ) -> Result<Outputs, Fault> {
        let thing = role::shared(&wanted.name);
        let _turn = self.turn.lock().await;
        let mut record = Record::Believed;
        let mut has_entered = false;
        loop {
            let mut seen = self.free(&thing).await.map_err(|error| not_ours(&thing, error))?;
            context.hold.cover(OPERATION, &thing)?;
            let is_new = user.enter(&mut seen.state);
            has_entered |= is_new;
            match recorded(&seen.state, wanted) {
                Some(outputs) if record == Record::Believed => {
                    if is_new && !self.note(&thing, &seen).await? {
                        continue;
                    }
                    let resource = Resource::Role(wanted.clone());
                    let looked = cloud.look(&resource, None, context).await;
                    match looked.map_err(Fault::of_a_begun_step)? {
                        Some(_) => return Ok(outputs),
                        None => record = Record::Refuted,
                    }
                }
                Some(_) | None => {
                    let entered = has_entered.then_some(user);
                    if let Some(made) = self.make(cloud, (wanted, entered), seen, context).await {
                        return made;
                    }
                }
            }
        }
    }

    /// Makes a role under its lease, or takes over what a run that was cut off has made of it. `None` where somebody else was
    /// faster. Whoever was written down with it is crossed out again where nothing was made.
    async fn make(
        &self,
        cloud: &dyn Cloud,
        (wanted, entered): (&Role, Option<&User>),
        mut seen: Seen,
        context: &Context,
    ) -> Option<Result<Outputs, Fault>> {
        let (resource, address) = (Resource::Role(wanted.clone()), at(&wanted.name));
        let doubt = Doubt {
            intent: Intent::Create,
            resource: Some(resource.clone()),
        };
        let former = seen.state.in_doubt.insert(address.clone(), doubt);
        seen.state.place = Some(context.place.clone());
        let mut held = match self.begin(&mut seen).await {
            Ok(held) => held?,
            Err(error) => return Some(Err(not_ours(&role::shared(&wanted.name), error))),
        };
        let context = both(context, &held);
        let making = cloud.create(&resource, &context);
        let made = self.working(&wanted.name, (&mut held, &mut seen.state), making).await;
        match &made {
            Ok(outputs) => seen.state.record(address, Some(resource), outputs.clone()),
            Err(fault) if fault.certainty == Certainty::DidNotHappen || fault.kind == FaultKind::Foreign => {
                // Only this call did not happen: what a run that was cut off may have made is in doubt as before.
                seen.state.in_doubt.remove(&address);
                seen.state.in_doubt.extend(former.map(|former| (address, former)));
                entered.map(|user| user.leave(&mut seen.state));
            }
            Err(fault) if fault.is_unanswered() => seen.state.expect_late_of(&address, held.now()),
            Err(_) => {}
        }
        give_back(&wanted.name, held, &mut seen.state).await;
        Some(made)
    }

    /// Crosses a stage out as a user of a role, and removes the role where nobody uses it any more. What is gone already is a
    /// success.
    ///
    /// # Errors
    ///
    /// As [`Shared::use_role`]. The stage is crossed out all the same where the role could not be removed.
    pub async fn leave_role(
        &self,
        cloud: &dyn Cloud,
        (role, user): (&role::Outputs, &User),
        context: &Context,
    ) -> Result<(), Fault> {
        let thing = role::shared(&role.name);
        let _turn = self.turn.lock().await;
        loop {
            let mut seen = self.free(&thing).await.map_err(|error| not_ours(&thing, error))?;
            context.hold.cover(OPERATION, &thing)?;
            if seen.version.is_none() {
                // Who else uses the role stood in the object that is lost: the sweep finds out.
                tracing::warn!(role = role.name, "nothing is recorded of who uses it; it is left alone");
                return Ok(());
            }
            let is_changed = user.leave(&mut seen.state);
            if seen.state.lease.is_none() && (!seen.state.users.is_empty() || is_gone(&seen.state, &role.name)) {
                match !is_changed || self.note(&thing, &seen).await? {
                    true => return Ok(()),
                    false => continue,
                }
            }
            if let Some(removed) = self.remove_if_unused(cloud, role, seen, context).await {
                return removed;
            }
        }
    }

    /// Sets who uses a role to who really does, which `users` finds out with the lease of the role in hand, and removes it where
    /// nobody does. Tells whether it was removed.
    ///
    /// # Errors
    ///
    /// As [`Shared::use_role`], and those of `users`.
    pub async fn collect_role<E: From<Fault>>(
        &self,
        cloud: &dyn Cloud,
        role: &role::Outputs,
        users: impl AsyncFnOnce() -> Result<Users, E>,
        place: &Place,
    ) -> Result<bool, E> {
        let thing = role::shared(&role.name);
        let (mut held, mut seen) = loop {
            let mut seen = self.free(&thing).await.map_err(|error| not_ours(&thing, error))?;
            if let Some(held) = self.begin(&mut seen).await.map_err(|error| not_ours(&thing, error))? {
                break (held, seen);
            }
        };
        let context = Context {
            hold: held.hold().clone(),
            place: place.clone(),
            outputs: Arc::default(),
            code: Arc::default(),
            standing: Standing::default(),
        };
        let state = &mut seen.state;
        let asked = held.while_working(state, users()).await;
        let collected = match asked.map_err(|error| not_ours(&thing, error))? {
            Err(error) => Err(error),
            Ok(users) => {
                state.users = users;
                let is_unused = state.users.is_empty();
                let removed = match is_unused {
                    true => self.remove(cloud, role, (&mut held, state), &context).await,
                    false => Ok(()),
                };
                removed.map(|()| is_unused).map_err(E::from)
            }
        };
        give_back(&role.name, held, state).await;
        collected
    }

    /// `None` where somebody else was faster.
    async fn remove_if_unused(
        &self,
        cloud: &dyn Cloud,
        role: &role::Outputs,
        mut seen: Seen,
        context: &Context,
    ) -> Option<Result<(), Fault>> {
        let is_unused = seen.state.users.is_empty();
        if is_unused {
            begin_removal(&mut seen.state, &role.name);
        }
        let mut held = match self.begin(&mut seen).await {
            Ok(held) => held?,
            Err(error) => return Some(Err(not_ours(&role::shared(&role.name), error))),
        };
        let context = both(context, &held);
        let removed = match is_unused {
            true => self.delete(cloud, role, (&mut held, &mut seen.state), &context).await,
            false => Ok(()),
        };
        give_back(&role.name, held, &mut seen.state).await;
        Some(removed)
    }

    /// Removes a role whose lease is held already: that it is begun is written down first.
    async fn remove(
        &self,
        cloud: &dyn Cloud,
        role: &role::Outputs,
        (held, state): (&mut Held<'_>, &mut State),
        context: &Context,
    ) -> Result<(), Fault> {
        begin_removal(state, &role.name);
        let renewed = held.renew(state).await;
        renewed.map_err(|error| not_ours(&role::shared(&role.name), error))?;
        self.delete(cloud, role, (held, state), context).await
    }

    async fn delete(
        &self,
        cloud: &dyn Cloud,
        role: &role::Outputs,
        (held, state): (&mut Held<'_>, &mut State),
        context: &Context,
    ) -> Result<(), Fault> {
        let outputs = Outputs::Role(role.clone());
        let deleting = cloud.delete(None, &outputs, context);
        let deleted = self.working(&role.name, (&mut *held, &mut *state), deleting).await;
        match &deleted {
            Ok(()) => state.forget(&at(&role.name)),
            Err(fault) if fault.is_unanswered() => state.expect_late_of(&at(&role.name), held.now()),
            Err(_) => {}
        }
        deleted
    }

    async fn working<T>(
        &self,
        name: &str,
        (held, state): (&mut Held<'_>, &mut State),
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let worked = Box::pin(held.while_working(state, work)).await;
        worked.unwrap_or_else(|error| Err(not_ours(&role::shared(name), error).of_a_begun_step()))
    }

    /// Takes the lease with what was written into the state. What was late, and is by now for sure over, is forgotten: whoever
    /// has the lease makes the role or removes it, and so looks at it.
    async fn begin(&self, seen: &mut Seen) -> Result<Option<Held<'_>>, Error> {
        if let Some(now) = seen.clock.map(lease::Clock::now) {
            seen.state.late.retain(|_, late| !late.is_due(now));
        }
        lease::take(self.store.as_ref(), seen, &self.holder).await
    }

    /// Writes down what changes nothing in AWS; `false` where somebody else was faster.
    async fn note(&self, thing: &str, seen: &Seen) -> Result<bool, Fault> {
        let noted = lease::note(self.store.as_ref(), seen).await;
        noted.map_err(|error| not_ours(thing, error))
    }
}

/// The role as it is recorded, where that is as it is wanted, and nobody has begun to change it.
fn recorded(state: &State, wanted: &Role) -> Option<Outputs> {
    let is_settled = state.lease.is_none() && state.in_doubt.is_empty() && state.late.is_empty();
    let deployed = state.deployed.get(&at(&wanted.name)).filter(|_| is_settled)?;
    let is_wanted = deployed.resource.as_ref() == Some(&Resource::Role(wanted.clone()));
    is_wanted.then(|| deployed.outputs.clone())
}

fn is_gone(state: &State, name: &str) -> bool {
    !state.deployed.contains_key(&at(name)) && state.in_doubt.is_empty()
}

fn begin_removal(state: &mut State, name: &str) {
    let known = state.deployed.get(&at(name));
    let doubt = Doubt {
        intent: Intent::Delete,
        resource: known.and_then(|known| known.resource.clone()),
    };
    state.in_doubt.insert(at(name), doubt);
}

async fn give_back(name: &str, held: Held<'_>, state: &mut State) {
    if let Err(error) = held.give_back(state).await {
        tracing::warn!(role = name, %error, "the lease could not be given back; it runs out by itself");
    }
}

fn both(context: &Context, held: &Held<'_>) -> Context {
    Context {
        hold: context.hold.and(held.hold()),
        ..context.clone()
    }
}

/// What a role is in its own object.
fn at(name: &str) -> Address {
    Address::new("role", name)
}
