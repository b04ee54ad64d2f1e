//! `plan`: what `deploy` would change, and why.

use super::recognised::{Look, Reading};
use super::scene::{Scene, Secrets, refuse, stages};
use super::{Session, adopt, check, rivals};
use crate::app::inputs::Files;
use crate::error::Failure;
use crate::host::Ink;
use crate::names::StageName;
use crate::plan::{Plan, render};
use crate::report::{Outcome, Report};
use crate::state::State;
use crate::state::lease::{self, Seen};
use crate::timeline::Phase;

/// Shows what `deploy` would change.
///
/// # Errors
///
/// The app cannot be read or packaged, or its state cannot be read.
pub async fn plan(session: &Session<'_>, stage: &StageName, reading: Reading) -> Result<(), Failure> {
    let project = session.project()?;
    let app = project.app_name()?;
    refuse(check::base_names(&project, &app, &stages(&project, stage)))?;
    let store = session.store_of(&project, &app).await?;
    let look = Look::begin(session, &project)?;
    let phase = session.timeline.phase(Phase::ReadingState);
    let seen = lease::read(store.as_ref(), Some(&app), stage).await?;
    drop(phase);
    let seen = seen.unwrap_or_else(|| Seen::new(app.clone(), stage.clone()));
    let seen = adopt::begun_by_chalice(session, (&project, &app), (store.as_ref(), seen))?;
    let state = seen.state.clone();
    if let Some(lease) = &state.lease {
        session.host.note(
            Ink::Careful,
            &format!(
                "note: {} holds the stage ({}): this is the plan for what it has recorded",
                lease.holder, lease.purpose
            ),
        );
    }
    if !state.in_doubt.is_empty() {
        let note = "note: a former run was cut off: `deploy` looks at what is there first, and may have more to do";
        session.host.note(Ink::Careful, note);
    }
    let scene = Scene::open(session, &project, store.as_ref(), &state).await?;
    let files = look.ended().await;
    let (state, plan) = match scene.recognised(&seen, reading, files.as_ref()) {
        Some(contents) => {
            scene.retell(&contents);
            let steps = Vec::new();
            let (app, stage) = (app.clone(), stage.clone());
            (state.clone(), Plan { app, stage, steps })
        }
        None => Box::pin(planned(&scene, &state, (reading, files.as_ref()))).await?,
    };
    let mut report = Report::new(&state, Outcome::Planned, session.url(&state)).with_planned(&plan);
    report.warnings = rivals::warn(session, store.as_ref(), &state, &plan).await;
    session.host.say(&render::render(&plan));
    session.answer(serde_json::json!(report));
    Ok(())
}

/// What there is to do for the app as it is read and packaged now, and the state as a deploy would take it.
async fn planned(
    scene: &Scene<'_>,
    state: &State,
    (reading, files): (Reading, Option<&Files>),
) -> Result<(State, Plan), Failure> {
    let ready = scene.ready(state, (reading, Secrets::Needed), files).await?;
    let _phase = scene.session.timeline.phase(Phase::Planning);
    let mut state = state.clone();
    let place = match &state.place {
        _ if adopt::is_due(&state) => adopt::compare(scene, &ready, &mut state).await?,
        Some(place) => place.clone(),
        None => scene.cloud.place().await?,
    };
    let plan = scene.plan(&ready, &state, &place);
    Ok((state, plan))
}
