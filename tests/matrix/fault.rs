//! The fault matrix: everything that the daemon asks of platform and forge (the columns) goes wrong in every way that
//! networks and servers know (the rows), and the conversation ends as always.
//!
//! The short form holds one conversation for each row, in which the fault happens once at every column, and at a few of
//! them in a row, more often than a client tries again by itself. Which these are depends on `OPENPOD_TEST_SEED`;
//! together the rows have each column among them. In the long form (`OPENPOD_TEST_LONG=1`) it happens so often in every
//! cell. `OPENPOD_TEST_FAULT` chooses a row or a cell.

use std::collections::BTreeSet;
use std::fmt;

use tokio_util::sync::CancellationToken;

use super::conversation::Conversation;
use super::facts::Runs;
use super::proxy::Proxy;
use super::{long_form, seed, side_by_side};
use crate::world::World;
use crate::world::program::{Log, Program};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nobody is there: this request and the next two connections are reset.
    Down,
    /// The connection is reset before the request reaches the server.
    CutBefore,
    /// The request has its effect, and the connection is reset before the answer.
    LostAnswer,
    /// The answer breaks off in the middle.
    Truncated,
    /// Nobody answers until the daemon has had enough.
    Silent,
    /// The request has its effect, and nobody answers.
    SilentAfter,
    /// 401.
    Unauthorized,
    /// 403 for too many requests at once, as GitHub has it; from the platform, 403 of something that stands before it.
    Forbidden,
    /// 429 with `Retry-After`.
    Limited,
    /// 500.
    Broken,
    /// 502 with a page for people.
    Gateway,
    /// The same, after the request had its effect.
    GatewayAfter,
    /// 503 with `Retry-After`.
    Unavailable,
    /// 200, and nothing that makes sense.
    Garbage,
}

/// The rows, and what the daemon says about each.
const FAULTS: [(Fault, &str); 14] = [
    (Fault::Down, "connection"),
    (Fault::CutBefore, "connection"),
    (Fault::LostAnswer, "connection"),
    (Fault::Truncated, "error"),
    (Fault::Silent, "timed out"),
    (Fault::SilentAfter, "timed out"),
    (Fault::Unauthorized, "401"),
    (Fault::Forbidden, "403"),
    (Fault::Limited, "429"),
    (Fault::Broken, "500"),
    (Fault::Gateway, "502"),
    (Fault::GatewayAfter, "502"),
    (Fault::Unavailable, "503"),
    (Fault::Garbage, "cannot be read"),
];

/// Something that the daemon asks for.
#[derive(Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    method: &'static str,
    /// How the path with its query begins, after what all have in common.
    path: &'static str,
    /// How the path ends, before its query.
    end: &'static str,
    /// What the body or the query contains.
    contains: &'static str,
}

const fn step(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    end: &'static str,
    contains: &'static str,
) -> Step {
    Step { name, method, path, end, contains }
}

/// The columns. The first that fits is meant.
pub const STEPS: [Step; 24] = [
    step("who am I", "GET", "/api/agent/v1/me", "/me", ""),
    step("webhooks", "GET", "/api/agent/v1/webhooks", "", ""),
    step("webhook", "POST", "/api/agent/v1/webhooks", "", ""),
    step("heartbeat", "GET", "/api/agent/v1/heartbeat", "", ""),
    step("positions", "GET", "/api/agent/v1/positions", "", ""),
    step("applications", "GET", "/api/agent/v1/apply", "", ""),
    step("apply", "POST", "/api/agent/v1/apply", "", ""),
    step("free tickets", "GET", "/api/agent/v1/tickets", "/tickets", ""),
    step("claim", "PATCH", "/api/agent/v1/tickets/", "", "\"in_progress\""),
    step("deliver", "PATCH", "/api/agent/v1/tickets/", "", "\"deliverables\""),
    step("release", "PATCH", "/api/agent/v1/tickets/", "", "\"todo\""),
    step("ticket", "GET", "/api/agent/v1/tickets/", "", ""),
    step("report", "POST", "/api/agent/v1/tickets/", "/comments", "Pull request"),
    step("apology", "POST", "/api/agent/v1/tickets/", "/comments", "I hand this ticket back"),
    step("token", "GET", "/api/agent/v1/github/token", "", ""),
    step("knowledge", "GET", "/api/agent/v1/knowledge", "", ""),
    step("verify", "POST", "/api/agent/v1/github/verify-deliverable", "", ""),
    step("look at the remote", "GET", "/forge/", "/info/refs", "git-upload-pack"),
    step("fetch", "POST", "/forge/", "/git-upload-pack", ""),
    step("look before the push", "GET", "/forge/", "/info/refs", "git-receive-pack"),
    step("push", "POST", "/forge/", "/git-receive-pack", ""),
    step("look up the pull request", "GET", "/forge/api/v3/repos/", "/pulls", ""),
    step("open the pull request", "POST", "/forge/api/v3/repos/", "/pulls", ""),
    step("update the pull request", "PATCH", "/forge/api/v3/repos/", "", ""),
];

impl Step {
    pub fn is(&self, head: &str, body: &[u8]) -> bool {
        let mut words = head.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return false };
        let path = target.split('?').next().unwrap_or_default();
        method == self.method
            && target.starts_with(self.path)
            && path.ends_with(self.end)
            && (target.contains(self.contains) || String::from_utf8_lossy(body).contains(self.contains))
    }
}

impl Fault {
    /// The answer that is given in the server's place, if that is the fault.
    pub fn instead(self, forge: bool) -> Option<String> {
        let json = |status: &str, extra: &str, words: &str| {
            let body = format!("{{\"error\":\"{words}\",\"message\":\"{words}\"}}");
            answer(status, &format!("{extra}Content-Type: application/json\r\n"), &body)
        };
        Some(match self {
            Fault::Unauthorized => json("401 Unauthorized", "", "Bad credentials"),
            Fault::Forbidden if forge => {
                json("403 Forbidden", "Retry-After: 1\r\n", "You have exceeded a secondary rate limit.")
            }
            Fault::Forbidden => {
                answer("403 Forbidden", "Content-Type: text/html\r\n", "<h1>Are you human?</h1>")
            }
            Fault::Limited => json("429 Too Many Requests", "Retry-After: 1\r\n", "Slow down."),
            Fault::Broken => json("500 Internal Server Error", "", "Something broke."),
            Fault::Gateway => Self::gateway(),
            Fault::Unavailable => json("503 Service Unavailable", "Retry-After: 1\r\n", "In maintenance."),
            Fault::Garbage => answer("200 OK", "Content-Type: application/json\r\n", "<html>\u{fffd}</html>"),
            _ => return None,
        })
    }

    /// How often it must happen in a row at a step before the daemon itself hears of it.
    fn outlasts_the_client(self, step: Step) -> u32 {
        let refused = matches!(self, Fault::Unauthorized | Fault::Forbidden);
        let repeated = step.method == "GET" && !refused && self != Fault::Garbage;
        match step.path.starts_with("/forge/") {
            // A token may have to settle.
            true if refused => 6,
            true => 2,
            false if repeated || self == Fault::Limited => 5,
            false => 2,
        }
    }

    fn is_silent(self) -> bool {
        matches!(self, Fault::Silent | Fault::SilentAfter)
    }

    pub fn gateway() -> String {
        answer("502 Bad Gateway", "Content-Type: text/html\r\n", "<h1>502 Bad Gateway</h1>")
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Into how many conversations the long form parts a row.
const PARTS: usize = 4;
/// How many conversations at a time.
const AT_ONCE: usize = 8;

/// One fault at one step, so many times in a row.
#[derive(Clone, Copy)]
pub struct Cell {
    pub fault: Fault,
    pub step: Step,
    pub times: u32,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}", self.fault, self.step.name)
    }
}

/// The whole table, row by row.
fn table() -> Vec<Vec<Cell>> {
    let cell = |row: usize, fault: Fault, column: usize, step: Step| {
        // Three columns of each row, other ones in the next.
        let often = long_form() || (column + 2 * row + seed() as usize) % STEPS.len() < 3;
        Cell { fault, step, times: if often { fault.outlasts_the_client(step) } else { 1 } }
    };
    let row = |(row, (fault, _)): (usize, &(Fault, &str))| {
        STEPS.iter().enumerate().map(|(column, step)| cell(row, *fault, column, *step)).collect()
    };
    FAULTS.iter().enumerate().map(row).collect()
}

#[test]
fn whatever_goes_wrong_between_daemon_and_world_passes_without_a_trace() {
    let only = std::env::var("OPENPOD_TEST_FAULT").ok();
    let mut walks: Vec<(String, Vec<Cell>)> = Vec::new();
    let table = table();
    for row in &table {
        let chosen = |cell: &&Cell| {
            only.as_ref().is_none_or(|only| format!("{:?}", cell.fault) == *only || cell.to_string() == *only)
        };
        let row: Vec<Cell> = row.iter().filter(chosen).copied().collect();
        let parts = if long_form() { PARTS } else { 1 };
        // Each part has steps of the whole way.
        let part = |part: usize| row.iter().skip(part).step_by(parts).copied().collect::<Vec<Cell>>();
        walks.extend(
            (0..parts).map(part).filter(|cells| !cells.is_empty()).map(|cells| (named(&cells), cells)),
        );
    }
    let cells: Vec<Cell> = walks.iter().flat_map(|(_, cells)| cells).copied().collect();
    let often = cells.iter().filter(|cell| cell.times > 1);
    println!(
        "{} faults at {} steps: {} cells, {} of them several times in a row, in {} conversations, seed {}",
        FAULTS.len(),
        STEPS.len(),
        cells.len(),
        often.clone().count(),
        walks.len(),
        seed(),
    );
    let steps: BTreeSet<&str> = often.map(|cell| cell.step.name).collect();
    assert!(only.is_some() || steps.len() == STEPS.len(), "every step has one that lasts: {steps:?}");
    // What waits longest begins first.
    walks.sort_by_key(|(_, cells)| !cells[0].fault.is_silent());
    side_by_side(AT_ONCE, walks, walk);
}

fn named(cells: &[Cell]) -> String {
    cells.iter().map(Cell::to_string).collect::<Vec<_>>().join(", ")
}

async fn walk(cells: Vec<Cell>) {
    let fault = cells[0].fault;
    let world = World::begin().await;
    let proxy = Proxy::before(world.url.trim_start_matches("http://").parse().unwrap()).await;
    let patience = if fault.is_silent() { 2 } else { 15 };
    let conversation = Conversation::within(world, &proxy.url(), patience, false).await;
    for cell in &cells {
        proxy.plan(*cell);
    }
    let log = Log::default();
    let _shown = log.shown_on_failure();
    let stop = CancellationToken::new();
    let planned: BTreeSet<&str> = cells.iter().map(|cell| cell.step.name).collect();
    let (_, says) = FAULTS.iter().find(|(named, _)| *named == fault).unwrap();
    let told = async {
        let (held, ()) = tokio::join!(conversation.hold(), status_answers(&conversation, &log, says));
        conversation.until_settled(log.news()).await;
        // The work may be done before the webhook is registered.
        log.until("the webhook is registered").await;
        proxy.until_happened(planned.len()).await;
        stop.cancel();
        held
    };
    let (held, ()) = tokio::join!(told, keep(&conversation, &log, &stop));
    assert_eq!(proxy.happened(), planned, "every fault happens");
    conversation.check(&held, Runs::AsMeant).await;
    conversation.world.close().await;
}

/// From the first time that the daemon says what is wrong, an operator who asks it is answered. One that was refused at
/// its start is asked again when it runs again.
async fn status_answers(conversation: &Conversation, log: &Log, says: &str) {
    log.until(says).await;
    let mut news = log.news();
    let report = loop {
        match Program::status(&conversation.config).await {
            Some(report) => break report,
            None => news.changed().await.unwrap(),
        }
    };
    let agents = report["agents"].as_array().map_or(0, Vec::len);
    assert_eq!(agents, 1, "{report}");
}

/// Keeps the daemon running until `stop`. A key that is refused at the start ends it, and it is started again.
async fn keep(conversation: &Conversation, log: &Log, stop: &CancellationToken) {
    let mut refused = 0;
    loop {
        let mut program = Program::start(&conversation.config, Vec::new(), log);
        let status = tokio::select! {
            status = program.ended() => status,
            () = stop.cancelled() => program.stop().await,
        };
        if stop.is_cancelled() && status.success() {
            return;
        }
        refused += 1;
        let expected = log.text().matches("the platform refuses the key").count() == refused;
        assert!(expected, "the daemon ended with {status}");
    }
}
