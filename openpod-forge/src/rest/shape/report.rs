//! Check runs and statuses.

use serde_json::{Value, json};

use super::{integration, node_id, time, time_or_null, user};
use crate::forge::Forge;
use crate::store::{App, CheckRun, Pull, Repository, Status};

/// `check-run`. `pulls` are those whose head is its commit.
pub(in crate::rest) fn check_run(
    forge: &Forge,
    repository: &Repository,
    app: &App,
    run: &CheckRun,
    pulls: &[Pull],
) -> Value {
    let name = repository.full_name();
    let url = forge.api(&format!("/repos/{name}/check-runs/{}", run.id));
    let page = forge.web(&format!("/{name}/runs/{}", run.id));
    json!({
        "id": run.id,
        "node_id": node_id("CheckRun", run.id),
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id.as_deref().unwrap_or_default(),
        "url": url,
        "html_url": page,
        "details_url": run.details_url.as_ref().unwrap_or(&page),
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": time(run.started_at),
        "completed_at": time_or_null(run.completed_at),
        "output": {
            "title": run.output.title, "summary": run.output.summary, "text": run.output.text,
            "annotations_count": 0, "annotations_url": format!("{url}/annotations"),
        },
        "check_suite": null,
        "app": integration(forge, app),
        "pull_requests": pulls.iter().map(|pull| linked(forge, repository, pull)).collect::<Vec<_>>(),
    })
}

/// `pull-request-minimal`.
fn linked(forge: &Forge, repository: &Repository, pull: &Pull) -> Value {
    let url = forge.api(&format!("/repos/{}", repository.full_name()));
    let side = |branch: &str, sha: &str| json!({"ref": branch, "sha": sha, "repo": {"id": repository.id, "url": url, "name": repository.name}});
    json!({
        "id": pull.id,
        "number": pull.number,
        "url": format!("{url}/pulls/{}", pull.number),
        "head": side(&pull.head_ref, &pull.head_sha),
        "base": side(&pull.base_ref, &pull.base_sha),
    })
}

/// `simple-commit-status`: an item of the combined status.
pub(in crate::rest) fn simple_status(forge: &Forge, repository: &Repository, status: &Status) -> Value {
    json!({
        "id": status.id,
        "node_id": node_id("StatusContext", status.id),
        "url": forge.api(&format!("/repos/{}/statuses/{}", repository.full_name(), status.sha)),
        "avatar_url": forge.web(&format!("/avatars/{}", status.creator.id)),
        "state": status.state,
        "context": status.context,
        "description": status.description,
        "target_url": status.target_url,
        "created_at": time(status.created_at),
        "updated_at": time(status.created_at),
    })
}

/// `status`.
pub(in crate::rest) fn status(forge: &Forge, repository: &Repository, status: &Status) -> Value {
    let mut body = simple_status(forge, repository, status);
    body["creator"] = user(forge, &status.creator);
    body
}
