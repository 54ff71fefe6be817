//! Mirrors over many weeks: packed, emptied of what nobody needs, removed at last; and never at the cost of work that was
//! not pushed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openpod_agentd::git::Git;
use openpod_agentd::workspace::{Collected, MirrorUpkeep, Tended};
use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::{Clock, SystemClock};

use crate::support::{World, branches, helper, message, plain_git};

/// Everything that nobody needs goes at once, and a mirror is never tidy enough.
const AT_ONCE: MirrorUpkeep =
    MirrorUpkeep { unused: Duration::from_secs(86_400), loose: 0, packs: 0, grace: Duration::ZERO };

impl World {
    fn mirror(&self) -> PathBuf {
        let entries = fs::read_dir(self.data().join("mirrors")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|extension| extension == "git")).unwrap()
    }

    async fn tend(&self, upkeep: &MirrorUpkeep, later: Duration) -> Vec<Tended> {
        let tended = self.workspaces.tend_mirrors(upkeep, SystemClock.now().plus(later)).await;
        tended.into_iter().map(|(_, what)| what).collect()
    }

    /// Has the remote forget its history: another first commit is at its branch.
    fn rewrite_history(&self) {
        let bare = self.host.bare("shop");
        let tree = plain_git(&bare, &["rev-parse", "trunk^{tree}"]);
        let other = plain_git(&bare, &["commit-tree", "-m", "Open another shop", tree.trim()]);
        plain_git(&bare, &["update-ref", "refs/heads/trunk", other.trim()]);
        plain_git(&bare, &["reflog", "expire", "--expire=now", "--all"]);
        plain_git(&bare, &["gc", "--quiet", "--prune=now"]);
    }
}

fn has(repository: &Path, object: &str) -> bool {
    let mut git = std::process::Command::new("git");
    git.arg("--git-dir").arg(repository).args(["cat-file", "-e", object]);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").stderr(std::process::Stdio::null()).status().unwrap().success()
}

#[tokio::test]
async fn what_is_not_pushed_outlives_the_collection_of_garbage_and_can_be_pushed_still() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    let base = world.remote(&["rev-parse", "trunk"]).trim().to_owned();
    fs::write(workspace.join("README.md"), "A better shop\n").unwrap();
    let Collected::Change(change) = world.workspaces.collect(&job, &message("Improve")).await.unwrap() else {
        panic!("it was collected")
    };
    // The remote forgets the commit that all of that is built on, and the mirror follows it.
    world.rewrite_history();
    world.prepared("t2").await;
    let outbound = world.data().join("jobs/t1/outbound.git");
    assert_eq!(world.tend(&AT_ONCE, Duration::ZERO).await, [Tended::Packed]);

    assert!(has(&world.mirror(), &base), "it is borrowed, so it is kept");
    plain_git(&outbound, &["fsck", "--strict", "--connectivity-only"]);
    // The same once more from the workspace, which shares nothing, and onwards to the remote.
    let again = world.workspaces.collect(&job, &message("Improve")).await.unwrap();
    assert_eq!(again, Collected::Change(change.clone()));
    let pushed = world.workspaces.push(&job, &world.origin, "openpod/t1", &change.head, None, world.tokens());
    pushed.await.unwrap();
    assert_eq!(world.remote_file("openpod/t1", "README.md"), "A better shop\n");
}

#[tokio::test]
async fn what_nobody_borrows_any_more_is_gone_after_its_time_of_grace() {
    let world = World::new().await;
    let (job, _) = world.prepared("t1").await;
    let base = world.remote(&["rev-parse", "trunk"]).trim().to_owned();
    world.rewrite_history();
    world.prepared("t2").await;
    assert_eq!(world.tend(&AT_ONCE, Duration::ZERO).await, [Tended::Packed]);
    assert!(has(&world.mirror(), &base));
    world.workspaces.remove(&job, false).await.unwrap();
    let patient = MirrorUpkeep { grace: Duration::from_secs(3600), ..AT_ONCE };
    world.tend(&patient, Duration::ZERO).await;
    assert!(has(&world.mirror(), &base), "somebody may be about to need it");
    world.tend(&AT_ONCE, Duration::ZERO).await;
    assert!(!has(&world.mirror(), &base), "nobody needs it");
    assert_eq!(plain_git(&world.mirror(), &["for-each-ref", "refs/openpod"]).lines().count(), 1);
}

#[tokio::test]
async fn a_mirror_is_left_alone_until_there_is_something_to_tidy() {
    let world = World::new().await;
    world.prepared("t1").await;
    let usual = MirrorUpkeep::default();
    assert_eq!(world.tend(&usual, Duration::ZERO).await, [Tended::Left]);
    assert_eq!(world.tend(&usual, usual.unused * 2).await, [Tended::Left], "a ticket needs it");
}

#[tokio::test]
async fn a_mirror_that_no_ticket_has_needed_for_long_is_removed_and_made_again() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    let mirror = world.mirror();
    let long = AT_ONCE.unused * 2;
    fs::write(workspace.join("README.md"), "Not pushed\n").unwrap();
    assert!(world.workspaces.remove(&job, false).await.is_err(), "it holds work that was not pushed");
    assert_ne!(world.tend(&AT_ONCE, long).await, [Tended::Removed], "what is not pushed borrows from it");

    world.workspaces.remove(&job, true).await.unwrap();
    assert_ne!(world.tend(&AT_ONCE, Duration::ZERO).await, [Tended::Removed], "it was needed just now");
    assert_eq!(world.tend(&AT_ONCE, long).await, [Tended::Removed]);
    let left = fs::read_dir(world.data().join("mirrors")).unwrap().count();
    assert!(!mirror.exists() && left == 0, "{left} entries are left");

    let (_, workspace) = world.prepared("t2").await;
    assert_eq!(fs::read_to_string(workspace.join("README.md")).unwrap(), "A shop\n");
}

#[tokio::test]
async fn work_of_an_agent_that_is_not_configured_any_more_keeps_what_it_borrows() {
    let world = World::new().await;
    let git = Git::find(world.root.path()).await.unwrap();
    let all = openpod_agentd::workspace::Workspaces::open(&world.data(), git, helper()).unwrap();
    let former = all.of_agent(&world.data().join("agents/former")).unwrap();
    let key = "t9".parse().unwrap();
    former.prepare(&key, &world.origin, branches(None, "openpod/t9"), world.tokens()).await.unwrap();
    let base = world.remote(&["rev-parse", "trunk"]).trim().to_owned();
    world.rewrite_history();
    world.prepared("t2").await;
    world.tend(&AT_ONCE, Duration::ZERO).await;
    assert!(has(&world.mirror(), &base));
    let far = Timestamp::from_micros(i64::MAX / 2);
    let tended = all.tend_mirrors(&AT_ONCE, far).await;
    assert!(tended.iter().all(|(_, what)| *what != Tended::Removed), "{tended:?}");
}
