use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use openpod_agentd::Wiring;
use openpod_sdk::api::Timestamp;
use openpod_sdk::clock::{Clock, SystemClock};
use tokio_util::sync::CancellationToken;

use super::super::facts::Runs;
use super::super::fault::STEPS;
use super::super::{AT_ONCE, side_by_side};
use super::begin;

/// The machine's clock, and by how many seconds it is wrong.
struct Wrong(Arc<AtomicI64>);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let wrong = self.0.load(Ordering::SeqCst) * 1_000_000;
        Timestamp::from_micros(SystemClock.now().as_micros() + wrong)
    }
}

/// By how many seconds the clock jumps at each step, given its number.
type Jump = fn(usize) -> i64;

const JUMPS: [(&str, Jump); 3] = [
    ("three hours forward", |_| 3 * 3600),
    ("three hours back", |_| -3 * 3600),
    ("to and fro", |n| if n.is_multiple_of(2) { 5 * 3600 } else { -7 * 3600 }),
];

#[test]
fn a_clock_that_jumps_by_hours_at_every_step_changes_nothing() {
    println!("{} clocks at {} steps", JUMPS.len(), STEPS.len());
    let walks = JUMPS.map(|(name, by)| (name.to_owned(), by));
    side_by_side(AT_ONCE, walks.to_vec(), async |by| {
        let (conversation, proxy) = begin().await;
        let wrong = Arc::new(AtomicI64::new(0));
        for (n, step) in STEPS.iter().enumerate() {
            let wrong = Arc::clone(&wrong);
            proxy.when(step.name, 1, move || {
                wrong.fetch_add(by(n), Ordering::SeqCst);
            });
        }
        let helper = PathBuf::from(env!("CARGO_BIN_EXE_openpod-tests-agentd"));
        let wiring = Wiring { clock: Arc::new(Wrong(wrong)), ..Wiring::system(helper) };
        let stop = CancellationToken::new();
        let daemon =
            openpod_agentd::run(conversation.configuration(), wiring, stop.clone().cancelled_owned());
        let told = async {
            let held = conversation.hold().await;
            conversation.until_settled(proxy.news()).await;
            stop.cancel();
            held
        };
        let (held, ended) = tokio::join!(told, daemon);
        ended.unwrap();
        assert_eq!(proxy.waits_for(), Vec::<&str>::new(), "every step is reached");
        conversation.check(&held, Runs::AsMeant).await;
        conversation.world.close().await;
    });
}
