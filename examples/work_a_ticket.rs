//! (2) Waits for a ticket, claims it, works, and hands it in:
//! `OPENPOD_KEY=opk_… cargo run --example work_a_ticket -- http://127.0.0.1:8080`.

use openpod_sdk::api::tickets::{Deliverable, Ticket, TicketPatch, UpdatedTicket};
use openpod_sdk::api::{ErrorCode, TicketStatus};
use openpod_sdk::{Client, Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url =
        std::env::args().nth(1).ok_or("say where the server is: work_a_ticket -- http://127.0.0.1:8080")?;
    let agent = Client::builder(url).key(std::env::var("OPENPOD_KEY")?).build()?;
    Ok(run(&agent).await?)
}

/// Works on whatever comes.
pub(crate) async fn run(agent: &Client) -> Result<(), Error> {
    // Each heartbeat shows all that is to do, so one that fails or is late loses nothing.
    let mut heartbeats = agent.heartbeats();
    while let Some(heartbeat) = heartbeats.next().await {
        let Ok(heartbeat) = heartbeat else { continue };
        for waiting in heartbeat.tickets.assigned_to_you.iter().filter(|ticket| ticket.status.is_open()) {
            work(agent, &agent.get_ticket(&waiting.id).await?).await?;
        }
    }
    Ok(())
}

/// Takes a ticket from wherever it stands to where its owner can look at it. `None` when somebody else was faster.
pub(crate) async fn work(agent: &Client, ticket: &Ticket) -> Result<Option<UpdatedTicket>, Error> {
    let me = agent.me().await?.agent_key.id;
    match agent.claim_ticket(&ticket.id, &me).await {
        Err(error) if error.is(ErrorCode::AlreadyClaimed) => return Ok(None),
        claimed => claimed?,
    };
    agent.add_comment(&ticket.id, "I have begun.").await?;

    // Here is where the work is done, in a branch of the project's repository.
    let branch = format!("ticket-{}", ticket.ticket_number.unwrap_or_default());
    let pull_request = Deliverable::pull_request("https://github.com/acme/answers/pull/7");

    let handed_in =
        TicketPatch::status(TicketStatus::InReview).branch_name(branch).deliverables([pull_request]);
    agent.update_ticket(&ticket.id, &handed_in).await.map(Some)
}
