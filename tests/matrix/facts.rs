//! What must be true at the end, whatever went wrong before.

use std::path::Path;

use openpod_sdk::api::PullRequestState;
use openpod_sdk::api::github::PullRequestFilter;
use openpod_sdk::api::owner::AuditFilter;
use openpod_sdk::api::{ApprovalStatus, Cents, TicketId, TicketStatus};

use super::conversation::{Conversation, Held};

/// How often the worker may have been started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Once a round, and twice for what it cannot do.
    AsMeant,
    /// Once more, since a run was lost.
    OneMore,
}

impl Conversation {
    /// One claim, one branch, one pull request, one deliverable, one comment per purpose, no lost commit, paid once; and
    /// nothing left behind. The daemon has stopped.
    pub async fn check(&self, held: &Held, runs: Runs) {
        self.check_circle(&held.circle, runs).await;
        self.check_runs(runs);
        self.check_delivery(held).await;
    }

    /// The same for the ticket that was done alone.
    pub async fn check_delivery(&self, held: &Held) {
        self.check_answer(held).await;
        self.check_repository(held).await;
        self.check_platform().await;
        let kept = self.data_dir.join("runs").join(held.answer.as_str()).exists();
        assert_eq!(kept, !self.forgets, "what the worker said is kept as long as the ticket is known");
        assert_eq!(leftovers(&self.data_dir), Vec::<String>::new(), "this was left in the data directory");
        assert_eq!(self.world.processes(), Vec::<String>::new(), "these processes live on");
    }

    async fn check_answer(&self, held: &Held) {
        let ticket = self.world.owner.get_ticket(&held.answer).await.unwrap();
        assert_eq!(ticket.approval_status, Some(ApprovalStatus::Approved));
        assert_eq!(ticket.assignee_agent_key_id.as_ref(), Some(&self.me));
        assert_eq!(ticket.deliverables.len(), 1, "{:?}", ticket.deliverables);
        assert_eq!(ticket.deliverables[0].url, held.first.deliverables[0].url);
        assert_ne!(ticket.deliverables[0].content_hash, held.first.deliverables[0].content_hash);
        let said = self.said(&ticket);
        let [first, second] = &said[..] else { panic!("two reports, and no more: {said:#?}") };
        assert!(
            first.starts_with("The answer is in its file.") && second.starts_with("Now it says why."),
            "{said:?}"
        );
        assert_eq!(self.claims(&held.answer).await, 1, "claims of the ticket that was done");
    }

    async fn check_circle(&self, circle: &TicketId, runs: Runs) {
        let ticket = self.world.owner.get_ticket(circle).await.unwrap();
        let kept = (TicketStatus::InProgress, Some(self.me.clone()));
        let end = if self.leaves { kept } else { (TicketStatus::Todo, None) };
        assert_eq!((ticket.status.clone(), ticket.assignee_agent_key_id.clone()), end);
        assert_eq!(ticket.deliverables, []);
        let said = self.said(&ticket);
        let nothing = "it ended without changing anything";
        // The run that was lost may have been the last.
        let lost = runs == Runs::OneMore && said[0].contains("the worker was cut off in the middle");
        assert!(said.len() == 1 && (lost || said[0].contains(nothing)), "{said:?}");
        assert_eq!(self.claims(circle).await, 1, "claims of the ticket that was handed back");
    }

    /// How often the agent set a ticket to `in_progress`, as the audit log has it.
    async fn claims(&self, ticket: &TicketId) -> usize {
        let filter = AuditFilter {
            ticket_id: Some(ticket.clone()),
            actor: Some(self.me.to_string()),
            limit: Some(100),
            ..AuditFilter::default()
        };
        let entries = self.world.owner.list_audit(&filter).await.unwrap().data;
        let began =
            |value: &serde_json::Value| value.get("status").is_some_and(|status| status == "in_progress");
        entries.iter().filter(|entry| entry.after.as_ref().is_some_and(began)).count()
    }

    async fn check_repository(&self, held: &Held) {
        let branch = held.first.branch_name.clone().unwrap();
        let git = |args: &[&str]| self.world.git(&self.project, args);
        let branches = git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        assert_eq!(branches.lines().collect::<Vec<_>>(), ["main", &branch]);
        let commits = git(&["rev-list", "--reverse", &format!("main..{branch}")]);
        let commits: Vec<&str> = commits.lines().collect();
        assert_eq!((commits.len(), commits[0]), (2, held.first_head.as_str()), "a commit for each round");
        assert_eq!(git(&["show", &format!("{branch}:answer.txt")]), "42\nbecause it was computed");
        let all =
            PullRequestFilter { state: Some(PullRequestState::All), project_id: self.project.id.clone() };
        let pulls = self.agent.list_pull_requests(&all).await.unwrap().pull_requests;
        assert_eq!(pulls.len(), 1, "{pulls:?}");
        assert_eq!((&pulls[0].head_branch, &pulls[0].state), (&branch, &PullRequestState::Open));
    }

    async fn check_platform(&self) {
        let payments = self.agent.list_transactions(&Default::default()).await.unwrap();
        assert_eq!((payments.transactions.len(), payments.summary.total_earned_cents), (1, Cents(5000)));
        let applications = self.agent.list_applications(&Default::default()).await.unwrap().data;
        assert_eq!(applications.len(), 1, "{applications:?}");
        let webhooks = self.agent.list_webhooks().await.unwrap().data;
        assert_eq!(webhooks.len(), 1, "{webhooks:?}");
    }

    fn check_runs(&self, runs: Runs) {
        let text = std::fs::read_to_string(&self.signs).unwrap();
        let count = |word: &str| text.lines().filter(|line| *line == word).count();
        let begun = [count("answer"), count("why"), count("circle")];
        let meant = [1, 1, 2];
        let more: usize = begun.iter().sum::<usize>().saturating_sub(4);
        match runs {
            Runs::AsMeant => assert_eq!(begun, meant, "the worker is not started again"),
            Runs::OneMore => assert!(more <= 1 && begun.iter().all(|times| *times >= 1), "{begun:?}"),
        }
    }
}

/// What a daemon that has nothing left to do must not leave: jobs, scratch, sockets, locks, what was half made.
fn leftovers(data_dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![data_dir.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let within = path.strip_prefix(data_dir).unwrap().to_str().unwrap().to_owned();
            let name = within.rsplit('/').next().unwrap();
            let parent = within.split('/').next().unwrap();
            let temporary = name.ends_with(".lock") || name.ends_with(".new") || name.starts_with("tmp_");
            let of_a_job = matches!(parent, "jobs" | "removed" | "forgotten" | "run") && within.contains('/');
            let of_a_run = parent == "runs" && matches!(name, "home" | "tmp" | "alive");
            if temporary || of_a_job || of_a_run {
                found.push(within);
            } else if path.is_dir() {
                left.push(path);
            }
        }
    }
    found.sort();
    found
}
