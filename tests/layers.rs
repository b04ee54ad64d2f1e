//! The house rules: who may import whom, which vendor stands in which file, and how large a file may be.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources must fail")]

use std::fs;
use std::path::PathBuf;

/// Rooms in the order of the design: a room sees only rooms before it. Rooms of one group do not see each other.
const ORDER: &[&[&str]] = &[
    &["names", "fault", "hold", "stop", "timeline", "variable"],
    &["stage", "app", "aws", "cli"],
    &["config", "resource"],
    &["state"],
    &["plan"],
    &["apply", "setup"],
    &["report"],
    &["host"],
    &["error"],
    &["run"],
    &["main"],
];

/// `hold` speaks in faults, and a fault in nothing: the one arrow inside the first group.
const WITHIN_A_GROUP: &[(&str, &str)] = &[("hold", "fault")];

/// Crates that speak to the outside, and the only places where they may be named.
const VENDORS: &[(&str, &[&str])] = &[
    ("aws_sdk_", &["aws.rs", "aws/", "s3.rs", "s3/"]),
    ("aws_smithy_", &["aws.rs", "aws/", "s3.rs", "s3/"]),
    ("aws_config", &["aws/"]),
    ("aws_credential_types", &["aws/"]),
    ("octocrab", &["host/github/"]),
    ("clap", &["cli.rs", "main.rs"]),
    ("serde_saphyr", &["app/yaml.rs"]),
    ("zip::", &["app/package.rs", "app/package/"]),
];

/// Effects, and the only places that may have them.
const EFFECTS: &[(&str, &[&str])] = &[
    (
        "tokio::time::sleep",
        &["aws/wait.rs", "state/lease.rs", "host/github/api.rs"],
    ),
    ("std::env::var", &["host/"]),
    ("env::vars_os", &["host/"]),
    ("Timestamp::now", &["main.rs", "state/directory.rs"]),
    ("io::stdout", &["host/terminal.rs"]),
    ("io::stderr", &["host/terminal.rs", "main.rs"]),
    ("Command::new", &["app/", "host/terminal.rs", "host/checkout.rs"]),
];

struct Source {
    path: String,
    code: String,
}

impl Source {
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines that are neither comments nor tests, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.code.find("#[cfg(test)]").unwrap_or(self.code.len());
        let lines = self.code[..tests]
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            self.path == *place
                || self.path.starts_with(place)
                || format!("/{}", self.path).contains(&format!("/{place}"))
        })
    }
}

fn sources() -> Vec<Source> {
    let root = std::env::current_dir().unwrap().join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(Source {
                    code: fs::read_to_string(&path).unwrap(),
                    path: name,
                });
            }
        }
    }
    found.retain(|source| !source.path.ends_with("tests.rs"));
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn group(room: &str) -> usize {
    ORDER
        .iter()
        .position(|group| group.contains(&room))
        .unwrap_or_else(|| panic!("`{room}` is a room of no group"))
}

/// Rooms that a line names: `crate::state::lease` names `state`.
fn named(line: &str) -> Vec<String> {
    let paths = line
        .match_indices("crate::")
        .map(|(at, _)| &line[at + "crate::".len()..]);
    let room = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    paths.map(room).filter(|room| !room.is_empty()).collect()
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_room_sees_only_rooms_before_it() {
    let mut found = Vec::new();
    for source in sources() {
        let own = source.room().to_owned();
        for (number, line) in source.lines() {
            for other in named(line).into_iter().filter(|other| *other != own) {
                let is_allowed =
                    group(&other) < group(&own) || WITHIN_A_GROUP.contains(&(own.as_str(), other.as_str()));
                if !is_allowed {
                    found.push(format!("src/{}:{number}: `{own}` looks at `{other}`", source.path));
                }
            }
        }
    }
    none(&found);
}

#[test]
fn a_vendor_stands_only_in_files_that_bear_its_name() {
    let mut found = Vec::new();
    for source in sources() {
        for (vendor, places) in VENDORS
            .iter()
            .chain(EFFECTS)
            .filter(|(_, places)| !source.is_in(places))
        {
            let lines = source.lines().filter(|(_, line)| line.contains(vendor));
            found.extend(
                lines.map(|(number, _)| format!("src/{}:{number}: `{vendor}` belongs in {places:?}", source.path)),
            );
        }
    }
    none(&found);
}

/// The lease cannot be asked too seldom: a call that changes AWS without it may land on somebody else's stage.
#[test]
fn every_call_that_changes_aws_asks_for_the_lease_first() {
    let mut found = Vec::new();
    let mut asked = 0;
    let doors = sources()
        .into_iter()
        .filter(|source| source.path.starts_with("resource/"));
    for source in doors {
        for calls in source.code.split("const OPERATION: &str = \"").skip(1) {
            let (operation, rest) = calls.split_once('"').unwrap();
            let verb = operation.split_once(':').unwrap().1;
            let is_look = ["Get", "List", "Describe", "Invoke", "Filter"]
                .iter()
                .any(|look| verb.starts_with(look));
            let before_sending = rest.split(".send()").next().unwrap();
            if is_look {
                continue;
            }
            asked += 1;
            if !before_sending.contains("hold.cover(OPERATION") {
                found.push(format!(
                    "src/{}: {operation} is sent without asking for the lease",
                    source.path
                ));
            }
        }
    }
    none(&found);
    assert!(asked >= 18, "only {asked} calls were found");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|source| !source.code.starts_with("//! "));
    none(
        &silent
            .map(|source| format!("src/{} does not begin with `//!`", source.path))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn no_file_is_a_drawer() {
    let large = sources().into_iter().filter(|source| source.code.lines().count() > 650);
    none(
        &large
            .map(|source| format!("src/{} has over 650 lines", source.path))
            .collect::<Vec<_>>(),
    );
    let banned = ["manager", "helper", "utils", "common", "misc"];
    let drawers = sources()
        .into_iter()
        .filter(|source| banned.iter().any(|word| source.path.contains(word)));
    none(
        &drawers
            .map(|source| format!("src/{} bears a name that says nothing", source.path))
            .collect::<Vec<_>>(),
    );
}
