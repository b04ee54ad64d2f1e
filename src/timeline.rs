//! Where the time of a run goes: its phases, every call that it makes, and what it waits for.
//!
//! It is written down only where somebody asked for it. Each entry is begun when the thing begins, and ends when its
//! [`Recording`] is dropped: so what is cut off has an end, too.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use boot_time::Instant;

tokio::task_local! {
    static STEP: String;
}

/// A part of a run. Parts may overlap: a zip is sent while the lease is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The state of the stage is read, and the stage waited for where somebody else holds it.
    ReadingState,
    /// Config and code of the app are read.
    ReadingApp,
    /// Its zips are made.
    Packaging,
    /// What is there is compared with what shall be there, and where that is unclear, AWS is asked.
    Planning,
    /// Code is handed to the store.
    Uploading,
    /// The lease is taken, with what is about to be done written down.
    TakingLease,
    /// Resources are made, changed and removed.
    Applying,
    /// What was done is written down, and the lease given back.
    Recording,
}

impl Phase {
    /// The phase as people and programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadingState => "reading state",
            Self::ReadingApp => "reading app",
            Self::Packaging => "packaging",
            Self::Planning => "planning",
            Self::Uploading => "uploading",
            Self::TakingLease => "taking the lease",
            Self::Applying => "applying",
            Self::Recording => "recording",
        }
    }
}

/// What took its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A part of the run.
    Phase(Phase),
    /// A call to the outside.
    Call {
        /// Whom: `lambda`, `s3`, `github`.
        service: String,
        /// What, in that one's words: `CreateFunction`.
        operation: String,
        /// How often it was sent.
        attempts: u32,
        /// The HTTP status of the last answer; `None` where there was none.
        status: Option<u16>,
    },
    /// A pause, and why.
    Wait(String),
}

/// Something that took its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it was.
    pub kind: Kind,
    /// What it was about: the address of a step, or a name; empty where it has none.
    pub target: String,
    /// The address of the step that it was a part of.
    pub step: Option<String>,
    /// The part of the run that it fell into.
    pub phase: Option<Phase>,
    /// When it began, counted from the beginning of the run.
    pub began: Duration,
    /// When it ended; `None` as long as it has not.
    pub ended: Option<Duration>,
}

/// What a run has written down. All copies share it.
#[derive(Debug, Clone)]
pub struct Timeline(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    began: Instant,
    /// Nothing is written down before somebody asks for it.
    entries: OnceLock<Mutex<Vec<Entry>>>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self(Arc::new(Kept {
            began: Instant::now(),
            entries: OnceLock::new(),
        }))
    }
}

impl Timeline {
    /// Writes down from now on what takes its time.
    pub fn keep(&self) {
        self.0.entries.get_or_init(Mutex::default);
    }

    /// Everything so far, in the order in which it began, and how long the run has taken; `None` where nobody asked.
    pub fn entries(&self) -> Option<(Vec<Entry>, Duration)> {
        let entries = lock(self.0.entries.get()?).clone();
        Some((entries, self.0.began.elapsed()))
    }

    /// Begins a part of the run, which ends when what is returned is dropped.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Recording {
        self.begin(Kind::Phase(phase), String::new)
    }

    /// Begins a call, with its first attempt.
    #[must_use]
    pub fn call(&self, (service, operation): (&str, &str), target: impl FnOnce() -> String) -> Recording {
        if self.0.entries.get().is_none() {
            return Recording(None);
        }
        let kind = Kind::Call {
            service: service.to_owned(),
            operation: operation.to_owned(),
            attempts: 1,
            status: None,
        };
        self.begin(kind, target)
    }

    /// Begins a pause.
    #[must_use]
    pub fn wait(&self, reason: &str, target: &str) -> Recording {
        if self.0.entries.get().is_none() {
            return Recording(None);
        }
        self.begin(Kind::Wait(reason.to_owned()), || target.to_owned())
    }

    fn begin(&self, kind: Kind, target: impl FnOnce() -> String) -> Recording {
        let Some(entries) = self.0.entries.get() else {
            return Recording(None);
        };
        let mut entries = lock(entries);
        let step = STEP.try_with(Clone::clone).ok();
        let phase = entries.iter().rev().find_map(|entry| match (&entry.kind, entry.ended) {
            (Kind::Phase(phase), None) => Some(*phase),
            (Kind::Phase(_) | Kind::Call { .. } | Kind::Wait(_), _) => None,
        });
        entries.push(Entry {
            target: step.clone().unwrap_or_else(target),
            kind,
            step,
            phase,
            began: self.0.began.elapsed(),
            ended: None,
        });
        Recording(Some((self.clone(), entries.len() - 1)))
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.0.entries.get().map(lock);
        if let Some(entry) = entries.as_deref_mut().and_then(|entries| entries.get_mut(index)) {
            change(entry);
        }
    }
}

/// What is in an entry stays true, even after a panic.
fn lock(entries: &Mutex<Vec<Entry>>) -> MutexGuard<'_, Vec<Entry>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An entry that goes on until this is dropped.
#[derive(Debug)]
pub struct Recording(Option<(Timeline, usize)>);

impl Recording {
    /// The call is sent once more.
    pub fn again(&self) {
        self.change(|entry| {
            if let Kind::Call { attempts, .. } = &mut entry.kind {
                *attempts += 1;
            }
        });
    }

    /// The call was answered with an HTTP status.
    pub fn answered(&self, with: u16) {
        self.change(|entry| {
            if let Kind::Call { status, .. } = &mut entry.kind {
                *status = Some(with);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some((timeline, index)) = &self.0 {
            timeline.change(*index, change);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some((timeline, index)) = &self.0 {
            let now = timeline.0.began.elapsed();
            timeline.change(*index, |entry| entry.ended = Some(now));
        }
    }
}

/// Does the work of a step: what is written down meanwhile is a part of it.
pub async fn of_step<T>(address: String, work: impl Future<Output = T>) -> T {
    STEP.scope(address, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_down_that_nobody_asked_for() {
        let timeline = Timeline::default();
        drop(timeline.call(("s3", "GetObject"), || panic!("a name is looked up")));
        assert_eq!(timeline.entries(), None);
    }

    #[test]
    fn a_call_is_one_entry_however_often_it_is_sent() {
        let timeline = Timeline::default();
        timeline.keep();
        let call = timeline.call(("s3", "GetObject"), || "stages/shop/dev.json".to_owned());
        call.answered(503);
        call.again();
        call.answered(200);
        drop(call);
        let (entries, _) = timeline.entries().unwrap();
        let [entry] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        let sent = Kind::Call {
            service: "s3".to_owned(),
            operation: "GetObject".to_owned(),
            attempts: 2,
            status: Some(200),
        };
        assert_eq!(entry.kind, sent);
        assert!(entry.ended.is_some());
    }

    #[tokio::test]
    async fn a_call_says_of_which_step_and_which_part_of_the_run_it_is() {
        let timeline = Timeline::default();
        timeline.keep();
        let phase = timeline.phase(Phase::Applying);
        of_step("role/default-role".to_owned(), async {
            drop(timeline.call(("iam", "CreateRole"), String::new));
        })
        .await;
        drop(phase);
        drop(timeline.wait("somebody holds the stage", "dev"));
        let (entries, _) = timeline.entries().unwrap();
        let of = |entry: &Entry| (entry.phase, entry.step.clone(), entry.target.clone());
        let role = "role/default-role".to_owned();
        assert_eq!(of(&entries[1]), (Some(Phase::Applying), Some(role.clone()), role));
        assert_eq!(of(&entries[2]), (None, None, "dev".to_owned()));
    }

    #[test]
    fn what_is_cut_off_ends_where_it_was_cut_off() {
        let timeline = Timeline::default();
        timeline.keep();
        let call = timeline.call(("lambda", "Invoke"), String::new);
        assert_eq!(timeline.entries().unwrap().0[0].ended, None);
        drop(call);
        assert!(timeline.entries().unwrap().0[0].ended.is_some());
    }
}
