//! Packaging: what of a Python project's dependencies is deployed, in which version, for how long.

use std::process::Command;

use serde_json::json;

use crate::emulator::in_checkout;
use crate::world::{Run, World};

const APP: &str = r#"
from chalice import Chalice

import swgreeting

app = Chalice(app_name="hello")


@app.route("/")
def index():
    return {"greeting": swgreeting.VERSION}
"#;

/// A Chalice project that requires the package `swgreeting`, and a folder of its wheels.
struct Greeter {
    world: World,
}

impl Greeter {
    fn new() -> Self {
        let world = World::new();
        world.chalice_hello();
        world.write("app.py", APP);
        world.write("requirements.txt", "swgreeting>=1\n");
        Self { world }
    }

    /// Publishes a version as a wheel for a platform: `any`, or one that Lambda does not have.
    fn publish(&self, version: &str, platform: &str) {
        let wheels = self.world.project().join("wheels");
        std::fs::create_dir_all(&wheels).expect("a folder");
        let script = r#"
import sys, zipfile
folder, version, platform = sys.argv[1:]
info = f"swgreeting-{version}.dist-info"
with zipfile.ZipFile(f"{folder}/swgreeting-{version}-py3-none-{platform}.whl", "w") as wheel:
    wheel.writestr("swgreeting.py", f"VERSION = '{version}'\n")
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: swgreeting\nVersion: {version}\n")
    wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-{platform}\n")
    wheel.writestr(f"{info}/RECORD", "")
"#;
        let made = Command::new(in_checkout(".env/bin/python"))
            .args(["-c", script])
            .arg(&wheels)
            .args([version, platform])
            .status();
        assert!(made.expect("Python runs").success());
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let wheels = self.world.project().join("wheels");
        self.world
            .run_with(&[("UV_FIND_LINKS", wheels.to_str().expect("text"))], arguments)
    }

    fn greeting(&self, url: &str) -> String {
        self.world.get(url).json()["greeting"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

#[test]
fn resolved_versions_are_used_again_until_an_upgrade_is_asked_for() {
    let greeter = Greeter::new();
    greeter.publish("1.0", "any");
    let url = greeter.run(&["deploy"]).succeeded().last_word();
    assert_eq!(greeter.greeting(&url), "1.0");
    let pins = &greeter.world.state("hello", "dev")["stagewright"]["release"]["pins"];
    assert_eq!(pins["requirements"], json!(["swgreeting==1.0"]));

    greeter.publish("2.0", "any");
    greeter.run(&["deploy"]).succeeded().saying(&["unchanged"]);
    assert_eq!(greeter.greeting(&url), "1.0");

    let upgraded = greeter.run(&["deploy", "--upgrade"]).succeeded().last_word();
    assert_eq!(upgraded, url);
    assert_eq!(greeter.greeting(&url), "2.0");
}

#[test]
fn a_changed_requirement_is_resolved_anew() {
    let greeter = Greeter::new();
    greeter.publish("1.0", "any");
    let url = greeter.run(&["deploy"]).succeeded().last_word();
    greeter.publish("2.0", "any");
    greeter.world.write("requirements.txt", "swgreeting>=2\n");
    greeter.run(&["deploy"]).succeeded();
    assert_eq!(greeter.greeting(&url), "2.0");
}

#[test]
fn a_package_without_a_wheel_for_lambda_is_named_and_nothing_is_deployed() {
    let greeter = Greeter::new();
    greeter.publish("1.0", "win_amd64");
    greeter.run(&["deploy"]).ended_with(2).saying(&["swgreeting", "wheel"]);
    assert_eq!(greeter.world.mutations(), Vec::<String>::new());
}

#[test]
fn a_failing_build_shows_its_output_and_deploys_nothing() {
    let world = World::new();
    world.write("main.py", "def handler(event, context):\n    return {}\n");
    let manifest = "app: hello\nfunctions:\n  api:\n    runtime: python3.11\n    handler: main.handler\n    code: .\n    \
                    build: echo the compiler is unhappy && exit 7\nroutes:\n  GET /: api\n";
    world.write("stagewright.yaml", manifest);
    world
        .run(&["deploy"])
        .ended_with(2)
        .saying(&["the compiler is unhappy", "7"]);
    assert_eq!(world.mutations(), Vec::<String>::new());
}
