//! When a holder counts as dead, so that its lease may be taken over. Pure: clocks and hosts are asked elsewhere.

use std::time::Duration;

use boot_time::Instant;

use super::lease::LEASE;
use super::store::Version;
use crate::hold::CALL_TIMEOUT;

/// What the host says of the run that holds a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    /// It goes on.
    Alive,
    /// It has ended.
    Ended,
    /// Nobody can tell: it is no run of a host, or the host does not say.
    Unknown,
}

/// How long an object must have been silent before the word of the host counts. A holder that lives writes every
/// [`RENEWAL`](super::lease::RENEWAL); and one that was only stopped begins no call any more when it wakes up behind this, though its lease may
/// still last.
pub const SILENCE: Duration = LEASE.saturating_sub(CALL_TIMEOUT);

/// Whether the lease of a holder may be taken over whose object has been silent for so long on our own clock.
///
/// A run that its host calls alive keeps its stage, however long it is silent.
pub fn may_take(silence: Duration, life: Life) -> bool {
    match life {
        Life::Alive => false,
        Life::Ended => silence > SILENCE,
        Life::Unknown => silence > LEASE,
    }
}

/// Watches the object of a stage that somebody else holds, on our own clock: clocks of two machines are never compared.
#[derive(Debug, Default)]
pub struct Watch(Option<(Version, Instant)>);

impl Watch {
    /// For how long the object has not changed, where it is of this version now.
    pub fn silence(&mut self, version: &Version, now: Instant) -> Duration {
        match &self.0 {
            Some((before, since)) if before == version => now.saturating_duration_since(*since),
            Some(_) | None => {
                self.0 = Some((version.clone(), now));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_holder_is_replaced_in_seconds_and_a_living_one_never() {
        let just_behind = |silence: Duration| silence + Duration::from_millis(1);
        assert!(may_take(just_behind(SILENCE), Life::Ended));
        assert!(!may_take(SILENCE, Life::Ended));
        assert!(may_take(just_behind(LEASE), Life::Unknown));
        assert!(!may_take(LEASE, Life::Unknown));
        assert!(!may_take(LEASE * 1000, Life::Alive));
    }

    #[test]
    fn every_change_of_the_object_begins_the_silence_anew() {
        let (one, two) = (Version("one".to_owned()), Version("two".to_owned()));
        let (start, mut watch) = (Instant::now(), Watch::default());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(watch.silence(&one, start), Duration::ZERO);
        assert_eq!(watch.silence(&one, after(29)), Duration::from_secs(29));
        assert_eq!(watch.silence(&two, after(30)), Duration::ZERO);
        assert_eq!(watch.silence(&two, after(31)), Duration::from_secs(1));
    }
}
