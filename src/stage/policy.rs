//! Which pull requests get a preview, and how much is said about it: `pull_requests` of the config.

use std::num::NonZeroU32;
use std::time::Duration;

use super::branches::Pattern;
use super::{PullRequest, Readiness};

/// Which pull requests get a preview, how long it lives, and how much is said about it. The default: all of them, for as
/// long as they are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequests {
    /// Whether there are previews at all.
    pub previews: Previews,
    /// Branches into which a pull request must be meant to be merged; `None` for any.
    pub base: Option<Vec<Pattern>>,
    /// Whether drafts get one.
    pub drafts: Drafts,
    /// A label without which there is none.
    pub label: Option<String>,
    /// When the comment is written.
    pub comment: CommentMode,
    /// How long after its last deploy a preview is removed; `None` for not before the pull request is closed.
    pub expire_after: Option<Duration>,
    /// The label that keeps a preview from expiring.
    pub keep_label: String,
    /// How many previews of an app live at once; `None` for any number.
    pub limit: Option<NonZeroU32>,
}

/// Whether there are previews at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previews {
    /// There are.
    On,
    /// There are none.
    Off,
}

/// Whether drafts get a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drafts {
    /// They do.
    Deployed,
    /// Only once they are ready for review.
    Skipped,
}

/// When the comment on a pull request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentMode {
    /// Whenever there is a run.
    Always,
    /// Only when a deploy changed something, failed or removed the preview.
    OnChange,
    /// Never.
    Off,
}

impl Default for PullRequests {
    fn default() -> Self {
        Self {
            previews: Previews::On,
            base: None,
            drafts: Drafts::Deployed,
            label: None,
            comment: CommentMode::Always,
            expire_after: None,
            keep_label: "keep".to_owned(),
            limit: None,
        }
    }
}

impl PullRequests {
    /// Whether a pull request gets a preview.
    ///
    /// # Errors
    ///
    /// Why it gets none, as a sentence.
    pub fn admits(&self, pull_request: &PullRequest) -> Result<(), String> {
        let PullRequest { number, base, .. } = pull_request;
        match self.previews {
            Previews::On => {}
            Previews::Off => {
                return Err("`pull_requests: false` is configured: pull requests get no preview.".to_owned());
            }
        }
        if let Some(bases) = &self.base
            && !bases.iter().any(|pattern| pattern.fits(base))
        {
            let known: Vec<_> = bases.iter().map(|pattern| format!("`{}`", pattern.as_str())).collect();
            return Err(format!(
                "#{number} is to be merged into `{base}`, and `pull_requests.base` has only {}.",
                known.join(", ")
            ));
        }
        match (self.drafts, pull_request.readiness) {
            (Drafts::Skipped, Readiness::Draft) => {
                return Err(format!(
                    "#{number} is a draft: it gets a preview once it is ready for review (`pull_requests.drafts: false`)."
                ));
            }
            (Drafts::Deployed, Readiness::Draft | Readiness::Ready) | (Drafts::Skipped, Readiness::Ready) => {}
        }
        match &self.label {
            // GitHub does not tell labels apart by case.
            Some(wanted) if !pull_request.labels.iter().any(|label| is_same_label(label, wanted)) => Err(format!(
                "#{number} has no label `{wanted}`: with it, it gets a preview (`pull_requests.label`)."
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a label keeps a preview from expiring.
    pub fn keeps(&self, labels: &[String]) -> bool {
        labels.iter().any(|label| is_same_label(label, &self.keep_label))
    }
}

fn is_same_label(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Reads a time after which a preview expires: `72h`, `14d`, `2w`.
///
/// # Errors
///
/// It is written otherwise, or is not between an hour and ten years.
pub fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time of hours, days or weeks: write it like `72h`, `14d` or `2w`");
    let hours_each = |unit: &str| match unit {
        "h" => Some(1),
        "d" => Some(24),
        "w" => Some(7 * 24),
        _ => None,
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: u64 = number.parse().ok().ok_or_else(wrong)?;
    let hours = hours_each(unit).and_then(|each: u64| number.checked_mul(each));
    match hours.ok_or_else(wrong)? {
        0 => Err(
            "a preview would expire before it is there: leave `expire_after` out, or say `pull_requests: false`"
                .to_owned(),
        ),
        hours @ 1..=87_600 => Ok(Duration::from_secs(hours * 3600)),
        _ => Err(format!("`{text}` is over ten years: leave `expire_after` out")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_of_hours_days_or_weeks() {
        assert_eq!(lifetime("72h"), lifetime("3d"));
        assert_eq!(lifetime("14d"), lifetime("2w"));
        assert_eq!(lifetime("1h"), Ok(Duration::from_hours(1)));
        for wrong in [
            "",
            "14",
            "d",
            "0d",
            "-1d",
            "1.5d",
            "14 d",
            "14m",
            "9999w",
            "99999999999999999999d",
            "14é",
        ] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
