//! Which apps of a repository have changes: what of a commit lies in an app's folder, or in none.

use std::path::{Path, PathBuf};

use super::Ci;
use crate::config::{Project, workspace};
use crate::error::Failure;
use crate::host::Host as _;
use crate::names::{AppName, StageName};
use crate::run::behalf::Wanted;
use crate::run::succession::{Candidate, superseded};
use crate::stage::succession::Kinship;
use crate::stage::{Source, Trigger};
use crate::state::lease::{self, Seen};
use crate::state::store::Store;
use crate::state::{Progress, Release, Revision, State};

/// Whether an app has changes.
pub(super) enum Touched {
    /// It may have.
    Maybe,
    /// It has none, for this reason.
    No(String),
}

impl Ci<'_> {
    /// Whether an app has changes, if it may be deployed at all. Nothing is built to find that out; of one that has none it is
    /// written down that the commit left it as it was.
    pub(super) async fn looked_at(
        &self,
        project: &Project,
        app: &AppName,
        (stage, source): (&StageName, &Source),
    ) -> Result<Touched, Failure> {
        self.refuse_unprotected(project, (stage, source)).await?;
        // That the store is one that lasts is known before anything is built.
        let store = self.store(app).await?;
        let own = project.config.stage(stage).role;
        let of_store = || project.config.state.as_ref().and_then(|state| state.role.clone());
        self.refuse_without_credentials(own.or_else(of_store).as_ref())?;
        if self.ground.projects.len() < 2 {
            return Ok(Touched::Maybe);
        }
        let seen = lease::read(store.as_ref(), Some(app), stage).await?;
        let Some(reason) = self.untouched_since(project, seen.as_ref(), source).await else {
            return Ok(Touched::Maybe);
        };
        if let Some(seen) = seen {
            self.keep_commit(project, store.as_ref(), (seen, source)).await?;
        }
        Ok(Touched::No(reason))
    }

    /// Why an app of several needs no deploy: nothing of it was changed since what is deployed, or since the base.
    async fn untouched_since(&self, project: &Project, seen: Option<&Seen>, source: &Source) -> Option<String> {
        let state = seen.map(|seen| &seen.state);
        let since = compared_with(state).unwrap_or_else(|| self.base(source))?;
        // The same commit again: a variable or a version may be another.
        let head = self.github.commit(&project.folder).filter(|head| *head != since)?;
        let compared = self.told(self.github.api().compare(&since, &head).await)?;
        // After a force-push, what is deployed has changes that are in no list.
        let is_known = matches!(compared.kinship, Kinship::Same | Kinship::Descendant)
            || state.is_none_or(|state| state.release.is_none());
        let files = compared.files.filter(|_| is_known)?;
        let folders: Vec<_> = self
            .ground
            .projects
            .iter()
            .map(|project| self.within(&project.folder))
            .collect();
        let none = !files
            .iter()
            .any(|file| touches(file, &self.within(&project.folder), &folders));
        let since: String = since.chars().take(9).collect();
        none.then(|| format!("none of its files was changed since `{since}`."))
    }

    /// Writes down that a commit changes nothing of an app, or an older one could be deployed later. Whoever holds the stage by
    /// now writes what is newer.
    async fn keep_commit(
        &self,
        project: &Project,
        store: &dyn Store,
        (mut seen, source): (Seen, &Source),
    ) -> Result<(), Failure> {
        let ours = Revision {
            commit: self.github.commit(&project.folder),
            run: self.github.run(),
        };
        let candidate = Candidate {
            folder: &project.folder,
            commit: ours.commit.as_deref(),
            source: Some(source),
        };
        let is_newer = superseded(self.session, candidate, &seen.state).await.is_none();
        let Some(known) = seen.state.release.take().filter(|_| is_newer) else {
            return Ok(());
        };
        if self.may_deploy(project, source, &seen.state)? == Wanted::Yes {
            seen.state.attempted = Some(ours.clone());
            seen.state.release = Some(Release {
                revision: ours,
                ..known
            });
            let kept = lease::note(store, &seen).await?;
            tracing::debug!(kept, "commit kept");
        }
        Ok(())
    }

    /// What a preview that is not there yet is compared with.
    fn base(&self, source: &Source) -> Option<String> {
        match (&self.trigger, source) {
            (Trigger::PullRequest(pull_request), Source::PullRequest(_)) => Some(pull_request.base.clone()),
            (_, Source::PullRequest(_) | Source::Branch(_)) => None,
        }
    }
}

/// The commit that a deploy is compared with: that of the last release, if nothing has failed since. `Some(None)` where
/// nothing can be said, `None` where nothing was ever deployed.
fn compared_with(state: Option<&State>) -> Option<Option<String>> {
    let state = state?;
    let release = state.release.as_ref()?;
    let is_known = state.deployed.values().all(|deployed| deployed.resource.is_some());
    let is_settled = state.in_doubt.is_empty() && state.lease.is_none() && is_known;
    let is_ready = state.last.as_ref().is_none_or(|last| last.outcome == Progress::Ready);
    Some(release.revision.commit.clone().filter(|_| is_settled && is_ready))
}

/// Whether a changed file is one of an app in `folder`, or may be one that apps share: it lies in none of their `folders`.
fn touches(file: &str, folder: &Path, folders: &[PathBuf]) -> bool {
    let file = Path::new(file);
    let is_of_some = folders.iter().any(|folder| file.starts_with(folder));
    file.starts_with(folder) || (!is_of_some && !workspace::is_beside(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_touched_by_its_own_files_and_by_what_apps_share() {
        let folders = ["services/a", "services/b"].map(PathBuf::from);
        let touches = |file| touches(file, Path::new("services/a"), &folders);
        assert!(touches("services/a/app.py"));
        assert!(touches("shared/lib.py"));
        assert!(touches("stagewright.yaml"));
        assert!(!touches("services/b/app.py"));
        assert!(!touches("README.md"));
        assert!(!touches(".github/workflows/ci.yml"));
    }

    #[test]
    fn what_failed_or_is_in_hand_is_compared_with_nothing() {
        let mut state = State::new("a".parse().unwrap(), "prod".parse().unwrap(), String::new());
        assert_eq!(compared_with(Some(&state)), None);
        state.release = Some(crate::state::Release {
            number: 1,
            revision: crate::state::Revision {
                commit: Some("c1".to_owned()),
                run: None,
            },
            at: crate::names::Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
            by: String::new(),
            artifacts: std::collections::BTreeMap::new(),
            pins: None,
            withheld: Vec::new(),
            inputs: None,
        });
        assert_eq!(compared_with(Some(&state)), Some(Some("c1".to_owned())));
        state.lease = Some(crate::state::Lease {
            mark: String::new(),
            holder: String::new(),
            purpose: String::new(),
            since: crate::names::Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
            renewals: 0,
            run: None,
        });
        assert_eq!(compared_with(Some(&state)), Some(None));
    }
}
