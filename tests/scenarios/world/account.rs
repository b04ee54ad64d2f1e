//! Many accounts in one emulator, for scenarios of many cases.

use std::process::Command;

use serde_json::Value;

use super::{BUCKET, Call, World};
use crate::http::{Answer, Request};

/// An AWS account of its own in a world's emulator, with a bucket of its own.
///
/// Many of them share one emulator without meeting: what is ordered, held and logged for one is no matter of the others.
#[derive(Debug)]
pub struct Account<'a> {
    pub(super) world: &'a World,
    /// Its number, which is the access key of its only user, too.
    pub key: String,
}

impl Account<'_> {
    /// The program of this account's user in a folder of the project, before it is given its arguments.
    pub fn program(&self, folder: &str) -> Command {
        let mut command = self.world.command(env!("CARGO_BIN_EXE_stagewright").as_ref());
        command
            .current_dir(self.world.project().join(folder))
            .env("AWS_ACCESS_KEY_ID", &self.key)
            .args(["--state", &format!("s3://{BUCKET}-{}/stages", self.key)]);
        command
    }

    /// Orders faults for its calls, in the place of those that were ordered for them before.
    pub fn order_faults(&self, faults: &Value) {
        self.world.control(&format!("faults?key={}", self.key), faults);
    }

    /// Waits until one of its calls is held by a fault.
    pub fn await_held(&self) {
        self.world.await_held_of(&self.key);
    }

    /// Closes the connections of its held calls; those that AWS did not see before never happen.
    pub fn drop_held(&self) {
        let path = format!("release?key={}", self.key);
        self.world.control(&path, &serde_json::json!({"how": "drop"}));
    }

    /// Every request of it that reached AWS.
    pub fn calls(&self) -> Vec<Call> {
        self.world.logged(&format!("?key={}", self.key))
    }

    /// Begins the list of its calls anew.
    pub fn forget_calls(&self) {
        let log = self.world.endpoint(&format!("/__proxy/log?key={}", self.key));
        Request::new("DELETE", &log).send();
    }

    /// Everything that stands in it.
    pub fn aws(&self) -> Value {
        self.world.aws_of(&self.key)
    }

    /// The state object of a stage; nothing where there is none.
    pub fn state(&self, app: &str, stage: &str) -> Value {
        let object = format!("/{BUCKET}-{}/stages/{app}/{stage}.json", self.key);
        let answer = self.ask("GET", "s3", &self.world.endpoint(&object));
        if answer.status == 404 {
            Value::Null
        } else {
            answer.json()
        }
    }

    /// A request of its user to a service of AWS.
    pub fn ask(&self, method: &str, service: &str, url: &str) -> Answer {
        Request::new(method, url).signed(service, &self.key).send()
    }
}
