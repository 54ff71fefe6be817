//! A transaction: the statements of a script.

use openpod_sdk::api::Timestamp;

use super::{Row, Sources, StoreError, Value};
use crate::ids::Sequence;

/// A transaction in progress. What a script does through it happens all together or not at all.
pub struct Tx<'c> {
    engine: Engine<'c>,
    sources: &'c Sources,
    ids: &'c Sequence,
    now: Timestamp,
    wakes_deliveries: bool,
}

/// The connection beneath. A second engine becomes a second arm.
enum Engine<'c> {
    Sqlite(&'c mut rusqlite::Connection),
}

impl<'c> Tx<'c> {
    pub(super) fn sqlite(
        connection: &'c mut rusqlite::Connection,
        sources: &'c Sources,
        ids: &'c Sequence,
        now: Timestamp,
    ) -> Self {
        Self { engine: Engine::Sqlite(connection), sources, ids, now, wakes_deliveries: false }
    }

    /// The time of this transaction, the same throughout.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id, as text of the kind that is asked for. Ids sort in the order they were made.
    pub fn new_id<T: From<String>>(&self) -> T {
        T::from(self.ids.next_id(&*self.sources.randomness, self.now))
    }

    /// Bytes that nobody can guess.
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.sources.randomness.fill(&mut bytes);
        bytes
    }

    /// Runs a statement and tells how many rows it touched.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let Engine::Sqlite(connection) = &mut self.engine;
        let mut statement = connection.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        Ok(statement.raw_execute()? as u64)
    }

    /// Every row of the answer.
    pub async fn all<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let Engine::Sqlite(connection) = &mut self.engine;
        let mut statement = connection.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(&Row::Sqlite(row))?);
        }
        Ok(found)
    }

    /// The first row of the answer, if there is one.
    pub async fn first<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        let Engine::Sqlite(connection) = &mut self.engine;
        let mut statement = connection.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        let mut rows = statement.raw_query();
        rows.next()?.map(|row| read(&Row::Sqlite(row))).transpose()
    }

    /// After the commit, wakes whoever waits for [`super::Store::new_deliveries`].
    pub(super) fn wake_deliveries(&mut self) {
        self.wakes_deliveries = true;
    }

    pub(super) fn wakes_deliveries(&self) -> bool {
        self.wakes_deliveries
    }
}

/// Binds by name, because SQLite numbers `$1` by where it first stands in the text.
fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value]) -> Result<(), StoreError> {
    let mut bound = 0;
    for (n, value) in params.iter().enumerate() {
        if let Some(index) = statement.parameter_index(NAMES.get(n).ok_or_else(too_many)?)? {
            bound += 1;
            match value {
                Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null)?,
                Value::Integer(number) => statement.raw_bind_parameter(index, number)?,
                Value::Real(number) => statement.raw_bind_parameter(index, number)?,
                Value::Text(text) => statement.raw_bind_parameter(index, text)?,
                Value::Blob(bytes) => statement.raw_bind_parameter(index, bytes)?,
            }
        }
    }
    if bound == params.len() && bound == statement.parameter_count() {
        return Ok(());
    }
    let (sql, wanted) = (statement.expanded_sql().unwrap_or_default(), statement.parameter_count());
    Err(StoreError::misused(&format!("{wanted} parameters are wanted, {} were given: {sql}", params.len())))
}

fn too_many() -> StoreError {
    StoreError::misused("a statement takes at most 32 parameters")
}

const NAMES: [&str; 32] = [
    "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16",
    "$17", "$18", "$19", "$20", "$21", "$22", "$23", "$24", "$25", "$26", "$27", "$28", "$29", "$30", "$31",
    "$32",
];
