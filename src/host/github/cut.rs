//! Markdown that is longer than GitHub takes, cut at the end of a line.

use std::borrow::Cow;

/// How long a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many bytes of UTF-8.
    Bytes(usize),
    /// So many characters.
    Characters(usize),
}

impl Limit {
    fn length(self, text: &str) -> usize {
        match self {
            Self::Bytes(_) => text.len(),
            Self::Characters(_) => text.chars().count(),
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Bytes(most) | Self::Characters(most) => most,
        }
    }

    /// The longest beginning of a text that is no longer than `most`.
    fn beginning(self, text: &str, most: usize) -> &str {
        let end = match self {
            Self::Bytes(_) => text.floor_char_boundary(most),
            Self::Characters(_) => text.char_indices().nth(most).map_or(text.len(), |(at, _)| at),
        };
        &text[..end]
    }
}

/// The text, or as many of its lines as there is room for, with a sentence that says so. Nothing where there is no room
/// for the sentence.
pub fn cut<'a>(text: &'a str, limit: Limit, because: &str) -> Cow<'a, str> {
    if limit.length(text) <= limit.most() {
        return Cow::Borrowed(text);
    }
    // A block of code that is left open would swallow the sentence.
    let ending = |open: bool| format!("{}\n{because}", if open { "\n```\n" } else { "\n" });
    let Some(room) = limit.most().checked_sub(limit.length(&ending(true))) else {
        return Cow::Borrowed("");
    };
    let fitting = limit.beginning(text, room);
    let whole_lines = fitting.rfind('\n').map_or("", |end| &fitting[..end]);
    let fences = whole_lines.lines().filter(|line| line.trim_start().starts_with("```"));
    Cow::Owned(format!("{whole_lines}{}", ending(fences.count() % 2 == 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_as_it_is() {
        assert_eq!(cut("üü", Limit::Characters(2), "cut"), "üü");
    }

    #[test]
    fn what_is_cut_ends_with_a_whole_line_and_the_sentence() {
        let text = "first line\nsecond line\nthird line that is long enough\n";
        assert_eq!(cut(text, Limit::Bytes(38), "It is cut."), "first line\n\nIt is cut.");
        assert_eq!(
            cut(text, Limit::Characters(45), "It is cut."),
            "first line\nsecond line\n\nIt is cut."
        );
    }

    #[test]
    fn a_block_of_code_is_closed_before_the_sentence() {
        let text = format!("```\n{}", "line\n".repeat(20));
        assert_eq!(cut(&text, Limit::Bytes(31), "cut"), "```\nline\nline\nline\n```\n\ncut");
    }

    #[test]
    fn no_limit_is_ever_passed() {
        let text = "```\nä line\n".repeat(30);
        for most in 0..text.len() {
            assert!(cut(&text, Limit::Bytes(most), "It is cut.").len() <= most);
            assert!(cut(&text, Limit::Characters(most), "It is cut.").chars().count() <= most);
        }
    }
}
