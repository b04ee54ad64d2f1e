//! A plan -> a stage that is held, with what is about to be done written down, and the code where Lambda takes it from.

use std::collections::BTreeMap;

use super::holding::{abandon, holder, lost_to_somebody, untouched};
use super::rivals;
use super::scene::{Ready, Scene, zips_sent};
use crate::app::package;
use crate::error::Failure;
use crate::plan::{Action, Plan};
use crate::resource::{Change, CodeLocation, Place};
use crate::state::State;
use crate::state::lease::{self, Held, Seen};
use crate::timeline::Phase;

/// What is about to be done.
#[derive(Clone, Copy)]
pub struct Intended<'a> {
    /// The steps.
    pub plan: &'a Plan,
    /// Where the stage lives.
    pub place: &'a Place,
    /// The state as it was before that was written down in it.
    pub before: &'a State,
}

/// A stage that is held, with all that the plan needs.
pub struct Begun<'a> {
    /// The lease.
    pub held: Held<'a>,
    /// Where Lambda takes the code from, by its SHA-256.
    pub code: BTreeMap<String, CodeLocation>,
    /// What is told of other stages that take the same events.
    pub warnings: Vec<String>,
}

/// Takes the lease, or renews it, and sends the code to where Lambda takes it from meanwhile. `None` where somebody else changed the stage's
/// state. Where it fails, nothing was begun, and the state is given back as it was.
pub async fn begin<'a>(
    scene: &'a Scene<'_>,
    (ready, intended): (&Ready, Intended<'_>),
    held: Option<Held<'a>>,
    seen: &mut Seen,
) -> Result<Option<Begun<'a>>, Failure> {
    let Intended { plan, place, before } = intended;
    // Whose events the stage takes is told, and keeps it from nothing.
    let warning = rivals::warn(scene.session, scene.store, before, plan);
    let rest = async { tokio::join!(warning, look_ahead(scene, plan), code(scene, ready, (plan, place))) };
    let mut rest = std::pin::pin!(rest);
    let mut done = None;
    let held = {
        let mut taking = std::pin::pin!(take(scene, held, seen, before));
        loop {
            tokio::select! {
                held = &mut taking => break held?,
                ended = &mut rest, if done.is_none() => done = Some(ended),
            }
        }
    };
    let Some(mut held) = held else { return Ok(None) };
    let state = &mut seen.state;
    let done = match done {
        Some(done) => Ok(done),
        // However long the rest takes, the lease is kept.
        None => tokio::select! {
            done = held.while_working(state, rest) => Ok(done.map_err(lost_to_somebody)?),
            () = scene.session.stop.requested() => Err(Failure::stopped().now("nothing new was begun")),
        },
    };
    let (warnings, located) = match done {
        Ok((warnings, (), located)) => (warnings, located),
        Err(stopped) => (Vec::new(), Err(stopped)),
    };
    match located {
        Ok(code) => Ok(Some(Begun { held, code, warnings })),
        Err(failure) => {
            untouched(state, before.clone());
            Err(abandon(Some(held), state, failure).await)
        }
    }
}

/// Takes the lease, or renews the one that is held; `None` where somebody else was before us.
async fn take<'a>(
    scene: &'a Scene<'_>,
    held: Option<Held<'a>>,
    seen: &mut Seen,
    before: &State,
) -> Result<Option<Held<'a>>, Failure> {
    let Some(mut held) = held else {
        return Ok(lease::take(scene.store, seen, &holder(scene.session, "deploy")).await?);
    };
    match held.renew(&mut seen.state).await {
        Ok(()) => Ok(Some(held)),
        Err(error) => {
            untouched(&mut seen.state, before.clone());
            Err(abandon(Some(held), &mut seen.state, error.into()).await)
        }
    }
}

/// Looks at what will be updated.
async fn look_ahead(scene: &Scene<'_>, plan: &Plan) {
    let mut changes = Vec::new();
    for step in &plan.steps {
        if let Action::Update { from, to } = &step.action {
            changes.push(Change {
                from: from.resource.as_ref(),
                to,
                outputs: &from.outputs,
            });
        }
    }
    scene.cloud.look_ahead(&changes).await;
}

/// Refuses zips that are too large for a call, where no bucket of the Region takes them.
pub fn fits(scene: &Scene<'_>, ready: &Ready, (plan, place): (&Plan, &Place)) -> Result<(), Failure> {
    if scene.store.keeps_for(&place.region) {
        return Ok(());
    }
    let needed = zips_sent(plan);
    for artifact in ready.artifacts.values() {
        if let Some(function) = needed.get(&artifact.sha256) {
            package::fits_inline(function, artifact)?;
        }
    }
    Ok(())
}

/// Where Lambda takes the code from that the plan needs: from the store where it is a bucket of the Region, else inline.
async fn code(
    scene: &Scene<'_>,
    ready: &Ready,
    (plan, place): (&Plan, &Place),
) -> Result<BTreeMap<String, CodeLocation>, Failure> {
    let needed = zips_sent(plan);
    let _phase = scene.session.timeline.phase(Phase::Uploading);
    let mut located = BTreeMap::new();
    for artifact in ready.artifacts.values() {
        if !needed.contains_key(&artifact.sha256) {
            continue;
        }
        let kept = scene.store.keep(artifact, &place.region).await?;
        located.insert(
            artifact.sha256.clone(),
            kept.unwrap_or_else(|| CodeLocation::Inline(artifact.path.clone())),
        );
    }
    Ok(located)
}
