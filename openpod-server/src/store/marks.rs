//! When anything of an agent's concern last changed: what a heartbeat compares with `changes_since`.

use openpod_sdk::api::{AgentKeyId, Timestamp};

use super::{StoreError, Tx, params};

/// Notes that something of these agents' concern changes with this transaction.
pub async fn touch<'a>(
    tx: &mut Tx<'_>,
    agents: impl IntoIterator<Item = &'a AgentKeyId> + Send,
) -> Result<(), StoreError> {
    agents.into_iter().for_each(|agent| tx.touched(agent.clone()));
    Ok(())
}

/// Writes down what [`touch`] noted of an agent, at the end of the transaction. Each change gets a later time than the
/// last, so that two with the same time are one.
pub(super) async fn settle(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<(), StoreError> {
    let now = tx.now();
    let sql = "UPDATE agents SET changed_at = CASE WHEN changed_at >= $2 THEN changed_at + 1 ELSE $2 END \
               WHERE id = $1";
    tx.send(sql, params![agent, now]).await
}

/// When something of this agent's concern last changed.
pub async fn last_change(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT changed_at FROM agents WHERE id = $1";
    Ok(tx.first(sql, params![agent], |row| row.get("changed_at")).await?.flatten())
}
