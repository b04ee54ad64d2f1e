//! A program that runs while the scenario goes on.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Stdio};

use super::Run;

/// A program that runs, and is killed should nobody wait for its end.
#[derive(Debug)]
pub struct Started {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Started {
    /// Starts it.
    pub fn new(command: &mut Command) -> Self {
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.expect("it starts");
        let stderr = child.stderr.take().expect("its standard error is a pipe");
        Self {
            child,
            stderr: BufReader::new(stderr),
            said: String::new(),
        }
    }

    /// Waits until it says a line that begins so, on standard error. Returns whether it did, before it ended.
    pub fn says(&mut self, beginning: &str) -> bool {
        loop {
            let before = self.said.len();
            self.stderr.read_line(&mut self.said).expect("a line of text");
            match &self.said[before..] {
                "" => return false,
                line if line.starts_with(beginning) => return true,
                _ => {}
            }
        }
    }

    /// Sends it a signal, by its name: `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill runs").success(), "no process {id} for SIG{name}");
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Run {
        self.stderr.read_to_string(&mut self.said).expect("text");
        let mut stdout = String::new();
        let pipe = self.child.stdout.as_mut().expect("its standard output is a pipe");
        pipe.read_to_string(&mut stdout).expect("text");
        let status = self.child.wait().expect("it ends");
        Run {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr: std::mem::take(&mut self.said),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Nothing to kill where it has ended.
        let _killed = self.child.kill();
        let _gone = self.child.wait();
    }
}
