//! What a step tells the runner: commands on standard output, and files of outputs and of the summary.
//!
//! See <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use super::cut::{Limit, cut};
use crate::host::terminal::Terminal;
use crate::host::{Annotation, Host as _, Ink, Level};
use crate::state::lease::new_mark;
use crate::variable::Secret;

/// Most bytes that the runner takes as the summary of a step.
/// See <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits>.
const SUMMARY_LIMIT: u64 = 1024 * 1024;

/// What stands where a summary was too long.
const SUMMARY_CUT: &str = "The rest is left out: GitHub takes 1 MiB as the summary of a step.";

/// The only way to standard output while the runner listens to it.
///
/// Nearly all that is printed holds text of others (titles, output of tools, errors of a project's code), and a line of
/// it that looks like a command would be obeyed. So commands are stopped from the beginning, and let through only around
/// each one of ours, by a random word that nobody knows before it is used.
#[derive(Debug)]
pub struct Workflow {
    shell: Terminal,
    word: String,
}

impl Workflow {
    /// Takes a shell over, and stops commands.
    pub fn new(shell: Terminal) -> Self {
        let word = new_mark();
        shell.command(&stop(&word));
        Self { shell, word }
    }

    /// Prints a line.
    pub fn line(&self, ink: Ink, line: &str) {
        self.shell.progress(ink, line);
    }

    /// Prints a result for people. It ends with a line's end, or the next command would not stand at a line's beginning.
    pub fn say(&self, text: &str) {
        if text.is_empty() || text.ends_with('\n') {
            self.shell.say(text);
        } else {
            self.shell.say(&format!("{text}\n"));
        }
    }

    /// Prints a result for programs.
    pub fn answer(&self, value: &serde_json::Value) {
        self.shell.answer(value);
    }

    /// Whether [`Self::answer`] was called before.
    pub fn is_answered(&self) -> bool {
        self.shell.is_answered()
    }

    /// Has the runner show `***` for a secret from now on. A secret of several lines is masked line by line, as the log is.
    pub fn mask(&mut self, secret: &Secret) {
        self.commands(&masks(secret.reveal()));
    }

    /// Shows a remark at its place in a file. `workspace` is where the repository is checked out.
    pub fn annotate(&mut self, annotation: &Annotation, workspace: Option<&Path>) {
        self.commands(&[remark(annotation, workspace)]);
    }

    /// Begins a part of the log that is folded.
    pub fn begin_group(&mut self, title: &str) {
        self.commands(&[command("group", &[], title)]);
    }

    /// Ends it.
    pub fn end_group(&mut self) {
        self.commands(&[command("endgroup", &[], "")]);
    }

    fn commands(&mut self, lines: &[String]) {
        let next = new_mark();
        for line in let_through(lines, &self.word, &next) {
            self.shell.command(&line);
        }
        self.word = next;
    }
}

impl Drop for Workflow {
    fn drop(&mut self) {
        self.shell.command(&resume(&self.word));
    }
}

fn stop(word: &str) -> String {
    format!("::stop-commands::{word}")
}

fn resume(word: &str) -> String {
    format!("::{word}::")
}

/// Commands of ours, between the word that lets them through and the stop by the next one: the first is in the log now.
fn let_through(lines: &[String], word: &str, next: &str) -> Vec<String> {
    let mut all = vec![resume(word)];
    all.extend_from_slice(lines);
    all.push(stop(next));
    all
}

fn command(name: &str, properties: &[(&str, String)], text: &str) -> String {
    let properties: Vec<String> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped_property(value)))
        .collect();
    let space = if properties.is_empty() { "" } else { " " };
    format!("::{name}{space}{}::{}", properties.join(","), escaped(text))
}

fn masks(secret: &str) -> Vec<String> {
    let lines = secret.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| command("add-mask", &[], line)).collect()
}

fn remark(annotation: &Annotation, workspace: Option<&Path>) -> String {
    let name = match annotation.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let mut properties = Vec::new();
    if let Some((file, line)) = &annotation.place {
        let file = workspace
            .and_then(|workspace| file.strip_prefix(workspace).ok())
            .unwrap_or(file);
        let file = file.strip_prefix(".").unwrap_or(file);
        properties.push(("file", file.display().to_string()));
        properties.extend(line.map(|line| ("line", line.to_string())));
    }
    command(name, &properties, &annotation.message)
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escaped_property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

/// Appends outputs of the step to the file that the runner reads them from.
///
/// # Errors
///
/// The file cannot be written.
pub fn outputs(file: &Path, values: &[(&str, String)]) -> io::Result<()> {
    let lines: String = values.iter().map(|(name, value)| assignment(name, value)).collect();
    append(file, &lines)
}

fn assignment(name: &str, value: &str) -> String {
    let mut delimiter = new_mark();
    while value.contains(&delimiter) {
        delimiter = new_mark();
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

/// Appends to the summary of the step, as Markdown, as much as there is room for.
///
/// # Errors
///
/// The file cannot be written.
pub fn summary(file: &Path, markdown: &str) -> io::Result<()> {
    let written = file.metadata().map_or(0, |metadata| metadata.len());
    // One byte less: two parts are divided by an empty line, and the runner refuses what is over the limit as a whole.
    let room = usize::try_from(SUMMARY_LIMIT.saturating_sub(written + 1)).unwrap_or_default();
    let text = cut(markdown.trim_end(), Limit::Bytes(room.saturating_sub(1)), SUMMARY_CUT);
    if text.is_empty() {
        return Ok(());
    }
    append(file, &format!("{text}\n"))
}

fn append(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_message_of_several_lines_is_one_command_and_nothing_in_it_is_another() {
        let annotation = Annotation {
            level: Level::Error,
            place: Some((PathBuf::from("a,b:c.py"), Some(3))),
            message: "100% wrong\r\n::set-output name=x::y".to_owned(),
        };
        assert_eq!(
            remark(&annotation, None),
            "::error file=a%2Cb%3Ac.py,line=3::100%25 wrong%0D%0A::set-output name=x::y"
        );
    }

    #[test]
    fn a_file_is_named_as_seen_from_the_repository() {
        let of = |file: &str| {
            let annotation = Annotation {
                level: Level::Warning,
                place: Some((PathBuf::from(file), None)),
                message: "m".to_owned(),
            };
            remark(&annotation, Some(Path::new("/github/workspace")))
        };
        assert_eq!(of("/github/workspace/services/a.py"), "::warning file=services/a.py::m");
        assert_eq!(of("./services/a.py"), "::warning file=services/a.py::m");
        assert_eq!(of("services/a.py"), "::warning file=services/a.py::m");
    }

    #[test]
    fn commands_are_let_through_only_around_ours_and_never_twice_by_one_word() {
        let lines = let_through(&[command("endgroup", &[], "")], "first", "second");
        assert_eq!(lines, ["::first::", "::endgroup::", "::stop-commands::second"]);
    }

    #[test]
    fn a_remark_about_no_file_has_no_properties() {
        let annotation = Annotation {
            level: Level::Notice,
            place: None,
            message: "hello".to_owned(),
        };
        assert_eq!(remark(&annotation, None), "::notice::hello");
    }

    #[test]
    fn every_line_of_a_secret_is_masked() {
        assert_eq!(
            masks("first%\r\n\n  second\n"),
            ["::add-mask::first%25", "::add-mask::second"]
        );
    }

    #[test]
    fn an_output_of_several_lines_arrives_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("output");
        let value = "https://a\nEOF\nstage=prod";
        outputs(&file, &[("stage", "beta".to_owned()), ("url", value.to_owned())]).unwrap();
        outputs(&file, &[("outcome", String::new())]).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        assert_eq!(
            read_back(&written),
            [("stage", "beta"), ("url", value), ("outcome", "")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }

    /// By the rules of the runner.
    fn read_back(written: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut lines = written.lines();
        while let Some(line) = lines.next() {
            let (name, delimiter) = line.split_once("<<").unwrap();
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            found.push((name.to_owned(), value.join("\n")));
        }
        found
    }

    #[test]
    fn a_summary_that_is_too_long_ends_at_a_line_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary");
        summary(&file, "# Before").unwrap();
        summary(&file, &"a line of the plan ü\n".repeat(60_000)).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        assert!(written.len() <= 1024 * 1024, "{}", written.len());
        assert!(written.len() > 1024 * 1024 - 200, "{}", written.len());
        assert!(written.starts_with("# Before\na line of the plan ü\n"));
        assert!(
            written.ends_with(&format!("a line of the plan ü\n\n{SUMMARY_CUT}\n")),
            "{}",
            &written[written.len() - 200..]
        );
        summary(&file, "no room for this").unwrap();
        assert!(fs::metadata(&file).unwrap().len() <= 1024 * 1024);
    }
}
