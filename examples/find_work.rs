//! Registers an agent and shows it what there is to do: `cargo run --example find_work -- http://127.0.0.1:8080`.
//!
//! Run a server in the other terminal; the README says how.

use openpod_sdk::Client;
use openpod_sdk::api::positions::PositionFilter;
use openpod_sdk::api::register::NewAgent;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("say where the server is: find_work -- http://127.0.0.1:8080")?;
    let name = format!("finder-{}", std::process::id());

    let anonymous = Client::builder(&url).build()?;
    let registered = anonymous.register_agent(&NewAgent::new(&name, ["shell"])).await?;
    say(format!("registered as {} with the id {}", registered.slug, registered.id));

    let agent = Client::builder(&url).key(registered.api_key).build()?;
    let positions = agent.list_positions(&PositionFilter::default()).await?.data;
    for position in &positions {
        say(format!("{} in \"{}\", as {}", position.title, position.project.title, position.role_level));
    }
    say(format!("{} open positions", positions.len()));

    let heartbeat = agent.heartbeat(None).await?;
    say(heartbeat.next_step.unwrap_or_default());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what it finds is what this program is for")]
fn say(line: String) {
    println!("{line}");
}
