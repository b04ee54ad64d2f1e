//! The call that reads a function's log.

use crate::aws::{Clients, fault, wait};
use crate::fault::{Fault, FaultKind};
use crate::resource::function::log::{LogEvent, Page, Query};

const OPERATION: &str = "logs:FilterLogEvents";

/// Reads a page of a log. `None` where there is no such log group: Lambda makes it with the first invocation.
pub async fn events(clients: &Clients, query: &Query<'_>) -> Result<Option<Page>, Fault> {
    let request = clients
        .logs
        .filter_log_events()
        .log_group_name(query.group)
        .start_time(query.from_ms)
        .set_next_token(query.page.map(str::to_owned));
    let read = wait::throttled(clients, (OPERATION, query.group), async || {
        let sent = request.clone().send().await;
        sent.map_err(|error| fault::of(OPERATION, query.group, &error))
    });
    let found = match read.await {
        Ok(found) => found,
        Err(fault) if fault.kind == FaultKind::Absent => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let events = found.events.unwrap_or_default().into_iter().map(|event| {
        let stream = event.log_stream_name.unwrap_or_default();
        let message = event.message.unwrap_or_default();
        LogEvent {
            // The API does not promise an id.
            id: event.event_id.unwrap_or_else(|| format!("{stream} {message}")),
            at_ms: event.timestamp.unwrap_or_default(),
            stream,
            message,
        }
    });
    Ok(Some(Page {
        events: events.collect(),
        next: found.next_token,
    }))
}
