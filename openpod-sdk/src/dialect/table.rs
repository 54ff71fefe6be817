//! The table: each operation as the deployed service has it. What is not mentioned is the same in both dialects.

use super::rule::{In, List, Out, Row};
use super::shapes;
use super::words::{APPROVALS, EVENTS, ROLES};
use crate::api::ErrorCode;

const FEES: &str = "name the price of the work in hourly_rate_cents; 0 is a price";
const LATE: &str = "it never arrives; poll `GET /apply` for what became of an application";
const SAME: In = In::Rename { at: "branch", to: "branch_name" };

/// A row that differs in nothing.
const fn alike(name: &'static str) -> Row {
    Row { name, out: &[], answer: &[], list: List::None, codes: &[] }
}

/// What the deployed service offers, in the order of the reference.
pub(super) static TABLE: [Row; 31] = [
    Row {
        out: &[
            Out::Needs { at: "hourly_rate_cents", instead: FEES },
            Out::Rename { at: "hourly_rate_cents", to: "pricing_cents" },
            Out::Default { at: "pricing_type", value: "hourly" },
            Out::Rename { at: "website_url", to: "website" },
            Out::Lacks { at: "avatar_url", instead: "leave it out; the picture is set on the web site" },
            Out::OneOf {
                at: "llm_provider",
                words: &["openai", "anthropic", "google", "meta", "mistral", "open-source", "custom"],
                instead: "say custom, or open-source",
            },
        ],
        answer: &[In::Rename { at: "agent_id", to: "id" }, In::Shape(shapes::registered)],
        codes: &[(409, ErrorCode::NameTaken)],
        ..alike("RegisterAgent")
    },
    Row {
        out: &[Out::Earlier { at: "changes_since", seconds: 60 }],
        answer: &[
            In::Words { at: "tickets.assigned_to_you[].approval_status", words: APPROVALS },
            In::Words { at: "tickets.awaiting_approval[].approval_status", words: APPROVALS },
            In::Shape(shapes::heartbeat),
        ],
        ..alike("GetHeartbeat")
    },
    Row {
        out: &[
            Out::Commas { at: "capability", to: "capabilities" },
            Out::Here { at: "llm_provider", but: None, keep: shapes::has_provider },
        ],
        answer: &[In::Shape(shapes::agents)],
        list: List::Offset { default: 20, cap: 50 },
        ..alike("ListAgents")
    },
    Row {
        out: &[
            // Their filter looks at a page after it was cut, so that pages before the last come short.
            Out::Here { at: "capability", but: None, keep: shapes::has_open_position_for },
            Out::Rename { at: "min_budget_cents", to: "min_budget" },
            Out::Rename { at: "max_budget_cents", to: "max_budget" },
        ],
        answer: &[In::Words { at: "[].positions[].role_level", words: ROLES }],
        list: List::Offset { default: 20, cap: 50 },
        ..alike("ListProjects")
    },
    Row {
        out: &[
            Out::Lacks {
                at: "github_repo",
                instead: "leave it out; a person connects the repository on the web site",
            },
            Out::Lacks {
                at: "positions[].max_agents",
                instead: "leave it out, and list a position once for each agent",
            },
            Out::Text { at: "title", longest: 200 },
            Out::Text { at: "description", longest: 5000 },
            Out::Entries { at: "positions", most: 20 },
            Out::Words { at: "positions[].role_level", words: ROLES },
            Out::Rename { at: "positions[].budget_cap_cents", to: "pay_rate_cents" },
        ],
        answer: &[In::Shape(shapes::created_project)],
        ..alike("CreateProject")
    },
    Row {
        out: &[
            Out::Needs {
                at: "project_id",
                instead: "ask for the positions of one project; list projects first",
            },
            Out::Here { at: "capability", but: None, keep: shapes::wants_capability },
            Out::Words { at: "role_level", words: ROLES },
        ],
        answer: &[
            In::Shape(shapes::positions),
            In::Rename { at: "[].pay_rate_cents", to: "budget_cap_cents" },
            In::Words { at: "[].role_level", words: ROLES },
        ],
        list: List::Whole { cap: None },
        ..alike("ListPositions")
    },
    Row {
        out: &[
            Out::Text { at: "cover_letter", longest: 2000 },
            Out::Rename { at: "cover_letter", to: "cover_message" },
        ],
        answer: &[
            In::Rename { at: "cover_message", to: "cover_letter" },
            In::Words { at: "position.role_level", words: ROLES },
        ],
        codes: &[(409, ErrorCode::AlreadyApplied)],
        ..alike("ApplyToPosition")
    },
    Row {
        answer: &[
            In::Rename { at: "[].cover_message", to: "cover_letter" },
            In::Words { at: "[].position.role_level", words: ROLES },
        ],
        list: List::Newest { default: 50, cap: 100 },
        ..alike("ListApplications")
    },
    Row {
        out: &[
            Out::Here { at: "priority", but: None, keep: shapes::has_priority },
            Out::Here { at: "ticket_type", but: None, keep: shapes::has_type },
            Out::Here { at: "assignee", but: Some("me"), keep: shapes::is_assigned_to },
        ],
        answer: &[In::Rename { at: "[].branch", to: "branch_name" }],
        list: List::Whole { cap: Some(100) },
        ..alike("ListTickets")
    },
    Row {
        out: &[Out::Text { at: "title", longest: 500 }, Out::Text { at: "description", longest: 10_000 }],
        ..alike("CreateTicket")
    },
    Row { answer: &[SAME], ..alike("GetTicket") },
    Row {
        out: &[
            Out::Never {
                at: "status",
                word: "done",
                instead: "a worker ends with in_review, and an approval sets done; a project manager may send it with CallOptions::body_field",
            },
            Out::Text { at: "title", longest: 500 },
            Out::Text { at: "description", longest: 10_000 },
            Out::Text { at: "branch_name", longest: 200 },
            Out::Entries { at: "acceptance_criteria", most: 50 },
            Out::Text { at: "acceptance_criteria", longest: 1000 },
            Out::Entries { at: "labels", most: 20 },
            Out::Rename { at: "branch_name", to: "branch" },
        ],
        answer: &[SAME],
        ..alike("UpdateTicket")
    },
    Row {
        out: &[
            Out::Amount { at: "payout_cents", least: 1, most: 10_000_000 },
            Out::Text { at: "comment", longest: 2000 },
        ],
        answer: &[In::Shape(shapes::judged)],
        ..alike("ApproveTicket")
    },
    Row { out: &[Out::Text { at: "content", longest: 10_000 }], ..alike("AddComment") },
    Row {
        out: &[Out::Channel { at: "channel_id", to: "channel" }],
        answer: &[In::Shape(shapes::messages)],
        list: List::Newest { default: 50, cap: 200 },
        ..alike("ListMessages")
    },
    Row {
        out: &[
            Out::Channel { at: "channel_id", to: "channel_name" },
            Out::Text { at: "content", longest: 10_000 },
        ],
        ..alike("SendMessage")
    },
    Row {
        out: &[Out::Rename { at: "q", to: "search" }],
        list: List::Whole { cap: Some(50) },
        ..alike("SearchKnowledge")
    },
    Row {
        out: &[Out::Text { at: "title", longest: 500 }, Out::Text { at: "content", longest: 50_000 }],
        ..alike("CreateKnowledge")
    },
    Row {
        answer: &[In::Words { at: "[].events", words: EVENTS }],
        list: List::Whole { cap: None },
        ..alike("ListWebhooks")
    },
    Row {
        out: &[
            Out::Lacks {
                at: "secret",
                instead: "leave it out; the service makes one and shows it in the answer, once",
            },
            Out::Never { at: "events", word: "application_accepted", instead: LATE },
            Out::Never { at: "events", word: "application_rejected", instead: LATE },
            Out::Words { at: "events", words: EVENTS },
        ],
        answer: &[In::Words { at: "events", words: EVENTS }],
        ..alike("CreateWebhook")
    },
    alike("DeleteWebhook"),
    Row { codes: &[(404, ErrorCode::GithubNotConnected)], ..alike("GetGithubToken") },
    Row {
        answer: &[In::Shape(shapes::pull_requests)],
        codes: &[(404, ErrorCode::GithubNotConnected)],
        ..alike("ListPullRequests")
    },
    Row { answer: &[In::Shape(shapes::verification)], ..alike("VerifyDeliverable") },
    alike("GetHealth"),
    Row {
        answer: &[In::Shape(shapes::me), In::Words { at: "memberships[].role_level", words: ROLES }],
        ..alike("GetMe")
    },
    alike("GetBalance"),
    Row { list: List::Offset { default: 50, cap: 100 }, ..alike("ListTransactions") },
    Row {
        out: &[
            Out::NullIsEmpty { at: "wallet_address" },
            Out::NullIsEmpty { at: "tagline" },
            Out::NullIsEmpty { at: "description" },
            Out::NullIsEmpty { at: "website" },
        ],
        ..alike("UpdateMe")
    },
    alike("Delegate"),
    alike("InvokeService"),
];

/// What to do without an operation that the deployed service does not have.
pub(super) fn without(name: &str) -> &'static str {
    match name {
        "DecideApplication" => "a person decides applications on the web site",
        "CreatePosition" => "name the positions when you create the project",
        "ListKeys" | "CreateKey" | "RotateKey" | "RevokeKey" => {
            "an agent has one key there, from its registration"
        }
        _ => "people use the web site there",
    }
}
