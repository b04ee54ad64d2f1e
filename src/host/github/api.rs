//! GitHub's REST API, as far as we need it: one call with its patience, and what there is to look at in a repository.

use std::cell::{Cell, OnceCell, RefCell};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::comment::Author;
use super::fault;
use super::memo::Memo;
use super::repository::Compared;
use super::wire::{Answer, Method, Wire};
use crate::aws::Tell;
use crate::fault::{Certainty, Fault, FaultKind};
use crate::timeline::{Recording, Timeline};
use crate::variable::Secret;

/// How often one call is made at most.
const ATTEMPTS: u32 = 3;

/// The first pause after a look that failed; the next one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a run waits for GitHub, all calls together. What is told to people may come late, and never holds up for long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Most pages that are read of anything, each of 100 entries.
const PAGES: u32 = 100;

/// Where GitHub is, and who we are there.
#[derive(Debug, Clone)]
pub struct Access {
    /// URL of the REST API: `https://api.github.com`, on Enterprise Server `https://HOST/api/v3`.
    pub rest: String,
    /// URL of the GraphQL API.
    pub graphql: String,
    /// The repository: `octo/app`.
    pub repository: String,
    /// The token, if one was given.
    pub token: Option<Secret>,
    /// The login that comments of ours are under, if it was given.
    pub author: Option<String>,
    /// Where all calls are written down.
    pub timeline: Timeline,
}

/// GitHub's API for one repository.
pub struct Api {
    access: Access,
    tell: Tell,
    waited: Cell<Waited>,
    wire: OnceCell<Wire>,
    pub(super) author: RefCell<Option<Author>>,
    /// What files of the default branch say, by their paths.
    pub(super) files: Memo<String, Option<String>>,
    /// How one commit stands to another, or to a branch as it is when it is first asked for.
    pub(super) comparisons: Memo<[String; 2], Compared>,
}

/// How long a run has waited for GitHub. Calls that wait side by side keep nobody longer than one does.
#[derive(Debug, Clone, Copy, Default)]
struct Waited {
    whole: Duration,
    until: Option<Instant>,
}

impl Waited {
    /// With a pause that begins now; `None` where that is more than a run waits.
    fn with(self, now: Instant, pause: Duration) -> Option<Self> {
        let counted = self.until.map_or(now, |until| until.max(now));
        let until = counted.max(now + pause);
        let whole = self.whole + (until - counted);
        (whole <= PATIENCE).then_some(Self {
            whole,
            until: Some(until),
        })
    }
}

/// A call, before it is made.
pub(super) struct Call<'a> {
    pub operation: &'static str,
    pub target: String,
    pub method: Method,
    pub url: String,
    pub body: Option<&'a Value>,
}

/// A pull request as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Whether it is open.
    pub standing: Standing,
    /// The commit at its head.
    pub head: String,
    /// The branch that it shall be merged into.
    pub base: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// Whether a pull request is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Open,
    /// It was merged, or closed without.
    Closed,
}

#[derive(Deserialize)]
struct PullAnswer {
    number: u64,
    state: String,
    head: Head,
    base: Base,
    labels: Vec<Label>,
}

#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) sha: String,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    branch: String,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

impl From<PullAnswer> for Pull {
    fn from(answer: PullAnswer) -> Self {
        Self {
            number: answer.number,
            standing: match answer.state.as_str() {
                "open" => Standing::Open,
                _ => Standing::Closed,
            },
            head: answer.head.sha,
            base: answer.base.branch,
            labels: answer.labels.into_iter().map(|label| label.name).collect(),
        }
    }
}

impl Api {
    /// GitHub's API for a repository. No call is made. `tell` says why it takes long.
    pub fn new(access: Access, tell: Tell) -> Self {
        Self {
            author: RefCell::new(access.author.clone().map(Author::new)),
            access,
            tell,
            waited: Cell::default(),
            wire: OnceCell::new(),
            files: Memo::default(),
            comparisons: Memo::default(),
        }
    }

    /// A pull request; `None` where there is none of this number.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn pull_request(&self, number: u64) -> Result<Option<Pull>, Fault> {
        let call = Call {
            target: self.pull(number),
            ..self.look("github:GetPullRequest", &format!("/pulls/{number}"))
        };
        let found: Option<PullAnswer> = self.found(&call).await?;
        Ok(found.map(Pull::from))
    }

    /// Every open pull request.
    ///
    /// # Errors
    ///
    /// A call failed: an incomplete list would look as if pull requests were closed.
    pub async fn open_pull_requests(&self) -> Result<Vec<Pull>, Fault> {
        let call = self.look("github:ListPullRequests", "/pulls?state=open");
        let pulls: Vec<PullAnswer> = self.pages(&call).await?;
        Ok(pulls.into_iter().map(Pull::from).collect())
    }

    /// The login that the token's comments are under, as GraphQL names it; `None` where it does not say.
    pub(super) async fn viewer(&self) -> Option<String> {
        let query = serde_json::json!({"query": "query { viewer { login } }"});
        let call = Call {
            operation: "github:Viewer",
            target: self.access.repository.clone(),
            method: Method::Post,
            url: self.access.graphql.clone(),
            body: Some(&query),
        };
        match self.call(&call).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_str(&answer.body).ok()?;
                answer["data"]["viewer"]["login"].as_str().map(ToOwned::to_owned)
            }
            Err(fault) => {
                tracing::debug!(%fault, "whose token it is cannot be asked");
                None
            }
        }
    }

    /// The repository: `octo/app`.
    pub fn repository(&self) -> &str {
        &self.access.repository
    }

    /// A pull request as people name it: `octo/app#7`.
    pub(super) fn pull(&self, number: u64) -> String {
        format!("{}#{number}", self.access.repository)
    }

    /// A call that only looks at something of the repository.
    pub(super) fn look(&self, operation: &'static str, path: &str) -> Call<'static> {
        Call {
            operation,
            target: self.access.repository.clone(),
            method: Method::Get,
            url: self.url(path),
            body: None,
        }
    }

    /// The URL of something of the repository.
    pub(super) fn url(&self, path: &str) -> String {
        format!(
            "{}/repos/{}{path}",
            self.access.rest.trim_end_matches('/'),
            self.access.repository
        )
    }

    /// Makes a call that looks for something which need not exist.
    pub(super) async fn found<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Option<T>, Fault> {
        match self.call(call).await {
            Ok(answer) => read(call, &answer).map(Some),
            Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Reads all pages of a list.
    pub(super) async fn pages<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        let sign = if call.url.contains('?') { '&' } else { '?' };
        for page in 1..=PAGES {
            let call = Call {
                url: format!("{}{sign}per_page=100&page={page}", call.url),
                target: call.target.clone(),
                ..*call
            };
            let answer = self.call(&call).await?;
            all.extend(read::<Vec<T>>(&call, &answer)?);
            if !answer.has_next_page() {
                return Ok(all);
            }
        }
        let message = format!("there are more than {} of them", PAGES * 100);
        Err(Fault::refused(call.operation, &call.target, FaultKind::Other, message))
    }

    /// Makes a call, and makes it again where that is safe: after a look that failed, and after a refusal for too many
    /// calls.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Answer, Fault> {
        let mut attempt = 1;
        let mut recording = None;
        loop {
            let (fault, asked) = match self.once(call, &mut recording).await {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            let pause = pause(call.method, &fault, attempt, asked);
            let waited = pause.and_then(|pause| self.waited.get().with(Instant::now(), pause));
            let (Some(pause), Some(waited)) = (pause, waited) else {
                return Err(fault);
            };
            tracing::info!(operation = call.operation, %fault, pause_ms = pause.as_millis(), "waiting for GitHub");
            if fault.kind == FaultKind::Throttled {
                (self.tell)(&format!("waiting {} s: {fault}", pause.as_secs()));
            }
            self.waited.set(waited);
            let wait = self.access.timeline.wait(&fault.message, &call.target);
            pause_for(pause).await;
            drop(wait);
            attempt += 1;
        }
    }

    async fn once(
        &self,
        call: &Call<'_>,
        recording: &mut Option<Recording>,
    ) -> Result<Answer, (Fault, Option<Duration>)> {
        let wire = self.wire(call).map_err(|fault| (fault, None))?;
        match recording {
            Some(recording) => recording.again(),
            None => {
                let name = call.operation.split_once(':').unwrap_or(("github", call.operation));
                *recording = Some(self.access.timeline.call(name, || call.target.clone()));
            }
        }
        let sent = wire.send(call.method, &call.url, call.body).await;
        if let (Some(recording), Ok(answer)) = (recording, &sent) {
            recording.answered(answer.status);
        }
        match sent {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => Err((
                fault::of_answer(call.operation, &call.target, &answer),
                fault::asked_pause(&answer),
            )),
            Err(broken) => Err((fault::of_broken(call.operation, &call.target, broken), None)),
        }
    }

    fn wire(&self, call: &Call<'_>) -> Result<&Wire, Fault> {
        let refused = |kind, why| Fault::refused(call.operation, &call.target, kind, why);
        if let Some(wire) = self.wire.get() {
            return Ok(wire);
        }
        let Some(token) = &self.access.token else {
            let why = "no token was given by the input `github-token`".to_owned();
            return Err(refused(FaultKind::Credentials, why));
        };
        let wire = Wire::new(&self.access.rest, token).map_err(|why| refused(FaultKind::Other, why))?;
        Ok(self.wire.get_or_init(|| wire))
    }
}

/// How long to wait before a failed call is made again; `None` where it must not be.
fn pause(method: Method, fault: &Fault, attempt: u32, asked: Option<Duration>) -> Option<Duration> {
    if attempt >= ATTEMPTS {
        return None;
    }
    let soon = PAUSE * 2u32.pow(attempt - 1);
    match (fault.kind, fault.certainty, method) {
        // Where GitHub does not say how long, it means a minute at least: that is all the patience there is.
        (FaultKind::Throttled, ..) => asked,
        (FaultKind::Unreachable, Certainty::DidNotHappen, _) | (_, Certainty::MayHaveHappened, Method::Get) => {
            Some(soon)
        }
        (_, Certainty::DidNotHappen | Certainty::MayHaveHappened, _) => None,
    }
}

/// Reads an answer. One that cannot be read may have had its effect all the same.
pub(super) fn read<T: DeserializeOwned>(call: &Call<'_>, answer: &Answer) -> Result<T, Fault> {
    serde_json::from_str(&answer.body).map_err(|error| Fault {
        certainty: Certainty::MayHaveHappened,
        ..Fault::refused(
            call.operation,
            &call.target,
            FaultKind::Other,
            format!("the answer is not as GitHub documents it: {error}"),
        )
    })
}

/// A name as a part of a path or of a query.
pub(super) fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the loop in `call` ends with the run's patience for GitHub"
)]
async fn pause_for(pause: Duration) {
    tokio::time::sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, certainty: Certainty) -> Fault {
        Fault {
            certainty,
            ..Fault::refused("github:Call", "octo/app", kind, String::new())
        }
    }

    fn api(rest: &str) -> Api {
        let access = Access {
            rest: rest.to_owned(),
            graphql: "https://ghe.example.com/api/graphql".to_owned(),
            repository: "octo/app".to_owned(),
            token: None,
            author: None,
            timeline: Timeline::default(),
        };
        Api::new(access, std::rc::Rc::new(|_| {}))
    }

    #[test]
    fn what_may_have_happened_is_made_again_only_where_it_was_a_look() {
        let lost = fault(FaultKind::Timeout, Certainty::MayHaveHappened);
        assert_eq!(pause(Method::Get, &lost, 1, None), Some(PAUSE));
        assert_eq!(pause(Method::Get, &lost, 2, None), Some(PAUSE * 2));
        assert_eq!(pause(Method::Get, &lost, ATTEMPTS, None), None);
        for method in [Method::Post, Method::Patch, Method::Delete] {
            assert_eq!(pause(method, &lost, 1, None), None);
        }
    }

    #[test]
    fn a_refusal_for_too_many_calls_is_waited_for_as_long_as_github_says() {
        let limited = fault(FaultKind::Throttled, Certainty::DidNotHappen);
        let asked = Some(Duration::from_secs(7));
        assert_eq!(pause(Method::Post, &limited, 1, asked), asked);
        assert_eq!(pause(Method::Post, &limited, 1, None), None);
    }

    #[test]
    fn a_run_waits_for_a_minute_however_many_calls_wait_side_by_side() {
        let began = Instant::now();
        let second = |number| began + Duration::from_secs(number);
        let long = Duration::from_secs(40);
        let mut waited = Waited::default();
        for _ in 0..8 {
            waited = waited.with(began, long).unwrap();
        }
        assert_eq!(waited.whole, long);
        let waited = waited.with(second(30), Duration::from_secs(30)).unwrap();
        assert_eq!(waited.whole, PATIENCE);
        assert!(waited.with(second(70), Duration::from_secs(1)).is_none());
    }

    #[test]
    fn a_refusal_is_final() {
        for kind in [FaultKind::Denied, FaultKind::Absent, FaultKind::Invalid] {
            assert_eq!(pause(Method::Get, &fault(kind, Certainty::DidNotHappen), 1, None), None);
        }
        let nobody = fault(FaultKind::Unreachable, Certainty::DidNotHappen);
        assert_eq!(pause(Method::Post, &nobody, 1, None), Some(PAUSE));
    }

    #[test]
    fn the_path_of_an_enterprise_server_is_kept() {
        let url = "https://ghe.example.com/api/v3/repos/octo/app/pulls/7";
        assert_eq!(api("https://ghe.example.com/api/v3").url("/pulls/7"), url);
        assert_eq!(api("https://ghe.example.com/api/v3/").url("/pulls/7"), url);
    }

    #[tokio::test]
    async fn without_a_token_the_input_is_named() {
        let fault = api("http://127.0.0.1:1").pull_request(1).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Credentials);
        assert!(fault.message.contains("`github-token`"), "{fault}");
    }

    #[test]
    fn a_branch_with_a_slash_is_one_name() {
        assert_eq!(encoded("feature/ü?"), "feature%2F%C3%BC%3F");
    }
}
