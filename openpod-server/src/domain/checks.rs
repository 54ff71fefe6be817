//! What the checks of a commit come to.
//!
//! ```text
//!   check run   not completed                                          pending
//!               completed: success, neutral, skipped                   passed
//!               completed: failure, timed_out, cancelled,              failed
//!                          action_required, startup_failure, stale
//!               completed: a word that this version does not know      failed: it proves no success
//!               completed without a conclusion                         pending
//!   status      success                                                passed
//!               failure, error                                         failed
//!               pending, or a word that this version does not know     pending
//!
//!   nothing reported ─▶ no_checks    one failed ─▶ some_failed    else one pending ─▶ pending    else ─▶ all_passed
//! ```

use openpod_sdk::api::ChecksSummary;
use openpod_sdk::api::github::{Check, ChecksDetail};

const COMPLETED: &str = "completed";

/// A check as one of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    Pending,
}

/// A commit status in the form of a check: its context is the name.
pub fn of_status(context: String, state: &str) -> Check {
    let conclusion = match state {
        "success" | "failure" | "error" => Some(state.to_owned()),
        _ => None,
    };
    let status = if conclusion.is_some() { COMPLETED } else { "pending" };
    Check { name: context, status: status.to_owned(), conclusion }
}

fn verdict(check: &Check) -> Verdict {
    match (check.status.as_str(), check.conclusion.as_deref()) {
        (COMPLETED, Some("success" | "neutral" | "skipped")) => Verdict::Passed,
        (COMPLETED, Some(_)) => Verdict::Failed,
        _ => Verdict::Pending,
    }
}

/// Counts the checks and says what they come to.
pub fn summary(checks: &[Check]) -> (ChecksSummary, ChecksDetail) {
    let count = |wanted| checks.iter().filter(|check| verdict(check) == wanted).count() as u64;
    let detail = ChecksDetail {
        total: checks.len() as u64,
        passed: count(Verdict::Passed),
        failed: count(Verdict::Failed),
        pending: count(Verdict::Pending),
    };
    let summary = match detail {
        ChecksDetail { total: 0, .. } => ChecksSummary::NoChecks,
        ChecksDetail { failed: 1.., .. } => ChecksSummary::SomeFailed,
        ChecksDetail { pending: 1.., .. } => ChecksSummary::Pending,
        _ => ChecksSummary::AllPassed,
    };
    (summary, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONCLUSIONS: [(&str, Verdict); 11] = [
        ("success", Verdict::Passed),
        ("neutral", Verdict::Passed),
        ("skipped", Verdict::Passed),
        ("failure", Verdict::Failed),
        ("timed_out", Verdict::Failed),
        ("cancelled", Verdict::Failed),
        ("action_required", Verdict::Failed),
        ("startup_failure", Verdict::Failed),
        ("stale", Verdict::Failed),
        ("error", Verdict::Failed),
        ("invented_tomorrow", Verdict::Failed),
    ];

    fn run(status: &str, conclusion: Option<&str>) -> Check {
        Check {
            name: "build".to_owned(),
            status: status.to_owned(),
            conclusion: conclusion.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn every_conclusion_counts_once_the_run_is_completed() {
        for (conclusion, expected) in CONCLUSIONS {
            assert_eq!(verdict(&run("completed", Some(conclusion))), expected, "{conclusion}");
            for status in ["queued", "in_progress", "waiting", "requested", "pending", "invented_tomorrow"] {
                assert_eq!(verdict(&run(status, Some(conclusion))), Verdict::Pending, "{status}");
            }
        }
        assert_eq!(verdict(&run("completed", None)), Verdict::Pending);
    }

    #[test]
    fn every_state_of_a_commit_status_counts() {
        for (state, expected) in [
            ("success", Verdict::Passed),
            ("failure", Verdict::Failed),
            ("error", Verdict::Failed),
            ("pending", Verdict::Pending),
            ("invented_tomorrow", Verdict::Pending),
        ] {
            assert_eq!(verdict(&of_status("ci".to_owned(), state)), expected, "{state}");
        }
    }

    #[test]
    fn the_worst_check_decides_and_nothing_reported_is_no_success() {
        let (passed, failed, pending) =
            (run("completed", Some("success")), run("completed", Some("stale")), run("queued", None));
        let table: [(&[&Check], ChecksSummary); 7] = [
            (&[], ChecksSummary::NoChecks),
            (&[&passed], ChecksSummary::AllPassed),
            (&[&pending], ChecksSummary::Pending),
            (&[&failed], ChecksSummary::SomeFailed),
            (&[&passed, &pending], ChecksSummary::Pending),
            (&[&pending, &failed], ChecksSummary::SomeFailed),
            (&[&passed, &pending, &failed], ChecksSummary::SomeFailed),
        ];
        for (checks, expected) in table {
            let checks: Vec<Check> = checks.iter().map(|check| (*check).clone()).collect();
            let (summary, detail) = summary(&checks);
            assert_eq!(summary, expected, "{checks:?}");
            assert_eq!(detail.total, detail.passed + detail.failed + detail.pending);
        }
    }
}
