//! What disks, networks, editors and people do to documents: sound ones are damaged at random, and shrunk to the least damage
//! that still breaks a reader.
//!
//! A reader's tests are a short run of it. A long one, by hand: `PROPTEST_CASES=100000 cargo test damaged`.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// A document, which a failed test prints as text.
#[derive(Clone)]
pub struct Document(pub Vec<u8>);

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n{}\n", String::from_utf8_lossy(&self.0))
    }
}

/// What is done to the bytes of a document.
#[derive(Debug, Clone, Copy)]
enum ToBytes {
    /// Everything after a place is lost.
    Cut(Index),
    /// One bit at a place is another.
    Flip(Index, u8),
    /// Something stands at a place that does not belong there.
    Put(Index, &'static str),
    /// Some bytes at a place are lost.
    Lose(Index, usize),
    /// Some bytes at a place stand there twice.
    Repeat(Index, usize),
}

/// What is done to a value of a document that stays well-formed.
#[derive(Debug, Clone)]
enum ToValue {
    /// Another one stands in its place.
    Replace(Value),
    /// It is gone, and its key with it.
    Remove,
    /// Its key is another.
    Rename(String),
    /// It stands below some levels of lists.
    Bury(u8),
    /// A value from elsewhere in the document stands in its place.
    Copy(Index),
}

/// How many documents a short run damages, by what one costs; a long run takes as many times more as it is told to.
pub fn cases(in_a_short_run: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig {
        // 256 is what proptest itself takes where nothing is asked for.
        cases: (asked.cases / 256).max(1) * in_a_short_run,
        failure_persistence: None,
        ..asked
    }
}

/// The bytes of one of some sound JSON documents, damaged.
pub fn bytes(sound: Vec<Value>) -> impl Strategy<Value = Document> {
    let written = |value: Value| Document(serde_json::to_vec_pretty(&value).unwrap());
    prop_oneof![
        1 => scratched(select(sound.clone()).prop_map(written)),
        3 => values(sound.clone()).prop_map(written),
        1 => scratched(values(sound).prop_map(written)),
    ]
}

/// One of some texts with damaged bytes.
pub fn texts(sound: Vec<Vec<u8>>) -> impl Strategy<Value = Document> {
    scratched(select(sound).prop_map(Document))
}

/// One of some sound documents, with damaged values.
pub fn values(sound: Vec<Value>) -> impl Strategy<Value = Value> {
    let damages = prop::collection::vec((any::<Index>(), to_value()), 1..4);
    (select(sound), damages).prop_map(|(mut document, damages)| {
        for (place, damage) in damages {
            damage_value(&mut document, place, damage);
        }
        document
    })
}

/// Documents that are too large or too deep for any honest reason, some of so many bytes.
pub fn monsters(large: usize) -> Vec<Vec<u8>> {
    let filled = |piece: &str, length: usize| piece.repeat(length / piece.len()).into_bytes();
    vec![
        vec![0; large],
        filled("0", large),
        filled("9", large),
        filled(" ", large),
        filled("[", large),
        filled("{\"a\":", large),
        [b"\"", filled("a", large).as_slice()].concat(),
        [b"{\"stagewright\": ", filled("[", 100_000).as_slice()].concat(),
        [b"1e", filled("9", 1000).as_slice()].concat(),
        filled("- ", 100_000),
        filled("? ", 100_000),
        filled("a:\n ", 100_000),
        filled("&a [*a, ", 100_000),
    ]
}

fn scratched(sound: impl Strategy<Value = Document>) -> impl Strategy<Value = Document> {
    (sound, prop::collection::vec(to_bytes(), 1..4)).prop_map(|(Document(mut bytes), damages)| {
        for damage in damages {
            damage_bytes(&mut bytes, damage);
        }
        Document(bytes)
    })
}

fn to_bytes() -> impl Strategy<Value = ToBytes> {
    let place = any::<Index>;
    let foreign = select(vec![
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "-",
        "9999999999",
        "1e999",
        "\u{feff}",
        "\u{0}",
        "\\ud800",
        "é",
        "\n",
        "\r",
        "\t",
        "  ",
        "- ",
        "# ",
        "&a ",
        "*a",
        "!!int ",
        "---\n",
        "...\n",
        "|\n",
        ">\n",
        "%YAML 9\n",
        "<<: ",
        "? ",
    ]);
    prop_oneof![
        place().prop_map(ToBytes::Cut),
        (place(), 0..8u8).prop_map(|(place, bit)| ToBytes::Flip(place, bit)),
        (place(), foreign).prop_map(|(place, text)| ToBytes::Put(place, text)),
        (place(), 1..40usize).prop_map(|(place, length)| ToBytes::Lose(place, length)),
        (place(), 1..400usize).prop_map(|(place, length)| ToBytes::Repeat(place, length)),
    ]
}

fn damage_bytes(bytes: &mut Vec<u8>, damage: ToBytes) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        ToBytes::Cut(place) => bytes.truncate(place.index(length)),
        ToBytes::Flip(place, bit) => bytes[place.index(length)] ^= 1 << bit,
        ToBytes::Put(place, text) => {
            let place = place.index(length);
            bytes.splice(place..place, text.bytes());
        }
        ToBytes::Lose(place, count) => {
            let place = place.index(length);
            bytes.drain(place..length.min(place + count));
        }
        ToBytes::Repeat(place, count) => {
            let place = place.index(length);
            let again = bytes[place..length.min(place + count)].to_vec();
            bytes.splice(place..place, again);
        }
    }
}

fn to_value() -> impl Strategy<Value = ToValue> {
    prop_oneof![
        4 => junk().prop_map(ToValue::Replace),
        2 => Just(ToValue::Remove),
        1 => "[a-z_/~.$]{0,12}".prop_map(ToValue::Rename),
        1 => any::<u8>().prop_map(ToValue::Bury),
        2 => any::<Index>().prop_map(ToValue::Copy),
    ]
}

fn junk() -> impl Strategy<Value = Value> {
    let known = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(""),
        json!([]),
        json!({}),
        json!([null]),
        json!({"": null}),
        json!(0),
        json!(1),
        json!(-1),
        json!(2),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(u64::from(u32::MAX) + 1),
        json!(0.5),
        json!(-0.0),
        json!(1e308),
        json!("0"),
        json!("\u{0}"),
        json!("../.."),
        json!("x".repeat(3000)),
        json!("é\u{2028}"),
        json!({"kind": "role"}),
        json!({"kind": "planet"}),
        json!("refs/pull/0"),
        json!("9999-12-31T23:59:59Z"),
    ];
    prop_oneof![
        4 => select(known),
        1 => any::<u64>().prop_map(|number| json!(number)),
        1 => prop::num::f64::NORMAL.prop_map(|number| json!(number)),
        1 => any::<String>().prop_map(|text| json!(text)),
    ]
}

/// The ways to all values of a document, itself first.
fn pointers(value: &Value, here: &str, all: &mut Vec<String>) {
    all.push(here.to_owned());
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{here}/{index}"), all);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(field, &format!("{here}/{key}"), all);
            }
        }
    }
}

fn damage_value(document: &mut Value, place: Index, damage: ToValue) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let pointer = &all[place.index(all.len())];
    let replacement = match damage {
        ToValue::Replace(value) => value,
        ToValue::Remove => return take_out(document, pointer, None),
        ToValue::Rename(key) => return take_out(document, pointer, Some(key)),
        ToValue::Bury(levels) => {
            let buried = document.pointer(pointer).cloned().unwrap_or_default();
            // JSON of more than 128 levels is read by nobody: half of the times it is near to that.
            (0..levels / 2).fold(buried, |below, _| json!([below]))
        }
        ToValue::Copy(from) => document
            .pointer(&all[from.index(all.len())])
            .cloned()
            .unwrap_or_default(),
    };
    if let Some(value) = document.pointer_mut(pointer) {
        *value = replacement;
    }
}

/// Takes a value out of what it stands in, and puts it back under another key, if there is one.
fn take_out(document: &mut Value, pointer: &str, put_back: Option<String>) {
    let Some((above, key)) = pointer.rsplit_once('/') else {
        return;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(above) {
        Some(Value::Object(fields)) => {
            if let (Some(value), Some(key)) = (fields.remove(&key), put_back) {
                fields.insert(key, value);
            }
        }
        Some(Value::Array(items)) => {
            if let Some(index) = key.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
    }
}
