//! What the daemon costs and how fast it is, each figure beside what it is compared with, measured in the same run.
//!
//! ```text
//!   cargo bench --profile lean -p openpod-tests --bench daemon -- [reaction|overhead|idle|recovery]…
//!       [--rounds 100] [--seconds 60] [--agents 100]
//! ```
//!
//! Without a name all are measured. The daemon is the real program, the platform and the forge are this process. The
//! figures are for people to read: nothing fails when a machine is slow.

#[path = "../../../openpod-server/benches/platform/place.rs"]
mod place;
#[expect(dead_code, reason = "the server's benchmark uses the rest of it")]
#[path = "../../../openpod-server/benches/platform/report.rs"]
mod report;

/// What the journeys share.
#[path = "../.."]
mod shared {
    #[expect(
        unreachable_pub,
        dead_code,
        unused_imports,
        clippy::unwrap_used,
        reason = "it is written for tests, which use the rest of it"
    )]
    pub(crate) mod world;
}

mod gate;
mod idle;
mod overhead;
mod program;
mod reaction;
mod recovery;
mod stage;

use clap::{Parser, ValueEnum};
use report::Table;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// From a webhook, or from nothing but the heartbeat, to the worker's start.
    Reaction,
    /// A ticket from its assignment to its deliverable, against a shell script.
    Overhead,
    /// Memory and processor time of a daemon with nothing to do, for one agent and for a hundred.
    Idle,
    /// From SIGKILL to work again.
    Recovery,
}

/// How it is measured.
#[derive(Debug, Parser)]
struct Options {
    /// What to measure; everything unless told.
    subjects: Vec<Subject>,
    /// How many tickets go through the daemon where reactions are measured; a third of them elsewhere.
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// How long an idle daemon is watched.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many agents the large daemon has.
    #[arg(long, default_value_t = 100)]
    agents: usize,
    /// Cargo says it to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let asked = |subject: &Subject| options.subjects.is_empty() || options.subjects.contains(subject);
    for subject in Subject::value_variants().iter().filter(|subject| asked(subject)) {
        let table: Table = match subject {
            Subject::Reaction => reaction::measure(&options).await,
            Subject::Overhead => overhead::measure(&options).await,
            Subject::Idle => idle::measure(&options).await,
            Subject::Recovery => recovery::measure(&options).await,
        };
        table.print();
    }
}
