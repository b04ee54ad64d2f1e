//! Our hold on a stage: until when we may begin a call that changes it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boot_time::Instant;

use crate::fault::{Fault, FaultKind};

/// The longest that one mutating call may take, its retries included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(12);

/// A hold on a stage, shared between the one who renews the lease and those who call AWS.
///
/// It is counted on the boot-time clock, so that a suspended machine does not believe in a lease that ran out meanwhile.
#[derive(Debug, Clone)]
pub struct Hold {
    end: Arc<Mutex<Option<Instant>>>,
    beside: Vec<Arc<Mutex<Option<Instant>>>>,
    has_covered: Arc<AtomicBool>,
}

impl Hold {
    /// A hold that ends at a moment.
    pub fn until(end: Instant) -> Self {
        Self {
            end: Arc::new(Mutex::new(Some(end))),
            beside: Vec::new(),
            has_covered: Arc::default(),
        }
    }

    /// The same hold for one step, which has covered nothing yet.
    #[must_use]
    pub fn of_a_step(&self) -> Self {
        Self {
            has_covered: Arc::default(),
            ..self.clone()
        }
    }

    /// Whether a mutating call was covered: if none was, nothing was begun.
    pub fn has_covered(&self) -> bool {
        self.has_covered.load(Ordering::Relaxed)
    }

    /// A hold that covers a call only while both do.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.beside.push(other.end.clone());
        both.beside.extend(other.beside.iter().cloned());
        both
    }

    /// Moves the end to a later moment, unless the hold was lost.
    pub fn extend(&self, end: Instant) {
        let mut until = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        *until = until.map(|_| end);
    }

    /// Ends the hold for good: somebody else has the stage.
    pub fn lose(&self) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether a mutating call that begins now is covered to its end.
    ///
    /// # Errors
    ///
    /// [`FaultKind::LeaseLost`]: it is not, and must not be made.
    pub fn cover(&self, operation: &'static str, target: &str) -> Result<(), Fault> {
        let done = Instant::now() + CALL_TIMEOUT;
        let outlives = |end: &Mutex<Option<Instant>>| {
            let end = *end.lock().unwrap_or_else(PoisonError::into_inner);
            end.is_some_and(|end| done < end)
        };
        match outlives(&self.end) && self.beside.iter().all(|end| outlives(end)) {
            true => {
                self.has_covered.store(true, Ordering::Relaxed);
                Ok(())
            }
            false => Err(Fault::refused(
                operation,
                target,
                FaultKind::LeaseLost,
                "our lease on the stage could end before this call does, so that it was not made".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_only_where_the_lease_outlives_its_timeout() {
        let hold = Hold::until(Instant::now() + CALL_TIMEOUT + Duration::from_secs(5));
        assert!(hold.cover("lambda:CreateFunction", "x").is_ok());
        hold.extend(Instant::now() + CALL_TIMEOUT);
        assert_eq!(
            hold.cover("lambda:CreateFunction", "x").unwrap_err().kind,
            FaultKind::LeaseLost
        );
    }

    #[test]
    fn of_two_holds_both_must_cover_a_call() {
        let (long, short) = (CALL_TIMEOUT * 2, CALL_TIMEOUT / 2);
        let hold = |length| Hold::until(Instant::now() + length);
        assert!(hold(long).and(&hold(long)).cover("s3:Put", "x").is_ok());
        assert!(hold(long).and(&hold(short)).cover("s3:Put", "x").is_err());
        assert!(hold(short).and(&hold(long)).cover("s3:Put", "x").is_err());
        let lost = hold(long);
        let both = hold(long).and(&lost);
        lost.lose();
        assert!(both.cover("s3:Put", "x").is_err());
    }

    #[test]
    fn a_lost_hold_is_never_extended() {
        let hold = Hold::until(Instant::now() + CALL_TIMEOUT * 2);
        hold.lose();
        hold.extend(Instant::now() + CALL_TIMEOUT * 2);
        assert!(hold.cover("iam:CreateRole", "x").is_err());
    }
}
