//! A step of a workflow as the runner starts it: its environment, and the files that it may write to.

use std::collections::BTreeMap;
use std::fs;

use tempfile::TempDir;

use super::events::Event;

/// The files that the runner reads when a step has ended.
const WRITABLE: [(&str, &str); 5] = [
    ("GITHUB_OUTPUT", "set_output"),
    ("GITHUB_STEP_SUMMARY", "step_summary"),
    ("GITHUB_ENV", "set_env"),
    ("GITHUB_STATE", "save_state"),
    ("GITHUB_PATH", "add_path"),
];

/// A step of a workflow.
#[derive(Debug)]
pub struct Runner {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl Runner {
    /// A step that an event started, with what it finds whatever the event.
    pub fn new(environment: Vec<(&'static str, String)>, event: &Event) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let given = environment.into_iter().chain(event.variables());
        let mut environment: BTreeMap<String, String> = given.map(|(name, value)| (name.to_owned(), value)).collect();
        fs::write(at("event.json"), event.payload.to_string()).expect("the event is written");
        environment.insert("GITHUB_EVENT_PATH".to_owned(), at("event.json"));
        fs::create_dir(at("temp")).expect("a folder is made");
        environment.insert("RUNNER_TEMP".to_owned(), at("temp"));
        for (name, file) in WRITABLE {
            fs::write(at(file), "").expect("an empty file is written");
            environment.insert(name.to_owned(), at(file));
        }
        Self { folder, environment }
    }

    /// Sets an input of the action; its name as `action.yml` has it.
    pub fn input(&mut self, name: &str, value: &str) {
        // The runner keeps hyphens.
        let name = format!("INPUT_{}", name.replace(' ', "_").to_uppercase());
        self.set(&name, value);
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// The whole environment of the step.
    pub fn environment(&self) -> Vec<(&str, &str)> {
        let variables = self.environment.iter();
        variables.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The outputs of the step, read as the runner reads them.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.written("set_output");
        parsed(&text).unwrap_or_else(|fault| panic!("the runner refuses the outputs: {fault}\n{text}"))
    }

    /// The Markdown of the step's summary.
    pub fn summary(&self) -> String {
        self.written("step_summary")
    }

    fn written(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).expect("the file is there")
    }
}

/// `name=value` on one line, or `name<<MARK`, lines, and a line `MARK`: whichever sign comes first decides.
pub fn parsed(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        let is_heredoc = heredoc.is_some_and(|at| equals.is_none_or(|equals| at < equals));
        let separator = if is_heredoc { "<<" } else { "=" };
        let Some((name, rest)) = line.split_once(separator) else {
            return Err(format!("neither `=` nor `<<` in {line:?}"));
        };
        if name.is_empty() || (is_heredoc && rest.is_empty()) {
            return Err(format!("no name or no mark in {line:?}"));
        }
        let value = if is_heredoc {
            heredoc_value(&mut lines, rest)?
        } else {
            rest.to_owned()
        };
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

fn heredoc_value(lines: &mut std::str::Split<'_, char>, mark: &str) -> Result<String, String> {
    let mut value = Vec::new();
    for line in lines {
        if line == mark {
            return Ok(value.join("\n"));
        }
        value.push(line);
    }
    Err(format!("no line {mark:?} ends a value"))
}
