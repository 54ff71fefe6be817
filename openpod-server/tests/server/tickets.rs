use http::{Method, Request};
use serde_json::{Value, json};

use super::world::{AGENT, OWNER, World, text};

fn ticket_path(id: &str) -> String {
    format!("{AGENT}/tickets/{id}")
}

#[tokio::test]
async fn a_ticket_goes_from_free_to_paid() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    let id = world.ticket(&project, None).await;

    let claimed = world.patch(&ticket_path(&id), &worker, json!({"status": "in_progress"})).await.expect(200);
    assert_eq!((&claimed["assignee_agent_key_id"], &claimed["version"]), (&json!(worker.id), &json!(2)));

    let handed_in = json!({
        "status": "done",
        "branch_name": "openpod/ticket-1",
        "deliverables": [{
            "type": "pull_request", "url": "https://example.org/o/r/pull/1", "label": "The fix", "content_hash": "ab".repeat(32)
        }],
    });
    let done = world.patch(&ticket_path(&id), &worker, handed_in.clone()).await.expect(200);
    assert_eq!((&done["status"], &done["approval_status"]), (&json!("done"), &json!("pending")));
    assert_eq!(done["deliverables"], handed_in["deliverables"]);

    let verdict = json!({"action": "approve", "payout_cents": 5005, "comment": "Great work!", "rating": 5});
    let judged = world.post(&format!("{OWNER}/tickets/{id}/approve"), &owner, verdict).await.expect(200);
    assert_eq!(judged["ticket"]["approval_status"], "approved");
    assert_eq!(judged["transaction"]["commission_cents"], 501);

    let balance = world.get(&format!("{AGENT}/me/balance"), &worker).await.expect(200);
    assert_eq!(balance["ledger"]["total_earned_cents"], 4504);
    let ticket = world.get(&ticket_path(&id), &worker).await.expect(200);
    assert_eq!(
        (&ticket["payout_cents"], &ticket["comments"][0]["content"]),
        (&json!(5005), &json!("Great work!"))
    );
}

#[tokio::test]
async fn fifty_agents_claim_a_ticket_and_one_wins() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let id = world.ticket(&project, None).await;
    let mut agents = Vec::new();
    for n in 0..50 {
        agents.push(world.member(&project, &format!("agent-{n}"), "worker").await);
    }
    let path = ticket_path(&id);
    let claims = agents.iter().map(|agent| world.patch(&path, agent, json!({"status": "in_progress"})));
    let answers = futures_util::future::join_all(claims).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status.is_success()).collect();
    assert_eq!(won.len(), 1);
    for lost in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert_eq!(lost.refusal(), (409, "already_claimed"));
    }
    let holder = &world.get(&path, &agents[0]).await.expect(200)["assignee_agent_key_id"];
    assert_eq!(*holder, won[0].json["data"]["assignee_agent_key_id"]);
}

#[tokio::test]
async fn two_hundred_approvals_at_once_move_money_once() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    let id = world.ticket(&project, Some(&worker)).await;
    world.patch(&ticket_path(&id), &worker, json!({"status": "done"})).await.expect(200);

    let path = format!("{OWNER}/tickets/{id}/approve");
    let verdict = json!({"action": "approve", "payout_cents": 5000});
    let approvals = (0..200).map(|_| world.post(&path, &owner, verdict.clone()));
    let answers = futures_util::future::join_all(approvals).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1);
    for refused in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert_eq!(refused.refusal(), (409, "already_approved"));
    }
    let paid = world.get(&format!("{OWNER}/transactions"), &owner).await.expect(200);
    assert_eq!(paid.as_array().unwrap().len(), 1);
    assert_eq!(paid[0]["entries"].as_array().unwrap().len(), 3);
    let earned = world.get(&format!("{AGENT}/me/balance"), &worker).await.expect(200);
    assert_eq!(earned["ledger"]["total_earned_cents"], 4500);
}

#[tokio::test]
async fn a_budget_is_never_overspent() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    let mut answers = Vec::new();
    for payout in [60_000, 50_000, 40_000] {
        let id = world.ticket(&project, Some(&worker)).await;
        world.patch(&ticket_path(&id), &worker, json!({"status": "done"})).await.expect(200);
        let verdict = json!({"action": "approve", "payout_cents": payout});
        answers.push(world.post(&format!("{OWNER}/tickets/{id}/approve"), &owner, verdict).await);
    }
    assert!(answers[0].status.is_success() && answers[2].status.is_success());
    assert_eq!(answers[1].refusal(), (409, "budget_exceeded"));
    assert_eq!(answers[1].json["details"]["left_cents"], 40_000);
}

#[tokio::test]
async fn an_approval_is_bound_to_what_the_approver_saw() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    let id = world.ticket(&project, Some(&worker)).await;
    world.patch(&ticket_path(&id), &worker, json!({"status": "done"})).await.expect(200);
    let path = format!("{OWNER}/tickets/{id}");
    let etag = world.get(&path, &owner).await.headers["etag"].clone();

    let swapped = json!({"deliverables": [{"type": "link", "url": "https://example.org/other"}]});
    world.patch(&ticket_path(&id), &worker, swapped).await.expect(200);
    let approve = |etag: &http::HeaderValue| {
        Request::builder()
            .method(Method::POST)
            .uri(format!("{path}/approve"))
            .header("authorization", format!("Bearer {}", owner.key.expose()))
            .header("if-match", etag)
            .body(json!({"action": "approve", "payout_cents": 1}).to_string().into())
            .unwrap()
    };
    assert_eq!(world.send(approve(&etag)).await.refusal(), (412, "precondition_failed"));
    let etag = world.get(&path, &owner).await.headers["etag"].clone();
    world.send(approve(&etag)).await.expect(200);
}

#[tokio::test]
async fn a_revision_sends_the_ticket_back_and_a_rejection_ends_it() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    let id = world.ticket(&project, Some(&worker)).await;
    let judge = format!("{OWNER}/tickets/{id}/approve");
    world.patch(&ticket_path(&id), &worker, json!({"status": "in_review"})).await.expect(200);

    let revise = json!({"action": "revise", "comment": "Please add a test."});
    let judged = world.post(&judge, &owner, revise.clone()).await.expect(200);
    assert_eq!((&judged["ticket"]["status"], &judged["transaction"]), (&json!("in_progress"), &Value::Null));
    let ticket = world.get(&ticket_path(&id), &worker).await.expect(200);
    assert_eq!(ticket["approval_status"], "revision_requested");
    assert_eq!(ticket["comments"][0]["content"], "Please add a test.");
    assert_eq!(world.post(&judge, &owner, revise).await.refusal(), (409, "conflict"));

    world.patch(&ticket_path(&id), &worker, json!({"status": "done"})).await.expect(200);
    world.post(&judge, &owner, json!({"action": "reject", "comment": "No."})).await.expect(200);
    let paid = json!({"action": "approve", "payout_cents": 1});
    assert_eq!(world.post(&judge, &owner, paid.clone()).await.refusal(), (409, "conflict"));
    let reopen = json!({"status": "in_progress"});
    assert_eq!(world.patch(&ticket_path(&id), &worker, reopen.clone()).await.refusal(), (403, "forbidden"));
    let reopened = world.patch(&format!("{OWNER}/tickets/{id}"), &owner, reopen).await.expect(200);
    assert_eq!(reopened["approval_status"], Value::Null);
    world.patch(&ticket_path(&id), &worker, json!({"status": "done"})).await.expect(200);
    world.post(&judge, &owner, paid).await.expect(200);
}

#[tokio::test]
async fn numbers_count_up_without_gaps_however_many_write_at_once() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    futures_util::future::join_all((0..40).map(|_| world.ticket(&project, None))).await;

    let mut numbers = Vec::new();
    let mut path = format!("{AGENT}/tickets?project_id={}&limit=7", project.id);
    let worker = world.member(&project, "wanda", "worker").await;
    loop {
        let page = world.get(&path, &worker).await;
        numbers.extend(
            page.json["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|ticket| ticket["ticket_number"].as_u64().unwrap()),
        );
        let Some(cursor) = page.json["next_cursor"].as_str() else { break };
        path = format!("{AGENT}/tickets?project_id={}&limit=7&cursor={cursor}", project.id);
    }
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_call_with_the_same_key_has_one_effect() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let send = |path: String, body: Value| {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("authorization", format!("Bearer {}", owner.key.expose()))
            .header("idempotency-key", "once")
            .body(body.to_string().into())
            .unwrap();
        world.send(request)
    };
    let task = |title: &str| json!({"project_id": project.id, "title": title, "description": "Thirty characters are needed for a task."});
    let path = format!("{OWNER}/tickets");
    let (first, second) =
        tokio::join!(send(path.clone(), task("Fix it")), send(path.clone(), task("Fix it")));
    assert_eq!(first.json, second.json);
    let replayed = |answer: &super::world::Answer| answer.headers.contains_key("idempotency-replayed");
    assert!(replayed(&first) != replayed(&second));
    assert_eq!(first.headers["idempotency-supported"], "true");
    assert_eq!(send(path.clone(), task("Another")).await.refusal(), (422, "unprocessable"));
    let comment = format!("{path}/{}/comments", text(&first.json["data"]["id"]));
    assert_eq!(send(comment, json!({"content": "x"})).await.refusal(), (422, "unprocessable"));
}

#[tokio::test]
async fn who_does_not_belong_learns_nothing_of_a_ticket() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let id = world.ticket(&project, None).await;
    let stranger = world.register("stranger").await;
    let list = format!("{AGENT}/tickets?project_id={}", project.id);
    assert_eq!(world.get(&list, &stranger).await.refusal(), (403, "forbidden"));
    assert_eq!(world.get(&ticket_path(&id), &stranger).await.refusal(), (404, "not_found"));
    let claim = json!({"status": "in_progress"});
    assert_eq!(world.patch(&ticket_path(&id), &stranger, claim).await.refusal(), (404, "not_found"));
    let other = world.owner("otto").await;
    assert_eq!(world.get(&format!("{OWNER}/tickets/{id}"), &other).await.refusal(), (404, "not_found"));
}
