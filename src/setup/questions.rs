//! What is asked of whoever sets a repository up, and what is taken where nobody is asked.

/// Something to know before the files can be written.
#[derive(Debug, Clone)]
pub struct Question {
    /// The option that answers it: `--repository`.
    pub flag: &'static str,
    /// What is asked of a person.
    pub text: &'static str,
    /// What was said already, by the option or by a file.
    pub given: Option<String>,
    /// What is taken where a person answers nothing.
    pub found: Option<String>,
    /// Whether anything can be written without an answer.
    pub need: Need,
}

/// Whether anything can be written without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing can.
    Required,
    /// A placeholder stands for it.
    Optional,
}

/// Asks a person a question, and returns what was typed; `None` where nobody answers.
pub type Ask<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How questions are answered.
#[derive(Clone, Copy)]
pub enum Manner<'a> {
    /// By a person.
    Asked(Ask<'a>),
    /// By what was found, as the user wished.
    Found,
    /// By options alone: nobody is there, and nobody said that what was found may be taken.
    Told,
}

/// Questions that have no answer, by their options, each with what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unanswered(Vec<(&'static str, Option<String>)>);

impl Unanswered {
    /// Answers a question, or remembers that it has no answer.
    pub fn answer(&mut self, question: Question, manner: Manner<'_>) -> Option<String> {
        let Question {
            flag,
            text,
            given,
            found,
            need,
        } = question;
        if given.is_some() {
            return given;
        }
        let answer = match (manner, need) {
            (Manner::Asked(ask), _) => {
                let shown = found.as_deref().unwrap_or("none");
                let typed = ask(&format!("{text} [{shown}]: "));
                let typed = typed.map(|typed| typed.trim().to_owned());
                typed.filter(|typed| !typed.is_empty()).or_else(|| found.clone())
            }
            (Manner::Found, _) | (Manner::Told, Need::Optional) => found.clone(),
            (Manner::Told, Need::Required) => None,
        };
        if answer.is_none() && need == Need::Required {
            self.0.push((flag, found));
        }
        answer
    }

    /// The options that are missing.
    pub fn flags(&self) -> Vec<&'static str> {
        self.0.iter().map(|(flag, _)| *flag).collect()
    }

    /// Options with what was found for them, to be typed.
    pub fn proposed(&self) -> Option<String> {
        let found: Option<Vec<String>> = self
            .0
            .iter()
            .map(|(flag, found)| found.as_ref().map(|found| format!("{flag} {found}")))
            .collect();
        found.filter(|found| !found.is_empty()).map(|found| found.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(given: Option<&str>, found: Option<&str>, need: Need) -> Question {
        Question {
            flag: "--repository",
            text: "Repository",
            given: given.map(ToOwned::to_owned),
            found: found.map(ToOwned::to_owned),
            need,
        }
    }

    fn answer(question: Question, manner: Manner<'_>) -> (Option<String>, Unanswered) {
        let mut unanswered = Unanswered::default();
        (unanswered.answer(question, manner), unanswered)
    }

    #[test]
    fn what_was_said_already_is_not_asked() {
        let ask = |_: &str| -> Option<String> { panic!("asked") };
        let given = question(Some("o/r"), None, Need::Required);
        assert_eq!(answer(given, Manner::Asked(&ask)).0.as_deref(), Some("o/r"));
    }

    #[test]
    fn a_person_is_shown_what_was_found_and_may_just_press_return() {
        let found = || question(None, Some("o/r"), Need::Required);
        let silent = |text: &str| {
            assert_eq!(text, "Repository [o/r]: ");
            Some("\n".to_owned())
        };
        assert_eq!(answer(found(), Manner::Asked(&silent)).0.as_deref(), Some("o/r"));
        let types = |_: &str| Some(" x/y\n".to_owned());
        assert_eq!(answer(found(), Manner::Asked(&types)).0.as_deref(), Some("x/y"));
    }

    #[test]
    fn without_a_person_what_was_found_is_taken_only_on_request() {
        let found = || question(None, Some("o/r"), Need::Required);
        assert_eq!(answer(found(), Manner::Found).0.as_deref(), Some("o/r"));
        let (answer, unanswered) = answer(found(), Manner::Told);
        assert_eq!(answer, None);
        assert_eq!(unanswered.flags(), ["--repository"]);
        assert_eq!(unanswered.proposed().as_deref(), Some("--repository o/r"));
    }

    #[test]
    fn what_has_a_placeholder_is_never_missing() {
        let (answer, unanswered) = answer(question(None, None, Need::Optional), Manner::Told);
        assert_eq!((answer, unanswered), (None, Unanswered::default()));
    }
}
