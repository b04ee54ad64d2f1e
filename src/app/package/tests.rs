//! The same source gives the same zip; what cannot go into a function is told.

#![expect(
    clippy::disallowed_methods,
    reason = "a test may leave half a file in its own folder"
)]

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;
use crate::app::{Part, Reach};

fn file(folder: &Path, path: &str, text: &str) -> PathBuf {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn of(from: PathBuf, into: &str) -> Source {
    let into = into.to_owned();
    Source {
        build: None,
        code: Code::Parts(vec![Part {
            from,
            into,
            reach: Reach::Anywhere,
        }]),
    }
}

fn path_only() -> BTreeMap<String, String> {
    BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())])
}

async fn made(source: &Source, into: &Path) -> Result<Artifact, Error> {
    package("api", source, into, &path_only()).await
}

/// Names and modes of a zip's entries.
fn listed(artifact: &Artifact) -> Vec<(String, u32)> {
    let mut zip = ZipArchive::new(File::open(&artifact.path).unwrap()).unwrap();
    let entry = |zip: &mut ZipArchive<File>, index| {
        let entry = zip.by_index(index).unwrap();
        (entry.name().unwrap().into_owned(), entry.unix_mode().unwrap() & 0o777)
    };
    (0..zip.len()).map(|index| entry(&mut zip, index)).collect()
}

fn names(artifact: &Artifact) -> Vec<String> {
    listed(artifact).into_iter().map(|(name, _)| name).collect()
}

async fn flaw_of(source: &Source) -> String {
    let into = tempfile::tempdir().unwrap();
    match made(source, into.path()).await {
        Err(Error::Findings(findings)) => findings[0].to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_trees_of_the_same_content_give_the_same_zip() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for path in ["b.py", "a/c.py", "a.py"] {
        mode(&file(one.path(), path, path), 0o600);
    }
    for path in ["a.py", "b.py", "a/c.py"] {
        mode(&file(two.path(), path, path), 0o664);
    }
    mode(&file(one.path(), "run", ""), 0o700);
    mode(&file(two.path(), "run", ""), 0o775);
    let past = std::time::SystemTime::UNIX_EPOCH;
    File::open(two.path().join("a.py")).unwrap().set_modified(past).unwrap();
    file(two.path(), "__pycache__/a.cpython-311.pyc", "junk");
    file(two.path(), "a/c.pyc", "junk");
    file(two.path(), ".DS_Store", "junk");
    file(two.path(), ".git/config", "token");
    file(two.path(), ".stagewright/deployed/dev.json", "{}");

    let into = tempfile::tempdir().unwrap();
    let first = made(&of(one.path().to_owned(), ""), into.path()).await.unwrap();
    let second = made(&of(two.path().to_owned(), ""), into.path()).await.unwrap();
    assert_eq!(first, second);
    let expected = [("a.py", 0o644), ("a/c.py", 0o644), ("b.py", 0o644), ("run", 0o755)];
    assert_eq!(listed(&first), expected.map(|(name, mode)| (name.to_owned(), mode)));
    assert_eq!(first.path, into.path().join(format!("{}.zip", first.sha256)));
    assert_eq!(first.size_bytes, first.path.metadata().unwrap().len());
    // Known on every machine: another one here means that all functions are uploaded anew.
    assert_eq!(
        first.sha256,
        "d18fee7224c90cd133618cba685d959a8f294408d99394200d7ee74350eb33e3"
    );
}

#[tokio::test]
async fn a_changed_byte_or_name_or_mode_gives_another_zip() {
    let folder = tempfile::tempdir().unwrap();
    let into = tempfile::tempdir().unwrap();
    let source = of(folder.path().to_owned(), "");
    let path = file(folder.path(), "a.py", "1");
    let mut digests = vec![made(&source, into.path()).await.unwrap().sha256];
    file(folder.path(), "a.py", "2");
    digests.push(made(&source, into.path()).await.unwrap().sha256);
    mode(&path, 0o755);
    digests.push(made(&source, into.path()).await.unwrap().sha256);
    std::fs::rename(&path, folder.path().join("b.py")).unwrap();
    digests.push(made(&source, into.path()).await.unwrap().sha256);
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 4);
}

#[tokio::test]
async fn a_file_for_a_native_runtime_is_a_program_called_bootstrap() {
    let folder = tempfile::tempdir().unwrap();
    let server = file(folder.path(), "server", "binary");
    let artifact = made(&of(server.clone(), "bootstrap"), folder.path()).await.unwrap();
    assert_eq!(listed(&artifact), [("bootstrap".to_owned(), 0o755)]);
    let artifact = made(&of(server, ""), folder.path()).await.unwrap();
    assert_eq!(listed(&artifact), [("server".to_owned(), 0o644)]);
}

#[tokio::test]
async fn later_parts_win_and_stand_where_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "vendor/a.py", "vendored");
    file(folder.path(), "lib/b.py", "");
    let app = file(folder.path(), "app.py", "");
    let part = |from: PathBuf, into: &str| Part {
        from,
        into: into.to_owned(),
        reach: Reach::Anywhere,
    };
    let source = Source {
        build: None,
        code: Code::Parts(vec![
            part(folder.path().join("vendor"), ""),
            part(folder.path().join("lib"), "chalicelib/"),
            part(app, "a.py"),
        ]),
    };
    let artifact = made(&source, &folder.path().join("out")).await.unwrap();
    assert_eq!(names(&artifact), ["a.py", "chalicelib/b.py"]);
    let mut zip = ZipArchive::new(File::open(&artifact.path).unwrap()).unwrap();
    assert_eq!(zip.by_name("a.py").unwrap().size(), 0);
}

#[tokio::test]
async fn our_own_folder_for_zips_is_no_part_of_the_code() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a.py", "");
    let source = of(folder.path().to_owned(), "");
    let into = folder.path().join("zips");
    let first = made(&source, &into).await.unwrap();
    assert_eq!(made(&source, &into).await.unwrap(), first);
    assert_eq!(names(&first), ["a.py"]);
}

#[tokio::test]
async fn a_link_within_the_project_is_followed() {
    let project = tempfile::tempdir().unwrap();
    file(project.path(), "stagewright.yaml", "");
    file(project.path(), "shared/b.py", "");
    file(project.path(), "src/a.py", "");
    symlink("../shared", project.path().join("src/lib")).unwrap();
    symlink("a.py", project.path().join("src/c.py")).unwrap();
    let artifact = made(&of(project.path().join("src"), ""), &project.path().join("out")).await;
    assert_eq!(names(&artifact.unwrap()), ["a.py", "c.py", "lib/b.py"]);
}

#[tokio::test]
async fn a_link_that_leaves_the_project_or_leads_into_git_is_refused() {
    let project = tempfile::tempdir().unwrap();
    file(project.path(), ".git/config", "token");
    file(project.path(), "src/a.py", "");
    let link = project.path().join("src/link");
    let source = of(project.path().join("src"), "");
    for (target, why) in [
        ("/etc/hostname", "a link to `/etc/hostname`, outside of the project"),
        ("/etc", "outside of the project"),
        ("../.git/config", "a link into `.git`"),
        ("nowhere", "a link to nothing"),
        ("../src", "in which it lies itself"),
    ] {
        symlink(target, &link).unwrap();
        let told = flaw_of(&source).await;
        assert!(told.contains("src/link") && told.contains(why), "{target}: {told}");
        std::fs::remove_file(&link).unwrap();
    }
}

#[tokio::test]
async fn what_is_taken_by_its_name_alone_is_a_link_like_any_other() {
    let project = tempfile::tempdir().unwrap();
    let app = project.path().join("app");
    file(project.path(), ".git/config", "token");
    file(project.path(), "shared/a.py", "");
    file(&app, ".chalice/config.json", "{}");
    let link = app.join("chalicelib");
    let mut source = of(link.clone(), "chalicelib/");
    if let Code::Parts(parts) = &mut source.code {
        parts[0].reach = Reach::Project(app.clone());
    }
    for (target, why) in [
        ("/etc", "chalicelib: is a link to `/etc`, outside of the project"),
        ("/etc/hostname", "outside of the project"),
        ("../.git", "a link into `.git`"),
    ] {
        symlink(target, &link).unwrap();
        let told = flaw_of(&source).await;
        assert!(told.contains(why), "{target}: {told}");
        std::fs::remove_file(&link).unwrap();
    }
    symlink("../shared", &link).unwrap();
    let artifact = made(&source, &project.path().join("out")).await.unwrap();
    assert_eq!(names(&artifact), ["chalicelib/a.py"]);
}

#[tokio::test]
async fn code_that_is_missing_or_empty_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = flaw_of(&of(folder.path().join("src"), "")).await;
    assert!(missing.ends_with("src: does not exist"), "{missing}");
    let empty = flaw_of(&of(folder.path().to_owned(), "")).await;
    assert!(empty.ends_with(": has no file in it"), "{empty}");
}

#[tokio::test]
async fn a_name_that_is_not_utf8_is_told() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.py");
    File::create(folder.path().join(name)).unwrap();
    let told = flaw_of(&of(folder.path().to_owned(), "")).await;
    assert!(told.contains("has a name that is not UTF-8"), "{told}");
}

#[tokio::test]
async fn a_zip_of_the_users_is_taken_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.zip");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    zip.start_file("z.py", SimpleFileOptions::default()).unwrap();
    zip.write_all(b"1").unwrap();
    zip.finish().unwrap();
    let source = Source {
        build: None,
        code: Code::Zip(path.clone()),
    };
    let artifact = made(&source, &folder.path().join("out")).await.unwrap();
    assert_eq!(std::fs::read(&artifact.path).unwrap(), std::fs::read(&path).unwrap());
    assert!(fits_inline("api", &artifact).is_ok());
    let far = Artifact {
        size_bytes: INLINE_BYTES + 1,
        ..artifact
    };
    assert!(matches!(
        fits_inline("api", &far),
        Err(Error::Size {
            limit_bytes: INLINE_BYTES,
            ..
        })
    ));
    file(folder.path(), "mine.zip", "no zip");
    let told = flaw_of(&source).await;
    assert!(told.contains("mine.zip: is not a zip"), "{told}");
}

#[tokio::test]
async fn a_package_that_lambda_would_refuse_names_its_largest_parts() {
    let folder = tempfile::tempdir().unwrap();
    let sparse = |path: &str, megabytes: u64| {
        let path = file(folder.path(), path, "");
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(megabytes << 20)
            .unwrap();
    };
    sparse("numpy/a.so", 100);
    sparse("numpy/b.so", 60);
    sparse("model.bin", 120);
    file(folder.path(), "app.py", "x");
    let error = made(&of(folder.path().to_owned(), ""), folder.path())
        .await
        .unwrap_err();
    let Error::Size {
        size_bytes, largest, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(size_bytes, (280 << 20) + 1);
    let expected = [("numpy/", 160 << 20), ("model.bin", 120 << 20), ("app.py", 1)];
    assert_eq!(largest, expected.map(|(name, size)| (name.to_owned(), size)));
}

fn built(folder: &Path, command: &str) -> Source {
    Source {
        build: Some(Build {
            command: command.to_owned(),
            folder: folder.to_owned(),
        }),
        ..of(folder.join("out"), "")
    }
}

#[tokio::test]
async fn a_build_runs_in_its_folder_and_sees_only_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let source = built(folder.path(), "mkdir out && env > out/env && pwd > out/pwd");
    let artifact = made(&source, &folder.path().join("zips")).await.unwrap();
    assert_eq!(names(&artifact), ["env", "pwd"]);
    let seen = std::fs::read_to_string(folder.path().join("out/env")).unwrap();
    let leaked: Vec<_> = seen
        .lines()
        .filter(|line| {
            !["PATH=", "PWD=", "OLDPWD=", "SHLVL=", "_="]
                .iter()
                .any(|known| line.starts_with(known))
        })
        .collect();
    assert!(leaked.is_empty(), "{leaked:?}");
}

#[tokio::test]
async fn a_build_that_fails_shows_what_it_wrote_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let source = built(folder.path(), "echo one; echo two >&2; echo three; exit 3");
    let error = made(&source, &folder.path().join("zips")).await.unwrap_err();
    let Error::Command { status, output, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(status, "exit status: 3");
    assert_eq!(output, "one\ntwo\nthree\n");
}

#[tokio::test]
async fn what_a_build_leaves_running_ends_with_it() {
    for end in ["exit 0", "exit 3", "sleep 60"] {
        let folder = tempfile::tempdir().unwrap();
        let command = format!("mkdir -p out; touch out/a; sleep 60 & echo $! > left; {end}");
        let source = built(folder.path(), &command);
        let zips = folder.path().join("zips");
        let making = made(&source, &zips);
        let ended = tokio::time::timeout(std::time::Duration::from_millis(500), making).await;
        assert_eq!(ended.is_err(), end == "sleep 60", "{end}");
        let left = std::fs::read_to_string(folder.path().join("left")).unwrap();
        let is_gone = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", left.trim())).unwrap_or_default();
            status.is_empty() || status.contains("State:\tZ")
        };
        // A killed process takes its time to go.
        let gone = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            is_gone()
        });
        assert!(gone, "{end}");
    }
}

#[test]
fn a_build_sees_where_tools_are_and_no_secrets() {
    for (name, value) in [
        ("PATH", "/bin"),
        ("CI", "true"),
        ("GOFLAGS", "-mod=vendor"),
        ("CGO_ENABLED", "0"),
        ("PIP_INDEX_URL", "https://pypi.example.com/simple"),
        ("https_proxy", "http://proxy:3128"),
    ] {
        assert!(sees(name, value), "{name}");
    }
    for (name, value) in [
        ("NPM_CONFIG__AUTH", "x"),
        ("npm_config__authToken", "x"),
        ("GOOGLE_GHA_CREDS_PATH", "/x.json"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/x.json"),
        ("AWS_REGION", "eu-west-1"),
        ("GITHUB_TOKEN", "x"),
        ("MAVEN_GPG_PASSPHRASE", "x"),
        ("PIP_INDEX_URL", "https://me:secret@pypi.example.com/simple"),
        ("HTTPS_PROXY", "http://me:p@ss@proxy:3128"),
        (
            "PIP_EXTRA_INDEX_URL",
            "https://a.example.com https://me:x@b.example.com",
        ),
    ] {
        assert!(!sees(name, value), "{name}={value}");
    }
}
