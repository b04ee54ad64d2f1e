//! The runs that wanted to change a stage, newest first: as a table, and as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::names::{Address, Timestamp};
use crate::state::{Attempt, Intent, Lease, Progress, REMEMBERED, State};

/// Something of a stage that was begun, and of which nobody knows how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InDoubt {
    /// Of which resource.
    pub address: Address,
    /// What was begun.
    pub intent: Intent,
}

impl fmt::Display for InDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let intent = match self.intent {
            Intent::Create => "create",
            Intent::Update => "update",
            Intent::Delete => "delete",
        };
        write!(f, "{} ({intent})", self.address)
    }
}

/// All of a stage that is in doubt.
pub fn in_doubt(state: &State) -> Vec<InDoubt> {
    let doubts = state.in_doubt.iter();
    doubts
        .map(|(address, doubt)| InDoubt {
            address: address.clone(),
            intent: doubt.intent,
        })
        .collect()
}

/// How a run ended, as people and programs read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The stage is as its commit says.
    Ready,
    /// Something failed.
    Failed,
    /// What is deployed was newer, and was kept.
    Superseded,
    /// The stage is gone.
    Removed,
    /// It goes on.
    Running,
    /// It was cut off: nobody recorded its end.
    CutOff,
}

impl Ending {
    fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Removed => "removed",
            Self::Running => "running",
            Self::CutOff => "cut off",
        }
    }
}

/// A run that wanted to change a stage.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Number of the release that it made.
    pub release: Option<u64>,
    /// Whether it is the release that is deployed now.
    pub current: bool,
    /// How it ended.
    pub ended: Ending,
    /// The commit that it was about.
    pub commit: Option<String>,
    /// Who ran it; empty where that was not recorded.
    pub by: String,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds; `null` before it has ended, and where that was not recorded.
    pub took_ms: Option<u64>,
    /// Where people can look at it.
    pub run: Option<String>,
    /// What it changed, a line each.
    pub changes: Vec<String>,
    /// Whether more may have been changed than is remembered.
    pub changes_cut: bool,
    /// What went wrong, or why nothing was done.
    pub reason: Option<String>,
}

/// The runs of a stage, newest first.
pub fn runs(state: &State) -> Vec<Run> {
    let current = state.release.as_ref().map(|release| release.number);
    let row = |attempt: &Attempt, ended: Ending| Run {
        release: attempt.release,
        current: attempt.release.is_some() && attempt.release == current,
        ..of(attempt, ended)
    };
    let last = state.last.as_ref();
    let mut rows: Vec<Run> = last
        .map(|last| row(last, ending_of_last(last, state.lease.as_ref())))
        .into_iter()
        .collect();
    rows.extend(state.history.iter().rev().map(|former| Run {
        changes_cut: former.changes.len() == REMEMBERED.0,
        ..row(former, ending(former.outcome))
    }));
    // A run that is superseded is noted beside the last one, which may be older.
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    match &state.release {
        Some(release) if !rows.iter().any(|row| row.release == Some(release.number)) => {
            let place = rows.partition_point(|row| row.at > release.at);
            let unrecorded = Run {
                release: Some(release.number),
                current: true,
                ended: Ending::Ready,
                commit: release.revision.commit.clone(),
                by: release.by.clone(),
                at: release.at,
                took_ms: None,
                run: None,
                changes: Vec::new(),
                changes_cut: true,
                reason: None,
            };
            rows.insert(place, unrecorded);
        }
        Some(_) | None => {}
    }
    rows
}

fn of(attempt: &Attempt, ended: Ending) -> Run {
    let problem = attempt.error.as_ref().map(|problem| problem.message.clone());
    let (changes, reason) = match ended {
        Ending::Superseded => (Vec::new(), attempt.changes.first().cloned()),
        Ending::Ready | Ending::Failed | Ending::Removed | Ending::Running | Ending::CutOff => {
            (attempt.changes.clone(), problem)
        }
    };
    Run {
        release: None,
        current: false,
        ended,
        commit: attempt.commit.clone(),
        by: attempt.by.clone(),
        at: attempt.at,
        took_ms: attempt.took_ms,
        run: attempt.run.clone(),
        changes,
        changes_cut: false,
        reason,
    }
}

/// One that has not ended, and is not the last one, was cut off.
fn ending(outcome: Progress) -> Ending {
    match outcome {
        Progress::Ready => Ending::Ready,
        Progress::Failed => Ending::Failed,
        Progress::Removed => Ending::Removed,
        Progress::Superseded => Ending::Superseded,
        Progress::Deploying | Progress::Removing => Ending::CutOff,
    }
}

/// The last one goes on where it holds the stage: a lease of another run is that of one which has not begun yet.
fn ending_of_last(last: &Attempt, lease: Option<&Lease>) -> Ending {
    match ending(last.outcome) {
        Ending::CutOff if lease.is_some_and(|lease| lease.since == last.at) => Ending::Running,
        ended => ended,
    }
}

/// How much of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A line.
    Line,
    /// A line, and each change below it.
    Changes,
}

/// The table: its head, and the lines of each run.
pub fn table(runs: &[Run], detail: Detail) -> (String, Vec<(Ending, Vec<String>)>) {
    let head = ["RELEASE", "COMMIT", "BEGAN", "TOOK", "BY", "CHANGED", "ENDED"].map(ToOwned::to_owned);
    let cells: Vec<[String; 7]> = std::iter::once(head).chain(runs.iter().map(Run::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or_default()).collect();
    let mut lines = cells.iter().map(|row| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    let head = lines.next().unwrap_or_default();
    let below = |run: &Run| match detail {
        Detail::Line => Vec::new(),
        Detail::Changes => run.below(),
    };
    let blocks = runs.iter().zip(lines).map(|(run, line)| {
        let lines = std::iter::once(line).chain(below(run)).collect();
        (run.ended, lines)
    });
    (head, blocks.collect())
}

impl Run {
    fn cells(&self) -> [String; 7] {
        let dash = || "-".to_owned();
        let changed = match (self.changes.len(), self.changes_cut) {
            (0, true) => "?".to_owned(),
            (count, true) => format!("{count}+"),
            (count, false) => count.to_string(),
        };
        let first = self.reason.as_deref().and_then(|reason| reason.lines().next());
        let ended = match first {
            Some(reason) => format!("{}: {}", self.ended.word(), reason.trim_end()),
            None => self.ended.word().to_owned(),
        };
        [
            self.release.map_or_else(dash, |number| {
                let mark = if self.current { " *" } else { "" };
                format!("{number}{mark}")
            }),
            self.commit
                .as_deref()
                .map_or_else(dash, |commit| commit.chars().take(9).collect()),
            self.at.to_string(),
            self.took_ms.map_or_else(dash, |took| age(Duration::from_millis(took))),
            Some(&self.by).filter(|by| !by.is_empty()).cloned().unwrap_or_else(dash),
            changed,
            ended,
        ]
    }

    fn below(&self) -> Vec<String> {
        let changes = self.changes.iter().map(|change| format!("    {change}"));
        let run = self.run.iter().map(|run| format!("    {run}"));
        changes.chain(run).collect()
    }
}

/// A duration for people: `4.1 s`, `12 min`, `3 h 20 min`, `5 d`.
pub fn age(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / (24 * 60), minutes / 60, minutes) {
        (0, 0, 0) => format!("{:.1} s", duration.as_secs_f64()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, _, _) => format!("{days} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Problem;

    fn at(second: i64) -> Timestamp {
        Timestamp::new(jiff::Timestamp::from_second(second).unwrap())
    }

    fn attempt(outcome: Progress, second: i64) -> Attempt {
        Attempt {
            outcome,
            by: "ann@laptop".to_owned(),
            commit: Some("0123456789abcdef".to_owned()),
            at: at(second),
            took_ms: Some(4120),
            run: None,
            changes: vec!["updated function/api".to_owned()],
            error: None,
            release: None,
            deployment: None,
            merge: None,
        }
    }

    fn state() -> State {
        State::new("shop".parse().unwrap(), "prod".parse().unwrap(), String::new())
    }

    fn lease(second: i64) -> Lease {
        Lease {
            mark: "m".to_owned(),
            holder: "ann@laptop".to_owned(),
            purpose: "deploy".to_owned(),
            since: at(second),
            renewals: 0,
            run: None,
        }
    }

    fn endings(state: &State) -> Vec<Ending> {
        runs(state).into_iter().map(|run| run.ended).collect()
    }

    #[test]
    fn the_newest_run_stands_first_and_each_says_how_it_ended() {
        let mut state = state();
        for (outcome, second) in [
            (Progress::Ready, 1),
            (Progress::Failed, 2),
            (Progress::Deploying, 3),
            (Progress::Removed, 5),
        ] {
            state.begin(attempt(outcome, second));
        }
        state.remember(attempt(Progress::Superseded, 4));
        let expected = [
            Ending::Removed,
            Ending::Superseded,
            Ending::CutOff,
            Ending::Failed,
            Ending::Ready,
        ];
        assert_eq!(endings(&state), expected);
    }

    #[test]
    fn a_run_goes_on_only_while_the_lease_is_its_own() {
        let mut state = state();
        state.begin(attempt(Progress::Deploying, 7));
        assert_eq!(endings(&state), [Ending::CutOff]);
        state.lease = Some(lease(8));
        assert_eq!(endings(&state), [Ending::CutOff]);
        state.lease = Some(lease(7));
        assert_eq!(endings(&state), [Ending::Running]);
    }

    #[test]
    fn the_table_has_a_line_a_run_with_the_first_line_of_what_went_wrong() {
        let mut state = state();
        state.begin(Attempt {
            error: Some(Problem {
                message: "lambda:CreateFunction was denied\nsecond line".to_owned(),
                hints: Vec::new(),
            }),
            ..attempt(Progress::Failed, 60)
        });
        let (head, blocks) = table(&runs(&state), Detail::Line);
        assert!(head.starts_with("RELEASE  COMMIT     BEGAN"), "{head}");
        let (_, lines) = &blocks[0];
        assert_eq!(
            lines.as_slice(),
            [
                "-        012345678  1970-01-01 00:01:00 UTC  4.1 s  ann@laptop  1        failed: lambda:CreateFunction was denied"
            ]
        );
    }

    #[test]
    fn a_long_run_is_told_in_minutes_and_an_old_one_in_days() {
        let told = [12, 720, 12_000, 500_000].map(|seconds| age(Duration::from_secs(seconds)));
        assert_eq!(told, ["12.0 s", "12 min", "3 h 20 min", "5 d"]);
    }
}
