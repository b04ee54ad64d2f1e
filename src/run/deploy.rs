//! `deploy` and `plan`: the app on a stage becomes what it shall be.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::holding::{abandon, confirmed_place, failure, free, holder, is_doubtful, record, settle, tell};
use super::{Session, check};
use crate::app::python::{Pins, Resolution};
use crate::app::{self, App, Artifact, Finding, package};
use crate::apply::{self, Applied, Tools};
use crate::config::Project;
use crate::config::read::{Read, Request};
use crate::error::Failure;
use crate::host::terminal::{self, Ink};
use crate::names::StageName;
use crate::plan::desired::{self, Ground};
use crate::plan::{Action, Plan, diff, render};
use crate::report::{self, Outcome, Report};
use crate::resource::{Cloud, CodeLocation, Owner, Place, Resource};
use crate::state::lease::{self, Held, Seen};
use crate::state::store::Store;
use crate::state::{Release, State};

/// An app, ready to be deployed on a stage.
struct Ready {
    app: App,
    pins: Option<Pins>,
    artifacts: BTreeMap<String, Artifact>,
    commit: Option<String>,
    /// Holds the zips until the run has ended.
    _zips: tempfile::TempDir,
}

/// Where a deploy takes place.
struct Scene<'a> {
    session: &'a Session<'a>,
    project: &'a Project,
    stage: &'a StageName,
    store: &'a dyn Store,
    cloud: Rc<dyn Cloud>,
    owner: Owner,
}

/// Makes a stage what the app says.
///
/// # Errors
///
/// The app cannot be read or packaged, the stage is held or lost, or a step failed.
pub async fn deploy(session: &Session<'_>, stage: &StageName, upgrade: bool) -> Result<(), Failure> {
    let project = session.project()?;
    let app = project.app_name()?;
    refuse(check::base_names(&project, &app, &stages(&project, stage)))?;
    let store = session.store(Some(&project), &app).await?;
    let mut seen = free(session, store.as_ref(), (&app, stage)).await?;
    let cloud = session.cloud(Some(&project), stage, &seen.state).await?;
    let owner = Owner {
        store: store.identity(),
        app: app.clone(),
        stage: stage.clone(),
    };
    let scene = Scene {
        session,
        project: &project,
        stage,
        store: store.as_ref(),
        cloud,
        owner,
    };
    let ready = ready(&scene, &seen.state, resolution(upgrade)).await?;
    loop {
        if let Some(ended) = attempt(&scene, &ready, seen).await? {
            return ended;
        }
        seen = free(session, store.as_ref(), (&app, stage)).await?;
    }
}

/// Shows what `deploy` would change.
///
/// # Errors
///
/// The app cannot be read or packaged, or its state cannot be read.
pub async fn plan(session: &Session<'_>, stage: &StageName, upgrade: bool) -> Result<(), Failure> {
    let project = session.project()?;
    let app = project.app_name()?;
    let store = session.store(Some(&project), &app).await?;
    let seen = lease::read(store.as_ref(), Some(&app), stage).await?;
    let new = || State::new(app.clone(), stage.clone(), lease::new_mark());
    let state = seen.map_or_else(new, |seen| seen.state);
    if let Some(lease) = &state.lease {
        session.host.note(
            Ink::Careful,
            &format!(
                "note: {} holds the stage ({}): this is the plan for what it has recorded",
                lease.holder, lease.purpose
            ),
        );
    }
    let cloud = session.cloud(Some(&project), stage, &state).await?;
    let owner = Owner {
        store: store.identity(),
        app: app.clone(),
        stage: stage.clone(),
    };
    let scene = Scene {
        session,
        project: &project,
        stage,
        store: store.as_ref(),
        cloud,
        owner,
    };
    let ready = ready(&scene, &state, resolution(upgrade)).await?;
    let place = match &state.place {
        Some(place) => place.clone(),
        None => scene.cloud.place().await?,
    };
    let plan = planned(&scene, &ready, &state, &place);
    let report = Report::new(&state, Outcome::Planned, session.url(&state)).with_planned(&plan);
    session.host.say(&render::render(&plan));
    session.host.answer(&report);
    Ok(())
}

fn resolution(upgrade: bool) -> Resolution {
    if upgrade {
        Resolution::Upgrade
    } else {
        Resolution::Recorded
    }
}

/// Reads and packages the app. Nothing outside is changed.
async fn ready(scene: &Scene<'_>, state: &State, resolution: Resolution) -> Result<Ready, Failure> {
    let Scene {
        session,
        project,
        stage,
        ..
    } = scene;
    let uv = session.uv();
    let region = scene.cloud.region();
    let request = Request {
        stage,
        region: region.as_deref(),
        recorded: state.release.as_ref().and_then(|release| release.pins.as_ref()),
        resolution,
        uv: &uv,
    };
    let Read { app, pins, warnings } = project
        .read(request, &|name| session.environment.get(name).cloned())
        .await?;
    session.warn(&warnings);
    refuse(check::names(project, &app, &stages(project, stage)))?;
    let zips = tempfile::tempdir().map_err(|source| app::Error::File {
        path: std::env::temp_dir(),
        source,
    })?;
    let builds = session.visible(package::sees);
    let mut artifacts = BTreeMap::new();
    for (name, source) in &app.sources {
        let artifact = package::package(name, source, zips.path(), &builds).await?;
        tracing::info!(
            name,
            sha256 = artifact.sha256,
            size_bytes = artifact.size_bytes,
            "packaged"
        );
        artifacts.insert(name.clone(), artifact);
    }
    Ok(Ready {
        app,
        pins,
        artifacts,
        commit: terminal::commit(&project.folder),
        _zips: zips,
    })
}

/// The stage and every configured one: names are refused for all of them, so that none fails on release day.
fn stages(project: &Project, stage: &StageName) -> BTreeSet<StageName> {
    let mut stages = project.stages();
    stages.insert(stage.clone());
    stages
}

fn refuse(findings: Vec<Finding>) -> Result<(), Failure> {
    if findings.is_empty() {
        Ok(())
    } else {
        Err(app::Error::Findings(findings).into())
    }
}

fn planned(scene: &Scene<'_>, ready: &Ready, state: &State, place: &Place) -> Plan {
    let ground = Ground {
        place,
        owner: &scene.owner,
        salt: &state.salt,
    };
    diff::diff(&desired::desired(&ready.app, &ready.artifacts, ground), state)
}

/// What is to be done, and with what.
struct Prepared {
    plan: Plan,
    place: Place,
    code: BTreeMap<String, CodeLocation>,
}

/// Plans and applies once. `None` where somebody else changed the stage's state meanwhile.
async fn attempt(scene: &Scene<'_>, ready: &Ready, mut seen: Seen) -> Result<Option<Result<(), Failure>>, Failure> {
    let mut held = None;
    if is_doubtful(&seen.state) {
        held = lease::take(scene.store, &mut seen, &holder(scene.session, "deploy")).await?;
        if held.is_none() {
            return Ok(None);
        }
    }
    let Prepared { plan, place, code } = match prepare(scene, ready, held.as_ref(), &mut seen.state).await {
        Ok(prepared) => prepared,
        Err(failure) => return Err(abandon(held, &mut seen.state, failure).await),
    };
    if plan.is_empty() && held.is_none() {
        return Ok(unchanged(scene, ready, seen).await?.then_some(Ok(())));
    }
    seen.state.in_doubt = plan.doubts();
    seen.state.attempted.clone_from(&ready.commit);
    seen.state.place = Some(place.clone());
    seen.state.role = scene
        .project
        .config
        .stages
        .get(scene.stage)
        .and_then(|stage| stage.role.clone());
    let held = match held {
        Some(mut held) => {
            held.renew(&mut seen.state).await?;
            held
        }
        None => match lease::take(scene.store, &mut seen, &holder(scene.session, "deploy")).await? {
            Some(held) => held,
            None => return Ok(None),
        },
    };
    let tools = Tools {
        cloud: scene.cloud.clone(),
        place,
        code,
    };
    Ok(Some(change(scene, ready, &plan, (tools, held, seen.state)).await))
}

/// All that can fail before anything is begun. AWS is asked where we are only where something is to be done.
async fn prepare(
    scene: &Scene<'_>,
    ready: &Ready,
    held: Option<&Held<'_>>,
    state: &mut State,
) -> Result<Prepared, Failure> {
    let cloud = scene.cloud.as_ref();
    let mut confirmed = None;
    if held.is_some() || state.place.is_none() {
        confirmed = Some(confirmed_place(cloud, state).await?);
    }
    if let Some(held) = held {
        settle(scene.session, cloud, held, state).await?;
    }
    let place = confirmed.clone().or_else(|| state.place.clone());
    let Some(place) = place else {
        return Err(Failure::input("it is not known where the stage shall stand"));
    };
    let plan = planned(scene, ready, state, &place);
    if !plan.is_empty() && confirmed.is_none() {
        confirmed_place(cloud, state).await?;
    }
    let code = code(scene, ready, &plan, &place).await?;
    Ok(Prepared { plan, place, code })
}

/// Where Lambda takes the code from that the plan needs: from the store where it is a bucket of the Region, else inline.
async fn code(
    scene: &Scene<'_>,
    ready: &Ready,
    plan: &Plan,
    place: &Place,
) -> Result<BTreeMap<String, CodeLocation>, Failure> {
    let mut needed = BTreeMap::new();
    for step in &plan.steps {
        let function = match &step.action {
            Action::Create(Resource::Function(function))
            | Action::Update {
                to: Resource::Function(function),
                ..
            } => function,
            Action::Create(_) | Action::Update { .. } | Action::Delete(_) => continue,
        };
        needed.insert(function.code.clone(), step.address.name().to_owned());
    }
    let mut located = BTreeMap::new();
    for artifact in ready.artifacts.values() {
        let Some(function) = needed.get(&artifact.sha256) else {
            continue;
        };
        let kept = scene.store.keep(artifact, &place.region).await?;
        if kept.is_none() {
            package::fits_inline(function, artifact)?;
        }
        located.insert(
            artifact.sha256.clone(),
            kept.unwrap_or_else(|| CodeLocation::Inline(artifact.path.clone())),
        );
    }
    Ok(located)
}

/// Nothing to change. Only a new commit or new versions are written down, or an older commit could land later.
async fn unchanged(scene: &Scene<'_>, ready: &Ready, mut seen: Seen) -> Result<bool, Failure> {
    let release = seen.state.release.as_mut();
    if let Some(release) = release.filter(|release| release.commit != ready.commit || release.pins != ready.pins) {
        release.commit.clone_from(&ready.commit);
        release.pins.clone_from(&ready.pins);
        seen.state.attempted.clone_from(&ready.commit);
        if !lease::note(scene.store, &seen).await? {
            return Ok(false);
        }
    }
    let url = scene.session.url(&seen.state);
    let host = scene.session.host;
    host.say(&format!("Stage `{}` is unchanged.\n", scene.stage));
    host.say(&report::deployed(&seen.state, url.as_deref()));
    host.answer(&Report::new(&seen.state, Outcome::Unchanged, url));
    Ok(true)
}

/// Applies the plan, and records what came of it.
async fn change(
    scene: &Scene<'_>,
    ready: &Ready,
    plan: &Plan,
    (tools, mut held, mut state): (Tools, Held<'_>, State),
) -> Result<(), Failure> {
    let session = scene.session;
    let Applied { steps, lost } =
        apply::run(plan, &tools, &mut held, &mut state, &mut |ended| tell(session, ended)).await;
    let failure = match (lost, failure(&steps, scene.stage, "deploy")) {
        (Some(lost), _) => Some(Failure::from(lost)),
        (None, Some(failure)) => {
            record(held, &mut state).await?;
            Some(failure)
        }
        (None, None) => {
            state.release = Some(release(scene, ready, &state));
            record(held, &mut state).await?;
            None
        }
    };
    let url = session.url(&state);
    let outcome = if failure.is_some() {
        Outcome::Failed
    } else {
        Outcome::Deployed
    };
    let mut report = Report::new(&state, outcome, url.clone()).with_ended(&steps);
    report.error = failure.as_ref().map(Failure::json);
    session.host.answer(&report);
    match failure {
        Some(failure) => Err(failure),
        None => {
            session.host.say(&report::deployed(&state, url.as_deref()));
            Ok(())
        }
    }
}

fn release(scene: &Scene<'_>, ready: &Ready, state: &State) -> Release {
    let digest = |(name, artifact): (&String, &Artifact)| (name.clone(), artifact.sha256.clone());
    Release {
        number: state.release.as_ref().map_or(1, |release| release.number + 1),
        commit: ready.commit.clone(),
        at: scene.session.now,
        by: terminal::who(),
        artifacts: ready.artifacts.iter().map(digest).collect(),
        pins: ready.pins.clone(),
    }
}
