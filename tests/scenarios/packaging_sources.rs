//! Packaging: which files say what a project requires, and what is done with packages that have no wheel.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::packaging_index::{Guarded, Packages};
use crate::world::World;

const APP: &str = r#"
from chalice import Chalice

import swgreeting

app = Chalice(app_name="hello")


@app.route("/")
def index():
    return {"greeting": swgreeting.VERSION}
"#;

const ANY: &str = "py3-none-any";

/// A Chalice project that says nothing of its packages yet.
fn greeter() -> World {
    let world = World::new();
    world.chalice_hello();
    world.write("app.py", APP);
    std::fs::remove_file(world.project().join("requirements.txt")).expect("it was there");
    world
}

fn require(world: &World, dependencies: &str) {
    let toml = format!("[project]\nname = \"hello\"\nversion = \"0\"\ndependencies = [\n  {dependencies}\n]\n");
    world.write("pyproject.toml", &toml);
}

fn pinned(world: &World) -> Value {
    world.state("hello", "dev")["stagewright"]["release"]["pins"]["requirements"].clone()
}

fn refused(run: crate::world::Run, world: &World, texts: &[&str]) {
    run.ended_with(2).saying(texts);
    assert_eq!(world.mutations(), Vec::<String>::new());
}

fn uv_lock(version: &str, digest: &str) -> String {
    format!(
        "version = 1\n[[package]]\nname = \"hello\"\nversion = \"0\"\nsource = {{ virtual = \".\" }}\n\
         [[package]]\nname = \"swgreeting\"\nversion = \"{version}\"\nsource = {{ registry = \"https://pypi.org/simple\" }}\n\
         wheels = [{{ url = \"https://x/swgreeting.whl\", hash = \"{digest}\" }}]\n"
    )
}

fn poetry_lock(version: &str, digest: &str) -> String {
    format!(
        "[[package]]\nname = \"swgreeting\"\nversion = \"{version}\"\ngroups = [\"main\"]\n\
         files = [{{ file = \"swgreeting.whl\", hash = \"{digest}\" }}]\n[metadata]\nlock-version = \"2.1\"\n"
    )
}

#[test]
fn packages_of_pyproject_toml_are_deployed_where_there_is_no_requirements_txt() {
    let world = greeter();
    let packages = Packages::new(&world);
    packages.wheel(("swgreeting", "1.0"), ANY, "");
    require(&world, "\"swgreeting>=1\",");
    let url = packages.run(&["deploy"]).succeeded().last_word();
    assert_eq!(world.get(&url).json(), json!({"greeting": "1.0"}));
}

#[test]
fn a_lock_holds_its_version_until_it_is_changed() {
    for file in ["uv.lock", "poetry.lock"] {
        let lock = |version, digest| match file {
            "uv.lock" => uv_lock(version, digest),
            _ => poetry_lock(version, digest),
        };
        let world = greeter();
        let packages = Packages::new(&world);
        let old = packages.wheel(("swgreeting", "1.0"), ANY, "");
        let new = packages.wheel(("swgreeting", "2.0"), ANY, "");
        require(&world, "\"swgreeting>=1\",");
        world.write(file, &lock("1.0", &old));
        packages.run(&["deploy"]).succeeded();
        assert_eq!(pinned(&world), json!(["swgreeting==1.0"]), "{file}");
        world.write(file, &lock("2.0", &new));
        packages.run(&["deploy"]).succeeded();
        assert_eq!(pinned(&world), json!(["swgreeting==2.0"]), "{file}");
    }
}

#[test]
fn a_package_that_is_not_the_one_of_the_lock_is_not_installed() {
    let world = greeter();
    let packages = Packages::new(&world);
    packages.wheel(("swgreeting", "1.0"), ANY, "");
    require(&world, "\"swgreeting\",");
    world.write("uv.lock", &uv_lock("1.0", &format!("sha256:{}", "0".repeat(64))));
    refused(packages.run(&["deploy"]), &world, &["Hash mismatch", "swgreeting==1.0"]);
}

#[test]
fn a_lock_that_does_not_fit_is_told_with_the_command_that_writes_it() {
    let world = greeter();
    let packages = Packages::new(&world);
    let digest = packages.wheel(("swgreeting", "1.0"), ANY, "");
    packages.wheel(("swgreeting", "2.0"), ANY, "");
    require(&world, "\"swgreeting>=2\",");
    world.write("poetry.lock", &poetry_lock("1.0", &digest));
    let told = ["poetry.lock", "does not fit `pyproject.toml`", "run `poetry lock`"];
    refused(packages.run(&["deploy"]), &world, &told);
    require(&world, "\"swgreeting>=1\", \"idna\",");
    let told = [
        "pyproject.toml:",
        "`poetry.lock` does not fit: it has no `idna`",
        "run `poetry lock`",
    ];
    refused(packages.run(&["deploy"]), &world, &told);
}

#[test]
fn extras_markers_and_constraints_count_for_lambda_and_not_for_this_machine() {
    let world = greeter();
    let packages = Packages::new(&world);
    let extra = "Provides-Extra: loud\nRequires-Dist: swshout ; extra == 'loud'\n";
    packages.wheel(("swgreeting", "1.0"), ANY, extra);
    packages.wheel(("swgreeting", "2.0"), ANY, extra);
    for name in ["swshout", "swonarm", "swonintel", "swonwindows"] {
        packages.wheel((name, "1.0"), ANY, "");
    }
    world.write("requirements.txt", "-r more/base.txt\n-c constraints.txt\n");
    let base = "swgreeting[loud]\nswonarm ; platform_machine == 'aarch64'\nswonintel ; platform_machine == 'x86_64'\n\
                swonwindows ; sys_platform == 'win32'\n";
    world.write("more/base.txt", base);
    world.write("constraints.txt", "swgreeting<2\nswonwindows==7\n");
    world.replace(".chalice/config.json", "{", "{\"lambda_architecture\": \"arm64\", ");
    packages.run(&["deploy"]).succeeded();
    assert_eq!(
        pinned(&world),
        json!(["swgreeting[loud]==1.0", "swonarm==1.0", "swshout==1.0"])
    );
}

#[test]
fn a_source_of_pure_python_is_built_and_its_code_sees_nothing_of_ours() {
    let world = greeter();
    let packages = Packages::new(&world);
    let setup = "import os, setuptools\n\
                 seen = sorted(name for name in os.environ if 'AWS' in name or 'STATE' in name or 'TOKEN' in name)\n\
                 open('swgreeting.py', 'w').write(f'VERSION = {[os.getuid() == 0, seen]!r}\\n')\n\
                 setuptools.setup(name='swgreeting', version='1.0', py_modules=['swgreeting'])\n";
    packages.source(("swgreeting", "1.0"), setup);
    world.write("requirements.txt", "swgreeting\n");
    let url = packages.run(&["deploy"]).succeeded().last_word();
    assert_eq!(world.get(&url).json(), json!({"greeting": [false, []]}));
    assert_eq!(pinned(&world), json!(["swgreeting==1.0"]));
    packages.run(&["deploy"]).succeeded().saying(&["unchanged"]);
}

#[test]
fn a_source_that_cannot_be_built_is_refused_by_name_with_what_it_said() {
    let world = greeter();
    let packages = Packages::new(&world);
    packages.source(("swgreeting", "1.0"), "raise SystemExit('a compiler is needed')\n");
    world.write("requirements.txt", "swgreeting\n");
    let told = [
        "`swgreeting==1.0` has no wheel for Lambda's Python 3.11 on x86_64",
        "a compiler is needed",
        "vendor/",
    ];
    refused(packages.run(&["deploy"]), &world, &told);
}

#[test]
fn what_is_only_for_another_architecture_is_refused_by_name() {
    let world = greeter();
    let packages = Packages::new(&world);
    packages.wheel(("swgreeting", "1.0"), "py3-none-manylinux_2_17_x86_64", "");
    world.write("requirements.txt", "swgreeting\n");
    world.replace(".chalice/config.json", "{", "{\"lambda_architecture\": \"arm64\", ");
    let told = [
        "swgreeting",
        "has no wheel for Lambda's Python 3.11 on arm64",
        "there is one for x86_64",
    ];
    refused(packages.run(&["deploy"]), &world, &told);
}

#[test]
fn a_source_that_builds_for_another_architecture_is_refused_by_name() {
    let world = greeter();
    let packages = Packages::new(&world);
    let setup = "import setuptools, sysconfig\nopen('swgreeting.py', 'w').write('VERSION = 1')\n\
                 here = sysconfig.get_platform().replace('-', '_').replace('.', '_')\n\
                 setuptools.setup(name='swgreeting', version='1.0', py_modules=['swgreeting'],\n    \
                 options={'bdist_wheel': {'plat_name': here}})\n";
    packages.source(("swgreeting", "1.0"), setup);
    world.write("requirements.txt", "swgreeting\n");
    let (here, other) = if cfg!(target_arch = "x86_64") {
        ("x86_64", "arm64")
    } else {
        (std::env::consts::ARCH, "x86_64")
    };
    let architecture = format!("{{\"lambda_architecture\": \"{other}\", ");
    world.replace(".chalice/config.json", "{", &architecture);
    let told = [
        "`swgreeting==1.0` has no wheel",
        &format!("on {other}"),
        "built here, it is for `",
        here,
    ];
    refused(packages.run(&["deploy"]), &world, &told);
}

#[test]
fn a_package_for_another_python_is_refused_with_both_versions() {
    let world = greeter();
    let packages = Packages::new(&world);
    packages.wheel(("swgreeting", "1.0"), ANY, "Requires-Python: >=3.13\n");
    world.write("requirements.txt", "# ours\nswgreeting\n");
    world.write(".python-version", "3.11\n");
    let told = [
        "requirements.txt:2:1: `swgreeting==1.0",
        "takes Python >=3.13, and the functions have Python 3.11",
    ];
    refused(packages.run(&["deploy"]), &world, &told);
    world.write(
        "pyproject.toml",
        "[project]\nname = \"hello\"\nrequires-python = \">=3.12\"\n",
    );
    let told = ["chooses Python 3.11, and `requires-python` of `pyproject.toml` is `>=3.12`"];
    refused(packages.run(&["deploy"]), &world, &told);
}

#[test]
fn a_password_in_a_wheels_url_is_nowhere_but_in_the_project() {
    let world = greeter();
    let packages = Packages::new(&world);
    packages.wheel(("swgreeting", "1.0"), ANY, "");
    let file = "swgreeting-1.0-py3-none-any.whl";
    let host = Guarded::new(
        BTreeMap::from([(file.to_owned(), packages.content(file))]),
        ["s3cr3t", "n3w-s3cr3t"],
    );
    let require = |password: &str| {
        world.write(
            "requirements.txt",
            &format!("swgreeting @ {}\n", host.url(password, file)),
        )
    };
    require("s3cr3t");
    let run = world.run(&["-vv", "deploy"]).succeeded();
    assert!(
        !format!("{}{}", run.stdout, run.stderr).contains("s3cr3t"),
        "{}",
        run.stderr
    );
    let state = world.state("hello", "dev").to_string();
    assert!(
        !state.contains("s3cr3t") && state.contains(&host.url("", file)),
        "{state}"
    );
    // Another password is another line, and the same package.
    require("n3w-s3cr3t");
    world.run(&["deploy"]).succeeded().saying(&["unchanged"]);
    require("wr0ng-s3cr3t");
    let run = world.run(&["-vv", "deploy", "--upgrade"]);
    assert!(
        run.code != 0 && !format!("{}{}", run.stdout, run.stderr).contains("s3cr3t"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_private_index_is_named_by_the_variables_of_pip_and_its_password_is_shown_nowhere() {
    let world = greeter();
    let packages = Packages::new(&world);
    packages.wheel(("swgreeting", "1.0"), ANY, "");
    let file = "swgreeting-1.0-py3-none-any.whl";
    let page = format!("<a href=\"/{file}\">{file}</a>").into_bytes();
    let files = [
        ("simple/swgreeting/".to_owned(), page),
        (file.to_owned(), packages.content(file)),
    ];
    let host = Guarded::new(BTreeMap::from(files), ["s3cr3t", "n3w-s3cr3t"]);
    world.write("requirements.txt", "swgreeting\n");
    let run = |password: &str, arguments: &[&str]| {
        let index = host.url(password, "simple");
        let run = world.run_with(&[("PIP_EXTRA_INDEX_URL", &index)], arguments);
        assert!(
            !format!("{}{}", run.stdout, run.stderr).contains("s3cr3t"),
            "{}",
            run.stderr
        );
        run
    };
    run("s3cr3t", &["-vv", "deploy"]).succeeded();
    assert!(!world.state("hello", "dev").to_string().contains("s3cr3t"));
    assert_ne!(run("wr0ng-s3cr3t", &["-vv", "deploy", "--upgrade"]).code, 0);
}
