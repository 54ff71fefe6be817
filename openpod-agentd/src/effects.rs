//! What a job asks of the world, carried out: one match from wish to port.
//!
//! Whoever carries out an effect that was begun before (`again`) looks first whether it was done: at the ticket, at
//! the branch, at the pull request, at the comments. So each takes place once, whatever was interrupted.

mod ahead;
mod behind;
mod claim;
mod failure;
mod forge;
mod git;
mod holdings;
mod platform;
mod pull_request;
mod run;
mod scout;
mod tokens;
mod transcript;

use std::path::PathBuf;
use std::sync::Arc;

use openpod_sdk::clock::Clock;
use openpod_sdk::{Client, Secret};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use failure::failure_of;
pub use forge::Forges;
pub use holdings::Holdings;
pub use platform::{apply, look, who_am_i};
pub(crate) use run::RUNS;
pub use run::latest_log;
pub use scout::scout;

use crate::config::{Executor, GitSettings};
use crate::crash;
use crate::job::policy::Policy;
use crate::job::{Effect, Failure, Input, Job, Me, Retention};
use crate::shim::{Idle, ShimError};
use crate::workspace::{Advertised, JobKey, Workspaces};
use ahead::Ahead;
use claim::Claim;
use platform::Told;
use run::Runs;
use tokens::Tokens;

/// Tells an effect when its intent is durable. Dropped instead of sent to, it has the effect wait for ever.
#[derive(Debug)]
pub struct Written(oneshot::Receiver<bool>);

impl Written {
    /// Something to send to whether the intent was written down before.
    pub fn when() -> (oneshot::Sender<bool>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// Returns when it is written down, with whether it was before, so that it may have been carried out already.
    async fn down(&mut self, name: &str) -> bool {
        let Ok(again) = (&mut self.0).await else { return std::future::pending().await };
        tracing::debug!(again, "begins");
        crash::around(name, "intended");
        again
    }
}

/// Everything that effects need.
pub struct Effects {
    client: Client,
    me: Me,
    policy: Policy,
    executor: Executor,
    git: GitSettings,
    workspaces: Workspaces,
    forges: Forges,
    clock: Arc<dyn Clock>,
    /// Where runs keep their files.
    runs_dir: PathBuf,
    /// How long what is over is kept.
    retention: Retention,
    /// What must not stand in a log.
    secrets: Vec<Secret>,
    /// The program that serves as shim.
    helper: PathBuf,
    tokens: Tokens,
    runs: Runs,
    /// The branches of tickets that are being claimed.
    ahead: Ahead<Option<Advertised>>,
    /// The workspaces of tickets that are being claimed.
    ready: Ahead<Outcome>,
    /// The shims of their runs.
    shims: Ahead<Result<Idle, ShimError>>,
    /// What workers must know whose workspaces are being prepared.
    told: Ahead<Told>,
}

/// What effects are made of.
pub struct Parts {
    /// The platform.
    pub client: Client,
    /// Who we are.
    pub me: Me,
    /// Which work to take.
    pub policy: Policy,
    /// The worker.
    pub executor: Executor,
    /// How commits look.
    pub git: GitSettings,
    /// The repositories.
    pub workspaces: Workspaces,
    /// Connections to forges.
    pub forges: Forges,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where runs keep their files.
    pub runs_dir: PathBuf,
    /// How long what is over is kept.
    pub retention: Retention,
    /// What must not stand in a log.
    pub secrets: Vec<Secret>,
    /// The program that serves as shim.
    pub helper: PathBuf,
    /// Cancelled when the agent stops.
    pub stop: CancellationToken,
    /// Ends runs when it is cancelled. They are left alone when it is absent, or when only the agent stops.
    pub end_runs: Option<CancellationToken>,
}

impl Effects {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            client,
            me,
            policy,
            executor,
            git,
            workspaces,
            forges,
            clock,
            runs_dir,
            retention,
            secrets,
            helper,
            stop,
            end_runs,
        } = parts;
        let tokens = Tokens::new(client.clone(), git.clone(), Arc::clone(&clock));
        let runs = Runs::new(stop, end_runs);
        Self {
            client,
            me,
            policy,
            executor,
            git,
            workspaces,
            forges,
            clock,
            runs_dir,
            retention,
            secrets,
            helper,
            tokens,
            runs,
            ahead: Ahead::default(),
            ready: Ahead::default(),
            shims: Ahead::default(),
            told: Ahead::default(),
        }
    }

    /// Carries out one effect, once it is written down, and tells the job how it ended.
    pub async fn perform(&self, job: &Job, effect: Effect, mut written: Written) -> Input {
        let name = effect.name();
        let again = match &effect {
            // They make ready or look meanwhile.
            Effect::Run { .. } | Effect::Claim { .. } => false,
            _ => written.down(name).await,
        };
        let result = match effect {
            Effect::Claim { version, untouched, look } => {
                let claim = Claim { version, untouched, look };
                self.claim(job, claim, written).await
            }
            Effect::Prepare => self.prepare(job).await,
            Effect::Brief { .. } => self.brief(job).await,
            Effect::Run { attempt, allowance } => self.run(job, attempt, allowance, written).await,
            Effect::Collect { summary, ended_at } => self.collect(job, summary.as_deref(), ended_at).await,
            Effect::Push { head } => self.push(job, &head, again).await,
            Effect::Propose { change, summary } => {
                self.propose(job, &change, summary.as_deref(), again).await
            }
            Effect::Verify { url, head } => self.verify(job, url, &head).await,
            Effect::Deliver { pull_request, content_hash } => {
                self.deliver(job, &pull_request, content_hash).await
            }
            Effect::Report { summary } => {
                self.say(job, crate::wording::report(job, summary.as_deref())).await
            }
            Effect::Apologise { reason, leave } => {
                self.say(job, crate::wording::apology(job, &reason, leave)).await
            }
            Effect::Release => self.release(job).await,
            Effect::Leave => self.leave(job).await,
            Effect::Clean => self.clean(job).await,
        };
        if result.is_ok() {
            crash::around(name, "done");
        }
        result.unwrap_or_else(|failure| Input::Failed { effect: name, failure })
    }
}

/// The name of a job's directories. Ids are opaque, so one that is no name of a directory is replaced by its hash.
pub(crate) fn key_of(job: &Job) -> JobKey {
    let id = job.ticket.as_str();
    id.parse().unwrap_or_else(|_| {
        let hash = hex::encode(Sha256::digest(id.as_bytes()));
        hash.parse().expect("hexadecimal digits are a name")
    })
}

/// What an effect gives.
type Outcome = Result<Input, Failure>;
