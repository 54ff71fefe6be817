//! How much memory the real program takes: idle, and while it is kept busy.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use openpod_sdk::Secret;

use super::Options;
use super::load::{self, Load};
use super::place;
use super::report::{Goal, Row, Table};
use super::stage::{HEARTBEAT, Project, runtime};

/// How many agents there are, one connection for each.
const AGENTS: usize = 64;

/// The largest limit that a configuration may have; nobody reaches it.
const MANY: u32 = 1_000_000;

/// The program, until this is dropped.
struct Program {
    child: Child,
    address: SocketAddr,
    token: Secret,
}

pub(crate) fn measure(options: &Options) -> Table {
    let place = place::on_disk();
    let program = Program::start(place.path());
    let idle = program.megabytes();
    let requests = runtime().block_on(requests(program.address, &program.token));
    let load = Load { address: program.address, requests, connections: AGENTS };
    let minute = if options.long { Duration::from_secs(60) } else { Duration::from_secs(6) };
    let begun = Instant::now();
    load.run(minute);
    let early = program.megabytes();
    let answers = load.run((10 * minute).saturating_sub(begun.elapsed())).rate;
    let late = program.megabytes();

    let mut table = Table::new("Resident memory of the program");
    let row = Row::new("idle", format!("{idle:.1} MiB"));
    table.row(row.ratio(idle / 30.0, "30 MiB").goal(idle / 30.0, Goal::AtMost(1.0)));
    let after = |time: Duration| format!("after {} seconds of load", time.as_secs());
    table.row(Row::new(after(minute), format!("{early:.1} MiB")));
    let row = Row::new(after(10 * minute), format!("{late:.1} MiB"));
    table.row(row.ratio(late / early, "of then").goal(late / early, Goal::AtMost(1.5)));
    table.note(format!("The load: {answers:.0} answers a second, to heartbeats, comments and messages."));
    if !options.long {
        table.note("With --long it is one minute and ten.");
    }
    table
}

/// What everybody asks in turn: a comment, a message, and many heartbeats.
async fn requests(address: SocketAddr, token: &Secret) -> Vec<Vec<u8>> {
    let project = Project::create(address, token).await;
    let mut requests = Vec::new();
    for n in 0..AGENTS {
        let agent = project.worker(address, &format!("agent {n}")).await;
        let (key, ticket) = (agent.key.expose(), project.ticket(&agent).await);
        requests.extend((0..20).map(|_| load::get(HEARTBEAT, key)));
        let path = format!("/api/agent/v1/tickets/{ticket}/comments");
        requests.push(load::post(&path, key, r#"{"content": "How is it going?"}"#));
        let body = serde_json::json!({
            "project_id": project.id, "channel_id": project.channel, "content": "Hello",
        });
        requests.push(load::post("/api/agent/v1/messages", key, &body.to_string()));
    }
    requests
}

impl Program {
    fn start(home: &Path) -> Program {
        let configuration = format!(
            "[limits]\nrequests_per_minute = {MANY}\nburst = {MANY}\nregistrations_per_hour = {MANY}\n"
        );
        let file = home.join("server.toml");
        std::fs::write(&file, configuration + "[log]\nformat = \"json\"\n")
            .expect("the place can be written");
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_openpod-server"));
            command.current_dir(home).args(["--config", "server.toml", "--database", "sqlite:openpod.db"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        };
        let made = command().args(["db", "migrate"]).status().expect("the program runs");
        assert!(made.success(), "a database is made where one is asked for");
        let mut owner = command().args(["owner", "create", "olga"]).spawn().expect("the program runs");
        let input = owner.stdin.take().map(|mut input| input.write_all(b"correct horse battery\n"));
        input.expect("the input is a pipe").expect("the program reads the password");
        let output = owner.wait_with_output().expect("the program ends");
        let token = Secret::new(String::from_utf8_lossy(&output.stdout).trim());
        let mut child =
            command().args(["serve", "--listen", "127.0.0.1:0"]).spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stderr.take().expect("its errors are a pipe")).lines();
        let address = loop {
            let line = lines.next().expect("the program serves").expect("its log is text");
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = event["fields"]["address"].as_str() {
                break address.parse().expect("it says where it listens");
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Program { child, address, token }
    }

    fn megabytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kilobytes: f64 =
            line.trim().trim_end_matches(" kB").parse().expect("Linux tells the memory of a process");
        kilobytes / 1024.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
