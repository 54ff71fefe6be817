//! The crash matrix: the daemon's own program kills itself at every point of its table in turn, and is started again.
//!
//! The long form (`OPENPOD_TEST_LONG=1`) kills it at later writes of the journal too, and goes on with a sample of pairs:
//! killed at one point, and again at another.
//! `OPENPOD_TEST_SEED` chooses another sample.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use openpod_agentd::crash::POINTS;
use tokio_util::sync::CancellationToken;

use super::conversation::Conversation;
use super::facts::Runs;
use super::{AT_ONCE, long_form, seed, side_by_side};
use crate::world::program::{Log, Program};

/// How many pairs the long form takes.
const PAIRS: usize = 120;

/// Where to die: at this point, when it is reached for this time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Order {
    point: &'static str,
    time: u32,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.point, self.time)
    }
}

/// Each point once; and what a second round and, in the long form, a later decision may get wrong.
fn orders() -> Vec<Order> {
    let first = POINTS.iter().map(|(point, _)| Order { point, time: 1 });
    let second_round = [
        "push/intended",
        "git/push",
        "push/pushed",
        "push/done",
        "propose/done",
        "deliver/done",
        "report/done",
    ];
    let second_round = second_round.map(|point| Order { point, time: 2 });
    let later: &[u32] = if long_form() { &[6, 13, 20, 27] } else { &[] };
    let later = later
        .iter()
        .flat_map(|&time| ["journal/uncommitted", "journal/committed"].map(|point| Order { point, time }));
    first.chain(second_round).chain(later).collect()
}

#[test]
fn a_daemon_may_be_killed_anywhere_and_nothing_is_lost_and_nothing_is_done_twice() {
    let only = std::env::var("OPENPOD_TEST_CRASH_AT").ok();
    let chosen =
        orders().into_iter().filter(|order| only.as_ref().is_none_or(|only| order.to_string() == *only));
    let walks: Vec<Vec<Order>> = chosen.map(|order| vec![order]).collect();
    assert!(only.is_some() || walks.len() > 40);
    println!("{} crash points, {} crashes", POINTS.len(), walks.len());
    walk_all(walks, true);
}

#[test]
fn a_daemon_may_be_killed_again_while_it_takes_up_what_was_open() {
    let seed = seed();
    let pairs = if long_form() { PAIRS } else { 2 };
    println!("{pairs} pairs of crashes, seed {seed}");
    walk_all(sample(seed, pairs), false);
}

/// Pairs of points. The daemon survives its shim's death, so that is only ever the second.
fn sample(seed: u64, pairs: usize) -> Vec<Vec<Order>> {
    let orders = orders();
    let mut state = seed;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    let mut found = Vec::new();
    while found.len() < pairs {
        let (first, second) = (orders[next(orders.len())], orders[next(orders.len())]);
        if !first.point.starts_with("shim/") {
            found.push(vec![first, second]);
        }
    }
    found
}

/// Holds the conversation once for each list of orders. `all`: every order must be reached.
fn walk_all(walks: Vec<Vec<Order>>, all: bool) {
    let walks = walks.into_iter().map(|orders| {
        let name = orders.iter().map(Order::to_string).collect::<Vec<_>>().join(" and ");
        (format!("killed at {name}"), orders)
    });
    side_by_side(AT_ONCE, walks.collect(), async |orders| walk(orders, all).await);
}

async fn walk(orders: Vec<Order>, all: bool) {
    let orders_of = |effect: &str| orders.iter().any(|order| order.point.starts_with(effect));
    let mut conversation = Conversation::begin(orders_of("leave/")).await;
    if orders_of("forget/") {
        conversation = conversation.forgetting();
    }
    let marks: Vec<PathBuf> =
        (0..orders.len()).map(|n| conversation.world.directory("marks").join(n.to_string())).collect();
    let log = Log::default();
    let _shown = log.shown_on_failure();
    let stop = CancellationToken::new();
    let told = async {
        let held = conversation.hold().await;
        conversation.until_settled(log.news()).await;
        stop.cancel();
        held
    };
    let (held, ()) = tokio::join!(told, keep(&conversation, &orders, &marks, &log, &stop));
    for (order, mark) in orders.iter().zip(&marks) {
        assert!(!all || mark.exists(), "{order} is never reached");
    }
    let lost = orders.iter().any(|order| order.point.starts_with("shim/"));
    conversation.check(&held, if lost { Runs::OneMore } else { Runs::AsMeant }).await;
    conversation.world.close().await;
}

/// Keeps the daemon running until `stop`. Whenever it was killed as ordered, it gets the next order.
async fn keep(
    conversation: &Conversation,
    orders: &[Order],
    marks: &[PathBuf],
    log: &Log,
    stop: &CancellationToken,
) {
    let mut given = orders.iter().zip(marks);
    let mut current = given.next();
    loop {
        let environment = current.map(|(order, mark)| {
            vec![("OPENPOD_CRASH_AT", order.to_string()), ("OPENPOD_CRASH_MARK", mark.display().to_string())]
        });
        let mut program = Program::start(&conversation.config, environment.unwrap_or_default(), log);
        let status = tokio::select! {
            status = program.ended() => status,
            () = stop.cancelled() => program.stop().await,
        };
        let as_ordered = status.signal() == Some(9) && current.is_some_and(|(_, mark)| mark.exists());
        match as_ordered {
            true => current = given.next(),
            false if status.success() && stop.is_cancelled() => return,
            false => panic!("the daemon ended with {status}:\n{}", log.text()),
        }
    }
}
