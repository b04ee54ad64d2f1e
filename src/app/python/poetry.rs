//! Poetry's way to write a dependency, in the words of PEP 508.

use toml::Value;

/// The requirements that an entry of `tool.poetry.dependencies` means; none where it is optional.
///
/// # Errors
///
/// Why it is not taken.
pub fn requirements(name: &str, value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(range) => Ok(vec![format!("{name}{}", self::range(range)?)]),
        Value::Array(several) => {
            let read: Result<Vec<_>, _> = several.iter().map(|value| requirements(name, value)).collect();
            Ok(read?.concat())
        }
        Value::Table(_) => Ok(of_table(name, value)?.into_iter().collect()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            Err(format!("`{name}` is no version and no table"))
        }
    }
}

fn of_table(name: &str, table: &Value) -> Result<Option<String>, String> {
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    if table.get("optional").and_then(Value::as_bool) == Some(true) {
        return Ok(None);
    }
    let elsewhere = ["git", "url", "path", "file"];
    if let Some(kind) = elsewhere.iter().find(|kind| table.get(kind).is_some()) {
        return Err(format!(
            "`{name}` comes from `{kind}`, and installing it could run its `setup.py`"
        ));
    }
    let extras = table.get("extras").and_then(Value::as_array).into_iter().flatten();
    let extras: Vec<&str> = extras.filter_map(Value::as_str).collect();
    let extras = if extras.is_empty() {
        String::new()
    } else {
        format!("[{}]", extras.join(","))
    };
    let version = range(text("version").unwrap_or("*"))?;
    let mut markers: Vec<String> = Vec::new();
    if let Some(python) = text("python") {
        let parts = range(python)?;
        markers.extend(parts.split(',').filter(|part| !part.is_empty()).map(of_python));
    }
    markers.extend(text("platform").map(|platform| format!("sys_platform == '{platform}'")));
    markers.extend(text("markers").map(|marker| format!("({marker})")));
    let marker = if markers.is_empty() {
        String::new()
    } else {
        format!(" ; {}", markers.join(" and "))
    };
    Ok(Some(format!("{name}{extras}{version}{marker}")))
}

fn of_python(part: &str) -> String {
    let end = part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len());
    let (operator, version) = part.split_at(end);
    format!("python_full_version {operator} '{version}'")
}

/// A range of versions in the words of PEP 440: `>=1.2,<2` of `^1.2`, and nothing of `*`.
///
/// # Errors
///
/// Why there are no words for it.
pub fn range(range: &str) -> Result<String, String> {
    if range.contains('|') {
        return Err(format!("`{range}` has no one range of versions"));
    }
    let spaced = range.replace(',', " ");
    let mut words: Vec<String> = Vec::new();
    for word in spaced.split_whitespace() {
        match words.last_mut() {
            // A space may stand behind an operator.
            Some(last) if !last.contains(|c: char| c.is_alphanumeric() || c == '*') => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
    }
    let parts: Result<Vec<String>, String> = words.iter().map(|word| part(word)).collect();
    let parts: Vec<String> = parts?.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(parts.join(","))
}

fn part(word: &str) -> Result<String, String> {
    let end = word
        .find(|c: char| c.is_alphanumeric() || c == '*')
        .unwrap_or(word.len());
    let (operator, version) = word.split_at(end);
    match (operator, version) {
        ("" | "==", "*") => Ok(String::new()),
        ("^", _) => bounded(version, Kept::Leading),
        ("~", _) => bounded(version, Kept::Minor),
        ("", _) | ("=", _) => Ok(format!("=={version}")),
        ("==" | "===" | "!=" | ">=" | "<=" | ">" | "<" | "~=", _) => Ok(word.to_owned()),
        (_, _) => Err(format!("`{word}` is no version")),
    }
}

/// What stays the same up to the end of a range.
#[derive(Clone, Copy)]
enum Kept {
    /// Everything up to the first number that is not 0.
    Leading,
    /// The first two numbers, or the one that there is.
    Minor,
}

fn bounded(version: &str, kept: Kept) -> Result<String, String> {
    let numbers: Result<Vec<u64>, _> = version.split('.').map(str::parse).collect();
    let numbers = numbers
        .or_else(|_| leading(version))
        .map_err(|()| format!("`{version}` is no version"))?;
    let last = match kept {
        Kept::Leading => numbers
            .iter()
            .position(|number| *number != 0)
            .unwrap_or(numbers.len() - 1),
        Kept::Minor => (numbers.len() - 1).min(1),
    };
    let mut end: Vec<String> = numbers.iter().take(last).map(ToString::to_string).collect();
    end.extend(numbers.get(last).map(|number| (number + 1).to_string()));
    Ok(format!(">={version},<{}", end.join(".")))
}

/// The numbers that a version begins with, where it is a pre-release: `1.2` of `1.2b1`.
fn leading(version: &str) -> Result<Vec<u64>, ()> {
    let mut numbers = Vec::new();
    for part in version.split('.') {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        match digits.parse() {
            Ok(number) => numbers.push(number),
            Err(_) => break,
        }
        if digits.len() < part.len() {
            break;
        }
    }
    if numbers.is_empty() { Err(()) } else { Ok(numbers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_poetry_have_the_same_versions_in_other_words() {
        for (poetry, pep440) in [
            ("*", ""),
            ("^1.2.3", ">=1.2.3,<2"),
            ("^0.2.3", ">=0.2.3,<0.3"),
            ("^0.0.3", ">=0.0.3,<0.0.4"),
            ("^2", ">=2,<3"),
            ("^0", ">=0,<1"),
            ("^1.2b1", ">=1.2b1,<2"),
            ("~1.2.3", ">=1.2.3,<1.3"),
            ("~1.2", ">=1.2,<1.3"),
            ("~1", ">=1,<2"),
            ("1.*", "==1.*"),
            ("1.2.3", "==1.2.3"),
            (">= 1.2, < 2", ">=1.2,<2"),
            (">=1.2 <2", ">=1.2,<2"),
            ("!=1.5,^1", "!=1.5,>=1,<2"),
        ] {
            assert_eq!(range(poetry).as_deref(), Ok(pep440), "{poetry}");
        }
        assert!(range("^1 || ^2").is_err() && range("@1").is_err());
    }

    #[test]
    fn a_table_of_poetry_is_a_requirement_with_extras_and_markers() {
        let read = |toml: &str| {
            let table: toml::Table = toml.parse().unwrap();
            requirements("httpx", &table["x"])
        };
        assert_eq!(
            read("x = { version = '^0.27', extras = ['http2', 'socks'], python = '>=3.9,<4' }").unwrap(),
            ["httpx[http2,socks]>=0.27,<0.28 ; python_full_version >= '3.9' and python_full_version < '4'"]
        );
        assert_eq!(
            read("x = [{ version = '<1', platform = 'win32' }, { version = '>=1', markers = \"sys_platform == 'linux'\" }]").unwrap(),
            ["httpx<1 ; sys_platform == 'win32'", "httpx>=1 ; (sys_platform == 'linux')"]
        );
        assert_eq!(
            read("x = { version = '*', optional = true }").unwrap(),
            Vec::<String>::new()
        );
        assert!(read("x = { git = 'https://x/y' }").unwrap_err().contains("`git`"));
        assert!(read("x = 1").is_err());
    }
}
