//! Positions: what their operations have in common.

mod create;
mod list;

use openpod_sdk::api::ProjectId;
use openpod_sdk::api::positions::{Position, PositionSpec};
use openpod_sdk::webhook::{Event, PositionOpened};

pub use create::create;
pub use list::list;

use crate::domain::audit::Change;
use crate::domain::permission::Actor;
use crate::http::ApiError;
use crate::store::{StoreError, Tx, outbox, positions, standings};

/// What the audit log says of a new position.
pub(super) fn opened(position: &Position, project: &ProjectId) -> Change {
    Change::made("position", &position.id, position).in_project(project)
}

/// Opens a position and tells the project's agents.
pub(super) async fn open(
    tx: &mut Tx<'_>,
    project: &ProjectId,
    new: &PositionSpec,
    actor: &Actor,
) -> Result<Position, ApiError> {
    let id = positions::insert(tx, project, new).await?;
    let found = positions::find(tx, &id).await?;
    let position = found.ok_or_else(|| StoreError::unreadable("a new position is not there"))?.position;
    let event = Event::PositionOpened(PositionOpened {
        position_id: id,
        project_id: project.clone(),
        title: position.title.clone(),
        role_level: position.role_level.clone(),
        required_capabilities: position.required_capabilities.clone(),
    });
    let agents = standings::agents(tx, project).await?;
    outbox::emit(tx, &event, &agents, actor).await?;
    Ok(position)
}
