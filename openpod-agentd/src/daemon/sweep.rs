//! What is over for long is forgotten, so that a daemon of many weeks holds no more than one of a few.
//!
//! First the files of a ticket's runs are put out of the way, then the journal forgets the ticket, then the files are
//! removed. Whoever dies in between finds a ticket to forget, or files that the next start removes.

use std::collections::BTreeSet;
use std::time::Duration;

use openpod_sdk::api::{TicketId, Timestamp};

use super::{Daemon, DaemonError};
use crate::control::KeptReport;
use crate::crash;
use crate::effects::{Holdings, key_of};
use crate::event::Event;
use crate::job::retention::{Record, is_over, to_forget};
use crate::journal::Entry;
use crate::workspace::remove_all;

/// Between two looks for what is over for long.
const EVERY: Duration = Duration::from_secs(3600);

impl Daemon {
    /// When it is time to look again.
    pub(super) fn sweep_at(&self) -> Timestamp {
        self.swept_at.map_or(Timestamp::from_micros(0), |last| last.plus(EVERY))
    }

    /// Whether more is over than is to be kept.
    pub(super) fn is_over_full(&self) -> bool {
        self.jobs.values().filter(|job| is_over(job)).count() > self.retention.most
    }

    /// Forgets what is over for long, and says what is kept although it is over.
    pub(super) async fn sweep(&mut self) -> Result<(), DaemonError> {
        let now = self.clock.now();
        self.swept_at = Some(now);
        let holdings = match self.effects.holdings() {
            Ok(holdings) => holdings,
            Err(error) => {
                tracing::warn!(%error, "nothing is forgotten: it is not known what lies here");
                return Ok(());
            }
        };
        let records = self.jobs.values().filter(|job| !self.is_looked_after(&job.ticket)).map(|job| Record {
            job,
            since: job.handed_back.or(self.since.get(&job.ticket).copied()).unwrap_or(now),
            lies_here: holdings.repositories.contains(key_of(job).as_str()),
        });
        for ticket in to_forget(records, now, &self.retention) {
            self.forget(&ticket).await?;
        }
        self.note_kept(&holdings);
        Ok(())
    }

    /// Whether something goes on for a ticket just now.
    fn is_looked_after(&self, ticket: &TicketId) -> bool {
        self.busy.contains_key(ticket) || self.looking.contains_key(ticket) || self.stops.contains_key(ticket)
    }

    async fn forget(&mut self, ticket: &TicketId) -> Result<(), DaemonError> {
        let Some(job) = self.jobs.get(ticket) else { return Ok(()) };
        let aside = match self.effects.set_runs_aside(job) {
            Ok(aside) => aside,
            Err(error) => {
                tracing::warn!(%ticket, %error, "a ticket is not forgotten: its runs cannot be put out of the way");
                return Ok(());
            }
        };
        crash::point("forget/set-aside");
        self.journal.write(vec![Entry::Forgotten(ticket.clone())]).await?;
        crash::point("forget/noted");
        tracing::info!(number = job.number, title = job.title, "a ticket that is over for long is forgotten");
        self.jobs.remove(ticket);
        self.since.remove(ticket);
        self.looked.remove(ticket);
        self.acting.remove(ticket);
        self.tasks.spawn_blocking(move || {
            if let Err(error) = remove_all(&aside) {
                tracing::warn!(%error, directory = %aside.display(), "what was forgotten could not be removed");
            }
            Event::Abandoned
        });
        Ok(())
    }

    /// What lies here and cannot be proven to be published is for people to decide about.
    fn note_kept(&mut self, holdings: &Holdings) {
        let over = self.jobs.values().filter(|job| is_over(job));
        let unpushed =
            over.filter(|job| holdings.repositories.contains(key_of(job).as_str())).map(|job| KeptReport {
                directory: self.effects.job_directory(job),
                ticket: Some(job.ticket.clone()),
                why: "its work was not pushed".to_owned(),
            });
        let known: BTreeSet<String> = self.jobs.values().map(|job| key_of(job).into()).collect();
        let strange = holdings.directories().filter(|(name, _)| !known.contains(*name));
        let strange = strange.map(|(_, directory)| KeptReport {
            directory,
            ticket: None,
            why: "the journal knows of no ticket for it".to_owned(),
        });
        let kept: Vec<KeptReport> = unpushed.chain(strange).collect();
        for new in kept.iter().filter(|new| !self.kept.contains(new)) {
            tracing::warn!(directory = %new.directory.display(), "kept: {}", new.why);
        }
        self.kept = kept;
    }
}
