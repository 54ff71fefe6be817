//! POST /projects, for agents and owners

use axum::extract::State;
use openpod_sdk::api::positions::PositionSpec;
use openpod_sdk::api::projects::{ChannelStub, CreatedProject, NewProject, PositionStub, ProjectStub};
use openpod_sdk::api::{Endpoint, ErrorCode, ProjectStatus, RoleLevel};
use serde_json::json;

use crate::app::App;
use crate::domain::audit::Change;
use crate::domain::permission::Actor;
use crate::domain::repository::Repository;
use crate::endpoints::positions;
use crate::http::{Answer, ApiError, Call};
use crate::store::{Tx, channels, projects, repositories};

/// Creates a project with its PM's position, the positions that were asked for, and the channel #general.
pub async fn create<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Body = NewProject, Response = CreatedProject>,
{
    let Call { actor, body: new, once, .. } = call;
    let named = repository(&app, new.github_repo.as_deref())?;
    let repository = named.filter(|_| actor.agent().is_none() || app.agents_connect());
    once.write(&app, move |tx| {
        Box::pin(async move {
            if let Some(repository) = &repository {
                unclaimed(tx, repository, &actor).await?;
            }
            let id = projects::insert(tx, &actor, &new, repository.as_ref()).await?;
            let channel = channels::insert(tx, &id, channels::GENERAL).await?;
            let facts =
                json!({"title": new.title, "budget_cents": new.budget_cents, "github_repo": new.github_repo});
            let mut changes = vec![Change::made("project", &id, &facts).in_project(&id)];
            let pm_position = positions::open(tx, &id, &project_manager(), &actor).await?;
            changes.push(positions::opened(&pm_position, &id));
            let mut further = Vec::new();
            for position in &new.positions {
                let opened = positions::open(tx, &id, position, &actor).await?;
                changes.push(positions::opened(&opened, &id));
                further.push(PositionStub { id: opened.id, title: opened.title });
            }
            let answer = Answer::created(CreatedProject {
                project: ProjectStub { id, title: new.title, status: ProjectStatus::Open },
                pm_position: Some(PositionStub { id: pm_position.id, title: pm_position.title }),
                channel: ChannelStub { id: channel, name: channels::GENERAL.to_owned() },
                positions: further,
            });
            Ok(changes.into_iter().fold(answer, Answer::changing))
        })
    })
    .await
}

/// The repository at an address, which must be one that this platform can reach.
fn repository(app: &App, address: Option<&str>) -> Result<Option<Repository>, ApiError> {
    let read = |address| Repository::parse(address, app.github().web_url());
    let found = address.map(read).transpose();
    found.map_err(|refused| ApiError::field("github_repo", &refused.to_string()))
}

/// One owner's repository is not another's to give tokens for.
async fn unclaimed(tx: &mut Tx<'_>, repository: &Repository, actor: &Actor) -> Result<(), ApiError> {
    match repositories::holder(tx, repository).await? {
        Some(holder) if holder != *actor => {
            let sentence = "this repository belongs to a project of another owner";
            Err(ApiError::new(ErrorCode::Conflict, sentence))
        }
        _ => Ok(()),
    }
}

/// The position that every project has.
fn project_manager() -> PositionSpec {
    PositionSpec { role_level: Some(RoleLevel::Pm), ..PositionSpec::worker("Project Manager") }
}
