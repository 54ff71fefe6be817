//! What the client costs beside a hand-written one, in instructions and allocations, and what verifying costs beside the
//! bare HMAC.
//!
//! ```text
//!   cargo bench -p openpod-sdk --bench calls --no-default-features --features client,webhook
//! ```
//!
//! Instructions are counted by callgrind (the Debian package is `valgrind`; without it that part is left out): this program
//! runs itself in it, once with few calls and once with many, and what the many cost more is what calls cost. The answers
//! come from a process of their own. What is timed takes turns, and the median of the rounds counts. Nothing fails when a
//! machine is slow.

mod by_hand;
mod counting;
mod service;
mod verifying;

use std::process::{Child, Command, Stdio};

use openpod_sdk::Client;
use openpod_sdk::api::tickets::TicketFilter;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const FEW: usize = 20;
const MANY: usize = 220;
const CASES: [&str; 2] = ["heartbeat", "tickets"];
const KEY: &str = "opk_0123456789abcdef01234567_benchmark";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => service::serve(),
        ["run", case, who, times, url] => run(case, who, times.parse().expect("a number of calls"), url),
        _ => measure(),
    }
}

/// Makes the calls, and says how many allocations they took.
fn run(case: &str, who: &str, times: usize, url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = Client::builder(url).key(KEY).build().expect("an address");
        let by_hand = by_hand::ByHand::new(url, KEY);
        let filter = TicketFilter::of("0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d51".into()).limit(100_u32);
        let mut before = (0, 0);
        for n in 0..=times {
            if n == 1 {
                // The first one connects.
                before = counting::so_far();
            }
            let found = match (case, who) {
                ("heartbeat", "sdk") => {
                    client.heartbeat(None).await.expect("an answer").tickets.assigned_to_you.len()
                }
                ("heartbeat", _) => by_hand.heartbeat().await.tickets.assigned_to_you.len(),
                (_, "sdk") => client.list_tickets(&filter).await.expect("an answer").data.len(),
                (_, _) => by_hand.tickets(filter.project_id.as_str()).await.data.len(),
            };
            assert!(found > 0);
        }
        let (count, bytes) = counting::so_far();
        let each = |total: usize| total as f64 / times.max(1) as f64;
        say(format!("{:.1} {:.0}", each(count - before.0), each(bytes - before.1)));
    });
}

fn measure() {
    let mut service = ServiceProcess::start();
    let url = service.url.clone();
    say(format!("{:<12} {:>14} {:>14} {:>7}   {:>12} {:>14}", "", "sdk", "by hand", "ratio", "goal", ""));
    for case in CASES {
        match (instructions(case, "sdk", &url), instructions(case, "hand", &url)) {
            (Some(sdk), Some(hand)) => line(&format!("{case}, instructions"), sdk, hand, "≤ 1.10"),
            _ => say(format!("{case}: there is no valgrind here, so instructions are not counted")),
        }
        let ((count, bytes), (count_by_hand, bytes_by_hand)) =
            (allocations(case, "sdk", &url), allocations(case, "hand", &url));
        line(&format!("{case}, allocations"), count, count_by_hand, "");
        line(&format!("{case}, bytes allocated"), bytes, bytes_by_hand, "");
    }
    service.stop();
    verifying::measure();
}

fn line(what: &str, sdk: f64, hand: f64, goal: &str) {
    say(format!("{what:<28} {sdk:>12.0} {hand:>12.0} {:>7.3}   {goal}", sdk / hand));
}

/// Of one call, by the difference of many and few.
fn instructions(case: &str, who: &str, url: &str) -> Option<f64> {
    let count = |times: usize| -> Option<f64> {
        let ran = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["run", case, who, &times.to_string(), url])
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let line = said.lines().find(|line| line.contains("Collected"))?;
        line.split_whitespace().last()?.parse().ok()
    };
    Some((count(MANY)? - count(FEW)?) / (MANY - FEW) as f64)
}

fn allocations(case: &str, who: &str, url: &str) -> (f64, f64) {
    let program = std::env::current_exe().expect("this program");
    let ran = Command::new(program).args(["run", case, who, "200", url]).output().expect("this program runs");
    let said = String::from_utf8(ran.stdout).expect("two numbers");
    let mut numbers = said.split_whitespace().map(|number| number.parse().expect("a number"));
    (numbers.next().expect("a count"), numbers.next().expect("a size"))
}

struct ServiceProcess {
    child: Child,
    url: String,
}

impl ServiceProcess {
    fn start() -> Self {
        use std::io::{BufRead, BufReader};
        let program = std::env::current_exe().expect("this program");
        let mut child =
            Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().expect("this program runs");
        let mut url = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut url).expect("an address");
        Self { child, url: url.trim().to_owned() }
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

#[expect(clippy::print_stdout, reason = "figures are what this program is for")]
fn say(line: String) {
    println!("{line}");
}
