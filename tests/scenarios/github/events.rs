//! Events as GitHub sends them: its own examples, patched to be about `octo/app` and about what they lack.

use serde_json::{Value, json};

use super::contract::read;
use super::state::DEFAULT_BRANCH;
use super::{BOT, OWNER, REPOSITORY};

/// The commit at the head of the default branch, unless a push says otherwise.
pub const DEFAULT_SHA: &str = "1111111111111111111111111111111111111111";
/// The commit that GitHub makes to try a merge.
pub const MERGE_SHA: &str = "4444444444444444444444444444444444444444";
const NO_SHA: &str = "0000000000000000000000000000000000000000";

/// An event that starts a workflow.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its name: `pull_request`, `push`, …
    pub name: &'static str,
    /// What `GITHUB_EVENT_PATH` holds.
    pub payload: Value,
}

/// A pull request that was opened from a branch `change-<number>` to `main`.
pub fn pull_request(number: u64) -> Event {
    // The sixteenth of GitHub's examples has nothing that only some repositories have.
    let mut payload = example("pull_request", 15);
    let old = format!("/{}", payload["number"]);
    let text = payload["pull_request"].to_string();
    let [pulls, issues] = ["pulls", "pull"].map(|kind| format!("{kind}{old}"));
    let text = text.replace(&pulls, &format!("pulls/{number}"));
    let text = text.replace(&issues, &format!("pull/{number}"));
    payload["pull_request"] = serde_json::from_str(&text).expect("it is JSON as before");
    payload["number"] = json!(number);
    payload["pull_request"]["number"] = json!(number);
    payload["pull_request"]["labels"] = json!([]);
    payload["pull_request"]["draft"] = json!(false);
    payload["pull_request"]["merge_commit_sha"] = json!(MERGE_SHA);
    payload["pull_request"]["head"]["ref"] = json!(format!("change-{number}"));
    payload["pull_request"]["head"]["label"] = json!(format!("{OWNER}:change-{number}"));
    payload["pull_request"]["base"]["ref"] = json!(DEFAULT_BRANCH);
    payload["pull_request"]["base"]["sha"] = json!(DEFAULT_SHA);
    let event = Event {
        name: "pull_request",
        payload,
    };
    event.by("contributor").action("opened")
}

/// A push of a commit to a branch.
pub fn push(branch: &str, sha: &str) -> Event {
    let mut payload = example("push", 5);
    let before = "5".repeat(40);
    payload["ref"] = json!(format!("refs/heads/{branch}"));
    payload["before"] = json!(before);
    payload["after"] = json!(sha);
    payload["created"] = json!(false);
    payload["head_commit"]["id"] = json!(sha);
    payload["compare"] = json!(format!("https://github.com/{REPOSITORY}/compare/{before}...{sha}"));
    Event { name: "push", payload }
}

/// A push of a tag.
pub fn push_tag(tag: &str, sha: &str) -> Event {
    let mut event = push(tag, sha);
    event.payload["ref"] = json!(format!("refs/tags/{tag}"));
    event.payload["before"] = json!(NO_SHA);
    event.payload["created"] = json!(true);
    event
}

/// A branch was deleted (the event `delete`).
pub fn branch_deleted(branch: &str) -> Event {
    let mut payload = example("delete", 2);
    payload["ref"] = json!(branch);
    payload["ref_type"] = json!("branch");
    Event {
        name: "delete",
        payload,
    }
}

/// The hour has come. GitHub's schemas know nothing of this event, which only workflows see.
pub fn schedule() -> Event {
    let whole = example("push", 5);
    Event {
        name: "schedule",
        payload: json!({
            "schedule": "17 3 * * *",
            "workflow": ".github/workflows/stagewright.yml",
            "repository": whole["repository"],
        }),
    }
}

/// Somebody asked for a command on a stage; an empty text is an input that was left out.
pub fn dispatch(stage: &str, command: &str) -> Event {
    let mut payload = example("workflow_dispatch", 1);
    let inputs = [("stage", stage), ("command", command)];
    let given = inputs.into_iter().filter(|(_, value)| !value.is_empty());
    payload["inputs"] = given.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    payload["ref"] = json!(format!("refs/heads/{DEFAULT_BRANCH}"));
    Event {
        name: "workflow_dispatch",
        payload,
    }
}

/// A merge queue asks for checks.
pub fn merge_group() -> Event {
    Event {
        name: "merge_group",
        payload: example("merge_group", 1),
    }
}

/// A comment was written on a pull request.
pub fn commented(number: u64, body: &str) -> Event {
    let mut payload = example("issue_comment", 1);
    payload["issue"]["number"] = json!(number);
    let url = format!("https://github.com/{REPOSITORY}/pull/{number}");
    let api = format!("https://api.github.com/repos/{REPOSITORY}/pulls/{number}");
    let links = [
        ("url", api),
        ("html_url", url.clone()),
        ("diff_url", format!("{url}.diff")),
    ];
    let mut pull_request: Value = links
        .into_iter()
        .map(|(name, link)| (name.to_owned(), json!(link)))
        .collect();
    pull_request["patch_url"] = json!(format!("{url}.patch"));
    payload["issue"]["pull_request"] = pull_request;
    payload["comment"]["body"] = json!(body);
    Event {
        name: "issue_comment",
        payload,
    }
}

/// Events of a pull request.
impl Event {
    /// With another action: `reopened`, `ready_for_review`, …
    pub fn action(mut self, action: &str) -> Self {
        self.payload["action"] = json!(action);
        self
    }

    /// It was closed, without a merge.
    pub fn closed(mut self) -> Self {
        let at = self.payload["pull_request"]["updated_at"].clone();
        self.payload["pull_request"]["state"] = json!("closed");
        self.payload["pull_request"]["closed_at"] = at;
        self.action("closed")
    }

    /// It was merged; said of one that was closed.
    pub fn merged(mut self) -> Self {
        let by = self.payload["sender"].clone();
        let pull_request = &mut self.payload["pull_request"];
        pull_request["merged"] = json!(true);
        pull_request["merged_at"] = pull_request["updated_at"].clone();
        pull_request["merged_by"] = by;
        self
    }

    /// Its head lies in another repository.
    pub fn of_fork(mut self, full_name: &str) -> Self {
        let (owner, name) = full_name.split_once('/').expect("an owner and a name");
        let head = self.payload["pull_request"]["head"].to_string();
        let mut head: Value = serde_json::from_str(&head.replace(REPOSITORY, full_name)).expect("it is JSON as before");
        head["label"] = json!(format!("{owner}:{}", head["ref"].as_str().unwrap_or_default()));
        head["user"] = renamed(&head["user"], owner);
        head["repo"]["owner"] = renamed(&head["repo"]["owner"], owner);
        head["repo"]["name"] = json!(name);
        head["repo"]["id"] = json!(777_000);
        head["repo"]["fork"] = json!(true);
        self.payload["pull_request"]["head"] = head;
        self.by(owner)
    }

    /// The repository of its head is no more.
    pub fn of_deleted_fork(self, full_name: &str) -> Self {
        let mut event = self.of_fork(full_name);
        event.payload["pull_request"]["head"]["repo"] = Value::Null;
        event
    }

    /// Opened by Dependabot, from a branch of the repository itself.
    pub fn by_dependabot(self) -> Self {
        self.by("dependabot[bot]")
    }

    /// It is a draft.
    pub fn draft(mut self) -> Self {
        self.payload["pull_request"]["draft"] = json!(true);
        self
    }

    /// It was given a label.
    pub fn labeled(self, name: &str) -> Self {
        let mut event = self.with_label(name);
        event.payload["label"] = label(name);
        event.action("labeled")
    }

    /// It has a label already.
    pub fn with_label(mut self, name: &str) -> Self {
        let labels = self.payload["pull_request"]["labels"].as_array_mut();
        labels.expect("a list").push(label(name));
        self
    }

    /// A commit was pushed to it.
    pub fn synchronized(mut self, sha: &str) -> Self {
        self.payload["before"] = self.payload["pull_request"]["head"]["sha"].clone();
        self.payload["after"] = json!(sha);
        self.head(sha).action("synchronize")
    }

    /// The commit at its head.
    pub fn head(mut self, sha: &str) -> Self {
        self.payload["pull_request"]["head"]["sha"] = json!(sha);
        self
    }

    /// The branch at its head.
    pub fn head_branch(mut self, branch: &str) -> Self {
        self.payload["pull_request"]["head"]["ref"] = json!(branch);
        self
    }

    /// The branch it is to be merged into.
    pub fn base(mut self, branch: &str) -> Self {
        self.payload["pull_request"]["base"]["ref"] = json!(branch);
        self.payload["pull_request"]["base"]["label"] = json!(format!("{OWNER}:{branch}"));
        self
    }

    /// The same as a `pull_request_target`, which has the rights of the default branch.
    pub fn target(mut self) -> Self {
        self.name = "pull_request_target";
        self
    }

    /// A push that deleted its branch.
    pub fn deleted(mut self) -> Self {
        self.payload["after"] = json!(NO_SHA);
        self.payload["deleted"] = json!(true);
        self.payload["head_commit"] = Value::Null;
        self.payload["commits"] = json!([]);
        self
    }

    fn by(mut self, login: &str) -> Self {
        self.payload["sender"] = renamed(&self.payload["sender"], login);
        self.payload["pull_request"]["user"] = renamed(&self.payload["pull_request"]["user"], login);
        self
    }
}

/// What the runner makes of an event.
impl Event {
    /// What GitHub's schemas call it.
    pub fn schema(&self) -> &'static str {
        match self.name {
            "pull_request_target" => "pull_request",
            name => name,
        }
    }

    /// Whether GitHub gives its workflow a token that may only read, no secrets and no OIDC.
    pub fn may_only_read(&self) -> bool {
        let from = &self.payload["pull_request"]["head"]["repo"]["full_name"];
        let is_ours = from == REPOSITORY && self.payload["sender"]["login"] != "dependabot[bot]";
        self.name == "pull_request" && !is_ours
    }

    /// The variables that the runner sets from it, and no others do.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let pull_request = &self.payload["pull_request"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (head, base) = (text(&pull_request["head"]["ref"]), text(&pull_request["base"]["ref"]));
        let (git_ref, sha) = self.git_ref();
        let name = git_ref.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
        let kind = if git_ref.starts_with("refs/tags/") {
            "tag"
        } else {
            "branch"
        };
        let actor = text(&self.payload["sender"]["login"]);
        let actor = if actor.is_empty() { BOT.to_owned() } else { actor };
        vec![
            ("GITHUB_ACTOR", actor.clone()),
            ("GITHUB_BASE_REF", base),
            ("GITHUB_EVENT_NAME", self.name.to_owned()),
            ("GITHUB_HEAD_REF", head),
            ("GITHUB_REF", git_ref),
            ("GITHUB_REF_NAME", name),
            ("GITHUB_REF_PROTECTED", "false".to_owned()),
            ("GITHUB_REF_TYPE", kind.to_owned()),
            ("GITHUB_SHA", sha),
            ("GITHUB_TRIGGERING_ACTOR", actor),
        ]
    }

    /// `GITHUB_REF` and `GITHUB_SHA`.
    fn git_ref(&self) -> (String, String) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let payload = &self.payload;
        let default = (format!("refs/heads/{DEFAULT_BRANCH}"), DEFAULT_SHA.to_owned());
        match self.name {
            // What was merged runs on the branch that it was merged into.
            "pull_request" if payload["pull_request"]["merged"] == true => {
                let base = text(&payload["pull_request"]["base"]["ref"]);
                (format!("refs/heads/{base}"), MERGE_SHA.to_owned())
            }
            "pull_request" => (format!("refs/pull/{}/merge", payload["number"]), MERGE_SHA.to_owned()),
            "push" if payload["deleted"] == false => (text(&payload["ref"]), text(&payload["after"])),
            "workflow_dispatch" => (text(&payload["ref"]), DEFAULT_SHA.to_owned()),
            "merge_group" => {
                let group = &payload["merge_group"];
                (text(&group["head_ref"]), text(&group["head_sha"]))
            }
            _ => default,
        }
    }
}

/// One of GitHub's examples, as if it had happened to our repository.
fn example(name: &str, index: usize) -> Value {
    let text = read(&format!("tests/github/events/{name}.json"))[index].to_string();
    let text = text
        .replace("Codertocat/Hello-World", REPOSITORY)
        .replace("octo-org/octo-repo", REPOSITORY)
        .replace("octo-org", OWNER)
        .replace("Codertocat", OWNER);
    let mut found: Value = serde_json::from_str(&text).expect("it is JSON as before");
    for repository in ["/repository", "/pull_request/base/repo", "/pull_request/head/repo"] {
        if let Some(repository) = found.pointer_mut(repository) {
            repository["name"] = json!("app");
            repository["default_branch"] = json!(DEFAULT_BRANCH);
        }
    }
    found["sender"] = renamed(&found["sender"], "contributor");
    for not_ours in ["organization", "installation"] {
        found.as_object_mut().expect("an object").remove(not_ours);
    }
    found
}

/// A user under another name.
fn renamed(user: &Value, login: &str) -> Value {
    let old = user["login"].as_str().unwrap_or_default();
    let in_urls = login.replace('[', "%5B").replace(']', "%5D");
    let mut user: Value = serde_json::from_str(&user.to_string().replace(old, &in_urls)).expect("it is JSON as before");
    user["login"] = json!(login);
    user["type"] = json!(if login.ends_with("[bot]") { "Bot" } else { "User" });
    user
}

fn label(name: &str) -> Value {
    json!({
        "id": 1_362_934_389,
        "node_id": "MDU6TGFiZWwxMzYyOTM0Mzg5",
        "url": format!("https://api.github.com/repos/{REPOSITORY}/labels/{name}"),
        "name": name,
        "color": "d73a4a",
        "default": false,
        "description": null,
    })
}
