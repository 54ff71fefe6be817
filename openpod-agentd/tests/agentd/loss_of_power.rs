//! What a loss of power may leave by half, and what is done about it.

use std::path::{Path, PathBuf};

use openpod_agentd::workspace::{Collected, JobKey, WorkspaceError};

use crate::stopping::{begun, kill, shim_of, until_begun, waiting};
use crate::support::{World, eventually, lives, message};
use crate::working_a_ticket::Home;

/// As if the machine had lost its power since.
fn lose_power(world: &World, job: &JobKey) {
    forget_boot(&world.data().join("jobs").join(job.as_str()).join("changing"));
}

fn forget_boot(note: &Path) {
    let text = std::fs::read_to_string(note).unwrap();
    let (word, _boot) = text.rsplit_once(' ').unwrap();
    std::fs::write(note, format!("{word} 7f3e9a52-0000-0000-0000-000000000000")).unwrap();
}

#[tokio::test]
async fn a_workspace_that_was_being_made_when_the_power_was_lost_is_made_again() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    let readme = std::fs::read(workspace.join("README.md")).unwrap();
    for file in [workspace.join("README.md"), world.data().join("jobs/t1/outbound.git/config")] {
        std::fs::write(file, "").unwrap();
    }
    world.prepared("t1").await;
    assert_eq!(
        std::fs::read(workspace.join("README.md")).unwrap(),
        b"",
        "in the same run of the machine it is kept"
    );
    lose_power(&world, &job);
    assert!(!world.workspaces.is_whole(&job) && !world.workspaces.is_prepared(&job));
    world.prepared("t1").await;
    assert!(world.workspaces.is_whole(&job));
    assert_eq!(std::fs::read(workspace.join("README.md")).unwrap(), readme);
    std::fs::write(workspace.join("new.txt"), "new").unwrap();
    let collected = world.workspaces.collect(&job, &message("Add a file")).await.unwrap();
    assert!(matches!(collected, Collected::Change(change) if change.files == 1));
    assert!(!world.data().join("jobs/t1/cut-off").exists(), "nothing of it was a worker's");
}

#[tokio::test]
async fn a_worker_that_lost_its_power_finds_a_whole_workspace_and_what_it_had_left_is_kept() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    world.workspaces.note_worker(&job).unwrap();
    std::fs::write(workspace.join("half.txt"), "ha").unwrap();
    lose_power(&world, &job);
    world.prepared("t1").await;
    assert!(!workspace.join("half.txt").exists() && workspace.join("README.md").exists());
    assert!(world.data().join("jobs/t1/cut-off/half.txt").exists());
    let kept = world.workspaces.remove(&job, false).await.unwrap_err();
    assert!(matches!(kept, WorkspaceError::Unpushed { .. }), "{kept}");
    world.workspaces.remove(&job, true).await.unwrap();
}

#[tokio::test]
async fn what_a_run_left_on_the_disk_is_taken_up_after_a_loss_of_power() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    world.workspaces.note_worker(&job).unwrap();
    std::fs::write(workspace.join("done.txt"), "done").unwrap();
    world.workspaces.collect(&job, &message("Add a file")).await.unwrap();
    world.workspaces.note_settled(&job).unwrap();
    world.prepared("t1").await;
    assert!(workspace.join("done.txt").exists() && world.workspaces.is_whole(&job));

    std::fs::write(workspace.join("half.txt"), "ha").unwrap();
    world.workspaces.note_worker(&job).unwrap();
    lose_power(&world, &job);
    world.prepared("t1").await;
    assert!(!workspace.join("half.txt").exists(), "the next run was cut off");
    assert!(world.workspaces.remove(&job, false).await.is_err(), "what was collected is safe");
}

#[tokio::test]
async fn the_next_workspace_is_not_copied_from_a_seed_that_the_power_may_have_cut_off() {
    let world = World::new().await;
    let (_, first) = world.prepared("t1").await;
    let mirrors = std::fs::read_dir(world.data().join("mirrors")).unwrap().map(|entry| entry.unwrap().path());
    let seeds: Vec<PathBuf> =
        mirrors.filter(|path| path.extension().is_some_and(|end| end == "seed")).collect();
    let seed = std::fs::read_dir(&seeds[0]).unwrap().next().unwrap().unwrap().path();
    std::fs::write(seed.join("README.md"), "").unwrap();
    let name = seed.file_name().unwrap().to_str().unwrap().to_owned();
    let earlier = seed.with_file_name(format!("{}-7f3e9a52", name.split('-').next().unwrap()));
    std::fs::rename(&seed, &earlier).unwrap();
    let (_, second) = world.prepared("t2").await;
    let text = |workspace: &Path| std::fs::read(workspace.join("README.md")).unwrap();
    assert_eq!(text(&second), text(&first));
    assert!(!earlier.exists(), "one seed is kept");
}

/// Loses the power as the first run begins, when the disk has kept this much of it.
async fn run_cut_off(what_is_kept: fn(&Path)) -> (Home, String) {
    let home = Home::new().await;
    let config = || {
        home.config(&format!("grep -q '\"title\"' \"$OPENPOD_TICKET_FILE\" || exit 1; {}", waiting(&home)))
    };
    let running = home.start(config());
    let worker = until_begun(&home, 1).await;
    running.stop().await;
    kill("-KILL", &shim_of(&worker));
    kill("-KILL", worker.file_name().unwrap().to_str().unwrap());
    eventually("it ends", || (!lives(&worker)).then_some(())).await;
    let runs = home.path("data/runs/t1");
    std::fs::write(runs.join("assignment.json"), "").unwrap();
    what_is_kept(&runs.join("round-1-attempt-1.shim"));
    std::fs::write(home.path("data/jobs/t1/workspace/README.md"), "").unwrap();
    forget_boot(&home.path("data/jobs/t1/changing"));

    std::fs::write(home.sign("gate"), "").unwrap();
    let running = home.start(config());
    home.until_delivered().await;
    running.stop().await;
    assert_eq!(begun(&home).len(), 2);
    let world = home.platform.world();
    assert_eq!((world.pulls.len(), world.count("PATCH /tickets/t1")), (1, 2), "one claim, one delivery");
    let branch = world.ticket["branch_name"].as_str().unwrap();
    assert_ne!(world.file_on(branch, "README.md"), "", "the workspace was made again");
    let greeting = world.file_on(branch, "greeting.txt");
    drop(world);
    (home, greeting)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_which_the_disk_kept_no_shim_was_no_attempt_and_is_begun_again_with_its_whole_task() {
    let nothing_of_it = |shim: &Path| std::fs::remove_dir_all(shim).unwrap();
    let only_the_start = |shim: &Path| {
        std::fs::remove_file(shim.join("shim.json")).unwrap();
        std::fs::write(shim.join("id"), "").unwrap();
    };
    for kept in [nothing_of_it, only_the_start] {
        assert_eq!(run_cut_off(kept).await.1, "attempt 1\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_which_the_disk_kept_that_there_was_a_shim_was_an_attempt() {
    let name_alone = |shim: &Path| std::fs::write(shim.join("shim.json"), "").unwrap();
    assert_eq!(run_cut_off(name_alone).await.1, "attempt 2\n");
}
