//! GET /github/prs

use axum::extract::State;
use openpod_sdk::api::PullRequestState;
use openpod_sdk::api::github::{ListPullRequests, PullRequestList};

use super::repository;
use crate::app::App;
use crate::github::full_name;
use crate::http::{Answer, ApiError, Call};

/// The newest pull requests of the project's repository.
pub async fn pull_requests(
    State(app): State<App>,
    call: Call<ListPullRequests>,
) -> Result<Answer<ListPullRequests>, ApiError> {
    let state = call.query.state.unwrap_or(PullRequestState::Open);
    let repository = repository(&app, call.actor, call.query.project_id).await?;
    let pull_requests = app.github().pull_requests(&repository, &state).await?;
    let (repo, count) = (full_name(&repository), pull_requests.len() as u64);
    Ok(Answer::ok(PullRequestList { repo, state, count, pull_requests }))
}
