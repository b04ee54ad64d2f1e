//! By what right a trigger removes a stage, and whether what the state records agrees.

use super::branches::{Branches, is_reserved};
use super::decide::Rules;
use super::{Ground, Removal, Source};
use crate::names::StageName;

impl Removal {
    /// The right to remove a stage that a glob made for a branch; `None` where the stage is fixed, or is called like a
    /// preview. Without a branch, it is that of whichever branch the state records.
    pub fn of_branch(stage: StageName, branch: Option<String>, rules: &Rules<'_>) -> Option<Self> {
        if rules.is_fixed(&stage) || is_reserved(&stage) {
            return None;
        }
        Some(Self {
            stage,
            ground: Ground::Branch(branch),
        })
    }

    /// Whether the stage is still what the trigger took it for. `recorded` is what the stage's state says it was made for.
    ///
    /// # Errors
    ///
    /// Why it is left alone, as a sentence.
    pub fn allows(&self, recorded: Option<&Source>, branches: &Branches) -> Result<(), String> {
        let stage = &self.stage;
        match (&self.ground, recorded) {
            (Ground::Preview(_), None) => Ok(()),
            (Ground::Preview(number), Some(Source::PullRequest(recorded))) if number == recorded => Ok(()),
            (Ground::Preview(number), Some(other)) => Err(format!(
                "Stage `{stage}` was made for `{other}`, and not for #{number}: it is left alone."
            )),
            (Ground::Branch(_), None) => Err(format!(
                "Nothing says for which branch stage `{stage}` was made: `stagewright destroy --stage {stage}` at a terminal \
                 removes it."
            )),
            (Ground::Branch(_), Some(other @ Source::PullRequest(_))) => Err(format!(
                "Stage `{stage}` was made for `{other}`, and not for a branch: it is left alone."
            )),
            (Ground::Branch(Some(deleted)), Some(Source::Branch(recorded))) if deleted != recorded => Err(format!(
                "Stage `{stage}` was made for `{recorded}`, and not for `{deleted}`: it is left alone."
            )),
            (Ground::Branch(_), Some(Source::Branch(recorded))) => match branches.makes(stage, recorded) {
                true => Ok(()),
                false => Err(format!(
                    "Stage `{stage}` was made for `{recorded}`, which no glob maps to it: \
                     `stagewright destroy --stage {stage}` at a terminal removes it."
                )),
            },
        }
    }
}
