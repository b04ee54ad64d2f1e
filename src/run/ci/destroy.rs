//! A stage that nobody needs any more: removed from its state alone, in every app that has it.

use super::Ci;
use super::comment::News;
use super::tell::{Ended, between_apps, mark};
use crate::error::Failure;
use crate::host::github::api::Standing;
use crate::host::github::comment::Mode;
use crate::names::AppName;
use crate::report::Outcome;
use crate::run::behalf::{Behalf, Wanted};
use crate::run::destroy::{Target, remove};
use crate::stage::{Removal, Trigger};
use crate::state::{Progress, State, lease};

impl Ci<'_> {
    /// Removes a stage of every app that has it.
    pub async fn destroy(&self, removal: &Removal) -> Result<Vec<Ended>, Failure> {
        let stage = removal.stage();
        let mut ended = Vec::new();
        for state in self.states(stage).await? {
            if self.session.stop.is_requested() {
                return Err(between_apps(&ended));
            }
            ended.extend(self.destroyed(&state, removal).await);
        }
        if let Some(number) = removal.pull_request() {
            self.comment(number, Mode::OnlyUpdate, News::Some).await;
        }
        if ended.is_empty() {
            self.skip(&format!("Stage `{stage}` is not deployed: there is nothing to remove."));
        }
        Ok(ended)
    }

    /// Removes the stage of one app; `None` where there was nothing left of it.
    async fn destroyed(&self, state: &State, removal: &Removal) -> Option<Ended> {
        let (app, stage) = (&state.app, removal.stage());
        let told = async {
            let role = self.configured(app, stage).role.or_else(|| state.role.clone());
            self.refuse_without_credentials(role.as_ref())?;
            let store = self.store(app).await?;
            let target = Target {
                app,
                stage,
                store: store.as_ref(),
                config: self.configured(app, stage),
                project: None,
            };
            let behalf = Behalf {
                claim: None,
                may_take: &|state| Ok(self.may_remove(removal, state)),
                deployment: None,
                begun: &|| Box::pin(self.needed_still(removal)),
            };
            remove(self.session, &target, Some(&behalf)).await
        }
        .await;
        let ended = Ended::new(told, (app, stage));
        match ended.report.outcome {
            Outcome::Destroyed => self.retire(app, stage, None).await,
            Outcome::Unchanged => {
                self.keep(app, removal, (Progress::Removed, None)).await;
                return None;
            }
            Outcome::Failed => {
                let failure = ended.failure.as_ref().filter(|failure| !failure.is_of_another_run());
                if failure.is_some() {
                    self.keep(app, removal, (Progress::Failed, failure)).await;
                }
            }
            Outcome::Deployed | Outcome::Planned | Outcome::Skipped | Outcome::Superseded => {}
        }
        if let Some(failure) = &ended.failure {
            mark(self.session, failure, &self.session.options.project_dir);
        }
        Some(ended)
    }

    /// Writes down what the state does not say yet, for the comment: that there never was anything to remove, or why it
    /// could not be removed.
    async fn keep(&self, app: &AppName, removal: &Removal, (outcome, failure): (Progress, Option<&Failure>)) {
        let kept = async {
            let store = self.store(app).await?;
            let Some(mut seen) = lease::read(store.as_ref(), Some(app), removal.stage()).await? else {
                return Ok(false);
            };
            let error = failure.map(Failure::problem);
            let last = seen.state.last.as_ref();
            let is_known = last.is_some_and(|last| last.outcome == outcome && last.error == error);
            if is_known || self.may_remove(removal, &seen.state) != Wanted::Yes {
                return Ok(false);
            }
            let commit = seen.state.last.as_ref().and_then(|last| last.commit.clone());
            seen.state.begin(self.session.ended(outcome, (commit, &[]), failure));
            Ok::<_, Failure>(lease::note(store.as_ref(), &seen).await?)
        };
        match kept.await {
            Ok(kept) => tracing::debug!(kept, "end of the stage noted"),
            // The run tells the failure itself.
            Err(failure) => tracing::warn!(message = failure.message, "the end of the stage could not be noted"),
        }
    }

    fn may_remove(&self, removal: &Removal, state: &State) -> Wanted {
        let claim = state.claim.as_ref();
        if let Some(other) = claim.filter(|claim| !self.is_ours(claim)) {
            return Wanted::No(format!("The stage belongs to `{}`.", other.repository));
        }
        match removal.allows(claim.map(|claim| &claim.source), &self.ground.config.branches) {
            Ok(()) => Wanted::Yes,
            Err(reason) => Wanted::No(reason),
        }
    }

    /// A pull request may have been opened again since the run was queued, and a branch may have been pushed again. What a
    /// person asks for is done.
    async fn needed_still(&self, removal: &Removal) -> Result<Wanted, Failure> {
        let api = self.github.api();
        if matches!(self.trigger, Trigger::Manual { .. }) {
            return Ok(Wanted::Yes);
        }
        if let Some(number) = removal.pull_request() {
            return match api.pull_request(number).await? {
                Some(pull) => Ok(match pull.standing {
                    Standing::Open => Wanted::No(format!("#{number} is open again: its preview stays.")),
                    Standing::Closed => Wanted::Yes,
                }),
                None => Err(self.unseen(number)),
            };
        }
        match removal.branch() {
            Some(branch) if api.has_branch(branch).await? => {
                Ok(Wanted::No(format!("`{branch}` is there again: its stage stays.")))
            }
            Some(_) | None => Ok(Wanted::Yes),
        }
    }

    /// GitHub does not tell what is not there from what the token may not see, and pull requests are never deleted.
    pub fn unseen(&self, number: u64) -> Failure {
        Failure::input(format!(
            "GitHub does not show #{number} of `{}` to this token, so that nobody can tell whether it is open",
            self.github.repository()
        ))
        .hint("give the job `permissions: { pull-requests: write }`, and the action a token of this repository")
    }
}
