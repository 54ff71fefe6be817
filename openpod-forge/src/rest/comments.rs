//! The conversation of a pull request: `GET` and `POST …/issues/{number}/comments`

use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use super::{pull_views, shape};
use crate::store::Comment;

/// GitHub's limit.
const MAX_BODY: usize = 65_536;

/// `GET /repos/{owner}/{repo}/issues/{issue_number}/comments`
pub(super) fn list(call: &Call) -> Result<Answer, ApiError> {
    let (repository, pull) = (call.repository()?, pull_views::find(call)?);
    let all = call.forge.inner().store.read(|tx| Comment::on_pull(tx, repository.id, pull.number))?;
    let page = Page::of(call);
    let (found, total) = page.cut(all);
    let items: Value = found.iter().map(|one| shape::comment(&call.forge, repository, one)).collect();
    page.answer(call, items, total)
}

/// `GET /repos/{owner}/{repo}/issues/comments/{comment_id}`
pub(super) fn get(call: &Call) -> Result<Answer, ApiError> {
    let (repository, id) = (call.repository()?, call.number(0)?);
    let found = call.forge.inner().store.read(|tx| Comment::by_id(tx, repository.id, id))?;
    let found = found.ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(shape::comment(&call.forge, repository, &found)))
}

/// `PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}`
pub(super) fn update(call: &Call) -> Result<Answer, ApiError> {
    let (repository, id, body) = (call.repository()?, call.number(0)?, words(call)?);
    let comment = call.forge.inner().store.write(|tx| {
        let found = Comment::by_id(tx, repository.id, id)?;
        let mut comment = found.ok_or_else(ApiError::not_found)?;
        (comment.body, comment.updated_at) = (body, call.now);
        comment.save(tx)?;
        Ok::<_, ApiError>(comment)
    })?;
    Ok(Answer::ok(shape::comment(&call.forge, repository, &comment)))
}

#[derive(Deserialize)]
struct New {
    body: Option<String>,
}

/// `POST /repos/{owner}/{repo}/issues/{issue_number}/comments`
pub(super) fn create(call: &Call) -> Result<Answer, ApiError> {
    let (repository, pull) = (call.repository()?, pull_views::find(call)?);
    let body = words(call)?;
    let author = call.account()?;
    let comment = call.forge.inner().store.write(|tx| {
        Ok::<_, ApiError>(Comment::create(tx, repository.id, pull.number, author, &body, call.now)?)
    })?;
    Ok(Answer::created(shape::comment(&call.forge, repository, &comment)))
}

/// What is to be said: something, and not too much.
fn words(call: &Call) -> Result<String, ApiError> {
    let New { body } = call.json()?;
    let missing = || ApiError::not_supplied("body");
    let body = body.ok_or_else(missing)?;
    if body.trim().is_empty() {
        return Err(ApiError::custom("IssueComment", "Body can't be blank"));
    }
    if body.chars().count() > MAX_BODY {
        return Err(ApiError::custom(
            "IssueComment",
            format!("Body is too long (maximum is {MAX_BODY} characters)"),
        ));
    }
    Ok(body)
}
