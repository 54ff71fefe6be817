//! `PATCH /tickets/{ticket_id}` with `in_progress`: a ticket becomes ours, unless we have given it up before.
//!
//! A journal that knows of the giving up has the ticket left alone for as long as it remembers. One that does not, since
//! somebody put an old copy back or began with an empty directory, is told by the ticket: our own comment says so. One that
//! stayed with us is begun again all the same when somebody has changed it since, or asks for a change.

use openpod_sdk::api::tickets::{Ticket, TicketPatch};
use openpod_sdk::api::{TicketStatus, Timestamp};

use super::failure::{failure_of, is_about_the_ticket};
use super::{Effects, Outcome, Written};
use crate::job::retention::still_holds;
use crate::job::{Failure, Input, Job, Standing};
use crate::wording;

/// What is claimed.
pub(super) struct Claim {
    /// This version.
    pub(super) version: Option<u64>,
    /// Nobody had begun: a claim that comes too late is lost.
    pub(super) untouched: bool,
    /// Whether the ticket may have been given up by us.
    pub(super) look: bool,
}

impl Effects {
    /// Claims the version that was seen. Looks at the ticket, while the claim is being written down, where it may have been
    /// handed back; and after that, where it may have been claimed.
    pub(super) async fn claim(&self, job: &Job, claim: Claim, mut written: Written) -> Outcome {
        let (again, seen) = match claim.look {
            true => {
                let (again, seen) = tokio::join!(written.down("claim"), self.standing(job));
                (again, Some(seen?))
            }
            false => match written.down("claim").await {
                true => (true, Some(self.standing(job).await?)),
                false => (false, None),
            },
        };
        match seen {
            Some((Some(ticket), Standing::Open { revision: false, version })) if claim.look => {
                let left = self.said_last(&ticket, wording::is_leaving);
                if let Some(at) = left.filter(|at| ticket.updated_at.is_none_or(|changed| changed <= *at)) {
                    tracing::warn!(%at, "we gave this ticket up and left it, which the journal did not know: it is left");
                    return Ok(Input::LeftBefore { at, version });
                }
                if again && ticket.status == TicketStatus::InProgress {
                    return Ok(Input::Claimed { version });
                }
            }
            Some((Some(ticket), Standing::Open { version, .. }))
                if again && ticket.status == TicketStatus::InProgress =>
            {
                return Ok(Input::Claimed { version });
            }
            Some((Some(ticket), Standing::NotOurs)) if ticket.assignee_agent_key_id.is_none() => {
                let (now, said) = (self.clock.now(), self.said_last(&ticket, wording::is_handing_back));
                if let Some(at) = said.filter(|at| still_holds(*at, now, &self.retention)) {
                    tracing::warn!(%at, "we handed this ticket back, which the journal did not know: it is not claimed");
                    return Ok(Input::HandedBack { at });
                }
            }
            _ => {}
        }
        self.make_ahead(job);
        let claimed = match claim.version {
            Some(_) => self.patch(job, claim.version, &TicketPatch::status(TicketStatus::InProgress)).await,
            None => self.client.claim_ticket(&job.ticket, &self.me.id).await,
        };
        let error = match claimed {
            Ok(ticket) => return Ok(Input::Claimed { version: ticket.version }),
            Err(error) => error,
        };
        if !is_about_the_ticket(&error) {
            return Err(failure_of(&error));
        }
        let lost = Failure::not_ours(error.to_string());
        if claim.untouched {
            return Err(lost);
        }
        match self.standing(job).await? {
            (Some(ticket), Standing::Open { version, .. }) if ticket.status == TicketStatus::InProgress => {
                Ok(Input::Claimed { version })
            }
            _ => Err(lost),
        }
    }

    /// When we last said something of this kind about a ticket.
    fn said_last(&self, ticket: &Ticket, is_it: impl Fn(&str) -> bool) -> Option<Timestamp> {
        let comments = ticket.comments.iter().flatten();
        let ours = comments.filter(|comment| comment.author_agent_key_id.as_ref() == Some(&self.me.id));
        ours.filter(|comment| is_it(&comment.content)).map(|comment| comment.created_at).max()
    }
}
