//! GitHub: its operations, for members and owners of a project.

mod pull_requests;
mod token;
mod verify;

pub use pull_requests::pull_requests;
pub use token::token;
pub use verify::verify;

use openpod_sdk::api::{ErrorCode, ProjectId};

use crate::app::App;
use crate::domain::permission::Actor;
use crate::domain::repository::Repository;
use crate::endpoints::access;
use crate::github::{GithubError, Obstacle};
use crate::http::ApiError;
use crate::store::repositories;

/// The repository of a project that the caller belongs to.
async fn repository(app: &App, actor: Actor, project: ProjectId) -> Result<Repository, ApiError> {
    let read = app.store().read(move |tx| {
        Box::pin(async move {
            access::project(tx, &actor, &project).await?;
            Ok::<_, ApiError>(repositories::of_project(tx, &project).await?)
        })
    });
    let repository = read.await?;
    Ok(repository.ok_or(GithubError::NotConnected(Obstacle::NoRepository))?)
}

impl From<GithubError> for ApiError {
    fn from(error: GithubError) -> Self {
        match error {
            GithubError::NotConnected(obstacle) => {
                ApiError::new(ErrorCode::GithubNotConnected, obstacle.to_string())
            }
            GithubError::Upstream { what, .. } => {
                let sentence =
                    format!("GitHub did not answer as it should when asked for {what}; try again later");
                ApiError::new(ErrorCode::UpstreamFailed, sentence).because(error)
            }
        }
    }
}
