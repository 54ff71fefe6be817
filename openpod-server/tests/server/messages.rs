//! Messages in channels, and what is unread.

use http::Method;
use serde_json::{Value, json};

use super::watching::{NOBODY, each, items};
use super::world::{AGENT, Person, Project, World, text};

async fn say(world: &World, project: &Project, who: &Person, content: &str) -> Value {
    let message = json!({"project_id": project.id, "channel_id": project.channel, "content": content});
    world.post(&format!("{AGENT}/messages"), who, message).await.expect(201)
}

fn channel(project: &Project) -> String {
    format!("{AGENT}/messages?project_id={}", project.id)
}

async fn unread(world: &World, who: &Person) -> Value {
    world.get(&format!("{AGENT}/heartbeat"), who).await.expect(200)["messages"].clone()
}

#[tokio::test]
async fn what_one_writes_the_others_hear_and_read() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let (ada, bob) =
        (world.member(&project, "ada", "lead").await, world.member(&project, "bob", "worker").await);
    let stranger = world.register("stranger").await;
    for agent in [&ada, &bob, &stranger] {
        world.listen(agent).await;
    }
    let sent = say(&world, &project, &ada, "Starting work 🦀").await;
    assert_eq!(
        (&sent["content"], &sent["author_agent_key_id"]),
        (&json!("Starting work 🦀"), &json!(ada.id))
    );
    say(&world, &project, &bob, "Good.").await;
    let read = world.get(&channel(&project), &bob).await.expect(200);
    assert_eq!(read[0], sent);
    assert_eq!(each(&items(read), "content"), ["Starting work 🦀", "Good."]);
    assert_eq!(
        world.told(&bob).await[0]["data"],
        json!({"message_id": sent["id"], "channel_id": project.channel, "channel_name": "general",
               "project_id": project.id, "content": "Starting work 🦀", "author_agent_key_id": ada.id,
               "author_name": "ada"})
    );
    assert_eq!(world.events(&ada).await, ["message_received"]);
    assert_eq!(world.events(&bob).await, ["message_received"]);
    assert!(world.events(&stranger).await.is_empty());
}

#[tokio::test]
async fn reading_a_channel_marks_it_read_and_ones_own_messages_never_count() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let (ada, bob) =
        (world.member(&project, "ada", "lead").await, world.member(&project, "bob", "worker").await);
    let nothing = json!({"unread_count": 0, "channels": []});
    assert_eq!(unread(&world, &bob).await, nothing);
    for n in 0..3 {
        say(&world, &project, &ada, &format!("message {n}")).await;
    }
    let three = json!({"unread_count": 3, "channels": [
        {"project_id": project.id, "channel_id": project.channel, "channel_name": "general", "count": 3}]});
    assert_eq!(unread(&world, &bob).await, three);
    assert_eq!(unread(&world, &ada).await, nothing);
    world.get(&format!("{}&limit=1", channel(&project)), &bob).await.expect(200);
    assert_eq!(unread(&world, &bob).await, nothing);

    say(&world, &project, &bob, "mine").await;
    assert_eq!(unread(&world, &bob).await, nothing);
    assert_eq!(unread(&world, &ada).await["unread_count"], 1);
    // Who joins finds what was said before.
    let cyd = world.member(&project, "cyd", "worker").await;
    assert_eq!(unread(&world, &cyd).await["unread_count"], 4);
}

#[tokio::test]
async fn the_newest_page_comes_first_and_the_cursor_leads_to_older_ones() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let (ada, bob) =
        (world.member(&project, "ada", "lead").await, world.member(&project, "bob", "worker").await);
    for n in 0..11 {
        say(&world, &project, &ada, &format!("{n}")).await;
    }
    let page = world.get(&format!("{}&limit=4", channel(&project)), &bob).await;
    let cursor = text(&page.json["next_cursor"]);
    assert_eq!(each(&items(page.expect(200)), "content"), ["7", "8", "9", "10"]);
    // What is written in between moves no page.
    say(&world, &project, &ada, "11").await;
    let older = world.get(&format!("{}&limit=4&cursor={cursor}", channel(&project)), &bob).await.expect(200);
    assert_eq!(each(&items(older), "content"), ["3", "4", "5", "6"]);
    assert_eq!(unread(&world, &bob).await["unread_count"], 1);
    let all = world.walk(&channel(&project), &bob, 5).await;
    assert_eq!(all.len(), 12);
    world.refuses_wrong_pages(&channel(&project), &bob).await;
}

#[tokio::test]
async fn every_channel_counts_for_itself() {
    let world = World::new().await;
    let olga = world.owner("olga").await;
    let (one, two) = (world.project(&olga).await, world.project(&olga).await);
    let (ada, bob) = (world.member(&one, "ada", "lead").await, world.member(&two, "bob", "lead").await);
    let body = json!({"title": "Mine", "description": "My own.", "positions": [{"title": "Help"}]});
    let mine = world.post(&format!("{AGENT}/projects"), &ada, body).await.expect(201);
    let letter = json!({"position_id": mine["positions"][0]["id"], "cover_letter": "I can."});
    let application = world.post(&format!("{AGENT}/apply"), &bob, letter).await.expect(201);
    let decide = format!("{AGENT}/applications/{}/decide", text(&application["id"]));
    world.post(&decide, &ada, json!({"decision": "accept"})).await.expect(200);
    let third = Project {
        id: text(&mine["project"]["id"]),
        channel: text(&mine["channel"]["id"]),
        owner: ada.clone(),
    };

    say(&world, &one, &ada, "to nobody").await;
    say(&world, &two, &bob, "to nobody").await;
    say(&world, &third, &bob, "to ada").await;
    say(&world, &third, &ada, "to bob").await;
    say(&world, &third, &bob, "to ada").await;
    for (agent, count) in [(&ada, 2), (&bob, 1)] {
        let found = unread(&world, agent).await;
        assert_eq!((&found["unread_count"], &found["channels"][0]["count"]), (&json!(count), &json!(count)));
        assert_eq!(found["channels"][0]["project_id"], json!(third.id));
        assert_eq!(items(found["channels"].clone()).len(), 1);
    }
}

#[tokio::test]
async fn messages_written_at_once_are_all_kept_in_one_order() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let (ada, bob) =
        (world.member(&project, "ada", "lead").await, world.member(&project, "bob", "worker").await);
    let contents: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let writing = contents.iter().map(|content| say(&world, &project, &ada, content));
    futures_util::future::join_all(writing).await;
    assert_eq!(unread(&world, &bob).await["unread_count"], 60);
    let mut found = each(&world.walk(&channel(&project), &bob, 7).await, "content");
    found.sort_by_key(|content| content.parse::<u32>().unwrap());
    assert_eq!(found, contents);
}

#[tokio::test]
async fn a_channel_is_closed_to_strangers_and_to_what_is_malformed() {
    let world = World::new().await;
    let olga = world.owner("olga").await;
    let (project, other) = (world.project(&olga).await, world.project(&olga).await);
    let (ada, stranger) = (world.member(&project, "ada", "lead").await, world.register("stranger").await);
    let post = |body: Value, code| (Method::POST, format!("{AGENT}/messages"), body, code);
    let get = |query: String, code| (Method::GET, format!("{AGENT}/messages{query}"), json!(null), code);
    let message =
        |project: &str, channel: &str| json!({"project_id": project, "channel_id": channel, "content": "x"});
    let (bad, missing) = ((400, "invalid_request"), (404, "not_found"));
    let mut long = message(&project.id, &project.channel);
    long["content"] = json!("x".repeat(10_001));
    let mut empty = message(&project.id, &project.channel);
    empty["content"] = json!("  ");
    let table = [
        post(json!({"project_id": project.id, "content": "x"}), bad),
        post(message("proj_1", &project.channel), bad),
        post(message(&project.id, "general"), bad),
        post(long, bad),
        post(empty, bad),
        post(message(NOBODY, &project.channel), missing),
        post(message(&project.id, NOBODY), missing),
        post(message(&project.id, &other.channel), missing),
        post(message(&other.id, &other.channel), (403, "forbidden")),
        get(String::new(), bad),
        get(format!("?project_id={NOBODY}"), missing),
        get(format!("?project_id={}", other.id), (403, "forbidden")),
        get(format!("?project_id={}&channel_id={}", project.id, other.channel), missing),
        get(format!("?project_id={}&channel_id=general", project.id), bad),
    ];
    world.refuses(&ada, &table).await;
    let table = [
        post(message(&project.id, &project.channel), (403, "forbidden")),
        get(format!("?project_id={}", project.id), (403, "forbidden")),
    ];
    world.refuses(&stranger, &table).await;
}
