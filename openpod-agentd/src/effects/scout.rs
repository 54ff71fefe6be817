//! Looks around for work: GET /me, GET /tickets, GET /positions, GET /apply.

use openpod_sdk::api::applications::ApplicationFilter;
use openpod_sdk::api::positions::PositionFilter;
use openpod_sdk::api::tickets::{Assignee, TicketFilter};
use openpod_sdk::api::{Page, ProjectId, TicketStatus};
use openpod_sdk::{Client, Error};

use super::failure::{failure_of, is_out_of_sight};
use crate::event::Finds;
use crate::job::Failure;
use crate::job::policy::Policy;

/// Looks where the policy says that there might be work. Reads the first hundred of each list.
pub async fn scout(client: &Client, policy: &Policy, for_tickets: bool) -> Result<Finds, Failure> {
    find(client, policy, for_tickets).await.map_err(|error| failure_of(&error))
}

async fn find(client: &Client, policy: &Policy, for_tickets: bool) -> Result<Finds, Error> {
    let memberships = match client.me().await {
        Ok(me) => me.memberships,
        // A platform without the extension.
        Err(error) if error.status() == Some(404) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut finds = Finds { memberships, ..Finds::default() };
    if for_tickets {
        for membership in finds.memberships.iter().filter(|membership| policy.tickets.looks_at(membership)) {
            let free = free_tickets(membership.project_id.clone());
            match client.list_tickets(&free).await {
                Ok(page) => finds.tickets.extend(page.data.into_iter().map(|mut ticket| {
                    ticket.project_id.get_or_insert_with(|| membership.project_id.clone());
                    ticket
                })),
                // We may have left the project in the meantime.
                Err(error) if is_out_of_sight(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    if policy.apply.enabled {
        let positions = PositionFilter { limit: Some(100), ..PositionFilter::default() };
        finds.positions = client.list_positions(&positions).await?.data;
        let applications = ApplicationFilter { limit: Some(100), ..ApplicationFilter::default() };
        finds.applications = match client.list_applications(&applications).await {
            Err(error) if error.status() == Some(404) => Page::last(Vec::new()),
            other => other?,
        }
        .data;
    }
    Ok(finds)
}

fn free_tickets(project: ProjectId) -> TicketFilter {
    TicketFilter {
        status: Some(TicketStatus::Todo),
        assignee: Some(Assignee::Nobody),
        limit: Some(100),
        ..TicketFilter::of(project)
    }
}
