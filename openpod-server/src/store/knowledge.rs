//! What projects know: entries, and the words to find them by.

use openpod_sdk::api::knowledge::{Knowledge, KnowledgeFilter, NewKnowledge};
use openpod_sdk::api::{Importance, KnowledgeCategory, KnowledgeId};

use super::paging::{Order, Select, Window};
use super::{Json, Row, StoreError, Tx, full_text, params};
use crate::domain::permission::Actor;
use crate::domain::words::Words;

/// Pinned entries come before all others, and of each the newest first.
const PINNED_FIRST: &str =
    "(CASE k.importance WHEN 'pinned' THEN 4611686018427387904 ELSE 0 END + k.created_at)";

/// An entry and its sort key in the list that it was read for.
pub type Listed = (i64, Knowledge);

/// The sort key and id of a list.
pub fn place((key, entry): &Listed) -> (i64, String) {
    (*key, entry.id.to_string())
}

/// Writes a new entry, of version 1.
pub async fn insert(tx: &mut Tx<'_>, author: &Actor, new: &NewKnowledge) -> Result<KnowledgeId, StoreError> {
    let (id, now): (KnowledgeId, _) = (tx.new_id(), tx.now());
    let (agent, owner) = match author {
        Actor::Agent(id) => (Some(id), None),
        Actor::Owner(id) => (None, Some(id)),
    };
    let sql = "INSERT INTO knowledge (id, project_id, author_agent_id, author_owner_id, title, content, category, \
               importance, tags, version, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)";
    let params = params![
        id,
        new.project_id,
        agent,
        owner,
        new.title,
        new.content,
        new.category.as_ref().unwrap_or(&KnowledgeCategory::General),
        new.importance.as_ref().unwrap_or(&Importance::Normal),
        Json(&new.tags),
        now
    ];
    tx.execute(sql, params).await?;
    full_text::index(tx, &id, new).await?;
    Ok(id)
}

/// A page of what a project knows, pinned first, then newest.
pub async fn list(
    tx: &mut Tx<'_>,
    filter: &KnowledgeFilter,
    window: &Window,
) -> Result<Vec<Listed>, StoreError> {
    let select = Select::from(format!("SELECT k.*, {PINNED_FIRST} AS sort_key FROM knowledge k"));
    page(tx, select, filter, window, (PINNED_FIRST, Order::Descending)).await
}

/// A page of what a project knows about all of these words, best first.
pub async fn search(
    tx: &mut Tx<'_>,
    filter: &KnowledgeFilter,
    words: &Words,
    window: &Window,
) -> Result<Vec<Listed>, StoreError> {
    let (select, distance) = full_text::search(tx.dialect(), &filter.project_id, words);
    page(tx, select, filter, window, (distance, Order::Ascending)).await
}

async fn page(
    tx: &mut Tx<'_>,
    mut select: Select,
    filter: &KnowledgeFilter,
    window: &Window,
    (key, order): (&str, Order),
) -> Result<Vec<Listed>, StoreError> {
    select.filter("k.project_id = ?", &[&filter.project_id]);
    select.filter_some("k.category = ?", &filter.category);
    select.filter_some("k.importance = ?", &filter.importance);
    let (sql, params) = select.window(window, key, "k.id", order);
    tx.all(&sql, &params, read).await
}

fn read(row: &Row<'_>) -> Result<Listed, StoreError> {
    let entry = Knowledge {
        id: row.get("id")?,
        title: row.get("title")?,
        content: row.get("content")?,
        category: row.get("category")?,
        importance: row.get("importance")?,
        tags: row.get::<Json<_>>("tags")?.0,
        version: row.get("version")?,
        updated_at: row.get("updated_at")?,
    };
    Ok((row.get("sort_key")?, entry))
}
