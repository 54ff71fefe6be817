//! When anything of an agent's concern last changed: what a heartbeat compares with `changes_since`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use openpod_sdk::api::{AgentKeyId, Timestamp};

use super::batch::{Batch, Column};
use super::{Asked, StoreError, Tx, params};

/// In the order in which they are to be held. Each change gets a later time than the last, so that two with the same time
/// are one.
static MARKS: LazyLock<Batch> = LazyLock::new(|| {
    Batch::new(&[Column::Text("id"), Column::Integer("now")], |dialect, rows| {
        let held = dialect.join("agents", "a", &["id"], "a.id = r.id", &dialect.hold("a"));
        format!(
            "WITH held AS MATERIALIZED (SELECT a.id AS agent, r.now AS now FROM {rows} {held}) \
             UPDATE agents SET changed_at = CASE WHEN changed_at >= held.now THEN changed_at + 1 ELSE held.now END \
             FROM held WHERE id = held.agent {}",
            dialect.returning("id")
        )
    })
});

/// Notes that something of these agents' concern changes with this transaction.
pub async fn touch<'a>(
    tx: &mut Tx<'_>,
    agents: impl IntoIterator<Item = &'a AgentKeyId> + Send,
) -> Result<(), StoreError> {
    agents.into_iter().for_each(|agent| tx.touched(agent.clone()));
    Ok(())
}

/// Writes down what [`touch`] noted of agents, at the end of the transaction.
pub(super) async fn settle(
    tx: &mut Tx<'_>,
    agents: &BTreeSet<AgentKeyId>,
) -> Result<Asked<String>, StoreError> {
    let now = tx.now();
    tx.write_rows(&MARKS, agents.iter().map(|agent| params![agent, now].to_vec())).await
}

/// When something of this agent's concern last changed.
pub async fn last_change(tx: &mut Tx<'_>, agent: &AgentKeyId) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT changed_at FROM agents WHERE id = $1";
    Ok(tx.first(sql, params![agent], |row| row.get("changed_at")).await?.flatten())
}
