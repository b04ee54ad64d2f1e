//! A plan as text.

use std::fmt::Write as _;

use super::{Action, Plan, Step};

/// The plan, a line a step with its causes below, and how much there is to do.
pub fn render(plan: &Plan) -> String {
    steps(plan) + &summary(plan)
}

/// The steps of a plan, a line each with its causes below.
pub fn steps(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        push(&mut text, step);
    }
    text
}

/// How much there is to do, in one line: `Plan: 3 to create, 1 to update, 0 to delete.`
pub fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return format!("Nothing to change: stage `{}` is as the app says.\n", plan.stage);
    }
    let count = |word| plan.steps.iter().filter(|step| step.action.word() == word).count();
    format!(
        "Plan: {} to create, {} to update, {} to delete.\n",
        count("create"),
        count("update"),
        count("delete")
    )
}

fn push(text: &mut String, step: &Step) {
    let sign = match step.action {
        Action::Create(_) => '+',
        Action::Update { .. } => '~',
        Action::Delete(_) => '-',
    };
    // Writing to a string cannot fail.
    let _ = write!(text, "{sign} {} {}", step.action.word(), step.address);
    if step.action.is_of_shared_role() {
        text.push_str(", the shared preview role");
    }
    match step.causes.as_slice() {
        [only] => {
            let _ = writeln!(text, "  ({only})");
        }
        causes => {
            text.push('\n');
            for cause in causes {
                let _ = writeln!(text, "    {cause}");
            }
        }
    }
}
