//! Chalice's rules of precedence, and the flaws that a config file can have.

use serde_json::json;

use super::*;

fn project(config: &str) -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "config.json", config);
    let config = Config::read(folder.path()).unwrap();
    (folder, config)
}

fn write(project: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(project.join(".chalice")).unwrap();
    let mut file = std::fs::File::create(project.join(".chalice").join(name)).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

fn stage(name: &str) -> StageName {
    name.parse().unwrap()
}

fn messages(config: &str) -> Vec<String> {
    let (_folder, config) = project(config);
    let findings = config.findings(&stage("dev"), None);
    findings.iter().map(ToString::to_string).collect()
}

fn memory(config: &str, of_stage: &str, function: &str) -> u32 {
    let (_folder, config) = project(config);
    config.function(&stage(of_stage), function).unwrap().memory_mib
}

#[test]
fn a_function_of_the_stage_wins_over_the_stage_and_the_stage_over_a_function_at_the_top() {
    let config = r#"{"app_name": "a", "lambda_memory_size": 1000,
        "lambda_functions": {"f": {"lambda_memory_size": 2000}, "g": {"lambda_memory_size": 2500}},
        "stages": {"dev": {"lambda_memory_size": 3000, "lambda_functions": {"f": {"lambda_memory_size": 4000}}}}}"#;
    assert_eq!(memory(config, "dev", "f"), 4000);
    assert_eq!(memory(config, "dev", "g"), 3000);
    assert_eq!(memory(config, "prod", "f"), 2000);
    assert_eq!(memory(config, "prod", "h"), 1000);
    assert_eq!(memory(r#"{"app_name": "a"}"#, "dev", "f"), 128);
}

/// A key that varies by function, and a value of it for each of the places where it may stand, by rank.
fn varying_by_function() -> Vec<(&'static str, [Value; 4])> {
    let numbers = |of: [u64; 4]| of.map(|number| json!(number));
    let texts = |prefix: &str| ["a", "b", "c", "d"].map(|end| json!(format!("{prefix}{end}")));
    let lists = |prefix: &str| texts(prefix).map(|text| json!([text]));
    let switches = || [true, false, true, false].map(Value::Bool);
    vec![
        ("lambda_timeout", numbers([1, 2, 3, 4])),
        ("lambda_memory_size", numbers([128, 256, 512, 1024])),
        ("reserved_concurrency", numbers([0, 1, 2, 3])),
        ("log_retention_in_days", numbers([1, 3, 5, 7])),
        ("layers", lists("layer-")),
        ("subnet_ids", lists("subnet-")),
        ("security_group_ids", lists("sg-")),
        ("iam_policy_file", texts("policy-")),
        ("iam_role_arn", texts("arn:")),
        ("xray", switches()),
        ("autogen_policy", switches()),
        ("manage_iam_role", switches()),
    ]
}

/// What a function is configured with, as far as a key decides it.
fn seen(config: &Config, key: &str) -> Value {
    let function = config.function(&stage("dev"), "f");
    let settings = |read: fn(FunctionSettings) -> Value| function.map_or(Value::Null, read);
    match key {
        "lambda_timeout" => settings(|of| json!(of.timeout_s)),
        "lambda_memory_size" => settings(|of| json!(of.memory_mib)),
        "reserved_concurrency" => settings(|of| json!(of.reserved_concurrency)),
        "log_retention_in_days" => settings(|of| json!(of.log_retention_days)),
        "layers" => settings(|of| json!(of.layers)),
        "subnet_ids" => settings(|of| json!(of.vpc.unwrap().subnet_ids)),
        "security_group_ids" => settings(|of| json!(of.vpc.unwrap().security_group_ids)),
        "iam_policy_file" => settings(|of| match of.role {
            RoleSource::Own(policy) => policy["Id"].clone(),
            RoleSource::Generated | RoleSource::Given(_) => Value::Null,
        }),
        "iam_role_arn" => settings(|of| match of.role {
            RoleSource::Given(arn) => json!(arn),
            RoleSource::Generated | RoleSource::Own(_) => Value::Null,
        }),
        "xray" => settings(|of| json!(of.tracing == Tracing::Active)),
        "autogen_policy" => settings(|of| json!(of.role == RoleSource::Generated)),
        "manage_iam_role" => settings(|of| json!(!matches!(of.role, RoleSource::Given(_)))),
        other => panic!("{other}"),
    }
}

/// What else must be said for a key to decide anything.
fn beside(key: &str) -> &'static [(&'static str, &'static str)] {
    match key {
        "subnet_ids" => &[("security_group_ids", r#"["sg-1"]"#)],
        "security_group_ids" => &[("subnet_ids", r#"["subnet-1"]"#)],
        "iam_policy_file" => &[("autogen_policy", "false")],
        "iam_role_arn" => &[("manage_iam_role", "false")],
        "manage_iam_role" => &[("iam_role_arn", r#""arn:x""#)],
        _ => &[],
    }
}

#[test]
fn every_key_of_a_function_is_found_at_every_level_and_the_highest_wins() {
    for (key, values) in varying_by_function() {
        for levels in 1_u8..16 {
            let at = |rank: usize| (levels & (1 << rank) != 0).then(|| values[rank].clone());
            let settings = |rank| at(rank).map_or_else(|| json!({}), |value| json!({ key: value }));
            let mut stage_settings = settings(1);
            stage_settings["lambda_functions"] = json!({"f": settings(0), "other": {key: null}});
            let mut top = settings(3);
            top["app_name"] = json!("a");
            top["stages"] = json!({"dev": stage_settings});
            top["lambda_functions"] = json!({"f": settings(2)});
            for (other, value) in beside(key) {
                top[*other] = serde_json::from_str(value).unwrap();
            }
            let (folder, config) = project(&top.to_string());
            for name in ["policy-a", "policy-b", "policy-c", "policy-d", "policy-dev.json"] {
                write(folder.path(), name, &json!({"Id": name, "Statement": []}).to_string());
            }
            let highest = (0..4).find_map(at).unwrap();
            assert_eq!(seen(&config, key), highest, "{key}, levels {levels:04b}");
        }
    }
}

#[test]
fn every_key_of_a_stage_is_found_there_and_at_the_top_and_not_in_a_function() {
    let domain = |name: &str| json!({"domain_name": name, "certificate_arn": "arn"});
    for (key, of_stage, of_top) in [
        ("api_gateway_stage", json!("one"), json!("two")),
        ("api_gateway_endpoint_type", json!("REGIONAL"), json!("PRIVATE")),
        ("lambda_architecture", json!("arm64"), json!("x86_64")),
        ("minimum_compression_size", json!(0), json!(5)),
        ("automatic_layer", json!(true), json!(false)),
        ("api_gateway_custom_domain", domain("one"), domain("two")),
        ("websocket_api_custom_domain", domain("one"), domain("two")),
    ] {
        let read = |config: Value| {
            let (_folder, config) = project(&config.to_string());
            format!("{:?}", config.stage(&stage("dev")).unwrap())
        };
        let in_function = json!({"api_handler": {key: of_stage}});
        let stages = json!({"dev": {"lambda_functions": in_function}});
        let plain = read(json!({"app_name": "a"}));
        let ignored = read(json!({"app_name": "a", "lambda_functions": in_function, "stages": stages}));
        assert_eq!(ignored, plain, "{key}");
        let top = read(json!({"app_name": "a", key: of_top}));
        let stage_only = read(json!({"app_name": "a", "stages": {"dev": {key: of_stage}}}));
        let both = read(json!({"app_name": "a", key: of_top, "stages": {"dev": {key: of_stage}}}));
        assert_eq!(both, stage_only, "{key}");
        assert_ne!(both, top, "{key}");
        let unset = read(json!({"app_name": "a", key: of_top, "stages": {"dev": {key: null}}}));
        assert_eq!(unset, top, "{key}");
    }
}

#[test]
fn a_domain_is_read_with_all_its_fields() {
    let config = r#"{"app_name": "a", "websocket_api_custom_domain": {"domain_name": "talk.example.com",
        "certificate_arn": "arn:aws:acm:eu-west-1:111111111111:certificate/1", "url_prefix": "/v1/",
        "tls_version": "TLS_1_0", "tags": {"team": "guests"}}}"#;
    assert_eq!(messages(config), Vec::<String>::new());
    let (_folder, config) = project(config);
    let domain = config.stage(&stage("dev")).unwrap().websocket_domain.unwrap();
    assert_eq!(domain.path.as_deref(), Some("v1"));
    assert_eq!(domain.tls_version, "TLS_1_0");
    assert_eq!(domain.tags["team"], "guests");
    for none in ["/", "(none)", ""] {
        let config = json!({"app_name": "a", "api_gateway_custom_domain": {"domain_name": "a.b", "certificate_arn": "c", "url_prefix": none}});
        let (_folder, config) = project(&config.to_string());
        let domain = config.stage(&stage("dev")).unwrap().api_domain.unwrap();
        assert_eq!((domain.path, domain.tls_version.as_str()), (None, "TLS_1_2"), "{none}");
    }
}

#[test]
fn what_api_gateway_would_refuse_of_a_domain_is_told_at_its_key() {
    let arn = "arn:aws:acm:us-east-1:111111111111:certificate/1";
    let one = |key: &str, value: Value, told: &str| {
        let mut domain = json!({"domain_name": "api.example.com", "certificate_arn": arn});
        domain[key] = value;
        let config = json!({"app_name": "a", "api_gateway_custom_domain": domain});
        let messages = messages(&serde_json::to_string_pretty(&config).unwrap());
        assert!(
            messages.len() == 1 && messages[0].contains(told),
            "{key}: {messages:#?}"
        );
        assert!(!messages[0].starts_with(".chalice/config.json:1:1"), "{messages:#?}");
    };
    one(
        "domain_name",
        json!("https://api.example.com"),
        "is not a domain, as `api.example.com` is",
    );
    one(
        "domain_name",
        json!(5),
        "`api_gateway_custom_domain.domain_name` must be text, and is 5",
    );
    one(
        "domain_name",
        json!(null),
        "`api_gateway_custom_domain` has no `domain_name`",
    );
    one(
        "certificate_arn",
        json!("mine"),
        "`mine` is not the ARN of a certificate",
    );
    let elsewhere = "arn:aws:acm:eu-west-1:111111111111:certificate/1";
    one(
        "certificate_arn",
        json!(elsewhere),
        "must be in us-east-1, and is in eu-west-1",
    );
    one("tls_version", json!("TLS_1_1"), "API Gateway has no `TLS_1_1`");
    one(
        "tls_version",
        json!("1.3"),
        "Chalice does not know `1.3`, and takes `TLS_1_2`",
    );
    one("url_prefix", json!("a/b"), "`a/b` is not one segment of a path");
    one(
        "tags",
        json!({"team": 1}),
        "`api_gateway_custom_domain.tags.team` must be text, and is 1",
    );
    one("tags", json!({"aws:team": "x"}), "AWS keeps `aws:` for itself");
    one(
        "domain_nam",
        json!("x"),
        "unknown key `domain_nam` in `api_gateway_custom_domain`",
    );
    let (_folder, config) = project(r#"{"app_name": "a", "api_gateway_custom_domain": {"urlprefix": "x"}}"#);
    let findings = config.findings(&stage("dev"), None);
    assert_eq!(findings.len(), 3, "{findings:#?}");
    assert!(
        findings
            .iter()
            .any(|finding| finding.hint.as_deref() == Some("did you mean `url_prefix`?"))
    );
}

#[test]
fn one_domain_does_not_lead_to_two_kinds_of_apis() {
    let domain = json!({"domain_name": "a.example.com", "certificate_arn": "arn:aws:acm:us-east-1:1:certificate/1"});
    let config = json!({"app_name": "a", "api_gateway_custom_domain": domain, "websocket_api_custom_domain": domain});
    let messages = messages(&config.to_string());
    assert!(
        messages.len() == 1 && messages[0].contains("REST APIs or to websocket APIs"),
        "{messages:#?}"
    );
}

#[test]
fn a_log_is_kept_for_days_that_cloudwatch_knows_and_zero_is_not_set() {
    let told = messages("{\"app_name\": \"a\",\n\"log_retention_in_days\": 8}");
    assert!(
        told.len() == 1 && told[0].contains(":2:1: a log cannot be kept for 8 days, but for 7 or 14"),
        "{told:#?}"
    );
    let config = r#"{"app_name": "a", "log_retention_in_days": 7, "stages": {"dev": {"log_retention_in_days": 0}}}"#;
    assert_eq!(messages(config), Vec::<String>::new());
    let (_folder, config) = project(config);
    assert_eq!(config.function(&stage("dev"), "f").unwrap().log_retention_days, None);
    assert_eq!(
        config.function(&stage("prod"), "f").unwrap().log_retention_days,
        Some(7)
    );
}

#[test]
fn the_layer_of_the_dependencies_is_one_of_the_five_that_a_function_may_have() {
    let layer = "arn:aws:lambda:eu-west-1:111111111111:layer:l:1";
    let config = json!({"app_name": "a", "automatic_layer": true, "layers": vec![layer; 5]}).to_string();
    assert_eq!(messages(&config), Vec::<String>::new());
    let (_folder, config) = project(&config);
    let findings = config.layer_findings(&stage("dev"), &["api_handler", "f"]);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].message.starts_with("6 layers, and 5 is the limit"),
        "{findings:#?}"
    );
}

#[test]
fn null_is_not_set_and_zero_is() {
    let config = r#"{"app_name": "a", "reserved_concurrency": 5, "xray": true,
        "stages": {"dev": {"reserved_concurrency": 0, "xray": false}, "prod": {"reserved_concurrency": null}}}"#;
    let (_folder, config) = project(config);
    let of = |name| config.function(&stage(name), "f").unwrap();
    assert_eq!(of("dev").reserved_concurrency, Some(0));
    assert_eq!(of("dev").tracing, Tracing::PassThrough);
    assert_eq!(of("prod").reserved_concurrency, Some(5));
    assert_eq!(of("prod").tracing, Tracing::Active);
}

#[test]
fn environment_and_tags_are_merged_and_those_of_a_function_at_the_top_have_no_effect() {
    let config = r#"{"app_name": "a", "environment_variables": {"AA": "top", "BB": "top"}, "tags": {"t": "top"},
        "lambda_functions": {"f": {"environment_variables": {"AA": "function"}, "tags": {"t": "function"}}},
        "stages": {"dev": {"environment_variables": {"BB": "stage", "CC": "stage"},
            "lambda_functions": {"f": {"environment_variables": {"CC": "stage function"}}}}}}"#;
    let (_folder, config) = project(config);
    let environment = config.environment(&stage("dev"), "f");
    let pairs: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(pairs, [("AA", "top"), ("BB", "stage"), ("CC", "stage function")]);
    let function = config.function(&stage("dev"), "f").unwrap();
    assert_eq!(function.tags["t"], "top");
    let findings = config.findings(&stage("dev"), None);
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].place, Some((2, 36)));
    assert!(
        findings[0]
            .to_string()
            .contains("`environment_variables` has no effect here")
    );
}

#[test]
fn lists_replace_each_other() {
    let config = r#"{"app_name": "a", "layers": ["one", "two"], "stages": {"dev": {"layers": ["three"]}}}"#;
    let (_folder, config) = project(config);
    assert_eq!(config.function(&stage("dev"), "f").unwrap().layers, ["three"]);
}

#[test]
fn all_wrong_types_are_found_at_once_each_at_its_key() {
    let config = "{\n  \"app_name\": \"a\",\n  \"lambda_timeout\": \"60\",\n  \"stages\": {\"dev\": {\n    \
        \"environment_variables\": {\"DEBUG\": true},\n    \"xray\": 1,\n    \"lambda_memory_size\": 64}}\n}";
    let expected = [
        ".chalice/config.json:3:3: `lambda_timeout` must be a whole number of seconds, 1 to 900, and is the text \"60\"",
        ".chalice/config.json:5:31: `environment_variables.DEBUG` must be text, and is true",
        ".chalice/config.json:6:5: `xray` must be true or false, and is 1",
        ".chalice/config.json:7:5: `lambda_memory_size` must be a whole number of MiB, 128 to 10240, and is 64",
    ];
    assert_eq!(messages(config), expected);
}

#[test]
fn an_unknown_key_is_a_warning_with_the_nearest_known_one() {
    let (_folder, config) = project(r#"{"app_name": "a", "lambda_memory": 128, "stages": {"dev": {"zzz": 1}}}"#);
    let findings = config.findings(&stage("dev"), None);
    assert_eq!(findings[0].hint.as_deref(), Some("did you mean `lambda_memory_size`?"));
    assert_eq!(findings[1].hint, None);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Warning));
}

#[test]
fn flaws_of_another_stage_are_not_this_ones() {
    let config = r#"{"app_name": "a", "stages": {"prod": {"xray": 1}}}"#;
    assert_eq!(messages(config), Vec::<String>::new());
    let (_folder, config) = project(config);
    assert_eq!(config.stages(), ["prod"]);
    assert_eq!(config.findings(&stage("prod"), None).len(), 1);
}

#[test]
fn half_a_vpc_is_refused_where_the_half_stands() {
    let config = r#"{"app_name": "a", "stages": {"dev": {"subnet_ids": ["subnet-1"]}}}"#;
    assert_eq!(
        messages(config),
        [".chalice/config.json:1:38: function `api_handler` has half of a VPC: `security_group_ids` is missing"]
    );
}

#[test]
fn a_role_of_the_users_own_needs_its_arn() {
    let config = r#"{"app_name": "a", "manage_iam_role": false}"#;
    assert!(messages(config)[0].contains("has no `iam_role_arn`"));
    let config = r#"{"app_name": "a", "manage_iam_role": false, "iam_role_arn": "arn:x"}"#;
    let (_folder, config) = project(config);
    let role = config.function(&stage("dev"), "f").unwrap().role;
    assert_eq!(role, RoleSource::Given("arn:x".to_owned()));
}

#[test]
fn a_policy_file_must_exist_and_be_json() {
    let (folder, config) = project(r#"{"app_name": "a", "autogen_policy": false}"#);
    let messages = || {
        config
            .findings(&stage("dev"), None)
            .iter()
            .map(ToString::to_string)
            .collect::<String>()
    };
    assert!(messages().ends_with("policy file `.chalice/policy-dev.json`: it does not exist"));
    write(folder.path(), "policy-dev.json", "{");
    assert!(messages().contains("it is no JSON"), "{}", messages());
    write(
        folder.path(),
        "policy-dev.json",
        r#"{"Statement": [{"Effect": "allow"}]}"#,
    );
    assert!(messages().contains("neither `Allow` nor `Deny`"), "{}", messages());
    write(folder.path(), "policy-dev.json", r#"{"Statement": []}"#);
    assert_eq!(messages(), "");
    let role = config.function(&stage("dev"), "f").unwrap().role;
    assert_eq!(role, RoleSource::Own(serde_json::json!({"Statement": []})));
}

#[test]
fn a_policy_file_outside_of_the_project_is_not_read() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let (folder, config) = project(r#"{"app_name": "a", "autogen_policy": false}"#);
    std::os::unix::fs::symlink(outside.path(), folder.path().join(".chalice/policy-dev.json")).unwrap();
    let findings = config.findings(&stage("dev"), None);
    assert!(
        findings[0].message.ends_with("it lies outside of the repository"),
        "{findings:?}"
    );
}

#[test]
fn a_private_endpoint_says_who_may_enter() {
    let of = |rest: &str| messages(&format!(r#"{{"app_name": "a", {rest}}}"#));
    assert!(of(r#""api_gateway_endpoint_type": "PRIVATE""#)[0].contains("needs `api_gateway_endpoint_vpce`"));
    assert!(of(r#""api_gateway_endpoint_vpce": "vpce-1""#)[0].contains("of no use to an EDGE endpoint"));
    let config = r#"{"app_name": "a", "api_gateway_endpoint_type": "PRIVATE", "api_gateway_endpoint_vpce": "vpce-1"}"#;
    let (_folder, config) = project(config);
    let policy = config.stage(&stage("dev")).unwrap().api_policy.unwrap();
    assert_eq!(
        policy["Statement"][0]["Condition"]["StringEquals"]["aws:SourceVpce"],
        "vpce-1"
    );
}

#[test]
fn what_lambda_or_iam_would_refuse_is_found_at_its_key() {
    let of = |rest: &str| messages(&format!("{{\"app_name\": \"a\",\n{rest}}}"));
    let one = |rest: &str, told: &str| {
        let messages = of(rest);
        let expected = format!(".chalice/config.json:{told}");
        assert!(
            messages.len() == 1 && messages[0].starts_with(&expected),
            "{rest}: {messages:#?}"
        );
    };
    one(
        r#""environment_variables": {"AWS_REGION": "x"}"#,
        "2:27: `AWS_REGION` is set by Lambda itself",
    );
    one(r#""environment_variables": {"1A": "x"}"#, "2:27: `1A` cannot name");
    let long = "x".repeat(4096);
    let whole = "2:1: the environment of `api_handler` has 4098 bytes";
    one(&format!(r#""environment_variables": {{"AB": "{long}"}}"#), whole);
    one(r#""tags": {"aws:x": "y"}"#, "2:10: tag `aws:x`: AWS keeps");
    one(
        r#""layers": ["numpy"]"#,
        "2:12: `numpy` is not the ARN of a layer version",
    );
    let layer = r#""arn:aws:lambda:eu-west-1:111111111111:layer:l:1""#;
    one(
        &format!("\"layers\": [{}]", [layer; 6].join(",")),
        "2:1: 6 layers, and 5",
    );
    one(
        r#""manage_iam_role": false, "iam_role_arn": "me""#,
        "2:27: `me` is not the ARN of a role",
    );
    one(
        r#""subnet_ids": ["sg-1"], "security_group_ids": ["sg-1"]"#,
        "2:16: `sg-1` in `subnet_ids` does not begin with `subnet-`",
    );
    one(
        r#""lambda_functions": {"f": {"lambda_timeout": 901}}"#,
        "2:28: `lambda_timeout` must be",
    );
    one(
        r#""stages": {"feature/x": {}}"#,
        "2:12: stage name `feature/x` has the character `/`",
    );
    assert_eq!(
        of(&format!("\"layers\": [{}]", [layer; 5].join(","))),
        Vec::<String>::new()
    );
}

#[test]
fn a_policy_of_ones_own_may_be_as_long_as_iam_takes_it() {
    let (folder, config) = project(r#"{"app_name": "a", "autogen_policy": false}"#);
    write(
        folder.path(),
        "policy-dev.json",
        &format!(
            r#"{{"Statement": {{"Effect": "Allow", "Action": "{}", "Resource": "*"}}}}"#,
            "x".repeat(10_240)
        ),
    );
    let findings = config.findings(&stage("dev"), None);
    assert!(
        findings[0].message.contains("characters, and 10240 is the limit"),
        "{findings:?}"
    );
}

#[test]
fn a_file_without_an_object_or_a_name_is_told_once_and_with_a_hint() {
    for text in ["[]", "{}", "null", r#"{"app_name": null}"#, r#"{"app_name": 7}"#] {
        let (_folder, config) = project(text);
        let findings = config.findings(&stage("dev"), None);
        assert_eq!(findings.len(), 1, "{text}: {findings:#?}");
        let Err(Error::Findings(named)) = config.app_name() else {
            panic!("{text} has a name");
        };
        assert_eq!(named[0].message, findings[0].message);
        assert_eq!(named[0].hint, findings[0].hint);
    }
}

#[test]
fn a_function_that_the_app_does_not_have_is_a_warning() {
    let (_folder, config) = project(r#"{"app_name": "a", "lambda_functions": {"wroker": {"lambda_timeout": 5}}}"#);
    let findings = config.findings(&stage("dev"), Some(&["worker"]));
    assert_eq!(findings[0].message, "the app has no function `wroker`");
    assert_eq!(findings[0].hint.as_deref(), Some("did you mean `worker`?"));
}

#[test]
fn a_file_that_is_no_json_or_has_no_name_is_an_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Config::read(folder.path()), Err(Error::File { .. })));
    write(folder.path(), "config.json", "{\n  \"version\": \"2.0\",\n}");
    let error = Config::read(folder.path()).unwrap_err().to_string();
    assert_eq!(error, ".chalice/config.json:3:1: this is no JSON: trailing comma");
    assert_eq!(messages("{}"), [".chalice/config.json:1:1: `app_name` is missing"]);
    assert!(messages(r#"{"app_name": "a b"}"#)[0].contains("the character ` `"));
    assert!(messages(r#"{"app_name": "a", "version": "2.1"}"#)[0].contains("up to 2.0"));
}

#[test]
fn a_stage_with_an_impossible_name_is_a_warning_for_the_others() {
    let (_folder, config) = project(r#"{"version": "2.0", "app_name": "a", "stages": {"dev": {}, "my.stage": {}}}"#);
    let findings = config.findings(&stage("dev"), None);
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.to_string().contains("`my.stage`"), "{finding}");
}

#[test]
fn a_key_that_stands_twice_is_a_warning_where_the_second_stands() {
    let twice = "{\"version\": \"2.0\", \"app_name\": \"a\",\n \"lambda_timeout\": 10,\n \"lambda_timeout\": 20}";
    let (_folder, config) = project(twice);
    let findings = config.findings(&stage("dev"), None);
    let told: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            ".chalice/config.json:3:2: the key `lambda_timeout` stands here a second time, and the former one has no effect"
        ]
    );
    assert_eq!(findings[0].severity, Severity::Warning);
}
