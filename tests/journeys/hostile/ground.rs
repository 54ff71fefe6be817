//! Where attacks take place: canaries that tell who ran them, and an address that tells who called.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::attack::Attack;

/// The ground.
pub struct Ground {
    /// Workers may read it.
    pub directory: PathBuf,
    /// Workers may not write it, so what stands in it was written by somebody who is not confined.
    pub record: PathBuf,
    /// Where nobody should call.
    pub evil: String,
    calls: Arc<Mutex<Vec<String>>>,
}

/// What came of springing a trap.
pub struct Sprung {
    pub went_off: bool,
    pub said: String,
}

impl Ground {
    pub fn prepare(directory: PathBuf, record: PathBuf) -> Self {
        std::fs::create_dir_all(directory.join("canaries")).unwrap();
        std::fs::create_dir_all(directory.join("attacks")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let evil = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&calls);
        // It ends with the process. Who is connected is written down before anything is read.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                heard.lock().unwrap().push("somebody called".to_owned());
                let mut request = [0; 1024];
                let read = stream.read(&mut request).unwrap_or(0);
                let line = String::from_utf8_lossy(&request[..read]).lines().next().unwrap_or("").to_owned();
                heard.lock().unwrap().push(line);
                let _ = stream
                    .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        std::fs::write(&record, "").unwrap();
        Self { directory, record, evil, calls }
    }

    pub fn canary(&self, name: &str) -> PathBuf {
        self.directory.join("canaries").join(name)
    }

    /// Makes an attack's canary, and writes down what the worker does: the attack, or nothing but its work.
    pub fn lay(&self, attack: &Attack, by_worker: bool) {
        let canary = self.canary(attack.name);
        let script = format!(
            "#!/bin/sh\necho '{}' >> '{}' 2> /dev/null\nexec timeout 1 cat\n",
            attack.name,
            self.record.display()
        );
        std::fs::write(&canary, script).unwrap();
        std::fs::set_permissions(&canary, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = self.directory.join("attacks").join(attack.name);
        std::fs::write(file, if by_worker { format!("{}\n", attack.does) } else { ":\n".to_owned() })
            .unwrap();
    }

    /// Makes a repository what the attack wants it to be.
    pub fn prepare_repository(&self, attack: &Attack, bare: &Path, prelude: &str) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{prelude}\n{}", attack.does)]).current_dir(bare);
        shell.env("CANARY", self.canary(attack.name)).env("RECORD", &self.record).env("EVIL", &self.evil);
        let output = shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_DIR", bare).output().unwrap();
        assert!(output.status.success(), "{}: {}", attack.name, String::from_utf8_lossy(&output.stderr));
    }

    /// Canaries that somebody ran who is not confined, and calls that somebody made.
    pub fn alarms(&self) -> Vec<String> {
        let record = std::fs::read_to_string(&self.record).unwrap();
        let canaries = record.lines().map(|name| format!("the canary of {name} was run"));
        canaries.chain(self.calls.lock().unwrap().iter().cloned()).collect()
    }

    /// Does what a careless daemon would do, and says whether that would have done harm.
    pub async fn spring(&self, attack: &Attack, command: &str, workspace: &Path) -> Sprung {
        std::fs::write(&self.record, "").unwrap();
        self.calls.lock().unwrap().clear();
        let mut shell = tokio::process::Command::new("timeout");
        shell.args(["20", "/bin/sh", "-c", command]).current_dir(workspace).env_clear();
        shell.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &self.directory);
        shell.env("CANARY", self.canary(attack.name)).env("GIT_TERMINAL_PROMPT", "0");
        shell.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("TERM", "dumb");
        let output = shell.stdin(Stdio::null()).process_group(0).output().await.unwrap();
        let went_off = !self.alarms().is_empty();
        Sprung { went_off, said: String::from_utf8_lossy(&output.stderr).into_owned() }
    }
}
