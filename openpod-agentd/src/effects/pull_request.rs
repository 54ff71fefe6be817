//! The pull request: looked up by its branch, opened if it is not there, brought up to date if it is.
//!
//! octocrab carries the requests and nothing more: it never sends one twice, and what comes back is read into structs
//! that need only what is used here.

use std::time::Duration;

use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use openpod_sdk::Secret;
use serde::{Deserialize, Serialize};

use super::failure::of_token;
use super::git::SETTLING;
use super::{Effects, Outcome};
use crate::credentials::{ScopedToken, TokenSource};
use crate::job::{Change, Class, Failure, Input, Job, Published};
use crate::wording;

/// What is read of a pull request.
#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: Option<String>,
    head: Head,
}

#[derive(Debug, Deserialize)]
struct Head {
    sha: String,
}

#[derive(Serialize)]
struct Text<'a> {
    title: &'a str,
    body: &'a str,
}

#[derive(Serialize)]
struct NewPull<'a> {
    title: &'a str,
    body: &'a str,
    head: &'a str,
    base: &'a str,
}

#[derive(Serialize)]
struct Lookup<'a> {
    head: &'a str,
    state: &'a str,
}

/// How a call to the forge failed.
#[derive(Debug)]
struct Refusal {
    status: Option<u16>,
    failure: Failure,
}

impl Effects {
    /// Opens the pull request of the job's branch, or brings its title and text up to date.
    pub(super) async fn propose(&self, job: &Job, change: &Change, summary: Option<&str>) -> Outcome {
        let tokens = self.tokens.of(&job.project);
        let mut pauses = SETTLING.into_iter();
        let mut fresh = false;
        loop {
            let token = tokens.token(fresh).await.map_err(|error| of_token(&error))?;
            let refusal = match Forge::new(token)?.propose(job, change, summary).await {
                Ok(pull) => return published(pull, change),
                Err(refusal) => refusal,
            };
            fresh = refusal.status == Some(401);
            match pauses.next() {
                Some(pause) if matches!(refusal.status, Some(401 | 403)) => tokio::time::sleep(pause).await,
                _ => return Err(refusal.failure),
            }
        }
    }
}

fn published(pull: Pull, change: &Change) -> Outcome {
    if pull.head.sha != change.head {
        let reason = format!("{} still shows {}, not {}", pull.html_url, pull.head.sha, change.head);
        return Err(Failure::new(Class::Unproven, reason));
    }
    Ok(Input::Proposed(Published { number: pull.number, url: pull.html_url, head: pull.head.sha }))
}

/// One repository on the forge.
struct Forge {
    client: Octocrab,
    owner: String,
    pulls: String,
}

impl Forge {
    fn new(token: ScopedToken) -> Result<Self, Failure> {
        let ScopedToken { token, api_url, owner, name, .. } = token;
        let client = client(token, api_url.as_str()).map_err(|error| {
            Failure::new(Class::Final, format!("no client for {api_url}: {}", text(&error)))
        })?;
        Ok(Self { client, pulls: format!("/repos/{owner}/{name}/pulls"), owner })
    }

    async fn propose(&self, job: &Job, change: &Change, summary: Option<&str>) -> Result<Pull, Refusal> {
        let title = wording::subject(job);
        let body = wording::pull_request_body(job, change, summary);
        if let Some(pull) = self.find(&job.branch).await? {
            return self.bring_up_to_date(pull, Text { title: &title, body: &body }).await;
        }
        let base = job.base_branch.as_deref().unwrap_or("main");
        let new = NewPull { title: &title, body: &body, head: &job.branch, base };
        let created = self.client.post(&self.pulls, Some(&new)).await;
        match created.map_err(refusal) {
            // Somebody opened it in the meantime, or our own answer got lost.
            Err(refusal) if refusal.status == Some(422) => match self.find(&job.branch).await? {
                Some(pull) => Ok(pull),
                None => Err(refusal),
            },
            other => other,
        }
    }

    /// The open pull request of a branch.
    async fn find(&self, branch: &str) -> Result<Option<Pull>, Refusal> {
        let head = format!("{}:{branch}", self.owner);
        let lookup = Lookup { head: &head, state: "open" };
        let found: Vec<Pull> = self.client.get(&self.pulls, Some(&lookup)).await.map_err(refusal)?;
        Ok(found.into_iter().next())
    }

    async fn bring_up_to_date(&self, pull: Pull, text: Text<'_>) -> Result<Pull, Refusal> {
        if pull.title == text.title && pull.body.as_deref() == Some(text.body) {
            return Ok(pull);
        }
        let route = format!("{}/{}", self.pulls, pull.number);
        self.client.patch(route, Some(&text)).await.map_err(refusal)
    }
}

fn client(token: Secret, api_url: &str) -> octocrab::Result<Octocrab> {
    Octocrab::builder()
        .base_uri(api_url)?
        .personal_token(token)
        .add_retry_config(RetryConfig::None)
        .set_connect_timeout(Some(Duration::from_secs(10)))
        .set_read_timeout(Some(Duration::from_secs(30)))
        .build()
}

fn refusal(error: octocrab::Error) -> Refusal {
    let reason = text(&error);
    let octocrab::Error::GitHub { source, .. } = &error else {
        return Refusal { status: None, failure: Failure::new(Class::Passing, reason) };
    };
    let status = source.status_code.as_u16();
    let headers = source.headers.as_ref();
    let number = |name: &str| headers?.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let limited = status == 429 || (status == 403 && number("x-ratelimit-remaining") == Some(0));
    let class = match status {
        401 | 403 | 408 | 429 | 500.. => Class::Passing,
        404 => Class::Unproven,
        _ => Class::Final,
    };
    let asked = number("retry-after").or(limited.then_some(60)).map(Duration::from_secs);
    // A limit is no sign of a token that has not arrived yet.
    let status = Some(if limited { 429 } else { status });
    Refusal { status, failure: Failure { class, reason, retry_after: asked } }
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
