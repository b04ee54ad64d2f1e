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
