//! A JSON document that remembers where each value stands, so that a finding about it can point there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The way to a value: the keys and indexes from the top, each behind a `/`.
pub type Pointer = String;

/// A parsed JSON text and the places of what is in it.
#[derive(Debug, Clone)]
pub struct Document {
    /// The parsed value.
    pub value: Value,
    places: BTreeMap<Pointer, usize>,
    repeated: Vec<(String, usize)>,
    text: String,
}

/// A JSON text that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Line and column, counted from 1.
    pub place: (usize, usize),
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl Document {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// [`Broken`] where it is no JSON.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let text = without_mark(text);
        let value = serde_json::from_str(text).map_err(|error| broken(text, &error))?;
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
            places: BTreeMap::new(),
            repeated: Vec::new(),
        };
        reader.value("");
        Ok(Self {
            value,
            places: reader.places,
            repeated: reader.repeated,
            text: text.to_owned(),
        })
    }

    /// Line and column, counted from 1, of the key (or of the item of a list) that a pointer leads to; of the nearest
    /// one above it where nothing stands there.
    pub fn place(&self, pointer: &str) -> (usize, usize) {
        let mut pointer = pointer;
        let offset = loop {
            match (self.places.get(pointer), pointer.rsplit_once('/')) {
                (Some(offset), _) => break *offset,
                (None, Some((above, _))) => pointer = above,
                (None, None) => break 0,
            }
        };
        self.line_and_column(offset)
    }

    /// Keys that stand in an object already, each with line and column, counted from 1.
    pub fn repeated(&self) -> Vec<(&str, (usize, usize))> {
        let repeated = self.repeated.iter();
        repeated
            .map(|(key, offset)| (key.as_str(), self.line_and_column(*offset)))
            .collect()
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

/// A text without the byte order mark that some editors put in front of it.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn broken(text: &str, error: &serde_json::Error) -> Broken {
    let place = (error.line().max(1), error.column().max(1));
    let line = text.lines().nth(place.0 - 1).unwrap_or_default().as_bytes();
    // serde_json counts bytes.
    let is_comment = matches!(line.get(place.1 - 1), Some(b'/' | b'#'));
    Broken {
        place,
        message: match error.to_string().rsplit_once(" at line ") {
            _ if is_comment => "it has a comment".to_owned(),
            Some((message, _)) => message.to_owned(),
            None => error.to_string(),
        },
        hint: is_comment.then_some("take the comment out: JSON has none, and Chalice itself would refuse the file"),
    }
}

/// Appends a key to a pointer.
pub fn below(pointer: &str, key: &str) -> Pointer {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Walks over a text that is known to be JSON.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    places: BTreeMap<Pointer, usize>,
    repeated: Vec<(String, usize)>,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn value(&mut self, pointer: &str) {
        let first = self.peek();
        self.places.entry(pointer.to_owned()).or_insert(self.at);
        let mut keys = BTreeSet::new();
        match first {
            Some(b'{') => self.items(b'}', |reader, _| {
                reader.peek();
                let start = reader.at;
                let key = reader.string();
                let pointer = below(pointer, &key);
                // The last of two equal keys is the one that counts.
                reader.places.insert(pointer.clone(), start);
                if !keys.insert(key.clone()) {
                    reader.repeated.push((key, start));
                }
                reader.peek();
                reader.at += 1;
                reader.value(&pointer);
            }),
            Some(b'[') => self.items(b']', |reader, index| reader.value(&below(pointer, &index.to_string()))),
            Some(b'"') => {
                self.string();
            }
            Some(_) => {
                let ends = |c: &u8| c.is_ascii_whitespace() || matches!(c, b',' | b']' | b'}');
                let rest = &self.text[self.at..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
            None => {}
        }
    }

    fn items(&mut self, end: u8, mut item: impl FnMut(&mut Self, usize)) {
        self.at += 1;
        let mut index = 0;
        while let Some(next) = self.peek() {
            if next == end {
                self.at += 1;
                return;
            }
            if next == b',' {
                self.at += 1;
            }
            item(self, index);
            index += 1;
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let literal = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(literal).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"a\": {\"b\\\"c\": [1, {\"d\": true}]},\n  \"é\": 2, \"x/y\": null\n}\n";

    #[test]
    fn every_key_and_item_has_its_place() {
        let document = Document::parse(TEXT).unwrap();
        assert_eq!(document.place("/a"), (2, 3));
        assert_eq!(document.place("/a/b\"c"), (2, 9));
        assert_eq!(document.place("/a/b\"c/0"), (2, 18));
        assert_eq!(document.place("/a/b\"c/1/d"), (2, 22));
        assert_eq!(document.place(&below("", "x/y")), (3, 11));
    }

    #[test]
    fn what_does_not_stand_there_has_the_place_of_what_is_above_it() {
        let document = Document::parse(TEXT).unwrap();
        assert_eq!(document.place("/a/absent/deep"), (2, 3));
        assert_eq!(document.place("/absent"), (1, 1));
    }

    #[test]
    fn a_key_that_stands_twice_in_one_object_has_the_place_of_the_second() {
        let document =
            Document::parse("{\n  \"a\": {\"b\": 1},\n  \"c\": {\"b\": 1},\n  \"a\": {\"b\": 2}\n}").unwrap();
        assert_eq!(document.repeated(), [("a", (4, 3))]);
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let broken = Document::parse("{\n  \"a\": 1,\n}").unwrap_err();
        assert_eq!(broken.place, (3, 1));
        assert_eq!(broken.message, "trailing comma");
    }

    #[test]
    fn a_byte_order_mark_is_taken_and_a_comment_is_called_one() {
        let marked = Document::parse("\u{feff}{\"a\": 1}").unwrap();
        assert_eq!(marked.place("/a"), (1, 2));
        for text in [
            "// x\n{}",
            "{\n  # x\n}",
            "{\"a\": 1, // x\n \"b\": 2}",
            "{\"a\": /* x */ 1}",
            "{} // x",
            "{\"a\": 1 // x\n}",
        ] {
            let broken = Document::parse(text).unwrap_err();
            assert_eq!(broken.message, "it has a comment", "{text}");
        }
        assert!(Document::parse("{\"a\": ?}").unwrap_err().hint.is_none());
    }
}
