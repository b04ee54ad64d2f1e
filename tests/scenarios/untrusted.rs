//! What a project's own code can get at while it is imported or built: not our credentials, whoever we are.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;

use crate::world::{Run, World};

/// Our credential. It is in the environment of nothing else on the machine.
const SECRET: &str = "not-for-the-code-of-a-project";

/// A user who is neither root nor the owner of anything but the project.
const OWNER: u32 = 1001;

const MANIFEST: &str = "\
app: curious
functions:
  api:
    runtime: python3.11
    handler: main.answer
    code: out
    build: sh curious.sh
";

/// Writes down who it is, whose environments it can read, and in which of them our credential stands.
const BUILD: &str = "\
mkdir -p out
id -u >user
id -G >groups
env >own
echo \"$HOME\" >home
: >\"$HOME/kept\" && : >read && : >found
for environ in /proc/[0-9]*/environ; do
    if cat \"$environ\" >one 2>/dev/null; then
        echo \"$environ\" >>read
        grep -qa not-for-the-code-of-a-project one && echo \"$environ\" >>found
    fi
done
echo heard >/dev/stderr
echo 'def answer(event, context): return {}' >out/main.py
";

const APP: &str = r#"
import glob
import os

read, found = [], []
for environ in glob.glob("/proc/[0-9]*/environ"):
    try:
        with open(environ, "rb") as file:
            text = file.read()
    except OSError:
        continue
    read.append(environ)
    if b"not-for-the-code-of-a-project" in text:
        found.append(environ)
raise RuntimeError(f"read {'some' if read else 'none'}, found {found}")
"#;

/// The capabilities that Docker leaves to root. See <https://docs.docker.com/engine/security/#linux-kernel-capabilities>.
const DOCKER: &str = "+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,\
                      +net_bind_service,+sys_chroot,+kill,+audit_write";

/// With what rights the program runs.
#[derive(Debug, Clone, Copy)]
enum Rights {
    /// Those of the tests.
    Ours,
    /// Root's as Docker gives them to a container.
    Container,
    /// No more than any user has.
    Owner,
}

/// A project of curious code, in a folder that every user can reach.
struct Curious {
    world: World,
}

impl Curious {
    fn build() -> Self {
        let world = World::with_folder_state().with_own_cache();
        world.write("stagewright.yaml", MANIFEST);
        world.write("curious.sh", BUILD);
        let curious = Self { world };
        fs::set_permissions(curious.folder(), fs::Permissions::from_mode(0o755)).expect("the folder is opened");
        curious
    }

    fn folder(&self) -> PathBuf {
        self.world.project().parent().expect("a folder").to_owned()
    }

    /// Gives the project and the home to a user.
    fn owned(self) -> Self {
        for entry in walk(self.folder()).into_iter().skip(1) {
            chown(entry, Some(OWNER), Some(OWNER)).expect("it is given away");
        }
        self
    }

    /// Plans, with the one credential that nobody is to see.
    fn plan(&self, rights: Rights) -> Run {
        let program = self.folder().join("stagewright");
        let built = env!("CARGO_BIN_EXE_stagewright");
        if !program.exists() && fs::hard_link(built, &program).is_err() {
            fs::copy(built, &program).expect("the program is copied");
        }
        let (owner, group) = (format!("--reuid={OWNER}"), format!("--regid={OWNER}"));
        let mut command = match rights {
            Rights::Ours => self.world.command(&program),
            Rights::Container => self.world.command("setpriv".as_ref()),
            Rights::Owner => self.world.command("setpriv".as_ref()),
        };
        match rights {
            Rights::Ours => &mut command,
            Rights::Container => command.arg(format!("--bounding-set=-all,{DOCKER}")).arg(&program),
            Rights::Owner => command.args([&owner, &group, "--clear-groups"]).arg(&program),
        };
        command.env("AWS_SECRET_ACCESS_KEY", SECRET);
        if self.world.project().join("curious.sh").exists() {
            command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        }
        Run::from(command.arg("plan").output().expect("the program runs"))
    }

    /// Insists that the build could look around, and found nothing.
    fn found_nothing(&self) {
        assert_ne!(
            self.world.read("read"),
            "",
            "the build could not read even its own environment"
        );
        assert_eq!(self.world.read("found"), "");
        let own = self.world.read("own");
        assert!(!own.contains("AWS_SECRET") && !own.contains(SECRET), "{own}");
    }
}

fn walk(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = vec![folder];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        if path.is_dir() {
            let entries = fs::read_dir(path).expect("a folder");
            found.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
    }
    found
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("a process").uid() == 0
}

#[test]
fn a_build_of_our_own_user_finds_our_credentials_nowhere() {
    let curious = Curious::build();
    let (curious, rights) = match is_root() {
        true => (curious.owned(), Rights::Owner),
        false => (curious, Rights::Ours),
    };
    curious.plan(rights).succeeded();
    curious.found_nothing();
}

#[test]
fn a_build_that_root_starts_runs_as_the_owner_of_the_project() {
    if !is_root() {
        return;
    }
    let curious = Curious::build().owned();
    let run = curious.plan(Rights::Ours).succeeded();
    assert!(!run.stderr.contains("root"), "{}", run.stderr);
    curious.found_nothing();
    assert_eq!(curious.world.read("user"), "1001\n");
    // The owner's group may be `docker`, whose members are as good as root.
    assert_eq!(curious.world.read("groups"), "65534\n");
    let home = curious.folder().join("home");
    assert_eq!(curious.world.read("home").trim(), home.to_str().expect("text"));
    assert!(home.join("kept").exists());
}

#[test]
fn a_build_by_another_user_has_a_home_of_its_own_where_ours_is_roots() {
    if !is_root() {
        return;
    }
    let curious = Curious::build().owned();
    chown(curious.folder().join("home"), Some(0), Some(0)).expect("the home is root's");
    curious.plan(Rights::Ours).succeeded();
    let home = PathBuf::from(curious.world.read("home").trim());
    assert_ne!(home, curious.folder().join("home"));
    assert!(!home.exists(), "the home outlived the build");
}

#[test]
fn a_build_that_fails_as_another_user_says_whose_it_was() {
    if !is_root() {
        return;
    }
    let curious = Curious::build().owned();
    curious
        .world
        .write("stagewright.yaml", &MANIFEST.replace("sh curious.sh", "touch /etc/x"));
    let says = ["Permission denied", "as user 1001, who owns", "and not as root"];
    curious.plan(Rights::Ours).ended_with(2).saying(&says);
}

#[test]
fn a_build_in_roots_own_project_is_warned_of_and_finds_nothing_in_a_container() {
    if !is_root() {
        return;
    }
    let curious = Curious::build();
    let warning = "only root can use it, so `build` runs as root and could get at our credentials";
    curious.plan(Rights::Container).succeeded().saying(&[warning, "chown"]);
    curious.found_nothing();
    assert_eq!(curious.world.read("user"), "0\n");
}

#[test]
fn an_import_finds_our_credentials_nowhere() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.write("app.py", APP);
    let rights = if is_root() { Rights::Container } else { Rights::Ours };
    Curious { world }
        .plan(rights)
        .ended_with(2)
        .saying(&["RuntimeError: read some, found []"]);
}
