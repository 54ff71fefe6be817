//! What a job may ask of the world. Data only: `effects` does it.

use openpod_sdk::api::Timestamp;

use super::brakes::Allowance;
use super::state::{Change, Published};

/// One wish. Each may be carried out twice without harm, because whoever does it looks first when in doubt.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Claim the ticket.
    Claim {
        /// This version of it.
        version: Option<u64>,
        /// Nobody had begun: a claim that comes too late is lost.
        untouched: bool,
        /// It is nobody's, and may be so because we handed it back; or it is ours already, and may be so because we left it:
        /// then it is not claimed.
        look: bool,
    },
    /// Prepare mirror, workspace and branch.
    Prepare,
    /// Gather what the worker must know.
    Brief {
        /// For this attempt.
        attempt: u32,
    },
    /// Run the worker.
    Run {
        /// This attempt.
        attempt: u32,
        /// What it may take.
        allowance: Allowance,
    },
    /// Collect what the worker changed.
    Collect {
        /// What it says about its work; becomes the commit's text.
        summary: Option<String>,
        /// The commit's time.
        ended_at: Timestamp,
    },
    /// Push the branch.
    Push {
        /// This commit.
        head: String,
    },
    /// Open the pull request, or bring its text up to date.
    Propose {
        /// For this work.
        change: Change,
        /// What the worker says about it.
        summary: Option<String>,
    },
    /// Ask the platform whether it sees the pull request.
    Verify {
        /// The pull request.
        url: String,
        /// Its last commit.
        head: String,
    },
    /// File the deliverable and hand the ticket in.
    Deliver {
        /// The pull request.
        pull_request: Published,
        /// SHA-256 of what was delivered.
        content_hash: String,
    },
    /// Comment on the ticket what was done.
    Report {
        /// What the worker says about it.
        summary: Option<String>,
    },
    /// Comment on the ticket why it could not be done.
    Apologise {
        /// Why.
        reason: String,
        /// Whether it stays with us.
        leave: bool,
    },
    /// Hand the ticket back.
    Release,
    /// Leave the ticket as it is, and remember how that is.
    Leave,
    /// Stop what still runs and remove the workspace.
    Clean,
}

impl Effect {
    /// Whether it changes nothing outside of this machine, and here only what it finds again or makes anew. If the power
    /// goes, it need not have been written down: the effect before it is looked at again, and this one follows again.
    pub fn leaves_no_trace(&self) -> bool {
        matches!(
            self,
            Effect::Prepare | Effect::Brief { .. } | Effect::Collect { .. } | Effect::Verify { .. }
        )
    }

    /// The effect's name, for logs, tables and keys.
    pub fn name(&self) -> &'static str {
        match self {
            Effect::Claim { .. } => "claim",
            Effect::Prepare => "prepare",
            Effect::Brief { .. } => "brief",
            Effect::Run { .. } => "run",
            Effect::Collect { .. } => "collect",
            Effect::Push { .. } => "push",
            Effect::Propose { .. } => "propose",
            Effect::Verify { .. } => "verify",
            Effect::Deliver { .. } => "deliver",
            Effect::Report { .. } => "report",
            Effect::Apologise { .. } => "apologise",
            Effect::Release => "release",
            Effect::Leave => "leave",
            Effect::Clean => "clean",
        }
    }
}
