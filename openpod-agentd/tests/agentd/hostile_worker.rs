//! Workers that lay traps in their repository. None of their commands runs in the daemon's name, and honest work
//! beside the traps is delivered.

use std::fs;
use std::path::Path;
use std::process::Command;

use openpod_agentd::workspace::{Change, Collected, JobKey};

use crate::support::{World, message, plain_git};

/// Runs as the worker would, in its workspace. `$MARK` is where a trap leaves its trace.
fn as_worker(workspace: &Path, mark: &Path, script: &str) {
    let prelude = "set -eu\nexport GIT_CONFIG_GLOBAL=/dev/null\ntrap_command=\"touch $MARK\"\n";
    let status = Command::new("/bin/sh")
        .args(["-c", &format!("{prelude}{script}")])
        .current_dir(workspace)
        .env("MARK", mark)
        .status()
        .unwrap();
    assert!(status.success(), "the worker itself failed");
}

async fn delivered(world: &World, job: &JobKey) -> Change {
    let Collected::Change(change) = world.workspaces.collect(job, &message("Work")).await.unwrap() else {
        panic!("nothing was collected");
    };
    let branch = format!("openpod/{}", job.as_str());
    world.workspaces.push(job, &world.origin, &branch, &change.head, None, world.tokens()).await.unwrap();
    change
}

async fn delivers_in_spite_of(script: &str) -> (World, Change) {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    let mark = world.root.path().join("trap-went-off");
    fs::write(workspace.join("README.md"), "Honest work\n").unwrap();
    as_worker(&workspace, &mark, script);
    let _ = fs::remove_file(&mark);
    let change = delivered(&world, &job).await;
    assert!(!mark.exists(), "a command of the worker's ran in the daemon's name");
    assert_eq!(world.remote_file("openpod/t1", "README.md"), "Honest work\n");
    assert_eq!(world.remote(&["rev-parse", "openpod/t1"]).trim(), change.head.as_str());
    (world, change)
}

#[tokio::test]
async fn hooks_filters_monitors_and_programs_of_its_configuration() {
    let script = r#"
        mkdir -p .git/hooks
        for hook in pre-commit commit-msg post-commit pre-push post-checkout reference-transaction post-index-change; do
            printf '#!/bin/sh\n%s\n' "$trap_command" > .git/hooks/$hook
            chmod +x .git/hooks/$hook
        done
        printf '#!/bin/sh\n%s\ncat\n' "$trap_command" > .git/evil; chmod +x .git/evil
        evil="$PWD/.git/evil"
        git config core.fsmonitor "$evil"
        git config core.hooksPath "$PWD/.git/hooks"
        git config filter.evil.clean "$evil"
        git config filter.evil.smudge "$evil"
        git config filter.evil.process "$evil"
        git config filter.evil.required true
        git config diff.evil.textconv "$evil"
        git config diff.evil.command "$evil"
        git config diff.external "$evil"
        git config commit.gpgSign true
        git config gpg.program "$evil"
        git config core.sshCommand "$evil"
        git config core.pager "$evil"
        git config credential.helper "!$evil"
        git config uploadpack.packObjectsHook "$evil"
        printf '* filter=evil diff=evil\n' > .gitattributes
    "#;
    let (_world, change) = delivers_in_spite_of(script).await;
    assert_eq!(change.changed_paths, [".gitattributes", "README.md"]);
}

#[tokio::test]
async fn addresses_that_lead_elsewhere() {
    let script = r#"
        git config url.http://127.0.0.1:1/.pushInsteadOf http://
        git config url.http://127.0.0.1:1/.insteadOf http://
        git config remote.origin.url http://127.0.0.1:1/evil.git
        git config remote.origin.pushurl http://127.0.0.1:1/evil.git
        git config http.proxy http://127.0.0.1:1
        git config http.extraHeader 'X-Evil: 1'
        git config include.path /dev/null
    "#;
    delivers_in_spite_of(script).await;
}

#[tokio::test]
async fn a_deleted_or_replaced_git_directory() {
    delivers_in_spite_of("rm -rf .git").await;
    delivers_in_spite_of("rm -rf .git; printf 'gitdir: /nowhere\n' > .git").await;
    delivers_in_spite_of("mv .git ../moved; ln -s ../moved .git").await;
    delivers_in_spite_of("rm -rf .git/objects; printf garbage > .git/HEAD").await;
    delivers_in_spite_of("mkdir -p .git/objects/info; echo /nowhere/objects > .git/objects/info/alternates")
        .await;
}

#[tokio::test]
async fn a_commit_by_the_worker_is_delivered_as_the_daemon_s() {
    let script =
        "git add -A; git commit -q -m 'By the worker'; git checkout -q -b elsewhere; rm -f .git/index";
    let (world, change) = delivers_in_spite_of(script).await;
    assert_eq!(change.commits, 1);
    assert_eq!(world.remote(&["log", "-1", "--format=%s %an", "openpod/t1"]).trim(), "Work Ada's agent");
}

#[tokio::test]
async fn a_nested_repository_is_looked_into_by_nobody_and_its_files_are_files() {
    let script = r#"
        mkdir -p tool/deep src/inner
        for nested in tool tool/deep src; do
            git init -q $nested
            git -C $nested config core.fsmonitor "$trap_command"
            git -C $nested config filter.evil.clean "$trap_command"
            printf '* filter=evil\n' > $nested/.gitattributes
            printf 'made by a tool\n' > $nested/made.txt
            git -C $nested -c core.fsmonitor=false -c filter.evil.clean=cat -c user.name=x -c user.email=x add -A
            git -C $nested -c core.fsmonitor=false -c filter.evil.clean=cat -c user.name=x -c user.email=x commit -q -m x || true
        done
        echo 'inner' > src/inner/file
        git -c core.fsmonitor=false add -A 2>/dev/null || true
    "#;
    let (world, change) = delivers_in_spite_of(script).await;
    let expected = [
        "README.md",
        "src/.gitattributes",
        "src/inner/file",
        "src/made.txt",
        "tool/.gitattributes",
        "tool/deep/.gitattributes",
        "tool/deep/made.txt",
        "tool/made.txt",
    ];
    assert_eq!(change.changed_paths, expected);
    assert!(!world.remote(&["ls-tree", "-r", "openpod/t1"]).contains("160000"));
}

#[tokio::test]
async fn a_directory_that_became_a_link_brings_nothing_from_outside() {
    let world = World::new().await;
    let (job, workspace) = world.prepared("t1").await;
    let outside = world.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("shop.sh"), "the daemon's own secret").unwrap();
    fs::remove_dir_all(workspace.join("src")).unwrap();
    std::os::unix::fs::symlink(&outside, workspace.join("src")).unwrap();
    let error = world.workspaces.collect(&job, &message("Work")).await.unwrap_err().to_string();
    assert!(
        error.starts_with("the change is refused: src is a symbolic link that leaves the tree"),
        "{error}"
    );
    fs::remove_file(workspace.join("src")).unwrap();
    let change = delivered(&world, &job).await;
    assert_eq!(change.changed_paths, ["src/shop.sh", "src/tax.sh"]);
    fs::remove_dir_all(&workspace).unwrap();
    std::os::unix::fs::symlink(&outside, &workspace).unwrap();
    let error = world.workspaces.collect(&job, &message("Work")).await.unwrap_err().to_string();
    assert_eq!(error, "the change is refused: the workspace is no longer a directory");
}

#[tokio::test]
async fn a_submodule_of_the_project_stays_where_it_was() {
    let world = World::new().await;
    let clone = world.root.path().join("clone");
    let bare = world.host.bare("shop");
    plain_git(world.root.path(), &["clone", "-q", bare.to_str().unwrap(), "clone"]);
    let link = format!("160000,{},lib", "1".repeat(40));
    plain_git(&clone, &["update-index", "--add", "--cacheinfo", &link]);
    fs::write(
        clone.join(".gitmodules"),
        "[submodule \"lib\"]\n\tpath = lib\n\turl = https://git.example/lib\n",
    )
    .unwrap();
    plain_git(&clone, &["add", ".gitmodules"]);
    plain_git(&clone, &["commit", "-q", "-m", "Use the library"]);
    plain_git(&clone, &["push", "-q", "origin", "trunk"]);

    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "Honest work\n").unwrap();
    fs::write(workspace.join("lib/checked-out.c"), "not ours\n").unwrap();
    let change = delivered(&world, &job).await;
    assert_eq!(change.changed_paths, ["README.md"]);
    assert!(world.remote(&["ls-tree", "openpod/t1", "lib"]).starts_with("160000 commit 1111"));
}

#[tokio::test]
async fn line_endings_of_files_that_nobody_touched_stay_as_they_are() {
    let world = World::new().await;
    let clone = world.root.path().join("clone");
    let bare = world.host.bare("shop");
    plain_git(world.root.path(), &["clone", "-q", bare.to_str().unwrap(), "clone"]);
    fs::write(clone.join("windows.txt"), "one\r\ntwo\r\n").unwrap();
    plain_git(&clone, &["add", "-A"]);
    plain_git(&clone, &["commit", "-q", "-m", "From another system"]);
    fs::write(clone.join(".gitattributes"), "* text=auto\n").unwrap();
    plain_git(&clone, &["add", ".gitattributes"]);
    plain_git(&clone, &["commit", "-q", "-m", "Say that text is text"]);
    plain_git(&clone, &["push", "-q", "origin", "trunk"]);
    let (job, workspace) = world.prepared("t1").await;
    fs::write(workspace.join("README.md"), "Honest work\n").unwrap();
    assert_eq!(delivered(&world, &job).await.changed_paths, ["README.md"]);
}
