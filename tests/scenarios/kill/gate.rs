//! Many cases at once, of which few compute at a time.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// How many cases compute at a time; any number of them waits.
static GATE: Gate = Gate {
    free: Mutex::new(6),
    changed: Condvar::new(),
};

/// Does a piece of work for each, as many at a time as the gate lets pass.
pub(super) fn at_once<T: Send, R: Send>(
    each: Vec<T>,
    work: impl Fn(T) -> Result<R, String> + Sync,
) -> Vec<Result<R, String>> {
    let passing = |one| GATE.pass(|| work(one));
    thread::scope(|scope| {
        let begun = each.into_iter().map(|one| scope.spawn(move || passing(one)));
        let begun: Vec<_> = begun.collect();
        let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|ended| ended.unwrap_or_else(|_| Err("it panicked".to_owned())))
            .collect()
    })
}

/// Lets so many pass at a time.
struct Gate {
    free: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        let _passed = Passed(self);
        work()
    }
}

struct Passed<'a>(&'a Gate);

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_one();
    }
}
