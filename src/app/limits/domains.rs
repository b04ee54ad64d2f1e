//! What API Gateway refuses of domains, found before the first call: pure rules, one value each, for every front-end.

use super::{Verdict, is_arn, name_in};

/// Whether API Gateway takes a text as a domain: all small letters, perhaps with `*.` for everything below it.
/// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html>.
///
/// # Errors
///
/// What it has to be.
pub fn check_domain(name: &str) -> Verdict {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        let is_taken = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(is_taken)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && bare.contains('.') && bare.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!(
        "`{name}` is not a domain, as `api.example.com` is, in small letters"
    ))
}

/// Whether a text is the ARN of a certificate in ACM, which alone API Gateway takes.
///
/// # Errors
///
/// What it should look like.
pub fn check_certificate(arn: &str) -> Verdict {
    let id = name_in(arn, "acm").and_then(|resource| resource.strip_prefix("certificate/"));
    if is_arn(arn) && id.is_some_and(|id| !id.is_empty()) {
        return Ok(());
    }
    Err(format!(
        "`{arn}` is not the ARN of a certificate, `arn:aws:acm:REGION:ACCOUNT:certificate/ID`"
    ))
}

/// Whether API Gateway takes a text as the first segment of a domain's paths, without slashes.
///
/// # Errors
///
/// What it has to be.
pub fn check_base_path(path: &str) -> Verdict {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'()".contains(c);
    if (1..=300).contains(&path.len()) && path.chars().all(is_taken) {
        return Ok(());
    }
    Err(format!(
        "`{path}` is not one segment of a path: letters, digits and `$-_.+!*'()`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_its_certificate_have_their_shapes() {
        assert_eq!(check_domain("api.example.com"), Ok(()));
        assert_eq!(check_domain("*.example.com"), Ok(()));
        for wrong in [
            "",
            "localhost",
            "API.example.com",
            "https://api.example.com",
            "-a.b",
            "*.b",
            "api.*.b",
        ] {
            assert!(check_domain(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            check_certificate("arn:aws:acm:eu-west-1:111111111111:certificate/12-34"),
            Ok(())
        );
        assert!(check_certificate("12-34").is_err());
        assert!(check_certificate("certificate/12-34").is_err());
        assert!(check_certificate("arn:aws:iam::111111111111:server-certificate/own").is_err());
        assert_eq!(check_base_path("v1"), Ok(()));
        assert!(check_base_path("/v1").is_err());
        assert!(check_base_path("").is_err());
    }
}
