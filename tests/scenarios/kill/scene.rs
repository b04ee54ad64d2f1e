//! What stands, and what is wished for: an app in four versions, and the runs that something befalls.

use std::process::Command;

use crate::world::{Account, Run, World};

/// What the app is in one version: its functions, each behind a route of its own, and what the one at `/` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    First,
    Second,
    OtherCode,
    FewerRoutes,
}

impl Version {
    pub(super) const ALL: [Self; 4] = [Self::First, Self::Second, Self::OtherCode, Self::FewerRoutes];

    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::OtherCode => "other-code",
            Self::FewerRoutes => "fewer-routes",
        }
    }

    /// The functions beside the one at `/`.
    pub(super) fn others(self) -> &'static [&'static str] {
        match self {
            Self::First | Self::OtherCode => &["mail", "shop", "old"],
            Self::Second => &["mail", "shop", "new"],
            Self::FewerRoutes => &["mail", "shop"],
        }
    }

    pub(super) fn write(self, world: &World) {
        let at = |path: &str| format!("{}/{path}", self.folder());
        let names = || std::iter::once("api").chain(self.others().iter().copied());
        let function = |name: &str| {
            let code = if name == "api" { "api" } else { "rest" };
            format!("  {name}: {{ runtime: python3.11, handler: handler.answer, code: {code} }}\n")
        };
        let route = |name: &str| format!("  GET /{}: {name}\n", if name == "api" { "" } else { name });
        let functions: String = names().map(function).collect();
        let routes: String = names().map(route).collect();
        world.write(
            &at("stagewright.yaml"),
            &format!("app: sweep\nfunctions:\n{functions}routes:\n{routes}"),
        );
        let says = |text: &str| {
            format!("def answer(event, context):\n    return {{\"statusCode\": 200, \"body\": \"{text}\"}}\n")
        };
        world.write(&at("api/handler.py"), &says(self.folder()));
        world.write(&at("rest/handler.py"), &says("the rest"));
    }
}

/// What a run is to do to the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    Deploy(Version),
    Destroy,
}

impl Wish {
    pub(super) fn command(self, account: &Account<'_>) -> Command {
        let (folder, arguments): (_, &[&str]) = match self {
            Self::Deploy(version) => (version.folder(), &["deploy", "--stage", "dev"]),
            Self::Destroy => (Version::First.folder(), &["destroy", "--stage", "dev", "--yes"]),
        };
        let mut command = account.program(folder);
        command.args(arguments);
        command
    }

    pub(super) fn run(self, account: &Account<'_>) -> Run {
        Run::from(self.command(account).output().expect("the program runs"))
    }
}

/// What happens to a stage that something befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scene {
    FirstDeploy,
    Update,
    Destroy,
}

impl Scene {
    pub(super) const ALL: [Self; 3] = [Self::FirstDeploy, Self::Update, Self::Destroy];

    pub(super) fn before(self) -> Option<Wish> {
        match self {
            Self::FirstDeploy => None,
            Self::Update | Self::Destroy => Some(Wish::Deploy(Version::First)),
        }
    }

    pub(super) fn wish(self) -> Wish {
        match self {
            Self::FirstDeploy => Wish::Deploy(Version::First),
            Self::Update => Wish::Deploy(Version::Second),
            Self::Destroy => Wish::Destroy,
        }
    }

    pub(super) fn other_wishes(self) -> [Wish; 3] {
        let last = match self {
            Self::FirstDeploy | Self::Update => Wish::Destroy,
            Self::Destroy => Wish::Deploy(Version::First),
        };
        [
            Wish::Deploy(Version::OtherCode),
            Wish::Deploy(Version::FewerRoutes),
            last,
        ]
    }
}
