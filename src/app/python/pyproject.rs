//! `pyproject.toml`: what it requires, written by PEP 621 or Poetry's way, read without running a build backend.

use std::path::Path;

use toml::{Table, Value};

use super::line;
use super::poetry;
use super::requirements::{Requirement, Requirements};
use crate::app::{Error, Finding, Severity};

/// Its name.
pub const FILE: &str = "pyproject.toml";

/// What to do where dependencies are not written in a way that can be read.
const EXPORT: &str = "write them into `requirements.txt`, which is taken instead: `uv export --no-dev --no-emit-project -o \
                      requirements.txt`; it may be empty where the functions need no packages";

/// `pyproject.toml` of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct Pyproject {
    text: String,
    table: Table,
}

impl Pyproject {
    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    ///
    /// `Error::File` where it cannot be read, `Error::Findings` where it is no TOML.
    pub fn read(project: &Path) -> Result<Option<Self>, Error> {
        let path = project.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
        let table = parse(&text, FILE)?;
        Ok(Some(Self { text, table }))
    }

    /// Whether it says anything of what the app requires, even that it is nothing.
    pub fn declares(&self) -> bool {
        let project = self.at(&["project"]);
        let is_said = |key: &str| project.and_then(|project| project.get(key)).is_some();
        is_said("dependencies") || self.is_dynamic() || self.at(&["tool", "poetry", "dependencies"]).is_some()
    }

    /// The range of Python versions that the project takes: `>=3.11`.
    pub fn requires_python(&self) -> Option<String> {
        let of_project = self.at(&["project", "requires-python"]).and_then(Value::as_str);
        let of_poetry = || {
            let range = self.at(&["tool", "poetry", "dependencies", "python"])?.as_str()?;
            poetry::range(range).ok()
        };
        let range = of_project.map(str::to_owned).or_else(of_poetry)?;
        (!range.trim().is_empty()).then(|| range.trim().to_owned())
    }

    /// What the app requires: neither groups for development nor extras.
    pub fn requirements(&self) -> Requirements {
        let mut requirements = Requirements::default();
        for text in self.dependencies(&mut requirements.refused) {
            let number = self.line_of(&line::name(&text));
            if let Some(refused) = self.refusal(&text) {
                requirements.refused.push(finding(Some(number), refused, line::BUILD));
                continue;
            }
            requirements.lines.push(Requirement {
                text,
                file: FILE.into(),
                line: number,
            });
        }
        let listed = |key: &str| self.texts(&["tool", "uv", key]);
        requirements.constraints = listed("constraint-dependencies");
        requirements.overrides = listed("override-dependencies");
        self.indexes(&mut requirements);
        let settings = [&requirements.constraints[..], &requirements.overrides].concat();
        requirements.context.extend(settings);
        requirements.context.extend(requirements.arguments.iter().cloned());
        requirements
    }

    fn dependencies(&self, refused: &mut Vec<Finding>) -> Vec<String> {
        if let Some(Value::Array(written)) = self.at(&["project", "dependencies"]) {
            return written.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        if let Some(Value::Table(written)) = self.at(&["tool", "poetry", "dependencies"]) {
            let packages = written.iter().filter(|(name, _)| *name != "python");
            let read = packages.map(|(name, value)| (name, poetry::requirements(name, value)));
            let mut texts = Vec::new();
            for (name, read) in read {
                match read {
                    Ok(read) => texts.extend(read),
                    Err(message) => refused.push(finding(Some(self.line_of(name)), message, EXPORT)),
                }
            }
            return texts;
        }
        if self.is_dynamic() {
            let message = "its dependencies are `dynamic`, and only running its build backend would tell them";
            refused.push(finding(Some(self.line_of("dynamic")), message.to_owned(), EXPORT));
        }
        Vec::new()
    }

    fn is_dynamic(&self) -> bool {
        self.texts(&["project", "dynamic"])
            .iter()
            .any(|key| key == "dependencies")
    }

    /// Why a dependency is not taken: it is no wheel, or uv is told to take it from somewhere else than an index.
    fn refusal(&self, text: &str) -> Option<String> {
        if let Err(refusal) = line::parse(text) {
            return Some(refusal.message);
        }
        let Some(Value::Table(sources)) = self.at(&["tool", "uv", "sources"]) else {
            return None;
        };
        let name = line::name(text);
        let source = sources.iter().find(|(key, _)| line::name(key) == name)?.1;
        let tables: Vec<&Value> = source
            .as_array()
            .map_or_else(|| vec![source], |list| list.iter().collect());
        let elsewhere = ["git", "url", "path", "workspace"];
        let kind = elsewhere
            .iter()
            .find(|kind| tables.iter().any(|table| table.get(kind).is_some()))?;
        Some(format!(
            "`{name}` comes from `{kind}`, and installing it could run its `setup.py`"
        ))
    }

    /// The indexes of `tool.uv` and `tool.poetry`, in uv's words.
    fn indexes(&self, into: &mut Requirements) {
        for place in [["tool", "uv", "index"], ["tool", "poetry", "source"]] {
            let Some(Value::Array(indexes)) = self.at(&place) else {
                continue;
            };
            for index in indexes {
                let text = |key: &str| index.get(key).and_then(Value::as_str);
                let Some(url) = text("url") else { continue };
                let is = |key: &str| index.get(key).and_then(Value::as_bool).unwrap_or_default();
                if is("explicit") || text("priority") == Some("explicit") {
                    let number = self.line_of(url);
                    let message = "an `explicit` index, which cannot be asked for single packages alone".to_owned();
                    into.refused.push(finding(Some(number), message, EXPORT));
                    continue;
                }
                let option = if is("default") { "--default-index" } else { "--index" };
                let named = text("name").map_or_else(|| url.to_owned(), |name| format!("{name}={url}"));
                into.arguments.extend([option.to_owned(), named]);
            }
        }
    }

    fn texts(&self, keys: &[&str]) -> Vec<String> {
        let list = self.at(keys).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    fn at(&self, keys: &[&str]) -> Option<&Value> {
        let (first, rest) = keys.split_first()?;
        rest.iter()
            .try_fold(self.table.get(*first)?, |value, key| value.get(key))
    }

    /// The line that first has a word, behind any quote, in which a package's `-` and `_` are the same.
    fn line_of(&self, word: &str) -> usize {
        let begins = |line: &str| {
            line.split(['"', '\'', ' ', '='])
                .any(|part| line::name(part) == line::name(word))
        };
        let found = self.text.lines().position(|line| begins(line) || line.contains(word));
        found.map_or(1, |index| index + 1)
    }
}

/// Reads a file that is TOML.
///
/// # Errors
///
/// `Error::Findings` where it is not, with its line.
pub fn parse(text: &str, file: &str) -> Result<Table, Error> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let place = (before.matches('\n').count() + 1, 1);
        Error::Findings(vec![Finding {
            severity: Severity::Error,
            file: file.into(),
            place: Some(place),
            message: format!("is no TOML: {}", error.message()),
            hint: None,
        }])
    })
}

fn finding(line: Option<usize>, message: String, hint: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        file: FILE.into(),
        place: line.map(|line| (line, 1)),
        message,
        hint: Some(hint.to_owned()),
    }
}
