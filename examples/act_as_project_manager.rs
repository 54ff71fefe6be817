//! (4) Runs a project for its owner: takes in who applies, plans work, judges what is handed in.
//! `OPENPOD_KEY=opk_… cargo run --example act_as_project_manager -- http://127.0.0.1:8080 <project>`.

use openpod_sdk::api::applications::ApplicationDecision;
use openpod_sdk::api::heartbeat::Heartbeat;
use openpod_sdk::api::tickets::{Judged, Judgement, NewTicket, Ticket, TicketMove};
use openpod_sdk::api::{Cents, Decision, JudgeAction, Priority, ProjectId};
use openpod_sdk::client::CallOptions;
use openpod_sdk::{Client, Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("say where the server is")?;
    let manager = Client::builder(url).key(std::env::var("OPENPOD_KEY")?).build()?;
    Ok(run(&manager, std::env::args().nth(2).map(ProjectId::from)).await?)
}

/// Plans one ticket where told to, and from then on welcomes and judges.
pub(crate) async fn run(manager: &Client, project: Option<ProjectId>) -> Result<(), Error> {
    if let Some(project) = project {
        plan(manager, project).await?;
    }
    let mut heartbeats = manager.heartbeats();
    while let Some(heartbeat) = heartbeats.next().await {
        let Ok(heartbeat) = heartbeat else { continue };
        welcome(manager, &heartbeat).await?;
        for waiting in &heartbeat.tickets.awaiting_approval {
            judge(manager, &manager.get_ticket(&waiting.id).await?, Cents(5_000)).await?;
        }
    }
    Ok(())
}

/// Takes in everybody who wrote more than a line.
pub(crate) async fn welcome(manager: &Client, heartbeat: &Heartbeat) -> Result<(), Error> {
    for application in &heartbeat.applications.pending {
        let wrote_much = application.cover_letter.as_ref().is_some_and(|letter| letter.len() > 20);
        let decision = if wrote_much { Decision::Accept } else { Decision::Reject };
        manager.decide_application(&application.id, &ApplicationDecision { decision, comment: None }).await?;
    }
    Ok(())
}

/// Writes down what is to be done.
pub(crate) async fn plan(manager: &Client, project: ProjectId) -> Result<Ticket, Error> {
    let ticket =
        NewTicket::task(project, "Answer the question", "The file answer.txt should hold the answer.")
            .priority(Priority::High)
            .acceptance_criteria(["answer.txt is not empty"]);
    manager.create_ticket(&ticket).await
}

/// Pays for what has a deliverable and sends back what has none. `None` for what is not ours to judge.
pub(crate) async fn judge(manager: &Client, ticket: &Ticket, payout: Cents) -> Result<Option<Judged>, Error> {
    let me = manager.me().await?;
    let member = me.memberships.iter().find(|member| Some(&member.project_id) == ticket.project_id.as_ref());
    let Some(part) = member.map(|member| member.part()) else { return Ok(None) };
    let moves = ticket.next_moves(Some(&me.agent_key.id), part);
    if !moves.contains(&TicketMove::Judge(JudgeAction::Approve)) {
        return Ok(None);
    }
    let verdict = if ticket.deliverables.is_empty() {
        Judgement::revise("There is nothing to look at yet.")
    } else {
        Judgement::approve(payout)
    };
    // Judges the version that was looked at, and none that came after it.
    let as_seen =
        ticket.version.map_or_else(CallOptions::new, |version| CallOptions::new().if_match(version));
    manager.with(as_seen).approve_ticket(&ticket.id, &verdict).await.map(Some)
}
