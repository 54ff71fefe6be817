//! A continuous integration service in forty lines: tests the head of a pull request, and reports a check run as a
//! GitHub App does.

use std::path::Path;

use octocrab::Octocrab;
use octocrab::models::AppId;
use serde_json::{Value, json};
use tokio::process::Command;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The service, for one repository.
pub struct Ci {
    client: Octocrab,
    repository: String,
    git: std::path::PathBuf,
}

impl Ci {
    /// Signs in as the App. `git` is the repository's address as the forge stores it.
    pub async fn sign_in(api_url: &str, app_id: u64, key_pem: &str, repository: &str, git: &Path) -> Result<Self> {
        let app = Octocrab::builder()
            .base_uri(api_url)?
            .app_from_rsa_pem(AppId(app_id), key_pem.to_owned())?
            .build()?;
        let (_, name) = repository.split_once('/').ok_or("a repository is owner/name")?;
        let installation: Value = app.get(format!("/repos/{repository}/installation"), None::<&()>).await?;
        let scope = json!({"repositories": [name], "permissions": {"contents": "read", "checks": "write"}});
        let route = format!("/app/installations/{}/access_tokens", installation["id"]);
        let minted: Value = app.post(route, Some(&scope)).await?;
        let token = minted["token"].as_str().ok_or("the forge gave no token")?.to_owned();
        let client = Octocrab::builder().base_uri(api_url)?.personal_token(token).build()?;
        Ok(Self { client, repository: repository.to_owned(), git: git.to_owned() })
    }

    /// Runs the repository's own test at the head of a pull request and reports what came of it.
    pub async fn check(&self, pull_request: u64, directory: &Path) -> Result<String> {
        let route = format!("/repos/{}/pulls/{pull_request}", self.repository);
        let pull: Value = self.client.get(route, None::<&()>).await?;
        let head = pull["head"]["sha"].as_str().ok_or("the pull request has no head")?;

        let checkout = directory.join(format!("ci-{head}"));
        git(&["clone", "--quiet", "--no-checkout", &self.git.to_string_lossy(), &checkout.to_string_lossy()]).await?;
        git(&["-C", &checkout.to_string_lossy(), "checkout", "--quiet", "--detach", head]).await?;
        let test = Command::new("sh").arg("test.sh").current_dir(&checkout).output().await?;

        let conclusion = if test.status.success() { "success" } else { "failure" };
        let output = String::from_utf8_lossy(&test.stdout).into_owned();
        let summary = if output.is_empty() { "sh test.sh printed nothing".to_owned() } else { output };
        let report = json!({
            "name": "test",
            "head_sha": head,
            "status": "completed",
            "conclusion": conclusion,
            "output": {"title": "sh test.sh", "summary": summary},
        });
        let _: Value = self.client.post(format!("/repos/{}/check-runs", self.repository), Some(&report)).await?;
        Ok(conclusion.to_owned())
    }
}

async fn git(arguments: &[&str]) -> Result<()> {
    let done = Command::new("git").args(arguments).output().await?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim()).into())
}
