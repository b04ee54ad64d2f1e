//! Where a run ends, so that two ends can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::world::Account;

/// Where a run ends: what stands in AWS and what is recorded of it, without what differs between two accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) aws: Value,
    pub(super) record: Value,
    /// The API's id.
    pub(super) api: String,
}

impl End {
    pub(super) fn of(account: &Account<'_>) -> Self {
        let mut aws = account.aws();
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
    pub(super) fn without_objects(mut self) -> Self {
        self.aws["objects"].take();
        self
    }

    /// The lines by which it differs from where it should have ended; empty where it does not.
    pub(super) fn difference(&self, wanted: &Self) -> String {
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
pub(super) fn recorded(state: &Value) -> Value {
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
