//! Headers, bad input and what every answer has in common.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_did_not_change_is_not_sent_again() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let first = world.get(&token, "/repos/acme/shop").await;
    let tag = first.header("etag").to_owned();
    let again = |tag: String| {
        world.send(world.request(Method::GET, &token, "/repos/acme/shop").header("if-none-match", tag))
    };
    let unchanged = again(tag.clone()).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text.as_str()), (304, ""));
    assert_eq!(unchanged.header("etag"), tag);
    assert_eq!(again("W/\"other\"".into()).await.status, 200);
    world.push_branch(&token, "agent/1").await;
    world.open_pull(&token, "agent/1").await;
    assert_eq!(again(tag).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_githubs_headers() {
    let world = World::start().await;
    let token = world.shop_token().await;
    for path in ["/repos/acme/shop", "/repos/acme/nothing", "/nothing"] {
        let answer = world.get(&token, path).await;
        for name in [
            "x-github-request-id",
            "x-github-media-type",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
            "x-ratelimit-used",
            "x-ratelimit-resource",
        ] {
            assert!(!answer.header(name).is_empty(), "{path} {name}");
        }
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_in_order_are_refused() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let get = |path: &str| world.request(Method::GET, &token, path);
    let version = |text: &str| get("/repos/acme/shop").header("x-github-api-version", text);
    assert_eq!(world.send(version("2022-11-28")).await.status, 200);
    assert_eq!(world.send(version("2026-03-10")).await.status, 200);
    assert_eq!(world.send(version("2020-01-01")).await.status, 400);
    assert_eq!(world.send(get("/repos/acme/shop").header("user-agent", "")).await.status, 403);
    assert_eq!(world.send(get("/repos/acme/shop/")).await.status, 404);
    assert_eq!(world.send(get("/repos/acme/shop/unknown")).await.status, 404);
    assert_eq!(world.send(world.request(Method::PUT, &token, "/repos/acme/shop")).await.status, 404);
    assert_eq!(world.send(get("/repos/acme/%ff")).await.status, 404);

    let post =
        |body: Vec<u8>| world.send(world.request(Method::POST, &token, "/repos/acme/shop/pulls").body(body));
    assert_eq!(post(b"{".to_vec()).await.must_be(400)["message"], "Problems parsing JSON");
    assert_eq!(post(b"[]".to_vec()).await.must_be(400)["message"], "Body should be a JSON object");
    assert_eq!(post(b"{\"title\": []}".to_vec()).await.status, 422);
    assert_eq!(post(Vec::new()).await.must_be(422)["errors"][0]["code"], "missing_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_is_told_so_and_not_cut_off() {
    let world = World::start().await;
    let token = world.shop_token().await;
    let url = world.forge.api_url();
    let address = (url.host_str().unwrap(), url.port().unwrap());
    let body = vec![b' '; 40 * 1024 * 1024];
    let head = format!(
        "POST {}/repos/acme/shop/pulls HTTP/1.1\r\nhost: forge\r\nuser-agent: t\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        url.path(),
        body.len()
    );
    // A sender that looks for an answer only after its last byte, as many do.
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&body).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("Payload Too Large"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roots_and_the_budget_are_there() {
    let world = World::start().await;
    let token = world.shop_token().await;
    assert_eq!(
        world.get(&token, "/").await.must_be(200)["rate_limit_url"],
        world.forge.api_url().to_string() + "/rate_limit"
    );
    assert_eq!(world.get(&token, "").await.status, 200);
    world.get(&token, "/meta").await.must_be(200);
    assert_eq!(world.get(&token, "/rate_limit").await.must_be(200)["rate"]["limit"], 5000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_below_a_path_gives_addresses_below_that_path() {
    use openpod_forge::{Forge, ForgeConfig, Seed, SystemClock};
    let directory = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web_url = format!("http://{}/forge/", listener.local_addr().unwrap()).parse().unwrap();
    let config = ForgeConfig { data_dir: directory.path().into(), web_url, long_tokens: false };
    let forge = Forge::open(config, std::sync::Arc::new(SystemClock)).await.unwrap();
    let repository = forge.create_repository("acme", "shop", Seed::new()).await.unwrap();
    let token = forge.create_user("olivia").await.unwrap();
    let server = tokio::spawn(openpod_forge::serve(listener, forge.clone(), std::future::pending()));
    assert!(repository.clone_url.contains("/forge/acme/shop.git"));
    let get =
        |url: String| reqwest::Client::new().get(url).bearer_auth(&token).header("user-agent", "t").send();
    let body: serde_json::Value =
        get(format!("{}/repos/acme/shop", forge.api_url())).await.unwrap().json().await.unwrap();
    assert_eq!(body["clone_url"], json!(repository.clone_url));
    let refs = format!("{}/info/refs?service=git-upload-pack", repository.clone_url);
    assert_eq!(get(refs).await.unwrap().status(), 200);
    assert_eq!(get(repository.html_url).await.unwrap().status(), 200);
    server.abort();
}
