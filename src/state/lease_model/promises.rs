//! What the model promises of every world that can be reached, and how its checker goes from one to the next.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::PoisonError;

use stateright::{Model, Property};

use super::{CONTENDERS, Contender, Happening, Phase, Process, Protocol, World, Wrong};
use crate::state::takeover::Life;

impl Protocol {
    /// What has to be reached, or the model would prove nothing.
    fn reached(&self) -> Vec<Property<Self>> {
        let reaches = |name, is_there: fn(&Self, &World) -> bool| Property::sometimes(name, is_there);
        let mut properties = vec![reaches("each in turn releases", |protocol, world| {
            let released = |contender: &&Contender| contender.phase == Phase::Released;
            world.contenders.iter().filter(released).count() == protocol.contenders
        })];
        if self.trouble.crashes > 0 {
            properties.push(reaches(
                "a call of the dead is under way behind the takeover",
                |_, world| {
                    let is_late = |contender: &Contender| !contender.stands && contender.call.is_some();
                    let is_dead = |contender: &Contender| contender.process == Process::Dead;
                    world
                        .contenders
                        .iter()
                        .any(|contender| is_dead(contender) && is_late(contender))
                },
            ));
        }
        if self.trouble.pauses > 0 {
            properties.push(reaches(
                "who was replaced wakes up, and does not know it yet",
                |_, world| {
                    let is_holding = |contender: &Contender| contender.is_up() && contender.phase == Phase::Holding;
                    let is_replaced = |contender: &Contender| contender.write.is_none() && !contender.stands;
                    world
                        .contenders
                        .iter()
                        .any(|contender| is_holding(contender) && is_replaced(contender))
                },
            ));
        }
        properties
    }

    /// What happens next where nothing more goes wrong, and who is stopped stays so.
    fn calmly(&self, world: &World) -> Option<World> {
        let all = (0..CONTENDERS).flat_map(|who| self.may_happen_to(world, who));
        let rank = |happening: &Happening| match happening {
            Happening::Arrive(_) | Happening::Answer(_) | Happening::LookAfterWrite(_) | Happening::End(_) => Some(0),
            Happening::Release(_) => Some(1),
            Happening::Look(_, Life::Unknown) => Some(2),
            Happening::Look(_, Life::Alive | Life::Ended) => None,
            Happening::Tick => Some(3),
            Happening::Lose(_) | Happening::Delay(_) | Happening::ArriveLate(_) | Happening::Renew(_) => None,
            Happening::Begin(_) | Happening::Pause(_) | Happening::Resume(_) | Happening::Crash(_) => None,
        };
        let all: Vec<_> = all.chain([Happening::Tick]).collect();
        (0..4).find_map(|first| {
            let mut ranked = all.iter().filter(|happening| rank(happening) == Some(first));
            ranked.find_map(|happening| self.next_state(world, *happening))
        })
    }

    /// Whether all who are up come to an end, without anybody's help.
    fn goes_on(&self, world: &World) -> bool {
        let mut world = *world;
        let mut way = Vec::new();
        let mut known = self.going_on.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut hasher = DefaultHasher::new();
            world.hash(&mut hasher);
            let hash = hasher.finish();
            let is_left = |contender: &Contender| contender.is_up() && !contender.is_ended();
            if known.contains(&hash) || !world.contenders.iter().any(is_left) {
                known.extend(way);
                return true;
            }
            let next = self.calmly(&world);
            let Some(next) = next.filter(|_| !way.contains(&hash)) else {
                return false;
            };
            way.push(hash);
            world = next;
        }
    }
}

/// What the protocol promises; a flaw breaks one of it.
pub mod promise {
    /// No two may begin a call that changes AWS.
    pub const ONE_AT_A_TIME: &str = "at no time may two begin a call";
    /// What one has begun has ended before another one begins.
    pub const NO_OVERLAP: &str = "no call begins while one of somebody else who lives is under way";
    /// Who was replaced does nothing more in AWS.
    pub const NO_DEPOSED_CALL: &str = "who was replaced begins no call";
    /// Who was replaced does nothing more in the store.
    pub const NO_DEPOSED_WRITE: &str = "who was replaced writes nothing";
    /// What was told to be recorded is recorded.
    pub const NO_LOST_RELEASE: &str = "no release is lost";
    /// The host's word takes no stage from the living.
    pub const NONE_FROM_THE_LIVING: &str = "by the host's word nothing is taken from the living";
    /// What may still come about is known.
    pub const ALL_NOTED: &str = "what may still come about is written down";
    /// A lost answer costs nobody a lease.
    pub const NO_WAIT_FOR_ITSELF: &str = "nobody waits for itself";
    /// Nobody waits for ever.
    pub const NO_DEADLOCK: &str = "whoever is left comes to an end";
}

impl Model for Protocol {
    type State = World;
    type Action = Happening;

    fn init_states(&self) -> Vec<World> {
        let mut contenders = [Contender::new(Phase::Deposed); CONTENDERS];
        contenders[..self.contenders].fill(Contender::new(Phase::Waiting));
        contenders.sort_unstable();
        vec![World {
            contenders,
            recorded: 0,
            left: self.trouble,
            wrong: None,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Happening>) {
        actions.extend((0..CONTENDERS).flat_map(|who| self.may_happen_to(world, who)));
        actions.push(Happening::Tick);
    }

    fn next_state(&self, world: &World, happening: Happening) -> Option<World> {
        if world.wrong.is_some() || (happening == Happening::Tick && self.is_urgent(world)) {
            return None;
        }
        let mut next = *world;
        self.happen(&mut next, happening);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let one_at_a_time = |protocol: &Self, world: &World| {
            let may_begin =
                |contender: &&Contender| contender.process != Process::Dead && protocol.may_begin(contender);
            world.contenders.iter().filter(may_begin).count() <= 1
        };
        let no_lost_release = |_: &Self, world: &World| {
            let told = world
                .contenders
                .iter()
                .filter(|contender| contender.phase == Phase::Released);
            told.count() <= usize::from(world.recorded)
        };
        let all_noted = |_: &Self, world: &World| {
            let mut contenders = world.contenders.iter();
            contenders.all(|contender| contender.call.is_none() || contender.is_noted)
        };
        let mut promises = vec![
            Property::always(promise::ONE_AT_A_TIME, one_at_a_time),
            Property::always(promise::NO_OVERLAP, |_, world: &World| {
                world.wrong != Some(Wrong::Overlap)
            }),
            Property::always(promise::NO_DEPOSED_CALL, |_, world: &World| {
                world.wrong != Some(Wrong::BegunByADeposed)
            }),
            Property::always(promise::NO_DEPOSED_WRITE, |_, world: &World| {
                world.wrong != Some(Wrong::WrittenByADeposed)
            }),
            Property::always(promise::NO_LOST_RELEASE, no_lost_release),
            Property::always(promise::NONE_FROM_THE_LIVING, |_, world: &World| {
                world.wrong != Some(Wrong::TakenFromTheLiving)
            }),
            Property::always(promise::ALL_NOTED, all_noted),
            Property::always(promise::NO_WAIT_FOR_ITSELF, |_, world: &World| {
                let waits = |contender: &Contender| contender.phase == Phase::Waiting && contender.stands;
                !world.contenders.iter().any(waits)
            }),
            Property::always(promise::NO_DEADLOCK, |protocol: &Self, world: &World| {
                world.wrong.is_some() || protocol.goes_on(world)
            }),
        ];
        promises.extend(self.reached());
        promises
    }
}
