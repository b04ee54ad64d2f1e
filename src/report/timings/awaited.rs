//! What the end of a run waited for: the one chain without which it would have ended sooner.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::timeline::{Entry, Kind};

/// The entries that the end waited for, by their places, found backwards: before the last one to end comes the last one that
/// had ended when it began. Within a step that is its own former call; a step begins when the last one ended that it waits for.
pub fn awaited(entries: &[Entry], took: Duration) -> BTreeSet<usize> {
    let end = |index: usize| entries[index].ended.unwrap_or(took);
    let mut open: BTreeSet<usize> = (0..entries.len()).filter(|index| is_work(entries, *index)).collect();
    let mut awaited = BTreeSet::new();
    let mut next = open.iter().copied().max_by_key(|index| end(*index));
    while let Some(current) = next {
        open.remove(&current);
        awaited.insert(current);
        let Entry { began, step, .. } = &entries[current];
        open.retain(|index| end(*index) <= *began);
        let of_step = open
            .iter()
            .filter(|index| step.is_some() && entries[**index].step == *step);
        let before = of_step.max_by_key(|index| end(**index)).copied();
        next = before.or_else(|| open.iter().copied().max_by_key(|index| end(*index)));
    }
    awaited
}

/// Whether something is done in an entry itself. A part of the run with calls in it is no more than these.
fn is_work(entries: &[Entry], index: usize) -> bool {
    match entries[index].kind {
        Kind::Call { .. } | Kind::Wait(_) => true,
        Kind::Phase(phase) => !entries.iter().any(|entry| {
            let is_within = entry.began >= entries[index].began && Some(entry.began) <= entries[index].ended;
            let is_nested = matches!(entry.kind, Kind::Phase(_)) && entry.began > entries[index].began;
            is_within && (entry.phase == Some(phase) || is_nested)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Phase;

    fn entry(kind: Kind, step: &str, (began, ended): (u64, u64)) -> Entry {
        Entry {
            kind,
            target: String::new(),
            step: Some(step.to_owned()).filter(|step| !step.is_empty()),
            phase: None,
            began: Duration::from_millis(began),
            ended: Some(Duration::from_millis(ended)),
        }
    }

    fn call(step: &str, times: (u64, u64)) -> Entry {
        let kind = Kind::Call {
            service: "lambda".to_owned(),
            operation: "GetFunction".to_owned(),
            attempts: 1,
            status: Some(200),
        };
        entry(kind, step, times)
    }

    fn of(entries: &[Entry]) -> Vec<usize> {
        let end = entries.iter().filter_map(|entry| entry.ended).max();
        awaited(entries, end.unwrap_or_default()).into_iter().collect()
    }

    #[test]
    fn what_ended_before_its_time_was_not_waited_for() {
        let entries = [
            call("", (0, 10)),
            call("role/a", (10, 90)),
            call("rest_api/b", (10, 40)),
            call("deployment/c", (90, 120)),
        ];
        assert_eq!(of(&entries), [0, 1, 3]);
    }

    #[test]
    fn a_step_goes_on_from_its_own_last_call_though_another_one_ended_later() {
        let entries = [
            call("function/a", (0, 10)),
            call("", (15, 19)),
            call("function/a", (20, 30)),
        ];
        assert_eq!(of(&entries), [0, 2]);
    }

    #[test]
    fn pauses_count_and_so_does_what_is_done_without_a_call() {
        let entries = [
            entry(Kind::Phase(Phase::Packaging), "", (0, 50)),
            call("function/a", (50, 60)),
            entry(Kind::Wait("busy".to_owned()), "function/a", (60, 80)),
            call("function/a", (80, 90)),
        ];
        assert_eq!(of(&entries), [0, 1, 2, 3]);
    }

    #[test]
    fn what_still_goes_on_is_what_the_end_waits_for() {
        let mut entries = [call("function/a", (0, 10)), call("function/b", (0, 0))];
        entries[1].ended = None;
        assert_eq!(
            awaited(&entries, Duration::from_secs(1))
                .into_iter()
                .collect::<Vec<_>>(),
            [1]
        );
    }
}
