//! What the service remembers.

use std::collections::HashMap;

use openpod_sdk::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use super::rules::Role;
use super::webhooks::Webhook;

#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) key: String,
    /// Whose tickets are.
    pub(super) key_id: String,
    /// Whom the directory lists.
    pub(super) registry_id: String,
    pub(super) name: String,
    pub(super) capabilities: Value,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) project: String,
    pub(super) agent: String,
    pub(super) role: Role,
}

/// A ticket as it travels, and what the original tells nobody.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) wire: Map<String, Value>,
    pub(super) approval: Option<&'static str>,
}

impl Ticket {
    pub(super) fn text(&self, field: &str) -> &str {
        self.wire[field].as_str().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(super) struct Platform {
    pub(super) agents: Vec<Agent>,
    pub(super) members: Vec<Member>,
    pub(super) tickets: Vec<Ticket>,
    pub(super) comments: Vec<Value>,
    pub(super) transactions: Vec<Value>,
    pub(super) webhooks: Vec<Webhook>,
    /// How many heartbeats each agent has asked for.
    pub(super) looks: HashMap<String, u64>,
    next: u64,
}

/// As its database writes times.
pub(super) fn now() -> String {
    SystemClock.now().to_string().replace('Z', "+00:00")
}

impl Platform {
    pub(super) fn new_id(&mut self) -> String {
        self.next += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.next, self.next)
    }

    pub(super) fn register(&mut self, name: &str, capabilities: Value) -> Agent {
        let (key_id, registry_id) = (self.new_id(), self.new_id());
        let key = format!("openpod_{:032x}", self.next);
        let agent = Agent { key, key_id, registry_id, name: name.to_owned(), capabilities };
        self.agents.push(agent.clone());
        agent
    }

    pub(super) fn role(&self, project: &str, agent: &str) -> Option<Role> {
        let here = |member: &&Member| member.project == project && member.agent == agent;
        self.members.iter().find(here).map(|member| member.role)
    }

    pub(super) fn ticket(&mut self, id: &str) -> Option<&mut Ticket> {
        self.tickets.iter_mut().find(|ticket| ticket.text("id") == id)
    }

    /// A new ticket; what the body does not say has the original's default.
    pub(super) fn create(&mut self, creator: &str, body: &Map<String, Value>) -> Ticket {
        let id = self.new_id();
        let number = self.tickets.len() + 1;
        let said = |field: &str| body.get(field).cloned().unwrap_or_default();
        let or = |field: &str, default: &str| body.get(field).cloned().unwrap_or_else(|| default.into());
        let wire = json!({
            "id": id, "project_id": said("project_id"), "ticket_number": number, "title": said("title"),
            "description": said("description"), "status": "todo", "priority": or("priority", "medium"),
            "ticket_type": or("ticket_type", "task"), "acceptance_criteria": said("acceptance_criteria"),
            "parent_ticket_id": null, "branch": null, "deliverables": [], "story_points": null,
            "assignee_agent_key_id": said("assignee_agent_key_id"), "assignee_user_id": null,
            "created_by_user_id": null, "created_by_agent_key_id": creator, "labels": said("labels"),
            "due_date": null, "created_at": now(), "updated_at": now(),
        });
        let Value::Object(wire) = wire else { unreachable!("an object was written") };
        let ticket = Ticket { wire, approval: None };
        self.tickets.push(ticket.clone());
        ticket
    }

    /// A verdict, as far as it is legal: `(status, reason)` otherwise.
    pub(super) fn judge(
        &mut self,
        judge: &str,
        id: &str,
        body: &Value,
    ) -> Result<Value, (u16, &'static str)> {
        let action = match body["action"].as_str() {
            Some(action @ ("approve" | "reject" | "revise")) => action,
            _ => return Err((400, "unknown action")),
        };
        let Some(ticket) = self.ticket(id).cloned() else { return Err((404, "ticket not found")) };
        if self.role(ticket.text("project_id"), judge) != Some(Role::ProjectManager) {
            return Err((403, "only owner or PM"));
        }
        if ticket.text("assignee_agent_key_id") == judge {
            return Err((403, "approver is the assignee"));
        }
        if ticket.approval == Some("approved") {
            return Err((409, "already approved or conflicting update"));
        }
        if !matches!(ticket.text("status"), "in_review" | "done") {
            return Err((400, "ticket not finished"));
        }
        let (approval, status, mut answer) = match action {
            "approve" => {
                let payout = body["payout_cents"].as_i64().filter(|cents| (1..=10_000_000).contains(cents));
                let payout = payout.ok_or((400, "payout_cents out of bounds"))?;
                if ticket.approval == Some("rejected") {
                    return Err((400, "ticket was rejected"));
                }
                let commission = (payout + 5) / 10;
                let row = json!({
                    "id": self.new_id(), "project_id": ticket.wire["project_id"], "ticket_id": id,
                    "amount_cents": payout, "commission_cents": commission, "type": "deliverable_approved",
                    "description": body["comment"], "payment_rail": "ledger", "settled": false,
                    "created_at": now(), "payee": ticket.wire["assignee_agent_key_id"],
                });
                self.transactions.push(row);
                let hashes = ticket.wire["deliverables"].as_array().map_or(0, Vec::len);
                let answer = json!({
                    "payout_cents": payout, "commission_cents": commission,
                    "net_payout_cents": payout - commission, "verified_hashes": hashes,
                    "total_deliverables": hashes,
                });
                ("approved", Some("done"), answer)
            }
            "reject" => ("rejected", None, json!({"comment": body["comment"]})),
            _ => ("revision_requested", Some("in_progress"), json!({"comment": body["comment"]})),
        };
        answer["ticket_id"] = id.into();
        answer["action"] = approval.into();
        if let Some(ticket) = self.ticket(id) {
            ticket.approval = Some(approval);
            if let Some(status) = status {
                ticket.wire.insert("status".to_owned(), status.into());
            }
            ticket.wire.insert("updated_at".to_owned(), now().into());
        }
        Ok(answer)
    }
}
