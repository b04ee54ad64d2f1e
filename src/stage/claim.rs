//! Two refs whose names become one stage: the second is told of the first.

use super::Source;
use super::branches::{Branches, By, Mapped};
use crate::names::StageName;

/// Another branch has the stage already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stage `{stage}` belongs to `{holder}`, and `{ours}` would take it over: {}", way_on(*.by, .stage))]
pub struct Collision {
    /// The stage.
    pub stage: StageName,
    /// What it was made for, by its ref.
    pub holder: Source,
    /// What would be deployed on it now, by its ref.
    pub ours: Source,
    /// What maps the holder to the stage.
    pub by: By,
}

fn way_on(by: By, stage: &StageName) -> String {
    match by {
        By::Name => "merge the one into the other, or map both to it by their names under `branches`".to_owned(),
        By::Glob => format!(
            "rename one of the two, tell them apart under `branches`, or free the stage with \
             `stagewright destroy --stage {stage}`"
        ),
    }
}

/// Whether a stage may be deployed for `ours`, where its state records that it was made for something else. A branch that
/// is no longer mapped to the stage has lost it; branches that are mapped to it by their names share it, since somebody wrote both down.
///
/// # Errors
///
/// [`Collision`] where another branch is still mapped to the stage.
pub fn claims(
    stage: &StageName,
    ours: &Source,
    recorded: Option<&Source>,
    branches: &Branches,
) -> Result<(), Collision> {
    let Some(holder @ Source::Branch(branch)) = recorded.filter(|recorded| *recorded != ours) else {
        return Ok(());
    };
    let Some(Ok(still)) = branches.stage_of(branch) else {
        return Ok(());
    };
    let is_shared = match still.by {
        By::Name => is_by_name(stage, ours, branches),
        By::Glob => false,
    };
    if still.stage != *stage || is_shared {
        return Ok(());
    }
    Err(Collision {
        stage: stage.clone(),
        holder: holder.clone(),
        ours: ours.clone(),
        by: still.by,
    })
}

fn is_by_name(stage: &StageName, source: &Source, branches: &Branches) -> bool {
    let by_name = Mapped {
        stage: stage.clone(),
        by: By::Name,
    };
    match source {
        Source::Branch(branch) => branches.stage_of(branch) == Some(Ok(by_name)),
        Source::PullRequest(_) => false,
    }
}
