//! What a git that was killed leaves behind.

use std::fs;
use std::io;
use std::path::Path;

use super::error::{WorkspaceError, at};

/// Removes what an earlier attempt left unfinished.
pub(super) fn clear(directory: &Path) -> Result<(), WorkspaceError> {
    ignore_absent(fs::remove_dir_all(directory)).map_err(at(directory))
}

/// Removes locks on refs, which would stop every later git. The caller sees to it that no other git is at work there.
pub(super) fn remove_locks(git_dir: &Path) -> Result<(), WorkspaceError> {
    for name in ["HEAD.lock", "config.lock", "packed-refs.lock"] {
        let file = git_dir.join(name);
        ignore_absent(fs::remove_file(&file)).map_err(at(&file))?;
    }
    let mut left = vec![git_dir.join("refs")];
    while let Some(directory) = left.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let entry = entry.map_err(at(&directory))?;
            let path = entry.path();
            if entry.file_type().map_err(at(&path))?.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") {
                ignore_absent(fs::remove_file(&path)).map_err(at(&path))?;
            }
        }
    }
    Ok(())
}

/// Removes packs that a git began and never finished, as it does on a full disk. The caller sees to it that no other git is
/// at work there.
pub(super) fn remove_unfinished_packs(git_dir: &Path) -> Result<(), WorkspaceError> {
    let packs = git_dir.join("objects/pack");
    let Ok(entries) = fs::read_dir(&packs) else { return Ok(()) };
    for entry in entries {
        let file = entry.map_err(at(&packs))?.path();
        if file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"tmp_")) {
            ignore_absent(fs::remove_file(&file)).map_err(at(&file))?;
        }
    }
    Ok(())
}

fn ignore_absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
