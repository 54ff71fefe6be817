//! Repositories, in the three lengths that GitHub has for them.

use serde_json::{Value, json};

use super::{node_id, time, user};
use crate::auth::Caller;
use crate::forge::Forge;
use crate::permission::Level;
use crate::store::Repository;

/// The addresses below a repository's own: member, and what follows.
const ADDRESSES: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// `minimal-repository`.
pub(in crate::rest) fn minimal_repository(forge: &Forge, repository: &Repository) -> Value {
    let full_name = repository.full_name();
    let url = forge.api(&format!("/repos/{full_name}"));
    let mut body = json!({
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": full_name,
        "owner": user(forge, &repository.owner),
        "private": true,
        "html_url": forge.web(&format!("/{full_name}")),
        "description": null,
        "fork": false,
    });
    for (member, rest) in ADDRESSES {
        body[member] = format!("{url}{rest}").into();
    }
    body
}

/// `repository`: what stands in pull requests and in lists.
pub(in crate::rest) fn repository(forge: &Forge, repository: &Repository, caller: &Caller) -> Value {
    let mut body = minimal_repository(forge, repository);
    let address = forge.web(&format!("/{}", repository.full_name()));
    let may = |level| caller.may("contents", level);
    let more = json!({
        "clone_url": format!("{address}.git"),
        "git_url": format!("{address}.git"),
        "ssh_url": format!("{address}.git"),
        "svn_url": address,
        "mirror_url": null,
        "homepage": null,
        "language": null,
        "license": null,
        "size": 0,
        "default_branch": repository.default_branch,
        "visibility": "private",
        "topics": [],
        "is_template": false,
        "archived": false,
        "disabled": false,
        "has_issues": true,
        "has_projects": false,
        "has_wiki": false,
        "has_pages": false,
        "has_downloads": false,
        "has_discussions": false,
        "allow_forking": false,
        "web_commit_signoff_required": false,
        "forks": 0,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "open_issues": repository.open_pulls,
        "open_issues_count": repository.open_pulls,
        "created_at": time(repository.created_at),
        "updated_at": time(repository.updated_at),
        "pushed_at": time(repository.pushed_at),
        "permissions": {
            "admin": may(Level::Admin), "maintain": may(Level::Admin), "push": may(Level::Write),
            "triage": may(Level::Write), "pull": may(Level::Read),
        },
    });
    extend(&mut body, more);
    body
}

/// `full-repository`: what `GET /repos/{owner}/{repo}` answers.
pub(in crate::rest) fn full_repository(forge: &Forge, stored: &Repository, caller: &Caller) -> Value {
    let mut body = repository(forge, stored, caller);
    let more = json!({
        "network_count": 0,
        "subscribers_count": 0,
        "allow_merge_commit": true,
        "allow_squash_merge": true,
        "allow_rebase_merge": false,
        "allow_auto_merge": false,
        "allow_update_branch": false,
        "delete_branch_on_merge": false,
        "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
        "squash_merge_commit_message": "COMMIT_MESSAGES",
        "merge_commit_title": "MERGE_MESSAGE",
        "merge_commit_message": "PR_TITLE",
    });
    extend(&mut body, more);
    body
}

fn extend(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}
