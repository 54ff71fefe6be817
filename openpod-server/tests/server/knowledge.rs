//! What projects know.

use http::Method;
use serde_json::{Value, json};

use super::watching::{NOBODY, each, items};
use super::world::{AGENT, Person, Project, World};

fn entry(project: &Project, title: &str, about: &str) -> Value {
    let content = format!("## {title}\n{about}\nSome more words, so that it is long enough.");
    json!({"project_id": project.id, "title": title, "content": content})
}

async fn write(world: &World, who: &Person, entry: Value) {
    let created = world.post(&format!("{AGENT}/knowledge"), who, entry.clone()).await.expect(201);
    assert_eq!((&created["title"], &created["version"]), (&entry["title"], &json!(1)));
    world.clock.advance(std::time::Duration::from_secs(1));
}

async fn find(world: &World, project: &Project, who: &Person, query: &[(&str, &str)]) -> Vec<String> {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.append_pair("project_id", &project.id).extend_pairs(query);
    let found = world.get(&format!("{AGENT}/knowledge?{}", text.finish()), who).await.expect(200);
    each(&items(found), "title")
}

#[tokio::test]
async fn what_one_writes_down_another_finds() {
    let world = World::new().await;
    let olga = world.owner("olga").await;
    let (project, other) = (world.project(&olga).await, world.project(&olga).await);
    let (ada, bob) =
        (world.member(&project, "ada", "lead").await, world.member(&other, "bob", "worker").await);
    let mut schema = entry(&project, "Database Schema", "Twelve tables in one database.");
    schema["category"] = json!("architecture");
    schema["importance"] = json!("high");
    schema["tags"] = json!(["postgres", "schema"]);
    write(&world, &ada, schema.clone()).await;
    write(
        &world,
        &ada,
        entry(&project, "Deployment notes", "The database is backed up before each deployment."),
    )
    .await;
    write(&world, &bob, entry(&other, "Schema of another project", "Nobody else's business.")).await;

    let path = format!("{AGENT}/knowledge?project_id={}&q=schema", project.id);
    let found = world.get(&path, &ada).await.expect(200);
    assert_eq!(
        found,
        json!([{"id": found[0]["id"], "title": "Database Schema", "content": schema["content"],
                "category": "architecture", "importance": "high", "tags": ["postgres", "schema"], "version": 1,
                "updated_at": "2026-03-12T10:30:00.000000Z"}])
    );
    for (query, expected) in [
        ("database", vec!["Database Schema", "Deployment notes"]),
        ("databases", vec!["Database Schema", "Deployment notes"]),
        ("DATABASE deployment", vec!["Deployment notes"]),
        ("postgres", vec!["Database Schema"]),
        ("nothing", vec![]),
    ] {
        assert_eq!(find(&world, &project, &ada, &[("q", query)]).await, expected, "{query}");
    }
    let filtered = [("q", "database"), ("category", "general")];
    assert_eq!(find(&world, &project, &ada, &filtered).await, ["Deployment notes"]);
    assert_eq!(find(&world, &project, &ada, &[("importance", "high")]).await, ["Database Schema"]);
    assert!(find(&world, &project, &ada, &[("importance", "low")]).await.is_empty());
}

#[tokio::test]
async fn what_is_pinned_comes_first_and_then_what_is_new() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let ada = world.member(&project, "ada", "lead").await;
    for (title, importance) in
        [("entry one", "pinned"), ("entry two", "low"), ("entry three", "pinned"), ("entry four", "high")]
    {
        let mut new = entry(&project, title, "x");
        new["importance"] = json!(importance);
        write(&world, &ada, new).await;
    }
    let expected = ["entry three", "entry one", "entry four", "entry two"];
    assert_eq!(find(&world, &project, &ada, &[]).await, expected);
}

#[tokio::test]
async fn no_text_breaks_the_search() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let ada = world.member(&project, "ada", "lead").await;
    write(
        &world,
        &ada,
        entry(&project, "Odd words", "C++ and \"quoted\" NEAR don't foo-bar naïve 日本語 v2.0"),
    )
    .await;
    for query in [
        "\"",
        "\"\"",
        "\"quoted\"",
        "\"quoted",
        "*",
        "foo*",
        "NEAR",
        "NEAR(a b)",
        "a NEAR/2 b",
        "AND",
        "OR",
        "NOT",
        "c++",
        "don't",
        "foo-bar",
        "-foo",
        "title:odd",
        "project:018f",
        "{title}:x",
        "(",
        ")",
        "^odd",
        "'",
        "''",
        "\\",
        "%",
        "_",
        ";",
        "--",
        "🦀",
        "quoted 🦀",
        "日本語",
        "naive",
        "v2.0",
        "a\tb\nc",
        "\u{202e}",
        "id:1 OR 1",
        "; DROP TABLE knowledge;",
    ] {
        find(&world, &project, &ada, &[("q", query)]).await;
    }
    for (query, hits) in [
        ("c++", 1),
        ("\"quoted\"", 1),
        ("don't", 1),
        ("foo-bar", 1),
        ("NEAR", 1),
        ("naive", 1),
        ("日本語", 1),
        ("v2.0", 1),
        ("quoted 🦀", 1),
        ("odd OR nothing", 0),
        ("quo*", 0),
        ("  ", 0),
        ("🦀", 0),
        ("***", 0),
        ("title:odd", 0),
    ] {
        assert_eq!(find(&world, &project, &ada, &[("q", query)]).await.len(), hits, "{query}");
    }
    assert!(find(&world, &project, &ada, &[("q", &project.id.replace('-', ""))]).await.is_empty());
}

#[tokio::test]
async fn both_orders_are_walked_without_gaps_or_doubles() {
    let world = World::new().await;
    let project = world.project(&world.owner("olga").await).await;
    let ada = world.member(&project, "ada", "lead").await;
    for n in 0..23 {
        let mut new = entry(&project, &format!("entry {n}"), &"schema ".repeat(n % 4));
        if n % 6 == 0 {
            new["importance"] = json!("pinned");
        }
        let created = world.post(&format!("{AGENT}/knowledge"), &ada, new).await;
        created.expect(201);
    }
    let path = format!("{AGENT}/knowledge?project_id={}", project.id);
    let all = world.walk(&path, &ada, 4).await;
    assert_eq!(all.len(), 23);
    assert!(each(&all[..4], "importance").iter().all(|word| word == "pinned"));
    let ranked = world.walk(&format!("{path}&q=schema"), &ada, 4).await;
    assert_eq!(ranked.len(), 17);
    let at_once = find(&world, &project, &ada, &[("q", "schema"), ("limit", "100")]).await;
    assert_eq!(each(&ranked, "title"), at_once);
    world.refuses_wrong_pages(&path, &ada).await;
    world.refuses_wrong_pages(&format!("{path}&q=schema"), &ada).await;
}

#[tokio::test]
async fn knowledge_is_closed_to_strangers_and_to_what_is_malformed() {
    let world = World::new().await;
    let olga = world.owner("olga").await;
    let (project, other) = (world.project(&olga).await, world.project(&olga).await);
    let (ada, stranger) = (world.member(&project, "ada", "lead").await, world.register("stranger").await);
    let (bad, missing) = ((400, "invalid_request"), (404, "not_found"));
    let path = format!("{AGENT}/knowledge");
    let with = |field: &str, value: Value| {
        let mut new = entry(&project, "A title", "x");
        new[field] = value;
        (Method::POST, path.clone(), new, bad)
    };
    let get = |query: String, code| (Method::GET, format!("{path}{query}"), json!(null), code);
    let table = [
        with("project_id", json!("proj_1")),
        with("title", json!("four")),
        with("title", json!("x".repeat(201))),
        with("content", json!("x".repeat(49))),
        with("content", json!("x".repeat(50_001))),
        with("category", json!("gossip")),
        with("importance", json!("urgent")),
        with("tags", json!(["x".repeat(65)])),
        with("tags", json!(vec!["x"; 51])),
        (Method::POST, path.clone(), entry(&other, "A title", "x"), (403, "forbidden")),
        get(String::new(), bad),
        get(format!("?project_id={}&category=gossip", project.id), bad),
        get(format!("?project_id={}&importance=urgent", project.id), bad),
        get(format!("?project_id={}&q={}", project.id, "x".repeat(201)), bad),
        get(format!("?project_id={}&q=%00", project.id), bad),
        get(format!("?project_id={NOBODY}"), missing),
        get(format!("?project_id={}", other.id), (403, "forbidden")),
    ];
    world.refuses(&ada, &table).await;
    let table = [
        (Method::POST, path.clone(), entry(&project, "A title", "x"), (403, "forbidden")),
        get(format!("?project_id={}", project.id), (403, "forbidden")),
    ];
    world.refuses(&stranger, &table).await;
}
