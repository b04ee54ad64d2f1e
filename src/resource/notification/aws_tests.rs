//! What becomes of a bucket's list.

use aws_sdk_s3::types::QueueConfiguration;

use super::*;
use crate::names::Address;

const OURS: &str = "arn:aws:lambda:eu-west-1:1:function:shop-prod-resize";
const THEIRS: &str = "arn:aws:lambda:eu-west-1:1:function:theirs";

fn wanted(events: &[&str], prefix: Option<&str>, suffix: Option<&str>) -> Notification {
    Notification {
        event: "resize-s3event".to_owned(),
        bucket: "photos".to_owned(),
        events: events.iter().map(ToString::to_string).collect(),
        prefix: prefix.map(ToOwned::to_owned),
        suffix: suffix.map(ToOwned::to_owned),
        function: Address::new("function", "resize"),
        function_name: "shop-prod-resize".to_owned(),
        permission: Address::new("permission", "resize-bucket@photos"),
    }
}

/// An entry that is recorded under an id.
fn recorded(id: &str) -> Sought {
    Sought {
        function_arn: OURS.to_owned(),
        ids: vec![id.to_owned()],
        ..Sought::default()
    }
}

/// An entry of which the state knows no id, and that the app wants so.
fn unrecorded(wanted: &LambdaFunctionConfiguration) -> Sought {
    Sought {
        scopes: vec![scope(wanted)],
        ..recorded(wanted.id().unwrap())
    }
}

fn put_in(
    list: Vec<LambdaFunctionConfiguration>,
    wanted: &LambdaFunctionConfiguration,
) -> Vec<LambdaFunctionConfiguration> {
    with_entry(list, &unrecorded(wanted), wanted)
}

fn created(arn: &str, prefix: Option<&str>) -> LambdaFunctionConfiguration {
    entry(&wanted(&["s3:ObjectCreated:*"], prefix, None), arn).unwrap()
}

#[test]
fn an_entry_of_somebody_else_stays_as_it_is() {
    let mut theirs = created(THEIRS, Some("theirs/"));
    theirs.id = Some("their id".to_owned());
    let list = put_in(vec![theirs.clone()], &created(OURS, Some("ours/")));
    assert_eq!(list, [theirs, created(OURS, Some("ours/"))]);
}

#[test]
fn an_entry_that_is_changed_keeps_its_place() {
    let before = vec![created(OURS, Some("old/")), created(THEIRS, None)];
    let list = put_in(before, &created(OURS, Some("new/")));
    assert_eq!(list, [created(OURS, Some("new/")), created(THEIRS, None)]);
}

#[test]
fn the_entry_that_chalice_made_is_changed_and_not_doubled() {
    let mut theirs = created(OURS, Some("old/"));
    theirs.id = Some("NTYx".to_owned());
    let list = put_in(vec![theirs], &created(OURS, Some("new/")));
    let mut changed = created(OURS, Some("new/"));
    changed.id = Some("NTYx".to_owned());
    assert_eq!(list, [changed]);
}

fn of_event(event: &str, prefix: &str) -> LambdaFunctionConfiguration {
    let mut wanted = wanted(&["s3:ObjectCreated:*"], Some(prefix), None);
    wanted.event = event.to_owned();
    entry(&wanted, OURS).unwrap()
}

#[test]
fn two_entries_of_one_function_are_set_and_taken_out_apart() {
    let (one, two) = (of_event("one", "one/"), of_event("two", "two/"));
    let list = put_in(put_in(Vec::new(), &one), &two);
    assert_eq!(list, [one.clone(), two.clone()]);
    let new = of_event("two", "new/");
    assert_eq!(put_in(list.clone(), &new), [one.clone(), new]);
    assert_eq!(without_entry(list, &unrecorded(&two)), [one]);
}

#[test]
fn an_entry_that_is_recorded_goes_alone_though_its_content_is_not_known() {
    let mut theirs = of_event("one", "one/");
    theirs.id = Some("NTYx".to_owned());
    let two = of_event("two", "two/");
    let list = vec![theirs.clone(), two.clone()];
    assert_eq!(
        without_entry(list.clone(), &recorded("NTYx")),
        std::slice::from_ref(&two)
    );
    assert_eq!(
        without_entry(list.clone(), &recorded(two.id().unwrap())),
        [theirs.clone()]
    );
    let unknown = Sought {
        function_arn: OURS.to_owned(),
        others: BTreeSet::from(["NTYx".to_owned()]),
        ..Sought::default()
    };
    assert_eq!(without_entry(list, &unknown), [theirs]);
}

#[test]
fn a_destination_of_somebody_else_that_s3_may_not_call_is_not_waited_for() {
    let refused = |named: &str| Fault {
        code: "InvalidArgument".to_owned(),
        ..Fault::refused(
            WRITE,
            "photos",
            FaultKind::Invalid,
            format!("{UNABLE} configurations{named}"),
        )
    };
    let waits = |named: &str| not_yet(&refused(named), Destinations::Tried(OURS)).is_some();
    assert!(waits(""));
    assert!(waits(&format!(": {THEIRS}, {OURS}")));
    assert!(!waits(&format!(": {THEIRS}")));
}

#[test]
fn an_entry_that_s3_answers_in_its_own_words_is_not_changed() {
    let shout = |name: &str| FilterRule::builder().name(FilterRuleName::from(name));
    let rules = vec![
        shout("Suffix").value(".jpg").build(),
        shout("Prefix").value("in/").build(),
    ];
    let key = S3KeyFilter::builder().set_filter_rules(Some(rules)).build();
    let answered = LambdaFunctionConfiguration::builder()
        .lambda_function_arn(OURS)
        .events(Event::from("s3:ObjectRemoved:*"))
        .events(Event::from("s3:ObjectCreated:*"))
        .filter(NotificationConfigurationFilter::builder().key(key).build())
        .build()
        .unwrap();
    let wanted = wanted(&["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], Some("in/"), Some(".jpg"));
    let list = put_in(vec![answered.clone()], &entry(&wanted, OURS).unwrap());
    assert_eq!(list, [answered]);
}

#[test]
fn entries_overlap_where_one_change_could_be_told_to_both() {
    let of = |event: &str, prefix, suffix| scope(&entry(&wanted(&[event], prefix, suffix), OURS).unwrap());
    let all = of("s3:ObjectCreated:*", None, None);
    assert!(all.overlaps(&of("s3:ObjectCreated:Put", Some("in/"), None)));
    assert!(of("s3:ObjectCreated:Put", Some("in/"), None).overlaps(&all));
    assert!(!all.overlaps(&of("s3:ObjectRemoved:*", None, None)));
    let jpg = of("s3:ObjectCreated:*", Some("in/"), Some(".jpg"));
    assert!(!jpg.overlaps(&of("s3:ObjectCreated:*", Some("out/"), Some(".jpg"))));
    assert!(!jpg.overlaps(&of("s3:ObjectCreated:*", Some("in/"), Some(".png"))));
    assert!(jpg.overlaps(&of("s3:ObjectCreated:*", Some("in/new/"), Some("x.jpg"))));
}

#[test]
fn an_overlap_names_those_whom_it_is_with() {
    let queue = QueueConfiguration::builder()
        .queue_arn("arn:aws:sqs:eu-west-1:1:uploads")
        .events(Event::from("s3:ObjectCreated:Put"))
        .build()
        .unwrap();
    let list = NotificationConfiguration::builder()
        .queue_configurations(queue)
        .lambda_function_configurations(created(THEIRS, Some("elsewhere/")))
        .lambda_function_configurations(created(OURS, Some("in/")))
        .build();
    let said = Fault::refused(
        WRITE,
        "photos",
        FaultKind::Invalid,
        "Configurations overlap.".to_owned(),
    );
    let said = overlapping(said, &list, &[created(OURS, Some("in/"))]).message;
    assert!(said.contains("`uploads`") && !said.contains("`theirs`"), "{said}");
}
