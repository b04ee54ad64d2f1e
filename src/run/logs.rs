//! `logs`: shows what the functions of a stage logged, and goes on with what they log from now on.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::json;

use super::Session;
use super::functions::{Functions, Known};
use super::holding::confirmed_place;
use crate::aws::wait;
use crate::cli::{self, Since};
use crate::error::Failure;
use crate::fault::{Fault, FaultKind};
use crate::host::{Ink, terminal};
use crate::names::Timestamp;
use crate::report::logs::{Logged, Names, is_of_the_runtime};
use crate::resource::Cloud;
use crate::resource::function::log::{LogEvent, Page, Query, group};

/// What stands for every function of the stage.
const ALL: &str = "all";

/// How long to pause before looking again. All of an account's readers share a few calls a second:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>.
const PAUSE: Duration = Duration::from_secs(2);

/// How far behind the newest event it is looked again, in milliseconds: logs of several instances come in late, and not in
/// the order of their moments.
const OVERLAP_MS: i64 = 15_000;

/// Shows what functions logged, in the order of time.
///
/// # Errors
///
/// There is no such function, or the logs cannot be read.
pub async fn logs(session: &Session<'_>, wishes: &cli::Logs) -> Result<(), Failure> {
    let functions = Functions::of(session, &wishes.stage.name).await?;
    let since = since(session, wishes.since);
    let mut view = View {
        session,
        wishes,
        since,
        logs: wanted(&functions, &wishes.functions, since)?,
    };
    if !wishes.follow {
        let mut reading = Reading::default();
        view.read(functions.cloud.as_ref(), wishes.lines, &mut reading).await?;
        view.confirm(&functions).await?;
        view.show_all(&functions, &reading);
        return Ok(());
    }
    let _hearing = session.stop.hearing();
    tokio::select! {
        ended = view.follow(&functions) => ended,
        () = session.stop.requested() => Ok(()),
    }
}

/// The first moment that is wanted.
fn since(session: &Session<'_>, since: Since) -> jiff::Timestamp {
    match since {
        Since::At(moment) => moment,
        Since::Ago(ago) => {
            let now = session.now.since(Timestamp::new(jiff::Timestamp::UNIX_EPOCH));
            let then = jiff::Timestamp::UNIX_EPOCH.checked_add(now.saturating_sub(ago));
            then.unwrap_or_default()
        }
    }
}

/// The logs of the functions that are named, each once; of all where none is.
fn wanted(functions: &Functions, names: &[String], since: jiff::Timestamp) -> Result<Vec<Log>, Failure> {
    let log = |(name, known): (&str, &Known)| Log {
        function: name.to_owned(),
        group: group(&known.arn),
        from_ms: since.as_millisecond(),
        seen: BTreeSet::new(),
        is_there: false,
    };
    if names.is_empty() || names.iter().any(|name| name == ALL) {
        let all = functions.known.iter();
        return Ok(all.map(|(name, known)| log((name.as_str(), known))).collect());
    }
    let names: BTreeSet<&String> = names.iter().collect();
    names.into_iter().map(|name| functions.named(name).map(log)).collect()
}

/// The log of one function, and how far it was read.
struct Log {
    function: String,
    group: String,
    from_ms: i64,
    /// Moments and ids of what was shown, as far back as it is read again.
    seen: BTreeSet<(i64, String)>,
    is_there: bool,
}

impl Log {
    /// Reads all pages from where it was read to. What was taken before a fault is not taken again.
    async fn read<P>(&mut self, mut look: P, mut take: impl FnMut(Vec<LogEvent>)) -> Result<(), Fault>
    where
        P: AsyncFnMut(&Query<'_>) -> Result<Option<Page>, Fault>,
    {
        let mut page = None;
        loop {
            let query = Query {
                group: &self.group,
                from_ms: self.from_ms,
                page: page.as_deref(),
            };
            let Some(found) = look(&query).await? else { break };
            self.is_there = true;
            take(self.fresh(found.events));
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        self.advance();
        Ok(())
    }

    /// Those events that were not shown before.
    fn fresh(&mut self, events: Vec<LogEvent>) -> Vec<LogEvent> {
        let is_fresh = |event: &LogEvent| self.seen.insert((event.at_ms, event.id.clone()));
        events.into_iter().filter(is_fresh).collect()
    }

    /// All that there is was read: the next reading begins a little before the newest of it.
    fn advance(&mut self) {
        if let Some((newest_ms, _)) = self.seen.last() {
            self.from_ms = self.from_ms.max(newest_ms - OVERLAP_MS);
            self.seen = self.seen.split_off(&(self.from_ms, String::new()));
        }
    }
}

/// What one reading found.
#[derive(Default)]
struct Reading {
    shown: Vec<Logged>,
    /// How many lines of Lambda's own were left out.
    hidden: usize,
}

impl Reading {
    /// In the order of time, and no more than the last of them.
    fn sort(&mut self, lines: Option<usize>) {
        self.shown.sort_by_key(|logged| logged.at);
        let surplus = lines.map_or(0, |lines| self.shown.len().saturating_sub(lines));
        self.shown.drain(..surplus);
    }
}

/// What a person wants to see, and what was seen already.
struct View<'a> {
    session: &'a Session<'a>,
    wishes: &'a cli::Logs,
    since: jiff::Timestamp,
    logs: Vec<Log>,
}

impl View<'_> {
    /// Reads what is new in every log. What was found before a fault is found all the same.
    async fn read(&mut self, cloud: &dyn Cloud, lines: Option<usize>, reading: &mut Reading) -> Result<(), Fault> {
        let with_runtime = self.wishes.runtime_lines;
        for log in &mut self.logs {
            let function = log.function.clone();
            let take = |events: Vec<LogEvent>| {
                for event in events {
                    if with_runtime || !is_of_the_runtime(&event.message) {
                        reading.shown.push(Logged::of(&function, event));
                    } else {
                        reading.hidden += 1;
                    }
                }
                reading.sort(lines);
            };
            log.read(async |query: &Query<'_>| cloud.log_events(query).await, take)
                .await?;
        }
        Ok(())
    }

    /// Where there is no log at all, it is asked whether we are in the account of the stage: logs go by their names alone.
    async fn confirm(&self, functions: &Functions) -> Result<(), Failure> {
        if !self.logs.iter().any(|log| log.is_there) {
            confirmed_place(functions.cloud.as_ref(), &functions.state).await?;
        }
        Ok(())
    }

    /// Shows what there is, and then what comes, until nobody reads it any more or something fails for good.
    async fn follow(&mut self, functions: &Functions) -> Result<(), Failure> {
        let cloud = functions.cloud.as_ref();
        let mut reading = Reading::default();
        self.read(cloud, self.wishes.lines, &mut reading).await?;
        self.confirm(functions).await?;
        self.show(&reading.shown);
        if reading.shown.is_empty() {
            self.note(&format!("{}; waiting for more, Ctrl-C ends it", self.nothing(&reading)));
        }
        let mut is_told = false;
        wait::again(PAUSE, async || {
            if terminal::is_unread() {
                return ControlFlow::Break(Ok(()));
            }
            let mut reading = Reading::default();
            let ended = self.read(cloud, None, &mut reading).await;
            self.show(&reading.shown);
            match ended {
                Ok(()) => is_told = false,
                Err(fault) if matches!(fault.kind, FaultKind::Timeout | FaultKind::Unreachable) => {
                    if !is_told {
                        self.note(&format!("waiting: {fault}; trying again"));
                        is_told = true;
                    }
                }
                Err(fault) => return ControlFlow::Break(Err(fault.into())),
            }
            ControlFlow::Continue(())
        })
        .await
    }

    /// Prints lines as they come.
    fn show(&self, shown: &[Logged]) {
        let names = self.names();
        for logged in shown {
            self.session.host.say(&logged.text(names));
            if self.wishes.follow {
                self.session.host.answer(&json!(logged));
            }
        }
    }

    /// Prints all that there is.
    fn show_all(&self, functions: &Functions, reading: &Reading) {
        self.show(&reading.shown);
        if reading.shown.is_empty() {
            self.note(&self.nothing(reading));
        }
        self.session.host.answer(&json!({
            "app": functions.app,
            "stage": functions.stage,
            "since": self.since,
            "events": reading.shown,
        }));
    }

    fn names(&self) -> Names {
        let longest = self.logs.iter().map(|log| log.function.chars().count()).max();
        match self.logs.len() {
            0 | 1 => Names::Hidden,
            _ => Names::Shown(longest.unwrap_or_default()),
        }
    }

    /// Why nothing is shown.
    fn nothing(&self, reading: &Reading) -> String {
        let whose: Vec<String> = self.logs.iter().map(|log| format!("`{}`", log.function)).collect();
        let whose = whose.join(", ");
        if !self.logs.iter().any(|log| log.is_there) {
            return format!("there is no log of {whose} yet: it was never invoked, or its role may not write logs");
        }
        let since = Timestamp::new(self.since);
        match reading.hidden {
            0 => format!("{whose} logged nothing since {since}: `--since 1d` looks further back"),
            hidden => format!(
                "{whose} logged nothing since {since} but {hidden} lines of Lambda's own: `--runtime-lines` shows them"
            ),
        }
    }

    fn note(&self, line: &str) {
        self.session.host.note(Ink::Faint, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        Log {
            function: "api".to_owned(),
            group: group("arn:aws:lambda:eu-west-1:1:function:shop-dev-api"),
            from_ms: 0,
            seen: BTreeSet::new(),
            is_there: true,
        }
    }

    fn events(events: &[(i64, &str)]) -> Vec<LogEvent> {
        let event = |(at_ms, id): &(i64, &str)| LogEvent {
            id: (*id).to_owned(),
            at_ms: *at_ms,
            stream: "s".to_owned(),
            message: "m".to_owned(),
        };
        events.iter().map(event).collect()
    }

    fn ids(events: Vec<LogEvent>) -> Vec<String> {
        events.into_iter().map(|event| event.id).collect()
    }

    #[test]
    fn the_log_group_bears_the_name_of_the_function() {
        assert_eq!(log().group, "/aws/lambda/shop-dev-api");
    }

    #[test]
    fn several_events_of_one_moment_are_each_shown_once() {
        let mut log = log();
        assert_eq!(ids(log.fresh(events(&[(50_000, "a"), (50_000, "b")]))), ["a", "b"]);
        log.advance();
        assert_eq!(log.from_ms, 50_000 - OVERLAP_MS);
        let again = [(50_000, "a"), (50_000, "b"), (50_000, "c")];
        assert_eq!(ids(log.fresh(events(&again))), ["c"]);
    }

    #[test]
    fn an_event_that_comes_in_late_is_shown_though_newer_ones_were() {
        let mut log = log();
        log.fresh(events(&[(20_000, "old"), (60_000, "new")]));
        log.advance();
        assert_eq!(ids(log.fresh(events(&[(50_000, "late"), (60_000, "new")]))), ["late"]);
    }

    #[test]
    fn what_is_not_read_again_is_not_remembered() {
        let mut log = log();
        log.fresh(events(&[(1_000, "a"), (60_000, "b")]));
        log.advance();
        assert_eq!(log.seen.len(), 1);
    }

    #[test]
    fn a_quiet_log_is_read_from_where_it_was() {
        let mut log = log();
        log.fresh(events(&[(60_000, "a")]));
        log.advance();
        let from_ms = log.from_ms;
        log.fresh(Vec::new());
        log.advance();
        assert_eq!(log.from_ms, from_ms);
    }

    #[tokio::test]
    async fn every_page_is_read_and_what_came_before_a_fault_is_shown_once() {
        let page = |found: &[(i64, &str)], next: Option<&str>| Page {
            events: events(found),
            next: next.map(str::to_owned),
        };
        let cut = || Fault::refused("logs:FilterLogEvents", "x", FaultKind::Unreachable, "cut".to_owned());
        let mut log = log();
        let mut taken = Vec::new();
        for is_cut in [true, false] {
            let look = async |query: &Query<'_>| match query.page {
                None => Ok(Some(page(&[(90_000, "a")], Some("second")))),
                Some("second") if is_cut => Err(cut()),
                Some("second") => Ok(Some(page(&[], Some("third")))),
                Some(_) => Ok(Some(page(&[(90_001, "b")], None))),
            };
            let read = log.read(look, |found| taken.extend(ids(found))).await;
            assert_eq!(read.is_err(), is_cut);
        }
        assert_eq!(taken, ["a", "b"]);
        assert_eq!(log.from_ms, 90_001 - OVERLAP_MS);
    }

    #[tokio::test]
    async fn a_log_that_is_not_there_yet_is_empty() {
        let mut log = Log {
            is_there: false,
            ..log()
        };
        let read = log
            .read(async |_: &Query<'_>| Ok(None), |_| panic!("nothing is found"))
            .await;
        assert!(read.is_ok() && !log.is_there);
    }

    #[test]
    fn of_many_lines_the_last_are_kept() {
        let line = |at_ms| Logged::of("api", events(&[(at_ms, "x")]).remove(0));
        let mut reading = Reading {
            shown: vec![line(3), line(1), line(2)],
            hidden: 0,
        };
        reading.sort(Some(2));
        assert_eq!(reading.shown, [line(2), line(3)]);
    }
}
