//! People who own projects: making them, and giving them keys. The command line, the dashboard and the tests use it.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use openpod_sdk::Secret;
use openpod_sdk::api::{OwnerId, Timestamp};
use serde_json::json;

use crate::domain::agent::name_key;
use crate::domain::api_key::{KeyKind, MintedKey, mint};
use crate::domain::audit::{Author, Change};
use crate::domain::key_grant::Grant;
use crate::domain::permission::Actor;
use crate::store::{Store, StoreError, StoreErrorKind, audit, keys, owners};

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The login is not a name.
    #[error("a login must have 2 to 64 characters, none of them white space")]
    BadLogin,
    /// The password is too short or too long.
    #[error("a password must have 12 to 256 characters")]
    BadPassword,
    /// Somebody has the login.
    #[error("somebody has the login {0} already")]
    LoginTaken(String),
    /// The password could not be hashed.
    #[error("the password could not be hashed")]
    Hashing,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an owner.
pub async fn create_owner(
    store: &Store,
    login: &str,
    password: impl Into<Secret>,
) -> Result<OwnerId, AccountError> {
    let password = password.into();
    if !(2..=64).contains(&login.chars().count()) || login.contains(char::is_whitespace) {
        return Err(AccountError::BadLogin);
    }
    if !(12..=256).contains(&password.expose().chars().count()) {
        return Err(AccountError::BadPassword);
    }
    let mut salt = [0; 16];
    store.sources().randomness.fill(&mut salt);
    let hash = unhurried(move || hash(&password, &salt)).await?;
    let (taken, login) = (AccountError::LoginTaken(login.to_owned()), login.to_owned());
    let written = store.write(move |tx| {
        Box::pin(async move {
            let id: OwnerId = tx.new_id();
            owners::insert(tx, &id, &login, &name_key(&login), &hash).await?;
            let change =
                Change::made("owner", &id, &json!({"login": login})).concerning(&Actor::Owner(id.clone()));
            audit::insert(tx, &Author::operator(), "owner create", &change).await?;
            Ok::<_, StoreError>(id)
        })
    });
    match written.await {
        Err(error) if error.kind() == StoreErrorKind::Duplicate => Err(taken),
        written => Ok(written?),
    }
}

/// Gives an owner a key. Its text is shown this once.
pub async fn create_owner_token(
    store: &Store,
    owner: &OwnerId,
    expires_at: Option<Timestamp>,
) -> Result<MintedKey, StoreError> {
    let holder = Actor::Owner(owner.clone());
    let write = store.write(move |tx| {
        Box::pin(async move {
            let minted = mint(KeyKind::Owner, tx.random_bytes());
            let grant = Grant { expires_at, ..Grant::everything() };
            let key = keys::insert(tx, &minted, &holder, None, grant).await?;
            let change = Change::made("key", &key.id, &key).concerning(&holder);
            audit::insert(tx, &Author::operator(), "owner token", &change).await?;
            Ok(minted)
        })
    });
    write.await
}

/// The owner with this login.
pub async fn owner_by_login(store: &Store, login: &str) -> Result<Option<OwnerId>, StoreError> {
    let key = name_key(login);
    let found = store.read(move |tx| Box::pin(async move { owners::by_login(tx, &key).await })).await?;
    Ok(found.map(|(owner, _)| owner))
}

/// The owner with this login and password. Whether the login or the password is wrong cannot be told, neither from the
/// answer nor from the time that it takes.
pub async fn sign_in(store: &Store, login: &str, password: Secret) -> Result<Option<OwnerId>, AccountError> {
    let key = name_key(login);
    let found = store.read(move |tx| Box::pin(async move { owners::by_login(tx, &key).await })).await?;
    let Some((owner, stored)) = found else {
        unhurried(|| hash(&Secret::new("nobody has it"), &[0; 16])).await?;
        return Ok(None);
    };
    let right = unhurried(move || Ok(opens(&password, &stored))).await?;
    Ok(right.then_some(owner))
}

/// Runs what is slow on purpose where it holds nobody up.
async fn unhurried<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
) -> Result<T, AccountError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| AccountError::Hashing)?
}

/// Argon2id with its recommended costs, in PHC form.
fn hash(password: &Secret, salt: &[u8]) -> Result<String, AccountError> {
    let hash = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), salt);
    hash.map(|hash: PasswordHash| hash.to_string()).map_err(|_| AccountError::Hashing)
}

fn opens(password: &Secret, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
}
