//! Owners: their accounts, their projects, and what was paid.

use http::Method;
use openpod_server::accounts::{self, AccountError};
use serde_json::{Value, json};

use super::watching::{NOBODY, each, items};
use super::world::{AGENT, OWNER, Person, Project, World, text};

async fn pay(world: &World, project: &Project, worker: &Person, cents: u64) -> String {
    let ticket = world.ticket(project, Some(worker)).await;
    world.patch(&format!("{AGENT}/tickets/{ticket}"), worker, json!({"status": "done"})).await.expect(200);
    let verdict = json!({"action": "approve", "payout_cents": cents, "comment": "Great work!"});
    world.post(&format!("{OWNER}/tickets/{ticket}/approve"), &project.owner, verdict).await.expect(200);
    ticket
}

#[tokio::test]
async fn an_account_has_a_login_of_its_own_and_a_password_that_opens_it() {
    let world = World::new().await;
    let store = world.app.store();
    let id = accounts::create_owner(store, "Olga", "correct horse battery").await.unwrap();
    for (login, password, found) in [
        ("Olga", "correct horse battery", true),
        ("olga", "correct horse battery", true),
        ("olga", "Correct horse battery", false),
        ("olga", "", false),
        ("otto", "correct horse battery", false),
    ] {
        let signed_in = accounts::sign_in(store, login, password.into()).await.unwrap();
        assert_eq!(signed_in, found.then(|| id.clone()), "{login} {password}");
    }
    let again = accounts::create_owner(store, "OLGA", "correct horse battery").await;
    assert!(matches!(again, Err(AccountError::LoginTaken(_))), "{again:?}");
    for (login, password) in
        [("o", "correct horse battery"), ("o o", "correct horse battery"), ("otto", "short")]
    {
        assert!(accounts::create_owner(store, login, password).await.is_err(), "{login} {password}");
    }
}

#[tokio::test]
async fn an_owner_sees_who_they_are_and_their_own_projects_only() {
    let world = World::new().await;
    let (olga, otto) = (world.owner("Olga").await, world.owner("otto").await);
    let me = world.get(&format!("{OWNER}/me"), &olga).await.expect(200);
    assert_eq!(me, json!({"id": olga.id, "login": "Olga", "created_at": "2026-03-12T10:30:00.000000Z"}));

    let project = world.project(&olga).await;
    let wanda = world.member(&project, "wanda", "worker").await;
    pay(&world, &project, &wanda, 5005).await;
    let overview = world.get(&format!("{OWNER}/projects/{}", project.id), &olga).await.expect(200);
    assert_eq!((&overview["id"], &overview["spent_cents"]), (&json!(project.id), &json!(5005)));
    assert_eq!(overview["general_channel_id"], json!(project.channel));
    assert_eq!(
        overview["members"],
        json!([{"agent_key_id": wanda.id, "name": "wanda", "role_level": "worker",
                "joined_at": "2026-03-12T10:30:00.000000Z"}])
    );
    assert_eq!(each(&items(overview["positions"].clone()), "status"), ["open", "filled"]);

    let get = |path: String, code| (Method::GET, format!("{OWNER}{path}"), json!(null), code);
    let table = [
        get(format!("/projects/{}", project.id), (404, "not_found")),
        get(format!("/projects/{NOBODY}"), (404, "not_found")),
        get("/projects/proj_1".into(), (400, "invalid_request")),
        get(format!("/transactions?project_id={}", project.id), (403, "forbidden")),
        get(format!("/transactions?project_id={NOBODY}"), (404, "not_found")),
        get("/me?verbose=1".into(), (400, "invalid_request")),
    ];
    world.refuses(&otto, &table).await;
    assert!(items(world.get(&format!("{OWNER}/projects"), &otto).await.expect(200)).is_empty());
}

#[tokio::test]
async fn every_payment_is_in_the_ledger_of_both_sides() {
    let world = World::new().await;
    let (olga, otto) = (world.owner("olga").await, world.owner("otto").await);
    let (project, other) = (world.project(&olga).await, world.project(&otto).await);
    let wanda = world.member(&project, "wanda", "worker").await;
    let ticket = pay(&world, &project, &wanda, 5005).await;

    let ledger = world.get(&format!("{OWNER}/transactions"), &olga).await.expect(200);
    assert_eq!(
        ledger,
        json!([{
            "id": ledger[0]["id"], "type": "deliverable_approved", "project_id": project.id, "ticket_id": ticket,
            "amount_cents": 5005, "commission_cents": 501, "created_at": "2026-03-12T10:30:00.000000Z",
            "entries": [
                {"account": "project", "account_id": project.id, "amount_cents": -5005},
                {"account": "platform", "account_id": null, "amount_cents": 501},
                {"account": "agent", "account_id": wanda.id, "amount_cents": 4504},
            ],
        }])
    );
    let paid = world.get(&format!("{AGENT}/me/transactions"), &wanda).await.expect(200);
    assert_eq!(
        paid,
        json!({
            "transactions": [{
                "id": ledger[0]["id"], "type": "deliverable_approved", "project_id": project.id, "ticket_id": ticket,
                "amount_cents": 5005, "commission_cents": 501, "description": "Great work!", "settled": false,
                "created_at": "2026-03-12T10:30:00.000000Z",
            }],
            "summary": {"total_earned_cents": 5005, "total_commission_cents": 501, "total_net_settled_cents": 0, "count": 1},
        })
    );
    let balance = world.get(&format!("{AGENT}/me/balance"), &wanda).await.expect(200);
    let expected = json!({"total_earned_cents": 4504, "settled_cents": 0, "unsettled_cents": 4504});
    assert_eq!(balance, json!({"ledger": expected}));
    let of_other =
        world.get(&format!("{OWNER}/transactions?project_id={}", other.id), &otto).await.expect(200);
    assert_eq!(of_other, json!([]));
}

#[tokio::test]
async fn payments_are_walked_without_gaps_or_doubles() {
    let world = World::new().await;
    let olga = world.owner("olga").await;
    let project = world.project(&olga).await;
    let wanda = world.member(&project, "wanda", "worker").await;
    let mut tickets = Vec::new();
    for n in 0..11 {
        if n % 4 == 0 {
            world.clock.advance(std::time::Duration::from_secs(1));
        }
        tickets.push(pay(&world, &project, &wanda, n).await);
    }
    tickets.sort();
    let ledger = world.walk(&format!("{OWNER}/transactions?project_id={}", project.id), &olga, 3).await;
    let mut found = each(&ledger, "ticket_id");
    found.sort();
    assert_eq!(found, tickets);
    assert!(ledger.iter().all(|paid| {
        let amounts = items(paid["entries"].clone());
        amounts.len() == 3
            && amounts.iter().map(|entry| entry["amount_cents"].as_i64().unwrap()).sum::<i64>() == 0
    }));

    let path = format!("{AGENT}/me/transactions");
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{path}?limit=3{cursor}"), &wanda).await.expect(200);
        assert_eq!(
            page["summary"],
            json!({"total_earned_cents": 55, "total_commission_cents": 6, "total_net_settled_cents": 0, "count": 11})
        );
        found.extend(each(&items(page["transactions"].clone()), "ticket_id"));
        match page.get("next_cursor") {
            Some(next) => cursor = format!("&cursor={}", text(next)),
            None => break,
        }
    }
    found.sort();
    assert_eq!(found, tickets);
    world.refuses_wrong_pages(&format!("{OWNER}/transactions"), &olga).await;
    world.refuses_wrong_pages(&path, &wanda).await;
    let _: Value = world.get(&format!("{AGENT}/me"), &wanda).await.expect(200);
}
