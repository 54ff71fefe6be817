//! What is written down.

use openpod_sdk::api::{PositionId, TicketId, Timestamp};

use crate::job::Job;
use crate::job::brakes::Brakes;

/// One thing to write down. Entries that are given together are written together, or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A job as it stands now.
    Job(Box<Job>, Timestamp),
    /// The brakes as they stand now.
    Brakes(Box<Brakes>),
    /// An effect is about to be carried out.
    Opened(String, Timestamp),
    /// An effect was carried out, or has failed for good.
    Settled(String, Timestamp),
    /// What a job heard, and what followed.
    Decided(Decision),
    /// A position is about to be applied to.
    Applied(PositionId, Timestamp),
    /// A ticket that is over for long: its job, its decisions and its intents go.
    Forgotten(TicketId),
    /// Something that was learnt, by name.
    Fact(&'static str, String),
}

/// What a job heard, and what followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Which job.
    pub ticket: TicketId,
    /// What it heard.
    pub news: String,
    /// The state it was in.
    pub state: &'static str,
    /// The state that it is in now.
    pub becomes: &'static str,
    /// What is to be done.
    pub effect: Option<&'static str>,
}
