//! A stage that nobody needs any more: removed from its state alone, in every app that has it.

use std::cell::Cell;

use super::Ci;
use super::comment::News;
use super::tell::Ended;
use crate::error::Failure;
use crate::host::github::api::Standing;
use crate::host::github::comment::Mode;
use crate::names::AppName;
use crate::report::Outcome;
use crate::run::behalf::{Behalf, Wanted};
use crate::run::destroy::{Target, remove};
use crate::stage::{Removal, Source};
use crate::state::State;

impl Ci<'_> {
    /// Removes a stage of every app that has it.
    pub async fn destroy(&self, removal: &Removal) -> Result<(), Failure> {
        self.refuse_without_credentials(None)?;
        let mut ended = Vec::new();
        for app in self.apps().await? {
            ended.extend(self.destroyed(&app, removal).await);
        }
        if let Some(number) = removal.pull_request() {
            self.comment(number, Mode::OnlyUpdate, News::Some).await;
        }
        if ended.is_empty() {
            return self.skip(&format!(
                "Stage `{}` is not deployed: there is nothing to remove.",
                removal.stage()
            ));
        }
        self.tell(ended)
    }

    /// Removes the stage of one app; `None` where there was none.
    async fn destroyed(&self, app: &AppName, removal: &Removal) -> Option<Ended> {
        let stage = removal.stage();
        let told = async {
            let store = self.store(app).await?;
            let target = Target {
                app,
                stage,
                store: store.as_ref(),
                config: self.configured(app, stage),
            };
            let behalf = Behalf {
                claim: self.claim(
                    removal
                        .pull_request()
                        .map_or_else(|| Source::Branch(String::new()), Source::PullRequest),
                ),
                may_take: &|state| Ok(self.may_remove(removal, state)),
                deployment: &Cell::new(None),
                begun: &|| Box::pin(self.is_still_over(removal)),
            };
            remove(self.session, &target, Some(&behalf)).await
        }
        .await;
        let ended = Ended::new(told, (app, stage));
        match ended.report.outcome {
            Outcome::Unchanged => return None,
            Outcome::Destroyed => self.retire(app, stage).await,
            Outcome::Deployed | Outcome::Planned | Outcome::Skipped | Outcome::Failed => {}
        }
        Some(ended)
    }

    fn may_remove(&self, removal: &Removal, state: &State) -> Wanted {
        let claim = state.claim.as_ref();
        if let Some(other) = claim.filter(|claim| claim.repository != self.github.repository()) {
            return Wanted::No(format!("The stage belongs to `{}`.", other.repository));
        }
        match removal.allows(claim.map(|claim| &claim.source), &self.ground.config.branches) {
            Ok(()) => Wanted::Yes,
            Err(reason) => Wanted::No(reason),
        }
    }

    /// A pull request may have been opened again since the run was queued.
    async fn is_still_over(&self, removal: &Removal) -> Result<Wanted, Failure> {
        let Some(number) = removal.pull_request() else {
            return Ok(Wanted::Yes);
        };
        Ok(match self.github.api().pull_request(number).await? {
            Some(pull) if pull.standing == Standing::Open => {
                Wanted::No(format!("#{number} is open again: its preview stays."))
            }
            Some(_) | None => Wanted::Yes,
        })
    }
}
