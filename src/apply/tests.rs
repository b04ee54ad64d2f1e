//! Everything that can go wrong with one call or two, and then a plain run again: it ends where an undisturbed run ends.

use std::cell::{Cell, RefCell};
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::app::{Architecture, Artifact, Settings, Tracing};
use crate::names::{AppName, StageName};
use crate::plan::{Desired, diff};
use crate::resource::Resource;
use crate::resource::deployment::{self, Deployment};
use crate::resource::function::{self, Function, RoleReference};
use crate::resource::marked::{Marked, Search};
use crate::resource::permission::{self, Permission};
use crate::resource::rest_api::{self, RestApi};
use crate::resource::role::{self, Role};
use crate::state::lease::{self, Holder};
use crate::state::memory::Memory;
use crate::state::recover;
use crate::state::store::{Condition, Former, Leftover, Store, Stored, Written};

mod killed;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Strike {
    /// It is refused: certainly without effect.
    Refused,
    /// Nothing comes back, and it had no effect.
    LostRequest,
    /// Nothing comes back, and it had its effect.
    LostAnswer,
    /// The program is killed.
    Killed(Landing),
}

/// What becomes of a call whose program was killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Landing {
    /// It never reaches the cloud.
    Never,
    /// It had its effect before.
    Before,
    /// It has its effect some time later.
    Late,
}

/// What a call does in the cloud.
#[derive(Debug, Clone)]
enum Effect {
    Create(Resource),
    Put(Resource, Outputs),
    Delete(Outputs),
}

const STRIKES: [Strike; 3] = [Strike::Refused, Strike::LostRequest, Strike::LostAnswer];

/// A cloud in memory, whose mutating calls fail on purpose.
#[derive(Default)]
struct Sky {
    /// What stands, by its name in AWS; a REST API by its id.
    standing: RefCell<BTreeMap<String, Resource>>,
    made_apis: Cell<u32>,
    calls: Cell<usize>,
    strikes: RefCell<BTreeMap<usize, Strike>>,
    killed: tokio::sync::Notify,
    late: RefCell<Vec<Effect>>,
}

impl Sky {
    fn strike(&self) -> Option<Strike> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        self.strikes.borrow_mut().remove(&call)
    }

    /// Makes the effect, or not, and says what the caller is told.
    async fn mutate(&self, context: &Context, effect: Effect) -> Result<Outputs, Fault> {
        context.hold.cover("sky:Change", "it")?;
        let fault = |certainty| Fault {
            certainty,
            ..Fault::refused("lambda:CreateFunction", "it", FaultKind::Other, "struck".to_owned())
        };
        match self.strike() {
            None => Ok(self.perform(effect)),
            Some(Strike::Refused) => Err(fault(Certainty::DidNotHappen)),
            Some(Strike::LostRequest) => Err(fault(Certainty::MayHaveHappened)),
            Some(Strike::LostAnswer) => {
                self.perform(effect);
                Err(fault(Certainty::MayHaveHappened))
            }
            Some(Strike::Killed(landing)) => {
                match landing {
                    Landing::Never => {}
                    Landing::Before => drop(self.perform(effect)),
                    Landing::Late => self.late.borrow_mut().push(effect),
                }
                self.killed.notify_one();
                std::future::pending().await
            }
        }
    }

    fn perform(&self, effect: Effect) -> Outputs {
        match effect {
            Effect::Create(resource) => {
                let outputs = self.outputs(&resource);
                self.put(&resource, outputs)
            }
            Effect::Put(resource, outputs) => self.put(&resource, outputs),
            Effect::Delete(outputs) => {
                self.remove(&outputs);
                outputs
            }
        }
    }

    fn remove(&self, outputs: &Outputs) {
        let mut standing = self.standing.borrow_mut();
        standing.remove(&Self::key(outputs));
        match outputs {
            Outputs::Function(function) => {
                standing.retain(|key, _| *key != format!("permission {}", function.arn.trim_start_matches("arn:")));
            }
            Outputs::RestApi(_) => standing.retain(|key, _| !key.starts_with("deployment")),
            Outputs::Role(_) | Outputs::Permission(_) | Outputs::Deployment(_) => {}
        }
    }

    /// What was on its way when its program was killed has its effect now. An import makes another API.
    fn land(&self) {
        for effect in self.late.take() {
            if let Effect::Create(api @ Resource::RestApi(_)) = effect {
                self.made_apis.set(self.made_apis.get() + 1);
                let id = format!("api{}", self.made_apis.get());
                self.put(&api, Outputs::RestApi(rest_api::Outputs { id }));
            } else {
                self.perform(effect);
            }
        }
    }

    fn key(outputs: &Outputs) -> String {
        match outputs {
            Outputs::Role(role) => format!("role {}", role.name),
            Outputs::Function(function) => format!("function {}", function.arn),
            Outputs::RestApi(api) => format!("api {}", api.id),
            Outputs::Permission(permission) => format!("permission {}", permission.function_name),
            Outputs::Deployment(deployment) => format!("deployment {}", deployment.stage_name),
        }
    }

    /// The id of the one REST API that bears our mark.
    fn api(&self) -> Option<String> {
        self.standing
            .borrow()
            .keys()
            .find_map(|key| key.strip_prefix("api ").map(str::to_owned))
    }

    fn put(&self, resource: &Resource, outputs: Outputs) -> Outputs {
        self.standing.borrow_mut().insert(Self::key(&outputs), resource.clone());
        outputs
    }

    fn outputs(&self, resource: &Resource) -> Outputs {
        match resource {
            Resource::Role(role) => Outputs::Role(role::Outputs {
                arn: "arn".to_owned(),
                name: role.name.clone(),
            }),
            Resource::Function(function) => Outputs::Function(function::Outputs {
                arn: format!("arn:{}", function.name),
            }),
            Resource::RestApi(_) => {
                let id = self.api().unwrap_or_else(|| {
                    self.made_apis.set(self.made_apis.get() + 1);
                    format!("api{}", self.made_apis.get())
                });
                Outputs::RestApi(rest_api::Outputs { id })
            }
            Resource::Permission(permission) => Outputs::Permission(permission::Outputs {
                function_name: permission.function_name.clone(),
                statement_id: permission::STATEMENT_ID.to_owned(),
            }),
            Resource::Deployment(deployment) => Outputs::Deployment(deployment::Outputs {
                rest_api_id: "api1".to_owned(),
                stage_name: deployment.stage_name.clone(),
                url: "https://api1/api/".to_owned(),
            }),
        }
    }
}

#[async_trait(?Send)]
impl Cloud for Sky {
    fn region(&self) -> Option<String> {
        None
    }

    async fn place(&self) -> Result<Place, Fault> {
        Ok(place())
    }

    async fn create(&self, resource: &Resource, context: &Context) -> Result<Outputs, Fault> {
        self.mutate(context, Effect::Create(resource.clone())).await
    }

    async fn update(&self, change: Change<'_>, context: &Context) -> Result<Outputs, Fault> {
        let effect = Effect::Put(change.to.clone(), change.outputs.clone());
        self.mutate(context, effect).await
    }

    async fn delete(&self, _: Option<&Resource>, outputs: &Outputs, context: &Context) -> Result<(), Fault> {
        let deleted = self.mutate(context, Effect::Delete(outputs.clone())).await;
        deleted.map(drop)
    }

    async fn look(&self, resource: &Resource, known: Option<&Outputs>, _: &Context) -> Result<Option<Outputs>, Fault> {
        let stands = |outputs: &Outputs| self.standing.borrow().contains_key(&Self::key(outputs));
        match (resource, known) {
            (Resource::RestApi(_), Some(known)) => return Ok(stands(known).then(|| known.clone())),
            (Resource::RestApi(_), None) if self.api().is_none() => return Ok(None),
            (_, _) => {}
        }
        let outputs = self.outputs(resource);
        Ok(stands(&outputs).then_some(outputs))
    }

    async fn twins(&self, _: &Resource, stands: &Outputs, _: &Context) -> Result<Vec<Outputs>, Fault> {
        let Outputs::RestApi(api) = stands else {
            return Ok(Vec::new());
        };
        let standing = self.standing.borrow();
        let ids = standing.keys().filter_map(|key| key.strip_prefix("api "));
        let others = ids.filter(|id| *id != api.id).map(str::to_owned);
        Ok(others.map(|id| Outputs::RestApi(rest_api::Outputs { id })).collect())
    }

    async fn marked(&self, _: &Search<'_>) -> Result<Vec<Marked>, Fault> {
        Ok(Vec::new())
    }
}

fn place() -> Place {
    Place {
        account: "1".to_owned(),
        region: "eu-west-1".to_owned(),
        partition: "aws".to_owned(),
    }
}

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
    };
    (Address::new("function", name), Resource::Function(function))
}

/// An app with a role, some functions, and an API that calls the first of them.
fn app(code: &str, functions: &[&str]) -> Desired {
    let role = Role {
        name: "shop".to_owned(),
        policy: json!({}),
        tags: BTreeMap::new(),
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
        rest_api: rest_api.clone(),
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
    };
    let applied = run(&plan, &tools, &mut held, &mut state, &mut |_| {}).await;
    held.give_back(&mut state).await.unwrap();
    applied
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
        assert!(matches!(outcome("deployment"), Outcome::Skipped(_)));
        assert_eq!(sky.standing.borrow().len(), 1);
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
        };
        let plan = diff::diff(&app("one", &["api"]), &state);
        let applied = run(&plan, &tools, &mut ann, &mut state, &mut |_| {}).await;
        assert!(applied.steps.iter().all(|step| !matches!(step.outcome, Outcome::Done)));
        assert!(sky.standing.borrow().is_empty());
        assert!(ann.give_back(&mut state).await.is_err());
        assert_eq!(store.read(&state.stage).await.unwrap(), stands);
    });
}
