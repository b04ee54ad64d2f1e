//! What befalls a run at one of its calls, and what is run then.

use std::fmt;
use std::process::Stdio;

use serde_json::{Value, json};

use super::scene::{Scene, Wish};
use crate::world::{Account, Run, Started};

/// Whether a call is met before AWS sees it, or when AWS has done what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Before,
    After,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Before, Self::After];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What a call is answered in the place of AWS's own answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Broken,
    Closed,
    Conflict,
    Throttled,
}

impl Answer {
    /// As the services word it.
    pub(super) fn of(self, service: &str) -> Value {
        let (status, code) = match (self, service) {
            (Self::Closed, _) => return json!("close"),
            (Self::Broken, _) => (500, "InternalError"),
            (Self::Conflict, "s3") => (409, "ConditionalRequestConflict"),
            (Self::Conflict, "iam") => (409, "ConcurrentModification"),
            (Self::Conflict, "lambda") => (409, "ResourceConflictException"),
            (Self::Conflict, _) => (409, "ConflictException"),
            (Self::Throttled, "s3") => (503, "SlowDown"),
            (Self::Throttled, "iam") => (400, "Throttling"),
            (Self::Throttled, _) => (429, "TooManyRequestsException"),
        };
        json!({"status": status, "code": code, "message": "on order"})
    }
}

/// What befalls a run at a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mishap {
    Killed(Side),
    Answered(Side, Answer),
}

/// A call of an undisturbed run.
#[derive(Debug, Clone)]
pub(super) struct Struck {
    pub(super) scene: Scene,
    pub(super) service: String,
    pub(super) operation: String,
    /// Its target with `KEY` for the account's own key; empty where the target is known only once it is there.
    pub(super) target: String,
    /// How many such calls go before it.
    pub(super) nth: usize,
}

impl Struck {
    pub(super) fn fault(&self, account: &Account<'_>, side: Side, answer: &Value) -> Value {
        let target = self.target.replace("KEY", &account.key);
        let which = json!({"operation": self.operation, "target": target, "skip": self.nth});
        let mut fault = json!({"when": side.word(), "answer": answer});
        let both = fault.as_object_mut().zip(which.as_object());
        both.map(|(fault, which)| fault.extend(which.clone())).expect("objects");
        json!([fault])
    }
}

/// One call that is met by one mishap, and what is run then.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) number: usize,
    pub(super) struck: Struck,
    pub(super) mishap: Mishap,
    pub(super) then: Wish,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Struck {
            scene,
            operation,
            target,
            nth,
            ..
        } = &self.struck;
        let Self { mishap, then, .. } = self;
        write!(
            f,
            "{scene:?}, {mishap:?} at {operation} {target} ({} of its kind), then {then:?}",
            nth + 1
        )
    }
}

impl Case {
    /// Lets it happen, and begins what is run then. Where that waits for the dead to be dead, it is stopped meanwhile: its
    /// clock goes on, and leaves the machine to the others.
    pub(super) fn happen(&self, account: &Account<'_>) -> Result<Next, String> {
        self.struck.scene.before().map(|wish| wish.run(account).succeeded());
        self.befall(account)?;
        let mut next = Started::new(&mut self.then.command(account));
        if next.says("waiting: ") {
            next.signal("STOP");
            return Ok(Next::Waits(next));
        }
        Ok(Next::Ended(next.ended()))
    }

    /// Ends what is run then, and says what is wrong with what it said.
    pub(super) fn go_on(&self, account: &Account<'_>, next: Next) -> Result<(), String> {
        let next = match next {
            Next::Ended(run) => run,
            Next::Waits(started) => {
                started.signal("CONT");
                started.ended()
            }
        };
        if next.code != 0 {
            let Run { code, stdout, stderr } = next;
            return Err(format!("the next run ended with {code}:\n{stdout}{stderr}"));
        }
        let Wish::Deploy(version) = self.then else {
            return Ok(());
        };
        let plan = account
            .program(version.folder())
            .args(["plan", "--stage", "dev"])
            .output();
        let Run { stdout, stderr, .. } = Run::from(plan.expect("the program runs"));
        match stdout.contains("Nothing to change") {
            true => Ok(()),
            false => Err(format!("there is something to change:\n{stdout}{stderr}")),
        }
    }

    pub(super) fn befall(&self, account: &Account<'_>) -> Result<(), String> {
        match self.mishap {
            Mishap::Killed(side) => {
                account.order_faults(&self.struck.fault(account, side, &json!("hold")));
                let mut killed = self.struck.scene.wish().command(account);
                let killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
                let mut killed = killed.expect("it starts");
                account.await_held();
                killed.kill().expect("it can be killed");
                killed.wait().expect("it is gone");
            }
            Mishap::Answered(side, answer) => {
                let answer = answer.of(&self.struck.service);
                account.order_faults(&self.struck.fault(account, side, &answer));
                let met = self.struck.scene.wish().run(account);
                if !matches!(met.code, 0 | 1) {
                    return Err(format!("it ended with {}:\n{}{}", met.code, met.stdout, met.stderr));
                }
            }
        }
        account.order_faults(&json!([]));
        account.drop_held();
        Ok(())
    }
}

/// What is run after the mishap.
pub(super) enum Next {
    Ended(Run),
    Waits(Started),
}
