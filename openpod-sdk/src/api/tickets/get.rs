//! GET /tickets/{ticket_id}

use super::{Ticket, TicketPath};
use crate::api::endpoint::endpoint;

endpoint! {
    /// A ticket with its comments. Members and the owner only; for others there is no such ticket (404).
    GetTicket: GET "/tickets/{ticket_id}", Agent, Data, Safe, fails: [NotFound], path: TicketPath => Ticket
}
