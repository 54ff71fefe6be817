//! Traps 34 to 43: messages, knowledge and webhooks.

use openpod_sdk::Secret;
use openpod_sdk::api::heartbeat::Heartbeat;
use openpod_sdk::api::knowledge::KnowledgeFilter;
use openpod_sdk::api::messages::MessageFilter;
use openpod_sdk::api::webhooks::NewWebhook;
use openpod_sdk::api::{ChannelId, EventKind};
use openpod_sdk::webhook::{Delivery, Event, Verifier, header};
use serde_json::{Value, json};

use super::super::fixtures::{CHANNEL, message, webhook};
use super::super::service::{Service, call, cannot_say, deployed, event, hear, ids, say};

/// A request as the service sends it at this time.
fn sent(secret: &str, payload: &Value, time: &str) -> (http::HeaderMap, String) {
    use hmac::{Hmac, KeyInit, Mac};
    let body = json!({"event": "ticket_assigned", "payload": payload, "timestamp": time}).to_string();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let mut headers = http::HeaderMap::new();
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    headers.insert(header::LEGACY_SIGNATURE, signature.parse().unwrap());
    (headers, body)
}

#[tokio::test]
async fn trap_34_messages_are_read_from_the_channel_that_was_named() {
    let by_id = call!(|c| c
        .list_messages(&MessageFilter { channel_id: Some(CHANNEL.into()), ..MessageFilter::of("p".into()) }));
    assert_eq!(cannot_say(by_id).await, "channel_id");
    let by_name = call!(|c| c.list_messages(&MessageFilter {
        channel_id: Some(ChannelId::named("design")),
        ..MessageFilter::of("p".into())
    }));
    assert_eq!(say(by_name).await.0, "/messages?channel=design&project_id=p");
    assert_eq!(ids(&hear(by_name, 200, deployed("messages.list")).await.unwrap()).len(), 2);
}

#[tokio::test]
async fn trap_35_a_message_never_lands_in_another_channel() {
    assert_eq!(cannot_say(call!(|c| c.send_message(&message(CHANNEL.into())))).await, "channel_id");
    let (_, body) = say(call!(|c| c.send_message(&message(ChannelId::named("design"))))).await;
    assert_eq!(body["channel_name"], "design");
    // What a heartbeat tells leads back to where it came from.
    let beat: Value = hear(call!(|c| c.heartbeat(None)), 200, deployed("heartbeat")).await.unwrap();
    let beat: Heartbeat = serde_json::from_value(beat).unwrap();
    assert_eq!(beat.messages.channels[0].channel_id, Some(ChannelId::named("general")));
}

#[test]
fn trap_36_a_channel_has_the_name_that_it_is_created_with() {
    for (name, normal) in [("Design Talk", "design-talk"), ("#général", "g-n-ral"), ("a_b", "a-b")] {
        assert_eq!(ChannelId::named(name).name(), Some(normal), "{name}");
    }
    assert_eq!(ChannelId::named(&"x".repeat(60)).name().unwrap().len(), 50);
    assert_eq!(ChannelId::from(CHANNEL).name(), None);
}

#[tokio::test]
async fn trap_37_a_search_searches() {
    let search = call!(|c| c
        .search_knowledge(&KnowledgeFilter { q: Some("schema".into()), ..KnowledgeFilter::of("p".into()) }));
    assert_eq!(say(search).await.0, "/knowledge?project_id=p&search=schema");
}

#[tokio::test]
async fn trap_38_the_secret_of_a_webhook_is_the_one_in_the_answer() {
    let chosen =
        call!(|c| c.create_webhook(&NewWebhook { secret: Some("my-signing-secret".into()), ..webhook() }));
    assert_eq!(cannot_say(chosen).await, "secret");
    let service = Service::answering(201, deployed("webhooks.create")).await;
    let made = service.client().create_webhook(&webhook()).await.unwrap();
    assert_eq!(made.secret.unwrap().expose(), "whsec_fedcba9876543210fedcba9876543210");
}

#[tokio::test]
async fn trap_39_events_are_registered_by_the_names_that_the_service_knows() {
    let (_, body) = say(call!(|c| c.create_webhook(&NewWebhook {
        events: vec![EventKind::TicketUpdated, EventKind::PositionOpened, EventKind::TicketAssigned],
        ..webhook()
    })))
    .await;
    assert_eq!(body["events"], json!(["ticket_status_changed", "position_posted", "ticket_assigned"]));
    let all = say(call!(|c| c.create_webhook(&NewWebhook::all_events("https://a.b/c")))).await;
    assert_eq!(all.1["events"], json!(["*"]));
    let there = deployed("webhooks.list").replace("message_received", "ticket_status_changed");
    let page = hear(call!(|c| c.list_webhooks()), 200, there).await.unwrap();
    assert_eq!(page["data"][0]["events"], json!(["ticket_assigned", "ticket_updated"]));
}

#[test]
fn trap_40_the_facts_of_an_event_are_found_in_either_envelope() {
    let deployed_one: Delivery = serde_json::from_str(&deployed("webhook.ticket_assigned")).unwrap();
    let documented = deployed("webhook.ticket_assigned").replace("payload", "data");
    let documented: Delivery = serde_json::from_str(&documented).unwrap();
    assert_eq!(deployed_one, documented);
    assert!(serde_json::from_str::<Delivery>(r#"{"event":"e","timestamp":"2026-03-15T10:05:00Z"}"#).is_err());
}

#[test]
fn trap_41_an_assignment_without_a_priority_is_one() {
    let Event::TicketAssigned(facts) = event("webhook.ticket_assigned.reassigned") else { panic!() };
    assert_eq!(facts.priority, None);
}

#[test]
fn trap_42_a_redelivery_has_the_id_of_its_first_delivery() {
    let secret = "whsec_fedcba9876543210fedcba9876543210";
    let verifier = Verifier::new([Secret::from(secret)]).unwrap().accept_legacy();
    let verified = |payload: &Value, time: &str| {
        let (headers, body) = sent(secret, payload, time);
        verifier.verify(&headers, body.as_bytes(), time.parse().unwrap()).unwrap().id
    };
    let first = verified(&json!({"ticket_id": "t"}), "2026-03-15T10:05:00.250Z");
    assert_eq!(first, verified(&json!({"ticket_id": "t"}), "2026-03-15T10:06:00.250Z"), "a minute later");
    assert_ne!(first, verified(&json!({"ticket_id": "u"}), "2026-03-15T10:05:00.250Z"), "another ticket");
}

#[tokio::test]
async fn trap_43_work_is_found_by_asking_although_no_webhook_ever_came() {
    let service = Service::answering(200, deployed("heartbeat")).await;
    let mut heartbeats = service.client().heartbeats();
    let beat = heartbeats.next().await.unwrap().unwrap();
    assert_eq!(beat.tickets.assigned_to_you[0].ticket_number, Some(5));
}
