//! Whether two zips hold the same files, whoever zipped them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use sha2::{Digest as _, Sha256};
use zip::ZipArchive;
use zip::result::ZipResult;

use super::UNZIPPED_BYTES;

/// What an installer writes about its own work, and not about the package.
const BOOKKEEPING: [&str; 4] = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];

/// Whether two zips hold the same files with the same bytes, but for what installers note down and for compiled Python. What
/// is no zip, or larger than a function may be, is the same as nothing.
pub fn are_same(one: &[u8], other: &[u8]) -> bool {
    match (digests(one), digests(other)) {
        (Ok(Some(one)), Ok(Some(other))) => one == other,
        (_, _) => false,
    }
}

/// The digest of each file; `None` where they are too large together.
fn digests(zip: &[u8]) -> ZipResult<Option<BTreeMap<String, [u8; 32]>>> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    let mut digests = BTreeMap::new();
    let mut rest = UNZIPPED_BYTES;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        if !counts(&name) {
            continue;
        }
        let mut bytes = Vec::new();
        // What an entry says of its size need not be true.
        let read = entry.by_ref().take(rest + 1).read_to_end(&mut bytes)?;
        match rest.checked_sub(read as u64) {
            Some(left) => rest = left,
            None => return Ok(None),
        }
        digests.insert(name, Sha256::digest(&bytes).into());
    }
    Ok(Some(digests))
}

fn counts(name: &str) -> bool {
    let mut parts = name.rsplit('/');
    let file = parts.next().unwrap_or_default();
    let is_noted = parts.next().is_some_and(|folder| folder.ends_with(".dist-info")) && BOOKKEEPING.contains(&file);
    let is_folder = file.is_empty();
    let is_compiled = name.split('/').any(|part| part == "__pycache__");
    !(is_noted || is_folder || is_compiled)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    fn zip(method: CompressionMethod, files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, text) in files {
            writer.start_file(*name, options).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn the_same_files_are_the_same_however_they_were_zipped() {
        let one = zip(CompressionMethod::Stored, &[("app.py", "1"), ("lib/a.py", "2")]);
        let other = zip(
            CompressionMethod::Deflated,
            &[
                ("lib/a.py", "2"),
                ("lib/__pycache__/a.pyc", "compiled"),
                ("app.py", "1"),
                ("a-1.0.dist-info/RECORD", "noted"),
            ],
        );
        assert!(are_same(&one, &other));
    }

    #[test]
    fn another_byte_or_another_file_is_another_content() {
        let one = zip(CompressionMethod::Stored, &[("app.py", "1")]);
        assert!(!are_same(&one, &zip(CompressionMethod::Stored, &[("app.py", "2")])));
        assert!(!are_same(
            &one,
            &zip(CompressionMethod::Stored, &[("app.py", "1"), ("RECORD", "")])
        ));
        assert!(!are_same(&one, b"no zip"));
        assert!(!are_same(b"", b""));
    }
}
