//! Repositories and their protected branches.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::Account;

#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub id: i64,
    pub owner: Account,
    pub name: String,
    pub default_branch: String,
    pub created_at: i64,
    pub updated_at: i64,
    pub pushed_at: i64,
    pub open_pulls: i64,
}

impl Repository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner.login, self.name)
    }

    /// Makes a repository whose default branch is protected.
    pub(crate) fn create(
        tx: &Connection,
        owner: &Account,
        name: &str,
        branch: &str,
        now: i64,
    ) -> rusqlite::Result<Self> {
        let id = tx.query_row(
            "INSERT INTO repositories (owner_id, name, default_branch, created_at, updated_at, pushed_at) \
             VALUES (?1, ?2, ?3, ?4, ?4, ?4) RETURNING id",
            params![owner.id, name, branch, now],
            |row| row.get(0),
        )?;
        Self::protect(tx, id, branch)?;
        Self::by_id(tx, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    pub(crate) fn by_id(tx: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        Ok(Self::find(tx, "r.id = ?1", &[&id])?.pop())
    }

    pub(crate) fn by_name(tx: &Connection, owner: &str, name: &str) -> rusqlite::Result<Option<Self>> {
        Ok(Self::find(tx, "a.login = ?1 AND r.name = ?2", &[&owner, &name])?.pop())
    }

    pub(crate) fn of_owner(tx: &Connection, owner_id: i64) -> rusqlite::Result<Vec<Self>> {
        Self::find(tx, "r.owner_id = ?1", &[&owner_id])
    }

    pub(crate) fn all(tx: &Connection) -> rusqlite::Result<Vec<Self>> {
        Self::find(tx, "1", &[])
    }

    fn find(
        tx: &Connection,
        condition: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> rusqlite::Result<Vec<Self>> {
        let sql = format!(
            "SELECT r.id, r.owner_id, r.name, r.default_branch, r.created_at, r.updated_at, r.pushed_at, \
             (SELECT count(*) FROM pulls p WHERE p.repository_id = r.id AND p.open = 1) \
             FROM repositories r JOIN accounts a ON a.id = r.owner_id WHERE {condition} ORDER BY r.id"
        );
        let read = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                owner: Account::by_id(tx, row.get(1)?)?,
                name: row.get(2)?,
                default_branch: row.get(3)?,
                created_at: row.get(4)?,
                updated_at: row.get(5)?,
                pushed_at: row.get(6)?,
                open_pulls: row.get(7)?,
            })
        };
        tx.prepare(&sql)?.query_map(values, read)?.collect()
    }

    pub(crate) fn pushed(tx: &Connection, id: i64, now: i64) -> rusqlite::Result<()> {
        tx.execute("UPDATE repositories SET pushed_at = ?2, updated_at = ?2 WHERE id = ?1", [id, now])
            .map(drop)
    }

    pub(crate) fn protect(tx: &Connection, id: i64, branch: &str) -> rusqlite::Result<()> {
        let sql =
            "INSERT INTO protected_branches (repository_id, branch) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        tx.execute(sql, params![id, branch]).map(drop)
    }

    pub(crate) fn unprotect(tx: &Connection, id: i64, branch: &str) -> rusqlite::Result<()> {
        let sql = "DELETE FROM protected_branches WHERE repository_id = ?1 AND branch = ?2";
        tx.execute(sql, params![id, branch]).map(drop)
    }

    pub(crate) fn protected(tx: &Connection, id: i64) -> rusqlite::Result<Vec<String>> {
        let sql = "SELECT branch FROM protected_branches WHERE repository_id = ?1 ORDER BY branch";
        tx.prepare(sql)?.query_map([id], |row| row.get(0))?.collect()
    }

    pub(crate) fn is_protected(tx: &Connection, id: i64, branch: &str) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM protected_branches WHERE repository_id = ?1 AND branch = ?2";
        Ok(tx.query_row(sql, params![id, branch], |_| Ok(())).optional()?.is_some())
    }
}
