//! How often we look.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Check;

/// `[heartbeat]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawHeartbeat {
    /// Seconds from one look to the next when nothing wakes us: from 0.05 to 3600; 30 unless told.
    pub interval_seconds: f64,
    /// How much of the interval is left to chance, from 0 to 1: 0.2 unless told.
    pub jitter: f64,
    /// Seconds between two looks for new positions and free tickets: 60 unless told.
    pub scout_seconds: f64,
    /// Seconds before a ticket that the heartbeat does not tell of is looked at again, unless a webhook speaks of it: 300
    /// unless told.
    pub look_again_seconds: f64,
}

impl Default for RawHeartbeat {
    fn default() -> Self {
        Self { interval_seconds: 30.0, jitter: 0.2, scout_seconds: 60.0, look_again_seconds: 300.0 }
    }
}

/// How often we look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Between two heartbeats when nothing wakes us.
    pub interval: Duration,
    /// How much of it is left to chance.
    pub jitter: f64,
    /// Between two looks for positions and free tickets.
    pub scout: Duration,
    /// Before a ticket that the heartbeat does not tell of is looked at again, unless a webhook speaks of it.
    pub look_again: Duration,
}

impl RawHeartbeat {
    pub(super) fn validate(self, check: &mut Check) -> Pace {
        let mut seconds = |key: &str, value: f64| {
            let good = (0.05..=3600.0).contains(&value);
            check.require(good, key, "must be from 0.05 to 3600 seconds");
            Duration::from_secs_f64(if good { value } else { 1.0 })
        };
        let interval = seconds("heartbeat.interval_seconds", self.interval_seconds);
        let scout = seconds("heartbeat.scout_seconds", self.scout_seconds);
        let look_again = seconds("heartbeat.look_again_seconds", self.look_again_seconds);
        check.require((0.0..=1.0).contains(&self.jitter), "heartbeat.jitter", "must be from 0 to 1");
        Pace { interval, jitter: self.jitter, scout, look_again }
    }
}
