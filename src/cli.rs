//! The command line, as clap reads it.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::names::{AppName, StageName};

pub mod times;

use self::times::since;
pub use self::times::{Since, duration};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "stagewright",
    version,
    about = "Deploys an app as stages on AWS Lambda: each stage its own role, functions and REST API",
    after_help = "Exit codes: 0 done, 1 AWS or the network failed, 2 what you gave is wrong, 3 the stage is held by somebody \
                  else, 4 somebody else took the stage over from this run, 5 stopped by a signal.\n\n\
                  Start with `stagewright new hello`, then `cd hello` and `stagewright deploy`.",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub options: Options,
}

/// Whose quotas calls keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Quotas {
    /// Those of AWS
    Aws,
    /// Nobody's: AWS is an emulator
    None,
}

/// What Chalice has and we have not, a flag or a command, and what to do instead.
const CHALICE: [(&str, &str); 17] = [
    ("--profile", "set `AWS_PROFILE` instead"),
    (
        "--api-gateway-stage",
        "set `api_gateway_stage` in `.chalice/config.json` instead",
    ),
    (
        "--autogen-policy",
        "set `autogen_policy` in `.chalice/config.json` instead",
    ),
    (
        "--no-autogen-policy",
        "set `\"autogen_policy\": false` in `.chalice/config.json` instead",
    ),
    (
        "--connection-timeout",
        "leave it out: calls that take long are waited for, and what was cut off is finished by the next run",
    ),
    ("--debug", "use `-v` or `-vv` instead"),
    ("--no-debug", "leave it out: nothing is shown without `-v`"),
    ("--num-entries", "use `--lines` instead"),
    ("--include-lambda-messages", "use `--runtime-lines` instead"),
    (
        "--no-include-lambda-messages",
        "leave it out: Lambda's own lines are shown with `--runtime-lines` alone",
    ),
    ("local", "use `chalice local`: it works on the same project"),
    ("package", "use `chalice package`: it works on the same project"),
    (
        "generate-sdk",
        "use `chalice generate-sdk`: it works on the same project",
    ),
    (
        "generate-models",
        "use `chalice generate-models`: it works on the same project",
    ),
    ("generate-pipeline", "use `stagewright init` instead"),
    ("new-project", "use `stagewright new` instead"),
    ("dev", "use `stagewright plan` for `chalice dev plan`"),
];

impl Cli {
    /// Reads the command line, or ends the program with what is wrong with it.
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| with_hint(error).exit())
    }
}

/// Says what to do instead of what only Chalice has.
fn with_hint(mut error: clap::Error) -> clap::Error {
    let wrong = error
        .get(ContextKind::InvalidArg)
        .or_else(|| error.get(ContextKind::InvalidSubcommand));
    let Some(ContextValue::String(wrong)) = wrong else {
        return error;
    };
    if let Some((_, instead)) = CHALICE.iter().find(|(name, _)| name == wrong) {
        for similar in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand] {
            error.remove(similar);
        }
        let hint = ContextValue::StyledStrs(vec![(*instead).into()]);
        error.insert(ContextKind::Suggested, hint);
    }
    error
}

/// What every command takes, before or behind its name.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The folder of the app
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".",
        help_heading = "Everywhere"
    )]
    pub project_dir: PathBuf,
    /// Where state is kept: s3://bucket/prefix, or a folder [default: `state` of stagewright.yaml, else a folder of the
    /// project]
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    pub state: Option<String>,
    /// Name of the app, where no config file is at hand
    #[arg(long, global = true, value_name = "NAME", help_heading = "Everywhere")]
    pub app: Option<AppName>,
    /// ARN of the role to assume where the config names none
    #[arg(long, global = true, value_name = "ARN", help_heading = "Everywhere")]
    pub role: Option<String>,
    /// Region of a stage where the config names none [default: that of the environment]
    #[arg(long, global = true, value_name = "REGION", help_heading = "Everywhere")]
    pub region: Option<String>,
    /// How long to wait for a stage that somebody else holds: 90s, 10m; 0 fails at once
    #[arg(long, global = true, value_name = "DURATION", default_value = "10m", value_parser = duration, help_heading = "Everywhere")]
    pub wait: Duration,
    /// How printed URLs look where AWS is an emulator, for example
    /// http://127.0.0.1:4566/_aws/execute-api/{api}/{stage}/
    #[arg(
        long,
        global = true,
        value_name = "TEMPLATE",
        env = "STAGEWRIGHT_URL_TEMPLATE",
        help_heading = "Everywhere"
    )]
    pub url_template: Option<String>,
    /// Whose quotas calls keep: those of AWS, or none where AWS is an emulator
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHOSE",
        default_value = "aws",
        env = "STAGEWRIGHT_QUOTAS",
        help_heading = "Everywhere"
    )]
    pub quotas: Quotas,
    /// Print one JSON object instead of text
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Say what is done, on standard error: -v for what changes, -vv for what is looked at
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a stage what the app says: package, plan, apply, record
    Deploy {
        /// The stage; one that does not exist is made
        #[command(flatten)]
        stage: Stage,
        /// What is done anew
        #[command(flatten)]
        anew: Anew,
        /// Deploy even a commit that is older than what is deployed
        #[arg(long)]
        allow_older: bool,
        /// Whether it is told where the time went
        #[command(flatten)]
        timings: Timings,
    },
    /// Show what `deploy` would change, and why; touches nothing
    Plan {
        /// The stage
        #[command(flatten)]
        stage: Stage,
        /// What is done anew
        #[command(flatten)]
        anew: Anew,
        /// Whether it is told where the time went
        #[command(flatten)]
        timings: Timings,
    },
    /// Remove everything of a stage, from its state alone: needs no code and no build
    #[command(alias = "delete")]
    Destroy {
        /// The stage
        #[arg(long, value_name = "STAGE")]
        stage: StageName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Whether it is told where the time went
        #[command(flatten)]
        timings: Timings,
    },
    #[command(flatten)]
    Record(Record),
    /// In GitHub Actions: do what the event asks for, and tell it on the pull request
    Ci {
        /// Print only what would be done, as JSON: no network, no change
        #[arg(long)]
        decide: bool,
        /// Whether it is told where the time went
        #[command(flatten)]
        timings: Timings,
    },
    /// Print the URL of a stage, and nothing else
    Url {
        /// The stage
        #[command(flatten)]
        stage: Stage,
    },
    #[command(flatten)]
    Use(Use),
    /// List the stages of the app: URL, commit, when, by whom, and who holds them
    Stages,
    /// Remove what nobody needs any more: previews of closed pull requests, stages of branches that are gone, zips that no
    /// stage refers to. GitHub is asked by GITHUB_TOKEN and GITHUB_REPOSITORY
    Sweep {
        /// Show what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
        /// Remove, too, what bears our mark in AWS and belongs to no stage; without it that is listed
        #[arg(long)]
        orphans: bool,
        /// Whether it is told where the time went
        #[command(flatten)]
        timings: Timings,
    },
    /// Find what is wrong with config and app, for every stage, without touching AWS
    Check,
    /// Look whether everything that a deploy needs is as it should be
    ///
    /// Config, credentials, the state's store and whether it honours conditional writes, clocks, GitHub's token, stages that
    /// are held or in doubt. Changes nothing but the object `stagewright-probe` in the store. Exit codes: 0 no problem, 1 AWS
    /// or the network, 2 something to correct.
    Doctor {
        /// Print only a policy for the state's bucket, with which S3 itself refuses unconditional writes of states
        ///
        /// As JSON for `aws s3api put-bucket-policy --bucket BUCKET --policy file://policy.json`. A bucket has one policy: add
        /// these statements to it where there is one. Without a prefix in `state` they count for every `.json` of the bucket.
        #[arg(long)]
        bucket_policy: bool,
    },
    /// Make a small app that deploys as it stands
    New {
        /// Its name, and its folder's
        name: AppName,
        /// What it is made with
        #[arg(long, value_name = "TEMPLATE", default_value = "chalice")]
        template: Template,
    },
    /// Make the branches of a repository on GitHub stages: its workflow, stagewright.yaml, and the policies to give out
    Init(Init),
    /// Print the JSON Schema of stagewright.yaml, for editors
    Schema,
}

impl Command {
    /// The stage that the command is about, if it is about one.
    pub fn stage(&self) -> Option<&StageName> {
        match self {
            Self::Deploy { stage, .. } | Self::Plan { stage, .. } | Self::Url { stage } => Some(&stage.name),
            Self::Destroy { stage, .. } => Some(stage),
            Self::Record(record) => Some(record.stage()),
            Self::Use(wishes) => Some(wishes.stage()),
            Self::Ci { .. }
            | Self::Stages
            | Self::Sweep { .. }
            | Self::Check
            | Self::Doctor { .. }
            | Self::New { .. }
            | Self::Init(_)
            | Self::Schema => None,
        }
    }

    /// Whether the user wishes to know where the time goes.
    pub fn is_timed(&self) -> bool {
        match self {
            Self::Deploy { timings, .. }
            | Self::Plan { timings, .. }
            | Self::Destroy { timings, .. }
            | Self::Ci { timings, .. }
            | Self::Sweep { timings, .. } => timings.asked,
            Self::Record(_)
            | Self::Url { .. }
            | Self::Use(_)
            | Self::Stages
            | Self::Check
            | Self::Doctor { .. }
            | Self::New { .. }
            | Self::Init(_)
            | Self::Schema => false,
        }
    }
}

/// Whether it is told where the time went.
#[derive(Debug, Clone, Copy, Args)]
pub struct Timings {
    /// Tell where the time went, call by call
    #[arg(long = "timings")]
    pub asked: bool,
}

/// What is done anew, though a release has it.
#[derive(Debug, Args)]
pub struct Anew {
    /// Resolve the versions of dependencies anew, instead of those of the last release
    #[arg(long)]
    pub upgrade: bool,
    /// Read and build the app even if nothing that it is made from has changed: for one that reads the world at import
    #[arg(long)]
    pub refresh: bool,
}

/// What people do with a stage beside changing it.
#[derive(Debug, Subcommand)]
pub enum Use {
    /// Run a function of a stage once, and print what it returns, and nothing else
    ///
    /// What it is given comes from `--payload`, else from standard input, else it is `{}`. Needs `lambda:InvokeFunction`. Exit
    /// code 1 where the function raises something, which is printed on standard error.
    Invoke(Invoke),
    /// Show what the functions of a stage logged
    ///
    /// In the order of time, in UTC. Needs `logs:FilterLogEvents`.
    Logs(Logs),
    /// Print the policies of the roles that are made for the app, as JSON, without asking AWS anything
    ///
    /// Of one role its policy, of several an object with the policy of each.
    #[command(alias = "gen-policy")]
    Policy(Policy),
}

impl Use {
    fn stage(&self) -> &StageName {
        match self {
            Self::Invoke(Invoke { stage, .. })
            | Self::Logs(Logs { stage, .. })
            | Self::Policy(Policy { stage, .. }) => &stage.name,
        }
    }
}

/// What people do with the record of a stage.
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Show who holds a stage, and free it where that one is dead. Never needed: the next run does so by itself
    Unlock {
        /// The stage
        #[arg(long, value_name = "STAGE")]
        stage: StageName,
        /// Free it even if its holder lives; it stays closed for 18 s then, until that one begins nothing any more
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List the runs that changed a stage or wanted to, newest first; with -v each change
    History {
        /// The stage
        #[command(flatten)]
        stage: Stage,
    },
    /// Put a former state of a stage back, or list what there is: nothing in AWS changes before the next deploy
    Restore {
        /// The stage
        #[arg(long, value_name = "STAGE")]
        stage: StageName,
        /// A version of the state object, as the list names it
        #[arg(long, value_name = "ID", group = "wanted")]
        version: Option<String>,
        /// A file with a former state: a backup, or one from a repository
        #[arg(long, value_name = "PATH", group = "wanted")]
        file: Option<PathBuf>,
        /// Do not ask
        #[arg(long, requires = "wanted")]
        yes: bool,
    },
}

impl Record {
    fn stage(&self) -> &StageName {
        match self {
            Self::History { stage } => &stage.name,
            Self::Unlock { stage, .. } | Self::Restore { stage, .. } => stage,
        }
    }
}

/// Which stage a command is about.
#[derive(Debug, Clone, Args)]
pub struct Stage {
    /// The stage
    #[arg(long = "stage", value_name = "STAGE", default_value = "dev")]
    pub name: StageName,
}

/// Which function is run, and with what.
#[derive(Debug, Clone, Args)]
pub struct Invoke {
    /// The stage
    #[command(flatten)]
    pub stage: Stage,
    /// The function, by the name that the app gives it [default: the only one, or `api_handler`]
    #[arg(short = 'n', long = "name", value_name = "FUNCTION")]
    pub function: Option<String>,
    /// What it is given: JSON, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub payload: Option<String>,
    /// Show the last 4 KB of its log, too, on standard error
    #[arg(long)]
    pub logs: bool,
}

/// Whose logs are shown, and which part of them.
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// The stage
    #[command(flatten)]
    pub stage: Stage,
    /// A function, by the name that the app gives it; may be given several times [default: `all`]
    #[arg(short = 'n', long = "name", value_name = "FUNCTION")]
    pub functions: Vec<String>,
    /// Since when: 10m, 2h, 1d, 1w ago, or a moment like 2026-01-31T08:00Z; UTC where it names no offset
    #[arg(short, long, value_name = "WHEN", default_value = "10m", value_parser = since)]
    pub since: Since,
    /// Only the last N of these
    #[arg(long, value_name = "N")]
    pub lines: Option<usize>,
    /// Go on with what is logged from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// With the lines that Lambda itself writes: START, END, REPORT
    #[arg(long)]
    pub runtime_lines: bool,
}

/// Whose policies are shown.
#[derive(Debug, Clone, Args)]
pub struct Policy {
    /// The stage
    #[command(flatten)]
    pub stage: Stage,
    /// Only that of a role, by the name that the app gives it
    #[arg(long, value_name = "NAME")]
    pub role: Option<String>,
}

/// What a repository is set up with; what is left out is asked.
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// The repository on GitHub [default: that of the remote `origin`]
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Option<String>,
    /// ARN of the role with which stages are deployed [default: the variable STAGEWRIGHT_ROLE of the repository]
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
    /// Region of the stages [default: that of the environment]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The branch that is stage `prod` [default: the repository's default branch]
    #[arg(long, value_name = "BRANCH")]
    pub production_branch: Option<String>,
    /// The branch that is stage `beta`; `-` for none [default: `develop`, where there is one]
    #[arg(long, value_name = "BRANCH")]
    pub beta_branch: Option<String>,
    /// Make the bucket of the state: private, versioned and encrypted
    #[arg(long)]
    pub create_bucket: bool,
    /// Ask nothing: take what was found for all that is not given
    #[arg(long)]
    pub yes: bool,
    /// Write the workflow anew, even if somebody has edited it
    #[arg(long)]
    pub force: bool,
}

/// What a new app is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// AWS Chalice: routes as decorated Python functions.
    Chalice,
    /// stagewright.yaml: functions of any runtime, routes beside them.
    Manifest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_behind_the_command() {
        for line in [["stagewright", "--json", "plan"], ["stagewright", "plan", "--json"]] {
            assert!(Cli::try_parse_from(line).unwrap().options.json);
        }
    }

    #[test]
    fn the_commands_of_chalice_that_have_another_name_here_are_known() {
        let parsed = |line: &[&str]| Cli::try_parse_from(line).unwrap().command;
        let delete = parsed(&["stagewright", "delete", "--stage", "dev"]);
        assert!(matches!(delete, Command::Destroy { .. }));
        let policy = parsed(&["stagewright", "gen-policy"]);
        assert!(matches!(policy, Command::Use(Use::Policy(_))));
    }

    #[test]
    fn what_only_chalice_has_is_told_with_what_to_do_instead() {
        let told = |line: &[&str]| with_hint(Cli::try_parse_from(line).unwrap_err()).to_string();
        for (name, instead) in CHALICE {
            let said = if name.starts_with("--") {
                told(&["stagewright", "deploy", name])
            } else {
                told(&["stagewright", name])
            };
            assert_eq!(said.matches("tip: ").count(), 1, "{said}");
            assert!(said.contains(instead), "{said}");
        }
        let said = told(&["stagewright", "deploy", "--profile=work", "--stage", "prod"]);
        assert!(said.contains("set `AWS_PROFILE` instead"), "{said}");
    }
}
