//! The one comment on a pull request: found by its mark and its author, edited in place, true in the end.

use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Call, read};
use super::cut::{Limit, cut};
use super::wire::Method;
use crate::fault::{Certainty, Fault, FaultKind};

/// The first line of our comment, which nobody sees.
const MARK: &str = "<!-- stagewright -->";

/// Longest comment, in characters. GitHub refuses more than 65,536.
const LIMIT: usize = 60_000;

/// What stands where a comment was too long.
const CUT: &str = "The rest is left out: GitHub takes no longer comment. It is in the summary of the run.";

/// Whose the comments of a workflow's own token are.
const WORKFLOW: &str = "github-actions[bot]";

/// How often the comment is looked at and written, where others change it meanwhile.
const ROUNDS: u32 = 5;

/// How many calls may be lost before we give up.
const LOST_CALLS: u32 = 2;

/// A comment on a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id; later comments have greater ones.
    pub id: u64,
    /// The login of whoever wrote it.
    pub author: String,
    /// What it says.
    pub body: String,
}

/// The login that our comments are under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author(String);

/// Whether a comment is made where there is none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Create,
    /// It is not: there would be nothing to see in it.
    OnlyUpdate,
}

/// What is to be done so that there is one comment, and says what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Post {
    /// Write it.
    Create {
        /// All of it.
        body: String,
    },
    /// Write it anew.
    Update {
        /// Which one.
        id: u64,
        /// All of it.
        body: String,
    },
    /// Remove another one of ours.
    Delete {
        /// Which one.
        id: u64,
    },
}

/// What became of the comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// There is none, and none was needed.
    Absent,
    /// It said the same before.
    Unchanged,
    /// It was written.
    Written,
}

#[derive(Deserialize)]
struct CommentAnswer {
    id: u64,
    user: Option<User>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

impl From<CommentAnswer> for Comment {
    fn from(answer: CommentAnswer) -> Self {
        Self {
            id: answer.id,
            author: answer.user.map(|user| user.login).unwrap_or_default(),
            body: answer.body.unwrap_or_default(),
        }
    }
}

impl Author {
    /// An author by login, as REST or GraphQL name it.
    pub fn new(login: String) -> Self {
        Self(login)
    }

    /// Whether a login of REST is this author's. REST shows the login of an app with `[bot]` behind it, GraphQL without; a
    /// person whose login is an app's name is somebody else.
    fn is(&self, login: &str) -> bool {
        let Self(own) = self;
        login.eq_ignore_ascii_case(own) || login.eq_ignore_ascii_case(&format!("{own}[bot]"))
    }
}

impl Comment {
    fn is_marked(&self) -> bool {
        self.body.lines().next().is_some_and(|line| line.trim() == MARK)
    }

    fn is_by(&self, ours: Option<&Author>) -> bool {
        self.is_marked() && ours.is_some_and(|ours| ours.is(&self.author))
    }
}

/// What is to be done for one comment of ours that says `text`, which is given without the mark. The oldest one stays.
///
/// Anybody can write our mark into a comment: only what is by us, too, is ours. `ours` may be unknown only where no comment
/// is marked.
pub fn sticky(text: &str, mode: Mode, ours: Option<&Author>, comments: &[Comment]) -> Vec<Post> {
    let mut own: Vec<&Comment> = comments.iter().filter(|comment| comment.is_by(ours)).collect();
    own.sort_by_key(|comment| comment.id);
    let body = marked(text);
    let Some((kept, later)) = own.split_first() else {
        return match mode {
            Mode::Create => vec![Post::Create { body }],
            Mode::OnlyUpdate => Vec::new(),
        };
    };
    let is_true = normal(&kept.body) == normal(&body);
    let update = (!is_true).then_some(Post::Update { id: kept.id, body });
    let deletes = later.iter().map(|comment| Post::Delete { id: comment.id });
    update.into_iter().chain(deletes).collect()
}

fn marked(text: &str) -> String {
    let room = LIMIT - MARK.len() - 1;
    format!("{MARK}\n{}", cut(text, Limit::Characters(room), CUT))
}

/// The text without what GitHub changes of it.
fn normal(body: &str) -> String {
    let lines: Vec<&str> = body.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

impl Api {
    /// Sees to it that a pull request has one comment of ours, and that it is true.
    ///
    /// `render` makes its whole text, without the mark. It is called again after each write: other jobs write at the same
    /// time, each of them what it knew, and whoever looks last finds the truth there or puts it there.
    ///
    /// # Errors
    ///
    /// What `render` returns, or a call that failed.
    pub async fn keep_comment<E: From<Fault>>(
        &self,
        number: u64,
        mode: Mode,
        mut render: impl AsyncFnMut() -> Result<String, E>,
    ) -> Result<Kept, E> {
        let mut kept = Kept::Unchanged;
        let mut created: Option<Comment> = None;
        let mut lost_calls = 0;
        for _ in 0..ROUNDS {
            let mut comments = self.comments(number).await?;
            // A list may lag behind what was just written.
            comments.extend(
                created
                    .clone()
                    .filter(|own| comments.iter().all(|other| other.id != own.id)),
            );
            let ours = self.author(&comments).await;
            let posts = sticky(&render().await?, mode, ours.as_ref(), &comments);
            if posts.is_empty() {
                let is_there = comments.iter().any(|comment| comment.is_by(ours.as_ref()));
                return Ok(if is_there { kept } else { Kept::Absent });
            }
            for post in posts {
                match self.post(number, &post).await {
                    Ok(written) => {
                        kept = Kept::Written;
                        created = written.or(created);
                    }
                    Err(fault) if fault.kind == FaultKind::Absent && !matches!(post, Post::Create { .. }) => {
                        // Somebody else removed it.
                        created = None;
                    }
                    Err(fault) if fault.certainty == Certainty::MayHaveHappened && lost_calls < LOST_CALLS => {
                        tracing::info!(%fault, "looking whether the comment was written");
                        kept = Kept::Written;
                        lost_calls += 1;
                        break;
                    }
                    Err(fault) => return Err(fault.into()),
                }
            }
        }
        Ok(kept)
    }

    async fn comments(&self, number: u64) -> Result<Vec<Comment>, Fault> {
        let call = Call {
            target: self.pull(number),
            ..self.look("github:ListComments", &format!("/issues/{number}/comments"))
        };
        let comments: Vec<CommentAnswer> = self.pages(&call).await?;
        Ok(comments.into_iter().map(Comment::from).collect())
    }

    /// Whose comments are ours. It is asked only where a comment might be.
    async fn author(&self, comments: &[Comment]) -> Option<Author> {
        let known = self.author.borrow().clone();
        if known.is_some() || !comments.iter().any(Comment::is_marked) {
            return known;
        }
        let author = Author::new(self.viewer().await.unwrap_or_else(|| WORKFLOW.to_owned()));
        self.author.replace(Some(author.clone()));
        Some(author)
    }

    /// Makes one change. What was created is returned.
    async fn post(&self, number: u64, post: &Post) -> Result<Option<Comment>, Fault> {
        let url = |id: u64| self.url(&format!("/issues/comments/{id}"));
        let (operation, method, url, body) = match post {
            Post::Create { body } => {
                let url = self.url(&format!("/issues/{number}/comments"));
                ("github:CreateComment", Method::Post, url, Some(body))
            }
            Post::Update { id, body } => ("github:UpdateComment", Method::Patch, url(*id), Some(body)),
            Post::Delete { id } => ("github:DeleteComment", Method::Delete, url(*id), None),
        };
        let body = body.map(|body| json!({"body": body}));
        let call = Call {
            operation,
            target: self.pull(number),
            method,
            url,
            body: body.as_ref(),
        };
        let answer = self.call(&call).await?;
        match post {
            Post::Create { .. } => {
                let created: Comment = read::<CommentAnswer>(&call, &answer)?.into();
                // Now it is known for certain, whatever was said before.
                self.author.replace(Some(Author::new(created.author.clone())));
                Ok(Some(created))
            }
            Post::Update { .. } | Post::Delete { .. } => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(id: u64, author: &str, body: &str) -> Comment {
        Comment {
            id,
            author: author.to_owned(),
            body: body.to_owned(),
        }
    }

    fn ours() -> Author {
        Author::new(WORKFLOW.to_owned())
    }

    fn posts(text: &str, comments: &[Comment]) -> Vec<Post> {
        sticky(text, Mode::Create, Some(&ours()), comments)
    }

    #[test]
    fn the_first_comment_is_made_and_an_empty_one_is_not() {
        let people = [comment(1, "ann", "Nice!")];
        assert_eq!(
            posts("beta is ready", &people),
            [Post::Create {
                body: format!("{MARK}\nbeta is ready")
            }]
        );
        assert_eq!(sticky("removed", Mode::OnlyUpdate, None, &people), []);
    }

    #[test]
    fn somebody_elses_comment_with_our_mark_is_not_ours() {
        let planted = [
            comment(1, "mallory", &format!("{MARK}\nURL: https://evil.example")),
            comment(2, "github-actions", &format!("{MARK}\nURL: https://evil.example")),
        ];
        assert!(matches!(posts("text", &planted)[..], [Post::Create { .. }]));
    }

    #[test]
    fn another_comment_of_our_own_login_is_left_alone() {
        let other = [
            comment(1, WORKFLOW, "Coverage: 100 %"),
            comment(2, WORKFLOW, &format!("> quoting\n{MARK}\ntext")),
        ];
        assert!(matches!(posts("text", &other)[..], [Post::Create { .. }]));
    }

    #[test]
    fn the_oldest_is_kept_and_later_ones_are_removed() {
        let marked = |text: &str| format!("{MARK}\n{text}");
        let own = [
            comment(9, WORKFLOW, &marked("new")),
            comment(3, WORKFLOW, &marked("old")),
            comment(5, WORKFLOW, &marked("new")),
        ];
        assert_eq!(
            posts("new", &own),
            [
                Post::Update {
                    id: 3,
                    body: marked("new")
                },
                Post::Delete { id: 5 },
                Post::Delete { id: 9 },
            ]
        );
    }

    #[test]
    fn what_says_the_same_is_not_sent() {
        let stored = format!("{MARK}\r\n| a |\r\n\r\nready");
        assert_eq!(posts("| a |  \n\nready\n\n", &[comment(1, WORKFLOW, &stored)]), []);
        assert_ne!(posts("| a |\nready", &[comment(1, WORKFLOW, &stored)]), []);
    }

    #[test]
    fn an_app_is_known_by_either_form_of_its_login_and_a_person_by_one() {
        assert!(Author::new("my-app".to_owned()).is("my-app[bot]"));
        assert!(Author::new("My-App[bot]".to_owned()).is("my-app[bot]"));
        assert!(Author::new("ann".to_owned()).is("Ann"));
        assert!(!Author::new("my-app[bot]".to_owned()).is("my-app"));
    }

    #[test]
    fn no_comment_is_longer_than_github_takes() {
        let text = "ü line\n".repeat(20_000);
        let [Post::Create { body }] = &posts(&text, &[])[..] else {
            panic!("nothing is created");
        };
        assert!(body.chars().count() <= LIMIT);
        assert!(body.ends_with(CUT));
        // It is not sent anew each time.
        assert_eq!(posts(&text, &[comment(1, WORKFLOW, body)]), []);
    }
}
