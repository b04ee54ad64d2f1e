//! What there is to look at: the apps of the repository, and the states of their stages.

use std::collections::BTreeSet;

use super::Ground;
use crate::config::Config;
use crate::error::Failure;
use crate::names::{AppName, StageName};
use crate::run::Session;
use crate::run::destroy::Target;
use crate::state::store::Store;
use crate::state::{self, Repository, State, lease};

/// An app, and all that is recorded of it.
pub struct Estate<'a> {
    /// The app.
    pub app: AppName,
    /// What is configured of its stages.
    pub config: &'a Config,
    /// Where its states are kept.
    pub store: Box<dyn Store>,
    /// The states that can be read, by the names of their stages.
    pub states: Vec<State>,
    /// The stages whose state cannot be read, and why.
    pub unreadable: Vec<(StageName, String)>,
}

impl Estate<'_> {
    /// One of its stages, as what is to be removed.
    pub fn target<'b>(&'b self, stage: &'b StageName) -> Target<'b> {
        Target {
            app: &self.app,
            stage,
            store: self.store.as_ref(),
            config: self.config.stage(stage),
            project: None,
        }
    }

    /// Reads the states once more: others work meanwhile.
    ///
    /// # Errors
    ///
    /// The store does not answer.
    pub async fn read_again(&mut self) -> Result<(), Failure> {
        (self.states, self.unreadable) = read(self.store.as_ref(), &self.app).await?;
        Ok(())
    }

    /// By what its things in AWS are marked. A folder has no name of its own, and goes by what is random in its states.
    pub fn marks(&self) -> BTreeSet<String> {
        let of_folder = |state: &State| format!("folder-{}", state.salt.chars().take(12).collect::<String>());
        match self.store.identity() {
            Some(identity) => BTreeSet::from([identity]),
            None => self.states.iter().map(of_folder).collect(),
        }
    }
}

/// The apps that are known, and those beside them that our repository has made stages of. An app that was named by a flag
/// stands alone.
///
/// # Errors
///
/// The store of a known app does not answer.
pub async fn estates<'a>(
    session: &Session<'_>,
    ground: &Ground<'a>,
    repository: Option<&Repository>,
) -> Result<(Vec<Estate<'a>>, Vec<String>), Failure> {
    let mut estates = Vec::new();
    for home in &ground.apps {
        let store = session
            .store(home.config.state.as_ref(), home.folder.clone(), &home.app)
            .await?;
        let (states, unreadable) = read(store.as_ref(), &home.app).await?;
        estates.push(Estate {
            app: home.app.clone(),
            config: home.config,
            store,
            states,
            unreadable,
        });
    }
    let mut notes = Vec::new();
    if let (Some(repository), None) = (repository, &session.options.app) {
        match others(session, ground, repository, &estates).await {
            Ok(others) => estates.extend(others),
            Err(failure) => notes.push(format!("other apps are not looked for: {}", failure.message)),
        }
    }
    Ok((estates, notes))
}

/// Apps at the same places that our repository has made stages of, and that are not known any more.
async fn others<'a>(
    session: &Session<'_>,
    ground: &Ground<'a>,
    repository: &Repository,
    known: &[Estate<'a>],
) -> Result<Vec<Estate<'a>>, Failure> {
    let mut others: Vec<Estate<'a>> = Vec::new();
    let mut places = BTreeSet::new();
    for (home, estate) in ground.apps.iter().zip(known) {
        if !places.insert(estate.store.identity()) {
            continue;
        }
        for app in estate.store.apps().await? {
            let is_known = known.iter().chain(&others).any(|known| known.app == app);
            if is_known {
                continue;
            }
            let store = session
                .store(home.config.state.as_ref(), home.folder.clone(), &app)
                .await?;
            let (states, unreadable) = match read(store.as_ref(), &app).await {
                Ok(read) => read,
                // Another app of the bucket may be none of ours, and kept from us.
                Err(failure) => {
                    tracing::debug!(%app, error = failure.message, "an app is not looked at");
                    continue;
                }
            };
            if states.iter().any(|state| is_of(state, repository)) {
                others.push(Estate {
                    app,
                    config: ground.config,
                    store,
                    states,
                    unreadable,
                });
            }
        }
    }
    Ok(others)
}

fn is_of(state: &State, repository: &Repository) -> bool {
    state.claim.as_ref().is_some_and(|claim| claim.is_of(repository))
}

/// The states of an app, and those that cannot be read.
type States = (Vec<State>, Vec<(StageName, String)>);

async fn read(store: &dyn Store, app: &AppName) -> Result<States, Failure> {
    let mut states = Vec::new();
    let mut unreadable = Vec::new();
    for stage in store.stages().await? {
        match lease::read(store, Some(app), &stage).await {
            Ok(seen) => states.extend(seen.map(|seen| seen.state)),
            Err(state::Error::Store(fault)) => return Err(fault.into()),
            Err(error) => unreadable.push((stage, error.to_string())),
        }
    }
    Ok((states, unreadable))
}
