//! Commits and the files that they change.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{node_id, time};
use crate::forge::Forge;
use crate::git::{Commit, FileDiff, Oid, Person};
use crate::store::Repository;

/// A path keeps its slashes.
pub(in crate::rest) const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `commit`. Who signed it is told by name and address; the forge does not match addresses with accounts.
pub(in crate::rest) fn commit(forge: &Forge, repository: &Repository, commit: &Commit) -> Value {
    let name = repository.full_name();
    let url = forge.api(&format!("/repos/{name}/commits/{}", commit.oid));
    json!({
        "sha": commit.oid.as_str(),
        "node_id": node_id("Commit", &commit.oid),
        "commit": {
            "author": git_user(&commit.author),
            "committer": git_user(&commit.committer),
            "message": commit.message,
            "tree": {
                "sha": commit.tree.as_str(),
                "url": forge.api(&format!("/repos/{name}/git/trees/{}", commit.tree)),
            },
            "url": forge.api(&format!("/repos/{name}/git/commits/{}", commit.oid)),
            "comment_count": 0,
            "verification": {
                "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null,
            },
        },
        "url": url,
        "html_url": forge.web(&format!("/{name}/commit/{}", commit.oid)),
        "comments_url": format!("{url}/comments"),
        "author": null,
        "committer": null,
        "parents": commit.parents.iter().map(|parent| json!({
            "sha": parent.as_str(),
            "url": forge.api(&format!("/repos/{name}/commits/{parent}")),
            "html_url": forge.web(&format!("/{name}/commit/{parent}")),
        })).collect::<Vec<_>>(),
    })
}

/// `commit` with its files and their sum.
pub(in crate::rest) fn commit_with_files(
    forge: &Forge,
    repository: &Repository,
    found: &Commit,
    files: &[FileDiff],
) -> Value {
    let mut body = commit(forge, repository, found);
    let sum = |count: fn(&FileDiff) -> u64| files.iter().map(count).sum::<u64>();
    let (additions, deletions) = (sum(|file| file.additions), sum(|file| file.deletions));
    body["stats"] = json!({"additions": additions, "deletions": deletions, "total": additions + deletions});
    body["files"] = files.iter().map(|file| diff_entry(forge, repository, &found.oid, file)).collect();
    body
}

/// `diff-entry`.
pub(in crate::rest) fn diff_entry(
    forge: &Forge,
    repository: &Repository,
    head: &Oid,
    file: &FileDiff,
) -> Value {
    let name = repository.full_name();
    let path = utf8_percent_encode(&file.path, IN_PATH);
    let mut body = json!({
        "sha": file.oid,
        "filename": file.path,
        "status": file.status.as_str(),
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": forge.web(&format!("/{name}/blob/{head}/{path}")),
        "raw_url": forge.web(&format!("/{name}/raw/{head}/{path}")),
        "contents_url": forge.api(&format!("/repos/{name}/contents/{path}?ref={head}")),
    });
    if let Some(patch) = &file.patch {
        body["patch"] = patch.as_str().into();
    }
    if let Some(previous) = &file.previous {
        body["previous_filename"] = previous.as_str().into();
    }
    body
}

/// The commit within `file-commit`.
pub(in crate::rest) fn file_commit(forge: &Forge, repository: &Repository, found: &Commit) -> Value {
    let full = commit(forge, repository, found);
    json!({
        "sha": full["sha"],
        "node_id": full["node_id"],
        "url": full["commit"]["url"],
        "html_url": full["html_url"],
        "author": full["commit"]["author"],
        "committer": full["commit"]["committer"],
        "message": full["commit"]["message"],
        "tree": full["commit"]["tree"],
        "parents": full["parents"],
        "verification": full["commit"]["verification"],
    })
}

/// Name, address and time of a signature.
fn git_user(person: &Person) -> Value {
    json!({"name": person.name, "email": person.email, "date": time(person.at.as_second())})
}
