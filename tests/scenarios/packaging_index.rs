//! Package indexes of the scenarios: folders of wheels and sources that are made by hand, and one that asks who comes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::emulator::in_checkout;
use crate::world::{Run, World};

/// Makes a wheel whose one module has `VERSION`, and prints its digest.
const WHEEL: &str = r#"
import hashlib, sys, zipfile
folder, name, version, tag, more = sys.argv[1:]
info = f"{name}-{version}.dist-info"
path = f"{folder}/{name}-{version}-{tag}.whl"
files = {
    f"{name}.py": f"VERSION = '{version}'\n",
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
    f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    f"{info}/RECORD": "",
}
with zipfile.ZipFile(path, "w") as wheel:
    for file, text in files.items():
        wheel.writestr(zipfile.ZipInfo(file), text)
print("sha256:" + hashlib.sha256(open(path, "rb").read()).hexdigest())
"#;

/// Makes a source, whose `setup.py` is given.
const SOURCE: &str = r#"
import io, sys, tarfile
folder, name, version, setup = sys.argv[1:]
with tarfile.open(f"{folder}/{name}-{version}.tar.gz", "w:gz") as source:
    for file, text in {"setup.py": setup, "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n"}.items():
        entry = tarfile.TarInfo(f"{name}-{version}/{file}")
        entry.size = len(text)
        source.addfile(entry, io.BytesIO(text.encode()))
"#;

/// A folder of packages beside the project.
pub struct Packages<'a> {
    world: &'a World,
    folder: PathBuf,
}

impl<'a> Packages<'a> {
    /// An empty folder, which every user can read.
    pub fn new(world: &'a World) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let top = world.project().parent().expect("a folder").to_owned();
        let folder = top.join("packages");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::set_permissions(top, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        Self { world, folder }
    }

    /// Publishes a wheel of a tag like `py3-none-any`, with more lines of metadata; its digest is returned.
    pub fn wheel(&self, (name, version): (&str, &str), tag: &str, metadata: &str) -> String {
        self.python(WHEEL, &[name, version, tag, metadata])
    }

    /// Publishes a source alone.
    pub fn source(&self, (name, version): (&str, &str), setup: &str) {
        self.python(SOURCE, &[name, version, setup]);
    }

    /// The content of a file in the folder.
    pub fn content(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(file)).expect("the file is there")
    }

    /// Runs the program with this folder as a place of packages.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let folder = self.folder.to_str().expect("text");
        self.world.run_with(&[("UV_FIND_LINKS", folder)], arguments)
    }

    fn python(&self, script: &str, arguments: &[&str]) -> String {
        let made = Command::new(in_checkout(".env/bin/python"))
            .args(["-c", script])
            .arg(&self.folder)
            .args(arguments)
            .output()
            .expect("Python runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    }
}

/// A host of files that answers only those who give one of its passwords, until the test ends.
pub struct Guarded {
    port: u16,
}

impl Guarded {
    /// Serves files by their paths.
    pub fn new(files: BTreeMap<String, Vec<u8>>, passwords: [&'static str; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let files = Arc::new(files);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let files = Arc::clone(&files);
                std::thread::spawn(move || answer(&stream, &files, passwords));
            }
        });
        Self { port }
    }

    /// A URL with a user's password in it, or with none.
    pub fn url(&self, password: &str, path: &str) -> String {
        let user = if password.is_empty() {
            String::new()
        } else {
            format!("me:{password}@")
        };
        format!("http://{user}127.0.0.1:{}/{path}", self.port)
    }
}

/// One request, one answer.
fn answer(mut stream: &TcpStream, files: &BTreeMap<String, Vec<u8>>, passwords: [&str; 2]) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        lines.push(std::mem::take(&mut line));
    }
    let request = lines.first().cloned().unwrap_or_default();
    let path = request
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .trim_start_matches('/')
        .to_owned();
    let given = lines.iter().find_map(|line| {
        line.to_lowercase()
            .starts_with("authorization: basic ")
            .then(|| line[21..].trim().to_owned())
    });
    let is_known = given.is_some_and(|given| {
        passwords
            .iter()
            .any(|password| base64(&format!("me:{password}")) == given)
    });
    let (status, body): (&str, &[u8]) = match files.get(&path) {
        _ if !is_known => ("401 Unauthorized", b""),
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", b""),
    };
    let kind = if path.ends_with('/') {
        "text/html"
    } else {
        "application/octet-stream"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let body = if request.starts_with("HEAD") { b"" } else { body };
    // Whoever asked may be gone.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)));
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            let is_there = digit <= chunk.len();
            encoded.push(if is_there {
                char::from(DIGITS[bits >> (18 - 6 * digit) & 63])
            } else {
                '='
            });
        }
    }
    encoded
}
