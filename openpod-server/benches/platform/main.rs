//! What the server costs and what it carries, each figure beside what it is compared with, measured in the same run.
//!
//! ```text
//!   cargo bench -p openpod-server --bench platform -- [heartbeat|writes|memory|deliveries]… [--rounds 7] [--seconds 1]
//! ```
//!
//! Without a name all are measured. The figures are for people to read: nothing fails when a machine is slow. What is
//! compared takes turns, round by round, and the median of the rounds counts, so that what else the machine does falls
//! on both alike.

#[cfg(not(unix))]
compile_error!("the server runs on Unix");

#[expect(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/server/databases/cluster.rs"]
mod cluster;
mod deliveries;
mod heartbeat;
mod load;
mod memory;
mod place;
mod postgres;
mod report;
mod stage;
mod writes;

use clap::{Parser, ValueEnum};
use report::Table;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Heartbeats against a bare handler that answers with the same bytes.
    Heartbeat,
    /// Comments of many at once against a commit for each.
    Writes,
    /// The memory of the program, idle and under load.
    Memory,
    /// Events from a client's call to a receiver's answer, against a bare loop of POSTs.
    Deliveries,
}

/// How it is measured.
#[derive(Debug, Parser)]
struct Options {
    /// What to measure; everything unless told.
    subjects: Vec<Subject>,
    /// How many turns each of those that are compared has.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long a turn takes.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How many connections call at once.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How many tickets the large database has.
    #[arg(long, default_value_t = 1_000_000)]
    tickets: u64,
    /// Whether memory is measured for ten minutes instead of one.
    #[arg(long)]
    long: bool,
    /// Cargo says it to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let asked = |subject: &Subject| options.subjects.is_empty() || options.subjects.contains(subject);
    for subject in Subject::value_variants().iter().filter(|subject| asked(subject)) {
        let table: Table = match subject {
            Subject::Heartbeat => heartbeat::measure(&options),
            Subject::Writes => writes::measure(&options),
            Subject::Memory => memory::measure(&options),
            Subject::Deliveries => deliveries::measure(&options),
        };
        table.print();
    }
}
