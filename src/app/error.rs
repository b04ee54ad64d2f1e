//! What an app could not be read or packaged for.

use std::path::PathBuf;

use super::Finding;

/// What an app could not be read or packaged for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's files have flaws: at least one is an error.
    #[error("{}", list(.0))]
    Findings(Vec<Finding>),
    /// The app's own code raised while it was imported.
    #[error("{}: the app raised an exception when it was imported: {message}", place(.file, *.line))]
    Raised {
        /// The innermost file of the app in the traceback.
        file: PathBuf,
        /// Its line.
        line: Option<usize>,
        /// The exception's type and message.
        message: String,
        /// The whole traceback, as Python prints it.
        traceback: String,
    },
    /// A command of the user's failed, or one that we run for them.
    #[error("`{command}` failed with {status}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status in words.
        status: String,
        /// What it wrote, both streams.
        output: String,
    },
    /// A program that we need is not there.
    #[error("`{program}` was not found, and is needed {needed}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What for: `to install Python dependencies`.
        needed: &'static str,
    },
    /// A Python package has no wheel for the function's platform.
    #[error("`{package}` has no wheel for {platform}")]
    Wheel {
        /// The package, as it was required.
        package: String,
        /// Architecture, C library and Python version.
        platform: String,
        /// What the resolver said.
        output: String,
    },
    /// A requirement is of a package, or of a version, that no index has.
    #[error("{}: there is no package `{package}`", place(.file, Some(*.line)))]
    Absent {
        /// The requirements file.
        file: PathBuf,
        /// Its line.
        line: usize,
        /// The package, perhaps with a version.
        package: String,
        /// What the resolver said.
        output: String,
    },
    /// A package index did not answer.
    #[error("{url} cannot be reached")]
    Index {
        /// What was asked, in backticks if it is a URL.
        url: String,
        /// What was said about it.
        output: String,
    },
    /// A package is larger than AWS takes.
    #[error("the code of `{function}` has {size_bytes} bytes {form}, and {limit_bytes} is the limit")]
    Size {
        /// Which source it is.
        function: String,
        /// Size in bytes.
        size_bytes: u64,
        /// AWS's limit in bytes.
        limit_bytes: u64,
        /// `unzipped`, or `as a zip that is sent inline`.
        form: &'static str,
        /// The largest parts, with their sizes in bytes, largest first.
        largest: Vec<(String, u64)>,
    },
    /// A file could not be read or written.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn place(file: &std::path::Path, line: Option<usize>) -> String {
    line.map_or_else(
        || file.display().to_string(),
        |line| format!("{}:{line}", file.display()),
    )
}
