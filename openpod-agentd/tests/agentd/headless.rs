//! A process whose first thread has ended looks like one that is over, and is not: its other threads work on.

use std::path::PathBuf;

use super::stopping::{kill, shim_of, until_begun, waiting};
use super::support::{eventually, lives, process_in};
use super::working_a_ticket::Home;

const PROGRAM: &str = r"
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static void *on(void *none) { for (;;) pause(); return none; }
int main(void) {
    pthread_t thread;
    signal(SIGTERM, SIG_IGN);
    if (pthread_create(&thread, 0, on, 0)) return 1;
    pthread_exit(0);
}
";

/// A worker whose first run starts such a process, in a session of its own, and that waits for a sign.
fn worker(home: &Home) -> String {
    let (id, source, program) = (home.sign("id"), home.sign("headless.c"), home.sign("headless"));
    std::fs::write(&source, PROGRAM).unwrap();
    let mut compiler = std::process::Command::new("cc");
    let made = compiler.arg("-pthread").arg("-o").arg(&program).arg(&source).status();
    assert!(made.unwrap().success(), "who could build this can compile C");
    let begins =
        format!("setsid sh -c 'echo $$ > {0}; exec {1}' > /dev/null 2>&1 &", id.display(), program.display());
    format!("[ -e {} ] || {{ {begins} }}; {}", id.display(), waiting(home))
}

/// The process, once nothing but its other thread is left.
async fn headless(home: &Home) -> PathBuf {
    let process = process_in(&home.sign("id")).await;
    let headless = || process.join("cwd").read_link().is_err().then_some(());
    eventually("its first thread ends", headless).await;
    assert!(lives(&process));
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_the_run_that_it_belongs_to() {
    let home = Home::new().await;
    let mut raw = home.config(&worker(&home));
    raw.executor.grace_seconds = 0;
    let running = home.start(raw);
    let process = headless(&home).await;
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    assert!(!lives(&process));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_before_the_next_attempt_when_its_shim_was_killed() {
    let home = Home::new().await;
    let running = home.start(home.config(&worker(&home)));
    let first = until_begun(&home, 1).await;
    let process = headless(&home).await;
    kill("-KILL", &shim_of(&first));
    until_begun(&home, 2).await;
    assert!(!lives(&process));
    std::fs::write(home.sign("gate"), "").unwrap();
    home.until_delivered().await;
    running.stop().await;
}
