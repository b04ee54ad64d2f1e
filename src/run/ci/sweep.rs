//! The sweep that a schedule asks for, told in the summary and on the pull requests whose previews it was about.

use std::collections::BTreeSet;

use serde_json::json;

use super::Ci;
use super::comment::News;
use super::tell::{give, nothing};
use crate::config::read::state_without_config;
use crate::config::state_url::StateUrl;
use crate::error::Failure;
use crate::host::github::comment::Mode;
use crate::names::StageName;
use crate::run::sweep::{Extent, Ground, Home, Orphans, Swept, Wishes, sweep};

impl Ci<'_> {
    /// Removes what nobody needs any more.
    ///
    /// # Errors
    ///
    /// Nothing could be begun. What failed later is told, and stands in the answer.
    pub async fn sweep(&self) -> Result<Result<(), Failure>, Failure> {
        let mut homes = Vec::new();
        for app in self.named_apps()? {
            // The store of each must be one that lasts.
            self.store(&app).await?;
            let project = self.project_of(&app);
            let config = project.map_or(&self.ground.config, |project| &project.config);
            let folder = match project {
                Some(project) => StateUrl::Folder(project.state_folder()),
                None => state_without_config(&self.session.options.project_dir),
            };
            homes.push(Home { app, config, folder });
        }
        let ground = Ground {
            config: &self.ground.config,
            apps: homes,
        };
        let wishes = Wishes {
            extent: Extent::Remove,
            orphans: Orphans::List,
        };
        let Swept {
            report,
            touched,
            expiring,
            failure,
        } = sweep(self.session, &ground, Some(self.github.api()), wishes).await?;
        self.session.host.say(&report.text());
        let previews = expiring.into_iter().map(|(app, stage, at)| ((app, stage), at));
        self.expiring.borrow_mut().extend(previews);
        let has_changed = !touched.is_empty();
        for (number, stage) in self.to_be_told(touched) {
            let states = self.states(&stage).await.unwrap_or_else(|failure| {
                self.warn(&failure);
                Vec::new()
            });
            for state in states {
                if state.deployed.is_empty() {
                    self.retire(&state.app, &stage, None).await;
                }
            }
            self.comment(number, Mode::OnlyUpdate, News::Some).await;
        }
        let mut outputs = nothing(if failure.is_some() { "failed" } else { "swept" });
        for (name, value) in &mut outputs {
            match *name {
                "report" => *value = json!(report).to_string(),
                "changed" => *value = has_changed.to_string(),
                _ => {}
            }
        }
        give(self.session, self.github, (&report.markdown(), &outputs));
        self.session.answer(json!(report));
        Ok(failure.map_or(Ok(()), Err))
    }

    /// The pull requests whose comments are not true any more.
    fn to_be_told(&self, touched: Vec<(u64, StageName)>) -> BTreeSet<(u64, StageName)> {
        let expiring = self.expiring.borrow();
        let warned = expiring.keys().filter_map(|(_, stage)| {
            let number = stage.as_str().strip_prefix("pr-")?.parse().ok()?;
            Some((number, stage.clone()))
        });
        touched.into_iter().chain(warned).collect()
    }
}
