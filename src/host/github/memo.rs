//! Answers that hold for a whole run: each is asked for once, however many apps need it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::OnceCell;

/// What was answered, by what it was asked with. Whoever asks while the answer is under way waits for that one; a failure is
/// not kept.
pub(super) struct Memo<K, V>(RefCell<BTreeMap<K, Rc<OnceCell<V>>>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Ord, V: Clone> Memo<K, V> {
    /// The answer that is known, or else what `ask` brings.
    pub(super) async fn answer<E>(&self, key: K, ask: impl AsyncFnOnce() -> Result<V, E>) -> Result<V, E> {
        let known = self.0.borrow_mut().entry(key).or_default().clone();
        known.get_or_try_init(|| ask()).await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn whoever_asks_while_an_answer_is_under_way_gets_that_one() {
        let (memo, asked) = (Memo::default(), Cell::new(0));
        let ask = async || {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            Ok::<_, ()>("an answer")
        };
        let both = tokio::join!(memo.answer("a", ask), memo.answer("a", ask));
        assert_eq!((both, asked.get()), ((Ok("an answer"), Ok("an answer")), 1));
        memo.answer("b", ask).await.unwrap();
        assert_eq!(asked.get(), 2);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let memo = Memo::default();
        assert_eq!(memo.answer("a", async || Err("no")).await, Err::<i32, _>("no"));
        assert_eq!(memo.answer("a", async || Ok::<_, &str>(7)).await, Ok(7));
    }
}
