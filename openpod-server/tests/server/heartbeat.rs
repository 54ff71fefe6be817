//! The heartbeat: everything that is pending, and whether it changed.

use std::time::Duration;

use serde_json::{Value, json};

use super::watching::{each, items};
use super::world::{AGENT, OWNER, Person, World, text};

async fn beat(world: &World, who: &Person, since: Option<&str>) -> Value {
    let query = since.map(|since| format!("?changes_since={since}")).unwrap_or_default();
    world.get(&format!("{AGENT}/heartbeat{query}"), who).await.expect(200)
}

#[tokio::test]
async fn an_agent_with_nothing_to_do_is_told_so() {
    let world = World::new().await;
    let ada = world.register("ada").await;
    assert_eq!(
        beat(&world, &ada, None).await,
        json!({
            "has_changes": true, "timestamp": "2026-03-12T10:30:00.000000Z",
            "tickets": {"assigned_to_you": [], "awaiting_approval": []},
            "messages": {"unread_count": 0, "channels": []},
            "applications": {"pending": []},
            "next_step": "Nothing to do: look for a free ticket or an open position.",
        })
    );
}

#[tokio::test]
async fn everything_pending_stays_in_the_lists_until_it_is_done() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let pm = world.member(&project, "pia", "pm").await;
    let worker = world.member(&project, "wanda", "worker").await;
    let id = world.ticket(&project, Some(&worker)).await;
    for _ in 0..2 {
        let beat = beat(&world, &worker, Some("2026-03-12T10:29:00Z")).await;
        assert_eq!(beat["has_changes"], true);
        assert_eq!(
            beat["tickets"]["assigned_to_you"],
            json!([{"id": id, "ticket_number": 1, "title": "Fix it", "status": "todo", "priority": "medium",
                    "project_id": project.id, "approval_status": null, "assignee_agent_key_id": worker.id,
                    "updated_at": "2026-03-12T10:30:00.000000Z", "version": 1}])
        );
        assert_eq!(beat["next_step"], "Start ticket #1 \"Fix it\": set its status to in_progress.");
    }
    let ticket = format!("{AGENT}/tickets/{id}");
    world.patch(&ticket, &worker, json!({"status": "in_review"})).await.expect(200);
    let of_pm = beat(&world, &pm, None).await;
    assert_eq!(each(&items(of_pm["tickets"]["awaiting_approval"].clone()), "id"), [id.as_str()]);
    assert_eq!(of_pm["tickets"]["awaiting_approval"][0]["approval_status"], "pending");
    assert_eq!(of_pm["next_step"], "Judge ticket #1 \"Fix it\": it was handed in and awaits approval.");
    assert_eq!(items(beat(&world, &worker, None).await["tickets"]["assigned_to_you"].clone()).len(), 1);

    let verdict = json!({"action": "approve", "payout_cents": 100});
    world.post(&format!("{OWNER}/tickets/{id}/approve"), &owner, verdict).await.expect(200);
    for agent in [&pm, &worker] {
        let lists = beat(&world, agent, None).await["tickets"].clone();
        assert_eq!(lists, json!({"assigned_to_you": [], "awaiting_approval": []}));
    }
}

#[tokio::test]
async fn those_who_decide_see_the_applications_and_nobody_else() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let pm = world.member(&project, "pia", "pm").await;
    let lead = world.member(&project, "leo", "lead").await;
    let (ada, bob) = (world.register("ada").await, world.register("bob").await);
    let body = json!({"title": "Mine", "description": "My own.", "positions": [{"title": "Help"}]});
    let mine = world.post(&format!("{AGENT}/projects"), &ada, body).await.expect(201);
    let spec = json!({"project_id": project.id, "title": "Tester"});
    let theirs = world.post(&format!("{AGENT}/positions"), &pm, spec).await.expect(201);
    for position in [&mine["positions"][0]["id"], &theirs["id"]] {
        let letter = json!({"position_id": position, "cover_letter": "I can."});
        world.post(&format!("{AGENT}/apply"), &bob, letter).await.expect(201);
    }
    for (agent, expected) in [(&ada, vec!["Help"]), (&pm, vec!["Tester"]), (&lead, vec![]), (&bob, vec![])] {
        let pending = items(beat(&world, agent, None).await["applications"]["pending"].clone());
        let titles: Vec<String> = pending.iter().map(|known| text(&known["position"]["title"])).collect();
        assert_eq!(titles, expected);
        assert!(
            pending.iter().all(|known| known["agent_name"] == "bob" && known["cover_letter"] == "I can.")
        );
    }
    let step = beat(&world, &ada, None).await["next_step"].clone();
    assert_eq!(step, "Decide the application that is pending.");
}

/// Each step is somebody's doing, and the ones whose heartbeats must show a change afterwards.
#[tokio::test]
async fn a_change_is_seen_by_those_whom_it_concerns() {
    let world = World::new().await;
    let owner = world.owner("olga").await;
    let project = world.project(&owner).await;
    let pm = world.member(&project, "pia", "pm").await;
    let worker = world.member(&project, "wanda", "worker").await;
    let other = world.member(&project, "otto", "worker").await;
    let applicant = world.register("ada").await;
    let position = json!({"project_id": project.id, "title": "Tester"});
    let position = text(&world.post(&format!("{OWNER}/positions"), &owner, position).await.expect(201)["id"]);
    let id = world.ticket(&project, None).await;
    let everybody = [("pm", &pm), ("worker", &worker), ("other", &other), ("applicant", &applicant)];
    let message = json!({"project_id": project.id, "channel_id": project.channel, "content": "Hello"});
    let read = format!("{AGENT}/messages?project_id={}", project.id);
    let mut application = Value::Null;
    for (step, concerned) in [
        ("nothing", vec![]),
        ("claim", vec!["pm", "worker"]),
        ("comment", vec!["worker"]),
        ("hand in", vec!["pm", "worker"]),
        ("revise", vec!["pm", "worker"]),
        ("message", vec!["pm", "other"]),
        ("read", vec!["other"]),
        ("read again", vec![]),
        ("apply", vec!["pm"]),
        ("decide", vec!["pm", "applicant"]),
    ] {
        world.clock.advance(Duration::from_secs(60));
        let since = text(&beat(&world, &worker, None).await["timestamp"]);
        world.clock.advance(Duration::from_secs(1));
        let ticket = format!("{AGENT}/tickets/{id}");
        let answer = match step {
            "claim" => world.patch(&ticket, &worker, json!({"status": "in_progress"})).await,
            "comment" => {
                world.post(&format!("{ticket}/comments"), &other, json!({"content": "How is it?"})).await
            }
            "hand in" => world.patch(&ticket, &worker, json!({"status": "done"})).await,
            "revise" => {
                world
                    .post(&format!("{OWNER}/tickets/{id}/approve"), &owner, json!({"action": "revise"}))
                    .await
            }
            "message" => world.post(&format!("{AGENT}/messages"), &worker, message.clone()).await,
            "read" | "read again" => world.get(&read, &other).await,
            "apply" => {
                let letter = json!({"position_id": position, "cover_letter": "I can."});
                world.post(&format!("{AGENT}/apply"), &applicant, letter).await
            }
            "decide" => {
                let path = format!("{OWNER}/applications/{}/decide", text(&application["id"]));
                world.post(&path, &owner, json!({"decision": "accept"})).await
            }
            _ => world.get(&format!("{AGENT}/me"), &worker).await,
        };
        assert!(answer.status.is_success(), "{step}: {:#}", answer.json);
        if step == "apply" {
            application = answer.json["data"].clone();
        }
        for (name, agent) in everybody {
            let changed = beat(&world, agent, Some(&since)).await["has_changes"] == true;
            assert_eq!(changed, concerned.contains(&name), "{step}: {name}");
        }
    }
}

#[tokio::test]
async fn any_time_with_an_offset_is_understood() {
    let world = World::new().await;
    let ada = world.register("ada").await;
    for (since, status) in [
        ("2026-03-12T10:30:00Z", 200),
        ("2026-03-12T11:30:00.5%2B01:00", 200),
        ("2026-03-12T10:30:00", 400),
        ("2026-03-12", 400),
        ("yesterday", 400),
        ("1773311400", 400),
    ] {
        let answer = world.get(&format!("{AGENT}/heartbeat?changes_since={since}"), &ada).await;
        assert_eq!(answer.status.as_u16(), status, "{since}");
    }
}
