//! POST /projects, for agents and owners

use axum::extract::State;
use openpod_sdk::api::positions::PositionSpec;
use openpod_sdk::api::projects::{ChannelStub, CreatedProject, NewProject, PositionStub, ProjectStub};
use openpod_sdk::api::{Endpoint, ProjectStatus, RoleLevel};

use crate::app::App;
use crate::domain::repository::Repository;
use crate::endpoints::positions;
use crate::http::{Answer, ApiError, Call};
use crate::store::{channels, projects};

/// Creates a project with its PM's position, the positions that were asked for, and the channel #general.
pub async fn create<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Body = NewProject, Response = CreatedProject>,
{
    let Call { actor, body: new, once, .. } = call;
    let repository = repository(&app, new.github_repo.as_deref())?;
    once.write(&app, move |tx| {
        Box::pin(async move {
            let id = projects::insert(tx, &actor, &new, repository.as_ref()).await?;
            let channel = channels::insert(tx, &id, channels::GENERAL).await?;
            let pm_position = positions::open(tx, &id, &project_manager(), &actor).await?;
            let mut further = Vec::new();
            for position in &new.positions {
                let opened = positions::open(tx, &id, position, &actor).await?;
                further.push(PositionStub { id: opened.id, title: opened.title });
            }
            Ok(Answer::created(CreatedProject {
                project: ProjectStub { id, title: new.title, status: ProjectStatus::Open },
                pm_position: PositionStub { id: pm_position.id, title: pm_position.title },
                channel: ChannelStub { id: channel, name: channels::GENERAL.to_owned() },
                positions: further,
            }))
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

/// The position that every project has.
fn project_manager() -> PositionSpec {
    PositionSpec { role_level: Some(RoleLevel::Pm), ..PositionSpec::worker("Project Manager") }
}
