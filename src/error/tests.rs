//! What a failure tells people and programs.

use super::*;

#[test]
fn an_access_that_is_denied_says_which_action_on_what() {
    let fault = Fault::refused(
        "iam:CreateRole",
        "shop-prod",
        FaultKind::Denied,
        "not authorized".to_owned(),
    );
    let text = Failure::from(fault).text();
    assert!(text.contains("allow `iam:CreateRole` on `shop-prod`"), "{text}");
}

#[test]
fn a_module_that_is_missing_is_to_be_required() {
    let error = app::Error::Raised {
        file: "app.py".into(),
        line: Some(1),
        message: "ModuleNotFoundError: No module named 'requests.auth'".to_owned(),
        traceback: String::new(),
    };
    let text = Failure::from(error).text();
    assert!(
        text.contains("add the package that has `requests` to requirements.txt"),
        "{text}"
    );
}

#[test]
fn an_index_that_does_not_answer_is_not_the_users_fault() {
    let error = app::Error::Index {
        url: "`https://x`".to_owned(),
        output: String::new(),
    };
    assert_eq!(Failure::from(error).exit, Exit::Outside);
}

#[test]
fn the_exit_code_tells_whose_turn_it_is() {
    let exit = |kind| Failure::from(Fault::refused("x:Y", "z", kind, String::new())).exit as i32;
    assert_eq!(exit(FaultKind::Timeout), 1);
    assert_eq!(exit(FaultKind::Foreign), 2);
    assert_eq!(exit(FaultKind::LeaseLost), 1);
}
