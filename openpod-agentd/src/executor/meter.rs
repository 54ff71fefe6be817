//! What a worker says it used, looked at while it runs and when it has ended.

use std::time::Duration;

use super::files::RunFiles;
use crate::job::brakes::{Allowance, BadClaim, Usage};

/// Between two looks, while a limit depends on them.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Reads the claims of one run and remembers the highest.
pub(super) struct Meter<'a> {
    files: &'a RunFiles,
    allowance: Allowance,
    usage: Usage,
    refused: Option<BadClaim>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(files: &'a RunFiles, allowance: Allowance) -> Self {
        Self { files, allowance, usage: Usage::default(), refused: None }
    }

    /// Whether it must be looked at before the end.
    pub(super) fn is_limited(&self) -> bool {
        self.allowance.tokens.is_some() || self.allowance.cost_micros.is_some()
    }

    /// Reads the claim. True when it goes beyond what the run may use.
    pub(super) fn look(&mut self) -> bool {
        match self.files.usage_claim().as_deref().map(Usage::claimed) {
            None => {}
            Some(Ok(usage)) => {
                self.usage = self.usage.or_more(usage);
                self.refused = None;
            }
            Some(Err(refused)) => self.refused = Some(refused),
        }
        self.allowance.is_exceeded_by(self.usage)
    }

    /// The last look: what was used, and why the last claim is not believed.
    pub(super) fn read(mut self) -> (Usage, Option<BadClaim>) {
        self.look();
        (self.usage, self.refused)
    }
}
