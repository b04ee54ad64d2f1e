//! What becomes of a bucket's list.

use aws_sdk_s3::types::QueueConfiguration;

use super::*;
use crate::names::Address;

const OURS: &str = "arn:aws:lambda:eu-west-1:1:function:shop-prod-resize";
const THEIRS: &str = "arn:aws:lambda:eu-west-1:1:function:theirs";

fn wanted(events: &[&str], prefix: Option<&str>, suffix: Option<&str>) -> Notification {
    Notification {
        bucket: "photos".to_owned(),
        events: events.iter().map(ToString::to_string).collect(),
        prefix: prefix.map(ToOwned::to_owned),
        suffix: suffix.map(ToOwned::to_owned),
        function: Address::new("function", "resize"),
        function_name: "shop-prod-resize".to_owned(),
        permission: Address::new("permission", "resize-s3event"),
    }
}

fn created(arn: &str, prefix: Option<&str>) -> LambdaFunctionConfiguration {
    entry(&wanted(&["s3:ObjectCreated:*"], prefix, None), arn).unwrap()
}

#[test]
fn an_entry_of_somebody_else_stays_as_it_is() {
    let mut theirs = created(THEIRS, Some("theirs/"));
    theirs.id = Some("their id".to_owned());
    let list = with_entry(vec![theirs.clone()], &created(OURS, Some("ours/")));
    assert_eq!(list, [theirs, created(OURS, Some("ours/"))]);
}

#[test]
fn an_entry_that_is_changed_keeps_its_id_and_place() {
    let mut before = created(OURS, Some("old/"));
    before.id = Some("an id of S3".to_owned());
    let list = with_entry(vec![before, created(THEIRS, None)], &created(OURS, Some("new/")));
    assert_eq!(list[0].id(), Some("an id of S3"));
    assert_eq!(scope(&list[0]), scope(&created(OURS, Some("new/"))));
    assert_eq!(list[1], created(THEIRS, None));
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
    let list = with_entry(vec![answered.clone()], &entry(&wanted, OURS).unwrap());
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
