//! From what the worker left to a commit that is ready to be pushed.
//!
//! The commit is the daemon's own: one for each round, with the worker's tree and nothing else of its repository. It
//! is made in a staging repository, checked there, and moved into the outbound one as a pack that fsck has seen.

use std::ffi::OsStr;
use std::fs;

use openpod_sdk::api::Timestamp;
use sha2::{Digest, Sha256};

use super::error::{WorkspaceError, at};
use super::layout::COLLECTED;
use super::limits::{Changed, check_link};
use super::patch_id::PatchId;
use super::prepare::Refs;
use super::snapshot::Staging;
use super::{Change, Collected, CommitMessage, JobKey, Workspaces, bare};
use crate::crash;
use crate::git::{GitCommand, Sha};

impl Workspaces {
    /// Takes what the worker left into the outbound repository, and checks it.
    ///
    /// The same tree with the same message gives the same commit again. What was collected and never pushed is
    /// replaced by what is collected now.
    pub async fn collect(&self, job: &JobKey, message: &CommitMessage) -> Result<Collected, WorkspaceError> {
        let refs = self.refs(job)?;
        let staging = self.stage(job, &refs.base)?;
        crash::point("collect/staged");
        let tree = self.snapshot(&staging, &refs.published).await?;
        // Of processes that do not need each other, two at a time.
        let (published, changed) =
            tokio::join!(self.tree_of(&staging, &refs.published), self.changed(&staging, &refs.base, &tree));
        if tree == published? {
            return Ok(Collected::Nothing);
        }
        let changed = changed?;
        if changed.is_empty() {
            return Err(WorkspaceError::refused(
                "nothing is left of the change: the tree is that of the base again",
            ));
        }
        let (checked, head) = tokio::join!(
            self.check(&staging, &changed),
            self.commit(&staging, &tree, &refs.published, message)
        );
        checked?;
        let head = head?;
        crash::point("collect/committed");
        let (taken, change) = tokio::join!(
            self.take_over(job, &staging, &refs.published, &head),
            self.describe(&staging, &refs, &head, changed)
        );
        taken?;
        crash::point("collect/taken-over");
        change.map(Collected::Change)
    }

    /// What was collected here and is published, if that is more than the base.
    pub async fn published(&self, job: &JobKey) -> Result<Option<Change>, WorkspaceError> {
        let refs = self.refs(job)?;
        let head = refs.published.clone();
        if head == refs.base || refs.collected.as_ref() != Some(&head) {
            return Ok(None);
        }
        let staging = self.stage(job, &refs.base)?;
        let tree = self.tree_of(&staging, &head).await?;
        let changed = self.changed(&staging, &refs.base, &tree).await?;
        self.describe(&staging, &refs, &head, changed).await.map(Some)
    }

    /// The commit that was pushed last, as far as the repository of a job that has one knows.
    pub fn pushed(&self, job: &JobKey) -> Result<Option<Sha>, WorkspaceError> {
        match self.refs(job) {
            Ok(refs) => Ok(Some(refs.published).filter(|pushed| *pushed != refs.base)),
            Err(WorkspaceError::NotPrepared { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the workspace differs from what was published.
    pub(super) async fn has_unpublished(&self, job: &JobKey) -> Result<bool, WorkspaceError> {
        let refs = self.refs(job)?;
        if refs.collected.is_some_and(|collected| collected != refs.published) {
            return Ok(true);
        }
        let staging = self.stage(job, &refs.base)?;
        let tree = match self.snapshot(&staging, &refs.published).await {
            // Whatever it is, it was not published.
            Err(WorkspaceError::Refused { .. }) => return Ok(true),
            other => other?,
        };
        Ok(tree != self.tree_of(&staging, &refs.published).await?)
    }

    async fn tree_of(&self, staging: &Staging, commit: &Sha) -> Result<Sha, WorkspaceError> {
        let name = format!("{commit}^{{tree}}");
        self.sha(self.git.within(&staging.git_dir, ["rev-parse", "--verify", &name])).await
    }

    async fn sha(&self, command: GitCommand) -> Result<Sha, WorkspaceError> {
        let text = command.line().await?;
        text.parse()
            .map_err(|_| WorkspaceError::refused(format!("git answered with no object but with {text:?}")))
    }

    /// What differs between the base and the tree.
    async fn changed(
        &self,
        staging: &Staging,
        base: &Sha,
        tree: &Sha,
    ) -> Result<Vec<Changed>, WorkspaceError> {
        let args =
            ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", base.as_str(), tree.as_str()];
        let output = self.git.within(&staging.git_dir, args).output().await?;
        let text = String::from_utf8_lossy(&output);
        let mut fields = text.split('\0');
        let mut changed = Vec::new();
        while let (Some(about), Some(path)) = (fields.next().filter(|about| !about.is_empty()), fields.next())
        {
            // :100644 100755 <old> <new> M
            let words: Vec<&str> = about.split(' ').collect();
            if let [_, mode, _, sha, _] = words[..] {
                changed.push(Changed { mode: mode.to_owned(), sha: sha.to_owned(), path: path.to_owned() });
            }
        }
        Ok(changed)
    }

    async fn check(&self, staging: &Staging, changed: &[Changed]) -> Result<(), WorkspaceError> {
        self.limits.check_paths(changed)?;
        let there: Vec<&Changed> = changed.iter().filter(|file| file.mode != "000000").collect();
        let names: String = there.iter().map(|file| format!("{}\n", file.sha)).collect();
        let args = ["cat-file", "--batch-check=%(objectsize)"];
        let sizes = self.git.within(&staging.git_dir, args).input(names).line().await?;
        let mut total = 0u64;
        for (file, size) in there.iter().zip(sizes.lines()) {
            let size = size.parse().unwrap_or(u64::MAX);
            self.limits.check_file(&file.path, size)?;
            total = total.saturating_add(size);
        }
        self.limits.check_total(total)?;
        for link in there.iter().filter(|file| file.mode == "120000") {
            let target = self.git.within(&staging.git_dir, ["cat-file", "blob", &link.sha]).output().await?;
            check_link(&link.path, &String::from_utf8_lossy(&target))?;
        }
        Ok(())
    }

    async fn commit(
        &self,
        staging: &Staging,
        tree: &Sha,
        parent: &Sha,
        message: &CommitMessage,
    ) -> Result<Sha, WorkspaceError> {
        let CommitMessage { subject, body, author_name, author_email, time } = message;
        let text = if body.is_empty() { format!("{subject}\n") } else { format!("{subject}\n\n{body}\n") };
        let args = ["commit-tree", tree.as_str(), "-p", parent.as_str(), "-F", "-"];
        let mut command = self.git.within(&staging.git_dir, args).input(text);
        for role in ["AUTHOR", "COMMITTER"] {
            command = command.env(&format!("GIT_{role}_NAME"), author_name);
            command = command.env(&format!("GIT_{role}_EMAIL"), author_email);
            command = command.env(&format!("GIT_{role}_DATE"), date(*time));
        }
        self.sha(command).await
    }

    /// Packs the commit with everything new in it, has fsck look at the pack, and moves it.
    async fn take_over(
        &self,
        job: &JobKey,
        staging: &Staging,
        parent: &Sha,
        head: &Sha,
    ) -> Result<(), WorkspaceError> {
        let outbound = self.layout.outbound(job);
        let prefix = staging.git_dir.join("new");
        let args = ["pack-objects", "--quiet", "--revs"].map(OsStr::new);
        let pack = self.git.within(&staging.git_dir, args.into_iter().chain([prefix.as_os_str()]));
        let name = pack.input(format!("{head}\n^{parent}\n")).line().await?;
        let file = |extension: &str| staging.git_dir.join(format!("new-{name}.{extension}"));
        let (packed, unused) = (file("pack"), staging.git_dir.join("checked.idx"));
        let args = ["index-pack", "--strict", "--no-rev-index", "-o"].map(OsStr::new);
        let args = args.into_iter().chain([unused.as_os_str(), packed.as_os_str()]);
        let checked = self.git.within(&staging.git_dir, args).output().await;
        checked.map_err(|error| match error.fsck() {
            // Such as a .gitmodules whose address would run a program elsewhere.
            Some(line) => WorkspaceError::refused(line.to_owned()),
            None => error.into(),
        })?;
        // A pack is there for git as soon as its index is.
        for extension in ["pack", "idx"] {
            let target = outbound.join(format!("objects/pack/pack-{name}.{extension}"));
            fs::rename(file(extension), &target).map_err(at(&target))?;
        }
        bare::write_ref(&outbound, COLLECTED, head)
    }

    async fn describe(
        &self,
        staging: &Staging,
        refs: &Refs,
        head: &Sha,
        changed: Vec<Changed>,
    ) -> Result<Change, WorkspaceError> {
        let here = |args: &[&str]| self.git.within(&staging.git_dir, args);
        let (base, tip) = (refs.base.as_str(), head.as_str());
        let range = format!("{base}...{tip}");
        let counted = here(&["rev-list", "--left-right", "--count", &range]).line();
        let (mut patch, mut same) = (Sha256::new(), PatchId::default());
        let diff = here(&["diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", base, tip]);
        let hashed = diff.feed(|chunk| {
            patch.update(chunk);
            same.update(chunk);
        });
        let (counted, hashed) = tokio::join!(counted, hashed);
        hashed?;
        let counted = counted?;
        let (behind, commits) = counted.split_once('\t').unwrap_or(("", ""));
        if behind != "0" {
            return Err(WorkspaceError::refused("the branch no longer descends from its base"));
        }
        Ok(Change {
            base: refs.base.clone(),
            commits: commits.parse().unwrap_or(u32::MAX),
            files: u32::try_from(changed.len()).unwrap_or(u32::MAX),
            patch_sha256: patch.finalize().into(),
            patch_id: same.finalize(),
            changed_paths: changed.into_iter().map(|file| file.path).collect(),
            head: head.clone(),
        })
    }
}

fn date(time: Timestamp) -> String {
    format!("@{} +0000", time.as_seconds())
}
