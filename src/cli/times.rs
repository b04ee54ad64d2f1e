//! How durations and moments are written on the command line.

use std::time::Duration;

/// Since when something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// Since a moment.
    At(jiff::Timestamp),
}

/// Reads `90s`, `10m`, `1h 30m`, or a number of seconds.
///
/// # Errors
///
/// It is none of these, or negative.
pub fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let duration: jiff::SignedDuration = text
        .parse()
        .map_err(|error: jiff::Error| format!("{error}; write it like 90s, 10m or 1h"))?;
    Duration::try_from(duration).map_err(|error| format!("it cannot be negative: {error}"))
}

/// Reads how long ago something was, `2h` or `1w`, or a moment: ISO 8601, or as we print it.
///
/// # Errors
///
/// It is none of these, or a duration of months or years, which are of no certain length.
pub fn since(text: &str) -> Result<Since, String> {
    use jiff::civil::{Date, DateTime};
    let text = text.trim();
    let bare = text.strip_suffix(" UTC").unwrap_or(text);
    let in_utc = |moment: DateTime| {
        moment
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    let moment = text.parse::<jiff::Timestamp>().ok();
    let moment = moment.or_else(|| bare.parse::<DateTime>().ok().and_then(in_utc));
    let moment = moment.or_else(|| bare.parse::<Date>().ok().and_then(|date| in_utc(date.at(0, 0, 0, 0))));
    if let Some(moment) = moment {
        return Ok(Since::At(moment));
    }
    let wrong = || "write it like 10m, 2h, 1d or 1w, or as a moment like 2026-01-31T08:00Z".to_owned();
    let Ok(span) = text.parse::<jiff::Span>() else {
        return Err(wrong());
    };
    let long = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    let ago = long.ok().and_then(|long| Duration::try_from(long).ok());
    ago.map(Since::Ago).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_of_seconds_or_has_its_units() {
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert!(duration("soon").is_err());
        assert!(duration("-1s").is_err());
    }

    #[test]
    fn since_when_is_a_duration_or_a_moment_in_utc() {
        let hours = |hours: u64| Ok(Since::Ago(Duration::from_hours(hours)));
        assert_eq!(since("10m"), Ok(Since::Ago(Duration::from_mins(10))));
        assert_eq!(
            (since("2h"), since("1d"), since("1w")),
            (hours(2), hours(24), hours(168))
        );
        let at = Ok(Since::At("2026-01-31T08:00:00Z".parse().unwrap()));
        for text in [
            "2026-01-31T08:00Z",
            "2026-01-31T08:00:00",
            "2026-01-31 09:00+01",
            "2026-01-31 08:00:00.000 UTC",
        ] {
            assert_eq!(since(text), at, "{text}");
        }
        assert_eq!(
            since("2026-01-31"),
            Ok(Since::At("2026-01-31T00:00:00Z".parse().unwrap()))
        );
        for text in ["soon", "-1h", "1mo", ""] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
