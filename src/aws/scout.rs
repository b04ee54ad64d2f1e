//! A new role is tried by one call at a time: while Lambda cannot assume it, a hundred functions need not all ask.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// The turn to try a role; whoever has it is the scout.
pub type Turn = OwnedMutexGuard<()>;

/// Roles that Lambda may not be able to assume yet, by their ARNs. All copies know the same.
#[derive(Clone, Default)]
pub struct Scouts {
    of: Rc<RefCell<BTreeMap<String, Arc<Mutex<()>>>>>,
}

impl Scouts {
    /// A role is new, or was refused: from now on one call tries it at a time.
    pub fn doubt(&self, role: &str) {
        self.of.borrow_mut().entry(role.to_owned()).or_default();
    }

    /// A role was assumed: whoever waits may begin.
    pub fn trust(&self, role: &str) {
        self.of.borrow_mut().remove(role);
    }

    /// Waits until a role is known to be good, which is `None`, or until it is our turn to try it.
    pub async fn turn(&self, role: &str) -> Option<Turn> {
        loop {
            let doubtful = self.of.borrow().get(role).cloned()?;
            let turn = doubtful.clone().lock_owned().await;
            let is_doubtful = |now: &Arc<Mutex<()>>| Arc::ptr_eq(now, &doubtful);
            if self.of.borrow().get(role).is_some_and(is_doubtful) {
                return Some(turn);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111111111111:role/shop-dev";

    #[tokio::test]
    async fn a_role_that_nobody_doubts_is_used_by_everybody_at_once() {
        let scouts = Scouts::default();
        assert!(scouts.turn(ROLE).await.is_none());
        scouts.doubt(ROLE);
        scouts.trust(ROLE);
        assert!(scouts.turn(ROLE).await.is_none());
    }

    #[tokio::test]
    async fn the_others_wait_for_the_scout_and_begin_when_it_is_through() {
        let scouts = Scouts::default();
        scouts.doubt(ROLE);
        let scout = scouts.turn(ROLE).await.unwrap();
        let others = async { tokio::join!(scouts.turn(ROLE), scouts.turn(ROLE)) };
        let through = async {
            tokio::task::yield_now().await;
            scouts.trust(ROLE);
            drop(scout);
        };
        let ((one, two), ()) = tokio::join!(others, through);
        assert!(one.is_none() && two.is_none());
    }

    #[tokio::test]
    async fn where_the_scout_fails_another_one_tries() {
        let scouts = Scouts::default();
        scouts.doubt(ROLE);
        drop(scouts.turn(ROLE).await);
        assert!(scouts.turn(ROLE).await.is_some());
    }
}
