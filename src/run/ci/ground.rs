//! What a decision stands on: the config, and the apps that it is about.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::workspace::{Workspace, workspace};
use crate::config::{Config, Project, load};
use crate::error::Failure;
use crate::names::StageName;
use crate::stage::decide::Rules;
use crate::stage::{Activity, Trigger, Workflow};

/// The config of the repository, and its apps as far as they are checked out.
#[derive(Debug, Default)]
pub struct Ground {
    /// What the root's file says.
    pub config: Config,
    /// The apps; none where no code is at hand, or none may be looked at.
    pub projects: Vec<Project>,
    fixed: BTreeSet<StageName>,
}

impl Ground {
    /// The ground in a folder; `None` where there is none.
    ///
    /// # Errors
    ///
    /// The config is broken.
    pub fn in_folder(folder: &Path) -> Result<Option<Self>, Failure> {
        // No checkout is as good as an empty one.
        let Ok(folder) = folder.canonicalize() else {
            return Ok(None);
        };
        if !load::is_project(&folder) {
            return Ok(None);
        }
        let workspace = workspace(&folder)?;
        let fixed = workspace.fixed_stages();
        let Workspace { config, projects, .. } = workspace;
        Ok(Some(Self {
            config,
            projects,
            fixed,
        }))
    }

    /// The ground that a file gives whose folder is elsewhere.
    ///
    /// # Errors
    ///
    /// The config is broken.
    pub fn in_text(text: &str) -> Result<Self, Failure> {
        let config = load::parse_config(text)?;
        Ok(Self {
            fixed: config.fixed_stages(),
            config,
            projects: Vec::new(),
        })
    }

    /// What the config says about triggers.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            branches: &self.config.branches,
            pull_requests: &self.config.pull_requests,
            fixed: &self.fixed,
        }
    }
}

/// Whether what is checked out may be looked at: with the rights of the base, it could be anybody's.
pub fn may_be_read(trigger: &Trigger) -> bool {
    match trigger {
        Trigger::PullRequest(pull_request) => match pull_request.workflow {
            Workflow::Own => true,
            Workflow::Base => false,
        },
        Trigger::Push { .. }
        | Trigger::BranchDeleted { .. }
        | Trigger::Schedule
        | Trigger::Manual { .. }
        | Trigger::Other { .. } => true,
    }
}

/// Whether the checkout has the last word. What is removed is not said by the branch that goes, nor by whichever branch
/// somebody stood on, but by the default one.
pub fn decides(trigger: &Trigger) -> bool {
    match trigger {
        Trigger::PullRequest(pull_request) => match pull_request.activity {
            Activity::Deployable | Activity::Other(_) => true,
            Activity::Closed => false,
        },
        Trigger::Manual { command, .. } => command
            .as_deref()
            .is_none_or(|command| matches!(command.trim(), "" | "deploy")),
        Trigger::Push { .. } | Trigger::BranchDeleted { .. } | Trigger::Schedule | Trigger::Other { .. } => true,
    }
}
