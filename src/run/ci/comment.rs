//! The comment of a pull request, kept true by the states of its stages.

use super::Ci;
use crate::error::Failure;
use crate::host::github::comment::Mode;
use crate::names::StageName;
use crate::report::comment::{self, Row};
use crate::stage::policy::CommentMode;
use crate::state::{Error, lease};

/// Whether there is something new to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// There is.
    Some,
    /// There is not: the stage is as it was.
    None,
}

impl Ci<'_> {
    /// Writes the comment of a pull request as the states are now. That it could not be written is a warning.
    pub async fn comment(&self, number: u64, mode: Mode, news: News) {
        match (self.ground.config.pull_requests.comment, news) {
            (CommentMode::Off, _) | (CommentMode::OnChange, News::None) => return,
            (CommentMode::Always, _) | (CommentMode::OnChange, News::Some) => {}
        }
        let stage = StageName::of_preview(number);
        let kept = self
            .github
            .api()
            .keep_comment(number, mode, async || self.rendered(&stage).await)
            .await;
        if let Err(failure) = kept {
            self.warn(&failure);
        }
    }

    async fn rendered(&self, stage: &StageName) -> Result<String, Failure> {
        Ok(comment::render(stage, &self.rows(stage).await?))
    }

    /// The stages of this name that belong to our repository, one for each app.
    async fn rows(&self, stage: &StageName) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        for app in self.apps().await? {
            let store = self.store(&app).await?;
            let state = match lease::read(store.as_ref(), Some(&app), stage).await {
                Ok(Some(seen)) => seen.state,
                Ok(None) => continue,
                Err(Error::Store(fault)) => return Err(fault.into()),
                // What cannot be read is told by the run that needs it.
                Err(unreadable) => {
                    tracing::warn!(%app, %stage, %unreadable, "left out of the comment");
                    continue;
                }
            };
            let claim = state.claim.as_ref();
            if claim.is_some_and(|claim| claim.repository == self.github.repository()) {
                let url = self.session.url(&state);
                rows.push(Row {
                    state,
                    url,
                    expires: None,
                });
            }
        }
        Ok(rows)
    }
}
