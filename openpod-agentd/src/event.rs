//! Everything that can happen to the daemon.

use openpod_sdk::api::applications::Application;
use openpod_sdk::api::heartbeat::Heartbeat;
use openpod_sdk::api::me::Membership;
use openpod_sdk::api::positions::Position;
use openpod_sdk::api::tickets::Ticket;
use openpod_sdk::api::{EventKind, PositionId, TicketId, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::control::{AgentReport, Answer};
use crate::job::{Failure, Input};

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// A webhook arrived and was proven. It is a hint to look, and nothing more.
    Hint {
        /// What it speaks of.
        kind: EventKind,
        /// The ticket that it speaks of.
        ticket: Option<TicketId>,
    },
    /// A heartbeat was answered, or was not.
    Beat {
        /// When it was sent.
        asked_at: Timestamp,
        /// What it told.
        answer: Result<Box<Heartbeat>, Failure>,
        /// When the next one is sent, unless something wakes it.
        next_at: Timestamp,
    },
    /// Somebody looked at a ticket.
    Looked {
        /// Which.
        ticket: TicketId,
        /// When.
        asked_at: Timestamp,
        /// What was there; `None` when it is out of our sight.
        answer: Result<Option<Box<Ticket>>, Failure>,
    },
    /// Somebody looked around for work.
    Scouted(Result<Box<Finds>, Failure>),
    /// An application was sent, or was not.
    Applied {
        /// To which position.
        position: PositionId,
        /// Whether it is there.
        answer: Result<(), Failure>,
    },
    /// An effect of a job ended.
    Ended {
        /// The job's ticket.
        ticket: TicketId,
        /// The key of the effect.
        intent: String,
        /// How.
        news: Input,
    },
    /// An effect was broken off: its job has gone another way meanwhile.
    Abandoned,
    /// An operator asks something.
    Asked(Question),
    /// Something is due.
    Tick,
}

/// What an operator asks of an agent.
#[derive(Debug)]
pub enum Question {
    /// How it stands.
    Report(oneshot::Sender<AgentReport>),
    /// To stop working on a ticket.
    Cancel {
        /// Which.
        ticket: TicketId,
        /// Whether it stays assigned to the agent, whatever the policy says.
        keep: bool,
        /// Who wants to know what comes of it.
        answers: mpsc::Sender<Answer>,
    },
    /// To take nothing new, and to end when what was begun is done.
    Drain,
}

/// What there is to do, beside what is already ours.
#[derive(Debug, Default)]
pub struct Finds {
    /// The projects that we belong to.
    pub memberships: Vec<Membership>,
    /// Free tickets in them.
    pub tickets: Vec<Ticket>,
    /// Open positions.
    pub positions: Vec<Position>,
    /// Our applications.
    pub applications: Vec<Application>,
}
