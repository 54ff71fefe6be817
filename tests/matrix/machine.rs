//! What goes wrong on the daemon's own machine: the clock jumps, the disk is full, somebody puts an old journal back.

mod clock;
mod disk;
mod old_journal;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::conversation::{Conversation, Held};
use super::proxy::Proxy;
use crate::world::World;
use crate::world::program::{Log, Program};

async fn begin() -> (Conversation, Proxy) {
    begin_as(false).await
}

/// `leaves`: the daemon keeps the ticket that it gives up.
async fn begin_as(leaves: bool) -> (Conversation, Proxy) {
    let world = World::begin().await;
    let proxy = Proxy::before(world.url.trim_start_matches("http://").parse().unwrap()).await;
    let conversation = Conversation::within(world, &proxy.url(), 15, leaves).await;
    (conversation, proxy)
}

/// A daemon's program that is kept running.
struct Keeper<'a> {
    conversation: &'a Conversation,
    log: &'a Log,
    /// Kills it.
    kill: &'a Notify,
    /// A program with its arguments that starts it.
    starter: &'a [&'a str],
}

impl Keeper<'_> {
    /// Holds the conversation. The program is started again whenever it ends, after whatever is done between.
    async fn hold(&self, between: impl Fn(), may_end: impl Fn(&str) -> bool) -> Held {
        let stop = CancellationToken::new();
        let told = async {
            let held = self.conversation.hold().await;
            self.conversation.until_settled(self.log.news()).await;
            stop.cancel();
            held
        };
        tokio::join!(told, self.keep(&stop, between, may_end)).0
    }

    async fn keep(&self, stop: &CancellationToken, between: impl Fn(), may_end: impl Fn(&str) -> bool) {
        loop {
            let config = &self.conversation.config;
            let mut program = Program::start_by(self.starter, config, Vec::new(), self.log);
            tokio::select! {
                status = program.ended() => {
                    assert!(may_end(&self.log.text()), "the daemon ended with {status}");
                }
                () = self.kill.notified() => program.kill().await,
                () = stop.cancelled() => {
                    let status = program.stop().await;
                    assert!(status.success(), "the daemon ended with {status}");
                    return;
                }
            }
            between();
        }
    }
}
