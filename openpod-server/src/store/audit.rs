//! The audit log: who changed what.

use std::sync::LazyLock;

use openpod_sdk::api::OwnerId;
use openpod_sdk::api::owner::{AuditEntry, AuditFilter};

use super::batch::{Batch, Column};
use super::paging::{Order, Select, Window};
use super::{Json, StoreError, Tx, params};
use crate::domain::audit::{Author, Change};

/// Entries of the log. What belongs to a project belongs to its owner.
static ENTRIES: LazyLock<Batch> = LazyLock::new(|| {
    let columns = [
        Column::Text("id"),
        Column::Integer("at"),
        Column::Text("actor_kind"),
        Column::Text("actor_id"),
        Column::Text("key_id"),
        Column::Text("request_id"),
        Column::Text("operation"),
        Column::Text("owner_id"),
        Column::Text("project_id"),
        Column::Text("ticket_id"),
        Column::Text("target_kind"),
        Column::Text("target_id"),
        Column::Text("before_json"),
        Column::Text("after_json"),
    ];
    Batch::new(&columns, |_, rows| {
        format!(
            "INSERT INTO audit_log (id, at, actor_kind, actor_id, key_id, request_id, operation, owner_id, \
             project_id, ticket_id, target_kind, target_id, before_json, after_json) \
             SELECT r.id, r.at, r.actor_kind, r.actor_id, r.key_id, r.request_id, r.operation, \
             coalesce(r.owner_id, (SELECT p.owner_id FROM projects p WHERE p.id = r.project_id)), \
             r.project_id, r.ticket_id, r.target_kind, r.target_id, r.before_json, r.after_json FROM {rows}"
        )
    })
});

/// Writes a change down, in the transaction that makes it.
pub async fn insert(
    tx: &mut Tx<'_>,
    author: &Author,
    operation: &str,
    change: &Change,
) -> Result<(), StoreError> {
    let (id, now): (String, _) = (tx.new_id(), tx.now());
    let params = params![
        id,
        now,
        author.kind,
        author.id,
        author.key_id,
        author.request_id,
        operation,
        change.owner,
        change.project,
        change.ticket,
        change.kind,
        change.id,
        change.before.as_ref().map(Json),
        change.after.as_ref().map(Json)
    ];
    tx.gather(&ENTRIES, params);
    Ok(())
}

/// A page of what concerns an owner, newest first.
pub async fn of_owner(
    tx: &mut Tx<'_>,
    owner: &OwnerId,
    filter: &AuditFilter,
    window: &Window,
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut select = Select::from("SELECT * FROM audit_log");
    select.filter("owner_id = ?", &[owner]);
    select.filter_some("project_id = ?", &filter.project_id);
    select.filter_some("ticket_id = ?", &filter.ticket_id);
    select.filter_some("actor_id = ?", &filter.actor);
    let (sql, params) = select.window(window, "at", "id", Order::Descending);
    tx.all(&sql, &params, |row| {
        Ok(AuditEntry {
            id: row.get("id")?,
            at: row.get("at")?,
            actor_kind: row.get("actor_kind")?,
            actor_id: row.get("actor_id")?,
            key_id: row.get("key_id")?,
            request_id: row.get("request_id")?,
            operation: row.get("operation")?,
            project_id: row.get("project_id")?,
            ticket_id: row.get("ticket_id")?,
            target_kind: row.get("target_kind")?,
            target_id: row.get("target_id")?,
            before: row.get::<Option<Json<_>>>("before_json")?.map(|json| json.0),
            after: row.get::<Option<Json<_>>>("after_json")?.map(|json| json.0),
        })
    })
    .await
}
