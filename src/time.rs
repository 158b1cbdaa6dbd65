//! Points in time, in the one form that files and answers use.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A second in UTC, written as in RFC 3339: `2026-07-28T12:00:00Z`.
///
/// No other form is accepted, so that signed text stays the same when it is read and written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(DateTime<Utc>);

/// The text is not a [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a time in UTC such as 2026-07-28T12:00:00Z")]
pub struct TimestampError {
    given: String,
}

impl Timestamp {
    /// The current second by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        Self(Utc::now().trunc_subsecs(0))
    }

    /// The time `seconds` after 1970-01-01T00:00:00Z; `None` if it cannot be represented.
    #[must_use]
    pub fn from_unix(seconds: u64) -> Option<Self> {
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0).map(Self)
    }

    /// `duration` later; unchanged if the result cannot be represented.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let later = TimeDelta::from_std(duration).ok().and_then(|delta| self.0.checked_add_signed(delta));
        Self(later.unwrap_or(self.0).trunc_subsecs(0))
    }

    /// The time from `earlier` to this one; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        (self.0 - earlier.0).to_std().unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(given: &str) -> Result<Self, TimestampError> {
        let refused = || TimestampError { given: crate::text::bounded(given, 40) };
        let time = Self(DateTime::parse_from_rfc3339(given).map_err(|_| refused())?.to_utc());
        if time.to_string() == given { Ok(time) } else { Err(refused()) }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(given: String) -> Result<Self, TimestampError> {
        given.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn there_is_one_way_to_write_a_moment() {
        let time: Timestamp = "2026-07-28T12:00:00Z".parse().unwrap();
        assert_eq!(time.after(Duration::from_secs(1_800)).to_string(), "2026-07-28T12:30:00Z");
        assert_eq!(time.after(Duration::from_secs(90)).since(time), Duration::from_secs(90));
        assert_eq!(time.since(time.after(Duration::from_secs(90))), Duration::ZERO);
        assert_eq!(time.after(Duration::MAX), time);
        for other in [
            "2026-07-28T14:00:00+02:00",
            "2026-07-28T12:00:00.000Z",
            "2026-07-28T12:00:00+00:00",
            "2026-07-28 12:00:00Z",
            "2026-07-28t12:00:00z",
            "2026-02-30T12:00:00Z",
            "",
        ] {
            assert!(other.parse::<Timestamp>().is_err(), "{other:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(given in any::<String>()) {
            let _ = given.parse::<Timestamp>();
        }

        #[test]
        fn every_second_is_read_back(seconds in 0_u64..=253_402_300_799) {
            let time = Timestamp::from_unix(seconds).unwrap();
            prop_assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
        }
    }
}
