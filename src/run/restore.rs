//! `restore`: a former state of a stage becomes the present one. Nothing in AWS changes: the next deploy looks at what either
//! of them knows.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::asking::{Asked, Consent, UNTOUCHED};
use super::holding::{confirmed_place, free};
use super::{Recorded, Region, Session, recorded};
use crate::config::StateConfig;
use crate::config::state_url::StateUrl;
use crate::error::{Exit, Failure};
use crate::host::Ink;
use crate::names::{AppName, StageName, Timestamp};
use crate::report::history::in_doubt;
use crate::state::chalice::{self, Expected};
use crate::state::lease::{self, Seen};
use crate::state::restored::{FormerStates, former_states, restored};
use crate::state::store::{Former, Store, Version};
use crate::state::{Error, State, directory, s3, standing};

/// How many former states are listed.
const LISTED: usize = 20;

/// Which former state is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// A version that the store keeps, by its id.
    Version(&'a str),
    /// One in a file.
    File(&'a Path),
}

/// Lists what a stage's object was before.
///
/// # Errors
///
/// No app is known, or the store does not say.
pub async fn list(session: &Session<'_>, stage: &StageName) -> Result<(), Failure> {
    let Recorded { app, store, .. } = recorded(session).await?;
    let FormerStates {
        listed,
        renewals,
        unread,
    } = former_states(store.as_ref(), (&app, stage), LISTED).await?;
    if listed.is_empty() {
        session.host.say(&none(store.as_ref(), &app, stage));
    }
    let mut rows = Vec::new();
    for (former, read) in &listed {
        let (line, row) = row(former, read.as_ref());
        session.host.say(&line);
        rows.push(row);
    }
    let left_out = [
        (renewals, "a run wrote while it held the stage, and wrote anew"),
        (unread, "are older, and were not read"),
    ];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        session.host.say(&format!("left out: {count} that {what}\n"));
    }
    if !listed.is_empty() {
        session.host.say(&format!(
            "\n`stagewright restore --stage {stage} --version ID` puts one of them back.\n"
        ));
    }
    session.host.answer(&json!({
        "app": app,
        "stage": stage,
        "versions": rows,
        "renewals": renewals,
        "unread": unread,
    }));
    Ok(())
}

fn row(former: &Former, read: Result<&State, &Error>) -> (String, Value) {
    let (state, flaw) = (read.ok(), read.err().map(ToString::to_string));
    let row = json!({
        "version": former.version,
        "at": former.at,
        "size_bytes": former.size_bytes,
        "generation": state.map(|state| state.generation),
        "release": state.and_then(|state| state.release.as_ref()).map(|release| release.number),
        "commit": state.and_then(State::commit),
        "resources": state.map(|state| state.deployed.len()),
        "held": state.map(|state| state.lease.is_some()),
        "unreadable": flaw,
    });
    let what = match read {
        Ok(state) => summary(state),
        Err(error) => format!("cannot be restored: {error}"),
    };
    (format!("{}  {}  {what}\n", former.version, former.at), row)
}

/// What a state is, in a few words.
fn summary(state: &State) -> String {
    let release = match &state.release {
        Some(release) => {
            let commit = release.revision.commit.as_deref().unwrap_or("no commit");
            let short: String = commit.chars().take(9).collect();
            format!("release {} ({short})", release.number)
        }
        None => "no release".to_owned(),
    };
    let while_held = match &state.lease {
        Some(lease) => format!(", while held for {}", lease.purpose),
        None => String::new(),
    };
    let count = state.deployed.len();
    format!(
        "generation {}, {release}, {count} resources{while_held}",
        state.generation
    )
}

/// What is said where the store keeps nothing of what was before.
fn none(store: &dyn Store, app: &AppName, stage: &StageName) -> String {
    let file = format!("`stagewright restore --stage {stage} --file PATH`");
    match store.identity() {
        None => format!(
            "`{}` lies in a folder, which keeps no former versions: only {file} works here, with a backup or a version from \
             your repository.\n",
            store.object(stage)
        ),
        Some(_) => format!(
            "The store keeps no former version of stage `{stage}` of app `{app}`. It does from now on with versioning of the \
             bucket ({}); with a backup, {file} works.\n",
            versioning("BUCKET")
        ),
    }
}

async fn read_version(
    store: &dyn Store,
    (app, stage): (&AppName, &StageName),
    version: &str,
) -> Result<State, Failure> {
    let object = format!("{}?versionId={version}", store.object(stage));
    let Some(body) = store.read_former(stage, version).await? else {
        let hint = match store.identity() {
            None => "a folder keeps no versions: give `--file PATH`".to_owned(),
            Some(_) => format!("`stagewright restore --stage {stage}` lists those that there are"),
        };
        return Err(Failure::input(format!("there is no `{object}`")).hint(hint));
    };
    parse(&body, (app, stage), &object)
}

fn read_file((app, stage): (&AppName, &StageName), file: &Path) -> Result<State, Failure> {
    let object = file.display().to_string();
    let body = directory::backup(file).map_err(|error| Failure::input(format!("--file: `{object}`: {error}")))?;
    parse(&body, (app, stage), &object)
}

/// Reads a former state. What is wrong with it is no reason to restore the present one.
fn parse(body: &[u8], (app, stage): (&AppName, &StageName), object: &str) -> Result<State, Failure> {
    let expected = Expected {
        app: Some(app),
        stage,
        object,
    };
    let other = format!("choose another one: `stagewright restore --stage {stage}` lists what the store keeps");
    chalice::parse(body, expected, lease::new_mark()).map_err(|error| {
        let is_newer = matches!(error, Error::Newer { .. } | Error::Unread { .. });
        let mut failure = Failure::from(error);
        // Of a newer one the first hint names what can read it.
        failure.hints.truncate(usize::from(is_newer));
        failure.hint(other).now(UNTOUCHED)
    })
}

/// What stands at a stage's place now.
struct Present {
    /// The state, where it can be read.
    state: Option<State>,
    /// The version of the object, where there is one.
    version: Option<Version>,
    /// The store's clock; ours where there is no object.
    at: Timestamp,
    /// What stands there, where it cannot be read.
    unread: Option<Unread>,
}

/// An object that cannot be read, and that nobody else may have a copy of.
struct Unread {
    /// What is wrong with it.
    flaw: String,
    /// Its bytes.
    body: Vec<u8>,
}

/// Puts a former state of a stage back, under a generation that was never used.
///
/// # Errors
///
/// There is no such version or file, or it is of another app, stage, account or Region, or of a later format; what stands
/// there is another stage's, or would be lost; somebody holds the stage, or changes it meanwhile; nobody said yes; the store or
/// AWS cannot be reached.
pub async fn restore(session: &Session<'_>, stage: &StageName, wishes: (Wanted<'_>, Consent)) -> Result<(), Failure> {
    let (wanted, consent) = wishes;
    let asked = Asked {
        command: "restore",
        stage,
        consent,
    };
    asked.can_be_answered()?;
    let Recorded { app, store, config } = recorded(session).await?;
    let (store, of) = (store.as_ref(), (&app, stage));
    let former = match wanted {
        Wanted::Version(version) => read_version(store, of, version).await?,
        Wanted::File(file) => read_file(of, file)?,
    };
    let present = present(session, store, of).await?;
    place_is_one(&former, present.state.as_ref())?;
    if present.unread.is_some() {
        Box::pin(former_versions_are_kept(session, config.state.as_ref())).await?;
    }
    let known = [Some(&former), present.state.as_ref()];
    if let Some(placed) = known.into_iter().flatten().find(|state| state.place.is_some()) {
        let cloud = session.cloud(config.stage(stage), placed, Region::Recorded).await?;
        confirmed_place(cloud.as_ref(), placed).await?;
    }
    show(session, &former, &present);
    asked.confirm(session, &format!("This puts that state of stage `{stage}` back."))?;
    let generation = unused_generation(session, (store, of), &former, &present).await?;
    keep_beside(session, (store, stage), present.unread.as_ref())?;
    let seen = Seen {
        state: restored(former, present.state.as_ref(), (generation, present.at)),
        version: present.version,
        clock: None,
    };
    // What was confirmed is what is replaced: the write is on the version that was shown.
    match lease::note(store, &seen).await? {
        true => {
            told(session, &seen.state);
            Ok(())
        }
        false => Err(changed_meanwhile(stage)),
    }
}

fn changed_meanwhile(stage: &StageName) -> Failure {
    let changed = Failure {
        exit: Exit::Held,
        ..Failure::input(format!("somebody has changed stage `{stage}` meanwhile"))
    };
    let look = format!("`stagewright history --stage {stage}` shows who; then run it again, if it is still wanted");
    changed.hint(look).now(UNTOUCHED)
}

/// Makes sure that a bucket keeps what is replaced. In a folder we keep it ourselves.
async fn former_versions_are_kept(session: &Session<'_>, configured: Option<&StateConfig>) -> Result<(), Failure> {
    let Some(StateUrl::Bucket { bucket, .. }) = session.place(configured)? else {
        return Ok(());
    };
    let seen = s3::look(&session.access_to_state(configured), &bucket).await?;
    match seen.is_versioned? {
        true => Ok(()),
        false => Err(Failure::input(format!(
            "what stands there cannot be read, and would be lost: bucket `{bucket}` keeps no former versions"
        ))
        .hint(format!("{}: then it keeps what is replaced", versioning(&bucket)))
        .now(UNTOUCHED)),
    }
}

fn versioning(bucket: &str) -> String {
    format!("`aws s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket {bucket}`")
}

/// Puts a copy of what cannot be read beside it, where that is in a folder; no stage has such a name.
fn keep_beside(
    session: &Session<'_>,
    (store, stage): (&dyn Store, &StageName),
    unread: Option<&Unread>,
) -> Result<(), Failure> {
    let (Some(unread), None) = (unread, store.identity()) else {
        return Ok(());
    };
    let at: String = session.now.to_string().chars().filter(char::is_ascii_digit).collect();
    let beside = PathBuf::from(format!("{}.before-restore-{at}", store.object(stage)));
    directory::keep_beside(&beside, &unread.body).map_err(|error| {
        Failure::outside(format!(
            "what stands there cannot be kept as `{}`: {error}",
            beside.display()
        ))
        .hint("make room in the folder, and see to it that it can be written; then run it again")
        .now(UNTOUCHED)
    })?;
    let line = format!("  kept     what cannot be read, as {}", beside.display());
    session.host.progress(Ink::Faint, &line);
    Ok(())
}

/// Reads what stands now, when nobody holds it any more. An object that cannot be read has no holder that could write it; one
/// of a later format may have, and is watched. A sound one of another stage is never replaced: it may be held there.
async fn present(session: &Session<'_>, store: &dyn Store, of: (&AppName, &StageName)) -> Result<Present, Failure> {
    let (app, stage) = of;
    let Some(stored) = store.read(stage).await? else {
        return Ok(Present {
            state: None,
            version: None,
            at: session.now,
            unread: None,
        });
    };
    let object = store.object(stage);
    let expected = Expected {
        app: Some(app),
        stage,
        object: &object,
    };
    let (at, version) = (stored.at, Some(stored.version.clone()));
    let error = match chalice::parse(&stored.body, expected, lease::new_mark()) {
        Ok(state) if state.lease.is_none() => {
            return Ok(Present {
                state: Some(state),
                version,
                at,
                unread: None,
            });
        }
        Ok(_) => {
            let seen = free(session, store, of).await?;
            return Ok(Present {
                at: seen.clock.map_or(at, lease::Clock::now),
                version: seen.version,
                state: Some(seen.state),
                unread: None,
            });
        }
        Err(error) => error,
    };
    if matches!(error, Error::Misplaced { .. }) {
        return Err(Failure::from(error).now(UNTOUCHED));
    }
    if matches!(error, Error::Newer { .. } | Error::Unread { .. }) {
        let line = format!(
            "watching for {} s whether a newer version writes it: {error}",
            lease::LEASE.as_secs()
        );
        session.host.note(Ink::Careful, &line);
        if !standing::is_silent(store, stage, &stored.version).await? {
            let busy = Failure::input(format!("a newer version of stagewright writes `{object}`"));
            return Err(Failure {
                exit: Exit::Held,
                ..busy.hint("wait for it, then run it again").now(UNTOUCHED)
            });
        }
    }
    Ok(Present {
        state: None,
        version,
        at,
        unread: Some(Unread {
            flaw: error.to_string(),
            body: stored.body,
        }),
    })
}

/// The ids of another account or Region would lie.
fn place_is_one(former: &State, present: Option<&State>) -> Result<(), Failure> {
    let (Some(then), Some(now)) = (&former.place, present.and_then(|present| present.place.as_ref())) else {
        return Ok(());
    };
    let differs = [
        ("account", &then.account, &now.account),
        ("Region", &then.region, &now.region),
    ];
    match differs.into_iter().find(|(_, then, now)| then != now) {
        Some((what, then, now)) => Err(Failure::input(format!(
            "the former state is of {what} `{then}`, and stage `{}` stands in `{now}`",
            former.stage
        ))
        .hint("choose a former state of the same account and Region")
        .now(UNTOUCHED)),
        None => Ok(()),
    }
}

/// A generation that is higher than any that was ever used. They only ever grow: the newest version that can be read tells
/// them all, and each one behind it that cannot be read may have had one more.
async fn unused_generation(
    session: &Session<'_>,
    (store, of): (&dyn Store, (&AppName, &StageName)),
    former: &State,
    present: &Present,
) -> Result<u64, Failure> {
    if let Some(present) = &present.state {
        return Ok(former.generation.max(present.generation) + 1);
    }
    let (mut highest, mut unread) = (former.generation, u64::from(present.version.is_some()));
    match former_states(store, of, 1).await {
        Ok(states) => {
            let mut is_known = false;
            for (_, read) in &states.listed {
                match read {
                    Ok(state) => {
                        highest = highest.max(state.generation);
                        is_known = true;
                    }
                    Err(_) => unread += 1,
                }
            }
            if !is_known {
                unread += u64::try_from(states.unread).unwrap_or_default();
            }
        }
        Err(fault) => {
            let line = format!(
                "warning: what the object was before cannot be listed, so that only the file tells generations: {fault}"
            );
            session.host.note(Ink::Careful, &line);
        }
    }
    Ok(highest + unread + 1)
}

fn show(session: &Session<'_>, former: &State, present: &Present) {
    let now = match (&present.state, &present.unread) {
        (Some(state), _) => summary(state),
        (None, Some(unread)) => unread.flaw.clone(),
        (None, None) => "there is no object".to_owned(),
    };
    session.host.progress(Ink::Faint, &format!("  now      {now}"));
    session
        .host
        .progress(Ink::Faint, &format!("  then     {}", summary(former)));
}

fn told(session: &Session<'_>, state: &State) {
    let State {
        app, stage, generation, ..
    } = state;
    let count = state.in_doubt.len();
    session.host.progress(
        Ink::Good,
        &format!("The former state of stage `{stage}` of app `{app}` is back, as generation {generation}."),
    );
    let next = match count {
        0 => format!("It knows of nothing in AWS. Next: stagewright deploy --stage {stage}\n"),
        _ => format!(
            "Nothing in AWS was changed. All {count} resources that it or the state before it knows are in doubt: the next deploy \
             looks at each, sets it up anew, and removes what the app does not want.\nNext: stagewright deploy --stage {stage}\n"
        ),
    };
    session.host.say(&next);
    session.host.answer(&json!({
        "app": app,
        "stage": stage,
        "outcome": "restored",
        "generation": generation,
        "in_doubt": in_doubt(state),
    }));
}
