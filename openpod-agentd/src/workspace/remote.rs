//! Everything that speaks to the remote: literal address, explicit refs, a token through the helper.

use std::sync::Arc;

use super::error::{WorkspaceError, at};
use super::layout::PUBLISHED;
use super::leftovers::remove_locks;
use super::{JobKey, Workspaces, bare};
use crate::crash;
use crate::credentials::{CredentialServer, Origin, TokenSource, snippet};
use crate::git::{GitCommand, GitError, Sha, refusal};

/// Of what a remote says, in bytes.
const ANSWER: usize = 64 << 20;

/// What a remote has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advertised {
    /// The branch that HEAD names, or the one that work begins from.
    pub default_branch: Option<String>,
    /// Branches and where they are.
    pub heads: Vec<(String, Sha)>,
}

impl Advertised {
    /// Where a branch is.
    pub fn head(&self, branch: &str) -> Option<&Sha> {
        self.heads.iter().find(|(name, _)| name == branch).map(|(_, sha)| sha)
    }

    /// Reads `git ls-remote --symref`.
    fn read(text: &str) -> Self {
        let mut found = Self::default();
        for (left, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            if let Some(target) = left.strip_prefix("ref: refs/heads/") {
                found.default_branch = Some(target.to_owned());
            } else if let (Some(branch), Ok(sha)) = (name.strip_prefix("refs/heads/"), left.parse()) {
                found.heads.push((branch.to_owned(), sha));
            }
        }
        found
    }
}

impl Workspaces {
    pub(super) async fn look(
        &self,
        origin: &Origin,
        names: &[&str],
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Advertised, WorkspaceError> {
        let mut args = vec!["ls-remote", "--symref", "--", origin.clone_url.as_str()];
        args.extend(names);
        let mut text = Vec::new();
        self.networked(self.git.command(args), origin, tokens, &mut text).await?;
        Ok(Advertised::read(&String::from_utf8_lossy(&text)))
    }

    /// Where the remote's branch is.
    pub async fn remote_head(
        &self,
        origin: &Origin,
        branch: &str,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Option<Sha>, WorkspaceError> {
        let full = format!("refs/heads/{branch}");
        Ok(self.look(origin, &[&full], tokens).await?.head(branch).cloned())
    }

    /// Pushes `head`, which was collected, to `branch`, which must be at `expected`, or be absent. Asked again after
    /// it worked, it changes nothing.
    pub async fn push(
        &self,
        job: &JobKey,
        origin: &Origin,
        branch: &str,
        head: &Sha,
        expected: Option<&Sha>,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<(), WorkspaceError> {
        let outbound = self.layout.outbound(job);
        remove_locks(&outbound)?;
        let refs = self.refs(job)?;
        if refs.collected.as_ref() != Some(head) && refs.published != *head {
            return Err(WorkspaceError::NotCollected { head: head.to_string() });
        }
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", expected.map_or("", Sha::as_str));
        let refspec = format!("{head}:refs/heads/{branch}");
        let args = ["push", "--porcelain", "--no-verify", &lease, "--", origin.clone_url.as_str(), &refspec];
        let mut porcelain = Vec::new();
        let pushed = self.networked(self.git.within(&outbound, args), origin, tokens, &mut porcelain).await;
        match (pushed, refusal(&String::from_utf8_lossy(&porcelain))) {
            (Err(WorkspaceError::Git(error)), Some(kind)) => return Err(error.of_kind(kind).into()),
            (other, _) => other?,
        }
        crash::point("push/pushed");
        self.note_published(job, head)
    }

    /// The remote's branch is known to be at `head`. The next round goes on from there.
    pub fn note_published(&self, job: &JobKey, head: &Sha) -> Result<(), WorkspaceError> {
        let outbound = self.layout.outbound(job);
        remove_locks(&outbound)?;
        bare::write_ref(&outbound, PUBLISHED, head)
    }

    /// Runs a command that may ask for a token, while there is somebody to answer.
    pub(super) async fn networked(
        &self,
        command: GitCommand,
        origin: &Origin,
        tokens: Arc<dyn TokenSource>,
        output: &mut Vec<u8>,
    ) -> Result<(), WorkspaceError> {
        check_address(origin)?;
        let runtime = self.layout.runtime();
        let refused = self.refused.clone();
        let server =
            CredentialServer::start(&runtime, &origin.clone_url, tokens, refused).map_err(at(&runtime))?;
        let command = command.allow_http(&snippet(&self.helper, server.socket()));
        let keep = |chunk: &[u8]| output.extend_from_slice(&chunk[..chunk.len().min(ANSWER - output.len())]);
        let done = command.feed(keep).await;
        done.map_err(|error| explained(error, &server))
    }
}

/// That git got no token is the consequence; why there was none is the news.
fn explained(error: GitError, server: &CredentialServer) -> WorkspaceError {
    match server.failure() {
        Some(failure) => failure.into(),
        None => error.redacted(server.given()).into(),
    }
}

/// A token goes over HTTPS, or stays on this machine.
fn check_address(origin: &Origin) -> Result<(), WorkspaceError> {
    let url = &origin.clone_url;
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let reason = match url.scheme() {
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            "it holds a user or password"
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            "it holds a query or fragment"
        }
        "https" => return Ok(()),
        "http" if local => return Ok(()),
        "http" => "plain http is for this machine only; use https",
        _ => "only https is known",
    };
    let mut shown = url.clone();
    // Both fail for addresses that can hold neither.
    let _ = (shown.set_username(""), shown.set_password(None));
    Err(WorkspaceError::Address { url: shown.to_string(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin { clone_url: url.parse().unwrap(), owner: "o".into(), name: "r".into() }
    }

    #[test]
    fn a_token_is_sent_over_https_or_on_this_machine_only() {
        let good = [
            "https://git.example/o/r.git",
            "http://127.0.0.1:8080/o/r.git",
            "http://[::1]/o/r.git",
            "http://localhost:1/o/r",
            "http://forge.localhost/o/r",
        ];
        for url in good {
            check_address(&origin(url)).unwrap();
        }
        let bad = [
            "http://git.example/o/r.git",
            "https://user:secret-text@git.example/o/r.git",
            "https://git.example/o/r.git?token=1",
            "file:///etc",
            "ssh://git@git.example/o/r.git",
        ];
        for url in bad {
            let error = check_address(&origin(url)).unwrap_err().to_string();
            assert!(!error.contains("secret-text"), "{error}");
        }
    }

    #[test]
    fn what_the_remote_has_is_read_with_its_default_branch() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            "ref: refs/heads/trunk\tHEAD\n{a}\tHEAD\n{b}\trefs/heads/openpod/x\n{a}\trefs/heads/trunk\n"
        );
        let found = Advertised::read(&text);
        assert_eq!(found.default_branch.as_deref(), Some("trunk"));
        assert_eq!(
            (found.head("trunk").unwrap().as_str(), found.head("openpod/x").unwrap().as_str()),
            (&*a, &*b)
        );
        assert_eq!(found.head("other"), None);
        assert_eq!(Advertised::read(""), Advertised::default());
    }
}
