//! `openpod-server db`, as an operator runs it.

use std::path::Path;

use super::databases;
use super::program::{printed, run, serve};

fn db(home: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(home, &[&["db"], arguments].concat(), "");
    let (_, said, error) = printed(&output);
    (output.status.code(), said, error)
}

#[tokio::test]
async fn an_operator_makes_checks_and_saves_a_database_and_brings_it_back() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (ended, _, error) = db(home, &["check"]);
    assert_eq!((ended, error.contains("there is no database openpod.db")), (Some(1), true), "{error}");
    let newest = "the database openpod.db has schema version 3, the newest";
    assert_eq!(
        db(home, &["migrate"]).1,
        format!("took step 0001_platform\ntook step 0002_platform_acts\ntook step 0003_leases\n{newest}")
    );
    assert_eq!(db(home, &["migrate"]), (Some(0), newest.to_owned(), String::new()));
    assert!(printed(&run(home, &["owner", "create", "olga"], "correct horse battery\n")).0);

    let server = serve(home);
    let in_order = "schema version 3: pages, schema and references are in order\n\
                    0 payments of 0 cents in all, every one in order";
    assert_eq!(db(home, &["check"]), (Some(0), in_order.to_owned(), String::new()));
    let (ended, said, _) = db(home, &["backup", "backup.db"]);
    assert_eq!((ended, said), (Some(0), format!("backup.db holds the whole database\n{in_order}")));
    let (ended, _, error) = db(home, &["backup", "backup.db"]);
    assert!(ended == Some(1) && error.contains("there is a file backup.db already"), "{error}");
    for refused in [&["copy", "--to", "sqlite:other.db"][..], &["restore", "backup.db"]] {
        let (ended, said, error) = db(home, refused);
        assert!(
            ended == Some(1) && said.is_empty() && error.contains("another openpod-server runs"),
            "{error}"
        );
    }
    server.stop();

    let (ended, said, error) = db(home, &["--database", "sqlite:restored.db", "restore", "backup.db"]);
    assert_eq!(ended, Some(0), "{error}");
    assert!(said.starts_with("table ") && said.contains("checksum, the same on both sides"), "{said}");
    assert!(said.ends_with(in_order) && error.contains("read owners: 1 rows"), "{said}\n{error}");
    let row = |said: &str| said.lines().find(|line| line.starts_with("owners ")).unwrap().to_owned();
    let (ended, copied, error) = db(home, &["copy", "--to", "sqlite:copied.db"]);
    assert_eq!((ended, row(&copied)), (Some(0), row(&said)), "{error}");
    let (ended, said, error) = db(home, &["copy", "--to", "sqlite:copied.db"]);
    assert!(
        ended == Some(1) && said.is_empty() && error.contains("the target holds rows already"),
        "{error}"
    );
    let (_, keys, _) = printed(&run(home, &["--database", "sqlite:restored.db", "key", "list"], ""));
    assert!(keys.contains("olga"), "{keys}");
}

#[test]
fn a_check_ends_with_3_when_something_is_wrong_and_with_4_when_the_schema_is_another_versions() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert_eq!(db(home, &["migrate"]).0, Some(0));
    let with =
        |sql: &str| rusqlite::Connection::open(home.join("openpod.db")).unwrap().execute_batch(sql).unwrap();
    with("DROP TRIGGER audit_log_stays; DROP INDEX messages_by_author");
    let (ended, said, error) = db(home, &["check"]);
    assert_eq!(ended, Some(3));
    assert_eq!(said, "the index messages_by_author is not there\nthe trigger audit_log_stays is not there");
    assert_eq!(error, "openpod-server: the database has 2 faults");
    with("PRAGMA user_version = 0");
    let (ended, _, error) = db(home, &["check"]);
    assert!(ended == Some(4) && error.contains("openpod-server db migrate"), "{error}");
    let (ended, _, error) = db(home, &["copy", "--to", "sqlite:other.db"]);
    assert!(
        ended == Some(4) && error.contains("schema version 0") && !home.join("other.db").exists(),
        "{error}"
    );
    with("PRAGMA user_version = 99");
    let (ended, _, error) = db(home, &["check"]);
    assert!(ended == Some(4) && error.contains("start a newer openpod-server"), "{error}");
}

#[test]
fn a_damaged_file_and_one_that_is_no_database_are_told_from_others() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    std::fs::write(home.join("openpod.db"), "It is not a database. ".repeat(1000)).unwrap();
    let (ended, _, error) = db(home, &["check"]);
    assert!(ended == Some(3) && error.contains("file is not a database"), "{error}");
    std::fs::remove_file(home.join("openpod.db")).unwrap();
    assert_eq!(db(home, &["migrate"]).0, Some(0));
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'tickets'";
    let connection = rusqlite::Connection::open(home.join("openpod.db")).unwrap();
    let page: u32 = connection.query_row(root, [], |row| row.get(0)).unwrap();
    let page = page as usize;
    drop(connection);
    let mut bytes = std::fs::read(home.join("openpod.db")).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xa5);
    std::fs::write(home.join("openpod.db"), bytes).unwrap();
    let (ended, said, error) = db(home, &["check"]);
    assert!(ended == Some(3) && !said.is_empty(), "{said} {error}");
}

#[tokio::test]
async fn no_output_shows_the_password_of_a_database() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert_eq!(db(home, &["migrate"]).0, Some(0));
    for url in [
        "postgres://openpod:hunter2@127.0.0.1:1/openpod",
        "postgres://openpod:hunter2@127.0.0.1:1",
        "postgres://openpod:hunter2@127.0.0.1:1/openpod?sslmode=never",
        "postgre://openpod:hunter2@127.0.0.1/openpod",
        "openpod:hunter2@127.0.0.1",
    ] {
        for arguments in [
            &["copy", "--to", url][..],
            &["copy", "--from", url],
            &["--database", url, "check"],
            &["--database", url, "migrate"],
            &["--database", url, "backup", "backup.db"],
            &["--database", url, "restore", "openpod.db"],
        ] {
            let (ended, said, error) = db(home, arguments);
            assert!(ended == Some(1) && said.is_empty() && !error.is_empty(), "{arguments:?}: {said}");
            assert!(!error.contains("hunter2"), "{arguments:?}: {error}");
        }
    }
    let Some(url) = databases::postgres().await else { return };
    let url = url.replace("openpod@", "openpod:hunter2@");
    for arguments in [
        &["copy", "--to", &url][..],
        &["--database", &url, "check"],
        &["--database", &url, "migrate"],
        &["--database", &url, "backup", "backup.db"],
    ] {
        let (ended, said, error) = db(home, arguments);
        assert_eq!(ended, Some(0), "{arguments:?}: {error}");
        assert!(!said.contains("hunter2") && !error.contains("hunter2"), "{arguments:?}: {said} {error}");
    }
}
