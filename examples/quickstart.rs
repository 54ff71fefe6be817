//! The whole loop on one machine: `cargo run --release --example quickstart`. No network, no account, nothing
//! installed but git.
//!
//! An owner posts a project with a small real repository, whose test fails. An agent's daemon finds it, applies, is
//! accepted, does the work, opens a pull request and hands it in; the owner asks for one revision, then pays.
//! With `--keep` everything stays up afterwards, to be looked at.

#![expect(unreachable_pub, reason = "the modules of a program are read as those of a library are")]

#[path = "quickstart/ci.rs"]
mod ci;
#[path = "quickstart/platform.rs"]
mod platform;
#[path = "quickstart/story.rs"]
mod story;
#[path = "quickstart/table.rs"]
mod table;

use std::process::ExitCode;

use openpod_sdk::api::applications::ApplicationDecision;
use openpod_sdk::api::owner::OwnerApplicationFilter;
use openpod_sdk::api::positions::PositionSpec;
use openpod_sdk::api::projects::NewProject;
use openpod_sdk::api::tickets::{Judgement, NewTicket, Ticket};
use openpod_sdk::api::{ApplicationStatus, Cents, Decision, ProjectId, TicketId, TicketStatus, TicketType};

use ci::Ci;
use platform::{Daemon, Platform};
use story::{Failed, Story};

const PAYOUT: Cents = Cents(5000);

fn main() -> ExitCode {
    // The daemon hands git a credential helper, which is this program once more.
    if let Some(code) = openpod_agentd::helper_entry() {
        return code;
    }
    let keep = std::env::args().any(|argument| argument == "--keep");
    let runtime = tokio::runtime::Runtime::new().expect("a machine that runs threads");
    let mut story = Story::begin();
    match runtime.block_on(tell(&mut story, keep)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            story.complain(&failed);
            ExitCode::FAILURE
        }
    }
}

async fn tell(story: &mut Story, keep: bool) -> Result<(), Failed> {
    let platform = story.step("start the platform", Platform::start()).await?;
    story.tell("platform", format!("serves at {}, its forge at {}", platform.url, platform.forge.web_url()));
    let project = post(story, &platform).await?;
    let daemon = story.step("start the daemon", Daemon::start(&platform)).await?;
    story.tell("daemon", "registered as ada, and listens for webhooks");
    hire(story, &platform).await?;

    let ticket = story.step("create a ticket", assign(&platform, &daemon, &project)).await?;
    story.tell("olga", "created ticket #1 and assigned it to ada");
    let first = handed_in(story, &platform, &ticket, None).await?;
    check(story, &platform, &first).await?;

    let wish = "Please trim them: a slug must not have a dash at the start or a dash at the end. And add a test for it.";
    let revise = platform.owner.approve_ticket(&ticket, Judgement::revise(wish));
    story.step("ask for a revision", revise).await?;
    story.tell("olga", "asked for a revision: no dash at the start or the end, and a test for it");
    let second = handed_in(story, &platform, &ticket, Some(&first)).await?;
    check(story, &platform, &second).await?;

    let verdict = Judgement { comment: Some("Thank you!".to_owned()), ..Judgement::approve(PAYOUT) };
    let judged = story.step("approve", platform.owner.approve_ticket(&ticket, verdict)).await?;
    let paid = judged.transaction.map(|paid| paid.amount_cents).unwrap_or_default();
    story.tell("olga", format!("approved the work and paid {paid}"));

    let rows =
        story.step("read what the server knows", table::rows(&platform, &daemon, &project, &ticket)).await?;
    story.table(&rows);
    if keep {
        let token = story.step("let olga into the forge", platform.forge.create_user("olga")).await?;
        story.tell(
            "platform",
            format!("stays up at {}; olga's token is {}", platform.url, platform.owner_token.expose()),
        );
        story.tell("forge", format!("shows {}; sign in as olga with {token}", rows.pull_request));
        story.tell("both", "end with Ctrl-C");
        // However long it takes.
        let _ = tokio::signal::ctrl_c().await;
    }
    story.step("stop the daemon", daemon.stop()).await?;
    story.step("stop the platform", platform.stop()).await
}

async fn post(story: &Story, platform: &Platform) -> Result<ProjectId, Failed> {
    let repository = story.step("create a repository", platform.repository()).await?;
    let project = NewProject {
        budget_cents: Some(Cents(100_000)),
        github_repo: Some(repository.clone()),
        positions: vec![PositionSpec {
            required_capabilities: vec!["shell".to_owned()],
            ..PositionSpec::worker("Shell programmer")
        }],
        ..NewProject::new("Slugs", "Titles become the last part of web addresses.")
    };
    let created = story.step("post the project", platform.owner.create_project(&project)).await?;
    story.tell("olga", format!("posted the project \"Slugs\" with {repository}, budget $1000.00"));
    Ok(created.project.id)
}

async fn hire(story: &Story, platform: &Platform) -> Result<(), Failed> {
    let pending = OwnerApplicationFilter { status: Some(ApplicationStatus::Pending), ..Default::default() };
    let found = platform.until(async || {
        let page = platform.owner.list_applications(&pending).await?;
        Ok(page.data.into_iter().next())
    });
    let application = story.step("wait for an application", found).await?;
    let name = application.agent_name.clone().unwrap_or_default();
    story.tell("daemon", format!("{name} applied to \"Shell programmer\""));
    let accept = ApplicationDecision { decision: Decision::Accept, comment: None };
    story.step("accept it", platform.owner.decide_application(&application.id, &accept)).await?;
    story.tell("olga", format!("accepted {name}"));
    Ok(())
}

async fn assign(platform: &Platform, daemon: &Daemon, project: &ProjectId) -> platform::Outcome<TicketId> {
    let ticket = NewTicket {
        ticket_type: Some(TicketType::Story),
        acceptance_criteria: vec!["sh test.sh succeeds".to_owned()],
        assignee_agent_key_id: Some(daemon.agent.me().await?.agent_key.id),
        ..NewTicket::task(
            project.clone(),
            "Make slugs of titles",
            "slug prints titles as they are. It should print lower case, with one dash for whatever is between words.",
        )
    };
    Ok(platform.owner.create_ticket(&ticket).await?.id)
}

/// Waits until the ticket is in review, with something else than `before`.
async fn handed_in(
    story: &Story,
    platform: &Platform,
    id: &TicketId,
    before: Option<&Ticket>,
) -> Result<Ticket, Failed> {
    let found = platform.until(async || {
        let ticket = platform.owner.get_ticket(id).await?;
        let is_new = before.is_none_or(|before| before.deliverables != ticket.deliverables);
        Ok((ticket.status == TicketStatus::InReview && is_new).then_some(ticket))
    });
    let ticket = story.step("wait for the work", found).await?;
    let url = ticket.deliverables.first().map(|deliverable| deliverable.url.clone()).unwrap_or_default();
    let branch = ticket.branch_name.clone().unwrap_or_default();
    story.tell("daemon", format!("pushed {branch} and handed in {url}"));
    Ok(ticket)
}

/// Has the CI service test the pull request's head.
async fn check(story: &Story, platform: &Platform, ticket: &Ticket) -> Result<(), Failed> {
    let work = async {
        let url = ticket.deliverables.first().map(|deliverable| deliverable.url.as_str()).unwrap_or_default();
        let number =
            url.rsplit('/').next().and_then(|number| number.parse().ok()).ok_or("no pull request")?;
        let ci = Ci::sign_in(platform).await?;
        ci.check(number, platform.directory()).await
    };
    let conclusion = story.step("run the check", work).await?;
    story.tell("ci", format!("sh test.sh: {conclusion}"));
    if conclusion == "success" {
        return Ok(());
    }
    story.step("find the test passing", async { Err::<(), _>(format!("it came to {conclusion}")) }).await
}
