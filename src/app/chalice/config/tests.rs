//! Chalice's rules of precedence, and the flaws that a config file can have.

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
    write(folder.path(), "policy-dev.json", r#"{"Statement": []}"#);
    assert_eq!(messages(), "");
    let role = config.function(&stage("dev"), "f").unwrap().role;
    assert_eq!(role, RoleSource::Own(serde_json::json!({"Statement": []})));
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
        &format!(r#"{{"Statement": ["{}"]}}"#, "x".repeat(10_240)),
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
