//! What an operator asks of an agent: how it stands, to stop one of its jobs, to take nothing new.

use std::collections::BTreeMap;
use std::sync::Arc;

use openpod_sdk::api::TicketId;
use tokio::sync::mpsc;

use super::{Daemon, DaemonError};
use crate::control::{AgentReport, Answer, JobReport, WaitingReport};
use crate::event::{Event, Question};
use crate::job::{Candidate, Input, Job, OnGiveUp, State};

/// A job that is to be stopped as soon as what it does has ended.
pub(super) struct Stop {
    leave: bool,
    answers: mpsc::Sender<Answer>,
}

impl Daemon {
    pub(super) async fn asked(&mut self, question: Question) -> Result<(), DaemonError> {
        match question {
            Question::Report(answer) => {
                // Who asked may be gone.
                let _ = answer.send(self.report());
            }
            Question::Cancel { ticket, keep, answers } => self.cancel(ticket, keep, answers).await?,
            Question::Drain => {
                tracing::info!(left = self.places_taken(), "draining: nothing new is taken");
                self.draining = true;
                self.seat.leave_line();
            }
        }
        Ok(())
    }

    /// Whether what was begun is done, and nothing else is to be done.
    pub(super) fn is_drained(&self) -> bool {
        self.draining && self.tasks.is_empty() && self.places_taken() == 0
    }

    async fn cancel(
        &mut self,
        ticket: TicketId,
        keep: bool,
        answers: mpsc::Sender<Answer>,
    ) -> Result<(), DaemonError> {
        let Some(job) = self.jobs.get(&ticket).filter(|job| can_be_stopped(job)) else {
            let reason = match self.jobs.get(&ticket) {
                Some(job) => format!("it is {}, so there is nothing to stop", job.state.name()),
                None => "no job is about it".to_owned(),
            };
            let _ = answers.try_send(Answer::Refused { reason });
            return Ok(());
        };
        let leave = keep || self.policy.tickets.on_give_up == OnGiveUp::Leave;
        let effect = self.busy.get(&ticket).copied();
        if let Some(effect) = effect {
            let _ = answers.try_send(Answer::Cancelling { after: effect.to_owned() });
        }
        if matches!(job.state, State::Running { .. }) {
            let (effects, job) = (Arc::clone(&self.effects), job.clone());
            self.tasks.spawn(async move {
                if let Err(failure) = effects.stop_runs(&job).await {
                    tracing::warn!(reason = failure.reason, "a run could not be ended");
                }
                Event::Tick
            });
        }
        self.stops.insert(ticket.clone(), Stop { leave, answers });
        match effect {
            Some(_) => Ok(()),
            None => self.stop_if_asked(&ticket).await,
        }
    }

    /// Whether nothing more is to be begun for it, because an operator wants it stopped.
    pub(super) fn is_to_be_stopped(&self, job: &Job) -> bool {
        self.stops.contains_key(&job.ticket) && can_be_stopped(job)
    }

    /// Stops a job that was to be stopped, now that nothing is being done for it.
    pub(super) async fn stop_if_asked(&mut self, ticket: &TicketId) -> Result<(), DaemonError> {
        let Some(Stop { leave, answers }) = self.stops.remove(ticket) else { return Ok(()) };
        let Some(job) = self.jobs.get(ticket) else { return Ok(()) };
        let answer = match can_be_stopped(job) {
            true => Answer::Cancelled {},
            false => {
                Answer::Refused { reason: format!("it was {} before it could be stopped", job.state.name()) }
            }
        };
        self.tell(ticket, Input::Stopped { leave }, None).await?;
        let _ = answers.try_send(answer);
        Ok(())
    }

    fn report(&self) -> AgentReport {
        let open = self.jobs.values().filter(|job| job.is_open() || job.pending().is_some());
        let mut states = BTreeMap::new();
        for job in self.jobs.values() {
            *states.entry(job.state.name().to_owned()).or_default() += 1;
        }
        AgentReport {
            name: self.me.name.clone(),
            id: Some(self.me.id.clone()),
            not_ready: None,
            seen_at: self.tally.seen_at,
            unseen: self.tally.unseen.clone(),
            next_look_at: self.tally.next_at,
            outbox: self.jobs.values().filter(|job| job.pending().is_some()).count() + self.applying.len(),
            places_taken: self.places_taken(),
            places: self.policy.tickets.max_concurrent,
            spent_today: self.brakes.spent().0.into(),
            spent: self.brakes.spent().1.into(),
            held_back: self.kept_back.as_ref().map(ToString::to_string),
            breaker: self.brakes.breaker().name().to_owned(),
            kept: self.kept.clone(),
            jobs: open.map(|job| self.report_of(job)).collect(),
            waiting: self
                .assigned
                .iter()
                .chain(&self.free)
                .filter_map(|wanted| self.waiting(wanted))
                .collect(),
            states,
            effects: self.tally.effects(),
            heartbeats: self.tally.heartbeats,
        }
    }

    fn report_of(&self, job: &Job) -> JobReport {
        let run = match job.state {
            State::Running { started_at, .. } => Some(self.effects.run_of(job, started_at)),
            _ => None,
        };
        let doing = self.busy.get(&job.ticket).map(|effect| (*effect).to_owned());
        JobReport { run, doing, since: self.since.get(&job.ticket).copied(), ..JobReport::of(job) }
    }

    fn waiting(&self, wanted: &Candidate) -> Option<WaitingReport> {
        let known = self.jobs.get(&wanted.ticket).is_some_and(|job| job.state.takes_place());
        let waits_for = match (self.draining, &self.kept_back, self.free_places()) {
            (true, ..) => "nothing: the daemon takes nothing new".to_owned(),
            (_, Some(brake), _) => format!("a brake: {brake}"),
            (_, _, 0) => format!("one of {} places of this agent", self.policy.tickets.max_concurrent),
            _ => "one of the max_runs places, in turn with the other agents".to_owned(),
        };
        (!known).then(|| WaitingReport {
            ticket: wanted.ticket.clone(),
            project: wanted.project.clone(),
            number: wanted.number,
            title: wanted.title.clone(),
            waits_for,
        })
    }
}

fn can_be_stopped(job: &Job) -> bool {
    job.state.takes_place() || job.state == State::Revised
}
