//! Which stages nobody needs any more, and why: pure, from their states and from what GitHub says is open.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::names::{StageName, Timestamp};
use crate::stage::decide::Rules;
use crate::stage::{Removal, Source};
use crate::state::{Claim, Repository, State};

/// How long before a preview goes its people are warned, at most: two sweeps that come every night.
const WARNED_BEFORE: Duration = Duration::from_hours(48);

/// The open pull requests by their numbers, with their labels.
pub type Open = BTreeMap<u64, Vec<String>>;

/// By what the stages of an app are judged.
#[derive(Debug, Clone, Copy)]
pub struct Law<'a> {
    /// What the config says.
    pub rules: Rules<'a>,
    /// Our repository. What another one has made is left alone.
    pub repository: &'a Repository,
    /// When the run began.
    pub now: Timestamp,
}

/// A stage that nobody needs any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// By what right it is removed.
    pub removal: Removal,
    /// What it was made for, as its state said when it was judged.
    pub claim: Claim,
    /// When somebody has last touched it.
    pub touched: Option<Timestamp>,
    /// Why.
    pub reason: Reason,
}

/// Why nobody needs a stage any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its pull request is not open.
    Closed(u64),
    /// Nobody has touched it for longer than `expire_after`.
    Expired {
        /// The pull request.
        number: u64,
        /// When it was last touched.
        touched: Timestamp,
    },
    /// There are more previews of the app than `limit`.
    OverLimit {
        /// The pull request.
        number: u64,
        /// The limit.
        limit: NonZeroU32,
    },
    /// The branch is gone that a glob had made it for.
    BranchGone(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(number) => write!(f, "#{number} is not open any more"),
            Self::Expired { touched, .. } => write!(f, "nobody has touched it since {touched}"),
            Self::OverLimit { limit, .. } => {
                write!(
                    f,
                    "more than {limit} previews live, and nobody has touched it for longest"
                )
            }
            Self::BranchGone(branch) => write!(f, "branch `{branch}` is gone"),
        }
    }
}

/// What was found about the previews of an app.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Those that nobody needs any more.
    pub doomed: Vec<Doomed>,
    /// Those that would go, but for the label that keeps them.
    pub kept: Vec<(StageName, Reason)>,
    /// Those that go soon, and after which moment.
    pub expiring: Vec<(StageName, Timestamp)>,
}

/// A preview that lives.
struct Preview<'a> {
    state: &'a State,
    claim: &'a Claim,
    number: u64,
    touched: Option<Timestamp>,
    is_kept: bool,
}

impl Preview<'_> {
    fn doomed(&self, reason: Reason) -> Doomed {
        Doomed {
            removal: Removal::of_preview(self.number),
            claim: self.claim.clone(),
            touched: self.touched,
            reason,
        }
    }
}

/// Whether anything of a stage may exist.
pub fn lives(state: &State) -> bool {
    !state.deployed.is_empty() || !state.in_doubt.is_empty() || state.lease.is_some()
}

/// When somebody has last touched a stage; `None` where nothing tells.
pub fn touched(state: &State) -> Option<Timestamp> {
    let last = state.last.as_ref().map(|last| last.at);
    last.or_else(|| state.release.as_ref().map(|release| release.at))
}

/// Judges the previews of an app.
pub fn previews(states: &[State], open: &Open, law: Law<'_>) -> Judged {
    let mut judged = Judged::default();
    let mut live = Vec::new();
    for preview in states.iter().filter_map(|state| preview(state, open, law)) {
        if !open.contains_key(&preview.number) {
            judged.doomed.push(preview.doomed(Reason::Closed(preview.number)));
            continue;
        }
        match expired(&preview, law) {
            Some(reason) if preview.is_kept => judged.kept.push((preview.state.stage.clone(), reason)),
            Some(reason) => {
                judged.doomed.push(preview.doomed(reason));
                continue;
            }
            None => {}
        }
        live.push(preview);
    }
    let over = over_limit(&mut live, law);
    judged.expiring = live[over.len()..]
        .iter()
        .filter_map(|preview| Some((preview.state.stage.clone(), soon(preview, law)?)))
        .collect();
    judged.doomed.extend(over);
    judged
}

/// The stages that globs made for branches: each goes if its branch is gone, which only GitHub knows.
pub fn of_branches(states: &[State], law: Law<'_>) -> Vec<Doomed> {
    let of_branch = |state: &State| {
        let claim = state.claim.as_ref().filter(|claim| claim.is_of(law.repository))?;
        let Source::Branch(branch) = &claim.source else {
            return None;
        };
        let removal = Removal::of_branch(state.stage.clone(), Some(branch.clone()), &law.rules)?;
        removal.allows(Some(&claim.source), law.rules.branches).ok()?;
        let doomed = Doomed {
            removal,
            claim: claim.clone(),
            touched: touched(state),
            reason: Reason::BranchGone(branch.clone()),
        };
        lives(state).then_some(doomed)
    };
    states.iter().filter_map(of_branch).collect()
}

/// The preview that a state is of; `None` where it is none of ours, or gone.
fn preview<'a>(state: &'a State, open: &Open, law: Law<'_>) -> Option<Preview<'a>> {
    let claim = state.claim.as_ref().filter(|claim| claim.is_of(law.repository))?;
    let Source::PullRequest(number) = claim.source else {
        return None;
    };
    let is_its_own = state.stage == StageName::of_preview(number);
    (is_its_own && !law.rules.is_fixed(&state.stage) && lives(state)).then(|| Preview {
        state,
        claim,
        number,
        touched: touched(state),
        is_kept: open
            .get(&number)
            .is_some_and(|labels| law.rules.pull_requests.keeps(labels)),
    })
}

fn expired(preview: &Preview<'_>, law: Law<'_>) -> Option<Reason> {
    let lifetime = law.rules.pull_requests.expire_after?;
    let touched = preview.touched?;
    (law.now.since(touched) > lifetime).then_some(Reason::Expired {
        number: preview.number,
        touched,
    })
}

/// After which moment a preview goes, where that is soon.
fn soon(preview: &Preview<'_>, law: Law<'_>) -> Option<Timestamp> {
    let lifetime = law.rules.pull_requests.expire_after?;
    let end = preview.touched?.after(lifetime);
    let is_soon = end.since(law.now) <= WARNED_BEFORE.min(lifetime / 2);
    (is_soon && !preview.is_kept).then_some(end)
}

/// Those beyond the limit that nobody has touched for longest, which are brought to the front. What is kept by a label
/// counts, and stays; so does what nobody knows the age of.
fn over_limit(live: &mut [Preview<'_>], law: Law<'_>) -> Vec<Doomed> {
    let Some(limit) = law.rules.pull_requests.limit else {
        return Vec::new();
    };
    let most = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    let excess = live.len().saturating_sub(most);
    let stays = |preview: &Preview<'_>| preview.is_kept || preview.touched.is_none();
    live.sort_by_key(|preview| (stays(preview), preview.touched));
    let over = live.iter().take(excess).filter(|preview| !stays(preview));
    over.map(|preview| {
        preview.doomed(Reason::OverLimit {
            number: preview.number,
            limit,
        })
    })
    .collect()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
