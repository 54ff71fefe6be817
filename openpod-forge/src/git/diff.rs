//! What differs between two commits, file by file.

use super::program::{Git, GitError};
use super::repository::{Bare, Oid};

/// A patch longer than this is left out of a file's entry.
const MAX_PATCH_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileStatus {
    Added,
    Removed,
    Modified,
    Renamed,
}

impl FileStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Modified => "modified",
            Self::Renamed => "renamed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileDiff {
    pub path: String,
    /// Where it was before, if it moved.
    pub previous: Option<String>,
    pub status: FileStatus,
    /// The object as it is now; of a removed file, as it was.
    pub oid: String,
    pub additions: u64,
    pub deletions: u64,
    /// Its hunks; absent for binary files and for very long ones.
    pub patch: Option<String>,
}

const OPTIONS: [&str; 5] = ["--no-color", "--no-ext-diff", "--no-textconv", "-M", "--end-of-options"];

/// The id of the tree without entries, which every repository knows.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

impl Bare {
    /// The files that differ. Without a `base`, everything counts as added.
    pub(crate) fn changed_files(&self, base: Option<&Oid>, head: &Oid) -> Result<Vec<FileDiff>, GitError> {
        let raw = self.diff(&["--raw", "--no-abbrev", "-z"], base, head)?;
        let numbers = self.diff(&["--numstat", "-z"], base, head)?;
        let patch = self.diff(&["--patch"], base, head)?;
        let files = combine(&String::from_utf8_lossy(&raw), &String::from_utf8_lossy(&numbers), &patch);
        files.ok_or(GitError::Unexpected("diff"))
    }

    /// Changed files, added lines, removed lines.
    pub(crate) fn diff_size(&self, base: &Oid, head: &Oid) -> Result<(u64, u64, u64), GitError> {
        let text = String::from_utf8_lossy(&self.diff(&["--numstat"], Some(base), head)?).into_owned();
        Ok(text.lines().fold((0, 0, 0), |(files, added, removed), line| {
            let mut words = line.split('\t').map(|word| word.parse::<u64>().unwrap_or(0));
            let (more, fewer) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
            (files + 1, added + more, removed + fewer)
        }))
    }

    /// The whole difference as one patch.
    pub(crate) fn diff_text(&self, base: Option<&Oid>, head: &Oid) -> Result<Vec<u8>, GitError> {
        self.diff(&["--patch", "--full-index"], base, head)
    }

    /// The commits between two points as mails, as `git am` takes them.
    pub(crate) fn mails(&self, base: &Oid, head: &Oid) -> Result<Vec<u8>, GitError> {
        let range = format!("{base}..{head}");
        Git::stdout(
            self.command(["format-patch", "--stdout", "--no-signature", "--no-color", "-M", &range]),
            None,
        )
    }

    fn diff(&self, form: &[&str], base: Option<&Oid>, head: &Oid) -> Result<Vec<u8>, GitError> {
        let mut command = self.command(["diff"]);
        let base = base.map_or(EMPTY_TREE, Oid::as_str);
        command.args(form).args(OPTIONS).args([base, head.as_str()]);
        Git::stdout(command, None)
    }
}

/// The three forms list the same files in the same order.
fn combine(raw: &str, numbers: &str, patch: &[u8]) -> Option<Vec<FileDiff>> {
    let mut files = Vec::new();
    let mut patches = split_patch(patch).into_iter();
    let mut numbers = numbers.split('\0').filter(|field| !field.is_empty());
    let mut raw = raw.split('\0').filter(|field| !field.is_empty());
    while let Some(meta) = raw.next() {
        let words: Vec<&str> = meta.trim_start_matches(':').split(' ').collect();
        let &[_, _, old, new, letter] = words.as_slice() else { return None };
        let first = raw.next()?.to_owned();
        let (status, previous, path) = match letter.chars().next()? {
            'A' | 'C' => (FileStatus::Added, None, first),
            'D' => (FileStatus::Removed, None, first),
            'R' => (FileStatus::Renamed, Some(first), raw.next()?.to_owned()),
            _ => (FileStatus::Modified, None, first),
        };
        let oid = if status == FileStatus::Removed { old } else { new }.to_owned();
        let patch = patches.next()?.filter(|text| text.len() <= MAX_PATCH_BYTES);
        // A file that became a link, or the other way round, is shown as two patches, of which neither tells it all.
        let patch = if letter == "T" { patches.next()?.and(None) } else { patch };
        let mut words = numbers.next()?.split('\t').map(|word| word.parse().unwrap_or(0));
        let (additions, deletions) = (words.next()?, words.next()?);
        if previous.is_some() {
            numbers.nth(1)?;
        }
        files.push(FileDiff { path, previous, status, oid, additions, deletions, patch });
    }
    Some(files)
}

/// The hunks of each file. Lines of content begin with a space, a sign or a backslash, so the headers are certain.
fn split_patch(patch: &[u8]) -> Vec<Option<String>> {
    let text = String::from_utf8_lossy(patch);
    let mut files: Vec<Option<String>> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("diff --git ") {
            files.push(None);
        } else if let Some(file) = files.last_mut() {
            match file {
                Some(hunks) => hunks.push_str(line),
                None if line.starts_with("@@ ") => *file = Some(line.to_owned()),
                None => {}
            }
        }
    }
    for hunks in files.iter_mut().flatten() {
        hunks.truncate(hunks.trim_end_matches('\n').len());
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_removals_renames_and_binaries_are_told_apart() {
        let (one, two, none) = ("1".repeat(40), "2".repeat(40), "0".repeat(40));
        let raw = format!(
            ":000000 100644 {none} {one} A\0new.txt\0:100644 100644 {one} {two} R090\0old\0moved\0\
             :100644 000000 {one} {none} D\0gone.bin\0"
        );
        let numbers = "2\t0\tnew.txt\0".to_owned() + "1\t1\t\0old\0moved\0" + "-\t-\tgone.bin\0";
        let patch = "diff --git a/new.txt b/new.txt\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,2 @@\n+a\n+diff --git x\n\
                     diff --git a/old b/moved\n@@ -1 +1 @@\n-a\n+b\n\
                     diff --git a/gone.bin b/gone.bin\nBinary files differ\n";
        let files = combine(&raw, &numbers, patch.as_bytes()).unwrap();
        assert_eq!(files.len(), 3);
        assert_eq!((files[0].status, files[0].additions), (FileStatus::Added, 2));
        assert_eq!(files[0].patch.as_deref(), Some("@@ -0,0 +1,2 @@\n+a\n+diff --git x"));
        assert_eq!((files[1].previous.as_deref(), files[1].path.as_str()), (Some("old"), "moved"));
        assert_eq!(
            (files[2].status, files[2].oid.as_str(), files[2].patch.is_none()),
            (FileStatus::Removed, one.as_str(), true)
        );
    }
}
