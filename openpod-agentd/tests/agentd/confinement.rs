//! A worker that looks and reaches where it must not: Landlock keeps it in, and honest work goes on.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openpod_agentd::executor::{RunEnd, RunLimits, RunOutcome, RunSpec, Sandbox, run};
use openpod_sdk::clock::SystemClock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A data directory with a key, a journal, a mirror and another job beside the workspace.
fn data() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("agent.key", "opk_secret"),
        ("journal.db", "journal"),
        ("mirrors/shop.git/HEAD", "ref: mirror"),
        ("jobs/t2/workspace/file", "another job"),
        ("jobs/t1/outbound.git/HEAD", "ref: outbound"),
        ("runs/t1/round-1-attempt-1.shim/status.json", "{}"),
        ("jobs/t1/workspace/file", "own"),
        ("outside/shared", "shared"),
    ] {
        let path = data.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    data
}

#[expect(clippy::print_stdout, reason = "a test that proves nothing says so")]
fn skipped(reason: &str) {
    println!("skipped: {reason}");
}

/// Runs a script as the worker of `t1`, confined; `None` where the kernel cannot.
async fn confined(data: &Path, script: &str, sandbox: Sandbox) -> Option<RunOutcome> {
    if !Sandbox::is_available() {
        skipped("this kernel has no Landlock");
        return None;
    }
    let hour = Duration::from_secs(3600);
    let spec = RunSpec {
        id: "confined".into(),
        command: ["/bin/sh", "-c", script, data.to_str().unwrap()].map(str::to_owned).to_vec(),
        workspace: data.join("jobs/t1/workspace"),
        run_dir: data.join("runs/t1/round-1-attempt-1"),
        log: data.join("runs/t1/round-1-attempt-1.shim/output.log"),
        ticket_json: b"{}".to_vec(),
        attempt: 1,
        environment: [("TESTS".to_owned(), std::process::id().to_string())].into(),
        limits: RunLimits {
            wall: hour,
            idle: None,
            grace: Duration::ZERO,
            output_bytes: 1 << 20,
            disk_bytes: None,
            free_bytes: None,
        },
        allowance: Default::default(),
        transcript: None,
        sandbox: Some(sandbox),
        alone: false,
        secrets: Vec::new(),
    };
    Some(run(spec, Arc::new(SystemClock), CancellationToken::new()).await.unwrap())
}

#[tokio::test]
async fn keys_journal_mirrors_and_other_jobs_are_closed() {
    let data = data();
    let script = r#"
        for file in agent.key journal.db mirrors/shop.git/HEAD jobs/t2/workspace/file jobs/t1/outbound.git/HEAD \
            runs/t1/round-1-attempt-1.shim/status.json runs/t1/round-1-attempt-1.shim/output.log outside/shared; do
            cat "$0/$file" 2> /dev/null && echo "could read $file"
            (echo evil > "$0/$file") 2> /dev/null && echo "could write $file"
            rm -f "$0/$file" 2> /dev/null && echo "could remove $file"
            ln "$0/$file" here 2> /dev/null && echo "could link $file"
            mv "$0/$file" here 2> /dev/null && echo "could move $file"
            ln -sf "$0/$file" link && cat link 2> /dev/null && echo "could follow a link to $file"
        done
        for directory in . mirrors jobs jobs/t2/workspace runs outside; do
            ls "$0/$directory" > /dev/null 2>&1 && echo "could list $directory"
            (touch "$0/$directory/new") 2> /dev/null && echo "could create in $directory"
        done
        mv "$OPENPOD_WORKSPACE" "$0/jobs/t1/moved" 2> /dev/null && echo "could move its workspace"
        exit 0
    "#;
    let Some(outcome) = confined(data.path(), script, Sandbox::default()).await else { return };
    assert_eq!((outcome.end, &*outcome.output_tail), (RunEnd::Exited(0), ""));
    assert_eq!(fs::read_to_string(data.path().join("agent.key")).unwrap(), "opk_secret");
}

#[tokio::test]
async fn other_processes_are_neither_looked_into_nor_signalled_and_no_privilege_is_gained() {
    let data = data();
    let script = r#"
        cat "/proc/$TESTS/environ" > /dev/null 2>&1 && echo "could read an environment"
        cat "/proc/$TESTS/root/etc/passwd" > /dev/null 2>&1 && echo "could go through another's root"
        cat "/proc/$TESTS/fd/0" > /dev/null 2>&1 < /dev/null && echo "could read an open file"
        grep -q '^CapEff:.0*$' /proc/self/status || echo "has capabilities"
        grep -q '^NoNewPrivs:.1$' /proc/self/status || echo "could gain privileges"
        sh -c 'cat "$0/agent.key"' "$0" 2> /dev/null && echo "a child could read the key"
        exit 0
    "#;
    let Some(outcome) = confined(data.path(), script, Sandbox::default()).await else { return };
    assert_eq!((outcome.end, &*outcome.output_tail), (RunEnd::Exited(0), ""));
    if !Sandbox::keeps_signals_in() {
        skipped("this kernel's Landlock lets signals out");
        return;
    }
    let script = r#"kill -0 "$TESTS" 2> /dev/null && echo "could signal"; kill -0 $$ && echo "only itself""#;
    let outcome = confined(data.path(), script, Sandbox::default()).await.unwrap();
    assert_eq!(outcome.output_tail, "only itself\n");
}

#[tokio::test]
async fn honest_work_is_not_hindered() {
    let data = data();
    let script = r#"
        set -e
        echo changed > file; mkdir -p deep/er; mv file deep/er/; ln -s deep/er/file link; cat link
        printf '#!/bin/sh\necho "a program of its own"\n' > tool; chmod +x tool; ./tool
        git init -q .; git add -A; git -c user.name=a -c user.email=a@b commit -qm 'It works'; git log --format=%s
        echo x > "$HOME/.config"; echo y > "$TMPDIR/scratch"; cat "$OPENPOD_TICKET_FILE"; echo
        echo 'I worked.' > "$OPENPOD_SUMMARY_FILE"
        head -c 4 /dev/zero > /dev/null; test -r /proc/cpuinfo; test -r /etc/passwd
        cat "$0/outside/shared"
    "#;
    let outside = data.path().join("outside");
    let sandbox = Sandbox { readable: vec![outside], writable: Vec::new() };
    let Some(outcome) = confined(data.path(), script, sandbox).await else { return };
    let expected = "changed\na program of its own\nIt works\n{}\nshared";
    assert_eq!((outcome.end, &*outcome.output_tail), (RunEnd::Exited(0), expected));
    assert_eq!(outcome.summary.as_deref(), Some("I worked."));
}

#[tokio::test]
async fn what_is_called_readable_is_not_written_and_what_is_called_writable_is() {
    let data = data();
    let script = r#"(echo evil > "$0/outside/shared") 2> /dev/null && echo written; exit 0"#;
    let outside = vec![data.path().join("outside")];
    let readable = Sandbox { readable: outside.clone(), writable: Vec::new() };
    let Some(outcome) = confined(data.path(), script, readable).await else { return };
    assert_eq!(outcome.output_tail, "");
    let writable = Sandbox { readable: Vec::new(), writable: outside };
    let outcome = confined(data.path(), script, writable).await.unwrap();
    assert_eq!(outcome.output_tail, "written\n");
}
