//! Accounts.

use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use super::commit::IN_PATH;
use super::{node_id, time};
use crate::forge::Forge;
use crate::store::{Account, AccountKind};

/// `simple-user`.
pub(in crate::rest) fn user(forge: &Forge, account: &Account) -> Value {
    let login = &account.login;
    // The login of a bot has brackets.
    let encoded = utf8_percent_encode(login, IN_PATH);
    let url = forge.api(&format!("/users/{encoded}"));
    let page = match (account.kind, login.strip_suffix("[bot]")) {
        (AccountKind::Bot, Some(slug)) => format!("/apps/{slug}"),
        _ => format!("/{login}"),
    };
    json!({
        "login": login,
        "id": account.id,
        "node_id": node_id("User", account.id),
        "avatar_url": forge.web(&format!("/avatars/{}", account.id)),
        "gravatar_id": "",
        "url": url,
        "html_url": forge.web(&page),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": account.kind.as_str(),
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// `private-user`: a person, to that person.
pub(in crate::rest) fn private_user(forge: &Forge, account: &Account, repositories: usize) -> Value {
    let mut body = user(forge, account);
    let more = json!({
        "name": account.login,
        "company": null,
        "blog": "",
        "location": null,
        "email": null,
        "hireable": null,
        "bio": null,
        "twitter_username": null,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": time(account.created_at),
        "updated_at": time(account.created_at),
        "private_gists": 0,
        "total_private_repos": repositories,
        "owned_private_repos": repositories,
        "disk_usage": 0,
        "collaborators": 0,
        "two_factor_authentication": true,
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}
