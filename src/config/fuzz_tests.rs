//! The reader of `stagewright.yaml`, and texts that are damaged.

use std::io::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::load::{load, parse_config, parsed_file};
use super::{Config, FILE, FrontEnd};
use crate::app::manifest;
use crate::app::{Error, Finding, Severity};
use crate::damage;

/// Every key that an app may have, where Chalice has no part in it.
fn rich() -> Value {
    json!({
        "app": "guestbook",
        "state": {"url": "s3://acme-deploys/stagewright", "region": "eu-west-1", "role": "arn:aws:iam::111111111111:role/state"},
        "branches": {"main": "prod", "develop": "beta", "release/*": "release-{1}", "feature/**": "{1}"},
        "pull_requests": {
            "base": ["main", "release/*"], "drafts": false, "label": "preview", "comment": "on-change", "expire_after": "14d",
            "keep_label": "keep", "limit": 5, "aws": {"region": "eu-west-1", "role": "arn:aws:iam::222222222222:role/previews"},
            "event_sources": ["schedule", "api"], "role": "own",
        },
        "stages": {"prod": {
            "protected": true, "aws": {"region": "eu-west-1", "role": "arn:aws:iam::111111111111:role/deployer"},
            "environment": {"LOG_LEVEL": "warn"},
            "functions": {"api": {"memory_mib": 1024, "timeout_s": 9, "environment": {"SIZE": 1}, "reserved_concurrency": 3,
                "log_retention_days": 365, "tracing": false, "url": false}},
            "api": {"domain": {"name": "api.example.com", "certificate_arn": "arn:aws:acm:eu-west-1:111111111111:certificate/1"}},
        }},
        "functions": {"api": {
            "runtime": "provided.al2023", "architecture": "arm64", "handler": "bootstrap", "code": "src", "build": "true",
            "memory_mib": 256, "timeout_s": 30, "environment": {"TABLE": "guests", "TOKEN": "${env:TOKEN}"},
            "policy": [{"actions": ["dynamodb:GetItem"], "resources": ["*"], "effect": "Allow", "conditions": {"Bool": {"a": "b"}}}],
            "layers": ["arn:aws:lambda:eu-west-1:111111111111:layer:tools:3"],
            "vpc": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}, "tracing": true, "reserved_concurrency": 5,
            "tags": {"team": "red"}, "log_retention_days": 30, "url": {"access": "iam", "cors": {"allow_methods": ["GET"], "max_age": 9}},
            "events": [
                {"schedule": "rate(1 hour)", "description": "hourly"}, {"pattern": {"source": ["aws.ecs"]}},
                {"bucket": {"name": "uploads-${stage}", "events": ["s3:ObjectCreated:*"], "prefix": "in/"}}, {"topic": "news"},
                {"queue": {"name": "jobs", "batch_size": 20, "window_s": 1, "maximum_concurrency": 2}},
                {"stream": {"kinesis": "clicks", "starting_position": "TRIM_HORIZON"}},
            ],
        }},
        "http": {"routes": {"GET /": "api", "$default": "api"}, "cors": true},
        "websocket": {"stage_name": "live", "routes": {"$connect": "api", "say": "api"}},
        "routes": {"GET /": "api", "POST /guests/{id}": "api", "ANY /files/{proxy+}": "api"},
        "cors": {"allow_origin": "https://notes.example.com", "allow_headers": ["X-Note-Version"], "max_age": 600},
        "api": {"stage_name": "api"},
    })
}

/// The configs of our own examples.
fn examples() -> Vec<Vec<u8>> {
    let folder = std::env::current_dir().unwrap().join("tests/fixtures/manifest");
    let example = |app| std::fs::read(folder.join(app).join(FILE)).unwrap();
    vec![example("guestbook"), example("python"), example("shop")]
}

/// What a person is told is one line, about a place that is in the text.
fn is_about(finding: &Finding, text: &[u8]) -> Result<(), TestCaseError> {
    prop_assert!(!finding.message.is_empty());
    prop_assert!(!finding.message.contains('\n'), "{finding}");
    let text = String::from_utf8_lossy(text);
    // Of the old line breaks the readers think differently.
    let is_placed = finding.file.ends_with(FILE) && !text.contains('\r');
    if let (Some((line, column)), true) = (finding.place, is_placed) {
        let lines: Vec<&str> = text.split('\n').collect();
        // What is missing at the end is missing behind the last line.
        prop_assert!((1..=lines.len() + 1).contains(&line), "{finding}");
        let length = lines.get(line - 1).map_or(0, |line| line.chars().count());
        let is_inside = (1..=length + 1).contains(&column);
        prop_assert!(is_inside || line >= lines.len(), "{finding}: {length}");
    }
    Ok(())
}

fn are_told(error: &Error, text: &[u8]) -> Result<(), TestCaseError> {
    let Error::Findings(findings) = error else {
        return Err(TestCaseError::fail(format!("no findings, but {error:?}")));
    };
    prop_assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
    findings.iter().try_for_each(|finding| is_about(finding, text))
}

/// Does some work with as much stack as the main thread of a program has; a test's thread has a quarter of it, and frames
/// that are not optimized take more of it than any release would.
fn on_a_main_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(8 << 20);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

/// Reads the file of a folder as a deploy of `prod` would.
fn deployed(bytes: &[u8]) -> Result<Config, Error> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let mut file = std::fs::File::create(folder.path().join(FILE)).unwrap();
    file.write_all(bytes).unwrap();
    let project = load(folder.path())?;
    if let FrontEnd::Manifest(manifest) = &project.front_end {
        manifest::read::read(manifest, &"prod".parse().unwrap(), &|_| Ok("secret".to_owned()))?;
    }
    Ok(project.config)
}

fn is_told_or_read(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Err(error) = deployed(bytes) {
        are_told(&error, bytes)?;
    }
    // The default branch's file is read from its text alone.
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(error) = parse_config(text)
    {
        are_told(&error, bytes)?;
    }
    Ok(())
}

#[test]
fn what_is_damaged_here_is_sound_before() {
    let told = deployed(rich().to_string().as_bytes()).err();
    assert_eq!(told.map(|error| error.to_string()), None);
    for example in examples() {
        assert!(parsed_file(&example).is_ok());
    }
}

proptest! {
    #![proptest_config(damage::cases(50))]

    #[test]
    fn a_config_with_damaged_values_is_told_where_it_is_wrong(document in damage::bytes(vec![rich()])) {
        on_a_main_stack(|| is_told_or_read(&document.0))?;
    }

    #[test]
    fn a_config_with_damaged_text_is_told_where_it_is_wrong(document in damage::texts(examples())) {
        on_a_main_stack(|| is_told_or_read(&document.0))?;
    }
}

#[test]
fn a_config_that_is_damaged_beyond_all_measure_is_told_as_any_other() {
    for bytes in damage::monsters(1_000_000) {
        on_a_main_stack(|| {
            let error = parsed_file(&bytes).unwrap_err();
            are_told(&error, &bytes).unwrap();
        });
    }
}

#[test]
fn a_config_that_grows_by_its_own_aliases_is_refused() {
    let level = |n: u32| format!("x{n}: &x{n} [{}]\n", vec![format!("*x{}", n - 1); 10].join(", "));
    let laughter: String = (1..20).map(level).collect();
    let text = format!("app: guestbook\nx0: &x0 ha\n{laughter}");
    let error = parsed_file(text.as_bytes()).unwrap_err();
    are_told(&error, text.as_bytes()).unwrap();
}
