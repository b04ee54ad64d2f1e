//! Which of two commits a stage keeps: an older one never lands on top of a newer one.

/// How a commit stands to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// It is the other one.
    Same,
    /// It contains the other one.
    Descendant,
    /// The other one contains it.
    Ancestor,
    /// Each has something that the other one has not.
    Diverged,
    /// Nobody can tell.
    Unknown,
}

/// What is known of our commit beside the one that was deployed, or begun to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// How ours stands to that one.
    pub to_theirs: Kinship,
    /// How ours stands to the present head of the branch or pull request for which it is deployed.
    pub to_head: Kinship,
    /// The numbers of both runs, ours first, where they are runs of the same workflow.
    pub runs: Option<(u64, u64)>,
}

/// Whether ours is superseded.
///
/// The present head of the branch never is: somebody may have put the branch back to it. What the other one contains is older.
/// Beside the other one, the one counts that is still part of the branch. Where no history is known, the later run counts.
pub fn is_superseded(evidence: Evidence) -> bool {
    let Evidence {
        to_theirs,
        to_head,
        runs,
    } = evidence;
    let is_earlier_run = runs.is_some_and(|(ours, theirs)| ours < theirs);
    match (to_theirs, to_head) {
        (Kinship::Same | Kinship::Descendant, _) | (_, Kinship::Same) => false,
        (Kinship::Ancestor, _) | (Kinship::Diverged, Kinship::Descendant | Kinship::Diverged) => true,
        (Kinship::Diverged, Kinship::Ancestor) => false,
        (Kinship::Diverged, Kinship::Unknown) | (Kinship::Unknown, _) => is_earlier_run,
    }
}

#[cfg(test)]
mod tests {
    use super::Kinship::{Ancestor, Descendant, Diverged, Same, Unknown};
    use super::*;

    const ALL: [Kinship; 5] = [Same, Descendant, Ancestor, Diverged, Unknown];

    fn superseded(to_theirs: Kinship, to_head: Kinship, runs: Option<(u64, u64)>) -> bool {
        is_superseded(Evidence {
            to_theirs,
            to_head,
            runs,
        })
    }

    #[test]
    fn the_same_commit_and_a_newer_one_are_never_superseded() {
        for to_head in ALL {
            for runs in [None, Some((1, 2))] {
                assert!(!superseded(Same, to_head, runs));
                assert!(!superseded(Descendant, to_head, runs));
            }
        }
    }

    #[test]
    fn a_commit_that_the_other_one_contains_is_superseded_unless_the_branch_was_put_back_to_it() {
        for to_head in [Descendant, Ancestor, Diverged, Unknown] {
            assert!(superseded(Ancestor, to_head, Some((2, 1))));
        }
        assert!(!superseded(Ancestor, Same, None));
        assert!(!superseded(Unknown, Same, Some((1, 2))));
    }

    #[test]
    fn behind_a_forced_push_what_is_still_part_of_the_branch_wins() {
        assert!(!superseded(Diverged, Same, Some((1, 2))));
        assert!(!superseded(Diverged, Ancestor, Some((1, 2))));
        assert!(superseded(Diverged, Diverged, Some((2, 1))));
        assert!(superseded(Diverged, Descendant, None));
    }

    #[test]
    fn where_no_history_is_known_the_later_run_of_the_workflow_wins() {
        for (to_theirs, to_head) in [(Unknown, Unknown), (Unknown, Ancestor), (Diverged, Unknown)] {
            assert!(superseded(to_theirs, to_head, Some((1, 2))));
            assert!(!superseded(to_theirs, to_head, Some((2, 2))));
            assert!(!superseded(to_theirs, to_head, Some((3, 2))));
            assert!(!superseded(to_theirs, to_head, None));
        }
    }
}
