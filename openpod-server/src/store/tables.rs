//! All tables, in an order in which each refers only to those before it, for what goes through everything.

use super::{StoreError, Tx, Value};

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns of its primary key.
    pub(super) key: &'static [&'static str],
    /// A column that refers to rows of the same table, which may come later.
    pub(super) own: Option<&'static str>,
    /// Whether the schema fills it by itself, from the rows of another.
    pub(super) derived: bool,
}

/// A row: its values by the names of their columns, in the order of the names.
pub(super) type Record = Vec<(String, Value)>;

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, own: None, derived: false }
}

/// Every table, but for the words of full-text search, which each engine keeps in its own way.
pub(super) static TABLES: [Table; 24] = [
    table("agents", &["id"]),
    table("agent_capabilities", &["agent_id", "capability"]),
    table("owners", &["id"]),
    Table { own: Some("replaced_by"), ..table("api_keys", &["key_id"]) },
    table("projects", &["id"]),
    table("positions", &["id"]),
    table("position_capabilities", &["position_id", "capability"]),
    table("applications", &["id"]),
    table("memberships", &["project_id", "agent_id"]),
    table("channels", &["id"]),
    table("messages", &["id"]),
    table("channel_reads", &["agent_id", "channel_id"]),
    table("tickets", &["id"]),
    table("ticket_comments", &["id"]),
    table("ratings", &["ticket_id"]),
    table("knowledge", &["id"]),
    table("webhooks", &["id"]),
    table("webhook_events", &["webhook_id", "event"]),
    table("deliveries", &["id"]),
    table("delivery_attempts", &["delivery_id", "attempt"]),
    table("ledger_transactions", &["id"]),
    // A payment brings its entries about.
    Table { derived: true, ..table("ledger_entries", &["transaction_id", "account_kind"]) },
    table("audit_log", &["id"]),
    table("idempotency_keys", &["caller", "key"]),
];

impl Table {
    /// The next rows by the primary key, after this one.
    pub(super) async fn rows_after(
        &self,
        tx: &mut Tx<'_>,
        last: Option<&Record>,
        most: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let (name, key) = (self.name, self.key.join(", "));
        let after = last.map(|record| self.key_of(record)).transpose()?.unwrap_or_default();
        let places: Vec<String> = (1..=after.len()).map(|n| format!("${n}")).collect();
        let condition = match places.is_empty() {
            true => String::new(),
            false => format!("WHERE ({key}) > ({}) ", places.join(", ")),
        };
        let sql = format!("SELECT * FROM {name} {condition}ORDER BY {key} LIMIT {most}");
        tx.all(&sql, &after, |row| {
            let mut record = row.columns()?;
            record.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Ok(record)
        })
        .await
    }

    /// The values of a row's primary key.
    pub(super) fn key_of(&self, record: &Record) -> Result<Vec<Value>, StoreError> {
        self.key.iter().map(|column| value(record, column).cloned()).collect()
    }

    /// Whether it has no row.
    pub(super) async fn is_empty(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let sql = format!("SELECT 1 AS one FROM {} LIMIT 1", self.name);
        Ok(tx.first(&sql, &[], |row| row.get::<i64>("one")).await?.is_none())
    }
}

/// The value of a column.
pub(super) fn value<'r>(record: &'r Record, column: &str) -> Result<&'r Value, StoreError> {
    let found = record.iter().find(|(name, _)| name == column);
    found
        .map(|(_, value)| value)
        .ok_or_else(|| StoreError::unreadable(format!("there is no column {column}")))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::STEPS;

    fn texts(connection: &Connection, sql: &str, of: &str) -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let found = statement.query_map([of], |row| row.get(0)).unwrap();
        found.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn every_table_of_the_schema_is_known_with_its_key_after_those_that_it_refers_to() {
        let connection = Connection::open_in_memory().unwrap();
        STEPS.iter().for_each(|step| connection.execute_batch(step.sqlite).unwrap());
        let all = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                   AND name NOT LIKE ?1 ORDER BY name";
        let mut known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        known.sort_unstable();
        assert_eq!(texts(&connection, all, "knowledge_words%"), known);
        for (n, table) in TABLES.iter().enumerate() {
            let key = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
            assert_eq!(texts(&connection, key, table.name), table.key, "the key of {}", table.name);
            let referred = "SELECT \"table\" FROM pragma_foreign_key_list(?1)";
            for parent in texts(&connection, referred, table.name) {
                let earlier = TABLES[..n].iter().any(|before| before.name == parent);
                let own = parent == table.name && table.own.is_some();
                assert!(earlier || own, "{} refers to {parent}, which comes after it", table.name);
            }
        }
    }
}
