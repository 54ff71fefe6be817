//! Stands for the daemon's own program where a journey runs the daemon as a library.

use std::process::ExitCode;

fn main() -> ExitCode {
    openpod_agentd::helper_entry().unwrap_or(ExitCode::FAILURE)
}
