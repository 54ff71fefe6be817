//! Pull requests and what is said on them.

use serde_json::{Value, json};

use super::{node_id, repository, time, time_or_null, user};
use crate::auth::Caller;
use crate::forge::Forge;
use crate::store::{Comment, Pull, Repository};

/// What only the single view of a pull request shows.
#[derive(Debug)]
pub(in crate::rest) struct PullDetails {
    /// `None` while it is not known.
    pub mergeable: Option<bool>,
    pub commits: u64,
    pub changed_files: u64,
    pub additions: u64,
    pub deletions: u64,
}

/// `pull-request-simple`: an item of a list. It has neither sizes nor `merged` nor `mergeable`.
pub(in crate::rest) fn pull_in_list(forge: &Forge, repo: &Repository, pull: &Pull, caller: &Caller) -> Value {
    let name = repo.full_name();
    let url = forge.api(&format!("/repos/{name}/pulls/{}", pull.number));
    let issue = forge.api(&format!("/repos/{name}/issues/{}", pull.number));
    let page = forge.web(&format!("/{name}/pull/{}", pull.number));
    let statuses = forge.api(&format!("/repos/{name}/statuses/{}", pull.head_sha));
    let in_repository = repository(forge, repo, caller);
    let owner = user(forge, &repo.owner);
    let side = |branch: &str, sha: &str| {
        json!({
            "label": format!("{}:{branch}", repo.owner.login), "ref": branch, "sha": sha, "user": owner,
            "repo": in_repository,
        })
    };
    let links = json!({
        "self": {"href": url},
        "html": {"href": page},
        "issue": {"href": issue},
        "comments": {"href": format!("{issue}/comments")},
        "review_comments": {"href": format!("{url}/comments")},
        "review_comment": {"href": forge.api(&format!("/repos/{name}/pulls/comments{{/number}}"))},
        "commits": {"href": format!("{url}/commits")},
        "statuses": {"href": statuses},
    });
    json!({
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "number": pull.number,
        "state": if pull.open { "open" } else { "closed" },
        "locked": false,
        "active_lock_reason": null,
        "title": pull.title,
        "body": pull.body,
        "draft": pull.draft,
        "user": user(forge, &pull.author),
        "created_at": time(pull.created_at),
        "updated_at": time(pull.updated_at),
        "closed_at": time_or_null(pull.closed_at),
        "merged_at": time_or_null(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha,
        "assignee": null,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [],
        "milestone": null,
        "auto_merge": null,
        "author_association": "CONTRIBUTOR",
        "head": side(&pull.head_ref, &pull.head_sha),
        "base": side(&pull.base_ref, &pull.base_sha),
        "url": url,
        "html_url": page,
        "diff_url": format!("{page}.diff"),
        "patch_url": format!("{page}.patch"),
        "issue_url": issue,
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": forge.api(&format!("/repos/{name}/pulls/comments{{/number}}")),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": statuses,
        "_links": links,
    })
}

/// `pull-request`: the single view.
pub(in crate::rest) fn pull(
    forge: &Forge,
    repo: &Repository,
    stored: &Pull,
    caller: &Caller,
    details: &PullDetails,
) -> Value {
    let mut body = pull_in_list(forge, repo, stored, caller);
    let state = match details.mergeable {
        _ if !stored.open => "unknown",
        None => "unknown",
        Some(false) => "dirty",
        Some(true) if stored.draft => "draft",
        Some(true) => "clean",
    };
    let more = json!({
        "merged": stored.merged_at.is_some(),
        "merged_by": stored.merged_by.as_ref().map(|account| user(forge, account)),
        "mergeable": details.mergeable,
        "mergeable_state": state,
        "rebaseable": details.mergeable.map(|_| false),
        "comments": stored.comments,
        "review_comments": 0,
        "maintainer_can_modify": stored.maintainer_can_modify,
        "commits": details.commits,
        "additions": details.additions,
        "deletions": details.deletions,
        "changed_files": details.changed_files,
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// `issue-comment`.
pub(in crate::rest) fn comment(forge: &Forge, repo: &Repository, comment: &Comment) -> Value {
    let name = repo.full_name();
    let url = forge.api(&format!("/repos/{name}/issues/comments/{}", comment.id));
    let page = forge.web(&format!("/{name}/pull/{}", comment.number));
    json!({
        "id": comment.id,
        "node_id": node_id("IssueComment", comment.id),
        "url": url,
        "html_url": format!("{page}#issuecomment-{}", comment.id),
        "issue_url": forge.api(&format!("/repos/{name}/issues/{}", comment.number)),
        "body": comment.body,
        "user": user(forge, &comment.author),
        "created_at": time(comment.created_at),
        "updated_at": time(comment.updated_at),
        "author_association": "CONTRIBUTOR",
        "performed_via_github_app": null,
        "reactions": {
            "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "confused": 0,
            "heart": 0, "hooray": 0, "eyes": 0, "rocket": 0,
        },
    })
}
