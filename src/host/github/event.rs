//! From the payload of a GitHub event to a trigger: the only place that knows how GitHub calls things.

use serde_json::Value;

use crate::stage::{Activity, Origin, PullRequest, Readiness, Trigger, Workflow};

/// A payload that is not what GitHub sends for its event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload of the event `{event}` has no {wanted} `{field}`")]
pub struct EventError {
    /// The event.
    pub event: String,
    /// The field, as it is reached from the top: `pull_request.base.ref`.
    pub field: &'static str,
    /// What it should have been.
    pub wanted: &'static str,
}

/// Branches that a merge queue makes for its own checks.
const QUEUE: &str = "gh-readonly-queue/";

/// The login of Dependabot; nobody else can have it.
const DEPENDABOT: &str = "dependabot[bot]";

/// Reads what started the run. `git_ref` is `GITHUB_REF`, which counts for nothing but a run that a person started: for a
/// merged pull request, it is the branch that was merged into.
///
/// # Errors
///
/// [`EventError`] where a field is missing that the trigger is made of. Others may be there or not.
pub fn trigger(event_name: &str, payload: &Value, git_ref: &str) -> Result<Trigger, EventError> {
    let payload = Payload {
        event: event_name,
        value: payload,
    };
    let other = |what: &str| Ok(Trigger::Other { what: what.to_owned() });
    match event_name {
        "push" => push(&payload),
        "delete" => delete(&payload),
        "pull_request" => pull_request(&payload, Workflow::Own),
        "pull_request_target" => pull_request(&payload, Workflow::Base),
        "schedule" => Ok(Trigger::Schedule),
        "workflow_dispatch" => manual(&payload, git_ref),
        "merge_group" => other("a merge queue only checks, and what it merges is deployed once it is pushed"),
        "create" => other("a branch or tag was created, and a branch is deployed by its `push`"),
        "issue_comment" => other("a comment was written, and comments deploy nothing"),
        "workflow_run" => other("another workflow ran (`workflow_run`), which does not tell what is to be deployed"),
        "" => other("no event is known by which the run was started"),
        name => Ok(Trigger::Other {
            what: format!("the event `{name}` leads to no stage"),
        }),
    }
}

fn push(payload: &Payload<'_>) -> Result<Trigger, EventError> {
    let git_ref = payload.text("ref")?;
    let is_gone = payload.switch("deleted")?;
    let Some(branch) = git_ref.strip_prefix("refs/heads/") else {
        return Ok(not_a_branch(git_ref, if is_gone { "deleted" } else { "pushed" }));
    };
    if branch.starts_with(QUEUE) {
        return Ok(Trigger::Other {
            what: format!("`{branch}` belongs to a merge queue, and what that merges is deployed once it is pushed"),
        });
    }
    let branch = branch.to_owned();
    Ok(match is_gone {
        true => Trigger::BranchDeleted { branch },
        false => Trigger::Push { branch },
    })
}

fn not_a_branch(git_ref: &str, what_happened: &str) -> Trigger {
    let what = match git_ref.strip_prefix("refs/tags/") {
        Some(tag) => format!("the tag `{tag}` was {what_happened}, and tags are not deployed"),
        None => format!("`{git_ref}` was {what_happened}, which is no branch"),
    };
    Trigger::Other { what }
}

/// Unlike in a push, the ref is a bare name here.
fn delete(payload: &Payload<'_>) -> Result<Trigger, EventError> {
    let name = payload.text("ref")?;
    match payload.text("ref_type")? {
        "branch" if name.starts_with(QUEUE) => Ok(Trigger::Other {
            what: format!("`{name}` belonged to a merge queue"),
        }),
        "branch" => Ok(Trigger::BranchDeleted {
            branch: name.to_owned(),
        }),
        "tag" => Ok(not_a_branch(&format!("refs/tags/{name}"), "deleted")),
        kind => Ok(Trigger::Other {
            what: format!("the {kind} `{name}` was deleted, which is no branch"),
        }),
    }
}

fn pull_request(payload: &Payload<'_>, workflow: Workflow) -> Result<Trigger, EventError> {
    let labels = payload.list("pull_request.labels")?;
    let name = |label: &Value| label.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(Trigger::PullRequest(Box::new(PullRequest {
        number: payload.number("pull_request.number")?,
        activity: activity(payload)?,
        workflow,
        origin: origin(payload)?,
        base: payload.text("pull_request.base.ref")?.to_owned(),
        head: payload.text("pull_request.head.sha")?.to_owned(),
        readiness: match payload.switch("pull_request.draft")? {
            true => Readiness::Draft,
            false => Readiness::Ready,
        },
        labels: labels.iter().filter_map(name).collect(),
    })))
}

fn activity(payload: &Payload<'_>) -> Result<Activity, EventError> {
    let action = payload.text("action")?;
    // Labels and comments outlive a pull request: what is closed stays closed, whatever happens to it.
    if action == "closed" || payload.text("pull_request.state")? == "closed" {
        return Ok(Activity::Closed);
    }
    Ok(match action {
        "opened" | "synchronize" | "reopened" | "ready_for_review" | "labeled" => Activity::Deployable,
        other => Activity::Other(other.to_owned()),
    })
}

fn origin(payload: &Payload<'_>) -> Result<Origin, EventError> {
    let here = payload.text("pull_request.base.repo.full_name")?;
    if payload.field("pull_request.head.repo", "key")?.is_null() {
        return Ok(Origin::Fork(None));
    }
    let there = payload.text("pull_request.head.repo.full_name")?;
    if there != here {
        return Ok(Origin::Fork(Some(there.to_owned())));
    }
    // Whoever started the run decides about its credentials, and need not be the author.
    let is_dependabot = |field| payload.text(field).is_ok_and(|login| login == DEPENDABOT);
    Ok(
        match is_dependabot("pull_request.user.login") || is_dependabot("sender.login") {
            true => Origin::Dependabot,
            false => Origin::Here,
        },
    )
}

fn manual(payload: &Payload<'_>, git_ref: &str) -> Result<Trigger, EventError> {
    let git_ref = match git_ref {
        "" => payload.text("ref")?,
        known => known,
    };
    // What is not given comes as an empty text, and without any inputs there is `null`.
    let input = |field| match payload.field(field, "text") {
        Err(_) | Ok(Value::Null) => Ok(None),
        Ok(_) => {
            let text = payload.text(field)?.trim();
            Ok((!text.is_empty()).then(|| text.to_owned()))
        }
    };
    Ok(Trigger::Manual {
        git_ref: git_ref.to_owned(),
        stage: input("inputs.stage")?,
        command: input("inputs.command")?,
    })
}

/// The payload of an event.
struct Payload<'a> {
    event: &'a str,
    value: &'a Value,
}

impl<'a> Payload<'a> {
    fn field(&self, field: &'static str, wanted: &'static str) -> Result<&'a Value, EventError> {
        let found = field.split('.').try_fold(self.value, |value, key| value.get(key));
        found.ok_or_else(|| self.without(field, wanted))
    }

    fn text(&self, field: &'static str) -> Result<&'a str, EventError> {
        let text = self.field(field, "text")?.as_str();
        text.ok_or_else(|| self.without(field, "text"))
    }

    fn number(&self, field: &'static str) -> Result<u64, EventError> {
        let number = self.field(field, "number")?.as_u64();
        number.ok_or_else(|| self.without(field, "number"))
    }

    fn switch(&self, field: &'static str) -> Result<bool, EventError> {
        let switch = self.field(field, "switch")?.as_bool();
        switch.ok_or_else(|| self.without(field, "switch"))
    }

    fn list(&self, field: &'static str) -> Result<&'a [Value], EventError> {
        let list = self.field(field, "list")?.as_array();
        list.map(Vec::as_slice).ok_or_else(|| self.without(field, "list"))
    }

    fn without(&self, field: &'static str, wanted: &'static str) -> EventError {
        EventError {
            event: self.event.to_owned(),
            field,
            wanted,
        }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
