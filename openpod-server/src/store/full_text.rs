//! Full-text search, which every engine does in its own way. This is SQLite's: a table of words (FTS5).

use openpod_sdk::api::knowledge::NewKnowledge;
use openpod_sdk::api::{KnowledgeId, ProjectId};

use super::{StoreError, Tx, params};
use crate::domain::words::Words;

/// How far an entry is from what was searched, as a whole number so that pages can begin after it. A word in the title
/// counts four times, one in the tags twice.
pub(super) const DISTANCE: &str =
    "CAST(bm25(knowledge_words, 0.0, 0.0, 4.0, 1.0, 2.0) * 1000000000 AS INTEGER)";

/// Entries that match a [`query`]. The words are read first, and for each hit its entry.
pub(super) const FROM_WORDS: &str =
    "FROM knowledge_words CROSS JOIN knowledge k ON k.id = knowledge_words.id";

/// The condition that a [`query`] goes into.
pub(super) const MATCHES: &str = "knowledge_words MATCH ?";

/// Adds the words of an entry.
pub(super) async fn index(tx: &mut Tx<'_>, id: &KnowledgeId, new: &NewKnowledge) -> Result<(), StoreError> {
    let sql = "INSERT INTO knowledge_words (id, project, title, content, tags) VALUES ($1, $2, $3, $4, $5)";
    let params = params![id, one_word(&new.project_id), new.title, new.content, new.tags.join(" ")];
    tx.execute(sql, params).await.map(|_| ())
}

/// What finds the entries of a project that have all of these words. Each is quoted, so nothing in it is syntax.
pub(super) fn query(project: &ProjectId, words: &Words) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    format!("project : \"{}\" AND {{title content tags}} : ({})", one_word(project), quoted.join(" AND "))
}

fn one_word(project: &ProjectId) -> String {
    project.as_str().replace('-', "")
}
