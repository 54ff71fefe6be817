//! People who own projects, and keys as the platform's operator gives and takes them. The command line, the dashboard
//! and the tests use it.

use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use openpod_sdk::Secret;
use openpod_sdk::api::keys::{Key, NewKey};
use openpod_sdk::api::{OwnerId, Timestamp, Validate, Violations};
use serde_json::json;

use crate::domain::agent::name_key;
use crate::domain::api_key::{KeyKind, MintedKey, mint};
use crate::domain::audit::{Author, Change};
use crate::domain::key_grant::{self, Grant, Refusal};
use crate::domain::permission::Actor;
use crate::store::{Store, StoreError, StoreErrorKind, Tx, agents, audit, keys, owners};

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
    /// Nobody has the name.
    #[error("there is no {0}")]
    Nobody(String),
    /// The key is not one that may be.
    #[error("a key's {0}")]
    BadKey(Violations),
    /// The key cannot be rotated.
    #[error(transparent)]
    Key(#[from] Refusal),
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
            let change = Change::made("owner", &id, &json!({"login": login}));
            note(tx, "owner create", change, &Actor::Owner(id.clone())).await?;
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
            note(tx, "owner token", Change::made("key", &key.id, &key), &holder).await?;
            Ok(minted)
        })
    });
    write.await
}

/// Who gets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyHolder {
    /// The agent with this name.
    Agent(String),
    /// The owner with this login.
    Owner(String),
}

/// Gives somebody a key that is good for what `new` says. Its text is shown this once.
pub async fn create_key(store: &Store, holder: KeyHolder, new: NewKey) -> Result<MintedKey, AccountError> {
    new.check().map_err(AccountError::BadKey)?;
    let write = store.write(move |tx| {
        Box::pin(async move {
            let holder = find(tx, holder).await?;
            let grant = Grant::everything().part(new.scopes, new.expires_at, tx.now())?;
            let minted = mint(KeyKind::of(&holder), tx.random_bytes());
            let key = keys::insert(tx, &minted, &holder, new.name, grant).await?;
            note(tx, "key create", Change::made("key", &key.id, &key), &holder).await?;
            Ok(minted)
        })
    });
    write.await
}

async fn find(tx: &mut Tx<'_>, holder: KeyHolder) -> Result<Actor, AccountError> {
    let (found, missing) = match holder {
        KeyHolder::Agent(name) => {
            (agents::by_name(tx, &name).await?.map(Actor::Agent), format!("agent with the name {name}"))
        }
        KeyHolder::Owner(login) => {
            let found = owners::by_login(tx, &name_key(&login)).await?;
            (found.map(|(id, _)| Actor::Owner(id)), format!("owner with the login {login}"))
        }
    };
    found.ok_or(AccountError::Nobody(missing))
}

/// Replaces a key by one that is good for the same. The old one works on for `grace`.
pub async fn rotate_key(store: &Store, key_id: &str, grace: Duration) -> Result<MintedKey, AccountError> {
    let key_id = key_id.to_owned();
    let write = store.write(move |tx| {
        Box::pin(async move {
            let found = keys::find(tx, &key_id).await?;
            let found = found.ok_or_else(|| AccountError::Nobody(format!("key {key_id}")))?;
            let until = key_grant::rotate(&Grant::everything(), &found.key, grace, tx.now())?;
            let (minted, key) = keys::succeed(tx, &found.key, &found.actor, until).await?;
            note(tx, "key rotate", Change::made("key", &key.id, &key), &found.actor).await?;
            let old = Key { expires_at: Some(until), replaced_by: Some(key.id), ..found.key.clone() };
            let change = Change::altered("key", &key_id, &found.key, &old);
            note(tx, "key rotate", change, &found.actor).await?;
            Ok(minted)
        })
    });
    write.await
}

/// Takes a key out of use. Whether it was in use.
pub async fn revoke_key(store: &Store, key_id: &str) -> Result<bool, StoreError> {
    let key_id = key_id.to_owned();
    let write = store.write(move |tx| {
        Box::pin(async move {
            let (found, now) = (keys::find(tx, &key_id).await?, tx.now());
            let Some(found) = found else { return Ok(false) };
            if !keys::revoke(tx, &key_id, now).await? {
                return Ok(false);
            }
            let revoked = Key { revoked_at: Some(now), ..found.key.clone() };
            let change = Change::altered("key", &key_id, &found.key, &revoked);
            note(tx, "key revoke", change, &found.actor).await?;
            Ok(true)
        })
    });
    write.await
}

/// Writes into the audit log what the operator did.
async fn note(tx: &mut Tx<'_>, command: &str, change: Change, holder: &Actor) -> Result<(), StoreError> {
    audit::insert(tx, &Author::operator(), command, &change.concerning(holder)).await
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
