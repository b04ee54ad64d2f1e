//! `deploy` and `plan`: the app on a stage becomes what it shall be.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Session, elsewhere};
use crate::app::python::{Pins, Resolution};
use crate::app::{self, App, Artifact, package};
use crate::apply::{self, Applied, Ended, Outcome as StepOutcome, Tools};
use crate::config::Project;
use crate::config::read::{Read, Request};
use crate::error::Failure;
use crate::host::terminal::{self, Ink};
use crate::names::{AppName, StageName};
use crate::plan::desired::{self, Ground};
use crate::plan::{Action, Plan, diff, render};
use crate::report::{self, Outcome, Report};
use crate::resource::{Cloud, CodeLocation, Context, Owner, Place, Resource};
use crate::state::lease::{self, Held, Holder, Seen};
use crate::state::store::Store;
use crate::state::{Release, State, recover};

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
    let store = session.store(Some(&project), &app).await?;
    let mut seen = free(session, store.as_ref(), (&app, stage)).await?;
    let cloud = session.cloud(Some(&project), stage, &seen.state).await?;
    let owner = Owner { store: store.identity(), app: app.clone(), stage: stage.clone() };
    let scene = Scene { session, project: &project, stage, store: store.as_ref(), cloud, owner };
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
            &format!("note: {} holds the stage ({}): this is the plan for what it has recorded", lease.holder, lease.purpose),
        );
    }
    let cloud = session.cloud(Some(&project), stage, &state).await?;
    let owner = Owner { store: store.identity(), app: app.clone(), stage: stage.clone() };
    let scene = Scene { session, project: &project, stage, store: store.as_ref(), cloud, owner };
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
    if upgrade { Resolution::Upgrade } else { Resolution::Recorded }
}

/// Waits, visibly, until nobody else holds the stage.
async fn free(session: &Session<'_>, store: &dyn Store, of: (&AppName, &StageName)) -> Result<Seen, Failure> {
    let mut told = None;
    let seen = lease::free(store, of, session.options.wait, |lease| {
        if told.as_ref() != Some(&lease.mark) {
            let text = format!("waiting: {} holds stage `{}` since {} ({})", lease.holder, of.1, lease.since, lease.purpose);
            session.host.note(Ink::Careful, &text);
            told = Some(lease.mark.clone());
        }
    });
    Ok(seen.await?)
}

/// Reads and packages the app. Nothing outside is changed.
async fn ready(scene: &Scene<'_>, state: &State, resolution: Resolution) -> Result<Ready, Failure> {
    let Scene { session, project, stage, .. } = scene;
    let uv = session.uv();
    let region = scene.cloud.region();
    let request = Request {
        stage,
        region: region.as_deref(),
        recorded: state.release.as_ref().and_then(|release| release.pins.as_ref()),
        resolution,
        uv: &uv,
    };
    let Read { app, pins, warnings } = project.read(request, &|name| session.environment.get(name).cloned()).await?;
    session.warn(&warnings);
    refuse_names(project, &app, stage)?;
    let zips = tempfile::tempdir().map_err(|source| app::Error::File { path: std::env::temp_dir(), source })?;
    let mut artifacts = BTreeMap::new();
    for (name, source) in &app.sources {
        let artifact = package::package(name, source, zips.path(), &session.environment).await?;
        tracing::info!(name, sha256 = artifact.sha256, size_bytes = artifact.size_bytes, "packaged");
        artifacts.insert(name.clone(), artifact);
    }
    Ok(Ready { app, pins, artifacts, commit: terminal::commit(&project.folder), _zips: zips })
}

/// Names that AWS would refuse are refused for every configured stage, so that none of them fails on release day.
fn refuse_names(project: &Project, app: &App, stage: &StageName) -> Result<(), Failure> {
    let mut stages = project.stages();
    stages.insert(stage.clone());
    let findings = super::check::names(project, app, &stages);
    if findings.is_empty() { Ok(()) } else { Err(app::Error::Findings(findings).into()) }
}

fn planned(scene: &Scene<'_>, ready: &Ready, state: &State, place: &Place) -> Plan {
    let ground = Ground { place, owner: &scene.owner, salt: &state.salt };
    diff::diff(&desired::desired(&ready.app, &ready.artifacts, ground), state)
}

/// Plans and applies once. `None` where somebody else changed the stage's state meanwhile.
async fn attempt(scene: &Scene<'_>, ready: &Ready, mut seen: Seen) -> Result<Option<Result<(), Failure>>, Failure> {
    let mut held = None;
    let is_doubtful = seen.state.lease.is_some() || !seen.state.in_doubt.is_empty();
    if is_doubtful {
        held = lease::take(scene.store, &mut seen, &holder(scene, "deploy")).await?;
        let Some(held) = &mut held else { return Ok(None) };
        settle(scene.session, (scene.stage, scene.cloud.as_ref()), held, &mut seen.state).await?;
    }
    let place = match &seen.state.place {
        Some(place) => place.clone(),
        None => scene.cloud.place().await?,
    };
    let plan = planned(scene, ready, &seen.state, &place);
    if plan.is_empty() && held.is_none() {
        return Ok(unchanged(scene, ready, seen).await?.then_some(Ok(())));
    }
    check_account(scene.stage, scene.cloud.as_ref(), &seen.state).await?;
    let code = code(scene, ready, &plan, &place).await?;
    seen.state.in_doubt = plan.doubts();
    seen.state.attempted.clone_from(&ready.commit);
    seen.state.place = Some(place.clone());
    seen.state.role = scene.project.config.stages.get(scene.stage).and_then(|stage| stage.role.clone());
    let held = match held {
        Some(mut held) => {
            held.renew(&mut seen.state).await?;
            held
        }
        None => match lease::take(scene.store, &mut seen, &holder(scene, "deploy")).await? {
            Some(held) => held,
            None => return Ok(None),
        },
    };
    let tools = Tools { cloud: scene.cloud.clone(), place, code };
    Ok(Some(change(scene, ready, &plan, (tools, held, seen.state)).await))
}

fn holder(scene: &Scene<'_>, purpose: &'static str) -> Holder {
    Holder { mark: lease::new_mark(), name: terminal::who(), purpose, since: scene.session.now }
}

/// Ends all doubt, with the lease in hand.
pub async fn settle(
    session: &Session<'_>,
    (stage, cloud): (&StageName, &dyn Cloud),
    held: &mut Held<'_>,
    state: &mut State,
) -> Result<(), Failure> {
    session.host.note(Ink::Careful, &format!("note: a former run of stage `{stage}` was cut off: looking at what is there"));
    check_account(stage, cloud, state).await?;
    let Some(place) = state.place.clone() else { return Ok(()) };
    let context =
        Context { hold: held.hold().clone(), place, outputs: Arc::default(), code: Arc::default() };
    recover::settle(state, cloud, &context).await?;
    Ok(held.renew(state).await?)
}

/// The account is asked for before the first mutating call, since the ids of another one would lie.
pub async fn check_account(stage: &StageName, cloud: &dyn Cloud, state: &State) -> Result<(), Failure> {
    let Some(there) = &state.place else { return Ok(()) };
    let here = cloud.place().await?;
    match here.account == there.account {
        true => Ok(()),
        false => Err(elsewhere(stage, "account", &there.account, &here.account)),
    }
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
            Action::Create(Resource::Function(function)) | Action::Update { to: Resource::Function(function), .. } => function,
            Action::Create(_) | Action::Update { .. } | Action::Delete(_) => continue,
        };
        needed.insert(function.code.clone(), step.address.name().to_owned());
    }
    let mut located = BTreeMap::new();
    for artifact in ready.artifacts.values() {
        let Some(function) = needed.get(&artifact.sha256) else { continue };
        let kept = scene.store.keep(artifact, &place.region).await?;
        if kept.is_none() {
            package::check_inline(function, artifact)?;
        }
        located.insert(artifact.sha256.clone(), kept.unwrap_or_else(|| CodeLocation::Inline(artifact.path.clone())));
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
    let Applied { steps, lost } = apply::run(plan, &tools, &mut held, &mut state, &mut |ended| tell(session, ended)).await;
    let failure = match (lost, failure(&steps, scene.stage, "deploy")) {
        (Some(lost), _) => Some(Failure::from(lost)),
        (None, Some(failure)) => {
            record(held, &mut state, scene.stage).await?;
            Some(failure)
        }
        (None, None) => {
            state.release = Some(release(scene, ready, &state));
            record(held, &mut state, scene.stage).await?;
            None
        }
    };
    let url = session.url(&state);
    let outcome = if failure.is_some() { Outcome::Failed } else { Outcome::Deployed };
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

/// Shows a step that has ended.
pub fn tell(session: &Session<'_>, ended: &Ended) {
    let ink = match ended.outcome {
        StepOutcome::Done => Ink::Good,
        StepOutcome::Failed(_) => Ink::Bad,
        StepOutcome::Skipped(_) | StepOutcome::Stopped => Ink::Faint,
    };
    session.host.progress(ink, &report::ended(ended));
}

/// The last write: it gives the lease back.
pub async fn record(held: Held<'_>, state: &mut State, stage: &StageName) -> Result<(), Failure> {
    held.give_back(state).await.map_err(|error| {
        Failure::from(error).now(format!(
            "what was done stands in AWS, and its record could not be written: the next run of stage `{stage}` looks at it first"
        ))
    })
}

/// The first failure of the steps, with what was done beside it.
pub fn failure(steps: &[Ended], stage: &StageName, command: &str) -> Option<Failure> {
    let fault = steps.iter().find_map(|step| match &step.outcome {
        StepOutcome::Failed(fault) => Some(fault.clone()),
        StepOutcome::Done | StepOutcome::Skipped(_) | StepOutcome::Stopped => None,
    })?;
    let done = steps.iter().filter(|step| matches!(step.outcome, StepOutcome::Done)).count();
    let now = format!(
        "{done} of {} steps are done and recorded, and nothing is lost: `stagewright {command} --stage {stage}` does the rest",
        steps.len()
    );
    Some(Failure::from(fault).now(now))
}
