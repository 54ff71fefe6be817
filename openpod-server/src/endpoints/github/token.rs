//! GET /github/token

use axum::extract::State;
use openpod_sdk::api::github::{GetGithubToken, GithubToken};

use super::repository;
use crate::app::App;
use crate::github::full_name;
use crate::http::{Answer, ApiError, Call};

/// A token for the project's repository and nothing else.
pub async fn token(
    State(app): State<App>,
    call: Call<GetGithubToken>,
) -> Result<Answer<GetGithubToken>, ApiError> {
    let repository = repository(&app, call.actor, call.query.project_id).await?;
    let minted = app.github().token(&repository).await?;
    Ok(Answer::ok(GithubToken {
        token: minted.token.clone(),
        expires_at: minted.expires_at,
        permissions: minted.permissions.clone(),
        repo_full_name: full_name(&repository),
        clone_url: app.github().clone_url(&repository),
        api_url: app.github().api_url().map(ToOwned::to_owned),
        repo_owner: repository.owner,
        repo_name: repository.name,
    }))
}
