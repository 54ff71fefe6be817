//! What was reported about commits: check runs and statuses.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::Account;

#[derive(Debug, Clone)]
pub(crate) struct CheckRun {
    /// Zero until it is saved.
    pub id: i64,
    pub repository_id: i64,
    pub app_id: i64,
    pub head_sha: String,
    pub name: String,
    pub external_id: Option<String>,
    pub details_url: Option<String>,
    pub status: String,
    pub conclusion: Option<String>,
    pub started_at: i64,
    pub completed_at: Option<i64>,
    pub output: Output,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// Zero until it is saved.
    pub id: i64,
    pub repository_id: i64,
    pub sha: String,
    pub state: String,
    pub target_url: Option<String>,
    pub description: Option<String>,
    pub context: String,
    pub creator: Account,
    pub created_at: i64,
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<CheckRun> {
    Ok(CheckRun {
        id: row.get("id")?,
        repository_id: row.get("repository_id")?,
        app_id: row.get("app_id")?,
        head_sha: row.get("head_sha")?,
        name: row.get("name")?,
        external_id: row.get("external_id")?,
        details_url: row.get("details_url")?,
        status: row.get("status")?,
        conclusion: row.get("conclusion")?,
        started_at: row.get("started_at")?,
        completed_at: row.get("completed_at")?,
        output: Output { title: row.get("title")?, summary: row.get("summary")?, text: row.get("text")? },
    })
}

impl CheckRun {
    pub(crate) fn insert(&self, tx: &Connection) -> rusqlite::Result<i64> {
        tx.query_row(
            "INSERT INTO check_runs (repository_id, app_id, head_sha, name, external_id, details_url, status, \
             conclusion, started_at, completed_at, title, summary, text) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) RETURNING id",
            params![
                self.repository_id, self.app_id, self.head_sha, self.name, self.external_id, self.details_url,
                self.status, self.conclusion, self.started_at, self.completed_at, self.output.title,
                self.output.summary, self.output.text
            ],
            |row| row.get(0),
        )
    }

    pub(crate) fn save(&self, tx: &Connection) -> rusqlite::Result<()> {
        tx.execute(
            "UPDATE check_runs SET name = ?2, external_id = ?3, details_url = ?4, status = ?5, conclusion = ?6, \
             started_at = ?7, completed_at = ?8, title = ?9, summary = ?10, text = ?11 WHERE id = ?1",
            params![
                self.id, self.name, self.external_id, self.details_url, self.status, self.conclusion,
                self.started_at, self.completed_at, self.output.title, self.output.summary, self.output.text
            ],
        )
        .map(drop)
    }

    pub(crate) fn by_id(tx: &Connection, repository_id: i64, id: i64) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT * FROM check_runs WHERE repository_id = ?1 AND id = ?2";
        tx.query_row(sql, [repository_id, id], read_run).optional()
    }

    /// All runs on a commit, newest first.
    pub(crate) fn on_commit(tx: &Connection, repository_id: i64, sha: &str) -> rusqlite::Result<Vec<Self>> {
        let sql = "SELECT * FROM check_runs WHERE repository_id = ?1 AND head_sha = ?2 ORDER BY id DESC";
        tx.prepare(sql)?.query_map(params![repository_id, sha], read_run)?.collect()
    }
}

impl Status {
    pub(crate) fn insert(&self, tx: &Connection) -> rusqlite::Result<i64> {
        tx.query_row(
            "INSERT INTO statuses (repository_id, sha, state, target_url, description, context, creator_id, \
             created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
            params![
                self.repository_id,
                self.sha,
                self.state,
                self.target_url,
                self.description,
                self.context,
                self.creator.id,
                self.created_at
            ],
            |row| row.get(0),
        )
    }

    /// All statuses of a commit, newest first.
    pub(crate) fn on_commit(tx: &Connection, repository_id: i64, sha: &str) -> rusqlite::Result<Vec<Self>> {
        let sql = "SELECT * FROM statuses WHERE repository_id = ?1 AND sha = ?2 ORDER BY id DESC";
        let read = |row: &Row<'_>| {
            Ok(Self {
                id: row.get("id")?,
                repository_id: row.get("repository_id")?,
                sha: row.get("sha")?,
                state: row.get("state")?,
                target_url: row.get("target_url")?,
                description: row.get("description")?,
                context: row.get("context")?,
                creator: Account::by_id(tx, row.get("creator_id")?)?,
                created_at: row.get("created_at")?,
            })
        };
        tx.prepare(sql)?.query_map(params![repository_id, sha], read)?.collect()
    }
}
