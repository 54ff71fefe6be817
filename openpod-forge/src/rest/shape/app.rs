//! Apps and installations.

use serde_json::{Value, json};

use super::{node_id, time, user};
use crate::forge::Forge;
use crate::store::{App, Installation};

/// `integration`.
pub(in crate::rest) fn integration(forge: &Forge, app: &App) -> Value {
    let page = forge.web(&format!("/apps/{}", app.slug));
    json!({
        "id": app.id,
        "slug": app.slug,
        "node_id": node_id("Integration", app.id),
        "client_id": app.client_id,
        "owner": user(forge, &app.bot),
        "name": app.slug,
        "description": null,
        "external_url": page,
        "html_url": page,
        "created_at": time(app.created_at),
        "updated_at": time(app.created_at),
        "permissions": app.permissions,
        "events": [],
    })
}

/// `installation`.
pub(in crate::rest) fn installation(forge: &Forge, app: &App, installation: &Installation) -> Value {
    let Installation { id, account, permissions, created_at, .. } = installation;
    json!({
        "id": id,
        "account": user(forge, account),
        "repository_selection": "all",
        "access_tokens_url": forge.api(&format!("/app/installations/{id}/access_tokens")),
        "repositories_url": forge.api("/installation/repositories"),
        "html_url": forge.web(&format!("/settings/installations/{id}")),
        "app_id": app.id,
        "client_id": app.client_id,
        "app_slug": app.slug,
        "target_id": account.id,
        "target_type": account.kind.as_str(),
        "permissions": permissions,
        "events": [],
        "created_at": time(*created_at),
        "updated_at": time(*created_at),
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": null,
        "suspended_at": null,
    })
}
