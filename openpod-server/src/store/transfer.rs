//! Every row of one database into another that is empty, of whichever engines.
//!
//! ```text
//!   source: one snapshot ─▶ table by table, a parcel of rows at a time ─▶ target: one transaction
//!             └─▶ count and checksum of each table ─────────────────────▶ read again, compared, and only then committed
//! ```
//!
//! What the schema makes by itself, a payment's entries, is not written but compared. The words of full-text search are
//! made anew, because each engine keeps them in its own way.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::dialect::Dialect;
use super::tables::{Record, TABLES, Table, value};
use super::{Store, StoreError, Tx, Value, full_text};

/// How many rows are read and written at a time.
const PARCEL: usize = 200;

/// How many parcels may be on their way.
const UNDER_WAY: usize = 4;

/// What a table holds: equal for two tables that hold the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Which table.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of all of its values, with the names of their columns, in the order of its primary key.
    pub checksum: [u8; 32],
}

/// Why nothing was transferred.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransferError {
    /// The target is not empty.
    #[error("the target holds rows already, in the table {0}; choose an empty database")]
    Occupied(&'static str),
    /// What was written is not what was read.
    #[error("the table {} came out otherwise: {} rows were read and {} written, with the checksums {} and {}",
        read.table, read.rows, written.rows, hex::encode(read.checksum), hex::encode(written.checksum))]
    Differs {
        /// What was read.
        read: Tally,
        /// What the target had then.
        written: Tally,
    },
    /// The source cannot be read.
    #[error("the source cannot be read: {0}")]
    Read(StoreError),
    /// The target refuses a table.
    #[error("the table {table} cannot be written: {source}")]
    Write {
        /// Which table.
        table: &'static str,
        /// Why.
        source: StoreError,
    },
    /// The target failed otherwise.
    #[error("the target cannot be written: {0}")]
    Target(#[from] StoreError),
}

/// Is told of each table that was read.
pub type Tell = Arc<dyn Fn(&Tally) + Send + Sync>;

/// Copies everything into a database that has the same schema and no row, and answers with what it copied. When it
/// fails, the target is as it was.
pub async fn transfer(from: &Store, to: &Store, tell: Tell) -> Result<Vec<Tally>, TransferError> {
    let (parcels, arriving) = mpsc::channel(UNDER_WAY);
    let read = from.read(move |tx| Box::pin(async move { send(tx, &parcels, &tell).await }));
    let write = to.write_once(move |tx| Box::pin(receive(tx, arriving)));
    match tokio::join!(read, write) {
        (Err(error), _) => Err(TransferError::Read(error)),
        (Ok(()), written) => written,
    }
}

/// What travels.
enum Parcel {
    Rows(&'static Table, Vec<Record>),
    /// There is no more, and this is what it was.
    End(Vec<Tally>),
}

async fn send(tx: &mut Tx<'_>, parcels: &mpsc::Sender<Parcel>, tell: &Tell) -> Result<(), StoreError> {
    let mut tallies = Vec::with_capacity(TABLES.len());
    for table in &TABLES {
        let mut walk = Walk::of(table);
        while let Some(rows) = walk.next(tx).await? {
            if !table.derived && !hand_over(tx.dialect(), parcels, Parcel::Rows(table, rows)).await {
                // The other side has failed, and says why.
                return Ok(());
            }
        }
        let tally = walk.tally();
        tell(&tally);
        tallies.push(tally);
    }
    hand_over(tx.dialect(), parcels, Parcel::End(tallies)).await;
    Ok(())
}

/// Waits for room. A script on a database thread cannot await anything, and may block.
async fn hand_over(dialect: Dialect, parcels: &mpsc::Sender<Parcel>, parcel: Parcel) -> bool {
    match dialect {
        Dialect::Sqlite => parcels.blocking_send(parcel).is_ok(),
        Dialect::Postgres => parcels.send(parcel).await.is_ok(),
    }
}

async fn receive(tx: &mut Tx<'_>, mut arriving: mpsc::Receiver<Parcel>) -> Result<Vec<Tally>, TransferError> {
    for table in &TABLES {
        if !table.is_empty(tx).await? {
            return Err(TransferError::Occupied(table.name));
        }
    }
    let mut own = Vec::new();
    loop {
        let parcel = match tx.dialect() {
            Dialect::Sqlite => arriving.blocking_recv(),
            Dialect::Postgres => arriving.recv().await,
        };
        match parcel {
            None => return Err(StoreError::closed().into()),
            Some(Parcel::Rows(table, rows)) => {
                let failed = |source| TransferError::Write { table: table.name, source };
                own.extend(write(tx, table, rows).await.map_err(failed)?);
            }
            Some(Parcel::End(tallies)) => {
                refer(tx, own).await?;
                return compare(tx, tallies).await;
            }
        }
    }
}

/// What a row refers to in its own table, to be written when all rows are there.
struct OwnReference {
    table: &'static Table,
    column: &'static str,
    to: Value,
    key: Vec<Value>,
}

async fn write(
    tx: &mut Tx<'_>,
    table: &'static Table,
    mut rows: Vec<Record>,
) -> Result<Vec<OwnReference>, StoreError> {
    let mut own = Vec::new();
    if let Some(column) = table.own {
        for record in &mut rows {
            let key = table.key_of(record)?;
            let found = record.iter_mut().find(|(name, value)| name == column && *value != Value::Null);
            if let Some((_, value)) = found {
                own.push(OwnReference { table, column, to: std::mem::replace(value, Value::Null), key });
            }
        }
    }
    match tx.dialect() {
        Dialect::Sqlite => insert_each(tx, table, &rows).await?,
        Dialect::Postgres => insert_at_once(tx, table, &rows).await?,
    }
    if table.name == "knowledge" {
        index(tx, &rows).await?;
    }
    Ok(own)
}

async fn insert_each(tx: &mut Tx<'_>, table: &Table, rows: &[Record]) -> Result<(), StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let places: Vec<String> = (1..=first.len()).map(|n| format!("${n}")).collect();
    let sql = format!("INSERT INTO {} ({}) VALUES ({})", table.name, columns(first), places.join(", "));
    for record in rows {
        let values: Vec<Value> = record.iter().map(|(_, value)| value.clone()).collect();
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

/// One statement for all, because each is a way to the server and back.
async fn insert_at_once(tx: &mut Tx<'_>, table: &Table, rows: &[Record]) -> Result<(), StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let (name, columns) = (table.name, columns(first));
    let sql = format!(
        "INSERT INTO {name} ({columns}) SELECT {columns} \
         FROM json_populate_recordset(CAST(NULL AS {name}), CAST(CAST($1 AS TEXT) AS JSON))"
    );
    let rows: Vec<serde_json::Map<String, serde_json::Value>> = rows
        .iter()
        .map(|record| record.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        .collect();
    let text = serde_json::to_string(&rows).map_err(|error| StoreError::unreadable(error.to_string()))?;
    tx.execute(&sql, &[Value::Text(text)]).await.map(|_| ())
}

fn columns(record: &Record) -> String {
    record.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A value as PostgreSQL reads it out of JSON.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Blob(bytes) => format!("\\x{}", hex::encode(bytes)).into(),
    }
}

/// Makes the words of full-text search.
async fn index(tx: &mut Tx<'_>, rows: &[Record]) -> Result<(), StoreError> {
    for record in rows {
        let text = |column| match value(record, column)? {
            Value::Text(text) => Ok(text.as_str()),
            _ => Err(StoreError::unreadable(format!("the column {column} holds no text"))),
        };
        let tags: Vec<String> = serde_json::from_str(text("tags")?)
            .map_err(|_| StoreError::unreadable("the tags of an entry are no list"))?;
        let texts = [text("title")?, text("content")?, &tags.join(" ")];
        full_text::index_words(tx, text("id")?, text("project_id")?, texts).await?;
    }
    Ok(())
}

async fn refer(tx: &mut Tx<'_>, own: Vec<OwnReference>) -> Result<(), TransferError> {
    for OwnReference { table, column, to, key } in own {
        let (name, columns) = (table.name, table.key.join(", "));
        let places: Vec<String> = (2..key.len() + 2).map(|n| format!("${n}")).collect();
        let sql = format!("UPDATE {name} SET {column} = $1 WHERE ({columns}) = ({})", places.join(", "));
        let params = [&[to][..], &key].concat();
        let done = tx.execute(&sql, &params).await;
        done.map_err(|source| TransferError::Write { table: name, source })?;
    }
    Ok(())
}

async fn compare(tx: &mut Tx<'_>, read: Vec<Tally>) -> Result<Vec<Tally>, TransferError> {
    for (table, read) in TABLES.iter().zip(&read) {
        let mut walk = Walk::of(table);
        while walk.next(tx).await?.is_some() {}
        let written = walk.tally();
        if written != *read {
            return Err(TransferError::Differs { read: read.clone(), written });
        }
    }
    Ok(read)
}

/// A walk through all rows of a table, that counts them and their checksum.
struct Walk {
    table: &'static Table,
    last: Option<Record>,
    rows: u64,
    checksum: Sha256,
}

impl Walk {
    fn of(table: &'static Table) -> Self {
        Self { table, last: None, rows: 0, checksum: Sha256::new() }
    }

    async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Option<Vec<Record>>, StoreError> {
        let rows = self.table.rows_after(tx, self.last.as_ref(), PARCEL).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.last = Some(last.clone());
        self.rows += rows.len() as u64;
        rows.iter().for_each(|record| self.digest(record));
        Ok(Some(rows))
    }

    /// Each value with its column, kind and length, so that no two different rows look the same.
    fn digest(&mut self, record: &Record) {
        let mut add = |kind: u8, bytes: &[u8]| {
            self.checksum.update([kind]);
            self.checksum.update((bytes.len() as u64).to_be_bytes());
            self.checksum.update(bytes);
        };
        for (name, value) in record {
            add(b'c', name.as_bytes());
            match value {
                Value::Null => add(b'n', &[]),
                Value::Integer(number) => add(b'i', &number.to_be_bytes()),
                Value::Real(number) => add(b'r', &number.to_be_bytes()),
                Value::Text(text) => add(b't', text.as_bytes()),
                Value::Blob(bytes) => add(b'b', bytes),
            }
        }
        self.checksum.update([b'.']);
    }

    fn tally(self) -> Tally {
        Tally { table: self.table.name, rows: self.rows, checksum: self.checksum.finalize().into() }
    }
}
