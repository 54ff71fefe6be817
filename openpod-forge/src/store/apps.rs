//! Apps, where they are installed, and the tokens of installations.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use super::accounts::Account;
use crate::permission::Permissions;

#[derive(Debug, Clone)]
pub(crate) struct App {
    pub id: i64,
    pub slug: String,
    pub client_id: String,
    /// PKCS#1.
    pub public_key: Vec<u8>,
    pub permissions: Permissions,
    pub bot: Account,
    pub created_at: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub id: i64,
    pub app_id: i64,
    pub account: Account,
    pub permissions: Permissions,
    pub created_at: i64,
}

/// An installation token as it is kept: without its text.
#[derive(Debug, Clone)]
pub(crate) struct IssuedToken {
    pub installation_id: i64,
    pub permissions: Permissions,
    /// `None` reaches every repository of the installation.
    pub repository_ids: Option<Vec<i64>>,
    pub expires_at: i64,
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

fn to_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

impl App {
    pub(crate) fn create(
        tx: &Connection,
        slug: &str,
        client_id: &str,
        public_key: &[u8],
        permissions: &Permissions,
        bot: &Account,
        now: i64,
    ) -> rusqlite::Result<i64> {
        tx.query_row(
            "INSERT INTO apps (slug, client_id, public_key, permissions, bot_id, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
            params![slug, client_id, public_key, to_json(permissions)?, bot.id, now],
            |row| row.get(0),
        )
    }

    pub(crate) fn by_id(tx: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        Self::find(tx, "id = ?1", id)
    }

    pub(crate) fn by_client_id(tx: &Connection, client_id: &str) -> rusqlite::Result<Option<Self>> {
        Self::find(tx, "client_id = ?1", client_id)
    }

    pub(crate) fn by_slug(tx: &Connection, slug: &str) -> rusqlite::Result<Option<Self>> {
        Self::find(tx, "slug = ?1", slug)
    }

    fn find(tx: &Connection, condition: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<Option<Self>> {
        let sql = format!(
            "SELECT id, slug, client_id, public_key, permissions, bot_id, created_at FROM apps WHERE {condition}"
        );
        let read = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                slug: row.get(1)?,
                client_id: row.get(2)?,
                public_key: row.get(3)?,
                permissions: json(row, 4)?,
                bot: Account::by_id(tx, row.get(5)?)?,
                created_at: row.get(6)?,
            })
        };
        tx.query_row(&sql, [value], read).optional()
    }
}

impl Installation {
    /// The installation of an App at an account; the same one when it is asked for twice.
    pub(crate) fn ensure(tx: &Connection, app: &App, account: &Account, now: i64) -> rusqlite::Result<i64> {
        tx.query_row(
            "INSERT INTO installations (app_id, account_id, permissions, created_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (app_id, account_id) DO UPDATE SET permissions = excluded.permissions RETURNING id",
            params![app.id, account.id, to_json(&app.permissions)?, now],
            |row| row.get(0),
        )
    }

    pub(crate) fn by_id(tx: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        Ok(Self::find(tx, "id = ?1", &[&id])?.pop())
    }

    pub(crate) fn of_app(tx: &Connection, app_id: i64) -> rusqlite::Result<Vec<Self>> {
        Self::find(tx, "app_id = ?1", &[&app_id])
    }

    pub(crate) fn at_account(
        tx: &Connection,
        app_id: i64,
        account_id: i64,
    ) -> rusqlite::Result<Option<Self>> {
        Ok(Self::find(tx, "app_id = ?1 AND account_id = ?2", &[&app_id, &account_id])?.pop())
    }

    fn find(
        tx: &Connection,
        condition: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> rusqlite::Result<Vec<Self>> {
        let sql = format!(
            "SELECT id, app_id, account_id, permissions, created_at FROM installations WHERE {condition} ORDER BY id"
        );
        let read = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                app_id: row.get(1)?,
                account: Account::by_id(tx, row.get(2)?)?,
                permissions: json(row, 3)?,
                created_at: row.get(4)?,
            })
        };
        tx.prepare(&sql)?.query_map(values, read)?.collect()
    }
}

impl IssuedToken {
    /// Keeps a token, and forgets those that died more than a day ago.
    pub(crate) fn save(&self, tx: &Connection, hash: &str, now: i64) -> rusqlite::Result<()> {
        tx.execute("DELETE FROM installation_tokens WHERE expires_at < ?1", [now - 86_400])?;
        let repositories = self.repository_ids.as_ref().map(to_json).transpose()?;
        tx.execute(
            "INSERT INTO installation_tokens (hash, installation_id, permissions, repository_ids, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![hash, self.installation_id, to_json(&self.permissions)?, repositories, self.expires_at],
        )
        .map(drop)
    }

    pub(crate) fn by_hash(tx: &Connection, hash: &str) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT installation_id, permissions, repository_ids, expires_at FROM installation_tokens \
                   WHERE hash = ?1";
        let read = |row: &Row<'_>| {
            let limited = row.get_ref(2)? != rusqlite::types::ValueRef::Null;
            Ok(Self {
                installation_id: row.get(0)?,
                permissions: json(row, 1)?,
                repository_ids: if limited { Some(json(row, 2)?) } else { None },
                expires_at: row.get(3)?,
            })
        };
        tx.query_row(sql, [hash], read).optional()
    }

    pub(crate) fn revoke(tx: &Connection, hash: &str) -> rusqlite::Result<()> {
        tx.execute("DELETE FROM installation_tokens WHERE hash = ?1", [hash]).map(drop)
    }
}
