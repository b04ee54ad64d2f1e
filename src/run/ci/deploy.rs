//! A stage that is made what a commit says: of every app that has changes, one after the other. Which have is found out before,
//! eight at a time.

use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};

use super::Ci;
use super::comment::News;
use super::deployments::Entry;
use super::tell::{Ended, between_apps, mark};
use super::touched::Touched;
use crate::app::python::Resolution;
use crate::config::{Project, Protection};
use crate::error::Failure;
use crate::host::Host as _;
use crate::host::github::api::Standing;
use crate::host::github::comment::Mode;
use crate::host::github::deployments::Status;
use crate::names::{AppName, StageName};
use crate::report::Outcome;
use crate::run::Told;
use crate::run::behalf::{Behalf, Wanted};
use crate::run::deploy::{Order, deploy};
use crate::run::recognised::{Reading, Recognition};
use crate::run::succession::Older;
use crate::stage::claim::claims;
use crate::stage::{Removal, Source, Trigger};
use crate::state::lease::{self, Seen};
use crate::state::{Attempt, Claim, Progress, State, probe};

/// How many apps are looked at side by side: each takes two requests of S3.
const AT_ONCE: usize = 8;

impl Ci<'_> {
    /// Makes a stage of every app what the commit says.
    pub async fn deploy(&self, stage: &StageName, source: Source) -> Result<Vec<Ended>, Failure> {
        if self.ground.projects.is_empty() {
            let message = "the code is not checked out, and a deploy needs it";
            return Err(Failure::input(message).hint("let `actions/checkout` run before this step"));
        }
        if let Source::PullRequest(number) = source
            && let Wanted::No(reason) = self.wanted_still(number).await?
        {
            self.say(&format!("Removes stage `{stage}` instead: {reason}"));
            return self.destroy(&Removal::of_preview(number)).await;
        }
        let apps = self.apps()?;
        let looks = apps
            .iter()
            .map(|(project, app)| self.looked_at(project, app, (stage, &source)).boxed_local());
        let looked: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        let is_one_of_several = self.ground.projects.len() > 1;
        let mut ended = Vec::new();
        for ((project, app), touched) in apps.iter().zip(looked) {
            if self.session.stop.is_requested() {
                return Err(between_apps(&ended));
            }
            if is_one_of_several {
                self.github.begin_group(&format!("App `{app}`"));
            }
            ended.extend(self.deployed((project, app), touched, (stage, &source)).await);
            if is_one_of_several {
                self.github.end_group();
            }
        }
        if ended.is_empty() {
            self.skip("Nothing of any app was changed.");
        }
        Ok(ended)
    }

    /// The apps that the run is about, in their order.
    fn apps(&self) -> Result<Vec<(&Project, AppName)>, Failure> {
        let only = self.session.options.app.as_ref();
        let named = self
            .ground
            .projects
            .iter()
            .map(|project| Ok((project, project.app_name()?)));
        let mut apps: Vec<_> = named.collect::<Result<_, Failure>>()?;
        apps.retain(|(_, app)| only.is_none_or(|only| only == app));
        Ok(apps)
    }

    /// Deploys one app as it was seen, and tells it; `None` where nothing of it was changed.
    async fn deployed(
        &self,
        (project, app): (&Project, &AppName),
        touched: Result<Touched, Failure>,
        (stage, source): (&StageName, &Source),
    ) -> Option<Ended> {
        let commit = self.github.commit(&project.folder);
        let entry = Entry::new(self, app.clone(), stage, commit.clone());
        let told = match touched {
            Ok(Touched::No(reason)) => {
                self.say(&format!("App `{app}` stays as it is: {reason}"));
                return None;
            }
            Ok(Touched::Maybe) => self.attempted(project, &entry, (stage, source)).await,
            Err(failure) => Err(failure),
        };
        let told = match told {
            Ok(told) => Ok(told),
            Err(failure) => {
                // Of others there is no comment; and what somebody else holds says itself how it is.
                if matches!(source, Source::PullRequest(_)) && !failure.is_of_another_run() {
                    self.keep_failure(app, (stage, source), commit, &failure).await;
                }
                Err(failure)
            }
        };
        let mut ended = Ended::new(told, (app, stage));
        if let Some(failure) = &ended.failure {
            mark(self.session, failure, &project.folder);
        }
        self.tell_entry(&entry, &ended).await;
        if let Source::PullRequest(number) = source {
            if ended.failure.is_none() && !matches!(ended.report.outcome, Outcome::Skipped | Outcome::Superseded) {
                ended.plan = self.merging(project, app, stage).await;
            }
            self.comment_on(*number, &entry, &ended).await;
        }
        Some(ended)
    }

    async fn comment_on(&self, number: u64, entry: &Entry<'_>, ended: &Ended) {
        let (mode, news) = match ended.report.outcome {
            Outcome::Unchanged if entry.was_ready() => (Mode::Create, News::None),
            Outcome::Superseded => (Mode::OnlyUpdate, News::None),
            Outcome::Skipped => (Mode::OnlyUpdate, News::Some),
            Outcome::Unchanged | Outcome::Deployed | Outcome::Planned | Outcome::Destroyed | Outcome::Failed => {
                (Mode::Create, News::Some)
            }
        };
        self.comment(number, mode, news).await;
    }

    /// Deploys one app that may have changes.
    async fn attempted(
        &self,
        project: &Project,
        entry: &Entry<'_>,
        (stage, source): (&StageName, &Source),
    ) -> Result<Told, Failure> {
        let behalf = Behalf {
            claim: Some(self.claim(source.clone())),
            may_take: &|state| {
                entry.comes_after(state);
                self.may_deploy(project, source, state)
            },
            deployment: Some(&entry.id),
            begun: &|| Box::pin(self.begun(entry, source)),
        };
        let order = Order {
            stage,
            reading: Reading {
                resolution: Resolution::Recorded,
                recognition: self.recognition()?,
            },
            older: self.older()?,
            behalf: Some(&behalf),
        };
        deploy(self.session, project, order).await
    }

    /// Whether the workflow wants a commit that is older than what is deployed.
    fn older(&self) -> Result<Older, Failure> {
        match self.github.inputs().allow_older.as_deref() {
            None | Some("false") => Ok(Older::Superseded),
            Some("true") => Ok(Older::Allowed),
            Some(other) => Err(Failure::input(format!(
                "the input `allow-older` is `{other}`, and only `true` and `false` are known"
            ))),
        }
    }

    /// Whether the workflow wants everything to be read and built.
    pub fn recognition(&self) -> Result<Recognition, Failure> {
        match self.github.inputs().refresh.as_deref() {
            None | Some("false") => Ok(Recognition::Trusted),
            Some("true") => Ok(Recognition::Refused),
            Some(other) => Err(Failure::input(format!(
                "the input `refresh` is `{other}`, and only `true` and `false` are known"
            ))),
        }
    }

    /// With the stage in hand: tells that it has begun, if it is still wanted.
    async fn begun(&self, entry: &Entry<'_>, source: &Source) -> Result<Wanted, Failure> {
        if let Source::PullRequest(number) = source {
            let wanted = self.wanted_still(*number).await?;
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
    async fn wanted_still(&self, number: u64) -> Result<Wanted, Failure> {
        match self.github.api().pull_request(number).await? {
            Some(pull) => Ok(match pull.standing {
                Standing::Open => Wanted::Yes,
                Standing::Closed => Wanted::No(format!("#{number} is closed by now.")),
            }),
            None => Err(self.unseen(number)),
        }
    }

    /// Whether a stage is one of this repository and of this source.
    pub(super) fn may_deploy(&self, project: &Project, source: &Source, state: &State) -> Result<Wanted, Failure> {
        let Some(claim) = state.claim.as_ref().filter(|_| !state.deployed.is_empty()) else {
            return Ok(Wanted::Yes);
        };
        let (app, stage) = (&state.app, &state.stage);
        if !self.is_ours(claim) {
            let message = format!(
                "stage `{stage}` of app `{app}` belongs to `{}`, and this is `{}`",
                claim.repository,
                self.github.repository()
            );
            return Err(Failure::input(message).hint(format!(
                "call the app otherwise, or keep its state elsewhere; or remove the stage with `stagewright destroy --stage \
                 {stage}` first"
            )));
        }
        let is_asked_for = matches!(self.trigger, Trigger::Manual { .. }) && self.ground.rules().is_fixed(stage);
        if !is_asked_for {
            claims(stage, source, Some(&claim.source), &project.config.branches)?;
        }
        Ok(Wanted::Yes)
    }

    /// A protected stage is deployed only from where the default branch says: a branch cannot map itself to it.
    pub(super) async fn refuse_unprotected(
        &self,
        project: &Project,
        (stage, source): (&StageName, &Source),
    ) -> Result<(), Failure> {
        let Source::Branch(branch) = source else {
            return Ok(());
        };
        // What is checked out is what the default branch says, where it is that branch.
        let default = match self.github.default_branch().is_some_and(|default| default == *branch) {
            true => vec![project.config.clone()],
            false => self.default_configs(project).await?,
        };
        let configs = default.iter().chain([&project.config, &self.ground.config]);
        let protection = configs.map(|config| config.stage(stage).protected).max();
        if protection != Some(Protection::Protected) {
            return Ok(());
        }
        let mapped = default.iter().find_map(|config| config.branches.stage_of(branch));
        match mapped {
            Some(Ok(mapped)) if mapped.stage == *stage => Ok(()),
            Some(_) | None => Err(Failure::input(format!(
                "stage `{stage}` is protected, and the default branch does not map `{branch}` to it"
            ))
            .hint(format!(
                "merge `branches: {{ {branch}: {stage} }}` into `stagewright.yaml` of the default branch first"
            ))),
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
            let seen = lease::read(store.as_ref(), Some(app), stage).await?;
            let mut seen = seen.unwrap_or_else(|| Seen::new(app.clone(), stage.clone()));
            if seen.version.is_none() {
                probe::ensure(store.as_ref()).await?;
            }
            let is_theirs = |claim: &Claim| !self.is_ours(claim) || claim.source != *source;
            if seen.state.claim.as_ref().is_some_and(is_theirs) {
                return Ok(false);
            }
            seen.state.claim = Some(self.claim(source.clone()));
            let deployment = seen.state.last.as_ref().and_then(|last| last.deployment);
            seen.state.begin(Attempt {
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
            Outcome::Unchanged | Outcome::Planned | Outcome::Destroyed | Outcome::Skipped | Outcome::Superseded => {}
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
