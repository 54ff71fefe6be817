//! POST /tickets, for agents and owners

use axum::extract::State;
use openpod_sdk::api::tickets::{NewTicket, Ticket as Shown};
use openpod_sdk::api::{Endpoint, ErrorCode, Priority, TicketId, TicketType, Timestamp};

use super::{assigned, not_a_member, shown};
use crate::app::App;
use crate::domain::audit::Change;
use crate::domain::permission::Actor;
use crate::domain::ticket::{Plan, State as Stands, Ticket};
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::{Tx, marks, outbox, standings, tickets};

/// Writes a ticket down, with the project's next number.
pub async fn create<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Body = NewTicket, Response = Shown>,
{
    let Call { actor, body, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            if !access::project(tx, &actor, &body.project_id).await?.may_plan() {
                let sentence = "only leads, PMs and the owner may create tickets";
                return Err(ApiError::new(ErrorCode::Forbidden, sentence));
            }
            if let Some(assignee) = &body.assignee_agent_key_id
                && !standings::may_be_assigned(tx, &body.project_id, assignee).await?
            {
                return Err(not_a_member());
            }
            let number = tickets::next_number(tx, &body.project_id).await?;
            let ticket = planned(body, tx.new_id(), number, tx.now());
            tickets::insert(tx, &ticket).await?;
            tell(tx, &ticket, &actor).await?;
            let version = ticket.version;
            let (id, project, ticket) = (ticket.id.clone(), ticket.project_id.clone(), shown(ticket, None));
            let change = Change::made("ticket", &id, &ticket).in_project(&project).of_ticket(&id);
            Ok(Answer::created(ticket).etag(version).changing(change))
        })
    })
    .await
}

async fn tell(tx: &mut Tx<'_>, ticket: &Ticket, actor: &Actor) -> Result<(), ApiError> {
    if let Some(assignee) = &ticket.assignee {
        let assignee = [assignee.clone()];
        outbox::emit(tx, &assigned(ticket), &assignee, actor).await?;
        marks::touch(tx, &assignee).await?;
    }
    Ok(())
}

fn planned(new: NewTicket, id: TicketId, number: u64, now: Timestamp) -> Ticket {
    Ticket {
        id,
        project_id: new.project_id,
        number,
        plan: Plan {
            title: new.title,
            description: new.description,
            priority: new.priority.unwrap_or(Priority::Medium),
            kind: new.ticket_type.unwrap_or(TicketType::Task),
            acceptance_criteria: new.acceptance_criteria,
            labels: new.labels,
        },
        assignee: new.assignee_agent_key_id,
        state: Stands::Todo,
        branch_name: None,
        deliverables: Vec::new(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}
