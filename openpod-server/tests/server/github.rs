//! GitHub through its App, as a GitHub that the test plays answers.

mod pull_requests;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use openpod_sdk::Secret;
use openpod_sdk::clock::{Clock, ManualClock};
use openpod_server::app::Limits;
use openpod_server::domain::repository::Repository;
use openpod_server::github::{Github, GithubSettings, GithubSetupError};
use openpod_server::webhooks::TargetPolicy;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::world::{AGENT, Answer, OWNER, PLENTY, Person, World, text};

const INSTALLATION: &str = "/api/v3/repos/org/shop/installation";
const MINT: &str = "/api/v3/app/installations/7/access_tokens";
const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

/// A platform whose GitHub answers as the test says, with a project that has a repository there.
struct Stage {
    world: World,
    github: MockServer,
    project: String,
    owner: Person,
}

/// The key of an App. Making one takes a while, so all tests share it.
async fn key() -> Secret {
    static KEY: OnceCell<Secret> = OnceCell::const_new();
    let make = async || {
        let directory = tempfile::tempdir().unwrap();
        let config = openpod_forge::ForgeConfig {
            data_dir: directory.path().to_owned(),
            web_url: "http://127.0.0.1:1".parse().unwrap(),
            long_tokens: false,
        };
        let forge = openpod_forge::Forge::open(config, Arc::new(openpod_forge::SystemClock)).await.unwrap();
        let app = forge.create_app("key", openpod_forge::Permissions::for_agents()).await.unwrap();
        Secret::from(app.private_key_pem)
    };
    KEY.get_or_init(make).await.clone()
}

async fn settings(address: &str) -> GithubSettings {
    GithubSettings {
        api_url: format!("{address}/api/v3").parse().unwrap(),
        web_url: address.parse().unwrap(),
        app_id: 12,
        private_key_pem: key().await,
    }
}

async fn world(settings: GithubSettings, deadline: Duration) -> World {
    let connect = |clock| Github::connect_within(deadline, settings, clock).unwrap();
    World::with(Limits::new(PLENTY), TargetPolicy::default(), connect).await
}

impl Stage {
    /// A GitHub that knows nothing yet.
    async fn bare() -> Stage {
        Self::bare_within(Duration::from_secs(60)).await
    }

    async fn bare_within(deadline: Duration) -> Stage {
        let github = MockServer::start().await;
        let world = world(settings(&github.uri()).await, deadline).await;
        let (project, owner) = project(&world, Some(&format!("{}/org/shop", github.uri()))).await;
        Stage { world, github, project, owner }
    }

    /// A GitHub where the App is installed and tokens are minted.
    async fn new() -> Stage {
        let stage = Self::bare().await;
        stage.installed().await;
        stage.minting("ghs_first", "2026-03-12T11:30:00Z").await;
        stage
    }

    async fn installed(&self) {
        self.on("GET", INSTALLATION)
            .respond_with(found(json!({"id": 7, "account": null})))
            .mount(&self.github)
            .await;
    }

    /// The next token, and from then on no other.
    async fn minting(&self, token: &str, expires_at: &str) {
        let granted = json!({
            "token": token, "expires_at": expires_at,
            "permissions": {"contents": "write", "pull_requests": "write", "metadata": "read"},
            "repository_selection": "selected",
        });
        let answer = ResponseTemplate::new(201).set_body_json(granted);
        self.on("POST", MINT).respond_with(answer).up_to_n_times(1).mount(&self.github).await;
    }

    fn on(&self, verb: &str, at: &str) -> MockBuilder {
        Mock::given(method(verb)).and(path(at))
    }

    async fn answers(&self, below: &str, answer: ResponseTemplate) {
        let at = format!("/api/v3/repos/org/shop/{below}");
        self.on("GET", &at).respond_with(answer).mount(&self.github).await;
    }

    async fn asked(&self, at: &str) -> usize {
        let requests = self.github.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == at).count()
    }

    async fn token(&self) -> Answer {
        self.world.get(&format!("{AGENT}/github/token?project_id={}", self.project), &self.owner).await
    }

    async fn pull_requests(&self, state: &str) -> Answer {
        let query = format!("project_id={}&state={state}", self.project);
        self.world.get(&format!("{AGENT}/github/prs?{query}"), &self.owner).await
    }

    async fn verify(&self, address: &str) -> Answer {
        let body = json!({"project_id": self.project, "pr_url": address});
        self.world.post(&format!("{AGENT}/github/verify-deliverable"), &self.owner, body).await
    }

    fn pull(&self, number: u64) -> String {
        format!("{}/org/shop/pull/{number}", self.github.uri())
    }
}

#[tokio::test]
async fn a_project_of_an_agents_is_given_no_token_unless_the_operator_allows_it() {
    let github = MockServer::start().await;
    let settings = settings(&github.uri()).await;
    let world = World::wary(|clock| Github::connect(settings, clock).unwrap()).await;
    let address = format!("{}/org/shop", github.uri());
    let (project, agent) = project(&world, Some(&address)).await;
    let refused = world.get(&format!("{AGENT}/github/token?project_id={project}"), &agent).await;
    assert_eq!(refused.refusal(), (404, "github_not_connected"));
    assert!(github.received_requests().await.unwrap().is_empty(), "GitHub is not even asked");
}

#[tokio::test]
async fn a_repository_serves_the_projects_of_one_owner() {
    let github = MockServer::start().await;
    let settings = settings(&github.uri()).await;
    let world = World::wary(|clock| Github::connect(settings, clock).unwrap()).await;
    let (olga, otto) = (world.owner("olga").await, world.owner("otto").await);
    let create = |repository: &str| {
        let address = format!("{}/{repository}", github.uri());
        json!({"title": "Build it", "description": "A service that does it.", "github_repo": address})
    };
    let path = format!("{OWNER}/projects");
    world.post(&path, &olga, create("org/shop")).await.expect(201);
    world.post(&path, &olga, create("org/shop")).await.expect(201);
    assert_eq!(world.post(&path, &otto, create("ORG/Shop")).await.refusal(), (409, "conflict"));
    world.post(&path, &otto, create("org/other")).await.expect(201);
}

/// An agent with a project of its own, and its repository.
async fn project(world: &World, repository: Option<&str>) -> (String, Person) {
    let owner = world.register("olga").await;
    let body = json!({
        "title": "Build it", "description": "A service that does it.", "github_repo": repository,
    });
    let made = world.post(&format!("{AGENT}/projects"), &owner, body).await.expect(201);
    (text(&made["project"]["id"]), owner)
}

fn shop() -> Repository {
    Repository { owner: "org".to_owned(), name: "shop".to_owned() }
}

fn found(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"message": "no", "documentation_url": "x"}))
}

#[tokio::test]
async fn what_keeps_the_app_away_is_no_failure_of_github_and_the_other_way_round() {
    let suspended = found(json!({"id": 7, "suspended_at": "2026-01-01T00:00:00Z"}));
    let (away, failed) = ((404, "github_not_connected"), (502, "upstream_failed"));
    let installed = || found(json!({"id": 7}));
    let never = || status(500);
    for (name, installation, mint, expected) in [
        ("not installed", status(404), never(), away),
        ("moved", status(301), never(), away),
        ("suspended", suspended, never(), away),
        ("uninstalled meanwhile", installed(), status(404), away),
        ("not granted", installed(), status(422), away),
        ("wrong key", status(401), never(), failed),
        ("rate limit", status(403).insert_header("x-ratelimit-remaining", "0"), never(), failed),
        ("down", status(502), never(), failed),
        ("down while minting", installed(), status(500), failed),
        ("too many", installed(), status(429), failed),
        ("no JSON", ResponseTemplate::new(200).set_body_string("<html>"), never(), failed),
        ("no token", installed(), ResponseTemplate::new(201).set_body_json(json!({"tokens": []})), failed),
    ] {
        let stage = Stage::bare().await;
        stage.on("GET", INSTALLATION).respond_with(installation).mount(&stage.github).await;
        stage.on("POST", MINT).respond_with(mint).mount(&stage.github).await;
        for answer in
            [stage.token().await, stage.pull_requests("all").await, stage.verify(&stage.pull(1)).await]
        {
            assert_eq!(answer.refusal(), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_github_that_hangs_or_is_not_there_has_failed() {
    let stage = Stage::bare_within(Duration::from_millis(50)).await;
    let hanging = found(json!({"id": 7})).set_delay(Duration::from_secs(3600));
    stage.on("GET", INSTALLATION).respond_with(hanging).mount(&stage.github).await;
    assert_eq!(stage.token().await.refusal(), (502, "upstream_failed"));

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = format!("http://{closed}");
    let world = world(settings(&nowhere).await, Duration::from_secs(60)).await;
    let (project, owner) = project(&world, Some(&format!("{nowhere}/org/shop"))).await;
    let answer = world.get(&format!("{AGENT}/github/token?project_id={project}"), &owner).await;
    assert_eq!(answer.refusal(), (502, "upstream_failed"));
}

#[tokio::test]
async fn without_an_app_or_a_repository_there_is_no_github() {
    let unconnected = World::new().await;
    let (with, owner) = project(&unconnected, Some("https://git.example/org/shop")).await;
    let github = MockServer::start().await;
    let connected = world(settings(&github.uri()).await, Duration::from_secs(60)).await;
    let (without, other) = project(&connected, None).await;
    for (world, project, who) in [(&unconnected, &with, &owner), (&connected, &without, &other)] {
        let body = json!({"project_id": project, "pr_url": "https://git.example/org/shop/pull/1"});
        for answer in [
            world.get(&format!("{AGENT}/github/token?project_id={project}"), who).await,
            world.get(&format!("{AGENT}/github/prs?project_id={project}"), who).await,
            world.post(&format!("{AGENT}/github/verify-deliverable"), who, body).await,
        ] {
            assert_eq!(answer.refusal(), (404, "github_not_connected"));
        }
    }
}

#[tokio::test]
async fn only_members_get_to_the_repository() {
    let stage = Stage::new().await;
    let stranger = stage.world.register("stefan").await;
    let unknown = "018f0000-0000-7000-8000-000000000000";
    for (who, project, expected) in [
        (&stranger, stage.project.as_str(), (403, "forbidden")),
        (&stage.owner, unknown, (404, "not_found")),
        (&stage.owner, "proj_1", (400, "invalid_request")),
    ] {
        let body = json!({"project_id": project, "pr_url": stage.pull(1)});
        for answer in [
            stage.world.get(&format!("{AGENT}/github/token?project_id={project}"), who).await,
            stage.world.get(&format!("{AGENT}/github/prs?project_id={project}"), who).await,
            stage.world.post(&format!("{AGENT}/github/verify-deliverable"), who, body).await,
        ] {
            assert_eq!(answer.refusal(), expected);
        }
    }
    assert_eq!(stage.pull_requests("merged").await.refusal(), (400, "invalid_request"));
    assert_eq!(stage.github.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_forge_is_a_github_like_any_other() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web = format!("http://{}", listener.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_owned();
    let config = openpod_forge::ForgeConfig { data_dir, web_url: web.parse().unwrap(), long_tokens: true };
    let forge = openpod_forge::Forge::open(config, Arc::new(openpod_forge::SystemClock)).await.unwrap();
    let app = forge.create_app("openpod", openpod_forge::Permissions::for_agents()).await.unwrap();
    let seed = openpod_forge::Seed::new().file("README.md", "A shop.\n");
    forge.create_repository("org", "shop", seed).await.unwrap();
    forge.install(app.app_id, "org").await.unwrap();
    let (api_url, web_url) = (forge.api_url(), forge.web_url());
    tokio::spawn(openpod_forge::serve(listener, forge, std::future::pending()));
    let private_key_pem = app.private_key_pem.into();
    let settings = GithubSettings { api_url: api_url.clone(), web_url, app_id: app.app_id, private_key_pem };
    let world = world(settings, Duration::from_secs(60)).await;
    let (project, owner) = project(&world, Some(&format!("{web}/org/shop"))).await;

    let granted = world.get(&format!("{AGENT}/github/token?project_id={project}"), &owner).await.expect(200);
    let client = reqwest::Client::builder().user_agent("shopper").build().unwrap();
    let api = async |verb: Method, below: &str, body: Value| -> Value {
        let address = format!("{}/repos/org/shop/{below}", api_url.as_str().trim_end_matches('/'));
        let request =
            client.request(verb, address).bearer_auth(text(&granted["token"])).body(body.to_string());
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    let main = api(Method::GET, "git/ref/heads/main", Value::Null).await;
    let branch = json!({"ref": "refs/heads/openpod/1", "sha": main["object"]["sha"]});
    api(Method::POST, "git/refs", branch).await;
    let file = json!({"message": "Add it", "content": "YQpiCg==", "branch": "openpod/1"});
    api(Method::PUT, "contents/it.txt", file).await;
    let pull = json!({"title": "Add it", "head": "openpod/1", "base": "main"});
    let pull = api(Method::POST, "pulls", pull).await;

    let list = world.get(&format!("{AGENT}/github/prs?project_id={project}"), &owner).await.expect(200);
    let shown = &list["pull_requests"][0];
    assert_eq!((&shown["additions"], &shown["head_branch"]), (&json!(2), &json!("openpod/1")), "{list}");
    let body = json!({"project_id": project, "pr_url": pull["html_url"]});
    let verified = world.post(&format!("{AGENT}/github/verify-deliverable"), &owner, body).await.expect(200);
    assert_eq!((&verified["valid"], &verified["checks_summary"]), (&json!(true), &json!("no_checks")));
    assert_eq!(verified["head_sha"], pull["head"]["sha"]);
}

#[tokio::test]
async fn addresses_and_keys_that_cannot_work_are_refused_at_the_start() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new("2026-03-12T10:30:00Z".parse().unwrap()));
    let connect = async |api: &str, web: &str| {
        let mut given = settings("http://127.0.0.1:1").await;
        (given.api_url, given.web_url) = (api.parse().unwrap(), web.parse().unwrap());
        Github::connect(given, Arc::clone(&clock)).map(|_| ())
    };
    let good = "https://git.example";
    for api in
        ["https://api.git.example", "https://git.example/api/v3", "http://127.0.0.1:8080/forge/api/v3/"]
    {
        connect(api, good).await.unwrap();
    }
    for bad in
        ["ftp://git.example", "https://u:p@git.example", "https://git.example/?x", "https://git.example/#x"]
    {
        assert!(matches!(connect(bad, good).await, Err(GithubSetupError::ApiUrl(_))), "{bad}");
        assert!(matches!(connect(good, bad).await, Err(GithubSetupError::WebUrl(_))), "{bad}");
    }
    for bad in [
        "https://git.example/repos",
        "https://git.example/r",
        "https://git.example/app/",
        "https://git.example/a",
    ] {
        assert!(matches!(connect(bad, good).await, Err(GithubSetupError::ApiUrl(_))), "{bad}");
    }
    let mut given = settings(good).await;
    given.private_key_pem = "no key".into();
    assert!(matches!(Github::connect(given, clock), Err(GithubSetupError::PrivateKey)));
}
