//! The log of deliveries, tests, replays and enabling, as agents, owners and the operator use them.

use std::time::Duration;

use openpod_sdk::api::EventKind;
use openpod_sdk::clock::Clock;
use openpod_sdk::webhook::{Event, Verifier};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::stage::{SECRETS, Stage, answering, hook, received, ticket_of};
use crate::server::watching::each;
use crate::server::world::{AGENT, OWNER, Person, World, text};

fn of(webhook: &Value) -> String {
    format!("{AGENT}/webhooks/{}", text(&webhook["id"]))
}

fn owners(webhook: &Value) -> String {
    format!("{OWNER}/webhooks/{}", text(&webhook["id"]))
}

async fn deliveries(world: &World, webhook: &str, who: &Person, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("{webhook}/deliveries{query}"), who).await;
    answer.expect(200).as_array().unwrap().clone()
}

fn numbers(list: &Value, field: &str) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|item| item[field].as_u64().unwrap()).collect()
}

/// A receiver that answers 500 so often, and then 200.
async fn mending(failures: u64) -> MockServer {
    let receiver = MockServer::start().await;
    Mock::given(path("/hook"))
        .respond_with(ResponseTemplate::new(500))
        .up_to_n_times(failures)
        .mount(&receiver)
        .await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    receiver
}

#[tokio::test]
async fn the_log_tells_every_attempt_of_every_delivery() {
    let stage = Stage::new().await;
    let receiver = mending(1).await;
    let webhook = stage.register(&hook(&receiver)).await;
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    let [waiting] = deliveries(&stage.world, &of(&webhook), &stage.agent, "").await.try_into().unwrap();
    assert_eq!((&waiting["status"], &waiting["attempt_count"]), (&json!("pending"), &json!(1)));
    assert!(text(&waiting["next_attempt_at"]) > stage.world.clock.now().to_string());
    let failed = &waiting["attempts"][0];
    assert_eq!((&failed["number"], &failed["http_status"]), (&json!(1), &json!(500)));
    assert_eq!((&failed["error"], &failed["duration_ms"]), (&json!("the receiver answered 500"), &json!(0)));
    assert_eq!(failed["begun_at"], stage.world.clock.now().to_string());
    assert!(stage.webhook().await["failing_since"].is_string());

    stage.world.clock.advance(Duration::from_secs(10));
    stage.worker().deliver_due().await.unwrap();
    let [arrived] = deliveries(&stage.world, &of(&webhook), &stage.agent, "").await.try_into().unwrap();
    assert_eq!((&arrived["id"], &arrived["event"]), (&waiting["id"], &json!("ticket_assigned")));
    assert_eq!((&arrived["status"], &arrived["next_attempt_at"]), (&json!("delivered"), &Value::Null));
    assert_eq!(numbers(&arrived["attempts"], "http_status"), [500, 200]);
    assert_eq!(arrived["attempts"][1]["error"], Value::Null);
    let ids: Vec<_> = received(&receiver)
        .await
        .iter()
        .map(|r| r.headers["webhook-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, [text(&arrived["id"]), text(&arrived["id"])]);
    assert_eq!(stage.webhook().await.get("failing_since"), None);
}

#[tokio::test]
async fn the_log_is_filtered_and_paged_and_is_its_agents_alone() {
    let stage = Stage::new().await;
    let receiver = mending(2).await;
    let webhook = stage.register(&hook(&receiver)).await;
    let path = of(&webhook);
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(stage.world.clock.now().to_string());
        stage.assign().await;
        stage.world.clock.advance(Duration::from_secs(1));
        stage.worker().deliver_due().await.unwrap();
    }
    stage.world.post(&format!("{path}/test"), &stage.agent, json!({})).await.expect(201);
    let list = |query: &'static str| deliveries(&stage.world, &path, &stage.agent, query);
    assert_eq!(list("").await.len(), 6);
    assert_eq!(list("?event=webhook_test").await.len(), 1);
    assert_eq!(list("?event=*").await.len(), 6);
    assert_eq!(list("?status=pending").await.len(), 3, "two that failed once, and the test");
    assert_eq!(list("?status=pending&event=ticket_assigned").await.len(), 2);
    let since = format!("?event=ticket_assigned&since={}", times[3]);
    let late = deliveries(&stage.world, &path, &stage.agent, &since).await;
    assert_eq!(each(&late, "created_at"), [times[4].clone(), times[3].clone()]);

    let (mut all, mut next) = (Vec::<Value>::new(), String::new());
    loop {
        let page = stage.world.get(&format!("{path}/deliveries?limit=2{next}"), &stage.agent).await;
        let cursor = page.json["next_cursor"].as_str().map(str::to_owned);
        all.extend(page.expect(200).as_array().unwrap().clone());
        let Some(cursor) = cursor else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(all, list("").await);
    for wrong in ["?status=lost", "?event=ticket_exploded", "?limit=0", "?cursor=x", "?since=yesterday"] {
        let refused = stage.world.get(&format!("{path}/deliveries{wrong}"), &stage.agent).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{wrong}");
    }
    let owner = &stage.project.owner;
    let foreign = stage.world.get(&format!("{path}/deliveries"), owner).await;
    assert_eq!(
        foreign.refusal(),
        (404, "not_found"),
        "the project's owner is an agent, and it is not its webhook"
    );
}

#[tokio::test]
async fn a_test_arrives_signed_and_marked_and_is_attempted_once() {
    let stage = Stage::new().await;
    let receiver = answering(500).await;
    let webhook = stage.register(&hook(&receiver)).await;
    let path = of(&webhook);
    let made = stage.world.post(&format!("{path}/test"), &stage.agent, json!({})).await.expect(201);
    assert_eq!((&made["event"], &made["status"]), (&json!("webhook_test"), &json!("pending")));
    stage.worker().deliver_due().await.unwrap();
    let [request] = received(&receiver).await.try_into().unwrap();
    let proven = Verifier::new([SECRETS[1].into()])
        .unwrap()
        .verify(&request.headers, &request.body, stage.world.clock.now())
        .unwrap();
    assert_eq!(
        proven.delivery.kind,
        EventKind::WebhookTest,
        "although it is registered for assignments alone"
    );
    let Event::WebhookTest(test) = proven.delivery.event() else { panic!("{proven:?}") };
    assert_eq!(test.webhook_id.as_str(), text(&webhook["id"]));
    assert_eq!(request.headers["x-webhook-event"], "webhook_test");
    assert_eq!(request.headers["webhook-id"].to_str().unwrap(), text(&made["id"]));

    stage.world.clock.advance(Duration::from_secs(86_400));
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 1);
    let [logged] = deliveries(&stage.world, &path, &stage.agent, "").await.try_into().unwrap();
    assert_eq!((&logged["status"], &logged["attempts"][0]["http_status"]), (&json!("failed"), &json!(500)));
    assert_eq!(stage.webhook().await.get("failing_since"), None, "it says nothing of the webhook");
}

#[tokio::test]
async fn what_failed_or_happened_since_a_time_is_sent_again_in_order_under_the_same_ids() {
    let stage = Stage::new().await;
    let receiver = mending(20).await;
    let webhook = stage.register(&hook(&receiver)).await;
    let replay = format!("{}/replay", of(&webhook));
    let (first, second) = (stage.assign().await, stage.assign().await);
    for _ in 0..100 {
        stage.world.clock.advance(Duration::from_secs(3600));
        stage.worker().deliver_due().await.unwrap();
    }
    let before = received(&receiver).await;
    assert_eq!(
        (before.len(), stage.outbox().await),
        (20, vec![("failed".to_owned(), 10, Some("the receiver answered 500".to_owned())); 2])
    );
    let since = stage.world.clock.now().to_string();

    let failed = json!({"status": "failed"});
    let done = stage.world.post(&replay, &stage.agent, failed.clone()).await.expect(200);
    assert_eq!(done, json!({"replayed": 2, "next_since": null}));
    stage.worker().deliver_due().await.unwrap();
    let again = received(&receiver).await.split_off(20);
    assert_eq!(again.iter().map(ticket_of).collect::<Vec<_>>(), [first, second.clone()]);
    let id = |request: &wiremock::Request| request.headers["webhook-id"].to_str().unwrap().to_owned();
    assert!(
        again
            .iter()
            .all(|request| before.iter().any(|old| id(old) == id(request) && old.body == request.body))
    );
    let none = stage.world.post(&replay, &stage.agent, failed).await.expect(200);
    assert_eq!(none["replayed"], 0);

    let third = stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    let later = stage.world.post(&replay, &stage.agent, json!({"since": since})).await.expect(200);
    assert_eq!(later["replayed"], 1);
    let one = json!({"delivery_id": id(&again[1])});
    assert_eq!(stage.world.post(&replay, &stage.agent, one).await.expect(200)["replayed"], 1);
    stage.worker().deliver_due().await.unwrap();
    let last = received(&receiver).await.split_off(23);
    assert_eq!(last.iter().map(ticket_of).collect::<Vec<_>>(), [second, third]);

    for (body, refusal) in [
        (json!({}), (400, "invalid_request")),
        (json!({"status": "lost"}), (400, "invalid_request")),
        (json!({"sinse": since}), (400, "invalid_request")),
        (json!({"delivery_id": "msg_unknown"}), (404, "not_found")),
    ] {
        assert_eq!(stage.world.post(&replay, &stage.agent, body.clone()).await.refusal(), refusal, "{body}");
    }
}

#[tokio::test]
async fn a_replay_begins_the_schedule_anew_and_keeps_the_log() {
    let stage = Stage::new().await;
    let receiver = answering(500).await;
    let webhook = stage.register(&hook(&receiver)).await;
    stage.assign().await;
    let worker = stage.worker();
    let exhaust = async || {
        for _ in 0..100 {
            stage.world.clock.advance(Duration::from_secs(3600));
            worker.deliver_due().await.unwrap();
        }
    };
    exhaust().await;
    stage
        .world
        .post(&format!("{}/replay", of(&webhook)), &stage.agent, json!({"status": "failed"}))
        .await
        .expect(200);
    // The webhook would be disabled after five days without a success.
    stage.world.post(&format!("{}/enable", of(&webhook)), &stage.agent, json!({})).await.expect(200);
    worker.deliver_due().await.unwrap();
    let [waiting] = deliveries(&stage.world, &of(&webhook), &stage.agent, "").await.try_into().unwrap();
    assert_eq!((&waiting["status"], &waiting["attempt_count"]), (&json!("pending"), &json!(11)));
    assert_eq!(numbers(&waiting["attempts"], "number"), (1..=11).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_long_replay_goes_on_where_it_stopped() {
    let stage = Stage::new().await;
    let webhook = stage.register("http://127.0.0.1:9/hook").await;
    let id = text(&webhook["id"]);
    let written = stage.world.app.store().write(move |tx| {
        Box::pin(async move {
            for n in 0..1500_i64 {
                let sql = format!(
                    "INSERT INTO deliveries (id, webhook_id, event, body, status, finished_at, created_at) \
                     VALUES ('msg_{n:04}', '{id}', 'ticket_assigned', '{{}}', 'failed', {n}, {n})"
                );
                tx.execute(&sql, &[]).await?;
            }
            Ok::<_, openpod_server::store::StoreError>(())
        })
    });
    written.await.unwrap();
    let replay = format!("{}/replay", of(&webhook));
    let first = stage.world.post(&replay, &stage.agent, json!({"status": "failed"})).await.expect(200);
    assert_eq!(
        (&first["replayed"], &first["next_since"]),
        (&json!(1000), &json!("1970-01-01T00:00:00.001000Z"))
    );
    let rest = json!({"status": "failed", "since": first["next_since"]});
    let rest = stage.world.post(&replay, &stage.agent, rest).await.expect(200);
    assert_eq!(rest, json!({"replayed": 500, "next_since": null}));
}

#[tokio::test]
async fn a_disabled_webhook_is_enabled_again_and_what_it_missed_is_replayed() {
    let stage = Stage::new().await;
    let receiver = MockServer::start().await;
    Mock::given(path("/hook"))
        .respond_with(ResponseTemplate::new(410))
        .up_to_n_times(1)
        .mount(&receiver)
        .await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let webhook = stage.register(&hook(&receiver)).await;
    let at = of(&webhook);
    let post = |operation: &str, body: Value| {
        let path = format!("{at}/{operation}");
        let (world, agent) = (&stage.world, &stage.agent);
        async move { world.post(&path, agent, body).await }
    };
    stage.assign().await;
    stage.assign().await;
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(stage.webhook().await["is_active"], false);
    for (operation, body) in [("test", json!({})), ("replay", json!({"status": "failed"}))] {
        let refused = post(operation, body).await;
        assert_eq!(refused.refusal(), (409, "conflict"), "{operation}");
        assert!(text(&refused.json["error"]).contains("410"), "{}", refused.json);
    }
    let enabled = post("enable", json!({})).await.expect(200);
    assert_eq!((&enabled["is_active"], enabled.get("disabled_reason")), (&json!(true), None));
    assert_eq!(post("enable", json!({})).await.expect(200), enabled, "to do it again changes nothing");
    assert_eq!(post("replay", json!({"status": "failed"})).await.expect(200)["replayed"], 2);
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 3);
    assert!(stage.outbox().await.iter().all(|(status, ..)| status == "delivered"));
}

#[tokio::test]
async fn an_owner_sees_and_replays_what_concerns_their_projects_and_no_more() {
    let stage = Stage::new().await;
    let receiver = answering(200).await;
    let (olga, otto) = (stage.world.owner("olga").await, stage.world.owner("otto").await);
    let project = stage.world.project(&olga).await;
    let member = stage.world.member(&project, "mia", "worker").await;
    let webhook = stage.register_for(&member, &format!("{}?token=T0P", hook(&receiver))).await;
    stage.world.ticket(&project, Some(&member)).await;
    // She works in a project of somebody else's, too.
    let other = stage.world.project(&otto).await;
    let position = json!({"project_id": other.id, "title": "Wanted", "role_level": "worker"});
    let position = stage.world.post(&format!("{OWNER}/positions"), &otto, position).await.expect(201);
    let letter = json!({"position_id": position["id"], "cover_letter": "I can."});
    let application = stage.world.post(&format!("{AGENT}/apply"), &member, letter).await.expect(201);
    let decide = format!("{OWNER}/applications/{}/decide", text(&application["id"]));
    stage.world.post(&decide, &otto, json!({"decision": "accept"})).await.expect(200);
    stage.world.ticket(&other, Some(&member)).await;
    stage.worker().deliver_due().await.unwrap();
    assert_eq!(received(&receiver).await.len(), 2);

    let list = stage.world.get(&format!("{OWNER}/webhooks?project_id={}", project.id), &olga).await;
    let [seen] = <[Value; 1]>::try_from(list.expect(200).as_array().unwrap().clone()).unwrap();
    assert_eq!((&seen["agent_name"], &seen["agent_key_id"]), (&json!("mia"), &json!(member.id)));
    assert_eq!(text(&seen["origin"]), receiver.uri());
    assert!(!seen.to_string().contains("T0P") && !seen.to_string().contains("secret"), "{seen}");
    assert_eq!(
        stage.world.get(&format!("{OWNER}/webhooks"), &olga).await.expect(200).as_array().unwrap().len(),
        1
    );

    for owner in [&olga, &otto] {
        assert_eq!(deliveries(&stage.world, &owners(&webhook), owner, "").await.len(), 1);
        let since = json!({"since": "2026-03-12T00:00:00Z"});
        let replayed =
            stage.world.post(&format!("{}/replay", owners(&webhook)), owner, since).await.expect(200);
        assert_eq!(replayed["replayed"], 1);
    }
    assert_eq!(deliveries(&stage.world, &of(&webhook), &member, "").await.len(), 2);
    let [foreign] = deliveries(&stage.world, &owners(&webhook), &otto, "").await.try_into().unwrap();
    let one = json!({"delivery_id": foreign["id"]});
    let refused = stage.world.post(&format!("{}/replay", owners(&webhook)), &olga, one).await;
    assert_eq!(refused.refusal(), (404, "not_found"));

    stage.world.post(&format!("{}/test", owners(&webhook)), &olga, json!({})).await.expect(201);
    assert_eq!(deliveries(&stage.world, &owners(&webhook), &olga, "?event=webhook_test").await.len(), 1);
    let rotate = stage.world.post(&format!("{}/rotate", owners(&webhook)), &olga, json!({})).await;
    assert_eq!(rotate.refusal(), (404, "not_found"), "the secret is the agent's");
    let log = stage.world.get(&format!("{OWNER}/audit"), &olga).await.expect(200);
    assert_eq!(
        each(log.as_array().unwrap(), "operation")[..2],
        ["OwnerTestWebhook", "OwnerReplayDeliveries"]
    );
}
