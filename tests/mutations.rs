//! The table of rules in `docs/state.md` is true: each line stands where it says, and each test is there. That the test
//! breaks without the line is tried by `make mutations`, which takes long.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources must fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// A row of the table.
struct Rule {
    file: String,
    line: String,
    test: String,
}

fn rules() -> Vec<Rule> {
    let text = fs::read_to_string("docs/state.md").unwrap();
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| rule |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rules: Vec<Rule> = rows.map(rule).collect();
    assert!(rules.len() > 20, "the table was not found");
    rules
}

fn rule(row: &str) -> Rule {
    // A bar in a cell is written as GitHub wants it.
    let row = row.replace("\\|", "\u{0}");
    let cell = |cell: &str| cell.trim().trim_matches('`').replace('\u{0}', "|");
    let cells: Vec<String> = row.trim_matches('|').split('|').map(cell).collect();
    let [_, file, line, _, test] = <[String; 5]>::try_from(cells).unwrap();
    Rule { file, line, test }
}

#[test]
fn every_line_that_keeps_a_rule_stands_where_the_table_says() {
    for Rule { file, line, .. } in rules() {
        let code = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(code.contains(&line), "`{line}` is not in {file}");
    }
}

#[test]
fn every_test_that_keeps_watch_over_a_rule_is_there() {
    let sources = sources(Path::new("src")).into_iter().chain(sources(Path::new("tests")));
    let texts: Vec<(String, String)> = sources
        .map(|path| (path.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    for Rule { test, .. } in rules() {
        let name = test.rsplit("::").next().unwrap();
        let is_there = |(path, text): &(String, String)| {
            text.contains(&format!("fn {name}(")) || path.ends_with(&format!("/{name}.rs")) || name == "tests"
        };
        assert!(texts.iter().any(is_there), "there is no test `{test}`");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}
