//! What follows from each event: which jobs hear of it, which tickets are begun, where to look next.

use std::collections::VecDeque;
use std::time::Duration;

use openpod_sdk::api::heartbeat::Heartbeat;
use openpod_sdk::api::positions::Position;
use openpod_sdk::api::tickets::Ticket;
use openpod_sdk::api::{EventKind, PositionId, TicketId, Timestamp};

use super::{Daemon, DaemonError};
use crate::crash;
use crate::effects::{apply, look, scout};
use crate::event::{Event, Finds};
use crate::job::{Candidate, Failure, Input, Job, RunEnding, Standing, State, policy, standing_of};
use crate::journal::Entry;
use crate::reconcile::{Difference, reconcile};
use crate::wording;

impl Daemon {
    /// What follows from an event.
    pub(super) async fn handle(&mut self, event: Event) -> Result<(), DaemonError> {
        match event {
            // What goes on is not settled, nor what was broken off.
            Event::Ended { news: Input::RunEnded(RunEnding::Left, _), .. } | Event::Abandoned => Ok(()),
            Event::Ended { ticket, intent, news } => {
                // Another one may be under way since this one was broken off.
                if self.jobs.get(&ticket).and_then(Job::intent).as_ref() == Some(&intent) {
                    self.acting.remove(&ticket);
                }
                if let Some(effect) = self.busy.remove(&ticket) {
                    self.tally.ended(effect, &news);
                }
                self.tell(&ticket, news, Some(intent)).await?;
                self.stop_if_asked(&ticket).await
            }
            Event::Asked(question) => self.asked(question).await,
            Event::Hint { .. } | Event::Beat { .. } | Event::Scouted(_) | Event::Tick if self.stopping => {
                Ok(())
            }
            Event::Hint { kind, ticket } => {
                self.hint(&kind, ticket);
                Ok(())
            }
            Event::Beat { asked_at, answer: Ok(heartbeat), next_at } => {
                self.tally.beat(asked_at, None, next_at);
                self.beat(asked_at, &heartbeat).await
            }
            Event::Beat { asked_at, answer: Err(failure), next_at } => {
                self.tally.beat(asked_at, Some(&failure), next_at);
                tracing::warn!(reason = failure.reason, "the platform was not seen; the heartbeat goes on");
                Ok(())
            }
            Event::Looked { ticket, asked_at, answer } => self.looked(&ticket, asked_at, answer).await,
            Event::Scouted(answer) => self.scouted(answer).await,
            Event::Applied { position, answer } => {
                match answer {
                    Ok(()) => self.applied_to(position).await?,
                    Err(failure) => {
                        tracing::warn!(%position, reason = failure.reason, "an application did not get through");
                        self.applied.remove(&position);
                        // It may be there all the same.
                        self.applying.insert(position);
                    }
                }
                Ok(())
            }
            Event::Tick => self.tick().await,
        }
    }

    /// A hint never changes anything: it makes us look, at the ticket it names and at everything.
    fn hint(&mut self, kind: &EventKind, ticket: Option<TicketId>) {
        if let Some(ticket) = ticket.filter(|ticket| self.jobs.contains_key(ticket)) {
            self.look_at(ticket);
        }
        if matches!(kind, EventKind::PositionOpened | EventKind::ApplicationAccepted) {
            self.scouted_at = None;
        }
        self.wake.notify_one();
    }

    async fn beat(&mut self, asked_at: Timestamp, heartbeat: &Heartbeat) -> Result<(), DaemonError> {
        let assigned = &heartbeat.tickets.assigned_to_you;
        let differences = reconcile(&self.me, &self.jobs, assigned, self.policy.tickets.adopt_started);
        tracing::debug!(assigned = assigned.len(), news = heartbeat.has_changes, "the platform was seen");
        self.assigned.clear();
        for difference in differences {
            match difference {
                Difference::New(candidate) => self.assigned.push_back(candidate),
                Difference::Seen(ticket, standing) => {
                    // Should it be missing next time, that is news.
                    self.looked.remove(&ticket);
                    self.tell(&ticket, Input::Seen { standing, asked_at }, None).await?;
                }
                Difference::LookAt(ticket) => {
                    let last = self.looked.get(&ticket);
                    if last.is_none_or(|last| is_over(*last, asked_at, self.pace.look_again)) {
                        self.look_at(ticket);
                    }
                }
            }
        }
        self.fill().await?;
        self.scout_if_due();
        Ok(())
    }

    fn look_at(&mut self, ticket: TicketId) {
        if let Some(hinted) = self.looking.get_mut(&ticket) {
            *hinted = true;
            return;
        }
        self.looking.insert(ticket.clone(), false);
        let asked_at = self.clock.now();
        self.looked.insert(ticket.clone(), asked_at);
        let client = self.client.clone();
        self.tasks.spawn(async move {
            let answer = look(&client, &ticket).await;
            Event::Looked { ticket, asked_at, answer }
        });
    }

    async fn looked(
        &mut self,
        ticket: &TicketId,
        asked_at: Timestamp,
        answer: Result<Option<Box<Ticket>>, Failure>,
    ) -> Result<(), DaemonError> {
        if self.looking.remove(ticket) == Some(true) && !self.stopping {
            self.look_at(ticket.clone());
        }
        let found = match answer {
            Ok(found) => found,
            Err(failure) => {
                tracing::warn!(%ticket, reason = failure.reason, "a ticket was not seen");
                self.looked.remove(ticket);
                return Ok(());
            }
        };
        let standing = match &found {
            None => Standing::NotOurs,
            Some(found) => standing_of(
                &self.me.id,
                found.assignee_agent_key_id.as_ref(),
                &found.status,
                found.approval_status.as_ref(),
                found.version,
            ),
        };
        if self.jobs.contains_key(ticket) {
            return self.tell(ticket, Input::Seen { standing, asked_at }, None).await;
        }
        if let (Standing::Open { .. }, Some(candidate)) =
            (standing, found.as_deref().and_then(policy::candidate_of))
        {
            self.assigned.push_back(candidate);
            self.fill().await?;
        }
        Ok(())
    }

    /// Begins as much as there are free places: revisions first, then what is assigned to us, then what is nobody's.
    pub(super) async fn fill(&mut self) -> Result<(), DaemonError> {
        loop {
            self.seat.holds(self.places_taken());
            let revised = self.jobs.values().find(|job| job.state == State::Revised);
            let revised = revised.map(|job| job.ticket.clone());
            let some_work = revised.is_some() || !self.assigned.is_empty() || !self.free.is_empty();
            if self.stopping || self.draining || self.free_places() == 0 || !some_work || !self.admits() {
                self.seat.leave_line();
                return Ok(());
            }
            if !self.seat.take() {
                return Ok(());
            }
            if let Some(ticket) = revised {
                self.jobs.get(&ticket).into_iter().for_each(|job| self.effects.look_ahead(job));
                Box::pin(self.tell(&ticket, Input::Due, None)).await?;
            } else if let Some(candidate) = self.assigned.pop_front() {
                self.begin(candidate, true).await?;
            } else if let Some(candidate) = self.free.pop_front() {
                self.begin(candidate, false).await?;
            }
        }
    }

    pub(super) fn places_taken(&self) -> usize {
        self.jobs.values().filter(|job| job.state.takes_place()).count()
    }

    /// Whether the brakes let another ticket be begun. Says so when they do not, once.
    fn admits(&mut self) -> bool {
        let (busy, now) = (self.places_taken() > 0, self.clock.now());
        let admitted =
            self.share.decide(&mut self.brakes, now, |brakes| brakes.admit(busy, now, &self.rules));
        let brake = admitted.err();
        if let Some(brake) = brake.as_ref().filter(|_| brake != self.kept_back) {
            tracing::warn!(reason = %brake, "no ticket is begun");
        }
        self.kept_back = brake;
        self.kept_back.is_none()
    }

    pub(super) fn free_places(&self) -> usize {
        self.policy.tickets.max_concurrent.saturating_sub(self.places_taken())
    }

    /// Begins a ticket. One that is `ours` already will be claimed, most likely; about one that is nobody's nothing is asked
    /// before.
    async fn begin(&mut self, candidate: Candidate, ours: bool) -> Result<(), DaemonError> {
        let now = self.clock.now();
        if let Some(job) = self.jobs.get(&candidate.ticket) {
            // What was ours, and is not any more, comes back to us only when somebody assigns it; what another was faster
            // to claim, when it has changed since.
            let is_over =
                matches!(job.state, State::Lost { cleaned: true } | State::Cancelled { cleaned: true });
            if is_over && !job.claimed {
                let standing = Standing::Open { revision: false, version: candidate.version };
                let seen = Input::Seen { standing, asked_at: now };
                return Box::pin(self.tell(&candidate.ticket, seen, None)).await;
            }
            return Ok(());
        }
        tracing::info!(number = candidate.number, title = candidate.title, "a ticket was found");
        let job = Job::new(candidate, &self.branch_prefix, now);
        if ours {
            self.effects.look_ahead(&job);
        }
        let effect = job.pending();
        self.enact(job, effect, Vec::new()).await
    }

    fn scout_if_due(&mut self) {
        let now = self.clock.now();
        let due = self.scouted_at.is_none_or(|last| is_over(last, now, self.pace.scout));
        let for_tickets = self.policy.tickets.claim_unassigned && self.free_places() > 0;
        if self.draining || self.scouting || !due || !(for_tickets || self.policy.apply.enabled) {
            return;
        }
        self.scouting = true;
        self.scouted_at = Some(self.clock.now());
        let (client, policy) = (self.client.clone(), self.policy.clone());
        self.tasks
            .spawn(async move { Event::Scouted(scout(&client, &policy, for_tickets).await.map(Box::new)) });
    }

    async fn scouted(&mut self, answer: Result<Box<Finds>, Failure>) -> Result<(), DaemonError> {
        self.scouting = false;
        let finds = match answer {
            Ok(finds) => finds,
            Err(failure) => {
                tracing::warn!(reason = failure.reason, "looking around for work did not succeed");
                return Ok(());
            }
        };
        let Finds { memberships, tickets, positions, applications } = *finds;
        for position in applications.iter().filter_map(|application| application.position_id.as_ref()) {
            if self.applying.remove(position) {
                self.applied_to(position.clone()).await?;
            }
        }
        self.free = VecDeque::from(self.policy.tickets.choose(&tickets));
        self.fill().await?;
        let chosen =
            self.policy.apply.choose(&self.me, &positions, &applications, &memberships, &self.applied);
        for position in chosen {
            self.apply_to(position).await?;
        }
        Ok(())
    }

    async fn apply_to(&mut self, position: Position) -> Result<(), DaemonError> {
        let template = &self.policy.apply.cover_letter;
        let letter = wording::cover_letter(template, &self.me, &position.title, &position.project.title);
        tracing::info!(position = position.title, project = position.project.title, "applying");
        let intent = Entry::Opened(format!("apply/{}", position.id), self.clock.now());
        self.journal.write(vec![intent]).await?;
        crash::point("apply/intended");
        self.applied.insert(position.id.clone());
        let client = self.client.clone();
        self.tasks.spawn(async move {
            let answer = apply(&client, &position.id, letter).await;
            Event::Applied { position: position.id, answer }
        });
        Ok(())
    }

    /// An application is there.
    async fn applied_to(&mut self, position: PositionId) -> Result<(), DaemonError> {
        let now = self.clock.now();
        let settled = Entry::Settled(format!("apply/{position}"), now);
        self.applied.insert(position.clone());
        self.journal.write(vec![Entry::Applied(position, now), settled]).await?;
        crash::point("apply/noted");
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), DaemonError> {
        let now = self.clock.now();
        let due: Vec<TicketId> = self
            .jobs
            .values()
            .filter(|job| job.due_in(now).is_some_and(|left| left.is_zero()))
            .map(|job| job.ticket.clone())
            .collect();
        for ticket in due {
            self.tell(&ticket, Input::Due, None).await?;
        }
        if self.sweep_at() <= now {
            self.sweep().await?;
        }
        Ok(())
    }
}

/// Whether this much time has passed. A clock that was set back does not say, so it has.
fn is_over(since: Timestamp, now: Timestamp, time: Duration) -> bool {
    since > now || now.since(since) >= time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_over_when_it_has_passed_and_when_the_clock_was_set_back() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let minute = Duration::from_secs(60);
        let over = [99, 100, 159, 160, 9000].map(|now| is_over(at(100), at(now), minute));
        assert_eq!(over, [true, false, false, true, true]);
    }
}
