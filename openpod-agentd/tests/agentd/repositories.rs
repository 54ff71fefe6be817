//! Mirror, workspace and outbound repository on a ticket's way, with a real git host.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use openpod_agentd::git::{GitErrorKind, Sha};
use openpod_agentd::workspace::{Change, Collected, JobKey, Limits, WorkspaceError};
use sha2::{Digest, Sha256};

use crate::support::{GitHost, World, branches, message, plain_git};

async fn collect(world: &World, job: &JobKey, subject: &str) -> Change {
    match world.workspaces.collect(job, &message(subject)).await.unwrap() {
        Collected::Change(change) => change,
        Collected::Nothing => panic!("nothing was collected"),
    }
}

async fn push(world: &World, job: &JobKey, head: &Sha, expected: Option<&Sha>) -> Result<(), WorkspaceError> {
    let branch = format!("openpod/{}", job.as_str());
    world.workspaces.push(job, &world.origin, &branch, head, expected, world.tokens()).await
}

async fn refusal(world: &World, job: &JobKey) -> String {
    match world.workspaces.collect(job, &message("Try")).await {
        Err(WorkspaceError::Refused { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

fn kind(error: WorkspaceError) -> GitErrorKind {
    match error {
        WorkspaceError::Git(error) => error.kind().clone(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_ticket_goes_from_the_first_clone_to_a_revision() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    assert_eq!(plain_git(&workspace, &["branch", "--show-current"]).trim(), "openpod/t1");
    assert_eq!(plain_git(&workspace, &["status", "--porcelain"]), "");

    fs::write(workspace.join("src/shop.sh"), "#!/bin/sh\necho better\n").unwrap();
    fs::write(workspace.join("src/new.sh"), "echo new\n").unwrap();
    fs::set_permissions(workspace.join("src/new.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(workspace.join("src/tax.sh")).unwrap();
    fs::write(workspace.join("debug.log"), "ignored").unwrap();
    let first = collect(&world, &job, "Improve the shop").await;
    assert_eq!((first.commits, first.files), (1, 3));
    assert_eq!(first.changed_paths, ["src/new.sh", "src/shop.sh", "src/tax.sh"]);
    push(&world, &job, &first.head, None).await.unwrap();
    assert_eq!(world.remote_file("openpod/t1", "src/shop.sh"), "#!/bin/sh\necho better\n");
    assert!(world.remote(&["ls-tree", "openpod/t1", "src/new.sh"]).starts_with("100755"));

    fs::write(workspace.join("README.md"), "A better shop\n").unwrap();
    let second = collect(&world, &job, "Say so").await;
    assert_eq!((second.commits, second.files, &second.base), (2, 4, &first.base));
    push(&world, &job, &second.head, Some(&first.head)).await.unwrap();
    let log = world.remote(&["log", "--format=%s|%b|%an|%ae|%at", "openpod/t1"]);
    let who = "Ticket 7\n|Ada's agent|agent@openpod.invalid|1700000000";
    assert!(log.starts_with(&format!("Say so|{who}\nImprove the shop|{who}\nOpen the shop|")), "{log}");
    assert_eq!(world.remote(&["rev-parse", "openpod/t1"]).trim(), second.head.as_str());
}

#[tokio::test]
async fn the_hash_of_the_change_is_that_of_the_diff_anybody_can_make() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("picture"), [0u8, 159, 146, 150]).unwrap();
    fs::rename(workspace.join("src/tax.sh"), workspace.join("src/vat.sh")).unwrap();
    let change = collect(&world, &job, "Add a picture").await;
    push(&world, &job, &change.head, None).await.unwrap();
    let range = format!("{}..{}", change.base, change.head);
    let diff = world.remote(&["diff", "--binary", "--full-index", &range]);
    assert!(diff.contains("GIT binary patch"));
    assert_eq!(change.patch_sha256, <[u8; 32]>::from(Sha256::digest(diff)));
}

#[tokio::test]
async fn asked_again_everything_is_as_it_was() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "Changed\n").unwrap();
    let again = world.prepared("t1").await.1;
    assert_eq!(fs::read_to_string(again.join("README.md")).unwrap(), "Changed\n");
    let first = collect(&world, &job, "Change").await;
    assert_eq!(collect(&world, &job, "Change").await, first);
    push(&world, &job, &first.head, None).await.unwrap();
    push(&world, &job, &first.head, None).await.unwrap();
    let nothing = world.workspaces.collect(&job, &message("Again")).await.unwrap();
    assert_eq!(nothing, Collected::Nothing);
    assert_eq!(world.workspaces.published(&job).await.unwrap(), Some(first), "what it is, it still tells");
}

#[tokio::test]
async fn what_others_pushed_is_not_told_as_ones_own() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    assert_eq!(world.workspaces.published(&job).await.unwrap(), None, "nothing is pushed");
    fs::write(workspace.join("README.md"), "Changed\n").unwrap();
    let change = collect(&world, &job, "Change").await;
    assert_eq!(world.workspaces.published(&job).await.unwrap(), None, "it is collected, and not pushed");
    push(&world, &job, &change.head, None).await.unwrap();
    world.workspaces.remove(&job, false).await.unwrap();
    world.prepared("t1").await;
    assert_eq!(world.workspaces.published(&job).await.unwrap(), None, "it was there before us");
}

#[tokio::test]
async fn what_was_collected_but_never_pushed_is_replaced() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "First try\n").unwrap();
    let first = collect(&world, &job, "First").await;
    fs::write(workspace.join("README.md"), "Second try\n").unwrap();
    let second = collect(&world, &job, "Second").await;
    assert_eq!(second.commits, 1);
    let error = push(&world, &job, &first.head, None).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::NotCollected { .. }), "{error}");
    push(&world, &job, &second.head, None).await.unwrap();
}

#[tokio::test]
async fn an_unchanged_tree_is_nothing_and_an_undone_change_is_refused() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("debug.log"), "ignored").unwrap();
    let untouched = world.workspaces.collect(&job, &message("Nothing")).await.unwrap();
    assert_eq!(untouched, Collected::Nothing);
    fs::write(workspace.join("README.md"), "Changed\n").unwrap();
    let change = collect(&world, &job, "Change").await;
    push(&world, &job, &change.head, None).await.unwrap();
    fs::write(workspace.join("README.md"), "A shop\n").unwrap();
    assert!(refusal(&world, &job).await.starts_with("nothing is left of the change"));
}

#[tokio::test]
async fn a_lost_directory_is_made_again_from_the_remote_branch() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "First round\n").unwrap();
    let first = collect(&world, &job, "First").await;
    push(&world, &job, &first.head, None).await.unwrap();
    fs::remove_dir_all(world.data()).unwrap();
    for directory in ["mirrors", "jobs", "run"] {
        fs::create_dir_all(world.data().join(directory)).unwrap();
    }
    let (job, workspace) = world.prepared("t1").await;
    assert_eq!(fs::read_to_string(workspace.join("README.md")).unwrap(), "First round\n");
    fs::write(workspace.join("src/more.sh"), "echo more\n").unwrap();
    let second = collect(&world, &job, "Second").await;
    assert_eq!((second.commits, second.files, &second.base), (2, 2, &first.base));
    push(&world, &job, &second.head, Some(&first.head)).await.unwrap();
}

#[tokio::test]
async fn a_second_ticket_of_the_project_fetches_nothing_that_is_here() {
    let world = World::new().await;
    world.prepared("t1").await;
    assert_eq!(world.host.fetches(), 1);
    let (job, workspace) = world.prepared("t2").await;
    assert_eq!(world.host.fetches(), 0);
    fs::write(workspace.join("README.md"), "Two\n").unwrap();
    let change = collect(&world, &job, "Two").await;
    push(&world, &job, &change.head, None).await.unwrap();
}

#[tokio::test]
async fn locks_of_a_git_that_was_killed_stop_nothing() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    let outbound = workspace.with_file_name("outbound.git");
    let mut beside = fs::read_dir(world.data().join("mirrors")).unwrap().map(|entry| entry.unwrap().path());
    let mirror = beside.find(|path| path.extension().is_some_and(|name| name == "git")).unwrap();
    fs::write(workspace.join("README.md"), "Changed\n").unwrap();
    fs::create_dir_all(outbound.join("refs/openpod")).unwrap();
    fs::write(outbound.join("refs/openpod/collected.lock"), "").unwrap();
    let change = collect(&world, &job, "Change").await;
    fs::write(outbound.join("refs/openpod/published.lock"), "").unwrap();
    push(&world, &job, &change.head, None).await.unwrap();
    fs::write(mirror.join("packed-refs.lock"), "").unwrap();
    fs::write(mirror.join("refs/heads/trunk.lock"), "").unwrap();
    let commit = world.remote(&["commit-tree", "-m", "Go on", "-p", "trunk", "trunk^{tree}"]);
    world.remote(&["update-ref", "refs/heads/trunk", commit.trim()]);
    world.prepared("t2").await;
}

#[tokio::test]
async fn many_tickets_at_once_share_the_mirror_in_turn() {
    let world = World::new().await;
    let jobs: Vec<String> = (0..6).map(|number| format!("t{number}")).collect();
    let prepared = futures_util::future::join_all(jobs.iter().map(|job| world.prepared(job))).await;
    for (_, workspace) in prepared {
        assert_eq!(fs::read_to_string(workspace.join("README.md")).unwrap(), "A shop\n");
    }
    assert_eq!(world.host.fetches(), 1);
}

#[tokio::test]
async fn a_branch_that_somebody_else_moved_is_not_overwritten() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "Mine\n").unwrap();
    let change = collect(&world, &job, "Mine").await;
    world.remote(&["branch", "openpod/t1", "trunk"]);
    let error = push(&world, &job, &change.head, None).await.unwrap_err();
    assert_eq!(kind(error), GitErrorKind::StaleLease);
    let there =
        world.workspaces.remote_head(&world.origin, "openpod/t1", world.tokens()).await.unwrap().unwrap();
    push(&world, &job, &change.head, Some(&there)).await.unwrap();
    let absent = world.workspaces.remote_head(&world.origin, "openpod/none", world.tokens()).await.unwrap();
    assert_eq!(absent, None);
}

#[tokio::test]
async fn a_refused_push_says_why_in_the_remote_s_words() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    let hook = world.host.bare("shop").join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho 'no agents here' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(workspace.join("README.md"), "Mine\n").unwrap();
    let change = collect(&world, &job, "Mine").await;
    let error = push(&world, &job, &change.head, None).await.unwrap_err();
    assert!(error.to_string().contains("no agents here"), "{error}");
    assert_eq!(kind(error), GitErrorKind::Rejected { reason: "pre-receive hook declined".into() });
}

#[tokio::test]
async fn a_refused_token_is_told_and_a_fresh_one_is_asked_for() {
    let world = World::new().await;
    *world.tokens.stale.lock().unwrap() = Some("ghs_of_yesterday".into());
    let job: JobKey = "t1".parse().unwrap();
    let look = || world.workspaces.remote_head(&world.origin, "trunk", world.tokens());
    let error = look().await.unwrap_err();
    assert!(!error.to_string().contains("ghs_of_yesterday"), "{error}");
    assert_eq!(kind(error), GitErrorKind::Auth);
    assert!(look().await.is_ok(), "the refused token was offered again");
    assert_eq!(*world.tokens.asked.lock().unwrap(), [false, true]);
    assert!(
        world.workspaces.prepare(&job, &world.origin, branches(None, "b"), world.tokens()).await.is_err()
    );
}

#[tokio::test]
async fn failures_have_the_kind_that_decisions_need() {
    let mut world = World::new().await;
    let job: JobKey = "t1".parse().unwrap();
    let elsewhere = world.host.origin("nothing");
    let tokens = || {
        let tokens = world.tokens.clone();
        std::sync::Arc::new(tokens)
    };
    let error = world.workspaces.remote_head(&elsewhere, "trunk", tokens()).await.unwrap_err();
    assert!(matches!(kind(error), GitErrorKind::Auth | GitErrorKind::NotFound));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dead = world.origin.clone();
    dead.clone_url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    drop(listener);
    let error = world.workspaces.remote_head(&dead, "trunk", tokens()).await.unwrap_err();
    assert_eq!(kind(error), GitErrorKind::Network);

    let error = world
        .workspaces
        .prepare(&job, &world.origin, branches(Some("none"), "b"), tokens())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the repository acme/shop has no branch none");

    world.tokens.broken = true;
    let error = world.workspaces.remote_head(&world.origin, "trunk", world.tokens()).await.unwrap_err();
    assert_eq!(error.to_string(), "no token for the repository: the platform is away");
    assert!(matches!(error, WorkspaceError::Token(_)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new().await;
    let other = world.redirecting().await;
    let error =
        world.workspaces.remote_head(&other.origin("shop"), "trunk", world.tokens()).await.unwrap_err();
    assert!(matches!(error, WorkspaceError::Git(_)), "{error}");
    assert!(world.tokens.asked.lock().unwrap().is_empty());
    let knocks = |host: &GitHost| host.knocks.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(
        (knocks(&other) > 0, knocks(&world.host)),
        (true, 0),
        "nobody is asked but the one that was named"
    );
}

#[tokio::test]
async fn unpushed_work_is_kept_unless_removal_is_forced() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "Precious\n").unwrap();
    let kept = |error: WorkspaceError| assert!(matches!(error, WorkspaceError::Unpushed { .. }), "{error}");
    kept(world.workspaces.remove(&job, false).await.unwrap_err());
    let change = collect(&world, &job, "Precious").await;
    kept(world.workspaces.remove(&job, false).await.unwrap_err());
    push(&world, &job, &change.head, None).await.unwrap();
    fs::create_dir(workspace.join("build")).unwrap();
    fs::set_permissions(workspace.join("build"), fs::Permissions::from_mode(0o000)).unwrap();
    world.workspaces.remove(&job, false).await.unwrap();
    assert!(!workspace.exists());
    world.workspaces.remove(&job, false).await.unwrap();
    let error = world.workspaces.collect(&job, &message("Gone")).await.unwrap_err();
    assert_eq!(error.to_string(), "the job t1 has no workspace; prepare it first");

    let (job, workspace) = world.prepared("t2").await;
    fs::write(workspace.join("README.md"), "Unwanted\n").unwrap();
    world.workspaces.remove(&job, true).await.unwrap();
    assert!(!workspace.exists());
}

#[tokio::test]
async fn what_must_not_be_published_is_refused_with_its_reason() {
    let mut world = World::new().await;
    let limits = Limits { file_bytes: 1_000, total_bytes: 1_500, changed_files: 20, path_bytes: 100 };
    world.workspaces = world.workspaces.clone().with_limits(limits);
    let (job, workspace) = world.prepared("t1").await;
    type Case = (&'static str, fn(&Path), &'static str);
    let cases: [Case; 6] = [
        ("giant", |path| fs::write(path, vec![b'x'; 1_001]).unwrap(), "giant has 1001 bytes"),
        (
            "absolute",
            |path| symlink("/etc/passwd", path).unwrap(),
            "absolute is a symbolic link that leaves the tree",
        ),
        (
            "upward",
            |path| symlink("src/../../other", path).unwrap(),
            "upward is a symbolic link that leaves the tree",
        ),
        (".GIT", |path| fs::write(path, "gitdir: /x").unwrap(), "git has no file called .GIT"),
        ("git~1", |path| fs::write(path, "gitdir: /x").unwrap(), "git has no file called git~1"),
        (
            ".gitmodules",
            |path| fs::write(path, "[submodule \"x\"]\n\tpath = x\n\turl = -u./payload\n").unwrap(),
            "gitmodulesUrl",
        ),
    ];
    for (name, make, reason) in cases {
        make(&workspace.join(name));
        let refusal = refusal(&world, &job).await;
        assert!(refusal.contains(reason), "{name}: {refusal}");
        fs::remove_file(workspace.join(name)).unwrap();
    }
    for number in 0..21 {
        fs::write(workspace.join(number.to_string()), "x").unwrap();
    }
    assert_eq!(refusal(&world, &job).await, "21 files are changed, and at most 20 may be");
}
