//! A model of the lease's protocol, small enough to try everything that can happen: contenders that are stopped or die, writes
//! that are lost or late, a host that knows or does not, calls that end or do not.
//!
//! What a contender may do, the model asks of the program's own rules: [`may_take`], [`Hold::cover`], [`LEASE`], [`RENEWAL`] and
//! [`CALL_TIMEOUT`]. Time goes in ticks, and everything that is counted is counted from now, so that there is an end to what
//! can be reached. Versions need no numbers: a conditional write happens where the version that its writer knows still stands.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use boot_time::Instant;

use self::world::{Basis, Contender, Happening, Phase, Process, Way, What, World, Write, Wrong};
use super::lease::{LEASE, RENEWAL};
use super::takeover::{Life, SILENCE, may_take};
use crate::hold::{CALL_TIMEOUT, Hold};

/// How many contend for the stage.
pub const CONTENDERS: usize = 3;

/// A rule that is taken out, to see that something is lost without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A lease that stands is taken over without waiting.
    TakesAtOnce,
    /// What the host calls alive is taken over after a lease, as where it cannot tell.
    TakesFromTheLiving,
    /// The host's word counts when the object was silent for two renewals.
    HeedsTheHostTooEarly,
    /// Calls begin without a look at what is left of the lease.
    AsksForNoCover,
    /// A call may begin as long as the lease lasts, whether or not it would end before it.
    ForgetsHowLongCallsTake,
    /// Writes happen whatever stands.
    WritesWithoutCondition,
    /// The lease is counted from the answer to its renewal.
    CountsFromTheAnswer,
    /// Who takes a lease over does not write down what the dead one may have begun.
    ForgetsDoubts,
    /// A holder whose renewal was answered by nobody believes that it happened.
    BelievesInLostWrites,
    /// Who finds a write of their own refused does not look whether it was theirs.
    NeverRecognisesItself,
}

/// What a host says of a run whose process was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// That it is alive: only what has no process any more has ended.
    Truthful,
    /// That it has ended: somebody stopped the machine and told the host, and the process goes on later.
    Hasty,
}

/// How much goes wrong at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trouble {
    /// Processes that are stopped, each for any time.
    pub pauses: u8,
    /// Processes that die.
    pub crashes: u8,
    /// Writes that are lost, or late, or whose answer is lost.
    pub losses: u8,
}

/// The protocol, and under which conditions it is tried.
pub struct Protocol {
    tick: Duration,
    contenders: usize,
    trouble: Trouble,
    word: Word,
    flaw: Option<Flaw>,
    /// Whether a call may begin, by the ticks that are left of the lease.
    covered: Vec<bool>,
    /// Worlds from which whoever is left comes to an end.
    going_on: Mutex<HashSet<u64>>,
}

impl Protocol {
    /// The protocol as it is, in ticks of so long.
    pub fn new(tick: Duration, contenders: usize, trouble: Trouble) -> Self {
        let mut protocol = Self {
            tick,
            contenders,
            trouble,
            word: Word::Truthful,
            flaw: None,
            covered: Vec::new(),
            going_on: Mutex::new(HashSet::new()),
        };
        let is_covered = |left: u8| {
            let hold = Hold::until(Instant::now() + tick * u32::from(left));
            hold.cover("lambda:UpdateFunctionCode", "api").is_ok()
        };
        protocol.covered = (0..=protocol.lease()).map(is_covered).collect();
        protocol
    }

    /// The same, with a rule taken out.
    pub fn with(self, flaw: Flaw) -> Self {
        Self {
            flaw: Some(flaw),
            ..self
        }
    }

    /// The same, where the host speaks so.
    pub fn told_by(self, word: Word) -> Self {
        Self { word, ..self }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn ticks(&self, duration: Duration) -> u8 {
        u8::try_from(duration.as_millis().div_ceil(self.tick.as_millis())).unwrap()
    }

    fn lease(&self) -> u8 {
        self.ticks(LEASE)
    }

    fn time(&self, ticks: u8) -> Duration {
        self.tick * u32::from(ticks)
    }

    fn is_covered(&self, hold: u8) -> bool {
        let forgets = self.is(Flaw::ForgetsHowLongCallsTake) && hold > 0;
        self.is(Flaw::AsksForNoCover) || forgets || self.covered[usize::from(hold)]
    }

    /// Whether something has to happen before time may pass: calls of the living end in their time, answers and looks do not
    /// take as long as a tick, and who waits looks often. Who would look seldom would only take the stage later.
    fn is_urgent(&self, world: &World) -> bool {
        let is_held = world.contenders.iter().any(|contender| contender.stands);
        world.contenders.iter().any(|contender| {
            let is_late = contender
                .write
                .is_some_and(|write| write.way != Way::Sent || write.age > 0);
            let is_over = contender.process != Process::Dead && contender.call == Some(0);
            let is_looking = contender.phase == Phase::Waiting && contender.silence.is_none() && is_held;
            is_over || (contender.is_up() && (is_late || is_looking))
        })
    }

    /// Whether a holder may begin a call: one who gives the lease back has ended all of its own.
    fn may_begin(&self, contender: &Contender) -> bool {
        let is_releasing = contender.write.is_some_and(|write| write.what == What::Release);
        contender.phase == Phase::Holding && !is_releasing && self.is_covered(contender.hold)
    }

    /// Whether a lease that stands may be taken, as a contender sees it.
    fn may_take(&self, silence: u8, life: Life) -> bool {
        let silence = self.time(silence);
        let is_deaf = self.is(Flaw::TakesFromTheLiving) && silence > LEASE;
        let is_early = self.is(Flaw::HeedsTheHostTooEarly) && life == Life::Ended && silence > RENEWAL * 2;
        self.is(Flaw::TakesAtOnce) || is_deaf || is_early || may_take(silence, life)
    }

    /// What the host may say of whoever holds the stage; it is asked as late as the program asks.
    fn lives(&self, world: &World, contender: usize) -> Vec<Life> {
        let silence = world.contenders[contender].silence.unwrap_or(0);
        let asked_after = match self.is(Flaw::HeedsTheHostTooEarly) {
            true => RENEWAL * 2,
            false => SILENCE,
        };
        let is_asked = self.time(silence) > asked_after;
        let holder = world.contenders.iter().find(|other| other.stands);
        match holder.map(|holder| holder.process).filter(|_| is_asked) {
            None => vec![Life::Unknown],
            Some(Process::Up) => vec![Life::Unknown, Life::Alive],
            Some(Process::Paused) if self.word == Word::Truthful => vec![Life::Unknown, Life::Alive],
            Some(Process::Paused | Process::Dead) => vec![Life::Unknown, Life::Ended],
        }
    }

    fn may_happen_to(&self, world: &World, who: usize) -> Vec<Happening> {
        let mut happenings = Vec::new();
        let contender = &world.contenders[who];
        let mut if_so = |is_so: bool, happening: Happening| is_so.then(|| happenings.push(happening));
        let is_at_risk = matches!(contender.phase, Phase::Taking | Phase::Holding);
        if_so(contender.is_on(Way::Sent), Happening::Arrive(who));
        if_so(contender.straggler.is_some(), Happening::ArriveLate(who));
        if_so(contender.call.is_some(), Happening::End(who));
        if_so(contender.process == Process::Paused, Happening::Resume(who));
        let is_alive = contender.process != Process::Dead;
        if_so(is_alive && is_at_risk && world.left.crashes > 0, Happening::Crash(who));
        if !contender.is_up() {
            return happenings;
        }
        if_so(is_at_risk && world.left.pauses > 0, Happening::Pause(who));
        let may_be_lost = contender.is_on(Way::Sent) || contender.is_on(Way::Done);
        if_so(may_be_lost && world.left.losses > 0, Happening::Lose(who));
        let may_be_late = contender.is_on(Way::Sent) && contender.straggler.is_none();
        if_so(may_be_late && world.left.losses > 0, Happening::Delay(who));
        if_so(contender.is_on(Way::Done), Happening::Answer(who));
        if_so(contender.is_on(Way::Unclear), Happening::LookAfterWrite(who));
        if contender.phase == Phase::Holding {
            let is_due = self.time(self.lease() - contender.hold) >= RENEWAL;
            if_so(contender.write.is_none() && is_due, Happening::Renew(who));
            if_so(
                contender.write.is_none() && contender.call.is_none(),
                Happening::Release(who),
            );
            if_so(
                contender.call.is_none() && self.may_begin(contender),
                Happening::Begin(who),
            );
        }
        if contender.phase == Phase::Waiting {
            let looks = self.lives(world, who).into_iter();
            happenings.extend(looks.map(|life| Happening::Look(who, life)));
        }
        happenings
    }

    fn happen(&self, world: &mut World, happening: Happening) {
        match happening {
            Happening::Tick => self.tick(world),
            Happening::Look(who, life) => self.look(world, who, life),
            Happening::Arrive(who) => {
                let contender = &world.contenders[who];
                if let Some(Write { what, .. }) = contender.write {
                    let happens = contender.is_current;
                    let way = if self.arrive(world, who, what, happens) {
                        Way::Done
                    } else {
                        Way::Unclear
                    };
                    world.contenders[who].on_its_way(way);
                }
            }
            Happening::ArriveLate(who) => {
                if let Some((what, happens)) = world.contenders[who].straggler.take() {
                    self.arrive(world, who, what, happens);
                }
            }
            Happening::Lose(who) | Happening::Delay(who) => {
                world.left.losses -= 1;
                let contender = &mut world.contenders[who];
                if let (Happening::Delay(_), Some(Write { what, .. })) = (happening, contender.write) {
                    contender.straggler = Some((what, contender.is_current));
                }
                contender.on_its_way(Way::Unclear);
            }
            Happening::Answer(who) => self.confirm(&mut world.contenders[who]),
            Happening::LookAfterWrite(who) => self.look_after_write(&mut world.contenders[who]),
            Happening::Renew(who) => world.contenders[who].send(What::Renew),
            Happening::Release(who) => world.contenders[who].send(What::Release),
            Happening::Begin(who) => self.begin(world, who),
            Happening::End(who) => world.contenders[who].call = None,
            Happening::Pause(who) => {
                world.left.pauses -= 1;
                world.contenders[who].process = Process::Paused;
            }
            Happening::Resume(who) => world.contenders[who].process = Process::Up,
            Happening::Crash(who) => {
                world.left.crashes -= 1;
                world.contenders[who].process = Process::Dead;
            }
        }
        world.contenders.iter_mut().for_each(Contender::forget);
        // Who is who makes no difference.
        world.contenders.sort_unstable();
    }

    fn tick(&self, world: &mut World) {
        let lease = self.lease();
        for contender in &mut world.contenders {
            contender.hold = contender.hold.saturating_sub(1);
            contender.silence = contender.silence.map(|silence| (silence + 1).min(lease + 1));
            if let Some(write) = contender.write.as_mut().filter(|_| contender.process != Process::Dead) {
                write.age = (write.age + 1).min(lease);
            }
            // A call of the dead ends whenever AWS likes.
            if contender.process != Process::Dead {
                contender.call = contender.call.map(|left| left.saturating_sub(1));
            }
        }
    }

    fn look(&self, world: &mut World, who: usize, life: Life) {
        let is_free = world.contenders.iter().all(|other| !other.stands);
        let recorded = world.recorded;
        let contender = &mut world.contenders[who];
        let silence = *contender.silence.get_or_insert(0);
        let basis = match (is_free, life) {
            (true, _) => Basis::Free,
            (false, Life::Ended | Life::Alive) => Basis::Told,
            (false, Life::Unknown) => Basis::Silent,
        };
        if is_free || self.may_take(silence, life) {
            contender.is_current = true;
            contender.read = recorded;
            contender.phase = Phase::Taking;
            contender.silence = None;
            contender.send(What::Take(basis));
        }
    }

    /// A write comes to the store, and happens if what it expects stands.
    fn arrive(&self, world: &mut World, who: usize, what: What, happens: bool) -> bool {
        if !happens && !self.is(Flaw::WritesWithoutCondition) {
            return false;
        }
        // What a hasty host takes from the living is its own mistake: ours is what comes of it.
        let is_true = self.word == Word::Truthful;
        let is_living = |other: &Contender| other.stands && other.process != Process::Dead;
        world.wrong = world.wrong.or(match what {
            What::Take(Basis::Told) if is_true && world.contenders.iter().any(is_living) => {
                Some(Wrong::TakenFromTheLiving)
            }
            What::Renew | What::Release if !world.contenders[who].stands => Some(Wrong::WrittenByADeposed),
            What::Take(_) | What::Renew | What::Release => None,
        });
        for other in &mut world.contenders {
            other.is_current = false;
            other.own = None;
            other.silence = None;
            other.straggler = other.straggler.map(|(what, _)| (what, false));
            if matches!(what, What::Take(_)) {
                other.is_noted &= !self.is(Flaw::ForgetsDoubts);
                other.stands = false;
            }
        }
        let writer = &mut world.contenders[who];
        writer.own = Some(what);
        writer.stands = what != What::Release;
        writer.is_noted = what != What::Release;
        world.recorded = writer.read + u8::from(what == What::Release);
        true
    }

    fn confirm(&self, contender: &mut Contender) {
        let Some(Write { what, age, .. }) = contender.write.take() else {
            return;
        };
        contender.is_current = contender.own.take().is_some();
        match what {
            What::Release => contender.phase = Phase::Released,
            What::Take(_) | What::Renew => {
                contender.phase = Phase::Holding;
                let counted = if self.is(Flaw::CountsFromTheAnswer) { 0 } else { age };
                contender.hold = self.lease() - counted;
            }
        }
    }

    /// As [`super::lease`] does: what stands is ours to the byte, or as it was, or bears our mark, or is somebody else's.
    fn look_after_write(&self, contender: &mut Contender) {
        let Some(Write { what, .. }) = contender.write else {
            return;
        };
        let is_recognised = !self.is(Flaw::NeverRecognisesItself);
        if (contender.own == Some(what) && is_recognised) || self.is(Flaw::BelievesInLostWrites) {
            self.confirm(contender);
        } else if contender.is_current || (contender.stands && is_recognised) {
            contender.is_current = true;
            contender.on_its_way(Way::Sent);
        } else {
            let Contender { stands, straggler, .. } = *contender;
            match what {
                What::Take(_) => {
                    *contender = Contender {
                        stands,
                        straggler,
                        ..Contender::new(Phase::Waiting)
                    }
                }
                What::Renew | What::Release => contender.phase = Phase::Deposed,
            }
        }
    }

    fn begin(&self, world: &mut World, who: usize) {
        let is_busy = |other: &Contender| other.call.is_some() && other.process != Process::Dead;
        let overlaps = world.contenders.iter().any(is_busy);
        let contender = &mut world.contenders[who];
        contender.call = Some(self.ticks(CALL_TIMEOUT));
        world.wrong = world.wrong.or(match (contender.stands, overlaps) {
            (false, _) => Some(Wrong::BegunByADeposed),
            (true, true) => Some(Wrong::Overlap),
            (true, false) => None,
        });
    }
}

mod promises;
mod tests;
mod world;
