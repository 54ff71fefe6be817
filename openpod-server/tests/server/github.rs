use std::sync::Arc;
use std::time::Duration;

use http::Method;
use openpod_sdk::Secret;
use openpod_sdk::clock::{Clock, ManualClock};
use openpod_server::app::Limits;
use openpod_server::domain::repository::Repository;
use openpod_server::github::{Github, GithubError, GithubSettings, GithubSetupError};
use openpod_server::webhooks::TargetPolicy;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use wiremock::matchers::{body_json, header, header_regex, method, path, query_param};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::world::{AGENT, Answer, OWNER, Person, World, text};

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
    let limits = Limits::new(1_000_000, 1_000_000, 1_000_000);
    let connect = |clock| Github::connect_within(deadline, settings, clock).unwrap();
    World::with(limits, TargetPolicy::default(), connect).await
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

/// A pull request as the list tells it.
fn listed(number: u64) -> Value {
    json!({
        "number": number, "title": format!("PR {number}"), "state": "open", "draft": false,
        "html_url": format!("https://git.example/org/shop/pull/{number}"), "user": {"login": "wanda[bot]"},
        "head": {"ref": format!("openpod/{number}"), "sha": SHA, "repo": null}, "base": {"ref": "main", "sha": "b"},
        "merged_at": null, "updated_at": "2026-03-12T10:00:00Z", "a_field_of_tomorrow": [],
    })
}

/// The same as it is told alone.
fn alone(number: u64) -> Value {
    let mut told = listed(number);
    told["additions"] = json!(number * 10);
    told["deletions"] = json!(number);
    told["merged"] = json!(false);
    told
}

#[tokio::test]
async fn a_token_is_asked_for_with_this_repository_and_these_permissions_and_nothing_wider() {
    let stage = Stage::bare().await;
    let wish = json!({
        "repositories": ["shop"],
        "permissions": {
            "checks": "read", "contents": "write", "metadata": "read", "pull_requests": "write", "statuses": "read",
        },
    });
    let signed = header_regex("authorization", "^Bearer ey[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$");
    let installation = found(json!({"id": 7}));
    stage.on("GET", INSTALLATION).and(signed).respond_with(installation).mount(&stage.github).await;
    let granted = json!({
        "token": "ghs_one", "expires_at": "2026-03-12T11:30:00Z",
        "permissions": {"contents": "write", "pull_requests": "write"},
    });
    let granted = ResponseTemplate::new(201).set_body_json(granted);
    stage.on("POST", MINT).and(body_json(wish)).respond_with(granted).mount(&stage.github).await;
    let web = stage.github.uri();
    assert_eq!(
        stage.token().await.expect(200),
        json!({
            "token": "ghs_one", "expires_at": "2026-03-12T11:30:00.000000Z",
            "permissions": {"contents": "write", "pull_requests": "write"},
            "repo_owner": "org", "repo_name": "shop", "repo_full_name": "org/shop",
            "clone_url": format!("{web}/org/shop.git"), "api_url": format!("{web}/api/v3"),
        })
    );
}

#[tokio::test]
async fn a_token_is_kept_until_five_minutes_before_it_expires() {
    let stage = Stage::new().await;
    stage.minting("ghs_second", "2026-03-12T12:25:00Z").await;
    for (minutes, expected) in [(0, "ghs_first"), (54, "ghs_first"), (1, "ghs_second"), (30, "ghs_second")] {
        stage.world.clock.advance(Duration::from_secs(minutes * 60));
        assert_eq!(stage.token().await.expect(200)["token"], expected, "{minutes} minutes later");
    }
    assert_eq!(stage.asked(MINT).await, 2);
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_goes_to_github_also_when_it_fails() {
    let stage = Stage::bare().await;
    stage.on("GET", INSTALLATION).respond_with(status(500)).up_to_n_times(1).mount(&stage.github).await;
    let (github, shop) = (stage.world.app.github(), shop());
    let answers = futures_util::future::join_all((0..20).map(|_| github.token(&shop))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(GithubError::Upstream { .. }))));
    assert_eq!(stage.asked(INSTALLATION).await, 1);

    stage.installed().await;
    stage.minting("ghs_first", "2026-03-12T11:30:00Z").await;
    let answers = futures_util::future::join_all((0..20).map(|_| github.token(&shop))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(stage.asked(MINT).await, 1);
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
async fn every_field_of_a_pull_request_is_filled_and_the_facts_are_kept_while_it_stays_the_same() {
    let stage = Stage::new().await;
    let mut merged = listed(2);
    merged["state"] = json!("closed");
    merged["merged_at"] = json!("2026-03-12T10:00:00Z");
    merged["user"] = Value::Null;
    let list = stage.on("GET", "/api/v3/repos/org/shop/pulls").and(query_param("state", "all"));
    let list = list.and(header("authorization", "Bearer ghs_first"));
    list.respond_with(found(json!([listed(3), merged]))).up_to_n_times(2).mount(&stage.github).await;
    let mut merged = alone(2);
    merged["merged"] = json!(true);
    stage.answers("pulls/3", found(alone(3))).await;
    stage.answers("pulls/2", found(merged)).await;

    let answer = stage.pull_requests("all").await.expect(200);
    assert_eq!(
        answer,
        json!({"repo": "org/shop", "state": "all", "count": 2, "pull_requests": [
            {
                "number": 3, "title": "PR 3", "state": "open", "merged": false, "draft": false,
                "url": "https://git.example/org/shop/pull/3", "author": "wanda[bot]",
                "head_branch": "openpod/3", "base_branch": "main", "additions": 30, "deletions": 3,
            },
            {
                "number": 2, "title": "PR 2", "state": "closed", "merged": true, "draft": false,
                "url": "https://git.example/org/shop/pull/2", "author": null,
                "head_branch": "openpod/2", "base_branch": "main", "additions": 20, "deletions": 2,
            },
        ]})
    );
    stage.pull_requests("all").await.expect(200);
    assert_eq!(stage.asked("/api/v3/repos/org/shop/pulls/3").await, 1);

    let mut moved = listed(3);
    moved["head"]["sha"] = json!("another");
    stage.answers("pulls", found(json!([moved]))).await;
    stage.pull_requests("all").await.expect(200);
    assert_eq!(stage.asked("/api/v3/repos/org/shop/pulls/3").await, 2);
}

#[tokio::test]
async fn the_newest_three_hundred_are_listed_in_their_order() {
    let stage = Stage::new().await;
    for page in 1..=4 {
        let numbers = (page * 100 - 99)..=(page * 100);
        let pulls: Vec<Value> = numbers.clone().map(|n| listed(1000 - n)).collect();
        let more = found(json!(pulls)).insert_header("link", "<https://elsewhere.example/2>; rel=\"next\"");
        let list = stage.on("GET", "/api/v3/repos/org/shop/pulls").and(query_param("page", page.to_string()));
        list.respond_with(more).mount(&stage.github).await;
        for n in numbers {
            stage.answers(&format!("pulls/{}", 1000 - n), found(alone(1000 - n))).await;
        }
    }
    let answer = stage.pull_requests("open").await.expect(200);
    let numbers: Vec<u64> = answer["pull_requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pull| pull["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=300).map(|n| 1000 - n).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_list_that_cannot_be_completed_is_a_failure_and_never_a_shorter_list() {
    let broken = json!([{"number": 3}]);
    for (list, detail) in [
        (status(500), found(alone(3))),
        (status(404), found(alone(3))),
        (found(broken), found(alone(3))),
        (found(json!([listed(3)])), status(500)),
        (found(json!([listed(3)])), ResponseTemplate::new(200).set_body_string("{")),
    ] {
        let stage = Stage::new().await;
        stage.answers("pulls", list).await;
        stage.answers("pulls/3", detail).await;
        assert_eq!(stage.pull_requests("open").await.refusal(), (502, "upstream_failed"));
    }
}

#[tokio::test]
async fn a_token_that_is_not_known_everywhere_yet_is_tried_again_and_a_dead_one_replaced() {
    let stage = Stage::new().await;
    let list = "/api/v3/repos/org/shop/pulls";
    stage.on("GET", list).respond_with(status(401)).up_to_n_times(1).mount(&stage.github).await;
    let first = stage.on("GET", list).and(header("authorization", "Bearer ghs_first"));
    first.respond_with(found(json!([]))).up_to_n_times(1).mount(&stage.github).await;
    assert_eq!(stage.pull_requests("open").await.expect(200)["count"], 0);

    stage.world.clock.advance(Duration::from_secs(600));
    stage.minting("ghs_second", "2026-03-12T12:00:00Z").await;
    let dead = stage.on("GET", list).and(header("authorization", "Bearer ghs_first"));
    dead.respond_with(status(401)).mount(&stage.github).await;
    let second = stage.on("GET", list).and(header("authorization", "Bearer ghs_second"));
    second.respond_with(found(json!([]))).mount(&stage.github).await;
    assert_eq!(stage.pull_requests("open").await.expect(200)["count"], 0);
    assert_eq!(stage.token().await.expect(200)["token"], "ghs_second");
}

#[tokio::test]
async fn a_deliverable_is_verified_with_its_check_runs_and_its_statuses() {
    let run =
        |name: &str, conclusion: &str| json!({"name": name, "status": "completed", "conclusion": conclusion});
    let ci = |state: &str| json!({"context": "ci", "state": state});
    let queued = json!({"name": "slow", "status": "queued", "conclusion": null});
    for (runs, statuses, summary, counts) in [
        (json!([]), json!([]), "no_checks", [0, 0, 0, 0]),
        (
            json!([run("a", "success"), run("b", "skipped")]),
            json!([ci("success")]),
            "all_passed",
            [3, 3, 0, 0],
        ),
        (json!([run("a", "success")]), json!([ci("error")]), "some_failed", [2, 1, 1, 0]),
        (json!([run("a", "stale"), queued]), json!([ci("pending")]), "some_failed", [3, 0, 1, 2]),
        (json!([run("a", "neutral")]), json!([ci("pending")]), "pending", [2, 1, 0, 1]),
        (json!([queued]), json!([]), "pending", [1, 0, 0, 1]),
    ] {
        let stage = Stage::new().await;
        stage.answers("pulls/42", found(alone(42))).await;
        let runs = found(json!({"total_count": 9, "check_runs": runs}));
        stage.answers(&format!("commits/{SHA}/check-runs"), runs).await;
        let statuses = found(json!({"state": "whatever", "statuses": statuses}));
        stage.answers(&format!("commits/{SHA}/status"), statuses).await;
        let verified = stage.verify(&stage.pull(42)).await.expect(200);
        assert_eq!(
            (&verified["valid"], &verified["pr_number"], &verified["pr_title"], &verified["pr_state"]),
            (&json!(true), &json!(42), &json!("PR 42"), &json!("open"))
        );
        assert_eq!((&verified["merged"], &verified["head_sha"]), (&json!(false), &json!(SHA)));
        let [total, passed, failed, pending] = counts;
        let detail = json!({"total": total, "passed": passed, "failed": failed, "pending": pending});
        assert_eq!((&verified["checks_summary"], &verified["checks_detail"]), (&json!(summary), &detail));
        assert_eq!(verified["checks"].as_array().unwrap().len(), total);
    }
}

#[tokio::test]
async fn a_failed_check_on_the_second_page_counts() {
    let stage = Stage::new().await;
    stage.answers("pulls/42", found(alone(42))).await;
    stage.answers(&format!("commits/{SHA}/status"), found(json!({"statuses": []}))).await;
    let at = format!("/api/v3/repos/org/shop/commits/{SHA}/check-runs");
    for (page, conclusion) in [("1", "success"), ("2", "failure")] {
        let runs = json!({"check_runs": [{"name": "x", "status": "completed", "conclusion": conclusion}]});
        let mut answer = found(runs);
        if page == "1" {
            answer = answer.insert_header("link", "<https://elsewhere.example/?page=2>; rel=\"next\"");
        }
        stage.on("GET", &at).and(query_param("page", page)).respond_with(answer).mount(&stage.github).await;
    }
    assert_eq!(stage.verify(&stage.pull(42)).await.expect(200)["checks_summary"], "some_failed");
}

#[tokio::test]
async fn what_is_no_pull_request_of_the_project_is_not_valid_and_says_why() {
    let stage = Stage::new().await;
    stage.answers("pulls/9", status(404)).await;
    let web = stage.github.uri();
    for (address, reason) in [
        (format!("{web}/org/other/pull/1"), "belongs to org/other, and the project's repository is org/shop"),
        (format!("{web}/org/shop/issues/1"), "not that of a pull request"),
        ("https://elsewhere.example/org/shop/pull/1".to_owned(), "not that of a pull request"),
        (stage.pull(9), "there is no pull request #9 in org/shop"),
    ] {
        let answer = stage.verify(&address).await.expect(200);
        assert_eq!(answer["valid"], false, "{address}");
        assert!(text(&answer["reason"]).contains(reason), "{answer}");
        assert_eq!((&answer["pr_number"], &answer["checks_summary"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(stage.verify("no address").await.refusal(), (400, "invalid_request"));
    stage.answers("pulls/1", found(alone(1))).await;
    stage.answers(&format!("commits/{SHA}/check-runs"), status(500)).await;
    stage.answers(&format!("commits/{SHA}/status"), found(json!({"statuses": []}))).await;
    assert_eq!(stage.verify(&stage.pull(1)).await.refusal(), (502, "upstream_failed"));
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
async fn no_error_shows_a_token() {
    let stage = Stage::new().await;
    let echo = ResponseTemplate::new(500).set_body_string("ghs_first is not welcome");
    stage.answers("pulls", echo.clone()).await;
    stage.answers("pulls/1", ResponseTemplate::new(200).set_body_string("\"ghs_first")).await;
    let github = stage.world.app.github();
    let repository = shop();
    let listed = github.pull_requests(&repository, &"open".to_owned().into()).await.unwrap_err();
    let verified = github.evidence(&repository, 1).await.unwrap_err();
    for error in [listed, verified] {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("ghs_"), "{shown}");
    }
    let token = github.token(&repository).await.unwrap();
    assert!(!format!("{token:?}").contains("ghs_"));
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
