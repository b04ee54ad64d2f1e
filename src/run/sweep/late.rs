//! The second look: what was begun by runs that are gone, and may have come about behind the first look.

use super::removal::{Became, hurried, in_a_hurry, removed};
use super::survey::Estate;
use super::{Extent, Sweeping};
use crate::error::Failure;
use crate::host::Ink;
use crate::names::StageName;
use crate::run::behalf::{Asked, Behalf, Wanted};
use crate::run::destroy;
use crate::run::holding::{abandon, confirmed_place, free, holder, record, settle};
use crate::run::{Region, Session};
use crate::state::{State, lease};

impl Sweeping<'_> {
    /// Looks once more at what a late call may have changed, stage by stage.
    pub async fn late(&mut self, estates: &[Estate<'_>]) {
        for estate in estates {
            for state in estate.states.iter().filter(|state| !state.late.is_empty()) {
                if self.session.stop.is_requested() {
                    return;
                }
                let stage = &state.stage;
                let became = match self.wishes.extent {
                    Extent::Show => None,
                    Extent::Remove => look(self.session, estate, stage)
                        .await
                        .unwrap_or_else(|failure| Some(Became::broken(failure))),
                };
                if let Some(became) = became {
                    let why = "a run was cut off, and a call of it could land late";
                    self.row((estate, stage), why.to_owned(), became);
                }
            }
        }
    }
}

/// Looks where it is time. What is found of a stage that was removed goes, and what a stage has twice; what else was changed
/// of one that stands needs its code, and so its next deploy. `None` where there is nothing to tell.
async fn look(session: &Session<'_>, estate: &Estate<'_>, stage: &StageName) -> Result<Option<Became>, Failure> {
    let options = hurried(session);
    let session = &in_a_hurry(session, &options);
    let store = estate.store.as_ref();
    let mut seen = free(session, store, (&estate.app, stage)).await?;
    if !seen.needs_a_look() || seen.state.late.is_empty() {
        return Ok(None);
    }
    session.host.progress(
        Ink::Faint,
        &format!("looking once more at stage `{stage}` of app `{}`", estate.app),
    );
    if seen.state.deployed.is_empty() {
        return gone_for_sure(session, estate, stage).await;
    }
    let cloud = session
        .cloud(estate.config.stage(stage), &seen.state, Region::Recorded)
        .await?;
    confirmed_place(cloud.as_ref(), &seen.state).await?;
    let _holding = session.stop.holding();
    let Some(mut held) = lease::take(store, &mut seen, &holder(session, "sweep")).await? else {
        return Ok(None);
    };
    let mut state = seen.state;
    if let Err(failure) = settle(session, cloud.as_ref(), &mut held, &mut state).await {
        return Err(abandon(Some(held), &mut state, failure).await);
    }
    record(held, &mut state).await?;
    let why = format!("what it may have changed is set up anew by `stagewright deploy --stage {stage}`");
    Ok(Some(Became::left(why)))
}

/// Removes what landed late of a stage that is gone, if nobody has deployed it again meanwhile. `None` where nothing did.
async fn gone_for_sure(
    session: &Session<'_>,
    estate: &Estate<'_>,
    stage: &StageName,
) -> Result<Option<Became>, Failure> {
    let may_take = |state: &State| {
        Ok(match state.deployed.is_empty() {
            true => Wanted::Yes,
            false => Wanted::No("it was deployed again meanwhile".to_owned()),
        })
    };
    let begun = || -> Asked<'_> { Box::pin(async { Ok(Wanted::Yes) }) };
    let behalf = Behalf {
        claim: None,
        deployment: None,
        may_take: &may_take,
        begun: &begun,
    };
    let target = estate.target(stage);
    let told = Box::pin(destroy::remove(session, &target, Some(&behalf))).await?;
    let is_any = told.failure.is_some() || !told.report.steps.is_empty();
    Ok(is_any.then(|| removed(Ok(told))))
}
