//! Which branch is which stage: names, and globs whose captures name the stage.

use crate::names::StageName;

/// Which branch is which stage. A name wins over a glob, a glob over those behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branches(Vec<Branch>);

/// A branch or glob, and the stage that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pattern: String,
    stage: String,
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
}

impl Branch {
    /// Checks a branch and the stage that it is to be.
    ///
    /// # Errors
    ///
    /// See [`BranchError`].
    pub fn new(pattern: &str, stage: &str) -> Result<Self, BranchError> {
        if let Some(why) = broken_rule(pattern) {
            return Err(BranchError::Pattern {
                pattern: pattern.to_owned(),
                why,
            });
        }
        let wildcards = pieces(pattern).iter().filter(|piece| piece.is_wildcard()).count();
        // A digit stands for any branch, since `pr-{1}` would be a preview's name for some.
        let captures = vec!["0".to_owned(); wildcards];
        let example = filled(stage, &captures).map_err(|number| BranchError::Capture {
            stage: stage.to_owned(),
            number,
            pattern: pattern.to_owned(),
            wildcards,
        })?;
        if StageName::try_from(example)?.is_of_a_preview() {
            return Err(BranchError::Reserved(stage.to_owned()));
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            stage: stage.to_owned(),
        })
    }

    fn is_glob(&self) -> bool {
        self.pattern.contains('*')
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
    // More would let a match take forever.
    if pattern.matches('*').count() > 8 {
        return Some("it has too many wildcards");
    }
    let is_misplaced = pattern.starts_with(['/', '-']) || pattern.ends_with(['/', '.']);
    if is_misplaced || pattern.contains(is_refused) || pattern.contains("..") || pattern.contains("//") {
        return Some("Git takes no such name");
    }
    None
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// `*`: anything but a slash.
    Part,
    /// `**`: anything.
    Rest,
}

impl Piece<'_> {
    fn is_wildcard(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Part | Self::Rest => true,
        }
    }
}

fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some((text, after)) = rest.split_once('*') {
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let wide = after.strip_prefix('*');
        pieces.push(if wide.is_some() { Piece::Rest } else { Piece::Part });
        rest = wide.unwrap_or(after);
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
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
