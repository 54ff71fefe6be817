//! Which repository a project has.

use openpod_sdk::api::ProjectId;

use super::{StoreError, Tx, params};
use crate::domain::repository::Repository;

/// The repository of a project, if it has one that the platform can reach.
pub async fn of_project(tx: &mut Tx<'_>, project: &ProjectId) -> Result<Option<Repository>, StoreError> {
    let sql = "SELECT repo_owner, repo_name FROM projects WHERE id = $1 AND repo_owner IS NOT NULL";
    tx.first(sql, params![project], |row| {
        Ok(Repository { owner: row.get("repo_owner")?, name: row.get("repo_name")? })
    })
    .await
}
