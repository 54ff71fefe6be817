//! The forge itself: what every request may reach.

mod following;
mod setup;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use url::Url;

use crate::clock::Clock;
use crate::faults::Faults;
use crate::git::{Bare, Git, GitError, Unusable};
use crate::store::{Repository as StoredRepository, Store, StoreError};

pub(crate) use following::{FollowError, pull_ref};
pub(crate) use setup::person;
pub use setup::{AppCredentials, Repository, Seed, SetupError};

/// How many git processes serve clones and pushes at the same time.
const GIT_PROCESSES: usize = 16;

/// Where the forge keeps its data, and where clients find it.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    /// Repositories, the database and the keys of Apps. It is made when it is missing.
    pub data_dir: PathBuf,
    /// The address of the forge's root, such as `http://127.0.0.1:4000/forge`. The API is below it at `/api/v3`.
    pub web_url: Url,
    /// Mints installation tokens in the long form of 2026, of some 520 characters.
    pub long_tokens: bool,
}

/// A local forge. Clones are the same forge.
#[derive(Debug, Clone)]
pub struct Forge(Arc<Inner>);

pub(crate) struct Inner {
    pub store: Store,
    pub git: Git,
    pub clock: Arc<dyn Clock>,
    pub faults: Faults,
    pub git_processes: Arc<Semaphore>,
    config: ForgeConfig,
    /// Without a slash at its end.
    root: String,
}

/// Why a forge cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no git program that will do.
    #[error(transparent)]
    Git(#[from] Unusable),
    /// The data directory cannot be used.
    #[error("the forge's data directory {path} cannot be used: {source}")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A repository does not answer.
    #[error("a repository of the forge cannot be read: {0}")]
    Repository(#[from] GitError),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forge").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Forge {
    /// Opens the forge in its data directory. Everything that was there is there again.
    pub async fn open(config: ForgeConfig, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        blocking(move || {
            let unusable = |source| OpenError::Directory { path: config.data_dir.clone(), source };
            let mut config = config.clone();
            for directory in ["repositories", "apps", "home"] {
                create_private(&config.data_dir.join(directory)).map_err(unusable)?;
            }
            config.data_dir = config.data_dir.canonicalize().map_err(unusable)?;
            let git = Git::new(config.data_dir.join("home"));
            git.check()?;
            let store = Store::open(&config.data_dir.join("forge.sqlite"))?;
            let root = config.web_url.as_str().trim_end_matches('/').to_owned();
            let git_processes = Arc::new(Semaphore::new(GIT_PROCESSES));
            let faults = Faults::default();
            let forge = Self(Arc::new(Inner { store, git, clock, faults, git_processes, config, root }));
            for repository in forge.0.store.read(StoredRepository::all)? {
                forge.follow_refs(&repository)?;
            }
            Ok(forge)
        })
        .await
    }

    /// The root of the REST API, without a slash at its end.
    pub fn api_url(&self) -> Url {
        let mut url = self.0.config.web_url.clone();
        url.set_path(&format!("{}/api/v3", url.path().trim_end_matches('/')));
        url
    }

    /// The forge's root, for people and for git.
    pub fn web_url(&self) -> Url {
        self.0.config.web_url.clone()
    }

    /// What shall go wrong, for tests.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Where a repository lies on disk, whether it exists or not.
    pub fn repository_path(&self, owner: &str, name: &str) -> PathBuf {
        // Names are compared without case, as on GitHub.
        let directory = self.0.config.data_dir.join("repositories").join(owner.to_lowercase());
        directory.join(format!("{}.git", name.to_lowercase()))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(crate) fn bare(&self, repository: &StoredRepository) -> Bare {
        let path = self.repository_path(&repository.owner.login, &repository.name);
        Bare::at(self.0.git.clone(), path)
    }

    /// The time in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.0.clock.now().as_second()
    }

    /// An address below the forge's root; `path` begins with a slash.
    pub(crate) fn web(&self, path: &str) -> String {
        format!("{}{path}", self.0.root)
    }

    /// An address of the API; `path` begins with a slash.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}/api/v3{path}", self.0.root)
    }

    pub(crate) fn long_tokens(&self) -> bool {
        self.0.config.long_tokens
    }
}

/// Makes a directory, and those above it, for their owner alone: repositories are private.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Runs what waits for git or the disk off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being taken down, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}
