//! People, organisations and the bots of Apps.

use rusqlite::{Connection, OptionalExtension, Row, params};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub id: i64,
    pub login: String,
    pub kind: AccountKind,
    pub created_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountKind {
    User,
    Organization,
    Bot,
}

impl AccountKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Organization => "Organization",
            Self::Bot => "Bot",
        }
    }
}

const COLUMNS: &str = "id, login, kind, created_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    let kind = match row.get::<_, String>(2)?.as_str() {
        "Organization" => AccountKind::Organization,
        "Bot" => AccountKind::Bot,
        _ => AccountKind::User,
    };
    Ok(Account { id: row.get(0)?, login: row.get(1)?, kind, created_at: row.get(3)? })
}

impl Account {
    pub(crate) fn create(
        tx: &Connection,
        login: &str,
        kind: AccountKind,
        now: i64,
    ) -> rusqlite::Result<Self> {
        let sql =
            format!("INSERT INTO accounts (login, kind, created_at) VALUES (?1, ?2, ?3) RETURNING {COLUMNS}");
        tx.query_row(&sql, params![login, kind.as_str(), now], read)
    }

    pub(crate) fn by_login(tx: &Connection, login: &str) -> rusqlite::Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM accounts WHERE login = ?1");
        tx.query_row(&sql, [login], read).optional()
    }

    pub(crate) fn by_id(tx: &Connection, id: i64) -> rusqlite::Result<Self> {
        tx.query_row(&format!("SELECT {COLUMNS} FROM accounts WHERE id = ?1"), [id], read)
    }

    /// Whose personal token has this hash.
    pub(crate) fn by_token(tx: &Connection, hash: &str) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT a.id, a.login, a.kind, a.created_at FROM accounts a \
                   JOIN personal_tokens t ON t.account_id = a.id WHERE t.hash = ?1";
        tx.query_row(sql, [hash], read).optional()
    }

    pub(crate) fn add_token(&self, tx: &Connection, hash: &str) -> rusqlite::Result<()> {
        let sql = "INSERT INTO personal_tokens (hash, account_id) VALUES (?1, ?2)";
        tx.execute(sql, params![hash, self.id]).map(drop)
    }
}
