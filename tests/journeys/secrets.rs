//! The scoped token, the agent's key and the webhook's secret are nowhere where others could read them: in no argument
//! and no environment of any process, no file, no log, and no text that leaves the machine. A worker that got hold of
//! them all the same cannot publish them by what it says.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use openpod_agentd::executor::Sandbox;
use openpod_sdk::api::TicketStatus;
use tokio::net::TcpListener;

use crate::tap::Tap;
use crate::world::World;
use crate::world::program::{Log, Program};

const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// Says what was planted, in pieces and in every way that it has, and looks around.
const TELLTALE: &str = r#"
. "$PLANTED"
cd "$OPENPOD_WORKSPACE"
for secret in "$KEY" "$HOOK"; do
  printf 'a %s' "$(printf %s "$secret" | cut -c 1-20)"; printf '%s b\n' "$(printf %s "$secret" | cut -c 21-)" >&2
  echo "I used $secret." >> "$OPENPOD_SUMMARY_FILE"
done
{
  env
  for process in /proc/[0-9]*; do tr '\0' ' ' < "$process/cmdline"; tr '\0' '\n' < "$process/environ"; done
  git remote -v
  git config --list --show-origin
} > "$OPENPOD_RUN_DIR/seen.txt" 2> /dev/null
echo 42 > answer.txt
"#;

/// A git that writes down its environment and, by trace2, the arguments of every process it starts.
fn spying_git(directory: &Path) -> String {
    let path = std::env::var("PATH").unwrap();
    let real =
        std::env::split_paths(&path).map(|entry| entry.join("git")).find(|file| file.exists()).unwrap();
    let (bin, notes) = (directory.join("bin"), directory.join("notes"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&notes).unwrap();
    let script = format!(
        "#!/bin/sh\nif env > '{0}/environment.'$$ 2> /dev/null; then export GIT_TRACE2_EVENT='{0}/trace.'$$; fi\n\
         exec '{1}' \"$@\"\n",
        notes.display(),
        real.display()
    );
    std::fs::write(bin.join("git"), script).unwrap();
    std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{path}", bin.display())
}

/// Looks again and again at the arguments and environments of all processes that have to do with a place.
struct Sampler {
    stop: Sender<()>,
    looking: JoinHandle<BTreeSet<Vec<u8>>>,
}

impl Sampler {
    fn start(place: &Path) -> Self {
        let place = place.display().to_string().into_bytes();
        let (stop, stopped) = channel();
        let looking = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while stopped.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
                    let about = [read("cmdline"), read("environ")].concat();
                    if holds(&about, &place) {
                        seen.insert(about);
                    }
                }
            }
            seen
        });
        Self { stop, looking }
    }

    fn seen(self) -> BTreeSet<Vec<u8>> {
        drop(self.stop);
        self.looking.join().unwrap()
    }
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files_below(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_daemon_is_anywhere_on_a_whole_journey() {
    let world = World::begin().await;
    let project = world.project().await;
    let (agent, key) = world.register("ada").await;
    world.hire(&project, &agent).await;
    let tap = Tap::before(&world.url).await;
    let (home, planted) = (world.directory("ada"), world.directory("planted").join("secrets"));
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let sandbox = if Sandbox::is_available() { "landlock" } else { "off" };
    std::fs::write(&planted, format!("KEY='{}'\nHOOK='{WEBHOOK_SECRET}'\n", key.expose())).unwrap();
    std::fs::write(home.join("worker.sh"), format!("PLANTED='{}'\n{TELLTALE}", planted.display())).unwrap();
    std::fs::write(home.join("agent.key"), key.expose()).unwrap();
    let text = format!(
        "data_dir = \"{0}/data\"\n[server]\nurl = \"{1}\"\nkey_file = \"{0}/agent.key\"\n\
         [webhook]\nlisten = \"{address}\"\npublic_url = \"http://{address}/\"\nsecret = \"{WEBHOOK_SECRET}\"\n\
         [heartbeat]\ninterval_seconds = 0.1\nscout_seconds = 0.1\n[policy.tickets]\nclaim_unassigned = true\n\
         [executor]\ncommand = [\"sh\", \"{0}/worker.sh\"]\nreadable = [\"{2}\"]\nsandbox = \"{sandbox}\"\n",
        home.display(),
        tap.url,
        planted.display(),
    );
    std::fs::write(home.join("agentd.toml"), text).unwrap();
    let spied = world.directory("spy");
    let (log, sampler) = (Log::default(), Sampler::start(&home));
    let _shown = log.shown_on_failure();
    let mut daemon = Program::start(&home.join("agentd.toml"), vec![("PATH", spying_git(&spied))], &log);
    let id = world.ticket(&project, "Answer the question").await;
    let ticket = world
        .ticket_when(&id, "handed in and reported", |ticket| {
            let said = ticket.comments.as_ref().is_some_and(|comments| !comments.is_empty());
            said && ticket.status == TicketStatus::InReview
        })
        .await;
    assert!(daemon.stop().await.success());

    let token = |body: &String| {
        let answer: serde_json::Value = serde_json::from_str(body).unwrap();
        answer["token"].as_str().unwrap().to_owned()
    };
    let tokens: BTreeSet<String> = tap.heard("/github/token").iter().map(token).collect();
    assert!(!tokens.is_empty(), "the daemon asked for a token");
    let secrets: Vec<&str> =
        tokens.iter().map(String::as_str).chain([key.expose(), WEBHOOK_SECRET]).collect();
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    let samples = sampler.seen();
    assert!(samples.iter().any(|about| holds(about, b"openpod-tests-agentd")), "the sampler saw no daemon");
    places.extend(samples.into_iter().map(|about| ("a process".to_owned(), about)));
    let notes = files_below(&spied.join("notes"));
    assert!(notes.len() > 10, "the spy saw {} files", notes.len());
    let data = files_below(&home.join("data"));
    assert!(data.iter().any(|path| path.ends_with("seen.txt")), "the worker looked around");
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).unwrap_or_default());
    let output: Vec<PathBuf> = data.iter().filter(|path| path.ends_with("output.log")).cloned().collect();
    places.extend(notes.into_iter().chain(data).map(read));
    places.push(("the daemon's log".into(), log.text().into()));
    places.push(("the ticket".into(), format!("{ticket:?}").into()));
    let branch = ticket.branch_name.as_deref().unwrap();
    places.push(("the commits".into(), world.git(&project, &["log", "-p", branch]).into()));
    let page = reqwest::Client::new().get(&ticket.deliverables[0].url);
    let page = page.basic_auth("x-access-token", tokens.last()).send().await.unwrap().text().await.unwrap();
    places.push(("the pull request".into(), page.clone().into()));
    let told = tap.told().into_iter().filter(|(path, _)| !path.ends_with("/webhooks"));
    places.extend(told.map(|(path, body)| (format!("what was sent to {path}"), body.into())));

    for (place, bytes) in &places {
        for secret in &secrets {
            assert!(!holds(bytes, secret.as_bytes()), "a secret stands in {place}");
        }
    }
    // What the worker said is there all the same.
    let [output] = &output[..] else { panic!("{output:?}") };
    assert_eq!(std::fs::read_to_string(output).unwrap(), "a [secret] b\na [secret] b\n");
    let said = &ticket.comments.unwrap()[0].content;
    assert!(said.starts_with("I used [secret].\nI used [secret]."), "{said}");
    assert!(page.contains("I used [secret]."), "{page}");
    assert!(world.git(&project, &["log", "-1", "--format=%B", branch]).contains("I used [secret]."));
    world.close().await;
}
