//! The comment of a pull request, kept true by the states of its stages.

use super::Ci;
use crate::error::Failure;
use crate::host::github::comment::Mode;
use crate::names::StageName;
use crate::report::comment::{self, Row};
use crate::stage::policy::CommentMode;
use crate::state::State;

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
        let row = |state: State| Row {
            url: self.session.url(&state),
            expires: self
                .expiring
                .borrow()
                .get(&(state.app.clone(), state.stage.clone()))
                .copied(),
            state,
        };
        let told = self
            .states(stage)
            .await?
            .into_iter()
            .filter(|state| state.last.is_some());
        Ok(comment::render(stage, &told.map(row).collect::<Vec<_>>()))
    }
}
