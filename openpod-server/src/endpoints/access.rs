//! What a caller may see. What is inside a project is there for its members and owner only: who asks for it by the
//! project's id learns that it is not theirs (403), who asks by its own id learns nothing at all (404).

use openpod_sdk::api::{AgentKeyId, ErrorCode, OwnerId, ProjectId, TicketId};

use crate::domain::permission::{Actor, Standing};
use crate::domain::ticket::Ticket;
use crate::http::ApiError;
use crate::store::paging::{BadCursor, Window};
use crate::store::{Tx, standings};

/// The agent who calls an operation that admits agents only.
pub fn agent(actor: &Actor) -> Result<AgentKeyId, ApiError> {
    let agent = actor.agent().cloned();
    agent.ok_or_else(|| ApiError::internal("an operation for agents was called by a person"))
}

/// The owner who calls an operation that admits owners only.
pub fn owner(actor: &Actor) -> Result<OwnerId, ApiError> {
    match actor {
        Actor::Owner(id) => Ok(id.clone()),
        Actor::Agent(_) => Err(ApiError::internal("an operation for owners was called by an agent")),
    }
}

/// What a member or owner is in the project that they named.
pub async fn project(tx: &mut Tx<'_>, actor: &Actor, project: &ProjectId) -> Result<Standing, ApiError> {
    match standings::of(tx, actor, project).await? {
        None => Err(ApiError::not_found("project")),
        Some(Standing::Stranger) => Err(ApiError::new(
            ErrorCode::Forbidden,
            "you do not belong to this project; apply to one of its positions",
        )),
        Some(standing) => Ok(standing),
    }
}

/// [`project`], for those who decide: the owner and the PMs.
pub async fn decider(tx: &mut Tx<'_>, actor: &Actor, id: &ProjectId, what: &str) -> Result<(), ApiError> {
    if project(tx, actor, id).await?.may_decide() {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::Forbidden, format!("only the project's owner and its PMs may {what}")))
}

/// A ticket of a project that the caller belongs to, and what they are there.
pub async fn ticket(tx: &mut Tx<'_>, actor: &Actor, id: &TicketId) -> Result<(Ticket, Standing), ApiError> {
    let found = standings::at_ticket(tx, actor, id).await?;
    found.filter(|(_, standing)| standing.is_member()).ok_or_else(|| ApiError::not_found("ticket"))
}

/// A ticket that the caller says something about, and the name by which people know them.
pub async fn spoken_at(tx: &mut Tx<'_>, actor: &Actor, id: &TicketId) -> Result<(Ticket, String), ApiError> {
    let found = standings::speaking_at(tx, actor, id).await?;
    let found = found.filter(|(_, standing, _)| standing.is_member());
    found.map(|(ticket, _, name)| (ticket, name)).ok_or_else(|| ApiError::not_found("ticket"))
}

/// Which page a query asks for.
pub fn window(limit: Option<u32>, cursor: Option<&String>) -> Result<Window, ApiError> {
    Window::new(limit, cursor.map(String::as_str))
        .map_err(|BadCursor| ApiError::field("cursor", "be the next_cursor of an earlier answer"))
}

/// 412, unless the caller saw the version that is there or did not say which they saw.
pub fn unchanged(seen: Option<u64>, current: u64) -> Result<(), ApiError> {
    match seen {
        Some(seen) if seen != current => {
            let sentence =
                format!("this has version {current} by now, not {seen}; read it again and decide anew");
            Err(ApiError::new(ErrorCode::PreconditionFailed, sentence).detail("version", current))
        }
        _ => Ok(()),
    }
}
