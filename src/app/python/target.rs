//! Lambda's Python: its versions, its platforms, and what `uv` says where a package has nothing for them.

use crate::app::{Architecture, Error};

/// What packages are chosen for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Version of Python: `3.11`.
    pub python: &'a str,
    /// CPU architecture.
    pub architecture: Architecture,
}

/// An architecture in Lambda's words, which are Chalice's `lambda_architecture`, too.
pub fn lambdas(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "arm64",
    }
}

impl<'a> Target<'a> {
    /// This machine.
    pub fn here(python: &'a str) -> Self {
        let architecture = if cfg!(target_arch = "aarch64") {
            Architecture::Arm64
        } else {
            Architecture::X86_64
        };
        Self { python, architecture }
    }

    /// The platform in uv's words. Lambda has glibc 2.26 below Python 3.12 and 2.34 from there on; 2.17 is the
    /// nearest that uv knows below 2.26.
    pub fn platform(&self) -> String {
        let architecture = match self.architecture {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "aarch64",
        };
        let glibc = if self.is_old() { "2_17" } else { "2_34" };
        format!("{architecture}-manylinux_{glibc}")
    }

    fn is_old(&self) -> bool {
        matches!(self.python, "3.10" | "3.11")
    }

    /// The platform in a person's words: what `uv` is asked for, no more and no less.
    pub fn described(&self) -> String {
        let architecture = lambdas(self.architecture);
        format!(
            "Lambda's Python {} on {architecture} ({})",
            self.python,
            self.platform()
        )
    }
}

/// Recognises a wheel that is missing on a platform in what `uv` said.
pub fn wheel(error: Error, platform: &str) -> Error {
    match error {
        Error::Command { output, .. } if wheelless(&output).is_some() => Error::Wheel {
            package: wheelless(&output).unwrap_or_default(),
            platform: platform.to_owned(),
            output,
        },
        other => other,
    }
}

/// The package that has no wheel, in what uv says about it.
fn wheelless(output: &str) -> Option<String> {
    if !output.contains("no usable wheels")
        && !output.contains("Wheels are required for")
        && !output.contains("no wheels")
    {
        return None;
    }
    let words: Vec<&str> = output.split_whitespace().collect();
    let subject = words.windows(3).find_map(|three| match three {
        [package, "has" | "have", "no"] => Some((*package).to_owned()),
        _ => None,
    });
    let hinted = output
        .split_once("Wheels are required for `")
        .and_then(|(_, rest)| rest.split_once('`'))
        .map(|(package, _)| package.to_owned());
    subject.filter(|package| package.contains("==")).or(hinted)
}

/// Lambda's nearest runtime of a Python version: `3.11` of `3.11.7` or `cpython-3.11`.
pub fn runtime(version: &str) -> Option<String> {
    let version = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = version.split('.').map(|number| {
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    });
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some(match (major, minor) {
        (0..=2, _) | (3, 0..=9) => "3.10".to_owned(),
        (3, 10..=14) => format!("3.{minor}"),
        (_, _) => "3.15".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_is_the_nearest_that_lambda_has() {
        let of = |version| runtime(version).unwrap();
        assert_eq!(of("3.9.2"), "3.10");
        assert_eq!(of("3.11.7"), "3.11");
        assert_eq!(of("cpython-3.12"), "3.12");
        assert_eq!(of("3.14.0rc1"), "3.14");
        assert_eq!(of("3.16.0"), "3.15");
        assert_eq!(runtime("pypy"), None);
    }

    #[test]
    fn a_package_without_a_wheel_is_named() {
        let said = "cause: Because psycopg2==2.9.9 has no usable wheels and you require psycopg2==2.9.9, we can";
        assert_eq!(wheelless(said), Some("psycopg2==2.9.9".to_owned()));
        let said =
            "Because all versions of docopt have no usable wheels\n\nhint: Wheels are required for `docopt` because";
        assert_eq!(wheelless(said), Some("docopt".to_owned()));
        assert_eq!(wheelless("Because x was not found in the package registry"), None);
    }

    #[test]
    fn newer_runtimes_take_wheels_for_a_newer_c_library() {
        let platform = |python, architecture| Target { python, architecture }.platform();
        assert_eq!(platform("3.11", Architecture::X86_64), "x86_64-manylinux_2_17");
        assert_eq!(platform("3.12", Architecture::Arm64), "aarch64-manylinux_2_34");
    }
}
