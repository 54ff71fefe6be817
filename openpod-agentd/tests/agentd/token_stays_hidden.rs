//! The token reaches git, and nothing else: it is looked for in arguments, environments, files, addresses and errors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openpod_agentd::credentials::{CredentialServer, Refused};
use openpod_agentd::workspace::Collected;

use crate::support::{TOKEN, World, helper, message, plain_git};

/// A git that writes down its environment and, by trace2, the arguments of every process it starts.
fn spying_git(directory: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap();
    let real =
        std::env::split_paths(&path).map(|entry| entry.join("git")).find(|file| file.exists()).unwrap();
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let notes = directory.join("notes");
    fs::create_dir_all(&notes).unwrap();
    let script = format!(
        "#!/bin/sh\nenv > '{0}/environment.'$$\nexport GIT_TRACE2_EVENT='{0}/trace.'$$\nexec '{1}' \"$@\"\n",
        notes.display(),
        real.display()
    );
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path))).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().unwrap() {
            about if about.is_dir() => found.extend(files(&path)),
            about if about.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

fn holding_the_token(directory: &Path) -> Vec<PathBuf> {
    let encoded = STANDARD.encode(format!("x-access-token:{TOKEN}"));
    let holds = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    let mut found = files(directory);
    found.retain(|file| {
        let bytes = fs::read(file).unwrap();
        holds(&bytes, TOKEN) || holds(&bytes, &encoded)
    });
    found
}

#[tokio::test]
async fn the_token_is_in_no_argument_environment_file_or_address() {
    let spy = tempfile::tempdir().unwrap();
    let world = World::with_path(&spying_git(spy.path())).await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "Changed\n").unwrap();
    let Collected::Change(change) = world.workspaces.collect(&job, &message("Change")).await.unwrap() else {
        panic!("nothing was collected");
    };
    let branch = "openpod/t1";
    world.workspaces.push(&job, &world.origin, branch, &change.head, None, world.tokens()).await.unwrap();

    let notes = spy.path().join("notes");
    let traces: String = files(&notes).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    assert!(traces.contains("git-credential") && traces.contains("remote-http"), "the spy saw too little");
    assert!(!world.tokens.asked.lock().unwrap().is_empty());
    assert_eq!(holding_the_token(&notes), Vec::<PathBuf>::new());
    assert_eq!(holding_the_token(&world.data()), Vec::<PathBuf>::new());
    assert_eq!(
        plain_git(&workspace, &["remote", "get-url", "origin"]).trim(),
        world.origin.clone_url.as_str()
    );
    assert_eq!(fs::read_dir(world.data().join("run")).unwrap().count(), 0, "a socket outlived its command");
}

#[tokio::test]
async fn a_process_of_another_session_is_given_no_token_though_it_knows_the_socket() {
    let world = World::new().await;
    let url = world.origin.clone_url.clone();
    let server =
        CredentialServer::start(world.root.path(), &url, world.tokens(), Refused::default()).unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let question = format!("protocol=http\\nhost={host}\\npath={}\\n", url.path().trim_start_matches('/'));
    let ask = async |how: &str| {
        let script = format!("printf '{question}' | {how} \"$0\" git-credential \"$1\" get");
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", &script]).arg(helper()).arg(server.socket());
        String::from_utf8(command.output().await.unwrap().stdout).unwrap()
    };
    assert!(ask("").await.contains(TOKEN), "git asks in the daemon's own session");
    assert!(!ask("setsid -w").await.contains(TOKEN), "a worker has another one");
}

#[tokio::test]
async fn another_user_is_given_no_token_even_where_every_mode_is_open() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can ask as another user");
        return;
    }
    let world = World::new().await;
    let url = world.origin.clone_url.clone();
    let server =
        CredentialServer::start(world.root.path(), &url, world.tokens(), Refused::default()).unwrap();
    // The program may lie where nobody else gets to.
    let program = world.root.path().join("helper");
    fs::copy(helper(), &program).unwrap();
    let socket = server.socket();
    for (path, mode) in
        [(world.root.path(), 0o755), (&program, 0o755), (socket.parent().unwrap(), 0o755), (socket, 0o666)]
    {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let question = format!("protocol=http\\nhost={host}\\npath={}\\n", url.path().trim_start_matches('/'));
    let ask = async |user: u32| {
        let script = format!("printf '{question}' | \"$0\" git-credential \"$1\" get");
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", &script]).arg(&program).arg(socket).current_dir("/").uid(user).gid(user);
        String::from_utf8(command.output().await.unwrap().stdout).unwrap()
    };
    assert!(ask(0).await.contains(TOKEN), "the question itself is a good one");
    assert_eq!(ask(65_534).await, "quit=1\n");
}
