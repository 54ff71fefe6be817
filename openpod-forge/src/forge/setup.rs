//! What whoever runs the forge may do without a request: accounts, Apps, repositories, protection.

use std::io::Write;
use std::path::Path;

use secrecy::SecretString;

use super::{Forge, blocking};
use crate::auth::{self, Minted, NoRandomness};
use crate::git::{GitError, NewFile, NotMoved, Oid, Person, RefName};
use crate::permission::Permissions;
use crate::store::{Account, AccountKind, App, Installation, Repository as Stored, StoreError};

/// The branch that a repository begins with.
const DEFAULT_BRANCH: &str = "main";

/// With what an App proves itself.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The App's number.
    pub app_id: u64,
    /// The other name of the App that a JWT may be issued by.
    pub client_id: String,
    /// PKCS#8, as PEM.
    pub private_key_pem: SecretString,
}

/// A repository that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its number.
    pub id: u64,
    /// The account that it belongs to.
    pub owner: String,
    /// Its name there.
    pub name: String,
    /// The branch that it begins with, which is protected.
    pub default_branch: String,
    /// The first commit.
    pub head_sha: String,
    /// For git.
    pub clone_url: String,
    /// For people.
    pub html_url: String,
}

/// The files of a repository's first commit.
#[derive(Debug, Clone, Default)]
pub struct Seed(Vec<NewFile>);

/// Why something could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The name has characters that GitHub does not allow, or is too long.
    #[error(
        "`{0}` is no name for an account, App or repository: use letters, digits, `-`, `_` and `.`, at most 100"
    )]
    BadName(String),
    /// There is one already.
    #[error("`{0}` exists already")]
    Exists(String),
    /// There is none.
    #[error("there is no `{0}` on this forge")]
    Missing(String),
    /// The key in the data directory is missing or cannot be written.
    #[error("the App's private key cannot be kept in {path}: {source}")]
    Key {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No keys or tokens can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Git failed, for instance because a path of the seed is not allowed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for SetupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Seed {
    /// No file yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn file(self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.add(path.into(), content.into(), false)
    }

    /// Adds a file that can be run.
    pub fn executable(self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.add(path.into(), content.into(), true)
    }

    fn add(mut self, path: String, content: Vec<u8>, executable: bool) -> Self {
        self.0.push(NewFile { path, content, executable });
        self
    }
}

impl<P: Into<String>, C: Into<Vec<u8>>> FromIterator<(P, C, bool)> for Seed {
    fn from_iter<I: IntoIterator<Item = (P, C, bool)>>(files: I) -> Self {
        files.into_iter().fold(Self::new(), |seed, (path, content, executable)| {
            seed.add(path.into(), content.into(), executable)
        })
    }
}

impl Forge {
    /// Registers an App with these permissions and a new key.
    pub async fn create_app(
        &self,
        slug: &str,
        permissions: Permissions,
    ) -> Result<AppCredentials, SetupError> {
        let (forge, slug) = (self.clone(), checked(slug)?);
        blocking(move || forge.create_app_now(&slug, &permissions)).await
    }

    /// The App of this name, with the key that it had: it is kept in the data directory, readable to its owner alone.
    /// Registers it when there is none.
    pub async fn ensure_app(
        &self,
        slug: &str,
        permissions: Permissions,
    ) -> Result<AppCredentials, SetupError> {
        let (forge, slug) = (self.clone(), checked(slug)?);
        blocking(move || {
            let Some(app) = forge.0.store.read(|tx| App::by_slug(tx, &slug))? else {
                return forge.create_app_now(&slug, &permissions);
            };
            let path = forge.key_path(&slug);
            let pem = std::fs::read_to_string(&path).map_err(|source| SetupError::Key { path, source })?;
            Ok(credentials(app.id, app.client_id, pem))
        })
        .await
    }

    /// Makes a private repository with one commit on its protected default branch, `main`. The owner becomes an
    /// organisation if there is no account of that name.
    pub async fn create_repository(
        &self,
        owner: &str,
        name: &str,
        seed: Seed,
    ) -> Result<Repository, SetupError> {
        let (forge, owner, name) = (self.clone(), checked(owner)?, checked(name)?);
        blocking(move || forge.create_repository_now(&owner, &name, &seed)).await
    }

    /// Installs an App at an account, for all its repositories, also those to come. The same again if it is there.
    pub async fn install(&self, app_id: u64, owner: &str) -> Result<u64, SetupError> {
        let (forge, owner) = (self.clone(), checked(owner)?);
        blocking(move || {
            let now = forge.now();
            let id = forge.0.store.write(|tx| {
                let missing = || SetupError::Missing(format!("App {app_id}"));
                let number = i64::try_from(app_id).map_err(|_| missing())?;
                let app = App::by_id(tx, number)?.ok_or_else(missing)?;
                let account = ensure_account(tx, &owner, AccountKind::Organization, now)?;
                Ok::<_, SetupError>(Installation::ensure(tx, &app, &account, now)?)
            })?;
            Ok(id.unsigned_abs())
        })
        .await
    }

    /// A new token of a person, who may do everything on this forge. The person is made if there is none.
    pub async fn create_user(&self, login: &str) -> Result<String, SetupError> {
        let (forge, login) = (self.clone(), checked(login)?);
        blocking(move || {
            let token = auth::mint(Minted::Personal)?;
            let now = forge.now();
            forge.0.store.write(|tx| {
                let account = ensure_account(tx, &login, AccountKind::User, now)?;
                Ok::<_, SetupError>(account.add_token(tx, &auth::hash(&token))?)
            })?;
            Ok(token)
        })
        .await
    }

    /// Protects a branch: no App may push to it, and nobody may delete it. It need not exist yet.
    pub async fn protect(&self, owner: &str, name: &str, branch: &str) -> Result<(), SetupError> {
        self.change_protection(owner, name, branch, Stored::protect).await
    }

    /// Takes the protection away.
    pub async fn unprotect(&self, owner: &str, name: &str, branch: &str) -> Result<(), SetupError> {
        self.change_protection(owner, name, branch, Stored::unprotect).await
    }

    async fn change_protection(
        &self,
        owner: &str,
        name: &str,
        branch: &str,
        change: fn(&rusqlite::Connection, i64, &str) -> rusqlite::Result<()>,
    ) -> Result<(), SetupError> {
        let (forge, owner, name) = (self.clone(), owner.to_owned(), name.to_owned());
        let branch = branch.to_owned();
        blocking(move || {
            forge.0.store.write(|tx| {
                let missing = || SetupError::Missing(format!("{owner}/{name}"));
                let repository = Stored::by_name(tx, &owner, &name)?.ok_or_else(missing)?;
                Ok(change(tx, repository.id, &branch)?)
            })
        })
        .await
    }

    fn create_app_now(&self, slug: &str, permissions: &Permissions) -> Result<AppCredentials, SetupError> {
        let (pem, public_key) = auth::key_pair()?;
        let client_id = format!("Iv1.{}", hex::encode(auth::random(8)?));
        let path = self.key_path(slug);
        let now = self.now();
        let id = self.0.store.write(|tx| {
            if App::by_slug(tx, slug)?.is_some() {
                return Err(SetupError::Exists(slug.to_owned()));
            }
            let bot = ensure_account(tx, &format!("{slug}[bot]"), AccountKind::Bot, now)?;
            let id = App::create(tx, slug, &client_id, &public_key, permissions, &bot, now)?;
            write_private(&path, pem.as_bytes()).map_err(|source| SetupError::Key { path, source })?;
            Ok(id)
        })?;
        Ok(credentials(id, client_id, pem))
    }

    fn key_path(&self, slug: &str) -> std::path::PathBuf {
        self.0.config.data_dir.join("apps").join(format!("{slug}.pem"))
    }

    fn create_repository_now(&self, owner: &str, name: &str, seed: &Seed) -> Result<Repository, SetupError> {
        let now = self.now();
        self.0.store.write(|tx| {
            if Stored::by_name(tx, owner, name)?.is_some() {
                return Err(SetupError::Exists(format!("{owner}/{name}")));
            }
            let account = ensure_account(tx, owner, AccountKind::Organization, now)?;
            let repository = Stored::create(tx, &account, name, DEFAULT_BRANCH, now)?;
            let head = self.sow(&repository, seed)?;
            let address = self.web(&format!("/{}", repository.full_name()));
            Ok(Repository {
                id: repository.id.unsigned_abs(),
                owner: account.login,
                name: repository.name,
                default_branch: repository.default_branch,
                head_sha: head.to_string(),
                clone_url: format!("{address}.git"),
                html_url: address,
            })
        })
    }

    /// Makes the repository on disk. What an earlier, interrupted attempt left there is of no use to anybody.
    fn sow(&self, repository: &Stored, seed: &Seed) -> Result<Oid, SetupError> {
        let bare = self.bare(repository);
        let failed = |source| GitError::NotRun { command: "init".into(), source };
        if bare.path().exists() {
            std::fs::remove_dir_all(bare.path()).map_err(failed)?;
        }
        std::fs::create_dir_all(bare.path()).map_err(failed)?;
        bare.init(DEFAULT_BRANCH)?;
        let tree = bare.write_tree(None, &seed.0)?;
        let author = person(&repository.owner, self.0.clock.now());
        let head = bare.write_commit(&tree, &[], &author, &author, "Initial commit\n")?;
        let branch = RefName::branch(DEFAULT_BRANCH).ok_or(GitError::Unexpected("init"))?;
        bare.move_ref(&branch, &head, &Oid::zero()).map_err(|error| match error {
            NotMoved::Changed => SetupError::Exists(repository.full_name()),
            NotMoved::Git(error) => SetupError::Git(error),
        })?;
        Ok(head)
    }
}

/// How an account signs its commits.
pub(crate) fn person(account: &Account, at: jiff::Timestamp) -> Person {
    let email = format!("{}+{}@users.noreply.localhost", account.id, account.login);
    Person { name: account.login.clone(), email, at }
}

fn credentials(id: i64, client_id: String, pem: String) -> AppCredentials {
    AppCredentials { app_id: id.unsigned_abs(), client_id, private_key_pem: pem.into() }
}

fn ensure_account(
    tx: &rusqlite::Connection,
    login: &str,
    kind: AccountKind,
    now: i64,
) -> rusqlite::Result<Account> {
    match Account::by_login(tx, login)? {
        Some(account) => Ok(account),
        None => Account::create(tx, login, kind, now),
    }
}

fn checked(name: &str) -> Result<String, SetupError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let reserved = ["api", "login", "repositories"].contains(&name.to_lowercase().as_str());
    let good = (1..=100).contains(&name.len())
        && name.chars().all(fine)
        && !name.starts_with(['.', '-'])
        && !name.to_lowercase().ends_with(".git")
        && !reserved;
    if good { Ok(name.to_owned()) } else { Err(SetupError::BadName(name.to_owned())) }
}

#[cfg(unix)]
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(not(unix))]
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_directory_or_hide_a_route_are_refused() {
        for good in ["acme", "my-repo", "a.b_c", "A1"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["", "..", ".hidden", "a/b", "a b", "x.git", "api", "-x", "ü", &"a".repeat(101)] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
