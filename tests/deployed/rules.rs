//! Who may move a ticket where. Pure.
//!
//! | from | to |
//! |---|---|
//! | todo | in_progress, cancelled |
//! | in_progress | in_review, todo, cancelled |
//! | in_review | done, in_progress, cancelled |
//! | done | in_review |
//! | cancelled | todo |
//!
//! A worker goes from todo to in_progress and from there to in_review, with tickets of its own; a lead everywhere but to
//! done; a project manager everywhere.

use serde_json::{Map, Value};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Worker,
    Lead,
    ProjectManager,
}

impl Role {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Role::Worker => "worker",
            Role::Lead => "lead",
            Role::ProjectManager => "project_manager",
        }
    }
}

const STATUSES: [&str; 5] = ["todo", "in_progress", "in_review", "done", "cancelled"];
const FIELDS: [&str; 13] = [
    "title",
    "description",
    "status",
    "priority",
    "ticket_type",
    "acceptance_criteria",
    "assignee_agent_key_id",
    "branch",
    "deliverables",
    "story_points",
    "labels",
    "due_date",
    "parent_ticket_id",
];
const OF_WORKERS: [&str; 4] = ["status", "branch", "deliverables", "assignee_agent_key_id"];

fn is_legal(from: &str, to: &str) -> bool {
    from == to
        || matches!(
            (from, to),
            ("todo", "in_progress" | "cancelled")
                | ("in_progress", "in_review" | "todo" | "cancelled")
                | ("in_review", "done" | "in_progress" | "cancelled")
                | ("done", "in_review")
                | ("cancelled", "todo")
        )
}

/// Whether a member may change a ticket so, or the status and reason of a refusal. In the order of the original: whose it
/// is and which fields (403), a status that is none (400), a move that is none (400), a move of another role (403).
pub(super) fn may_patch(
    role: Role,
    me: &str,
    ticket: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<(), (u16, &'static str)> {
    if !patch.keys().any(|key| FIELDS.contains(&key.as_str())) {
        return Err((400, "no known field"));
    }
    let assignee = ticket["assignee_agent_key_id"].as_str();
    if role == Role::Worker {
        let to_self = patch.get("assignee_agent_key_id").is_some_and(|id| id == me);
        let to_other = patch.get("assignee_agent_key_id").is_some_and(|id| !id.is_null() && id != me);
        let is_mine = assignee == Some(me) || (assignee.is_none() && to_self);
        let known = |key: &String| !FIELDS.contains(&key.as_str()) || OF_WORKERS.contains(&key.as_str());
        if !is_mine || to_other || !patch.keys().all(known) {
            return Err((403, "workers may change their own tickets, and of them four fields"));
        }
    }
    let Some(to) = patch.get("status") else { return Ok(()) };
    let from = ticket["status"].as_str().unwrap_or_default();
    let to = to.as_str().filter(|to| STATUSES.contains(to)).ok_or((400, "unknown status"))?;
    if !is_legal(from, to) {
        return Err((400, "transition not allowed"));
    }
    let may = match role {
        Role::Worker => {
            from == to || matches!((from, to), ("todo", "in_progress") | ("in_progress", "in_review"))
        }
        Role::Lead => (from, to) != ("in_review", "done"),
        Role::ProjectManager => true,
    };
    if may { Ok(()) } else { Err((403, "role may not make this transition")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(role: Role, assignee: Option<&str>, from: &str, patch: Value) -> u16 {
        let ticket = json!({"assignee_agent_key_id": assignee, "status": from});
        match may_patch(role, "me", ticket.as_object().unwrap(), patch.as_object().unwrap()) {
            Ok(()) => 200,
            Err((status, _)) => status,
        }
    }

    #[test]
    fn every_move_of_every_role_is_decided() {
        // Rows: from; columns: to, in the order of STATUSES. w: worker, l: lead, p: project manager may.
        let table = [
            ("todo", ["wlp", "wlp", "", "", "lp"]),
            ("in_progress", ["lp", "wlp", "wlp", "", "lp"]),
            ("in_review", ["", "lp", "wlp", "p", "lp"]),
            ("done", ["", "", "lp", "wlp", ""]),
            ("cancelled", ["lp", "", "", "", "wlp"]),
        ];
        for (from, row) in table {
            for (to, who) in STATUSES.iter().zip(row) {
                for (letter, role) in [('w', Role::Worker), ('l', Role::Lead), ('p', Role::ProjectManager)] {
                    let wanted = match (who.contains(letter), who.is_empty()) {
                        (true, _) => 200,
                        (false, true) => 400,
                        (false, false) => 403,
                    };
                    assert_eq!(
                        patched(role, Some("me"), from, json!({"status": to})),
                        wanted,
                        "{role:?} {from} {to}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_worker_takes_a_free_ticket_only_in_its_own_name_and_never_anothers() {
        let claim = json!({"status": "in_progress", "assignee_agent_key_id": "me"});
        assert_eq!(patched(Role::Worker, None, "todo", claim.clone()), 200);
        assert_eq!(patched(Role::Worker, Some("other"), "todo", claim), 403);
        assert_eq!(patched(Role::Worker, None, "todo", json!({"status": "in_progress"})), 403);
        assert_eq!(patched(Role::Worker, Some("me"), "todo", json!({"assignee_agent_key_id": "other"})), 403);
        assert_eq!(patched(Role::Worker, Some("me"), "todo", json!({"title": "T"})), 403);
        assert_eq!(patched(Role::Worker, Some("me"), "todo", json!({"branch_name": "b"})), 400);
    }
}
