//! The calls for log groups.

use super::{LogGroup, Outputs};
use crate::aws::Clients;
use crate::fault::{Fault, FaultKind};
use crate::resource::Context;

/// Makes it. One that is there already and is ours is taken over.
pub async fn create(_clients: &Clients, _wanted: &LogGroup, _context: &Context) -> Result<Outputs, Fault> {
    Err(unfinished())
}

/// Sets what differs; all of it where `from` is not known.
pub async fn update(
    _clients: &Clients,
    (_from, _to): (Option<&LogGroup>, &LogGroup),
    _outputs: &Outputs,
    _context: &Context,
) -> Result<Outputs, Fault> {
    Err(unfinished())
}

/// Removes it.
pub async fn delete(_clients: &Clients, _outputs: &Outputs, _context: &Context) -> Result<(), Fault> {
    Err(unfinished())
}

/// Looks for it: for the known one, or else for what bears our name and mark.
pub async fn look(
    _clients: &Clients,
    (_wanted, _known): (&LogGroup, Option<&Outputs>),
    _context: &Context,
) -> Result<Option<Outputs>, Fault> {
    Err(unfinished())
}

/// Whether what stands is as it is wanted, our marks aside.
pub async fn stands_as(
    _clients: &Clients,
    (_wanted, _outputs): (&LogGroup, &Outputs),
    _context: &Context,
) -> Result<bool, Fault> {
    Err(unfinished())
}

fn unfinished() -> Fault {
    Fault::refused(
        "aws:Call",
        "log_group",
        FaultKind::Invalid,
        "it is not supported yet".to_owned(),
    )
}
