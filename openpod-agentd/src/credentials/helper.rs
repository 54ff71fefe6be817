//! The helper that git starts: it passes git's question to the daemon, and the daemon's answer back.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::question::LONGEST;

/// Longer than the daemon may need for a new token.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `git-credential <socket> get|store|erase` does. Without an answer it tells git to give up.
pub fn helper_main(socket: &Path, operation: &str) -> ExitCode {
    let answer = ask(socket, operation).unwrap_or_else(|_| b"quit=1\n".to_vec());
    match io::stdout().write_all(&answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn ask(socket: &Path, operation: &str) -> io::Result<Vec<u8>> {
    let mut question = format!("{operation}\n").into_bytes();
    io::stdin().take(LONGEST).read_to_end(&mut question)?;
    let mut daemon = UnixStream::connect(socket)?;
    daemon.set_read_timeout(Some(PATIENCE))?;
    daemon.write_all(&question)?;
    daemon.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    daemon.take(LONGEST).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The piece of shell that git runs as its credential helper. That a token worked is news for nobody.
pub(crate) fn snippet(program: &Path, socket: &Path) -> String {
    let ask = format!("{} git-credential {}", quoted(program), quoted(socket));
    format!("!f() {{ test \"$1\" = store || exec {ask} \"$1\"; }}; f")
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_and_quotes_reach_the_helper_whole() {
        let line = snippet(Path::new("/opt/it's here/agentd"), Path::new("/run/1/s"));
        let expected = r#"!f() { test "$1" = store || exec '/opt/it'\''s here/agentd' git-credential '/run/1/s' "$1"; }; f"#;
        assert_eq!(line, expected);
    }
}
