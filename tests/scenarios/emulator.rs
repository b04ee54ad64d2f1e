//! An emulated AWS for one scenario at a time: ministack and the import proxy before it.
//!
//! Each takes a second to start, so one that a scenario is done with is reset and handed to the next. It ends with our
//! end of its pipe, that is with this process, whatever becomes of it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::http::Request;

static IDLE: Mutex<Vec<Emulator>> = Mutex::new(Vec::new());

/// The file `path` of the checkout.
pub fn in_checkout(path: &str) -> PathBuf {
    // Cargo runs tests there. The folder they were built in may be another checkout, where these share a target folder.
    std::env::current_dir().expect("a checkout").join(path)
}

/// A Python tool of the test environment.
pub fn tool(name: &str) -> PathBuf {
    let path = in_checkout(".env/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make env` first", path.display());
    path
}

/// A running emulator with its proxy.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    /// What AWS's tools are given as `AWS_ENDPOINT_URL`.
    pub endpoint: String,
    /// What makes the URL of a stage reachable.
    pub url_template: String,
}

impl Emulator {
    /// Takes an idle one, as new, or starts one.
    pub fn take() -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(Self::start)
    }

    fn start() -> Self {
        let mut child = Command::new(tool("python"))
            .arg(in_checkout("tests/aws/start.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("its output is a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it is");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        let text = |name: &str| ready[name].as_str().expect("a text").to_owned();
        Self {
            endpoint: text("endpoint"),
            url_template: text("url_template"),
            child,
        }
    }

    /// Makes it as new and hands it to the next scenario; one that cannot be made as new ends here.
    pub fn give_back(mut self) {
        let runs = self.child.try_wait().is_ok_and(|ended| ended.is_none());
        let reset = format!("{}/__proxy/reset", self.endpoint);
        if runs && Request::new("POST", &reset).send().status == 200 {
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        }
    }
}
