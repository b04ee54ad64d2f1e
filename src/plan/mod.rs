//! All changes that make a stage what it shall be: a value that leaves no choices to whoever applies it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::names::{Address, AppName, StageName};
use crate::resource::Resource;
use crate::state::{Deployed, Doubt, Intent, State};

pub mod desired;
pub mod diff;
pub mod render;

/// The resources that a stage shall have, in the order in which people think of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The resources by their addresses.
    pub resources: Vec<(Address, Resource)>,
}

/// All changes of a stage.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The app.
    pub app: AppName,
    /// The stage.
    pub stage: StageName,
    /// The changes, in an order in which they could be made one by one.
    pub steps: Vec<Step>,
}

/// One change.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it changes.
    pub address: Address,
    /// How.
    pub action: Action,
    /// Why: never empty.
    pub causes: Vec<Cause>,
    /// The steps that must have been done before.
    pub after: Vec<Address>,
    /// The steps whose resources must be as they shall before; what is left of these steps may be done at the same time.
    pub beside: Vec<Address>,
}

/// How a resource is changed.
#[derive(Debug, Clone)]
pub enum Action {
    /// It is made.
    Create(Resource),
    /// It is changed.
    Update {
        /// As it is.
        from: Box<Deployed>,
        /// As it shall be.
        to: Resource,
    },
    /// It is removed.
    Delete(Deployed),
}

/// Why a resource is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is new in the app.
    New,
    /// It is not in the app any more.
    Removed,
    /// The whole stage is destroyed.
    Destroyed,
    /// It exists, and how it is set up is not known.
    Unknown,
    /// A resource that it refers to is made anew.
    Renewed(Address),
    /// One of its inputs is another.
    Changed {
        /// Which one: `memory_mib`, `environment.TABLE`.
        input: String,
        /// The former value in short, if there was one.
        from: Option<String>,
        /// The new value in short, if there is one.
        to: Option<String>,
    },
}

impl Desired {
    /// Takes secrets whose values are not known here as they are deployed, where they are still meant to be the same, and
    /// names them: `function/api environment.TOKEN`.
    pub fn keep_unknown(&mut self, state: &State) -> Vec<String> {
        let mut unknown = Vec::new();
        for (address, resource) in &mut self.resources {
            let Resource::Function(function) = resource else {
                continue;
            };
            let deployed = state
                .deployed
                .get(address)
                .and_then(|deployed| deployed.resource.as_ref());
            let known = match deployed {
                Some(Resource::Function(known)) => Some(&known.settings.environment),
                Some(_) | None => None,
            };
            for (name, variable) in &mut function.settings.environment {
                if !variable.is_unknown() {
                    continue;
                }
                unknown.push(format!("{address} environment.{name}"));
                if let Some(same) = known
                    .and_then(|known| known.get(name))
                    .filter(|same| same.is_as_written(variable))
                {
                    *variable = same.clone();
                }
            }
        }
        unknown
    }
}

impl Plan {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What the plan will touch, as it is recorded before the first call.
    pub fn doubts(&self) -> BTreeMap<Address, Doubt> {
        self.steps
            .iter()
            .map(|step| (step.address.clone(), step.doubt()))
            .collect()
    }
}

impl Step {
    fn doubt(&self) -> Doubt {
        match &self.action {
            Action::Create(resource) => Doubt {
                intent: Intent::Create,
                resource: Some(resource.clone()),
            },
            Action::Update { to, .. } => Doubt {
                intent: Intent::Update,
                resource: Some(to.clone()),
            },
            Action::Delete(deployed) => Doubt {
                intent: Intent::Delete,
                resource: deployed.resource.clone(),
            },
        }
    }
}

impl Action {
    /// What other stages change, too, if this changes a part of such a thing.
    pub fn shared(&self) -> Option<String> {
        match self {
            Self::Create(resource) | Self::Update { to: resource, .. } => resource.shared(),
            Self::Delete(deployed) => deployed.outputs.shared(),
        }
    }

    /// Whether it is about a role that previews share.
    pub fn is_of_shared_role(&self) -> bool {
        match self {
            Self::Create(resource) | Self::Update { to: resource, .. } => resource.shared_role().is_some(),
            Self::Delete(deployed) => deployed.outputs.shared_role().is_some(),
        }
    }

    /// The action's word: `create`, `update`, `delete`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update { .. } => "update",
            Self::Delete(_) => "delete",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new"),
            Self::Removed => f.write_str("no longer in the app"),
            Self::Destroyed => f.write_str("the stage is destroyed"),
            Self::Unknown => f.write_str("it exists, and how it is set up is not recorded"),
            Self::Renewed(address) => write!(f, "{address} is made anew"),
            Self::Changed {
                input,
                from: Some(from),
                to: Some(to),
            } => write!(f, "{input}: {from} -> {to}"),
            Self::Changed {
                input,
                from: None,
                to: Some(to),
            } => write!(f, "{input}: {to}, was not set"),
            Self::Changed {
                input,
                from: Some(from),
                to: None,
            } => write!(f, "{input}: not set, was {from}"),
            Self::Changed {
                input,
                from: None,
                to: None,
            } => write!(f, "{input}"),
        }
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
