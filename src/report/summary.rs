//! The summary of a run, as Markdown: for each stage what was done, why, and when.

use std::fmt::Write as _;

use super::comment::{fenced, inline, seconds};
use super::{Report, StepReport};

/// The report of a stage.
pub fn render(report: &Report, plan: Option<&str>) -> String {
    let mut text = format!(
        "### Stage `{}` of `{}`: {}\n",
        report.stage,
        report.app,
        report.outcome.word()
    );
    // Writing to a string cannot fail.
    if let Some(url) = &report.url {
        let _ = write!(text, "\n{url}\n");
    }
    if let Some(reason) = &report.reason {
        let _ = write!(text, "\n{}\n", inline(reason));
    }
    if let Some(error) = &report.error {
        text.push_str(&failure(error));
    }
    if !report.steps.is_empty() {
        text.push_str(&steps(&report.steps));
        text.push_str(&gantt(&report.steps));
    }
    if let Some(plan) = plan {
        let _ = write!(
            text,
            "\n<details><summary>What merging does</summary>\n{}\n</details>\n",
            fenced("text", plan)
        );
    }
    text
}

/// A failure, as it stands in a report.
pub fn failure(error: &serde_json::Value) -> String {
    let mut text = fenced("text", error["message"].as_str().unwrap_or_default());
    for hint in error["hints"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|hint| hint.as_str())
    {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {}", inline(hint));
    }
    text
}

fn steps(steps: &[StepReport]) -> String {
    let mut text = "\n| step | why | took |\n|---|---|---|\n".to_owned();
    for step in steps {
        let causes: Vec<String> = step.causes.iter().map(|cause| inline(&cause.to_string())).collect();
        let took = step.took_ms.map_or_else(|| step.outcome.to_owned(), seconds);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} `{}` | {} | {took} |",
            step.action,
            step.address,
            causes.join("<br>")
        );
    }
    text
}

/// What took how long, drawn by GitHub.
fn gantt(steps: &[StepReport]) -> String {
    let mut bars = String::new();
    for step in steps {
        if let (Some(began), Some(took)) = (step.began_ms, step.took_ms) {
            let failed = if step.outcome == "failed" { "crit, " } else { "" };
            // Writing to a string cannot fail.
            let _ = writeln!(
                bars,
                "  {} {} :{failed}{began}, {}",
                step.action,
                step.address,
                began + took.max(1)
            );
        }
    }
    if bars.is_empty() {
        return bars;
    }
    format!("\n```mermaid\ngantt\n  dateFormat x\n  axisFormat %M:%S\n{bars}```\n")
}
