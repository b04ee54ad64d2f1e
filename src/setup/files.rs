//! Files as they are in a repository, and as they should be.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::app::Error;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is new.
    Made,
    /// It was there, and says what it should.
    Unchanged,
    /// It was there, says something else, and was left as it is.
    Kept,
    /// It was there, said something else, and was written anew.
    Replaced,
}

impl Verdict {
    /// As one word, for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Unchanged => "unchanged",
            Self::Kept => "kept",
            Self::Replaced => "replaced",
        }
    }
}

/// What to do with a file that says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It stays.
    Stays,
    /// It is written anew.
    Goes,
}

/// Writes a file whole or not at all, where it is not there; what differs stays unless told otherwise.
///
/// # Errors
///
/// [`Error::File`] where it cannot be read or written.
pub fn write(path: &Path, text: &str, edited: Edited) -> Result<Verdict, Error> {
    let failed = |source: io::Error| Error::File {
        path: path.to_owned(),
        source,
    };
    let verdict = match (fs::read(path), edited) {
        (Ok(found), _) if found == text.as_bytes() => return Ok(Verdict::Unchanged),
        (Ok(_), Edited::Stays) => return Ok(Verdict::Kept),
        (Ok(_), Edited::Goes) => Verdict::Replaced,
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Verdict::Made,
        (Err(error), _) => return Err(failed(error)),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        draft.write_all(text.as_bytes())?;
        // A draft is its writer's alone, and a file of a repository is everybody's.
        fs::set_permissions(draft.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        draft.persist(path).map(drop).map_err(|error| error.error)
    };
    written().map_err(failed)?;
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_what_somebody_wrote_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/x.yml");
        assert_eq!(write(&path, "a\n", Edited::Stays).unwrap(), Verdict::Made);
        assert_eq!(write(&path, "a\n", Edited::Goes).unwrap(), Verdict::Unchanged);
        assert_eq!(write(&path, "b\n", Edited::Stays).unwrap(), Verdict::Kept);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(write(&path, "b\n", Edited::Goes).unwrap(), Verdict::Replaced);
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
