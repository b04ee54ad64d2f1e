//! Taking turns: what AWS changes of one thing only one change at a time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Who waits for whom, by the name of what is changed. All copies share the same turns.
#[derive(Clone, Default)]
pub struct Turns {
    of: Rc<RefCell<BTreeMap<String, Arc<Mutex<()>>>>>,
}

impl Turns {
    /// Waits until nobody else has the turn of this name, and has it until what is returned is dropped.
    pub async fn of(&self, name: &str) -> OwnedMutexGuard<()> {
        let turn = self.of.borrow_mut().entry(name.to_owned()).or_default().clone();
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_function_is_changed_by_one_at_a_time_and_another_one_meanwhile() {
        let turns = Turns::default();
        let copy = turns.clone();
        let first = turns.of("shop-prod-told").await;
        let other = turns.of("shop-prod-other").await;
        let began = RefCell::new(false);
        let second = async {
            let second = copy.of("shop-prod-told").await;
            *began.borrow_mut() = true;
            drop(second);
        };
        let end = async {
            tokio::task::yield_now().await;
            assert!(!*began.borrow());
            drop(first);
        };
        tokio::join!(second, end);
        assert!(*began.borrow());
        drop(other);
    }
}
