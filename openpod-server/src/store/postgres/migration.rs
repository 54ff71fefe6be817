//! Bringing a PostgreSQL database to this version's schema. Of processes that start at once one does it, and the others
//! wait for it.

use futures_util::StreamExt;
use tokio_postgres::Client;

use super::tls::Tls;
use crate::store::StoreError;
use crate::store::error::OpenError;
use crate::store::location::Address;
use crate::store::migrations::{STEPS, Step};

/// Held while migrating. It ends with the connection.
const LOCK: &str = "SELECT pg_advisory_lock(7236836011431592301)";

pub(super) async fn migrate(address: &Address, tls: &Tls) -> Result<(), OpenError> {
    let unreachable = |error: tokio_postgres::Error| OpenError::Reach {
        address: address.to_string(),
        source: StoreError::from(error),
    };
    let (client, messages) = tls.connect(address.config()).await.map_err(unreachable)?;
    let answered = messages.for_each(|_| std::future::ready(()));
    tokio::select! {
        () = answered => Err(OpenError::Interrupted),
        migrated = migrate_on(&client, address) => migrated,
    }
}

async fn migrate_on(client: &Client, address: &Address) -> Result<(), OpenError> {
    let failed =
        |name: &'static str| move |error| OpenError::Migration { name, source: StoreError::from(error) };
    let unfit = |why| Err(OpenError::Unfit { address: address.to_string(), why });
    if setting(client, "server_encoding").await.map_err(failed("settings"))? != "UTF8" {
        return unfit("its encoding must be UTF8; create it with ENCODING 'UTF8' TEMPLATE template0");
    }
    if setting(client, "track_activities").await.map_err(failed("settings"))? != "on" {
        return unfit("track_activities must be on, because it tells which writes are in progress");
    }
    client.batch_execute(LOCK).await.map_err(failed("lock"))?;
    let mut version = version(client).await.map_err(failed("version"))?;
    if version > STEPS.len() {
        return Err(OpenError::Newer { found: version as u32, known: STEPS.len() as u32 });
    }
    while let Some(Step { name, postgres, .. }) = STEPS.get(version) {
        version += 1;
        let step = format!("BEGIN; {postgres}\n; UPDATE schema_version SET version = {version}; COMMIT");
        client.batch_execute(&step).await.map_err(failed(name))?;
    }
    Ok(())
}

async fn setting(client: &Client, name: &str) -> Result<String, tokio_postgres::Error> {
    client.query_one("SELECT current_setting($1)", &[&name]).await?.try_get(0)
}

async fn version(client: &Client) -> Result<usize, tokio_postgres::Error> {
    let known = client.query_one("SELECT to_regclass('schema_version') IS NOT NULL", &[]).await?;
    if !known.try_get::<_, bool>(0)? {
        let create = "BEGIN; CREATE TABLE schema_version (version BIGINT NOT NULL); \
                      INSERT INTO schema_version VALUES (0); COMMIT";
        client.batch_execute(create).await?;
    }
    let version: i64 = client.query_one("SELECT version FROM schema_version", &[]).await?.try_get(0)?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}
