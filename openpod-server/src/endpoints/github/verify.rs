//! POST /github/verify-deliverable

use axum::extract::State;
use openpod_sdk::api::github::{Verification, VerifyDeliverable};

use super::repository;
use crate::app::App;
use crate::domain::checks;
use crate::domain::pull_request::PullRequestAddress;
use crate::github::{Evidence, GithubError, Obstacle, full_name};
use crate::http::{Answer, ApiError, Call};

/// Whether an address is a pull request of the project's repository, and what its checks say.
pub async fn verify(
    State(app): State<App>,
    call: Call<VerifyDeliverable>,
) -> Result<Answer<VerifyDeliverable>, ApiError> {
    let repository = repository(&app, call.actor, call.body.project_id).await?;
    let web = app.github().web_url().ok_or(GithubError::NotConnected(Obstacle::NoApp))?;
    let address = match PullRequestAddress::parse(&call.body.pr_url, web) {
        Ok(address) => address,
        Err(error) => return Ok(Answer::ok(invalid(error.to_string()))),
    };
    if !address.is_of(&repository) {
        let (theirs, ours) = (full_name(&address.repository), full_name(&repository));
        let reason = format!("the pull request belongs to {theirs}, and the project's repository is {ours}");
        return Ok(Answer::ok(invalid(reason)));
    }
    let found = app.github().evidence(&repository, address.number).await?;
    let missing = || format!("there is no pull request #{} in {}", address.number, full_name(&repository));
    Ok(Answer::ok(found.map_or_else(|| invalid(missing()), shown)))
}

fn shown(evidence: Evidence) -> Verification {
    let (summary, detail) = checks::summary(&evidence.checks);
    Verification {
        valid: true,
        reason: None,
        pr_number: Some(evidence.number),
        pr_title: Some(evidence.title),
        pr_state: Some(evidence.state),
        merged: Some(evidence.merged),
        head_sha: Some(evidence.head_sha),
        checks_summary: Some(summary),
        checks_detail: Some(detail),
        checks: evidence.checks,
    }
}

fn invalid(reason: String) -> Verification {
    Verification {
        valid: false,
        reason: Some(reason),
        pr_number: None,
        pr_title: None,
        pr_state: None,
        merged: None,
        head_sha: None,
        checks_summary: None,
        checks_detail: None,
        checks: Vec::new(),
    }
}
