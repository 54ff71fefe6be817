//! What an installation token does about itself.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::call::Call;
use super::page::Page;
use super::shape;
use crate::auth::{Access, Caller};
use crate::store::{IssuedToken, Repository};

/// `GET /installation/repositories`
pub(super) fn repositories(call: &Call) -> Result<Answer, ApiError> {
    let access = access(call)?;
    let all = call.forge.inner().store.read(|tx| Repository::of_owner(tx, access.installation.account.id))?;
    let page = Page::of(call);
    let (found, total) = page.cut(all.into_iter().filter(|one| call.caller.sees(one)).collect());
    let items: Value = found.iter().map(|one| shape::repository(&call.forge, one, &call.caller)).collect();
    let selection = if access.repository_ids.is_some() { "selected" } else { "all" };
    let body = json!({"total_count": total, "repository_selection": selection, "repositories": items});
    page.answer(call, body, total)
}

/// `DELETE /installation/token`
pub(super) fn revoke(call: &Call) -> Result<Answer, ApiError> {
    let access = access(call)?;
    call.forge.inner().store.write(|tx| Ok::<_, ApiError>(IssuedToken::revoke(tx, &access.token_hash)?))?;
    Ok(Answer::no_content())
}

fn access(call: &Call) -> Result<&Access, ApiError> {
    match &call.caller {
        Caller::Installation(access) => Ok(access),
        _ => Err(ApiError::not_found()),
    }
}
