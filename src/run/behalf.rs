//! For whom a stage is changed, where it is not a person who asks: who may take it, and whether it is still wanted.

use std::cell::Cell;
use std::pin::Pin;

use super::{Session, Told};
use crate::error::Failure;
use crate::state::{Claim, State};

/// For whom a stage is changed.
pub struct Behalf<'a> {
    /// The branch or pull request, where it is recorded with the stage.
    pub claim: Option<Claim>,
    /// Whether the stage, as its state says, is theirs to change.
    pub may_take: &'a dyn Fn(&State) -> Result<Wanted, Failure>,
    /// Where the host records the deployment, if it does.
    pub deployment: Option<&'a Cell<Option<u64>>>,
    /// Called with the stage in hand, before the first change: whether it is still wanted.
    pub begun: &'a dyn Fn() -> Asked<'a>,
}

/// The answer to whether a stage is still wanted, when it has come.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Wanted, Failure>> + 'a>>;

/// Whether a change is still wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It is.
    Yes,
    /// It is not, for this reason.
    No(String),
}

/// Where the host has recorded the deployment.
pub fn deployment(behalf: Option<&Behalf<'_>>) -> Option<u64> {
    behalf.and_then(|behalf| behalf.deployment?.get())
}

/// What is recorded with the stage.
pub fn claim(behalf: Option<&Behalf<'_>>) -> Option<Claim> {
    behalf.and_then(|behalf| behalf.claim.clone())
}

/// Asks whether the stage is still wanted. Nobody waits for the answer who was told to stop.
///
/// # Errors
///
/// It cannot be known, or somebody wishes to stop.
pub async fn ask(session: &Session<'_>, behalf: &Behalf<'_>) -> Result<Wanted, Failure> {
    tokio::select! {
        wanted = (behalf.begun)() => wanted,
        () = session.stop.requested() => Err(Failure::stopped()),
    }
}

/// What is told where a stage is not theirs to change.
///
/// # Errors
///
/// It is a mistake to want it.
pub fn unwanted(session: &Session<'_>, behalf: Option<&Behalf<'_>>, state: &State) -> Result<Option<Told>, Failure> {
    let wanted = behalf.map_or(Ok(Wanted::Yes), |behalf| (behalf.may_take)(state))?;
    Ok(match wanted {
        Wanted::Yes => None,
        Wanted::No(reason) => Some(Told::skipped(session, state, reason)),
    })
}
