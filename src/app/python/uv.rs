//! Running `uv`: what it sees of our environment and of the project, and what its failures mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;

use super::Uv;
use crate::app::Error;

/// Variables that decide where packages come from, or which of them are taken. Credentials are not among them: they
/// change, and the packages stay.
const SETTINGS: [&str; 14] = [
    "UV_CONFIG_FILE",
    "UV_CONSTRAINT",
    "UV_DEFAULT_INDEX",
    "UV_EXCLUDE_NEWER",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_STRATEGY",
    "UV_INDEX_URL",
    "UV_NO_BINARY_PACKAGE",
    "UV_NO_INDEX",
    "UV_OVERRIDE",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
];

/// What `uv` says when it got no answer, in any of these words.
const UNREACHABLE: [&str; 8] = [
    "error sending request",
    "client error (Connect)",
    "dns error",
    "operation timed out",
    "Connection refused",
    "Connection reset",
    "HTTP status server error",
    "Network connectivity is disabled",
];

impl Uv {
    /// Runs `uv` in a project, and returns what it printed.
    ///
    /// # Errors
    ///
    /// `Error::Program` without `uv`, `Error::Index` where no package index answers, `Error::Command` where it fails
    /// otherwise.
    pub async fn run(&self, project: &Path, arguments: &[&str], input: &str) -> Result<String, Error> {
        let mut child = tokio::process::Command::new("uv")
            .args(arguments)
            .current_dir(project)
            .env_clear()
            .envs(self.variables())
            .envs([("UV_NO_PROGRESS", "1"), ("NO_COLOR", "1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(missing)?;
        tracing::debug!(arguments = command_line(arguments), "uv started");
        if let Some(mut stdin) = child.stdin.take() {
            // Where uv ended before it read everything, its exit status says why.
            let written = stdin.write_all(input.as_bytes()).await;
            tracing::debug!(ok = written.is_ok(), "input of uv written");
        }
        let output = child.wait_with_output().await.map_err(missing)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        let output_text = without_credentials(&(stdout + &String::from_utf8_lossy(&output.stderr)));
        Err(failure(command_line(arguments), output.status.to_string(), output_text))
    }

    /// What `uv` sees: what we were given, pip's indexes in uv's words, and no configuration of the project's. In that
    /// one a pull request could ask for packages to be built, which would run their code as ourselves.
    pub fn variables(&self) -> BTreeMap<&str, String> {
        let given = self.environment.iter();
        let mut variables: BTreeMap<&str, String> = given.map(|(name, value)| (name.as_str(), value.clone())).collect();
        for (of_pip, of_uv) in [
            ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
            ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
            ("PIP_CONSTRAINT", "UV_CONSTRAINT"),
        ] {
            // People have these set for Chalice.
            if let Some(value) = self.environment.get(of_pip) {
                variables.entry(of_uv).or_insert_with(|| value.clone());
            }
        }
        if !variables.contains_key("UV_CONFIG_FILE") {
            match self.own_configuration() {
                Some(file) => variables.insert("UV_CONFIG_FILE", file.to_string_lossy().into_owned()),
                None => variables.insert("UV_NO_CONFIG", "1".to_owned()),
            };
        }
        variables
    }

    /// The user's own configuration of `uv`.
    fn own_configuration(&self) -> Option<PathBuf> {
        let folder = |name: &str| self.environment.get(name).map(PathBuf::from);
        let home = folder("HOME").map(|home| home.join(".config"));
        let file = folder("XDG_CONFIG_HOME").or(home)?.join("uv/uv.toml");
        file.is_file().then_some(file)
    }

    /// Everything outside a project that decides which packages are installed.
    pub fn settings(&self) -> Vec<String> {
        let variables = self.variables();
        let of = |name: &&str| Some(format!("{name}={}", without_user(variables.get(name)?)));
        let mut settings: Vec<String> = SETTINGS.iter().filter_map(of).collect();
        let file = variables.get("UV_CONFIG_FILE");
        settings.extend(file.and_then(|file| std::fs::read_to_string(file).ok()));
        settings
    }
}

fn failure(command: String, status: String, output: String) -> Error {
    if !UNREACHABLE.iter().any(|words| output.contains(words)) {
        return Error::Command {
            command,
            status,
            output,
        };
    }
    let url = output
        .split_once("Failed to fetch: ")
        .and_then(|(_, rest)| rest.lines().next());
    let url = url.map_or_else(
        || "the package index".to_owned(),
        |url| format!("`{}`", without_credentials(url.trim_matches(['`', ' ']))),
    );
    Error::Index { url, output }
}

/// The same text, without what stands before an `@` in its URLs, and with `***` for the values of their queries: what
/// may be recorded and shown.
pub fn without_credentials(text: &str) -> String {
    in_urls(&without_user(text), masked)
}

/// The same text, without what stands before an `@` in its URLs: what decides which packages these lead to.
pub fn without_user(text: &str) -> String {
    in_urls(text, |url| {
        // A password may have any sign of punctuation but these.
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#');
        let end = url.find(ends).unwrap_or(url.len());
        let start = url[..end].rfind('@').map_or(0, |at| at + 1);
        url[start..].to_owned()
    })
}

/// The same text, with what follows each `://` changed.
fn in_urls(text: &str, change: impl Fn(&str) -> String) -> String {
    let mut parts = text.split("://");
    let start = parts.next().unwrap_or_default().to_owned();
    parts.fold(start, |clean, part| clean + "://" + &change(part))
}

/// A URL behind its scheme, and text behind it, without the values of its query: of a token or a signature.
fn masked(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '#' | '"' | '`');
    let (url, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    let Some((path, query)) = url.split_once('?') else {
        return text.to_owned();
    };
    let name = |pair: &str| pair.split_once('=').map(|(name, _)| format!("{name}=***"));
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| name(pair).unwrap_or_else(|| pair.to_owned()))
        .collect();
    format!("{path}?{}{rest}", pairs.join("&"))
}

/// The URL in a line, as [`without_credentials`] has it.
pub fn bare_url(line: &str) -> Option<String> {
    let clean = without_credentials(line);
    let (before, after) = clean.split_once("://")?;
    let scheme = before.rsplit([' ', '@']).next()?;
    let end = after.find(char::is_whitespace).unwrap_or(after.len());
    Some(format!("{scheme}://{}", &after[..end]))
}

/// How a person would type it, but for credentials.
pub fn command_line(arguments: &[&str]) -> String {
    without_credentials(&format!("uv {}", arguments.join(" ")))
}

fn missing(source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::NotFound => Error::Program {
            program: "uv",
            needed: "to install Python dependencies",
        },
        _ => Error::File {
            path: PathBuf::from("uv"),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uv(variables: &[(&str, &str)]) -> Uv {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Uv {
            cache: PathBuf::from("cache"),
            environment: environment.collect(),
        }
    }

    #[test]
    fn an_index_that_does_not_answer_is_no_flaw_of_the_project() {
        let said = "error: Request failed after 3 retries in 7.3s\n  cause: Failed to fetch: http://me:pw@127.0.0.1:1/simple/idna/\n  \
                    cause: error sending request for url (x)\n";
        let error = failure("uv".to_owned(), "exit status: 2".to_owned(), said.to_owned());
        assert_eq!(error.to_string(), "`http://127.0.0.1:1/simple/idna/` cannot be reached");
        let said = "Because x was not found in the package registry";
        let error = failure("uv".to_owned(), "exit status: 1".to_owned(), said.to_owned());
        assert!(matches!(error, Error::Command { .. }));
    }

    #[test]
    fn a_password_is_hidden_whole_whatever_signs_it_has() {
        for (url, shown) in [
            ("https://me:pw@x/simple", "https://x/simple"),
            ("`https://me:p,w'(a)\"@b@x/simple`, and", "`https://x/simple`, and"),
            ("https://me:pw@x?a=1 you@home", "https://x?a=*** you@home"),
            ("https://x/simple/@scope", "https://x/simple/@scope"),
            (
                "https://x/a.whl?token=abc&X-Amz-Signature=d%2Fe#sha256=00 --hash=sha256:00",
                "https://x/a.whl?token=***&X-Amz-Signature=***#sha256=00 --hash=sha256:00",
            ),
            (
                "a=https://u:p@x/?k=v https://u:p@y/?k=v",
                "a=https://x/?k=*** https://y/?k=***",
            ),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }

    #[test]
    fn another_index_is_another_setting_and_another_password_is_not() {
        let settings = |value| uv(&[("PIP_EXTRA_INDEX_URL", value)]).settings();
        assert_ne!(settings("https://a/simple"), settings("https://b/simple"));
        assert_eq!(settings("https://u:1@a/simple"), settings("https://u:2@a/simple"));
        assert_ne!(uv(&[]).settings(), uv(&[("UV_FIND_LINKS", "wheels")]).settings());
    }

    #[test]
    fn the_projects_configuration_of_uv_is_not_read_and_the_users_is() {
        assert_eq!(uv(&[]).variables()["UV_NO_CONFIG"], "1");
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".config/uv")).unwrap();
        let file = home.path().join(".config/uv/uv.toml");
        drop(std::fs::File::create(&file).unwrap());
        let uv = uv(&[("HOME", home.path().to_str().unwrap())]);
        assert_eq!(uv.variables()["UV_CONFIG_FILE"], file.to_str().unwrap());
        assert!(!uv.variables().contains_key("UV_NO_CONFIG"));
    }
}
