//! Real processes as workers: what they are given, what is kept of them, and that nothing of them stays.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openpod_agentd::executor::{ExecutorError, RunEnd, RunLimits, RunOutcome, RunSpec, run};
use openpod_sdk::clock::SystemClock;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::patience::ends;
use crate::support::{eventually, lives, process_in};

const LONG: Duration = Duration::from_secs(300);

fn spec(script: &str) -> (RunSpec, TempDir) {
    let root = tempfile::tempdir().unwrap();
    let workspace = root.path().join("workspace");
    fs::create_dir(&workspace).unwrap();
    let spec = RunSpec {
        id: "of-this-test".into(),
        command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        workspace,
        run_dir: root.path().join("run"),
        log: root.path().join("output.log"),
        ticket_json: br#"{"ticket":{"title":"Fix it"}}"#.to_vec(),
        attempt: 2,
        environment: BTreeMap::from([("EXTRA".into(), "configured".into()), ("HOME".into(), "/root".into())]),
        limits: RunLimits {
            wall: LONG,
            idle: None,
            grace: LONG,
            output_bytes: 1 << 20,
            disk_bytes: None,
            free_bytes: None,
        },
        allowance: Default::default(),
        transcript: None,
        sandbox: None,
        alone: false,
        secrets: vec!["opk_live_secret".into()],
    };
    (spec, root)
}

async fn ran(spec: RunSpec) -> RunOutcome {
    over(run(spec, Arc::new(SystemClock), CancellationToken::new())).await.unwrap()
}

/// How a run ended, if it does.
async fn over<T>(run: impl Future<Output = T>) -> T {
    ends("a run of the worker", run).await
}

fn log(spec: &RunSpec) -> PathBuf {
    spec.log.clone()
}

/// Returns when it is over.
async fn gone(process: &Path) {
    eventually("the end of the process", || (!lives(process)).then_some(())).await;
}

#[tokio::test]
async fn a_worker_is_given_the_ticket_twice_and_an_environment_of_few_words() {
    let (spec, _root) = spec(
        "env | sort > ../env; cat > ../stdin; cmp ../stdin \"$OPENPOD_TICKET_FILE\"; pwd; echo done >&2",
    );
    let outcome = ran(spec.clone()).await;
    assert_eq!(outcome.end, RunEnd::Exited(0));
    assert_eq!(outcome.output_tail, format!("{}\ndone\n", spec.workspace.display()));
    assert!(outcome.ended_at >= outcome.started_at);
    let root = spec.workspace.parent().unwrap();
    assert_eq!(fs::read(root.join("stdin")).unwrap(), spec.ticket_json);
    let environment = fs::read_to_string(root.join("env")).unwrap();
    let run = spec.run_dir.display();
    for line in [
        "EXTRA=configured",
        "OPENPOD_ATTEMPT=2",
        "OPENPOD_RUN_ID=of-this-test",
        &format!("HOME={run}/home"),
        &format!("TMPDIR={run}/tmp"),
        &format!("OPENPOD_RUN_DIR={run}"),
        &format!("OPENPOD_SUMMARY_FILE={run}/summary.md"),
        &format!("OPENPOD_WORKSPACE={}", spec.workspace.display()),
    ] {
        assert!(environment.lines().any(|found| found == line), "{line} is missing in:\n{environment}");
    }
    let allowed = "PATH LANG LC_ALL LC_CTYPE TZ USER LOGNAME EXTRA HOME TMPDIR PWD OLDPWD SHLVL _";
    for name in environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name) {
        assert!(
            name.starts_with("OPENPOD_") || allowed.split(' ').any(|word| word == name),
            "{name} came through"
        );
    }
}

#[tokio::test]
async fn the_bundled_worker_makes_the_quickstart_s_test_pass() {
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    let (mut spec, _root) = spec("");
    spec.command = vec![quickstart.join("worker.sh").to_str().unwrap().to_owned()];
    if !fs::metadata(&spec.command[0])
        .is_ok_and(|file| std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 1 != 0)
    {
        spec.command.insert(0, "/bin/sh".into());
    }
    for file in fs::read_dir(quickstart.join("repository")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), spec.workspace.join(file.file_name())).unwrap();
    }
    let outcome = ran(spec).await;
    assert_eq!(outcome.end, RunEnd::Exited(0), "{}", outcome.output_tail);
    assert!(outcome.summary.unwrap().starts_with("Slugs are lower case"));
}

#[tokio::test]
async fn a_large_ticket_that_nobody_reads_holds_nobody_up() {
    let (mut spec, _root) = spec("exit 7");
    spec.ticket_json = vec![b' '; 4 << 20];
    assert_eq!(ran(spec).await.end, RunEnd::Exited(7));
}

#[tokio::test]
async fn a_worker_that_dies_of_a_signal_is_told_apart() {
    let (spec, _root) = spec("kill -SEGV $$");
    assert_eq!(ran(spec).await.end, RunEnd::Signalled(11));
}

#[tokio::test]
async fn secrets_are_kept_out_of_log_summary_and_tail() {
    let (spec, _root) = spec(
        "printf 'key opk_live_'; printf 'secret end\n'; echo 'it was opk_live_secret' > \"$OPENPOD_SUMMARY_FILE\"",
    );
    let outcome = ran(spec.clone()).await;
    assert_eq!(outcome.output_tail, "key [secret] end\n");
    assert_eq!(fs::read_to_string(log(&spec)).unwrap(), "key [secret] end\n");
    assert_eq!(outcome.summary.as_deref(), Some("it was [secret]"));
}

#[tokio::test]
async fn a_worker_that_is_done_leaves_nobody_behind() {
    let (mut spec, _root) = spec(
        "(trap '' TERM; sleep 1000 & echo $! > ../noisy; wait) & sleep 1000 > /dev/null 2>&1 & echo $! > ../quiet; \
         while [ ! -s ../noisy ]; do :; done; echo finished",
    );
    spec.limits.grace = Duration::from_millis(50);
    let outcome = ran(spec.clone()).await;
    assert_eq!((outcome.end, &*outcome.output_tail), (RunEnd::Exited(0), "finished\n"));
    let root = spec.workspace.parent().unwrap();
    for name in ["noisy", "quiet"] {
        gone(&process_in(&root.join(name)).await).await;
    }
}

/// A pipe with a name, open at both ends: nobody waits to open it, and what is written stays until it is read.
fn pipe(spec: &RunSpec, name: &str) -> File {
    let path = spec.workspace.with_file_name(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    openat(CWD, &path, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).unwrap().into()
}

async fn word_from(pipe: &mut File) -> String {
    let mut text = String::new();
    eventually("the worker's word", || {
        // An empty pipe is an error here, and what was read before it is kept.
        let _ = pipe.read_to_string(&mut text);
        text.strip_suffix('\n').map(str::to_owned)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_ends_even_who_ignores_the_request() {
    let (spec, _root) = spec(
        "trap 'echo asked > ../asked' TERM; (trap '' TERM; exec sleep 1000) & echo $! > ../child; \
         while :; do wait; done",
    );
    let (mut child, mut asked) = (pipe(&spec, "child"), pipe(&spec, "asked"));
    let task = tokio::spawn(run(spec, Arc::new(SystemClock), CancellationToken::new()));
    let child = Path::new("/proc").join(word_from(&mut child).await);
    tokio::time::advance(LONG).await;
    assert_eq!(word_from(&mut asked).await, "asked");
    assert!(!task.is_finished());
    tokio::time::advance(LONG).await;
    assert_eq!(over(task).await.unwrap().unwrap().end, RunEnd::TimedOut);
    gone(&child).await;
}

#[tokio::test(start_paused = true)]
async fn who_heeds_the_request_may_say_goodbye() {
    let (spec, _root) = spec("trap 'echo goodbye; exit 3' TERM; sleep 1000 & echo ready > ../ready; wait");
    let mut ready = pipe(&spec, "ready");
    let task = tokio::spawn(run(spec, Arc::new(SystemClock), CancellationToken::new()));
    word_from(&mut ready).await;
    tokio::time::advance(LONG).await;
    let outcome = over(task).await.unwrap().unwrap();
    assert_eq!((outcome.end, &*outcome.output_tail), (RunEnd::TimedOut, "goodbye\n"));
}

#[tokio::test(start_paused = true)]
async fn silence_has_its_own_limit() {
    let (mut spec, _root) = spec("exec 3<> ../go; while read word <&3; do echo heard; done");
    spec.limits.idle = Some(Duration::from_secs(100));
    let mut go = pipe(&spec, "go");
    let log = log(&spec);
    let task = tokio::spawn(run(spec, Arc::new(SystemClock), CancellationToken::new()));
    for times in 1..=3 {
        go.write_all(b"go\n").unwrap();
        let expected = "heard\n".repeat(times);
        eventually("the worker's word", || (fs::read_to_string(&log).ok()? == expected).then_some(())).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!task.is_finished());
    }
    tokio::time::advance(Duration::from_secs(40)).await;
    let outcome = over(task).await.unwrap().unwrap();
    assert_eq!((outcome.end, &*outcome.output_tail), (RunEnd::Idle, "heard\nheard\nheard\n"));
}

#[tokio::test]
async fn output_without_end_is_ended() {
    let (mut spec, _root) = spec("yes");
    spec.limits.output_bytes = 100_000;
    let outcome = ran(spec.clone()).await;
    assert_eq!(outcome.end, RunEnd::OutputLimit);
    assert_eq!(fs::metadata(log(&spec)).unwrap().len(), 100_000);
}

#[tokio::test]
async fn cancelling_and_forgetting_a_run_both_end_its_processes() {
    for cancelled in [true, false] {
        let (spec, root) = spec("sleep 1000 & echo $! > ../child; wait");
        let cancel = CancellationToken::new();
        let task = tokio::spawn(run(spec, Arc::new(SystemClock), cancel.clone()));
        let child = process_in(&root.path().join("child")).await;
        if cancelled {
            cancel.cancel();
            assert_eq!(over(task).await.unwrap().unwrap().end, RunEnd::Cancelled);
        } else {
            task.abort();
        }
        gone(&child).await;
    }
}

#[tokio::test]
async fn a_command_that_cannot_run_is_named_with_what_to_do() {
    let cases: [(&[&str], &str); 4] = [
        (&[], "the executor's command is empty; name a program and its arguments"),
        (
            &["no-such-agent", "-p"],
            "the executor's command \"no-such-agent\" was not found; give its full path or a name that is on PATH",
        ),
        (
            &["/etc/passwd"],
            "the executor's command \"/etc/passwd\" cannot be started: it is not an executable file",
        ),
        (
            &["/nowhere/agent"],
            "the executor's command \"/nowhere/agent\" was not found; give its full path or a name that is on PATH",
        ),
    ];
    for (command, text) in cases {
        let (mut spec, _root) = spec("");
        spec.command = command.iter().map(|word| (*word).to_owned()).collect();
        let error = run(spec, Arc::new(SystemClock), CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    let (mut spec, _root) = spec("");
    spec.workspace = "/nowhere/at/all".into();
    let error = run(spec, Arc::new(SystemClock), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, ExecutorError::Io { path, .. } if path.ends_with("at/all")), "{error}");
}

#[tokio::test]
async fn a_worker_that_fills_more_of_the_disk_than_it_may_is_ended_however_it_does_it() {
    for script in [
        "head -c 3000000 /dev/zero > large; sleep 600",
        "for n in $(seq 300); do head -c 10000 /dev/zero > $TMPDIR/$n; done; sleep 600",
        "mkdir -p $HOME/a/b; head -c 3000000 /dev/zero > $HOME/a/b/large; chmod 0 $HOME/a/b/large; sleep 600",
        // It says something all the time.
        "head -c 3000000 /dev/zero > large; while sleep 0.01; do echo busy; done",
    ] {
        let (mut spec, _root) = spec(script);
        spec.limits.grace = Duration::ZERO;
        spec.limits.disk_bytes = Some(2 << 20);
        assert_eq!(ran(spec).await.end, RunEnd::DiskLimit, "{script}");
    }
}
