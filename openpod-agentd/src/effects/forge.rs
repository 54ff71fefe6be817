//! The forge's REST API: a token for each repository, and connections that all agents and repositories share.
//!
//! octocrab carries the requests and nothing more: it never sends one twice, and what comes back is read into structs
//! that need only what is used here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use serde::Deserialize;
use url::Url;

use crate::credentials::ScopedToken;
use crate::git::Sha;
use crate::job::{Class, Failure, Outlook};
use crate::workspace::Advertised;

/// Connections to forges. Clones share them.
#[derive(Clone)]
pub struct Forges {
    /// How long a forge may be silent.
    silence: Duration,
    /// By the address of the API. What they need for TLS is read once for each.
    known: Arc<Mutex<HashMap<Url, Octocrab>>>,
    /// The default branches of repositories, as they were seen last.
    defaults: Arc<Mutex<HashMap<Url, String>>>,
}

impl Forges {
    /// Knows none yet.
    pub fn new(silence: Duration) -> Self {
        Self { silence, known: Arc::default(), defaults: Arc::default() }
    }

    /// The repository that this token is for.
    pub(super) fn of(&self, token: ScopedToken) -> Result<Forge, Failure> {
        let ScopedToken { token, api_url, clone_url, owner, name, .. } = token;
        let client = self.connections(&api_url).and_then(|client| client.user_access_token(token));
        let client = client.map_err(|error| {
            Failure::lasting(Class::Platform, format!("no client for {api_url}: {}", text(&error)))
        })?;
        let defaults = Arc::clone(&self.defaults);
        Ok(Forge { client, repository: format!("/repos/{owner}/{name}"), owner, clone_url, defaults })
    }

    fn connections(&self, api_url: &Url) -> octocrab::Result<Octocrab> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(api_url) {
            return Ok(client.clone());
        }
        let client = Octocrab::builder()
            .base_uri(api_url.as_str())?
            .add_retry_config(RetryConfig::None)
            .set_connect_timeout(Some(Duration::from_secs(10)))
            .set_read_timeout(Some(self.silence))
            .build()?;
        known.insert(api_url.clone(), client.clone());
        Ok(client)
    }
}

/// One repository on the forge.
pub(super) struct Forge {
    pub(super) client: Octocrab,
    pub(super) owner: String,
    /// The route that all of its routes begin with.
    pub(super) repository: String,
    /// What tells it apart from every other one.
    clone_url: Url,
    defaults: Arc<Mutex<HashMap<Url, String>>>,
}

/// What is read of a repository.
#[derive(Debug, Deserialize)]
struct Repository {
    default_branch: String,
}

/// What is read of a ref.
#[derive(Debug, Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    sha: String,
}

impl Forge {
    /// Where the base branch is, the default one unless it is named, and where `own` is. `None` when that cannot be
    /// told here, for whatever reason; git finds out then, and says what is wrong.
    pub(super) async fn look(&self, base: Option<&str>, own: &str) -> Option<Advertised> {
        let base = async {
            match base {
                Some(name) => Some((self.tip(name).await??, name.to_owned())),
                None => self.default_tip().await,
            }
        };
        let (base, own_tip) = tokio::join!(base, self.tip(own));
        let ((tip, default_branch), own_tip) = (base?, own_tip?);
        let heads = std::iter::once((default_branch.clone(), tip));
        let heads = heads.chain(own_tip.map(|tip| (own.to_owned(), tip))).collect();
        Some(Advertised { default_branch: Some(default_branch), heads })
    }

    /// `GET /repos/{owner}/{repo}`, and where its default branch is. That is asked at the same time, if it is the one that
    /// was the default when it was last seen.
    async fn default_tip(&self) -> Option<(Sha, String)> {
        let defaults = || self.defaults.lock().unwrap_or_else(PoisonError::into_inner);
        let likely = defaults().get(&self.clone_url).cloned();
        let likely_tip = async {
            match &likely {
                Some(name) => self.tip(name).await.flatten(),
                None => None,
            }
        };
        let about = self.client.get::<Repository, _, ()>(&self.repository, None);
        let (about, likely_tip) = tokio::join!(about, likely_tip);
        let name = about.ok()?.default_branch;
        match likely_tip.filter(|_| likely.as_ref() == Some(&name)) {
            Some(tip) => Some((tip, name)),
            None => {
                defaults().insert(self.clone_url.clone(), name.clone());
                Some((self.tip(&name).await??, name))
            }
        }
    }

    /// `GET /repos/{owner}/{repo}/git/ref/heads/{branch}`; `Some(None)` when there is no such branch.
    async fn tip(&self, branch: &str) -> Option<Option<Sha>> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
        if !branch.bytes().all(plain) {
            return None;
        }
        let route = format!("{}/git/ref/heads/{branch}", self.repository);
        match self.client.get::<Reference, _, ()>(route, None).await.map_err(refusal) {
            Ok(found) => found.object.sha.parse().ok().map(Some),
            Err(Refusal { status: Some(404), .. }) => Some(None),
            Err(_) => None,
        }
    }
}

/// How a call to the forge failed.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: Option<u16>,
    pub(super) failure: Failure,
}

pub(super) fn refusal(error: octocrab::Error) -> Refusal {
    let reason = text(&error);
    let octocrab::Error::GitHub { source, .. } = &error else {
        return Refusal { status: None, failure: Failure::passing(Class::Network, reason) };
    };
    let status = source.status_code.as_u16();
    let headers = source.headers.as_ref();
    let number = |name: &str| headers?.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let limited = status == 429 || (status == 403 && number("x-ratelimit-remaining") == Some(0));
    let (class, outlook) = match status {
        403 if limited => (Class::Platform, Outlook::Passing),
        401 | 403 => (Class::Credentials, Outlook::Passing),
        408 | 429 | 500.. => (Class::Platform, Outlook::Passing),
        404 => (Class::Platform, Outlook::Doubted),
        _ => (Class::Platform, Outlook::Lasting),
    };
    let asked = number("retry-after").or(limited.then_some(60)).map(Duration::from_secs);
    // A limit is no sign of a token that has not arrived yet.
    let status = Some(if limited { 429 } else { status });
    Refusal { status, failure: Failure { class, outlook, reason, retry_after: asked } }
}

/// What went wrong, in one line. octocrab's own text says only "GitHub", and its debug form fills pages.
fn text(error: &octocrab::Error) -> String {
    match error {
        octocrab::Error::GitHub { source, .. } => {
            let details = source.errors.iter().flatten().filter_map(|detail| detail.get("message")?.as_str());
            let details: String = details.map(|detail| format!("; {detail}")).collect();
            format!("the forge answered {}: {}{details}", source.status_code.as_u16(), source.message)
        }
        octocrab::Error::Service { source, .. } => {
            format!("the forge was not reached: {}", causes(&**source))
        }
        octocrab::Error::Hyper { source, .. } => format!("the forge was not reached: {}", causes(source)),
        octocrab::Error::Serde { source, .. } => format!("the forge's answer cannot be read: {source}"),
        octocrab::Error::Json { source, .. } => {
            format!("the forge's answer cannot be read at {}: {}", source.path(), source.inner())
        }
        _ => "the call to the forge failed".to_owned(),
    }
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use openpod_sdk::Secret;
    use openpod_sdk::api::Timestamp;
    use serde_json::{Value, json};
    use wiremock::matchers::{header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    const REPOSITORY: &str = "/api/v3/repos/acme/shop";

    async fn answers(server: &MockServer, route: &str, answer: Value) {
        Mock::given(method("GET"))
            .and(path(format!("{REPOSITORY}{route}")))
            .and(header("authorization", "Bearer ghs_scoped"))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(server)
            .await;
    }

    fn forge(server: &MockServer) -> Forge {
        let token = ScopedToken {
            token: Secret::new("ghs_scoped"),
            expires_at: Timestamp::from_micros(0),
            clone_url: "http://127.0.0.1/acme/shop.git".parse().unwrap(),
            api_url: format!("{}/api/v3", server.uri()).parse().unwrap(),
            owner: "acme".into(),
            name: "shop".into(),
        };
        Forges::new(Duration::from_secs(30)).of(token).unwrap()
    }

    fn tip(letter: &str) -> (String, Value) {
        let sha = letter.repeat(40);
        let answer = json!({"ref": "refs/heads/any", "object": {"type": "commit", "sha": sha}});
        (sha, answer)
    }

    #[tokio::test]
    async fn the_branches_of_a_repository_are_found_without_git() {
        let server = MockServer::start().await;
        let ((a, base), (b, own)) = (tip("a"), tip("b"));
        answers(&server, "", json!({"name": "shop", "default_branch": "trunk"})).await;
        answers(&server, "/git/ref/heads/trunk", base).await;
        let forge = forge(&server);
        let found = forge.look(None, "openpod/ticket-7").await.unwrap();
        assert_eq!(found.default_branch.as_deref(), Some("trunk"));
        assert_eq!(found.heads, [("trunk".to_owned(), a.parse().unwrap())]);
        answers(&server, "/git/ref/heads/openpod/ticket-7", own).await;
        let found = forge.look(Some("trunk"), "openpod/ticket-7").await.unwrap();
        assert_eq!(found.head("openpod/ticket-7").unwrap().as_str(), b);
    }

    #[tokio::test]
    async fn a_default_branch_is_known_by_what_the_forge_says_now_and_not_by_what_it_said_before() {
        let server = MockServer::start().await;
        let ((old, was), (new, is)) = (tip("a"), tip("b"));
        answers(&server, "/git/ref/heads/master", was).await;
        answers(&server, "/git/ref/heads/main", is).await;
        let forge = forge(&server);
        for (name, sha) in [("master", &old), ("master", &old), ("main", &new), ("main", &new)] {
            let about = ResponseTemplate::new(200).set_body_json(json!({"default_branch": name}));
            let _said = Mock::given(path(REPOSITORY)).respond_with(about).mount_as_scoped(&server).await;
            let found = forge.look(None, "own").await.unwrap();
            assert_eq!(found.default_branch.as_deref(), Some(name));
            assert_eq!(found.heads, [(name.to_owned(), sha.parse().unwrap())]);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_told_for_sure_is_left_to_git() {
        let server = MockServer::start().await;
        assert_eq!(forge(&server).look(Some("main"), "b").await, None, "no base, or no such API");
        answers(&server, "/git/ref/heads/main", tip("a").1).await;
        answers(&server, "/git/ref/heads/b", json!({"object": {"sha": "not a sha"}})).await;
        assert_eq!(forge(&server).look(Some("main"), "b").await, None);
        assert_eq!(forge(&server).look(Some("main"), "50%").await, None, "a name that an address changes");
        assert!(forge(&server).look(Some("main"), "c").await.is_some());
    }
}
