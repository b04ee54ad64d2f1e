//! What Lambda, API Gateway and IAM refuse, found before the first call: pure rules, one value each, for every front-end.
//!
//! Each says what is wrong, and the front-end where. Limits:
//! <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.

use super::Severity;
use super::flaws::did_you_mean;

pub mod domains;
pub mod events;

/// What is wrong with a value; `Ok` where nothing is.
pub type Verdict = Result<(), String>;

/// A rule for a text.
pub type Rule = fn(&str) -> Verdict;

/// Runtimes that Lambda had when this was written; another version of their families may be a newer one.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>.
const RUNTIMES: [&str; 22] = [
    "provided.al2023",
    "provided.al2",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "nodejs24.x",
    "nodejs22.x",
    "nodejs20.x",
    "nodejs18.x",
    "java25",
    "java21",
    "java17",
    "java11",
    "java8.al2",
    "dotnet10",
    "dotnet8",
    "ruby3.4",
    "ruby3.3",
    "ruby3.2",
];

/// Layers that a function may have.
const LAYERS: usize = 5;

/// Bytes that all names and values of a function may have together.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const LIMIT_BYTES: usize = 4096;

/// Days for which CloudWatch keeps a log, from few to many.
/// See <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>.
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Names that Lambda sets itself and refuses.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Characters that the inline policies of a role may have together, white space not counted.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
const POLICY_LENGTH: usize = 10_240;

/// Whether Lambda takes a memory size, in MiB.
pub fn check_memory(memory_mib: u32) -> Verdict {
    match memory_mib {
        128..=10_240 => Ok(()),
        _ => Err(format!("memory of {memory_mib} MiB is outside 128 to 10240 MiB")),
    }
}

/// Whether Lambda takes a time limit, in seconds.
pub fn check_timeout(timeout_s: u32) -> Verdict {
    match timeout_s {
        1..=900 => Ok(()),
        _ => Err(format!("timeout of {timeout_s} s is outside 1 to 900 s")),
    }
}

/// What is wrong with a runtime, how bad it is, and what was probably meant.
pub fn runtime_flaw(name: &str) -> Option<(Severity, String, Option<String>)> {
    if RUNTIMES.contains(&name) {
        return None;
    }
    let severity = if is_of_a_known_family(name) {
        Severity::Warning
    } else {
        Severity::Error
    };
    let message = format!("`{name}` is not a runtime that is known of");
    Some((severity, message, did_you_mean(name, RUNTIMES)))
}

/// A family is what stands before the version: a version may be newer, or older, than we know of.
fn is_of_a_known_family(runtime: &str) -> bool {
    let family = |name: &str| name.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    let own = &runtime[..runtime.len() - family(runtime)];
    let mut known = RUNTIMES.iter().map(|name| &name[..name.len() - family(name)]);
    own.len() < runtime.len() && (own == "go" || known.any(|known| known == own))
}

/// Whether Lambda takes a handler.
pub fn check_handler(handler: &str) -> Verdict {
    match handler.chars().count() {
        length @ 129.. => Err(format!("the handler has {length} characters, and 128 is the limit")),
        0 => Err("the handler is empty or has white space".to_owned()),
        _ if handler.contains(char::is_whitespace) => Err("the handler is empty or has white space".to_owned()),
        _ => Ok(()),
    }
}

/// Whether a function may have a number of layers.
pub fn check_layer_count(count: usize) -> Verdict {
    if count <= LAYERS {
        return Ok(());
    }
    Err(format!("{count} layers, and {LAYERS} is the limit"))
}

/// Whether a text is the ARN of a layer version.
pub fn check_layer(arn: &str) -> Verdict {
    let parts: Vec<_> = arn.split(':').collect();
    let is_version = match parts.as_slice() {
        ["arn", _, "lambda", _, _, "layer", _, version] => version.parse::<u32>().is_ok(),
        // AWS's own, which are of no account.
        ["arn", _, "lambda", "", "", "awslayer", _] => true,
        _ => false,
    };
    if is_version {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a layer version, `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`"
    ))
}

/// Whether an id of a network begins as those of its kind do: `subnet-` or `sg-`.
pub fn check_network_id(key: &str, prefix: &str, id: &str) -> Verdict {
    if id.starts_with(prefix) {
        return Ok(());
    }
    Err(format!("`{id}` in `{key}` does not begin with `{prefix}`"))
}

/// Whether AWS takes a tag.
pub fn check_tag(key: &str, value: &str) -> Verdict {
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(format!("tag `{key}`: AWS keeps `aws:` for itself"));
    }
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Err(format!(
            "tag `{key}`: a key has 1 to 128 characters and a value at most 256"
        ));
    }
    Ok(())
}

/// Whether Lambda takes the name of an environment variable.
pub fn check_variable(name: &str) -> Verdict {
    if RESERVED.contains(&name) {
        return Err(format!("`{name}` is set by Lambda itself"));
    }
    let is_taken = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_taken {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot name an environment variable: Lambda takes two or more letters, digits and `_`, a letter first"
    ))
}

/// Whether the environment of a function is small enough: names and values together.
pub fn check_environment<'a>(function: &str, variables: impl Iterator<Item = (&'a str, &'a str)>) -> Verdict {
    let bytes: usize = variables.map(|(name, value)| name.len() + value.len()).sum();
    if bytes <= LIMIT_BYTES {
        return Ok(());
    }
    Err(format!(
        "the environment of `{function}` has {bytes} bytes, and {LIMIT_BYTES} is the limit"
    ))
}

/// Whether IAM takes the inline policy of a role, which is that of `whose`.
pub fn check_policy(whose: &str, document: &serde_json::Value) -> Verdict {
    let length = document.to_string().chars().filter(|c| !c.is_whitespace()).count();
    if length <= POLICY_LENGTH {
        return Ok(());
    }
    Err(format!(
        "the policy of `{whose}` has {length} characters, and {POLICY_LENGTH} is the limit"
    ))
}

/// Whose policy a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOf {
    /// A role: what it may do.
    Role,
    /// A REST API: who may call it.
    Api,
}

/// Whether a user's document has the form of a policy.
pub fn check_document(of: PolicyOf, document: &serde_json::Value) -> Verdict {
    let statements = match document.get("Statement") {
        Some(serde_json::Value::Array(statements)) => statements.as_slice(),
        Some(statement) if statement.is_object() => std::slice::from_ref(statement),
        Some(_) => return Err("`Statement` is not a list of statements".to_owned()),
        None => return Err("the policy document has no `Statement`".to_owned()),
    };
    statements
        .iter()
        .try_for_each(|statement| check_statement(of, statement))
}

fn check_statement(of: PolicyOf, statement: &serde_json::Value) -> Verdict {
    if !statement.is_object() {
        return Err("a statement is not an object".to_owned());
    }
    let either = |one: &str, other: &str| statement.get(one).or_else(|| statement.get(other));
    match (of, either("Principal", "NotPrincipal")) {
        (PolicyOf::Role, Some(_)) => return Err("a role's policy has no `Principal`: it is the role".to_owned()),
        (PolicyOf::Api, None) => return Err("a statement of an API's policy has no `Principal`".to_owned()),
        (PolicyOf::Role, None) | (PolicyOf::Api, Some(_)) => {}
    }
    match statement.get("Effect").map(serde_json::Value::as_str) {
        None => return Err("a statement has no `Effect`".to_owned()),
        Some(Some("Allow" | "Deny")) => {}
        Some(_) => return Err("the `Effect` of a statement is neither `Allow` nor `Deny`".to_owned()),
    }
    for (one, other) in [("Action", "NotAction"), ("Resource", "NotResource")] {
        let Some(named) = either(one, other) else {
            return Err(format!("a statement has neither `{one}` nor `{other}`"));
        };
        let are_texts =
            |list: &Vec<serde_json::Value>| !list.is_empty() && list.iter().all(serde_json::Value::is_string);
        if !named.is_string() && !named.as_array().is_some_and(are_texts) {
            return Err(format!(
                "the `{one}` of a statement is neither text nor a list of texts"
            ));
        }
    }
    Ok(())
}

/// Whether API Gateway takes the name of an API's stage.
pub fn check_api_stage(name: &str) -> Verdict {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (1..=128).contains(&name.len()) && name.chars().all(is_taken) {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot be the API's stage name: API Gateway takes 1 to 128 letters, digits, `_` and `-`"
    ))
}

/// Whether a text is the ARN of a role.
///
/// # Errors
///
/// What it should look like.
pub fn check_role_arn(arn: &str) -> Result<(), String> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let is_role = match parts.as_slice() {
        ["arn", partition, "iam", "", account, name] => {
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && name
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty() && !name.contains(' '))
        }
        _ => false,
    };
    if is_role {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a role, `arn:aws:iam::111111111111:role/NAME`"
    ))
}

/// Whether a text has the shape of a Region's name.
///
/// # Errors
///
/// What it should look like.
pub fn check_region(region: &str) -> Result<(), String> {
    let parts: Vec<_> = region.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_region = match parts.as_slice() {
        [words @ .., number] => words.len() >= 2 && words.iter().all(is_word) && number.parse::<u8>().is_ok(),
        [] => false,
    };
    if is_region {
        return Ok(());
    }
    Err(format!("`{region}` is not a Region, like `eu-west-1`"))
}

/// Whether CloudWatch keeps a log for so many days.
///
/// # Errors
///
/// Which numbers next to it are taken.
pub fn check_retention(days: u32) -> Verdict {
    if RETENTIONS.contains(&days) {
        return Ok(());
    }
    let fewer = RETENTIONS.into_iter().rfind(|known| *known < days);
    let more = RETENTIONS.into_iter().find(|known| *known > days);
    let taken: Vec<String> = fewer.into_iter().chain(more).map(|days| days.to_string()).collect();
    Err(format!(
        "a log cannot be kept for {days} days, but for {}",
        taken.join(" or ")
    ))
}

/// Whether a text is the URI of a container image in ECR, with a tag or a digest.
///
/// # Errors
///
/// What it has to be.
pub fn check_image(uri: &str) -> Verdict {
    let (host, name) = uri.split_once('/').unwrap_or_default();
    let account = host.get(..12).unwrap_or_default();
    let is_registry = account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && [".dkr.ecr.", ".dkr-ecr."]
            .iter()
            .any(|middle| host.get(12..).is_some_and(|rest| rest.starts_with(middle)));
    if !is_registry || name.is_empty() || uri.contains(char::is_whitespace) {
        return Err(format!(
            "`{uri}` is not an image in ECR, `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`"
        ));
    }
    let is_exact = name
        .split_once([':', '@'])
        .is_some_and(|(name, version)| !name.is_empty() && !version.is_empty());
    if is_exact {
        return Ok(());
    }
    Err(format!("`{uri}` has neither a tag nor a digest"))
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
}

/// The name in an ARN of a service, or a text that is no ARN as it is.
fn name_in<'a>(text: &'a str, service: &str) -> Option<&'a str> {
    if !is_arn(text) {
        return Some(text);
    }
    match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, of, region, account, name]
            if partition.starts_with("aws") && *of == service && !region.is_empty() && !account.is_empty() =>
        {
            Some(name)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_nobody_knows_may_be_of_tomorrow_and_a_family_may_not() {
        let severity = |name| runtime_flaw(name).map(|(severity, _, _)| severity);
        assert_eq!(severity("python3.13"), None);
        for name in [
            "python3.99",
            "nodejs30.x",
            "java29",
            "provided.al2027",
            "ruby4.0",
            "go1.x",
        ] {
            assert_eq!(severity(name), Some(Severity::Warning), "{name}");
        }
        for name in ["pyton3.11", "python", "rust1.0", "", "Python3.11"] {
            assert_eq!(severity(name), Some(Severity::Error), "{name}");
        }
        let (_, _, hint) = runtime_flaw("pyton3.11").unwrap();
        assert_eq!(hint.as_deref(), Some("did you mean `python3.11`?"));
    }

    #[test]
    fn a_document_that_is_no_policy_is_told_before_iam_sees_it() {
        use serde_json::json;
        let role = |statement| check_document(PolicyOf::Role, &json!({"Statement": [statement]}));
        let good = json!({"Effect": "Allow", "Action": "s3:*", "NotResource": ["*"]});
        assert_eq!(role(good.clone()), Ok(()));
        assert_eq!(check_document(PolicyOf::Role, &json!({"Statement": good})), Ok(()));
        let without = |key: &str, value| {
            let mut statement = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
            statement[key] = value;
            role(statement).unwrap_err()
        };
        assert!(without("Effect", json!("allow")).contains("neither `Allow` nor `Deny`"));
        assert!(without("Action", json!([])).starts_with("the `Action` of a statement is neither"));
        assert!(without("Principal", json!("*")).contains("has no `Principal`"));
        let bare = json!({"Effect": "Allow", "Action": "s3:*"});
        assert_eq!(
            role(bare).unwrap_err(),
            "a statement has neither `Resource` nor `NotResource`"
        );
        assert!(check_document(PolicyOf::Role, &json!({})).is_err());
        assert!(check_document(PolicyOf::Api, &json!({"Statement": good})).is_err());
    }

    #[test]
    fn layers_of_users_and_of_aws_are_taken() {
        for arn in [
            "arn:aws:lambda:eu-west-1:111111111111:layer:numpy:3",
            "arn:aws-cn:lambda:cn-north-1:111111111111:layer:numpy:3",
            "arn:aws:lambda:::awslayer:AmazonLinux2",
        ] {
            assert_eq!(check_layer(arn), Ok(()), "{arn}");
        }
        assert!(check_layer("arn:aws:lambda:eu-west-1:111111111111:layer:numpy").is_err());
    }

    #[test]
    fn regions_of_every_partition_are_taken() {
        for region in [
            "eu-west-1",
            "us-gov-east-1",
            "cn-north-1",
            "us-iso-west-1",
            "eusc-de-east-1",
        ] {
            assert_eq!(check_region(region), Ok(()), "{region}");
        }
        for region in ["", "eu", "eu-west", "eu_west_1", "EU-WEST-1", "eu-west-1a", "eu--1"] {
            assert!(check_region(region).is_err(), "{region}");
        }
    }

    #[test]
    fn a_role_is_named_by_its_whole_arn() {
        for arn in [
            "arn:aws:iam::111111111111:role/deployer",
            "arn:aws-us-gov:iam::111111111111:role/path/deployer",
        ] {
            assert_eq!(check_role_arn(arn), Ok(()), "{arn}");
        }
        for arn in [
            "deployer",
            "arn:aws:iam::1111:role/deployer",
            "arn:aws:iam::111111111111:user/deployer",
            "arn:aws:iam:eu-west-1:111111111111:role/deployer",
            "arn:aws:iam::111111111111:role/",
        ] {
            assert!(check_role_arn(arn).is_err(), "{arn}");
        }
    }

    #[test]
    fn an_image_is_one_in_ecr_with_a_tag_or_a_digest() {
        let registry = "111111111111.dkr.ecr.eu-west-1.amazonaws.com";
        assert_eq!(check_image(&format!("{registry}/team/shop:1.2")), Ok(()));
        assert_eq!(check_image(&format!("{registry}/shop@sha256:abc")), Ok(()));
        assert!(check_image(&format!("{registry}/shop")).unwrap_err().contains("tag"));
        assert!(check_image("docker.io/library/python:3.13").is_err());
        assert!(check_image("").is_err());
    }

    #[test]
    fn logs_are_kept_for_the_days_that_cloudwatch_knows() {
        assert_eq!(check_retention(14), Ok(()));
        let why = |days| check_retention(days).unwrap_err();
        assert_eq!(why(15), "a log cannot be kept for 15 days, but for 14 or 30");
        assert!(why(0).ends_with("but for 1"));
        assert!(why(9999).ends_with("but for 3653"));
    }
}
