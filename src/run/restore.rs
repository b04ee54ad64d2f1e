//! `restore`: a former state of a stage becomes the present one. Nothing in AWS changes: the next deploy looks at what either
//! of them knows.

use std::path::Path;

use serde_json::{Value, json};

use super::destroy::Consent;
use super::holding::{confirmed_place, free};
use super::{Recorded, Region, Session, recorded};
use crate::error::Failure;
use crate::host::{Ink, terminal};
use crate::names::{AppName, StageName, Timestamp};
use crate::state::chalice::{self, Expected};
use crate::state::lease::{self, Seen};
use crate::state::restored::restored;
use crate::state::store::{Former, Store, Version};
use crate::state::{Error, State, standing};

/// How many former versions are read for the list, and looked through for the highest generation.
const READ: usize = 20;

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
    let former = store.former(stage).await?;
    if former.is_empty() {
        session.host.say(&none(store.as_ref(), &app, stage));
    }
    let mut rows = Vec::new();
    for (index, version) in former.iter().enumerate() {
        let read = match index < READ {
            true => Some(read_version(store.as_ref(), (&app, stage), &version.version).await),
            false => None,
        };
        let (line, row) = row(version, read)?;
        session.host.say(&line);
        rows.push(row);
    }
    if !former.is_empty() {
        session.host.say(&format!(
            "\n`stagewright restore --stage {stage} --version ID` puts one of them back.\n"
        ));
    }
    session
        .host
        .answer(&json!({"app": app, "stage": stage, "versions": rows}));
    Ok(())
}

fn row(version: &Former, read: Option<Result<State, Failure>>) -> Result<(String, Value), Failure> {
    let Former {
        version: id,
        at,
        size_bytes,
    } = version;
    let mut row = json!({"version": id, "at": at, "size_bytes": size_bytes});
    let what = match read {
        Some(Ok(state)) => {
            row["generation"] = json!(state.generation);
            row["release"] = json!(state.release.as_ref().map(|release| release.number));
            row["commit"] = json!(state.commit());
            row["resources"] = json!(state.deployed.len());
            row["held"] = json!(state.lease.is_some());
            summary(&state)
        }
        Some(Err(unread)) if unread.exit == crate::error::Exit::Input => {
            row["unreadable"] = json!(unread.message);
            format!("cannot be restored: {}", unread.message)
        }
        Some(Err(failure)) => return Err(failure),
        None => format!("{size_bytes} bytes"),
    };
    Ok((format!("{id}  {at}  {what}\n"), row))
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
             bucket (`aws s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket BUCKET`); with a \
             backup, {file} works.\n"
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
    let body = std::fs::read(file).map_err(|error| Failure::input(format!("--file: `{object}`: {error}")))?;
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
        if !is_newer {
            failure.hints.clear();
        }
        failure.hint(other)
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
    /// Why the object cannot be read.
    flaw: Option<String>,
}

/// Puts a former state of a stage back, under a generation that was never used.
///
/// # Errors
///
/// There is no such version or file, or it is of another app, stage, account or Region, or of a later format; somebody holds
/// the stage; nobody said yes; the store or AWS cannot be reached.
pub async fn restore(session: &Session<'_>, stage: &StageName, wishes: (Wanted<'_>, Consent)) -> Result<(), Failure> {
    let Recorded { app, store, config } = recorded(session).await?;
    let (store, of, (wanted, consent)) = (store.as_ref(), (&app, stage), wishes);
    let former = match wanted {
        Wanted::Version(version) => read_version(store, of, version).await?,
        Wanted::File(file) => read_file(of, file)?,
    };
    let before = present(session, store, of).await?;
    let found = before.state.as_ref();
    place_is_one(&former, found)?;
    if let Some(placed) = [Some(&former), found]
        .into_iter()
        .flatten()
        .find(|state| state.place.is_some())
    {
        let cloud = session.cloud(config.stage(stage), placed, Region::Recorded).await?;
        confirmed_place(cloud.as_ref(), placed).await?;
    }
    show(session, &former, &before);
    confirm(session, stage, consent)?;
    loop {
        let present = present(session, store, of).await?;
        place_is_one(&former, present.state.as_ref())?;
        let generation = unused_generation(session, (store, of), &former, &present).await?;
        let state = restored(former.clone(), present.state.as_ref(), (generation, present.at));
        let seen = Seen {
            state,
            version: present.version,
            clock: None,
        };
        if lease::note(store, &seen).await? {
            told(session, &seen.state);
            return Ok(());
        }
        if session.stop.is_requested() {
            return Err(Failure::stopped());
        }
    }
}

/// Reads what stands now, when nobody holds it any more. An object that cannot be read has no holder that could write it; one
/// of a later format may have, and is watched.
async fn present(session: &Session<'_>, store: &dyn Store, of: (&AppName, &StageName)) -> Result<Present, Failure> {
    let (app, stage) = of;
    let Some(stored) = store.read(stage).await? else {
        return Ok(Present {
            state: None,
            version: None,
            at: session.now,
            flaw: None,
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
                flaw: None,
            });
        }
        Ok(_) => {
            let seen = free(session, store, of).await?;
            return Ok(Present {
                at: seen.clock.map_or(at, lease::Clock::now),
                version: seen.version,
                state: Some(seen.state),
                flaw: None,
            });
        }
        Err(error) => error,
    };
    if matches!(error, Error::Newer { .. } | Error::Unread { .. }) {
        let line = format!(
            "watching for {} s whether a newer version writes it: {error}",
            lease::LEASE.as_secs()
        );
        session.host.note(Ink::Careful, &line);
        if !standing::is_silent(store, stage, &stored.version).await? {
            let busy = Failure::input(format!("a newer version of stagewright writes `{object}`"));
            return Err(Failure {
                exit: crate::error::Exit::Held,
                ..busy.hint("wait for it, then run it again").now(UNTOUCHED)
            });
        }
    }
    Ok(Present {
        state: None,
        version,
        at,
        flaw: Some(error.to_string()),
    })
}

const UNTOUCHED: &str = "nothing was changed";

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
    let versions = match store.former(of.1).await {
        Ok(versions) => versions,
        Err(fault) => {
            let line = format!(
                "warning: what the object was before cannot be listed, so that only the file tells generations: {fault}"
            );
            session.host.note(Ink::Careful, &line);
            Vec::new()
        }
    };
    for version in versions.iter().take(READ) {
        match read_version(store, of, &version.version).await {
            Ok(state) => {
                highest = highest.max(state.generation);
                break;
            }
            Err(failure) => {
                tracing::debug!(
                    version = version.version,
                    failure = failure.message,
                    "a version cannot be read"
                );
                unread += 1;
            }
        }
    }
    Ok(highest + unread + 1)
}

fn show(session: &Session<'_>, former: &State, present: &Present) {
    let now = match (&present.state, &present.flaw) {
        (Some(state), _) => summary(state),
        (None, Some(flaw)) => flaw.clone(),
        (None, None) => "there is no object".to_owned(),
    };
    session.host.progress(Ink::Faint, &format!("  now      {now}"));
    session
        .host
        .progress(Ink::Faint, &format!("  then     {}", summary(former)));
}

fn confirm(session: &Session<'_>, stage: &StageName, consent: Consent) -> Result<(), Failure> {
    if consent == Consent::Given {
        return Ok(());
    }
    let question = format!("This puts that state of stage `{stage}` back.\nType the stage's name to go on: ");
    let answer = terminal::is_attended().then(|| session.host.asks_for(&question, stage.as_str()));
    match answer.flatten() {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::input("that is not the stage's name").now(UNTOUCHED)),
        None => Err(
            Failure::input(format!("`restore` of stage `{stage}` was not confirmed"))
                .hint("give `--yes` where nobody can be asked")
                .now(UNTOUCHED),
        ),
    }
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
        "in_doubt": state.in_doubt.keys().map(ToString::to_string).collect::<Vec<_>>(),
    }));
}
