//! Everything that can go wrong with one call or two, and then a plain run again: it ends where an undisturbed run ends.

use serde_json::json;

use self::sky::{Sky, Strike, place};
use super::*;
use crate::app::{Architecture, Settings, Tracing};
use crate::plan::{Desired, diff};
use crate::resource::Resource;
use crate::resource::deployment::Deployment;
use crate::resource::function::{Function, RoleReference};
use crate::resource::permission::{Caller, Permission};
use crate::resource::rest_api::RestApi;
use crate::resource::role::{self, Role};
use crate::state::lease::{self, Holder};
use crate::state::memory::Memory;
use crate::state::recover;
use crate::state::store::Store;

mod killed;
mod roles;
mod sky;

const STRIKES: [Strike; 3] = [Strike::Refused, Strike::LostRequest, Strike::LostAnswer];

fn function(name: &str, code: &str) -> (Address, Resource) {
    let settings = Settings {
        runtime: "python3.11".to_owned(),
        architecture: Architecture::X86_64,
        handler: "app.app".to_owned(),
        memory_mib: 128,
        timeout_s: 60,
        environment: BTreeMap::new(),
        layers: Vec::new(),
        vpc: None,
        tracing: Tracing::PassThrough,
    };
    let function = Function {
        name: name.to_owned(),
        code: code.to_owned(),
        role: RoleReference::Managed(Address::new("role", "default-role")),
        settings,
        reserved_concurrency: None,
        tags: BTreeMap::new(),
        image: None,
        managed_layer: None,
    };
    (Address::new("function", name), Resource::Function(function))
}

/// An app with a role, some functions, and an API that calls the first of them.
fn app(code: &str, functions: &[&str]) -> Desired {
    let role = Role {
        name: "shop".to_owned(),
        policy: json!({}),
        tags: BTreeMap::new(),
        sharing: role::Sharing::Own,
    };
    let rest_api = Address::new("rest_api", "rest_api");
    let api = RestApi {
        document: json!({"code": code}),
        endpoint_type: "EDGE".to_owned(),
        minimum_compression_size: None,
    };
    let permission = Permission {
        function: Address::new("function", functions[0]),
        function_name: functions[0].to_owned(),
        caller: Caller::RestApi(rest_api.clone()),
    };
    let deployment = Deployment {
        rest_api: rest_api.clone(),
        stage_name: "api".to_owned(),
        document: code.to_owned(),
        tracing: Tracing::PassThrough,
    };
    let mut resources = vec![(Address::new("role", "default-role"), Resource::Role(role))];
    resources.extend(functions.iter().map(|name| function(name, code)));
    resources.push((rest_api, Resource::RestApi(api)));
    resources.push((
        Address::new("permission", functions[0]),
        Resource::Permission(permission),
    ));
    resources.push((Address::new("deployment", "rest_api"), Resource::Deployment(deployment)));
    Desired { resources }
}

/// One whole run: take the lease, end doubt, plan, apply, give the lease back. An empty app is a destroyed one.
async fn deploy(store: &dyn Store, sky: &Rc<Sky>, desired: &Desired) -> Applied {
    deploy_until(store, sky, desired, Stop::new()).await
}

async fn deploy_until(store: &dyn Store, sky: &Rc<Sky>, desired: &Desired, stop: Stop) -> Applied {
    let (app, stage) = ("shop".parse().unwrap(), "dev".parse().unwrap());
    let seen = lease::read(store, Some(&app), &stage).await.unwrap();
    let mut seen = seen.unwrap_or_else(|| lease::Seen::new(app, stage));
    let mark = lease::new_mark();
    let since = Timestamp::new(jiff::Timestamp::UNIX_EPOCH);
    let holder = Holder {
        mark,
        name: "ann".to_owned(),
        purpose: "deploy",
        since,
        run: None,
    };
    let mut held = lease::take(store, &mut seen, &holder).await.unwrap().unwrap();
    let mut state = seen.state;
    let context = Context {
        hold: held.hold().clone(),
        place: place(),
        outputs: Arc::default(),
        code: Arc::default(),
        standing: Standing::default(),
    };
    recover::settle(&mut state, &mut held, sky.as_ref(), &context)
        .await
        .unwrap();
    let plan = diff::diff(desired, &state);
    state.in_doubt = plan.doubts();
    held.renew(&mut state).await.unwrap();
    let tools = Tools {
        cloud: sky.clone(),
        place: place(),
        code: BTreeMap::new(),
        stop,
        shared: alone(store),
    };
    let applied = run(&plan, &tools, &mut held, &mut state, &mut |_| {}).await;
    held.give_back(&mut state).await.unwrap();
    applied
}

fn alone(store: &dyn Store) -> Rc<Shared> {
    let holder = Holder {
        mark: "ann".to_owned(),
        name: "ann".to_owned(),
        purpose: "deploy",
        since: Timestamp::new(jiff::Timestamp::UNIX_EPOCH),
        run: None,
    };
    Rc::new(Shared::new(store.shared(), holder))
}

async fn state(store: &dyn Store) -> State {
    let (app, stage) = ("shop".parse().unwrap(), "dev".parse().unwrap());
    lease::read(store, Some(&app), &stage).await.unwrap().unwrap().state
}

fn in_world<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(tokio::task::LocalSet::new().run_until(test))
}

/// Deploys `before`, then `then` with calls struck, then plainly once more or twice; and compares with an undisturbed world.
async fn struck(before: &Desired, then: &Desired, strikes: &[(usize, Strike)]) {
    let (store, sky) = (Memory::default(), Rc::new(Sky::default()));
    deploy(&store, &sky, before).await;
    sky.calls.set(0);
    *sky.strikes.borrow_mut() = strikes.iter().copied().collect();
    // A strike may be left for the run after: then one more is needed, as a user would run it.
    for _ in 0..=strikes.len() {
        deploy(&store, &sky, then).await;
    }
    let stands: Vec<Resource> = sky.standing.borrow().values().cloned().collect();
    let (calm_store, calm) = (Memory::default(), Rc::new(Sky::default()));
    deploy(&calm_store, &calm, then).await;
    let should: Vec<Resource> = calm.standing.borrow().values().cloned().collect();
    assert_eq!(stands, should, "{strikes:?}");
    assert!(sky.made_apis.get() <= 1, "a second REST API: {strikes:?}");
    let (state, calm_state) = (state(&store).await, state(&calm_store).await);
    assert!(state.in_doubt.is_empty() && state.lease.is_none(), "{strikes:?}");
    assert_eq!(state.deployed, calm_state.deployed, "{strikes:?}");
    let again = deploy(&store, &sky, then).await;
    assert!(again.steps.is_empty(), "{strikes:?}: {:?}", again.steps);
}

#[test]
fn whatever_happens_to_one_or_two_calls_of_a_first_deploy_the_next_run_finishes_it() {
    let (nothing, hello) = (Desired { resources: Vec::new() }, app("one", &["api", "job"]));
    in_world(async {
        for first in 0..6 {
            for one in STRIKES {
                struck(&nothing, &hello, &[(first, one)]).await;
                for (second, two) in (first + 1..8).flat_map(|call| STRIKES.map(|strike| (call, strike))) {
                    struck(&nothing, &hello, &[(first, one), (second, two)]).await;
                }
            }
        }
    });
}

#[test]
fn whatever_happens_to_a_call_of_an_update_or_a_destroy_the_next_run_finishes_it() {
    let (nothing, one, two) = (
        Desired { resources: Vec::new() },
        app("one", &["api", "job"]),
        app("two", &["api", "other"]),
    );
    in_world(async {
        for call in 0..6 {
            for strike in STRIKES {
                struck(&one, &two, &[(call, strike)]).await;
                struck(&one, &nothing, &[(call, strike)]).await;
            }
        }
    });
}

#[test]
fn a_failed_step_keeps_its_dependents_from_beginning_and_lets_the_others_end() {
    in_world(async {
        let (store, sky) = (Memory::default(), Rc::new(Sky::default()));
        // The role and the API begin at once, the role first.
        sky.strikes.borrow_mut().insert(0, Strike::Refused);
        let applied = deploy(&store, &sky, &app("one", &["api"])).await;
        let outcome = |kind: &str| {
            let step = applied
                .steps
                .iter()
                .find(|step| step.address.as_str().starts_with(kind))
                .unwrap();
            step.outcome.clone()
        };
        assert!(matches!(outcome("role"), Outcome::Failed(_)));
        assert!(matches!(outcome("rest_api"), Outcome::Done));
        assert!(matches!(outcome("function"), Outcome::Skipped(_)));
        assert!(matches!(outcome("permission"), Outcome::Skipped(_)));
        assert!(matches!(outcome("deployment"), Outcome::Done));
        assert_eq!(sky.standing.borrow().len(), 2);
    });
}

#[test]
fn whoever_is_told_to_stop_begins_nothing_more_and_the_next_run_goes_on() {
    in_world(async {
        let (store, sky, hello) = (Memory::default(), Rc::new(Sky::default()), app("one", &["api", "job"]));
        let stop = Stop::new();
        stop.request();
        let applied = deploy_until(&store, &sky, &hello, stop).await;
        assert!(matches!(applied.cut_short, Some(CutShort::Stopped)));
        let begun = applied
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::Done))
            .count();
        assert_eq!(begun, 0);
        assert!(sky.standing.borrow().is_empty());
        let state = state(&store).await;
        assert!(state.lease.is_none() && state.in_doubt.is_empty());
        let rest = deploy(&store, &sky, &hello).await;
        assert_eq!(rest.steps.len(), hello.resources.len());
    });
}

#[test]
fn whoever_lost_the_stage_makes_no_further_call_and_writes_nothing() {
    in_world(async {
        let (store, sky) = (Memory::default(), Rc::new(Sky::default()));
        let (app_name, stage) = ("shop".parse().unwrap(), "dev".parse().unwrap());
        let mut seen = lease::Seen::new(app_name, stage);
        let since = Timestamp::new(jiff::Timestamp::UNIX_EPOCH);
        let holder = |name: &str| Holder {
            mark: lease::new_mark(),
            name: name.to_owned(),
            purpose: "deploy",
            since,
            run: None,
        };
        let mut ann = lease::take(&store, &mut seen, &holder("ann")).await.unwrap().unwrap();
        let mut state = seen.state.clone();
        drop(lease::take(&store, &mut seen, &holder("bob")).await.unwrap().unwrap());
        let stands = store.read(&state.stage).await.unwrap();
        assert!(matches!(
            ann.renew(&mut state).await,
            Err(crate::state::Error::Deposed { .. })
        ));
        let tools = Tools {
            cloud: sky.clone(),
            place: place(),
            code: BTreeMap::new(),
            stop: Stop::new(),
            shared: alone(&store),
        };
        let plan = diff::diff(&app("one", &["api"]), &state);
        let applied = run(&plan, &tools, &mut ann, &mut state, &mut |_| {}).await;
        assert!(applied.steps.iter().all(|step| !matches!(step.outcome, Outcome::Done)));
        assert!(sky.standing.borrow().is_empty());
        assert!(ann.give_back(&mut state).await.is_err());
        assert_eq!(store.read(&state.stage).await.unwrap(), stands);
    });
}
