//! Packaging: what is larger than Lambda takes is told before anything is called.

use std::fs::File;

use crate::emulator::in_checkout;
use crate::world::World;

/// Makes the project a function whose zip is larger than what is sent inline.
const LARGE: &str = r#"
import zipfile
with zipfile.ZipFile("large.zip", "w") as archive:
    archive.writestr("handler.py", "def answer(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n")
    archive.writestr("noise/noise.bin", bytes(55_000_000))
    archive.writestr("quiet/quiet.bin", bytes(1_000_000))
"#;

fn large(world: &World) {
    world.manifest_hello();
    world.replace("stagewright.yaml", "code: src", "code: large.zip");
    let made = world
        .command(&in_checkout(".env/bin/python"))
        .args(["-c", LARGE])
        .status();
    assert!(made.expect("Python runs").success());
}

/// A file that has a size and takes no room.
fn hollow(world: &World, package: &str, megabytes: u64) {
    world.write(&format!("vendor/{package}/__init__.py"), "");
    let path = world.project().join(format!("vendor/{package}/zeros.bin"));
    let file = File::create(path).expect("a file");
    file.set_len(megabytes * 1_000_000).expect("a size");
}

#[test]
fn what_is_too_large_unzipped_is_told_with_the_five_largest_packages() {
    let world = World::new();
    world.chalice_hello();
    for (package, megabytes) in [("a", 20), ("b", 90), ("c", 70), ("d", 40), ("e", 30), ("f", 50)] {
        hollow(&world, package, megabytes);
    }
    let run = world.run(&["deploy"]).ended_with(2).saying(&[
        "262144000 is the limit",
        "90.0 MB  b/",
        "70.0 MB  c/",
        "50.0 MB  f/",
        "40.0 MB  d/",
        "30.0 MB  e/",
    ]);
    assert!(!run.stderr.contains("20.0 MB  a/"), "{}", run.stderr);
    assert_eq!(world.calls().into_iter().filter(|call| call.mutates).count(), 0);
}

#[test]
fn a_large_zip_goes_through_the_bucket_of_the_states() {
    let world = World::new();
    large(&world);
    let url = world.run(&["deploy"]).succeeded().last_word();
    assert_eq!(world.get(&url).status, 200);
    let puts = world
        .calls()
        .into_iter()
        .filter(|call| call.operation == "PutObject" && call.target.ends_with(".zip"));
    assert_eq!(puts.count(), 1);
}

#[test]
fn without_a_bucket_a_large_zip_is_one_error_that_says_what_to_do() {
    let world = World::with_folder_state();
    large(&world);
    let told = [
        "as a zip that is sent inline",
        "52428800 is the limit",
        "55.0 MB  noise/",
        "S3 bucket for `state`",
    ];
    let run = world.run(&["deploy"]).ended_with(2).saying(&told);
    assert_eq!(run.stderr.matches("error:").count(), 1, "{}", run.stderr);
    assert_eq!(world.mutations(), Vec::<String>::new());
    let record = world.project().join(".chalice/deployed/dev.json");
    assert!(!record.exists(), "a stage was recorded that there never was");
}
