//! Whether a ticket's runs lead anywhere. Measured by the patch that a run leaves, never by what it says.
//!
//! A new commit is no progress: the same patch can be committed again and again.

use serde::{Deserialize, Serialize};

/// What the runs of a ticket have left so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The patch that the last run left; `None` when nothing differs from what is published.
    seen: Option<String>,
    /// The patch that is on the forge.
    published: Option<String>,
    /// Runs in a row that left what they found.
    still: u32,
}

impl Progress {
    /// A run left this patch.
    pub(super) fn note(&mut self, patch: Option<&str>) {
        if patch.is_some() && patch != self.seen.as_deref() {
            self.still = 0;
        } else {
            self.still += 1;
        }
        self.seen = patch.map(str::to_owned);
    }

    /// Its patch is on the forge.
    pub(super) fn publish(&mut self, patch: &str) {
        self.published = Some(patch.to_owned());
    }

    /// Whether the forge has this patch already.
    pub(super) fn is_published(&self, patch: &str) -> bool {
        self.published.as_deref() == Some(patch)
    }

    /// How many runs in a row left what they found.
    pub fn still(&self) -> u32 {
        self.still
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_patch_that_was_not_there_before_is_progress() {
        let mut progress = Progress::default();
        let steps = [
            (None, 1),
            (Some("a"), 0),
            (Some("a"), 1),
            (Some("a"), 2),
            (Some("b"), 0),
            (None, 1),
            (Some("b"), 0),
        ];
        for (number, (patch, still)) in steps.into_iter().enumerate() {
            progress.note(patch);
            assert_eq!(progress.still(), still, "after step {number}");
        }
        progress.publish("b");
        assert!(progress.is_published("b") && !progress.is_published("a"));
    }
}
