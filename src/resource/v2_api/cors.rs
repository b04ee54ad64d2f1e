//! When two answers to who of another origin may call are the same.

use crate::app::events::HttpCors;

/// Whether two configurations say the same: lists are sets, names of headers have no case, and what is not said is what AWS
/// then takes.
pub fn is_same(one: &HttpCors, other: &HttpCors) -> bool {
    comparable(one) == comparable(other)
}

fn comparable(cors: &HttpCors) -> HttpCors {
    let sorted = |list: &[String], change: fn(&str) -> String| {
        let mut list: Vec<String> = list.iter().map(|item| change(item)).collect();
        list.sort();
        list
    };
    HttpCors {
        allow_origins: sorted(&cors.allow_origins, str::to_owned),
        allow_methods: sorted(&cors.allow_methods, str::to_owned),
        allow_headers: sorted(&cors.allow_headers, str::to_lowercase),
        expose_headers: sorted(&cors.expose_headers, str::to_lowercase),
        max_age_s: Some(cors.max_age_s.unwrap_or(0)),
        allow_credentials: cors.allow_credentials,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> HttpCors {
        HttpCors {
            allow_origins: vec!["https://b.example".to_owned(), "https://a.example".to_owned()],
            allow_headers: vec!["X-Key".to_owned()],
            ..HttpCors::default()
        }
    }

    #[test]
    fn what_aws_tells_in_another_order_and_case_is_the_same() {
        let told = HttpCors {
            allow_origins: vec!["https://a.example".to_owned(), "https://b.example".to_owned()],
            allow_headers: vec!["x-key".to_owned()],
            max_age_s: Some(0),
            ..HttpCors::default()
        };
        assert!(is_same(&told, &wanted()));
    }

    #[test]
    fn another_origin_age_or_right_is_not_the_same() {
        let others = [
            HttpCors {
                allow_origins: vec!["*".to_owned()],
                ..wanted()
            },
            HttpCors {
                max_age_s: Some(60),
                ..wanted()
            },
            HttpCors {
                allow_credentials: true,
                ..wanted()
            },
        ];
        for other in others {
            assert!(!is_same(&other, &wanted()), "{other:?}");
        }
    }
}
