//! Where the time of a run went: for people as a small picture in text, for programs as the field `timings`.

mod awaited;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use self::awaited::awaited;
use super::comment::fenced;
use super::millis;
use crate::timeline::{Entry, Kind, Phase, Timeline};

/// How many characters the picture of the whole run is wide.
const PICTURE: usize = 32;

/// Most characters that are shown of what something was.
const NAME: usize = 64;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is a heading or a sum.
    Heading,
    /// The end of the run waited for it.
    Awaited,
    /// The run would not have ended sooner without it.
    Beside,
}

/// Calls to one service.
#[derive(Debug, Default)]
struct Sum {
    calls: usize,
    attempts: u64,
    took: Duration,
}

/// What a timeline holds, with what the end waited for.
struct Told {
    entries: Vec<Entry>,
    took: Duration,
    awaited: BTreeSet<usize>,
}

impl Told {
    fn of(timeline: &Timeline) -> Option<Self> {
        let (entries, took) = timeline.entries()?;
        let awaited = awaited(&entries, took);
        Some(Self { entries, took, awaited })
    }

    /// How long an entry took. One that still goes on ends with us.
    fn took(&self, entry: &Entry) -> Duration {
        entry.ended.unwrap_or(self.took).saturating_sub(entry.began)
    }

    /// Calls by their services.
    fn sums(&self) -> BTreeMap<&str, Sum> {
        let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
        for entry in &self.entries {
            if let Kind::Call { service, attempts, .. } = &entry.kind {
                let sum = sums.entry(service).or_default();
                sum.calls += 1;
                sum.attempts += u64::from(*attempts);
                sum.took += self.took(entry);
            }
        }
        sums
    }

    /// How often, and how long, something was waited for.
    fn waits(&self) -> (usize, Duration) {
        let waits = || self.entries.iter().filter(|entry| matches!(entry.kind, Kind::Wait(_)));
        (waits().count(), waits().map(|entry| self.took(entry)).sum())
    }

    /// The entries, each part of the run before what falls into it.
    fn in_order(&self) -> Vec<usize> {
        let phase_of = |entry: &Entry| match entry.kind {
            Kind::Phase(phase) => Some(phase),
            Kind::Call { .. } | Kind::Wait(_) => entry.phase,
        };
        let is_phase = |entry: &Entry| matches!(entry.kind, Kind::Phase(_));
        // Where a part comes twice, an entry belongs to the later one that had begun before it.
        let heading = |index: usize| {
            let of = phase_of(&self.entries[index]);
            let before = (0..=index).rev();
            let found = before.into_iter().find(|at| {
                let entry = &self.entries[*at];
                is_phase(entry) && of.is_some() && phase_of(entry) == of
            });
            found.unwrap_or(index)
        };
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|index| (heading(*index), *index));
        order
    }

    fn title(&self) -> String {
        let calls: usize = self.sums().values().map(|sum| sum.calls).sum();
        format!(
            "Where the time went: {}, {}",
            seconds(self.took),
            counted(calls, "call")
        )
    }

    fn lines(&self) -> Vec<(Weight, String)> {
        let order = self.in_order();
        let names: Vec<(usize, String)> = order
            .into_iter()
            .map(|index| (index, name(&self.entries[index])))
            .collect();
        let width = names.iter().map(|(_, name)| name.chars().count()).max();
        let width = width.unwrap_or_default();
        let mut lines = vec![(Weight::Heading, self.title())];
        for (index, name) in names {
            let entry = &self.entries[index];
            let is_awaited = self.awaited.contains(&index);
            let weight = match (&entry.kind, is_awaited) {
                (_, true) => Weight::Awaited,
                (Kind::Phase(_), false) => Weight::Heading,
                (Kind::Call { .. } | Kind::Wait(_), false) => Weight::Beside,
            };
            let mark = if is_awaited { '*' } else { ' ' };
            let (began, took) = (seconds(entry.began), seconds(self.took(entry)));
            let (answer, bar) = (answer(entry), self.bar(entry));
            let line = format!("{mark} {name:width$}  {began:>9}  {took:>9}  {answer:<6}  {bar}");
            lines.push((weight, line.trim_end().to_owned()));
        }
        lines.extend(self.foot().into_iter().map(|line| (Weight::Heading, line)));
        lines
    }

    /// What is said below the picture.
    fn foot(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (service, sum) in self.sums() {
            let again = sum.attempts.saturating_sub(sum.calls as u64);
            let again = match again {
                0 => String::new(),
                again => format!(", {again} of them sent again"),
            };
            let (calls, took) = (counted(sum.calls, "call"), seconds(sum.took));
            lines.push(format!("  {service}: {calls}{again}, {took} in all"));
        }
        let (waits, waited) = self.waits();
        if waits > 0 {
            lines.push(format!("  pauses: {waits}, {} in all", seconds(waited)));
        }
        let awaited: Duration = self.awaited.iter().map(|index| self.took(&self.entries[*index])).sum();
        let rest = seconds(self.took.saturating_sub(awaited));
        lines.push(format!(
            "* the end waited for it: {} in all; {rest} are between them",
            seconds(awaited)
        ));
        lines
    }

    fn bar(&self, entry: &Entry) -> String {
        let whole = self.took.as_secs_f64().max(f64::EPSILON);
        // Both are between 0 and the width of the picture.
        let column = |at: Duration| ((at.as_secs_f64() / whole * PICTURE as f64) as usize).min(PICTURE - 1);
        let began = column(entry.began);
        let ended = column(entry.ended.unwrap_or(self.took)).max(began);
        let ink = match entry.kind {
            Kind::Phase(_) => "=",
            Kind::Call { .. } => "#",
            Kind::Wait(_) => ".",
        };
        format!("{}{}", " ".repeat(began), ink.repeat(ended - began + 1))
    }

    fn json(&self) -> Value {
        let mut phases = Vec::new();
        let mut calls = Vec::new();
        let mut waits = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let mut told = json!({
                "target": Some(&entry.target).filter(|target| !target.is_empty()),
                "phase": entry.phase.map(Phase::word),
                "began_ms": millis(entry.began),
                "took_ms": millis(self.took(entry)),
                "awaited": self.awaited.contains(&index),
            });
            match &entry.kind {
                Kind::Phase(phase) => phases.push(json!({
                    "phase": phase.word(),
                    "began_ms": told["began_ms"],
                    "took_ms": told["took_ms"],
                    "awaited": told["awaited"],
                })),
                Kind::Call {
                    service,
                    operation,
                    attempts,
                    status,
                } => {
                    told["service"] = json!(service);
                    told["operation"] = json!(operation);
                    told["attempts"] = json!(attempts);
                    told["status"] = json!(status);
                    calls.push(told);
                }
                Kind::Wait(reason) => {
                    told["reason"] = json!(reason);
                    waits.push(told);
                }
            }
        }
        let total = |(service, sum): (&str, &Sum)| json!({"service": service, "calls": sum.calls, "attempts": sum.attempts, "took_ms": millis(sum.took)});
        let totals: Vec<Value> = self.sums().iter().map(|(service, sum)| total((service, sum))).collect();
        json!({"took_ms": millis(self.took), "phases": phases, "calls": calls, "waits": waits, "totals": totals})
    }
}

/// Adds where the time went to what a program is told, if it was asked for.
pub fn add(answer: &mut Value, timeline: &Timeline) {
    if let (Some(told), Some(fields)) = (Told::of(timeline), answer.as_object_mut()) {
        fields.insert("timings".to_owned(), told.json());
    }
}

/// Where the time went, a line each; none where nobody asked.
pub fn lines(timeline: &Timeline) -> Vec<(Weight, String)> {
    Told::of(timeline).map_or_else(Vec::new, |told| told.lines())
}

/// Where the time went, folded, for the summary of a run; `None` where nobody asked.
pub fn markdown(timeline: &Timeline) -> Option<String> {
    let told = Told::of(timeline)?;
    let lines: Vec<String> = told.lines().into_iter().skip(1).map(|(_, line)| line).collect();
    let picture = fenced("text", &lines.join("\n"));
    let title = told.title();
    Some(format!(
        "\n<details><summary>{title}</summary>\n{picture}\n</details>\n"
    ))
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn counted(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        number => format!("{number} {thing}s"),
    }
}

fn name(entry: &Entry) -> String {
    let target = &entry.target;
    let name = match &entry.kind {
        Kind::Phase(phase) => phase.word().to_owned(),
        Kind::Call { service, operation, .. } => format!("  {service}:{operation} {target}"),
        Kind::Wait(reason) => format!("  pause: {target} {reason}"),
    };
    // What others say may be long, and of several lines.
    let line: String = name
        .trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match line.chars().count() {
        0..=NAME => line,
        _ => line.chars().take(NAME - 1).chain(['…']).collect(),
    }
}

/// The status of a call, and how often it was sent.
fn answer(entry: &Entry) -> String {
    match &entry.kind {
        Kind::Phase(_) | Kind::Wait(_) => String::new(),
        Kind::Call { attempts, status, .. } => {
            let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
            match attempts {
                1 => status,
                attempts => format!("{status} x{attempts}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        let call = |operation: &str, status, attempts| Kind::Call {
            service: "lambda".to_owned(),
            operation: operation.to_owned(),
            attempts,
            status,
        };
        let entry = |kind, target: &str, (began, ended): (u64, u64)| Entry {
            kind,
            target: target.to_owned(),
            step: Some(target.to_owned()).filter(|target| !target.is_empty()),
            phase: Some(Phase::Applying),
            began: Duration::from_millis(began),
            ended: Some(Duration::from_millis(ended)),
        };
        let entries = vec![
            entry(Kind::Phase(Phase::Applying), "", (0, 4000)),
            entry(call("CreateFunction", Some(400), 2), "function/api", (0, 1000)),
            entry(call("CreateFunction", None, 1), "function/other", (0, 500)),
            entry(
                Kind::Wait("unable to assume its\nnew role".to_owned()),
                "function/api",
                (1000, 3000),
            ),
            entry(call("CreateFunction", Some(201), 1), "function/api", (3000, 4000)),
        ];
        let took = Duration::from_secs(4);
        Told {
            awaited: awaited(&entries, took),
            entries,
            took,
        }
    }

    #[test]
    fn people_see_each_call_with_its_answer_and_what_the_end_waited_for() {
        let lines: Vec<String> = told().lines().into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            lines.join("\n"),
            "\
Where the time went: 4.000 s, 3 calls
  applying                                               0.000 s    4.000 s          ================================
*   lambda:CreateFunction function/api                   0.000 s    1.000 s  400 x2  #########
    lambda:CreateFunction function/other                 0.000 s    0.500 s  -       #####
*   pause: function/api unable to assume its new role    1.000 s    2.000 s                  .................
*   lambda:CreateFunction function/api                   3.000 s    1.000 s  201                             ########
  lambda: 3 calls, 1 of them sent again, 2.500 s in all
  pauses: 1, 2.000 s in all
* the end waited for it: 4.000 s in all; 0.000 s are between them"
        );
    }

    #[test]
    fn programs_are_told_the_same() {
        let told = told().json();
        assert_eq!(told["took_ms"], 4000);
        assert_eq!(
            told["phases"],
            json!([{"phase": "applying", "began_ms": 0, "took_ms": 4000, "awaited": false}])
        );
        let first = json!({
            "service": "lambda", "operation": "CreateFunction", "target": "function/api", "phase": "applying",
            "began_ms": 0, "took_ms": 1000, "attempts": 2, "status": 400, "awaited": true,
        });
        assert_eq!(told["calls"][0], first);
        assert_eq!(told["waits"][0]["took_ms"], 2000);
        let total = json!([{"service": "lambda", "calls": 3, "attempts": 4, "took_ms": 2500}]);
        assert_eq!(told["totals"], total);
    }

    #[test]
    fn nothing_is_told_where_nobody_asked() {
        let timeline = Timeline::default();
        let mut answer = json!({"outcome": "deployed"});
        add(&mut answer, &timeline);
        assert_eq!(answer, json!({"outcome": "deployed"}));
        assert_eq!((lines(&timeline), markdown(&timeline)), (Vec::new(), None));
    }
}
