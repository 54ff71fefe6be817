//! Effects on the platform: brief, verify, deliver, comment, release.

use openpod_sdk::api::github::DeliverableCheck;
use openpod_sdk::api::knowledge::KnowledgeFilter;
use openpod_sdk::api::tickets::{Deliverable, Ticket, TicketPatch, UpdatedTicket};
use openpod_sdk::api::{Patch, PositionId, ProjectId, TicketId, TicketStatus};
use openpod_sdk::client::CallOptions;
use openpod_sdk::{Client, Error, api};

use super::failure::{failure_of, is_about_the_ticket, is_out_of_sight, of_token};
use super::{Effects, Outcome};
use crate::crash;
use crate::credentials::TokenSource;
use crate::job::{Assignment, Class, Failure, Input, Job, Me, Published, Reference, Standing, standing_of};
use crate::redaction::Redactor;
use crate::wording;

/// `GET /me`
pub async fn who_am_i(client: &Client) -> Result<Me, Error> {
    let me = client.me().await?.agent_key;
    Ok(Me { id: me.id, name: me.name, capabilities: me.capabilities })
}

/// `GET /tickets/{ticket_id}`: the ticket; `None` when it is out of our sight.
pub async fn look(client: &Client, ticket: &TicketId) -> Result<Option<Box<Ticket>>, Failure> {
    match client.get_ticket(ticket).await {
        Ok(ticket) => Ok(Some(Box::new(ticket))),
        Err(error) if is_out_of_sight(&error) => Ok(None),
        Err(error) => Err(failure_of(&error)),
    }
}

/// `POST /apply`. An application that is there already is as good as a new one.
pub async fn apply(client: &Client, position: &PositionId, letter: String) -> Result<(), Failure> {
    let application =
        api::applications::NewApplication { position_id: position.clone(), cover_letter: letter };
    let named = client.with(CallOptions::new().idempotency_key(format!("apply/{position}")));
    match named.apply(&application).await {
        Ok(_) => {
            crash::point("apply/sent");
            Ok(())
        }
        Err(error) if error.is(api::ErrorCode::AlreadyApplied) => Ok(()),
        Err(error) => Err(failure_of(&error)),
    }
}

/// What a worker must know.
pub(super) struct Told {
    ticket: Result<Option<Box<Ticket>>, Failure>,
    /// Owner and name.
    repository: Result<String, Failure>,
    knowledge: Result<Vec<Reference>, Failure>,
}

/// What the project knows: at most the 100 most important entries. A platform may keep it from us.
async fn knowledge(client: &Client, project: ProjectId) -> Result<Vec<Reference>, Failure> {
    let filter = KnowledgeFilter { limit: Some(100), ..KnowledgeFilter::of(project) };
    let page = match client.search_knowledge(&filter).await {
        Ok(page) => page.data,
        Err(error) if is_out_of_sight(&error) => Vec::new(),
        Err(error) => return Err(failure_of(&error)),
    };
    let reference = |entry: api::knowledge::Knowledge| Reference {
        title: entry.title,
        content: entry.content,
        category: entry.category,
        importance: entry.importance,
    };
    Ok(page.into_iter().map(reference).collect())
}

fn standing_in(ticket: &Ticket, me: &Me) -> Standing {
    let assignee = ticket.assignee_agent_key_id.as_ref();
    standing_of(&me.id, assignee, &ticket.status, ticket.approval_status.as_ref(), ticket.version)
}

impl Effects {
    /// The ticket and where it stands.
    pub(super) async fn standing(&self, job: &Job) -> Result<(Option<Box<Ticket>>, Standing), Failure> {
        let Some(ticket) = look(&self.client, &job.ticket).await? else {
            return Ok((None, Standing::NotOurs));
        };
        let standing = standing_in(&ticket, &self.me);
        Ok((Some(ticket), standing))
    }

    pub(super) async fn patch(
        &self,
        job: &Job,
        version: Option<u64>,
        patch: &TicketPatch,
    ) -> Result<UpdatedTicket, Error> {
        match version {
            Some(version) => {
                let options = CallOptions::new().if_match(version);
                self.client.with(options).update_ticket(&job.ticket, patch).await
            }
            None => self.client.update_ticket(&job.ticket, patch).await,
        }
    }

    /// Gathers ticket, comments and knowledge, and writes them down for the run.
    pub(super) async fn brief(&self, job: &Job) -> Outcome {
        let told = match self.told.answer(&job.ticket).await {
            // A refusal may be over by now.
            Some(Told { ticket: Ok(ticket), repository: Ok(repository), knowledge: Ok(knowledge) }) => {
                (ticket, repository, knowledge)
            }
            _ => {
                let Told { ticket, repository, knowledge } = self.gather(job).await;
                (ticket?, repository?, knowledge?)
            }
        };
        let (ticket, repository, knowledge) = told;
        let is_ours = |ticket: &Ticket| standing_in(ticket, &self.me) != Standing::NotOurs;
        let Some(ticket) = ticket.filter(|ticket| is_ours(ticket)) else {
            return Err(Failure::not_ours("the ticket is not ours any more"));
        };
        let assignment = Assignment::new(job, &self.me, &ticket, repository, knowledge);
        self.write_assignment(job, &assignment).await?;
        Ok(Input::Briefed)
    }

    /// Asks for what the worker must know.
    pub(super) fn gather(&self, job: &Job) -> impl Future<Output = Told> + Send + use<> {
        let (client, tokens) = (self.client.clone(), self.tokens.of(&job.project));
        let (ticket, project) = (job.ticket.clone(), job.project.clone());
        async move {
            let (ticket, origin, knowledge) =
                tokio::join!(look(&client, &ticket), tokens.token(false), knowledge(&client, project));
            let repository = origin.map(|origin| format!("{}/{}", origin.owner, origin.name));
            Told { ticket, repository: repository.map_err(|error| of_token(&error)), knowledge }
        }
    }

    /// `POST /github/verify-deliverable` must say yes, and must have seen the commit that was pushed.
    pub(super) async fn verify(&self, job: &Job, url: String, head: &str) -> Outcome {
        let check = DeliverableCheck { project_id: job.project.clone(), pr_url: url };
        let seen = self.client.verify_deliverable(&check).await.map_err(|error| failure_of(&error))?;
        if !seen.valid {
            let reason = seen.reason.unwrap_or_else(|| "no reason was given".into());
            return Err(Failure::doubted(
                Class::Platform,
                format!("the platform does not accept {}: {reason}", check.pr_url),
            ));
        }
        match seen.head_sha.filter(|seen| seen != head) {
            Some(old) => {
                let reason = format!("the platform still sees {old} in {}, not {head}", check.pr_url);
                Err(Failure::doubted(Class::Platform, reason))
            }
            None => Ok(Input::Verified(seen.checks_summary.unwrap_or(api::ChecksSummary::NoChecks))),
        }
    }

    /// `PATCH /tickets/{ticket_id}` with status, branch and deliverable.
    pub(super) async fn deliver(&self, job: &Job, pull_request: &Published, content_hash: String) -> Outcome {
        let deliverable = Deliverable {
            label: Some(wording::deliverable_label(job)),
            content_hash: Some(content_hash),
            ..Deliverable::pull_request(&pull_request.url)
        };
        let (ticket, standing) = self.standing(job).await?;
        if let Some(done) = ticket.as_deref().and_then(|ticket| delivered(ticket, &deliverable)) {
            return Ok(done);
        }
        if let Some(behind) = self.behind(job, ticket.as_deref(), &standing)? {
            return Ok(behind);
        }
        let patch = TicketPatch {
            status: Some(self.policy.tickets.finish_as.clone()),
            deliverables: Some(vec![deliverable.clone()]),
            branch_name: Patch::Value(job.branch.clone()),
            ..TicketPatch::default()
        };
        let error = match self.patch(job, None, &patch).await {
            Ok(ticket) => return Ok(Input::Delivered { version: ticket.version }),
            Err(error) => error,
        };
        if is_about_the_ticket(&error) {
            let (ticket, standing) = self.standing(job).await?;
            if let Some(done) = ticket.as_deref().and_then(|ticket| delivered(ticket, &deliverable)) {
                return Ok(done);
            }
            if standing == Standing::NotOurs {
                return Err(Failure::not_ours(error.to_string()));
            }
        }
        Err(failure_of(&error))
    }

    /// `POST /tickets/{ticket_id}/comments`, once.
    pub(super) async fn say(&self, job: &Job, text: String) -> Outcome {
        let text = Redactor::new(self.secrets.clone()).text(&text);
        if self.said(job, &text).await? {
            return Ok(Input::Said);
        }
        let options = match job.intent() {
            Some(intent) => CallOptions::new().idempotency_key(intent),
            None => CallOptions::new(),
        };
        self.client.with(options).add_comment(&job.ticket, text).await.map_err(|error| failure_of(&error))?;
        Ok(Input::Said)
    }

    /// Whether we said it: the last paragraph names the round, whatever stands before it.
    async fn said(&self, job: &Job, text: &str) -> Result<bool, Failure> {
        let ticket = look(&self.client, &job.ticket).await?;
        let comments = ticket.and_then(|ticket| ticket.comments).unwrap_or_default();
        let ours = |comment: &api::tickets::Comment| {
            last_paragraph(&comment.content) == last_paragraph(text)
                && comment.author_agent_key_id.as_ref() == Some(&self.me.id)
        };
        Ok(comments.iter().any(ours))
    }

    /// `GET /tickets/{ticket_id}`: the ticket as it is left. Whatever is newer has changed since.
    pub(super) async fn leave(&self, job: &Job) -> Outcome {
        let version = look(&self.client, &job.ticket).await?.and_then(|ticket| ticket.version);
        Ok(Input::Left { version })
    }

    /// `PATCH /tickets/{ticket_id}` with `todo`. A ticket that is not ours any more, or is handed in, needs no release.
    pub(super) async fn release(&self, job: &Job) -> Outcome {
        if !matches!(self.standing(job).await?.1, Standing::Open { .. }) {
            return Ok(Input::Released);
        }
        match self.patch(job, None, &TicketPatch::status(TicketStatus::Todo)).await {
            Ok(_) => Ok(Input::Released),
            Err(error) if is_about_the_ticket(&error) => Ok(Input::Released),
            Err(error) => Err(failure_of(&error)),
        }
    }
}

/// Whether the deliverable is on the ticket and the ticket is handed in.
fn delivered(ticket: &Ticket, deliverable: &Deliverable) -> Option<Input> {
    let is_filed =
        |filed: &Deliverable| filed.url == deliverable.url && filed.content_hash == deliverable.content_hash;
    let done = ticket.deliverables.iter().any(is_filed) && ticket.status.is_handed_in();
    done.then_some(Input::Delivered { version: ticket.version })
}

fn last_paragraph(text: &str) -> &str {
    text.rsplit("\n\n").next().unwrap_or(text).trim()
}
