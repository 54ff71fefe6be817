//! How long what is over is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Check;
use crate::job::Retention;
use crate::workspace::MirrorUpkeep;

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawRetention {
    /// Days for which what is known of tickets is kept that are settled, lost or cancelled: what was decided, and what
    /// the workers said. 14 unless told.
    pub finished_days: f64,
    /// At most so many of them: 1000 unless told.
    pub finished_tickets: usize,
    /// The same of tickets that were given up and handed back; their budgets hold so long: 90 unless told.
    pub given_up_days: f64,
    /// Days after which the mirror of a repository goes that no ticket needs: 30 unless told.
    pub mirror_days: f64,
    /// A mirror with so many loose objects is packed: 5000 unless told.
    pub mirror_objects: u64,
    /// Or with so many packs: 20 unless told.
    pub mirror_packs: u64,
}

impl Default for RawRetention {
    fn default() -> Self {
        Self {
            finished_days: 14.0,
            finished_tickets: 1000,
            given_up_days: 90.0,
            mirror_days: 30.0,
            mirror_objects: 5000,
            mirror_packs: 20,
        }
    }
}

/// How long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionSettings {
    /// What is known of tickets.
    pub jobs: Retention,
    /// The mirrors.
    pub mirrors: MirrorUpkeep,
}

impl RawRetention {
    pub(super) fn validate(self, check: &mut Check) -> RetentionSettings {
        let mut days = |key: &str, value: f64| {
            let good = (0.0..=36_500.0).contains(&value);
            check.require(good, key, "must be from 0 to 36500 days");
            Duration::from_secs_f64(if good { value * 86_400.0 } else { 0.0 })
        };
        let finished = days("retention.finished_days", self.finished_days);
        let given_up = days("retention.given_up_days", self.given_up_days);
        let unused = days("retention.mirror_days", self.mirror_days);
        check.require(self.mirror_objects > 0, "retention.mirror_objects", "must be at least 1");
        check.require(self.mirror_packs > 1, "retention.mirror_packs", "must be at least 2");
        RetentionSettings {
            jobs: Retention { finished, most: self.finished_tickets, given_up },
            mirrors: MirrorUpkeep {
                unused,
                loose: self.mirror_objects,
                packs: self.mirror_packs,
                ..MirrorUpkeep::default()
            },
        }
    }
}
