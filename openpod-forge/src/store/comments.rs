//! What was said on a pull request.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::Account;

#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub id: i64,
    pub number: i64,
    pub author: Account,
    pub body: String,
    pub created_at: i64,
    pub updated_at: i64,
}

fn read(tx: &Connection, row: &Row<'_>) -> rusqlite::Result<Comment> {
    Ok(Comment {
        id: row.get("id")?,
        number: row.get("number")?,
        author: Account::by_id(tx, row.get("author_id")?)?,
        body: row.get("body")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

impl Comment {
    pub(crate) fn create(
        tx: &Connection,
        repository_id: i64,
        number: i64,
        author: &Account,
        body: &str,
        now: i64,
    ) -> rusqlite::Result<Self> {
        let sql = "INSERT INTO comments (repository_id, number, author_id, body, created_at, updated_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?5) RETURNING *";
        tx.query_row(sql, params![repository_id, number, author.id, body, now], |row| read(tx, row))
    }

    /// All comments on one pull request, oldest first.
    pub(crate) fn on_pull(tx: &Connection, repository_id: i64, number: i64) -> rusqlite::Result<Vec<Self>> {
        let sql = "SELECT * FROM comments WHERE repository_id = ?1 AND number = ?2 ORDER BY id";
        tx.prepare(sql)?.query_map([repository_id, number], |row| read(tx, row))?.collect()
    }

    pub(crate) fn by_id(tx: &Connection, repository_id: i64, id: i64) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT * FROM comments WHERE repository_id = ?1 AND id = ?2";
        tx.query_row(sql, [repository_id, id], |row| read(tx, row)).optional()
    }

    /// Writes back what can change.
    pub(crate) fn save(&self, tx: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE comments SET body = ?2, updated_at = ?3 WHERE id = ?1";
        tx.execute(sql, params![self.id, self.body, self.updated_at]).map(drop)
    }
}
