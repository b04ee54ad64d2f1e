//! The one comment of a pull request, whole, from the states of its stages: who writes it last writes the same.

use std::fmt::Write as _;

use crate::names::{StageName, Timestamp};
use crate::state::{Attempt, Merge, Problem, Progress, State};

/// The most characters that a comment has; GitHub takes 65,536.
const LIMIT: usize = 60_000;

/// The most lines of changes that are listed of an app.
const LISTED: usize = 10;

/// A stage of the pull request, one for each app.
#[derive(Debug, Clone)]
pub struct Row {
    /// What is known of it.
    pub state: State,
    /// Where it is served, in the form in which it can be reached.
    pub url: Option<String>,
    /// When nobody will have touched it for too long, where that is soon.
    pub expires: Option<Timestamp>,
}

/// The comment as Markdown.
pub fn render(stage: &StageName, rows: &[Row]) -> String {
    if rows.is_empty() {
        return format!("**Preview `{stage}`**\n\nThere is none: the last run says why.\n");
    }
    let mut text = format!(
        "**Preview `{stage}`**\n\n| app | stage | URL | commit | release | took |\n|---|---|---|---|---|---|\n"
    );
    for row in rows {
        text.push_str(&line(row));
    }
    // The table is never cut, and what merging does is cut before what was done.
    for part in rows.iter().map(details).chain(rows.iter().map(merging)) {
        if text.len() + part.len() > LIMIT {
            text.push_str(CUT);
            break;
        }
        text.push_str(&part);
    }
    text
}

const CUT: &str = "\nThere is more than a comment holds: the summary of the run has the rest.\n";

fn line(Row { state, url, .. }: &Row) -> String {
    let dash = || "–".to_owned();
    let last = state.last.as_ref();
    let commit = last.and_then(|last| last.commit.as_deref()).map_or_else(dash, short);
    let release = state
        .release
        .as_ref()
        .map_or_else(dash, |release| release.number.to_string());
    let took = last.and_then(|last| last.took_ms).map_or_else(dash, seconds);
    format!(
        "| `{}` | {} | {} | {commit} | {release} | {took} |\n",
        state.app,
        word(last),
        url.clone().unwrap_or_else(dash)
    )
}

fn word(last: Option<&Attempt>) -> &'static str {
    match last.map(|last| last.outcome) {
        Some(Progress::Deploying) => "⏳ deploying",
        Some(Progress::Ready | Progress::Superseded) | None => "✅ ready",
        Some(Progress::Failed) => "❌ failed",
        Some(Progress::Removing) => "⏳ being removed",
        Some(Progress::Removed) => "🧹 removed",
    }
}

fn details(row: &Row) -> String {
    let app = &row.state.app;
    let mut text = String::new();
    let Some(last) = &row.state.last else { return text };
    if let Some(Problem { message, hints }) = &last.error {
        let _ = write!(text, "\n`{app}` failed:\n{}", fenced("text", message));
        for hint in hints {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "- {}", inline(hint));
        }
    }
    text.push_str(&changes(app.as_str(), last));
    text.push_str(&without(&row.state));
    if let Some(at) = row.expires {
        let _ = write!(
            text,
            "\n⚠️ `{app}`: nobody has touched this preview for long. It is removed after {at}, unless a commit comes or it is kept by a label.\n"
        );
    }
    text
}

/// What the preview does without, while it stands.
fn without(state: &State) -> String {
    let withheld = state.release.as_ref().map_or(&[][..], |release| &release.withheld);
    if withheld.is_empty() || state.deployed.is_empty() {
        return String::new();
    }
    let listed: Vec<String> = withheld.iter().take(LISTED).map(|what| inline(what)).collect();
    let more = match withheld.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "\n`{}` is not called here by what other stages share: {}{more}\n",
        state.app,
        listed.join(", ")
    )
}

fn merging(row: &Row) -> String {
    let ready = row.state.last.as_ref().filter(|last| last.outcome == Progress::Ready);
    let merge = ready.and_then(|last| last.merge.as_ref());
    merge.map_or_else(String::new, |merge| folded(row.state.app.as_str(), merge))
}

fn changes(app: &str, last: &Attempt) -> String {
    let run = last
        .run
        .as_ref()
        .map(|run| format!(" · [run]({run})"))
        .unwrap_or_default();
    let what = match (last.outcome, last.changes.as_slice()) {
        (Progress::Ready, []) => "nothing to change".to_owned(),
        (_, []) => {
            return if run.is_empty() {
                run
            } else {
                format!("\n`{app}`{run}\n")
            };
        }
        (_, changes) => {
            let listed: Vec<String> = changes.iter().take(LISTED).map(|change| inline(change)).collect();
            let more = match changes.len().saturating_sub(LISTED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{}{more}", listed.join(", "))
        }
    };
    format!("\n`{app}`: {what}{run}\n")
}

/// The plan of the base branch's stage, folded.
fn folded(app: &str, Merge { stage, summary, plan }: &Merge) -> String {
    let head = format!("<code>{app}</code>: what merging does to <code>{stage}</code>");
    let plan = if plan.is_empty() {
        String::new()
    } else {
        fenced("text", plan)
    };
    format!(
        "\n<details><summary>{head}</summary>\n\n{}\n{plan}\n</details>\n",
        inline(summary)
    )
}

/// Text of anybody as a block that nothing in it can end.
pub fn fenced(language: &str, text: &str) -> String {
    let longest = text
        .lines()
        .map(|line| line.trim_start().chars().take_while(|c| *c == '`').count())
        .max();
    let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
    format!("\n{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

/// Text of anybody within a line: nothing in it is Markdown but code between single backticks, and nobody is called by it.
pub fn inline(text: &str) -> String {
    let mut safe = String::new();
    let mut parts = text.split('`').peekable();
    let mut is_code = false;
    while let Some(part) = parts.next() {
        // Several backticks in a row, or one without its partner, are no code.
        let opens = !is_code && parts.peek().is_some_and(|code| !code.is_empty()) && parts.clone().count() > 1;
        match is_code {
            true => safe.push_str(&part.replace(['\n', '\r'], " ").replace('|', "\\|")),
            false => escape(&mut safe, part),
        }
        if parts.peek().is_none() {
            break;
        }
        safe.push_str(if is_code || opens { "`" } else { "\\`" });
        is_code = opens;
    }
    safe
}

fn escape(safe: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' | '\r' => safe.push(' '),
            '<' => safe.push_str("&lt;"),
            // What nobody sees keeps GitHub from calling people and teams.
            '@' => safe.extend([c, '\u{200b}']),
            '|' | '*' | '[' | ']' | '\\' => safe.extend(['\\', c]),
            _ => safe.push(c),
        }
    }
}

/// Enough of a commit for GitHub to link it.
fn short(commit: &str) -> String {
    commit.chars().take(9).collect()
}

/// A duration as people read it: `12.3 s`, `2 min 5 s`.
pub fn seconds(took_ms: u64) -> String {
    match took_ms {
        0..60_000 => format!("{}.{} s", took_ms / 1000, took_ms % 1000 / 100),
        _ => format!("{} min {} s", took_ms / 60_000, took_ms / 1000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: Progress) -> Row {
        let mut state = State::new("shop".parse().unwrap(), "pr-7".parse().unwrap(), "salt".to_owned());
        state.last = Some(Attempt {
            outcome,
            by: "octo/app run 1".to_owned(),
            commit: Some("0123456789abcdef".to_owned()),
            at: Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
            took_ms: Some(12_345),
            run: Some("https://github.test/octo/app/actions/runs/1".to_owned()),
            changes: vec!["created function/api".to_owned()],
            error: None,
            release: None,
            deployment: None,
            merge: None,
        });
        Row {
            state,
            url: Some("https://x.test/api/".to_owned()),
            expires: None,
        }
    }

    fn comment(rows: &[Row]) -> String {
        render(&"pr-7".parse().unwrap(), rows)
    }

    #[test]
    fn a_ready_preview_is_told_with_url_commit_changes_and_time() {
        let text = comment(&[row(Progress::Ready)]);
        for part in [
            "✅ ready",
            "https://x.test/api/",
            "012345678 ",
            "12.3 s",
            "created function/api",
            "[run](",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }

    #[test]
    fn what_others_wrote_cannot_end_its_block_or_call_people() {
        let mut failed = row(Progress::Failed);
        if let Some(last) = &mut failed.state.last {
            last.error = Some(Problem {
                message: "```\n</details>@team".to_owned(),
                hints: vec!["ask @octo | now".to_owned()],
            });
        }
        let text = comment(&[failed]);
        assert!(text.contains("````text\n```\n</details>@team\n````"), "{text}");
        assert!(text.contains("ask @\u{200b}octo \\| now"), "{text}");
    }

    #[test]
    fn code_stays_code_and_backticks_without_a_partner_hide_nothing() {
        assert_eq!(inline("map `release/*` to `a|b`"), "map `release/*` to `a\\|b`");
        assert_eq!(inline("```@octo/team"), "\\`\\`\\`@\u{200b}octo/team");
        assert_eq!(inline("`x` and `@y"), "`x` and \\`@\u{200b}y");
    }

    #[test]
    fn a_comment_never_grows_beyond_what_github_takes_and_keeps_its_table() {
        let mut large = row(Progress::Ready);
        if let Some(last) = &mut large.state.last {
            last.merge = Some(Merge {
                stage: "prod".parse().unwrap(),
                summary: "Plan".to_owned(),
                plan: "+ create x\n".repeat(6_000),
            });
        }
        let text = comment(&[large, row(Progress::Ready)]);
        assert!(text.len() <= LIMIT + CUT.len(), "{}", text.len());
        assert_eq!(text.matches("✅ ready").count(), 2);
        assert!(text.ends_with(CUT), "{}", &text[text.len() - 200..]);
    }

    #[test]
    fn the_plan_of_the_base_is_folded_below_and_gone_when_the_preview_is() {
        let merge = Merge {
            stage: "prod".parse().unwrap(),
            summary: "Plan: 1 to update.".to_owned(),
            plan: "~ update function/api".to_owned(),
        };
        let with = |outcome| {
            let mut row = row(outcome);
            if let Some(last) = &mut row.state.last {
                last.merge = Some(merge.clone());
            }
            comment(&[row])
        };
        assert!(with(Progress::Ready).contains("what merging does to <code>prod</code>"));
        assert!(!with(Progress::Removed).contains("merging"));
    }
}
