//! Where we run: what people and programs are told goes out by it, and it knows who we are there.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::Value;

use crate::stage::Source;
use crate::stage::succession::Kinship;
use crate::state::HostRun;
use crate::state::takeover::Life;
use crate::variable::Secret;

pub mod checkout;
pub mod github;
pub mod terminal;

/// A colour, by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Something went well.
    Good,
    /// Something failed.
    Bad,
    /// Something to be aware of.
    Careful,
    /// Something less important.
    Faint,
}

/// A remark about a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How bad it is.
    pub level: Level,
    /// The file, as seen from the repository's root, and the line in it, if it is about one.
    pub place: Option<(PathBuf, Option<u64>)>,
    /// What is wrong.
    pub message: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The run fails for it.
    Error,
    /// It is probably not meant.
    Warning,
    /// It is good to know.
    Notice,
}

/// Where we run: a person's shell, or a run of GitHub Actions.
#[async_trait(?Send)]
pub trait Host {
    /// Prints a line as the work goes on.
    fn progress(&self, ink: Ink, line: &str);

    /// Prints a result for people; nothing where a program reads.
    fn say(&self, text: &str);

    /// Prints what must be seen beside the result: warnings, errors, waiting.
    fn note(&self, ink: Ink, text: &str);

    /// Prints a result for programs; nothing where a person reads.
    fn answer(&self, value: &Value);

    /// Whether [`Host::answer`] was called before.
    fn is_answered(&self) -> bool;

    /// Shows a remark where people look for it.
    fn annotate(&self, annotation: &Annotation);

    /// Has a secret never shown, whoever prints it.
    fn hide(&self, secret: &Secret);

    /// Asks for a word to be typed. `None` where nobody is there to be asked.
    fn asks_for(&self, question: &str, word: &str) -> Option<bool>;

    /// Who is there, for other people: `ann@laptop`, `octo/app run 42`.
    fn who(&self) -> String;

    /// Where people can look at this run.
    fn run_url(&self) -> Option<String>;

    /// The commit that a folder is of; `None` outside a repository.
    fn commit(&self, folder: &Path) -> Option<String>;

    /// What the host can be asked about later: `None` where this is no run of a host.
    fn run(&self) -> Option<HostRun>;

    /// Whether a run goes on. It never fails: where nobody can tell, that is the answer.
    async fn life(&self, run: &HostRun) -> Life;

    /// How two commits of a folder's repository stand to each other.
    async fn kinship(&self, folder: &Path, ours: &str, theirs: &str) -> Kinship;

    /// The commit at the head of a branch or pull request; `None` where nobody can tell.
    async fn head(&self, source: &Source) -> Option<String>;
}

/// One variable of our environment.
#[expect(clippy::disallowed_methods, reason = "the host is where the environment is read")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
