//! The scoped token, the agent's key and the webhook's secret are nowhere where others could read them.

use std::path::Path;

use openpod_sdk::api::TicketStatus;

use crate::tap::Tap;
use crate::world::World;

/// Writes down all that a worker can see of the daemon: its own environment, every command line, what git was told.
const CURIOUS: &str = r#"
cd "$OPENPOD_WORKSPACE"
{
  env
  for process in /proc/[0-9]*; do tr '\0' ' ' < "$process/cmdline" 2>/dev/null; echo; done
  git remote -v
  git config --list --show-origin
} > seen.txt 2>&1
cp seen.txt "$OPENPOD_RUN_DIR/seen.txt"
rm seen.txt
echo 42 > answer.txt
"#;

fn files_below(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() && !path.is_symlink() {
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_arguments_addresses_configuration_environment_or_logs() {
    let world = World::begin().await;
    let project = world.project().await;
    let tap = Tap::before(&world.url).await;
    let mut daemon = world.daemon("ada", CURIOUS).await.by_heartbeat_alone();
    daemon.config.server.url = Some(tap.url.clone());
    world.hire(&project, &daemon.agent).await;
    let id = world.ticket(&project, "Answer the question").await;
    let running = daemon.start().await;
    let ticket =
        world.ticket_when(&id, "the work is handed in", |t| t.status == TicketStatus::InReview).await;

    let mut secrets: Vec<String> = tap
        .heard("/github/token")
        .iter()
        .map(|body| {
            serde_json::from_str::<serde_json::Value>(body).unwrap()["token"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(!secrets.is_empty(), "the daemon asked for a token");
    secrets.push(daemon.key.expose().to_owned());
    let mut files = Vec::new();
    files_below(&daemon.data_dir(), &mut files);
    let seen = files.iter().filter(|path| path.ends_with("seen.txt")).count();
    assert_eq!(seen, 1, "the worker looked around");
    for path in files {
        let content = std::fs::read(&path).unwrap_or_default();
        for secret in &secrets {
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret stands in {}", path.display());
        }
    }
    for secret in &secrets {
        assert!(!format!("{ticket:?}").contains(secret.as_str()));
    }
    world.end([running]).await;
}
