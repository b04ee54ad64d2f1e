//! A stage that is made what a commit says: of every app that has changes, one after the other.

use std::path::Path;

use super::Ci;
use super::comment::News;
use super::release::Entry;
use super::tell::Ended;
use crate::app::python::Resolution;
use crate::config::workspace;
use crate::config::{Project, Protection};
use crate::error::Failure;
use crate::host::Host as _;
use crate::host::github::api::{Relation, Standing};
use crate::host::github::comment::Mode;
use crate::host::github::deployments::Status;
use crate::names::{AppName, StageName};
use crate::report::Outcome;
use crate::run::Told;
use crate::run::behalf::{Behalf, Wanted};
use crate::run::deploy::{Order, deploy};
use crate::stage::claim::claims;
use crate::stage::{Removal, Source, Trigger};
use crate::state::{Progress, State, lease};

impl Ci<'_> {
    /// Makes a stage of every app what the commit says.
    pub async fn deploy(&self, stage: &StageName, source: Source) -> Result<(), Failure> {
        if self.ground.projects.is_empty() {
            let message = "the code is not checked out, and a deploy needs it";
            return Err(Failure::input(message).hint("let `actions/checkout` run before this step"));
        }
        if let Source::PullRequest(number) = source
            && let Wanted::No(reason) = self.is_still_open(number).await?
        {
            self.say(&format!("Removes stage `{stage}` instead: {reason}"));
            return self.destroy(&Removal::of_preview(number)).await;
        }
        self.refuse_unprotected(stage, &source).await?;
        let mut ended = Vec::new();
        for project in &self.ground.projects {
            let app = project.app_name()?;
            if self.session.options.app.as_ref().is_some_and(|only| *only != app) {
                continue;
            }
            if let Some(reason) = self.is_untouched(project, &app, (stage, &source)).await? {
                self.say(&format!("App `{app}` stays as it is: {reason}"));
                continue;
            }
            ended.push(self.deployed(project, &app, (stage, &source)).await);
        }
        self.tell(ended)
    }

    async fn deployed(&self, project: &Project, app: &AppName, (stage, source): (&StageName, &Source)) -> Ended {
        if self.ground.projects.len() > 1 {
            self.say(&format!("App `{app}`:"));
        }
        let commit = self.github.commit(&project.folder);
        let entry = Entry::new(self, app.clone(), stage, commit.clone());
        let told = self.attempted(project, app, &entry, (stage, source)).await;
        if let Err(failure) = &told {
            self.keep_failure(app, (stage, source), commit, failure).await;
            self.mark(failure, &project.folder);
        }
        let mut ended = Ended::new(told, (app, stage));
        self.tell_entry(&entry, &ended).await;
        if let Source::PullRequest(number) = source {
            if ended.failure.is_none() && ended.report.outcome != Outcome::Skipped {
                ended.plan = self.merging(project, app, stage).await;
            }
            // Of a preview that nobody wants any more, only what was told before is kept true.
            let (mode, news) = match ended.report.outcome {
                Outcome::Unchanged => (Mode::Create, News::None),
                Outcome::Skipped => (Mode::OnlyUpdate, News::Some),
                Outcome::Deployed | Outcome::Planned | Outcome::Destroyed | Outcome::Failed => {
                    (Mode::Create, News::Some)
                }
            };
            self.comment(*number, mode, news).await;
        }
        ended
    }

    async fn attempted(
        &self,
        project: &Project,
        app: &AppName,
        entry: &Entry<'_>,
        (stage, source): (&StageName, &Source),
    ) -> Result<Told, Failure> {
        // That the store is one that lasts is known before anything is built.
        let _lasting = self.store(app).await?;
        self.refuse_without_credentials(project.config.stage(stage).role.as_ref())?;
        let behalf = Behalf {
            claim: self.claim(source.clone()),
            may_take: &|state| {
                entry.comes_after(state);
                self.may_deploy(project, source, state)
            },
            deployment: &entry.id,
            begun: &|| Box::pin(self.begun(entry, source)),
        };
        let order = Order {
            stage,
            resolution: Resolution::Recorded,
            behalf: Some(&behalf),
        };
        deploy(self.session, project, order).await
    }

    /// With the stage in hand: tells that it has begun, if it is still wanted.
    async fn begun(&self, entry: &Entry<'_>, source: &Source) -> Result<Wanted, Failure> {
        if let Source::PullRequest(number) = source {
            let wanted = self.is_still_open(*number).await?;
            if wanted != Wanted::Yes {
                return Ok(wanted);
            }
        }
        entry.begin().await;
        if let Source::PullRequest(number) = source {
            self.comment(*number, Mode::Create, News::Some).await;
        }
        Ok(Wanted::Yes)
    }

    /// A run that was queued behind the one that closed the pull request must not bring its preview back.
    async fn is_still_open(&self, number: u64) -> Result<Wanted, Failure> {
        Ok(match self.github.api().pull_request(number).await? {
            Some(pull) if pull.standing == Standing::Open => Wanted::Yes,
            Some(_) | None => Wanted::No(format!("#{number} is closed by now.")),
        })
    }

    fn may_deploy(&self, project: &Project, source: &Source, state: &State) -> Result<Wanted, Failure> {
        let Some(claim) = state.claim.as_ref().filter(|_| !state.deployed.is_empty()) else {
            return Ok(Wanted::Yes);
        };
        let (app, stage) = (&state.app, &state.stage);
        if claim.repository != self.github.repository() {
            let message = format!(
                "stage `{stage}` of app `{app}` belongs to `{}`, and this is `{}`",
                claim.repository,
                self.github.repository()
            );
            return Err(Failure::input(message).hint(format!(
                "call the app otherwise, or keep its state elsewhere; if the repository was renamed, remove the stage with \
                 `stagewright destroy --stage {stage}` first"
            )));
        }
        let is_asked_for = matches!(self.trigger, Trigger::Manual { .. }) && self.ground.rules().is_fixed(stage);
        if !is_asked_for {
            claims(stage, source, Some(&claim.source), &project.config.branches)?;
        }
        Ok(Wanted::Yes)
    }

    /// A protected stage is deployed only from where the default branch says: a branch cannot map itself to it.
    async fn refuse_unprotected(&self, stage: &StageName, source: &Source) -> Result<(), Failure> {
        let Source::Branch(branch) = source else {
            return Ok(());
        };
        let default = self.default_ground().await?.unwrap_or_default();
        let projects = self.ground.projects.iter().map(|project| &project.config);
        let configs = projects.chain([&self.ground.config, &default.config]);
        let protection = configs.map(|config| config.stage(stage).protected).max();
        if protection != Some(Protection::Protected) {
            return Ok(());
        }
        match default.config.branches.stage_of(branch) {
            Some(Ok(mapped)) if mapped.stage == *stage => Ok(()),
            Some(_) | None => Err(Failure::input(format!(
                "stage `{stage}` is protected, and the default branch does not map `{branch}` to it"
            ))
            .hint(format!(
                "merge `branches: {{ {branch}: {stage} }}` into `stagewright.yaml` of the default branch first"
            ))),
        }
    }

    /// Why an app of several needs no deploy: nothing of it was changed since what is deployed, or since the base.
    async fn is_untouched(
        &self,
        project: &Project,
        app: &AppName,
        (stage, source): (&StageName, &Source),
    ) -> Result<Option<String>, Failure> {
        if self.ground.projects.len() < 2 {
            return Ok(None);
        }
        let store = self.store(app).await?;
        let seen = lease::read(store.as_ref(), Some(app), stage).await?;
        let settled = seen.filter(|seen| seen.state.in_doubt.is_empty());
        let deployed = settled.and_then(|seen| seen.state.commit());
        let (Some(head), Some(since)) = (
            self.github.commit(&project.folder),
            deployed.clone().or_else(|| self.base(source)),
        ) else {
            return Ok(None);
        };
        if deployed.as_deref() == Some(head.as_str()) {
            // The same commit again: a variable or a version may be another.
            return Ok(None);
        }
        let Some(compared) = self.told(self.github.api().compare(&since, &head).await) else {
            return Ok(None);
        };
        // After a force-push, what is deployed has changes that are in no list.
        let is_known = deployed.is_none() || compared.relation == Relation::Contains;
        let Some(files) = compared.files.filter(|_| is_known) else {
            return Ok(None);
        };
        let folder = self.github.within(&project.folder);
        let others: Vec<_> = self
            .ground
            .projects
            .iter()
            .filter_map(|other| self.github.within(&other.folder))
            .collect();
        let is_of_others = |file: &Path| others.iter().any(|folder| file.starts_with(folder));
        let touches = |file: &String| {
            let file = Path::new(file);
            let is_own = folder.as_ref().is_none_or(|folder| file.starts_with(folder));
            is_own || (!is_of_others(file) && !workspace::is_beside(file))
        };
        let none = !files.iter().any(touches);
        Ok(none.then(|| {
            format!(
                "none of its files was changed since `{}`.",
                since.chars().take(9).collect::<String>()
            )
        }))
    }

    /// What a preview that is not there yet is compared with.
    fn base(&self, source: &Source) -> Option<String> {
        match (&self.trigger, source) {
            (Trigger::PullRequest(pull_request), Source::PullRequest(_)) => Some(pull_request.base.clone()),
            (_, Source::PullRequest(_) | Source::Branch(_)) => None,
        }
    }

    /// A deploy that could not begin left no trace of itself: it is written down for the comment.
    async fn keep_failure(
        &self,
        app: &AppName,
        (stage, source): (&StageName, &Source),
        commit: Option<String>,
        failure: &Failure,
    ) {
        let kept = async {
            let store = self.store(app).await?;
            let mut seen = match lease::read(store.as_ref(), Some(app), stage).await? {
                Some(seen) => seen,
                None => lease::Seen {
                    state: State::new(app.clone(), stage.clone(), lease::new_mark()),
                    version: None,
                },
            };
            let is_ours = seen
                .state
                .claim
                .as_ref()
                .is_none_or(|claim| *claim == self.claim(source.clone()));
            if !is_ours {
                return Ok(false);
            }
            seen.state.claim = Some(self.claim(source.clone()));
            let deployment = seen.state.last.take().and_then(|last| last.deployment);
            seen.state.last = Some(crate::state::Attempt {
                deployment,
                ..self.session.ended(Progress::Failed, (commit, &[]), Some(failure))
            });
            Ok::<_, Failure>(lease::note(store.as_ref(), &seen).await?)
        };
        match kept.await {
            Ok(kept) => tracing::debug!(kept, "failure kept"),
            // The run says the failure itself; where the state cannot be reached, that is the failure.
            Err(failure) => tracing::warn!(message = failure.message, "the failure could not be kept"),
        }
    }

    async fn tell_entry(&self, entry: &Entry<'_>, ended: &Ended) {
        match ended.report.outcome {
            Outcome::Deployed => {
                let url = ended.report.url.clone();
                entry.end(&Status::Success { url }).await;
            }
            Outcome::Failed => entry.end(&Status::Failure).await,
            Outcome::Unchanged | Outcome::Planned | Outcome::Destroyed | Outcome::Skipped => {}
        }
    }

    /// Plans the stage of the base branch, keeps the plan with the preview, and returns it.
    async fn merging(&self, project: &Project, app: &AppName, stage: &StageName) -> Option<String> {
        let Trigger::PullRequest(pull_request) = &self.trigger else {
            return None;
        };
        let kept = async {
            let store = self.store(app).await?;
            let Some(seen) = lease::read(store.as_ref(), Some(app), stage).await? else {
                return Ok(None);
            };
            let Some(merge) = self.merge(project, &pull_request.base, &seen.state).await else {
                return Ok(None);
            };
            let text = format!("{}\n{}", merge.summary, merge.plan);
            self.keep_merge(store.as_ref(), stage, merge).await?;
            Ok::<_, Failure>(Some(text))
        };
        kept.await.unwrap_or_else(|failure| {
            self.warn(&failure);
            None
        })
    }
}
