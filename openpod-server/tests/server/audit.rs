//! The audit log, as owners read it.

use serde_json::{Value, json};

use super::watching::each;
use super::world::{AGENT, OWNER, World, text};

#[tokio::test]
async fn an_owner_reads_who_changed_what_before_and_after() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let worker = world.member(&project, "wanda", "worker").await;
    let ticket = world.ticket(&project, None).await;
    let path = format!("{AGENT}/tickets/{ticket}");
    let claimed = world.patch(&path, &worker, json!({"status": "in_progress"})).await;
    let request_id = claimed.headers["x-request-id"].to_str().unwrap().to_owned();
    world.patch(&path, &worker, json!({"status": "in_progress"})).await.expect(200);
    world.patch(&path, &worker, json!({"status": "done"})).await.expect(200);
    let verdict = json!({"action": "approve", "payout_cents": 5005, "comment": "Great work!", "rating": 5});
    world.post(&format!("{OWNER}/tickets/{ticket}/approve"), &owner, verdict).await.expect(200);

    let log = world.get(&format!("{OWNER}/audit?ticket_id={ticket}"), &owner).await.expect(200);
    let log = log.as_array().unwrap();
    assert_eq!(
        log.iter()
            .map(|entry| format!("{} {}", text(&entry["operation"]), text(&entry["target_kind"])))
            .collect::<Vec<_>>(),
        [
            "OwnerApproveTicket payment",
            "OwnerApproveTicket comment",
            "OwnerApproveTicket ticket",
            "UpdateTicket ticket",
            "UpdateTicket ticket",
            "OwnerCreateTicket ticket",
        ],
        "what was as it should be already is no change"
    );
    let claim = &log[4];
    assert_eq!((&claim["actor_kind"], &claim["actor_id"]), (&json!("agent"), &json!(worker.id)));
    assert_eq!(claim["key_id"], worker.key.expose().split('_').nth(1).unwrap());
    assert_eq!((&claim["request_id"], &claim["project_id"]), (&json!(request_id), &json!(project.id)));
    assert_eq!(
        (&claim["before"]["status"], &claim["after"]["status"]),
        (&json!("todo"), &json!("in_progress"))
    );
    assert_eq!(claim["after"]["assignee_agent_key_id"], worker.id.as_str());
    assert_eq!(claim["after"].get("title"), None, "what did not change is not told");
    assert_eq!((&log[0]["after"]["amount_cents"], &log[0]["after"]["rating"]), (&json!(5005), &json!(5)));
}

#[tokio::test]
async fn the_log_is_filtered_and_paged_and_shows_nobody_elses_projects() {
    let world = World::new().await;
    let (olga, otto) = (world.owner("olga").await, world.owner("otto").await);
    let (first, second) = (world.project(&olga).await, world.project(&olga).await);
    let ticket = world.ticket(&first, None).await;
    let worker = world.member(&second, "wanda", "worker").await;
    let audit = format!("{OWNER}/audit");

    let by_project = world.get(&format!("{audit}?project_id={}", first.id), &olga).await.expect(200);
    assert_eq!(
        each(by_project.as_array().unwrap(), "operation"),
        ["OwnerCreateTicket", "OwnerCreateProject", "OwnerCreateProject"]
    );
    let by_actor = world.get(&format!("{audit}?actor={}", worker.id), &olga).await.expect(200);
    assert_eq!(each(by_actor.as_array().unwrap(), "operation"), ["ApplyToPosition"]);

    let (mut all, mut next) = (Vec::<Value>::new(), String::new());
    loop {
        let page = world.get(&format!("{audit}?limit=3{next}"), &olga).await;
        let cursor = page.json["next_cursor"].as_str().map(str::to_owned);
        all.extend(page.expect(200).as_array().unwrap().clone());
        let Some(cursor) = cursor else { break };
        next = format!("&cursor={cursor}");
    }
    let whole = world.get(&format!("{audit}?limit=100"), &olga).await.expect(200);
    assert_eq!(whole, json!(all));
    let operations = each(&all, "operation");
    assert!(
        operations.contains(&"owner create".to_owned()) && operations.contains(&"owner token".to_owned())
    );

    let own = world.get(&audit, &otto).await.expect(200);
    assert_eq!(each(own.as_array().unwrap(), "operation"), ["owner token", "owner create"]);
    assert_eq!(
        world.get(&format!("{audit}?project_id={}", first.id), &otto).await.refusal(),
        (403, "forbidden")
    );
    assert_eq!(world.get(&format!("{audit}?ticket_id={ticket}"), &otto).await.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn the_log_holds_no_secret() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let agent = world.register("wanda").await;
    let hook =
        json!({"url": "https://agent.example/hook/T0P", "events": ["*"], "secret": "my-signing-secret"});
    world.post(&format!("{AGENT}/webhooks"), &agent, hook).await.expect(201);
    let made = world.post(&format!("{AGENT}/me/keys"), &agent, json!({"scopes": ["read"]})).await.expect(201);
    let kept: Result<_, openpod_server::store::StoreError> = world
        .app
        .store()
        .read(|tx| {
            Box::pin(async move {
                let sql =
                    "SELECT coalesce(before_json, '') || coalesce(after_json, '') AS text FROM audit_log";
                tx.all(sql, &[], |row| row.get::<String>("text")).await
            })
        })
        .await;
    let kept = kept.unwrap().join("\n");
    assert!(kept.contains("https://agent.example") && kept.contains(made["id"].as_str().unwrap()), "{kept}");
    let key = text(&made["api_key"]);
    for secret in [
        "T0P",
        "my-signing-secret",
        "correct horse battery",
        key.rsplit('_').next().unwrap(),
        agent.key.expose().rsplit('_').next().unwrap(),
        owner.key.expose().rsplit('_').next().unwrap(),
    ] {
        assert!(!kept.contains(secret), "{secret} stands in {kept}");
    }
}
