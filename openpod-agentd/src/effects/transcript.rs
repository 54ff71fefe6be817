//! What a ticket's earlier runs wrote, for the next one to read.
//!
//! The logs are redacted when they are written; here they are looked through once more, since keys change. Of each run
//! the end is given, of all runs together the latest.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::redaction::Redactor;
use crate::shim::Place;

/// Of one run, in bytes.
const OF_ONE: u64 = 64 << 10;
/// Of all runs, in bytes.
const OF_ALL: usize = 256 << 10;

/// The transcript of the runs whose files lie here, the oldest first; `None` when there were none.
pub(super) fn transcript(runs: &Path, redactor: &Redactor) -> Option<Vec<u8>> {
    let mut places: Vec<Place> = Place::all_in(runs).into_iter().filter(Place::is_over).collect();
    places.sort_by_key(|place| std::cmp::Reverse(place.began_at()));
    let mut parts = Vec::new();
    let mut left = OF_ALL;
    for place in places {
        let Some(part) = part(&place, redactor) else { continue };
        if part.len() > left {
            break;
        }
        left -= part.len();
        parts.push(part);
    }
    parts.reverse();
    (!parts.is_empty()).then(|| parts.concat().into_bytes())
}

fn part(place: &Place, redactor: &Redactor) -> Option<String> {
    let mut log = File::open(place.log()).ok()?;
    let cut = log.metadata().ok()?.len().saturating_sub(OF_ONE);
    log.seek(SeekFrom::Start(cut)).ok()?;
    let mut bytes = Vec::new();
    log.take(OF_ONE).read_to_end(&mut bytes).ok()?;
    let text = redactor.text(&String::from_utf8_lossy(&bytes));
    let cut = if cut > 0 { format!(" (its beginning, {cut} bytes, is left out)") } else { String::new() };
    Some(format!("=== {}{cut} ===\n{}\n", place.name(), text.trim_end()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn run(runs: &Path, name: &str, second: u64, output: &str) -> PathBuf {
        let shim = runs.join(format!("{name}.shim"));
        std::fs::create_dir_all(&shim).unwrap();
        std::fs::write(shim.join("output.log"), output).unwrap();
        std::fs::write(shim.join("status.json"), "{}").unwrap();
        let id = File::create(shim.join("id")).unwrap();
        id.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(second)).unwrap();
        shim
    }

    fn read(runs: &Path) -> Option<String> {
        transcript(runs, &Redactor::new(["opk_secret".into()])).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn earlier_runs_are_told_in_their_order_and_without_secrets() {
        let runs = tempfile::tempdir().unwrap();
        assert_eq!(read(runs.path()), None);
        run(runs.path(), "round-2-attempt-1", 20, "second opk_secret\n");
        run(runs.path(), "round-1-attempt-1", 10, "first\n\n");
        let living = run(runs.path(), "round-3-attempt-1", 30, "now\n");
        std::fs::remove_file(living.join("status.json")).unwrap();
        let told = read(runs.path()).unwrap();
        assert_eq!(told, "=== round-1-attempt-1 ===\nfirst\n=== round-2-attempt-1 ===\nsecond [secret]\n");
    }

    #[test]
    fn of_much_output_the_latest_is_told() {
        let runs = tempfile::tempdir().unwrap();
        for number in 1..9u64 {
            run(
                runs.path(),
                &format!("round-{number}-attempt-1"),
                number,
                &format!("{}end {number}", "x".repeat(100_000)),
            );
        }
        let told = read(runs.path()).unwrap();
        assert!(
            told.len() <= OF_ALL && !told.contains("end 5") && told.ends_with("end 8\n"),
            "{}",
            told.len()
        );
        assert!(told.starts_with("=== round-6-attempt-1 (its beginning, 34469 bytes, is left out) ===\nxxx"));
    }
}
