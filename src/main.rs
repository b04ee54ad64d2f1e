//! Stagewright: a team's git branches become running stages on AWS.

mod app;
mod apply;
mod aws;
mod cli;
mod config;
mod error;
mod fault;
mod hold;
mod host;
mod names;
mod plan;
mod report;
mod resource;
mod run;
mod setup;
mod stage;
mod state;
mod stop;
mod timeline;
mod variable;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::app::python::Resolution;
use crate::aws::pool::Pool;
use crate::aws::{Access, Clients, Tell};
use crate::cli::{Anew, Cli, Command, Record, Use};
use crate::config::state_url::StateUrl;
use crate::error::Failure;
use crate::host::github::GitHub;
use crate::host::terminal::{self, Form, Terminal};
use crate::host::{Host, Ink};
use crate::names::{AppName, Timestamp};
use crate::report::timings::{self, Weight};
use crate::resource::{Cloud, aws::Aws};
use crate::run::Session;
use crate::run::asking::Consent;
use crate::run::deploy::Order;
use crate::run::recognised::{Reading, Recognition};
use crate::run::restore::Wanted;
use crate::run::succession::Older;
use crate::run::sweep::{Extent, Orphans, Wishes};
use crate::run::unlock::Force;
use crate::state::directory::Directory;
use crate::state::s3::Bucket;
use crate::state::store::Store;
use crate::stop::Stop;
use crate::timeline::Timeline;

fn main() -> ExitCode {
    let mut cli = Cli::read();
    let timeline = Timeline::default();
    if cli.command.is_timed() {
        timeline.keep();
    }
    log(cli.options.verbose);
    app::apart::hide();
    let variables = terminal::variables();
    let is_for_programs = cli.options.json || matches!(cli.command, Command::Ci { decide: true, .. });
    let form = if is_for_programs { Form::Json } else { Form::Text };
    let terminal = Terminal::new(form, cli.options.color);
    let host = match host(&mut cli, (terminal.clone(), &timeline), &variables) {
        Ok(host) => host,
        Err(failure) => return fail(&cli, (&terminal, &timeline), &failure),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let given = (variables, timeline.clone());
            runtime.block_on(LocalSet::new().run_until(until_stopped(&cli, &host, given)))
        }
        Err(error) => Err(Failure::outside(format!("no asynchronous runtime can be had: {error}"))),
    };
    let ended = match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&cli, (host.shown().as_ref(), &timeline), &failure),
    };
    // A run of GitHub Actions has them in its summary, and a program in its answer.
    if let (Place::Shell(shell), Form::Text) = (&host, form) {
        tell_timings(shell, &timeline);
    }
    ended
}

/// Tells where the time went, beside the result: standard output stays what it is without.
fn tell_timings(shell: &Terminal, timeline: &Timeline) {
    for (weight, line) in timings::lines(timeline) {
        match weight {
            Weight::Heading => shell.note(Ink::Good, &line),
            Weight::Awaited => shell.note(Ink::Careful, &line),
            Weight::Beside => shell.note(Ink::Faint, &line),
        }
    }
}

/// Where we run.
#[derive(Clone)]
enum Place {
    Shell(Rc<Terminal>),
    GitHub(Rc<GitHub>),
}

impl Place {
    fn shown(&self) -> Rc<dyn Host> {
        match self {
            Self::Shell(shell) => shell.clone(),
            Self::GitHub(github) => github.clone(),
        }
    }
}

/// Finds out where we run. What a workflow gave to the action stands beside the flags.
fn host(
    cli: &mut Cli,
    (shell, timeline): (Terminal, &Timeline),
    variables: &BTreeMap<String, String>,
) -> Result<Place, Failure> {
    match cli.command {
        Command::Ci { decide: false, .. } => {
            let github = GitHub::new(variables, shell, timeline.clone())?;
            if run::ci::is_timed(github.inputs())? {
                timeline.keep();
            }
            cli.options = run::ci::with_inputs(&cli.options, github.inputs())?;
            Ok(Place::GitHub(Rc::new(github)))
        }
        _ => Ok(Place::Shell(Rc::new(shell))),
    }
}

fn fail(cli: &Cli, (host, timeline): (&dyn Host, &Timeline), failure: &Failure) -> ExitCode {
    if !host.is_answered() {
        let mut answer = serde_json::json!({
            "app": cli.options.app,
            "stage": cli.command.stage(),
            "outcome": "failed",
            "error": failure.json(),
        });
        timings::add(&mut answer, timeline);
        host.answer(&answer);
    }
    host.note(Ink::Bad, &failure.text());
    ExitCode::from(failure.exit as u8)
}

/// Our environment, and where the time goes.
type Given = (BTreeMap<String, String>, Timeline);

/// Runs the command, or stops it: at once where no stage is held, else when it has given the stage back. What a command has
/// started ends with it.
async fn until_stopped(cli: &Cli, host: &Place, given: Given) -> Result<(), Failure> {
    let stop = Stop::new();
    tokio::select! {
        ended = command(cli, host, (given, stop.clone())) => ended,
        failure = signalled(&stop, host) => Err(failure),
    }
}

/// Hears SIGINT and SIGTERM. A second SIGINT does not wait, while a SIGTERM after a SIGINT does.
async fn signalled(stop: &Stop, host: &Place) -> Failure {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.request();
    if stop.is_heard() {
        interrupt.recv().await;
        return Failure::stopped();
    }
    if stop.is_holding() {
        host.shown().note(
            Ink::Careful,
            "stopping: what is running gets 5 s to end; a second Ctrl-C ends at once",
        );
        interrupt.recv().await;
        return Failure::stopped().now(
            "the stage is still held: the next run waits until this one counts as dead, and looks at what is there",
        );
    }
    Failure::stopped().now(match stop.has_held() {
        true => "what was done before is recorded; the rest was not begun",
        false => "nothing was changed",
    })
}

fn session<'a>(cli: &'a Cli, host: &Place, (variables, timeline): Given, stop: Stop) -> Session<'a> {
    Session {
        options: &cli.options,
        host: host.shown(),
        now: now(),
        began: boot_time::Instant::now(),
        identity: match host {
            Place::Shell(_) => None,
            Place::GitHub(github) => run::ci::identity(github, &variables),
        },
        environment: variables,
        pool: Pool::new(timeline.clone()),
        timeline,
        stop,
        open_store: |place, access, app| Box::pin(open_store(place, access, app)),
        open_cloud: |access, tell| Box::pin(open_cloud(access, tell)),
    }
}

async fn command(cli: &Cli, host: &Place, (given, stop): (Given, Stop)) -> Result<(), Failure> {
    let session = session(cli, host, given, stop);
    match &cli.command {
        Command::Deploy {
            stage,
            anew,
            allow_older,
            timings: _,
        } => {
            let order = Order {
                stage: &stage.name,
                reading: reading(anew),
                older: if *allow_older {
                    Older::Allowed
                } else {
                    Older::Superseded
                },
                behalf: None,
            };
            let told = match session.project() {
                Ok(project) => run::deploy::deploy(&session, &project, order).await,
                Err(failure) => Err(failure),
            };
            run::tell(&session, told)
        }
        Command::Plan { stage, anew, .. } => run::plan::plan(&session, &stage.name, reading(anew)).await,
        Command::Destroy { stage, yes, .. } => {
            run::tell(&session, run::destroy::destroy(&session, stage, consent(*yes)).await)
        }
        Command::Record(record) => recorded(&session, record).await,
        Command::Ci { .. } => match host {
            Place::GitHub(github) => Box::pin(run::ci::ci(&session, github)).await,
            Place::Shell(_) => {
                run::ci::decision(&session.environment, session.options).map(|decision| session.host.answer(&decision))
            }
        },
        Command::Url { stage } => run::url(&session, &stage.name).await,
        Command::Use(wishes) => used(&session, wishes).await,
        Command::Stages => run::stages(&session).await,
        Command::Sweep { dry_run, orphans, .. } => {
            let wishes = Wishes {
                extent: if *dry_run { Extent::Show } else { Extent::Remove },
                orphans: if *orphans { Orphans::Remove } else { Orphans::List },
            };
            run::sweep::command(&session, wishes).await
        }
        Command::Check => run::check::check(&session).await,
        Command::Doctor { bucket_policy: false } => run::doctor::doctor(&session).await,
        Command::Doctor { bucket_policy: true } => run::doctor::bucket_policy(&session),
        Command::New { name, template } => run::new(&session, name, *template),
        Command::Init(wishes) => Box::pin(run::init::init(&session, wishes)).await,
        Command::Schema => {
            run::schema(&session);
            Ok(())
        }
    }
}

async fn used(session: &Session<'_>, wishes: &Use) -> Result<(), Failure> {
    match wishes {
        Use::Invoke(wishes) => run::invoke::invoke(session, wishes).await,
        Use::Logs(wishes) => run::logs::logs(session, wishes).await,
        Use::Policy(wishes) => run::policy::policy(session, wishes).await,
    }
}

async fn recorded(session: &Session<'_>, record: &Record) -> Result<(), Failure> {
    match record {
        Record::Unlock { stage, force, yes } => {
            let force = if *force { Force::Depose } else { Force::Spare };
            run::unlock::unlock(session, stage, (force, consent(*yes))).await
        }
        Record::History { stage } => run::history::history(session, &stage.name).await,
        Record::Restore {
            stage,
            version,
            file,
            yes,
        } => match (version, file) {
            (Some(version), _) => {
                run::restore::restore(session, stage, (Wanted::Version(version), consent(*yes))).await
            }
            (None, Some(file)) => run::restore::restore(session, stage, (Wanted::File(file), consent(*yes))).await,
            (None, None) => run::restore::list(session, stage).await,
        },
    }
}

fn consent(yes: bool) -> Consent {
    if yes { Consent::Given } else { Consent::ToBeAsked }
}

fn reading(anew: &Anew) -> Reading {
    Reading {
        resolution: if anew.upgrade {
            Resolution::Upgrade
        } else {
            Resolution::Recorded
        },
        recognition: if anew.refresh {
            Recognition::Refused
        } else {
            Recognition::Trusted
        },
    }
}

async fn open_store(place: StateUrl, access: Access, app: AppName) -> Box<dyn Store> {
    match place {
        StateUrl::Bucket { bucket, prefix } => Box::new(Bucket::open(&access, bucket, &prefix, app).await),
        StateUrl::Folder(folder) => Box::new(Directory::new(folder)),
    }
}

async fn open_cloud(access: Access, tell: Tell) -> Rc<dyn Cloud> {
    Rc::new(Aws::new(Clients::open(&access, tell).await))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the clock is read, once, and passed down"
)]
fn now() -> Timestamp {
    Timestamp::new(jiff::Timestamp::now())
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    // Only our own facts: the SDK's would show what it sends.
    let ours = Targets::new().with_target("stagewright", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

#[cfg(test)]
mod damage;
