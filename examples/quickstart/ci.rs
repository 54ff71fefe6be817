//! A continuous integration service in a few lines: tests the head of a pull request, and reports a check run as a
//! GitHub App does.

use std::path::Path;

use octocrab::Octocrab;
use octocrab::models::AppId;
use serde_json::{Value, json};
use tokio::process::Command;

use super::platform::{Outcome, Platform, REPOSITORY};

/// The service, signed in for one repository.
pub struct Ci {
    client: Octocrab,
    repository: String,
    git: std::path::PathBuf,
}

impl Ci {
    /// Signs in as the App.
    pub async fn sign_in(platform: &Platform) -> Outcome<Self> {
        let (owner, name) = REPOSITORY;
        let repository = format!("{owner}/{name}");
        let api_url = platform.forge.api_url();
        let (app_id, key) = &platform.ci;
        let app = Octocrab::builder()
            .base_uri(api_url.as_str())?
            .app_from_rsa_pem(AppId(*app_id), key.expose())?
            .build()?;
        let installation: Value = app.get(format!("/repos/{repository}/installation"), None::<&()>).await?;
        let scope = json!({"repositories": [name], "permissions": {"contents": "read", "pull_requests": "read", "checks": "write"}});
        let route = format!("/app/installations/{}/access_tokens", installation["id"]);
        let minted: Value = app.post(route, Some(&scope)).await?;
        let token = minted["token"].as_str().ok_or("the forge gave no token")?.to_owned();
        let client = Octocrab::builder().base_uri(api_url.as_str())?.personal_token(token).build()?;
        Ok(Self { client, repository, git: platform.forge.repository_path(owner, name) })
    }

    /// A pull request as the forge's REST API shows it.
    pub async fn pull_request(&self, number: u64) -> Outcome<Value> {
        Ok(self.client.get(format!("/repos/{}/pulls/{number}", self.repository), None::<&()>).await?)
    }

    /// Runs the repository's own test at the head of a pull request, reports what came of it, and answers with that.
    pub async fn check(&self, pull_request: u64, directory: &Path) -> Outcome<String> {
        let pull = self.pull_request(pull_request).await?;
        let head = pull["head"]["sha"].as_str().ok_or("the pull request has no head")?;
        let checkout = directory.join(format!("ci-{head}"));
        let (from, to) = (self.git.display().to_string(), checkout.display().to_string());
        git(&["clone", "--quiet", "--no-checkout", &from, &to]).await?;
        git(&["-C", &to, "checkout", "--quiet", "--detach", head]).await?;
        let test = Command::new("sh").arg("test.sh").current_dir(&checkout).output().await?;

        let conclusion = if test.status.success() { "success" } else { "failure" };
        let printed = String::from_utf8_lossy(&test.stdout).into_owned();
        let summary = if printed.is_empty() { "sh test.sh printed nothing".to_owned() } else { printed };
        let report = json!({
            "name": "test",
            "head_sha": head,
            "status": "completed",
            "conclusion": conclusion,
            "output": {"title": "sh test.sh", "summary": summary},
        });
        let _: Value =
            self.client.post(format!("/repos/{}/check-runs", self.repository), Some(&report)).await?;
        Ok(conclusion.to_owned())
    }
}

async fn git(arguments: &[&str]) -> Outcome<()> {
    let done = Command::new("git").args(arguments).output().await?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim()).into())
}
