//! Full-text search, which every engine does in its own way: SQLite by a table of words (FTS5), PostgreSQL by an index
//! of stems. Both stem as Porter does, keep every word, and count a word in the title four times, one in the tags twice.

use openpod_sdk::api::knowledge::NewKnowledge;
use openpod_sdk::api::{KnowledgeId, ProjectId};

use super::dialect::Dialect;
use super::paging::Select;
use super::{StoreError, ToValue, Tx, params};
use crate::domain::words::Words;

/// Adds the words of an entry.
pub(super) async fn index(tx: &mut Tx<'_>, id: &KnowledgeId, new: &NewKnowledge) -> Result<(), StoreError> {
    let (project, tags) = (new.project_id.as_str(), new.tags.join(" "));
    index_words(tx, id.as_str(), project, [&new.title, &new.content, &tags]).await
}

/// Adds the words of a title, a content and tags.
pub(super) async fn index_words(
    tx: &mut Tx<'_>,
    id: &str,
    project: &str,
    texts: [&str; 3],
) -> Result<(), StoreError> {
    match tx.dialect() {
        Dialect::Sqlite => {
            let [title, content, tags] = texts;
            let sql =
                "INSERT INTO knowledge_words (id, project, title, content, tags) VALUES ($1, $2, $3, $4, $5)";
            tx.execute(sql, params![id, one_word(project), title, content, tags]).await?;
        }
        Dialect::Postgres => {
            let [title, content, tags] = texts.map(plain);
            let sql = "INSERT INTO knowledge_words (id, words) VALUES ($1, \
                       setweight(to_tsvector('openpod', unaccented($2)), 'A') || \
                       setweight(to_tsvector('openpod', unaccented($3)), 'C') || \
                       setweight(to_tsvector('openpod', unaccented($4)), 'B'))";
            tx.execute(sql, params![id, title, content, tags]).await?;
        }
    }
    Ok(())
}

/// A `SELECT` of the entries `k` of a project that have all of these words, and the expression that tells how far one
/// is from what was searched, as a whole number so that pages can begin after it. It is selected as `sort_key`.
pub(super) fn search(dialect: Dialect, project: &ProjectId, words: &Words) -> (Select, &'static str) {
    match dialect {
        Dialect::Sqlite => {
            let distance = "CAST(bm25(knowledge_words, 0.0, 0.0, 4.0, 1.0, 2.0) * 1000000000 AS INTEGER)";
            // The words are read first, and for each hit its entry.
            let mut select = Select::from(format!(
                "SELECT k.*, {distance} AS sort_key \
                 FROM knowledge_words CROSS JOIN knowledge k ON k.id = knowledge_words.id"
            ));
            select.filter("knowledge_words MATCH ?", &[&fts5_query(project, words)]);
            (select, distance)
        }
        Dialect::Postgres => {
            let distance = "CAST(ts_rank_cd('{0, 0.25, 0.5, 1}', w.words, wanted) * -1000000000 AS BIGINT)";
            let words: Vec<String> = words.iter().map(plain).collect();
            let each = vec!["phraseto_tsquery('openpod', unaccented(?))"; words.len()];
            let sql = format!(
                "SELECT k.*, {distance} AS sort_key FROM (SELECT {} AS wanted) AS query, \
                 knowledge_words w JOIN knowledge k ON k.id = w.id",
                each.join(" && ")
            );
            let words: Vec<&dyn ToValue> = words.iter().map(|word| word as &dyn ToValue).collect();
            let mut select = Select::with(&sql, &words);
            select.filter("w.words @@ wanted", &[]);
            // What has no word at all, as PostgreSQL sees it, is found nowhere.
            select.filter("numnode(wanted) > 0", &[]);
            (select, distance)
        }
    }
}

/// What finds the entries of a project that have all of these words. Each is quoted, so nothing in it is syntax.
fn fts5_query(project: &ProjectId, words: &Words) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    let project = one_word(project.as_str());
    format!("project : \"{project}\" AND {{title content tags}} : ({})", quoted.join(" AND "))
}

fn one_word(project: &str) -> String {
    project.replace('-', "")
}

/// Only words and spaces, so that PostgreSQL finds no addresses, numbers with points or paths in a text but the words
/// they consist of, as SQLite does. Marks that combine with a letter stay beside it.
fn plain(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c);
    text.to_lowercase().chars().map(|c| if is_word(c) { c } else { ' ' }).collect()
}
