//! What the daemon says to people: commits, pull requests, comments, letters.

use std::time::Duration;

use crate::executor::RunEnd;
use crate::job::brakes::Usage;
use crate::job::{Change, Job, Me};

/// The title of a pull request, the same in every round: at most 72 characters. A number with `#` before it would be
/// linked to some other pull request of the repository, so the ticket's does not stand here.
pub(crate) fn title(job: &Job) -> String {
    shortened(&job.title.split_whitespace().collect::<Vec<_>>().join(" "), 72)
}

/// The first line of a commit: at most 72 characters.
pub(crate) fn subject(job: &Job) -> String {
    let round = if job.round > 1 { format!(" (round {})", job.round) } else { String::new() };
    format!("{}{round}", shortened(&title(job), 72 - round.chars().count()))
}

/// The rest of a commit's text.
pub(crate) fn commit_body(job: &Job, summary: Option<&str>) -> String {
    let ticket = format!("OpenPod-Ticket: {}", job.ticket);
    match summary.map(str::trim).filter(|text| !text.is_empty()) {
        Some(summary) => format!("{}\n\n{ticket}", shortened(summary, 4000)),
        None => ticket,
    }
}

/// The text of a pull request.
pub(crate) fn pull_request_body(job: &Job, change: &Change, summary: Option<&str>) -> String {
    let said =
        summary.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("The worker left no summary.");
    let revision = match (&job.published, job.round) {
        (Some(_), round @ 2..) => format!("\nThis is round {round}: a change was asked for.\n"),
        _ => String::new(),
    };
    format!(
        "{}\n{revision}\n---\nOpenPod ticket {} · {} in {} · SHA-256 of the patch `{}`\n",
        shortened(said, 20_000),
        job.number,
        counted(change.commits, "commit"),
        counted(change.files, "file"),
        change.patch_sha256,
    )
}

/// The label of a deliverable.
pub(crate) fn deliverable_label(job: &Job) -> String {
    shortened(&format!("#{} {}", job.number, title(job)), 200)
}

/// The comment on a ticket that was handed in.
pub(crate) fn report(job: &Job, summary: Option<&str>) -> String {
    let said =
        summary.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("The worker left no summary.");
    let place = match &job.published {
        Some(pull_request) => format!("Pull request {}: {}", pull_request.number, pull_request.url),
        None => format!("Branch {}", job.branch),
    };
    let round = if job.round > 1 { format!(" (round {})", job.round) } else { String::new() };
    format!("{}\n\n{place}{round}", shortened(said, 8000))
}

/// How the comment on a ticket begins that is handed back; later daemons know it by this.
const HANDING_BACK: &str = "I hand this ticket back";
/// The same of one that is left.
const LEAVING: &str = "I stop working on this ticket";

/// The comment on a ticket that is given up: handed back, or left for somebody to decide.
pub(crate) fn apology(job: &Job, reason: &str, leave: bool) -> String {
    let round = if job.round > 1 { format!(" in round {}", job.round) } else { String::new() };
    let tries = match job.attempts {
        0 => round,
        attempts => format!(" after {}{round}", counted(attempts, "attempt")),
    };
    let reason = shortened(reason.trim().trim_end_matches('.'), 2000);
    match leave {
        false => format!("{HANDING_BACK}{tries}: {reason}."),
        true => format!(
            "{LEAVING}{tries}: {reason}. It stays with me until somebody changes it or gives it to another."
        ),
    }
}

/// Whether this is an [`apology`] with which a ticket was handed back.
pub(crate) fn is_handing_back(comment: &str) -> bool {
    comment.starts_with(HANDING_BACK)
}

/// Whether this is an [`apology`] with which a ticket was left.
pub(crate) fn is_leaving(comment: &str) -> bool {
    comment.starts_with(LEAVING)
}

/// The letter of an application.
pub(crate) fn cover_letter(template: &str, me: &Me, position: &str, project: &str) -> String {
    let filled = template
        .replace("{agent}", &me.name)
        .replace("{position}", position)
        .replace("{project}", project)
        .replace("{capabilities}", &me.capabilities.join(", "));
    shortened(&filled, 5000)
}

/// Why a run that did not end well failed.
pub(crate) fn run_failure(end: RunEnd) -> String {
    match end {
        RunEnd::Exited(status) => format!("the worker ended with exit status {status}"),
        RunEnd::Signalled(signal) => format!("the worker was ended by signal {signal}"),
        RunEnd::TimedOut => "the worker took longer than it may".to_owned(),
        RunEnd::Idle => "the worker was silent for too long".to_owned(),
        RunEnd::OutputLimit => "the worker wrote more output than it may".to_owned(),
        RunEnd::UsageLimit => "the worker used more than it may, by its own account".to_owned(),
        RunEnd::DiskLimit => "the worker filled more of the disk than it may".to_owned(),
        RunEnd::DiskFull => "too little of the disk was left for the worker to go on".to_owned(),
        RunEnd::Cancelled => "the worker was stopped".to_owned(),
    }
}

/// What runs took.
pub(crate) fn taken(run_time: Duration, usage: Usage) -> String {
    let tokens = match usage.tokens {
        0 => String::new(),
        tokens => format!(", {tokens} tokens"),
    };
    let cost = match usage.cost_micros {
        0 => String::new(),
        micros => format!(", {:.2} USD", micros as f64 / 1e6),
    };
    format!("{:.1} s{tokens}{cost}", run_time.as_secs_f64())
}

fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// At most so many characters; what was longer ends with an ellipsis.
fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use openpod_sdk::api::Timestamp;

    use super::*;
    use crate::job::{Candidate, Published};

    fn job() -> Job {
        let candidate =
            Candidate { number: 5, title: "Trim\n  the slug".into(), ..Candidate::of_tests("t1") };
        Job::new(candidate, "openpod/", Timestamp::from_micros(0))
    }

    fn change() -> Change {
        Change {
            base: "b".into(),
            head: "h".into(),
            commits: 1,
            files: 2,
            patch_sha256: "ab".into(),
            patch_id: "cd".into(),
        }
    }

    #[test]
    fn titles_are_one_line_of_at_most_72_characters() {
        assert_eq!((title(&job()), subject(&job())), ("Trim the slug".into(), "Trim the slug".into()));
        let long = Job { title: "ä".repeat(200), round: 12, ..job() };
        assert_eq!((title(&long).chars().count(), subject(&long).chars().count()), (72, 72));
        assert!(subject(&long).ends_with("… (round 12)"));
    }

    #[test]
    fn the_pull_request_names_its_ticket_and_what_is_in_it() {
        let body = pull_request_body(&job(), &change(), Some("Slugs are trimmed.\n"));
        assert_eq!(
            body,
            "Slugs are trimmed.\n\n---\nOpenPod ticket 5 · 1 commit in 2 files · SHA-256 of the patch `ab`\n"
        );
        let published = Some(Published { number: 7, url: "u".into(), head: "h".into() });
        let second = Job { round: 2, published, ..job() };
        assert!(pull_request_body(&second, &change(), None).contains("This is round 2"));
    }

    #[test]
    fn reports_and_apologies_say_what_and_where() {
        let url = "http://forge/pull/7".to_owned();
        let published = Some(Published { number: 7, url, head: "h".into() });
        let done = Job { published, ..job() };
        assert_eq!(report(&done, Some("Done.")), "Done.\n\nPull request 7: http://forge/pull/7");
        let failed = Job { attempts: 3, ..job() };
        assert_eq!(
            apology(&failed, "it failed.", false),
            "I hand this ticket back after 3 attempts: it failed."
        );
        let is_handed_back = |leave| is_handing_back(&apology(&failed, "it failed.", leave));
        assert_eq!((is_handed_back(false), is_handed_back(true)), (true, false));
        let is_left = |leave| is_leaving(&apology(&failed, "it failed.", leave));
        assert_eq!((is_left(false), is_left(true)), (false, true));
        assert!(!is_handing_back(&report(&done, Some("He said: I hand this ticket back."))));
        let later = Job { round: 2, attempts: 1, ..job() };
        assert_eq!(
            apology(&later, "it failed.", false),
            "I hand this ticket back after 1 attempt in round 2: it failed.",
            "each is said once, so no two are the same"
        );
        assert!(
            apology(&failed, "it failed.", true)
                .starts_with("I stop working on this ticket after 3 attempts: it failed. It stays")
        );
    }

    #[test]
    fn a_letter_is_filled_in() {
        let me = Me { id: "m".into(), name: "crab".into(), capabilities: vec!["rust".into(), "sh".into()] };
        let letter =
            cover_letter("{agent} for {position} at {project}: {capabilities}", &me, "Worker", "Slugs");
        assert_eq!(letter, "crab for Worker at Slugs: rust, sh");
    }
}
