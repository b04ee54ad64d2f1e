//! What `uv` chose, as lines that are recorded: with the digests that a project demands.

use super::line::{head, name};
use super::requirements::Requirements;
use super::uv::without_credentials;
use crate::app::{Error, Finding, Severity};

/// The pins in what `uv pip compile` prints, sorted, each with the digests that the project gives for it.
///
/// # Errors
///
/// `Error::Findings` where the project gives digests, and none for one of the packages.
pub fn pins(output: &str, required: &Requirements) -> Result<Vec<String>, Error> {
    let lines = output.lines().map(str::trim);
    let packages = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '-']));
    let mut pins: Vec<String> = packages.map(|package| with_digests(package, required)).collect();
    pins.sort();
    let bare = pins
        .iter()
        .filter(|pin| required.is_hashed() && !pin.contains(" --hash"));
    let findings: Vec<Finding> = bare.map(|pin| without_digest(pin, required)).collect();
    if findings.is_empty() {
        Ok(pins)
    } else {
        Err(Error::Findings(findings))
    }
}

fn with_digests(package: &str, required: &Requirements) -> String {
    // Pins are recorded, and shown.
    let mut pin = without_credentials(package);
    for line in &required.lines {
        let is_it = head(&line.text) == head(package) || name(&line.text) == name(package) && !name(package).is_empty();
        let digests = line.text.split_whitespace().filter(|word| word.starts_with("--hash="));
        for digest in digests.filter(|_| is_it) {
            if !pin.contains(digest) {
                pin.push(' ');
                pin.push_str(digest);
            }
        }
    }
    pin
}

fn without_digest(pin: &str, required: &Requirements) -> Finding {
    let line = required.lines.iter().find(|line| name(&line.text) == name(pin));
    Finding {
        severity: Severity::Error,
        file: line.map_or_else(|| "requirements.txt".into(), |line| line.file.clone()),
        place: line.map(|line| (line.line, 1)),
        message: format!("`{pin}` has no `--hash`, and others have one"),
        hint: Some("write all of them: `uv pip compile --generate-hashes` does".to_owned()),
    }
}

/// The version that a pin gives a package: `1.34.0` of `chalice==1.34.0 --hash=…`.
pub fn version_of<'a>(pins: &'a [String], package: &str) -> Option<&'a str> {
    let (_, version) = pins.iter().find(|pin| name(pin) == package)?.split_once("==")?;
    version.split([' ', ';']).next()
}

/// Says at which line a package stands that `uv` did not find.
pub fn located(error: Error, required: &Requirements) -> Error {
    let Error::Command { output, .. } = &error else {
        return error;
    };
    let Some(package) = absent(output) else { return error };
    let Some(line) = required.lines.iter().find(|line| name(&line.text) == name(&package)) else {
        return error;
    };
    Error::Absent {
        file: line.file.clone(),
        line: line.line,
        package,
        output: output.clone(),
    }
}

/// The package, perhaps with its version, that no index has.
fn absent(output: &str) -> Option<String> {
    let words: Vec<&str> = output.split_whitespace().collect();
    words.windows(4).find_map(|four| match four {
        [package, "was", "not", "found"] | ["no", "version", "of", package] => Some((*package).to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::requirements::read;
    use super::super::requirements::tests::project;
    use super::*;

    fn required(text: &str) -> Requirements {
        let project = project(&[("requirements.txt", text)]);
        read(project.path(), "requirements.txt").unwrap()
    }

    #[test]
    fn a_digest_stays_with_its_package() {
        let required = required("IDNA==3.10 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\n");
        let pins = pins("idna==3.10\n", &required).unwrap();
        assert_eq!(pins, ["idna==3.10 --hash=sha256:00 --hash=sha256:11"]);
        assert_eq!(version_of(&pins, "idna"), Some("3.10"));
    }

    #[test]
    fn where_one_package_has_a_digest_all_must_have_one() {
        let one = required("requests==2 --hash=sha256:00\nidna==3.10\n");
        let error = pins("idna==3.10\nrequests==2\n", &one).unwrap_err();
        assert_eq!(
            error.to_string(),
            "requirements.txt:2:1: `idna==3.10` has no `--hash`, and others have one"
        );
        assert!(pins("idna==3.10\n", &required("--require-hashes\nidna\n")).is_err());
        assert_eq!(
            pins("b==1\na==2\n# via\n", &required("a\nb\n")).unwrap(),
            ["a==2", "b==1"]
        );
    }

    #[test]
    fn a_package_that_no_index_has_is_shown_at_its_line() {
        let of = |said: &str| {
            let error = Error::Command {
                command: String::new(),
                status: String::new(),
                output: said.to_owned(),
            };
            located(error, &required("idna\nno-such\ndocopt==99\n")).to_string()
        };
        let said = "cause: Because no-such was not found in the package registry and you require no-such, we can";
        assert_eq!(of(said), "requirements.txt:2: there is no package `no-such`");
        let said = "cause: Because there is no version of docopt==99 and you require docopt==99, we can";
        assert_eq!(of(said), "requirements.txt:3: there is no package `docopt==99`");
    }
}
