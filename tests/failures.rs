//! What `docs/failures.md` says is true: each message on it is one that the program prints, and no failure of the stage, of
//! the state and of GitHub is missing.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How deep a message is put together of others: `OBJECT is not a state: REASON`, where the reason is a text of its own.
const DEPTH: u32 = 2;

/// What is wrong with a state, and the message by which a person meets it. What is only passed on (`Store`) is met as the
/// line that a failed call makes.
const OF_A_STATE: &[(&str, &str)] = &[
    ("Store", "OPERATION on `TARGET`: MESSAGE"),
    ("Damaged", "`OBJECT` is not a state: REASON"),
    (
        "Newer",
        "`OBJECT` has format FORMAT, and this version reads up to FORMAT",
    ),
    ("Unread", "`OBJECT` has the key `KEY`, which this version does not know"),
    ("Misplaced", "`OBJECT` is the state of STAGE, and not of STAGE"),
    ("Held", "stage `STAGE` is held by HOLDER since TIME (PURPOSE)"),
    ("Deposed", "HOLDER (PURPOSE) has taken stage `STAGE` over from this run"),
];

/// Kinds of a failed call, and the message by which a person meets each. All of them are met: `Condition` and `Conflict`
/// where somebody else writes the same object or resource, `LeaseLost` where a store is slow, `Other` where AWS fails, and
/// `Invalid`, for which there is no hint, as the line that a failed call makes.
const OF_A_CALL: &[(&str, &str)] = &[
    (
        "Credentials",
        "give AWS credentials that are valid: `AWS_PROFILE`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or …",
    ),
    (
        "Denied",
        "allow `ACTION` on `TARGET` for the credentials in use, then run it again",
    ),
    (
        "Throttled",
        "the account makes too many calls: wait a minute, then run it again",
    ),
    (
        "Absent",
        "something took it out of AWS: run it again, and it is made anew",
    ),
    (
        "Conflict",
        "somebody else changes the same thing: wait for them, then run it again",
    ),
    (
        "Foreign",
        "a function of this name stands in AWS and does not bear our tags",
    ),
    (
        "Condition",
        "somebody else changes the same thing: wait for them, then run it again",
    ),
    ("Timeout", "still pending after N s"),
    (
        "Unreachable",
        "check the network, the Region and `AWS_ENDPOINT_URL`, then run it again: it goes on where it stopped",
    ),
    (
        "Region",
        "the bucket is in another Region: write `state: { url: s3://..., region: ... }` in stagewright.yaml",
    ),
    ("Invalid", "OPERATION on `TARGET`: MESSAGE"),
    (
        "LeaseLost",
        "our lease on the stage could end before this call does, so that it was not made",
    ),
    (
        "Stopped",
        "it was not made, since somebody wished to stop before its turn came",
    ),
    ("Other", "run it again: it looks at what is there first"),
];

/// Rooms of which no failure may be missing.
const WHOLE: &[&str] = &["state/", "stage/", "host/github/"];

/// The sources with their paths below `src`, without tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new("src");
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let code = fs::read_to_string(&path).unwrap();
                let tests = code.find("#[cfg(test)]").unwrap_or(code.len());
                found.push((name, code[..tests].to_owned()));
            }
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The texts of a source, each with what stands before it up to the text before that.
fn texts(code: &str) -> Vec<(&str, String)> {
    let mut texts = Vec::new();
    let mut rest = code;
    let mut since = code;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let (before, here) = rest.split_at(at);
        let (text, length) = if here.starts_with("//") {
            (None, here.find('\n').unwrap_or(here.len()))
        } else if let Some(hashes) = here.strip_prefix('"').and_then(|_| raw(before)) {
            let end = format!("\"{hashes}");
            let length = here[1..].find(&end).unwrap();
            (Some(here[1..=length].to_owned()), 1 + length + end.len())
        } else if here.starts_with('"') {
            let length = quoted(here);
            (Some(unescaped(&here[1..length - 1])), length)
        } else {
            (None, character(here))
        };
        if let Some(text) = text {
            texts.push((&since[..since.len() - here.len()], text));
            since = &here[length..];
        }
        rest = &here[length..];
    }
    texts
}

/// The hashes of a raw text that begins behind `before`; `None` where it is none.
fn raw(before: &str) -> Option<&str> {
    let bare = before.trim_end_matches('#');
    bare.ends_with(" r")
        .then(|| &before[bare.len()..])
        .or_else(|| bare.ends_with("(r").then(|| &before[bare.len()..]))
}

/// Length of the text in quotes that code begins with.
fn quoted(code: &str) -> usize {
    let mut characters = code.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => return at + 1,
            _ => {}
        }
    }
    panic!("a text without an end: {code:.80}");
}

/// Length of the character that code begins with, or of a mere sign: the mark of a lifetime, a division.
fn character(code: &str) -> usize {
    let end = match code.strip_prefix("'\\") {
        Some(escaped) => escaped[1..].find('\'').map(|at| at + 4),
        None => code
            .char_indices()
            .nth(2)
            .filter(|(_, c)| *c == '\'')
            .map(|(at, _)| at + 1),
    };
    end.filter(|_| code.starts_with('\'')).unwrap_or(1)
}

/// A text as it is printed: lines that go on are joined.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        plain.push_str(before);
        rest = match escaped.strip_prefix('\n') {
            Some(next_line) => next_line.trim_start(),
            None => {
                let sign = escaped.chars().next().unwrap();
                plain.push(if matches!(sign, 'n' | 't' | 'r' | 'u') {
                    ' '
                } else {
                    sign
                });
                &escaped[sign.len_utf8()..]
            }
        };
    }
    plain.push_str(rest);
    plain
}

fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text of the program, cut where something is put in.
fn template(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, here) = rest.split_at(at);
        pieces.last_mut().unwrap().push_str(before);
        let inner = here[1..].split_once('}').map_or("", |(inner, _)| inner);
        let is_placeholder = here.starts_with('{') && here.contains('}') && !inner.contains([' ', '{', '"']);
        rest = if here.starts_with("{{") || here.starts_with("}}") {
            pieces.last_mut().unwrap().push_str(&here[..1]);
            &here[2..]
        } else if is_placeholder {
            pieces.push(String::new());
            &here[inner.len() + 2..]
        } else {
            pieces.last_mut().unwrap().push_str(&here[..1]);
            &here[1..]
        };
    }
    pieces.last_mut().unwrap().push_str(rest);
    pieces
}

/// All that the program can print.
struct Printed(BTreeSet<Vec<String>>);

impl Printed {
    fn by(sources: &[(String, String)]) -> Self {
        let texts = sources.iter().flat_map(|(_, code)| texts(code));
        let templates = texts.map(|(_, text)| template(&normal(&text)));
        let says_something = |pieces: &Vec<String>| pieces.iter().any(|piece| piece.contains(char::is_alphabetic));
        Self(templates.filter(says_something).collect())
    }

    /// Whether a message is one of the program's, with capitals for what is put in. `…` at its end stands for the rest.
    fn has(&self, message: &str) -> bool {
        match message.strip_suffix('…') {
            Some(beginning) => self
                .0
                .iter()
                .any(|pieces| pieces[0].starts_with(beginning) || self.begins(pieces, beginning)),
            None => self.is_made_of(message, DEPTH),
        }
    }

    fn is_made_of(&self, text: &str, depth: u32) -> bool {
        self.0.iter().any(|pieces| self.fits(pieces, text, depth))
    }

    /// Whether a text begins as a template does, up to some place in its last piece.
    fn begins(&self, pieces: &[String], beginning: &str) -> bool {
        (2..=pieces.len()).any(|count| {
            let (last, before) = pieces[..count].split_last().unwrap();
            let ends = (1..=last.len()).filter(|end| last.is_char_boundary(*end));
            ends.rev().any(|end| {
                let cut: Vec<String> = before.iter().cloned().chain([last[..end].to_owned()]).collect();
                beginning.ends_with(&last[..end]) && self.fits(&cut, beginning, DEPTH)
            })
        })
    }

    /// Whether a text is a template in which capitals, or other texts of the program, were put.
    fn fits(&self, pieces: &[String], text: &str, depth: u32) -> bool {
        let [first, rest @ ..] = pieces else {
            return text.is_empty();
        };
        let Some(text) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(next) = rest.first() else {
            return text.is_empty();
        };
        let mut ends = (1..=text.len()).filter(|end| text.is_char_boundary(*end));
        ends.any(|end| {
            text[end..].starts_with(next.as_str())
                && self.fits(rest, &text[end..], depth)
                && self.may_be_put_in(text[..end].trim(), depth)
        })
    }

    fn may_be_put_in(&self, text: &str, depth: u32) -> bool {
        is_in_capitals(text) || depth > 0 && self.is_made_of(text, depth - 1)
    }
}

fn is_in_capitals(text: &str) -> bool {
    text.contains(char::is_alphanumeric) && !text.contains(char::is_lowercase)
}

/// A row of a table of messages.
struct Row {
    number: usize,
    message: String,
    exits: String,
}

/// The rows of all tables of messages on the page.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string("docs/failures.md").unwrap();
    let mut rows = Vec::new();
    let mut is_of_messages = false;
    for (index, line) in page.lines().enumerate() {
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            is_of_messages &= line.starts_with("|--");
            continue;
        };
        let cells: Vec<&str> = cells.split(" | ").collect();
        if cells == ["message", "means", "do", "exit"] {
            is_of_messages = true;
        } else if is_of_messages {
            rows.push(Row {
                number: index + 1,
                message: normal(cells[0].trim_matches('`')),
                exits: (*cells.last().unwrap()).to_owned(),
            });
        }
    }
    rows.retain(|row| !row.message.is_empty());
    assert!(rows.len() > 100, "the tables were not found");
    rows
}

/// The variants of an `enum`, each with its number where it has one.
fn variants(code: &str, name: &str) -> Vec<(String, Option<String>)> {
    let (_, body) = code.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let line = |line: &str| {
        let variant = line
            .strip_prefix("    ")
            .filter(|line| line.starts_with(char::is_uppercase))?;
        let end = variant.find(|c: char| !c.is_alphanumeric())?;
        let number = variant[end..]
            .strip_prefix(" = ")
            .map(|number| number.trim_end_matches(',').to_owned());
        Some((variant[..end].to_owned(), number))
    };
    body.lines().filter_map(line).collect()
}

fn source(path: &str) -> String {
    fs::read_to_string(format!("src/{path}")).unwrap()
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_message_of_the_page_is_one_that_the_program_prints() {
    let printed = Printed::by(&sources());
    let unknown = rows().into_iter().filter(|row| !printed.has(&row.message));
    let told = unknown.map(|row| format!("docs/failures.md:{}: nothing prints `{}`", row.number, row.message));
    none(&told.collect::<Vec<_>>());
}

#[test]
fn a_message_that_the_program_does_not_print_is_noticed() {
    let printed = Printed::by(&sources());
    for message in [
        "stage `STAGE` is held by HOLDER since TIME",
        "stage `STAGE` was held by HOLDER since TIME (PURPOSE)",
        "`OBJECT` is not a state: it is a picture",
        "make the bucket of your dreams …",
    ] {
        assert!(!printed.has(message), "{message}");
    }
}

#[test]
fn no_failure_of_stage_state_or_github_is_missing_on_the_page() {
    let messages: Vec<String> = rows().into_iter().map(|row| row.message).collect();
    let all = sources();
    let printed = Printed::by(&all);
    let mut missing = Vec::new();
    let mut asked = 0;
    for (path, code) in all
        .iter()
        .filter(|(path, _)| WHOLE.iter().any(|room| path.starts_with(room)))
    {
        for (before, text) in texts(code) {
            if !before.trim_end().ends_with("#[error(") {
                continue;
            }
            asked += 1;
            let pieces = template(&normal(&text));
            if !messages.iter().any(|message| printed.fits(&pieces, message, DEPTH)) {
                missing.push(format!("src/{path}: docs/failures.md does not have `{text}`"));
            }
        }
    }
    none(&missing);
    assert!(asked >= 24, "only {asked} failures were found");
}

#[test]
fn each_kind_of_failure_is_on_the_page() {
    let messages: BTreeSet<String> = rows().into_iter().map(|row| row.message).collect();
    for (path, name, represented) in [
        ("state/mod.rs", "Error", OF_A_STATE),
        ("fault.rs", "FaultKind", OF_A_CALL),
    ] {
        let listed: Vec<&str> = represented.iter().map(|(variant, _)| *variant).collect();
        let variants = variants(&source(path), name);
        let there: Vec<&str> = variants.iter().map(|(variant, _)| variant.as_str()).collect();
        assert_eq!(there, listed, "{name} of src/{path}");
        for (variant, message) in represented {
            assert!(messages.contains(*message), "{name}::{variant} is met as `{message}`");
        }
    }
}

#[test]
fn the_page_explains_every_exit_code_and_uses_no_other() {
    let page = fs::read_to_string("docs/failures.md").unwrap();
    let exits = variants(&source("error.rs"), "Exit");
    let numbers = exits
        .into_iter()
        .map(|(variant, number)| number.unwrap_or_else(|| panic!("{variant} has no number")));
    let codes: BTreeSet<String> = numbers.chain(["0".to_owned()]).collect();
    for code in &codes {
        assert!(
            page.contains(&format!("\n| {code} | ")),
            "nothing explains exit code {code}"
        );
    }
    let unknown = rows().into_iter().filter(|row| {
        let mut exits = row.exits.split(" or ");
        row.exits != "–" && !exits.all(|exit| codes.contains(exit))
    });
    let told = unknown.map(|row| format!("docs/failures.md:{}: `{}` is no exit code", row.number, row.exits));
    none(&told.collect::<Vec<_>>());
}
