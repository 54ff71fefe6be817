//! Points in time, as the API writes and reads them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time to the microsecond. Any RFC 3339 text comes in; UTC with `Z` and six digits goes out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is no point in time.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 time with an offset, such as 2026-03-13T15:30:00Z")]
pub struct NotATimestamp;

/// 9999-12-31T23:59:59.999999Z, the last time that RFC 3339 can write.
const LAST: i64 = 253_402_300_799_999_999;
/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800_000_000;

impl Timestamp {
    /// From microseconds since 1970-01-01T00:00:00Z. What lies outside the years 1 to 9999 is moved to their edge.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(FIRST, LAST))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This much later.
    pub fn plus(self, by: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This much earlier.
    pub fn minus(self, by: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How much later this is than `earlier`; zero when it is not later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Self {
        Self::from_micros(time.as_microsecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{time:.6}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = NotATimestamp;
    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        text.parse::<jiff::Timestamp>().map(Self::from).map_err(|_| NotATimestamp)
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        super::schema::instant()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_offset_comes_in_and_utc_with_microseconds_goes_out() {
        for (text, same) in [
            ("2026-03-13T15:30:00Z", "2026-03-13T15:30:00.000000Z"),
            ("2026-03-15T09:30:12.345678+00:00", "2026-03-15T09:30:12.345678Z"),
            ("2026-03-15T10:05:00.250Z", "2026-03-15T10:05:00.250000Z"),
            ("2026-03-15T10:05:00-02:00", "2026-03-15T12:05:00.000000Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), same);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2026-03-13", "2026-03-13T15:30:00", "2026-13-01T00:00:00Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_survives_its_text(micros in FIRST..=LAST) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}
