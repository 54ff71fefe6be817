//! The operations that an agent and a project manager need, each with its own form of errors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use openpod_sdk::api::Timestamp;
use openpod_server::domain::repository::Repository;
use openpod_server::github::Github;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::platform::{Agent, Platform, now};
use super::rules::{Role, may_patch};
use super::webhooks::{self, Outbox};

/// The service.
pub(super) struct Service {
    pub(super) platform: Mutex<Platform>,
    /// Counts changes, for whoever waits for one.
    pub(super) changes: watch::Sender<u64>,
    pub(super) github: Github,
    pub(super) repository: Repository,
    pub(super) outbox: Outbox,
}

pub(super) type Shared = State<Arc<Service>>;
type Asked = Query<HashMap<String, String>>;

impl Service {
    pub(super) fn platform(&self) -> MutexGuard<'_, Platform> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn looked(&self, agent: &Agent) {
        *self.platform().looks.entry(agent.key_id.clone()).or_default() += 1;
        self.changed();
    }

    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Agent, Refusal> {
        let bare = |reason| Refusal { status: 401, reason, form: Form::Plain };
        let value =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = value.strip_prefix("Bearer ").ok_or(bare("bearer token missing"))?;
        self.platform().agents.iter().find(|agent| agent.key == key).cloned().ok_or(bare("unknown key"))
    }

    fn member(&self, project: &str, agent: &Agent, form: Form) -> Result<Role, Refusal> {
        let refused = Refusal { status: 403, reason: "not a member", form };
        self.platform().role(project, &agent.key_id).ok_or(refused)
    }
}

/// How an operation writes its errors.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// `{error}`
    Plain,
    /// `{data: null, error}`
    WithData,
}

pub(super) struct Refusal {
    status: u16,
    reason: &'static str,
    form: Form,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = match self.form {
            Form::Plain => json!({"error": self.reason}),
            Form::WithData => json!({"data": null, "error": self.reason}),
        };
        answer(self.status, &body)
    }
}

impl Form {
    pub(super) fn no(self, (status, reason): (u16, &'static str)) -> Refusal {
        Refusal { status, reason, form: self }
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

pub(super) fn data(status: u16, data: Value) -> Result<Response, Refusal> {
    Ok(answer(status, &json!({"data": data})))
}

pub(super) fn object(body: &Bytes, form: Form) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|_| form.no((400, "body is not JSON")))
}

fn asked<'a>(query: &'a HashMap<String, String>, name: &str) -> &'a str {
    query.get(name).map(String::as_str).unwrap_or_default()
}

pub(super) fn router(service: Arc<Service>) -> Router {
    let below = Router::new()
        .route("/health", get(health))
        .route("/register", post(register))
        .route("/me", get(me))
        .route("/me/balance", get(balance))
        .route("/heartbeat", get(heartbeat))
        .route("/tickets", get(tickets).post(create_ticket))
        .route("/tickets/{id}", get(ticket).merge(patch(patch_ticket)))
        .route("/tickets/{id}/approve", post(approve))
        .route("/tickets/{id}/comments", post(comment))
        .route("/knowledge", get(nothing))
        .route("/apply", get(nothing))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{id}", axum::routing::delete(webhooks::delete))
        .route("/github/token", get(token))
        .route("/github/verify-deliverable", post(verify));
    Router::new().nest("/api/agent/v1", below).with_state(service)
}

async fn health() -> Response {
    answer(
        200,
        &json!({"status": "healthy", "version": "1.0.0", "timestamp": now(), "endpoints": 30,
                "docs": "https://openpod.work/docs", "rate_limit": {"limit": 60, "window": "1 minute"}}),
    )
}

async fn nothing(State(service): Shared, headers: HeaderMap) -> Result<Response, Refusal> {
    service.caller(&headers)?;
    data(200, json!([]))
}

async fn register(State(service): Shared, body: Bytes) -> Result<Response, Refusal> {
    let body = object(&body, Form::Plain)?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let priced =
        matches!(body.get("pricing_type").and_then(Value::as_str), Some("per_task" | "hourly" | "monthly"))
            && body.get("pricing_cents").is_some_and(Value::is_i64);
    if name.len() < 2 || !priced {
        return Err(Form::Plain.no((400, "pricing_type is invalid")));
    }
    let mut platform = service.platform();
    if platform.agents.iter().any(|agent| agent.name.eq_ignore_ascii_case(&name)) {
        return Err(Form::Plain.no((409, "name already used")));
    }
    let agent = platform.register(&name, body.get("capabilities").cloned().unwrap_or_default());
    data(
        201,
        json!({"agent_id": agent.registry_id, "slug": name.to_lowercase(), "api_key": agent.key,
               "message": "Key is shown once."}),
    )
}

async fn me(State(service): Shared, headers: HeaderMap) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    let platform = service.platform();
    let memberships: Vec<Value> = platform
        .members
        .iter()
        .filter(|member| member.agent == agent.key_id)
        .map(|member| {
            json!({"project_id": member.project, "project_title": "Answers", "project_status": "open",
                   "role": "agent", "position_title": "Position", "role_level": member.role.as_str()})
        })
        .collect();
    data(
        200,
        json!({
            "agent_key": {"id": agent.key_id, "name": agent.name, "capabilities": agent.capabilities,
                          "agent_type": null, "is_active": true, "created_at": now(), "last_used_at": null},
            "registry": null, "memberships": memberships, "active_ticket_count": 0,
        }),
    )
}

async fn balance(State(service): Shared, headers: HeaderMap) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    let platform = service.platform();
    let own = platform.transactions.iter().filter(|row| row["payee"] == agent.key_id.as_str());
    let cents = |row: &Value, field: &str| row[field].as_i64().unwrap_or_default();
    let net: i64 = own.map(|row| cents(row, "amount_cents") - cents(row, "commission_cents")).sum();
    data(
        200,
        json!({"wallet_address": null, "usdc_balance": 0, "x402": {"total_earned_usdc": 0},
               "ledger": {"total_earned_cents": net, "settled_cents": 0, "unsettled_cents": net}}),
    )
}

/// Only what changed since the cutoff, which is a day ago unless told.
async fn heartbeat(
    State(service): Shared,
    headers: HeaderMap,
    Query(query): Asked,
) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    let cutoff: Timestamp = match query.get("changes_since") {
        Some(text) => text.parse().map_err(|_| Form::Plain.no((400, "changes_since not a date")))?,
        None => Timestamp::from_micros(i64::MIN),
    };
    service.looked(&agent);
    let platform = service.platform();
    let fields = ["id", "project_id", "ticket_number", "title", "status", "priority", "updated_at"];
    let fresh = |ticket: &&super::platform::Ticket| {
        ticket.text("updated_at").parse::<Timestamp>().is_ok_and(|updated| updated > cutoff)
    };
    let mine: Vec<Value> = platform
        .tickets
        .iter()
        .filter(|ticket| ticket.text("assignee_agent_key_id") == agent.key_id)
        .filter(|ticket| matches!(ticket.text("status"), "todo" | "in_progress" | "in_review"))
        .filter(fresh)
        .map(|ticket| fields.iter().map(|field| ((*field).to_owned(), ticket.wire[*field].clone())).collect())
        .map(Value::Object)
        .collect();
    data(
        200,
        json!({
            "has_changes": !mine.is_empty(), "timestamp": now(),
            "tickets": {"assigned_to_you": mine, "awaiting_approval": []},
            "messages": {"unread_count": 0, "channels": []}, "applications": {"pending": []},
            "next_step": "Go on.",
        }),
    )
}

async fn tickets(
    State(service): Shared,
    headers: HeaderMap,
    Query(query): Asked,
) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    let project = asked(&query, "project_id");
    service.member(project, &agent, Form::WithData)?;
    let (status, assignee) = (asked(&query, "status"), asked(&query, "assignee"));
    let platform = service.platform();
    let found: Vec<Value> = platform
        .tickets
        .iter()
        .filter(|ticket| ticket.text("project_id") == project)
        .filter(|ticket| status.is_empty() || ticket.text("status") == status)
        .filter(|ticket| assignee != "me" || ticket.text("assignee_agent_key_id") == agent.key_id)
        .take(100)
        .map(|ticket| Value::Object(ticket.wire.clone()))
        .collect();
    data(200, found.into())
}

async fn create_ticket(State(service): Shared, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let (agent, body) = (service.caller(&headers)?, object(&body, Form::WithData)?);
    let project = body.get("project_id").and_then(Value::as_str).unwrap_or_default();
    if service.member(project, &agent, Form::WithData)? == Role::Worker {
        return Err(Form::WithData.no((403, "workers may not create tickets")));
    }
    let description = body.get("description").and_then(Value::as_str).unwrap_or_default();
    if description.trim().len() < 30 {
        return Err(Form::WithData.no((400, "description under 30 characters")));
    }
    let made = service.platform().create(&agent.key_id, &body);
    service.tell_of_new(&made);
    service.changed();
    data(201, made.wire.into())
}

async fn ticket(
    State(service): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    let missing = Form::WithData.no((404, "ticket not found"));
    let found = service.platform().ticket(&id).cloned().ok_or(missing)?;
    service.member(found.text("project_id"), &agent, Form::WithData)?;
    let mut wire = found.wire;
    let comments: Vec<Value> =
        service.platform().comments.iter().filter(|said| said["ticket_id"] == id.as_str()).cloned().collect();
    wire.insert("comments".to_owned(), comments.into());
    data(200, wire.into())
}

async fn patch_ticket(
    State(service): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let (agent, patch) = (service.caller(&headers)?, object(&body, Form::WithData)?);
    let missing = Form::WithData.no((404, "ticket not found"));
    let found = service.platform().ticket(&id).cloned().ok_or(missing)?;
    let role = service.member(found.text("project_id"), &agent, Form::WithData)?;
    may_patch(role, &agent.key_id, &found.wire, &patch).map_err(|why| Form::WithData.no(why))?;
    let mut changed = found.clone();
    for (field, value) in patch {
        // What it does not know it ignores.
        if let Some(known) = changed.wire.get_mut(&field) {
            *known = value;
        }
    }
    changed.wire.insert("updated_at".to_owned(), now().into());
    if let Some(stored) = service.platform().ticket(&id) {
        stored.wire = changed.wire.clone();
    }
    service.tell_of_change(&found, &changed);
    service.changed();
    data(200, changed.wire.into())
}

async fn approve(
    State(service): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let (agent, body) = (service.caller(&headers)?, Value::from(object(&body, Form::Plain)?));
    let judged = service.platform().judge(&agent.key_id, &id, &body);
    let answer = judged.map_err(|why| Form::Plain.no(why))?;
    let ticket = service.platform().ticket(&id).cloned();
    ticket.iter().for_each(|ticket| service.tell_of_verdict(ticket, &body, &answer));
    service.changed();
    data(200, answer)
}

async fn comment(
    State(service): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let (agent, body) = (service.caller(&headers)?, object(&body, Form::WithData)?);
    let missing = Form::WithData.no((404, "ticket not found"));
    let found = service.platform().ticket(&id).cloned().ok_or(missing)?;
    service.member(found.text("project_id"), &agent, Form::WithData)?;
    let mut platform = service.platform();
    let said = json!({"id": platform.new_id(), "ticket_id": id, "author_user_id": null,
                      "author_agent_key_id": agent.key_id, "content": body.get("content"), "created_at": now()});
    platform.comments.push(said.clone());
    drop(platform);
    service.changed();
    data(201, said)
}

async fn token(State(service): Shared, headers: HeaderMap, Query(query): Asked) -> Result<Response, Refusal> {
    let agent = service.caller(&headers)?;
    service.member(asked(&query, "project_id"), &agent, Form::Plain)?;
    let Repository { owner, name } = &service.repository;
    let minted = service.github.token(&service.repository).await;
    let minted = minted.map_err(|_| Form::Plain.no((502, "GitHub refused a token")))?;
    Ok(answer(
        200,
        &json!({"token": minted.token.expose(), "expires_at": minted.expires_at, "permissions": minted.permissions,
                "repo_owner": owner, "repo_name": name, "repo_full_name": format!("{owner}/{name}")}),
    ))
}

async fn verify(State(service): Shared, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let (agent, body) = (service.caller(&headers)?, object(&body, Form::Plain)?);
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
    service.member(text("project_id"), &agent, Form::Plain)?;
    let invalid = |reason: &str| Ok(answer(400, &json!({"valid": false, "error": reason})));
    let web =
        service.github.web_url().map(|url| url.as_str().trim_end_matches('/').to_owned()).unwrap_or_default();
    let Repository { owner, name } = &service.repository;
    let number = text("pr_url").strip_prefix(&format!("{web}/{owner}/{name}/pull/"));
    let Some(number) = number.and_then(|number| number.parse().ok()) else {
        return invalid("pull request belongs to another repository");
    };
    let Ok(Some(seen)) = service.github.evidence(&service.repository, number).await else {
        return invalid("no such pull request");
    };
    Ok(answer(
        200,
        &json!({"valid": true, "pr_number": seen.number, "pr_title": seen.title, "pr_state": seen.state,
                "merged": seen.merged, "head_sha": seen.head_sha, "checks_summary": "no_checks",
                "checks_detail": {"total": 0, "passed": 0, "failed": 0, "pending": 0}, "checks": []}),
    ))
}
