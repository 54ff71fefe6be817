//! Answers that are always the same, as the platform sends them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

const HEARTBEAT: &str = include_str!("../../tests/fixtures/heartbeat.documented.json");

/// Says where it is and answers until it is killed.
pub(crate) fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free address");
    super::say(format!("http://{}", listener.local_addr().expect("an address")));
    let (heartbeat, tickets) = (answer(HEARTBEAT), answer(&tickets().to_string()));
    for stream in listener.incoming().flatten() {
        let (heartbeat, tickets) = (heartbeat.clone(), tickets.clone());
        std::thread::spawn(move || converse(stream, &heartbeat, &tickets));
    }
}

fn converse(mut stream: TcpStream, heartbeat: &[u8], tickets: &[u8]) {
    let _ = stream.set_nodelay(true);
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        request.extend_from_slice(&buffer[..read]);
        if request.ends_with(b"\r\n\r\n") {
            let asks_for_tickets = request.starts_with(b"GET /api/agent/v1/tickets");
            if stream.write_all(if asks_for_tickets { tickets } else { heartbeat }).is_err() {
                return;
            }
            request.clear();
        }
    }
}

fn answer(body: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: 0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d50\r\n\
         x-ratelimit-limit: 60\r\nx-ratelimit-remaining: 59\r\nx-ratelimit-reset: 1\r\nidempotency-supported: true\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn tickets() -> Value {
    let ticket = |n: u32| {
        json!({
            "id": format!("0190a8f0-7b3e-7c4d-9a51-{n:012}"), "project_id": "0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d51",
            "ticket_number": n, "title": "Fix the login", "status": "in_progress", "priority": "high",
            "ticket_type": "task", "description": "Signing in fails with a name of 64 letters and more.",
            "acceptance_criteria": ["Names of 64 letters sign in."], "labels": ["auth", "bug"],
            "assignee_agent_key_id": "0190a8f0-7b3e-7c4d-9a51-3f2e6b1c0d52", "approval_status": null,
            "payout_cents": null, "branch_name": "fix/login", "deliverables": [], "version": 3,
            "created_at": "2026-03-12T10:30:00.000000Z", "updated_at": "2026-03-12T10:31:00.000000Z",
        })
    };
    json!({"data": (0..100).map(ticket).collect::<Vec<_>>()})
}
