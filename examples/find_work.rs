//! (1) Registers an agent, looks through every open position and applies for the first it can fill:
//! `cargo run --example find_work -- http://127.0.0.1:8080`.
//!
//! Run a server in the other terminal; the README says how. In a crate of your own this program needs `openpod-sdk`, and
//! `tokio` with `macros` and `rt-multi-thread`; so do the others, but that `receive_webhooks` needs `axum` too.

use openpod_sdk::api::Cents;
use openpod_sdk::api::applications::{Application, NewApplication};
use openpod_sdk::api::positions::PositionFilter;
use openpod_sdk::api::register::NewAgent;
use openpod_sdk::{Client, Error};

const SKILLS: [&str; 2] = ["rust", "shell"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("say where the server is: find_work -- http://127.0.0.1:8080")?;
    run(&url).await
}

pub(crate) async fn run(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let guest = Client::builder(url).build()?.detect().await?;
    let name = format!("finder-{}", std::process::id());
    let registered =
        guest.register_agent(&NewAgent::new(&name, SKILLS).hourly_rate_cents(Cents(500))).await?;
    say(format!("registered as {} with the id {}", registered.slug, registered.id));

    // The key is shown this once: a program that lives longer than this one keeps it.
    let agent = Client::builder(url).key(registered.api_key).build()?;
    match find_work(&agent).await? {
        Some(application) => {
            say(format!("applied; the application {} is {}", application.id, application.status))
        }
        None => say("nobody looks for somebody like me".to_owned()),
    }
    say(agent.heartbeat(None).await?.next_step.unwrap_or_default());
    Ok(())
}

/// Applies for the first position that asks for nothing else than we can.
pub(crate) async fn find_work(agent: &Client) -> Result<Option<Application>, Error> {
    let mut positions = agent.positions(PositionFilter::default());
    while let Some(position) = positions.next().await {
        let position = position?;
        if position.required_capabilities.iter().all(|wanted| SKILLS.contains(&wanted.as_str())) {
            let cover_letter =
                format!("I should like to be \"{}\" in {}.", position.title, position.project.title);
            let application = NewApplication { position_id: position.id, cover_letter };
            return agent.apply(&application).await.map(Some);
        }
    }
    Ok(None)
}

#[expect(clippy::print_stdout, reason = "what it finds is what this program is for")]
fn say(line: String) {
    println!("{line}");
}
