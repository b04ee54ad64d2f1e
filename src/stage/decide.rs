//! From a trigger to a decision, and why: pure, and the same on every host.

use std::collections::BTreeSet;

use super::branches::{BranchError, Branches, By, Mapped, is_reserved, is_same};
use super::policy::PullRequests;
use super::{Activity, Decision, Origin, PullRequest, Removal, Source, Trigger, Workflow};
use crate::names::{NameError, StageName};

/// What the config says about triggers.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Which branch is which stage.
    pub branches: &'a Branches,
    /// Which pull requests get a preview.
    pub pull_requests: &'a PullRequests,
    /// The stages that are configured by name: no trigger removes them.
    pub fixed: &'a BTreeSet<StageName>,
}

/// What a person asked for and does not get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A fixed stage is removed by nobody but a person at a terminal.
    #[error("`{0}` is a fixed stage, which no workflow removes: run `stagewright destroy --stage {0}` at a terminal")]
    Fixed(StageName),
    /// The stage belongs to a pull request.
    #[error("`{0}` is the preview of a pull request, and is deployed by it alone: push a commit to it")]
    Preview(StageName),
    /// The stage is called like a preview, and no pull request has such a number.
    #[error("`{0}` is not the preview of any pull request: these are called `pr-` and a number, like `pr-42`")]
    NoPreview(StageName),
    /// A branch is mapped to a stage that cannot be.
    #[error("the stage of branch `{branch}` cannot be made: {source}")]
    Branch {
        /// The branch.
        branch: String,
        /// Why.
        source: BranchError,
    },
    /// The stage that was asked for has no possible name.
    #[error("the input `stage` is wrong: {0}")]
    Name(#[from] NameError),
    /// Nobody knows what is to be done.
    #[error("the input `command` is `{0}`, and only `deploy`, `destroy` and `sweep` are known")]
    Command(String),
    /// No branch, and a stage is deployed from one.
    #[error("`{0}` is no branch: start the workflow from a branch")]
    Ref(String),
    /// Neither the person nor the config named a stage.
    #[error(
        "`{0}` is mapped to no stage: give the input `stage`, or map the branch under `branches` in `stagewright.yaml`"
    )]
    Unmapped(String),
}

impl Rules<'_> {
    /// Whether a stage is configured by name, be it under `stages` or as that of a branch.
    pub fn is_fixed(&self, stage: &StageName) -> bool {
        let is_configured = self.fixed.iter().any(|fixed| is_same(fixed, stage));
        is_configured || self.branches.stages().any(|fixed| is_same(&fixed, stage))
    }

    fn stage_of(&self, branch: &str) -> Option<Result<Mapped, BranchError>> {
        let mapped = self.branches.stage_of(branch)?;
        Some(mapped.and_then(|mapped| match mapped.by {
            By::Glob if self.is_fixed(&mapped.stage) => Err(BranchError::Taken(mapped.stage)),
            By::Glob | By::Name => Ok(mapped),
        }))
    }
}

/// Decides what a trigger leads to.
///
/// # Errors
///
/// [`Refused`] where a person asked for what is not done, and where a branch is mapped to a stage that cannot be.
pub fn decide(trigger: &Trigger, rules: &Rules<'_>) -> Result<Decision, Refused> {
    match trigger {
        Trigger::Push { branch } => pushed(branch, rules),
        Trigger::BranchDeleted { branch } => Ok(branch_deleted(branch, rules)),
        Trigger::PullRequest(pull_request) => Ok(of_pull_request(pull_request, rules)),
        Trigger::Schedule => Ok(Decision::Sweep {
            reason: "The schedule asks for it.".to_owned(),
        }),
        Trigger::Manual {
            git_ref,
            stage,
            command,
        } => {
            let branch = git_ref.strip_prefix("refs/heads/");
            let given = |text: &Option<String>| {
                text.as_deref()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            };
            let stage = given(stage).map(StageName::try_from).transpose()?;
            match given(command).as_deref() {
                None | Some("deploy") => asked_to_deploy((git_ref, branch), stage, rules),
                Some("destroy") => asked_to_destroy((git_ref, branch), stage, rules),
                Some("sweep") => Ok(Decision::Sweep {
                    reason: "A person asked for it.".to_owned(),
                }),
                Some(unknown) => Err(Refused::Command(unknown.to_owned())),
            }
        }
        Trigger::Other { what } => Ok(skip(sentence(what))),
    }
}

fn pushed(branch: &str, rules: &Rules<'_>) -> Result<Decision, Refused> {
    let Some(mapped) = rules.stage_of(branch) else {
        return Ok(skip(format!(
            "`{branch}` is mapped to no stage: `branches: {{ \"{branch}\": STAGE }}` in `stagewright.yaml` would map it."
        )));
    };
    let stage = mapped.map_err(|source| unmappable(branch, source))?.stage;
    Ok(Decision::Deploy {
        reason: format!("`{branch}` is mapped to stage `{stage}`."),
        source: Source::Branch(branch.to_owned()),
        stage,
    })
}

fn branch_deleted(branch: &str, rules: &Rules<'_>) -> Decision {
    let Some(mapped) = rules.stage_of(branch) else {
        return skip(format!("`{branch}` was deleted, and is mapped to no stage."));
    };
    let stage = match mapped {
        Ok(Mapped { stage, by: By::Glob }) => stage,
        Ok(Mapped { stage, by: By::Name }) => {
            return skip(format!(
                "`{branch}` was deleted, and its stage `{stage}` is fixed: `stagewright destroy --stage {stage}` at a \
                 terminal removes it."
            ));
        }
        Err(error) => return skip(format!("`{branch}` was deleted, and never had a stage: {error}.")),
    };
    match Removal::of_branch(stage, Some(branch.to_owned()), rules) {
        Some(removal) => Decision::Destroy {
            reason: format!(
                "`{branch}` was deleted, for which stage `{}` was made.",
                removal.stage()
            ),
            removal,
        },
        None => skip(format!(
            "`{branch}` was deleted, and its stage is not one that goes with its branch."
        )),
    }
}

fn of_pull_request(pull_request: &PullRequest, rules: &Rules<'_>) -> Decision {
    let PullRequest {
        number,
        activity,
        workflow,
        origin,
        ..
    } = pull_request;
    match (activity, workflow) {
        (Activity::Closed, Workflow::Base) => closed(*number, rules),
        (Activity::Closed, Workflow::Own) => match origin {
            Origin::Here => closed(*number, rules),
            Origin::Fork(_) | Origin::Dependabot => skip(format!(
                "#{number} is closed, and this run has no credentials, as none that {} starts: what it may have is removed \
                 by `pull_request_target: {{ types: [closed] }}`, or by the next sweep.",
                starter(origin)
            )),
        },
        (Activity::Other(what), Workflow::Own | Workflow::Base) => {
            skip(format!("`{what}` of #{number} changes nothing about its preview."))
        }
        (Activity::Deployable, Workflow::Base) => skip(format!(
            "`pull_request_target` has rights that the code of #{number} must not get, so that it only removes previews: \
             let `pull_request` deploy them."
        )),
        (Activity::Deployable, Workflow::Own) => match origin {
            Origin::Here => preview(pull_request, rules),
            Origin::Fork(_) => skip(format!(
                "#{number} comes from {}, whose runs get no credentials: a maintainer who has read it can push its branch \
                 to this repository for a preview.",
                starter(origin)
            )),
            Origin::Dependabot => skip(format!(
                "#{number} comes from {}, whose runs get no credentials: a maintainer can push its commits to a branch of \
                 their own in this repository for a preview, or merge it.",
                starter(origin)
            )),
        },
    }
}

fn starter(origin: &Origin) -> String {
    match origin {
        Origin::Here => "this repository".to_owned(),
        Origin::Fork(Some(name)) => format!("the fork `{name}`"),
        Origin::Fork(None) => "a fork that is gone".to_owned(),
        Origin::Dependabot => "Dependabot".to_owned(),
    }
}

fn closed(number: u64, rules: &Rules<'_>) -> Decision {
    let removal = Removal::of_preview(number);
    match rules.is_fixed(removal.stage()) {
        // A config refuses such a name; whoever makes rules by another way is not let through either.
        true => skip(format!("`{}` is a fixed stage.", removal.stage())),
        false => Decision::Destroy {
            removal,
            reason: format!("#{number} is closed."),
        },
    }
}

fn preview(pull_request: &PullRequest, rules: &Rules<'_>) -> Decision {
    let number = pull_request.number;
    let stage = StageName::of_preview(number);
    if rules.is_fixed(&stage) {
        return skip(format!("`{stage}` is a fixed stage."));
    }
    match rules.pull_requests.admits(pull_request) {
        Ok(()) => Decision::Deploy {
            stage,
            source: Source::PullRequest(number),
            reason: format!("#{number} is open, and gets a preview."),
        },
        Err(reason) => skip(reason),
    }
}

/// What a person stands on, and its branch, if it is one.
type Standing<'a> = (&'a str, Option<&'a str>);

fn asked_to_deploy(
    (git_ref, branch): Standing<'_>,
    stage: Option<StageName>,
    rules: &Rules<'_>,
) -> Result<Decision, Refused> {
    let branch = branch.ok_or_else(|| Refused::Ref(git_ref.to_owned()))?;
    let stage = match stage {
        Some(stage) => stage,
        None => mapped(branch, rules)?.stage,
    };
    if is_reserved(&stage) {
        return Err(Refused::Preview(stage));
    }
    Ok(Decision::Deploy {
        reason: format!("A person asked for stage `{stage}` of `{branch}`."),
        source: Source::Branch(branch.to_owned()),
        stage,
    })
}

fn asked_to_destroy(
    (git_ref, branch): Standing<'_>,
    stage: Option<StageName>,
    rules: &Rules<'_>,
) -> Result<Decision, Refused> {
    let (stage, branch) = match (stage, branch) {
        (Some(stage), _) => (stage, None),
        (None, Some(branch)) => (mapped(branch, rules)?.stage, Some(branch.to_owned())),
        (None, None) => return Err(Refused::Ref(git_ref.to_owned())),
    };
    let reason = format!("A person asked to remove stage `{stage}`.");
    if rules.is_fixed(&stage) {
        return Err(Refused::Fixed(stage));
    }
    let removal = match preview_number(&stage) {
        Some(number) => Some(Removal::of_preview(number)),
        None => Removal::of_branch(stage.clone(), branch, rules),
    };
    // What is left looks like a preview's name and is none: `pr-007`.
    let removal = removal.ok_or(Refused::NoPreview(stage))?;
    Ok(Decision::Destroy { removal, reason })
}

fn mapped(branch: &str, rules: &Rules<'_>) -> Result<Mapped, Refused> {
    let mapped = rules
        .stage_of(branch)
        .ok_or_else(|| Refused::Unmapped(branch.to_owned()))?;
    mapped.map_err(|source| unmappable(branch, source))
}

fn unmappable(branch: &str, source: BranchError) -> Refused {
    Refused::Branch {
        branch: branch.to_owned(),
        source,
    }
}

/// The pull request whose preview has this very name.
fn preview_number(stage: &StageName) -> Option<u64> {
    let number = stage.as_str().strip_prefix("pr-")?.parse().ok()?;
    (StageName::of_preview(number) == *stage).then_some(number)
}

fn skip(reason: String) -> Decision {
    Decision::Skip { reason }
}

/// A clause as a sentence.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str())
}
