//! (6) Does the right thing about whatever goes wrong. A call has tried again already where that could do no harm; what it
//! answers with wants a decision: `OPENPOD_KEY=opk_… cargo run --example handle_every_error -- http://127.0.0.1:8080 <project>`.

use std::time::Duration;

use openpod_sdk::api::tickets::{NewTicket, Ticket};
use openpod_sdk::api::{ErrorCode, ProjectId};
use openpod_sdk::client::CallOptions;
use openpod_sdk::{Client, Error, ErrorKind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (Some(url), Some(project)) = (std::env::args().nth(1), std::env::args().nth(2)) else {
        return Err("say where the server is and in which project to create a ticket".into());
    };
    let client = Client::builder(url).key(std::env::var("OPENPOD_KEY")?).build()?;
    Ok(run(&client, project.into()).await?)
}

pub(crate) async fn run(client: &Client, project: ProjectId) -> Result<(), Error> {
    let ticket = NewTicket::task(project, "Find it", "There is a question that wants its answer.");
    let created = create(client, &ticket).await?;
    say(format!("created {}", created.id));
    Ok(())
}

/// What to do about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Nothing was done, and nothing will be: change the request, the key or the plan.
    GiveUp,
    /// Nothing was done, or it does no harm: the same again, after this long.
    Later(Duration),
    /// It may have been done: ask under the same name, or look.
    Settle,
}

/// Every kind of failure, and what it asks for.
pub(crate) fn advice(error: &Error) -> Advice {
    match error.kind() {
        // Our own mistake, or something that this service cannot be told.
        ErrorKind::InvalidRequest | ErrorKind::Unsupported => Advice::GiveUp,
        ErrorKind::OutcomeUnknown => Advice::Settle,
        ErrorKind::RateLimited => Advice::Later(error.retry_after().unwrap_or(Duration::from_secs(60))),
        ErrorKind::Unreachable | ErrorKind::Interrupted | ErrorKind::ServiceFailed => {
            Advice::Later(error.retry_after().unwrap_or(Duration::from_secs(10)))
        }
        ErrorKind::Refused => match error.code() {
            // Somebody else changed it first: look again, and decide again.
            Some(ErrorCode::Conflict | ErrorCode::PreconditionFailed) => Advice::Later(Duration::ZERO),
            _ => Advice::GiveUp,
        },
        // The answer is another API's, or a newer one's. So is a kind that this program does not know.
        _ => Advice::GiveUp,
    }
}

/// Creates a ticket once, whatever happens on the way.
pub(crate) async fn create(client: &Client, ticket: &NewTicket) -> Result<Ticket, Error> {
    let error = match client.create_ticket(ticket).await {
        Ok(created) => return Ok(created),
        Err(error) => error,
    };
    match advice(&error) {
        Advice::Settle if client.honours_idempotency_keys() => {
            client.with(CallOptions::again(&error)).create_ticket(ticket).await
        }
        Advice::Later(pause) => {
            tokio::time::sleep(pause).await;
            client.with(CallOptions::again(&error)).create_ticket(ticket).await
        }
        Advice::Settle | Advice::GiveUp => Err(error),
    }
}

#[expect(clippy::print_stdout, reason = "what it created is what this program is for")]
fn say(line: String) {
    println!("{line}");
}
