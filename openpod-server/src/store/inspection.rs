//! Looking whether a database is sound: its pages, its schema, and what its rows refer to.

use std::collections::BTreeSet;

use super::dialect::Dialect;
use super::migrations::STEPS;
use super::{Row, StoreError, Tx, params};

/// What is wrong with a database of this schema version, a sentence for each thing. Nothing is changed.
pub async fn faults(tx: &mut Tx<'_>, version: u32) -> Result<Vec<String>, StoreError> {
    let mut faults = match tx.dialect() {
        Dialect::Sqlite => pages(tx).await?,
        Dialect::Postgres => switched_off(tx).await?,
    };
    let found: BTreeSet<String> = objects(tx).await?.into_iter().collect();
    let missing = expected(tx.dialect(), version).into_iter().filter(|name| !found.contains(name));
    faults.extend(missing.map(|name| format!("the {name} is not there")));
    // Where no step was taken there are no rows to look at.
    if faults.is_empty() && version > 0 {
        faults.extend(match tx.dialect() {
            Dialect::Sqlite => strays_of_sqlite(tx).await?,
            Dialect::Postgres => strays_of_postgres(tx).await?,
        });
        faults.extend(words(tx).await?);
    }
    Ok(faults)
}

/// What SQLite says of its file.
async fn pages(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    let sql =
        "SELECT integrity_check AS line FROM pragma_integrity_check WHERE integrity_check <> 'ok' LIMIT 100";
    tx.all(sql, params![], |row| row.get("line")).await
}

/// What a PostgreSQL database has and does not use: constraints, indexes and triggers.
async fn switched_off(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT CAST('the constraint ' || conname || ' was never checked' AS TEXT) AS line FROM pg_constraint \
               WHERE NOT convalidated AND connamespace = current_schema()::regnamespace \
               UNION ALL SELECT CAST('the index ' || c.relname || ' is not valid' AS TEXT) FROM pg_index i \
               JOIN pg_class c ON c.oid = i.indexrelid \
               WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace \
               UNION ALL SELECT CAST('the trigger ' || t.tgname || ' on ' || c.relname || ' is off' AS TEXT) \
               FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
               WHERE t.tgenabled = 'D' AND c.relnamespace = current_schema()::regnamespace ORDER BY line";
    tx.all(sql, params![], |row| row.get("line")).await
}

/// Tables, indexes and triggers, such as `table tickets`.
async fn objects(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => "SELECT type || ' ' || name AS line FROM sqlite_schema",
        Dialect::Postgres => {
            "SELECT CAST(CASE relkind WHEN 'r' THEN 'table ' ELSE 'index ' END || relname AS TEXT) AS line \
             FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = current_schema()::regnamespace \
             UNION ALL SELECT CAST('trigger ' || t.tgname AS TEXT) FROM pg_trigger t \
             JOIN pg_class c ON c.oid = t.tgrelid \
             WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
        }
    };
    tx.all(sql, params![], |row| row.get("line")).await
}

/// The tables, indexes and triggers that the steps of a version make; of one that is not known yet, none.
fn expected(dialect: Dialect, version: u32) -> BTreeSet<String> {
    let mut objects = BTreeSet::new();
    for step in STEPS.get(..version as usize).unwrap_or_default() {
        for line in step.sql(dialect).lines() {
            let words: Vec<&str> = line
                .split([' ', '('])
                .filter(|word| !matches!(*word, "" | "UNIQUE" | "VIRTUAL" | "IF" | "EXISTS"))
                .collect();
            match words[..] {
                ["CREATE", kind @ ("TABLE" | "INDEX" | "TRIGGER"), name, ..] => {
                    objects.insert(format!("{} {name}", kind.to_lowercase()));
                }
                ["DROP", kind @ ("TABLE" | "INDEX" | "TRIGGER"), name, ..] => {
                    objects.remove(&format!("{} {}", kind.to_lowercase(), name.trim_end_matches(';')));
                }
                ["ALTER", "TABLE", old, "RENAME", "TO", new, ..] => {
                    objects.remove(&format!("table {old}"));
                    objects.insert(format!("table {}", new.trim_end_matches(';')));
                }
                _ => {}
            }
        }
    }
    objects
}

async fn strays_of_sqlite(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT \"table\" AS child, parent, count(*) AS n FROM pragma_foreign_key_check \
               GROUP BY \"table\", parent ORDER BY \"table\", parent";
    tx.all(sql, params![], stray).await
}

/// PostgreSQL refuses such rows, unless somebody has switched that off.
async fn strays_of_postgres(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT CAST(c.relname AS TEXT) AS child, CAST(a.attname AS TEXT) AS by, \
               CAST(p.relname AS TEXT) AS parent, CAST(b.attname AS TEXT) AS key FROM pg_constraint k \
               JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] \
               JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = k.confkey[1] \
               WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace \
               ORDER BY c.relname, a.attname";
    let references = tx.all(sql, params![], |row| {
        let text = |column| row.get::<String>(column);
        Ok((text("child")?, text("by")?, text("parent")?, text("key")?))
    });
    let mut faults = Vec::new();
    for (child, by, parent, key) in references.await? {
        let sql = format!(
            "SELECT '{child}' AS child, '{parent}' AS parent, count(*) AS n FROM {child} c \
             WHERE c.{by} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{key} = c.{by}) HAVING count(*) > 0"
        );
        faults.extend(tx.first(&sql, params![], stray).await?);
    }
    Ok(faults)
}

fn stray(row: &Row<'_>) -> Result<String, StoreError> {
    let (child, parent, n): (String, String, u64) = (row.get("child")?, row.get("parent")?, row.get("n")?);
    Ok(format!("{n} rows of {child} refer to rows of {parent} that are not there"))
}

/// Every entry of the knowledge is to be found by its words.
async fn words(tx: &mut Tx<'_>) -> Result<Option<String>, StoreError> {
    let sql =
        "SELECT (SELECT count(*) FROM knowledge) AS entries, (SELECT count(*) FROM knowledge_words) AS found";
    let counts = tx.first(sql, params![], |row| Ok((row.get::<u64>("entries")?, row.get::<u64>("found")?)));
    Ok(counts.await?.filter(|(entries, found)| entries != found).map(|(entries, found)| {
        format!("there are {entries} entries of knowledge, and {found} that a search looks through")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_steps_make_is_read_out_of_them() {
        let newest = STEPS.len() as u32;
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let found = expected(dialect, newest);
            for name in ["table tickets", "table knowledge_words", "index applications_in_force"] {
                assert!(found.contains(name), "{name}: {found:?}");
            }
            assert!(found.contains("trigger ledger_transactions_pay_approvals"), "{found:?}");
            assert!(found.len() > 60, "{}", found.len());
        }
        assert!(expected(Dialect::Sqlite, 0).is_empty() && expected(Dialect::Sqlite, 99).is_empty());
    }
}
