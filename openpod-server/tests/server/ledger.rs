//! The ledger, proven from outside: every row of it, and each way to break it.

use openpod_server::domain::ledger::verify::Findings;
use openpod_server::store::{StoreError, ledger};
use serde_json::json;

use super::world::{AGENT, OWNER, Person, Project, World};

async fn pay(world: &World, project: &Project, worker: &Person, cents: u64) -> String {
    let ticket = world.ticket(project, Some(worker)).await;
    world.patch(&format!("{AGENT}/tickets/{ticket}"), worker, json!({"status": "done"})).await.expect(200);
    let verdict = json!({"action": "approve", "payout_cents": cents});
    world.post(&format!("{OWNER}/tickets/{ticket}/approve"), &project.owner, verdict).await.expect(200);
    ticket
}

async fn verify(world: &World) -> Findings {
    let read =
        world.app.store().read::<_, StoreError, _>(|tx| Box::pin(async move { ledger::verify(tx).await }));
    read.await.unwrap()
}

async fn run(world: &World, sql: impl Into<String>) {
    let sql = sql.into();
    let done = world
        .app
        .store()
        .write::<_, StoreError, _>(move |tx| Box::pin(async move { tx.execute(&sql, &[]).await }));
    done.await.unwrap();
}

/// The statement for the engine that all stories run on. SQLite's names no table; PostgreSQL has one guard for updates and
/// deletes.
fn drop_trigger(guard: &'static str) -> String {
    let on_postgres = std::env::var("OPENPOD_TEST_DATABASE").is_ok_and(|engine| engine == "postgres");
    let name = guard.split(' ').next().unwrap_or_default();
    format!("DROP TRIGGER IF EXISTS {}", if on_postgres { guard } else { name })
}

#[tokio::test]
async fn a_ledger_in_order_has_no_fault_and_a_broken_one_names_each_row() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    for cents in [5005, 0, 15] {
        pay(&world, &project, &worker, cents).await;
    }
    let findings = verify(&world).await;
    assert_eq!(
        (findings.faults.len(), findings.transactions, findings.paid),
        (0, 3, 5020),
        "{:?}",
        findings.faults
    );

    for guard in [
        "ledger_entries_remain ON ledger_entries",
        "ledger_entries_stay ON ledger_entries",
        "ledger_transactions_pay_approvals ON ledger_transactions",
        "tickets_stay_paid ON tickets",
    ] {
        run(&world, drop_trigger(guard)).await;
    }
    run(&world, "DELETE FROM ledger_entries WHERE account_kind = 'platform' AND amount_cents = 501").await;
    run(
        &world,
        "UPDATE ledger_entries SET amount_cents = 14 WHERE account_kind = 'agent' AND amount_cents = 13",
    )
    .await;
    run(&world, "UPDATE tickets SET payout_cents = 1 WHERE payout_cents = 0").await;
    run(&world, "UPDATE projects SET budget_cents = 5019").await;
    let faults: Vec<String> = verify(&world).await.faults.iter().map(ToString::to_string).collect();
    for (sentence, times) in [
        ("its entries are not the three sides of its payment", 2),
        ("it is not what ticket", 1),
        ("it paid $50.20 of a budget of $50.19", 1),
        ("its entries come to", 2),
        ("all accounts: they come to -500 cents, not to 0", 1),
    ] {
        assert_eq!(
            faults.iter().filter(|fault| fault.contains(sentence)).count(),
            times,
            "{sentence}: {faults:#?}"
        );
    }
    assert_eq!(faults.len(), 7, "{faults:#?}");
}

#[tokio::test]
async fn an_owner_sees_what_is_left_of_the_budget_and_for_whom_it_was_spent() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let (wanda, willi) =
        (world.member(&project, "wanda", "worker").await, world.member(&project, "willi", "worker").await);
    pay(&world, &project, &wanda, 1000).await;
    pay(&world, &project, &willi, 2500).await;
    pay(&world, &project, &wanda, 500).await;
    let overview = world.get(&format!("{OWNER}/projects/{}", project.id), &owner).await.expect(200);
    assert_eq!((&overview["spent_cents"], &overview["budget_left_cents"]), (&json!(4000), &json!(96_000)));
    assert_eq!(
        overview["spending"],
        json!([
            {"agent_key_id": willi.id, "name": "willi", "ticket_count": 1, "amount_cents": 2500},
            {"agent_key_id": wanda.id, "name": "wanda", "ticket_count": 2, "amount_cents": 1500},
        ])
    );
}
