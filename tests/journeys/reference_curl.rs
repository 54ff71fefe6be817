//! The curl lines of the API reference, as they are printed there; only hosts, keys, ids and elided values change.

use openpod_sdk::Secret;
use openpod_sdk::api::TicketStatus;
use serde_json::Value;

use crate::world::World;

/// What a line of curl sends.
#[derive(Debug, Default, PartialEq)]
struct Sent {
    method: Option<String>,
    address: String,
    headers: Vec<(String, String)>,
    data: Option<String>,
}

/// Reads a line as the shell and curl do.
fn read(line: &str) -> Sent {
    let mut words = shlex::split(line).expect("quotes are closed").into_iter().skip(1);
    let mut sent = Sent::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("an option has its value");
        match word.as_str() {
            "-X" => sent.method = Some(value()),
            "-H" => {
                let header = value();
                let (name, text) = header.split_once(": ").expect("a header is name: value");
                sent.headers.push((name.to_owned(), text.to_owned()));
            }
            "-d" => sent.data = Some(value()),
            "-s" => {}
            _ => sent.address = word,
        }
    }
    sent
}

async fn curl(line: &str) -> (u16, Value) {
    let sent = read(line);
    let method = sent.method.unwrap_or_else(|| if sent.data.is_some() { "POST" } else { "GET" }.to_owned());
    let mut request = reqwest::Client::new()
        .request(method.parse().unwrap(), sent.address)
        .header("user-agent", "curl/8.14.1")
        .header("accept", "*/*");
    let typed = sent.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let Some(data) = sent.data {
        if !typed {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        // `-d` takes line ends out.
        request = request.body(data.replace('\n', ""));
    }
    for (name, value) in sent.headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn every_curl_line_of_the_reference_works() {
    let world = World::begin().await;
    let project = world.project().await;
    let lines: Vec<&str> = include_str!("../fixtures/reference.curl").split("\n\n").collect();
    let [register, projects, apply, tickets, update, token, pull] = lines[..] else {
        panic!("{}", lines.len())
    };
    let here = |line: &str| line.replace("https://openpod.work", &world.url);

    let (status, made) = curl(&here(register)).await;
    assert_eq!(status, 201, "{made}");
    let key = made["data"]["api_key"].as_str().unwrap().to_owned();
    assert_eq!(made["data"]["slug"], "my-agent");
    let here = |line: &str| here(line).replace("opk_abc123...", &key);

    let (status, list) = curl(&here(projects)).await;
    assert_eq!((status, &list["data"][0]["id"]), (200, &Value::from(project.id.as_str())));
    let position = list["data"][0]["positions"].as_array().unwrap();
    let position = position.iter().find(|position| position["role_level"] == "worker").unwrap();
    let (status, application) = curl(&here(apply).replace("pos_xyz", position["id"].as_str().unwrap())).await;
    assert_eq!((status, &application["data"]["status"]), (201, &Value::from("pending")));
    world.accept_the_next_applicant().await;

    let id = world.ticket(&project, "Implement auth endpoint").await;
    let (status, list) = curl(&here(tickets).replace("proj_123", project.id.as_str())).await;
    assert_eq!((status, &list["data"][0]["id"]), (200, &Value::from(id.as_str())));
    let agent = world.client(&Secret::new(&*key));
    let claim = openpod_sdk::api::tickets::TicketPatch::status(TicketStatus::InProgress);
    agent.update_ticket(&id, &claim).await.unwrap();
    let line = here(update).replace("ticket_456", id.as_str()).replace("a1b2c3...", &"a1".repeat(32));
    let (status, updated) = curl(&line).await;
    assert_eq!((status, &updated["data"]["status"]), (200, &Value::from("done")), "{updated}");

    let (status, scoped) = curl(&here(token).replace("xxx", project.id.as_str())).await;
    assert_eq!((status, &scoped["repo_full_name"]), (200, &Value::from("acme/answers")), "{scoped}");
    let scoped = scoped["token"].as_str().unwrap();
    make_branch(&world, &project.repository, "feature/auth", scoped).await;
    let line = pull
        .replace("https://api.github.com", world.forge.api_url().as_str().trim_end_matches('/'))
        .replace("org/repo", &project.repository)
        .replace("$TOKEN", scoped);
    let (status, opened) = curl(&line).await;
    assert_eq!((status, &opened["title"]), (201, &Value::from("feat: add auth endpoint")), "{opened}");
    world.end([]).await;
}

/// Commits a file to a new branch by the forge's REST API.
async fn make_branch(world: &World, repository: &str, branch: &str, token: &str) {
    let api = world.forge.api_url();
    let api = api.as_str().trim_end_matches('/');
    let send = |method: reqwest::Method, path: String, body: Value| async move {
        let request = reqwest::Client::new().request(method, format!("{api}/repos/{repository}{path}"));
        let request = request.bearer_auth(token).header("user-agent", "tests").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
        serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()
    };
    let main = send(reqwest::Method::GET, "/git/ref/heads/main".into(), Value::Null).await;
    let reference = serde_json::json!({"ref": format!("refs/heads/{branch}"), "sha": main["object"]["sha"]});
    send(reqwest::Method::POST, "/git/refs".into(), reference).await;
    let file = serde_json::json!({"message": "Add auth", "content": "YXV0aAo=", "branch": branch});
    send(reqwest::Method::PUT, "/contents/auth.txt".into(), file).await;
}

#[test]
fn a_line_is_read_as_the_shell_reads_it() {
    let sent = read("curl -X PUT \"http://h/a?b=c\" \\\n-H 'A: b' \\\n-d '{\n\"x\": \"y z\"}'");
    assert_eq!((sent.method.as_deref(), sent.address.as_str()), (Some("PUT"), "http://h/a?b=c"));
    assert_eq!(sent.headers, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(sent.data.as_deref(), Some("{\n\"x\": \"y z\"}"));
}
