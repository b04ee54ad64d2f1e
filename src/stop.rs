//! The wish to stop: nothing new is begun after it, and what holds a stage gives it back first.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::watch;

/// The wish to stop, shared between whoever hears the signals and whoever works.
#[derive(Debug, Clone)]
pub struct Stop(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    wish: watch::Sender<bool>,
    holding: Cell<usize>,
    has_held: Cell<bool>,
    heard: Cell<usize>,
}

/// While it lives, a stage is held, and the program must not simply end.
#[derive(Debug)]
pub struct Holding(Stop);

/// While it lives, a command that holds no stage hears the wish to stop, and ends by itself.
#[derive(Debug)]
pub struct Hearing(Stop);

impl Stop {
    /// Nobody wishes to stop yet.
    pub fn new() -> Self {
        Self(Rc::new(Inner {
            wish: watch::Sender::new(false),
            holding: Cell::new(0),
            has_held: Cell::new(false),
            heard: Cell::new(0),
        }))
    }

    /// Wishes to stop.
    pub fn request(&self) {
        self.0.wish.send_replace(true);
    }

    /// Whether somebody wishes to stop.
    pub fn is_requested(&self) -> bool {
        *self.0.wish.borrow()
    }

    /// Comes when somebody wishes to stop.
    pub async fn requested(&self) {
        let mut wish = self.0.wish.subscribe();
        // The sender lives as long as we do.
        let _wish = wish.wait_for(|wish| *wish).await;
    }

    /// Says that a stage is held, until the answer is dropped.
    pub fn holding(&self) -> Holding {
        self.0.holding.set(self.0.holding.get() + 1);
        self.0.has_held.set(true);
        Holding(self.clone())
    }

    /// Says that we hear the wish to stop and end by ourselves, until the answer is dropped.
    pub fn hearing(&self) -> Hearing {
        self.0.heard.set(self.0.heard.get() + 1);
        Hearing(self.clone())
    }

    /// Whether somebody hears the wish, and ends by itself.
    pub fn is_heard(&self) -> bool {
        self.0.heard.get() > 0
    }

    /// Whether a stage was held, be it still or not: something may have been changed.
    pub fn has_held(&self) -> bool {
        self.0.has_held.get()
    }

    /// Whether a stage is held.
    pub fn is_holding(&self) -> bool {
        self.0.holding.get() > 0
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.0.holding.set(self.0.0.holding.get() - 1);
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.0.0.heard.set(self.0.0.heard.get() - 1);
    }
}
