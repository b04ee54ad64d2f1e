//! What merging a pull request would do to the stage of its base branch.

use std::fmt::Write as _;

use super::Ci;
use crate::app::python::Resolution;
use crate::config::Project;
use crate::error::Failure;
use crate::names::StageName;
use crate::plan::render;
use crate::resource::Place;
use crate::run::recognised::Reading;
use crate::run::scene::{Scene, Secrets};
use crate::state::store::Store;
use crate::state::{Merge, State, lease};

/// The most characters of a plan that are kept with a stage.
const LIMIT: usize = 16_000;

impl Ci<'_> {
    /// Plans the stage of the base branch for what the pull request has; `None` where the branch has none. That there can be
    /// no plan is an answer as well.
    pub async fn merge(&self, project: &Project, base: &str, preview: &State) -> Option<Merge> {
        let stage = match project.config.branches.stage_of(base)? {
            Ok(mapped) => mapped.stage,
            Err(error) => {
                tracing::debug!(%error, base, "the base has no stage");
                return None;
            }
        };
        let place = preview.place.clone();
        Some(match self.planned(project, &stage, place).await {
            Ok(merge) => merge,
            Err(failure) => Merge {
                summary: format!("There is no plan for `{stage}`: {}", failure.message),
                plan: String::new(),
                stage,
            },
        })
    }

    async fn planned(&self, project: &Project, stage: &StageName, near: Option<Place>) -> Result<Merge, Failure> {
        let app = project.app_name()?;
        let store = self.session.store_of(project, &app).await?;
        let new = || State::new(app.clone(), stage.clone(), lease::new_mark());
        let seen = lease::read(store.as_ref(), Some(&app), stage).await?;
        let state = seen.map_or_else(new, |seen| seen.state);
        let scene = Scene::open(self.session, project, store.as_ref(), &state).await?;
        let reading = Reading {
            resolution: Resolution::Recorded,
            recognition: self.recognition()?,
        };
        let ready = scene.ready(&state, (reading, Secrets::Unknown), None).await?;
        let place = match state.place.clone().or(near) {
            Some(place) => place,
            None => scene.cloud.place().await?,
        };
        let (plan, unknown) = scene.plan_but_unknown(&ready, &state, &place);
        let mut text = render::steps(&plan);
        for name in unknown {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "? {name}: known only where `{stage}` is deployed");
        }
        Ok(Merge {
            stage: stage.clone(),
            summary: render::summary(&plan).trim_end().to_owned(),
            plan: text.chars().take(LIMIT).collect(),
        })
    }

    /// Keeps with the preview what merging would do, so that whoever writes the comment can say it.
    pub async fn keep_merge(&self, store: &dyn Store, stage: &StageName, merge: Merge) -> Result<(), Failure> {
        // Whoever holds the stage by now writes a comment of their own.
        if let Some(mut seen) = lease::read(store, None, stage).await?
            && let Some(last) = &mut seen.state.last
            && last.merge.as_ref() != Some(&merge)
        {
            last.merge = Some(merge);
            let kept = lease::note(store, &seen).await?;
            tracing::debug!(kept, "plan of the base kept");
        }
        Ok(())
    }
}
