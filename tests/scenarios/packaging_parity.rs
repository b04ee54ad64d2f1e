//! Packaging: the same files in the zip as Chalice puts there, and the same bytes wherever it is made.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::emulator::in_checkout;
use crate::world::World;

/// Prints what is in a zip: each file's mode and digest by its name.
const ENTRIES: &str = r#"
import hashlib, json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
print(json.dumps({
    entry.filename: ["x" if entry.external_attr >> 16 & 0o111 else "-", hashlib.sha256(archive.read(entry)).hexdigest()]
    for entry in archive.infolist() if not entry.is_dir()
}))
"#;

/// What installers write about an installation.
const BOOKKEEPING: [&str; 4] = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];

fn entries(zip: &Path) -> BTreeMap<String, Value> {
    let listed = Command::new(in_checkout(".env/bin/python"))
        .args(["-c", ENTRIES])
        .arg(zip)
        .output()
        .expect("Python runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    serde_json::from_slice(&listed.stdout).expect("JSON")
}

/// The entries but for bookkeeping and bytecode.
fn meant(entries: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let is_meant = |name: &String| {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let is_bookkeeping = folder.ends_with(".dist-info") && BOOKKEEPING.contains(&file);
        !is_bookkeeping && !name.contains("__pycache__")
    };
    entries.into_iter().filter(|(name, _)| is_meant(name)).collect()
}

/// The one zip that was deployed.
fn deployed(world: &World) -> Vec<u8> {
    let objects = world.aws()["objects"].clone();
    let objects = objects.to_string();
    let at = objects.find(".zip\"").unwrap_or_else(|| panic!("no zip in {objects}"));
    let key = objects[..at].rsplit('"').next().expect("a key");
    let key = key.strip_prefix("deploys/").unwrap_or(key);
    let answer = world.object(&format!("{key}.zip"));
    assert_eq!(answer.status, 200, "{key}");
    answer.body
}

fn fill(world: &World) {
    world.chalice_hello();
    world.write(
        "requirements.txt",
        "-r base.txt\n# by its source alone\ndocopt==0.6.2\n",
    );
    world.write(
        "base.txt",
        "requests[socks]==2.32.3 ; python_version >= '3.8'\npyyaml==6.0.2\n-c pins.txt\n",
    );
    world.write(
        "pins.txt",
        "idna==3.10\ncharset-normalizer==3.4.0\nurllib3==2.2.3\ncertifi==2024.8.30\nPySocks==1.7.1\n",
    );
    world.write("chalicelib/__init__.py", "");
    world.write("chalicelib/deep/data.json", "{}");
    world.write("chalicelib/.hidden", "dots are no reason");
    world.write("chalicelib/tests/test_it.py", "import pytest\n");
    world.write("vendor/vendored/__init__.py", "VENDORED = 1\n");
    world.write("vendor/single.py", "SINGLE = 1\n");
    world.write("vendor/tool.sh", "#!/bin/sh\n");
    // What is vendored wins over what is required.
    world.write("vendor/docopt.py", "__version__ = 'ours'\n");
    let tool = world.project().join("vendor/tool.sh");
    fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).expect("a mode");
    world.write("beside.py", "NOT_PACKAGED = 1\n");
    world.write("data/file.txt", "not packaged\n");
}

#[test]
fn the_zip_has_the_files_that_chalice_puts_into_it() {
    let world = World::new();
    fill(&world);
    let out = world.project().join("out");
    let path = out.to_str().expect("text");
    world.chalice(&["package", "--stage", "dev", path]).succeeded();
    let theirs = meant(entries(&out.join("deployment.zip")));
    fs::remove_dir_all(&out).expect("the folder is removed");

    world.deploy("dev");
    let zip = world.project().join("../ours.zip");
    fs::write(&zip, deployed(&world)).expect("the zip is written");
    let ours = entries(&zip);
    assert_eq!(meant(ours.clone()), ours, "bookkeeping or bytecode is deployed");

    // What is said of a wheel that was built from its source depends on what built it.
    let is_built = |name: &str| name.starts_with("docopt-0.6.2.dist-info/");
    let names = |entries: &BTreeMap<String, Value>| {
        let names = entries.keys().filter(|name| !is_built(name));
        names.cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&ours), names(&theirs));
    // Chalice unpacks wheels without the modes that stand in them.
    let is_own = |name: &str| ["app.py", "tool.sh", "single.py"].contains(&name) || name.starts_with("chalicelib/");
    let is_same = |name: &str, entry: &Value| {
        let theirs = &theirs[name];
        theirs[1] == entry[1] && (theirs[0] == entry[0] || !is_own(name))
    };
    let different = ours
        .iter()
        .filter(|(name, entry)| !is_built(name) && !is_same(name, entry));
    let different: Vec<_> = different.collect();
    assert!(different.is_empty(), "{different:#?}");
    assert!(ours.contains_key("vendored/__init__.py") && ours.contains_key("chalicelib/.hidden"));
    assert!(ours.contains_key("docopt.py") && !ours.contains_key("beside.py"));
}

#[test]
fn neither_umask_nor_time_nor_cache_changes_a_byte_of_the_zip() {
    let digests = [("022", "home/one"), ("077", "home/two")].map(|(umask, cache)| {
        let world = World::new();
        fill(&world);
        let old = fs::File::options()
            .append(true)
            .open(world.project().join("app.py"))
            .expect("it is there");
        if umask == "077" {
            old.set_modified(std::time::UNIX_EPOCH).expect("a time");
            world.write("chalicelib/__pycache__/deep.cpython-311.pyc", "stale");
        }
        let program = world.program();
        let mut command = world.command("sh".as_ref());
        command
            .args(["-c", &format!("umask {umask} && exec \"$0\" \"$@\"")])
            .arg(program.get_program());
        command.args(program.get_args()).arg("deploy");
        command.env(
            "XDG_CACHE_HOME",
            world.project().parent().expect("a folder").join(cache),
        );
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        world.aws()["functions"][0]["CodeSha256"].clone()
    });
    assert!(digests[0].is_string());
    assert_eq!(digests[0], digests[1]);
}
