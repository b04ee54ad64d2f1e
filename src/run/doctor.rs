//! `doctor`: whether everything that a deploy needs is as it should be, and what to do where it is not.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{Session, no_app_is_known};
use crate::aws::Access;
use crate::config::Config;
use crate::config::read::state_without_config;
use crate::config::state_url::StateUrl;
use crate::error::{Exit, Failure};
use crate::fault::{Fault, FaultKind};
use crate::host::Ink;
use crate::names::{AppName, StageName, Timestamp};
use crate::report::doctor::{Finding, Verdict};
use crate::setup::{self, bucket_policy as policy};
use crate::state::lease::{self, Seen};
use crate::state::restored::former_states;
use crate::state::store::Store;
use crate::state::{self, probe, s3};

/// From which difference on two clocks are worth a remark. Nothing is decided by them, but AWS refuses signatures that are
/// a quarter of an hour off. See <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
const CLOCKS_APART: Duration = Duration::from_mins(5);

/// What is looked at, as far as it is known before anything is asked.
struct Known {
    config: Config,
    found: String,
    app: AppName,
    place: StateUrl,
    store: Box<dyn Store>,
}

/// What was found of one thing, and how the program ends for it.
type Found = (Finding, Option<Exit>);

/// Looks at everything that a deploy needs.
///
/// # Errors
///
/// Something is a problem.
pub async fn doctor(session: &Session<'_>) -> Result<(), Failure> {
    let known = match known(session).await {
        Ok(known) => known,
        Err(failure) => return tell(session, None, &[problem("config", failure)]),
    };
    let mut found = vec![
        fine(Finding::ok("config", known.found.clone())),
        fine(Finding::ok("app", listed(&known))),
        fine(Finding::ok("state", known.place.to_string())),
    ];
    found.extend(accounts(session, &known.config).await);
    let bucket = bucket(session, &known).await;
    let is_reached = bucket.iter().all(|(_, exit)| exit.is_none());
    found.extend(bucket);
    if is_reached {
        found.extend(promises(session, known.store.as_ref()).await);
        found.extend(stages(session, &known).await);
    }
    found.extend(github(session).await);
    tell(session, Some(&known), &found)
}

/// Prints the policy of the state's bucket.
///
/// # Errors
///
/// The state is in no bucket, or it is not known where it is.
pub fn bucket_policy(session: &Session<'_>) -> Result<(), Failure> {
    let config = session
        .project_if_any()?
        .map(|project| project.config)
        .unwrap_or_default();
    let Some(StateUrl::Bucket { bucket, prefix }) = session.place(config.state.as_ref())? else {
        return Err(
            Failure::input("the state is in no bucket, so that there is no policy for one")
                .hint("name the bucket: `--state s3://BUCKET/PREFIX`, or `state:` in stagewright.yaml"),
        );
    };
    let configured = session.access_to_state(config.state.as_ref()).region;
    let region = configured.or_else(|| session.environment.get("AWS_REGION").cloned());
    if prefix.is_empty() {
        let line = format!(
            "warning: the state has no prefix, so that this denies plain writes and removals of every `.json` in bucket \
             `{bucket}`, be it a state or not"
        );
        session.host.note(Ink::Careful, &line);
    }
    let policy = policy::bucket_policy(setup::partition(region.as_deref()), &bucket, &prefix);
    session.host.say(&format!("{policy:#}\n"));
    session.host.answer(&policy);
    Ok(())
}

async fn known(session: &Session<'_>) -> Result<Known, Failure> {
    let project = session.project_if_any()?;
    let app = match (&session.options.app, &project) {
        (Some(app), _) => app.clone(),
        (None, Some(project)) => project.app_name()?,
        (None, None) => return Err(no_app_is_known()),
    };
    let (folder, found) = match &project {
        Some(project) => {
            let found = format!("`{}` can be read", project.config_file().display());
            (StateUrl::Folder(project.state_folder()), found)
        }
        None => (
            state_without_config(&session.options.project_dir),
            "no project here: app and state are those of the flags".to_owned(),
        ),
    };
    let config = project.map(|project| project.config).unwrap_or_default();
    Ok(Known {
        found,
        place: session.place(config.state.as_ref())?.unwrap_or_else(|| folder.clone()),
        store: session.store(config.state.as_ref(), folder, &app).await?,
        config,
        app,
    })
}

fn listed(known: &Known) -> String {
    let stages: Vec<String> = known.config.fixed_stages().iter().map(ToString::to_string).collect();
    match stages.as_slice() {
        [] => format!("`{}`", known.app),
        stages => format!("`{}`, with stages of its config: {}", known.app, stages.join(", ")),
    }
}

/// Who the credentials say that we are: those of the environment, and those of every role that the config names.
async fn accounts(session: &Session<'_>, config: &Config) -> Vec<Found> {
    let of_stage = |stage: &StageName| (config.stage(stage).region, config.stage(stage).role);
    let mut ways: BTreeSet<(Option<String>, Option<String>)> = config.fixed_stages().iter().map(of_stage).collect();
    if ways.is_empty() {
        ways.insert((None, None));
    }
    let mut found = Vec::new();
    for (region, role) in ways {
        let access = Access {
            region: region.or_else(|| session.options.region.clone()),
            role: role.or_else(|| session.options.role.clone()),
            identity: session.identity.clone(),
            pacing: session.pacing(),
            pool: session.pool.clone(),
        };
        let through = access.role.as_ref().map(|role| format!(" as `{role}`"));
        let through = through.unwrap_or_default();
        let asked = access.region.as_ref().map(|region| format!(" in {region}"));
        let way = format!("{}{through}", asked.unwrap_or_default());
        let cloud = (session.open_cloud)(access, session.tell()).await;
        found.push(match cloud.place().await {
            Ok(place) => fine(Finding::ok(
                "credentials",
                format!("account {} in {}{through}", place.account, place.region),
            )),
            Err(fault) => problem("credentials", reached(way.trim_start(), fault.into())),
        });
    }
    found
}

/// A failure of one of several ways to an account.
fn reached(way: &str, failure: Failure) -> Failure {
    match way {
        "" => failure,
        way => Failure {
            message: format!("{way}: {}", failure.message),
            ..failure
        },
    }
}

async fn bucket(session: &Session<'_>, known: &Known) -> Vec<Found> {
    let StateUrl::Bucket { bucket, .. } = &known.place else {
        return Vec::new();
    };
    let seen = match s3::look(&session.access_to_state(known.config.state.as_ref()), bucket).await {
        Ok(seen) => seen,
        Err(fault) => return vec![problem("bucket", fault.into())],
    };
    let region = seen.region.map(|region| format!(" in {region}")).unwrap_or_default();
    let endpoint = seen
        .endpoint
        .map(|endpoint| format!(" at {endpoint}"))
        .unwrap_or_default();
    let versions = format!(
        "`aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled`: then a state that was \
         damaged can be put back"
    );
    let private = format!(
        "`aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration BlockPublicAcls=true,\
         IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true`"
    );
    vec![
        fine(Finding::ok(
            "bucket",
            format!("`{bucket}` is reached{region}{endpoint}"),
        )),
        fine(setting(
            seen.is_versioned,
            ("versions", ["former states are kept", "former states are not kept"]),
            versions,
        )),
        fine(setting(
            seen.is_private,
            ("public access", ["it is blocked", "it is not blocked as a whole"]),
            private,
        )),
    ]
}

/// Something that should be set, and that we may perhaps not ask for.
fn setting(answer: Result<bool, Fault>, (about, [is, is_not]): (&str, [&str; 2]), hint: String) -> Finding {
    match answer {
        Ok(true) => Finding::ok(about, is),
        Ok(false) => Finding::warning(about, is_not, hint),
        Err(fault) if fault.kind == FaultKind::Denied => Finding::warning(
            about,
            "these credentials may not ask for it",
            format!("allow `{}`, or ask with others", fault.operation),
        ),
        Err(fault) => Finding::warning(about, fault.to_string(), "it could not be asked for: run it again"),
    }
}

/// Whether the store does what it promises, and what its clock says.
async fn promises(session: &Session<'_>, store: &dyn Store) -> Vec<Found> {
    let writes = match probe::prove(store).await {
        Ok(()) => fine(Finding::ok("conditional writes", "they are honoured, also in a race")),
        Err(error) => problem("conditional writes", error.into()),
    };
    let clock = match store.read(&StageName::probe()).await {
        Ok(Some(stored)) => Some(fine(clock(session.now.after(session.began.elapsed()), stored.at))),
        Ok(None) | Err(_) => None,
    };
    std::iter::once(writes).chain(clock).collect()
}

fn clock(ours: Timestamp, theirs: Timestamp) -> Finding {
    let apart = ours.since(theirs).max(theirs.since(ours));
    if apart <= CLOCKS_APART {
        return Finding::ok("clock", "it agrees with that of the store");
    }
    Finding::warning(
        "clock",
        format!("it says {ours}, and that of the store {theirs}"),
        "set the clock of this machine: AWS refuses calls whose clock is 15 min off. No stage is endangered: clocks of two \
         machines are never compared",
    )
}

/// What is held, in doubt, late, or cannot be read.
async fn stages(session: &Session<'_>, known: &Known) -> Vec<Found> {
    let store = known.store.as_ref();
    let stages = match store.stages().await {
        Ok(stages) => stages,
        Err(fault) => return vec![problem("stages", fault.into())],
    };
    let count = match stages.len() {
        1 => "1 stage is recorded".to_owned(),
        count => format!("{count} stages are recorded"),
    };
    let mut found = vec![fine(Finding::ok("stages", count))];
    for stage in stages {
        let about = format!("stage {stage}");
        match lease::read(store, Some(&known.app), &stage).await {
            Ok(seen) => found.extend(seen.iter().flat_map(|seen| conditions(session, seen)).map(fine)),
            Err(state::Error::Store(fault)) => found.push(problem(&about, fault.into())),
            // The versions of another stage's state are none of this one's.
            Err(misplaced @ state::Error::Misplaced { .. }) => found.push(problem(&about, misplaced.into())),
            Err(unreadable) => {
                let mut failure = Failure::from(unreadable);
                failure.hints.extend(readable(store, (&known.app, &stage)).await);
                found.push(problem(&about, failure));
            }
        }
    }
    found
}

fn conditions(session: &Session<'_>, seen: &Seen) -> Vec<Finding> {
    let state = &seen.state;
    let about = format!("stage {}", state.stage);
    let now = seen.clock.map_or(session.now, lease::Clock::now);
    let mut found = Vec::new();
    if let Some(lease) = &state.lease {
        let minutes = now.since(lease.since).as_secs() / 60;
        found.push(Finding::warning(
            &about,
            format!("{} holds it since {} ({}), for {minutes} min", lease.holder, lease.since, lease.purpose),
            "nothing, while that run lives; the next run of the stage waits for it, and takes the place of one that has died",
        ));
    }
    let doubts: Vec<String> = state.in_doubt.keys().map(ToString::to_string).collect();
    if !doubts.is_empty() && state.lease.is_none() {
        found.push(Finding::warning(
            &about,
            format!("in doubt: {}", doubts.join(", ")),
            format!(
                "`stagewright deploy --stage {}` looks at what is there, and goes on",
                state.stage
            ),
        ));
    }
    let late: Vec<String> = state.late.keys().map(ToString::to_string).collect();
    if !late.is_empty() {
        found.push(Finding::warning(
            &about,
            format!("awaits a second look: {}", late.join(", ")),
            "the next run of the stage, or `stagewright sweep`, takes it: a call of a run that was cut off could still land",
        ));
    }
    found
}

/// Which former version of a state that cannot be read could be put back.
async fn readable(store: &dyn Store, (app, stage): (&AppName, &StageName)) -> Option<String> {
    let states = former_states(store, (app, stage), 1).await.ok()?;
    let (former, _) = states.listed.into_iter().find(|(_, read)| read.is_ok())?;
    Some(format!("its version `{}` of {} can be read", former.version, former.at))
}

/// Whether the token may see runs, by which the holder of a stage is known to live or to have ended. Only a run that is there
/// can tell: GitHub says of what the token does not see that it is not there.
async fn github(session: &Session<'_>) -> Option<Found> {
    let github = session.github()?;
    let hint =
        "give the token `actions: read`: without it a holder that has died is replaced only after 30 s of silence";
    let current = session.environment.get("GITHUB_RUN_ID");
    let Some(current) = current.and_then(|id| id.trim().parse().ok()) else {
        let given = "give the number of one of its runs: `GITHUB_RUN_ID=NUMBER stagewright doctor`";
        let message = format!("not asked whether the token may read runs of `{}`", github.repository());
        return Some(fine(Finding::warning("github", message, given)));
    };
    Some(match github.has_ended(current, 1).await {
        Ok(Some(_)) => fine(Finding::ok(
            "github",
            format!("the token may read runs of `{}`", github.repository()),
        )),
        Ok(None) => {
            let message = format!(
                "the token does not see the repository `{}`, or there is no run {current} in it",
                github.repository()
            );
            fine(Finding::warning("github", message, hint))
        }
        Err(fault) if fault.kind == FaultKind::Denied => {
            fine(Finding::warning("github", "the token may not read runs", hint))
        }
        Err(fault) => problem("github", fault.into()),
    })
}

fn fine(finding: Finding) -> Found {
    (finding, None)
}

fn problem(about: &str, failure: Failure) -> Found {
    let finding = Finding {
        verdict: Verdict::Problem,
        hint: (!failure.hints.is_empty()).then(|| failure.hints.join("; ")),
        ..Finding::ok(about, failure.message)
    };
    (finding, Some(failure.exit))
}

fn tell(session: &Session<'_>, known: Option<&Known>, found: &[Found]) -> Result<(), Failure> {
    let findings: Vec<&Finding> = found.iter().map(|(finding, _)| finding).collect();
    session.host.answer(&json!({
        "app": known.map(|known| &known.app),
        "state": known.map(|known| known.place.to_string()),
        "findings": findings,
    }));
    for finding in &findings {
        let ink = match finding.verdict {
            Verdict::Ok => Ink::Good,
            Verdict::Warning => Ink::Careful,
            Verdict::Problem => Ink::Bad,
        };
        session.host.progress(ink, &finding.text());
    }
    let exits: Vec<Exit> = found.iter().filter_map(|(_, exit)| *exit).collect();
    let plural = if exits.len() == 1 { "" } else { "s" };
    match exits.iter().find(|exit| **exit == Exit::Input).or(exits.first()) {
        Some(exit) => Err(Failure {
            exit: *exit,
            ..Failure::input(format!("{} problem{plural} found", exits.len()))
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_before_aws_refuses_its_calls_and_one_that_is_not_is_fine() {
        let at = |second| Timestamp::new(jiff::Timestamp::from_second(second).unwrap());
        for (ours, verdict) in [
            (1_000_000, Verdict::Ok),
            (1_000_300, Verdict::Ok),
            (1_000_301, Verdict::Warning),
            (999_699, Verdict::Warning),
        ] {
            assert_eq!(clock(at(ours), at(1_000_000)).verdict, verdict, "{ours}");
        }
    }
}
