//! The cache folder that scenarios share, as the projects of one machine do.
//!
//! A virtualenv with Chalice in it takes seconds to make, and is the same for most apps. What is kept there is found by a
//! digest of all that it depends on, so that no scenario meets what another one left unless it would have made the same.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::make);

/// Makes a folder that every user can read, says where it is, and removes it when its standard input ends.
const KEEPER: &str = r#"
trap '' INT
folder=$(mktemp -d) && chmod 755 "$folder" && echo "$folder"
cat
rm -rf "$folder"
"#;

/// A new folder that lasts as long as this process, and a process that outlives it to remove the folder.
struct Shared {
    folder: PathBuf,
    /// Its input ends with us.
    _keeper: Child,
}

impl Shared {
    fn make() -> Self {
        let started = Command::new("sh")
            .args(["-c", KEEPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut keeper = started.expect("a shell starts");
        let mut line = String::new();
        let stdout = keeper.stdout.take().expect("its output is a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it is");
        let folder = PathBuf::from(line.trim());
        assert!(folder.is_dir(), "no folder: {line:?}");
        Self {
            folder,
            _keeper: keeper,
        }
    }
}

/// The folder.
pub fn shared() -> &'static Path {
    &SHARED.folder
}
