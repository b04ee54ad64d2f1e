//! The functions of a stage, by the names that their app gives them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::history::unrecorded;
use super::{Recorded, Region, Session, recorded};
use crate::app::flaws::did_you_mean;
use crate::error::Failure;
use crate::names::{AppName, StageName};
use crate::resource::{Cloud, Outputs, Resource};
use crate::state::{Deployed, State, lease};

/// The longest that Lambda lets any function work:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const LONGEST: Duration = Duration::from_secs(900);

/// The functions of a stage, and the cloud that they are in.
pub struct Functions {
    /// The app.
    pub app: AppName,
    /// The stage.
    pub stage: StageName,
    /// What is recorded of the stage.
    pub state: State,
    /// Where they are reached.
    pub cloud: Rc<dyn Cloud>,
    /// The functions, by their logical names; there is one at least.
    pub known: BTreeMap<String, Known>,
}

/// What is known of a function that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its ARN.
    pub arn: String,
    /// How long it may work; the longest that there is where the state does not say.
    pub timeout: Duration,
}

impl Functions {
    /// Reads the functions of a stage from its state alone.
    ///
    /// # Errors
    ///
    /// Nothing is recorded of the stage, it has no functions, or its state cannot be read.
    pub async fn of(session: &Session<'_>, stage: &StageName) -> Result<Self, Failure> {
        let Recorded { app, store, config } = recorded(session).await?;
        let Some(seen) = lease::read(store.as_ref(), Some(&app), stage).await? else {
            return Err(unrecorded(&app, stage));
        };
        let known = known(&seen.state);
        if known.is_empty() {
            let message = format!("stage `{stage}` of app `{app}` has no functions");
            let hint = format!("`stagewright deploy --stage {stage}` deploys it; `stagewright stages` lists what is");
            return Err(Failure::input(message).hint(hint));
        }
        let cloud = session
            .cloud(config.stage(stage), &seen.state, Region::Recorded)
            .await?;
        Ok(Self {
            app,
            stage: stage.clone(),
            state: seen.state,
            cloud,
            known,
        })
    }

    /// A function by its name.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn named(&self, name: &str) -> Result<(&str, &Known), Failure> {
        let found = self.known.get_key_value(name);
        found
            .map(|(name, known)| (name.as_str(), known))
            .ok_or_else(|| self.unknown(name))
    }

    /// The names of all functions, for people.
    pub fn listed(&self) -> String {
        let names: Vec<String> = self.known.keys().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }

    fn unknown(&self, name: &str) -> Failure {
        let (app, stage) = (&self.app, &self.stage);
        let message = format!("stage `{stage}` of app `{app}` has no function `{name}`");
        let meant = did_you_mean(name, self.known.keys());
        let hint = format!("it has {}", self.listed());
        Failure {
            hints: meant.into_iter().chain([hint]).collect(),
            ..Failure::input(message)
        }
    }
}

fn known(state: &State) -> BTreeMap<String, Known> {
    let known = state
        .deployed
        .iter()
        .filter_map(|(address, Deployed { resource, outputs })| {
            let Outputs::Function(function) = outputs else {
                return None;
            };
            let timeout = match resource {
                Some(Resource::Function(function)) => Duration::from_secs(function.settings.timeout_s.into()),
                Some(_) | None => LONGEST,
            };
            let arn = function.arn.clone();
            Some((address.name().to_owned(), Known { arn, timeout }))
        });
    known.collect()
}
