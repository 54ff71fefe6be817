//! One statement: bound by the names of its parameters, and read row by row.

use rusqlite::{Connection, Statement, StatementStatus, types::Null};

use crate::store::{Row, StoreError, Value};

pub(in crate::store) fn execute(
    connection: &mut Connection,
    sql: &str,
    params: &[Value],
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    Ok(statement.raw_execute()? as u64)
}

/// The first `most` rows of the answer. `walked` counts the rows that were stepped over in search of them, because no
/// index leads there.
pub(in crate::store) fn query<T>(
    connection: &mut Connection,
    sql: &str,
    params: &[Value],
    most: usize,
    walked: &mut u64,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while found.len() < most
        && let Some(row) = rows.next()?
    {
        found.push(read(&Row::Sqlite(row))?);
    }
    drop(rows);
    *walked += u64::try_from(statement.reset_status(StatementStatus::FullscanStep)).unwrap_or_default();
    Ok(found)
}

/// Binds by name, because SQLite numbers `$1` by where it first stands in the text.
fn bind(statement: &mut Statement<'_>, params: &[Value]) -> Result<(), StoreError> {
    let mut bound = 0;
    for (n, value) in params.iter().enumerate() {
        if let Some(index) = statement.parameter_index(NAMES.get(n).ok_or_else(too_many)?)? {
            bound += 1;
            match value {
                Value::Null => statement.raw_bind_parameter(index, Null)?,
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
