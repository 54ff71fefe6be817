//! Applying to positions, and deciding.

use http::Method;
use serde_json::{Value, json};

use super::watching::{NOBODY, each, items};
use super::world::{AGENT, Answer, OWNER, Person, Project, World, text};

/// A project with one position that is open.
struct Opening {
    world: World,
    project: Project,
    position: String,
}

impl Opening {
    async fn of(max_agents: u32) -> Opening {
        let world = World::new().await;
        let owner = world.owner("olga").await;
        let project = world.project(&owner).await;
        let position = open(&world, &project, "Developer", max_agents).await;
        Opening { world, project, position }
    }

    async fn apply(&self, agent: &Person) -> Answer {
        apply(&self.world, agent, &self.position).await
    }

    async fn decide(&self, application: &Value, decision: &str) -> Answer {
        let path = format!("{OWNER}/applications/{}/decide", text(&application["id"]));
        let body = json!({"decision": decision, "comment": format!("I {decision}.")});
        self.world.post(&path, &self.project.owner, body).await
    }

    async fn status(&self) -> String {
        let overview =
            self.world.get(&format!("{OWNER}/projects/{}", self.project.id), &self.project.owner).await;
        let positions = items(overview.expect(200)["positions"].clone());
        text(&positions.iter().find(|position| position["id"] == json!(self.position)).unwrap()["status"])
    }
}

async fn open(world: &World, project: &Project, title: &str, max_agents: u32) -> String {
    let spec = json!({"project_id": project.id, "title": title, "max_agents": max_agents});
    text(&world.post(&format!("{OWNER}/positions"), &project.owner, spec).await.expect(201)["id"])
}

async fn apply(world: &World, agent: &Person, position: &str) -> Answer {
    let letter = json!({"position_id": position, "cover_letter": "I can."});
    world.post(&format!("{AGENT}/apply"), agent, letter).await
}

#[tokio::test]
async fn an_accepted_agent_becomes_a_member_and_the_full_position_closes() {
    let opening = Opening::of(1).await;
    let world = &opening.world;
    let (ada, bob) = (world.register("ada").await, world.register("bob").await);
    for agent in [&ada, &bob] {
        world.listen(agent).await;
    }
    let first = opening.apply(&ada).await.expect(201);
    assert_eq!((&first["status"], &first["position_id"]), (&json!("pending"), &json!(opening.position)));
    assert_eq!((&first["agent_key_id"], &first["agent_name"]), (&json!(ada.id), &json!("ada")));
    let second = opening.apply(&bob).await.expect(201);

    let accepted = opening.decide(&first, "accept").await.expect(200);
    assert_eq!((&accepted["status"], &accepted["comment"]), (&json!("accepted"), &json!("I accept.")));
    assert_eq!(accepted["position"]["status"], "filled");
    assert_eq!(opening.status().await, "filled");
    let me = world.get(&format!("{AGENT}/me"), &ada).await.expect(200);
    assert_eq!(
        me["memberships"],
        json!([{"project_id": opening.project.id, "project_title": "Build it", "project_status": "open",
                "position_title": "Developer", "role_level": "worker", "is_owner": false}])
    );
    world.get(&format!("{AGENT}/tickets?project_id={}", opening.project.id), &ada).await.expect(200);

    assert_eq!(opening.decide(&second, "accept").await.refusal(), (409, "position_closed"));
    opening.decide(&second, "reject").await.expect(200);
    assert_eq!(opening.apply(&world.register("cyd").await).await.refusal(), (409, "position_closed"));
    assert_eq!(
        world.told(&ada).await[0]["data"],
        json!({"application_id": first["id"], "position_id": opening.position, "position_title": "Developer",
               "project_id": opening.project.id, "role_level": "worker", "comment": "I accept."})
    );
    assert_eq!(world.events(&ada).await, ["application_accepted"]);
    assert_eq!(world.events(&bob).await, ["application_rejected"]);
}

#[tokio::test]
async fn a_position_for_two_takes_two() {
    let opening = Opening::of(2).await;
    for (name, left) in [("ada", "open"), ("bob", "filled")] {
        let agent = opening.world.register(name).await;
        let application = opening.apply(&agent).await.expect(201);
        opening.decide(&application, "accept").await.expect(200);
        assert_eq!(opening.status().await, left);
    }
}

#[tokio::test]
async fn nobody_applies_twice_and_who_was_rejected_may_apply_again() {
    let opening = Opening::of(3).await;
    let ada = opening.world.register("ada").await;
    let first = opening.apply(&ada).await.expect(201);
    assert_eq!(opening.apply(&ada).await.refusal(), (409, "already_applied"));
    opening.decide(&first, "reject").await.expect(200);
    assert_eq!(opening.decide(&first, "accept").await.refusal(), (409, "conflict"));
    opening.world.clock.advance(std::time::Duration::from_secs(1));
    let again = opening.apply(&ada).await.expect(201);
    assert_ne!(again["id"], first["id"]);
    opening.decide(&again, "accept").await.expect(200);
    assert_eq!(opening.decide(&again, "reject").await.refusal(), (409, "conflict"));
    assert_eq!(opening.apply(&ada).await.refusal(), (409, "already_applied"));
    let own = opening.world.get(&format!("{AGENT}/apply"), &ada).await.expect(200);
    assert_eq!(each(&items(own), "status"), ["accepted", "rejected"]);
    let rejected = opening.world.get(&format!("{AGENT}/apply?status=rejected"), &ada).await.expect(200);
    assert_eq!(each(&items(rejected), "id"), [text(&first["id"])]);
}

#[tokio::test]
async fn an_agent_holds_one_position_in_a_project() {
    let opening = Opening::of(1).await;
    let world = &opening.world;
    let other = open(world, &opening.project, "Tester", 1).await;
    let ada = world.register("ada").await;
    let (here, there) = (opening.apply(&ada).await.expect(201), apply(world, &ada, &other).await.expect(201));
    opening.decide(&here, "accept").await.expect(200);
    assert_eq!(opening.decide(&there, "accept").await.refusal(), (409, "conflict"));
    opening.decide(&there, "reject").await.expect(200);
    assert_eq!(apply(world, &ada, &other).await.refusal(), (409, "conflict"));

    let body = json!({"title": "Mine", "description": "My own."});
    let mine = world.post(&format!("{AGENT}/projects"), &ada, body).await.expect(201);
    let own = apply(world, &ada, &text(&mine["pm_position"]["id"])).await;
    assert_eq!(own.refusal(), (409, "conflict"));
}

#[tokio::test]
async fn of_fifty_who_are_accepted_at_once_one_gets_the_position() {
    let opening = Opening::of(1).await;
    let mut applications = Vec::new();
    for n in 0..50 {
        let agent = opening.world.register(&format!("agent-{n}")).await;
        applications.push(opening.apply(&agent).await.expect(201));
    }
    let decisions = applications.iter().map(|application| opening.decide(application, "accept"));
    let answers = futures_util::future::join_all(decisions).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1);
    for refused in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert_eq!(refused.refusal(), (409, "position_closed"));
    }
}

#[tokio::test]
async fn the_owner_and_the_pms_decide_and_nobody_else() {
    let opening = Opening::of(5).await;
    let (world, project) = (&opening.world, &opening.project);
    let pm = world.member(project, "pia", "pm").await;
    let lead = world.member(project, "leo", "lead").await;
    let (ada, stranger) = (world.register("ada").await, world.register("stranger").await);
    let application = opening.apply(&ada).await.expect(201);
    let decide = format!("/applications/{}/decide", text(&application["id"]));
    let accept = json!({"decision": "accept"});
    for (who, expected) in
        [(&lead, (403, "forbidden")), (&ada, (403, "forbidden")), (&stranger, (404, "not_found"))]
    {
        let refused = world.post(&format!("{AGENT}{decide}"), who, accept.clone()).await;
        assert_eq!(refused.refusal(), expected);
    }
    let otto = world.owner("otto").await;
    assert_eq!(
        world.post(&format!("{OWNER}{decide}"), &otto, accept.clone()).await.refusal(),
        (404, "not_found")
    );
    world.post(&format!("{AGENT}{decide}"), &pm, accept).await.expect(200);

    let body = json!({"title": "Mine", "description": "My own.", "positions": [{"title": "Help"}]});
    let mine = world.post(&format!("{AGENT}/projects"), &ada, body).await.expect(201);
    let application = apply(world, &stranger, &text(&mine["positions"][0]["id"])).await.expect(201);
    let decide = format!("{AGENT}/applications/{}/decide", text(&application["id"]));
    world.post(&decide, &ada, json!({"decision": "reject"})).await.expect(200);
}

#[tokio::test]
async fn an_application_or_decision_is_refused_when_it_is_malformed() {
    let opening = Opening::of(1).await;
    let world = &opening.world;
    let ada = world.register("ada").await;
    let pm = world.member(&opening.project, "pia", "pm").await;
    let application = text(&opening.apply(&ada).await.expect(201)["id"]);
    let post = |path: &str, body: Value, code| (Method::POST, format!("{AGENT}{path}"), body, code);
    let bad = (400, "invalid_request");
    let letter = |text: &str| json!({"position_id": opening.position, "cover_letter": text});
    let decide = format!("/applications/{application}/decide");
    let table = [
        post("/apply", json!({"cover_letter": "x"}), bad),
        post("/apply", json!({"position_id": opening.position}), bad),
        post("/apply", letter(""), bad),
        post("/apply", letter(&"x".repeat(5001)), bad),
        post("/apply", json!({"position_id": "pos_xyz", "cover_letter": "x"}), bad),
        post("/apply", json!({"position_id": NOBODY, "cover_letter": "x"}), (404, "not_found")),
        post(&decide, json!({}), bad),
        post(&decide, json!({"decision": "defer"}), bad),
        post(&decide, json!({"decision": "accept", "comment": "x".repeat(5001)}), bad),
        post("/applications/app_1/decide", json!({"decision": "accept"}), bad),
        post(&format!("/applications/{NOBODY}/decide"), json!({"decision": "accept"}), (404, "not_found")),
        (Method::GET, format!("{AGENT}/apply?status=open"), json!(null), bad),
    ];
    world.refuses(&pm, &table).await;
    assert_eq!(opening.status().await, "open");
}

#[tokio::test]
async fn lists_of_applications_are_walked_without_gaps_or_doubles() {
    let world = World::new().await;
    let (olga, otto) = (world.owner("olga").await, world.owner("otto").await);
    let (project, other) = (world.project(&olga).await, world.project(&olga).await);
    let ada = world.register("ada").await;
    for n in 0..13 {
        if n % 5 == 0 {
            world.clock.advance(std::time::Duration::from_secs(1));
        }
        let project = if n < 10 { &project } else { &other };
        let position = open(&world, project, &format!("position {n}"), 1).await;
        apply(&world, &ada, &position).await.expect(201);
    }
    let own = world.walk(&format!("{AGENT}/apply"), &ada, 4).await;
    assert_eq!(own.len(), 13);
    assert!(each(&own, "created_at").is_sorted_by(|a, b| a >= b), "newest first");
    let to_owner = world.walk(&format!("{OWNER}/applications"), &olga, 4).await;
    assert_eq!(to_owner.len(), 13);
    assert!(each(&to_owner, "created_at").is_sorted(), "oldest first");
    let of_project = format!("{OWNER}/applications?project_id={}&status=pending", other.id);
    assert_eq!(world.walk(&of_project, &olga, 4).await.len(), 3);
    assert!(world.walk(&format!("{OWNER}/applications"), &otto, 4).await.is_empty());
    assert_eq!(world.get(&of_project, &otto).await.refusal(), (403, "forbidden"));
    let missing = world.get(&format!("{OWNER}/applications?project_id={NOBODY}"), &otto).await;
    assert_eq!(missing.refusal(), (404, "not_found"));
    world.refuses_wrong_pages(&format!("{AGENT}/apply"), &ada).await;
    world.refuses_wrong_pages(&format!("{OWNER}/applications"), &olga).await;
}
