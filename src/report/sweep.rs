//! What a sweep did, or would do: one table, as text, as Markdown and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::comment::inline;
use crate::names::{AppName, StageName, Timestamp};

/// What became of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct SweepReport {
    /// How it ended.
    pub outcome: SweepOutcome,
    /// The stages and orphans that it looked into, with what became of each.
    pub rows: Vec<Row>,
    /// How many zips that no state refers to were removed, or would be.
    pub artifacts: usize,
    /// How many former versions of states and zips were removed, or would be.
    pub versions: usize,
    /// The previews that go soon where nobody touches them.
    pub expiring: Vec<Expiring>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<serde_json::Value>,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepOutcome {
    /// What was to be removed is gone.
    Swept,
    /// This is what would be removed.
    Planned,
    /// Something could not be removed.
    Failed,
}

/// A stage, or a thing in AWS that belongs to none, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The app.
    pub app: AppName,
    /// The stage; of an orphan, the one that its mark names.
    pub stage: StageName,
    /// The orphan; `None` where it is the whole stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Why it is looked into.
    pub why: String,
    /// What became of it.
    pub outcome: RowOutcome,
    /// More about that: why it was left, or what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    /// It is gone.
    Removed,
    /// It would be removed.
    Planned,
    /// It stays.
    Left,
    /// It could not be removed.
    Failed,
}

/// A preview that goes soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expiring {
    /// The app.
    pub app: AppName,
    /// The preview.
    pub stage: StageName,
    /// After which moment it goes.
    pub at: Timestamp,
}

impl Row {
    fn cells(&self) -> [String; 4] {
        let word = match self.outcome {
            RowOutcome::Removed => "removed",
            RowOutcome::Planned => "would be removed",
            RowOutcome::Left => "left",
            RowOutcome::Failed => "failed",
        };
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let became = match &self.detail {
            Some(detail) => format!("{word}: {}", line(detail)),
            None => word.to_owned(),
        };
        let why = match &self.resource {
            Some(resource) => format!("{resource}: {}", self.why),
            None => self.why.clone(),
        };
        [self.app.to_string(), self.stage.to_string(), line(&why), became]
    }
}

impl SweepReport {
    /// As text for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.rows.is_empty() {
            let head = ["APP", "STAGE", "WHY", "OUTCOME"].map(ToOwned::to_owned);
            let rows: Vec<[String; 4]> = std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
            text.push_str(&aligned(&rows));
        }
        for sentence in self.sentences() {
            text.push_str(&sentence);
            text.push('\n');
        }
        text
    }

    /// As Markdown, for the summary of a run.
    pub fn markdown(&self) -> String {
        let mut text = "### Sweep\n\n".to_owned();
        if !self.rows.is_empty() {
            text.push_str("| app | stage | why | outcome |\n|---|---|---|---|\n");
            for row in &self.rows {
                let [app, stage, why, became] = row.cells();
                // Writing to a string cannot fail.
                let _ = writeln!(text, "| `{app}` | `{stage}` | {} | {} |", inline(&why), inline(&became));
            }
            text.push('\n');
        }
        for sentence in self.sentences().iter().chain(&self.notes) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}\n", inline(sentence));
        }
        text
    }

    fn sentences(&self) -> Vec<String> {
        let done = match self.outcome {
            SweepOutcome::Planned => "would be removed",
            SweepOutcome::Swept | SweepOutcome::Failed => "removed",
        };
        let mut sentences = Vec::new();
        if self.artifacts + self.versions > 0 {
            sentences.push(format!(
                "{} and {} that nothing refers to: {done}.",
                counted(self.artifacts, "artifact"),
                counted(self.versions, "version")
            ));
        }
        for Expiring { app, stage, at } in &self.expiring {
            sentences.push(format!(
                "Stage `{stage}` of app `{app}` goes after {at}, unless somebody touches it."
            ));
        }
        if self.rows.is_empty() && self.artifacts + self.versions == 0 {
            sentences.insert(0, "Nothing to sweep.".to_owned());
        }
        sentences
    }
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

fn aligned(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..4).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: Vec<Row>) -> SweepReport {
        SweepReport {
            outcome: SweepOutcome::Swept,
            rows,
            artifacts: 0,
            versions: 0,
            expiring: Vec::new(),
            notes: Vec::new(),
            error: None,
        }
    }

    fn row(why: &str, detail: Option<&str>) -> Row {
        Row {
            app: "shop".parse().unwrap(),
            stage: "pr-7".parse().unwrap(),
            resource: None,
            why: why.to_owned(),
            outcome: RowOutcome::Left,
            detail: detail.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn where_there_is_nothing_to_sweep_it_says_so() {
        assert_eq!(report(Vec::new()).text(), "Nothing to sweep.\n");
        let collected = SweepReport {
            artifacts: 1,
            versions: 34,
            ..report(Vec::new())
        };
        assert_eq!(
            collected.text(),
            "1 artifact and 34 versions that nothing refers to: removed.\n"
        );
    }

    #[test]
    fn every_row_is_one_line_whatever_went_wrong() {
        let text = report(vec![row("#7 is closed", Some("first\nsecond"))]).text();
        assert_eq!(
            text,
            "APP   STAGE  WHY           OUTCOME\nshop  pr-7   #7 is closed  left: first second\n"
        );
    }

    #[test]
    fn no_text_of_others_ends_a_cell_of_the_summary() {
        let text = report(vec![row("branch `a|b` is gone", Some("held by @team"))]).markdown();
        assert!(text.contains("a\\|b") && !text.contains("@team"), "{text}");
    }
}
