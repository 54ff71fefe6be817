//! The pull request: looked up by its branch, opened if it is not there, brought up to date if it is.

use serde::{Deserialize, Serialize};

use super::failure::of_token;
use super::forge::{Forge, Refusal, refusal};
use super::git::SETTLING;
use super::{Effects, Outcome};
use crate::crash;
use crate::credentials::TokenSource;
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

impl Effects {
    /// Opens the pull request of the job's branch, or brings its title and text up to date.
    pub(super) async fn propose(
        &self,
        job: &Job,
        change: &Change,
        summary: Option<&str>,
        again: bool,
    ) -> Outcome {
        if again && let Some(instead) = self.why_not(job).await? {
            return Ok(instead);
        }
        let tokens = self.tokens.of(&job.project);
        let mut pauses = SETTLING.into_iter();
        let mut fresh = false;
        loop {
            let token = tokens.token(fresh).await.map_err(|error| of_token(&error))?;
            let refusal = match self.forges.of(token)?.propose(job, change, summary).await {
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
        return Err(Failure::doubted(Class::Platform, reason));
    }
    Ok(Input::Proposed(Published { number: pull.number, url: pull.html_url, head: pull.head.sha }))
}

impl Forge {
    async fn propose(&self, job: &Job, change: &Change, summary: Option<&str>) -> Result<Pull, Refusal> {
        let title = wording::title(job);
        let body = wording::pull_request_body(job, change, summary);
        let there = self.find(&job.branch).await?;
        crash::point("propose/looked-up");
        if let Some(pull) = there {
            return self.bring_up_to_date(pull, Text { title: &title, body: &body }).await;
        }
        let base = job.base_branch.as_deref().unwrap_or("main");
        let new = NewPull { title: &title, body: &body, head: &job.branch, base };
        let created = self.client.post(self.pulls(), Some(&new)).await;
        match created.map_err(refusal) {
            // Somebody opened it in the meantime, or our own answer got lost.
            Err(refusal) if refusal.status == Some(422) => match self.find(&job.branch).await? {
                Some(pull) => Ok(pull),
                None => Err(refusal),
            },
            other => {
                crash::point("propose/opened");
                other
            }
        }
    }

    fn pulls(&self) -> String {
        format!("{}/pulls", self.repository)
    }

    /// The open pull request of a branch.
    async fn find(&self, branch: &str) -> Result<Option<Pull>, Refusal> {
        let head = format!("{}:{branch}", self.owner);
        let lookup = Lookup { head: &head, state: "open" };
        let found: Vec<Pull> = self.client.get(self.pulls(), Some(&lookup)).await.map_err(refusal)?;
        Ok(found.into_iter().next())
    }

    async fn bring_up_to_date(&self, pull: Pull, text: Text<'_>) -> Result<Pull, Refusal> {
        if pull.title == text.title && pull.body.as_deref() == Some(text.body) {
            return Ok(pull);
        }
        let route = format!("{}/{}", self.pulls(), pull.number);
        let updated = self.client.patch(route, Some(&text)).await.map_err(refusal);
        crash::point("propose/updated");
        updated
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use openpod_sdk::Secret;
    use openpod_sdk::api::Timestamp;
    use serde_json::{Value, json};
    use wiremock::matchers::{header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::forge::Forges;
    use super::*;
    use crate::credentials::ScopedToken;
    use crate::job::{Candidate, Outlook};

    const PULLS: &str = "/api/v3/repos/acme/greetings/pulls";

    fn job() -> Job {
        let candidate =
            Candidate { project: "p1".into(), number: 7, title: "Greet".into(), ..Candidate::of_tests("t1") };
        Job::new(candidate, "openpod/", Timestamp::from_micros(0))
    }

    fn change() -> Change {
        Change {
            base: "b".into(),
            head: "h".into(),
            commits: 1,
            files: 1,
            patch_sha256: "ab".into(),
            patch_id: "cd".into(),
        }
    }

    fn pull(title: &str) -> Value {
        // What is not needed may be missing, null or of a kind that nobody has heard of.
        json!({"number": 4, "html_url": "http://forge/pull/4", "title": title, "body": null, "user": null,
               "mergeable_state": "queued", "head": {"sha": "h", "ref": "b", "repo": null}})
    }

    fn forge(address: &str) -> Forge {
        let token = ScopedToken {
            token: Secret::new("ghs_scoped"),
            expires_at: Timestamp::from_micros(0),
            clone_url: "http://127.0.0.1/acme/greetings.git".parse().unwrap(),
            api_url: format!("{address}/api/v3").parse().unwrap(),
            owner: "acme".into(),
            name: "greetings".into(),
        };
        Forges::new(Duration::from_secs(30)).of(token).unwrap()
    }

    async fn found(server: &MockServer, pulls: Value, times: u64) {
        Mock::given(method("GET"))
            .and(path(PULLS))
            .and(query_param("head", "acme:openpod/ticket-7-t1"))
            .and(query_param("state", "open"))
            .and(header("authorization", "Bearer ghs_scoped"))
            .respond_with(ResponseTemplate::new(200).set_body_json(pulls))
            .up_to_n_times(times)
            .mount(server)
            .await;
    }

    async fn calls(server: &MockServer) -> Vec<String> {
        let requests = server.received_requests().await.unwrap();
        requests.iter().map(|request| request.method.to_string()).collect()
    }

    #[tokio::test]
    async fn a_pull_request_that_is_there_is_brought_up_to_date_and_not_opened_again() {
        let server = MockServer::start().await;
        found(&server, json!([pull("old")]), 9).await;
        let new = ResponseTemplate::new(200).set_body_json(pull("Greet"));
        Mock::given(method("PATCH")).and(path(format!("{PULLS}/4"))).respond_with(new).mount(&server).await;
        let pull = forge(&server.uri()).propose(&job(), &change(), None).await.unwrap();
        assert_eq!((pull.number, calls(&server).await), (4, vec!["GET".to_owned(), "PATCH".to_owned()]));
    }

    #[tokio::test]
    async fn one_that_somebody_opened_in_the_meantime_is_taken() {
        let server = MockServer::start().await;
        found(&server, json!([]), 1).await;
        found(&server, json!([pull("Greet")]), 9).await;
        let refused =
            json!({"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]});
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(422).set_body_json(refused))
            .mount(&server)
            .await;
        let pull = forge(&server.uri()).propose(&job(), &change(), None).await.unwrap();
        assert_eq!((pull.number, calls(&server).await.len()), (4, 3));
    }

    #[tokio::test]
    async fn what_follows_from_an_answer_is_read_from_its_status() {
        let table = [
            (401, None, Outlook::Passing, None),
            (403, None, Outlook::Passing, None),
            (403, Some(("x-ratelimit-remaining", "0")), Outlook::Passing, Some(60)),
            (429, Some(("retry-after", "7")), Outlook::Passing, Some(7)),
            (404, None, Outlook::Doubted, None),
            (422, None, Outlook::Lasting, None),
            (502, None, Outlook::Passing, None),
        ];
        for (status, extra, class, wait) in table {
            let server = MockServer::start().await;
            let mut answer = ResponseTemplate::new(status).set_body_json(json!({"message": "No"}));
            if let Some((name, value)) = extra {
                answer = answer.insert_header(name, value);
            }
            Mock::given(method("GET")).respond_with(answer).mount(&server).await;
            let refusal = forge(&server.uri()).propose(&job(), &change(), None).await.unwrap_err();
            assert_eq!(refusal.failure.outlook, class, "{status} {extra:?}");
            assert_eq!(refusal.failure.retry_after.map(|wait| wait.as_secs()), wait, "{status} {extra:?}");
            assert!(refusal.failure.reason.contains("No"), "{}", refusal.failure.reason);
            assert_eq!(calls(&server).await, ["GET"], "it is sent once");
        }
    }

    #[tokio::test]
    async fn a_forge_that_is_not_there_is_named_without_the_token() {
        // Nobody listens where somebody did a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let refusal = forge(&address).propose(&job(), &change(), None).await.unwrap_err();
        assert_eq!(refusal.failure.outlook, Outlook::Passing);
        assert!(!format!("{refusal:?}").contains("ghs_scoped"));
    }
}
