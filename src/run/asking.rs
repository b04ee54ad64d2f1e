//! Asks a person before a stage is removed, or its record changed by hand.

use super::Session;
use crate::error::Failure;
use crate::host::terminal;
use crate::names::StageName;

/// What is said of the state of things where a command by hand did nothing.
pub const UNTOUCHED: &str = "nothing was changed";

/// Who says that it is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// A person, by a flag.
    Given,
    /// A person, who is still to be asked.
    ToBeAsked,
}

/// What a person is asked for, before anything is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The command: `unlock`.
    pub command: &'a str,
    /// The stage that it is about.
    pub stage: &'a StageName,
    /// Whether it was said already.
    pub consent: Consent,
}

impl Asked<'_> {
    /// Makes sure that somebody has said yes, or can be asked.
    ///
    /// # Errors
    ///
    /// Nobody is there.
    pub fn can_be_answered(self) -> Result<(), Failure> {
        match (self.consent, terminal::is_attended()) {
            (Consent::Given, _) | (Consent::ToBeAsked, true) => Ok(()),
            (Consent::ToBeAsked, false) => Err(self.unconfirmed()),
        }
    }

    /// Asks for the stage's name, unless it was said already. `effect` says what comes of it, as a sentence.
    ///
    /// # Errors
    ///
    /// Something else was typed, or nobody is there.
    pub fn confirm(self, session: &Session<'_>, effect: &str) -> Result<(), Failure> {
        if self.consent == Consent::Given {
            return Ok(());
        }
        let question = format!("{effect}\nType the stage's name to go on: ");
        match session.host.asks_for(&question, self.stage.as_str()) {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::input("that is not the stage's name").now(UNTOUCHED)),
            None => Err(self.unconfirmed()),
        }
    }

    fn unconfirmed(self) -> Failure {
        let Self { command, stage, .. } = self;
        Failure::input(format!("`{command}` of stage `{stage}` was not confirmed"))
            .hint("give `--yes` where nobody can be asked")
            .now(UNTOUCHED)
    }
}
