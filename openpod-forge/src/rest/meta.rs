//! `GET /`, `GET /meta`, `GET /rate_limit`, `GET /user`

use serde_json::{Value, json};

use super::admit::HOURLY_LIMIT;
use super::answer::{Answer, ApiError};
use super::call::Call;
use super::shape;
use crate::store::Repository;

/// The addresses that `GET /` names: member, and the path below the API's root.
const ADDRESSES: [(&str, &str); 31] = [
    ("current_user_url", "/user"),
    ("authorizations_url", "/authorizations"),
    ("code_search_url", "/search/code?q={query}{&page,per_page,sort,order}"),
    ("commit_search_url", "/search/commits?q={query}{&page,per_page,sort,order}"),
    ("emails_url", "/user/emails"),
    ("emojis_url", "/emojis"),
    ("events_url", "/events"),
    ("feeds_url", "/feeds"),
    ("followers_url", "/user/followers"),
    ("following_url", "/user/following{/target}"),
    ("gists_url", "/gists{/gist_id}"),
    ("hub_url", "/hub"),
    ("issue_search_url", "/search/issues?q={query}{&page,per_page,sort,order}"),
    ("issues_url", "/issues"),
    ("keys_url", "/user/keys"),
    ("label_search_url", "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}"),
    ("notifications_url", "/notifications"),
    ("organization_url", "/orgs/{org}"),
    ("organization_repositories_url", "/orgs/{org}/repos{?type,page,per_page,sort}"),
    ("organization_teams_url", "/orgs/{org}/teams"),
    ("public_gists_url", "/gists/public"),
    ("rate_limit_url", "/rate_limit"),
    ("repository_url", "/repos/{owner}/{repo}"),
    ("repository_search_url", "/search/repositories?q={query}{&page,per_page,sort,order}"),
    ("current_user_repositories_url", "/user/repos{?type,page,per_page,sort}"),
    ("starred_url", "/user/starred{/owner}{/repo}"),
    ("starred_gists_url", "/gists/starred"),
    ("user_url", "/users/{user}"),
    ("user_organizations_url", "/user/orgs"),
    ("user_repositories_url", "/users/{user}/repos{?type,page,per_page,sort}"),
    ("user_search_url", "/search/users?q={query}{&page,per_page,sort,order}"),
];

pub(super) fn root(call: &Call) -> Result<Answer, ApiError> {
    let mut body = json!({"current_user_authorizations_html_url": call.forge.web("/settings/connections/applications{/client_id}")});
    for (member, path) in ADDRESSES {
        body[member] = call.forge.api(path).into();
    }
    Ok(Answer::ok(body))
}

pub(super) fn meta(_: &Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(json!({"verifiable_password_authentication": false})))
}

pub(super) fn rate_limit(call: &Call) -> Result<Answer, ApiError> {
    let reset = (call.now / 3600 + 1) * 3600;
    let budget = |limit: i64| json!({"limit": limit, "remaining": limit, "used": 0, "reset": reset});
    let core: Value = budget(HOURLY_LIMIT);
    Ok(Answer::ok(json!({"resources": {"core": core, "search": budget(30)}, "rate": core})))
}

pub(super) fn user(call: &Call) -> Result<Answer, ApiError> {
    let account = call.account()?;
    let owned = call.forge.inner().store.read(|tx| Repository::of_owner(tx, account.id))?;
    Ok(Answer::ok(shape::private_user(&call.forge, account, owned.len())))
}
