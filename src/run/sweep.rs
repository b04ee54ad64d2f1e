//! `sweep`: what nobody needs any more goes, one by one, each under its lease. Where it cannot be known that nobody needs a
//! thing, it stays.

use std::collections::BTreeSet;

use serde_json::json;

use self::judge::{Doomed, Law, Open, Reason};
use self::removal::Became;
use self::survey::Estate;
use super::{Session, no_app_is_known};
use crate::config::state_url::StateUrl;
use crate::config::workspace::{Workspace, workspace};
use crate::config::{Config, load, read::state_without_config};
use crate::error::Failure;
use crate::fault::Fault;
use crate::host::github::api::Api;
use crate::host::{Annotation, Ink, Level};
use crate::names::{AppName, StageName, Timestamp};
use crate::report::sweep::{Expiring, Row, RowOutcome, SweepOutcome, SweepReport};
use crate::stage::Source;
use crate::stage::decide::Rules;
use crate::state::Repository;
use crate::state::store::Leftover;

mod collect;
mod judge;
mod late;
mod orphans;
mod removal;
mod roles;
mod survey;

/// How much is discarded before it is looked whether somebody wishes to stop.
const TIDIED_AT_ONCE: usize = 500;

/// What a sweep may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// Whether it removes anything at all.
    pub extent: Extent,
    /// What becomes of things in AWS that bear our mark and belong to no stage.
    pub orphans: Orphans,
}

/// Whether a sweep removes anything at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It does.
    Remove,
    /// It only shows what it would remove.
    Show,
}

/// What becomes of things in AWS that bear our mark and belong to no stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// They are listed.
    List,
    /// They are removed.
    Remove,
}

/// What is known before the store is asked.
pub struct Ground<'a> {
    /// What the default branch's `stagewright.yaml` says of branches, pull requests and stages.
    pub config: &'a Config,
    /// The apps that are known; others of our repository are found in the store.
    pub apps: Vec<Home<'a>>,
}

/// An app that is known.
pub struct Home<'a> {
    /// The app.
    pub app: AppName,
    /// What is configured of it.
    pub config: &'a Config,
    /// Where its states lie if neither `--state` nor the config says.
    pub folder: StateUrl,
}

/// What came of a sweep that had begun.
#[derive(Debug)]
pub struct Swept {
    /// What is told.
    pub report: SweepReport,
    /// The previews that were removed, or of which something was, by their pull requests: what is said of them there is old.
    pub touched: Vec<(u64, StageName)>,
    /// The previews that go soon where nobody touches them, and after which moment.
    pub expiring: Vec<(AppName, StageName, Timestamp)>,
    /// Why it is not a success, if it is none.
    pub failure: Option<Failure>,
}

/// A sweep as it goes on.
struct Sweeping<'a> {
    session: &'a Session<'a>,
    ground: &'a Ground<'a>,
    github: Option<&'a Api>,
    wishes: Wishes,
    /// No trigger removes these.
    fixed: BTreeSet<StageName>,
    report: SweepReport,
    touched: Vec<(u64, StageName)>,
}

/// Removes what nobody needs any more of the apps of a repository: stages whose pull request or branch is gone, previews
/// that expired or are too many, what bears our mark and belongs to no stage, zips and versions that nothing refers to.
/// Without `github`, no stage is removed.
///
/// # Errors
///
/// The store of a known app does not answer. What fails later stands in the answer.
pub async fn sweep(
    session: &Session<'_>,
    ground: &Ground<'_>,
    github: Option<&Api>,
    wishes: Wishes,
) -> Result<Swept, Failure> {
    let repository = github.map(|api| repository(session, api));
    let (mut estates, notes) = survey::estates(session, ground, repository.as_ref()).await?;
    let mut sweeping = Sweeping {
        session,
        ground,
        github,
        wishes,
        fixed: fixed(ground),
        report: SweepReport {
            outcome: SweepOutcome::Swept,
            rows: Vec::new(),
            artifacts: 0,
            versions: 0,
            expiring: Vec::new(),
            notes: Vec::new(),
            error: None,
        },
        touched: Vec::new(),
    };
    for note in notes {
        sweeping.note(note);
    }
    sweeping.stages(&estates).await;
    sweeping.late(&estates).await;
    sweeping.orphans(&estates).await;
    for estate in &mut estates {
        sweeping.collect(estate).await;
    }
    Ok(sweeping.ended())
}

/// Sweeps for a person, and tells what came of it.
///
/// # Errors
///
/// No app is known, the store does not answer, or something could not be removed.
pub async fn command(session: &Session<'_>, wishes: Wishes) -> Result<(), Failure> {
    let known = known(session)?;
    let github = session.github();
    let swept = sweep(session, &known.ground()?, github.as_ref(), wishes).await?;
    session.answer(json!(swept.report));
    session.host.say(&swept.report.text());
    swept.failure.map_or(Ok(()), Err)
}

/// What a person's folder, or flags, say of the apps.
enum Known {
    /// The apps of the folder.
    Folder(Box<Workspace>),
    /// One that a flag names, and what is configured of it.
    Named(AppName, StateUrl, Box<Config>),
}

impl Known {
    fn ground(&self) -> Result<Ground<'_>, Failure> {
        let workspace = match self {
            Self::Folder(workspace) => workspace,
            Self::Named(app, folder, config) => {
                let home = Home {
                    app: app.clone(),
                    config,
                    folder: folder.clone(),
                };
                return Ok(Ground {
                    config,
                    apps: vec![home],
                });
            }
        };
        let mut apps = Vec::new();
        for project in &workspace.projects {
            apps.push(Home {
                app: project.app_name()?,
                config: &project.config,
                folder: StateUrl::Folder(project.state_folder()),
            });
        }
        Ok(Ground {
            config: &workspace.config,
            apps,
        })
    }
}

fn known(session: &Session<'_>) -> Result<Known, Failure> {
    let Some(app) = &session.options.app else {
        return match load::is_project(&session.options.project_dir) {
            true => Ok(Known::Folder(Box::new(workspace(&session.folder()?)?))),
            false => Err(no_app_is_known()),
        };
    };
    let project = session.project_if_any()?;
    let folder = match &project {
        Some(project) => StateUrl::Folder(project.state_folder()),
        None => state_without_config(&session.options.project_dir),
    };
    let config = project.map(|project| project.config).unwrap_or_default();
    Ok(Known::Named(app.clone(), folder, Box::new(config)))
}

/// The stages that any of the configs has by name.
fn fixed(ground: &Ground<'_>) -> BTreeSet<StageName> {
    let of_apps = ground.apps.iter().flat_map(|home| home.config.fixed_stages());
    ground.config.fixed_stages().into_iter().chain(of_apps).collect()
}

impl Sweeping<'_> {
    /// Says what could not be looked at.
    fn note(&mut self, note: String) {
        self.session.host.annotate(&Annotation {
            level: Level::Warning,
            place: None,
            message: note.clone(),
        });
        self.report.notes.push(note);
    }

    fn law<'b>(&'b self, repository: &'b Repository) -> Law<'b> {
        Law {
            rules: Rules {
                branches: &self.ground.config.branches,
                pull_requests: &self.ground.config.pull_requests,
                fixed: &self.fixed,
            },
            repository,
            now: self.session.now,
        }
    }

    /// The first duty: stages that nobody needs any more.
    async fn stages(&mut self, estates: &[Estate<'_>]) {
        for estate in estates {
            for (stage, why) in &estate.unreadable {
                let detail = Some("nobody knows what it is".to_owned());
                self.row((estate, stage), why.clone(), Became(RowOutcome::Left, detail));
            }
        }
        let is_any = |estate: &Estate<'_>| {
            estate
                .states
                .iter()
                .any(|state| state.claim.is_some() && judge::lives(state))
        };
        if !estates.iter().any(is_any) {
            return;
        }
        let Some(github) = self.github else {
            let why = "GitHub is not asked, since `GITHUB_TOKEN` and `GITHUB_REPOSITORY` are not both set";
            return self.note(format!("{why}: no stage is removed"));
        };
        let open = match open(github).await {
            Ok(open) => open,
            Err(fault) => {
                return self.note(format!(
                    "nobody knows which pull requests are open, and no stage is removed: {fault}"
                ));
            }
        };
        for estate in estates {
            let doomed = self.judged(estate, github, &open).await;
            for doomed in doomed {
                self.remove(estate, github, doomed).await;
            }
        }
    }

    /// The stages of an app that nobody needs any more; those that a label keeps are listed.
    async fn judged(&mut self, estate: &Estate<'_>, github: &Api, open: &Open) -> Vec<Doomed> {
        let repository = repository(self.session, github);
        let law = self.law(&repository);
        let mut judged = judge::previews(&estate.states, open, law);
        let of_branches: Vec<Doomed> = judge::of_branches(&estate.states, law);
        for (stage, reason) in judged.kept {
            let label = &self.ground.config.pull_requests.keep_label;
            let detail = Some(format!("label `{label}` keeps it"));
            self.row((estate, &stage), reason.to_string(), Became(RowOutcome::Left, detail));
        }
        for (stage, at) in judged.expiring {
            let app = estate.app.clone();
            self.report.expiring.push(Expiring { app, stage, at });
        }
        for doomed in of_branches {
            let Reason::BranchGone(branch) = &doomed.reason else {
                continue;
            };
            match github.has_branch(branch).await {
                Ok(true) => {}
                Ok(false) => judged.doomed.push(doomed),
                Err(fault) => {
                    self.note(format!("nobody knows which branches are gone: {fault}"));
                    break;
                }
            }
        }
        judged.doomed
    }

    async fn remove(&mut self, estate: &Estate<'_>, github: &Api, doomed: Doomed) {
        if self.session.stop.is_requested() {
            return;
        }
        let stage = doomed.removal.stage().clone();
        let line = format!("sweeping stage `{stage}` of app `{}`: {}", estate.app, doomed.reason);
        self.session.host.progress(Ink::Faint, &line);
        let became = match self.wishes.extent {
            Extent::Show => Became(RowOutcome::Planned, None),
            Extent::Remove => {
                let repository = repository(self.session, github);
                let law = self.law(&repository);
                removal::remove(self.session, estate, (github, law), &doomed).await
            }
        };
        let is_changed = matches!(became.0, RowOutcome::Removed | RowOutcome::Failed);
        if let (Source::PullRequest(number), true) = (&doomed.claim.source, is_changed) {
            self.touched.push((*number, stage.clone()));
        }
        self.row((estate, &stage), doomed.reason.to_string(), became);
    }

    fn row(&mut self, (estate, stage): (&Estate<'_>, &StageName), why: String, became: Became) {
        let Became(outcome, detail) = became;
        self.report.rows.push(Row {
            app: estate.app.clone(),
            stage: stage.clone(),
            resource: None,
            why,
            outcome,
            detail,
        });
    }

    /// The second duty: what bears our mark and belongs to no stage.
    async fn orphans(&mut self, estates: &[Estate<'_>]) {
        if self.session.stop.is_requested() {
            return;
        }
        self.session
            .host
            .progress(Ink::Faint, "looking for what belongs to no stage");
        let (orphans, notes) = orphans::found(self.session, self.ground, estates).await;
        for note in notes {
            self.note(note);
        }
        for orphan in orphans {
            let became = match (self.wishes.orphans, self.wishes.extent) {
                _ if self.session.stop.is_requested() => return,
                (Orphans::List, _) => Became(RowOutcome::Left, Some("`sweep --orphans` removes it".to_owned())),
                (Orphans::Remove, Extent::Show) => Became(RowOutcome::Planned, None),
                (Orphans::Remove, Extent::Remove) => orphans::remove(self.session, &orphan, &self.fixed).await,
            };
            let Became(outcome, detail) = became;
            self.report.rows.push(Row {
                app: orphan.marked.owner.app.clone(),
                stage: orphan.marked.owner.stage.clone(),
                resource: Some(orphan.marked.what()),
                why: "it bears our mark, and no state has it".to_owned(),
                outcome,
                detail,
            });
        }
    }

    /// The third duty: what the store keeps and nobody refers to.
    async fn collect(&mut self, estate: &mut Estate<'_>) {
        let due = match collect::leftovers(estate, self.session.now).await {
            Ok(due) => due,
            Err(failure) => return self.note(format!("the store is not tidied: {}", failure.message)),
        };
        for batch in due.chunks(TIDIED_AT_ONCE) {
            if self.session.stop.is_requested() {
                return;
            }
            let discarded = match self.wishes.extent {
                Extent::Show => Ok(()),
                Extent::Remove => estate.store.discard(batch).await,
            };
            if let Err(fault) = discarded {
                return self.note(format!("the store is not tidied to its end: {fault}"));
            }
            let is_zip = |leftover: &&Leftover| matches!(leftover, Leftover::Artifact { .. });
            let zips = batch.iter().filter(is_zip).count();
            self.report.artifacts += zips;
            self.report.versions += batch.len() - zips;
        }
    }

    fn ended(mut self) -> Swept {
        let failure = if self.session.stop.is_requested() {
            Some(Failure::stopped().now("what the table says to be removed is gone; the next sweep does the rest"))
        } else {
            failed(&self.report.rows)
        };
        self.report.outcome = match (&failure, self.wishes.extent) {
            (Some(_), _) => SweepOutcome::Failed,
            (None, Extent::Show) => SweepOutcome::Planned,
            (None, Extent::Remove) => SweepOutcome::Swept,
        };
        self.report.error = failure.as_ref().map(Failure::json);
        let expiring = self.report.expiring.iter();
        let expiring = expiring.map(|expiring| (expiring.app.clone(), expiring.stage.clone(), expiring.at));
        Swept {
            expiring: expiring.collect(),
            touched: self.touched,
            failure,
            report: self.report,
        }
    }
}

/// The open pull requests, all of them: an incomplete list would look as if some were closed.
async fn open(github: &Api) -> Result<Open, Fault> {
    let pulls = github.open_pull_requests().await?;
    Ok(pulls.into_iter().map(|pull| (pull.number, pull.labels)).collect())
}

fn failed(rows: &[Row]) -> Option<Failure> {
    let failed: Vec<String> = rows
        .iter()
        .filter(|row| row.outcome == RowOutcome::Failed)
        .map(|row| {
            let what = row
                .resource
                .as_ref()
                .map_or_else(String::new, |resource| format!("{resource} of "));
            let detail = row.detail.as_deref().unwrap_or_default();
            format!("{what}stage `{}` of app `{}`: {detail}", row.stage, row.app)
        })
        .collect();
    (!failed.is_empty()).then(|| Failure {
        details: Some(failed.join("\n")),
        hints: vec!["run `sweep` again: it goes on where this one stopped".to_owned()],
        now: Some("everything else in the table is as it says".to_owned()),
        ..Failure::outside(format!("{} of {} could not be removed", failed.len(), rows.len()))
    })
}

/// Which repository we are in.
fn repository(session: &Session<'_>, github: &Api) -> Repository {
    let id = session.environment.get("GITHUB_REPOSITORY_ID");
    Repository {
        name: github.repository().to_owned(),
        id: id.and_then(|id| id.parse().ok()),
    }
}
