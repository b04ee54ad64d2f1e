//! A run that is killed, or meets an error, at any of its calls: whatever is run next ends where it would have ended anyhow.
//!
//! The calls are those of an undisturbed run, so a call that the program learns to make is met without a word here. Every
//! case has an AWS account of its own in one emulator, since to see that a holder is dead takes a whole lease of 30 s.
//! `KILL_SWEEP=all` tries every case, and `KILL_SWEEP=NUMBER` another sample than the usual one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

use crate::world::{Account, Call, Run, Started, World};

/// How many cases compute at a time; any number of them waits.
static GATE: Gate = Gate {
    free: Mutex::new(6),
    changed: Condvar::new(),
};

#[test]
fn a_run_that_is_killed_at_any_call_is_finished_by_running_it_again() {
    Sweep::begin().meet(|scene| {
        let killed = |side| vec![(Mishap::Killed(side), scene.wish())];
        Side::BOTH.map(killed).to_vec()
    });
}

#[test]
fn a_run_that_is_killed_at_any_call_is_put_right_by_whatever_is_run_next() {
    Sweep::begin().meet(|scene| {
        let others = Side::BOTH.into_iter().flat_map(|side| {
            let then = scene.other_wishes().into_iter();
            then.map(move |wish| (Mishap::Killed(side), wish))
        });
        vec![others.collect()]
    });
}

#[test]
fn whatever_one_call_answers_the_next_run_ends_where_an_undisturbed_one_ends() {
    Sweep::begin().meet(|scene| {
        let of = |side, answers: &[Answer]| {
            let answered = answers.iter().map(|answer| Mishap::Answered(side, *answer));
            answered.map(|mishap| (mishap, scene.wish())).collect()
        };
        let refused = [Answer::Broken, Answer::Closed, Answer::Conflict, Answer::Throttled];
        vec![
            of(Side::Before, &refused),
            of(Side::After, &[Answer::Broken, Answer::Closed]),
        ]
    });
}

/// What the app is in one version: its functions, each behind a route of its own, and what the one at `/` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    First,
    Second,
    OtherCode,
    FewerRoutes,
}

impl Version {
    const ALL: [Self; 4] = [Self::First, Self::Second, Self::OtherCode, Self::FewerRoutes];

    fn folder(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::OtherCode => "other-code",
            Self::FewerRoutes => "fewer-routes",
        }
    }

    /// The functions beside the one at `/`.
    fn others(self) -> &'static [&'static str] {
        match self {
            Self::First | Self::OtherCode => &["mail", "shop", "old"],
            Self::Second => &["mail", "shop", "new"],
            Self::FewerRoutes => &["mail", "shop"],
        }
    }

    fn write(self, world: &World) {
        let at = |path: &str| format!("{}/{path}", self.folder());
        let names = || std::iter::once("api").chain(self.others().iter().copied());
        let function = |name: &str| {
            let code = if name == "api" { "api" } else { "rest" };
            format!("  {name}: {{ runtime: python3.11, handler: handler.answer, code: {code} }}\n")
        };
        let route = |name: &str| format!("  GET /{}: {name}\n", if name == "api" { "" } else { name });
        let functions: String = names().map(function).collect();
        let routes: String = names().map(route).collect();
        world.write(
            &at("stagewright.yaml"),
            &format!("app: sweep\nfunctions:\n{functions}routes:\n{routes}"),
        );
        let says = |text: &str| {
            format!("def answer(event, context):\n    return {{\"statusCode\": 200, \"body\": \"{text}\"}}\n")
        };
        world.write(&at("api/handler.py"), &says(self.folder()));
        world.write(&at("rest/handler.py"), &says("the rest"));
    }
}

/// What a run is to do to the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    Deploy(Version),
    Destroy,
}

impl Wish {
    fn command(self, account: &Account<'_>) -> Command {
        let (folder, arguments): (_, &[&str]) = match self {
            Self::Deploy(version) => (version.folder(), &["deploy", "--stage", "dev"]),
            Self::Destroy => (Version::First.folder(), &["destroy", "--stage", "dev", "--yes"]),
        };
        let mut command = account.program(folder);
        command.args(arguments);
        command
    }

    fn run(self, account: &Account<'_>) -> Run {
        Run::from(self.command(account).output().expect("the program runs"))
    }
}

/// What happens to a stage that something befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scene {
    FirstDeploy,
    Update,
    Destroy,
}

impl Scene {
    const ALL: [Self; 3] = [Self::FirstDeploy, Self::Update, Self::Destroy];

    fn before(self) -> Option<Wish> {
        match self {
            Self::FirstDeploy => None,
            Self::Update | Self::Destroy => Some(Wish::Deploy(Version::First)),
        }
    }

    fn wish(self) -> Wish {
        match self {
            Self::FirstDeploy => Wish::Deploy(Version::First),
            Self::Update => Wish::Deploy(Version::Second),
            Self::Destroy => Wish::Destroy,
        }
    }

    fn other_wishes(self) -> [Wish; 3] {
        let last = match self {
            Self::FirstDeploy | Self::Update => Wish::Destroy,
            Self::Destroy => Wish::Deploy(Version::First),
        };
        [
            Wish::Deploy(Version::OtherCode),
            Wish::Deploy(Version::FewerRoutes),
            last,
        ]
    }
}

/// Whether a call is met before AWS sees it, or when AWS has done what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Before,
    After,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Before, Self::After];

    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What a call is answered in the place of AWS's own answer.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Broken,
    Closed,
    Conflict,
    Throttled,
}

impl Answer {
    /// As the services word it.
    fn of(self, service: &str) -> Value {
        let (status, code) = match (self, service) {
            (Self::Closed, _) => return json!("close"),
            (Self::Broken, _) => (500, "InternalError"),
            (Self::Conflict, "s3") => (409, "ConditionalRequestConflict"),
            (Self::Conflict, "iam") => (409, "ConcurrentModification"),
            (Self::Conflict, "lambda") => (409, "ResourceConflictException"),
            (Self::Conflict, _) => (409, "ConflictException"),
            (Self::Throttled, "s3") => (503, "SlowDown"),
            (Self::Throttled, "iam") => (400, "Throttling"),
            (Self::Throttled, _) => (429, "TooManyRequestsException"),
        };
        json!({"status": status, "code": code, "message": "on order"})
    }
}

/// What befalls a run at a call.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    Killed(Side),
    Answered(Side, Answer),
}

/// A call of an undisturbed run.
#[derive(Debug, Clone)]
struct Struck {
    scene: Scene,
    service: String,
    operation: String,
    /// Its target with `KEY` for the account's own key; empty where the target is known only once it is there.
    target: String,
    /// How many such calls go before it.
    nth: usize,
}

impl Struck {
    fn fault(&self, account: &Account<'_>, side: Side, answer: &Value) -> Value {
        let target = self.target.replace("KEY", &account.key);
        let which = json!({"operation": self.operation, "target": target, "skip": self.nth});
        let mut fault = json!({"when": side.word(), "answer": answer});
        let both = fault.as_object_mut().zip(which.as_object());
        both.map(|(fault, which)| fault.extend(which.clone())).expect("objects");
        json!([fault])
    }
}

/// One call that is met by one mishap, and what is run then.
#[derive(Debug)]
struct Case {
    number: usize,
    struck: Struck,
    mishap: Mishap,
    then: Wish,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Struck {
            scene,
            operation,
            target,
            nth,
            ..
        } = &self.struck;
        let Self { mishap, then, .. } = self;
        write!(
            f,
            "{scene:?}, {mishap:?} at {operation} {target} ({} of its kind), then {then:?}",
            nth + 1
        )
    }
}

impl Case {
    /// Lets it happen, and begins what is run then. Where that waits for the dead to be dead, it is stopped meanwhile: its
    /// clock goes on, and leaves the machine to the others.
    fn happen(&self, account: &Account<'_>) -> Result<Next, String> {
        self.struck.scene.before().map(|wish| wish.run(account).succeeded());
        self.befall(account)?;
        let mut next = Started::new(&mut self.then.command(account));
        if next.says("waiting: ") {
            next.signal("STOP");
            return Ok(Next::Waits(next));
        }
        Ok(Next::Ended(next.ended()))
    }

    /// Ends what is run then, and says what is wrong with what it said.
    fn go_on(&self, account: &Account<'_>, next: Next) -> Result<(), String> {
        let next = match next {
            Next::Ended(run) => run,
            Next::Waits(started) => {
                started.signal("CONT");
                started.ended()
            }
        };
        if next.code != 0 {
            let Run { code, stdout, stderr } = next;
            return Err(format!("the next run ended with {code}:\n{stdout}{stderr}"));
        }
        let Wish::Deploy(version) = self.then else {
            return Ok(());
        };
        let plan = account
            .program(version.folder())
            .args(["plan", "--stage", "dev"])
            .output();
        let Run { stdout, stderr, .. } = Run::from(plan.expect("the program runs"));
        match stdout.contains("Nothing to change") {
            true => Ok(()),
            false => Err(format!("there is something to change:\n{stdout}{stderr}")),
        }
    }

    fn befall(&self, account: &Account<'_>) -> Result<(), String> {
        match self.mishap {
            Mishap::Killed(side) => {
                account.order_faults(&self.struck.fault(account, side, &json!("hold")));
                let mut killed = self.struck.scene.wish().command(account);
                let killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
                let mut killed = killed.expect("it starts");
                account.await_held();
                killed.kill().expect("it can be killed");
                killed.wait().expect("it is gone");
            }
            Mishap::Answered(side, answer) => {
                let answer = answer.of(&self.struck.service);
                account.order_faults(&self.struck.fault(account, side, &answer));
                let met = self.struck.scene.wish().run(account);
                if !matches!(met.code, 0 | 1) {
                    return Err(format!("it ended with {}:\n{}{}", met.code, met.stdout, met.stderr));
                }
            }
        }
        account.order_faults(&json!([]));
        account.drop_held();
        Ok(())
    }
}

/// What is run after the mishap.
enum Next {
    Ended(Run),
    Waits(Started),
}

/// Where a run ends: what stands in AWS and what is recorded of it, without what differs between two accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    aws: Value,
    record: Value,
    /// The API's id.
    api: String,
}

impl End {
    fn of(account: &Account<'_>, aws: &Value) -> Self {
        let mut aws = aws[&account.key].clone();
        let api = aws["apis"][0]["id"].as_str().unwrap_or("none").to_owned();
        let plain = |value: &Value| -> Value {
            let text = value.to_string().replace(&account.key, "KEY").replace(&api, "API");
            serde_json::from_str(&text).expect("it is JSON still")
        };
        for deployed in aws["apis"].as_array_mut().into_iter().flatten() {
            // A deployment whose answer was lost is made once more, and API Gateway serves the later one.
            deployed["deployments"].take();
        }
        let record = recorded(&account.state("sweep", "dev"));
        Self {
            aws: plain(&aws),
            record: plain(&record),
            api,
        }
    }

    /// Forgets the bucket's objects: zips that only a killed run needed are for the sweep.
    fn without_objects(mut self) -> Self {
        self.aws["objects"].take();
        self
    }

    /// The lines by which it differs from where it should have ended; empty where it does not.
    fn difference(&self, wanted: &Self) -> String {
        let text = |end: &Self| format!("{:#}\n{:#}", end.aws, end.record);
        let (found, wanted) = (text(self), text(wanted));
        let lines = |text: &'_ str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let only = |these: &str, those: &str, sign: &str| {
            let those = lines(those);
            let own = these.lines().filter(|line| !those.contains(*line));
            own.map(|line| format!("{sign} {line}\n")).collect::<String>()
        };
        let told = only(&wanted, &found, "-") + &only(&found, &wanted, "+");
        match found == wanted {
            true => String::new(),
            false if told.is_empty() => format!("some lines are there more or less often:\n{found}"),
            false => told,
        }
    }
}

/// What a state says that is not of its account or of the moment.
fn recorded(state: &Value) -> Value {
    if state.is_null() {
        // What was never begun is gone as well as what was removed.
        return json!({"resources": [], "lease": null, "in_doubt": {}, "deployed": {}, "outcome": "removed"});
    }
    let ours = &state["stagewright"];
    let deployed = ours["deployed"].as_object().into_iter().flatten();
    let set_up = deployed.map(|(address, entry)| {
        let mut resource = entry["resource"].clone();
        if resource["kind"] == "deployment" {
            // The digest of a document that names the account.
            resource["document"].take();
        }
        (address, resource)
    });
    let set_up: BTreeMap<_, _> = set_up.collect();
    json!({
        "resources": state["resources"],
        "lease": ours["lease"],
        "in_doubt": ours["in_doubt"],
        "deployed": set_up,
        "outcome": ours["last"]["outcome"],
    })
}

/// A world with the app in every version, and where undisturbed runs end.
struct Sweep {
    world: World,
    calls: Vec<Struck>,
    ends: BTreeMap<Wish, End>,
}

impl Sweep {
    /// Lets every run happen undisturbed.
    fn begin() -> Self {
        let world = World::new();
        Version::ALL.into_iter().for_each(|version| version.write(&world));
        let of_scenes = Scene::ALL.map(|scene| (Some(scene), scene.wish()));
        let afresh = [Version::OtherCode, Version::FewerRoutes].map(|version| (None, Wish::Deploy(version)));
        let undisturbed = of_scenes.into_iter().chain(afresh).enumerate().collect();
        let ended = at_once(undisturbed, |(index, (scene, wish))| {
            let account = world.account(index + 1);
            let before = scene.and_then(Scene::before);
            before.map(|wish| wish.run(&account).succeeded());
            account.forget_calls();
            wish.run(&account).succeeded();
            let calls = scene.map_or_else(Vec::new, |scene| struck(scene, &account));
            Ok((wish, account, calls))
        });
        let mut calls = Vec::new();
        let mut accounts = BTreeMap::new();
        for (wish, account, its) in ended.into_iter().map(|ended| ended.expect("nothing disturbs it")) {
            accounts.insert(wish, account);
            calls.extend(its);
        }
        let keys: Vec<String> = accounts.values().map(|account| account.key.clone()).collect();
        let aws = world.aws_of(&keys);
        let ends = accounts
            .iter()
            .map(|(wish, account)| (*wish, End::of(account, &aws)))
            .collect();
        Self { ends, calls, world }
    }

    /// Lets every call meet one of each group of mishaps that are thought of for it, and insists on how it ends.
    fn meet(&self, mishaps: impl Fn(Scene) -> Vec<Vec<(Mishap, Wish)>>) {
        let chosen = self.calls.iter().flat_map(|struck| {
            let tried = mishaps(struck.scene)
                .into_iter()
                .flat_map(|group| sampled(struck, group));
            tried.map(|(mishap, then)| (struck.clone(), mishap, then))
        });
        let numbered = chosen.enumerate().map(|(index, (struck, mishap, then))| Case {
            number: index + 101,
            struck,
            mishap,
            then,
        });
        let cases: Vec<Case> = numbered.collect();
        assert!(!cases.is_empty(), "an undisturbed run makes no calls");
        let accounts: Vec<Account<'_>> = cases.iter().map(|case| self.world.account(case.number)).collect();
        let both = || cases.iter().zip(&accounts);
        let happened = at_once(both().collect(), |(case, account)| case.happen(account));
        let ended = at_once(both().zip(happened).collect(), |((case, account), next)| {
            case.go_on(account, next?)
        });
        let keys: Vec<String> = accounts.iter().map(|account| account.key.clone()).collect();
        let aws = self.world.aws_of(&keys);
        let judged = at_once(both().zip(ended).collect(), |((case, account), ended)| {
            ended.and_then(|()| self.judge(case, account, &aws))
        });
        let failed = cases.iter().zip(judged).filter_map(|(case, judged)| {
            let wrong = judged.err()?;
            Some(format!("=== {case}:\n{wrong}\n"))
        });
        let failed: Vec<String> = failed.collect();
        assert!(
            failed.is_empty(),
            "{} of {} cases:\n{}",
            failed.len(),
            cases.len(),
            failed.concat()
        );
    }

    fn judge(&self, case: &Case, account: &Account<'_>, aws: &Value) -> Result<(), String> {
        let (mut found, mut wanted) = (End::of(account, aws), self.ends[&case.then].clone());
        if case.then != case.struck.scene.wish() {
            (found, wanted) = (found.without_objects(), wanted.without_objects());
        }
        let difference = found.difference(&wanted);
        if !difference.is_empty() {
            return Err(format!("it ends elsewhere (- wanted, + found):\n{difference}"));
        }
        match case.then {
            Wish::Deploy(version) => {
                let answered = answers(account, &self.world.url_of(&found.api, "api"), version);
                // A function that was called keeps a process until it is removed.
                for name in ["api", "new"] {
                    let function = format!("/2015-03-31/functions/sweep-dev-{name}");
                    account.ask("DELETE", "lambda", &self.world.endpoint(&function));
                }
                answered
            }
            Wish::Destroy => Ok(()),
        }
    }
}

/// The calls of an account's last run that may have changed anything.
fn struck(scene: Scene, account: &Account<'_>) -> Vec<Struck> {
    let mut before: BTreeMap<(String, String), usize> = BTreeMap::new();
    let of_call = |call: Call| {
        let is_named = call.service != "apigateway";
        let target = if is_named {
            call.target.replace(&account.key, "KEY")
        } else {
            String::new()
        };
        let count = before.entry((call.operation.clone(), target.clone())).or_default();
        let nth = *count;
        *count += 1;
        Struck {
            scene,
            service: call.service,
            operation: call.operation,
            target,
            nth,
        }
    };
    let mutating = account.calls().into_iter().filter(|call| call.mutates);
    // A slow run renews its lease: what is behind the first write of the state is its second, whatever it is for.
    mutating
        .map(of_call)
        .filter(|struck| struck.service != "s3" || struck.nth < 2)
        .collect()
}

/// What is tried of a group of mishaps at one call: one of them, or all.
fn sampled<T>(struck: &Struck, mut group: Vec<T>) -> Vec<T> {
    let asked = std::env::var("KILL_SWEEP").unwrap_or_default();
    if asked == "all" {
        return group;
    }
    let mut hasher = DefaultHasher::new();
    (&asked, &struck.operation, &struck.target, struck.nth, group.len()).hash(&mut hasher);
    let chosen = usize::try_from(hasher.finish() % 1_000_000).unwrap_or_default() % group.len();
    vec![group.swap_remove(chosen)]
}

/// Asks the API as its users do, where versions differ.
fn answers(account: &Account<'_>, url: &str, version: Version) -> Result<(), String> {
    let ask = |path: &str| account.ask("GET", "execute-api", &format!("{url}{path}"));
    let body = ask("").text();
    if body != version.folder() {
        return Err(format!("{url} answers {body:?}"));
    }
    if version == Version::Second && ask("new").text() != "the rest" {
        return Err(format!("{url}new does not answer"));
    }
    for gone in ["new", "old"] {
        if !version.others().contains(&gone) && ask(gone).status == 200 {
            return Err(format!("{url}{gone} answers still"));
        }
    }
    Ok(())
}

/// Does a piece of work for each, as many at a time as the gate lets pass.
fn at_once<T: Send, R: Send>(each: Vec<T>, work: impl Fn(T) -> Result<R, String> + Sync) -> Vec<Result<R, String>> {
    let passing = |one| GATE.pass(|| work(one));
    thread::scope(|scope| {
        let begun = each.into_iter().map(|one| scope.spawn(move || passing(one)));
        let begun: Vec<_> = begun.collect();
        let ended = begun.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|ended| ended.unwrap_or_else(|_| Err("it panicked".to_owned())))
            .collect()
    })
}

/// Lets so many pass at a time.
struct Gate {
    free: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        let _passed = Passed(self);
        work()
    }
}

struct Passed<'a>(&'a Gate);

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_one();
    }
}
