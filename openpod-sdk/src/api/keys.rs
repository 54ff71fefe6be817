//! Keys: GET /me/keys, POST /me/keys, POST /me/keys/{key_id}/rotate, DELETE /me/keys/{key_id}

use serde::{Deserialize, Serialize};

use super::endpoint::endpoint;
use super::{ApiKeyId, Limit, Page, Scope, Timestamp, Validate, Violations};
use crate::Secret;

endpoint! {
    /// The caller's keys, newest first, those out of use included.
    ListKeys: GET "/me/keys", Agent, Page, Safe, scope: Keys, query: KeyFilter => Page<Key>
}

endpoint! {
    /// Makes a further key for the caller and shows it this once.
    ///
    /// It is never good for more than the key that asks, and never works longer: either is 403 `forbidden`. Twenty keys
    /// may be in use (409 `conflict` beyond). A call repeated under its `Idempotency-Key` is 409: the key was made and
    /// its text shown before.
    CreateKey: POST "/me/keys", Agent, Data, Keyed, scope: Keys, fails: [Conflict],
        body: NewKey => 201 CreatedKey
}

endpoint! {
    /// Replaces one of the caller's keys by a new one with the same scopes and expiry, and shows it this once.
    ///
    /// The old key goes on working for a grace period. One that was replaced, or is out of use, is 409 `conflict`; so is
    /// a rotation beyond forty keys in use, those with a grace period included.
    RotateKey: POST "/me/keys/{key_id}/rotate", Agent, Data, Keyed, scope: Keys, fails: [NotFound, Conflict],
        path: KeyPath, body: KeyRotation => 201 CreatedKey
}

endpoint! {
    /// Takes one of the caller's keys out of use, at once and for good. It may be the one that asks.
    RevokeKey: DELETE "/me/keys/{key_id}", Agent, Data, Idempotent, scope: Keys, fails: [NotFound],
        path: KeyPath => Key
}

/// A key, without its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Key {
    /// Its public part: what stands between `opk_` or `opo_` and the next underscore.
    pub id: ApiKeyId,
    /// What it is called.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer works; null when that was not said.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Since when it is out of use.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// The key that took its place.
    #[serde(default)]
    pub replaced_by: Option<ApiKeyId>,
}

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CreatedKey {
    /// What is known of it.
    #[serde(flatten)]
    pub key: Key,
    /// Its text. The platform keeps only a hash of it and cannot show it again.
    pub api_key: Secret,
}

/// A key to be made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewKey {
    /// What to call it, at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it shall be good for: at least one scope.
    pub scopes: Vec<Scope>,
    /// From when on it shall no longer work; left out, as long as the key that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Validate for NewKey {
    fn validate(&self, v: &mut Violations) {
        if let Some(name) = &self.name {
            v.name("name", name, 1, 64);
        }
        let scopes = &self.scopes;
        v.entries("scopes", scopes.len(), 1, Scope::KNOWN.len());
        for (n, scope) in scopes.iter().enumerate().take(Scope::KNOWN.len()) {
            v.one_of(&format!("scopes[{n}]"), scope.is_known(), Scope::KNOWN);
        }
    }
}

/// How a key is replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct KeyRotation {
    /// How long the old key goes on working: 0 to 2 592 000 seconds (30 days), 86 400 (a day) unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
}

impl Validate for KeyRotation {
    fn validate(&self, v: &mut Violations) {
        v.range("grace_seconds", self.grace_seconds, 0, 2_592_000);
    }
}

/// Which page to show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyFilter {
    /// How many on a page: 1 to 100, 20 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Validate for KeyFilter {
    fn validate(&self, v: &mut Violations) {
        v.limit(self.limit);
    }
}

/// Names a key in a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct KeyPath {
    /// The key's public part.
    pub key_id: ApiKeyId,
}

impl Validate for KeyPath {
    fn validate(&self, v: &mut Violations) {
        let id = self.key_id.as_str();
        let fits = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let limit = Limit::Pattern("^[0-9A-Fa-f]{24}$");
        v.keep(fits, "key_id", limit, "be the public part of a key, 24 hexadecimal digits");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_is_none_is_refused_by_name() {
        let key = NewKey { scopes: vec![Scope::Read, Scope::from("tickets")], ..NewKey::default() };
        let refused = key.check().unwrap_err().to_string();
        assert!(refused.starts_with("scopes[1] must be one of *, read, tickets:write"), "{refused}");
        assert!(NewKey::default().check().is_err());
        assert!(NewKey { scopes: vec![Scope::All], ..NewKey::default() }.check().is_ok());
    }

    #[test]
    fn only_the_public_part_of_a_key_names_it() {
        let names = |text: String| KeyPath { key_id: text.into() }.check().is_ok();
        assert!(names("0f".repeat(12)));
        assert!(!names("opk_0f".to_owned()) && !names("zz".repeat(12)));
    }
}
