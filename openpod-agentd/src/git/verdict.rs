//! What git's words mean. Git has no other way to say it, so they are read here once, and nowhere else.
//!
//! The language is fixed by `LC_ALL=C`. A push runs with `--porcelain`, whose answer about a ref is on its standard
//! output: [`refusal`] reads that, [`verdict`] the rest.

use super::GitErrorKind;

/// Read in this order; the first that occurs decides.
const WORDS: [(&str, GitErrorKind); 25] = [
    ("No space left on device", GitErrorKind::NoSpace),
    ("Disk quota exceeded", GitErrorKind::NoSpace),
    ("File too large", GitErrorKind::NoSpace),
    ("Authentication failed", GitErrorKind::Auth),
    ("returned error: 401", GitErrorKind::Auth),
    ("returned error: 403", GitErrorKind::Auth),
    ("could not read Username", GitErrorKind::Auth),
    ("could not read Password", GitErrorKind::Auth),
    ("credential helper", GitErrorKind::Auth),
    ("returned error: 404", GitErrorKind::NotFound),
    ("Repository not found", GitErrorKind::NotFound),
    ("' not found", GitErrorKind::NotFound),
    ("stale info", GitErrorKind::StaleLease),
    ("returned error: 5", GitErrorKind::Network),
    ("returned error: 429", GitErrorKind::Network),
    ("Could not resolve host", GitErrorKind::Network),
    ("Failed to connect", GitErrorKind::Network),
    ("Couldn't connect", GitErrorKind::Network),
    ("Connection", GitErrorKind::Network),
    ("Operation too slow", GitErrorKind::Network),
    ("Empty reply", GitErrorKind::Network),
    ("RPC failed", GitErrorKind::Network),
    ("the remote end hung up", GitErrorKind::Network),
    ("early EOF", GitErrorKind::Network),
    ("unable to access", GitErrorKind::Network),
];

/// What a failed command's complaint means.
pub(super) fn verdict(stderr: &str) -> GitErrorKind {
    let found = WORDS.iter().find(|(words, _)| stderr.contains(words));
    found.map_or(GitErrorKind::Local, |(_, kind)| kind.clone())
}

/// What `git push --porcelain` says about a ref that was not taken: `!<tab>from:to<tab>[rejected] (stale info)`.
pub(crate) fn refusal(porcelain: &str) -> Option<GitErrorKind> {
    let line = porcelain.lines().find(|line| line.starts_with('!'))?;
    let summary = line.rsplit('\t').next()?;
    if summary.starts_with("[remote failure]") {
        // The connection broke before the remote said what became of the ref.
        return None;
    }
    let reason = summary.split_once('(').map_or(summary, |(_, rest)| rest.trim_end_matches(')'));
    Some(match reason {
        "stale info" | "fetch first" | "non-fast-forward" | "remote ref updated since checkout" => {
            GitErrorKind::StaleLease
        }
        _ => GitErrorKind::Rejected { reason: reason.to_owned() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_s_words_are_understood() {
        let url = "http://127.0.0.1:1/o/r.git/";
        let cases = [
            (format!("fatal: Authentication failed for '{url}'"), GitErrorKind::Auth),
            (
                format!("fatal: unable to access '{url}': The requested URL returned error: 403"),
                GitErrorKind::Auth,
            ),
            (
                format!("fatal: could not read Username for '{url}': terminal prompts disabled"),
                GitErrorKind::Auth,
            ),
            (format!("fatal: repository '{url}' not found"), GitErrorKind::NotFound),
            (
                format!("fatal: unable to access '{url}': The requested URL returned error: 502"),
                GitErrorKind::Network,
            ),
            (
                format!("fatal: unable to access '{url}': Failed to connect to 127.0.0.1 port 1"),
                GitErrorKind::Network,
            ),
            ("error: RPC failed; curl 18 transfer closed\nfatal: early EOF".into(), GitErrorKind::Network),
            ("error: file write error: No space left on device".into(), GitErrorKind::NoSpace),
            ("fatal: bad object HEAD".into(), GitErrorKind::Local),
        ];
        for (words, expected) in cases {
            assert_eq!(verdict(&words), expected, "{words}");
        }
    }

    #[test]
    fn the_fate_of_a_pushed_ref_is_understood() {
        let rejected = |reason: &str| Some(GitErrorKind::Rejected { reason: reason.into() });
        let cases = [
            ("To x\n!\tabc:refs/heads/b\t[rejected] (stale info)\nDone", Some(GitErrorKind::StaleLease)),
            ("!\tabc:refs/heads/b\t[rejected] (fetch first)", Some(GitErrorKind::StaleLease)),
            ("!\tabc:refs/heads/main\t[remote rejected] (protected branch)", rejected("protected branch")),
            (
                "!\ta:refs/heads/b\t[remote rejected] (refusing to allow a GitHub App to create a workflow)",
                rejected("refusing to allow a GitHub App to create a workflow"),
            ),
            ("!\tabc:refs/heads/b\t[remote failure] (remote failed to report status)", None),
            ("*\tabc:refs/heads/b\t[new branch]\nDone", None),
            ("", None),
        ];
        for (porcelain, expected) in cases {
            assert_eq!(refusal(porcelain), expected, "{porcelain}");
        }
    }
}
