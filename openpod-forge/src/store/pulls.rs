//! Pull requests. What lies between head and base is git's to say.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::Account;

#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub id: i64,
    pub number: i64,
    pub title: String,
    pub body: Option<String>,
    pub open: bool,
    pub draft: bool,
    pub maintainer_can_modify: bool,
    pub head_ref: String,
    /// Where the head branch is, or was last, before it was deleted or the pull request was closed.
    pub head_sha: String,
    pub base_ref: String,
    pub base_sha: String,
    pub author: Account,
    pub created_at: i64,
    pub updated_at: i64,
    pub closed_at: Option<i64>,
    pub merged_at: Option<i64>,
    pub merged_by: Option<Account>,
    pub merge_commit_sha: Option<String>,
    pub comments: i64,
}

/// What a pull request begins with.
#[derive(Debug)]
pub(crate) struct NewPull<'a> {
    pub title: &'a str,
    pub body: Option<&'a str>,
    pub draft: bool,
    pub maintainer_can_modify: bool,
    pub head_ref: &'a str,
    pub head_sha: &'a str,
    pub base_ref: &'a str,
    pub base_sha: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullState {
    Open,
    Closed,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullSort {
    Created,
    Updated,
    Popularity,
}

/// Which pull requests, and in what order.
#[derive(Debug)]
pub(crate) struct PullFilter {
    pub state: PullState,
    pub head_ref: Option<String>,
    pub base_ref: Option<String>,
    pub sort: PullSort,
    pub descending: bool,
}

fn read(tx: &Connection, row: &Row<'_>) -> rusqlite::Result<Pull> {
    let merged_by: Option<i64> = row.get("merged_by")?;
    Ok(Pull {
        id: row.get("id")?,
        number: row.get("number")?,
        title: row.get("title")?,
        body: row.get("body")?,
        open: row.get("open")?,
        draft: row.get("draft")?,
        maintainer_can_modify: row.get("maintainer_can_modify")?,
        head_ref: row.get("head_ref")?,
        head_sha: row.get("head_sha")?,
        base_ref: row.get("base_ref")?,
        base_sha: row.get("base_sha")?,
        author: Account::by_id(tx, row.get("author_id")?)?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        closed_at: row.get("closed_at")?,
        merged_at: row.get("merged_at")?,
        merged_by: merged_by.map(|id| Account::by_id(tx, id)).transpose()?,
        merge_commit_sha: row.get("merge_commit_sha")?,
        comments: row.get("comments")?,
    })
}

const SELECT: &str = "SELECT p.*, (SELECT count(*) FROM comments c WHERE c.repository_id = p.repository_id \
                      AND c.number = p.number) AS comments FROM pulls p";

impl Pull {
    /// Opens a pull request with the repository's next number.
    pub(crate) fn create(
        tx: &Connection,
        repository_id: i64,
        author: &Account,
        new: &NewPull<'_>,
        now: i64,
    ) -> rusqlite::Result<Self> {
        let id: i64 = tx.query_row(
            "INSERT INTO pulls (repository_id, number, title, body, open, draft, maintainer_can_modify, head_ref, \
             head_sha, base_ref, base_sha, author_id, created_at, updated_at) \
             SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11 \
             FROM pulls WHERE repository_id = ?1 RETURNING id",
            params![
                repository_id, new.title, new.body, new.draft, new.maintainer_can_modify, new.head_ref, new.head_sha,
                new.base_ref, new.base_sha, author.id, now
            ],
            |row| row.get(0),
        )?;
        tx.query_row(&format!("{SELECT} WHERE p.id = ?1"), [id], |row| read(tx, row))
    }

    pub(crate) fn by_number(
        tx: &Connection,
        repository_id: i64,
        number: i64,
    ) -> rusqlite::Result<Option<Self>> {
        let sql = format!("{SELECT} WHERE p.repository_id = ?1 AND p.number = ?2");
        tx.query_row(&sql, [repository_id, number], |row| read(tx, row)).optional()
    }

    pub(crate) fn open_between(
        tx: &Connection,
        repository_id: i64,
        head_ref: &str,
        base_ref: &str,
    ) -> rusqlite::Result<Option<Self>> {
        let sql = format!(
            "{SELECT} WHERE p.repository_id = ?1 AND p.head_ref = ?2 AND p.base_ref = ?3 AND p.open = 1"
        );
        tx.query_row(&sql, params![repository_id, head_ref, base_ref], |row| read(tx, row)).optional()
    }

    pub(crate) fn all_open(tx: &Connection, repository_id: i64) -> rusqlite::Result<Vec<Self>> {
        let sql = format!("{SELECT} WHERE p.repository_id = ?1 AND p.open = 1 ORDER BY p.number");
        tx.prepare(&sql)?.query_map([repository_id], |row| read(tx, row))?.collect()
    }

    /// The open pull requests whose head is this commit.
    pub(crate) fn with_head(tx: &Connection, repository_id: i64, sha: &str) -> rusqlite::Result<Vec<Self>> {
        let sql = format!(
            "{SELECT} WHERE p.repository_id = ?1 AND p.head_sha = ?2 AND p.open = 1 ORDER BY p.number"
        );
        tx.prepare(&sql)?.query_map(params![repository_id, sha], |row| read(tx, row))?.collect()
    }

    /// One page of pull requests, and how many there are in all.
    pub(crate) fn list(
        tx: &Connection,
        repository_id: i64,
        filter: &PullFilter,
        limit: i64,
        offset: i64,
    ) -> rusqlite::Result<(Vec<Self>, i64)> {
        let open = match filter.state {
            PullState::Open => Some(true),
            PullState::Closed => Some(false),
            PullState::All => None,
        };
        let conditions = "p.repository_id = ?1 AND (?2 IS NULL OR p.open = ?2) AND (?3 IS NULL OR p.head_ref = ?3) \
                          AND (?4 IS NULL OR p.base_ref = ?4)";
        let key = match filter.sort {
            PullSort::Created => "p.number",
            PullSort::Updated => "p.updated_at",
            PullSort::Popularity => "comments",
        };
        let direction = if filter.descending { "DESC" } else { "ASC" };
        let sql = format!(
            "{SELECT} WHERE {conditions} ORDER BY {key} {direction}, p.number {direction} LIMIT ?5 OFFSET ?6"
        );
        let (head, base) = (&filter.head_ref, &filter.base_ref);
        let page = tx
            .prepare(&sql)?
            .query_map(params![repository_id, open, head, base, limit, offset], |row| read(tx, row))?
            .collect::<rusqlite::Result<_>>()?;
        let count = format!("SELECT count(*) FROM pulls p WHERE {conditions}");
        let total = tx.query_row(&count, params![repository_id, open, head, base], |row| row.get(0))?;
        Ok((page, total))
    }

    /// Writes back what can change.
    pub(crate) fn save(&self, tx: &Connection) -> rusqlite::Result<()> {
        tx.execute(
            "UPDATE pulls SET title = ?2, body = ?3, open = ?4, draft = ?5, maintainer_can_modify = ?6, \
             head_sha = ?7, base_ref = ?8, base_sha = ?9, updated_at = ?10, closed_at = ?11, merged_at = ?12, \
             merged_by = ?13, merge_commit_sha = ?14 WHERE id = ?1",
            params![
                self.id, self.title, self.body, self.open, self.draft, self.maintainer_can_modify, self.head_sha,
                self.base_ref, self.base_sha, self.updated_at, self.closed_at, self.merged_at,
                self.merged_by.as_ref().map(|account| account.id), self.merge_commit_sha
            ],
        )
        .map(drop)
    }
}
