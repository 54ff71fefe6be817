//! The program itself, as an operator runs it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use openpod_sdk::api::Scope;
use openpod_sdk::api::keys::{KeyRotation, NewKey};
use openpod_sdk::api::owner::AuditFilter;
use openpod_sdk::clock::SystemClock;
use openpod_server::ids::SystemRandomness;
use openpod_server::store::{Location, Sources, Store, StoreError};

const PROGRAM: &str = env!("CARGO_BIN_EXE_openpod-server");

pub(super) fn run(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub(super) fn printed(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

pub(super) fn migrate(directory: &Path) {
    let (made, _, error) = printed(&run(directory, &["db", "migrate"], ""));
    assert!(made, "{error}");
}

pub(super) struct Serving {
    child: Child,
    address: String,
}

impl Drop for Serving {
    /// A test that fails leaves no server behind. One that has ended is not there to be killed.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    /// Asks it to stop, and waits until it has.
    pub(super) fn stop(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success() && self.child.wait().unwrap().success());
    }
}

/// Starts the server at a free port and waits until it says where.
pub(super) fn serve(directory: &Path) -> Serving {
    std::fs::write(directory.join("server.toml"), "[limits]\nburst = 5\n").unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--forge", "forge"])
        .env("OPENPOD_SERVER_LOG__FORMAT", "json")
        .env("OPENPOD_SERVER_CONFIG", directory.join("server.toml"))
        .current_dir(directory)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut serving = Serving { child, address: String::new() };
    serving.address = loop {
        let line = lines.next().expect("it says that it serves").unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        if line["fields"]["message"] == "serving" {
            break line["fields"]["address"].as_str().unwrap().to_owned();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    serving
}

#[tokio::test]
async fn an_operator_makes_an_owner_serves_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    for needs_a_database in [&["serve", "--listen", "127.0.0.1:0"][..], &["owner", "create", "olga"]] {
        let (ended, _, error) = printed(&run(directory.path(), needs_a_database, "correct horse battery\n"));
        assert!(!ended && error.contains("there is no database openpod.db"), "{error}");
        assert!(!directory.path().join("openpod.db").exists());
    }
    migrate(directory.path());
    let (made, token, _) =
        printed(&run(directory.path(), &["owner", "create", "olga"], "correct horse battery\n"));
    assert!(made && token.starts_with("opo_"), "{token}");
    let (again, _, error) =
        printed(&run(directory.path(), &["owner", "create", "Olga"], "correct horse battery\n"));
    assert!(!again && error.contains("Olga"), "{error}");
    let (_, second, _) = printed(&run(directory.path(), &["owner", "token", "olga"], ""));
    let key_id = second.split('_').nth(1).unwrap();
    assert!(printed(&run(directory.path(), &["key", "revoke", key_id], "")).0);
    let (_, keys, _) = printed(&run(directory.path(), &["key", "list"], ""));
    assert!(keys.contains("in use") && keys.contains("revoked") && !keys.contains(&token), "{keys}");
    let narrow = ["key", "create", "--owner", "olga", "--scope", "read", "--expires-in-days", "7"];
    let (made, narrow, _) = printed(&run(directory.path(), &narrow, ""));
    assert!(made && narrow.starts_with("opo_"), "{narrow}");
    let narrow_id = narrow.split('_').nth(1).unwrap();
    let (rotated, successor, _) = printed(&run(directory.path(), &["key", "rotate", narrow_id], ""));
    assert!(rotated && successor.starts_with("opo_") && successor != narrow, "{successor}");
    let (_, keys, _) = printed(&run(directory.path(), &["key", "list"], ""));
    assert_eq!(keys.lines().filter(|line| line.contains("  read  expires ")).count(), 2, "{keys}");
    let (verified, said, _) = printed(&run(directory.path(), &["ledger", "verify"], ""));
    assert!(verified && said.starts_with("0 payments"), "{said}");

    let server = serve(directory.path());
    let client =
        openpod_sdk::Client::builder(format!("http://{}", server.address)).key(token).build_owner().unwrap();
    assert_eq!(client.me().await.unwrap().login, "olga");
    let (served, _, error) = printed(&run(directory.path(), &["serve", "--listen", "127.0.0.1:0"], ""));
    assert!(!served && error.contains("another openpod-server runs on the database openpod.db"), "{error}");
    let (empty, _, error) =
        printed(&run(directory.path(), &["--database", "sqlite:openpod.bd", "key", "list"], ""));
    assert!(!empty && error.contains("there is no database openpod.bd"), "{error}");
    assert!(printed(&run(directory.path(), &["key", "list"], "")).0, "a command runs beside the server");
    let reader = NewKey { scopes: vec![Scope::Read], ..NewKey::default() };
    let made = client.create_key(&reader).await.unwrap();
    let successor = client.rotate_key(&made.key.id, &KeyRotation::default()).await.unwrap();
    assert_eq!((&successor.key.scopes, successor.api_key != made.api_key), (&made.key.scopes, true));
    let log = client.list_audit(&AuditFilter::default()).await.unwrap().data;
    let told: Vec<&str> = log.iter().take(3).map(|entry| entry.operation.as_str()).collect();
    assert_eq!(told, ["RotateOwnerKey", "RotateOwnerKey", "CreateOwnerKey"]);
    server.stop();
}

#[tokio::test]
async fn a_ledger_that_is_not_in_order_fails_and_names_the_row() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::File(directory.path().join("broken.db"));
    let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
    let store = Store::open(location, sources).await.unwrap();
    for sql in [
        "INSERT INTO agents (id, name, name_key, slug, capabilities, created_at) VALUES ('a', 'a', 'a', 'a', '[]', 0)",
        "INSERT INTO projects (id, title, description, status, owner_agent_id, created_at, updated_at) \
         VALUES ('p', 'p', 'p', 'open', 'a', 0, 0)",
        "INSERT INTO tickets (id, project_id, number, title, priority, kind, acceptance_criteria, labels, status, \
         approval, payout_cents, submitted_at, assignee_id, deliverables, version, created_at, updated_at) VALUES \
         ('t', 'p', 1, 't', 'low', 'spike', '[]', '[]', 'done', 'approved', 15, 0, 'a', '[]', 1, 0, 0)",
    ] {
        let done =
            store.write::<_, StoreError, _>(move |tx| Box::pin(async move { tx.execute(sql, &[]).await }));
        done.await.unwrap();
    }
    drop(store);
    let verify = ["--database", "sqlite:broken.db", "ledger", "verify"];
    let (in_order, said, error) = printed(&run(directory.path(), &verify, ""));
    assert!(!in_order, "{said}");
    assert_eq!(said, "ticket t: it is approved, but no transaction pays for it");
    assert_eq!(error, "openpod-server: the ledger has a fault");
}

#[tokio::test]
async fn an_operator_looks_after_webhooks() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::File(directory.path().join("openpod.db"));
    let sources = Sources { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) };
    let store = Store::open(location, sources).await.unwrap();
    for sql in [
        "INSERT INTO agents (id, name, name_key, slug, capabilities, created_at) VALUES ('a', 'ada', 'ada', 'ada', '[]', 0)",
        "INSERT INTO webhooks (id, agent_id, url, events, secret, is_active, disabled_reason, created_at) VALUES \
         ('w', 'a', 'https://ada.example/T0P', '[\"*\"]', 'my-signing-secret', 0, 'it was gone', 0)",
        "INSERT INTO deliveries (id, webhook_id, event, body, status, attempts, created_at, finished_at) VALUES \
         ('msg_1', 'w', 'ticket_assigned', '{}', 'failed', 1, 0, 1000000)",
        "INSERT INTO delivery_attempts (delivery_id, attempt, begun_at, ended_at, http_status, error) VALUES \
         ('msg_1', 1, 0, 1000000, 500, 'the receiver answered 500')",
    ] {
        let done =
            store.write::<_, StoreError, _>(move |tx| Box::pin(async move { tx.execute(sql, &[]).await }));
        done.await.unwrap();
    }
    drop(store);
    let webhook =
        |arguments: &[&str]| printed(&run(directory.path(), &[&["webhook"], arguments].concat(), ""));
    let (_, list, _) = webhook(&["list"]);
    assert_eq!(list, "w  ada  https://ada.example  *  disabled: it was gone");
    let (_, attempts, _) = webhook(&["attempts", "w", "--status", "failed"]);
    let expected = "msg_1  ticket_assigned  1970-01-01T00:00:00.000000Z  failed after 1\n  \
                    1  1970-01-01T00:00:00.000000Z  1000 ms  500: the receiver answered 500";
    assert_eq!(attempts, expected);
    for (arguments, complaint) in [
        (&["test", "w"][..], "the webhook is disabled (it was gone); enable it first"),
        (&["replay", "w", "--failed"][..], "the webhook is disabled"),
        (&["attempts", "v"][..], "there is no webhook v"),
        (&["attempts", "w", "--status", "lost"][..], "status must be one of pending, delivered, failed"),
    ] {
        let (done, _, error) = webhook(arguments);
        assert!(!done && error.contains(complaint), "{arguments:?}: {error}");
    }
    assert!(!webhook(&["replay", "w"]).0, "it does not say what");
    assert!(webhook(&["enable", "w"]).0);
    assert!(webhook(&["enable", "w"]).2.contains("the webhook is not disabled"));
    assert_eq!(webhook(&["replay", "w", "--failed"]).1, "1 delivery is sent again");
    assert!(webhook(&["replay", "w", "--delivery", "msg_2"]).2.contains("there is no delivery msg_2"));
    let (_, test, _) = webhook(&["test", "w"]);
    let (_, attempts, _) = webhook(&["attempts", "w", "--event", "webhook_test"]);
    assert!(attempts.starts_with(&format!("{test}  webhook_test")), "{attempts}");
}

#[test]
fn a_mistake_is_said_in_one_line_on_the_error_output() {
    let directory = tempfile::tempdir().unwrap();
    migrate(directory.path());
    for (arguments, expected) in [
        (&["serve", "--listen", "here"][..], "listen.address must be an address with a port"),
        (&["--config", "nowhere.toml", "serve"][..], "the configuration file nowhere.toml cannot be read"),
        (&["--database", "mysql://x", "serve"][..], "database.url must be sqlite: and a path"),
        (
            &["--database", "sqlite:no/such/directory/x.db", "serve", "--listen", "127.0.0.1:0"][..],
            "there is no database no/such/directory/x.db",
        ),
        (&["--database", "sqlite:no/such/directory/x.db", "db", "migrate"][..], "cannot be opened"),
        (&["owner", "create", "olga"][..], "a password must have 12 to 256 characters"),
        (&["owner", "token", "nobody"][..], "there is no owner with the login nobody"),
        (&["key", "revoke", "x"][..], "no key x is in use"),
        (&["key", "rotate", "x"][..], "there is no key x"),
        (&["key", "create", "--agent", "nobody"][..], "there is no agent with the name nobody"),
        (&["key", "create", "--owner", "olga", "--scope", "all"][..], "scopes[0] must be one of *, read"),
        (&["forge", "create", "acme/website"][..], "set forge.enabled"),
    ] {
        let (succeeded, said, error) = printed(&run(directory.path(), arguments, ""));
        assert!(!succeeded && said.is_empty(), "{arguments:?} said {said}");
        assert!(error.starts_with("openpod-server: ") && error.contains(expected), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
