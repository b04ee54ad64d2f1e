//! The nouns of the model: who contends, what is on its way, what stands, and what happens next.

use super::{CONTENDERS, Trouble};
use crate::state::takeover::Life;

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Process {
    Up,
    Paused,
    Dead,
}

/// How far a contender has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Phase {
    Waiting,
    Taking,
    Holding,
    Released,
    Deposed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum What {
    Take(Basis),
    Renew,
    Release,
}

/// Why a stage is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Basis {
    /// Nobody held it.
    Free,
    /// It was silent for a lease, and nobody could tell more.
    Silent,
    /// The host told of its holder.
    Told,
}

/// Where a write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Way {
    /// On its way to the store.
    Sent,
    /// It happened, and the answer is on its way.
    Done,
    /// It was refused, or nothing will come back: the writer has to look.
    Unclear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Write {
    pub(super) what: What,
    pub(super) way: Way,
    /// Ticks since it was first sent.
    pub(super) age: u8,
}

/// One who wants the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Contender {
    pub(super) process: Process,
    pub(super) phase: Phase,
    /// Whether its lease is the one that stands in the object.
    pub(super) stands: bool,
    /// Whether the version that it knows is the one that stands.
    pub(super) is_current: bool,
    /// What of its own stands to the byte.
    pub(super) own: Option<What>,
    /// How many releases were recorded when it read.
    pub(super) read: u8,
    /// Ticks for which it has seen the object unchanged.
    pub(super) silence: Option<u8>,
    /// Ticks that are left of its lease, as it counts them itself.
    pub(super) hold: u8,
    pub(super) write: Option<Write>,
    /// A write that it has given up, and which may still come to the store, and whether it would find what it expects.
    pub(super) straggler: Option<(What, bool)>,
    /// Ticks after which a call that it has begun is given up.
    pub(super) call: Option<u8>,
    /// Whether the object says what it may have begun.
    pub(super) is_noted: bool,
}

/// Everything that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    pub(super) contenders: [Contender; CONTENDERS],
    /// Releases that the object records.
    pub(super) recorded: u8,
    pub(super) left: Trouble,
    pub(super) wrong: Option<Wrong>,
}

/// What must never happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wrong {
    /// A call began while a call of somebody else who lives was under way.
    Overlap,
    /// A call was begun by somebody whose lease stood no more.
    BegunByADeposed,
    /// Somebody wrote whose lease stood no more.
    WrittenByADeposed,
    /// A stage was taken by the host's word from a process that lives.
    TakenFromTheLiving,
}

/// What happens next; numbers are those of contenders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Time passes for all.
    Tick,
    /// It looks at the object, and takes the stage if it may.
    Look(usize, Life),
    /// A write comes to the store.
    Arrive(usize),
    /// A write, or the answer to it, is lost.
    Lose(usize),
    /// A write is given up for lost, and comes to the store later.
    Delay(usize),
    /// A write that was given up comes to the store.
    ArriveLate(usize),
    /// The answer to a write comes back.
    Answer(usize),
    /// It looks what became of its write.
    LookAfterWrite(usize),
    /// It renews its lease.
    Renew(usize),
    /// It gives the lease back, and records its release.
    Release(usize),
    /// It begins a call that changes AWS.
    Begin(usize),
    /// Such a call ends, in AWS too.
    End(usize),
    /// Its process is stopped, and all of it but the time.
    Pause(usize),
    /// Its process goes on.
    Resume(usize),
    /// Its process is killed.
    Crash(usize),
}

impl Contender {
    pub(super) const fn new(phase: Phase) -> Self {
        Self {
            process: Process::Up,
            phase,
            stands: false,
            is_current: false,
            own: None,
            read: 0,
            silence: None,
            hold: 0,
            write: None,
            straggler: None,
            call: None,
            is_noted: false,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.process == Process::Up
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Released | Phase::Deposed)
    }

    pub(super) fn is_on(&self, way: Way) -> bool {
        self.write.is_some_and(|write| write.way == way)
    }

    pub(super) fn send(&mut self, what: What) {
        let way = Way::Sent;
        self.write = Some(Write { what, way, age: 0 });
    }

    pub(super) fn on_its_way(&mut self, way: Way) {
        if let Some(write) = &mut self.write {
            write.way = way;
        }
    }

    /// Forgets what nobody will ask for again, so that worlds that go on alike are one.
    pub(super) fn forget(&mut self) {
        let is_gone = self.process == Process::Dead || self.is_ended();
        if !is_gone {
            return;
        }
        let is_past = !self.stands && self.call.is_none() && self.straggler.is_none() && self.write.is_none();
        if is_past && self.phase != Phase::Released {
            *self = Self::new(Phase::Deposed);
            return;
        }
        // Only what is on its way still matters.
        let write = self.write.filter(|write| write.way == Way::Sent && !self.is_ended());
        *self = Self {
            process: self.process,
            stands: self.stands,
            write: write.map(|write| Write { age: 0, ..write }),
            is_current: self.is_current && write.is_some(),
            read: if write.is_some() || self.straggler.is_some() {
                self.read
            } else {
                0
            },
            straggler: self.straggler.filter(|(_, would_happen)| *would_happen),
            call: self.call,
            is_noted: self.is_noted && self.call.is_some(),
            ..Self::new(self.phase)
        };
    }
}
