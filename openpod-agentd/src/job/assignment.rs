//! What a worker is told: the JSON of `$OPENPOD_TICKET_FILE`, which also comes on its standard input.

use std::path::PathBuf;

use openpod_sdk::api::tickets::{Comment, Ticket};
use openpod_sdk::api::{Importance, KnowledgeCategory, Priority, ProjectId, TicketId, TicketType, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Job, Me};

/// A ticket as a worker gets it. Fields are added, never changed; `format` says when that is not enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// 1.
    pub format: u32,
    /// What is to be done.
    pub ticket: TicketText,
    /// The branch that the workspace is on.
    pub branch: String,
    /// `owner/name` of the repository.
    pub repository: String,
    /// 1 for the first time, one more for each revision.
    pub round: u32,
    /// 1 for the first time, one more after each failure in this round.
    pub attempt: u32,
    /// What others said since the work was first handed in, oldest first: in a revision, this is what to change.
    pub feedback: Vec<Note>,
    /// What the reviewer said last, in a revision: this round is about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Note>,
    /// The conversation so far: what the agent said when it handed in, and what others answered, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Exchange>,
    /// A file with the ends of what the agent's earlier runs for this ticket wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<PathBuf>,
    /// Everything that was said about the ticket, oldest first.
    pub comments: Vec<Note>,
    /// What the project knows, the most important first.
    pub knowledge: Vec<Reference>,
    /// Why the attempt before this one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_failure: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TicketText {
    /// The ticket.
    pub id: TicketId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its number within the project.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// The whole text.
    pub description: Option<String>,
    /// What kind of work it is.
    #[serde(rename = "type")]
    pub kind: Option<TicketType>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// What must be true at the end.
    pub acceptance_criteria: Vec<String>,
    /// Words to find it by.
    pub labels: Vec<String>,
}

/// What the agent said, and what others answered before it spoke again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The agent's report.
    pub report: Note,
    /// The answers, oldest first.
    pub answers: Vec<Note>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Who said it.
    pub author: Option<String>,
    /// Whether that is the agent itself.
    pub own: bool,
    /// What.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Something the project knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    pub content: String,
    /// What it is about.
    pub category: KnowledgeCategory,
    /// How much it matters.
    pub importance: Importance,
}

impl Assignment {
    /// Puts together what a worker must know for its next attempt.
    pub fn new(job: &Job, me: &Me, ticket: &Ticket, repository: String, knowledge: Vec<Reference>) -> Self {
        let comments: Vec<Note> =
            ticket.comments.iter().flatten().map(|comment| note_of(comment, me)).collect();
        Self {
            format: 1,
            ticket: TicketText {
                id: job.ticket.clone(),
                project_id: job.project.clone(),
                number: job.number,
                title: ticket.title.clone(),
                description: ticket.description.clone(),
                kind: ticket.ticket_type.clone(),
                priority: ticket.priority.clone(),
                acceptance_criteria: ticket.acceptance_criteria.clone(),
                labels: ticket.labels.clone(),
            },
            branch: job.branch.clone(),
            repository,
            round: job.round,
            attempt: job.attempts + 1,
            feedback: if job.round > 1 { feedback_in(&comments) } else { Vec::new() },
            review: comments.last().filter(|note| job.round > 1 && !note.own).cloned(),
            history: if job.round > 1 { history_in(&comments) } else { Vec::new() },
            transcript: None,
            comments,
            knowledge,
            previous_failure: job.worker_failure.clone(),
        }
    }
}

fn note_of(comment: &Comment, me: &Me) -> Note {
    Note {
        author: comment.author_name.clone(),
        own: comment.author_agent_key_id.as_ref() == Some(&me.id),
        text: comment.content.clone(),
        at: comment.created_at,
    }
}

/// What others said after our first report; everything they said when there is none.
fn feedback_in(comments: &[Note]) -> Vec<Note> {
    let first_report = comments.iter().position(|note| note.own);
    comments.iter().skip(first_report.unwrap_or(0)).filter(|note| !note.own).cloned().collect()
}

/// From each of our reports to the next.
fn history_in(comments: &[Note]) -> Vec<Exchange> {
    let mut history: Vec<Exchange> = Vec::new();
    for note in comments {
        match history.last_mut() {
            _ if note.own => history.push(Exchange { report: note.clone(), answers: Vec::new() }),
            Some(exchange) => exchange.answers.push(note.clone()),
            None => {}
        }
    }
    history
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::Candidate;

    fn job(round: u32) -> Job {
        let candidate =
            Candidate { project: "p1".into(), number: 7, title: "Greet".into(), ..Candidate::of_tests("t1") };
        Job { round, ..Job::new(candidate, "openpod/", Timestamp::from_micros(0)) }
    }

    fn assignment(round: u32, comments: &[(&str, &str)]) -> Assignment {
        let comments: Vec<_> = comments
            .iter()
            .map(|(author, text)| {
                json!({"content": text, "author_agent_key_id": author, "created_at": "2026-03-12T10:30:00Z"})
            })
            .collect();
        let ticket = json!({
            "id": "t1", "title": "Greet", "status": "in_progress", "comments": comments,
            "acceptance_criteria": ["it greets"],
        });
        let me = Me { id: "me".into(), name: "crab".into(), capabilities: Vec::new() };
        let ticket = serde_json::from_value(ticket).unwrap();
        Assignment::new(&job(round), &me, &ticket, "acme/greetings".into(), Vec::new())
    }

    fn texts(notes: &[Note]) -> Vec<&str> {
        notes.iter().map(|note| note.text.as_str()).collect()
    }

    #[test]
    fn feedback_is_what_others_said_since_the_first_report() {
        let said = [
            ("owner", "Mind the commas"),
            ("me", "Done."),
            ("owner", "In capitals"),
            ("me", "Done again."),
            ("pm", "Shorter"),
        ];
        assert_eq!(texts(&assignment(2, &said).feedback), ["In capitals", "Shorter"]);
        assert_eq!(texts(&assignment(2, &said).comments).len(), 5);
        let told = assignment(3, &said);
        assert_eq!(told.review.unwrap().text, "Shorter");
        let history: Vec<_> =
            told.history.iter().map(|part| (&*part.report.text, texts(&part.answers))).collect();
        assert_eq!(history, [("Done.", vec!["In capitals"]), ("Done again.", vec!["Shorter"])]);
        assert!(assignment(2, &said[..4]).review.is_none(), "nobody has answered");
        assert!(assignment(1, &said[..1]).feedback.is_empty(), "there is none before a revision");
        assert_eq!(
            texts(&assignment(2, &said[..1]).feedback),
            ["Mind the commas"],
            "our report was not kept"
        );
    }

    #[test]
    fn a_worker_reads_the_documented_fields() {
        let text = serde_json::to_value(assignment(1, &[])).unwrap();
        for field in [
            "format",
            "ticket",
            "branch",
            "repository",
            "round",
            "attempt",
            "feedback",
            "comments",
            "knowledge",
        ] {
            assert!(text.get(field).is_some(), "{field}");
        }
        assert_eq!(text["ticket"]["acceptance_criteria"], json!(["it greets"]));
        assert_eq!(text["ticket"]["number"], 7);
    }
}
