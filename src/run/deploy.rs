//! `deploy`: the stage becomes what the app says.

use super::beginning::{Intended, begin, fits};
use super::behalf::{self, Behalf, Wanted, unwanted};
use super::holding::{
    abandon, confirmed_place, failure, free, holder, lost_to_somebody, record, settle, shared, stopped, tell, untouched,
};
use super::recognised::{Look, Reading};
use super::scene::{Contents, Ready, Scene, Secrets, refuse, stages};
use super::succession::{self, Candidate, Older, superseded};
use super::{Session, Told, adopt, check};
use crate::app::inputs::Files;
use crate::apply::{self, Applied, CutShort, Tools};
use crate::config::Project;
use crate::error::Failure;
use crate::names::StageName;
use crate::plan::Plan;
use crate::report::{self, Outcome, Report};
use crate::resource::Place;
use crate::state::lease::{self, Held, Seen};
use crate::state::store::Store;
use crate::state::{Attempt, Progress, Release, Revision, State, probe};
use crate::timeline::Phase;

/// What is to be deployed.
#[derive(Clone, Copy)]
pub struct Order<'a, 'b> {
    /// The stage.
    pub stage: &'a StageName,
    /// How the app is read.
    pub reading: Reading,
    /// What becomes of a commit that is older than what is deployed.
    pub older: Older,
    /// For whom, where it is not a person who asks.
    pub behalf: Option<&'a Behalf<'b>>,
}

/// Makes a stage what the app says.
///
/// # Errors
///
/// The app cannot be read or packaged, or the stage is held or lost, before anything was begun.
pub async fn deploy(session: &Session<'_>, project: &Project, order: Order<'_, '_>) -> Result<Told, Failure> {
    let app = project.app_name()?;
    let stage = order.stage;
    refuse(check::base_names(project, &app, &stages(project, stage)))?;
    let store = session.store_of(project, &app).await?;
    // Before any code of the project has run, which could change what git answers.
    let commit = session.host.commit(&project.folder);
    let look = Look::begin(session, project)?;
    let turn = async || turn(session, project, (store.as_ref(), commit.clone()), order).await;
    let phase = session.timeline.phase(Phase::ReadingState);
    let mut seen = match turn().await? {
        Turn::Ours(seen) => seen,
        Turn::Over(told) => return Ok(*told),
    };
    drop(phase);
    let first = seen.state.clone();
    let scene = Scene::open(session, project, store.as_ref(), &first).await?;
    let files = look.ended().await;
    let mut ready = None;
    loop {
        let given = (order, files.as_ref());
        if let Some(told) = Box::pin(once(&scene, (&mut ready, given), *seen)).await? {
            return Ok(told);
        }
        if session.stop.is_requested() {
            return Err(Failure::stopped());
        }
        let _phase = session.timeline.phase(Phase::ReadingState);
        seen = match turn().await? {
            Turn::Ours(seen) => seen,
            Turn::Over(told) => return Ok(*told),
        };
    }
}

/// Recognises the app, or reads it, if nobody has before, and deploys it. `None` where somebody else changed the stage's
/// state meanwhile.
async fn once(
    scene: &Scene<'_>,
    (known, (order, files)): (&mut Option<Ready>, (Order<'_, '_>, Option<&Files>)),
    seen: Seen,
) -> Result<Option<Told>, Failure> {
    if known.is_none()
        && let Some(contents) = scene.recognised(&seen, order.reading, files)
    {
        scene.retell(&contents);
        return unchanged(scene, (&contents, order.behalf), seen).await;
    }
    if scene.is_sure_to_change(&seen.state) {
        ask_place(scene);
    }
    let mut ready = match known.take() {
        Some(ready) => ready,
        None => Box::pin(scene.ready(&seen.state, (order.reading, Secrets::Needed), files)).await?,
    };
    scene.complete(&mut ready, &seen).await?;
    Box::pin(attempt(scene, (known.insert(ready), order.behalf), seen)).await
}

/// Asks where we are, beside everything else. Whoever needs the answer waits for it, and is told why there is none.
fn ask_place(scene: &Scene<'_>) {
    let cloud = scene.cloud.clone();
    drop(tokio::task::spawn_local(async move { cloud.place().await }));
}

/// What became of the wait for a stage.
enum Turn {
    /// It is free, and ours to change.
    Ours(Box<Seen>),
    /// There is nothing to do for us.
    Over(Box<Told>),
}

/// Waits for the stage, and finds out whether the commit still belongs on it.
async fn turn(
    session: &Session<'_>,
    project: &Project,
    (store, commit): (&dyn Store, Option<String>),
    order: Order<'_, '_>,
) -> Result<Turn, Failure> {
    let app = project.app_name()?;
    let seen = free(session, store, (&app, order.stage)).await?;
    let seen = adopt::begun_by_chalice(session, (project, &app), (store, seen))?;
    if let Some(told) = unwanted(session, order.behalf, &seen.state)? {
        return Ok(Turn::Over(Box::new(told)));
    }
    let claim = order.behalf.and_then(|behalf| behalf.claim.as_ref());
    let candidate = Candidate {
        folder: &project.folder,
        commit: commit.as_deref(),
        source: claim.map(|claim| &claim.source),
    };
    let superseded = match order.older {
        Older::Superseded => superseded(session, candidate, &seen.state).await,
        Older::Allowed => None,
    };
    Ok(match superseded {
        Some(reason) => {
            let told = succession::told(session, store, (seen, commit, reason)).await;
            Turn::Over(Box::new(told))
        }
        None => Turn::Ours(Box::new(seen)),
    })
}

/// An app that is ready, and for whom it is deployed.
type Given<'a, 'b> = (&'a Ready, Option<&'a Behalf<'b>>);

/// Plans and applies once. `None` where somebody else changed the stage's state meanwhile.
async fn attempt(scene: &Scene<'_>, given: Given<'_, '_>, mut seen: Seen) -> Result<Option<Told>, Failure> {
    let (ready, behalf) = given;
    let is_new = seen.version.is_none();
    let mut held = None;
    let mut holding = None;
    if seen.needs_a_look() {
        holding = Some(scene.session.stop.holding());
        held = lease::take(scene.store, &mut seen, &holder(scene.session, "deploy")).await?;
        if held.is_none() {
            return Ok(None);
        }
    }
    let phase = scene.session.timeline.phase(Phase::Planning);
    // Nothing is written, here or in AWS, before the store is known to be reliable.
    let probing = async {
        match is_new {
            true => probe::ensure(scene.store).await,
            false => Ok(()),
        }
    };
    let (probed, prepared) = tokio::join!(probing, prepare(scene, ready, held.as_mut(), &mut seen.state));
    probed?;
    let (plan, place) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return Err(abandon(held, &mut seen.state, failure).await),
    };
    if plan.is_empty() && held.is_none() {
        drop(phase);
        return unchanged(scene, (&ready.contents, behalf), seen).await;
    }
    drop(phase);
    let phase = scene.session.timeline.phase(Phase::TakingLease);
    let _holding = holding.unwrap_or_else(|| scene.session.stop.holding());
    let before = seen.state.clone();
    intend(scene, given, (&plan, &place), &mut seen.state);
    let intended = Intended {
        plan: &plan,
        place: &place,
        before: &before,
    };
    let Some(begun) = Box::pin(begin(scene, (ready, intended), held, &mut seen)).await? else {
        return Ok(None);
    };
    drop(phase);
    let tools = Tools {
        cloud: scene.cloud.clone(),
        place,
        code: begun.code,
        stop: scene.session.stop.clone(),
        shared: shared(scene.session, scene.store, "deploy"),
    };
    let mut told = wanted(scene, given, &plan, (tools, begun.held, seen.state, before)).await?;
    told.report.warnings = begun.warnings;
    Ok(Some(told))
}

/// Writes down what is about to be done.
fn intend(scene: &Scene<'_>, (ready, behalf): Given<'_, '_>, (plan, place): (&Plan, &Place), state: &mut State) {
    state.in_doubt = plan.doubts();
    state.attempted = Some(revision(scene, &ready.contents));
    state.place = Some(place.clone());
    state.role = scene.role();
    state.claim = behalf::claim(behalf).or(state.claim.take());
    let deployment = state.last.as_ref().and_then(|last| last.deployment);
    state.begin(Attempt {
        deployment,
        ..scene
            .session
            .attempt(Progress::Deploying, ready.contents.commit.clone())
    });
}

/// Applies the plan if the stage is still wanted; gives it back untouched if it is not.
async fn wanted(
    scene: &Scene<'_>,
    (ready, behalf): Given<'_, '_>,
    plan: &Plan,
    (tools, mut held, mut state, before): (Tools, Held<'_>, State, State),
) -> Result<Told, Failure> {
    let asked = match behalf {
        Some(behalf) => held.while_working(&mut state, behalf::ask(scene.session, behalf)).await,
        None => Ok(Ok(Wanted::Yes)),
    };
    let refusal = match asked {
        Ok(Ok(Wanted::Yes)) => return change(scene, (ready, behalf), plan, (tools, held, state)).await,
        Ok(Ok(Wanted::No(reason))) => Ok(reason),
        Ok(Err(failure)) => Err(failure),
        Err(lost) => return Err(lost_to_somebody(lost)),
    };
    untouched(&mut state, before);
    match refusal {
        Ok(reason) => {
            record(held, &mut state).await?;
            Ok(Told::skipped(scene.session, &state, reason))
        }
        Err(failure) => Err(abandon(Some(held), &mut state, failure).await),
    }
}

/// All that can fail before anything is begun. AWS is asked where we are only where something is to be done.
async fn prepare(
    scene: &Scene<'_>,
    ready: &Ready,
    held: Option<&mut Held<'_>>,
    state: &mut State,
) -> Result<(Plan, Place), Failure> {
    let cloud = scene.cloud.as_ref();
    let mut confirmed = None;
    if held.is_some() || state.place.is_none() {
        confirmed = Some(confirmed_place(cloud, state).await?);
    }
    if let Some(held) = held {
        settle(scene.session, cloud, held, state).await?;
    }
    if adopt::is_due(state) {
        confirmed = Some(adopt::compare(scene, ready, state).await?);
    }
    let place = confirmed.clone().or_else(|| state.place.clone());
    let Some(place) = place else {
        return Err(Failure::input("it is not known where the stage shall stand"));
    };
    let plan = scene.plan(ready, state, &place);
    if confirmed.is_none() && !plan.is_empty() {
        confirmed_place(cloud, state).await?;
    }
    fits(scene, ready, (&plan, &place))?;
    Ok((plan, place))
}

/// Nothing to change. Only a new commit, new versions or other inputs are written down, or an older commit could land later.
async fn unchanged(
    scene: &Scene<'_>,
    (contents, behalf): (&Contents, Option<&Behalf<'_>>),
    mut seen: Seen,
) -> Result<Option<Told>, Failure> {
    let session = scene.session;
    let claim = behalf::claim(behalf).or_else(|| seen.state.claim.clone());
    if !is_recorded(scene, contents, &seen.state) || claim != seen.state.claim {
        seen.state.claim = claim;
        seen.state.attempted = Some(revision(scene, contents));
        let made = release(scene, contents, &seen.state);
        seen.state.release = Some(match seen.state.release.take() {
            Some(known) => Release {
                number: known.number,
                at: known.at,
                by: known.by,
                ..made
            },
            None => made,
        });
        let deployment = seen.state.last.as_ref().and_then(|last| last.deployment);
        let release = seen.state.release.as_ref().map(|release| release.number);
        seen.state.begin(Attempt {
            deployment,
            release,
            ..session.attempt(Progress::Ready, contents.commit.clone())
        });
        let _phase = session.timeline.phase(Phase::Recording);
        if !lease::note(scene.store, &seen).await? {
            return Ok(None);
        }
    }
    let url = session.url(&seen.state);
    session.host.say(&format!("Stage `{}` is unchanged.\n", scene.stage));
    session.host.say(&report::deployed(&seen.state, url.as_deref()));
    Ok(Some(Told::of(Report::new(&seen.state, Outcome::Unchanged, url))))
}

/// Whether the state says all that is known now. It may say nothing: a run can be cut off behind its last step.
fn is_recorded(scene: &Scene<'_>, contents: &Contents, state: &State) -> bool {
    let release = state.release.as_ref();
    let is_released = release.is_some_and(|release| {
        let Release {
            revision,
            pins,
            withheld,
            inputs,
            ..
        } = release;
        let is_known = inputs.as_ref() == Some(&scene.recorded(contents, state));
        revision.commit == contents.commit && *pins == contents.pins && *withheld == contents.withheld && is_known
    });
    // A former version recorded no attempts.
    let is_ready = state.last.as_ref().is_none_or(|last| last.outcome == Progress::Ready);
    is_released && is_ready
}

/// Applies the plan, and records what came of it.
async fn change(
    scene: &Scene<'_>,
    (ready, behalf): Given<'_, '_>,
    plan: &Plan,
    (tools, mut held, mut state): (Tools, Held<'_>, State),
) -> Result<Told, Failure> {
    let session = scene.session;
    let phase = session.timeline.phase(Phase::Applying);
    let Applied { steps, cut_short } =
        apply::run(plan, &tools, &mut held, &mut state, &mut |ended| tell(session, ended)).await;
    drop(phase);
    let is_lost = matches!(cut_short, Some(CutShort::Lost(_)));
    let failure = match (cut_short, failure(&steps, scene.stage, "deploy")) {
        (Some(CutShort::Lost(lost)), _) => Some(lost_to_somebody(lost)),
        (Some(CutShort::Stopped), _) => Some(stopped(&steps, scene.stage, "deploy")),
        (None, failed) => failed,
    };
    let progress = if failure.is_some() {
        Progress::Failed
    } else {
        Progress::Ready
    };
    if failure.is_none() {
        state.release = Some(release(scene, &ready.contents, &state));
    }
    let number = state.release.as_ref().map(|release| release.number);
    state.last = Some(Attempt {
        deployment: behalf::deployment(behalf),
        release: number.filter(|_| failure.is_none()),
        ..session.ended(progress, (ready.contents.commit.clone(), &steps), failure.as_ref())
    });
    if !is_lost {
        let _phase = session.timeline.phase(Phase::Recording);
        record(held, &mut state).await?;
    }
    let url = session.url(&state);
    let outcome = if failure.is_some() {
        Outcome::Failed
    } else {
        session.host.say(&report::deployed(&state, url.as_deref()));
        Outcome::Deployed
    };
    let report = Report::new(&state, outcome, url).with_ended(&steps);
    Ok(Told { report, failure })
}

/// What is deployed: the commit, and by which run.
fn revision(scene: &Scene<'_>, contents: &Contents) -> Revision {
    Revision {
        commit: contents.commit.clone(),
        run: scene.session.host.run(),
    }
}

fn release(scene: &Scene<'_>, contents: &Contents, state: &State) -> Release {
    Release {
        number: state.next_release(),
        revision: revision(scene, contents),
        at: scene.session.now,
        by: scene.session.host.who(),
        artifacts: contents.artifacts.clone(),
        pins: contents.pins.clone(),
        withheld: contents.withheld.clone(),
        inputs: Some(scene.recorded(contents, state)),
    }
}
