//! A stage that Chalice deployed is taken over: what it recorded is where we begin, and what stands as the app wants it is
//! left alone.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Session;
use super::holding::confirmed_place;
use super::scene::{Ready, Scene};
use crate::config::{FrontEnd, Project};
use crate::error::Failure;
use crate::fault::{Fault, FaultKind};
use crate::hold::Hold;
use crate::host::Ink;
use crate::names::{Address, AppName};
use crate::plan::Desired;
use crate::resource::{Cloud, CodeLocation, Context, Outputs, Place, Resource, Standing, role};
use crate::stage::branches::is_reserved;
use crate::state::chalice::{self, Expected};
use crate::state::lease::{self, Seen};
use crate::state::store::Store;
use crate::state::{Deployed, State, directory};

/// At most so many resources are looked at at once: a function's code is downloaded to be compared.
const AT_ONCE: usize = 8;

/// The role that Chalice makes for all functions of a stage.
const ROLE: &str = "role/default-role";

/// A stage of which the store knows nothing, as Chalice's own file in the project records it, if it does: or a second REST
/// API would be made beside the one that stands. With the first write it stands in the store.
///
/// # Errors
///
/// The file cannot be read, or records what we cannot take over.
pub fn begun_by_chalice(
    session: &Session<'_>,
    (project, app): (&Project, &AppName),
    (store, seen): (&dyn Store, Seen),
) -> Result<Seen, Failure> {
    left_in_folder(store, project, &seen)?;
    match recorded_by_chalice((project, app), &seen)? {
        Some((state, file)) => {
            let count = state.deployed.len();
            let note = format!("note: taking over what Chalice deployed: `{file}` records {count} resources");
            session.host.note(Ink::Careful, &note);
            Ok(Seen { state, ..seen })
        }
        None => Ok(seen),
    }
}

/// Refuses a stage of which the store knows nothing, and that we deployed with its state in the project's folder: it would be
/// deployed a second time.
fn left_in_folder(store: &dyn Store, project: &Project, seen: &Seen) -> Result<(), Failure> {
    let stage = &seen.state.stage;
    if seen.version.is_some() || is_reserved(stage) {
        return Ok(());
    }
    let file = project.state_folder().join(format!("{stage}.json"));
    let record = directory::backup(&file)
        .ok()
        .map(|bytes| serde_json::from_slice(&bytes).unwrap_or_default());
    let deployed = record.map(|record: serde_json::Value| record["stagewright"]["deployed"].clone());
    let has_any = deployed.is_some_and(|deployed| deployed.as_object().is_some_and(|deployed| !deployed.is_empty()));
    if !has_any {
        return Ok(());
    }
    let (file, object) = (file.display(), store.object(stage));
    let failure = Failure::input(format!(
        "stage `{stage}` is deployed as `{file}` records it, and `{object}` does not exist"
    ));
    Err(failure
        .hint(format!(
            "copy `{file}` to `{object}` to keep the stage, or destroy it first where its record is"
        ))
        .now("nothing was changed"))
}

/// What Chalice's own file in the project records of a stage of which the store knows nothing, and the file's name.
///
/// # Errors
///
/// As [`begun_by_chalice`].
pub fn recorded_by_chalice(
    (project, app): (&Project, &AppName),
    seen: &Seen,
) -> Result<Option<(State, String)>, Failure> {
    let FrontEnd::Chalice { .. } = &project.front_end else {
        return Ok(None);
    };
    let stage = &seen.state.stage;
    // The project of a preview is a pull request's, which nobody has read yet: it could name what belongs to somebody else.
    if seen.version.is_some() || is_reserved(stage) || project.app_name()? != *app {
        return Ok(None);
    }
    let found = directory::of_chalice(&project.state_folder(), stage);
    let found = found.map_err(|error| Failure::input(format!("the files of Chalice cannot be read: {error}")))?;
    let Some((file, bytes)) = found else {
        return Ok(None);
    };
    let name = file
        .strip_prefix(&project.folder)
        .unwrap_or(&file)
        .display()
        .to_string();
    let expected = Expected {
        app: Some(app),
        stage,
        object: &name,
    };
    let state = chalice::of_chalice(&bytes, expected, lease::new_mark())?;
    Ok(state.map(|state| (state, name)))
}

/// Whether a state is what Chalice recorded, and nobody has looked yet how it is set up.
pub fn is_due(state: &State) -> bool {
    let is_chalices = state.generation == 0 && state.release.is_none();
    is_chalices && state.deployed.values().any(|deployed| deployed.resource.is_none())
}

/// Compares what Chalice deployed with what the app wants. What stands so is recorded so, and will not be touched; what is
/// gone is forgotten, and made anew. Nothing is changed but the state that is given.
///
/// # Errors
///
/// We are in another account or Region, or AWS cannot be asked.
pub async fn compare(scene: &Scene<'_>, ready: &Ready, state: &mut State) -> Result<Place, Failure> {
    let place = confirmed_place(scene.cloud.as_ref(), state).await?;
    state.place = Some(place.clone());
    state.role = scene.role();
    let desired = scene.desired(ready, state, &place);
    let code = ready.artifacts.values();
    let code = code.map(|artifact| (artifact.sha256.clone(), CodeLocation::Inline(artifact.path.clone())));
    let mut context = Context {
        // Under no lease nothing can be changed.
        hold: Hold::until(scene.session.began),
        place: place.clone(),
        outputs: Arc::new(state.outputs()),
        code: Arc::new(code.collect()),
        standing: Standing::default(),
    };
    rename_layers(scene.cloud.as_ref(), &desired, state, &context).await?;
    // What others refer to first: a function is compared with the role and the layer that it shall have.
    for turn in [Turn::ReferredTo, Turn::Referring] {
        context.outputs = Arc::new(state.outputs());
        let answers = look(scene, (&desired, turn), state, &context).await?;
        settle(state, answers);
    }
    Ok(place)
}

/// What is known of a resource once AWS was asked.
enum Answer {
    /// It stands as it is wanted.
    Same(Outputs),
    /// It stands, and otherwise.
    Other(Outputs),
    /// There is none.
    Absent,
}

/// When a resource is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// What refers to nothing.
    ReferredTo,
    /// What refers to something.
    Referring,
}

impl Turn {
    fn of(wanted: &Resource) -> Self {
        match wanted.references().is_empty() {
            true => Self::ReferredTo,
            false => Self::Referring,
        }
    }
}

/// An answer about a resource that is wanted.
type Answered = (Address, Resource, Answer);

/// A layer's address says what is in it, which Chalice does not record: where it is the same, the layer gets its address.
async fn rename_layers(
    cloud: &dyn Cloud,
    desired: &Desired,
    state: &mut State,
    context: &Context,
) -> Result<(), Fault> {
    for (address, wanted) in &desired.resources {
        if !matches!(wanted, Resource::Layer(_)) || state.deployed.contains_key(address) {
            continue;
        }
        let is_former = |(known, deployed): &(&Address, &Deployed)| {
            matches!(deployed.outputs, Outputs::Layer(_)) && known.plain_name() == address.plain_name()
        };
        let Some((former, deployed)) = state.deployed.iter().find(is_former) else {
            continue;
        };
        if stands(cloud, wanted, &deployed.outputs, context).await? {
            let (former, outputs) = (former.clone(), deployed.outputs.clone());
            state.forget(&former);
            state.record(address.clone(), Some(wanted.unmarked()), outputs);
        }
    }
    Ok(())
}

/// Asks AWS about all that is wanted and known, and about what Chalice makes and does not record.
async fn look(
    scene: &Scene<'_>,
    (desired, turn): (&Desired, Turn),
    state: &State,
    context: &Context,
) -> Result<Vec<Answered>, Failure> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (address, wanted) in &desired.resources {
        let known = state.deployed.get(address);
        let is_asked = match known {
            Some(known) => known.resource.is_none(),
            None => is_unrecorded((address, wanted), state),
        };
        if !is_asked || Turn::of(wanted) != turn {
            continue;
        }
        let known = known.map(|known| known.outputs.clone());
        let (cloud, turns, context) = (scene.cloud.clone(), turns.clone(), context.clone());
        let (address, wanted) = (address.clone(), wanted.clone());
        running.spawn_local(async move {
            let _turn = turns.acquire().await;
            let answer = ask(&cloud, &wanted, known, &context).await;
            answer.map(|answer| (address, wanted, answer))
        });
    }
    let mut answers = Vec::new();
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(answer) => answers.push(answer?),
            Err(error) => {
                return Err(Failure::input(format!(
                    "what Chalice deployed cannot be compared: {error}"
                )));
            }
        }
    }
    Ok(answers)
}

/// Who may call a function stands in no file of Chalice's; its first file had no role either.
fn is_unrecorded((address, wanted): (&Address, &Resource), state: &State) -> bool {
    match wanted {
        Resource::Permission(permission) => state.deployed.contains_key(&permission.function),
        Resource::Role(_) => {
            let mut known = state.deployed.values();
            address.as_str() == ROLE && !known.any(|known| matches!(known.outputs, Outputs::Role(_)))
        }
        Resource::Function(_)
        | Resource::RestApi(_)
        | Resource::Deployment(_)
        | Resource::Rule(_)
        | Resource::Notification(_)
        | Resource::Subscription(_)
        | Resource::EventSourceMapping(_)
        | Resource::V2Api(_)
        | Resource::DomainName(_)
        | Resource::Layer(_)
        | Resource::LogGroup(_)
        | Resource::FunctionUrl(_) => false,
    }
}

async fn ask(
    cloud: &Rc<dyn Cloud>,
    wanted: &Resource,
    known: Option<Outputs>,
    context: &Context,
) -> Result<Answer, Fault> {
    if let Some(known) = known {
        if stands(cloud.as_ref(), wanted, &known, context).await? {
            return Ok(Answer::Same(known));
        }
        return match cloud.look(wanted, Some(&known), context).await {
            Ok(None) => Ok(Answer::Absent),
            Ok(Some(_)) => Ok(Answer::Other(known)),
            Err(fault) if matches!(fault.kind, FaultKind::Foreign | FaultKind::Denied) => Ok(Answer::Other(known)),
            Err(fault) => Err(fault),
        };
    }
    let found = match (cloud.look(wanted, None, context).await, wanted) {
        (Ok(Some(found)), _) => found,
        (Ok(None), _) => return Ok(Answer::Absent),
        // Chalice takes the role by its name alone, and so it is the stage's.
        (Err(fault), Resource::Role(role)) if fault.kind == FaultKind::Foreign => Outputs::Role(role::Outputs {
            arn: fault.target,
            name: role.name.clone(),
            sharing: role.sharing,
        }),
        (Err(fault), _) => return Err(fault),
    };
    Ok(match stands(cloud.as_ref(), wanted, &found, context).await? {
        true => Answer::Same(found),
        false => Answer::Other(found),
    })
}

/// What we may not look at is as if it were otherwise.
async fn stands(cloud: &dyn Cloud, wanted: &Resource, outputs: &Outputs, context: &Context) -> Result<bool, Fault> {
    match cloud.stands_as(wanted, outputs, context).await {
        // So is what is gone, or refers to what is gone.
        Err(fault) if matches!(fault.kind, FaultKind::Denied | FaultKind::Absent) => {
            tracing::info!(%fault, "it cannot be compared");
            Ok(false)
        }
        answered => answered,
    }
}

fn settle(state: &mut State, answers: Vec<Answered>) {
    let mut gone = Vec::new();
    for (address, wanted, answer) in answers {
        let is_served_otherwise = match &wanted {
            // Where the API is to be another, so is what is served of it.
            Resource::Deployment(deployment) => {
                let api = state.deployed.get(&deployment.rest_api);
                api.is_none_or(|api| api.resource.is_none())
            }
            Resource::Role(_)
            | Resource::Function(_)
            | Resource::RestApi(_)
            | Resource::Permission(_)
            | Resource::Rule(_)
            | Resource::Notification(_)
            | Resource::Subscription(_)
            | Resource::EventSourceMapping(_)
            | Resource::V2Api(_)
            | Resource::DomainName(_)
            | Resource::Layer(_)
            | Resource::LogGroup(_)
            | Resource::FunctionUrl(_) => false,
        };
        match answer {
            Answer::Same(outputs) if !is_served_otherwise => {
                state.record(address, Some(wanted.unmarked()), outputs);
            }
            Answer::Same(outputs) | Answer::Other(outputs) => state.record(address, None, outputs),
            Answer::Absent => gone.push(address),
        }
    }
    // Last, since what belongs to it goes along.
    for address in gone {
        state.forget(&address);
    }
}
