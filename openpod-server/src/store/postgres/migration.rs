//! Getting a PostgreSQL database ready, and bringing it to this version's schema. Of processes that start at once one does it, and the others
//! wait for it.

use std::time::Duration;

use futures_util::StreamExt;
use tokio_postgres::Client;

use super::tls::Tls;
use crate::store::error::OpenError;
use crate::store::location::Address;
use crate::store::migrations::Step;
use crate::store::{Opening, StoreError};

/// Held while migrating. It ends with the connection.
const LOCK: &str = "SELECT pg_advisory_lock(7236836011431592301)";

/// Whether another process has the database open: each listens for what the others do.
const OTHERS: &str = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name = 'openpod-server listener')";

/// How often to look whether others have left, and how long to wait in between.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Gets a database ready as `opening` says, and answers with the names of the steps that it took.
pub(super) async fn prepare(
    address: &Address,
    tls: &Tls,
    opening: Opening<'_>,
) -> Result<Vec<&'static str>, OpenError> {
    let unreachable = |error: tokio_postgres::Error| OpenError::Reach {
        address: address.to_string(),
        source: StoreError::from(error),
    };
    let (client, messages) = tls.connect(address.config()).await.map_err(unreachable)?;
    let answered = messages.for_each(|_| std::future::ready(()));
    tokio::select! {
        () = answered => Err(OpenError::Interrupted),
        prepared = prepare_on(&client, address, opening) => prepared,
    }
}

async fn prepare_on(
    client: &Client,
    address: &Address,
    opening: Opening<'_>,
) -> Result<Vec<&'static str>, OpenError> {
    let failed = |name: &'static str| move |error| OpenError::migration(name, StoreError::from(error));
    let unfit = |why| Err(OpenError::Unfit { address: address.to_string(), why });
    if setting(client, "server_encoding").await.map_err(failed("settings"))? != "UTF8" {
        return unfit("its encoding must be UTF8; create it with ENCODING 'UTF8' TEMPLATE template0");
    }
    if setting(client, "track_activities").await.map_err(failed("settings"))? != "on" {
        return unfit("track_activities must be on, because it tells which writes are in progress");
    }
    if opening.alone && !others_have_left(client).await.map_err(failed("others"))? {
        return Err(OpenError::Shared { address: address.to_string() });
    }
    match opening.steps {
        Some(steps) => migrate(client, steps).await,
        None => Ok(Vec::new()),
    }
}

async fn migrate(client: &Client, steps: &[Step]) -> Result<Vec<&'static str>, OpenError> {
    let failed = |name: &'static str| move |error| OpenError::migration(name, StoreError::from(error));
    client.batch_execute(LOCK).await.map_err(failed("lock"))?;
    let mut version = version(client).await.map_err(failed("version"))?;
    if version > steps.len() {
        return Err(OpenError::Newer { found: version as u32, known: steps.len() as u32 });
    }
    let mut applied = Vec::new();
    while let Some(Step { name, postgres, .. }) = steps.get(version) {
        version += 1;
        // When it fails, the connection ends, and with it the transaction.
        let step = format!("BEGIN; {postgres}\n; UPDATE schema_version SET version = {version}; COMMIT");
        client.batch_execute(&step).await.map_err(failed(name))?;
        applied.push(*name);
    }
    Ok(applied)
}

/// Who has just stopped may be listed for a moment.
async fn others_have_left(client: &Client) -> Result<bool, tokio_postgres::Error> {
    for _ in 0..LOOKS {
        if !client.query_one(OTHERS, &[]).await?.try_get(0)? {
            return Ok(true);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(false)
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
