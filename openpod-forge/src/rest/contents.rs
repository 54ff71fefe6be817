//! Files: `GET` and `PUT /repos/{owner}/{repo}/contents/{path}`

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::{Call, Media};
use super::refs;
use super::shape;
use crate::forge::person;
use crate::git::{Bare, Entry, EntryKind, GitError, NewFile, NotMoved, Oid, Person, RefName};

/// A file longer than this is given raw only.
const MAX_ENCODED_BYTES: u64 = 1024 * 1024;
/// A file longer than this is not given at all.
const MAX_BYTES: u64 = 100 * 1024 * 1024;

/// `GET /repos/{owner}/{repo}/contents`
pub(super) fn root(call: &Call) -> Result<Answer, ApiError> {
    let (bare, reference) = (call.bare()?, reference(call)?);
    let commit = commit(call, &bare, &reference)?;
    directory(call, &bare, &commit, &reference, "")
}

/// `GET /repos/{owner}/{repo}/contents/{path}`
pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    let (bare, reference, path) = (call.bare()?, reference(call)?, call.segment(0));
    let commit = commit(call, &bare, &reference)?;
    let entry = bare.entry(&commit, path)?.ok_or_else(ApiError::not_found)?;
    if entry.kind == EntryKind::Directory {
        return directory(call, &bare, &commit, &reference, path);
    }
    if entry.size > MAX_BYTES {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "This file is too large to be returned by the API.",
        ));
    }
    if entry.kind == EntryKind::Submodule {
        return Ok(Answer::ok(print(call, &reference, &entry)?));
    }
    let raw = call.media() == Media::Raw;
    if raw {
        return Ok(Answer::raw("application/vnd.github.raw+json; charset=utf-8", bare.blob(&entry.oid)?));
    }
    let mut body = print(call, &reference, &entry)?;
    let fits = entry.size <= MAX_ENCODED_BYTES;
    body["encoding"] = if fits { "base64" } else { "none" }.into();
    body["content"] = if fits { encoded(&bare.blob(&entry.oid)?) } else { String::new() }.into();
    Ok(Answer::ok(body))
}

fn directory(
    call: &Call,
    bare: &Bare,
    commit: &Oid,
    reference: &str,
    path: &str,
) -> Result<Answer, ApiError> {
    let entries = bare.directory(commit, path)?;
    let items: Result<Vec<Value>, ApiError> =
        entries.iter().take(1000).map(|entry| print(call, reference, entry)).collect();
    Ok(Answer::ok(items?.into()))
}

#[derive(Deserialize)]
struct Signature {
    name: String,
    email: String,
}

#[derive(Deserialize)]
struct Put {
    message: Option<String>,
    content: Option<String>,
    sha: Option<String>,
    branch: Option<String>,
    author: Option<Signature>,
    committer: Option<Signature>,
}

/// `PUT /repos/{owner}/{repo}/contents/{path}`
pub(super) fn put(call: &Call) -> Result<Answer, ApiError> {
    let (repository, bare, path) = (call.repository()?, call.bare()?, call.segment(0));
    let put: Put = call.json()?;
    let message = put.message.ok_or_else(|| ApiError::not_supplied("message"))?;
    let content: String = put.content.ok_or_else(|| ApiError::not_supplied("content"))?;
    let content = STANDARD
        .decode(content.split_ascii_whitespace().collect::<String>())
        .map_err(|_| ApiError::unprocessable("content is not valid Base64"))?;
    let branch = put.branch.as_ref().unwrap_or(&repository.default_branch);
    let missing_branch = || ApiError::new(StatusCode::NOT_FOUND, format!("Branch {branch} not found"));
    let name = RefName::branch(branch).ok_or_else(missing_branch)?;
    let tip = bare.read_ref(&name)?.ok_or_else(missing_branch)?;
    let before = unchanged_since(&bare, &tip, path, put.sha.as_deref())?;
    let executable = before.as_ref().is_some_and(|entry| entry.executable);
    let file = NewFile { path: path.to_owned(), content, executable };
    let tree = bare.write_tree(Some(&tip), &[file]).map_err(|error| match error {
        GitError::Failed { .. } => {
            ApiError::unprocessable(format!("path contains a malformed path component: {path}"))
        }
        error => error.into(),
    })?;
    let own = person(call.account()?, call.forge.inner().clock.now());
    let committer = signed(put.committer, &own)?;
    let author = signed(put.author, &committer)?;
    let head = bare.write_commit(&tree, &[&tip], &author, &committer, &message)?;
    refs::allowed(call, &name, &tip, &head)?;
    bare.move_ref(&name, &head, &tip).map_err(|error| match error {
        NotMoved::Changed => ApiError::new(StatusCode::CONFLICT, format!("{branch} moved meanwhile")),
        NotMoved::Git(error) => error.into(),
    })?;
    call.refs_changed()?;
    let entry = bare.entry(&head, path)?.ok_or_else(ApiError::not_found)?;
    let commit = shape::file_commit(&call.forge, repository, &bare.commit(&head)?);
    let body = json!({"content": print(call, branch, &entry)?, "commit": commit});
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok(Answer { status, ..Answer::ok(body) })
}

/// A signature of the client's own, or the one that stands for it.
fn signed(signature: Option<Signature>, otherwise: &Person) -> Result<Person, ApiError> {
    let Some(Signature { name, email }) = signature else { return Ok(otherwise.clone()) };
    if name.trim().is_empty() || email.trim().is_empty() {
        return Err(ApiError::unprocessable("Invalid request.\n\nA signature needs a name and an email."));
    }
    Ok(Person { name, email, at: otherwise.at })
}

/// A file that is there is only replaced by somebody who has seen it.
fn unchanged_since(
    bare: &Bare,
    tip: &Oid,
    path: &str,
    seen: Option<&str>,
) -> Result<Option<Entry>, ApiError> {
    let before = bare.entry(tip, path)?;
    match (&before, seen) {
        (Some(entry), _) if entry.kind == EntryKind::Directory => {
            Err(ApiError::unprocessable(format!("{path} is a directory")))
        }
        (Some(_), None) => Err(ApiError::not_supplied("sha")),
        (Some(entry), Some(seen)) if entry.oid != seen => {
            Err(ApiError::new(StatusCode::CONFLICT, format!("{path} does not match {seen}")))
        }
        _ => Ok(before),
    }
}

fn reference(call: &Call) -> Result<String, ApiError> {
    Ok(call.query("ref").unwrap_or(&call.repository()?.default_branch).to_owned())
}

fn commit(_: &Call, bare: &Bare, reference: &str) -> Result<Oid, ApiError> {
    let text = format!("No commit found for the ref {reference}");
    bare.commit_named(reference)?.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, text))
}

/// What a file, a directory or an item of a directory shows in common.
fn print(call: &Call, reference: &str, entry: &Entry) -> Result<Value, ApiError> {
    let repository = call.repository()?.full_name();
    let path = utf8_percent_encode(&entry.path, shape::IN_PATH);
    let in_query = utf8_percent_encode(reference, shape::IN_PATH);
    let (kind, page, object) = match entry.kind {
        EntryKind::Directory => ("dir", "tree", "trees"),
        EntryKind::Symlink => ("symlink", "blob", "blobs"),
        // In listings GitHub called submodules files until 2026; every reader of either version understands that.
        EntryKind::Submodule | EntryKind::File => ("file", "blob", "blobs"),
    };
    let url = call.forge.api(&format!("/repos/{repository}/contents/{path}?ref={in_query}"));
    let html = call.forge.web(&format!("/{repository}/{page}/{in_query}/{path}"));
    let git = call.forge.api(&format!("/repos/{repository}/git/{object}/{}", entry.oid));
    let raw = call.forge.web(&format!("/{repository}/raw/{in_query}/{path}"));
    Ok(json!({
        "type": kind,
        "size": entry.size,
        "name": entry.path.rsplit('/').next(),
        "path": entry.path,
        "sha": entry.oid,
        "url": url,
        "html_url": html,
        "git_url": git,
        "download_url": (entry.kind != EntryKind::Directory).then_some(raw),
        "_links": {"self": url, "git": git, "html": html},
    }))
}

/// Base64 in lines of 60, as GitHub breaks it.
fn encoded(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 60 + 1);
    for (n, letter) in text.chars().enumerate() {
        if n > 0 && n % 60 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines + "\n"
}
