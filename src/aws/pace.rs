//! Asking in time: each call waits for its turn before AWS would say that there were too many.
//!
//! Within a run the [buckets](quota::Buckets) say when a call fits. Quotas that take seconds a call are shared with all other
//! runs of the account and Region: their turns are reserved in advance, by whoever [leads](Pacer::lead) the run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use boot_time::Instant;
use tokio::sync::Mutex;

use self::quota::{Buckets, Quota};
use super::Tell;
use super::wait::pause_for;
use crate::fault::{Fault, FaultKind};
use crate::stop::Stop;

pub mod quota;

/// Shorter waits pass in silence.
const TOLD_OVER: Duration = Duration::from_secs(2);

/// Shorter waits are not broken off, nor are those for a look: what is begun is then ended.
const ENDURED: Duration = Duration::from_secs(1);

/// Whether calls are paced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pacing {
    /// By the quotas of AWS.
    #[default]
    Quotas,
    /// Not at all: AWS is an emulator.
    Off,
}

/// A call that a run will make, to be reserved among all runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What it takes.
    pub quota: Quota,
    /// How long it will be until the run is ready to make it, as far as one can tell.
    pub ready: Duration,
    /// Which need of the same run comes before it, by its number among them.
    pub follows: Option<usize>,
}

/// When a call may be made that was reserved: nobody else makes one of the same quota meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Not before.
    pub earliest: Instant,
    /// Not behind: then it has to be reserved anew.
    pub latest: Instant,
}

/// Windows that are being reserved; `None` where that cannot be.
pub type Reserving = Pin<Box<dyn Future<Output = Option<Vec<Window>>>>>;

/// Reserves a window for each need, among all runs of the account and Region.
pub type Reserve = Rc<dyn Fn(Vec<Need>) -> Reserving>;

/// Lets calls through one after the other, as the quotas allow. All copies share the same turns.
#[derive(Clone)]
pub struct Pacer(Rc<Inner>);

struct Inner {
    pacing: Pacing,
    began: Instant,
    tell: Tell,
    told: RefCell<BTreeSet<&'static str>>,
    buckets: RefCell<Buckets>,
    stop: RefCell<Option<Stop>>,
    reserve: RefCell<Option<Reserve>>,
    windows: Mutex<Vec<(Quota, Window)>>,
}

impl Pacer {
    /// One that knows of no other runs, and tells long waits.
    pub fn new(pacing: Pacing, tell: Tell) -> Self {
        Self(Rc::new(Inner {
            pacing,
            began: Instant::now(),
            tell,
            told: RefCell::default(),
            buckets: RefCell::default(),
            stop: RefCell::default(),
            reserve: RefCell::default(),
            windows: Mutex::default(),
        }))
    }

    /// Reserves what a run needs, and from now on whatever else it turns out to need. Whoever asks for a turn meanwhile waits
    /// for that; a wish to stop ends all waits.
    pub async fn lead(&self, stop: Stop, reserve: Option<Reserve>, needs: Vec<Need>) {
        let mut windows = self.0.windows.lock().await;
        self.0.stop.replace(Some(stop));
        self.0.reserve.replace(reserve);
        windows.clear();
        if needs.is_empty() || self.0.pacing == Pacing::Off {
            return;
        }
        let quotas: Vec<Quota> = needs.iter().map(|need| need.quota).collect();
        let reserved = self.reserved(needs).await.unwrap_or_default();
        windows.extend(quotas.into_iter().zip(reserved));
    }

    /// Waits until a call may be made.
    ///
    /// # Errors
    ///
    /// [`FaultKind::Stopped`]: somebody wished to stop meanwhile, and the call must not be made.
    pub async fn turn(&self, slow: Option<Quota>, of: (&'static str, &str)) -> Result<(), Fault> {
        if self.0.pacing == Pacing::Off {
            return Ok(());
        }
        if let Some(quota) = slow {
            let at = self.unless_stopped(of, self.slot(quota)).await?;
            self.wait(quota, at, of).await?;
        }
        for quota in Quota::fast(of.0) {
            let at = self.0.buckets.borrow_mut().take(*quota, self.now());
            self.wait(*quota, at, of).await?;
        }
        Ok(())
    }

    /// Takes note that AWS has refused a call as one too many: somebody else uses the account.
    pub fn refused(&self, slow: Option<Quota>) {
        if let Some(quota) = slow {
            self.0.buckets.borrow_mut().refused(quota, self.now());
        }
    }

    /// When the next call of a slow quota may be made.
    async fn slot(&self, quota: Quota) -> Duration {
        let mut windows = self.0.windows.lock().await;
        let now = Instant::now();
        let is_same = |of: Quota| of.name() == quota.name();
        windows.retain(|(of, window)| !is_same(*of) || now <= window.latest);
        let window = match windows.iter().position(|(of, _)| is_same(*of)) {
            Some(found) => Some(windows.remove(found).1),
            None => self.reserved_late(quota).await,
        };
        let earliest = window.map_or(now, |window| window.earliest.max(now));
        let earliest = earliest.saturating_duration_since(self.0.began);
        self.0.buckets.borrow_mut().take(quota, earliest)
    }

    async fn reserved_late(&self, quota: Quota) -> Option<Window> {
        let now = self.now();
        let need = Need {
            quota,
            ready: self.0.buckets.borrow().next(quota, now) - now,
            follows: None,
        };
        self.reserved(vec![need]).await?.pop()
    }

    async fn reserved(&self, needs: Vec<Need>) -> Option<Vec<Window>> {
        let reserve = self.0.reserve.borrow().clone()?;
        let reserved = reserve(needs).await;
        if reserved.is_none() {
            // What failed once would keep every other call waiting, too.
            self.0.reserve.replace(None);
        }
        reserved
    }

    async fn wait(&self, quota: Quota, at: Duration, of: (&'static str, &str)) -> Result<(), Fault> {
        let pause = at.saturating_sub(self.now());
        if pause > TOLD_OVER && self.0.told.borrow_mut().insert(quota.name()) {
            (self.0.tell)(&format!("waiting {} for {}", spoken(pause), quota.told()));
        }
        let is_look = [":Get", ":List"].iter().any(|look| of.0.contains(look));
        if pause <= ENDURED || is_look {
            pause_for(pause).await;
            return Ok(());
        }
        tracing::info!(
            operation = of.0,
            target = of.1,
            pause_ms = pause.as_millis(),
            "waiting for a turn"
        );
        self.unless_stopped(of, pause_for(pause)).await
    }

    async fn unless_stopped<T>(
        &self,
        (operation, target): (&'static str, &str),
        work: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        let stop = self.0.stop.borrow().clone();
        let Some(stop) = stop else {
            return Ok(work.await);
        };
        tokio::select! {
            biased;
            () = stop.requested() => {
                let message = "it was not made, since somebody wished to stop before its turn came".to_owned();
                Err(Fault::refused(operation, target, FaultKind::Stopped, message))
            }
            done = work => Ok(done),
        }
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }
}

/// A time for people: whole seconds, or minutes where it is long.
fn spoken(pause: Duration) -> String {
    let seconds = pause.as_millis().div_ceil(1_000);
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("about {} min", seconds.div_ceil(60)),
    }
}
