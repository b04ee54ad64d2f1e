//! What GitHub's own list of deployments says: one entry for each time that a stage was changed.

use std::cell::Cell;

use super::Ci;
use crate::host::Host as _;
use crate::host::github::deployments::{Kind, Notice, Status};
use crate::names::{AppName, StageName};
use crate::state::{Progress, State};

/// The environment that all previews are shown under: each of its own would stay for ever.
const PREVIEWS: &str = "preview";

/// The entry of one deploy of one app.
pub struct Entry<'a> {
    ci: &'a Ci<'a>,
    app: AppName,
    stage: &'a StageName,
    commit: Option<String>,
    /// Its id, once it was made.
    pub id: Cell<Option<u64>>,
    /// Whether it was tried to make it.
    is_tried: Cell<bool>,
    /// The entry of the deploy before, and how that one went.
    former: Cell<Option<(u64, Progress)>>,
    former_outcome: Cell<Option<Progress>>,
}

impl<'a> Entry<'a> {
    /// An entry that is not made yet.
    pub fn new(ci: &'a Ci<'a>, app: AppName, stage: &'a StageName, commit: Option<String>) -> Self {
        Self {
            ci,
            app,
            stage,
            commit,
            id: Cell::new(None),
            is_tried: Cell::new(false),
            former: Cell::new(None),
            former_outcome: Cell::new(None),
        }
    }

    /// Remembers which entry this one comes after.
    pub fn comes_after(&self, state: &State) {
        let last = state.last.as_ref();
        self.former_outcome.set(last.map(|last| last.outcome));
        self.former
            .set(last.and_then(|last| Some((last.deployment?, last.outcome))));
    }

    /// Whether the deploy before went well, as far as it was recorded here.
    pub fn was_ready(&self) -> bool {
        self.former_outcome.get() == Some(Progress::Ready)
    }

    /// Says that the deploy has begun.
    pub async fn begin(&self) {
        let (Some(sha), false) = (self.commit.clone(), self.is_tried.replace(true)) else {
            return;
        };
        let github = self.ci.github;
        let notice = Notice {
            environment: self.ci.environment(self.stage),
            task: task(self.stage),
            sha,
            description: format!("{} on {}", self.app, self.stage),
            app: self.app.clone(),
            stage: self.stage.clone(),
            run: github.run_url().unwrap_or_default(),
            kind: self.ci.kind(self.stage),
        };
        self.id.set(self.ci.told(github.api().begin_deployment(&notice).await));
        self.set(&Status::InProgress).await;
    }

    /// Says how the deploy ended. A success takes the place of the former one.
    pub async fn end(&self, status: &Status) {
        self.begin().await;
        self.set(status).await;
        if !matches!(status, Status::Success { .. }) {
            return;
        }
        match self.former.get() {
            None => {}
            Some((former, Progress::Ready)) => {
                let log = self.ci.github.run_url();
                let api = self.ci.github.api();
                self.ci
                    .told(api.set_status(former, &Status::Inactive, log.as_deref()).await);
            }
            // What was left behind by runs that failed or were cut off is looked for.
            Some((
                _,
                Progress::Deploying | Progress::Failed | Progress::Removing | Progress::Removed | Progress::Superseded,
            )) => {
                self.ci.retire(&self.app, self.stage, self.id.get()).await;
            }
        }
    }

    async fn set(&self, status: &Status) {
        if let Some(id) = self.id.get() {
            let log = self.ci.github.run_url();
            let api = self.ci.github.api();
            self.ci.told(api.set_status(id, status, log.as_deref()).await);
        }
    }
}

impl Ci<'_> {
    /// Says of all deploys of a stage but one that they are gone.
    pub async fn retire(&self, app: &AppName, stage: &StageName, except: Option<u64>) {
        let api = self.github.api();
        self.told(
            api.retire(&self.environment(stage), &task(stage), Some(app), except)
                .await,
        );
    }

    fn environment(&self, stage: &StageName) -> String {
        match self.kind(stage) {
            Kind::Transient => PREVIEWS.to_owned(),
            Kind::Production | Kind::Lasting => stage.to_string(),
        }
    }

    fn kind(&self, stage: &StageName) -> Kind {
        match stage.as_str() {
            "prod" | "production" => Kind::Production,
            _ if self.ground.rules().is_fixed(stage) => Kind::Lasting,
            _ => Kind::Transient,
        }
    }
}

/// The deploys of one stage are told apart from those of others by it.
fn task(stage: &StageName) -> String {
    format!("deploy:{stage}")
}
