//! Written down, then done.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Daemon, DaemonError};
use crate::effects::Written;
use crate::event::Event;
use crate::job::{Effect, Job};
use crate::journal::Entry;

impl Daemon {
    /// Writes a job and its effect down, and lets the effect go when that is durable. One that leaves no trace goes at
    /// once.
    pub(super) async fn enact(
        &mut self,
        job: Job,
        effect: Option<Effect>,
        mut entries: Vec<Entry>,
    ) -> Result<(), DaemonError> {
        let now = self.clock.now();
        let intent = job.intent().filter(|_| effect.is_some());
        if self.jobs.get(&job.ticket) != Some(&job) {
            entries.push(Entry::Job(Box::new(job.clone()), now));
        }
        entries.extend(intent.iter().map(|key| Entry::Opened(key.clone(), now)));
        let before = self.jobs.insert(job.ticket.clone(), job.clone());
        if before.is_none_or(|before| before.state.name() != job.state.name()) {
            self.since.insert(job.ticket.clone(), now);
        }
        let leaves_no_trace = effect.as_ref().is_some_and(Effect::leaves_no_trace);
        let written = effect.zip(intent).map(|(effect, intent)| self.begin_effect(job, effect, intent));
        let again = match entries.is_empty() {
            true => false,
            false if leaves_no_trace => {
                self.journal.note(entries)?;
                false
            }
            false => self.journal.write(entries).await?,
        };
        if let Some(written) = written {
            // An effect that was broken off waits for nothing.
            let _ = written.send(again);
        }
        Ok(())
    }

    /// Begins an effect, which waits for what is returned before it does anything that counts.
    fn begin_effect(&mut self, job: Job, effect: Effect, intent: String) -> oneshot::Sender<bool> {
        let span = tracing::info_span!(
            "ticket",
            number = job.number,
            round = job.round,
            attempt = job.attempts,
            effect = effect.name()
        );
        self.busy.insert(job.ticket.clone(), effect.name());
        let effects = Arc::clone(&self.effects);
        let broken_off = CancellationToken::new();
        self.acting.insert(job.ticket.clone(), broken_off.clone());
        let (sender, written) = Written::when();
        let task = async move {
            tokio::select! {
                biased;
                () = broken_off.cancelled() => Event::Abandoned,
                news = effects.perform(&job, effect, written) => Event::Ended { ticket: job.ticket, intent, news },
            }
        };
        self.tasks.spawn(task.instrument(span));
        sender
    }
}
