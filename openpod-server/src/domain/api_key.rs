//! API keys: `opk_<key id>_<secret>` for agents, `opo_<key id>_<secret>` for people.
//!
//! The key id finds the row and may be shown; of the secret only a SHA-256 is kept. It has 256 random bits, so there
//! is nothing that a slow hash would protect.

use openpod_sdk::Secret;
use openpod_sdk::api::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::permission::Actor;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// An agent's.
    Agent,
    /// An owner's.
    Owner,
}

impl KeyKind {
    /// The kind that an actor's keys are of.
    pub fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Agent(_) => KeyKind::Agent,
            Actor::Owner(_) => KeyKind::Owner,
        }
    }

    /// What its keys begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            KeyKind::Agent => "opk",
            KeyKind::Owner => "opo",
        }
    }
}

/// A key that was just made. The text is shown once and never stored.
#[derive(Debug)]
pub struct MintedKey {
    /// The public part, by which the key is listed and revoked.
    pub key_id: String,
    /// The whole key.
    pub text: Secret,
    /// What is stored.
    pub secret_sha256: [u8; 32],
}

/// A key as a caller presented it: well-formed, not yet proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// Whose key it claims to be.
    pub kind: KeyKind,
    /// Its public part.
    pub key_id: String,
    secret_sha256: [u8; 32],
}

/// What is stored of a key, as far as it decides whether the key works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// SHA-256 of the secret part.
    pub secret_sha256: Vec<u8>,
    /// From when on it no longer works.
    pub expires_at: Option<Timestamp>,
    /// Since when it no longer works.
    pub revoked_at: Option<Timestamp>,
}

const KEY_ID_DIGITS: usize = 24;
const SECRET_DIGITS: usize = 64;

/// Makes a key from 44 random bytes.
pub fn mint(kind: KeyKind, random: [u8; 44]) -> MintedKey {
    let (id, secret) = random.split_at(KEY_ID_DIGITS / 2);
    let (key_id, secret) = (hex::encode(id), hex::encode(secret));
    let text = Secret::new(format!("{}_{key_id}_{secret}", kind.prefix()));
    MintedKey { key_id, text, secret_sha256: Sha256::digest(secret.as_bytes()).into() }
}

impl PresentedKey {
    /// Reads a key; `None` when it does not have the form of one.
    pub fn parse(text: &str) -> Option<PresentedKey> {
        let is_hex = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let (prefix, rest) = text.split_once('_')?;
        let (key_id, secret) = rest.split_once('_')?;
        let kind = [KeyKind::Agent, KeyKind::Owner].into_iter().find(|kind| kind.prefix() == prefix)?;
        let well_formed = key_id.len() == KEY_ID_DIGITS
            && secret.len() == SECRET_DIGITS
            && is_hex(key_id)
            && is_hex(secret);
        let secret_sha256 = Sha256::digest(secret.as_bytes()).into();
        well_formed.then(|| PresentedKey { kind, key_id: key_id.to_owned(), secret_sha256 })
    }

    /// Whether it is this stored key, and that key still works.
    pub fn opens(&self, stored: &StoredKey, now: Timestamp) -> bool {
        let same = bool::from(self.secret_sha256.as_slice().ct_eq(&stored.secret_sha256));
        same && stored.revoked_at.is_none() && stored.expires_at.is_none_or(|expiry| now < expiry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-12T10:30:00Z".parse().unwrap()
    }

    fn stored(key: &MintedKey) -> StoredKey {
        StoredKey { secret_sha256: key.secret_sha256.to_vec(), expires_at: None, revoked_at: None }
    }

    #[test]
    fn a_minted_key_opens_its_own_lock_only() {
        let (mine, other) = (mint(KeyKind::Agent, [7; 44]), mint(KeyKind::Agent, [8; 44]));
        let presented = PresentedKey::parse(mine.text.expose()).unwrap();
        assert_eq!((presented.kind, &presented.key_id), (KeyKind::Agent, &mine.key_id));
        assert!(presented.opens(&stored(&mine), now()));
        assert!(!presented.opens(&stored(&other), now()));
    }

    #[test]
    fn a_revoked_or_expired_key_opens_nothing() {
        let key = mint(KeyKind::Owner, [7; 44]);
        let presented = PresentedKey::parse(key.text.expose()).unwrap();
        let revoked = StoredKey { revoked_at: Some(now()), ..stored(&key) };
        let expired = StoredKey { expires_at: Some(now()), ..stored(&key) };
        let expiring =
            StoredKey { expires_at: Some(now().plus(std::time::Duration::from_secs(1))), ..stored(&key) };
        assert!(!presented.opens(&revoked, now()));
        assert!(!presented.opens(&expired, now()));
        assert!(presented.opens(&expiring, now()));
    }

    #[test]
    fn what_is_no_key_is_not_looked_up() {
        let secret = "a".repeat(64);
        for text in [
            String::new(),
            "opk_".into(),
            "opk_123_abc".into(),
            format!("opx_{}_{secret}", "a".repeat(24)),
            format!("opk_{}_{secret}", "A".repeat(24)),
            format!("opk_{}_{secret}0", "a".repeat(24)),
        ] {
            assert_eq!(PresentedKey::parse(&text), None, "{text}");
        }
    }
}
