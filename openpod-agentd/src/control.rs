//! The control socket: what an operator asks a daemon that runs, and what it answers.
//!
//! `control.sock` in the data directory. One question to a connection, a line of JSON with the token of
//! `control.token`; then answers, a line each, until the daemon closes. Fields may be added, and are not taken away.
//!
//! ```text
//! → {"token":"5f…","ask":"status"}
//! ← {"status":{"version":"0.1.0","agents":[…],…}}
//! → {"token":"5f…","ask":"cancel","ticket":"0195…","keep":false}
//! ← {"cancelling":{"after":"run"}}            what is under way is ended, or awaited
//! ← {"cancelled":{}}
//! → {"token":"5f…","ask":"drain","wait":true}
//! ← {"draining":{"left":2}}                   again whenever that changes
//! ← {"drained":{}}
//! ← {"refused":{"reason":"…"}}                to any of them
//! ```
//!
//! Whoever asks must be of the daemon's user (or root) *and* must have read the token: a worker is of the same user, and
//! the kernel lets it connect to a socket that it may not see. The token it cannot read.

mod client;
mod report;
mod server;

use openpod_sdk::Secret;
use openpod_sdk::api::TicketId;
use serde::{Deserialize, Serialize};

pub use client::{Asked, NotAnswered, ask};
pub use report::{
    AgentReport, JobReport, KeptReport, Report, RunReport, SpentReport, TroubleReport, WaitingReport,
};
pub use server::{ControlError, Desk, Listening};

/// Both in the data directory.
const SOCKET: &str = "control.sock";
const TOKEN: &str = "control.token";
/// No line is longer.
const LONGEST: u64 = 16 << 20;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// How things stand.
    Status,
    /// To work on a ticket no more: its run ends, with everything that descends from it.
    Cancel {
        /// Which.
        ticket: TicketId,
        /// Whether it stays assigned to the agent, instead of being handed back.
        #[serde(default)]
        keep: bool,
    },
    /// To take nothing new, and to end when what was begun is done.
    Drain {
        /// Whether to answer until then.
        #[serde(default)]
        wait: bool,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How things stand.
    Status(Box<Report>),
    /// The ticket is worked on no more as soon as this effect has ended; a run is being ended.
    Cancelling {
        /// Which effect.
        after: String,
    },
    /// The ticket is worked on no more.
    Cancelled {},
    /// Nothing new is taken.
    Draining {
        /// How many tickets are still worked on.
        left: usize,
    },
    /// What was begun is done; the daemon ends.
    Drained {},
    /// It is not done.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A question as it is sent.
#[derive(Serialize, Deserialize)]
struct Line {
    token: Secret,
    #[serde(flatten)]
    request: Request,
}
