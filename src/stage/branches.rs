//! Which branch is which stage: names, and globs whose captures name the stage.

use std::collections::BTreeSet;

use super::glob::Glob;
use crate::names::StageName;

/// A branch's name, or a glob that takes many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    glob: Glob,
}

/// Which branch is which stage. A name wins over a glob, a glob over those behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branches(Vec<Branch>);

/// A branch or glob, and the stage that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pattern: Pattern,
    stage: String,
}

/// The stage of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The stage.
    pub stage: StageName,
    /// What mapped the branch to it.
    pub by: By,
}

/// What mapped a branch to its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The branch's own name: the stage is fixed, and nothing but a person at a terminal removes it.
    Name,
    /// A glob: the stage goes with its branch.
    Glob,
}

/// Why a branch cannot be mapped as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BranchError {
    /// Git has no such branch.
    #[error("`{pattern}` is not a branch or glob: {why}")]
    Pattern {
        /// As it was written.
        pattern: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The stage refers to something that the glob does not capture.
    #[error("`{stage}` refers to `{{{number}}}`, and `{pattern}` has {wildcards} wildcards")]
    Capture {
        /// The stage as it was written.
        stage: String,
        /// The reference.
        number: String,
        /// The branch as it was written.
        pattern: String,
        /// How many wildcards are in it.
        wildcards: usize,
    },
    /// The stage's name cannot be used.
    #[error(transparent)]
    Stage(#[from] crate::names::NameError),
    /// The stage's name belongs to a pull request.
    #[error("stage name `{0}` is kept for the preview of a pull request")]
    Reserved(String),
    /// A glob makes the name of a stage that is configured by its name.
    #[error(
        "the glob `{pattern}` makes the stage `{stage}`, which is configured by its name: map the branch by its name"
    )]
    Fixed {
        /// The stage.
        stage: StageName,
        /// The glob as it was written.
        pattern: String,
    },
    /// A glob makes the name of a stage that stands under `stages`.
    #[error("stage `{0}` is configured under `stages`, and is not one that comes and goes with branches of a glob")]
    Taken(StageName),
    /// A wildcard took nothing of which a stage's name can be made.
    #[error("`{capture}`, which `{pattern}` took of the branch, has no letter or digit for a stage's name")]
    Nameless {
        /// What the wildcard took.
        capture: String,
        /// The glob as it was written.
        pattern: String,
    },
}

impl Pattern {
    /// Checks a branch or glob.
    ///
    /// # Errors
    ///
    /// [`BranchError::Pattern`] where no branch of Git can be called so.
    pub fn new(text: &str) -> Result<Self, BranchError> {
        match broken_rule(text) {
            Some(why) => Err(BranchError::Pattern {
                pattern: text.to_owned(),
                why,
            }),
            None => Ok(Self {
                text: text.to_owned(),
                glob: Glob::new(text),
            }),
        }
    }

    /// Whether a branch is meant by it.
    pub fn fits(&self, branch: &str) -> bool {
        self.glob.fits(branch)
    }

    /// What it was written as.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Branch {
    /// Checks a branch and the stage that it is to be.
    ///
    /// # Errors
    ///
    /// See [`BranchError`].
    pub fn new(pattern: &str, stage: &str) -> Result<Self, BranchError> {
        let pattern = Pattern::new(pattern)?;
        let wildcards = pattern.glob.wildcards();
        // A digit stands for any branch, since `pr-{1}` would be a preview's name for some.
        let captures = vec!["0".to_owned(); wildcards];
        let example = filled(stage, &captures).map_err(|number| BranchError::Capture {
            stage: stage.to_owned(),
            number,
            pattern: pattern.text.clone(),
            wildcards,
        })?;
        if is_reserved(&StageName::try_from(example)?) {
            return Err(BranchError::Reserved(stage.to_owned()));
        }
        Ok(Self {
            pattern,
            stage: stage.to_owned(),
        })
    }

    /// Refuses a glob whose stage is one of those that are fixed, whatever the glob takes.
    ///
    /// # Errors
    ///
    /// [`BranchError::Fixed`].
    pub fn spares(&self, fixed: &BTreeSet<StageName>) -> Result<(), BranchError> {
        // A stage with a reference in it is no name yet, and is looked at branch by branch.
        let Ok(stage) = self.stage.parse::<StageName>() else {
            return Ok(());
        };
        if self.is_glob() && fixed.iter().any(|fixed| is_same(fixed, &stage)) {
            return Err(self.fixed(stage));
        }
        Ok(())
    }

    fn is_glob(&self) -> bool {
        self.pattern.glob.wildcards() > 0
    }

    fn fixed(&self, stage: StageName) -> BranchError {
        BranchError::Fixed {
            stage,
            pattern: self.pattern.text.clone(),
        }
    }

    /// The stage that the glob makes for a branch; `None` where it does not fit.
    fn made_for(&self, branch: &str) -> Option<Result<StageName, BranchError>> {
        let captures = self.pattern.glob.captures(branch)?;
        Some(self.made_of(&captures))
    }

    fn made_of(&self, captures: &[&str]) -> Result<StageName, BranchError> {
        let mut slugs = Vec::new();
        for (index, capture) in captures.iter().enumerate() {
            let slug = slug(capture);
            if slug.is_empty() && self.stage.contains(&format!("{{{}}}", index + 1)) {
                return Err(BranchError::Nameless {
                    capture: (*capture).to_owned(),
                    pattern: self.pattern.text.clone(),
                });
            }
            slugs.push(slug);
        }
        let name = filled(&self.stage, &slugs).map_err(|number| BranchError::Capture {
            stage: self.stage.clone(),
            number,
            pattern: self.pattern.text.clone(),
            wildcards: captures.len(),
        })?;
        let stage = StageName::try_from(name)?;
        if is_reserved(&stage) {
            return Err(BranchError::Reserved(stage.to_string()));
        }
        Ok(stage)
    }
}

impl Branches {
    /// Takes branches in the order of the file.
    pub fn new(branches: Vec<Branch>) -> Self {
        Self(branches)
    }

    /// The stages that branches are mapped to by name.
    pub fn stages(&self) -> impl Iterator<Item = StageName> + '_ {
        self.0
            .iter()
            .filter(|known| !known.is_glob())
            .filter_map(|known| known.stage.parse().ok())
    }

    /// The stage of a branch; `None` where nothing is said of it. What a wildcard took is made fit for AWS: every run of
    /// characters that it refuses becomes one `-`.
    ///
    /// # Errors
    ///
    /// [`BranchError::Fixed`] and [`BranchError::Reserved`] where a glob would make a stage that is not its own,
    /// [`BranchError::Nameless`] and [`BranchError::Stage`] where it makes no name.
    pub fn stage_of(&self, branch: &str) -> Option<Result<Mapped, BranchError>> {
        let named = self
            .0
            .iter()
            .find(|known| !known.is_glob() && known.pattern.text == branch);
        if let Some(known) = named {
            let stage = known.stage.parse::<StageName>().map_err(BranchError::from);
            return Some(stage.map(|stage| Mapped { stage, by: By::Name }));
        }
        let mut globs = self.0.iter().filter(|known| known.is_glob());
        globs.find_map(|known| {
            let stage = known.made_for(branch)?;
            Some(
                stage.and_then(|stage| match self.stages().any(|fixed| is_same(&fixed, &stage)) {
                    true => Err(known.fixed(stage)),
                    false => Ok(Mapped { stage, by: By::Glob }),
                }),
            )
        })
    }

    /// Whether a glob, and no name, makes this stage for a branch.
    pub fn makes(&self, stage: &StageName, branch: &str) -> bool {
        let made = Mapped {
            stage: stage.clone(),
            by: By::Glob,
        };
        self.stage_of(branch) == Some(Ok(made))
    }
}

/// Whether a name is a preview's. IAM does not tell `PR-7` from `pr-7`.
pub fn is_reserved(stage: &StageName) -> bool {
    let small = stage.as_str().to_ascii_lowercase().parse::<StageName>();
    small.is_ok_and(|stage| stage.is_of_a_preview())
}

/// Whether two names are one to AWS: IAM does not tell `Prod` from `prod`.
pub fn is_same(one: &StageName, other: &StageName) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// What a wildcard took, as a part of a name that AWS takes.
fn slug(capture: &str) -> String {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let parts: Vec<&str> = capture
        .split(|c| !is_taken(c))
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("-").trim_matches('-').to_owned()
}

/// The rule of Git, or of ours, that a pattern breaks. See <https://git-scm.com/docs/git-check-ref-format>.
fn broken_rule(pattern: &str) -> Option<&'static str> {
    let is_refused = |c: char| c.is_ascii_control() || matches!(c, ' ' | '~' | '^' | ':' | '\\');
    if pattern.is_empty() {
        return Some("it is empty");
    }
    if pattern.starts_with("refs/") {
        return Some("leave `refs/heads/` out");
    }
    if pattern.contains(['?', '[', '{']) {
        return Some("only `*` and `**` are wildcards");
    }
    if pattern.contains("***") {
        return Some("`*` takes a part of a name, `**` all of it, and `***` nothing");
    }
    // Nobody needs more, and nobody can read them.
    if pattern.matches('*').count() > 8 {
        return Some("it has too many wildcards");
    }
    let is_misplaced = pattern.starts_with(['/', '-']) || pattern.ends_with(['/', '.']);
    if is_misplaced || pattern.contains(is_refused) || pattern.contains("..") || pattern.contains("//") {
        return Some("Git takes no such name");
    }
    None
}

/// A stage with its `{1}`, `{2}` replaced, or the first reference to nothing.
fn filled(stage: &str, captures: &[String]) -> Result<String, String> {
    let mut name = String::new();
    let mut rest = stage;
    while let Some((before, after)) = rest.split_once('{') {
        let (number, after) = after.split_once('}').ok_or_else(|| after.to_owned())?;
        let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let capture = index
            .and_then(|index| captures.get(index))
            .ok_or_else(|| number.to_owned())?;
        name.push_str(before);
        name.push_str(capture);
        rest = after;
    }
    name.push_str(rest);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branches(pairs: &[(&str, &str)]) -> Branches {
        let branch = |(pattern, stage): &(&str, &str)| Branch::new(pattern, stage).unwrap();
        Branches::new(pairs.iter().map(branch).collect())
    }

    fn stage_of(pairs: &[(&str, &str)], branch: &str) -> String {
        match branches(pairs).stage_of(branch) {
            None => "none".to_owned(),
            Some(Ok(Mapped { stage, by })) => format!("{stage} by {by:?}"),
            Some(Err(error)) => error.to_string(),
        }
    }

    #[test]
    fn a_name_wins_over_a_glob_and_the_first_glob_over_the_second() {
        let pairs = [
            ("release/*", "release-{1}"),
            ("release/**", "all"),
            ("release/1", "one"),
        ];
        assert_eq!(stage_of(&pairs, "release/1"), "one by Name");
        assert_eq!(stage_of(&pairs, "release/2"), "release-2 by Glob");
        assert_eq!(stage_of(&pairs, "release/2/x"), "all by Glob");
        assert_eq!(stage_of(&pairs, "release"), "none");
    }

    #[test]
    fn what_a_wildcard_took_becomes_a_name_that_aws_takes() {
        let made = |branch| stage_of(&[("**", "{1}")], branch);
        assert_eq!(made("release/1.2"), "release-1-2 by Glob");
        assert_eq!(made("a//..b"), "a-b by Glob");
        assert_eq!(made("feature/größe!"), "feature-gr-e by Glob");
        assert_eq!(made("a_b-c"), "a_b-c by Glob");
        assert_eq!(stage_of(&[("*/v*-**", "{2}-{1}")], "app/v2-a/b"), "2-app by Glob");
    }

    #[test]
    fn a_branch_without_a_letter_that_aws_takes_is_refused() {
        let told = stage_of(&[("feature/*", "f-{1}")], "feature/日本");
        assert!(
            told.contains("`日本`") && told.contains("has no letter or digit"),
            "{told}"
        );
        assert_eq!(stage_of(&[("feature/*", "shared")], "feature/日本"), "shared by Glob");
        let told = stage_of(&[("feature/*", "{1}")], &format!("feature/{}", "x".repeat(64)));
        assert!(told.contains("63 is the limit"), "{told}");
    }

    #[test]
    fn no_glob_makes_a_preview_or_a_stage_that_a_branch_has_by_name() {
        let pairs = [("main", "prod"), ("*", "{1}"), ("y/*", "{1}-7")];
        for branch in ["pr-7", "PR-7", "y/pr"] {
            let told = stage_of(&pairs, branch);
            assert!(told.contains("kept for the preview"), "{branch}: {told}");
        }
        for branch in ["prod", "Prod"] {
            let told = stage_of(&pairs, branch);
            assert!(told.contains("configured by its name"), "{branch}: {told}");
        }
        assert_eq!(stage_of(&pairs, "main"), "prod by Name");
    }

    #[test]
    fn a_glob_for_a_fixed_stage_is_refused_before_anything_is_pushed() {
        let fixed = BTreeSet::from(["beta".parse().unwrap()]);
        assert!(Branch::new("hotfix/*", "beta").unwrap().spares(&fixed).is_err());
        assert!(Branch::new("develop", "beta").unwrap().spares(&fixed).is_ok());
        assert!(Branch::new("hotfix/*", "{1}").unwrap().spares(&fixed).is_ok());
    }

    #[test]
    fn what_git_or_aws_would_refuse_is_refused_with_the_reason() {
        let refused = [
            ("", "prod", "it is empty"),
            ("refs/heads/main", "prod", "leave `refs/heads/` out"),
            ("ma in", "prod", "Git takes no such name"),
            ("release/?", "prod", "only `*` and `**`"),
            ("a***", "prod", "`***`"),
            (
                "release/*",
                "release-{2}",
                "refers to `{2}`, and `release/*` has 1 wildcards",
            ),
            ("main", "{1}", "has 0 wildcards"),
            ("main", "pr od", "the character ` `"),
            ("main", "pr-7", "kept for the preview"),
            ("pull/*", "pr-{1}", "kept for the preview"),
            ("pull/*/*", "pr-{1}{2}", "kept for the preview"),
        ];
        for (pattern, stage, why) in refused {
            let told = Branch::new(pattern, stage).unwrap_err().to_string();
            assert!(told.contains(why), "{pattern} → {stage}: {told}");
        }
        assert!(Branch::new("release/*", "release-{1}").is_ok());
        assert!(Branch::new("feature/*", "{1}").is_ok());
    }
}
