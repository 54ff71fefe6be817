//! From nothing to a workspace that is ready for the worker.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::error::{WorkspaceError, at};
use super::layout::{BASE, COLLECTED, PUBLISHED};
use super::leftovers::{clear, remove_locks};
use super::{JobKey, Prepared, Workspaces};
use crate::crash;
use crate::credentials::{Origin, TokenSource};
use crate::git::Sha;

/// What no ref says about a job.
#[derive(Debug, Serialize, Deserialize)]
struct Notes {
    base_branch: String,
}

/// What the outbound repository knows about a job.
#[derive(Debug)]
pub(super) struct Refs {
    pub(super) base: Sha,
    pub(super) collected: Option<Sha>,
    pub(super) published: Sha,
}

/// Where a job begins.
struct Start {
    base_branch: String,
    base: Sha,
    /// The remote's branch, or the base.
    head: Sha,
}

impl Workspaces {
    /// Makes the three repositories ready. Asked again, it keeps a workspace as it is.
    ///
    /// Without a base branch it is the remote's default. Where `branch` is already there, work goes on from it.
    pub async fn prepare(
        &self,
        job: &JobKey,
        origin: &Origin,
        base_branch: Option<&str>,
        branch: &str,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Prepared, WorkspaceError> {
        let workspace = self.layout.workspace(job);
        if fs::symlink_metadata(&workspace).is_err() {
            self.build(job, origin, base_branch, branch, tokens).await?;
        }
        let notes = self.layout.notes(job);
        let text = fs::read(&notes).map_err(at(&notes))?;
        let Notes { base_branch } =
            serde_json::from_slice(&text).map_err(|error| at(&notes)(error.into()))?;
        let refs = self.refs(job).await?;
        Ok(Prepared { workspace, base_branch, base: refs.base, head: refs.published })
    }

    /// Everything is built under another name and takes its own at the end: outbound repository, notes, workspace.
    /// So whoever sees a workspace sees a whole job.
    async fn build(
        &self,
        job: &JobKey,
        origin: &Origin,
        base_branch: Option<&str>,
        branch: &str,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<(), WorkspaceError> {
        let directory = self.layout.job(job);
        fs::create_dir_all(&directory).map_err(at(&directory))?;
        let start = self.refresh_mirror(origin, base_branch, branch, tokens).await?;
        if !self.layout.outbound(job).exists() {
            self.build_outbound(job, origin, branch, &start).await?;
        }
        let notes = serde_json::to_vec(&Notes { base_branch: start.base_branch.clone() });
        let file = self.layout.notes(job);
        fs::write(&file, notes.map_err(|error| at(&file)(error.into()))?).map_err(at(&file))?;
        crash::point("prepare/noted");
        self.build_workspace(job, origin, branch, &start.base_branch).await
    }

    /// One look at the remote; a fetch only when it has something new.
    async fn refresh_mirror(
        &self,
        origin: &Origin,
        base_branch: Option<&str>,
        branch: &str,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Start, WorkspaceError> {
        let mirror = self.layout.mirror(origin);
        let lock = self.mirror_lock(&mirror);
        let _held = lock.lock().await;
        let own = format!("refs/heads/{branch}");
        let base_name =
            base_branch.map_or_else(|| "refs/heads/*".to_owned(), |name| format!("refs/heads/{name}"));
        let found = self.look(origin, &["HEAD", &base_name, &own], Arc::clone(&tokens)).await?;
        let base_branch = base_branch.map(str::to_owned).or(found.default_branch.clone());
        let missing = |name: &str| WorkspaceError::NoBranch {
            repository: format!("{}/{}", origin.owner, origin.name),
            branch: name.to_owned(),
        };
        let base_branch = base_branch.ok_or_else(|| missing("HEAD"))?;
        let tip = found.head(&base_branch).ok_or_else(|| missing(&base_branch))?.clone();
        let head = found.head(branch).cloned();
        if !mirror.join("HEAD").exists() {
            self.init_bare(&mirror, &tip).await?;
            crash::point("prepare/mirror");
        }
        let wanted: Vec<&Sha> = std::iter::once(&tip).chain(&head).collect();
        remove_locks(&mirror)?;
        if !self.has_all(&mirror, &wanted).await? {
            let url = origin.clone_url.as_str();
            let args = ["fetch", "--prune", "--no-tags", "--quiet", "--", url, "+refs/heads/*:refs/heads/*"];
            let fetched =
                self.networked(self.git.within(&mirror, args), origin, tokens, &mut Vec::new()).await;
            fetched.map_err(unsound)?;
            crash::point("prepare/fetched");
        }
        let base = match &head {
            None => tip.clone(),
            Some(head) => self.fork_point(&mirror, &tip, head).await?,
        };
        Ok(Start { base_branch, head: head.unwrap_or_else(|| base.clone()), base })
    }

    async fn has_all(&self, mirror: &Path, wanted: &[&Sha]) -> Result<bool, WorkspaceError> {
        let names: String = wanted.iter().map(|sha| format!("{sha}\n")).collect();
        let answer = self.git.within(mirror, ["cat-file", "--batch-check"]).input(names).line().await?;
        Ok(!answer.lines().any(|line| line.ends_with("missing")))
    }

    /// Where the branch left its base; the base's tip for branches that share nothing.
    async fn fork_point(&self, mirror: &Path, tip: &Sha, head: &Sha) -> Result<Sha, WorkspaceError> {
        let found = self.git.within(mirror, ["merge-base", tip.as_str(), head.as_str()]).line().await;
        match found {
            Ok(sha) => Ok(sha.parse().unwrap_or_else(|_| tip.clone())),
            Err(error) if error.status() == Some(1) => Ok(tip.clone()),
            Err(error) => Err(error.into()),
        }
    }

    /// Borrows the mirror's objects. Nothing of it is ever pruned, and no worker can reach it through this.
    async fn build_outbound(
        &self,
        job: &JobKey,
        origin: &Origin,
        branch: &str,
        start: &Start,
    ) -> Result<(), WorkspaceError> {
        let outbound = self.layout.outbound(job);
        let unfinished = outbound.with_extension("new");
        clear(&unfinished)?;
        self.init_bare(&unfinished, &start.base).await?;
        borrow(&unfinished, &self.layout.mirror(origin))?;
        let Start { base, head, .. } = start;
        let refs =
            format!("create {BASE} {base}\ncreate {PUBLISHED} {head}\ncreate refs/heads/{branch} {head}\n");
        self.git.within(&unfinished, ["update-ref", "--stdin"]).input(refs).output().await?;
        crash::point("prepare/outbound-unfinished");
        fs::rename(&unfinished, &outbound).map_err(at(&outbound))?;
        crash::point("prepare/outbound");
        Ok(())
    }

    /// The worker's own repository: objects copied, nothing shared, no token, nothing of the daemon's but a name.
    async fn build_workspace(
        &self,
        job: &JobKey,
        origin: &Origin,
        branch: &str,
        base_branch: &str,
    ) -> Result<(), WorkspaceError> {
        let workspace = self.layout.workspace(job);
        let unfinished = workspace.with_extension("new");
        clear(&unfinished)?;
        let refs = self.refs(job).await?;
        let format = object_format(&refs.base);
        let new = unfinished.as_os_str();
        let init = self.git.command(
            ["init", "--quiet", "--template=", format, "--"].map(AsRef::as_ref).into_iter().chain([new]),
        );
        init.output().await?;
        let git_dir = unfinished.join(".git");
        let config = format!(
            "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
             [user]\n\tname = OpenPod worker\n\temail = worker@openpod.invalid\n",
            origin.clone_url
        );
        append(&git_dir.join("config"), &config)?;
        let source = format!("file://{}", self.layout.outbound(job).display());
        let from_base = format!("+{BASE}:refs/remotes/origin/{base_branch}");
        let args =
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", &source, &from_base, PUBLISHED];
        self.git.within(&git_dir, args).allow_files().output().await?;
        let args = ["checkout", "--quiet", "-B", branch, refs.published.as_str(), "--"];
        self.git.within(&git_dir, args).work_tree(&unfinished).output().await?;
        crash::point("prepare/workspace-unfinished");
        fs::rename(&unfinished, &workspace).map_err(at(&workspace))?;
        crash::point("prepare/workspace");
        Ok(())
    }

    pub(super) async fn init_bare(&self, directory: &Path, like: &Sha) -> Result<(), WorkspaceError> {
        let words = ["init", "--quiet", "--bare", "--template=", object_format(like), "--"];
        self.git
            .command(words.map(AsRef::as_ref).into_iter().chain([directory.as_os_str()]))
            .output()
            .await?;
        Ok(())
    }

    /// What is known about the job.
    pub(super) async fn refs(&self, job: &JobKey) -> Result<Refs, WorkspaceError> {
        let outbound = self.layout.outbound(job);
        let none = || WorkspaceError::NotPrepared { job: job.as_str().to_owned() };
        if !outbound.exists() {
            return Err(none());
        }
        let args = ["for-each-ref", "--format=%(refname) %(objectname)", "refs/openpod/"];
        let text = self.git.within(&outbound, args).line().await?;
        let find = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|sha| sha.parse().ok())
        };
        Ok(Refs {
            base: find(BASE).ok_or_else(none)?,
            collected: find(COLLECTED),
            published: find(PUBLISHED).ok_or_else(none)?,
        })
    }

    fn mirror_lock(&self, mirror: &Path) -> Arc<Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(locks.entry(mirror.to_owned()).or_default())
    }
}

/// An object that fsck refuses stays what it is, however often it is fetched.
fn unsound(error: WorkspaceError) -> WorkspaceError {
    match &error {
        WorkspaceError::Git(git) => match git.fsck() {
            Some(line) => WorkspaceError::Unsound { reason: line.trim_start_matches("remote: ").to_owned() },
            None => error,
        },
        _ => error,
    }
}

fn object_format(like: &Sha) -> &'static str {
    if like.as_str().len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" }
}

/// Lets a repository of the daemon's read another one's objects.
pub(super) fn borrow(borrower: &Path, lender: &Path) -> Result<(), WorkspaceError> {
    let file = borrower.join("objects/info/alternates");
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    append(&file, &format!("{}\n", lender.join("objects").display()))
}

fn append(file: &Path, text: &str) -> Result<(), WorkspaceError> {
    use std::io::Write;

    let opened = fs::OpenOptions::new().append(true).create(true).open(file);
    opened.and_then(|mut opened| opened.write_all(text.as_bytes())).map_err(at(file))
}
