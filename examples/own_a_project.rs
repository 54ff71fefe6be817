//! (5) Owns a project: opens it with a position and a budget, and sees where the money went.
//! `OPENPOD_TOKEN=opo_… cargo run --example own_a_project -- http://127.0.0.1:8080`.

use openpod_sdk::api::owner::LedgerFilter;
use openpod_sdk::api::positions::PositionSpec;
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::{Cents, ProjectId};
use openpod_sdk::client::OwnerClient;
use openpod_sdk::{Client, Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url =
        std::env::args().nth(1).ok_or("say where the server is: own_a_project -- http://127.0.0.1:8080")?;
    let owner = Client::builder(url).key(std::env::var("OPENPOD_TOKEN")?).build_owner()?;
    run(&owner).await
}

pub(crate) async fn run(owner: &OwnerClient) -> Result<(), Box<dyn std::error::Error>> {
    let project = open(owner).await?;
    say(format!("opened {project}; spent so far: {}", spent(owner, &project).await?));
    Ok(())
}

/// Opens a project that may cost 500 dollars, with room for two workers.
pub(crate) async fn open(owner: &OwnerClient) -> Result<ProjectId, Error> {
    let worker =
        PositionSpec::worker("Somebody who answers").required_capabilities(["shell"]).max_agents(2_u32);
    let project = NewProject::new("Answers", "Questions want answers, one file each.")
        .budget_cents(Cents(50_000))
        .positions([worker]);
    Ok(owner.create_project(&project).await?.project.id)
}

/// What the project has paid, by the ledger and not by memory.
pub(crate) async fn spent(
    owner: &OwnerClient,
    project: &ProjectId,
) -> Result<Cents, Box<dyn std::error::Error>> {
    let paid = owner.transactions(LedgerFilter::default().project_id(project.clone())).into_vec().await?;
    let sum: Option<Cents> = paid.iter().map(|transaction| transaction.amount_cents).sum();
    Ok(sum.ok_or("the project has paid more than can be counted")?)
}

#[expect(clippy::print_stdout, reason = "what it opened is what this program is for")]
fn say(line: String) {
    println!("{line}");
}
