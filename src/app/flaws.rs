//! What is wrong with one file of the user's, collected so that all of it is told at once.

use std::path::{Path, PathBuf};

use super::{Error, Finding, Severity};

/// Line and column of a value, counted from 1, where they are known.
pub type Place = Option<(usize, usize)>;

/// What is wrong with one file, collected so that all of it is told at once.
#[derive(Debug)]
pub struct Flaws {
    file: PathBuf,
    found: Vec<Finding>,
}

impl Flaws {
    /// Begins with a file in which nothing was found.
    pub fn of(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            found: Vec::new(),
        }
    }

    /// Adds an error.
    pub fn error(&mut self, place: Place, message: impl Into<String>) {
        self.add(Severity::Error, place, message.into(), None);
    }

    /// Adds what a rule found, if it found anything.
    pub fn check(&mut self, place: Place, verdict: Result<(), String>) {
        if let Err(why) = verdict {
            self.error(place, why);
        }
    }

    /// Adds an error and what to do about it.
    pub fn error_with(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Error, place, message.into(), hint);
    }

    /// Adds something that is probably not meant, and what to do about it.
    pub fn warn(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Warning, place, message.into(), hint);
    }

    /// Takes a finding of another file in.
    pub fn push(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    fn add(&mut self, severity: Severity, place: Place, message: String, hint: Option<String>) {
        self.found.push(Finding {
            severity,
            file: self.file.clone(),
            place,
            message,
            hint,
        });
    }

    /// The warnings, if nothing worse was found.
    ///
    /// # Errors
    ///
    /// [`Error::Findings`] with everything that was found, by place, where there is an error among it.
    pub fn into_warnings(mut self) -> Result<Vec<Finding>, Error> {
        self.found.sort_by_key(|finding| finding.place);
        self.found.dedup();
        if self.found.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Error::Findings(self.found));
        }
        Ok(self.found)
    }
}

/// One finding as an error.
pub fn one(finding: Finding) -> Error {
    Error::Findings(vec![finding])
}

/// The name that was probably meant, as a hint.
pub fn did_you_mean(given: &str, known: impl IntoIterator<Item: AsRef<str>>) -> Option<String> {
    let given = given.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&given, &name.as_ref().to_ascii_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| format!("did you mean `{}`?", name.as_ref()))
}
