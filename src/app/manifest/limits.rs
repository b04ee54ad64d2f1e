//! What Lambda and IAM refuse, found before the first call.
//!
//! Limits: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.

use super::{FunctionEntry, Manifest, OverrideEntry, VpcEntry};
use crate::app::yaml::{Flaws, Placed, did_you_mean};
use crate::names::StageName;

/// Runtimes that Lambda had when this was written; a newer one of the same family is taken without a word.
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

/// Characters that a name of a function or role may have.
const NAME: usize = 64;

/// Checks everything about one function but its code, environment and policy.
pub fn check_function(name: &Placed<String>, entry: &FunctionEntry, flaws: &mut Flaws) {
    check_memory(entry.memory_mib.as_ref(), flaws);
    check_timeout(entry.timeout_s.as_ref(), flaws);
    check_runtime(&entry.runtime, flaws);
    check_handler(name, entry, flaws);
    check_layers(&entry.layers, flaws);
    if let Some(vpc) = &entry.vpc {
        check_vpc(vpc, flaws);
    }
    check_tags(entry, flaws);
}

/// Checks what a stage changes of a function.
pub fn check_override(entry: &OverrideEntry, flaws: &mut Flaws) {
    check_memory(entry.memory_mib.as_ref(), flaws);
    check_timeout(entry.timeout_s.as_ref(), flaws);
}

/// Checks the names of all functions, alone and as AWS sees them on a stage.
pub fn check_names(manifest: &Manifest, stage: &StageName, flaws: &mut Flaws) {
    for (index, (key, _)) in manifest.functions.iter().enumerate() {
        let name = &key.value;
        let is_taken = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if let Some(c) = name.chars().find(|c| !is_taken(c)) {
            let message =
                format!("function `{name}` has the character `{c}`, and AWS takes letters, digits, `-` and `_`");
            flaws.error(key.place, message);
        }
        let whole = format!("{}-{stage}-{name}", manifest.app);
        if name.is_empty() || whole.len() > NAME {
            let length = whole.len();
            let message = format!("the name `{whole}` in AWS has {length} characters, and {NAME} is the limit");
            flaws.error(key.place, message);
        }
        // IAM keeps role names apart by more than case.
        let twin = manifest
            .functions
            .names()
            .take(index)
            .find(|other| other.eq_ignore_ascii_case(name));
        if let Some(twin) = twin {
            flaws.error(
                key.place,
                format!("functions `{twin}` and `{name}` differ by case only"),
            );
        }
    }
}

fn check_memory(memory: Option<&Placed<u32>>, flaws: &mut Flaws) {
    if let Some(memory) = memory.filter(|memory| !(128..=10_240).contains(&memory.value)) {
        let message = format!("memory of {} MiB is outside 128 to 10240 MiB", memory.value);
        flaws.error(memory.place, message);
    }
}

fn check_timeout(timeout: Option<&Placed<u32>>, flaws: &mut Flaws) {
    if let Some(timeout) = timeout.filter(|timeout| !(1..=900).contains(&timeout.value)) {
        let message = format!("timeout of {} s is outside 1 to 900 s", timeout.value);
        flaws.error(timeout.place, message);
    }
}

fn check_runtime(runtime: &Placed<String>, flaws: &mut Flaws) {
    let name = runtime.value.as_str();
    if !RUNTIMES.contains(&name) && !is_of_a_known_family(name) {
        let hint = did_you_mean(name, RUNTIMES);
        flaws.warn(
            runtime.place,
            format!("`{name}` is not a runtime that is known of"),
            hint,
        );
    }
}

fn is_of_a_known_family(runtime: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = |text: &str| {
        text.split_once('.')
            .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
    };
    if let Some(version) = runtime.strip_prefix("nodejs") {
        return version.strip_suffix(".x").is_some_and(is_number);
    }
    if let Some(system) = runtime.strip_prefix("provided.al") {
        return is_number(system);
    }
    if let Some(version) = runtime.strip_prefix("python").or(runtime.strip_prefix("ruby")) {
        return is_decimal(version);
    }
    runtime
        .strip_prefix("java")
        .or(runtime.strip_prefix("dotnet"))
        .is_some_and(is_number)
}

fn check_handler(name: &Placed<String>, entry: &FunctionEntry, flaws: &mut Flaws) {
    let Some(handler) = &entry.handler else {
        if !is_native(entry) {
            flaws.error(name.place, format!("function `{}` lacks the key `handler`", name.value));
        }
        return;
    };
    let length = handler.value.chars().count();
    if length > 128 {
        let message = format!("the handler has {length} characters, and 128 is the limit");
        flaws.error(handler.place, message);
    } else if length == 0 || handler.value.contains(char::is_whitespace) {
        flaws.error(handler.place, "the handler is empty or has white space");
    }
}

/// Whether a function is a program of its own.
pub fn is_native(entry: &FunctionEntry) -> bool {
    entry.runtime.value.starts_with("provided")
}

fn check_layers(layers: &[Placed<String>], flaws: &mut Flaws) {
    if let Some(sixth) = layers.get(5) {
        flaws.error(sixth.place, format!("{} layers, and 5 is the limit", layers.len()));
    }
    for layer in layers {
        let parts: Vec<_> = layer.value.split(':').collect();
        let is_version = matches!(parts.as_slice(), ["arn", _, "lambda", _, _, "layer", _, version]
            if version.parse::<u32>().is_ok());
        if !is_version {
            let message = format!(
                "`{}` is not the ARN of a layer version, `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`",
                layer.value
            );
            flaws.error(layer.place, message);
        }
    }
}

fn check_vpc(vpc: &Placed<VpcEntry>, flaws: &mut Flaws) {
    let (place, vpc) = (vpc.place, &vpc.value);
    if vpc.subnet_ids.is_empty() || vpc.security_group_ids.is_empty() {
        flaws.error(place, "`vpc` needs at least one subnet and one security group");
    }
    let lists = [
        ("subnet_ids", "subnet-", &vpc.subnet_ids),
        ("security_group_ids", "sg-", &vpc.security_group_ids),
    ];
    for (key, prefix, ids) in lists {
        for id in ids.iter().filter(|id| !id.value.starts_with(prefix)) {
            flaws.error(
                id.place,
                format!("`{}` in `{key}` does not begin with `{prefix}`", id.value),
            );
        }
    }
}

fn check_tags(entry: &FunctionEntry, flaws: &mut Flaws) {
    for (key, value) in entry.tags.iter() {
        if key.value.to_ascii_lowercase().starts_with("aws:") {
            flaws.error(key.place, format!("tag `{}`: AWS keeps `aws:` for itself", key.value));
        }
        if key.value.is_empty() || key.value.chars().count() > 128 || value.value.chars().count() > 256 {
            let message = format!(
                "tag `{}`: a key has 1 to 128 characters and a value at most 256",
                key.value
            );
            flaws.error(key.place, message);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_of_tomorrow_is_no_surprise() {
        for runtime in [
            "python3.19",
            "nodejs30.x",
            "java29",
            "provided.al2027",
            "ruby4.0",
            "dotnet12",
        ] {
            assert!(is_of_a_known_family(runtime), "{runtime}");
        }
        for runtime in [
            "python", "python3", "nodejs22", "provided", "go1.x", "java-21", "rust1.0",
        ] {
            assert!(!is_of_a_known_family(runtime), "{runtime}");
        }
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
}
