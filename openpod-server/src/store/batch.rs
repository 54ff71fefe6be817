//! Statements that take any number of rows.
//!
//! PostgreSQL takes the rows as arrays, one for each column, so a statement is the same text for any number of them and
//! costs little more for many than for one. SQLite, where a statement costs little, takes one row at a time.

use super::Value;
use super::dialect::Dialect;

/// A column of the rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// Of text.
    Text(&'static str),
    /// Of whole numbers.
    Integer(&'static str),
}

impl Column {
    fn name(self) -> &'static str {
        let (Column::Text(name) | Column::Integer(name)) = self;
        name
    }

    fn array(self) -> &'static str {
        match self {
            Column::Text(_) => "text[]",
            Column::Integer(_) => "bigint[]",
        }
    }
}

/// Such a statement. What it returns, if it returns anything, is called `id`.
#[derive(Debug)]
pub(super) struct Batch {
    of_one: String,
    of_many: String,
}

impl Batch {
    /// `sql` reads from what it is given, which is called `r`.
    pub(super) fn new(columns: &[Column], sql: impl Fn(Dialect, &str) -> String) -> Self {
        let each = |piece: &dyn Fn(usize, Column) -> String| {
            let pieces = columns.iter().enumerate().map(|(n, column)| piece(n + 1, *column));
            pieces.collect::<Vec<_>>().join(", ")
        };
        let row = each(&|n, column| format!("${n} AS {}", column.name()));
        let arrays = each(&|n, column| format!("${n}::{}", column.array()));
        let names = each(&|_, column| column.name().to_owned());
        Self {
            of_one: sql(Dialect::Sqlite, &format!("(SELECT {row}) AS r")),
            of_many: sql(Dialect::Postgres, &format!("unnest({arrays}) AS r({names})")),
        }
    }

    /// The statement with a parameter for each column.
    pub(super) fn of_one(&self) -> &str {
        &self.of_one
    }

    /// The statement with an array for each column.
    pub(super) fn of_many(&self) -> &str {
        &self.of_many
    }
}

/// A question about one thing each time, which is one statement for any number of things.
#[derive(Debug)]
pub(super) struct Question(Batch);

impl Question {
    /// `sql` reads what it is asked about as in [`Batch::new`], and answers with one row at most for each, whose `n` is
    /// that of `r`.
    pub(super) fn new(columns: &[Column], sql: impl Fn(Dialect, &str) -> String) -> Self {
        Self(Batch::new(&[columns, &[Column::Integer("n")]].concat(), sql))
    }

    /// The statement and its parameters for one thing.
    pub(super) fn of_one(&self, about: &[Value]) -> (&str, Vec<Value>) {
        (self.0.of_one(), [about, &[Value::Integer(0)]].concat())
    }

    /// The same for many, which are numbered from 0.
    pub(super) fn of_many(&self, about: impl IntoIterator<Item = Vec<Value>>) -> (&str, Vec<Vec<Value>>) {
        let mut rows = RowsOfOne::default();
        for (n, mut row) in (0..).zip(about) {
            row.push(Value::Integer(n));
            rows.push(row);
        }
        (self.0.of_many(), rows.columns())
    }
}

/// Rows for some statements, in the order in which these were first given one.
#[derive(Default)]
pub(super) struct Rows(Vec<(&'static Batch, RowsOfOne)>);

/// Rows for one statement.
#[derive(Default)]
pub(super) struct RowsOfOne(Vec<Vec<Value>>);

impl Rows {
    /// Adds a row.
    pub(super) fn add(&mut self, batch: &'static Batch, row: Vec<Value>) {
        self.of(batch).push(row);
    }

    /// Adds all rows of others.
    pub(super) fn extend(&mut self, others: Rows) {
        for (batch, more) in others {
            self.of(batch).0.extend(more.0);
        }
    }

    fn of(&mut self, batch: &'static Batch) -> &mut RowsOfOne {
        let known = self.0.iter().position(|(known, _)| std::ptr::eq(*known, batch));
        let n = known.unwrap_or_else(|| {
            self.0.push((batch, RowsOfOne::default()));
            self.0.len() - 1
        });
        &mut self.0[n].1
    }
}

impl RowsOfOne {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one.
    pub(super) fn push(&mut self, row: Vec<Value>) {
        self.0.push(row);
    }

    /// One after another.
    pub(super) fn each(self) -> impl Iterator<Item = Vec<Value>> + Send {
        self.0.into_iter()
    }

    /// Column by column.
    pub(super) fn columns(self) -> Vec<Vec<Value>> {
        let width = self.0.first().map_or(0, Vec::len);
        let mut columns: Vec<_> = (0..width).map(|_| Vec::with_capacity(self.0.len())).collect();
        for row in self.0 {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        columns
    }
}

impl IntoIterator for Rows {
    type Item = (&'static Batch, RowsOfOne);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_reads_the_rows_its_own_way() {
        let columns = [Column::Text("id"), Column::Integer("at")];
        let batch = Batch::new(&columns, |dialect, rows| format!("{dialect:?}: SELECT * FROM {rows}"));
        assert_eq!(batch.of_one(), "Sqlite: SELECT * FROM (SELECT $1 AS id, $2 AS at) AS r");
        assert_eq!(batch.of_many(), "Postgres: SELECT * FROM unnest($1::text[], $2::bigint[]) AS r(id, at)");
    }

    #[test]
    fn rows_of_one_statement_come_together_in_their_order() {
        let batch = || -> &'static Batch { Box::leak(Box::new(Batch::new(&[], |_, _| String::new()))) };
        let (one, other) = (batch(), batch());
        let row = |n| vec![Value::Integer(n), Value::Null];
        let (mut rows, mut more) = (Rows::default(), Rows::default());
        rows.add(one, row(1));
        more.add(other, row(2));
        more.add(one, row(3));
        more.add(other, row(4));
        rows.extend(more);
        let found: Vec<Vec<Value>> = rows.into_iter().map(|(_, rows)| rows.columns().remove(0)).collect();
        let numbers = |numbers: [i64; 2]| numbers.map(Value::Integer).to_vec();
        assert_eq!(found, [numbers([1, 3]), numbers([2, 4])]);
    }
}
