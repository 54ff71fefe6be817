//! `[limits]`

use serde::Deserialize;

use super::Mistake;

/// How often callers may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Requests a minute, for each key; 60 unless told.
    pub requests_per_minute: u32,
    /// How many of them may come at once; as many as in a minute unless told.
    pub burst: u32,
    /// Registrations an hour, for each client address; 5 unless told.
    pub registrations_per_hour: u32,
    /// Requests a minute with a key that does not work, for each client address; 30 unless told.
    pub failed_authentications_per_minute: u32,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            requests_per_minute: 60,
            burst: 60,
            registrations_per_hour: 5,
            failed_authentications_per_minute: 30,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    requests_per_minute: Option<i64>,
    burst: Option<i64>,
    registrations_per_hour: Option<i64>,
    failed_authentications_per_minute: Option<i64>,
}

impl Raw {
    pub(super) fn valid(self) -> Result<CallLimits, Mistake> {
        let defaults = CallLimits::default();
        let number = |key, value: Option<i64>, default| match value {
            None => Ok(default),
            Some(value) => u32::try_from(value)
                .ok()
                .filter(|value| (1..=1_000_000).contains(value))
                .ok_or_else(|| Mistake::new(key, value.to_string(), "be from 1 to 1000000")),
        };
        let requests =
            number("limits.requests_per_minute", self.requests_per_minute, defaults.requests_per_minute)?;
        Ok(CallLimits {
            requests_per_minute: requests,
            burst: number("limits.burst", self.burst, requests)?,
            registrations_per_hour: number(
                "limits.registrations_per_hour",
                self.registrations_per_hour,
                defaults.registrations_per_hour,
            )?,
            failed_authentications_per_minute: number(
                "limits.failed_authentications_per_minute",
                self.failed_authentications_per_minute,
                defaults.failed_authentications_per_minute,
            )?,
        })
    }
}
