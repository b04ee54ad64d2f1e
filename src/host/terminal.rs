//! A person's shell: what is printed, what is asked, and who is there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::Value;

use super::{Annotation, Host, Ink, Level, checkout, variable};
use crate::cli::Color;
use crate::stage::Source;
use crate::stage::succession::Kinship;
use crate::state::HostRun;
use crate::state::takeover::Life;
use crate::variable::Secret;

/// A shell, and how to talk to it.
#[derive(Debug, Clone)]
pub struct Terminal {
    form: Form,
    paint: Paint,
    is_answered: Cell<bool>,
}

/// What standard output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people, as it goes.
    Text,
    /// For programs: one JSON object at the end. What is for people goes to standard error.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paint {
    Colours,
    Plain,
}

impl Terminal {
    /// A shell with the user's wishes.
    pub fn new(form: Form, color: Color) -> Self {
        let is_colourful = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && variable("NO_COLOR").is_none(),
        };
        Self {
            form,
            paint: if is_colourful { Paint::Colours } else { Paint::Plain },
            is_answered: Cell::new(false),
        }
    }

    /// Prints a line for whoever reads the output by machine as it goes, where [`Host::progress`] prints, never painted.
    pub fn command(&self, line: &str) {
        let line = format!("{line}\n");
        match self.form {
            Form::Text => out(&line),
            Form::Json => err(&line),
        }
    }

    fn painted(&self, ink: Ink, text: &str) -> String {
        let code = match (self.paint, ink) {
            (Paint::Plain, _) => return text.to_owned(),
            (Paint::Colours, Ink::Good) => "32",
            (Paint::Colours, Ink::Bad) => "31",
            (Paint::Colours, Ink::Careful) => "33",
            (Paint::Colours, Ink::Faint) => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[async_trait(?Send)]
impl Host for Terminal {
    fn progress(&self, ink: Ink, line: &str) {
        match self.form {
            Form::Text => out(&format!("{}\n", self.painted(ink, line))),
            Form::Json => err(&format!("{line}\n")),
        }
    }

    fn say(&self, text: &str) {
        if self.form == Form::Text {
            out(text);
        }
    }

    fn answer(&self, value: &Value) {
        if self.form == Form::Json {
            self.is_answered.set(true);
            out(&format!(
                "{}\n",
                serde_json::to_string_pretty(value).unwrap_or_default()
            ));
        }
    }

    fn is_answered(&self) -> bool {
        self.is_answered.get()
    }

    fn annotate(&self, annotation: &Annotation) {
        let (ink, word) = match annotation.level {
            Level::Error => (Ink::Bad, "error"),
            Level::Warning => (Ink::Careful, "warning"),
            Level::Notice => (Ink::Faint, "note"),
        };
        self.note(ink, &format!("{word}: {}", annotation.message));
    }

    fn note(&self, ink: Ink, text: &str) {
        err(&format!("{}\n", self.painted(ink, text)));
    }

    /// A terminal shows what it is given, and is given no secret.
    fn hide(&self, _secret: &Secret) {}

    fn asks_for(&self, question: &str, word: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        err(question);
        let mut typed = String::new();
        io::stdin().lock().read_line(&mut typed).ok()?;
        Some(typed.trim() == word)
    }

    fn who(&self) -> String {
        who()
    }

    fn run_url(&self) -> Option<String> {
        None
    }

    fn commit(&self, folder: &Path) -> Option<String> {
        commit(folder)
    }

    fn run(&self) -> Option<HostRun> {
        None
    }

    async fn life(&self, _run: &HostRun) -> Life {
        Life::Unknown
    }

    async fn kinship(&self, folder: &Path, ours: &str, theirs: &str) -> Kinship {
        checkout::kinship(folder, ours, theirs)
    }

    /// A person deploys what is checked out, whatever its branch is elsewhere.
    async fn head(&self, _source: &Source) -> Option<String> {
        None
    }
}

/// Asks a person, and returns what was typed. `None` where nobody is there to be asked.
pub fn ask(question: &str) -> Option<String> {
    if !is_attended() {
        return None;
    }
    err(question);
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed).ok()?;
    Some(typed)
}

/// Whether a person is there to be asked.
pub fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether something is piped into us: a file, or what another program prints.
pub fn is_piped() -> bool {
    !io::stdin().is_terminal()
}

/// All of our standard input.
///
/// # Errors
///
/// It cannot be read.
pub async fn input() -> io::Result<Vec<u8>> {
    let (tell, told) = tokio::sync::oneshot::channel();
    // Nobody waits for this thread: a signal ends the run even where the input never ends.
    std::thread::spawn(move || {
        let mut read = Vec::new();
        let ended = io::stdin().lock().read_to_end(&mut read).map(|_| read);
        // Whoever asked may be gone.
        let _gone = tell.send(ended);
    });
    told.await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))
}

/// Who is there, for other people: `ann@laptop`.
fn who() -> String {
    let user = variable("USER")
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| "somebody".to_owned());
    let machine = variable("HOSTNAME").or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    match machine.as_deref().map(str::trim) {
        Some(machine) if !machine.is_empty() => format!("{user}@{machine}"),
        Some(_) | None => user,
    }
}

/// The commit that is checked out in a folder, with `-dirty` where the work tree differs; `None` outside a repository.
fn commit(folder: &Path) -> Option<String> {
    let arguments = ["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"];
    let described = checkout::command(folder, &arguments).output().ok()?;
    let commit = String::from_utf8(described.stdout).ok()?.trim().to_owned();
    (described.status.success() && !commit.is_empty()).then_some(commit)
}

/// All of our environment that is text.
#[must_use]
pub fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

static UNREAD: AtomicBool = AtomicBool::new(false);

/// A reader that has gone away (`| head`) is no reason to fail in the middle of a deploy.
fn out(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        UNREAD.store(true, Ordering::Relaxed);
    }
}

/// Whether nobody reads our standard output any more: for what would go on without end.
pub fn is_unread() -> bool {
    UNREAD.load(Ordering::Relaxed)
}

fn err(text: &str) {
    let _gone = io::stderr().lock().write_all(text.as_bytes());
}
