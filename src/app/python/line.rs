//! One line of a requirements file: what it means, and whether we take it.
//!
//! Whatever would make `uv` run code of a project or of a package as ourselves is refused: only wheels are installed.

use super::uv::without_credentials;

/// A line that we take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Another requirements file: its path.
    Nested(String),
    /// Constraints: a path.
    Constraints(String),
    /// Constraints of another host: a URL.
    RemoteConstraints(String),
    /// A folder, file or URL in which wheels are found.
    FindLinks(String),
    /// Any other option that says where packages come from, as it was written.
    Index,
    /// An option that changes what is resolved.
    Setting,
    /// A package.
    Requirement,
}

/// Why a line is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What to do about a package of which there is no wheel.
pub const BUILD: &str = "build a wheel of it and name that, or put the package into `vendor/`";

/// Reads a line without comments.
///
/// # Errors
///
/// [`Refusal`] where it would run code, or nobody knows what it means.
pub fn parse(line: &str) -> Result<Line, Refusal> {
    // `uv` ends a line at some of these, and would see another file than we do.
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err(refusal("a control character in it", "remove the character"));
    }
    if !line.starts_with('-') {
        return requirement(line);
    }
    let (option, argument) = line
        .split_once([' ', '\t', '='])
        .map_or((line, ""), |(option, argument)| (option, argument.trim()));
    let argument = || argument.trim_matches(['"', '\'']).to_owned();
    match option {
        "-r" | "--requirement" if argument().contains("://") => Err(refusal(
            "requirements of another host are not read",
            "copy the file into the project",
        )),
        "-r" | "--requirement" => Ok(Line::Nested(argument())),
        "-c" | "--constraint" => constraints(argument()),
        "-f" | "--find-links" => Ok(Line::FindLinks(argument())),
        "-i" | "--index-url" | "--extra-index-url" | "--no-index" => Ok(Line::Index),
        "--only-binary" | "--prefer-binary" | "--pre" | "--trusted-host" | "--require-hashes" | "--use-feature" => {
            Ok(Line::Setting)
        }
        "-e" | "--editable" => Err(refusal(
            "an editable requirement would run the project's own `setup.py`",
            BUILD,
        )),
        "--no-binary" => Err(refusal("`--no-binary` would run a package's `setup.py`", BUILD)),
        _ => Err(unknown(option)),
    }
}

/// Reads a line of a file that another one names. It may hold anything, and is only quoted where it has the form of a
/// requirement.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_nested(line: &str) -> Result<Line, Refusal> {
    let known = [
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-e",
        "--editable",
        "--no-binary",
    ];
    let option = line.split([' ', '\t', '=']).next().unwrap_or_default();
    if known.contains(&option) || is_formed(line) {
        return parse(line);
    }
    let strange = || {
        refusal(
            "this line is no requirement",
            "write the name of a package, as `idna>=3`, or of a wheel",
        )
    };
    match parse(line) {
        Ok(Line::Requirement) | Err(_) => Err(strange()),
        Ok(option) => Ok(option),
    }
}

/// Whether a line looks like what requires a package: its name, perhaps a version or a URL, or a wheel.
fn is_formed(line: &str) -> bool {
    let head = head(line);
    let place = head.split(['#', '?']).next().unwrap_or_default();
    let is_wheel = place.to_ascii_lowercase().ends_with(".whl") && !place.contains(char::is_whitespace);
    let rest = head.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let follows = ["[", "==", ">=", "<=", "~=", "!=", "<", ">", "(", "@"];
    let is_named = rest.len() < head.len() && head.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = rest.trim_start();
    is_wheel || is_named && (rest.is_empty() || follows.iter().any(|sign| rest.starts_with(sign)))
}

/// `uv` would read a file of this machine by its URL, whatever lies there.
fn constraints(argument: String) -> Result<Line, Refusal> {
    let scheme = argument
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => Ok(Line::RemoteConstraints(argument)),
        Some(_) => Err(refusal(
            "constraints are a path in the repository, or a URL of `https:`",
            "copy the file into the repository, and write its path",
        )),
        None => Ok(Line::Constraints(argument)),
    }
}

fn refusal(message: &str, hint: &str) -> Refusal {
    Refusal {
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

fn unknown(option: &str) -> Refusal {
    let glued = option.is_char_boundary(2) && ["-r", "-c", "-f", "-i", "-e"].iter().any(|o| option.starts_with(o));
    let hint = if glued && option.len() > 2 {
        format!("write a space behind the option: `{} {}`", &option[..2], &option[2..])
    } else {
        "remove the line, or set the same for uv: https://docs.astral.sh/uv/reference/environment/".to_owned()
    };
    Refusal {
        message: format!("unknown option `{option}`"),
        hint,
    }
}

fn requirement(line: &str) -> Result<Line, Refusal> {
    let mut parts = line.replace('\t', " ");
    while parts.contains("  ") {
        parts = parts.replace("  ", " ");
    }
    let mut parts = parts.split(" --");
    let head = subject(parts.next().unwrap_or_default());
    if let Some(option) = parts.find(|option| !option.starts_with("hash=") && !option.starts_with("hash ")) {
        let option = option.split([' ', '=']).next().unwrap_or_default();
        return Err(unknown(&format!("--{option}")));
    }
    let lower = head.to_ascii_lowercase();
    let archives = [".whl", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"];
    let is_direct = head.contains(['/', '\\', '@', ':', '$'])
        || head.starts_with(['.', '~'])
        || archives.iter().any(|end| lower.ends_with(end));
    let place = lower.split(['#', '?']).next().unwrap_or_default();
    let is_checkout = ["git+", "hg+", "svn+", "bzr+"]
        .iter()
        .any(|system| lower.contains(system));
    if is_direct && (!place.ends_with(".whl") || is_checkout) {
        let head = without_credentials(head);
        let message = format!("`{head}` is no wheel, and installing it would run its `setup.py`");
        return Err(refusal(&message, BUILD));
    }
    Ok(Line::Requirement)
}

/// The part of a requirement that says what it is: without its environment marker.
fn subject(requirement: &str) -> &str {
    requirement.split(';').next().unwrap_or_default().trim()
}

/// A requirement's part before its environment marker and options: `idna>=3`, `./x.whl`.
pub fn head(requirement: &str) -> &str {
    let end = requirement.find(" --").unwrap_or(requirement.len());
    subject(&requirement[..end])
}

/// The name of the package that a requirement begins with, in its normal form.
pub fn name(requirement: &str) -> String {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let name = requirement.split(ends).next().unwrap_or_default();
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_run_a_setup_py_is_refused() {
        for line in [
            "-e .",
            "--editable=./pkg",
            "-e\t./pkg",
            "./pkg",
            "..",
            "pkg/",
            "pkg @ file:///x/pkg",
            "pkg@./pkg",
            "./pkg-1.0.tar.gz",
            "pkg-1.0.zip",
            "https://x/pkg-1.0.tar.gz",
            "git+https://x/y",
            "pkg @ git+ssh://git@x/y.git@main",
            "pkg @ git+https://x/y@v1.whl",
            "git+https://x/y.whl",
            "--no-binary :all:",
            "--no-binary=docopt",
            "idna\r-e ./pkg",
            "idna --config-settings=x=y",
            "${PKG}",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn packages_and_wheels_are_taken() {
        for line in [
            "idna",
            "idna[extra]>=3,<4 ; python_version > '3'",
            "idna==3.10 --hash=sha256:00 --hash=sha256:11",
            "./wheels/greeting-1.0-py3-none-any.whl",
            "greeting @ https://x/greeting-1.0-py3-none-any.whl#sha256=00",
            "greeting @ file:wheels/greeting-1.0-py3-none-any.whl --hash=sha256:00",
            "https://user:secret@x/greeting-1.0-py3-none-any.whl",
        ] {
            assert_eq!(parse(line), Ok(Line::Requirement), "{line}");
        }
    }

    #[test]
    fn an_option_that_is_glued_to_its_argument_is_told_how_to_write_it() {
        assert_eq!(
            parse("-rbase.txt").unwrap_err().hint,
            "write a space behind the option: `-r base.txt`"
        );
        assert_eq!(
            parse("--frobnicate x").unwrap_err().message,
            "unknown option `--frobnicate`"
        );
        assert_eq!(parse("-r base.txt"), Ok(Line::Nested("base.txt".to_owned())));
        assert_eq!(parse("-r=base.txt"), Ok(Line::Nested("base.txt".to_owned())));
        assert_eq!(
            parse("-c https://x/c.txt"),
            Ok(Line::RemoteConstraints("https://x/c.txt".to_owned()))
        );
        assert!(parse("-c file:///etc/passwd").is_err());
    }

    #[test]
    fn a_package_has_one_name_in_all_spellings() {
        assert_eq!(name("Ruamel_yaml==1"), "ruamel-yaml");
        assert_eq!(head("idna>=3 ; x --hash=sha256:0"), "idna>=3");
    }
}
