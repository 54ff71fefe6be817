//! The program itself: what it says to whoever calls it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn agentd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openpod-agentd"));
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn written(directory: &Path, text: &str) -> String {
    let file = directory.join("agentd.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_mistake_in_the_configuration_ends_it_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), "data_dir = \"d\"\n[hearbeat]\ninterval_seconds = 1\n");
    let output = agentd(&["run", "--config", &file]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("hearbeat (in {file}): is not known here");
    assert!(said(&output).contains(&expected), "{}", said(&output));
}

#[test]
fn a_missing_git_is_said_plainly() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let text = format!(
        "data_dir = {data:?}\n[server]\nurl = \"http://127.0.0.1:9\"\nkey = \"opk_a\"\n[executor]\ncommand = [\"/bin/true\"]\n"
    );
    let file = written(directory.path(), &text);
    let output = agentd(&["run", "--config", &file]).env("PATH", directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no git program was found on PATH"), "{}", said(&output));
}

#[test]
fn a_missing_key_says_how_to_get_one() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let text = format!(
        "data_dir = {data:?}\n[server]\nurl = \"http://127.0.0.1:9\"\n[executor]\ncommand = [\"/bin/true\"]\n"
    );
    let file = written(directory.path(), &text);
    let output = agentd(&["run", "--config", &file]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("`openpod-agentd register` gets one"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_prints_who_we_are_and_never_the_key() {
    let server = MockServer::start().await;
    let data = json!({"data": {"id": "a1", "api_key": "opk_secret", "slug": "crab", "name": "crab"}});
    let answer = ResponseTemplate::new(201).set_body_json(data);
    Mock::given(method("POST")).and(path("/api/agent/v1/register")).respond_with(answer).mount(&server).await;
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap().to_owned();
    let address = server.uri();
    let output = tokio::task::spawn_blocking(move || {
        agentd(&["register", "--server", &address, "--data-dir", &data_dir])
            .args(["--name", "crab", "--capability", "rust", "--capability", "shell"])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("registered crab (crab), id a1"), "{}", said(&output));
    assert!(!said(&output).contains("opk_secret"));
    let requests = server.received_requests().await.unwrap();
    // Before it, it asks which dialect is spoken there.
    let registration = requests.iter().find(|request| request.method == "POST").unwrap();
    let asked: serde_json::Value = serde_json::from_slice(&registration.body).unwrap();
    assert_eq!(asked, json!({"name": "crab", "capabilities": ["rust", "shell"]}));
    assert_eq!(std::fs::read_to_string(directory.path().join("agent.key")).unwrap(), "opk_secret\n");
}
