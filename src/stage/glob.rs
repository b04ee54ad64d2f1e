//! Texts with wildcards: `*` takes anything but a slash, `**` anything, and each takes one character at least.

/// A text with wildcards, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `*`: anything but a slash.
    Part,
    /// `**`: anything.
    Rest,
}

impl Piece {
    /// Whether a wildcard takes this byte.
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Part => byte != b'/',
            Self::Rest => true,
        }
    }
}

impl Glob {
    /// Takes a text apart. `***` is not told from `**` and `*`: whoever reads patterns refuses it.
    pub fn new(pattern: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = pattern;
        while let Some((text, after)) = rest.split_once('*') {
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            let wide = after.strip_prefix('*');
            pieces.push(if wide.is_some() { Piece::Rest } else { Piece::Part });
            rest = wide.unwrap_or(after);
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Self(pieces)
    }

    /// How many wildcards are in it.
    pub fn wildcards(&self) -> usize {
        let is_wildcard = |piece: &&Piece| match piece {
            Piece::Text(_) => false,
            Piece::Part | Piece::Rest => true,
        };
        self.0.iter().filter(is_wildcard).count()
    }

    /// Whether it fits a whole text.
    pub fn fits(&self, text: &str) -> bool {
        self.captures(text).is_some()
    }

    /// What the wildcards take of a text, if the whole of it fits. Earlier ones take as much as they can.
    ///
    /// Its time grows with the product of both lengths, and no faster, whatever somebody calls a branch.
    pub fn captures<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let fits = self.table(text.as_bytes());
        let fits_from = |piece: usize, at: usize| fits.get(piece).and_then(|row| row.get(at)) == Some(&true);
        if !fits_from(0, 0) {
            return None;
        }
        let mut captures = Vec::new();
        let mut at = 0;
        for (index, piece) in self.0.iter().enumerate() {
            if let Piece::Text(own) = piece {
                at += own.len();
                continue;
            }
            let taken = text.as_bytes().get(at..)?.iter();
            let reach = taken.take_while(|byte| piece.takes(**byte)).count();
            let end = (at + 1..=at + reach).rev().find(|end| fits_from(index + 1, *end))?;
            captures.push(text.get(at..end)?);
            at = end;
        }
        Some(captures)
    }

    /// For each piece and each place in the text: whether this piece and all behind it fit the text from there on.
    fn table(&self, text: &[u8]) -> Vec<Vec<bool>> {
        let last: Vec<bool> = (0..=text.len()).map(|at| at == text.len()).collect();
        let mut rows = vec![last];
        for piece in self.0.iter().rev() {
            let mut row = vec![false; text.len() + 1];
            let behind = rows.last().map(Vec::as_slice).unwrap_or_default();
            let behind = |at: usize| behind.get(at) == Some(&true);
            for at in (0..text.len()).rev() {
                let rest = text.get(at..).unwrap_or_default();
                let fits = match piece {
                    Piece::Text(own) => rest.starts_with(own.as_bytes()) && behind(at + own.len()),
                    Piece::Part | Piece::Rest => {
                        let goes_on = row.get(at + 1) == Some(&true);
                        rest.first().is_some_and(|byte| piece.takes(*byte)) && (behind(at + 1) || goes_on)
                    }
                };
                if let Some(cell) = row.get_mut(at) {
                    *cell = fits;
                }
            }
            rows.push(row);
        }
        rows.reverse();
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
        Glob::new(pattern).captures(text)
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        assert_eq!(captures("release/*", "release/1.2"), Some(vec!["1.2"]));
        assert_eq!(captures("release/*", "release/1/2"), None);
        assert_eq!(captures("release/**", "release/1/2"), Some(vec!["1/2"]));
        assert_eq!(captures("**/x", "a/b/x"), Some(vec!["a/b"]));
        assert_eq!(captures("main", "main"), Some(vec![]));
        assert_eq!(captures("main", "mainz"), None);
    }

    #[test]
    fn a_wildcard_takes_something() {
        assert_eq!(captures("release/*", "release/"), None);
        assert_eq!(captures("a*", "a"), None);
    }

    #[test]
    fn earlier_wildcards_take_as_much_as_they_can() {
        assert_eq!(captures("*-*", "a-b-c"), Some(vec!["a-b", "c"]));
        assert_eq!(captures("**/*", "a/b/c"), Some(vec!["a/b", "c"]));
        assert_eq!(captures("*/v*-**", "app/v2-a/b"), Some(vec!["app", "2", "a/b"]));
    }

    #[test]
    fn characters_of_several_bytes_stay_whole() {
        assert_eq!(captures("*é*", "aéüb"), Some(vec!["a", "üb"]));
        assert_eq!(captures("ü*", "üß"), Some(vec!["ß"]));
    }

    #[test]
    fn a_name_made_to_be_slow_is_not() {
        let name = "a".repeat(20_000);
        assert_eq!(captures("*a*a*a*a*a*a*a*b", &name), None);
        assert!(captures("*a*a*a*a*a*a*a*a", &name).is_some());
    }
}
