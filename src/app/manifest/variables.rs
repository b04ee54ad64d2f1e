//! Environment variables of a function on a stage: who wins, what is secret, what Lambda refuses.

use std::collections::BTreeMap;

use crate::app::Severity;
use crate::app::flaws::Flaws;
use crate::app::limits;
use crate::app::yaml::{Placed, Table};
use crate::variable::Variable;

/// Where secret values come from: a variable's name to its value, or how bad it is that there is none.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, Severity>;

/// Lays tables over each other, later ones win, and resolves what is left.
pub fn merged(
    function: &Placed<String>,
    tables: &[&Table<Placed<String>>],
    lookup: Lookup<'_>,
    flaws: &mut Flaws,
) -> BTreeMap<String, Variable> {
    let mut winners = BTreeMap::new();
    for (key, value) in tables.iter().flat_map(|table| table.iter()) {
        flaws.check(key.place, limits::check_variable(&key.value));
        winners.insert(key.value.clone(), value);
    }
    let mut variables = BTreeMap::new();
    for (key, raw) in winners {
        match resolved(&raw.value, lookup) {
            Ok(variable) => {
                variables.insert(key, variable);
            }
            Err(Unresolved::Missing(name, Severity::Error)) => flaws.error_with(
                raw.place,
                format!("environment variable `{name}` is not set or empty, and `{key}` needs it"),
                Some(format!("set `{name}` where stagewright runs")),
            ),
            Err(Unresolved::Missing(name, Severity::Warning)) => {
                flaws.warn(
                    raw.place,
                    format!("environment variable `{name}` is not set here, and a deploy needs it for `{key}`"),
                    None,
                );
                variables.insert(key, Variable::unknown(raw.value.clone()));
            }
            Err(Unresolved::Malformed(why)) => flaws.error(raw.place, format!("the value of `{key}` {why}")),
        }
    }
    let revealed = variables
        .iter()
        .map(|(key, variable)| (key.as_str(), variable.reveal().unwrap_or_default()));
    flaws.check(function.place, limits::check_environment(&function.value, revealed));
    variables
}

#[derive(Debug, PartialEq, Eq)]
enum Unresolved {
    Missing(String, Severity),
    Malformed(&'static str),
}

/// Replaces each `${env:NAME}`; `$${env:` stands for `${env:` itself.
fn resolved(raw: &str, lookup: Lookup<'_>) -> Result<Variable, Unresolved> {
    const OPEN: &str = "${env:";
    let mut value = String::new();
    let mut is_secret = false;
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once(OPEN) {
        if let Some(before) = before.strip_suffix('$') {
            value.push_str(before);
            value.push_str(OPEN);
            rest = after;
            continue;
        }
        let (name, after) = after
            .split_once('}')
            .ok_or(Unresolved::Malformed("has a `${env:` without its `}`"))?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Unresolved::Malformed(
                "has a `${env:…}` with a name that no variable has",
            ));
        }
        value.push_str(before);
        value.push_str(&lookup(name).map_err(|severity| Unresolved::Missing(name.to_owned(), severity))?);
        is_secret = true;
        rest = after;
    }
    value.push_str(rest);
    Ok(if is_secret {
        Variable::secret(raw.to_owned(), value)
    } else {
        Variable::Plain(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Result<String, Severity> {
        (name == "TOKEN").then(|| "hunter2".to_owned()).ok_or(Severity::Error)
    }

    #[test]
    fn a_reference_becomes_a_secret_that_is_known_by_what_was_written() {
        let variable = resolved("Bearer ${env:TOKEN}!", &environment).unwrap();
        assert_eq!(variable.reveal(), Some("Bearer hunter2!"));
        assert!(
            serde_json::to_string(&variable)
                .unwrap()
                .contains("Bearer ${env:TOKEN}!")
        );
    }

    #[test]
    fn two_dollars_stand_for_themselves() {
        let literal = Variable::Plain("${env:TOKEN} ${x} $".to_owned());
        assert_eq!(resolved("$${env:TOKEN} ${x} $", &environment), Ok(literal));
    }

    #[test]
    fn what_is_not_set_or_not_closed_is_not_resolved() {
        let missing = Err(Unresolved::Missing("NOPE".to_owned(), Severity::Error));
        assert_eq!(resolved("${env:NOPE}", &environment), missing);
        assert!(matches!(
            resolved("${env:TOKEN", &environment),
            Err(Unresolved::Malformed(_))
        ));
        assert!(matches!(
            resolved("${env:a b}", &environment),
            Err(Unresolved::Malformed(_))
        ));
    }
}
