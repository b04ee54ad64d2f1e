//! What a preview leaves to the stage it would take it from: event sources and domains that stages share.
//!
//! A message of a queue comes to one reader alone, and a schedule that ticks in two stages does its work twice.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::App;
use super::event_policy;
use super::events::{Domain, Event, EventSource, Stream};

/// What can be withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Schedules.
    Schedule,
    /// Patterns of EventBridge.
    Pattern,
    /// Changes of buckets.
    Bucket,
    /// Messages of topics.
    Topic,
    /// Messages of queues.
    Queue,
    /// Records of streams.
    Stream,
    /// Domains of the user's own.
    Domain,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Schedule,
        Self::Pattern,
        Self::Bucket,
        Self::Topic,
        Self::Queue,
        Self::Stream,
        Self::Domain,
    ];

    /// What an event source is.
    pub fn of(source: &EventSource) -> Self {
        match source {
            EventSource::Schedule { .. } => Self::Schedule,
            EventSource::Pattern { .. } => Self::Pattern,
            EventSource::Bucket { .. } => Self::Bucket,
            EventSource::Topic { .. } => Self::Topic,
            EventSource::Queue { .. } => Self::Queue,
            EventSource::Stream { .. } => Self::Stream,
        }
    }

    /// Its name in `stagewright.yaml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Pattern => "pattern",
            Self::Bucket => "bucket",
            Self::Topic => "topic",
            Self::Queue => "queue",
            Self::Stream => "stream",
            Self::Domain => "domain",
        }
    }
}

/// What previews have although other stages may have it, too. The default: nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Everything.
    All,
    /// Some of it.
    Some {
        /// Everything of these kinds.
        kinds: BTreeSet<Kind>,
        /// Every event source of these functions, by their logical names.
        functions: BTreeSet<String>,
    },
}

impl Default for Allowed {
    fn default() -> Self {
        Self::Some {
            kinds: BTreeSet::new(),
            functions: BTreeSet::new(),
        }
    }
}

impl Allowed {
    /// Reads names: `all`, kinds, and whatever else is a function's name.
    pub fn of(names: &[&str]) -> Self {
        let (mut kinds, mut functions) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            match Kind::ALL.into_iter().find(|kind| kind.as_str() == *name) {
                Some(kind) => drop(kinds.insert(kind)),
                None if *name == "all" => return Self::All,
                None => drop(functions.insert((*name).to_owned())),
            }
        }
        Self::Some { kinds, functions }
    }

    fn has_kind(&self, kind: Kind) -> bool {
        match self {
            Self::All => true,
            Self::Some { kinds, .. } => kinds.contains(&kind),
        }
    }

    fn has(&self, event: &Event) -> bool {
        match self {
            Self::All => true,
            Self::Some { functions, .. } => {
                self.has_kind(Kind::of(&event.source)) || functions.contains(&event.function)
            }
        }
    }
}

/// Something that a preview does without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Logical name of the function that is not called by it; a domain is of no function.
    pub function: Option<String>,
    /// What it is: `queue `jobs``.
    pub what: String,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => write!(f, "`{function}` from {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Takes from an app of a preview everything that is not allowed, and says what that was.
///
/// Roles lose what they needed for it alone: code of a pull request could read a queue on its own.
pub fn withheld(app: &mut App, allowed: &Allowed) -> Vec<Withheld> {
    let events = std::mem::take(&mut app.events);
    let (kept, left): (Vec<Event>, Vec<Event>) = events.into_iter().partition(|event| allowed.has(event));
    let of_one = needless((&left, &kept), event_policy::statements);
    let of_all = needless((&left, &kept), |source| {
        event_policy::access(source)
            .map(event_policy::of_all)
            .into_iter()
            .collect()
    });
    for role in &mut app.roles {
        of_one.iter().for_each(|statement| without(&mut role.policy, statement));
        // Chalice writes these for the role that functions share; in another role they are the user's own.
        if role.suffix.is_empty() {
            of_all.iter().for_each(|statement| without(&mut role.policy, statement));
        }
    }
    app.events = kept;
    let mut withheld: Vec<_> = left
        .iter()
        .map(|event| Withheld {
            function: Some(event.function.clone()),
            what: described(&event.source),
        })
        .collect();
    if !allowed.has_kind(Kind::Domain) {
        let of_domain = |domain: Domain| Withheld {
            function: None,
            what: format!("domain `{}`", domain.name),
        };
        withheld.extend(domains(app).into_iter().filter_map(Option::take).map(of_domain));
    }
    withheld
}

/// The statements, each once, that events need which are left, and none that is kept.
fn needless((left, kept): (&[Event], &[Event]), of: impl Fn(&EventSource) -> Vec<Value>) -> Vec<Value> {
    let all = |events: &[Event]| -> Vec<Value> { events.iter().flat_map(|event| of(&event.source)).collect() };
    let needed = all(kept);
    let mut needless: Vec<Value> = Vec::new();
    for statement in all(left) {
        if !needed.contains(&statement) && !needless.contains(&statement) {
            needless.push(statement);
        }
    }
    needless
}

/// Where the domains of an app's APIs stand.
fn domains(app: &mut App) -> Vec<&mut Option<Domain>> {
    let rest = app.api.as_mut().map(|api| &mut api.domain);
    let http = app.http_api.as_mut().map(|api| &mut api.domain);
    let websocket = app.websocket.as_mut().map(|api| &mut api.domain);
    rest.into_iter().chain(http).chain(websocket).collect()
}

/// Statements of events stand behind those of the user, who may have written the same one.
fn without(policy: &mut Value, statement: &Value) {
    let statements = policy.get_mut("Statement").and_then(Value::as_array_mut);
    if let Some(statements) = statements
        && let Some(at) = statements.iter().rposition(|known| known == statement)
    {
        statements.remove(at);
    }
}

fn described(source: &EventSource) -> String {
    match source {
        EventSource::Schedule { expression, .. } => format!("schedule `{expression}`"),
        EventSource::Pattern { .. } => "events that fit a pattern".to_owned(),
        EventSource::Bucket { bucket, .. } => format!("bucket `{bucket}`"),
        EventSource::Topic { topic } => format!("topic `{}`", name_of(topic)),
        EventSource::Queue { queue, .. } => format!("queue `{}`", name_of(queue)),
        EventSource::Stream {
            stream: Stream::Kinesis(stream),
            ..
        } => format!("stream `{}`", name_of(stream)),
        EventSource::Stream {
            stream: Stream::DynamoDb(arn),
            ..
        } => {
            let table = arn.split('/').nth(1).unwrap_or(arn);
            format!("the stream of table `{table}`")
        }
    }
}

/// The name at the end of an ARN; a name as it is.
fn name_of(text: &str) -> &str {
    text.rsplit([':', '/']).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::Role;
    use crate::app::events::{Batch, Websocket};

    const BATCH: Batch = Batch { size: 10, window_s: 0 };

    fn event(function: &str, source: EventSource) -> Event {
        Event {
            name: format!("{function}-{}", Kind::of(&source).as_str()),
            function: function.to_owned(),
            source,
        }
    }

    fn queue(name: &str) -> EventSource {
        EventSource::Queue {
            queue: name.to_owned(),
            batch: BATCH,
            maximum_concurrency: None,
        }
    }

    fn schedule() -> EventSource {
        EventSource::Schedule {
            expression: "rate(1 hour)".to_owned(),
            description: None,
        }
    }

    fn shop() -> App {
        let arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders/stream/2027";
        let stream = Stream::DynamoDb(arn.to_owned());
        let source = EventSource::Stream {
            stream,
            batch: BATCH,
            starting_position: "LATEST".to_owned(),
        };
        let domain = Domain {
            name: "live.example.com".to_owned(),
            certificate_arn: String::new(),
            tls_version: "TLS_1_2".to_owned(),
            path: None,
            tags: std::collections::BTreeMap::new(),
        };
        App {
            events: vec![
                event("worker", queue("arn:aws:sqs:eu-west-1:111111111111:jobs")),
                event("worker", source),
                event("ticker", schedule()),
            ],
            websocket: Some(Websocket {
                stage_name: "api".to_owned(),
                routes: vec![("$default".to_owned(), "chat".to_owned())],
                domain: Some(domain),
            }),
            ..App::new("shop".parse().unwrap())
        }
    }

    fn words(withheld: &[Withheld]) -> Vec<String> {
        withheld.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_preview_has_nothing_that_stages_share_and_says_what_it_lacks() {
        let mut app = shop();
        let withheld = withheld(&mut app, &Allowed::default());
        assert_eq!(
            words(&withheld),
            [
                "`worker` from queue `jobs`",
                "`worker` from the stream of table `orders`",
                "`ticker` from schedule `rate(1 hour)`",
                "domain `live.example.com`",
            ]
        );
        assert!(app.events.is_empty());
        let websocket = app.websocket.unwrap();
        assert_eq!((websocket.routes.len(), websocket.domain), (1, None));
    }

    #[test]
    fn what_is_asked_for_by_kind_or_by_function_is_there() {
        let left = |names: &[&str]| words(&withheld(&mut shop(), &Allowed::of(names)));
        assert_eq!(left(&["all"]), [""; 0]);
        assert_eq!(left(&["worker", "domain"]), ["`ticker` from schedule `rate(1 hour)`"]);
        assert_eq!(left(&["schedule", "queue", "stream"]), ["domain `live.example.com`"]);
    }

    #[test]
    fn a_role_loses_the_right_to_read_a_queue_that_is_withheld_unless_another_function_has_it() {
        let own = json!({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]});
        let jobs = event_policy::statements(&queue("jobs"));
        let app = |events| App {
            roles: vec![Role {
                name: "default-role".to_owned(),
                suffix: String::new(),
                policy: json!({"Statement": [own, jobs[0]]}),
            }],
            events,
            ..App::new("shop".parse().unwrap())
        };
        let mut alone = app(vec![event("worker", queue("jobs"))]);
        withheld(&mut alone, &Allowed::default());
        assert_eq!(alone.roles[0].policy["Statement"], json!([own]));

        let mut shared = app(vec![event("worker", queue("jobs")), event("reader", queue("jobs"))]);
        withheld(&mut shared, &Allowed::of(&["reader"]));
        assert_eq!(shared.roles[0].policy["Statement"], json!([own, jobs[0]]));
    }
}
