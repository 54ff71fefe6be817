//! What PostgreSQL has committed and not yet made durable: the next writes go on with it, and nobody outside learns of it.
//! A database that waits for a standby which does not exist takes for ever to make anything durable.

use std::time::Duration;

use openpod_server::store::{Address, Location, Store, StoreError, Value};
use tokio_postgres::Client;

use super::databases::{Cluster, Listens};
use super::two_engines::open;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Has each commit wait that did this, such as `INSERT ON deliveries`, until [`let_go`].
pub(super) async fn hold_up(client: &Client, deed: &str) {
    let sql = format!(
        "CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER held_up AFTER {deed} DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION wait_for_the_test(); \
         SELECT pg_advisory_lock(1)"
    );
    client.batch_execute(&sql).await.unwrap();
}

pub(super) async fn let_go(client: &Client) {
    client.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
}

/// Has everything that is to be durable wait, and returns when it does.
async fn keep_waiting(client: &Client, url: &str) {
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await.unwrap();
    client.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    loop {
        let probe = connect(url).await;
        let write =
            async move { probe.batch_execute("SELECT pg_logical_emit_message(true, 'probe', '')").await };
        let write = tokio::spawn(write);
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while !write.is_finished() {
            if client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0 {
                return;
            }
        }
    }
}

async fn go_on(client: &Client) {
    client.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.unwrap();
    client.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
}

/// Counts up in the one row that there is, and answers with the count.
fn count_up(store: &Store) -> impl Future<Output = Result<i64, StoreError>> + Send + use<> {
    let store = store.clone();
    async move {
        let write = store.write(|tx| {
            Box::pin(async move {
                let sql = "UPDATE owners SET created_at = created_at + 1 WHERE id = 'o' RETURNING created_at";
                Ok(tx.first(sql, &[], |row| row.get::<i64>("created_at")).await?.unwrap_or_default())
            })
        });
        write.await
    }
}

async fn wait_for_count(client: &Client, count: i64) {
    let seen = async {
        while client.query_one("SELECT created_at FROM owners", &[]).await.unwrap().get::<_, i64>(0) != count
        {
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the next write does not wait for the one before it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_durable_holds_nobody_up_and_nobody_is_told_of_it() {
    let Some(cluster) = Cluster::start(Listens::Here) else { return };
    let url = cluster.database().await;
    let store = open(Location::Postgres(Address::parse(&url).unwrap())).await;
    let client = connect(&url).await;
    client
        .batch_execute("INSERT INTO owners (id, login, login_key, password_hash, created_at) VALUES ('o', 'o', 'o', 'x', 0)")
        .await
        .unwrap();
    keep_waiting(&client, &url).await;

    let first = tokio::spawn(count_up(&store));
    wait_for_count(&client, 1).await;
    let second = tokio::spawn(count_up(&store));
    wait_for_count(&client, 2).await;
    let reader = store.clone();
    let read = tokio::spawn(async move {
        let read = reader.read(|tx| {
            Box::pin(async move {
                tx.all("SELECT login FROM owners", &[], |row| row.get::<String>("login")).await
            })
        });
        read.await.map_err(|error: StoreError| error.kind())
    });
    let refuser = store.clone();
    let refused = tokio::spawn(async move {
        let write = refuser.write(|tx| {
            Box::pin(async move {
                tx.execute(
                    "UPDATE owners SET created_at = created_at WHERE id = $1",
                    &[Value::Text("o".into())],
                )
                .await?;
                Err::<(), _>(StoreError::unreadable("it saw what it may not tell"))
            })
        });
        write.await.map_err(|error| error.to_string())
    });
    // Whatever could be answered has been, by then.
    for _ in 0..300 {
        client.query_one("SELECT 1", &[]).await.unwrap();
    }
    let told = [first.is_finished(), second.is_finished(), read.is_finished(), refused.is_finished()];
    assert_eq!(told, [false; 4], "nobody is told before it is durable");

    go_on(&client).await;
    let all = async { tokio::join!(first, second, read, refused) };
    let (first, second, read, refused) = tokio::time::timeout(PATIENCE, all).await.expect("then they are");
    assert_eq!((first.unwrap().unwrap(), second.unwrap().unwrap()), (1, 2));
    assert_eq!(read.unwrap().unwrap(), ["o"]);
    assert!(refused.unwrap().unwrap_err().contains("it saw what it may not tell"));
}
