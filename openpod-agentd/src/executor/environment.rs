//! The worker's environment: a list of what it gets, never of what it must not see.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::RunSpec;
use super::files::RunFiles;

/// The daemon's own variables that a worker gets too.
pub(crate) const INHERITED: [&str; 7] = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME"];

/// All of it. The configuration may add words, but not change the daemon's.
pub(super) fn environment(
    spec: &RunSpec,
    files: &RunFiles,
    own: impl Fn(&str) -> Option<OsString>,
) -> BTreeMap<OsString, OsString> {
    let inherited = INHERITED.iter().filter_map(|name| Some((OsString::from(name), own(name)?)));
    let configured = spec.environment.iter().map(|(name, value)| (name.into(), value.into()));
    let given: [(&str, OsString); 9] = [
        ("HOME", files.home().into()),
        ("TMPDIR", files.tmp().into()),
        ("OPENPOD_WORKSPACE", spec.workspace.clone().into()),
        ("OPENPOD_TICKET_FILE", files.ticket().into()),
        ("OPENPOD_SUMMARY_FILE", files.summary_file().into()),
        ("OPENPOD_USAGE_FILE", files.usage_file().into()),
        ("OPENPOD_RUN_DIR", spec.run_dir.clone().into()),
        ("OPENPOD_RUN_ID", spec.id.clone().into()),
        ("OPENPOD_ATTEMPT", spec.attempt.to_string().into()),
    ];
    let transcript = spec.transcript.as_ref().map(|_| RunSpec::transcript_in(&spec.run_dir).into());
    let given = given.into_iter().chain(transcript.map(|path| ("OPENPOD_TRANSCRIPT_FILE", path)));
    let given = given.map(|(name, value)| (name.into(), value));
    inherited.chain(configured).chain(given).collect()
}
