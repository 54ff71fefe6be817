//! From nothing to a workspace that is ready for the worker.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::durability::{Changing, settle};
use super::error::{WorkspaceError, at};
use super::layout::{BASE, COLLECTED, PUBLISHED};
use super::leftovers::{clear, remove_locks, remove_unfinished_packs};
use super::{Advertised, JobKey, Prepared, Workspaces, bare};
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

/// What a job works on.
#[derive(Debug, Clone, Copy)]
pub struct Branches<'a> {
    /// The branch that the change is for; the remote's default when absent.
    pub base: Option<&'a str>,
    /// The job's own. Where it is already there, work goes on from it.
    pub own: &'a str,
    /// What the remote has, if somebody looked; git asks it otherwise.
    pub seen: Option<&'a Advertised>,
}

/// Where a job begins.
struct Start {
    base_branch: String,
    base: Sha,
    /// The remote's branch, or the base.
    head: Sha,
}

impl Workspaces {
    /// Whether there is a workspace, which [`Self::prepare`] keeps.
    pub fn is_prepared(&self, job: &JobKey) -> bool {
        fs::symlink_metadata(self.layout.workspace(job)).is_ok() && self.is_whole(job)
    }

    /// Makes the three repositories ready. Asked again, it keeps a workspace as it is.
    pub async fn prepare(
        &self,
        job: &JobKey,
        origin: &Origin,
        branches: Branches<'_>,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Prepared, WorkspaceError> {
        let workspace = self.layout.workspace(job);
        if !self.is_prepared(job) {
            self.build(job, origin, branches, tokens).await?;
        }
        let notes = self.layout.notes(job);
        let text = fs::read(&notes).map_err(at(&notes))?;
        let Notes { base_branch } =
            serde_json::from_slice(&text).map_err(|error| at(&notes)(error.into()))?;
        let refs = self.refs(job)?;
        Ok(Prepared { workspace, base_branch, base: refs.base, head: refs.published })
    }

    /// Everything is built under another name and takes its own at the end: outbound repository, notes, workspace.
    /// So whoever sees a workspace sees a whole job.
    async fn build(
        &self,
        job: &JobKey,
        origin: &Origin,
        branches: Branches<'_>,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<(), WorkspaceError> {
        let directory = self.layout.job(job);
        fs::create_dir_all(&directory).map_err(at(&directory))?;
        if !self.is_whole(job) {
            self.give_up_half(job)?;
        }
        self.note_changing(job, Changing::Made)?;
        let start = {
            // As long as it is held nobody collects the garbage of what is about to be borrowed.
            let lock = self.lock(&self.layout.mirror(origin));
            let _held = lock.lock().await;
            let start = self.refresh_mirror(job, origin, branches, tokens).await?;
            if !self.layout.outbound(job).exists() {
                self.build_outbound(job, origin, branches.own, &start)?;
            }
            start
        };
        let notes = serde_json::to_vec(&Notes { base_branch: start.base_branch.clone() });
        let file = self.layout.notes(job);
        fs::write(&file, notes.map_err(|error| at(&file)(error.into()))?).map_err(at(&file))?;
        crash::point("prepare/noted");
        self.build_workspace(job, origin, branches.own, &start.base_branch).await
    }

    /// One look at the remote, unless somebody looked before; a fetch only when it has something new. The caller holds
    /// the mirror's lock.
    async fn refresh_mirror(
        &self,
        job: &JobKey,
        origin: &Origin,
        branches: Branches<'_>,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<Start, WorkspaceError> {
        let Branches { base: base_branch, own: branch, seen } = branches;
        let mirror = self.layout.mirror(origin);
        let own = format!("refs/heads/{branch}");
        let base_name =
            base_branch.map_or_else(|| "refs/heads/*".to_owned(), |name| format!("refs/heads/{name}"));
        let found = match seen {
            Some(found) => found.clone(),
            None => self.look(origin, &["HEAD", &base_name, &own], Arc::clone(&tokens)).await?,
        };
        crash::point("prepare/looked");
        let base_branch = base_branch.map(str::to_owned).or(found.default_branch.clone());
        let missing = |name: &str| WorkspaceError::NoBranch {
            repository: format!("{}/{}", origin.owner, origin.name),
            branch: name.to_owned(),
        };
        let base_branch = base_branch.ok_or_else(|| missing("HEAD"))?;
        let tip = found.head(&base_branch).ok_or_else(|| missing(&base_branch))?.clone();
        let head = found.head(branch).cloned();
        if !mirror.join("HEAD").exists() {
            bare::create(&mirror, &tip, true)?;
            // Other tickets will borrow from it without asking whether it is whole.
            settle(&mirror).map_err(at(&mirror))?;
            crash::point("prepare/mirror");
        }
        let base_ref = format!("refs/heads/{base_branch}");
        let wanted: Vec<(&str, &Sha)> =
            std::iter::once((&*base_ref, &tip)).chain(head.iter().map(|head| (&*own, head))).collect();
        self.note_used(&mirror, &self.layout.changing(job))?;
        remove_locks(&mirror)?;
        remove_unfinished_packs(&mirror)?;
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

    /// A ref stands for its objects. Without one there, git knows whether it has them.
    async fn has_all(&self, mirror: &Path, wanted: &[(&str, &Sha)]) -> Result<bool, WorkspaceError> {
        let there = |(name, sha): &(&str, &Sha)| Ok(bare::read_ref(mirror, name)?.as_ref() == Some(*sha));
        let there: Vec<bool> = wanted.iter().map(there).collect::<Result<_, WorkspaceError>>()?;
        if there.iter().all(|there| *there) {
            return Ok(true);
        }
        let names: String = wanted.iter().map(|(_, sha)| format!("{sha}\n")).collect();
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

    /// Borrows the mirror's objects. Nothing that is borrowed is pruned, and no worker can reach it through this.
    fn build_outbound(
        &self,
        job: &JobKey,
        origin: &Origin,
        branch: &str,
        start: &Start,
    ) -> Result<(), WorkspaceError> {
        let outbound = self.layout.outbound(job);
        let unfinished = outbound.with_extension("new");
        clear(&unfinished)?;
        let Start { base, head, .. } = start;
        bare::create(&unfinished, base, true)?;
        bare::borrow(&unfinished, &self.layout.mirror(origin))?;
        let own = format!("refs/heads/{branch}");
        bare::write_first_refs(&unfinished, &[(BASE, base), (PUBLISHED, head), (&own, head)])?;
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
        let refs = self.refs(job)?;
        fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
        self.sow(job, origin, &unfinished).await?;
        let git_dir = unfinished.join(".git");
        let config = format!(
            "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
             [user]\n\tname = OpenPod worker\n\temail = worker@openpod.invalid\n",
            origin.clone_url
        );
        append(&git_dir.join("config"), &config)?;
        let (own, from) = (format!("refs/heads/{branch}"), format!("refs/remotes/origin/{base_branch}"));
        bare::write_first_refs(&git_dir, &[(&own, &refs.published), (&from, &refs.base)])?;
        let head = git_dir.join("HEAD");
        fs::write(&head, format!("ref: {own}\n")).map_err(at(&head))?;
        crash::point("prepare/workspace-unfinished");
        fs::rename(&unfinished, &workspace).map_err(at(&workspace))?;
        crash::point("prepare/workspace");
        Ok(())
    }

    /// What is known about the job.
    pub(super) fn refs(&self, job: &JobKey) -> Result<Refs, WorkspaceError> {
        let outbound = self.layout.outbound(job);
        let none = || WorkspaceError::NotPrepared { job: job.as_str().to_owned() };
        if !outbound.exists() {
            return Err(none());
        }
        Ok(Refs {
            base: bare::read_ref(&outbound, BASE)?.ok_or_else(none)?,
            collected: bare::read_ref(&outbound, COLLECTED)?,
            published: bare::read_ref(&outbound, PUBLISHED)?.ok_or_else(none)?,
        })
    }

    pub(super) fn lock(&self, place: &Path) -> Arc<Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(locks.entry(place.to_owned()).or_default())
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

fn append(file: &Path, text: &str) -> Result<(), WorkspaceError> {
    use std::io::Write;

    let opened = fs::OpenOptions::new().append(true).create(true).open(file);
    opened.and_then(|mut opened| opened.write_all(text.as_bytes())).map_err(at(file))
}
